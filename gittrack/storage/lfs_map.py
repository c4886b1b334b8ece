"""Which name an object has on a Git LFS server: a file of lines per two digits, in a ref of the remote.

Git LFS names objects by SHA-256, pointers by BLAKE3. Entries are only ever added, so two clones that add at the same
time are united without a question.
"""

from __future__ import annotations

import contextlib
import random
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from gittrack.artifacts.digest import Digest
from gittrack.git.objects import ObjectBatch, ObjectMissingError, TreeEntry, read_commit, read_object, read_tree
from gittrack.git.process import GitError
from gittrack.git.refs import read_ref
from gittrack.git.settings import read_setting
from gittrack.git.state import read_identity
from gittrack.git.tracking import NAMESPACE, NAMESPACE_SETTING
from gittrack.git.transfer import QUIET, fetch_refs, push_refs
from gittrack.storage.protocol import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gittrack.git.repository import Repository
    from gittrack.git.transfer import Access

_N_TRIES = 12
_FIRST_WAIT_S = 0.05
_MAX_WAIT_S = 2.0
_FOLDER = b"map"
_random = random.SystemRandom()
_FILE_MODE = 0o100644
_TREE_MODE = 0o040000
_LINE = re.compile(r"(?P<digest>[0-9a-f]{64}) (?P<sha256>[0-9a-f]{64}) (?P<size>0|[1-9][0-9]{0,18})\n")
_NAME = re.compile(rb"[0-9a-f]{2}")


class LfsName(NamedTuple):
    """An object on a Git LFS server.

    Attributes:
        sha256: Its name there, 64 lower-case hex digits.
        size: In bytes.
    """

    sha256: str
    size: int


class DamagedMapError(StorageError):
    """The map on the remote is not in its form."""


def parse_map(data: bytes) -> dict[Digest, LfsName]:
    """Read a file of the map.

    Args:
        data: Lines of digest, SHA-256 and size, in any order.

    Raises:
        DamagedMapError: A line is in another form.
    """
    try:
        lines = data.decode("ascii").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise DamagedMapError("the map of Git LFS objects holds what is not ASCII") from error
    names: dict[Digest, LfsName] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise DamagedMapError(f"the map of Git LFS objects has a line of another form: {line[:160]!r}")
        _add(names, Digest(match["digest"]), LfsName(match["sha256"], int(match["size"])))
    return names


def render_map(names: Mapping[Digest, LfsName]) -> bytes:
    """Return a file of the map, sorted.

    Example:
        >>> render_map({Digest("0" * 64): LfsName("1" * 64, 5)}).decode().split()[2]
        '5'
    """
    return "".join(f"{digest} {name.sha256} {name.size}\n" for digest, name in sorted(names.items())).encode()


def unite(*maps: Mapping[Digest, LfsName]) -> dict[Digest, LfsName]:
    """Return all entries of some maps, the same in whatever order they come.

    An object has one content and so one name. Should a map say otherwise, the smaller name is taken everywhere.
    """
    united: dict[Digest, LfsName] = {}
    for names in maps:
        for digest, name in names.items():
            _add(united, digest, name)
    return united


