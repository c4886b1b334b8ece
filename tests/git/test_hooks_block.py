"""The block in a hook file: put in, replaced, taken out to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.git.hook_block import (
    OWN_HEADER,
    HookFileError,
    find_block,
    insert_block,
    read_interpreter,
    remove_block,
    render_block,
)

HOOKS = Path(__file__).parents[2] / "hooks"
BLOCK = b"# >>> gittrack >>> 1\ngittrack hook x\n# <<< gittrack <<<\n"
NEWER = b"# >>> gittrack >>> 2\ngittrack hook y\n# <<< gittrack <<<\n"

shell_hooks = st.tuples(
    st.sampled_from([b"", b"#!/bin/sh", b"#!/bin/sh\n", b"#!/usr/bin/env bash\n", b"#! /bin/dash -e\n"]),
    st.lists(st.binary(max_size=12).filter(lambda line: b"gittrack" not in line and b"\0" not in line), max_size=4),
    st.sampled_from([b"\n", b"\r\n"]),
).map(lambda parts: parts[0] + (parts[2].join(parts[1]) if parts[0].endswith(b"\n") or not parts[0] else b""))

shell_hooks = shell_hooks.filter(
    lambda hook: not hook.startswith(b"#!") or hook.startswith((b"#!/bin/sh", b"#!/usr/bin/env bash", b"#! /bin/dash"))
)


@given(shell_hooks)
def test_removing_gives_back_every_byte(hook: bytes) -> None:
    """What was in the file before is there again after the block is taken out."""
    installed = insert_block(hook, BLOCK)
    assert find_block(installed)
    assert remove_block(installed) == hook


@given(shell_hooks)
def test_inserting_twice_is_inserting_once(hook: bytes) -> None:
    """A second installation changes nothing, and a newer block takes the place of the older."""
    once = insert_block(hook, BLOCK)
    assert insert_block(once, BLOCK) == once
    assert insert_block(once, NEWER) == insert_block(hook, NEWER)


def test_file_of_our_own_goes_with_the_block() -> None:
    """A file that gittrack made is gone afterwards; lines that the user added to it stay."""
    made = insert_block(None, BLOCK)
    assert made == OWN_HEADER + BLOCK
    assert insert_block(made, NEWER) == OWN_HEADER + NEWER
    assert remove_block(made) is None
    assert remove_block(made + b"echo mine\n") == OWN_HEADER + b"echo mine\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"#!/usr/bin/env python3\nprint()\n", "python3"),
        (b"#!/usr/bin/perl -w\n", "perl"),
        (b"#!/usr/bin/env -S node --no-warnings\n", "node"),
        (b"#!\n", "no interpreter"),
        (b"#!/bin/sh\r\necho\r\n", "CR LF"),
        (b"\x7fELF\0\0", "compiled"),
        (b"#!/bin/sh\n# >>> gittrack >>> 1\necho\n", "one of the two"),
        (b"#!/bin/sh\necho\n# <<< gittrack <<<\n", "one of the two"),
        (b"#!/bin/sh\n# >>> gittrack >>> 1\necho\n" + BLOCK, "one of the two"),
    ],
)
def test_other_files_are_refused(content: bytes, reason: str) -> None:
    """Only whole shell scripts are edited; the message says what the file is instead."""
    with pytest.raises(HookFileError, match=reason):
        insert_block(content, BLOCK)


def test_interpreters() -> None:
    """The interpreter is found behind env, its options and variables."""
    lines = {
        b"#!/bin/sh": "sh",
        b"#! /bin/bash -eu": "bash",
        b"#!/usr/bin/env -S LANG=C zsh": "zsh",
        b"#!/usr/bin/env": "",
        b"#!C:/Program/sh.exe": "sh",
    }
    assert {line: read_interpreter(line) for line in lines} == lines


@pytest.mark.parametrize("script", sorted(HOOKS.iterdir()), ids=lambda path: path.name)
def test_shipped_scripts_have_one_block(script: Path) -> None:
    """Every shipped script is executable, for sh, and takes the program's path."""
    content = script.read_bytes()
    assert script.stat().st_mode & 0o111
    assert content.startswith(b"#!/bin/sh\n")
    assert b"gittrack_program='/a b/gittrack'\n" in render_block(content, "/a b/gittrack")
    assert f"hook {script.name} ".encode() in content
