from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gittrack.experiments.series import Series
from gittrack.runs.journal import JournalWriter, events_path
from gittrack.runs.journal_reader import read_journal, read_latest
from gittrack.values import format_number

_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
_NUMBERS = st.one_of(st.floats(), st.integers(), st.sampled_from([16**4000, -(10**6000)]))
_CALLS = st.lists(
    st.tuples(st.dictionaries(_NAMES, _NUMBERS, max_size=4), st.integers(-(2**70), 2**70), st.floats(0, 2**33)),
    max_size=20,
)
_PLACES = st.integers(0, 2**20)  # counted round: how long the files are depends on the time
_DAMAGES = st.lists(st.tuples(_PLACES, st.integers(0, 255)), max_size=4)


def _write(path: Path, calls: list[tuple[dict[str, float], int, float]], *, is_step: bool = False) -> None:
    journal = JournalWriter(path, durability="step" if is_step else "buffered")
    for values, step, time in calls:
        journal.metrics(values, step, time)
    journal.event("params", {"lr": 0.1})
    journal.close()


def _as_text(series: dict[str, Series]) -> dict[str, tuple[list[int], list[float], list[str]]]:
    """Make NaN equal to NaN, and 1 differ from 1.0."""
    return {
        name: (points.steps, points.times, [format_number(value) for value in points.values])
        for name, points in series.items()
    }


@settings(deadline=None)
@given(_CALLS, st.booleans())
def test_what_was_logged_is_read(calls: list[tuple[dict[str, float], int, float]], is_step: bool) -> None:
    """Every call comes back, of every metric in order, and the latest values are those of the highest steps."""
    expected: dict[str, Series] = {}
    for values, step, time in calls:
        for name, value in values.items():
            for column, item in zip(expected.setdefault(name, Series([], [], [])), (step, time, value), strict=True):
                column.append(item)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        _write(path, calls, is_step=is_step)
        contents, latest = read_journal(path), read_latest(path)
    assert _as_text(contents.series) == _as_text(expected)
    assert contents.n_skipped == latest.n_skipped == 0
    assert {name: point.step for name, point in latest.values.items()} == {
        name: max(points.steps) for name, points in expected.items()
    }


@settings(deadline=None)
@given(st.data(), _CALLS)
def test_a_journal_cut_anywhere_is_read_up_to_there(
    data: st.DataObject, calls: list[tuple[dict[str, float], int, float]]
) -> None:
    """A crash costs no more than the line it cut; nothing counts as damaged."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        _write(path, calls, is_step=True)
        whole = read_journal(path).series
        content = path.read_bytes()
        path.write_bytes(content[: data.draw(_PLACES) % (len(content) + 1)])
        contents = read_journal(path)
        read_latest(path)
    assert contents.n_skipped == 0
    for name, points in contents.series.items():
        assert points.steps == whole[name].steps[: len(points.steps)]


@settings(deadline=None)
@given(st.data(), _CALLS)
def test_no_damage_stops_the_reader(data: st.DataObject, calls: list[tuple[dict[str, float], int, float]]) -> None:
    """Any bytes may have changed in both files: reading ends without an error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.journal")
        _write(path, calls, is_step=data.draw(st.booleans()))
        for file in (path, events_path(path)):
            content = bytearray(file.read_bytes())
            for place, byte in data.draw(_DAMAGES) if content else ():
                content[place % len(content)] = byte
            file.write_bytes(content)
        read_journal(path)
        read_latest(path)
