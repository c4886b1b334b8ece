"""The file of a plot: the same whether it was packed or not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gittrack.runs import plot_document
from gittrack.runs.plot_document import Plot, is_packed, pack_plot, read_plot, render_plot, unpack_plot

COLUMNS = st.dictionaries(st.text(max_size=5), arrays(np.float64, st.integers(0, 20)), max_size=4)


@given(COLUMNS, st.one_of(st.none(), st.integers()))
def test_a_packed_plot_becomes_the_same_document(columns: dict[str, Any], step: int | None) -> None:
    """Byte for byte, with every kind of number."""
    columns = {key.encode("utf-8", "replace").decode(): values for key, values in columns.items()}
    plot = Plot("roc", columns, {"data": [], "layout": {}}, {"auc": float("nan")})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plot_document, "_MIN_PACKED", 0)
        packed = pack_plot(plot, "n", step)
    assert is_packed(packed[:16])
    assert unpack_plot(packed) == render_plot(plot, "n", step)


def test_what_json_lacks_is_read_again() -> None:
    """In columns and sums; figures are as plotly wants them."""
    plot = Plot("k", {"a": [1, float("inf"), "x", None, [float("nan")]]}, {"data": []}, {"v": float("-inf")})
    found = read_plot(render_plot(plot, "n", 3))
    assert repr(found["columns"]["a"]) == "[1, inf, 'x', None, [nan]]"
    assert (found["values"], found["name"], found["step"]) == ({"v": float("-inf")}, "n", 3)


def test_short_plots_and_other_files_are_not_packed() -> None:
    """They stay what they are."""
    data = pack_plot(Plot("roc", {"a": np.zeros(9)}, {"data": []}), "n", None)
    assert json.loads(data)["columns"] == {"a": [0.0] * 9}
    for same in (data, b"", b"text", b"\x89PNG"):
        assert unpack_plot(same) == same


@pytest.mark.parametrize(
    "data",
    [
        b'{"packed":',
        b'{"packed":[]}',
        b'{"packed":[["a",1]],"figure":{}}\n1234567',
        b'{"packed":[["a",2],["b",-1]],"figure":{}}\n12345678',
        b'{"packed":[["a"]],"figure":{}}\n',
        b'{"packed":5,"figure":{}}\n',
        b'{"packed":[["a","x"]],"figure":{}}\n',
    ],
)
def test_a_damaged_one_is_an_error(data: bytes) -> None:
    """That says so, rather than one of Python's."""
    with pytest.raises(ValueError, match=r".+"):
        unpack_plot(data)
