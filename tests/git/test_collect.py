"""Collecting garbage: nothing that anything refers to goes, whoever refers to it and how."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.digest import hash_bytes, render_digest
from gittrack.artifacts.intake import Intake
from gittrack.artifacts.pointer import parse_pointer
from gittrack.git.every_object import WorktreeAwayError
from gittrack.git.process import GitError
from gittrack.workspace import collect
from gittrack.workspace.collect import DamagedListError, find_used, sweep_cache
from gittrack.workspace.pointers import list_workspace_pointers
from gittrack.workspace.workspace import Workspace
from tests.support.artifacts import age, cache_of, damage, drop, restore, track, write_files
from tests.support.experiments import add_experiment
from tests.support.git_repository import open_repository, run_git
from tests.support.untouched import untouched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.artifacts.digest import Digest
    from gittrack.workspace.collect import Swept

    Git = Callable[..., str]


def add_content(folder: Path, *contents: bytes) -> None:
    """Put content into the cache, long ago."""
    with Intake(cache_of(folder)) as intake:
        for content in contents:
            intake.add_bytes(content)
    age_cache(folder)


def age_cache(folder: Path) -> None:
    cache = cache_of(folder)
    for digest in cache.list_digests():
        age(cache.path(digest))


def swept(folder: Path, *, days: float = 14, dry_run: bool = False) -> Swept:
    with Workspace.open(open_repository(folder)) as workspace:
        before_s = time.time() - days * 86_400
        return sweep_cache(workspace.repository, workspace.cache, before_s=before_s, dry_run=dry_run)


def commit(git: Git, message: str = "Commit") -> None:
    git("add", "-A")
    git("commit", "-q", "--allow-empty", "-m", message)


def test_what_nothing_refers_to_goes(repo_dir: Path, git: Git) -> None:
    """After a time of grace; a dry run says the same and does nothing."""
    write_files(repo_dir, {"data/a": "1", "data/b": "2", "model": "w"})
    track(repo_dir, "data", "model")
    commit(git)
    add_content(repo_dir, b"garbage", b"more garbage")
    with Intake(cache_of(repo_dir)) as intake:
        intake.add_bytes(b"young")
    with untouched(repo_dir):
        assert swept(repo_dir, dry_run=True)[:4] == (2, 19, 4, 1)
        assert swept(repo_dir)[:4] == (2, 19, 4, 1)
        assert swept(repo_dir)[:4] == (0, 0, 4, 1)
    assert list(cache_of(repo_dir).scratch_root.iterdir()) == []
    assert restore(repo_dir).n_unchanged == 2


# Each way in which something may refer to the content b"kept", and to nothing else.


def take_pointer(folder: Path) -> Digest:
    """Remove the pointer, and return what it says."""
    digest = parse_pointer((folder / "kept.gittrack").read_bytes()).digest
    (folder / "kept.gittrack").unlink()
    return digest


def history(folder: Path, git: Git) -> None:
    """A commit before the last one."""
    commit(git)
    (folder / "kept.gittrack").unlink()
    commit(git)


def branch(_folder: Path, git: Git) -> None:
    git("switch", "-q", "-c", "side")
    commit(git)
    git("switch", "-q", "main")
    forget_reflogs(git)


def tag(_folder: Path, git: Git) -> None:
    commit(git)
    git("tag", "-a", "v1", "-m", "x")
    git("reset", "-q", "--hard", "HEAD~1")
    forget_reflogs(git)


def remote(_folder: Path, git: Git) -> None:
    commit(git)
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    git("reset", "-q", "--hard", "HEAD~1")
    forget_reflogs(git)


def stash(folder: Path, git: Git) -> None:
    """And another stash on top of it."""
    git("stash", "-q", "--include-untracked")
    write_files(folder, {"train.py": "other"})
    git("stash", "-q")


def index(folder: Path, git: Git) -> None:
    git("add", "-A")
    (folder / "kept.gittrack").unlink()


def work_tree(folder: Path, git: Git) -> None:
    """Not even added."""


def ignored(folder: Path, _git: Git) -> None:
    """A pointer that git itself does not look at."""
    (folder / ".git/info/exclude").write_text("*.gittrack\n")


def reflog(_folder: Path, git: Git) -> None:
    commit(git)
    git("reset", "-q", "--hard", "HEAD~1")


def experiment(folder: Path, git: Git) -> None:
    commit(git)
    add_experiment(open_repository(folder), "exp")
    forget(folder, git)


def trashed(folder: Path, git: Git) -> None:
    experiment(folder, git)
    move_experiment(git, "refs/gittrack/trash/1760000000")


def tracked_experiment(folder: Path, git: Git) -> None:
    experiment(folder, git)
    move_experiment(git, "refs/gittrack/remotes/origin/exps")


def lineage(folder: Path, git: Git) -> None:
    """No pointer, but the list of an experiment's artifacts."""
    facts = [{"path": "kept", "digest": render_digest(take_pointer(folder))}]
    write_files(folder, {".gittrack/artifacts.json": json.dumps(facts)})
    commit(git)
    shutil.rmtree(folder / ".gittrack")
    commit(git)


