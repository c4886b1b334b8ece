"""What a `Live` must be told of its process: this layer looks at no environment, browser or notebook itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.runs.run import Run


class Surroundings(NamedTuple):
    """The process in which a `Live` is made.

    Attributes:
        open_run: Opens the run that records the experiment, from its name, what is said of it and whether to continue
            the experiment of that name; None where no experiment is to be recorded.
        warn: Tells what went wrong while training goes on.
        is_writer: Whether this process writes; the other ranks of a distributed training do not.
        is_pipeline: Whether DVC runs the script, which keeps what it writes.
        show: Shows the path of a report, after each time that it was written.
        display: Shows a piece of HTML in a notebook, in place of what it showed before.
    """

    open_run: Callable[[str | None, str | None, bool], Run] | None
    warn: Callable[[str], object]
    is_writer: bool = True
    is_pipeline: bool = False
    show: Callable[[Path], object] | None = None
    display: Callable[[str], object] | None = None
