"""Which experiment is whose parent, and the order in which children follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.experiments.names import ExperimentRef
from gittrack.experiments.nesting import Nested, find_parents, nest

N = 12


def ref(number: int) -> ExperimentRef:
    return ExperimentRef("a" * 40, f"e{number}")


@given(st.dictionaries(st.integers(0, N - 1), st.integers(0, N - 1)))
def test_every_experiment_has_one_place(links: dict[int, int]) -> None:
    """Whatever parents are recorded, all are there once, and one step deeper than the last one above them."""
    members = [Nested(ref(i), {str(i)}, None if i not in links else str(links[i])) for i in range(N)]
    parents = find_parents(members)
    assert parents == {ref(child): ref(parent) for child, parent in links.items() if child != parent}
    placed = list(nest([member.experiment for member in members], parents))
    assert {experiment for experiment, _ in placed} == {ref(i) for i in range(N)}
    assert len(placed) == N
    above: list[ExperimentRef] = []
    for experiment, depth in placed:
        assert depth <= len(above)
        if depth:
            assert parents[experiment] == above[depth - 1]
        above[depth:] = [experiment]


@pytest.mark.parametrize("is_circle", [False, True])
def test_a_long_chain_is_walked_in_one_go(is_circle: bool) -> None:
    """Ten thousand levels need neither recursion nor a walk for each."""
    members = [Nested(ref(i), {str(i)}, str(i - 1) if i or is_circle else None) for i in range(10_000)]
    if is_circle:
        members[0] = members[0]._replace(parent_run="9999")
    placed = list(nest([member.experiment for member in members], find_parents(members)))
    assert [depth for _, depth in placed] == list(range(10_000))


def test_the_closest_of_several_parents_counts() -> None:
    """The same baseline counts before the same remote, and that before anything else."""
    here, there = ExperimentRef("a" * 40, "up"), ExperimentRef("a" * 40, "up", "origin")
    elsewhere = ExperimentRef("b" * 40, "up")
    child = Nested(ExperimentRef("a" * 40, "child", "origin"), {"2"}, "1")
    ups = [Nested(one, {"1"}, None) for one in (elsewhere, here, there)]
    for n_left, expected in ((3, there), (2, here), (1, elsewhere)):
        assert find_parents([*ups[:n_left], child]) == {child.experiment: expected}
