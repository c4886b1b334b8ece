"""The one check that a path from a file stays inside the repository, on every operating system.

A path written on one machine is used on another, so what any file system would read as something else is refused
everywhere: the disguises of ``.git`` that git itself knows (case, ignorable code points of HFS+, short names, streams
and trailing dots of NTFS: CVE-2014-9390, CVE-2019-1352, CVE-2019-1353), and the device names of Windows.
"""

from __future__ import annotations

import re

from gittrack.errors import GittrackError

_MAX_NAME_BYTES = 255
# what HFS+ skips when it compares names (git's utf8.c, next_hfs_char)
_IGNORABLE = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
# joiners shape words in Persian, Hindi and Sinhala, and hold emoji together
_JOINERS = frozenset("\u200c\u200d")
_GIT_DIRECTORY = re.compile(r"\.git|git~[0-9]+")
# A component that no file system reads as another one; nearly all are so, and manifests have them by the thousand.
_PLAIN_NAME = (
    r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[./]|\Z))(?!git(?:[./]|\Z))[a-z0-9_-][a-z0-9_.-]{0,199}(?<!\.)"
)
_PLAIN_PATH = re.compile(rf"{_PLAIN_NAME}(?:/{_PLAIN_NAME})*", re.IGNORECASE | re.ASCII)
_WINDOWS_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9]) *(?:\..*)?")


class InvalidPathError(GittrackError):
    """A path is not one of a file inside the repository."""


def check_repository_path(path: str) -> str:
    """Accept a path only if it names a file below the repository's root, wherever it is used.

    Args:
        path: Components joined by ``/``, relative to the root of the repository.

    Returns:
        The same path.

    Raises:
        InvalidPathError: It is empty or absolute, or a component is empty, ``.`` or ``..``, is ``.git`` in any
            disguise, ends with a dot or space, is a device name of Windows, is longer than 255 bytes, or holds a
            backslash, a colon, a control character or another character that is not for names.

    Example:
        >>> check_repository_path("conf/params.yaml")
        'conf/params.yaml'
        >>> check_repository_path("../secret")
        Traceback (most recent call last):
        ...
        gittrack.paths.InvalidPathError: the path '../secret' leaves the repository
    """
    if _PLAIN_PATH.fullmatch(path):
        return path
    shown = f"the path {path[:200]!r}"
    if not path:
        raise InvalidPathError("a path must not be empty")
    if path.startswith(("/", "\\")):
        raise InvalidPathError(f"{shown} is absolute", hint="write it relative to the root of the repository")
    for name in path.split("/"):
        problem = _problem(name)
        if problem is not None:
            raise InvalidPathError(f"{shown} {problem}")
    return path


def _problem(name: str) -> str | None:
    """Say why a component is refused; None when it is fine."""
    plain = _as_file_systems_compare(name)
    odd = next((char for char in name if not _is_allowed(char)), "")
    checks = (
        (plain == "..", "leaves the repository"),
        (plain in {"", "."}, "has an empty component"),
        (odd, f"has the character {odd!a}"),
        (_GIT_DIRECTORY.fullmatch(plain), "leads into the .git directory"),
        (_WINDOWS_DEVICE.fullmatch(plain), f"has the component {name!r}, a device on Windows"),
        (name.endswith((".", " ")), "has a component that ends with a dot or space, which Windows drops"),
        (
            len(name.encode("utf-8", "replace")) > _MAX_NAME_BYTES,
            f"has a component longer than {_MAX_NAME_BYTES} bytes",
        ),
    )
    return next((problem for is_wrong, problem in checks if is_wrong), None)


def _as_file_systems_compare(name: str) -> str:
    """Fold case, compatible forms and ignorable characters, and drop what NTFS drops at the end."""
    if not name.isascii():
        import unicodedata

        name = _IGNORABLE.sub("", unicodedata.normalize("NFKC", name))
    folded = name.casefold()
    return folded if folded in {".", ".."} else folded.rstrip(". ")


def _is_allowed(char: str) -> bool:
    """Allow what can be seen, spaces of any width, and joiners; no controls, surrogates or unassigned code points."""
    if char.isprintable():
        return char not in "\\:"
    import unicodedata

    return char in _JOINERS or unicodedata.category(char) == "Zs"
