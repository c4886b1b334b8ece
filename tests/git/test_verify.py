"""Checking the cache: every kind of damage is found, and what is still whole somewhere is taken again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.intake import Intake
from gittrack.artifacts.pointer import Pointer
from gittrack.storage.protocol import SILENT, Progress
from gittrack.workspace.pointers import list_workspace_pointers, write_pointer
from gittrack.workspace.verify import verify
from gittrack.workspace.workspace import Workspace
from tests.support.artifacts import age, cache_of, damage, drop, read_files, track, write_files
from tests.support.git_repository import open_repository

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gittrack.artifacts.digest import Digest
    from gittrack.workspace.pointers import Tracked
    from gittrack.workspace.verify import Fetch, Verified

LARGE = os.urandom(9 << 20)


@pytest.fixture
def repo(repo_dir: Path) -> Path:
    """A repository with the folder `data`, and the large file `model`."""
    write_files(repo_dir, {"data/a": "1", "data/b/c": "22", "data/b/d": "333", "model": LARGE})
    track(repo_dir, "data", "model")
    return repo_dir


def verified(folder: Path, *, fetch: Fetch | None = None, everything: bool = False, repair: bool = False) -> Verified:
    with Workspace.open(open_repository(folder)) as workspace:
        tracked = list_workspace_pointers(workspace.repository).tracked
        return verify(workspace, tracked, SILENT, is_everything=everything, is_repair=repair, fetch=fetch)


def said(result: Verified) -> list[tuple[str, list[str], bool]]:
    """Return problem, paths and outcome of each damaged object, sorted."""
    return sorted(
        (one.problem, [f"{place.tracked.path}/{place.file}".rstrip("/") for place in one.places], one.is_repaired)
        for one in result.damaged
    )


def list_digest(folder: Path) -> Digest:
    return list_workspace_pointers(open_repository(folder)).tracked[0].pointer.digest


def test_an_intact_cache(repo: Path) -> None:
    """Every object is hashed once, and every byte is told of."""
    n_list = cache_of(repo).find_size(list_digest(repo)) or 0
    totals: list[int] = []
    done: list[int] = []
    with Workspace.open(open_repository(repo)) as workspace:
        tracked = list_workspace_pointers(workspace.repository).tracked
        result = verify(workspace, tracked, Progress(totals.append, done.append))
    assert result == (5, 6 + len(LARGE) + n_list, [])
    assert sum(totals) == sum(done) == result.n_bytes


def test_damage_is_named_and_set_aside(repo: Path) -> None:
    """Other bytes of the same size, cut, empty and absent; the next look finds them absent."""
    cache = cache_of(repo)
    damage(cache, hash_bytes(b"22"), b"xx")
    damage(cache, hash_bytes(LARGE), LARGE[:-1] + bytes([LARGE[-1] ^ 1]))
    drop(cache, hash_bytes(b"333"))
    result = verified(repo)
    assert said(result) == [
        ("corrupt", ["data/b/c"], False), ("corrupt", ["model"], False), ("missing", ["data/b/d"], False),
    ]  # fmt: skip
    assert len(list((cache.root / "corrupt").iterdir())) == 2
    assert {problem for problem, _, _ in said(verified(repo))} == {"missing"}


def test_content_in_several_artifacts_names_them_all(repo: Path) -> None:
    """One object, every place where it is used."""
    write_files(repo, {"data/same": "1", "copy": "1"})
    track(repo, "data", "copy")
    damage(cache_of(repo), hash_bytes(b"1"))
    assert said(verified(repo)) == [("corrupt", ["copy", "data/a", "data/same"], False)]


def test_unchanged_files_repair(repo: Path) -> None:
    """A file, files of a folder, and the list of its files; what was cut before its list is found, too."""
    cache = cache_of(repo)
    damage(cache, hash_bytes(LARGE))
    damage(cache, hash_bytes(b"1"), b"2")
    damage(cache, list_digest(repo))
    drop(cache, hash_bytes(b"22"))
    result = verified(repo, repair=True)
    assert [(problem, is_repaired) for problem, _, is_repaired in said(result)] == [
        ("corrupt", True), ("corrupt", True), ("corrupt", True), ("missing", True),
    ]  # fmt: skip
    assert verified(repo).damaged == []


def test_changed_files_repair_nothing(repo: Path) -> None:
    """Their content is another object, and is not taken."""
    cache = cache_of(repo)
    damage(cache, hash_bytes(b"22"))
    write_files(repo, {"data/b/c": "23"})
    assert said(verified(repo, repair=True)) == [("corrupt", ["data/b/c"], False)]
    assert cache.find_size(hash_bytes(b"23")) is None
    damage(cache, list_digest(repo))
    assert said(verified(repo, repair=True)) == [("corrupt", ["data"], False)]


def test_a_file_that_shares_the_damaged_bytes_repairs_nothing(repo: Path) -> None:
    """With hard links, what damaged one side damaged the other."""
    with Workspace.open(open_repository(repo)) as workspace:
        (repo / "model").unlink()
        os.link(workspace.cache.path(hash_bytes(LARGE)), repo / "model")
    damage(cache_of(repo), hash_bytes(LARGE), b"x" * len(LARGE))
    assert said(verified(repo, repair=True)) == [("corrupt", ["model"], False)]
    assert cache_of(repo).find_size(hash_bytes(LARGE)) is None


def test_a_storage_repairs_the_rest(repo: Path) -> None:
    """It is asked for those artifacts only that need it, once, and what it brings is hashed."""
    cache = cache_of(repo)
    damage(cache, hash_bytes(b"22"))
    drop(cache, hash_bytes(LARGE))
    write_files(repo, {"data/b/c": "changed", "data/a": "changed"})
    asked: list[list[str]] = []

    def fetch(artifacts: Sequence[Tracked]) -> None:
        asked.append([one.path for one in artifacts])
        with Intake(cache) as intake:
            intake.add_bytes(b"22")

    result = verified(repo, repair=True, fetch=fetch)
    assert asked == [["data"]]
    assert said(result) == [("corrupt", ["data/b/c"], True), ("missing", ["model"], True)]
    drop(cache, hash_bytes(b"1"))
    result = verified(repo, repair=True, fetch=lambda _: damage(cache, hash_bytes(b"22"), b"yy"))
    assert said(result) == [("missing", ["data/a"], False)]
    asked.clear()
    verified(repo, fetch=fetch)
    assert asked == []


def test_a_list_that_a_storage_brings_is_looked_into(repo: Path) -> None:
    """Its files may be damaged as well."""
    cache, digest = cache_of(repo), list_digest(repo)
    content = cache.read(digest, 10_000)
    drop(cache, digest)
    damage(cache, hash_bytes(b"22"))
    write_files(repo, {"data/b/c": "changed"})

    def fetch(_: object) -> None:
        with Intake(cache) as intake:
            intake.add_bytes(content)

    result = verified(repo, repair=True, fetch=fetch)
    assert said(result) == [("corrupt", ["data/b/c"], False), ("missing", ["data"], True)]


def test_the_whole_cache(repo: Path) -> None:
    """Objects of other commits too, which nobody here can name."""
    write_files(repo, {"old": "old"})
    track(repo, "old")
    (repo / "old.gittrack").unlink()
    damage(cache_of(repo), hash_bytes(b"old"))
    assert verified(repo).damaged == []
    result = verified(repo, everything=True)
    assert (said(result), result.n_objects) == ([("corrupt", [], False)], 6)


def test_a_pointer_that_calls_a_file_a_folder(repo: Path) -> None:
    """The object is whole, and stays; the artifact is named."""
    write_pointer(open_repository(repo), "evil", Pointer("evil", "dir", hash_bytes(b"1"), 1))
    assert said(verified(repo, repair=True)) == [("invalid", ["evil", "data/a"], False)]
    assert cache_of(repo).is_intact(hash_bytes(b"1"))


def test_nothing_in_the_work_tree_changes(repo: Path) -> None:
    """To check and to repair only writes into the cache."""
    age(repo / "model")
    before = {name: data for name, data in read_files(repo).items() if not name.startswith(".git/")}
    damage(cache_of(repo), hash_bytes(b"22"))
    verified(repo, repair=True, everything=True)
    assert {name: data for name, data in read_files(repo).items() if not name.startswith(".git/")} == before
