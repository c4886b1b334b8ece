"""Steps of a transfer side by side: in order, no more at a time than allowed, and none left behind an error."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.storage.side_by_side import SideBySide, entered_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator


class Log:
    """What happened, and how much at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.entered: list[int] = []
        self.left: list[int] = []
        self.n_now = self.n_most = 0

    @contextlib.contextmanager
    def step(self, number: int, fails: int = -1) -> Iterator[int]:
        with self.lock:
            self.n_now += 1
            self.n_most = max(self.n_most, self.n_now)
            self.entered.append(number)
        if number == fails:
            raise ConnectionError(str(number))
        time.sleep(0.01)
        try:
            yield number
        finally:
            with self.lock:
                self.n_now -= 1
                self.left.append(number)


@pytest.mark.parametrize("n_ahead", [0, 1, 3])
def test_contexts_are_given_in_order_and_all_left(n_ahead: int) -> None:
    """Some are entered ahead, each is left."""
    log = Log()
    given = []
    for number in entered_ahead((log.step(number) for number in range(8)), n_ahead):
        time.sleep(0.02)
        given.append(number)
    assert given == list(range(8))
    assert sorted(log.left) == list(range(8))
    assert log.n_most <= n_ahead + 1
    assert log.n_most > 1 or not n_ahead


@pytest.mark.parametrize("n_ahead", [0, 1, 3])
def test_a_context_that_fails_leaves_no_other_entered(n_ahead: int) -> None:
    """What it raises comes up when its turn comes."""
    log = Log()
    given = []
    with pytest.raises(ConnectionError, match="3"):
        given.extend(entered_ahead((log.step(number, fails=3) for number in range(8)), n_ahead))
    assert sorted(log.left) == [number for number in sorted(log.entered) if number != 3]


@pytest.mark.parametrize("n_ahead", [0, 2])
def test_who_stops_early_leaves_nothing_entered(n_ahead: int) -> None:
    """What was entered ahead is left as well."""
    log = Log()
    received = entered_ahead((log.step(number) for number in range(8)), n_ahead)
    with contextlib.closing(received):
        assert next(received) == 0
    assert sorted(log.left) == sorted(log.entered)
    assert len(log.entered) <= n_ahead + 2


@pytest.mark.parametrize("n_at_once", [1, 2])
def test_no_more_than_allowed_at_once(n_at_once: int) -> None:
    """And all of them by the end of the block."""
    log, done = Log(), []

    def work(number: int) -> None:
        with log.step(number):
            done.append(number)

    with SideBySide[None](n_at_once) as steps:
        for number in range(6):
            steps.start(lambda number=number: work(number))  # type: ignore[misc]
    assert sorted(done) == list(range(6))
    assert log.n_most == n_at_once


@pytest.mark.parametrize("n_at_once", [1, 2])
def test_an_error_ends_it(n_at_once: int) -> None:
    """Nothing further begins, and nobody is left at work."""
    log = Log()

    def work(number: int) -> None:
        with log.step(number, fails=1):
            pass

    def work_on_all() -> None:
        with SideBySide[None](n_at_once) as steps:
            for number in range(50):
                steps.start(lambda number=number: work(number))  # type: ignore[misc]

    with pytest.raises(ConnectionError):
        work_on_all()
    assert len(log.entered) < 8
    n_before = len(log.entered)
    time.sleep(0.05)
    assert len(log.entered) == n_before
