"""Repositories that keep refs in tables (git >= 2.45): all that gittrack does, through git."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

import gittrack
from gittrack.cli import hook_post_commit, hook_pre_push
from gittrack.experiments import store
from gittrack.git.refs import RefExistsError, RefUpdate, create_ref, list_refs, read_ref, transaction, update_ref
from gittrack.git.state import read_head
from tests.support.commands import call_gittrack
from tests.support.experiments import add_experiment
from tests.support.git_repository import find_locks, fsck, make_repository, open_repository, run_git, with_reftable
from tests.support.recorded import read_recorded

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.git.repository import Repository

pytestmark = with_reftable


@pytest.fixture(params=["sha1", "sha256"])
def tables(tmp_path: Path, request: pytest.FixtureRequest) -> Repository:
    """A repository with tables of refs, of both hashes."""
    folder = make_repository(tmp_path / "tables", "--ref-format=reftable", object_format=request.param)
    return open_repository(folder)


def test_refs_are_changed_by_compare_and_swap(tables: Repository) -> None:
    """Refs are created once, moved from what they were, and changed together or not at all."""
    assert tables.ref_format == "reftable"
    first, second = (run_git("commit-tree", "-m", name, "HEAD^{tree}", cwd=tables.git.cwd) for name in "ab")
    create_ref(tables, "refs/gittrack/a", first)
    with pytest.raises(RefExistsError):
        create_ref(tables, "refs/gittrack/a", second)
    update_ref(tables, "refs/gittrack/a", second, first)
    transaction(tables, [RefUpdate("refs/gittrack/a", None, second), RefUpdate("refs/gittrack/b", first, None)])
    assert read_ref(tables, "refs/gittrack/a") is None
    assert list_refs(tables, "refs/gittrack") == {"refs/gittrack/b": first}


def test_a_busy_table_is_waited_for(tables: Repository) -> None:
    """A change waits longer for another program than the tenth of a second that git would."""
    head = read_head(tables).sha
    assert head is not None
    lock = tables.common_dir / "reftable/tables.list.lock"
    lock.touch()
    timer = threading.Timer(1, lock.unlink)
    timer.start()
    create_ref(tables, "refs/gittrack/a", head)
    timer.join()
    assert read_ref(tables, "refs/gittrack/a") == head


@pytest.mark.parametrize("operation", ["cherry-pick", "revert", "merge", "rebase"])
def test_operations_are_known_where_they_are_refs(tables: Repository, operation: str) -> None:
    """CHERRY_PICK_HEAD and REVERT_HEAD are no files here."""
    folder = tables.git.cwd
    assert read_head(tables).operation is None
    for branch, text in (("side", "side"), ("main", "ours"), ("main", "more")):
        run_git("checkout", "-q", *(["-b"] if branch == "side" else []), branch, cwd=folder)
        (folder / "train.py").write_text(text, encoding="utf-8")
        run_git("commit", "-qam", text, cwd=folder)
    run_git(operation, "HEAD~" if operation == "revert" else "side", cwd=folder, check=False)
    head = read_head(tables)
    assert (head.operation, head.sha) == (operation, run_git("rev-parse", "HEAD", cwd=folder))


def test_head_of_every_kind(tables: Repository) -> None:
    """A branch, a commit, and a branch without a commit."""
    folder = tables.git.cwd
    sha = run_git("rev-parse", "HEAD", cwd=folder)
    assert read_head(tables) == (sha, "main", None)
    run_git("checkout", "-q", "--detach", cwd=folder)
    assert read_head(tables) == (sha, None, None)
    run_git("checkout", "-q", "--orphan", "new", cwd=folder)
    assert read_head(tables) == (None, "new", None)


def test_recording_and_sharing_with_other_kinds(
    tables: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is recorded, pushed to a repository with refs in files, and pulled from it into one of either kind."""
    folder = tables.git.cwd
    monkeypatch.chdir(folder)
    with gittrack.Run("fox", quiet=True) as run:
        run.log_metrics({"acc": 0.5})
    assert read_recorded(folder, "fox").meta.status == "completed"
    bare = tmp_path / "team.git"
    options = ("--bare", "--ref-format=files", f"--object-format={tables.object_format}")
    run_git("init", "-q", *options, str(bare), cwd=tmp_path)
    run_git("remote", "add", "origin", str(bare), cwd=folder)
    run_git("push", "-q", "origin", "main", cwd=folder)
    assert call_gittrack("push", cwd=folder).code == 0
    for ref_format in ("files", "reftable"):
        clone = tmp_path / ref_format
        run_git("clone", "-q", f"--ref-format={ref_format}", str(bare), str(clone), cwd=tmp_path)
        assert call_gittrack("pull", cwd=clone).code == 0
        assert [tip.experiment.name for tip in store.list_tips(open_repository(clone))] == ["fox"]
        assert "0.5" in call_gittrack("exp", "show", "--csv", cwd=clone).out
        assert call_gittrack("exp", "rename", "fox", "owl", cwd=clone).code == 0
        assert call_gittrack("exp", "remove", "owl", "-y", cwd=clone).code == 0
        assert call_gittrack("gc", "--older-than", "0", cwd=clone).code == 0
        assert list_refs(open_repository(clone), "refs/gittrack/exps") == {}
        assert fsck(clone) == ""
    assert find_locks(tables) == []
    assert fsck(folder) == ""


def test_hooks_ask_git_whether_there_are_experiments(tables: Repository) -> None:
    """A hook goes on only when there is something to land or to send."""
    folder = tables.git.cwd
    os.chdir(folder)
    environ = dict(os.environ)
    location = hook_post_commit.locate(str(folder), environ)
    assert location is not None
    (folder / "train.py").write_text("more", encoding="utf-8")
    run_git("commit", "-qam", "More", cwd=folder)
    assert not hook_post_commit._may_land(location, environ)
    assert not hook_pre_push._has_experiments(str(folder), environ)
    add_experiment(tables, "of-head")
    assert not hook_post_commit._may_land(location, environ)
    assert hook_pre_push._has_experiments(str(folder), environ)
    add_experiment(tables, "of-parent", baseline=run_git("rev-parse", "HEAD~", cwd=folder))
    assert hook_post_commit._may_land(location, environ)