def other_name(folder: Path, git: Git) -> None:
    """The same bytes stand under a name that is no pointer's in an earlier tree."""
    shutil.copy(folder / "kept.gittrack", folder / "a.bak")
    commit(git)
    (folder / "a.bak").unlink()
    (folder / "kept.gittrack").unlink()
    commit(git)


def linked_work_tree(folder: Path, git: Git) -> None:
    git("worktree", "add", "-q", "--detach", "../linked")
    (folder / "kept.gittrack").rename(folder.parent / "linked/kept.gittrack")


def linked_index(folder: Path, git: Git) -> None:
    linked_work_tree(folder, git)
    git("add", "-A", cwd=folder.parent / "linked")
    (folder.parent / "linked/kept.gittrack").unlink()


def linked_head(folder: Path, git: Git) -> None:
    linked_work_tree(folder, git)
    git("add", "-A", cwd=folder.parent / "linked")
    git("commit", "-q", "-m", "x", cwd=folder.parent / "linked")
    shutil.rmtree(folder.parent / "linked")


def run(folder: Path, _git: Git) -> None:
    """A run in progress has written it down, across the edge of what is read at once."""
    journal = b"x" * ((1 << 20) - 30) + f" {render_digest(take_pointer(folder))} ".encode()
    write_files(folder, {".git/gittrack/runs/abc/journal": journal})


def packed(folder: Path, git: Git) -> None:
    history(folder, git)
    git("gc", "-q")


def forget_reflogs(git: Git) -> None:
    git("reflog", "expire", "--expire=now", "--all")


def forget(_folder: Path, git: Git) -> None:
    git("reset", "-q", "--hard", "HEAD~1")
    forget_reflogs(git)


def move_experiment(git: Git, namespace: str) -> None:
    ref, oid = git("for-each-ref", "--format=%(refname) %(objectname)", "refs/gittrack/exps").split()
    git("update-ref", ref.replace("refs/gittrack/exps", namespace), oid)
    git("update-ref", "-d", ref)


@pytest.mark.parametrize(
    "refer",
    [history, branch, tag, remote, stash, index, work_tree, ignored, reflog, experiment, trashed, tracked_experiment,
     lineage, other_name, linked_work_tree, linked_index, linked_head, run, packed],
    ids=lambda refer: refer.__name__,
)  # fmt: skip
@pytest.mark.parametrize("is_folder", [False, True])
def test_what_anything_refers_to_stays(
    repo_dir: Path, git: Git, refer: Callable[[Path, Git], None], is_folder: bool
) -> None:
    """A file, or a folder with its list and its files; while garbage beside it goes."""
    write_files(repo_dir, {"kept/a": "kept"} if is_folder else {"kept": "kept"})
    (added,) = track(repo_dir, "kept")
    refer(repo_dir, git)
    add_content(repo_dir, b"garbage")
    assert swept(repo_dir).n_objects == 1
    cache = cache_of(repo_dir)
    assert cache.is_intact(hash_bytes(b"kept"))
    assert cache.is_intact(added.pointer.digest)


