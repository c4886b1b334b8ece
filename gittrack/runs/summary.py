"""The summary of a live run: the last value of each metric, or what the script says instead."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from gittrack.values import InvalidValueError, to_number, validate_metric_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Summary(MutableMapping[str, "int | float"]):
    """What sums a run up, by the names of metrics; a value that is set here counts more than what is logged.

    Args:
        read_last: Returns the last value of each metric that was logged.
        write: Records what was set.
    """

    def __init__(
        self, read_last: Callable[[], dict[str, int | float]], write: Callable[[dict[str, Any]], None]
    ) -> None:
        self._read_last = read_last
        self._write = write
        self._set: dict[str, int | float] = {}

    def __getitem__(self, name: str) -> int | float:
        return self._set[name] if name in self._set else self._read_last()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __delitem__(self, name: str) -> None:
        raise InvalidValueError(f"what is recorded of '{name}' cannot be removed", hint="set another value")

    def __iter__(self) -> Iterator[str]:
        return iter({**self._read_last(), **self._set})

    def __len__(self) -> int:
        return len({**self._read_last(), **self._set})

    def __repr__(self) -> str:
        return repr({**self._read_last(), **self._set})

    def update(self, *others: Any, **values: Any) -> None:
        """Set several values, all or none.

        Raises:
            InvalidValueError: A name is no text or a value no number; nothing was set.
        """
        given = {**dict(*others), **values}
        numbers = {validate_metric_name(name): to_number(value, name=str(name)) for name, value in given.items()}
        if numbers:
            self._set.update(numbers)
            self._write(dict(numbers))
