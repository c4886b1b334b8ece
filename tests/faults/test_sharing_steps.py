"""Push and pull of artifacts killed at every single step: nothing half is visible, and the next one does it all."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.cache import Cache
from gittrack.storage.choose import open_storage, storage_key
from gittrack.workspace.parcels import make_parcels
from gittrack.workspace.pointers import list_workspace_pointers
from gittrack.workspace.sharing import fetch_artifacts, send_artifacts
from gittrack.workspace.workspace import Workspace
from tests.support.artifacts import cache_of, copies, track, write_files
from tests.support.git_repository import make_repository, open_repository, run_git
from tests.support.parcels import read_folder
from tests.support.remotes import use_protocol
from tests.support.steps import run_steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.storage.protocol import Parcel
    from tests.support.steps import Moment

FILES = {"data/a": b"a" * 5000, "data/b": b"b" * 70_000, "data/same": b"a" * 5000, "model.pt": bytes(range(256)) * 8200}
STRIDES = pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.slow)])
STORAGES = pytest.mark.parametrize("storage", ["git", "protocol", "file"])
MOMENTS = pytest.mark.parametrize("moment", ["before", "after"])


@pytest.fixture
def template(tmp_path: Path, storage: str) -> Path:
    """A folder with a sender that has artifacts, a receiver that has their pointers, and a place to share them."""
    folder = tmp_path / "template"
    folder.mkdir()
    run_git("init", "-q", "--bare", "--template=", "team.git", cwd=folder)
    sender = make_repository(folder / "sender", "--template=")
    write_files(sender, FILES)
    track(sender, "data", "model.pt")
    run_git("add", "-A", cwd=sender)
    run_git("commit", "-q", "-m", "Data", cwd=sender)
    run_git("remote", "add", "origin", "../team.git", cwd=sender)
    shutil.copytree(sender, folder / "receiver", ignore=lambda _, names: [name for name in names if name == "gittrack"])
    if storage == "protocol":
        use_protocol(folder / "receiver")
    if storage == "file":
        for name in ("sender", "receiver"):
            place = (tmp_path / "work/shared").as_uri()
            run_git("config", "gittrack.storage", place, cwd=folder / name)
    return folder


def parcels_of(workspace: Workspace) -> list[Parcel]:
    return make_parcels(list_workspace_pointers(workspace.repository).tracked)


def send(folder: Path) -> None:
    with Workspace.open(open_repository(folder / "sender")) as workspace:
        repository = workspace.repository
        key, storage = storage_key(repository) or "", open_storage(repository, n_jobs=1)
        sent = send_artifacts(workspace.cache, repository, storage, parcels_of(workspace), key=key)
    assert not sent.lacking


def fetch(folder: Path) -> None:
    with Workspace.open(open_repository(folder / "receiver")) as workspace:
        repository = workspace.repository
        key, storage = storage_key(repository) or "", open_storage(repository, n_jobs=1)
        fetched = fetch_artifacts(workspace.cache, repository, storage, parcels_of(workspace), key=key)
    assert not fetched.lacking


def check_receiver(folder: Path) -> None:
    """Everything arrived, byte by byte."""
    cache = cache_of(folder / "receiver")
    with Workspace.open(open_repository(folder / "receiver")) as workspace:
        data, model = sorted(parcels_of(workspace), key=lambda parcel: parcel.path)
    assert {f"data/{name}": content for name, content in read_folder(cache, data).items()} == {
        name: content for name, content in FILES.items() if name.startswith("data/")
    }
    assert cache.read(model.digest, 1 << 30) == FILES["model.pt"]


def check_objects(folder: Path) -> None:
    """Whatever is visible on any side is whole."""
    caches = [cache_of(folder / name) for name in ("sender", "receiver")] + [Cache(folder / "shared")]
    for cache in caches:
        assert all(cache.is_intact(digest) for digest in cache.list_digests())
    assert run_git("fsck", "--strict", "--no-dangling", "--connectivity-only", cwd=folder / "team.git") == ""


def count_steps(work: Callable[[Path], object], folder: Path) -> int:
    ending = run_steps(lambda: work(folder))
    assert not ending.error
    assert ending.n_steps > 10
    return ending.n_steps


@STORAGES
@MOMENTS
@STRIDES
def test_push_may_be_killed_at_every_step(template: Path, moment: Moment, stride: int) -> None:
    """What the storage shows is whole, and the next push sends the rest: the receiver gets every byte."""
    work = copies(template, "work")
    n_steps = count_steps(send, next(work))
    for step in range(1, n_steps + 1, stride):
        folder = next(work)
        ending = run_steps(lambda folder=folder: send(folder), kill_at=step, moment=moment)  # type: ignore[misc]
        assert ending.was_killed, ending
        check_objects(folder)
        send(folder)
        fetch(folder)
        check_receiver(folder)
        check_clean(folder / "sender")


def check_clean(clone: Path) -> None:
    """What a killed process began is gone after the next one."""
    for name in ("tmp", "cache/tmp"):
        scratch = clone / ".git/gittrack" / name
        assert not scratch.exists() or list(scratch.iterdir()) == []


@STORAGES
@MOMENTS
@STRIDES
def test_pull_may_be_killed_at_every_step(template: Path, moment: Moment, stride: int) -> None:
    """What the cache shows is whole, and the next pull fetches the rest."""
    (template.parent / "work").mkdir()
    work = copies(template, "work")
    first = next(work)
    send(first)
    sent = template.with_name("sent")
    shutil.copytree(first, sent)
    work = copies(sent)
    n_steps = count_steps(fetch, next(work))
    for step in range(1, n_steps + 1, stride):
        folder = next(work)
        ending = run_steps(lambda folder=folder: fetch(folder), kill_at=step, moment=moment)  # type: ignore[misc]
        assert ending.was_killed, ending
        check_objects(folder)
        fetch(folder)
        check_receiver(folder)
        check_clean(folder / "receiver")


def test_eight_processes_add_the_same_files(tmp_path: Path) -> None:
    """Each ends well, the cache has every object once and whole, and no ignore line is lost."""
    repo = make_repository(tmp_path / "repo")
    names = [f"f{number}" for number in range(8)]
    write_files(repo, {f"{name}/{number}": b"%d" % number * 3000 for name in names for number in range(50)})
    script = "import sys; from gittrack.cli.entry import main; sys.exit(main())"
    processes = [
        subprocess.Popen([sys.executable, "-c", script, "add", name, "f0"], cwd=repo, stderr=subprocess.PIPE)
        for name in names
    ]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    cache = cache_of(repo)
    digests = list(cache.list_digests())
    assert len(digests) == 50 + 1  # all folders are equal
    assert all(cache.is_intact(digest) for digest in digests)
    assert sorted((repo / ".gitignore").read_text().splitlines()) == [f"/{name}" for name in names]
    assert len(list_workspace_pointers(open_repository(repo)).tracked) == 8
    assert list(cache.scratch_root.iterdir()) == []
