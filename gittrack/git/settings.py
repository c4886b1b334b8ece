"""git's own settings (``git config``), read and written through git."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gittrack.git.repository import Repository


def read_setting(repository: Repository, key: str) -> str | None:
    """Return the value that git would use for a key, or None when it is not set.

    Args:
        repository: The repository, whose local settings come before the user's.
        key: A key such as ``gittrack.strict``.
    """
    completed = repository.git.run("config", "--null", "--get", key, check=False)
    return None if completed.returncode else completed.stdout.decode("utf-8", "surrogateescape").rstrip("\0")


def read_url_setting(repository: Repository, key: str, url: str) -> str | None:
    """Return the value that git would use for a URL, such as that of ``http.<url>.extraHeader``; None when not set.

    Args:
        repository: The repository.
        key: A key such as ``http.extraHeader``.
        url: What the setting shall be for.
    """
    completed = repository.git.run("config", "--null", "--get-urlmatch", key, url, check=False)
    return None if completed.returncode else completed.stdout.decode("utf-8", "surrogateescape").rstrip("\0")


def read_all_settings(repository: Repository, key: str, *, local: bool = False) -> list[str]:
    """Return every value of a key that may have several.

    Args:
        repository: The repository.
        key: A key such as ``remote.origin.fetch``.
        local: Whether only the repository's own file counts.
    """
    scope = ("--local",) if local else ()
    completed = repository.git.run("config", *scope, "--null", "--get-all", key, check=False)
    return completed.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


def read_bool_setting(repository: Repository, key: str, *, default: bool = False) -> bool:
    """Return a setting as git reads booleans (``yes``, ``on``, ``true``, ``1``…).

    Args:
        repository: The repository.
        key: A key such as ``gittrack.strict``.
        default: The value when the key is not set.
    """
    completed = repository.git.run("config", "--type=bool", "--get", key, check=False)
    return default if completed.returncode else completed.stdout.strip() == b"true"


def write_setting(repository: Repository, key: str, value: str) -> None:
    """Set a key in the repository's own settings, in place of any value it had there."""
    repository.git.run("config", "--local", "--replace-all", key, value)


def add_setting(repository: Repository, key: str, value: str) -> None:
    """Add a value to a key that may have several; nothing happens when it is there already."""
    if value not in read_all_settings(repository, key, local=True):
        repository.git.run("config", "--local", "--add", key, value)


def unset_setting(repository: Repository, key: str, value: str | None = None) -> None:
    """Remove a key, or only the entries with one exact value, from the repository's own settings."""
    if value is None:
        repository.git.run("config", "--local", "--unset-all", key, check=False)
    else:
        repository.git.run("config", "--local", "--fixed-value", "--unset-all", key, value, check=False)
