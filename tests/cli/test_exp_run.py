"""`gittrack exp run`: a command in a throw-away worktree or in place, recorded with its output and its end."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.git_repository import make_repository, run_git
from tests.support.reading import code_of, only_record, records
from tests.support.untouched import own_state, stash_something, work_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable


def start(program: Path, folder: Path, *args: str, **settings: object) -> subprocess.Popen[bytes]:
    """Start `gittrack exp run` as a process of its own."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
    return subprocess.Popen([program, "exp", "run", *args], cwd=folder, env=environ, **pipes)  # type: ignore[call-overload, no-any-return]


def leftovers(folder: Path) -> list[str]:
    """Return what a command left of its worktree, its run and its name."""
    state = folder / ".git/gittrack"
    kept = [path for name in ("worktrees", "runs", "tmp", "names") for path in (state / name).glob("*")]
    kept += (folder / ".git/worktrees").glob("*")
    return [str(path) for path in kept]


def wait_for(path: Path, timeout_s: float = 20.0) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + timeout_s
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.02)


def test_the_workspace_is_untouched(repo_dir: Path, gittrack: Gittrack, git: Git) -> None:
    """The command sees what the workspace has, uncommitted and untracked; whatever it does stays in its worktree."""
    stash_something(repo_dir)
    (repo_dir / "train.py").write_text("print(open('helper.txt').read())\nopen('params.yaml', 'w').write('lr: 9\\n')\n")
    (repo_dir / "helper.txt").write_text("untracked helper")
    git("add", "train.py")
    before = own_state(repo_dir), work_tree(repo_dir), git("worktree", "list"), git("status", "--porcelain")
    lines = gittrack("exp", "run", "-n", "one", "--", PYTHON, "train.py", cwd=repo_dir)
    assert lines[0] == "untracked helper"
    assert (own_state(repo_dir), work_tree(repo_dir), git("worktree", "list"), git("status", "--porcelain")) == before
    assert leftovers(repo_dir) == []
    record = only_record(repo_dir)
    assert (record.meta.source, record.meta.status, record.meta.exit_code) == ("command", "completed", 0)
    assert (record.meta.branch, record.meta.baseline) == ("main", git("rev-parse", "HEAD"))
    assert record.meta.command == (PYTHON, "train.py")
    assert record.meta.dirty
    assert record.log == b"untracked helper\n"
    assert code_of(repo_dir, "one")["helper.txt"] == "untracked helper"


def test_in_place_uses_the_workspace(repo_dir: Path, gittrack: Gittrack) -> None:
    """Params are set in the workspace, the command runs there, and what it writes stays."""
    script = "open('out.txt', 'w').write('here')"
    gittrack("exp", "run", "--in-place", "-S", "train.lr=0.5", "--", PYTHON, "-c", script, cwd=repo_dir)
    assert (repo_dir / "out.txt").read_text() == "here"
    assert (repo_dir / "params.yaml").read_text() == "train:\n  lr: 0.5\n  epochs: 3\n"
    assert only_record(repo_dir).params["train.lr"] == 0.5
    assert leftovers(repo_dir) == []


def test_params_are_set_with_their_formatting_kept(repo_dir: Path, gittrack: Gittrack, git: Git) -> None:
    """Nested keys, types, lists, new keys and removed ones; comments and everything else stay."""
    (repo_dir / "params.yaml").write_text("# all\ntrain:\n  lr: 0.1   # rate\n  drop: 1\nlayers: [8, 4]\n")
    settings = ["train.lr=1e-3", "layers.0=16", "~train.drop", "data.name=no", "params.yaml:flags=[true, 'x']"]
    options = [word for setting in settings for word in ("-S", setting)]
    lines = gittrack("exp", "run", "-n", "one", *options, "--", "cat", "params.yaml", cwd=repo_dir)
    assert lines[:4] == ["# all", "train:", "  lr: 0.001   # rate", "layers: [16, 4]"]
    assert only_record(repo_dir).params == {
        "train.lr": 0.001, "layers": [16, 4], "data.name": "no", "flags": [True, "x"],
    }  # fmt: skip
    assert git("diff", "--stat") != ""
    assert (repo_dir / "params.yaml").read_text().startswith("# all\ntrain:\n  lr: 0.1   # rate\n  drop: 1\n")


