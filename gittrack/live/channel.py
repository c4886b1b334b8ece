"""What takes events: a receiver over HTTP, or a file that they are appended to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from gittrack.live.answer import Answer
from gittrack.live.target import FILE_SCHEME, BadSettingError
from gittrack.live.wire import Connection, join_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.live.target import Target


class Channel(Protocol):
    """Something that takes events."""

    def post(self, body: Mapping[str, Any]) -> Answer:
        """Hand one body over and return what came of it."""

    def close(self) -> None:
        """Let go of it."""


def open_channel(target: Target) -> Channel:
    """Return what takes events for a target; nothing is sent yet.

    Args:
        target: Where events go.

    Raises:
        BadSettingError: A ``file:`` URL names no absolute path of this machine.
    """
    if target.url.startswith(FILE_SCHEME):
        return FileSink(_path_of(target.url))
    return Connection(join_url(target.url, target.endpoint), target.token)


class FileSink:
    """A file that events are appended to, one line of JSON each; several processes may write to one.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def post(self, body: Mapping[str, Any]) -> Answer:
        """Append one body; 200 means that it is on the disk."""
        line = json.dumps(body, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                if os.write(fd, line) < len(line):
                    return Answer(None, f"the disk is full: '{self._path}'")
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            return Answer(None, f"cannot append to '{self._path}': {error.strerror}")
        return Answer(200)

    def close(self) -> None:
        """Do nothing: the file is open only while it is written."""


def _path_of(url: str) -> Path:
    parts = urlsplit(url)
    path = Path(url2pathname(parts.path))
    if parts.netloc not in {"", "localhost"} or not path.is_absolute():
        raise BadSettingError(f"'{url}' names no file of this machine", hint="use file:///absolute/path/events.jsonl")
    return path
