"""Artifacts of a run: what is logged is kept, recorded and found again, and never disturbs the training."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gittrack
from gittrack.artifacts.digest import hash_bytes, parse_digest
from gittrack.artifacts.pointer import parse_pointer
from gittrack.errors import GittrackError, UsageError
from gittrack.runs.import_runs import find_run_folders, import_runs
from gittrack.runs.used import UnknownArtifactError
from gittrack.workspace.workspace import Workspace
from tests.support.git_repository import open_repository, run_git
from tests.support.recorded import ROOT, read_all, read_recorded, refs_of, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.artifacts.cache import Cache
    from gittrack.experiments.artifact_files import ArtifactEntry

    Git = Callable[..., str]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="artifacts need descriptors of POSIX")
LARGE = os.urandom(3 << 20)


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_dir)


def cache_of(folder: Path) -> Cache:
    return Workspace.open(open_repository(folder)).cache


def logged(folder: Path, name: str = "x") -> list[ArtifactEntry]:
    return list(read_recorded(folder, name).artifacts)


def test_a_file_is_logged(repo_dir: Path, git: Git) -> None:
    """Content in the cache, a pointer beside it and in the experiment's tree, an entry with all that was said."""
    (repo_dir / "models").mkdir()
    (repo_dir / "models" / "best.pt").write_bytes(LARGE)
    with gittrack.Run("x", quiet=True) as run:
        run.step = 4
        run.log_artifact(
            Path("models/best.pt"),
            "model",
            "best/resnet-1",
            "the best one",
            labels=("a",),
            meta={"acc": 0.5, "p": Path("q")},
        )
    (entry,) = logged(repo_dir)
    assert entry._replace(time=None) == entry._replace(
        path="models/best.pt",
        kind="file",
        digest=hash_bytes(LARGE),
        size=len(LARGE),
        files=1,
        type="model",
        name="best/resnet-1",
        desc="the best one",
        labels=("a",),
        meta={"acc": 0.5, "p": "q"},
        step=4,
        time=None,
        cached=True,
        pointer=True,
        outside=False,
        extra={},
    )
    assert cache_of(repo_dir).is_intact(entry.digest)
    pointer = (repo_dir / "models" / "best.pt.gittrack").read_bytes()
    assert parse_pointer(pointer).digest == entry.digest
    assert run_git("show", f"{refs_of(repo_dir)['x']}:models/best.pt.gittrack", cwd=repo_dir) + "\n" == pointer.decode()
    assert git("status", "--porcelain") == "?? models/"
    assert git("ls-files", "--others", "--exclude-standard") == "models/best.pt.gittrack"
    settle(repo_dir)


def test_the_pointer_stands_in_the_contents_place(repo_dir: Path, git: Git) -> None:
    """Also where the content was an untracked file when the run began, which the snapshot took."""
    (repo_dir / "ckpt").mkdir()
    for name in ("m.pt", "ckpt/w", "other.txt"):
        (repo_dir / name).write_bytes(b"before")
    with gittrack.Run("x", quiet=True) as run:
        run._opened.starter.wait()  # type: ignore[union-attr]
        run.log_artifact("m.pt")
        run.log_artifact("ckpt")
    tree = git("ls-tree", "-r", "--name-only", refs_of(repo_dir)["x"]).split("\n")
    code = [name for name in tree if not name.startswith(".gittrack/")]
    assert code == ["ckpt.gittrack", "m.pt.gittrack", "other.txt", "params.yaml", "train.py"]


def test_the_users_files_stay(repo_dir: Path, git: Git) -> None:
    """Nothing that git tracks is changed, `.gitignore` neither."""
    (repo_dir / ".gitignore").write_text("*.log\n", encoding="utf-8")
    git("add", "-A")
    git("commit", "-qm", "Ignore logs")
    (repo_dir / "[m]! #.pt").write_bytes(b"w")
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact("[m]! #.pt")
    assert git("status", "--porcelain", "-z").split("\0")[:-1] == ["?? [m]! #.pt.gittrack"]
    assert git("diff", "HEAD") == ""


