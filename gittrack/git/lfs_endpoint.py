"""Where the Git LFS server of a remote is, found as git-lfs finds it.

Settings come first, then the committed ``.lfsconfig``, then the URL of the remote. ``.lfsconfig`` comes with the
repository, so only the keys that name a server are read from it, and whoever uses them asks the person.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from gittrack.errors import GittrackError
from gittrack.git.remotes import strip_credentials
from gittrack.git.settings import read_setting
from gittrack.git.ssh import SshAddress, check_ssh_address

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

Operation = Literal["download", "upload"]

_CONFIG_FILE = ".lfsconfig"
_SCP = re.compile(r"(?:(?P<user>[^/@:]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^/:@]+):(?P<path>.+)")


class NoLfsServerError(GittrackError):
    """There is no Git LFS server for a remote, or its address must not be used."""


class LfsEndpoint(NamedTuple):
    """Where a Git LFS server is.

    Attributes:
        url: Its address over http or https, without a user; the batch API is at ``<url>/objects/batch``.
        user: The user and password that the user's own settings hold in the address; None when they do not.
        ssh: Whom to ask for the real address and for a token; None when it is reached directly.
        is_committed: Whether the repository's own files named it, and nobody else.
    """

    url: str
    user: tuple[str, str] | None = None
    ssh: SshAddress | None = None
    is_committed: bool = False


def find_lfs_endpoint(repository: Repository, remote: str, operation: Operation) -> LfsEndpoint:
    """Return where the Git LFS server of a remote is.

    Args:
        repository: The repository.
        remote: The name of a remote.
        operation: What is to be done; a server may be set for uploads alone.

    Raises:
        NoLfsServerError: There is none, or its address is not https, http or ssh, or holds what an address must not.
    """
    keys = ["lfs.url", f"remote.{remote}.lfsurl"]
    if operation == "upload":
        keys = ["lfs.pushurl", "lfs.url", f"remote.{remote}.lfspushurl", f"remote.{remote}.lfsurl"]
    for key in keys:
        if address := read_setting(repository, key):
            return _parse_address(address, is_remote=False)
    for key in ("lfs.url", f"remote.{remote}.lfsurl"):
        if address := _read_committed(repository, key):
            endpoint = _parse_address(address, is_remote=False)
            if endpoint.user is not None:
                raise NoLfsServerError(f"{_CONFIG_FILE} holds a credential in '{key}', which everybody could read")
            return endpoint._replace(is_committed=True)
    push = ("--push",) if operation == "upload" else ()
    completed = repository.git.run("remote", "get-url", *push, "--end-of-options", remote, check=False)
    address = completed.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")
    if completed.returncode or not address:
        raise NoLfsServerError(f"no remote '{remote}'", hint="git remote add origin <url>")
    return _parse_address(address, is_remote=True)


def _read_committed(repository: Repository, key: str) -> str | None:
    if repository.work_tree is None:
        return None
    path = repository.work_tree / _CONFIG_FILE
    if path.is_symlink() or not path.is_file():
        return None
    done = repository.git.run("config", "--file", str(path), "--no-includes", "--null", "--get", key, check=False)
    return None if done.returncode else done.stdout.decode("utf-8", "surrogateescape").rstrip("\0")


def _parse_address(address: str, *, is_remote: bool) -> LfsEndpoint:
    """Read the address of a server, or of a remote whose server is to be derived."""
    if not address.isprintable() or " " in address:
        raise NoLfsServerError("the address of the Git LFS server holds a space or control character")
    shown = strip_credentials(address)
    if "://" not in address:
        match = _SCP.fullmatch(address)
        if match is None or address.startswith(("/", ".")):
            raise _no_server(shown)
        ssh = check_ssh_address(SshAddress(match["user"], match["host"], None, match["path"]))
        return LfsEndpoint(f"https://{ssh.host}/{_with_suffix(ssh.path.lstrip('/'))}", ssh=ssh)
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise NoLfsServerError(f"'{shown}' is not an address") from error
    if not host:
        raise _no_server(shown)
    if parts.scheme in {"ssh", "git+ssh", "ssh+git"}:
        ssh = check_ssh_address(SshAddress(parts.username, host, port, unquote(parts.path)))
        return LfsEndpoint(f"https://{host}{_with_suffix(ssh.path)}", ssh=ssh)
    if parts.scheme not in {"http", "https"}:
        raise _no_server(shown)
    path = _with_suffix(parts.path) if is_remote else parts.path.rstrip("/")
    netloc = parts.netloc.rpartition("@")[2]
    user = (unquote(parts.username or ""), unquote(parts.password or "")) if parts.password else None
    return LfsEndpoint(urlunsplit((parts.scheme, netloc, path, "", "")), user=user)


def _with_suffix(path: str) -> str:
    path = path.rstrip("/")
    return f"{path}{'' if path.endswith('.git') else '.git'}/info/lfs"


def _no_server(shown: str) -> NoLfsServerError:
    return NoLfsServerError(
        f"'{shown}' has no Git LFS server that is known", hint="name it: git config lfs.url https://<server>/<path>"
    )
