"""A repository from a stranger: reading it, and recording in it, runs nothing that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gittrack.errors import GittrackError
from gittrack.git.ancestry import read_ancestry
from gittrack.git.batch import read_many
from gittrack.git.objects import (
    ObjectMissingError,
    read_commit,
    read_object,
    read_path,
    read_tree,
    write_blob,
    write_commit,
    write_tree,
)
from gittrack.git.refs import (
    RefUpdate,
    create_ref,
    delete_ref,
    list_names,
    list_refs,
    read_ref,
    transaction,
    update_ref,
)
from gittrack.git.remotes import default_remote, list_remotes, remote_url
from gittrack.git.settings import read_all_settings, read_bool_setting, read_setting
from gittrack.git.snapshot import take_snapshot
from gittrack.git.state import is_dirty, read_head, read_identity
from gittrack.git.tracking import list_tracking
from tests.support.git_repository import REF_FORMAT, open_repository, run_git
from tests.support.hostile import ATTACKS, MISSING_OID, plant

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.git.repository import Repository
    from tests.support.hostile import Attack


def read_everything(repository: Repository) -> None:
    """Call every function of the git layer that reads, also for what is not there."""
    head = read_head(repository)
    assert head.sha is not None
    read_identity(repository)
    for prefix in ("refs/heads", "refs/gittrack"):
        for ref in list_refs(repository, prefix):
            read_ref(repository, ref)
        list_names(repository, prefix)
    tree = read_commit(repository, head.sha).tree
    read_tree(repository, tree)
    read_path(repository, tree, "train.py", max_bytes=100)
    list(read_many(repository, [head.sha, "HEAD:train.py", MISSING_OID, "--textconv", "HEAD:absent"]))
    with pytest.raises(ObjectMissingError):
        read_object(repository, MISSING_OID, "blob")
    read_ancestry(repository, [head.sha], [head.sha])
    for remote in [*list_remotes(repository), "absent"]:
        remote_url(repository, remote)
        read_all_settings(repository, f"remote.{remote}.fetch")
    default_remote(repository, head)
    read_setting(repository, "core.pager")
    read_bool_setting(repository, "gittrack.strict")
    list_tracking(repository)


def record(repository: Repository) -> None:
    """Write objects and refs by every function that does."""
    tree = write_tree(repository, [])
    write_blob(repository, b"x")
    commit = write_commit(repository, tree=tree, parents=[], message="m", author=read_identity(repository))
    other = write_commit(repository, tree=tree, parents=[commit], message="m", author=read_identity(repository))
    create_ref(repository, "refs/gittrack/x", commit)
    update_ref(repository, "refs/gittrack/x", other, commit)
    transaction(repository, [RefUpdate("refs/gittrack/y", commit, None)])
    delete_ref(repository, "refs/gittrack/x", other)
    delete_ref(repository, "refs/gittrack/y", commit)


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.proof], ids=lambda attack: attack.name)
def test_the_trap_is_real(repo_dir: Path, tmp_path: Path, attack: Attack) -> None:
    """A plain git command falls for it, so the tests below show something."""
    planted = plant(repo_dir, tmp_path / "marks", attack)
    program = str(tmp_path / "marks-programs" / attack.name.replace(" ", "-"))
    arguments = [argument.format(program=program) for argument in attack.proof or ()]
    run_git(*arguments, cwd=repo_dir, check=False, env={"TERM": "xterm"})
    assert planted.ran() == [attack.name]


@pytest.mark.parametrize("ref_format", ["files", "reftable"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_reading_runs_nothing(repo_dir: Path, tmp_path: Path, attack: Attack, ref_format: str) -> None:
    """Discovery, HEAD, refs, objects, remotes and settings are read without running what the repository names."""
    planted = plant(repo_dir, tmp_path / "marks", attack)
    repository = open_repository(repo_dir)
    if REF_FORMAT == "files":
        repository.__dict__["ref_format"] = ref_format
    read_everything(repository)
    assert planted.ran() == []


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_recording_runs_nothing_but_filters(repo_dir: Path, tmp_path: Path, attack: Attack) -> None:
    """Objects and refs are written, and the work tree taken in, with no program but the filters of `git add`."""
    planted = plant(repo_dir, tmp_path / "marks", attack)
    repository = open_repository(repo_dir)
    record(repository)
    assert planted.ran() == []
    is_dirty(repository)
    take_snapshot(repository, read_head(repository).sha)
    assert planted.ran() == ([attack.name] if attack.runs_on_snapshot else [])


def test_all_attacks_at_once_run_nothing(repo_dir: Path, tmp_path: Path) -> None:
    """The whole list together changes nothing."""
    planted = plant(repo_dir, tmp_path / "marks")
    repository = open_repository(repo_dir)
    read_everything(repository)
    record(repository)
    assert planted.ran() == []


@pytest.mark.parametrize("name", ["--upload-pack=x", "-x", "--get-url", "--exec=x", "--all"])
def test_names_that_look_like_options_are_names(repo_dir: Path, name: str) -> None:
    """Each argument that comes from the repository or from the user is fenced off."""
    repository = open_repository(repo_dir)
    assert remote_url(repository, name) is None
    assert list(read_many(repository, [name])) == [None]
    with pytest.raises(GittrackError):
        read_object(repository, name, "blob")
    with pytest.raises(GittrackError):
        read_ref(repository, name)
