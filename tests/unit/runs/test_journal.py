from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.experiments.series import Series
from gittrack.runs import journal as journal_module
from gittrack.runs.journal import JournalWriter, events_path, find_journals
from gittrack.runs.journal_reader import Point, merge_journals, merge_latest, read_journal, read_latest
from gittrack.values import InvalidValueError

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.values import PlainValue


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.journal"


def test_metrics_come_back_in_the_order_of_logging(path: Path) -> None:
    """Names, steps, times, types and special values are what was logged."""
    journal = JournalWriter(path)
    journal.metrics({"loss": 0.5, "n": 3}, 0, 10.25)
    journal.metrics({"loss": math.inf}, 2, 11.0)
    journal.metrics({"loss": math.nan, "n": 10**5000}, 1, 12.0)
    journal.metrics({"n": -(16**5000)}, 2**80, 13.0)
    journal.close()
    series = read_journal(path).series
    assert series["n"] == Series([0, 1, 2**80], [10.25, 12.0, 13.0], [3, 10**5000, -(16**5000)])
    assert series["loss"].steps == [0, 2, 1]
    assert series["loss"].values[:2] == [0.5, math.inf]
    assert math.isnan(series["loss"].values[2])


@pytest.mark.parametrize("name", ["a b", "ü/\n\t", "..", "x" * 300, '{"checkpoint":', '"0x1f"', "caf\udce9"])
def test_any_name_can_be_logged(path: Path, name: str) -> None:
    """A name of any form neither breaks a line nor is taken for anything else."""
    with_journal(path, {name: 1.5})
    (read,) = read_journal(path).series
    assert read == name.replace("\udce9", "\\udce9")
    assert list(read_latest(path).values) == [read]


def with_journal(path: Path, values: dict[str, float]) -> None:
    journal = JournalWriter(path)
    journal.metrics(values, 1, 2.0)
    journal.close()


@pytest.mark.parametrize("data", [None, "a\tb\nc", [1, {"x": math.inf}], {"lr": 10**5000, "name": "ü"}, {"$float": 1}])
def test_events_are_on_disk_when_the_call_returns(path: Path, data: PlainValue) -> None:
    """Any plain value comes back, without a flush."""
    journal = JournalWriter(path)
    before = time.time()
    journal.event("params", data)
    (event,) = read_journal(path).events
    assert (event.kind, event.data) == ("params", data)
    assert before <= event.time <= time.time()
    journal.close()


@pytest.mark.parametrize("values", [{"loss": "high"}, {"loss": None}, {"": 1.0}, {7: 1.0}])
def test_what_is_no_metric_is_refused_at_once(path: Path, values: dict[str, float]) -> None:
    """A wrong value or name raises in the call and leaves nothing behind."""
    journal = JournalWriter(path)
    with pytest.raises(InvalidValueError):
        journal.metrics(values, 0, 1.0)
    journal.close()
    assert read_journal(path).series == {}


def test_numbers_of_other_types_become_plain(path: Path) -> None:
    """Bools and numpy scalars are numbers."""
    numpy = pytest.importorskip("numpy")
    with_journal(path, {"a": True, "b": numpy.float32(0.5), "c": numpy.float64(0.25), "d": numpy.int64(7)})
    assert repr({name: points.values[0] for name, points in read_journal(path).series.items()}) == (
        "{'a': 1, 'b': 0.5, 'c': 0.25, 'd': 7}"
    )


def test_no_metrics_are_no_point(path: Path) -> None:
    """An empty mapping may be logged."""
    with_journal(path, {})
    assert read_journal(path).series == {}


def test_buffered_points_are_on_disk_within_a_second(path: Path) -> None:
    """Nobody needs to flush."""
    journal = JournalWriter(path)
    journal.metrics({"loss": 0.5}, 0, 1.0)
    deadline = time.monotonic() + 1.0
    while "loss" not in read_journal(path).series:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    journal.close()


def test_durable_steps_are_on_disk_when_the_call_returns(path: Path) -> None:
    """With `durability="step"` no call returns before the kernel has its points."""
    journal = JournalWriter(path, durability="step")
    for step in range(3):
        journal.metrics({"loss": 0.5}, step, 1.0)
        assert read_journal(path).series["loss"].steps == list(range(step + 1))
    journal.close()


def test_threads_lose_nothing(path: Path) -> None:
    """Four threads that log and flush at once get every point in, in the order of each."""
    journal = JournalWriter(path)

    def work(number: int) -> None:
        for step in range(5000):
            journal.metrics({f"m{number}": step, "shared": number}, step, float(step))
            if step % 500 == 0:
                journal.flush()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    series = read_journal(path).series
    assert all(series[f"m{number}"].steps == list(range(5000)) for number in range(4))
    assert len(series["shared"].values) == 20_000


