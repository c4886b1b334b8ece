"""Refs: read as git reads them, changed by compare-and-swap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gittrack.git import refs
from gittrack.git.refs import (
    RefChangedError,
    RefError,
    RefExistsError,
    RefUpdate,
    create_ref,
    delete_ref,
    list_names,
    list_refs,
    read_ref,
    transaction,
    update_ref,
)
from tests.support.git_repository import (
    ABSENT_ID,
    ZERO_ID,
    find_locks,
    make_repository,
    open_repository,
    refs_in_files,
    run_git,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository

    Git = Callable[..., str]

REF = "refs/gittrack/exps/base/name"


@pytest.fixture
def commits(git: Git, repo_dir: Path) -> list[str]:
    """The ids of three commits, the oldest first."""
    assert repo_dir
    for number in range(2):
        git("commit", "-q", "--allow-empty", "-m", f"Commit {number}")
    return git("rev-list", "--reverse", "HEAD").split("\n")


@pytest.fixture(params=["files", "git"])
def store(request: pytest.FixtureRequest, repository: Repository) -> Repository:
    """A repository whose refs are written by us, and one where git itself must do it, as with reftable."""
    if request.param == "git":
        repository.__dict__["ref_format"] = "reftable"
    return repository


def test_a_ref_is_created_moved_and_deleted(store: Repository, git: Git, commits: list[str]) -> None:
    """Each change is what git sees, and no lock stays."""
    create_ref(store, REF, commits[0])
    assert git("rev-parse", REF) == read_ref(store, REF) == commits[0]
    update_ref(store, REF, commits[1], commits[0])
    assert git("rev-parse", REF) == read_ref(store, REF) == commits[1]
    git("pack-refs", "--all")
    update_ref(store, REF, commits[2], commits[1])
    assert git("rev-parse", REF) == read_ref(store, REF) == commits[2]
    delete_ref(store, REF, commits[2])
    assert read_ref(store, REF) is None
    assert not git("for-each-ref", "refs/gittrack")
    assert not find_locks(store)


def test_names_with_unusual_characters_work(store: Repository, git: Git, commits: list[str]) -> None:
    """Commas, percent signs, line separators and undecodable bytes in names are kept."""
    names = [
        f"refs/gittrack/{name}" for name in ("a,b", "a%2Fb", "-x", "ü", "a\u2028b", "a\x85b", "b\udcff", "$(x)", "@")
    ]
    for name in names:
        create_ref(store, name, commits[0])
        update_ref(store, name, commits[1], commits[0])
    assert list_refs(store, "refs/gittrack") == dict.fromkeys(names, commits[1])
    git("pack-refs", "--all")
    assert list_refs(store, "refs/gittrack") == dict.fromkeys(names, commits[1])


@pytest.mark.parametrize("is_packed", [False, True])
def test_creating_what_exists_is_refused(store: Repository, git: Git, commits: list[str], is_packed: bool) -> None:
    """An existing ref keeps its value, loose or packed, also when the new value is the same."""
    create_ref(store, REF, commits[0])
    if is_packed:
        git("pack-refs", "--all")
    for new in commits[:2]:
        with pytest.raises(RefExistsError, match=r"is at|exists already"):
            create_ref(store, REF, new)
    assert read_ref(store, REF) == commits[0]


@refs_in_files
def test_a_ref_packed_by_a_rival_at_the_worst_moment_is_not_overwritten(
    repository: Repository, git: Git, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Created and packed by others while we look, a ref is still seen: the loser of a race is told so."""
    look = refs._packed

    def look_then_lose(repository: Repository, start: str) -> dict[str, str]:
        found = look(repository, start)
        monkeypatch.setattr(refs, "_packed", look)
        git("update-ref", REF, commits[1], check=False)
        git("pack-refs", "--all")
        return found

    monkeypatch.setattr(refs, "_packed", look_then_lose)
    try:
        create_ref(repository, REF, commits[0])
    except RefExistsError:
        assert read_ref(repository, REF) == commits[1]
    else:
        # The rival was refused by our lock, instead of being told yes and then overwritten.
        assert read_ref(repository, REF) == commits[0]
        assert f"{commits[1]} {REF}" not in (repository.common_dir / "packed-refs").read_text(encoding="utf-8")