def test_what_only_was_referred_to_goes(repo_dir: Path, git: Git) -> None:
    """When the last ref and the last reflog are gone; the test above would otherwise say nothing."""
    write_files(repo_dir, {"kept": "kept"})
    track(repo_dir, "kept")
    commit(git)
    forget(repo_dir, git)
    age_cache(repo_dir)
    assert swept(repo_dir).n_objects == 1


def test_without_a_commit_and_in_a_bare_repository(tmp_path: Path, repo_dir: Path, git: Git) -> None:
    """There is nothing to refer; a bare one has its refs."""
    git("init", "-q", str(tmp_path / "unborn"), cwd=tmp_path)
    write_files(tmp_path / "unborn", {"a": "1"})
    track(tmp_path / "unborn", "a")
    add_content(tmp_path / "unborn", b"garbage")
    assert swept(tmp_path / "unborn")[:3] == (1, 7, 1)
    write_files(repo_dir, {"a": "1"})
    track(repo_dir, "a")
    commit(git)
    git("clone", "-q", "--bare", str(repo_dir), str(tmp_path / "bare.git"), cwd=tmp_path)
    add_content(tmp_path / "bare.git", b"1", b"garbage")
    assert swept(tmp_path / "bare.git")[:3] == (1, 7, 1)


def test_a_shallow_or_partial_clone_is_swept(tmp_path: Path, repo_dir: Path, git: Git) -> None:
    """What was never here was never restored from here; nothing is fetched to find out."""
    write_files(repo_dir, {"a": "1"})
    track(repo_dir, "a")
    commit(git)
    write_files(repo_dir, {"a": "2"})
    track(repo_dir, "a")
    commit(git)
    git("config", "uploadpack.allowFilter", "true")
    for number, options in enumerate((["--depth=1"], ["--filter=blob:none"])):
        clone = tmp_path / f"clone{number}"
        git("clone", "-q", *options, f"file://{repo_dir}", str(clone), cwd=tmp_path)
        add_content(clone, b"2", b"garbage")
        assert swept(clone)[:3] == (1, 7, 1)


def test_a_damaged_history_stops_it(repo_dir: Path, git: Git) -> None:
    """What cannot be read may refer to anything."""
    write_files(repo_dir, {"a": "1"})
    track(repo_dir, "a")
    commit(git)
    add_content(repo_dir, b"garbage")
    tree = git("rev-parse", "HEAD^{tree}")
    (repo_dir / f".git/objects/{tree[:2]}/{tree[2:]}").unlink()
    with pytest.raises(GitError):
        swept(repo_dir)
    assert len(list(cache_of(repo_dir).list_digests())) == 2


@pytest.mark.parametrize("is_aside", [False, True])
def test_a_damaged_list_stops_it(repo_dir: Path, git: Git, is_aside: bool) -> None:
    """Its files could not be told from garbage; also when `verify` has put it aside already."""
    write_files(repo_dir, {"data/a": "1"})
    (added,) = track(repo_dir, "data")
    commit(git)
    add_content(repo_dir, b"garbage")
    damage(cache_of(repo_dir), added.pointer.digest, b'{"digest":"b3:damaged')
    if is_aside:
        cache_of(repo_dir).set_aside(added.pointer.digest)
    with pytest.raises(DamagedListError):
        swept(repo_dir)
    assert cache_of(repo_dir).is_intact(hash_bytes(b"1"))


