"""Set params in their files as ``-S params.yaml:train.lr=0.1`` says; comments, key order and line ends stay.

Each form has an editor that offers texts, the one nearest to the original first. Each is read again, and the first one
that differs from the original in just the value that was asked for is taken; if there is none, the change is refused.
"""

from __future__ import annotations

import contextlib
import copy
import posixpath
import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from gittrack.errors import UsageError
from gittrack.values import clean_text, dump_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gittrack.values import PlainValue

DEFAULT_FILE = "params.yaml"

_OVERRIDE = re.compile(
    r"""(?P<removes>~)?(?:(?P<file>[^='":~]+):)?(?P<removes_too>~)?"""
    r"""(?P<key>(?:'[^']*'|"[^"]*"|[^'"=])+)(?:=(?P<value>.*))?""",
    re.DOTALL,
)
_KEY_PART = re.compile(r"""(?:'([^']*)'|"([^"]*)"|([^.'"]+))(\.|$)""")


class OverrideError(UsageError):
    """A param cannot be set as asked."""


class Override(NamedTuple):
    """One change of one file.

    Attributes:
        file: The path of the file in the repository.
        key: The dotted key, as it was given.
        value: The new value; None also when the key is removed.
        removes: Whether the key is removed.
    """

    file: str
    key: str
    value: PlainValue
    removes: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the key, without quotes."""
        return split_key(self.key)

    def change(self, document: Any, written: Callable[[Any], Any] = lambda value: value) -> None:
        """Make the change in a document of mappings and lists; mappings that are missing are created.

        Args:
            document: The mapping to change, in place; those of the libraries that keep comments will do.
            written: Turns a new key or value into what the document holds.

        Raises:
            OverrideError: The key leads below a scalar, to no item of a list, or to nothing that can be removed.
        """
        place = document
        *above, last = self.parts
        for part in above:
            if isinstance(place, dict) and place.get(part) is None and not self.removes:
                place[written(part)] = {}
            place = place[self._key_in(place, part)]
        if self.removes:
            del place[self._key_in(place, last)]
        elif isinstance(place, dict) and last not in place:
            place[written(last)] = written(self.value)
        else:
            place[self._key_in(place, last)] = written(self.value)

    def _key_in(self, place: Any, part: str) -> str | int:
        """Return the key or number under which a container has a part."""
        if isinstance(place, dict):
            if part not in place:
                self.refuse(f"there is no key {part!r}")
            return part
        if not isinstance(place, list):
            self.refuse(f"{part!r} would be below {place!r:.100}, which is no mapping")
        if not (part.isdecimal() and part.isascii() and int(part) < len(place)):
            self.refuse(f"the list has the items 0 to {len(place) - 1}, not {part!r}")
        return int(part)

    def refuse(self, problem: str, hint: str | None = None) -> NoReturn:
        """Raise the error that says why the change cannot be made."""
        what = "remove" if self.removes else "set"
        raise OverrideError(f"cannot {what} '{self.key}' in '{self.file}': {problem}", hint=hint)


def parse_override(text: str) -> Override:
    """Read ``[FILE:]KEY=VALUE`` or, to remove a key, ``[FILE:]~KEY``.

    Args:
        text: The change. A part of the key that has a dot or ``=`` in it stands in quotes; an item of a list is given
            by its number (``layers.0=64``). The value is read as YAML 1.2: a scalar, or a list or mapping in brackets;
            an empty one is the empty text.

    Returns:
        The change; the file is ``params.yaml`` when none is named.

    Raises:
        OverrideError: The form is wrong or the value is not YAML.
        InvalidPathError: The file is not inside the repository.

    Example:
        >>> parse_override("conf/model.yaml:train.lr=1e-3")
        Override(file='conf/model.yaml', key='train.lr', value=0.001, removes=False)
        >>> parse_override("~train.decay")
        Override(file='params.yaml', key='train.decay', value=None, removes=True)
    """
    from gittrack.paths import check_repository_path

    match = _OVERRIDE.fullmatch(text)
    removes = match is not None and bool(match["removes"] or match["removes_too"])
    if match is None or removes == (match["value"] is not None):
        raise OverrideError(
            f"not a change of a param: {text[:200]!r}", hint="write FILE:KEY=VALUE, or ~KEY to remove it"
        )
    split_key(match["key"])
    value = None if removes else _parse_value(match["value"])
    return Override(check_repository_path(match["file"] or DEFAULT_FILE), match["key"], value, removes)


def split_key(key: str) -> tuple[str, ...]:
    """Split a dotted key, whose parts may stand in quotes.

    Args:
        key: Such as ``train.lr`` or ``data."a.b"``.

    Returns:
        The parts without quotes.

    Raises:
        OverrideError: A part is empty.

    Example:
        >>> split_key("data.'a.b'.0")
        ('data', 'a.b', '0')
    """
    parts: list[str] = []
    position = 0
    while match := _KEY_PART.match(key, position):
        parts.append(match[1] or match[2] or match[3] or "")
        position = match.end()
        if not match[4]:
            break
    if position < len(key) or not parts or key.endswith(".") or not all(parts):
        raise OverrideError(f"the key {key[:200]!r} has an empty part or a quote that does not enclose one")
    return tuple(parts)


def apply_overrides(text: str, path: str, overrides: Iterable[Override]) -> str:
    r"""Change values in the text of a params file, and nothing else in it.

    Args:
        text: The content of the file; empty for a new one.
        path: Its path, whose ending tells the form: ``.yaml``, ``.yml``, ``.json`` or ``.toml``.
        overrides: The changes, in order. A key that does not exist is created, with the mappings above it.

    Returns:
        The new content.

    Raises:
        OverrideError: The form is unknown, a key leads below a scalar or to no item of a list, a key to remove is not
            there, or the text cannot be changed in just that place.
        DeclaredFileError: The text is not of its form.

    Example:
        >>> text = "train:\n  lr: 0.1   # chosen by hand\n"
        >>> print(apply_overrides(text, "params.yaml", [parse_override("train.lr=0.2")]), end="")
        train:
          lr: 0.2   # chosen by hand
    """
    edit = _editor(path)
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    newline = "\r\n" if "\r\n" in text and text.count("\r\n") == text.count("\n") else "\n"
    text = text.removeprefix(mark).replace(newline, "\n")
    for override in overrides:
        text = _apply(text, path, override, edit)
    return mark + text.replace("\n", newline)


def _apply(text: str, path: str, override: Override, edit: Callable[[str, Override], Iterator[str]]) -> str:
    from gittrack.experiments.declared import DeclaredFileError, parse_document

    def read(text: str) -> str:
        return dump_json(parse_document(path, text.encode()))

    document = parse_document(path, text.encode())
    changed = copy.deepcopy(document)
    override.change(changed)
    wanted = dump_json(changed)
    if wanted == dump_json(document):
        return text
    for edited in edit(text, override):
        with contextlib.suppress(DeclaredFileError):
            if read(edited) == wanted:
                return edited
    return override.refuse("the file cannot be changed in that place alone", "edit it by hand")


def _editor(path: str) -> Callable[[str, Override], Iterator[str]]:
    """Return the function that edits a form; each is imported only when it is needed."""
    suffix = posixpath.splitext(path)[1].lower()
    if suffix in {".yaml", ".yml"}:
        from gittrack.experiments.yaml_edit import edit_yaml

        return edit_yaml
    if suffix == ".json":
        from gittrack.experiments.json_edit import edit_json

        return edit_json
    if suffix == ".toml":
        from gittrack.experiments.toml_edit import edit_toml

        return edit_toml
    raise OverrideError(f"'{path}' cannot be changed: it is not YAML, JSON or TOML")


def _parse_value(text: str) -> PlainValue:
    from gittrack.yaml_text import InvalidYAMLError, parse_yaml, resolve_scalar

    stripped = text.strip()
    if not stripped:
        return ""
    try:
        if stripped[0] in "[{'\"":
            return parse_yaml(stripped)
        value = resolve_scalar(stripped)
    except (InvalidYAMLError, ValueError) as error:
        hint = "put the value in quotes to have it as a text"
        raise OverrideError(f"the value {text[:200]!r} cannot be read: {error}", hint=hint) from error
    return clean_text(text) if isinstance(value, str) else value