class LfsMap:
    """The map of one remote.

    Args:
        repository: The repository.
        remote: The name of a remote.
        access: How git may talk to the person.
    """

    def __init__(self, repository: Repository, remote: str, access: Access = QUIET) -> None:
        self._repository = repository
        self._remote = remote
        self._access = access
        namespace = read_setting(repository, NAMESPACE_SETTING) or NAMESPACE
        self._remote_ref = f"{namespace}/lfs"
        self._tracking_ref = f"{NAMESPACE}/remotes/{remote}/lfs"

    def fetch(self) -> None:
        """Bring what the remote has; where it has nothing, nothing is known.

        Raises:
            StorageError: The remote cannot be reached.
        """
        # A pattern may match nothing, where a name that is not there would be an error.
        refspec = f"+{self._remote_ref}*:{self._tracking_ref}*"
        with _as_storage_errors():
            fetch_refs(self._repository, self._remote, [refspec], prune=True, access=self._access)

    def look_up(self, digests: Iterable[Digest]) -> dict[Digest, LfsName]:
        """Return the names of those that are in the map as last fetched.

        Raises:
            DamagedMapError: The map is not in its form.
        """
        wanted: dict[str, set[Digest]] = {}
        for digest in digests:
            wanted.setdefault(digest[:2], set()).add(digest)
        files = self._list_files(self._tip())
        found: dict[Digest, LfsName] = {}
        for prefix, here in wanted.items():
            names = self._read_file(files.get(prefix))
            found.update({digest: names[digest] for digest in here if digest in names})
        return found

    def publish(self, names: Mapping[Digest, LfsName]) -> None:
        """Add entries to the map of the remote; whoever adds others at the same time loses nothing.

        Raises:
            StorageError: The remote cannot be reached, or refuses the map.
            DamagedMapError: The map there is not in its form.
        """
        if not names:
            return
        reason = ""
        for n_lost in range(_N_TRIES):
            if n_lost:  # whoever was faster may be about to come again
                time.sleep(_random.uniform(0.5, 1.0) * min(_MAX_WAIT_S, _FIRST_WAIT_S * 2.0**n_lost))
            self.fetch()
            tip = self._tip()
            commit = self._commit_with(names, tip)
            if commit is None:
                return
            leases = {self._remote_ref: None} if tip is None else None
            with _as_storage_errors():
                push = push_refs(
                    self._repository, self._remote, [f"{commit}:{self._remote_ref}"], leases=leases, access=self._access
                )
            if all(ref.status != "rejected" for ref in push.refs):
                return
            reason = push.refs[0].reason
        raise StorageError(
            f"'{self._remote}' does not take the map of Git LFS objects: {reason}",
            hint="see whether you may push to it; some hosts take branches only (git config gittrack.pushNamespace)",
        )

    def _tip(self) -> str | None:
        return read_ref(self._repository, self._tracking_ref)

    def _list_files(self, tip: str | None) -> dict[str, str]:
        """Return the blobs of the files by their two digits."""
        if tip is None:
            return {}
        try:
            top = read_tree(self._repository, read_commit(self._repository, tip).tree)
            folder = next((entry for entry in top if entry.name == _FOLDER and entry.mode == _TREE_MODE), None)
            entries = read_tree(self._repository, folder.oid) if folder is not None else []
        except ObjectMissingError as error:
            raise DamagedMapError(f"the map of Git LFS objects cannot be read: {error.message}") from error
        return {
            entry.name.decode(): entry.oid
            for entry in entries
            if entry.mode == _FILE_MODE and _NAME.fullmatch(entry.name)
        }

    def _read_file(self, oid: str | None) -> dict[Digest, LfsName]:
        return parse_map(read_object(self._repository, oid, "blob")) if oid is not None else {}

    def _commit_with(self, names: Mapping[Digest, LfsName], tip: str | None) -> str | None:
        """Write a commit that has these entries too; None when they are all there."""
        files = self._list_files(tip)
        by_prefix: dict[str, dict[Digest, LfsName]] = {}
        for digest, name in names.items():
            by_prefix.setdefault(digest[:2], {})[digest] = name
        batch = ObjectBatch(self._repository)
        is_new = False
        for prefix, more in by_prefix.items():
            there = self._read_file(files.get(prefix))
            united = unite(there, more)
            if united != there:
                files[prefix] = batch.add_blob(render_map(united))
                is_new = True
        if not is_new:
            return None
        folder = batch.add_tree(TreeEntry(prefix.encode(), _FILE_MODE, oid) for prefix, oid in files.items())
        tree = batch.add_tree([TreeEntry(_FOLDER, _TREE_MODE, folder)])
        author = read_identity(self._repository)
        commit = batch.add_commit(tree, [] if tip is None else [tip], "Add Git LFS names", author)
        batch.write()
        return commit


@contextlib.contextmanager
def _as_storage_errors() -> Iterator[None]:
    try:
        yield
    except GitError as error:
        raise StorageError(error.message, hint=error.hint) from error


def _add(names: dict[Digest, LfsName], digest: Digest, name: LfsName) -> None:
    names[digest] = min(names.get(digest, name), name)
