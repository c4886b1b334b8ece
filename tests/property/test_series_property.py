from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from gittrack.experiments.series import Series, SeriesFormatError, parse_series, render_series, sort_points, summarise

_NUMBERS = st.one_of(st.floats(), st.integers(), st.integers(-(2**4000), 2**4000))
_LAST_TICK = 4_102_444_800_000_000  # the end of this century, in microseconds; later ones have no double of their own
_POINTS = st.lists(
    st.tuples(st.integers(-(2**70), 2**70), st.integers(0, _LAST_TICK), _NUMBERS), min_size=1, max_size=20
)
_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def _series(points: list[tuple[int, int, float]]) -> Series:
    steps, ticks, values = zip(*points, strict=True)
    return Series(list(steps), [tick / 1e6 for tick in ticks], list(values))


@given(st.dictionaries(_NAMES, _POINTS.map(_series), max_size=5))
def test_series_round_trip_in_the_order_of_the_file(series: dict[str, Series]) -> None:
    """What is written is read back, sorted, with every name, type and number."""
    data = render_series(series)
    parsed = parse_series(data)
    assert repr(parsed) == repr({name: sort_points(series[name]) for name in sorted(series)})
    assert render_series(parsed) == data


@given(st.dictionaries(_NAMES, _POINTS.map(_series), max_size=5))
def test_summaries_do_not_change_by_writing(series: dict[str, Series]) -> None:
    """The summary of what was logged equals that of the file."""
    again = summarise(parse_series(render_series(series)))
    assert repr(summarise({name: series[name] for name in sorted(series)})) == repr(again)


@given(st.data(), st.dictionaries(_NAMES, _POINTS.map(_series), min_size=1, max_size=3))
def test_damage_is_read_or_refused_by_name(data: st.DataObject, series: dict[str, Series]) -> None:
    """Any change of bytes gives other points or a `SeriesFormatError`, never another error."""
    text = bytearray(render_series(series))
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(SeriesFormatError):
        parse_series(bytes(text))
