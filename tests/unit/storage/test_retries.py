"""Requests are tried again with growing pauses, a bounded number of times."""

from __future__ import annotations

import email.utils
import time

import pytest

from gittrack.storage.http_client import parse_retry_after
from gittrack.storage.protocol import StorageError
from gittrack.storage.retries import Retries, TransientError


class Flaky:
    """Fails so many times, then returns."""

    def __init__(self, n_failures: int, wait_s: float | None = None) -> None:
        self.n_calls = 0
        self._n_failures = n_failures
        self._wait_s = wait_s

    def __call__(self) -> str:
        self.n_calls += 1
        if self.n_calls <= self._n_failures:
            raise TransientError("busy", wait_s=self._wait_s)
        return "done"


def test_a_passing_fault_is_overcome_with_growing_pauses() -> None:
    """The pauses double, each shortened by chance to no less than half."""
    slept: list[float] = []
    work = Flaky(3)
    assert Retries(first_wait_s=0.1, sleep=slept.append).run(work) == "done"
    assert len(slept) >= 3
    assert 0.05 + 0.1 + 0.2 <= sum(slept) <= 0.1 + 0.2 + 0.4


def test_a_lasting_fault_ends_after_a_bounded_number_of_tries() -> None:
    """Five tries, then an error that says so."""
    work = Flaky(100)
    with pytest.raises(StorageError, match=r"busy \(5 tries\)"):
        Retries(sleep=lambda _: None).run(work)
    assert work.n_calls == 5


def test_a_final_fault_is_not_tried_again() -> None:
    """An answer that would be the same the next time is raised at once."""
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        raise StorageError("no")

    with pytest.raises(StorageError, match="no"):
        Retries(sleep=lambda _: None).run(work)
    assert len(calls) == 1


def test_progress_begins_the_count_anew() -> None:
    """A transfer that gets on is not given up for the number of its cuts."""
    position = [0]

    def work() -> str:
        position[0] += 10 << 20
        if position[0] < 100 << 20:
            raise TransientError("cut")
        return "done"

    assert Retries(n_tries=2, sleep=lambda _: None).run(work, position=lambda: position[0]) == "done"


def test_the_storage_says_how_long_to_wait() -> None:
    """Retry-After is waited for, but not for hours."""
    slept: list[float] = []
    Retries(sleep=slept.append).run(Flaky(1, wait_s=7))
    assert sum(slept) == pytest.approx(7)
    with pytest.raises(StorageError, match="asks to wait 9,000 seconds"):
        Retries(sleep=slept.append).run(Flaky(1, wait_s=9000))


def test_retry_after_is_read_in_both_forms() -> None:
    """Seconds, or a date; nonsense says nothing."""
    assert parse_retry_after("120") == 120
    date = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert 55 < (parse_retry_after(date) or 0) <= 60
    for text in (None, "", "soon", "-5", "Mon, 99 Foo 2024"):
        assert parse_retry_after(text) is None