def test_a_folder_is_logged(repo_dir: Path) -> None:
    """Its manifest and every file."""
    (repo_dir / "ckpt").mkdir()
    for number in range(100):
        (repo_dir / "ckpt" / f"{number}.bin").write_bytes(b"%d" % number)
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact("ckpt/")
    (entry,) = logged(repo_dir)
    assert (entry.path, entry.kind, entry.files, entry.name) == ("ckpt", "dir", 100, "ckpt")
    assert cache_of(repo_dir).find_missing([entry.digest, hash_bytes(b"7"), hash_bytes(b"99")]) == []


def test_content_is_that_of_the_call(repo_dir: Path) -> None:
    """A checkpoint that is replaced or removed right after it was logged."""
    path = repo_dir / "m.pt"
    contents = [os.urandom(2 << 20) for _ in range(4)]
    with gittrack.Run("x", quiet=True) as run:
        for step, content in enumerate(contents):
            run.step = step
            (repo_dir / "new").write_bytes(content)
            (repo_dir / "new").replace(path)
            run.log_artifact("m.pt")
        path.unlink()
    entries = logged(repo_dir)
    assert [(one.step, one.digest) for one in entries] == [(n, hash_bytes(data)) for n, data in enumerate(contents)]
    assert read_recorded(repo_dir, "x").meta.problems == ()
    assert parse_pointer((repo_dir / "m.pt.gittrack").read_bytes()).digest == entries[-1].digest
    assert cache_of(repo_dir).find_missing(one.digest for one in entries) == []


