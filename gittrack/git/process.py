"""Run the ``git`` program: the one place where a process is started for it.

Every call is an argument list (never a shell), with an environment and settings that keep a hostile
repository from running anything: no hooks, no fsmonitor, no prompts, no optional locks. Text that git prints is
scrubbed of credentials before it reaches an error message.
"""

from __future__ import annotations

import re
import subprocess
from functools import cached_property
from typing import IO, TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.git.fence import (
    FIXED_ENVIRONMENT,
    HOOKLESS,
    LIST_HOOK_SETTINGS,
    LOCAL_ENVIRONMENT,
    SAFE_SETTINGS,
    render_hooks_off,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s'\"]+@")
_QUERY = re.compile(r"(?P<address>[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"?#]*)[?#][^\s'\"]*")
_SSH_USER = re.compile(r"[^\s@/'\"<>]+@(?=[A-Za-z0-9.-]+:)")
# What git says when the program that it talks through ended; that one said why.
_NO_ANSWER = "fatal: Could not read from remote repository."


class GitError(GittrackError):
    """The git program answered with a non-zero exit code.

    Attributes:
        returncode: git's exit code.
        stderr: what git said, without credentials.
    """

    def __init__(self, message: str, *, returncode: int, stderr: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.returncode = returncode
        self.stderr = stderr


class GitMissingError(GittrackError):
    """There is no git program on PATH."""


class Completed(NamedTuple):
    """The result of one git process: raw output, scrubbed messages, exit code."""

    stdout: bytes
    stderr: str
    returncode: int


class Git:
    """The git program, bound to one repository (or to none) and to an environment.

    Args:
        environ: The environment of the caller; variables that redirect git are left out.
        cwd: The directory that git runs in.
        git_dir: When given, git is told the repository instead of searching for it.
        work_tree: The work tree that belongs to ``git_dir``; None for a bare repository.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        cwd: Path,
        git_dir: Path | None = None,
        work_tree: Path | None = None,
    ) -> None:
        self.cwd = cwd
        self.environ = clean_environment(environ)
        self.environ.update(FIXED_ENVIRONMENT)
        if git_dir is not None:
            self.environ["GIT_DIR"] = str(git_dir)
        if work_tree is not None:
            self.environ["GIT_WORK_TREE"] = str(work_tree)

    def run(
        self,
        *args: str,
        input: bytes | None = None,  # noqa: A002  subprocess.run's own name
        check: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Completed:
        """Run git to its end and return what it printed.

        Args:
            args: The arguments after ``git``; the caller fences values with ``--`` or ``--end-of-options``.
            input: Bytes for its standard input; nothing by default.
            check: Whether a non-zero exit code raises.
            env: Variables added for this call only.
            cwd: Another directory to run in.

        Raises:
            GitError: git exited with a non-zero code and ``check`` is true.
            GitMissingError: There is no git program.
        """
        with self.popen(
            *args,
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=cwd,
        ) as process:
            stdout, stderr = process.communicate(input)
        completed = Completed(stdout, scrub(stderr.decode("utf-8", "replace")), process.returncode)
        if check and completed.returncode:
            raise failure(args, completed)
        return completed

    def text(self, *args: str, env: Mapping[str, str] | None = None) -> str:
        """Run git and return its output as text without the last newline; undecodable bytes are surrogates."""
        return self.run(*args, env=env).stdout.decode("utf-8", "surrogateescape").removesuffix("\n")

    def popen(
        self,
        *args: str,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start git with pipes for the caller to talk to.

        Raises:
            GitMissingError: There is no git program.
        """
        environ = {**self.environ, **env} if env else self.environ
        hooks_off = () if args[0] in HOOKLESS else self._hooks_off
        try:
            return subprocess.Popen(
                ["git", *SAFE_SETTINGS, *hooks_off, *args],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=environ,
                cwd=cwd or self.cwd,
            )
        except FileNotFoundError as error:
            if not (cwd or self.cwd).is_dir():
                raise
            raise GitMissingError("the git program is not on PATH", hint="install git 2.34 or newer") from error

    @cached_property
    def _hooks_off(self) -> list[str]:
        """The options that switch off the hooks of git's settings, as the settings are at the first use."""
        return render_hooks_off(self.run(*LIST_HOOK_SETTINGS, check=False).stdout)


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables by which git redirects its own child processes.

    Args:
        environ: Any environment, such as that of a git hook.
    """
    return {
        name: value
        for name, value in environ.items()
        if name not in LOCAL_ENVIRONMENT and not name.startswith("GIT_TRACE")
    }


def scrub(text: str) -> str:
    """Return text without users, passwords and queries of URLs, and without the users of scp-like addresses.

    Example:
        >>> scrub("fatal: unable to access 'https://me:s3cret@example.org/x.git/'")
        "fatal: unable to access 'https://example.org/x.git/'"
    """
    return _SSH_USER.sub("", _QUERY.sub(r"\g<address>", _USERINFO.sub(r"\g<scheme>", text)))


def failure(args: tuple[str, ...], completed: Completed, *, hint: str | None = None) -> GitError:
    """Return the error for a git call that failed, with git's own reason in one line.

    Args:
        args: The arguments after ``git``.
        completed: What git answered.
        hint: The way out.
    """
    lines = [line.strip() for line in completed.stderr.splitlines() if line.strip()]
    reasons = [line for line in lines if line.startswith(("fatal:", "error:")) and line != _NO_ANSWER]
    if not reasons and _NO_ANSWER in lines:
        reasons = lines[: lines.index(_NO_ANSWER)][-1:] or [_NO_ANSWER]
    reasons = reasons or lines[-1:]
    reason = "; ".join(line.removeprefix("fatal: ").removeprefix("error: ").rstrip(".") for line in reasons)
    verb = next((arg for arg in args if not arg.startswith("-")), "")
    return GitError(
        f"git {verb} failed: {reason or f'exit code {completed.returncode}'}",
        returncode=completed.returncode,
        stderr=completed.stderr,
        hint=hint,
    )
