from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

import gittrack
from tests.support.git_repository import fsck, run_git
from tests.support.recorded import read_recorded, refs_of, run_script
from tests.support.untouched import untouched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]

NAMES = ["with space.py", "größe.py", "line\nbreak.py", "-option.py", "caf\udce9.py", 'quote".py', "sub/deep/x.py"]


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_dir)


def _files(folder: Path, name: str) -> set[str]:
    """Return the paths of the recorded code."""
    listed = run_git("ls-tree", "-r", "-z", "--name-only", refs_of(folder)[name], cwd=folder).split("\0")[:-1]
    return {path for path in listed if not path.startswith(".gittrack/")}


def _content(folder: Path, name: str, path: str) -> str:
    return run_git("cat-file", "blob", f"{refs_of(folder)[name]}:{path}", cwd=folder)


def _slow_filter(folder: Path, seconds: float, *, name: str = "slow") -> None:
    """Let git's clean filter take its time with `*.slow`."""
    run_git("config", f"filter.{name}.clean", f"sleep {seconds}; cat", cwd=folder)
    (folder / ".gitattributes").write_text(f"*.slow filter={name}\n", encoding="utf-8")


def test_code_is_that_of_the_start(repo_dir: Path) -> None:
    """A file edited 0.3 s after the constructor returned, and one made then, are recorded as they were before."""
    (repo_dir / "train.py").write_text("at the start\n", encoding="utf-8")
    with gittrack.Run("early", quiet=True):
        time.sleep(0.3)
        (repo_dir / "train.py").write_text("while it ran\n", encoding="utf-8")
        (repo_dir / "late.py").write_text("\n", encoding="utf-8")
    assert _content(repo_dir, "early", "train.py") == "at the start"
    assert "late.py" not in _files(repo_dir, "early")
    assert read_recorded(repo_dir, "early").meta.dirty


def test_the_constructor_does_not_wait_for_the_snapshot(repo_dir: Path) -> None:
    """With a clean filter of a second, training starts at once and the filtered file is recorded."""
    _slow_filter(repo_dir, 1)
    (repo_dir / "data.slow").write_text("content\n", encoding="utf-8")
    start = time.perf_counter()
    run = gittrack.Run("quick", quiet=True)
    opened_s = time.perf_counter() - start
    run.end()
    ended_s = time.perf_counter() - start
    assert opened_s < 0.5
    assert ended_s > 0.9
    assert _content(repo_dir, "quick", "data.slow") == "content"


def test_every_kind_of_change_is_recorded(repo_dir: Path, git: Git) -> None:
    """Edits, staged or not, deletions, renames, modes, links of any kind, new folders; the workspace stays."""
    for name in ("gone.py", "old.py", "tool.sh", "staged.py"):
        (repo_dir / name).write_text(f"{name}\n", encoding="utf-8")
    git("add", "-A")
    git("commit", "-qm", "More")
    (repo_dir / "gone.py").unlink()
    (repo_dir / "old.py").rename(repo_dir / "new.py")
    (repo_dir / "tool.sh").chmod(0o755)
    (repo_dir / "staged.py").write_text("staged\n", encoding="utf-8")
    git("add", "staged.py")
    (repo_dir / "train.py").unlink()
    (repo_dir / "train.py").symlink_to("new.py")
    (repo_dir / "dangling").symlink_to("nowhere")
    (repo_dir / "outside").symlink_to("/etc/hostname")
    with untouched(repo_dir):
        gittrack.Run("kinds", quiet=True).end()
    assert _files(repo_dir, "kinds") == {
        "params.yaml",
        "new.py",
        "tool.sh",
        "staged.py",
        "train.py",
        "dangling",
        "outside",
    }
    modes = {line.split("\t")[1]: line[:6] for line in git("ls-tree", refs_of(repo_dir)["kinds"]).splitlines()}
    assert (modes["tool.sh"], modes["train.py"], modes["outside"]) == ("100755", "120000", "120000")
    assert _content(repo_dir, "kinds", "outside") == "/etc/hostname"
    assert _content(repo_dir, "kinds", "dangling") == "nowhere"
    assert _content(repo_dir, "kinds", "staged.py") == "staged"
    assert fsck(repo_dir) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_of_any_bytes_are_recorded(repo_dir: Path) -> None:
    """Spaces, line breaks, quotes, dashes and bytes that are no UTF-8, tracked and untracked."""
    for name in NAMES[::2]:
        path = repo_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("tracked\n", encoding="utf-8")
    run_git("add", "-A", cwd=repo_dir)
    run_git("commit", "-qm", "Names", cwd=repo_dir)
    for name in NAMES:
        (repo_dir / name).write_text("changed\n", encoding="utf-8")
    (repo_dir / "large\udcff.bin").write_bytes(b"x" * (1 << 21))
    with untouched(repo_dir):
        gittrack.Run("names", quiet=True).end()
    assert _files(repo_dir, "names") == {*NAMES, "train.py", "params.yaml"}
    assert all(_content(repo_dir, "names", name) == "changed" for name in NAMES)
    (left_out,) = read_recorded(repo_dir, "names").meta.left_out
    assert left_out == {"path": "large\\udcff.bin", "reason": "larger than 1 MiB", "size": 1 << 21}


