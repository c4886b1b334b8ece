"""Which storage a repository uses: the user's setting, else that of ``gittrack.yaml``, else the git remote.

``gittrack.yaml`` comes with the repository, so a URL in it, to which data would be sent, is used only when the person
has accepted it once in this clone.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from gittrack.config import FILE_NAME, parse_project_config
from gittrack.git.objects import read_commit, read_path
from gittrack.git.remotes import default_remote, require_remote
from gittrack.git.settings import add_setting, read_all_settings, read_setting
from gittrack.git.state import read_head
from gittrack.git.transfer import QUIET
from gittrack.git.work_tree import read_file
from gittrack.storage.objectwise import DEFAULT_JOBS, ObjectwiseStorage
from gittrack.storage.protocol import StorageError
from gittrack.storage.urls import WEB_SCHEMES, folder_of, parse_storage_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.git.repository import Repository
    from gittrack.git.transfer import Access
    from gittrack.storage.backend import Backend
    from gittrack.storage.protocol import Storage

SETTING = "gittrack.storage"
ACCEPTED_SETTING = "gittrack.storageAccepted"
_MAX_CONFIG_BYTES = 1 << 20


class Choice(NamedTuple):
    """What a repository uses.

    Attributes:
        name: ``git``, ``lfs`` or a URL.
        is_committed: Whether ``gittrack.yaml`` says so, and not the user.
    """

    name: str
    is_committed: bool


def choose_storage(repository: Repository) -> Choice:
    """Return the storage that a repository uses, without opening it.

    Args:
        repository: The repository.

    Raises:
        InvalidConfigError: ``gittrack.yaml`` cannot be read.
    """
    own = read_setting(repository, SETTING)
    if own:
        return Choice(own, is_committed=False)
    committed = parse_project_config(_read_config(repository)).storage
    return Choice(committed or "git", is_committed=committed is not None)


def open_storage(
    repository: Repository,
    *,
    remote: str | None = None,
    access: Access = QUIET,
    n_jobs: int = DEFAULT_JOBS,
    confirm: Callable[[str], bool] | None = None,
) -> Storage:
    """Open the storage that a repository uses; nothing is contacted yet.

    Args:
        repository: The repository; its environment holds the credentials of object stores.
        remote: The git remote, where that is or names the storage; the one that git would use by default.
        access: How git may talk to the person.
        n_jobs: How many objects travel at once.
        confirm: Asks the person whether a URL that only the repository's own files name may be used; None for nobody.

    Raises:
        StorageError: The URL is wrong, or was not accepted.
        InvalidConfigError: ``gittrack.yaml`` cannot be read.
        NoRemoteError: There is no remote, and it is needed.
    """
    choice = choose_storage(repository)
    if choice.name == "git":
        from gittrack.storage.git import GitStorage

        name = require_remote(repository, read_head(repository), remote)
        storage: Storage = GitStorage(repository, name, access=access)
        return storage
    if choice.name == "lfs":
        name = require_remote(repository, read_head(repository), remote)
        return ObjectwiseStorage(_open_lfs(repository, name, access, confirm), n_jobs)
    if choice.is_committed:
        accept(repository, choice.name, confirm)
    return ObjectwiseStorage(_open_url(repository, choice.name, access), n_jobs)


def storage_key(repository: Repository, remote: str | None = None) -> str | None:
    """Return under which name a clone remembers what its storage holds; None when there is no remote to use.

    Args:
        repository: The repository.
        remote: The git remote; the one that git would use by default.

    Raises:
        InvalidConfigError: ``gittrack.yaml`` cannot be read.
    """
    name = choose_storage(repository).name
    if name not in {"git", "lfs"}:
        return name
    remote = remote or default_remote(repository, read_head(repository))
    return f"{name}:{remote}" if remote else None


def accept(repository: Repository, url: str, confirm: Callable[[str], bool] | None = None) -> None:
    """Make sure that the person wants to use a URL that only the repository's own files name.

    Args:
        repository: The repository, whose settings remember it.
        url: The URL, without credentials.
        confirm: Asks the person; None for nobody.

    Raises:
        StorageError: The person does not, or was never asked.
    """
    accepted = read_all_settings(repository, ACCEPTED_SETTING, local=True)
    if url in accepted:
        return
    if confirm is None or not confirm(url):
        raise StorageError(
            f"the files of this repository name the storage {url}, which was not accepted in this clone",
            hint=f"if you trust it: git config {'--add ' if accepted else ''}{ACCEPTED_SETTING} {shlex.quote(url)}",
        )
    add_setting(repository, ACCEPTED_SETTING, url)


def _open_url(repository: Repository, text: str, access: Access) -> Backend:
    url = parse_storage_url(text)
    if url.scheme == "file":
        from gittrack.storage.file import FileBackend

        return FileBackend(folder_of(url))
    if url.scheme in WEB_SCHEMES:
        from gittrack.git.credentials import Credentials
        from gittrack.storage.http_client import HttpClient
        from gittrack.storage.web import WebBackend

        return WebBackend(url, HttpClient(repository.environ, Credentials(repository, access)))
    from gittrack.storage.object_store import ObjectStoreBackend

    return ObjectStoreBackend(url, repository.environ)


def _open_lfs(repository: Repository, remote: str, access: Access, confirm: Callable[[str], bool] | None) -> Backend:
    from gittrack.git.credentials import Credentials
    from gittrack.storage.lfs import LfsBackend
    from gittrack.storage.lfs_batch import LfsServer
    from gittrack.storage.lfs_map import LfsMap

    credentials = Credentials(repository, access)
    server = LfsServer(repository, remote, credentials, lambda url: accept(repository, url, confirm))
    return LfsBackend(f"{remote} (Git LFS)", server, LfsMap(repository, remote, access))


def _read_config(repository: Repository) -> bytes:
    """Return ``gittrack.yaml`` of the work tree, or of HEAD where there is none."""
    if repository.work_tree is None:
        head = read_head(repository)
        if head.sha is None:
            return b""
        tree = read_commit(repository, head.sha).tree
        return read_path(repository, tree, FILE_NAME, max_bytes=_MAX_CONFIG_BYTES) or b""
    return read_file(repository.work_tree, FILE_NAME) or b""
