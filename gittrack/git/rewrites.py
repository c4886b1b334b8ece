"""The old and new ids of commits that an amend or a rebase replaced, as git reported them.

``rewrites.tsv`` has one line per commit: old id, tab, new id. Lines are only ever added, each batch by one write, so
writers need no lock and a reader at worst sees a torn last line, which it leaves out.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as in `typing`, whose import costs a hook 8 ms
if TYPE_CHECKING:
    from collections.abc import Iterable

FILE_NAME = "rewrites.tsv"
# The file before the last rotation; both are read. Together about 100,000 rewritten commits.
OLD_FILE_NAME = "rewrites.old.tsv"
MAX_FILE_BYTES = 4 << 20

_ID_LENGTHS = frozenset({40, 64})
_HEX = frozenset("0123456789abcdef")


def parse_rewrites(text: str) -> list[tuple[str, str]]:
    r"""Return the pairs of old and new ids in the input of ``post-rewrite`` or in the file, without other lines.

    Args:
        text: Lines of two ids, separated by white space, and possibly more.

    Example:
        >>> old, new = "a" * 40, "b" * 40
        >>> parse_rewrites(f"{old} {new} extra\nnot an id\n") == [(old, new)]
        True
    """
    fields = [line.split() for line in text.splitlines()]
    return [(words[0], words[1]) for words in fields if len(words) > 1 and _is_id(words[0]) and _is_id(words[1])]


def append_rewrites(state_dir: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Add pairs to the file; durable when this returns.

    Args:
        state_dir: gittrack's folder in the repository; made when it is missing.
        pairs: Old and new ids; a pair of equal ids says nothing and is left out.

    Raises:
        OSError: The file cannot be written.
    """
    data = "".join(f"{old}\t{new}\n" for old, new in pairs if old != new).encode()
    if not data:
        return
    os.makedirs(state_dir, exist_ok=True)  # noqa: PTH103  pathlib costs a hook 4 ms
    path = os.path.join(state_dir, FILE_NAME)  # noqa: PTH118  the same
    if os.path.exists(path) and os.path.getsize(path) > MAX_FILE_BYTES:  # noqa: PTH110, PTH202  the same
        os.replace(path, os.path.join(state_dir, OLD_FILE_NAME))  # noqa: PTH105, PTH118  the same
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.write(descriptor, _newline_if_torn(descriptor) + data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_rewrites(state_dir: str) -> dict[str, str]:
    """Return the newest id that git reported for each rewritten commit, one step at a time.

    Args:
        state_dir: gittrack's folder in the repository.

    Returns:
        Old id to new id; follow it repeatedly for a commit that was rewritten several times.
    """
    rewrites: dict[str, str] = {}
    for name in (OLD_FILE_NAME, FILE_NAME):
        try:
            with open(os.path.join(state_dir, name), encoding="ascii", errors="replace") as stream:  # noqa: PTH118, PTH123  the same
                rewrites.update(parse_rewrites(stream.read()))
        except OSError:  # most often there is none
            continue
    return rewrites


def follow_rewrites(rewrites: dict[str, str], commit: str) -> str:
    """Return what a commit became after all its rewrites; the commit itself when it was never rewritten.

    Args:
        rewrites: Old id to new id, as `read_rewrites` returns it.
        commit: Any commit id.

    Example:
        >>> follow_rewrites({"a": "b", "b": "c"}, "a"), follow_rewrites({"a": "b", "b": "a"}, "a")
        ('c', 'b')
    """
    seen = {commit}
    while (newer := rewrites.get(commit)) is not None and newer not in seen:
        seen.add(newer)
        commit = newer
    return commit


def _is_id(word: str) -> bool:
    return len(word) in _ID_LENGTHS and _HEX.issuperset(word)


def _newline_if_torn(descriptor: int) -> bytes:
    """Return what must come first when a full disk or a crash left the last line without its end."""
    size = os.fstat(descriptor).st_size
    return b"" if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n" else b"\n"
