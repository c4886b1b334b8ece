"""A report of an unexpected error, ready to paste into an issue."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import gittrack
from gittrack.errors import GittrackError
from gittrack.git.process import Git, scrub
from gittrack.git.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REPORT_NAME = "last-error.md"
_LIBRARIES = ("click", "dulwich", "PyYAML", "ruamel.yaml")


def describe(error: BaseException) -> str:
    """Return an error as one line, without credentials.

    Example:
        >>> describe(KeyError("lr"))
        "KeyError: 'lr'"
    """
    return _harmless("".join(traceback.format_exception_only(error)).strip().splitlines()[-1])


def write_report(error: BaseException, environ: Mapping[str, str]) -> Path | None:
    """Write a report of an error and return its path; None when no folder takes it.

    It goes to `.git/gittrack/`, where it replaces the last one, or else to the folder for temporary files. Only the
    user can read it.

    Args:
        error: What was raised.
        environ: The environment.
    """
    text = _harmless(render_report(error, environ))
    for folder in _folders(environ):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix="gittrack-error-", suffix=".md", dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(text)
            return Path(name) if folder.name != "gittrack" else Path(name).replace(folder / _REPORT_NAME)
        except OSError:
            continue
    return None


def render_report(error: BaseException, environ: Mapping[str, str]) -> str:
    """Return a report of an error as Markdown: the command, versions, platform and traceback.

    Args:
        error: What was raised.
        environ: The environment.
    """
    frames = "".join(traceback.format_exception(error))
    versions = "\n".join(f"- {line}" for line in _versions(environ))
    command = " ".join(["gittrack", *sys.argv[1:]])
    return f"# {describe(error)}\n\n- command: `{command}`\n{versions}\n\n```\n{frames}```\n"


def _versions(environ: Mapping[str, str]) -> Iterator[str]:
    from importlib.metadata import PackageNotFoundError, version

    yield f"gittrack {gittrack.__version__}"
    yield f"Python {sys.version.split()[0]} on {platform.platform()}"
    try:
        yield Git(environ, cwd=Path.cwd()).text("version")
    except (GittrackError, OSError):
        yield "git: not found"
    for name in _LIBRARIES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name}: not installed"


def _folders(environ: Mapping[str, str]) -> Iterator[Path]:
    with suppress(Exception):  # the search may be what is broken
        yield Repository.discover(Path.cwd(), environ).state_dir
    yield Path(tempfile.gettempdir())


def _harmless(text: str) -> str:
    """Return text without credentials and without the name of the user's home."""
    from gittrack.secrets import mask_secrets

    text = scrub(mask_secrets(text))
    home = str(Path("~").expanduser())
    return re.sub(rf"{re.escape(home)}(?=/)", "~", text) if len(home) > 1 else text
