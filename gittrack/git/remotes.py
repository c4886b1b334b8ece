"""Remotes: which one git would use, and its URL without credentials."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.git.variables import read_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.git.repository import Repository
    from gittrack.git.state import Head

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?:[^/@]*@)*(?P<rest>[^?#]*)")
_SCP = re.compile(r"(?P<user>[^/@:]+@)?(?P<host>[^/:@]+):(?P<path>.*)")


# What makes a remote, as in `git remote`.
_REMOTE_KEYS = frozenset({"url", "pushurl", "fetch"})


class NoRemoteError(GittrackError):
    """There is no remote, or none of the name that was asked for."""


def list_remotes(repository: Repository) -> list[str]:
    """Return the names of the remotes, in the order of the settings."""
    return repository.git.text("remote").splitlines()


def default_remote(repository: Repository, head: Head, variables: Mapping[str, str] | None = None) -> str | None:
    """Return the remote that git would use: the branch's own, else ``origin``, else the only one.

    Args:
        repository: The repository.
        head: Where HEAD is.
        variables: What `read_variables` gave, when it was asked already.
    """
    settings = read_variables(repository) if variables is None else variables
    keys = (key.split(".", 1)[1].rpartition(".") for key in settings if key.startswith("remote."))
    remotes = list(dict.fromkeys(name for name, _, what in keys if name and what in _REMOTE_KEYS))
    own = settings.get(f"branch.{head.branch}.remote")
    if own in remotes:
        return own
    if "origin" in remotes:
        return "origin"
    return remotes[0] if len(remotes) == 1 else None


def require_remote(repository: Repository, head: Head, name: str | None) -> str:
    """Return the remote of a name, or the default one.

    Raises:
        NoRemoteError: There is none.
    """
    remotes = list_remotes(repository)
    if name is None:
        name = default_remote(repository, head)
        if name is None:
            hint = f"name one of: {', '.join(remotes)}" if remotes else "add one: git remote add origin <url>"
            raise NoRemoteError("no remote to use" if remotes else "this repository has no remote", hint=hint)
    elif name not in remotes:
        known = ", ".join(remotes) or "none"
        shown = strip_credentials(name)
        way_out = f"git remote add {'-- ' if name.startswith('-') else ''}{shown} <url>"
        if is_address(name):
            way_out = f"give the address a name: git remote add <name> {shown}"
        raise NoRemoteError(f"no remote '{shown}' (there is: {known})", hint=way_out)
    return name


def is_address(text: str) -> bool:
    """Return whether a text is a URL, an scp-like address or a path, rather than the name of a remote.

    Example:
        >>> is_address("example.org:team/project.git"), is_address("../project.git"), is_address("origin")
        (True, True, False)
    """
    return ":" in text or text.startswith((".", "/", "~"))


def is_local_url(url: str) -> bool:
    """Return whether a remote's URL means a folder of this machine.

    Example:
        >>> is_local_url("../project.git"), is_local_url("file:///srv/x.git"), is_local_url("example.org:x.git")
        (True, True, False)
    """
    return url.startswith("file://") or ":" not in url.partition("/")[0]


def remote_url(repository: Repository, name: str) -> str | None:
    """Return the URL that git would contact (``url.*.insteadOf`` applied), without credentials.

    Args:
        repository: The repository.
        name: The remote's name.
    """
    url = contacted_url(repository, name).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return strip_credentials(url) if url and url != name else None


def contacted_url(repository: Repository, name: str) -> str:
    """Return the URL that git would contact (``url.*.insteadOf`` applied); what names no remote is its own.

    It may hold credentials: do not store or show it.

    Args:
        repository: The repository.
        name: The remote's name, or an address.
    """
    completed = repository.git.run("ls-remote", "--get-url", "--end-of-options", name, check=False)
    return completed.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


def configured_url(settings: Mapping[str, str], head: Head) -> str | None:
    """Return the URL of the branch's remote, else of ``origin``, as it stands in git's settings.

    It may hold credentials: do not store or show it.

    Args:
        settings: What `read_variables` gave.
        head: Where HEAD is.

    Example:
        >>> from gittrack.git.state import Head
        >>> head = Head("0" * 40, "main", None)
        >>> configured_url({"remote.origin.url": "https://me:s3cret@example.org/x.git"}, head)
        'https://me:s3cret@example.org/x.git'
    """
    remote = settings.get(f"branch.{head.branch}.remote", "origin")
    # instead of a name git takes an address
    return settings.get(f"remote.{remote}.url", remote if is_address(remote) else None)


def strip_credentials(url: str) -> str:
    """Return a remote URL without user, password, query and fragment; the user of an ssh URL is kept out too.

    Args:
        url: A URL, an scp-like address or a path.

    Example:
        >>> strip_credentials("https://me:s3cret@example.org/team/project.git?token=abc")
        'https://example.org/team/project.git'
        >>> strip_credentials("git@example.org:team/project.git")
        'example.org:team/project.git'
        >>> strip_credentials("codecommit::us-east-1://me@project")
        'codecommit::us-east-1://project'
        >>> strip_credentials("/srv/git/project.git")
        '/srv/git/project.git'
    """
    url = "".join(char for char in url if char.isprintable())
    helper, separator, address = url.partition("::")
    if separator and helper.isalnum():  # a remote helper's; `ext::` is followed by a command, which may hold anything
        return f"{helper}::{'' if helper == 'ext' else strip_credentials(address)}"
    if match := _URL.match(url):
        return match["scheme"] + match["rest"]
    if (match := _SCP.fullmatch(url)) and "/" not in url.partition(":")[0]:
        return f"{match['host']}:{match['path']}"
    return url
