"""Steps of a transfer side by side: prepared one after the other, done some at a time, ended in their order."""

from __future__ import annotations

import itertools
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

T = TypeVar("T")


class SideBySide(Generic[T]):
    """Work in threads, of which only some are under way at a time; leave the ``with`` block to wait for the last.

    What raises ends the whole: what has not begun is not begun, what is under way comes to its end.

    Args:
        n_at_once: How many; with 1, work is done in the caller's thread.
    """

    def __init__(self, n_at_once: int) -> None:
        self._n_at_once = n_at_once
        self._pool = ThreadPoolExecutor(n_at_once) if n_at_once > 1 else None
        self._under_way: deque[Future[T]] = deque()

    def start(self, work: Callable[[], T]) -> None:
        """Begin a piece of work, as soon as there is room for it.

        Raises:
            Exception: What an earlier piece of work raised.
        """
        if self._pool is None:
            work()
            return
        while len(self._under_way) >= self._n_at_once:
            self._under_way.popleft().result()
        self._under_way.append(self._pool.submit(work))

    def __enter__(self) -> SideBySide[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while kind is None and self._under_way:
                self._under_way.popleft().result()
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)


def entered_ahead(contexts: Iterable[AbstractContextManager[T]], n_ahead: int) -> Generator[T, None, None]:
    """Yield what contexts give, one at a time and in order, while the next ones are entered in threads.

    Args:
        contexts: The contexts; each is left when the next one is asked for.
        n_ahead: How many are entered before they are asked for; with 0, all is done in the caller's thread.

    Raises:
        Exception: What a context raised; those that were entered are left.
    """
    if n_ahead < 1:
        for context in contexts:
            with context as given:
                yield given
        return
    source = iter(contexts)
    entered: deque[Future[tuple[ExitStack, T]]] = deque()
    with ThreadPoolExecutor(n_ahead) as pool:
        try:
            for context in itertools.islice(source, n_ahead):
                entered.append(pool.submit(_enter, context))
            while entered:
                stack, given = entered.popleft().result()
                for context in itertools.islice(source, 1):
                    entered.append(pool.submit(_enter, context))
                with stack:
                    yield given
        finally:
            for future in entered:
                if not future.cancel() and future.exception() is None:
                    future.result()[0].close()


def _enter(context: AbstractContextManager[T]) -> tuple[ExitStack, T]:
    stack = ExitStack()
    return stack, stack.enter_context(context)
