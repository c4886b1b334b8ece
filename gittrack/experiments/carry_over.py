"""Carry a change that a library made in its own layout over to a text that people have laid out."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ITEM = re.compile(r" *(?=-)")
_CONTENT = re.compile(r"(?: |- )*")


def carry_over(text: str, before: str, after: str) -> Iterator[str]:
    r"""Apply the change between two renderings of a document to the text that it was read from.

    Args:
        text: The text.
        before: The document of the text as the library lays it out.
        after: The changed document likewise.

    Yields:
        The text with the changed lines, once with the comments before the next key left there, and once where the
        library has put them. Where the layouts differ too much, more lines than the changed ones are the library's.

    Example:
        >>> next(carry_over("a:   1\n\n# two\nb: 2\n", "a: 1\n\n# two\nb: 2\n", "a: 1\n\n# two\nx: 0\nb: 2\n"))
        'a:   1\nx: 0\n\n# two\nb: 2\n'
    """
    own, old, new = (content.rstrip("\n").split("\n") for content in (text, before, after))
    first = _n_common(old, new)
    n_last = _n_common(old[first:][::-1], new[first:][::-1])
    changed = new[first : len(new) - n_last]
    end = slid = len(old) - n_last
    matches = _matches(old, own)
    laid_out = [own[matches[number]] if number in matches else line for number, line in enumerate(old)]
    # a comment further in than what is removed goes with it: it may be the end of a text
    depth = _indent(laid_out[first]) if first < end else len(text)
    while slid > 0 and laid_out[slid - 1].lstrip()[:1] in {"", "#"} and _indent(laid_out[slid - 1]) <= depth:
        slid -= 1
    for stop in (slid, end):
        lines = _replaced(own, old, matches, slice(min(first, stop), stop), changed)
        yield "\n".join(lines) + text[len(text.rstrip("\n")) :]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _n_common(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _matches(old: Sequence[str], own: Sequence[str]) -> dict[int, int]:
    """Return which of our lines is which of the library's, whatever spaces are in them."""
    bare_old, bare_own = (["".join(line.split()) for line in lines] for lines in (old, own))
    blocks = SequenceMatcher(None, bare_old, bare_own).get_matching_blocks()
    return {block.a + i: block.b + i for block in blocks for i in range(block.size)}


def _replaced(
    own: Sequence[str], old: Sequence[str], matches: Mapping[int, int], place: slice, changed: Sequence[str]
) -> list[str]:
    """Put the changed lines in their place, which is widened to lines that both texts have."""
    start, end = place.start, place.stop
    while start > 0 and start - 1 not in matches:
        start -= 1
    while end < len(old) and end not in matches:
        end += 1
    shift = _shift(own, old, matches, min(place.start, place.stop - 1), changed[0]) if changed else 0
    moved = [" " * shift + line if shift > 0 else line[-shift:] for line in changed]
    above = own[: matches[start - 1] + 1] if start else []
    return [*above, *old[start : place.start], *moved, *old[place.stop : end], *own[matches.get(end, len(own)) :]]


def _shift(own: Sequence[str], old: Sequence[str], matches: Mapping[int, int], position: int, line: str) -> int:
    """Return how much further in our text indents a line, going by the nearest one up from there that is as far in."""
    pattern = _ITEM if line.lstrip().startswith("-") else _CONTENT
    column = _column(pattern, line)
    for above in range(position, -1, -1):
        if above in matches and _column(pattern, old[above]) == column:
            return _column(pattern, own[matches[above]]) - column
    return 0


def _column(pattern: re.Pattern[str], line: str) -> int:
    match = pattern.match(line)
    return -1 if match is None else match.end()