def test_a_param_of_an_undeclared_file_is_recorded(repo_dir: Path, gittrack: Gittrack) -> None:
    """What was set is a param of the experiment, wherever it stands."""
    (repo_dir / "model.toml").write_text("units = 1\n[train]\nlr = 1\n")
    options = ["-S", "model.toml:units=64", "-S", "model.toml:train.lr=2"]
    gittrack("exp", "run", *options, "--", "true", cwd=repo_dir)
    assert only_record(repo_dir).params == {
        "units": 64, "model.toml:train.lr": 2, "train.lr": 0.1, "train.epochs": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "word", "code"),
    [
        ("train.lr", "not a change", 2),
        ("=1", "not a change", 2),
        ("a..b=1", "empty part", 2),
        ("nope.yaml:a=1", "there is no file 'nope.yaml'", 2),
        ("../x.yaml:a=1", "leaves the repository", 1),
        ("/etc/x.yaml:a=1", "absolute", 1),
        (".git/config.yaml:a=1", ".git", 1),
        ("link.yaml:a=1", "symbolic link", 2),
        ("away/params.yaml:a=1", "symbolic link", 2),
        ("latin.yaml:a=1", "not UTF-8", 2),
        ("train.py:a=1", "not YAML, JSON or TOML", 2),
        ("~train.nope", "no key", 2),
        ("train.lr.deep=1", "no mapping", 2),
    ],
)
@pytest.mark.parametrize("mode", [[], ["--in-place"]])
def test_wrong_settings_change_and_record_nothing(
    repo_dir: Path, tmp_path: Path, gittrack: Gittrack, setting: str, word: str, code: int, mode: list[str]
) -> None:
    """A mistake in one of several settings is found before anything is written."""
    (tmp_path / "away").mkdir()
    (tmp_path / "away/params.yaml").write_text("a: 0\n")
    (repo_dir / "link.yaml").symlink_to(tmp_path / "away/params.yaml")
    (repo_dir / "away").symlink_to(tmp_path / "away")
    (repo_dir / "latin.yaml").write_bytes(b"a: \xe9\n")
    before = work_tree(repo_dir)
    options = [*mode, "-S", "train.lr=7", "-S", setting]
    lines = gittrack("exp", "run", *options, "--", "touch", "ran", cwd=repo_dir, code=code)
    assert word in lines[0]
    assert (records(repo_dir), work_tree(repo_dir), leftovers(repo_dir)) == ({}, before, [])
    assert (tmp_path / "away/params.yaml").read_text() == "a: 0\n"


def test_output_is_told_apart_and_logged(repo_dir: Path, program: Path) -> None:
    """stdout stays clean for pipes; stderr has the command's and ours; the log has both, also what is no text."""
    script = "import os; os.write(1, b'out\\xff\\n'); os.write(2, b'err\\n')"
    stdout, stderr = start(program, repo_dir, "-n", "one", "--", PYTHON, "-c", script).communicate()
    assert stdout == b"out\xff\n"
    assert stderr.splitlines()[0] == b"err"
    assert stderr.splitlines()[1].startswith(b"recorded one (")
    assert sorted((only_record(repo_dir).log or b"").splitlines()) == [b"err", b"out\xff"]