def test_a_closed_journal_warns_once_and_records_no_more(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Logging after the end is no error, and closing twice is none."""
    journal = JournalWriter(path)
    journal.metrics({"loss": 1.0}, 0, 1.0)
    journal.close()
    journal.close()
    with caplog.at_level(logging.WARNING, logger="gittrack"):
        journal.metrics({"loss": 2.0}, 1, 2.0)
        journal.metrics({"loss": 3.0}, 2, 3.0)
    assert [record.message for record in caplog.records] == [
        "the run has ended: what is logged from now on is not recorded"
    ]
    assert read_journal(path).series["loss"].values == [1.0]


def test_a_journal_never_overwrites(path: Path) -> None:
    """A file that exists belongs to somebody else."""
    JournalWriter(path).close()
    with pytest.raises(FileExistsError):
        JournalWriter(path)


def test_the_latest_values_are_those_of_the_highest_steps(path: Path) -> None:
    """Live values follow the same rule as the summary, also over groups of metrics."""
    journal = JournalWriter(path)
    journal.metrics({"loss": 0.9, "lr": 0.1}, 5, 1.0)
    journal.metrics({"loss": 0.8}, 6, 2.0)
    journal.metrics({"loss": 0.1, "lr": 0.2}, 3, 3.0)
    journal.event("tags", {"a": 1})
    latest = read_latest(path)
    journal.close()
    assert latest.values == {"loss": Point(0.8, 6, 2.0), "lr": Point(0.1, 5, 1.0)}
    assert [event.kind for event in latest.events] == ["tags"]


def test_the_latest_values_are_found_from_the_tail(path: Path) -> None:
    """A metric that was logged once, megabytes ago, is known from the checkpoints; the head is not read."""
    journal = JournalWriter(path)
    journal.metrics({"early": 10**5000}, 1, 1.0)
    for step in range(60_000):
        journal.metrics({"loss": step / 7, "accuracy": step / 9}, step, 1.5 + step)
    journal.close()
    size = path.stat().st_size
    assert size > 2 << 20
    with path.open("r+b") as file:
        file.write(b"\0" * (size // 2))
    latest = read_latest(path)
    assert latest.n_skipped == 0
    assert latest.values["early"] == Point(10**5000, 1, 1.0)
    assert latest.values["loss"] == Point(59_999 / 7, 59_999, 1.5 + 59_999)


def test_wide_steps_make_short_lines(path: Path) -> None:
    """A thousand metrics per step are flushed after a few steps, so that memory stays small."""
    journal = JournalWriter(path)
    for step in range(20):
        journal.metrics({f"m{number}": 0.5 for number in range(1000)}, step, 1.0)
    assert len(path.read_bytes().splitlines()) >= 3
    journal.close()
    assert read_journal(path).series["m999"].steps == list(range(20))


@pytest.mark.parametrize("tail", [b"[[0,9,9.0", b'{"group":7', b"[[0,9,9.0,1.0]]"])
def test_a_line_cut_off_by_a_crash_is_ignored(path: Path, tail: bytes) -> None:
    """What has no line feed was never acknowledged."""
    with_journal(path, {"loss": 0.5})
    with path.open("ab") as file:
        file.write(tail)
    contents = read_journal(path)
    assert contents.series["loss"].steps == [1]
    assert contents.n_skipped == 0
    assert read_latest(path).values["loss"].step == 1


@pytest.mark.parametrize(
    "line",
    [b"", b"\0\0\0", b"[[9,1,1.0,1.0]]", b"[[0,1,1.0]]", b"[[0,1,1.0,1.0],[0,1]]", b"7", b'{"names":[1]}', b"[" * 9999],
)
def test_a_damaged_line_is_counted_and_the_rest_read(path: Path, line: bytes) -> None:
    """One bad line does not cost the others."""
    with_journal(path, {"loss": 0.5})
    data = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(data[0] + line + b"\n" + data[1])
    contents = read_journal(path)
    assert contents.series["loss"].values == [0.5]
    assert contents.n_skipped == 1
    assert read_latest(path).values["loss"].value == 0.5


def test_damaged_events_are_counted(path: Path) -> None:
    """One bad event does not cost the others, and a journal without events is one."""
    journal = JournalWriter(path)
    journal.event("note", "kept")
    journal.close()
    with events_path(path).open("ab") as file:
        file.write(b"note\tyesterday\t1\nnote\t1.0\t{\nnote\n\xff\n")
    contents = read_journal(path)
    assert [event.data for event in contents.events] == ["kept"]
    assert contents.n_skipped == 4
    events_path(path).unlink()
    assert read_journal(path).events == []


def test_journals_of_one_run_are_merged_by_time(tmp_path: Path) -> None:
    """Events and points of several processes come in the order of time; the latest value wins."""
    for name, start in (("a", 0), ("b", 1)):
        journal = JournalWriter(tmp_path / f"{name}.journal")
        journal.event("note", name)
        for step in (start, start + 2):
            journal.metrics({"loss": step / 10}, step, float(step))
        journal.close()
    paths = find_journals(tmp_path)
    merged = merge_journals(map(read_journal, reversed(paths)))
    assert merged.series == {"loss": Series([0, 1, 2, 3], [0.0, 1.0, 2.0, 3.0], [0.0, 0.1, 0.2, 0.3])}
    assert [event.data for event in merged.events] == ["a", "b"]
    latest = merge_latest(map(read_latest, paths))
    assert latest.values == {"loss": Point(0.3, 3, 3.0)}
    assert [event.data for event in latest.events] == ["a", "b"]


def test_without_a_thread_every_step_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no thread, what would have been buffered is not left in memory."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(journal_module.threading.Thread, "start", refuse)
    journal = JournalWriter(path)
    journal.metrics({"loss": 0.5}, 0, 1.0)
    assert read_journal(path).series["loss"].values == [0.5]
    journal.close()
