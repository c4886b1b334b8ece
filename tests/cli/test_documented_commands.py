"""Every call of gittrack that the documentation shows can be made: its command and its options exist."""

from __future__ import annotations

import re
import shlex

import pytest

from gittrack.cli.commands import COMMANDS, GROUPS
from gittrack.cli.group import load_command
from tests.support.source_code import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def documented_calls() -> list[str]:
    """Return the arguments of each call of gittrack, and of `git exp`, in the console blocks of all pages."""
    calls = set()
    for page in PAGES:
        for line in re.findall(r"^ *\$ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            for call in re.split(r" && | \| ", line):
                if call.startswith(("gittrack ", "git exp ")):
                    calls.add(call.removeprefix("gittrack ").removeprefix("git "))
    return sorted(calls)


@pytest.mark.parametrize("call", documented_calls())
def test_a_documented_call_is_understood(call: str) -> None:
    """The arguments parse as those of the command they name."""
    words = shlex.split(call.partition(" > ")[0], comments=True)
    name = " ".join(words[:2]) if words[0] in GROUPS else words[0]
    arguments = words[len(name.split()) :]
    assert name in COMMANDS
    load_command(name).make_context(name, arguments)
