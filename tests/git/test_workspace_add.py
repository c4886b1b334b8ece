"""Tracking files and folders: content safe first, then pointers, and git left with nothing but those."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.pointer import InvalidPointerError, parse_pointer
from gittrack.artifacts.walk import UntrackableError
from gittrack.errors import UsageError
from gittrack.git.repository import NoWorkTreeError
from gittrack.paths import InvalidPathError
from gittrack.workspace.add import Details, NothingThereError, TrackedByGitError, repository_path
from gittrack.workspace.pointers import list_workspace_pointers
from tests.support.artifacts import age, cache_of, drop, read_files, track, write_files
from tests.support.git_repository import open_repository
from tests.support.untouched import own_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]

ODD_NAMES = [
    "a b.bin", "ünï.bin", "-f", "--help", "#x", "!x", "[a]", "a*", "a?b", "x{1,2}", "'q\"", "$HOME", "日本/語.bin",
    "~", "@{u}", "d/-x", ".hidden", "x" * 246, "é" * 123, "%s",
]  # fmt: skip


def untracked(git: Git) -> list[str]:
    """Return what git would add."""
    return git("-c", "core.quotePath=off", "ls-files", "-z", "--others", "--exclude-standard").split("\0")[:-1]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_git_sees_the_pointer_and_not_the_content(repo_dir: Path, git: Git, name: str) -> None:
    """Whatever the name; names that only look alike are not ignored with it."""
    beside = {other: "y" for other in ("ab", "a1", "aXb", "x1", "yx", "fx") if other != name}
    write_files(repo_dir, {name: "x", **beside})
    (added,) = track(repo_dir, name)
    assert (added.pointer.digest, added.previous, added.n_new_bytes) == (hash_bytes(b"x"), None, 1)
    ignore = f"{name.rpartition('/')[0]}/.gitignore".removeprefix("/")
    assert set(untracked(git)) == {f"{name}.gittrack", ignore, *beside}
    assert track(repo_dir, name)[0].previous == added.pointer
    assert (repo_dir / ignore).read_text().count("\n") == 1
    git("add", "-A")
    git("commit", "-q", "-m", "Add data")
    assert git("status", "--short") == ""


def test_a_folder_is_one_artifact(repo_dir: Path) -> None:
    """With empty files, equal files and executable ones; later its pointer follows what changed."""
    data = write_files(repo_dir / "data", {"a": "1", "b/empty": "", "b/same": "1", "run.sh": "#!"})
    (data / "run.sh").chmod(0o755)
    (added,) = track(repo_dir, "data")
    assert (added.pointer.kind, added.pointer.files, added.pointer.size) == ("dir", 4, 4)
    manifest = cache_of(repo_dir).read(added.pointer.digest, 10_000).decode()
    assert [line.partition('"path":')[2] for line in manifest.splitlines() if '"executable":true' in line] == [
        '"run.sh","size":2}'
    ]
    (data / "a").write_text("2")
    (again,) = track(repo_dir, "data")
    assert again.previous == added.pointer
    assert again.pointer.digest != added.pointer.digest
    (data / "run.sh").chmod(0o644)
    assert track(repo_dir, "data")[0].pointer.digest != again.pointer.digest


def test_an_empty_folder_can_be_tracked(repo_dir: Path) -> None:
    """It has no files and no bytes."""
    (repo_dir / "data").mkdir()
    (added,) = track(repo_dir, "data")
    assert (added.pointer.kind, added.pointer.files, added.pointer.size) == ("dir", 0, 0)


def test_a_file_may_be_executable(repo_dir: Path) -> None:
    """The pointer says so, and follows a change of that alone."""
    write_files(repo_dir, {"run.sh": "#!"})
    assert not track(repo_dir, "run.sh")[0].pointer.executable
    (repo_dir / "run.sh").chmod(0o755)
    (added,) = track(repo_dir, "run.sh")
    assert added.pointer.executable
    assert parse_pointer((repo_dir / "run.sh.gittrack").read_bytes()).executable


def test_what_was_said_before_stays(repo_dir: Path) -> None:
    """Details, and keys that a later version wrote, survive an update."""
    write_files(repo_dir, {"a": "1"})
    track(repo_dir, "a", details=Details(type="model", labels=("x",), meta={"k": 1}))
    with (repo_dir / "a.gittrack").open("a") as file:
        file.write("later: [1]\n")
    write_files(repo_dir, {"a": "2"})
    (added,) = track(repo_dir, "a", details=Details(desc="second"))
    pointer = parse_pointer((repo_dir / "a.gittrack").read_bytes())
    assert pointer == added.pointer
    assert (pointer.type, pointer.desc, pointer.labels, pointer.meta, pointer.extra) == (
        "model", "second", ("x",), {"k": 1}, {"later": [1]},
    )  # fmt: skip


def test_the_index_and_history_stay(repo_dir: Path) -> None:
    """Only files of the work tree are written."""
    before = own_state(repo_dir)
    write_files(repo_dir, {"a": "1", "data/b": "2"})
    track(repo_dir, "a", "data")
    assert own_state(repo_dir) == before


def test_without_a_commit_and_in_linked_worktrees(tmp_path: Path, repo_dir: Path, git: Git) -> None:
    """HEAD is not needed, and all worktrees share one cache."""
    git("init", "-q", str(tmp_path / "unborn"), cwd=tmp_path)
    write_files(tmp_path / "unborn", {"a": "1"})
    assert track(tmp_path / "unborn", "a")[0].n_new_bytes == 1
    git("worktree", "add", "-q", str(tmp_path / "linked"))
    for folder, n_new in ((repo_dir, 1), (tmp_path / "linked", 0)):
        write_files(folder, {"a": "1"})
        assert track(folder, "a")[0].n_new_bytes == n_new
        assert (folder / "a.gittrack").exists()
        assert (folder / ".gitignore").read_text() == "/a\n"
    assert cache_of(tmp_path / "linked").root == repo_dir / ".git/gittrack/cache"


def test_a_bare_repository_is_refused(tmp_path: Path, git: Git) -> None:
    """There are no files; the message says so."""
    git("init", "-q", "--bare", str(tmp_path / "bare"), cwd=tmp_path)
    with pytest.raises(NoWorkTreeError, match="bare"):
        repository_path(open_repository(tmp_path / "bare"), "a", tmp_path / "bare")
    with pytest.raises(NoWorkTreeError, match="bare"):
        track(tmp_path / "bare", "a")


@pytest.mark.parametrize(
    ("written", "folder", "meant"),
    [
        ("a", ".", "a"), ("a", "sub", "sub/a"), ("../a", "sub", "a"), ("./b/../a/", ".", "a"), ("a.gittrack", ".", "a"),
        ("link/a", ".", "sub/a"), ("-x", ".", "-x"), ("sub//a", ".", "sub/a"),
    ],
)  # fmt: skip
def test_paths_are_meant_from_the_current_folder(repo_dir: Path, written: str, folder: str, meant: str) -> None:
    """As git means them; a pointer stands for its artifact, and a link on the way is resolved."""
    (repo_dir / "sub").mkdir()
    (repo_dir / "link").symlink_to("sub")
    repository = open_repository(repo_dir)
    assert repository_path(repository, written, repo_dir / folder) == meant
    assert repository_path(repository, str(repo_dir / folder / written), repo_dir / "sub") == meant


@pytest.mark.parametrize("written", ["..", "../x", "/etc/passwd", ".", "", "sub/..", ".git", ".git/config", ".gittrack",
                                     "out/x", "a\nb", "a:b"])  # fmt: skip
def test_paths_outside_are_refused(repo_dir: Path, tmp_path: Path, written: str) -> None:
    """Outside of the work tree, the whole of it, git's own folder, and names that not every system has."""
    (repo_dir / "sub").mkdir()
    (repo_dir / "out").symlink_to(tmp_path)
    with pytest.raises(InvalidPathError):
        repository_path(open_repository(repo_dir), written, repo_dir)


