"""What an experiment says of its plots: the entries of ``plots.json``, and the names of the files in ``plots/``.

A plot has any name; its file has one that every system takes and that differs from others also where case does not
count. `gittrack.experiments.format` writes and reads ``plots.json`` by the functions of this module. An entry may come
from anywhere: its file and its digest are checked before anything is done with them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.artifacts.digest import InvalidDigestError, parse_digest, render_digest
from gittrack.errors import GittrackError
from gittrack.paths import InvalidPathError, check_repository_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gittrack.artifacts.digest import Digest
    from gittrack.values import PlainValue

_MAX_SIZE = (1 << 63) - 1
_MAX_STEM = 120  # characters of a file's name that stand for the plot's
_N_HASH_DIGITS = 16
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-.")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin|conout|com[0-9]|lpt[0-9])(?=\.|$)", re.IGNORECASE)
_ESCAPE = re.compile(r"!([a-z])|%([0-9a-f]{2})|(.)", re.DOTALL)
_SUFFIX = re.compile(r"\.[a-z0-9]{1,16}$")


class InvalidPlotEntryError(GittrackError):
    """An entry is damaged, or names a file or digest that must not be trusted."""


class PlotEntry(NamedTuple):
    """One plot, image, table, text or file that an experiment holds.

    Attributes:
        name: What the script called it.
        kind: What it is: ``roc``, ``image``, ``table``…
        file: Its file in ``.gittrack/plots/``.
        media_type: The kind of its content, such as ``application/json``.
        size: In bytes.
        step: The step it belongs to; None when it belongs to none.
        time: When it was logged, UTC epoch seconds.
        title: What stands above it.
        values: The numbers that sum it up, such as the area under a curve.
        digest: Of the content, when that is in the cache and not in git.
        extra: Keys that this version does not know, kept for a rewrite.
    """

    name: str
    kind: str
    file: str
    media_type: str
    size: int
    step: int | None = None
    time: float | None = None
    title: str | None = None
    values: Mapping[str, PlainValue] = {}
    digest: Digest | None = None
    extra: Mapping[str, PlainValue] = {}

    @property
    def key(self) -> tuple[str, int | None]:
        """What makes two plots the same one: name and step."""
        return self.name, self.step


_KNOWN = frozenset(PlotEntry._fields) - {"extra"}


def file_name(name: str, suffix: str, step: int | None = None) -> str:
    """Return the name of the file that holds a plot.

    Lower-case letters, digits, ``_``, ``-`` and inner dots stand for themselves, ``!x`` for a capital X, ``%xx`` for
    any other byte of UTF-8, so that names differ also where case does not count. A long name is cut, and ``~`` and a
    hash of it follow.

    Args:
        name: The plot's name: any text.
        suffix: Such as ``.json``.
        step: The step of a series.

    Example:
        >>> file_name("val/ROC curve", ".json"), file_name("..", ".png", 3)
        ('val%2f!r!o!c%20curve.json', '%2e%2e@3.png')
    """
    data = name.encode()
    stem = "".join(_escaped(byte, is_plain=byte in _PLAIN) for byte in data)
    stem = re.sub(r"^\.+|\.+$", lambda dots: "%2e" * len(dots[0]), stem)
    if _DEVICE.match(stem):
        stem = f"%{data[0]:02x}{stem[1:]}"
    if len(stem) > _MAX_STEM:
        from hashlib import sha256

        stem = f"{re.sub('[%!].?$', '', stem[:_MAX_STEM])}~{sha256(data).hexdigest()[:_N_HASH_DIGITS]}"
    return f"{stem}{'' if step is None else f'@{step}'}{suffix}"


def name_of_file(file: str) -> str | None:
    """Return the name of the plot that a file holds; None where it was too long for a file's name.

    Args:
        file: What `file_name` gave.

    Example:
        >>> name_of_file("val%2f!r!o!c%20curve.json"), name_of_file("%2e%2e@3.png")
        ('val/ROC curve', '..')
    """
    stem = _SUFFIX.sub("", file).partition("@")[0]
    if "~" in stem:
        return None
    data = b"".join(
        big.upper().encode() if big else bytes([int(code, 16)]) if code else other.encode()
        for big, code, other in _ESCAPE.findall(stem)
    )
    return data.decode("utf-8", "replace")


def latest_plots(entries: Iterable[PlotEntry]) -> tuple[PlotEntry, ...]:
    """Return the last version of each plot, of each step, in the order in which they were logged first.

    Args:
        entries: In the order in which they were logged.
    """
    return tuple({entry.key: entry for entry in entries}.values())


def render_plot_entry(entry: PlotEntry) -> dict[str, Any]:
    """Return an entry as plain data; what says nothing is left out.

    Args:
        entry: The entry.
    """
    from gittrack.experiments.format import format_time

    fields = entry._asdict()
    extra = dict(fields.pop("extra"))
    fields["values"] = dict(entry.values) or None
    fields["digest"] = None if entry.digest is None else render_digest(entry.digest)
    fields["time"] = None if entry.time is None else format_time(entry.time)
    return {**extra, **{key: value for key, value in fields.items() if value is not None}}


def parse_plot_entry(document: object) -> PlotEntry:
    """Return the entry that plain data holds.

    Args:
        document: What `render_plot_entry` gave, or somebody's forgery of it.

    Raises:
        InvalidPlotEntryError: A key is absent or of a wrong type, or the file or the digest is none.
    """
    from gittrack.experiments.format import parse_time

    if not isinstance(document, dict):
        raise InvalidPlotEntryError(f"not an entry: {document!r:.100}")
    for key in ("name", "kind", "file", "media_type"):
        if not isinstance(document.get(key), str) or not document[key]:
            raise InvalidPlotEntryError(f"its {key} is {document.get(key)!r:.100}, not a text")
    title, time, values = document.get("title"), document.get("time"), document.get("values", {})
    if not isinstance(title, (str, type(None))) or not isinstance(values, dict):
        raise InvalidPlotEntryError("its title is no text, or its values are no object")
    step, size = document.get("step"), document.get("size")
    if step is not None and type(step) is not int:
        raise InvalidPlotEntryError(f"its step is {step!r:.100}")
    if type(size) is not int or not 0 <= size <= _MAX_SIZE:
        raise InvalidPlotEntryError(f"its size is {size!r:.100}")
    try:
        return PlotEntry(
            name=document["name"],
            kind=document["kind"],
            file=_checked_file(document["file"]),
            media_type=document["media_type"],
            size=size,
            step=step,
            time=None if time is None else parse_time(time if isinstance(time, str) else ""),
            title=title,
            values=values,
            digest=None if document.get("digest") is None else parse_digest(document["digest"]),
            extra={key: value for key, value in document.items() if key not in _KNOWN},
        )
    except (InvalidPathError, InvalidDigestError, ValueError) as error:
        raise InvalidPlotEntryError(str(error)) from error


def _checked_file(file: str) -> str:
    if "/" in file:
        raise InvalidPlotEntryError(f"its file {file!r:.100} is not one of the folder")
    return check_repository_path(file)


def _escaped(byte: int, *, is_plain: bool) -> str:
    char = chr(byte)
    if is_plain:
        return char
    return f"!{char.lower()}" if char.isascii() and char.isupper() else f"%{byte:02x}"