def test_a_ref_with_another_value_is_not_moved(store: Repository, commits: list[str]) -> None:
    """The message names the ref and both values."""
    create_ref(store, REF, commits[0])
    with pytest.raises(RefChangedError, match=f"'{REF}' is at {commits[0]}, not at {commits[1]}"):
        update_ref(store, REF, commits[2], commits[1])
    with pytest.raises(RefChangedError, match=f"not at {commits[1]}"):
        delete_ref(store, REF, commits[1])
    with pytest.raises(RefChangedError, match="is at nothing"):
        update_ref(store, REF + "2", commits[2], commits[1])
    assert list_refs(store, "refs/gittrack") == {REF: commits[0]}
    assert not find_locks(store)


def test_a_ref_in_the_way_of_another_is_said(store: Repository, commits: list[str]) -> None:
    """`a` and `a/b` cannot both exist."""
    create_ref(store, REF, commits[0])
    with pytest.raises(RefError):
        create_ref(store, f"{REF}/below", commits[0])
    with pytest.raises(RefError):
        create_ref(store, "refs/gittrack/exps/base", commits[0])
    assert list_refs(store, "refs/gittrack") == {REF: commits[0]}
    assert not find_locks(store)


def test_a_transaction_changes_all_or_nothing(store: Repository, commits: list[str]) -> None:
    """One wrong expectation, and none of the refs moves."""
    names = [f"refs/gittrack/{letter}" for letter in "abcd"]
    transaction(store, [])
    transaction(store, [RefUpdate(name, commits[0], None) for name in names[:3]])
    before = list_refs(store, "refs/gittrack")
    changes = [RefUpdate(names[0], commits[1], commits[0]), RefUpdate(names[1], None, commits[0])]
    with pytest.raises(RefChangedError, match=f"'{names[2]}' is at {commits[0]}"):
        transaction(store, [*changes, RefUpdate(names[2], commits[1], commits[2])])
    with pytest.raises(RefExistsError, match=f"'{names[2]}'"):
        transaction(store, [*changes, RefUpdate(names[2], commits[1], None)])
    with pytest.raises(RefError, match="not a valid ref name"):
        transaction(store, [*changes, RefUpdate("refs/gittrack/..", commits[1], None)])
    with pytest.raises(RefError, match="git could not change the refs"):
        transaction(store, [*changes, RefUpdate(names[3], "1" * 40, None)])
    assert list_refs(store, "refs/gittrack") == before
    transaction(store, [*changes, RefUpdate(names[3], commits[2], None)])
    assert list_refs(store, "refs/gittrack") == {
        names[0]: commits[1],
        names[2]: commits[0],
        names[3]: commits[2],
    }


@refs_in_files
def test_broken_loose_refs_are_passed_over(repository: Repository, git: Git, commits: list[str]) -> None:
    """Empty files, garbage, bad names, locks and links are no refs, as for git; the rest is listed."""
    folder = repository.common_dir / "refs" / "gittrack"
    folder.mkdir()
    for name, content in {
        "good": commits[0] + "\n",
        "no-newline": commits[1],
        "absent-object": ABSENT_ID,
        "empty": "",
        "garbage": "garbage\n",
        "short": commits[0][:-1],
        "zero": ZERO_ID,
        "good.lock": commits[0],
        "bad..name": commits[0],
        "hostile": "ref: ../../HEAD",
        "dangling": "ref: refs/heads/nothing",
        "loop": "ref: refs/gittrack/loop",
        "symbolic": "ref: refs/heads/main",
    }.items():
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "link").symlink_to("/etc/hostname")
    (folder / "empty-folder").mkdir()
    expected = {
        line.split(" ")[0]: line.split(" ")[1]
        for line in git("for-each-ref", "--format=%(refname) %(objectname)", "refs/gittrack").split("\n")
        if not line.startswith("refs/gittrack/symbolic ")
    }
    assert list_refs(repository, "refs/gittrack") == expected
    assert len(expected) == 3
    for entry in [path.name for path in folder.iterdir()]:
        if ".." not in entry and not entry.endswith(".lock") and entry != "zero":
            found = git("rev-parse", "--verify", "--quiet", f"refs/gittrack/{entry}", check=False)
            assert read_ref(repository, f"refs/gittrack/{entry}") == (found or None), entry


