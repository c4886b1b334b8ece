"""Writing into a work tree: nothing outside is reached, nothing is half written, nothing wrong is written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from gittrack.artifacts import placing as placing_module
from gittrack.artifacts.cache import ObjectCorruptError, ObjectMissingError
from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.manifest import FileEntry
from gittrack.artifacts.placing import InTheWayError, open_folder
from gittrack.artifacts.restore import LinkType, Restorer
from gittrack.errors import GittrackError
from gittrack.paths import InvalidPathError
from tests.support.artifacts import damage, fill_cache, read_files, write_files
from tests.support.needs import need

if TYPE_CHECKING:
    from collections.abc import Iterator


LARGE = os.urandom((1 << 20) + 5)
LINKS = get_args(LinkType)


class Place:
    """A root, a cache with two objects, and what writes from one into the other."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.cache, (self.small, self.large) = fill_cache(folder / "cache", b"small", LARGE)
        self.root = root
        self.root.mkdir(exist_ok=True)
        self.staging = folder / "staging"
        self.restorer = Restorer(self.cache, root, self.staging)

    def with_links(self, *links: LinkType) -> Restorer:
        return Restorer(self.cache, self.root, self.staging, links)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, tmp_path / "root")


@pytest.fixture
def far_place(tmp_path: Path) -> Iterator[Place]:
    """A root on another disk than cache and staging."""
    memory = Path("/dev/shm")
    need(is_there=memory.is_dir() and memory.stat().st_dev != tmp_path.stat().st_dev, what="a second disk at /dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Place(tmp_path, Path(folder))


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("content", [b"small", LARGE])
def test_a_file_is_written(place: Place, link: LinkType, content: bytes) -> None:
    """By every kind of link, in place of another, with folders made on the way, and nothing left in the staging."""
    restorer = place.with_links(*((link, "copy") if link == "reflink" else (link,)))
    write_files(place.root, {"a/b/c": "before"})
    restored = restorer.write_file("a/b/c", hash_bytes(content))
    target = place.root / "a/b/c"
    assert target.read_bytes() == content
    assert target.is_symlink() == (link == "symlink")
    assert (restored.info is None) == (link == "symlink")
    assert target.stat().st_ino == place.cache.path(hash_bytes(content)).stat().st_ino or link in {"reflink", "copy"}
    if link in {"reflink", "copy"}:
        target.write_bytes(b"changed by its owner")
    assert place.cache.is_intact(hash_bytes(content))
    assert list(place.staging.iterdir()) == []


@pytest.mark.parametrize("link", LINKS)
def test_an_executable_file_can_be_run(place: Place, link: LinkType) -> None:
    """Also where files share bytes with the cache: an object cannot be run, so such a file is a copy."""
    place.with_links(link, "copy").write_file("run.sh", place.small, is_executable=True)
    place.with_links(link).write_new_folder("data", [FileEntry("run.sh", place.small, 5, is_executable=True)])
    for path in ("run.sh", "data/run.sh"):
        assert (place.root / path).stat().st_mode & stat.S_IXUSR
        assert not (place.root / path).is_symlink()
    assert not place.cache.path(place.small).stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize("link", LINKS)
def test_damaged_content_is_not_written(place: Place, link: LinkType) -> None:
    """The file stays as it was; the error says how to repair."""
    write_files(place.root, {"file": "before"})
    for digest in (place.small, place.large):
        damage(place.cache, digest, b"x" * 5)
        for write in (
            lambda digest=digest: place.with_links(link, "copy").write_file("file", digest),
            lambda digest=digest: place.with_links(link, "copy").write_new_folder("data", [FileEntry("a", digest, 5)]),
        ):
            with pytest.raises(ObjectCorruptError) as caught:
                write()
            assert "verify --repair" in str(caught.value.hint)
    assert read_files(place.root) == {"file": b"before"}
    assert not (place.root / "data").exists()


def test_a_missing_object_changes_nothing(place: Place) -> None:
    """Neither a file nor half a folder appears."""
    absent = hash_bytes(b"absent")
    files = [FileEntry("a", place.small, 5), FileEntry("b", absent, 6)]
    with pytest.raises(ObjectMissingError):
        place.restorer.write_file("file", absent)
    with pytest.raises(ObjectMissingError):
        place.restorer.write_new_folder("data", files)
    assert read_files(place.root) == {}
    assert list(place.staging.iterdir()) == []


def test_a_folder_is_written(place: Place) -> None:
    """With its folders and modes; the umask counts."""
    files = [
        FileEntry("a", place.small, 5),
        FileEntry("b/c/d", place.large, len(LARGE)),
        FileEntry("b/e", place.small, 5),
    ]
    before = os.umask(0o027)
    try:
        restored = place.restorer.write_new_folder("x/data", files)
    finally:
        os.umask(before)
    assert [one.path for one in restored] == ["x/data/a", "x/data/b/c/d", "x/data/b/e"]
    assert read_files(place.root) == {"x/data/a": b"small", "x/data/b/c/d": LARGE, "x/data/b/e": b"small"}
    assert (place.root / "x/data/a").stat().st_mode & 0o777 == 0o640
    assert (place.root / "x/data/b").stat().st_mode & 0o777 == 0o750
    for one in restored:
        assert one.info is not None
        assert one.info.st_ino == (place.root / one.path).stat().st_ino


@pytest.mark.parametrize("path", ["", "/etc/x", "../x", "a/../../x", ".git/config", "a/.GIT/x", "a//b", "con", "a\\b"])
def test_no_path_leads_out(place: Place, path: str) -> None:
    """Whoever calls: the check is here too."""
    for call in (
        lambda: place.restorer.write_file(path, place.small),
        lambda: place.restorer.write_new_folder(path, []),
        lambda: place.restorer.remove_file(path),
        lambda: place.restorer.remove(path),
    ):
        with pytest.raises(InvalidPathError):
            call()


def test_a_link_at_the_target_is_replaced_not_followed(place: Place, tmp_path: Path) -> None:
    """What it leads to stays; a link to a folder as well."""
    write_files(tmp_path / "outside", {"file": "outside"})
    (place.root / "file").symlink_to(tmp_path / "outside" / "file")
    (place.root / "folder").symlink_to(tmp_path / "outside")
    place.restorer.write_file("file", place.small)
    place.restorer.write_file("folder", place.small)
    (place.root / "data").symlink_to(tmp_path / "outside")
    with pytest.raises(InTheWayError):
        place.restorer.write_new_folder("data", [FileEntry("a", place.small, 5)])
    assert read_files(tmp_path / "outside") == {"file": b"outside"}
    assert not (place.root / "file").is_symlink()


def test_a_link_on_the_way_is_refused(place: Place, tmp_path: Path) -> None:
    """To write, to make a folder and to remove; also when it leads to a folder inside the root."""
    write_files(tmp_path / "outside", {"a/file": "outside"})
    write_files(place.root, {"real/a/file": "inside"})
    (place.root / "out").symlink_to(tmp_path / "outside")
    (place.root / "in").symlink_to("real")
    for link in ("out", "in"):
        for call in (
            lambda link=link: place.restorer.write_file(f"{link}/a/file", place.small),
            lambda link=link: place.restorer.write_new_folder(f"{link}/a/new", []),
            lambda link=link: place.restorer.remove_file(f"{link}/a/file"),
            lambda link=link: place.restorer.remove(f"{link}/a"),
        ):
            with pytest.raises(InTheWayError, match="is a link or a file"):
                call()
    assert read_files(tmp_path / "outside") == {"a/file": b"outside"}
    assert (place.root / "real/a/file").read_bytes() == b"inside"


def test_a_folder_that_becomes_a_link_on_the_way_is_refused(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the check of one component and the next, and after the last."""
    (tmp_path / "outside/b").mkdir(parents=True)
    (place.root / "a/b").mkdir(parents=True)
    enter = placing_module._enter

    def swap_and_enter(descriptor: int, name: str, *, create: bool) -> int:
        if name == "b":
            (place.root / "a").rename(place.root / "moved")
            (place.root / "a").symlink_to(tmp_path / "outside")
        return enter(descriptor, name, create=create)

    monkeypatch.setattr(placing_module, "_enter", swap_and_enter)
    place.restorer.write_file("a/b/file", place.small)
    assert read_files(tmp_path / "outside") == {}
    assert (place.root / "moved/b/file").read_bytes() == b"small"
    with pytest.raises(InTheWayError):
        place.restorer.write_file("a/b/file", place.small)


def test_what_is_in_the_way_is_named(place: Place) -> None:
    """A folder where a file must be, a file where a folder must be, and something where a new folder must be."""
    write_files(place.root, {"folder/x": "1", "file": "2"})
    with pytest.raises(InTheWayError, match="a folder stands at 'folder'"):
        place.restorer.write_file("folder", place.small)
    with pytest.raises(InTheWayError, match="'file' on the way to 'file/a'"):
        place.restorer.write_file("file/a/b", place.small)
    for path in ("folder", "file"):
        with pytest.raises(InTheWayError, match="something stands"):
            place.restorer.write_new_folder(path, [FileEntry("a", place.small, 5)])
    assert read_files(place.root) == {"folder/x": b"1", "file": b"2"}
    assert list(place.staging.iterdir()) == []


def test_a_disk_without_the_wanted_link_is_named(far_place: Place) -> None:
    """Where a hard link cannot be, and a copy is not wanted."""
    with pytest.raises(GittrackError, match="hardlink") as caught:
        far_place.with_links("hardlink").write_file("file", far_place.small)
    assert "copy" in str(caught.value.hint)
    far_place.with_links("hardlink", "copy").write_file("file", far_place.small)
    assert read_files(far_place.root) == {"file": b"small"}


def test_another_disk_is_written_to(far_place: Place) -> None:
    """Files and folders come into place whole there too, and nothing is left beside them."""
    far_place.restorer.write_file("a/file", far_place.large)
    far_place.restorer.write_new_folder("data", [FileEntry("b/c", far_place.small, 5)])
    with pytest.raises(ObjectMissingError):
        far_place.restorer.write_new_folder("none", [FileEntry("b/c", hash_bytes(b"absent"), 5)])
    assert read_files(far_place.root) == {"a/file": LARGE, "data/b/c": b"small"}
    far_place.restorer.remove("data")
    assert [path.name for path in far_place.root.iterdir()] == ["a"]


def kill_while_writing(place: Place, path: str) -> None:
    """Let a process die between writing a file and putting it into place."""
    code = (
        "import os; from pathlib import Path; from gittrack.artifacts import restore\n"
        "from gittrack.artifacts.cache import Cache\n"
        "restore.os.rename = lambda *a, **k: os.kill(os.getpid(), 9)\n"
        f"restorer = restore.Restorer(Cache(Path({str(place.cache.root)!r})), Path({str(place.root)!r}), "
        f"Path({str(place.staging)!r}))\n"
        f"restorer.write_file({path!r}, {place.large!r})"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9


def test_what_a_killed_process_left_beside_its_target_is_swept(far_place: Place) -> None:
    """By the next file that is written into that folder; names that only look alike stay."""
    kill_while_writing(far_place, "a/file")
    (left,) = (far_place.root / "a").iterdir()
    assert left.name.startswith(".gittrack-")
    write_files(far_place.root, {"a/.gittrack-notes": "mine", f"a/{left.name}/more/deep": "x"})
    (far_place.root / "a" / left.name / "locked").mkdir(mode=0o500)
    far_place.restorer.write_file("a/other", far_place.small)
    assert read_files(far_place.root) == {"a/other": b"small", "a/.gittrack-notes": b"mine"}
    assert not left.exists()


def test_what_a_living_process_writes_is_left_alone(far_place: Place) -> None:
    """Its folder has its process in its name."""
    with open_folder(far_place.root, "") as target, far_place.restorer._staging.beside(target):
        Restorer(far_place.cache, far_place.root, far_place.staging).write_file("b", far_place.small)
        assert len(list(far_place.root.iterdir())) == 2
    assert [path.name for path in far_place.root.iterdir()] == ["b"]


def test_a_file_is_removed_with_the_folders_it_leaves_empty(place: Place) -> None:
    """Up to the root, which stays; what is not there is no error."""
    write_files(place.root, {"a/b/c": "1", "a/d": "2"})
    place.restorer.remove_file("a/b/c")
    assert [path.name for path in (place.root / "a").iterdir()] == ["d"]
    place.restorer.remove_file("a/d")
    place.restorer.remove_file("a/d")
    place.restorer.remove_file("none/at/all")
    assert list(place.root.iterdir()) == []


def test_a_folder_is_removed_whole(place: Place, tmp_path: Path) -> None:
    """What links in it lead to stays."""
    write_files(tmp_path / "outside", {"file": "outside"})
    write_files(place.root, {"a/data/x/y": "1", "a/data/z": "2"})
    (place.root / "a/data/link").symlink_to(tmp_path / "outside")
    place.restorer.remove("a/data")
    place.restorer.remove("a/data")
    assert list(place.root.iterdir()) == []
    assert read_files(tmp_path / "outside") == {"file": b"outside"}
    (place.root / "link").symlink_to(tmp_path / "outside")
    place.restorer.remove("link")
    assert read_files(tmp_path / "outside") == {"file": b"outside"}


def test_the_root_may_be_reached_through_a_link(place: Place, tmp_path: Path) -> None:
    """A home folder is often a link."""
    (tmp_path / "link").symlink_to(place.root)
    Restorer(place.cache, tmp_path / "link", place.staging).write_file("a/b", place.small)
    assert read_files(place.root) == {"a/b": b"small"}


def test_bytes_are_counted(place: Place) -> None:
    """For the bar of progress."""
    counted: list[int] = []
    Restorer(place.cache, place.root, place.staging, on_bytes=counted.append).write_file("a", place.large)
    assert sum(counted) == len(LARGE)
