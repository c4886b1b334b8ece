"""The lines that gittrack adds to a hook file, between two markers, and how they are put in and taken out.

Pure text editing, in bytes: a hook may be in any encoding. Taking the block out gives the bytes that were there
before it was put in.
"""

from __future__ import annotations

import re
import shlex

from gittrack.errors import GittrackError

# A file that `init` creates begins with these lines; when nothing else is left, the file goes too.
OWN_HEADER = b"#!/bin/sh\n# made by 'gittrack init'\n"

_BEGIN = b"# >>> gittrack >>>"
_END = b"# <<< gittrack <<<"
_BLOCK = re.compile(
    rb"^# >>> gittrack >>>[^\n]*\n(?:(?!# >>> gittrack >>>).*\n)*?# <<< gittrack <<<[^\n]*(?:\n|\Z)", re.MULTILINE
)
_PROGRAM_LINE = b"gittrack_program=gittrack\n"
_SHELLS = frozenset({"sh", "ash", "bash", "busybox", "dash", "ksh", "mksh", "zsh"})


class HookFileError(GittrackError):
    """A hook file is of a kind that gittrack does not edit."""


def render_block(script: bytes, program: str) -> bytes:
    r"""Return the block of a shipped hook script, with the program's path in it.

    Args:
        script: The content of a file in ``hooks/``.
        program: The absolute path of the gittrack executable, or ``gittrack`` to search PATH.

    Example:
        >>> script = b"# >>> gittrack >>>\ngittrack_program=gittrack\n# <<< gittrack <<<\n"
        >>> print(render_block(script, "/home/ada's/bin/gittrack").decode(), end="")
        # >>> gittrack >>>
        gittrack_program='/home/ada'"'"'s/bin/gittrack'
        # <<< gittrack <<<
    """
    block = find_block(script)
    if block is None or _PROGRAM_LINE not in block:
        raise HookFileError("a shipped hook script is damaged", hint="install gittrack again")
    line = b"gittrack_program=" + shlex.quote(program).encode("utf-8", "surrogateescape") + b"\n"
    return block.replace(_PROGRAM_LINE, line, 1)


def find_block(content: bytes) -> bytes | None:
    """Return gittrack's block in a hook file, of whatever version, or None.

    Args:
        content: The hook file.
    """
    match = _BLOCK.search(content)
    return match[0] if match else None


def insert_block(content: bytes | None, block: bytes) -> bytes:
    """Return a hook file with the block in it: right after the first line, so that it runs whatever follows.

    An older block is replaced. A hook that ends in ``exit 0`` or ``exec`` would never reach a block at its end.

    Args:
        content: The hook file; None when there is none.
        block: The block, with its last newline.

    Raises:
        HookFileError: The file is not a shell script, or its markers are damaged.
    """
    if content is None:
        return OWN_HEADER + block
    bare = remove_block(content)
    if bare is None:
        return OWN_HEADER + block
    check_editable(bare)
    if not bare.startswith(b"#!"):
        return block + bare
    first, newline, rest = bare.partition(b"\n")
    # Without a newline at the end of the file the block takes over that property, for `remove_block` to see.
    return first + newline + block + rest if newline else first + b"\n" + block.removesuffix(b"\n")


def remove_block(content: bytes) -> bytes | None:
    """Return a hook file as it was before the block was put in; None when gittrack made the file.

    Args:
        content: The hook file.

    Raises:
        HookFileError: There is a begin or end marker without the other.
    """
    match = _BLOCK.search(content)
    if match is None:
        _refuse_stray_markers(content)
        return content
    start = match.start() if match[0].endswith(b"\n") else max(match.start() - 1, 0)
    bare = content[:start] + content[match.end() :]
    _refuse_stray_markers(bare)
    return None if bare == OWN_HEADER else bare


def check_editable(content: bytes) -> None:
    """Raise unless a hook file is a shell script, into which shell lines can be put.

    Args:
        content: The hook file without gittrack's block.

    Raises:
        HookFileError: It is a program or a script in another language.
    """
    first_line = content.partition(b"\n")[0]
    if b"\0" in content:
        raise HookFileError("it is a compiled program")
    if not first_line.startswith(b"#!"):
        return  # git runs it with sh
    if first_line.endswith(b"\r"):
        raise HookFileError("its first line ends in CR LF, so that no system but Windows runs it")
    interpreter = read_interpreter(first_line)
    if interpreter not in _SHELLS:
        raise HookFileError(f"it is a script for {interpreter or 'no interpreter'}, not for a shell")


def read_interpreter(first_line: bytes) -> str:
    """Return the interpreter's name from a script's first line.

    Args:
        first_line: The line that starts with ``#!``.

    Example:
        >>> read_interpreter(b"#!/usr/bin/env -S bash -e"), read_interpreter(b"#! /bin/sh")
        ('bash', 'sh')
    """
    words = first_line[2:].decode("utf-8", "replace").split()
    names = [word.replace("\\", "/").rpartition("/")[2].removesuffix(".exe") for word in words]
    if names[:1] == ["env"]:
        names = [name for name, word in zip(names, words, strict=True) if not word.startswith("-") and "=" not in word]
        names = names[1:]
    return names[0] if names else ""


def _refuse_stray_markers(content: bytes) -> None:
    if any(line.startswith((_BEGIN, _END)) for line in content.splitlines()):
        raise HookFileError(
            "it has only one of the two gittrack markers",
            hint=f"remove the lines that belong to '{_BEGIN.decode()}' or '{_END.decode()}' by hand",
        )