@refs_in_files
def test_a_ref_that_a_power_loss_emptied_can_be_made_again(repository: Repository, commits: list[str]) -> None:
    """An empty file is no obstacle to the ref."""
    create_ref(repository, REF, commits[0])
    (repository.common_dir / REF).write_bytes(b"")
    assert read_ref(repository, REF) is None
    create_ref(repository, REF, commits[1])
    assert read_ref(repository, REF) == commits[1]


def test_symbolic_refs_are_followed_by_readers(store: Repository, git: Git, commits: list[str]) -> None:
    """A symbolic ref reads as its target, and is no ref of its own in a list."""
    git("symbolic-ref", "refs/gittrack/alias", "refs/heads/main")
    assert read_ref(store, "refs/gittrack/alias") == commits[2]
    assert list_refs(store, "refs/gittrack") == {}


def test_a_list_holds_whole_components_only(store: Repository, git: Git, commits: list[str]) -> None:
    """A prefix is no beginning of a name, and the names directly below it are to be had alone."""
    for ref in ("refs/gittrack/exps/ab/n", "refs/gittrack/exps/a/n", "refs/gittrack/exps/a/m", "refs/gittrack/exps-a"):
        create_ref(store, ref, commits[0])
    git("pack-refs", "--all")
    create_ref(store, "refs/gittrack/exps/a/o", commits[0])
    assert list(map(len, (list_refs(store, "refs/gittrack/exps"), list_refs(store, "refs/gittrack")))) == [4, 5]
    assert sorted(list_refs(store, "refs/gittrack/exps/a")) == [f"refs/gittrack/exps/a/{name}" for name in "mno"]
    assert list_names(store, "refs/gittrack/exps/a") == {"m", "n", "o"}
    assert list_refs(store, "refs/gittrack/absent") == list_refs(store, "refs/absent") == {}


def test_refs_of_sha256_repositories(tmp_path: Path) -> None:
    """Long ids go the same ways."""
    folder = make_repository(tmp_path / "repo", object_format="sha256")
    repository, head = open_repository(folder), run_git("rev-parse", "HEAD", cwd=folder)
    create_ref(repository, REF, head)
    run_git("pack-refs", "--all", cwd=folder)
    assert list_refs(repository, "refs/gittrack") == {REF: head}
    delete_ref(repository, REF, head)
    assert read_ref(repository, REF) is None


def test_refs_of_a_linked_worktree_are_those_of_the_repository(repo_dir: Path, git: Git, tmp_path: Path) -> None:
    """What is written from a worktree is there for all."""
    git("worktree", "add", "-q", str(tmp_path / "linked"))
    head = git("rev-parse", "HEAD")
    create_ref(open_repository(tmp_path / "linked"), REF, head)
    assert list_refs(open_repository(repo_dir), "refs/gittrack") == {REF: head}


@pytest.mark.parametrize(
    "ref", ["refs/../x", "refs/.x", "refs//x", "HEAD", "x", "", "refs/", "-x", "refs/a b", "/refs/a"]
)
def test_what_is_no_ref_is_refused_before_any_file_is_touched(repository: Repository, ref: str) -> None:
    """Every function checks the name first."""
    before = sorted(repository.common_dir.rglob("*"))
    for call in (
        lambda: read_ref(repository, ref),
        lambda: list_refs(repository, ref),
        lambda: create_ref(repository, ref, "1" * 40),
        lambda: update_ref(repository, ref, "1" * 40, "2" * 40),
        lambda: delete_ref(repository, ref, "1" * 40),
    ):
        with pytest.raises(RefError, match="not a valid ref name"):
            call()
    assert sorted(repository.common_dir.rglob("*")) == before
