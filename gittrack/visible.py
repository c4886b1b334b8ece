"""Text from a repository made harmless for whoever shows it: what cannot be seen is written out."""

from __future__ import annotations

from typing import Final

HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode that are not shown as they are: controls, formats, surrogates and separators of lines."""

JOINERS: Final = "\u200c\u200d"  # part of ordinary words in Persian and Indic scripts, and of emoji


def sanitise(text: str, *, multiline: bool = False) -> str:
    r"""Return `text` with control characters and invisible marks written out.

    C0 and C1 controls (so every ANSI escape), overrides of the writing direction and other format characters,
    line separators and lone surrogates become `\n`, `\x1b`, `\u202e` and the like.

    Args:
        text: Text from a repository.
        multiline: Whether newlines and tabs stay as they are.

    Example:
        >>> print(sanitise("red \x1b[31m \u202e\n"))
        red \x1b[31m \u202e\n
    """
    if text.isprintable():
        return text
    from unicodedata import category

    kept = JOINERS + "\n\t" if multiline else JOINERS
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if category(character) in HIDDEN and character not in kept
        else character
        for character in text
    )