def test_what_is_left_out_is_named(repo_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Large files, secrets, caches, environments and other repositories are in `meta.json` and in the last line."""
    for name, content in {
        "small.py": "x",
        ".env.local": "KEY=1",
        "deploy.pem": "-----BEGIN RSA PRIVATE KEY-----",
        "big.bin": "x" * ((1 << 20) + 1),
        "__pycache__/a.pyc": "x",
        "env/pyvenv.cfg": "x",
        "env/lib/a.py": "x",
        "ignored.log": "x",
        "other/file.py": "x",
    }.items():
        (repo_dir / name).parent.mkdir(exist_ok=True)
        (repo_dir / name).write_text(content, encoding="utf-8")
    (repo_dir / ".gitignore").write_text("*.log\n", encoding="utf-8")
    run_git("init", "-q", cwd=repo_dir / "other")
    gittrack.Run("limits").end()
    assert _files(repo_dir, "limits") == {"train.py", "params.yaml", "small.py", ".gitignore"}
    left_out = {str(item["path"]): item["reason"] for item in read_recorded(repo_dir, "limits").meta.left_out}
    assert left_out == {
        ".env.local": "looks like a secret",
        "deploy.pem": "looks like a secret",
        "big.bin": "larger than 1 MiB",
        "__pycache__/": "generated files",
        "env/": "an environment",
        "other/": "another repository",
    }
    assert "left out 6 untracked: " in capsys.readouterr().err


def test_the_project_sets_the_limits(repo_dir: Path) -> None:
    """`gittrack.yaml` says how large an untracked file may be."""
    (repo_dir / "gittrack.yaml").write_text("snapshot:\n  max_file_size: 10\n", encoding="utf-8")
    (repo_dir / "small").write_bytes(b"x" * 10)
    (repo_dir / "large").write_bytes(b"x" * 11)
    gittrack.Run("limits", quiet=True).end()
    files = _files(repo_dir, "limits")
    assert "small" in files
    assert "large" not in files


def test_filters_and_line_ends_are_git_s(repo_dir: Path, git: Git) -> None:
    """What is recorded is what `git add` would store: cleaned, with LF, a pointer where a filter makes one."""
    git("config", "filter.upper.clean", "tr a-z A-Z")
    git("config", "filter.pointer.clean", "sed -n '1s/.*/pointer/p'")
    (repo_dir / ".gitattributes").write_text(
        "*.up filter=upper\n*.txt text eol=crlf\n*.bin filter=pointer\n", encoding="utf-8"
    )
    (repo_dir / "a.up").write_text("small\n", encoding="utf-8")
    (repo_dir / "a.txt").write_bytes(b"one\r\ntwo\r\n")
    (repo_dir / "a.bin").write_bytes(b"many bytes\nand more\n")
    with untouched(repo_dir):
        gittrack.Run("filters", quiet=True).end()
    assert _content(repo_dir, "filters", "a.up") == "SMALL"
    assert _content(repo_dir, "filters", "a.txt") == "one\ntwo"
    assert _content(repo_dir, "filters", "a.bin") == "pointer"


def test_a_filter_that_fails_costs_its_files_only(repo_dir: Path, git: Git) -> None:
    """A required filter whose program is missing leaves its files out by name; all others are recorded."""
    git("config", "filter.broken.clean", "/nowhere/clean")
    git("config", "filter.broken.required", "true")
    (repo_dir / ".gitattributes").write_text("*.broken filter=broken\n", encoding="utf-8")
    for number in range(20):
        (repo_dir / f"{number}.py").write_text("x\n", encoding="utf-8")
    (repo_dir / "a.broken").write_text("x\n", encoding="utf-8")
    (repo_dir / "b.broken").write_text("x\n", encoding="utf-8")
    gittrack.Run("broken", quiet=True).end()
    files = _files(repo_dir, "broken")
    assert {f"{number}.py" for number in range(20)} < files
    assert not {"a.broken", "b.broken"} & files
    left_out = {str(item["path"]): item["reason"] for item in read_recorded(repo_dir, "broken").meta.left_out}
    assert left_out == {"a.broken": "git cannot take it", "b.broken": "git cannot take it"}


def test_submodules_are_recorded_as_git_does(repo_dir: Path, git: Git, tmp_path: Path) -> None:
    """A moved submodule is recorded by its commit, changes inside it are named; both stay as they are."""
    inner = tmp_path / "inner"
    run_git("clone", "-q", str(repo_dir), str(inner), cwd=tmp_path)
    git("submodule", "add", "-q", str(inner), "lib")
    git("commit", "-qm", "Add lib")
    lib = repo_dir / "lib"
    run_git("commit", "-q", "--allow-empty", "-m", "Moved", cwd=lib)
    (lib / "train.py").write_text("dirty\n", encoding="utf-8")
    with untouched(repo_dir):
        gittrack.Run("modules", quiet=True).end()
    assert git("rev-parse", f"{refs_of(repo_dir)['modules']}:lib") == run_git("rev-parse", "HEAD", cwd=lib)
    (left_out,) = read_recorded(repo_dir, "modules").meta.left_out
    assert left_out == {"path": "lib", "reason": "uncommitted changes in a submodule"}


def test_metrics_files_of_the_run_are_taken_up(repo_dir: Path, git: Git) -> None:
    """A declared metrics file that the run wrote gives metrics and is recorded; one of an earlier run is not."""
    (repo_dir / "metrics.json").write_text('{"accuracy": 0.1}', encoding="utf-8")
    git("add", "-A")
    git("commit", "-qm", "Metrics")
    gittrack.Run("before", quiet=True).end()
    with gittrack.Run("after", quiet=True) as run:
        run.log_metric("loss", 1)
        run._opened.starter.wait()  # type: ignore[union-attr]
        (repo_dir / "metrics.json").write_text('{"accuracy": 0.9}', encoding="utf-8")
    assert read_recorded(repo_dir, "before").metrics == {}
    record = read_recorded(repo_dir, "after")
    assert {name: summary.last for name, summary in record.metrics.items()} == {"accuracy": 0.9, "loss": 1}
    assert _content(repo_dir, "after", "metrics.json") == '{"accuracy": 0.9}'


def test_code_of_a_folder_below_is_the_whole_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that runs in a folder records everything, and where it ran."""
    (repo_dir / "src/deep").mkdir(parents=True)
    (repo_dir / "src/new.py").write_text("x\n", encoding="utf-8")
    monkeypatch.chdir(repo_dir / "src/deep")
    gittrack.Run("below", quiet=True).end()
    assert _files(repo_dir, "below") == {"train.py", "params.yaml", "src/new.py"}
    assert read_recorded(repo_dir, "below").meta.directory == "src/deep"


def test_a_kill_before_the_snapshot_says_so(repo_dir: Path) -> None:
    """The baseline's code stands in for code that was never recorded, and the record names that."""
    _slow_filter(repo_dir, 3)
    (repo_dir / "data.slow").write_text("content\n", encoding="utf-8")
    run_script(repo_dir, "import gittrack, os\ngittrack.Run('cut').log_metric('m', 1)\nos._exit(1)")
    from gittrack.runs.recovery import close_dead_runs
    from tests.support.git_repository import open_repository

    close_dead_runs(open_repository(repo_dir))
    record = read_recorded(repo_dir, "cut")
    assert record.meta.status == "killed"
    assert record.meta.problems == ("the code could not be recorded in time; the baseline's stands in its place",)
    assert _files(repo_dir, "cut") == {"train.py", "params.yaml"}
