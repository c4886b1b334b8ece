"""Text made harmless, measured and shortened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.cli.text import display_width, pad, shorten
from gittrack.visible import sanitise


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u202eb\u2066", r"a\u202eb\u2066"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\udcff", r"\udcff"),
        ("\u2028", r"\u2028"),
        ("\U000e0041", r"\U000e0041"),
        ("損失 é 👩\u200d🔬", "損失 é 👩\u200d🔬"),
    ],
)
def test_only_what_is_hidden_is_written_out(text: str, shown: str) -> None:
    """Controls and invisible marks become visible; words of every script stay."""
    assert sanitise(text) == shown


def test_notes_keep_their_lines() -> None:
    """Text of several lines keeps newlines and tabs, and nothing else that is hidden."""
    assert sanitise("a\n\tb\r\x1b", multiline=True) == "a\n\tb\\r\\x1b"


@pytest.mark.parametrize(
    ("text", "width"),
    [("abc", 3), ("損失", 4), ("e\u0301", 1), ("👍🏽", 2), ("👩\u200d🔬", 2), ("❤\ufe0f", 2), ("한", 2), ("", 0)],
)
def test_width_is_as_terminals_draw(text: str, width: int) -> None:
    """Wide characters take two columns, marks and joined emoji none of their own."""
    assert display_width(text) == width


@given(text=st.text(), width=st.integers(1, 30), end=st.booleans())
def test_shortened_text_fits(text: str, width: int, end: bool) -> None:
    """Whatever the text: at most the width, unchanged when it fits, and padded to exactly the width."""
    shown = shorten(sanitise(text), width, end=end)
    assert display_width(shown) <= width
    assert shown == sanitise(text) or "…" in shown
    assert display_width(pad(shown, width)) == width
