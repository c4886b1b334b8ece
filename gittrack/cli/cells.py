"""Single cells as text: numbers, values of params, moments."""

from __future__ import annotations

from time import gmtime, strftime
from typing import Final

from gittrack.visible import sanitise

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86400
_WEEK_S: Final = 7 * _DAY_S
_EXACT_BELOW: Final = 1e9  # numbers up to here show all digits of their integer part


def render_number(number: float, precision: int | None = 5) -> str:
    """Return a number for reading: `precision` significant digits, integers in full.

    Args:
        number: An int or a float.
        precision: Significant digits of a float; None means all of them.

    Example:
        >>> [render_number(n) for n in (0.912345678, 3, 1e-05, 123456.7, 2.5e12, float("nan"))]
        ['0.91235', '3', '1e-5', '123457', '2.5e+12', 'nan']
        >>> render_number(0.1 + 0.2, None), render_number(1e-05, None)
        ('0.30000000000000004', '1e-5')
    """
    if isinstance(number, int):
        return str(number)
    text = repr(number) if precision is None else f"{number:.{precision}g}"
    if "e" not in text:
        return text
    if precision is not None and 1 <= abs(number) < _EXACT_BELOW:
        return f"{number:.0f}"
    return text.replace("e-0", "e-").replace("e+0", "e+")


def render_value(value: object, precision: int | None = 5) -> str:
    """Return the value of a param or metric as harmless text, as it would stand in a YAML file.

    Example:
        >>> [render_value(value) for value in (True, None, 0.1, "adam", [1, 2.5], {})]
        ['true', 'null', '0.1', 'adam', '[1, 2.5]', '{}']
    """
    if isinstance(value, str):
        return sanitise(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return render_number(value, precision)
    import json

    return sanitise(json.dumps(value, ensure_ascii=False, default=str))


def render_age(moment_s: float, now_s: float) -> str:
    """Return how long ago a moment was, or its date when that is more than a week.

    Args:
        moment_s: UTC seconds since 1970.
        now_s: The same for the present.

    Example:
        >>> now = 1_763_719_812
        >>> [render_age(now - ago, now) for ago in (5, 200, 7200, 200_000, 2_000_000, 40_000_000)]
        ['just now', '3 min ago', '2 h ago', '2 days ago', 'Oct 29', '2024-08-15']
    """
    age_s = now_s - moment_s
    if not -_MINUTE_S < age_s < _WEEK_S:
        return _date(moment_s, now_s)
    if age_s < _MINUTE_S:
        return "just now"
    if age_s < _HOUR_S:
        return f"{int(age_s // _MINUTE_S)} min ago"
    if age_s < _DAY_S:
        return f"{int(age_s // _HOUR_S)} h ago"
    days = int(age_s // _DAY_S)
    return "1 day ago" if days == 1 else f"{days} days ago"


def render_moment(moment_s: float) -> str:
    """Return a moment in ISO 8601, in UTC.

    Args:
        moment_s: UTC seconds since 1970.

    Example:
        >>> render_moment(0), render_moment(1.5)
        ('1970-01-01T00:00:00Z', '1970-01-01T00:00:01.500Z')
    """
    whole_s, milliseconds = divmod(round(moment_s * 1000), 1000)
    text = strftime("%Y-%m-%dT%H:%M:%S", gmtime(whole_s))
    return f"{text}.{milliseconds:03d}Z" if milliseconds else text + "Z"


def _date(moment_s: float, now_s: float) -> str:
    moment = gmtime(moment_s)
    return strftime("%b %d" if moment.tm_year == gmtime(now_s).tm_year else "%Y-%m-%d", moment)