def test_a_list_that_was_never_here_does_not_stop_it(repo_dir: Path, git: Git) -> None:
    """As in a clone that has not pulled that folder."""
    write_files(repo_dir, {"data/a": "1"})
    (added,) = track(repo_dir, "data")
    commit(git)
    drop(cache_of(repo_dir), added.pointer.digest)
    age_cache(repo_dir)
    assert swept(repo_dir).n_objects == 1


def test_a_worktree_that_is_away_stops_it(repo_dir: Path, git: Git) -> None:
    """When it is locked, as those on other disks are."""
    git("worktree", "add", "-q", "--detach", "../linked")
    git("worktree", "lock", "../linked")
    add_content(repo_dir, b"garbage")
    (repo_dir.parent / "linked").rename(repo_dir.parent / "away")
    with pytest.raises(WorktreeAwayError, match="linked"):
        swept(repo_dir)
    git("worktree", "unlock", str(repo_dir.parent / "linked"))
    assert swept(repo_dir).n_objects == 1


def test_leftovers_go(repo_dir: Path) -> None:
    """Corrupt objects that were set aside long ago, and the work of killed processes."""
    add_content(repo_dir, b"a")
    cache = cache_of(repo_dir)
    cache.set_aside(hash_bytes(b"a"))
    host = os.uname().nodename
    (cache.scratch_root / f"{host}~999999999~0").mkdir()
    assert swept(repo_dir).n_leftovers == 1
    assert swept(repo_dir, days=-1).n_leftovers == 1
    assert list((cache.root / "corrupt").iterdir()) == []


def test_an_object_that_is_added_again_while_it_is_buried_is_put_back(
    repo_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time is asked for once more after it was taken out of the cache."""
    add_content(repo_dir, b"wanted again")
    cache = cache_of(repo_dir)
    bury = collect._bury

    def add_and_bury(*args: object) -> object:
        rename = type(repo_dir).rename

        def touch_and_rename(path: Path, target: Path) -> Path:
            with Intake(cache) as intake:
                intake.add_bytes(b"wanted again")
            return rename(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(type(repo_dir), "rename", touch_and_rename)
            return bury(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(collect, "_bury", add_and_bury)
    result = swept(repo_dir)
    assert (result.n_objects, result.n_young) == (0, 1)
    assert cache.is_intact(hash_bytes(b"wanted again"))


def test_adding_while_garbage_is_collected_loses_nothing(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old objects that are added again, over and over, beside a collection that would take them."""
    monkeypatch.setattr(collect, "find_used", lambda *_: set())
    contents = [str(number).encode() for number in range(40)]
    for _ in range(10):
        add_content(repo_dir, *contents)
        collector = threading.Thread(target=lambda: [swept(repo_dir) for _ in range(5)])
        collector.start()
        with Intake(cache_of(repo_dir)) as intake:
            for content in contents:
                intake.add_bytes(content)
        collector.join()
        assert cache_of(repo_dir).find_missing(map(hash_bytes, contents)) == []


def test_a_hostile_text_only_keeps_too_much(repo_dir: Path, git: Git) -> None:
    """Whatever a commit holds, it makes nothing go that should stay, and ends in no error."""
    write_files(repo_dir, {
        "x.gittrack": b"\xff\xfe\0", "y.gittrack": b"gittrack: 1\n" + b"[" * 100_000, "large": b"b3:" * 10_000_000,
        ".gittrack/artifacts.json": b'[{"digest": "b3:', "z": f"b3:{hash_bytes(b'kept')}",
    })  # fmt: skip
    commit(git)
    add_content(repo_dir, b"kept", b"garbage", b'{"digest":"b3:' + b"x" * 100)
    assert swept(repo_dir).n_objects == 2
    assert find_used(open_repository(repo_dir), cache_of(repo_dir)) == {hash_bytes(b"kept")}
    assert list_workspace_pointers(open_repository(repo_dir)).tracked == []
    run_git("status", cwd=repo_dir)