def test_a_change_in_place_is_said_and_nothing_torn_is_recorded(
    repo_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is recorded then is the content of a moment when nothing wrote it."""
    path = repo_dir / "m.pt"
    path.write_bytes(b"a" * (4 << 20))
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact("m.pt")
        for _ in range(20):
            path.write_bytes(os.urandom(4 << 20))
            run.log_artifact("m.pt")
            time.sleep(0.01)
    record = read_recorded(repo_dir, "x")
    assert hash_bytes(path.read_bytes()) == record.artifacts[-1].digest
    cache = cache_of(repo_dir)
    assert all(cache.is_intact(one.digest) for one in record.artifacts)
    if any("changed" in problem for problem in record.meta.problems):  # not on a disk that shares blocks
        assert [text for text in caplog.messages if "'m.pt' was changed before it could be copied" in text][1:] == []
        assert sum("changed" in problem for problem in record.meta.problems) == 1


def test_the_last_word_on_an_artifact_wins(repo_dir: Path) -> None:
    """All versions are kept with what was said of each; the pointer says the last, and unknown keys survive."""
    pointer = repo_dir / "m.pt.gittrack"
    (repo_dir / "m.pt").write_bytes(b"1")
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact("m.pt", labels=["old"], desc="first")
        run.flush()
        pointer.write_text(pointer.read_text() + "future: 1\n")
        (repo_dir / "m.pt").write_bytes(b"2")
        run.log_artifact("m.pt", type="model")
    assert [(one.labels, one.desc, one.type) for one in logged(repo_dir)] == [
        (("old",), "first", None),
        ((), None, "model"),
    ]
    read = parse_pointer(pointer.read_bytes())
    assert (read.digest, read.labels, read.desc, read.type) == (hash_bytes(b"2"), (), None, "model")
    assert read.extra == {"future": 1}


def test_without_the_cache_only_the_digest_is_recorded(repo_dir: Path) -> None:
    """No content, no pointer."""
    (repo_dir / "m.pt").write_bytes(LARGE)
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact("m.pt", cache=False)
    (entry,) = logged(repo_dir)
    assert (entry.digest, entry.cached, entry.pointer) == (hash_bytes(LARGE), False, False)
    assert cache_of(repo_dir).find_size(entry.digest) is None
    assert not (repo_dir / "m.pt.gittrack").exists()


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_copy_is_what_is_tracked(repo_dir: Path, tmp_path: Path, is_folder: bool) -> None:
    """In `gittrack-artifacts`, in place of the one before; the original may go on changing."""
    source = tmp_path / "elsewhere" / "m"
    for content in (b"first", b"second"):
        if is_folder:
            source.mkdir(parents=True, exist_ok=True)
        else:
            source.parent.mkdir(exist_ok=True)
        file = source / "w" if is_folder else source
        file.write_bytes(content)
        file.chmod(0o755)
        with gittrack.Run(content.decode(), quiet=True) as run:
            run.log_artifact(source, copy=True)
        copy = repo_dir / "gittrack-artifacts" / "m"
        assert ((copy / "w") if is_folder else copy).read_bytes() == content
        assert os.access((copy / "w") if is_folder else copy, os.X_OK)
        (entry,) = logged(repo_dir, content.decode())
        assert (entry.path, entry.pointer) == ("gittrack-artifacts/m", True)
    listed = run_git("ls-files", "--others", "--exclude-standard", cwd=repo_dir)
    assert listed == "gittrack-artifacts/m.gittrack"
    assert sorted(path.name for path in (repo_dir / "gittrack-artifacts").iterdir()) == ["m", "m.gittrack"]


def test_outside_of_the_work_tree_only_the_experiment_knows(repo_dir: Path, tmp_path: Path) -> None:
    """By its name; also a name that not every system takes."""
    (tmp_path / "out").mkdir()
    for name in ("m.pt", "epoch=1 12:30.pt"):
        (tmp_path / "out" / name).write_bytes(name.encode())
    (repo_dir / "a:b.pt").write_bytes(b"w")
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact(tmp_path / "out" / "m.pt")
        run.log_artifact(tmp_path / "out" / "epoch=1 12:30.pt", name="epoch")
        run.log_artifact("a:b.pt", name="ab")
    entries = logged(repo_dir)
    assert [(one.path, one.outside, one.pointer, one.cached) for one in entries] == [
        ("m.pt", True, False, True),
        ("epoch_1_12_30.pt", True, False, True),
        ("a_b.pt", True, False, True),
    ]
    assert list((tmp_path / "out").glob("*.gittrack")) == list(repo_dir.glob("*.gittrack")) == []
    assert str(tmp_path) not in run_git("show", f"{refs_of(repo_dir)['x']}:.gittrack/artifacts.json", cwd=repo_dir)


def test_what_git_tracks_gets_no_pointer(repo_dir: Path, git: Git) -> None:
    """git has it; its content is in the cache all the same."""
    (repo_dir / "data").mkdir()
    (repo_dir / "data" / "a.csv").write_bytes(b"1")
    (repo_dir / "data.gittrack").write_text(
        f"gittrack: 1\npath: data\nkind: dir\ndigest: b3:{hash_bytes(b'')}\nsize: 0\nfiles: 0\n"
    )
    git("add", "data.gittrack")
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact("train.py")
        run.log_artifact("data/a.csv")
    assert [(one.path, one.pointer, one.cached) for one in logged(repo_dir)] == [
        ("train.py", False, True),
        ("data/a.csv", False, True),
    ]
    assert not list(repo_dir.rglob("train.py.gittrack")) + list(repo_dir.rglob("a.csv.gittrack"))


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": 7},
        {"path": b"m.pt"},
        {"path": None},
        {"path": ""},
        {"path": "a\0b"},
        {"path": "m.pt.gittrack"},
        {"path": "m.pt", "type": 1},
        {"path": "m.pt", "name": 1},
        {"path": "m.pt", "desc": b"x"},
        {"path": "m.pt", "labels": "model"},
        {"path": "m.pt", "labels": [1]},
        {"path": "m.pt", "meta": object()},
    ],
    ids=lambda change: repr(change)[:40].split(" at 0x")[0],
)
def test_a_wrong_argument_raises_at_once(repo_dir: Path, arguments: dict[str, object]) -> None:
    """And nothing is logged."""
    (repo_dir / "m.pt").write_bytes(b"w")
    with gittrack.Run("x", quiet=True) as run, pytest.raises(UsageError):
        run.log_artifact(**arguments)  # type: ignore[arg-type]
    assert logged(repo_dir) == []


def test_the_value_and_type_of_a_wrong_path_are_named() -> None:
    """As they were given."""
    with gittrack.Run("x", quiet=True) as run, pytest.raises(UsageError, match=r"not 7 \(int\)"):
        run.log_artifact(7)  # type: ignore[arg-type]


def test_a_missing_file_is_pythons_own_error() -> None:
    """`FileNotFoundError`, as `open` raises it."""
    with gittrack.Run("x", quiet=True) as run, pytest.raises(FileNotFoundError):
        run.log_artifact("absent.pt")


@pytest.mark.parametrize("name", ["with space", "-dash", "a/", "ünï", ""])
def test_a_name_that_cannot_be_used_is_left_out(repo_dir: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """With a warning; the artifact is recorded."""
    (repo_dir / "m.pt").write_bytes(b"w")
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact("m.pt", name=name)
    assert [one.name for one in logged(repo_dir)] == [None]
    assert any("cannot be the name of an artifact" in text for text in caplog.messages)


def test_what_cannot_be_read_is_a_problem_not_an_error(repo_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pipe, and a folder with a link out of it."""
    os.mkfifo(repo_dir / "pipe")
    (repo_dir / "folder").mkdir()
    (repo_dir / "folder" / "link").symlink_to("/etc/passwd")
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact("pipe")
        run.log_artifact("folder")
        run.log_metric("loss", 1)
    record = read_recorded(repo_dir, "x")
    assert record.artifacts == ()
    assert len([text for text in record.meta.problems if "is not recorded" in text]) == 2
    assert "'folder' is not recorded" in caplog.text
    assert record.metrics["loss"].last == 1


def test_other_ranks_do_nothing(monkeypatch: pytest.MonkeyPatch, repo_dir: Path) -> None:
    """The file may even be missing there; a wrong argument is wrong on every rank."""
    monkeypatch.setenv("RANK", "1")
    run = gittrack.Run("x")
    run.log_artifact("absent.pt")
    with pytest.raises(UsageError):
        run.log_artifact(7)  # type: ignore[arg-type]
    run.end()
    assert read_all(repo_dir) == {}


def test_after_the_end_it_warns(repo_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As for everything else that is logged too late."""
    (repo_dir / "m.pt").write_bytes(b"w")
    run = gittrack.Run("x", quiet=True)
    run.end()
    run.log_artifact("m.pt")
    assert "has ended" in caplog.text


CHILD = """
import gittrack
with gittrack.Run() as run:
    run.log_artifact("child.pt", type="model")
"""


def test_a_child_process_logs_into_the_same_experiment(repo_dir: Path) -> None:
    """In order of time."""
    (repo_dir / "m.pt").write_bytes(b"parent")
    (repo_dir / "child.pt").write_bytes(b"child")
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact("m.pt")
        subprocess.run(
            [sys.executable, "-c", CHILD], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60
        )
        run.log_artifact("m.pt")
    assert [one.path for one in logged(repo_dir)] == ["m.pt", "child.pt", "m.pt"]
    assert len(read_all(repo_dir)) == 1


def test_a_forked_child_records_nothing(repo_dir: Path) -> None:
    """The run stays its parent's."""
    (repo_dir / "m.pt").write_bytes(b"w")
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact("m.pt")
        run.flush()
        pid = os.fork()
        if pid == 0:
            run.log_artifact("m.pt")
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    assert len(logged(repo_dir)) == 1


def test_a_resumed_run_keeps_its_artifacts(repo_dir: Path) -> None:
    """Those of before come first, and all pointers are in the tree."""
    for name in ("a.pt", "b.pt"):
        (repo_dir / name).write_bytes(name.encode())
        with gittrack.Run("x", resume=name == "b.pt", quiet=True) as run:
            run.log_artifact(name)
        (repo_dir / f"{name}.gittrack").unlink()
    assert [one.path for one in logged(repo_dir)] == ["a.pt", "b.pt"]
    tree = run_git("ls-tree", "--name-only", refs_of(repo_dir)["x"], cwd=repo_dir)
    assert {"a.pt.gittrack", "b.pt.gittrack"} <= set(tree.split("\n"))
    settle(repo_dir)


def test_outside_a_repository_it_waits_for_import(
    repo_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the run's folder; import takes the content up, and says what is lost."""
    place = tmp_path / "jobs"
    (place / "ckpt").mkdir(parents=True)
    (place / "ckpt" / "w").write_bytes(LARGE)
    (place / "m.pt").write_bytes(b"w")
    (place / "lost.pt").write_bytes(b"lost")
    monkeypatch.chdir(place)
    with gittrack.Run("x") as run:
        for name in ("ckpt", "m.pt", "lost.pt"):
            run.log_artifact(name)
    (folder,) = (place / "gittrack-runs").iterdir()
    lost = hash_bytes(b"lost")
    path = folder / "cache" / "b3" / lost[:2] / lost[2:]
    path.chmod(0o644)
    path.write_bytes(b"evil")
    (done,) = import_runs(open_repository(repo_dir), find_run_folders([place]))
    assert done.outcome == "imported", done
    assert [(one.path, one.cached, one.pointer) for one in logged(repo_dir)] == [
        ("ckpt", True, True),
        ("m.pt", True, True),
        ("lost.pt", False, False),
    ]
    assert cache_of(repo_dir).find_missing([hash_bytes(LARGE), hash_bytes(b"w")]) == []
    assert cache_of(repo_dir).find_size(lost) is None
    assert any("lost.pt" in text for text in read_recorded(repo_dir, "x").meta.problems)
    assert not (place / "gittrack-runs").exists()


def test_import_follows_no_link(repo_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder from somewhere else must not make a file of this machine an artifact."""
    place = tmp_path / "jobs"
    place.mkdir()
    (place / "m.pt").write_bytes(LARGE)
    monkeypatch.chdir(place)
    with gittrack.Run("x") as run:
        run.log_artifact("m.pt")
    (folder,) = (place / "gittrack-runs").iterdir()
    digest = hash_bytes(LARGE)
    inside = folder / "cache" / "b3" / digest[:2]
    inside.rename(tmp_path / "elsewhere")
    inside.symlink_to(tmp_path / "elsewhere")
    (done,) = import_runs(open_repository(repo_dir), find_run_folders([place]))
    assert done.outcome == "imported"
    assert [one.cached for one in logged(repo_dir)] == [False]
    assert cache_of(repo_dir).find_size(digest) is None


def test_inputs_are_recorded_with_their_digest(repo_dir: Path) -> None:
    """A file that is not tracked, one that is, and each only once."""
    (repo_dir / "data.csv").write_bytes(b"1,2")
    with gittrack.Run("x", quiet=True) as run:
        assert run.use_artifact("data.csv") == Path("data.csv")
        assert run.use_artifact(Path("data.csv")) == Path("data.csv")
    (entry,) = read_recorded(repo_dir, "x").inputs
    assert (entry.path, entry.digest, entry.cached) == ("data.csv", hash_bytes(b"1,2"), False)


def test_inputs_are_found_and_restored(repo_dir: Path) -> None:
    """By pointer, name, digest, and as an experiment had them."""
    for content in (b"first", b"second"):
        (repo_dir / "m.pt").write_bytes(content)
        with gittrack.Run(content.decode(), quiet=True) as run:
            run.log_artifact("m.pt", name="resnet")
    (repo_dir / "m.pt").unlink()
    with gittrack.Run("use", quiet=True) as run:
        assert run.use_artifact("first:m.pt").read_bytes() == b"first"
        assert run.use_artifact("first:resnet").read_bytes() == b"first"
        assert run.use_artifact(f"b3:{hash_bytes(b'first')}").read_bytes() == b"first"
        assert not (repo_dir / "m.pt").exists()
        assert run.use_artifact("m.pt").read_bytes() == b"second"
        assert run.use_artifact("m.pt.gittrack") == Path("m.pt")
        assert run.use_artifact("resnet").read_bytes() == b"second"
        place = run.use_artifact("first:m.pt")
        before = place.stat()
        assert (place.name, run.use_artifact("first:m.pt").stat().st_mtime_ns) == ("m.pt", before.st_mtime_ns)
    digests = {entry.digest for entry in read_recorded(repo_dir, "use").inputs}
    assert digests == {hash_bytes(b"first"), hash_bytes(b"second")}


def test_a_folder_of_an_experiment_is_restored_aside(repo_dir: Path) -> None:
    """With all its files, where the work tree has another version."""
    (repo_dir / "ckpt" / "sub").mkdir(parents=True)
    (repo_dir / "ckpt" / "sub" / "w").write_bytes(LARGE)
    with gittrack.Run("old", quiet=True) as run:
        run.log_artifact("ckpt")
    (repo_dir / "ckpt" / "sub" / "w").write_bytes(b"newer")
    with gittrack.Run("use", quiet=True) as run:
        place = run.use_artifact("old:ckpt")
    assert (place / "sub" / "w").read_bytes() == LARGE
    assert (repo_dir / "ckpt" / "sub" / "w").read_bytes() == b"newer"


@pytest.mark.parametrize("artifact", ["absent", "nobody:m.pt", f"b3:{'0' * 64}", "b3:zz", "x\0y"])
def test_what_is_not_there_is_an_error(artifact: str) -> None:
    """For the training cannot go on without it."""
    with gittrack.Run("x", quiet=True) as run, pytest.raises(GittrackError):
        run.use_artifact(artifact)


def test_an_experiment_without_the_artifact_says_what_it_has(repo_dir: Path) -> None:
    """In the hint."""
    (repo_dir / "m.pt").write_bytes(b"w")
    with gittrack.Run("a", quiet=True) as run:
        run.log_artifact("m.pt")
    with gittrack.Run("x", quiet=True) as run, pytest.raises(UnknownArtifactError) as caught:
        run.use_artifact("a:n.pt")
    assert caught.value.hint == "it has: m.pt"


def test_the_same_is_used_on_every_rank(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first one records it."""
    (repo_dir / "m.pt").write_bytes(b"w")
    with gittrack.Run("a", quiet=True) as run:
        run.log_artifact("m.pt")
    (repo_dir / "m.pt").unlink()
    monkeypatch.setenv("RANK", "1")
    assert gittrack.Run("x").use_artifact("m.pt").read_bytes() == b"w"
    assert set(read_all(repo_dir)) == {"a"}


def test_parallel_runs_do_not_lose_lines_of_exclude(repo_dir: Path, git: Git) -> None:
    """Each artifact is ignored, and git still reads the file."""
    script = "import gittrack, sys\nwith gittrack.Run(quiet=True) as r:\n  r.log_artifact(sys.argv[1])\n"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    for number in range(6):
        (repo_dir / f"m{number}.pt").write_bytes(b"%d" % number)
    processes = [
        subprocess.Popen([sys.executable, "-c", script, f"m{number}.pt"], cwd=repo_dir, env=environ)
        for number in range(6)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0] * 6
    shown = git("status", "--porcelain").split("\n")
    assert sorted(shown) == [f"?? m{number}.pt.gittrack" for number in range(6)]


def test_a_linked_worktree_shares_cache_and_exclude(
    repo_dir: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And gets the pointer."""
    git("worktree", "add", "-q", str(tmp_path / "linked"))
    monkeypatch.chdir(tmp_path / "linked")
    Path("m.pt").write_bytes(b"w")
    with gittrack.Run("x", quiet=True) as run:
        run.log_artifact("m.pt")
    assert run_git("status", "--porcelain", cwd=tmp_path / "linked") == "?? m.pt.gittrack"
    assert cache_of(repo_dir).find_size(parse_digest(f"b3:{hash_bytes(b'w')}")) == 1
