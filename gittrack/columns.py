"""Tables of plain values: rows, columns, DataFrames and arrays, all as one mapping of columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gittrack.values import InvalidValueError, to_plain

if TYPE_CHECKING:
    from gittrack.values import PlainValue

Columns = dict[str, list["PlainValue"]]


def to_columns(data: Any, names: Sequence[str] | None = None) -> Columns:
    """Return a table as columns of one length.

    Args:
        data: A list of dicts (a key that one of them lacks is None there), a list of rows, a mapping of columns, a
            DataFrame (pandas, polars, pyarrow), or an array with one or two dimensions, of named fields too.
        names: The columns' names, where rows have none; ``0``, ``1``… by default.

    Raises:
        InvalidValueError: It is something else, has columns of different lengths, or a value has no plain form.

    Example:
        >>> to_columns([{"x": 1, "y": 2}, {"x": 3}])
        {'x': [1, 3], 'y': [2, None]}
        >>> to_columns([[1, 2], [3, 4]], ["a", "b"])
        {'a': [1, 3], 'b': [2, 4]}
    """
    opened = _open(data)
    if isinstance(opened, Mapping):
        columns = {str(name): to_list(values, f"the column {str(name)!r}") for name, values in opened.items()}
    else:
        columns = _from_rows(list(opened), names)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidValueError(f"the columns have different lengths: {_shown(lengths)}")
    return columns


def to_list(values: Any, what: str) -> list[PlainValue]:
    """Return a sequence of any kind as a list of plain values.

    Args:
        values: A list, array, Series, tensor…
        what: What it is, for messages.

    Raises:
        InvalidValueError: It is none, or a value has no plain form.
    """
    if isinstance(values, (str, bytes, Mapping)) or values is None:
        raise InvalidValueError(f"{what} must be a list or an array, not {type(values).__name__}")
    values = detached(values)
    for method in ("to_list", "to_pylist", "tolist"):
        if hasattr(values, method):
            values = getattr(values, method)()
            break
    if not isinstance(values, Iterable):
        raise InvalidValueError(f"{what} must be a list or an array, not {type(values).__name__}")
    items = list(values)
    if all(type(item) in {int, float, str, bool, type(None)} for item in items) and not any(
        type(item) is str and not item.isascii() for item in items
    ):
        return items  # millions of numbers need no second look
    plain = to_plain(items, name=what)
    return plain if isinstance(plain, list) else [plain]


def to_numbers(values: Any, what: str) -> list[int | float]:
    """Return a sequence of numbers as a list; True and False are no numbers.

    Args:
        values: A list, array, Series, tensor…
        what: What it is, for messages.

    Raises:
        InvalidValueError: It is none, or an item is no number.
    """
    numbers: list[Any] = to_list(values, what)
    for number in numbers:
        if type(number) not in {int, float}:
            raise InvalidValueError(f"{what} must hold numbers, not {number!r:.60}")
    return numbers


def detached(values: Any) -> Any:
    """Take a tensor from its graph and its device; anything else is returned as it is."""
    return values.detach().cpu() if hasattr(values, "detach") and hasattr(values, "cpu") else values


def _open(data: Any) -> Any:
    """Return a mapping of columns or a list of rows."""
    data = detached(data)
    kind = type(data).__module__.split(".")[0]
    if kind in {"pandas", "polars", "pyarrow"} and hasattr(data, "columns"):
        names = data.column_names if kind == "pyarrow" else list(data.columns)
        return {name: data[name] for name in names}
    if getattr(getattr(data, "dtype", None), "names", None):
        return {name: data[name] for name in data.dtype.names}
    if kind == "pandas" and hasattr(data, "to_list"):
        return {str(data.name if data.name is not None else 0): data}
    if hasattr(data, "tolist") and hasattr(data, "ndim"):
        if data.ndim not in {1, 2}:
            raise InvalidValueError(f"an array of datapoints must have one or two dimensions, not {data.ndim}")
        return data.tolist()
    if isinstance(data, (Mapping, Sequence)) and not isinstance(data, (str, bytes, bytearray)):
        return data
    raise InvalidValueError(
        f"datapoints must be rows, columns, a DataFrame or an array, not {type(data).__name__}",
        hint='pass a list of dicts such as [{"x": 1, "y": 2}]',
    )


def _from_rows(rows: list[Any], names: Sequence[str] | None) -> Columns:
    if all(isinstance(row, Mapping) for row in rows):
        keys = dict.fromkeys(str(key) for row in rows for key in row)
        texts = [{str(key): value for key, value in row.items()} for row in rows]
        return {key: to_list([row.get(key) for row in texts], f"the column {key!r}") for key in keys}
    if any(isinstance(row, (Mapping, str, bytes)) for row in rows):
        raise InvalidValueError("rows must be all dicts or all lists")
    plain = [to_list(row, "a row") if isinstance(row, Iterable) else [to_plain(row, name="a row")] for row in rows]
    width = len(plain[0]) if plain else 0
    if any(len(row) != width for row in plain):
        raise InvalidValueError("the rows have different lengths")
    keys_of_rows = [str(number) for number in range(width)] if names is None else [str(name) for name in names]
    if plain and len(keys_of_rows) != width:
        raise InvalidValueError(f"there are {len(keys_of_rows)} names for {width} columns")
    return {key: [row[index] for row in plain] for index, key in enumerate(keys_of_rows)}


def _shown(lengths: Mapping[str, int]) -> str:
    return ", ".join(f"{name!r} {length}" for name, length in list(lengths.items())[:5])
