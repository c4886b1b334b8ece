"""What is known of a git remote that holds artifacts: where they are there, and which ones."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from gittrack.artifacts.digest import Digest, is_digest
from gittrack.git.local_objects import objects_folder
from gittrack.git.process import GitError
from gittrack.git.remotes import contacted_url, is_local_url, strip_credentials
from gittrack.git.settings import read_setting
from gittrack.git.tracking import NAMESPACE_SETTING
from gittrack.git.transfer import list_remote_refs
from gittrack.storage.memory import FILE_NAME, Memory
from gittrack.storage.protocol import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gittrack.git.repository import Repository
    from gittrack.git.transfer import Access, PushedRef

_PARTS_PER_BATCH = 4  # a GiB; hosts refuse pushes of two
_N_AT_ONCE = 2  # git hashes what it sends and what it receives in one thread each
_NAMESPACE = "refs/gittrack/artifacts"


class Place:
    """A git remote that holds artifacts.

    Args:
        repository: The user's repository.
        remote: The remote's name, or its address where the repository has no name for it.
        access: How git may talk to the person.
        part_bytes: How much content of a large artifact one push may have.

    Attributes:
        batch_bytes: How much content one push of several artifacts may have.
    """

    def __init__(self, repository: Repository, remote: str, access: Access, part_bytes: int) -> None:
        self.repository = repository
        self.remote = remote
        self.access = access
        self.part_bytes = part_bytes
        self.batch_bytes = _PARTS_PER_BATCH * part_bytes
        self.memory = Memory(repository.state_dir / FILE_NAME)
        prefix = read_setting(repository, NAMESPACE_SETTING)
        self.namespace = f"{prefix}/artifacts" if prefix else _NAMESPACE
        self._listing: dict[str, str] | None = None

    @property
    def label(self) -> str:
        """The remote's name, or its address without credentials."""
        return strip_credentials(self.remote)

    @cached_property
    def n_at_once(self) -> int:
        """How many parts of an artifact may travel at once.

        One over a network, which is slower than the hashing that is shared out so; git may have to ask for a password
        there, too.
        """
        return _N_AT_ONCE if is_local_url(contacted_url(self.repository, self.remote)) else 1

    @cached_property
    def objects(self) -> Path | None:
        """The folder of the remote's objects, where it is one of this machine that can be read as it is."""
        return objects_folder(self.repository, self.remote)

    def ref(self, name: str) -> str:
        """Return the ref of an artifact, or of a part of one."""
        return f"{self.namespace}/{name}"

    def listing(self) -> dict[str, str]:
        """Return the refs of artifacts on the remote, asked for once.

        Raises:
            StorageError: The remote cannot be reached.
        """
        if self._listing is None:
            try:
                self._listing = list_remote_refs(
                    self.repository, self.remote, [f"{self.namespace}/*"], access=self.access
                )
            except GitError as error:
                raise self.unreachable(error) from error
        return self._listing

    def forget_listing(self) -> None:
        """Ask the remote again the next time."""
        self._listing = None

    def list_present(self) -> set[Digest]:
        """Return the artifacts that the remote holds as a whole."""
        names = (ref[len(self.namespace) + 1 :] for ref in self.listing())
        return {Digest(name) for name in names if is_digest(name)}

    def note_pushed(self, commits: Mapping[str, str]) -> None:
        """Remember what the remote holds now."""
        if self._listing is not None:
            self._listing.update({self.ref(name): oid for name, oid in commits.items()})

    def unreachable(self, error: GitError) -> StorageError:
        """Return the error for a transfer that failed."""
        return StorageError(f"artifacts could not travel: {error.message}", hint=error.hint)

    def unreadable(self, error: GitError) -> StorageError:
        """Return the error for objects of the remote that git cannot read."""
        hint = f"see what is damaged: git --git-dir '{self.objects.parent}' fsck" if self.objects else error.hint
        return StorageError(f"an artifact on {self.label} cannot be read: {error.message}", hint=hint)

    def refused(self, refs: Sequence[PushedRef], remarks: Sequence[str]) -> StorageError:
        """Return the error for refs that the remote does not take."""
        reasons = "; ".join(dict.fromkeys(ref.reason for ref in refs))
        said = f"; it says: {' '.join(remarks)}" if remarks else ""
        hint = f"a host that takes branches only: git config {NAMESPACE_SETTING} refs/heads/gittrack, then push again"
        return StorageError(f"{self.label} refused {len(refs)} artifacts: {reasons}{said}", hint=hint)
