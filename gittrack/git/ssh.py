"""Ask the host of a remote a question over ssh, with the program and options that git would use."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.git.process import clean_environment, scrub
from gittrack.git.settings import read_setting

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_TIMEOUT_S = 60.0
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]+\]?")
# The host hands the path to a shell of its own.
_PATH = re.compile(r"[A-Za-z0-9_./~][A-Za-z0-9_./~+@=,-]*")


class SshError(GittrackError):
    """The host cannot be reached over ssh, or refuses."""


class SshAddress(NamedTuple):
    """A repository on a host.

    Attributes:
        user: Who logs in; None for whom ssh chooses.
        host: The host's name or number.
        port: None for the usual one.
        path: Where the repository is there, as git would say it.
    """

    user: str | None
    host: str
    port: int | None
    path: str


def check_ssh_address(address: SshAddress) -> SshAddress:
    """Return an address in which nothing can be taken for an option or a command.

    Raises:
        SshError: There is something that can.
    """
    fits = (
        (address.user is None or _NAME.fullmatch(address.user))
        and _HOST.fullmatch(address.host)
        and _PATH.fullmatch(address.path)
    )
    if not fits:
        raise SshError(f"the ssh address {address.host!r}:{address.path!r} holds characters that are not for addresses")
    return address


def ask_over_ssh(repository: Repository, address: SshAddress, *words: str) -> bytes:
    """Run a command on a host and return what it prints.

    Args:
        repository: The repository, whose settings and environment name the ssh program.
        address: The host.
        words: The command, in words of letters, digits and ``-_./~``.

    Raises:
        SshError: ssh is missing, the host cannot be reached, or the command fails.
    """
    check_ssh_address(address)
    if not all(_PATH.fullmatch(word) for word in words):
        raise SshError(f"not a command for ssh: {words!r:.200}")
    port = () if address.port is None else ("-p", str(address.port))
    host = address.host.strip("[]")
    target = f"{address.user}@{host}" if address.user else host
    try:
        done = subprocess.run(
            [*_program(repository), *port, target, *words],
            env=clean_environment(repository.environ),
            cwd=repository.work_tree or repository.git_dir,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise SshError("the ssh program is not on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise SshError(f"{host} did not answer over ssh within {_TIMEOUT_S:.0f} seconds") from error
    if done.returncode:
        said = [line.strip() for line in scrub(done.stderr.decode("utf-8", "replace")).splitlines() if line.strip()]
        reason = "".join(char for char in (said or [f"exit code {done.returncode}"])[-1] if char.isprintable())
        raise SshError(f"'{words[0]}' over ssh on {host} failed: {reason[:300]}")
    return done.stdout


def _program(repository: Repository) -> list[str]:
    """Return the words that start ssh, where git would start them by a shell."""
    command = repository.environ.get("GIT_SSH_COMMAND") or read_setting(repository, "core.sshCommand")
    if not command:
        return [repository.environ.get("GIT_SSH") or "ssh"]
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise SshError(f"the ssh command of your git settings cannot be read: {error}") from error
    return [os.path.expanduser(word) if word.startswith("~") else word for word in words] or ["ssh"]  # noqa: PTH111  a word
