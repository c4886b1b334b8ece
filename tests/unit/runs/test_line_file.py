from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

import pytest

from gittrack.runs.line_file import LineFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def _no_profile() -> Iterator[None]:
    previous = sys.getprofile()
    gc.disable()  # a callback of a collection, such as that of Hypothesis, would be a moment of the test's
    yield
    gc.enable()
    sys.setprofile(previous)


def test_the_oldest_points_are_dropped_and_other_lines_kept(tmp_path: Path) -> None:
    """Under the limit nothing goes; over it points go from the oldest, never a line that must be kept."""
    file = LineFile(tmp_path / "lines")
    file.append(b"names\n")
    for number in range(5):
        file.append(b"%d23456789\n" % number, n_points=2)
    assert file.drop_oldest(max_bytes=61) == 0
    assert file.drop_oldest(max_bytes=30) == 6
    assert file.pending_bytes == 26
    file.write_pending()
    file.close()
    assert (tmp_path / "lines").read_bytes() == b"names\n323456789\n423456789\n"


@pytest.mark.usefixtures("_no_profile")
@pytest.mark.parametrize("ending", ["raises", "writes itself", "closes"])
@pytest.mark.parametrize("moment", range(12))
def test_a_signal_in_the_middle_of_writing_neither_loses_nor_doubles(tmp_path: Path, ending: str, moment: int) -> None:
    """Whatever a signal handler does between two calls of `write_pending`, every line is in the file once and whole."""
    path = tmp_path / "lines"
    file = LineFile(path)
    lines = [b"one\n", b"two\n", b"three\n"]
    for line in lines:
        file.append(line)
    n_events = 0

    def handle(_frame: object, event: str, _argument: object) -> None:
        nonlocal n_events
        if event == "c_call":  # Python runs handlers when a call has ended, not before
            return
        n_events += 1
        if n_events != moment + 1:
            return
        sys.setprofile(None)
        if ending == "raises":
            raise KeyboardInterrupt
        file.write_pending()
        if ending == "closes":
            file.close()

    sys.setprofile(handle)
    try:
        file.write_pending()
    except KeyboardInterrupt:
        pass
    except OSError:
        assert ending == "closes"
    finally:
        sys.setprofile(None)
    if ending != "closes":
        file.write_pending()
    file.close()
    assert path.read_bytes() == b"".join(lines)


def test_an_abandoned_file_is_left_alone(tmp_path: Path) -> None:
    """The child of a fork closes its descriptor and writes nothing."""
    file = LineFile(tmp_path / "lines")
    file.append(b"one\n")
    file.abandon()
    file.write_pending()
    file.close()
    assert os.path.getsize(tmp_path / "lines") == 0  # noqa: PTH202  as short as it gets