def test_output_comes_as_it_is_written(repo_dir: Path, program: Path) -> None:
    """A line of a Python script is there before the script ends, without any flush of its own."""
    process = start(
        program, repo_dir, "--", PYTHON, "-c", "print('first'); input(); print('last')", stdin=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"first\n"
    assert process.poll() is None
    assert process.communicate(b"go on\n")[0] == b"last\n"
    assert process.returncode == 0


@pytest.mark.parametrize("code", [1, 3, 42])
def test_the_exit_code_is_the_command_s(repo_dir: Path, gittrack: Gittrack, code: int) -> None:
    """A failure is recorded as one, with its code, and passed on."""
    gittrack("exp", "run", "--", "sh", "-c", f"exit {code}", cwd=repo_dir, code=code)
    meta = only_record(repo_dir).meta
    assert (meta.status, meta.exit_code, meta.message) == ("failed", code, f"exit code {code}")


@pytest.mark.parametrize(("name", "status"), [("SEGV", "failed"), ("KILL", "killed"), ("TERM", "killed")])
def test_a_signal_is_an_end_too(repo_dir: Path, gittrack: Gittrack, name: str, status: str) -> None:
    """A crash is a failure, what somebody sent is not; the code is that of a shell."""
    number = signal.Signals[f"SIG{name}"]
    gittrack("exp", "run", "--", "sh", "-c", f"kill -{name} $$", cwd=repo_dir, code=128 + number)
    meta = only_record(repo_dir).meta
    assert (meta.status, meta.exit_code, meta.message) == (status, 128 + number, f"ended by SIG{name}")


@pytest.mark.parametrize("mode", [[], ["--in-place", "-S", "train.lr=3"]])
def test_a_program_that_does_not_exist_leaves_nothing(repo_dir: Path, gittrack: Gittrack, mode: list[str]) -> None:
    """The answer is a shell's 127; a mistyped word is no experiment, and no param is set for it."""
    before = work_tree(repo_dir)
    lines = gittrack("exp", "run", *mode, "--", "no-such-program", "x", cwd=repo_dir, code=127)
    assert lines == ["error: cannot run 'no-such-program': there is no such program on PATH"]
    lines = gittrack("exp", "run", *mode, "--", "./train.sh", cwd=repo_dir, code=127)
    assert lines[0].startswith("error: cannot run './train.sh': there is no such file in ")
    lines = gittrack("exp", "run", *mode, "--", "./train.py", cwd=repo_dir, code=127)
    assert lines[0] == "error: cannot run './train.py': it is not executable"
    assert (records(repo_dir), leftovers(repo_dir), work_tree(repo_dir)) == ({}, [], before)


def test_a_file_that_is_no_program_is_recorded_as_a_failure(repo_dir: Path, gittrack: Gittrack) -> None:
    """Only the system knows that it cannot be executed."""
    (repo_dir / "data.bin").write_bytes(b"\x00\x01")
    (repo_dir / "data.bin").chmod(0o755)
    lines = gittrack("exp", "run", "--", "./data.bin", cwd=repo_dir, code=127)
    assert lines[0].startswith("error: cannot run './data.bin': ")
    assert (only_record(repo_dir).meta.status, leftovers(repo_dir)) == ("failed", [])


WAITS = """
import pathlib, signal, sys, time
def stop(number, frame):
    print("stopped by", number)
    sys.exit(0 if sys.argv[2] == "clean" else 7)
if sys.argv[2] != "default":
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("to_group", [True, False])
def test_a_signal_ends_the_command_and_is_recorded(
    repo_dir: Path, tmp_path: Path, program: Path, number: signal.Signals, *, to_group: bool
) -> None:
    """Sent to the whole group as Ctrl-C is, or to gittrack alone: the command ends, the record says killed."""
    ready = tmp_path / "ready"
    process = start(
        program, repo_dir, "-n", "one", "--", PYTHON, "-c", WAITS, str(ready), "default", start_new_session=True
    )
    wait_for(ready)
    if to_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == 128 + number
    meta = only_record(repo_dir).meta
    assert (meta.status, meta.message, meta.exit_code) == ("killed", f"ended by {number.name}", 128 + number)
    assert leftovers(repo_dir) == []


@pytest.mark.parametrize(("manner", "status", "code"), [("clean", "completed", 0), ("odd", "killed", 7)])
def test_a_command_may_end_in_its_own_way(
    repo_dir: Path, tmp_path: Path, program: Path, manner: str, status: str, code: int
) -> None:
    """A command that catches the signal gets it once; what it says last is recorded, and its code is passed on."""
    ready = tmp_path / "ready"
    process = start(program, repo_dir, "--", PYTHON, "-c", WAITS, str(ready), manner, start_new_session=True)
    wait_for(ready)
    os.killpg(process.pid, signal.SIGTERM)
    stdout, _ = process.communicate(timeout=20)
    record = only_record(repo_dir)
    assert (stdout, record.log) == (b"stopped by 15\n", b"stopped by 15\n")
    assert (record.meta.status, process.returncode) == (status, code)


def test_after_a_kill_the_next_command_tidies_up(
    repo_dir: Path, tmp_path: Path, program: Path, gittrack: Gittrack
) -> None:
    """SIGKILL leaves a worktree and an open run; both are dealt with, with the output up to then."""
    ready = tmp_path / "ready"
    script = f"echo so far; touch {shlex.quote(str(ready))}; exec sleep 60"
    process = start(program, repo_dir, "-n", "one", "--", "sh", "-c", script, start_new_session=True)
    wait_for(ready)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    assert leftovers(repo_dir) != []
    gittrack("exp", "run", "-n", "two", "--", "true", cwd=repo_dir)
    found = records(repo_dir)
    assert (found["one"].meta.status, found["one"].log) == ("killed", b"so far\n")
    assert leftovers(repo_dir) == []


def test_a_script_with_a_run_of_its_own_joins(
    repo_dir: Path, tmp_path: Path, program: Path, gittrack: Gittrack
) -> None:
    """What the script logs belongs to the command's experiment, and can be seen while it runs."""
    ready = tmp_path / "ready"
    (repo_dir / "train.py").write_text(
        "import gittrack, pathlib\n"
        "with gittrack.Run() as run:\n"
        "    run.log_param('depth', 3)\n"
        "    run.log_metric('loss', 0.5, step=0)\n"
        f"    pathlib.Path({str(ready)!r}).touch()\n"
        "    input()\n"
        "    run.log_metric('loss', 0.25, step=1)\n"
    )
    process = start(program, repo_dir, "-n", "one", "--", PYTHON, "train.py", stdin=subprocess.PIPE)
    wait_for(ready)
    deadline = time.monotonic() + 10
    while "0.5" not in "".join(gittrack("exp", "show", "--csv", cwd=repo_dir)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.communicate(b"\n", timeout=20)
    record = only_record(repo_dir)
    assert (record.meta.name, record.meta.status, process.returncode) == ("one", "completed", 0)
    assert (record.params["depth"], record.params["train.lr"]) == (3, 0.1)
    assert (record.metrics["loss"].last, record.metrics["loss"].count) == (0.25, 2)


def test_metrics_files_of_this_run_count_and_old_ones_do_not(repo_dir: Path, gittrack: Gittrack, git: Git) -> None:
    """A metrics file that the command writes is its result; one that it leaves alone is an earlier one's."""
    (repo_dir / "metrics.json").write_text('{"acc": 0.1}')
    git("add", "-A")
    git("commit", "-q", "-m", "Results of before")
    script = "import sys; open('metrics.json', 'w').write(sys.argv[1])"
    gittrack("exp", "run", "-n", "quiet", "--", "true", cwd=repo_dir)
    gittrack("exp", "run", "-n", "new", "--", PYTHON, "-c", script, '{"acc": 0.9}', cwd=repo_dir)
    found = records(repo_dir)
    assert dict(found["quiet"].metrics) == {}
    assert found["new"].metrics["acc"].last == 0.9
    assert json.loads(code_of(repo_dir, "new")["metrics.json"]) == {"acc": 0.9}


def test_small_outputs_are_recorded_and_large_ones_named(repo_dir: Path, gittrack: Gittrack) -> None:
    """So are files that the workspace's snapshot left out already."""
    (repo_dir / "weights.old").write_bytes(b"x" * (2 << 20))
    script = "open('report.txt', 'w').write('fine'); open('weights.bin', 'wb').write(b'x' * (2 << 20))"
    gittrack("exp", "run", "-n", "one", "--", PYTHON, "-c", script, cwd=repo_dir)
    assert code_of(repo_dir, "one")["report.txt"] == "fine"
    left_out = {item["path"] for item in only_record(repo_dir).meta.left_out}
    assert left_out == {"weights.old", "weights.bin"}


def test_limits_of_the_project_hold(repo_dir: Path, gittrack: Gittrack, git: Git) -> None:
    """`gittrack.yaml` says how large an untracked file may be, before and after."""
    (repo_dir / "gittrack.yaml").write_text("snapshot:\n  max_file_size: 10B\n")
    git("add", "gittrack.yaml")
    (repo_dir / "helper.txt").write_text("longer than ten bytes")
    gittrack("exp", "run", "-n", "one", "--", "sh", "-c", "cp params.yaml out.txt", cwd=repo_dir)
    assert not {"helper.txt", "out.txt"} & set(code_of(repo_dir, "one"))


def test_ignored_data_is_linked(repo_dir: Path, gittrack: Gittrack) -> None:
    """A linked folder is seen, also where a part of it is tracked, and no link gets into the record."""
    (repo_dir / "data").mkdir()
    (repo_dir / "data/.gitignore").write_text("*\n!.gitignore\n")
    (repo_dir / "data/x.csv").write_text("1,2\n")
    (repo_dir / "cache").mkdir()
    (repo_dir / "cache/big").write_text("big\n")
    (repo_dir / ".gitignore").write_text("cache/\n")
    before = work_tree(repo_dir)
    options = ["-n", "one", "--link", "data", "--link", str(repo_dir / "cache")]
    lines = gittrack("exp", "run", *options, "--", "cat", "data/x.csv", "cache/big", cwd=repo_dir)
    assert lines[:2] == ["1,2", "big"]
    assert sorted(code_of(repo_dir, "one")) == [".gitignore", "data/.gitignore", "params.yaml", "train.py"]
    assert work_tree(repo_dir) == before


@pytest.mark.parametrize("path", ["..", ".", "../away", ".git/config", "/etc", "nothing"])
def test_links_stay_inside(repo_dir: Path, gittrack: Gittrack, path: str) -> None:
    """A link to something else than a file of the workspace is a wrong call."""
    (repo_dir.parent / "away").mkdir()
    gittrack("exp", "run", "--link", path, "--", "true", cwd=repo_dir, code=2)
    assert leftovers(repo_dir) == []


def test_several_run_at_once(repo_dir: Path, program: Path, git: Git) -> None:
    """Each has its own worktree and its own params; no one waits for another."""
    script = "import time, params; time.sleep(0.3)"
    (repo_dir / "params.py").write_text("")
    processes = [
        start(program, repo_dir, "-n", f"run{i}", "-S", f"train.lr={i}", "--", PYTHON, "-c", script) for i in range(5)
    ]
    assert [process.communicate(timeout=60)[1][:9] for process in processes] == [b"recorded "] * 5
    assert {name: record.params["train.lr"] for name, record in records(repo_dir).items()} == {
        f"run{i}": i for i in range(5)
    }
    assert leftovers(repo_dir) == []
    assert len(git("worktree", "list").splitlines()) == 1


def test_submodules_are_there_without_network(repo_dir: Path, tmp_path: Path, gittrack: Gittrack, git: Git) -> None:
    """A checked-out submodule is checked out in the worktree too, at the commit that the workspace has."""
    inner = make_repository(tmp_path / "inner")
    library = make_repository(tmp_path / "library")
    run_git("submodule", "add", "-q", str(inner), "deep", cwd=library)
    run_git("commit", "-qm", "Inner", cwd=library)
    git("submodule", "add", "-q", str(library), "lib dir/library")
    git("submodule", "update", "-q", "--init", "--recursive")
    git("commit", "-qm", "Library")
    inner.rename(tmp_path / "gone")
    (repo_dir / "lib dir/library/more.py").write_text("more\n")
    run_git("add", "more.py", cwd=repo_dir / "lib dir/library")
    run_git("commit", "-qm", "More", cwd=repo_dir / "lib dir/library")
    before = own_state(repo_dir), work_tree(repo_dir)
    files = ["lib dir/library/more.py", "lib dir/library/deep/params.yaml"]
    lines = gittrack("exp", "run", "-n", "one", "--", "cat", *files, cwd=repo_dir)
    assert lines[:2] == ["more", "train:"]
    assert (own_state(repo_dir), work_tree(repo_dir), leftovers(repo_dir)) == (before[0], before[1], [])
    assert only_record(repo_dir).meta.left_out == ()
    assert len(run_git("worktree", "list", cwd=repo_dir / "lib dir/library").splitlines()) == 1


@pytest.mark.parametrize("mode", [[], ["--in-place"]])
def test_from_a_folder_on_an_odd_path(tmp_path: Path, gittrack: Gittrack, mode: list[str]) -> None:
    """Spaces and unicode in the path are no matter; the command runs in the folder that it was called in."""
    folder = make_repository(tmp_path / "my prøject 模型")
    (folder / "süb dir").mkdir()
    (folder / "süb dir/x.txt").write_text("found\n")
    lines = gittrack("exp", "run", *mode, "-n", "one", "--", "sh", "-c", "cat x.txt; pwd", cwd=folder / "süb dir")
    assert lines[0] == "found"
    assert lines[1].endswith("/süb dir")
    assert only_record(folder).meta.directory == "süb dir"


def test_options_of_the_command_are_its_own(repo_dir: Path, gittrack: Gittrack) -> None:
    """Everything from the command's name on is passed as it is, also without `--`."""
    script = "import sys; print(sys.argv[1:])"
    lines = gittrack("exp", "run", PYTHON, "-c", script, "-n", "x", "--", "--help", "-S", "a=1", cwd=repo_dir)
    assert lines[0] == "['-n', 'x', '--', '--help', '-S', 'a=1']"
    assert gittrack("exp", "run", "-n", "x", cwd=repo_dir, code=2)[0].startswith("error: missing argument")


def test_the_command_finds_its_run_in_the_environment(repo_dir: Path, gittrack: Gittrack, git: Git) -> None:
    """Name, baseline and run reach it, and what redirects git to the workspace does not."""
    script = "echo $GITTRACK_EXP_NAME $GITTRACK_BASELINE ${#GITTRACK_RUN} ${GIT_DIR-none}; git rev-parse --git-dir"
    lines = gittrack("exp", "run", "-n", "one", "--", "sh", "-c", script, cwd=repo_dir)
    assert lines[0] == f"one {git('rev-parse', 'HEAD')} 16 none"
    assert "/.git/worktrees/" in lines[1]


def test_a_command_within_a_command_is_an_experiment_of_its_own(repo_dir: Path, program: Path) -> None:
    """It says which run it came from, and its output is in both logs."""
    inner = f"{shlex.quote(str(program))} exp run -n inner -- echo deep"
    _, stderr = start(program, repo_dir, "-n", "outer", "--", "sh", "-c", inner).communicate(timeout=30)
    found = records(repo_dir)
    assert set(found) == {"inner", "outer"}, stderr
    assert found["inner"].meta.parent_run == found["outer"].meta.id
    assert found["inner"].log == b"deep\n"
    assert (found["outer"].log or b"").startswith(b"deep\n")


def test_a_name_that_exists_gets_a_number(repo_dir: Path, gittrack: Gittrack) -> None:
    """A command that may take hours is not refused for its name."""
    gittrack("exp", "run", "-n", "one", "--", "true", cwd=repo_dir)
    gittrack("exp", "run", "-n", "one", "-m", "again", "--", "true", cwd=repo_dir)
    assert records(repo_dir)["one-2"].meta.description == "again"


def test_before_the_first_commit_only_in_place(tmp_path: Path, gittrack: Gittrack) -> None:
    """A worktree needs a commit; the message says what to do."""
    run_git("init", "-q", "new", cwd=tmp_path)
    lines = gittrack("exp", "run", "--", "true", cwd=tmp_path / "new", code=1)
    assert lines[1] == "hint: commit something, or use --in-place"
    gittrack("exp", "run", "--in-place", "--", "true", cwd=tmp_path / "new")
    assert only_record(tmp_path / "new").meta.baseline is None


def test_a_command_that_commits_in_its_worktree(repo_dir: Path, gittrack: Gittrack, git: Git) -> None:
    """What it committed is in the record; the branch stays where it was."""
    head = git("rev-parse", "HEAD")
    script = "echo new > new.txt && git add new.txt && git commit -qm inside"
    gittrack("exp", "run", "-n", "one", "--", "sh", "-c", script, cwd=repo_dir)
    assert code_of(repo_dir, "one")["new.txt"] == "new"
    assert (git("rev-parse", "HEAD"), git("rev-parse", "main")) == (head, head)


def test_a_process_that_is_left_behind_holds_nobody_up(repo_dir: Path, program: Path) -> None:
    """The command is over when its process ends, although a child of it keeps the pipes open."""
    began = time.monotonic()
    with start(program, repo_dir, "-n", "one", "--", "sh", "-c", "echo done; sleep 30 & exit 0") as process:
        assert process.wait(timeout=20) == 0
    assert time.monotonic() - began < 15
    assert only_record(repo_dir).log == b"done\n"


def test_a_reader_that_goes_away_ends_nothing(repo_dir: Path, program: Path) -> None:
    """`gittrack exp run … | head -1` records the whole output."""
    with start(program, repo_dir, "-n", "one", "--", "sh", "-c", "seq 1 20000; echo end") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        process.wait(timeout=20)
    log = only_record(repo_dir).log or b""
    assert log.endswith(b"20000\nend\n")
    assert only_record(repo_dir).meta.status == "completed"