def refused(folder: Path, path: str, error: type[Exception], match: str) -> None:
    """Assert that a path is refused, and that nothing was written."""
    before = read_files(folder)
    with pytest.raises(error, match=match):
        track(folder, "good", path)
    after = {name: data for name, data in read_files(folder).items() if not name.endswith("stat.sqlite")}
    assert after == {name: data for name, data in before.items() if not name.endswith("stat.sqlite")}


def test_what_cannot_be_tracked_is_refused_before_anything_is_written(repo_dir: Path, git: Git) -> None:
    """Files of git, a part of an artifact, a folder with an artifact or a repository in it, links, pipes, nothing."""
    write_files(repo_dir, {
        "good": "g", "whole/a": "1", "outer/inner/b": "2", "nested/x": "3", "mixed/.git/config": "4", "known/p": "5",
        "known/q": "6", "ignored/c": "7", "taken": "8", "taken.gittrack": "no pointer",
    })  # fmt: skip
    git("init", "-q", "nested")
    git("add", "known/p")
    track(repo_dir, "whole")
    track(repo_dir, "outer/inner")
    with (repo_dir / ".gitignore").open("a") as file:
        file.write("ignored/\n")
    (repo_dir / "link").symlink_to("good")
    os.mkfifo(repo_dir / "pipe")
    refused(repo_dir, "known", TrackedByGitError, "git tracks 'known/p' itself")
    refused(repo_dir, "params.yaml", TrackedByGitError, "itself")
    refused(repo_dir, "whole/a", UsageError, "part of 'whole'")
    refused(repo_dir, "outer", UsageError, "'outer' holds the artifact 'outer/inner'")
    refused(repo_dir, "nested", UntrackableError, r"git repository")
    refused(repo_dir, "nested/x", UsageError, "another git repository, 'nested'")
    refused(repo_dir, "mixed", UntrackableError, r"git repository")
    refused(repo_dir, "ignored/c", UsageError, "git ignores 'ignored/c.gittrack'")
    refused(repo_dir, "taken", InvalidPointerError, "'taken.gittrack' is in the way")
    refused(repo_dir, "link", UntrackableError, "'link' is a link")
    refused(repo_dir, "pipe", UntrackableError, "neither a file nor a folder")
    refused(repo_dir, "absent", NothingThereError, "'absent'")
    refused(repo_dir, "x" * 250, InvalidPathError, "longer than 255 bytes")


