"""Keep a copy of what a script prints, in the log of its run.

Only what goes through the two streams of Python is seen: not what a library in C or another program writes to the
terminal, for which there is `gittrack exp run`. In return nothing stands between the script and its terminal, which
stays a terminal, also when the process dies.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from gittrack.runs.command import CappedLog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_STREAMS = ("stdout", "stderr")


class ConsoleCapture:
    """Copies two streams into a log until it is closed.

    Args:
        holder: What has the streams as attributes ``stdout`` and ``stderr``: the module `sys`.
        path: The log.

    Raises:
        OSError: The log cannot be written.
    """

    def __init__(self, holder: Any, path: Path) -> None:
        self._holder = holder
        self._log = CappedLog(path)
        self._tees: dict[str, _Tee] = {}
        for name in _STREAMS:
            stream = getattr(holder, name, None)
            if stream is not None:  # a process without a console has none
                self._tees[name] = _Tee(stream, self._log)
                setattr(holder, name, self._tees[name])

    def note_error(self, error: BaseException) -> None:
        """Add the traceback of an exception, which the interpreter prints only when the run has ended."""
        import traceback

        self._log.write("".join(traceback.format_exception(error)).encode("utf-8", "replace"))

    def close(self) -> None:
        """Give the streams back and complete the log. A stream that somebody wrapped meanwhile goes on unheard."""
        for name, tee in self._tees.items():
            tee._log = None  # noqa: SLF001  the two classes are one
            if getattr(self._holder, name, None) is tee:
                setattr(self._holder, name, tee._stream)  # noqa: SLF001
        self._log.close()


class _Tee:
    """A stream that hands on all it gets, and copies it. Everything but writing is the stream's own."""

    def __init__(self, stream: Any, log: CappedLog) -> None:
        self._stream = stream
        self._log: CappedLog | None = log
        self._pid = os.getpid()

    def write(self, data: Any) -> Any:
        """Write a text, or bytes where the stream takes them."""
        answer = self._stream.write(data)
        log = self._log
        if log is not None and self._pid == os.getpid():  # a fork may have copied a lock that somebody held
            copied = data.encode("utf-8", "replace") if isinstance(data, str) else bytes(data)
            log.write(copied)
        return answer

    def writelines(self, lines: Iterable[Any]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> Any:
        """The stream of bytes beneath, copied as well."""
        beneath = self._stream.buffer
        return beneath if self._log is None else _Tee(beneath, self._log)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Any:
        return iter(self._stream)

    def __enter__(self) -> Any:
        self._stream.__enter__()
        return self

    def __exit__(self, *error: object) -> Any:
        return self._stream.__exit__(*error)
