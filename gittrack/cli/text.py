"""Text for a terminal: made harmless, measured, shortened and coloured.

Names, values and messages come from repositories that anyone may have written. `gittrack.visible.sanitise` shows their
control characters instead of sending them to the terminal; the other functions expect text that went through it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gittrack.visible import HIDDEN, JOINERS

CODES: Final = {
    "bold": "1",
    "dim": "2",
    "italic": "3",
    "underline": "4",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
RESET: Final = "\x1b[0m"
ELLIPSIS: Final = "…"

_EMOJI_STYLE: Final = "\ufe0f"


def sanitise_json(text: str) -> str:
    r"""Return JSON with the control characters and invisible marks of its strings written as JSON has them.

    It means the same to every reader; only a terminal would have taken it otherwise.

    Args:
        text: JSON, in which such characters can be nowhere but in strings.

    Example:
        >>> print(sanitise_json('["\x9b2J \u202e é"]'))
        ["\u009b2J \u202e é"]
    """
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(map(_json_character, text))


def style(text: str, *names: str, colour: bool = True) -> str:
    r"""Return `text` in the named styles, or unchanged without `colour`.

    Args:
        text: Sanitised text.
        names: Keys of `CODES`.
        colour: Whether the terminal shows colours.

    Example:
        >>> style("ok", "bold", "green"), style("ok", "green", colour=False)
        ('\x1b[1;32mok\x1b[0m', 'ok')
    """
    if not (colour and names and text):
        return text
    return f"\x1b[{';'.join(CODES[name] for name in names)}m{text}{RESET}"


def display_width(text: str) -> int:
    """Return how many terminal columns `text` fills.

    East Asian wide characters and emoji fill two, combining marks none (Unicode annex 11).

    Example:
        >>> display_width("loss"), display_width("損失"), display_width("e\u0301")
        (4, 4, 1)
    """
    return len(text) if text.isascii() else _measured(text)


def shorten(text: str, width: int, *, ellipsis: str = ELLIPSIS, end: bool = False) -> str:
    """Return `text` in at most `width` columns, with its middle (or its end) left out.

    Args:
        text: Sanitised text.
        width: Terminal columns, at least 1.
        ellipsis: What stands for the part left out.
        end: Whether the end is left out instead of the middle.

    Example:
        >>> shorten("resnet50-imagenet-seed17", 12), shorten("Add augmentation", 8, end=True)
        ('resnet…eed17', 'Add aug…')
    """
    if display_width(text) <= width:
        return text
    room = width - len(ellipsis)
    if room <= 0:
        return ellipsis[:width]
    tail = 0 if end else room // 2
    return _start(text, room - tail) + ellipsis + _end(text, tail)


def pad(text: str, width: int) -> str:
    """Return `text` filled with spaces on the right to `width` columns."""
    return text + " " * (width - display_width(text))


@lru_cache(maxsize=4096)
def _json_character(character: str) -> str:
    from json import dumps
    from unicodedata import category

    if category(character) not in HIDDEN or character in JOINERS + "\n":
        return character
    return "\\u007f" if character == "\x7f" else dumps(character)[1:-1]


@lru_cache(maxsize=4096)  # the branches of a tree and words of status come again on every line
def _measured(text: str) -> int:
    return sum(_widths(text))


def _start(text: str, room: int) -> str:
    for position, width in enumerate(_widths(text)):
        room -= width
        if room < 0:
            return text[:position]
    return text


def _end(text: str, room: int) -> str:
    widths = _widths(text)
    for position in range(len(text) - 1, -1, -1):
        room -= widths[position]
        if room < 0:
            return text[position + 1 :]
    return text


def _widths(text: str) -> list[int]:
    """Return the columns of each character; those that join the one before it count 0."""
    from unicodedata import category, east_asian_width

    widths: list[int] = []
    previous = ""
    for character in text:
        if character == _EMOJI_STYLE and widths:
            widths[-1] = min(2, widths[-1] * 2)
            widths.append(0)
        elif previous == "\u200d" or "\U0001f3fb" <= character <= "\U0001f3ff":
            widths.append(0)  # one emoji drawn from several, or its skin tone
        elif category(character) in {"Mn", "Me", "Cf"} or "\u1160" <= character <= "\u11ff":
            widths.append(0)  # the range: vowels and finals that join a Hangul syllable
        else:
            widths.append(2 if east_asian_width(character) in "WF" else 1)
        previous = character
    return widths