def test_a_submodule_is_another_repository(repo_dir: Path, tmp_path: Path, git: Git) -> None:
    """Its pointers would be its own."""
    git("clone", "-q", str(repo_dir), str(tmp_path / "other"), cwd=tmp_path)
    git("submodule", "--quiet", "add", str(tmp_path / "other"), "sub")
    write_files(repo_dir, {"sub/data": "x"})
    with pytest.raises(UsageError, match="another git repository, 'sub'"):
        track(repo_dir, "sub/data")


def test_a_folder_that_cannot_be_on_every_system_is_refused(repo_dir: Path) -> None:
    """Two names that differ only in case."""
    write_files(repo_dir / "data", {"a": "1", "A": "2"})
    with pytest.raises(Exception, match="'A' and 'a' are one name"):
        track(repo_dir, "data")
    assert list(cache_of(repo_dir).list_digests()) == []


def test_a_file_of_the_folder_that_ends_like_a_pointer_is_data(repo_dir: Path) -> None:
    """Only a pointer makes an artifact."""
    write_files(repo_dir / "data", {"a.gittrack": "data", ".gittrack": "x"})
    assert track(repo_dir, "data")[0].pointer.files == 2


def test_content_that_went_from_the_cache_is_taken_again(repo_dir: Path) -> None:
    """An unchanged file is known by its times; what is known is no reason not to look."""
    write_files(repo_dir, {"a": "1", "data/b": "2"})
    age(repo_dir / "a")
    added = track(repo_dir, "a", "data")
    track(repo_dir, "a", "data")
    for one in (hash_bytes(b"1"), hash_bytes(b"2"), added[1].pointer.digest):
        drop(cache_of(repo_dir), one)
    assert [one.n_new_bytes > 0 for one in track(repo_dir, "a", "data")] == [True, True]
    assert cache_of(repo_dir).is_intact(hash_bytes(b"2"))


def test_an_unchanged_file_is_young_again(repo_dir: Path) -> None:
    """So that a collection of garbage that goes on does not take what a new pointer is about to need."""
    import time

    write_files(repo_dir, {"a": "1"})
    age(repo_dir / "a")
    time.sleep(0.06)
    (added,) = track(repo_dir, "a")
    age(cache_of(repo_dir).path(added.pointer.digest))
    assert track(repo_dir, "a")[0].n_new_bytes == 0
    assert time.time() - cache_of(repo_dir).path(added.pointer.digest).stat().st_mtime < 60


def test_two_processes_add_beside_each_other(repo_dir: Path, git: Git) -> None:
    """The same content and the same ignore file: no line and no object is lost."""
    names = [f"f{number}" for number in range(12)]
    write_files(repo_dir, dict.fromkeys(names, "same" * 100_000))
    code = (
        "import os, sys; from pathlib import Path; from gittrack.git.repository import Repository\n"
        "from gittrack.workspace.workspace import Workspace; from gittrack.workspace.add import add\n"
        "repository = Repository.discover(Path.cwd(), os.environ)\n"
        "for name in sys.argv[1:]:\n"
        "    with Workspace.open(repository) as workspace: add(workspace, [name])"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, *names[part::3]], cwd=repo_dir) for part in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert set(untracked(git)) == {".gitignore", *(f"{name}.gittrack" for name in names)}
    assert [one.path for one in list_workspace_pointers(open_repository(repo_dir)).tracked] == sorted(names)
    (digest,) = cache_of(repo_dir).list_digests()
    assert cache_of(repo_dir).is_intact(digest)


