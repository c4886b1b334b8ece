"""What a script says when it logs an artifact: checked at once, for a wrong argument must not fail hours later."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.values import InvalidValueError, clean_text, to_plain
from gittrack.warn import warn

if TYPE_CHECKING:
    from gittrack.values import PlainValue

_SUFFIX = ".gittrack"  # that of `gittrack.artifacts.pointer`, whose import the script would wait for
_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-/_]*[a-zA-Z0-9])?")  # as git tags of the GTO convention take it


class Request(NamedTuple):
    """An artifact to log.

    Attributes:
        path: Where it is, absolute.
        type: What it is.
        name: What people call it; None when it has no name that can be used.
        desc: What it is about.
        labels: Words to find it by.
        meta: Anything else.
        is_copied: Whether a copy of it is to be tracked.
        is_cached: Whether its content is to be kept.
    """

    path: str
    type: str | None = None
    name: str | None = None
    desc: str | None = None
    labels: tuple[str, ...] = ()
    meta: PlainValue = None
    is_copied: bool = False
    is_cached: bool = True


def parse_request(path: Any, *, copy: Any, cache: Any, labels: Any, meta: Any, **texts: Any) -> Request:
    """Return what a script wants to log.

    Args:
        path: The file or folder: a text or a path object.
        copy: Whether a copy of it is to be tracked.
        cache: Whether its content is to be kept.
        labels: Words, or None.
        meta: Any plain value.
        texts: ``type``, ``name`` and ``desc``: a text or None.

    Raises:
        InvalidValueError: An argument has a wrong type or form.
    """
    for key, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise InvalidValueError(f"'{key}' of an artifact must be a string, not {type(value).__name__}")
    place = parse_path(path)
    if place.endswith(_SUFFIX):
        raise InvalidValueError(f"'{place}' is a pointer; log the artifact itself: '{place.removesuffix(_SUFFIX)}'")
    texts = {key: value if value is None else clean_text(value) for key, value in texts.items()}
    texts["name"] = _usable_name(texts["name"], place)
    return Request(
        os.path.abspath(place),  # noqa: PTH100  a link is kept
        labels=_parse_labels(labels),
        meta=None if meta is None else to_plain(meta, name="meta"),
        is_copied=bool(copy),
        is_cached=bool(cache),
        **texts,
    )


def parse_path(path: Any) -> str:
    """Return a path as a text.

    Args:
        path: A text or a path object.

    Raises:
        InvalidValueError: It is something else, or no path can be like it.
    """
    try:
        text = os.fspath(path)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise InvalidValueError(f"an artifact must be given as a path, not {path!r:.200} ({type(path).__name__})")
    if not text or "\0" in text:
        raise InvalidValueError(f"no artifact can have the path {text!r:.200}")
    return text


def is_artifact_name(text: str) -> bool:
    """Say whether a text can be the name of an artifact.

    Args:
        text: The text.

    Example:
        >>> is_artifact_name("nets/small_2"), is_artifact_name("my model")
        (True, False)
    """
    return _NAME.fullmatch(text) is not None


def _usable_name(name: str | None, path: str) -> str | None:
    told = name if name is not None else os.path.splitext(os.path.basename(path.rstrip("/")))[0]  # noqa: PTH119, PTH122
    if is_artifact_name(told):
        return told
    warn(
        "%r cannot be the name of an artifact (letters, digits, '-', '_' and '/', a letter or digit at both ends); "
        "'%s' is logged without a name",
        told,
        path,
    )
    return None


def _parse_labels(labels: Any) -> tuple[str, ...]:
    if labels is None:
        return ()
    words = labels if isinstance(labels, (list, tuple, set, frozenset)) else None
    if words is None or not all(isinstance(word, str) for word in words):
        raise InvalidValueError(f"'labels' of an artifact must be a list of strings, not {labels!r:.200}")
    ordered = sorted(words) if isinstance(words, (set, frozenset)) else words
    return tuple(clean_text(word) for word in ordered)