def test_links_into_the_cache_are_as_good_as_files(repo_dir: Path, git: Git) -> None:
    """With `gittrack.link symlink` or `hardlink` files are replaced, and adding again changes nothing."""
    for kind in ("symlink", "hardlink"):
        git("config", "gittrack.link", kind)
        write_files(repo_dir, {f"{kind}/a": "1", f"{kind}/b/c": "2", f"{kind}-file": "3"})
        first = track(repo_dir, kind, f"{kind}-file")
        target = repo_dir / f"{kind}/b/c"
        assert target.is_symlink() == (kind == "symlink")
        assert target.stat().st_ino == cache_of(repo_dir).path(hash_bytes(b"2")).stat().st_ino
        second = track(repo_dir, kind, f"{kind}-file")
        assert [one.pointer for one in second] == [one.pointer for one in first]


def test_ignore_files_keep_what_they_say(repo_dir: Path, git: Git) -> None:
    """Line ends, bytes that are no UTF-8, a last line without an end; a link is not written through."""
    (repo_dir / ".gitignore").write_bytes(b"*.log\r\n\xff\nlast")
    write_files(repo_dir, {"a": "1", "b.log": "2", "sub/c": "3"})
    track(repo_dir, "a", "b.log")
    assert (repo_dir / ".gitignore").read_bytes() == b"*.log\r\n\xff\nlast\n/a\n"
    (repo_dir / "sub/.gitignore").symlink_to("../.gitignore")
    with pytest.raises(Exception, match=r"'sub/\.gitignore' is a link"):
        track(repo_dir, "sub/c")
    assert (repo_dir / ".gitignore").read_bytes() == b"*.log\r\n\xff\nlast\n/a\n"
    assert git("check-ignore", "a", "b.log").splitlines() == ["a", "b.log"]


def test_a_full_disk_writes_no_pointer(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All content is safe before the first pointer is written."""
    write_files(repo_dir, {"a": "1", "b": "2" * (2 << 20)})

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gittrack.artifacts.intake.copy_hashed", fail)
    monkeypatch.setattr("gittrack.artifacts.intake.clone_file", lambda *_: False)
    with pytest.raises(OSError, match="No space"):
        track(repo_dir, "a", "b")
    assert list(repo_dir.glob("*.gittrack")) == []
    assert list(cache_of(repo_dir).list_digests()) == []


def test_a_killed_add_leaves_whole_things(repo_dir: Path) -> None:
    """Killed at any of its writes, what is there is whole, and the next add finishes it."""
    write_files(repo_dir, {"data/a": "1", "data/b": "2", "c": "3"})
    code = (
        "import os, sys; from pathlib import Path\n"
        "left = int(sys.argv[1]); os_rename, os_replace = os.rename, os.replace\n"
        "def dying(call):\n"
        "    def step(*args, **kwargs):\n"
        "        global left\n"
        "        left -= 1\n"
        "        if left < 0: os.kill(os.getpid(), 9)\n"
        "        return call(*args, **kwargs)\n"
        "    return step\n"
        "os.rename, os.replace = dying(os.rename), dying(os.replace)\n"
        "from gittrack.git.repository import Repository\n"
        "from gittrack.workspace.workspace import Workspace; from gittrack.workspace.add import add\n"
        "with Workspace.open(Repository.discover(Path.cwd(), os.environ)) as workspace: add(workspace, ['data', 'c'])"
    )
    for n_steps in range(20):
        done = subprocess.run([sys.executable, "-c", code, str(n_steps)], cwd=repo_dir, check=False)
        cache = cache_of(repo_dir)
        assert all(cache.is_intact(digest) for digest in cache.list_digests())
        pointers = list_workspace_pointers(open_repository(repo_dir))
        assert pointers.bad == []
        assert cache.find_missing(one.pointer.digest for one in pointers.tracked) == []
        if done.returncode == 0:
            break
    assert done.returncode == 0
    assert n_steps >= 4
    assert [one.path for one in pointers.tracked] == ["c", "data"]
