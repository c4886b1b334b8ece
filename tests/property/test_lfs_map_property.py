"""The map of Git LFS names unites in any order, and comes back from its file as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.artifacts.digest import Digest
from gittrack.storage.lfs_map import DamagedMapError, LfsName, parse_map, render_map, unite

# Few digests, so that maps meet in them.
DIGESTS = st.sampled_from([Digest(digit * 64) for digit in "0123"])
NAMES = st.builds(LfsName, st.sampled_from([digit * 64 for digit in "abc"]), st.integers(0, 1 << 60))
MAPS = st.dictionaries(DIGESTS, NAMES)


@given(MAPS)
def test_a_map_comes_back(names: dict[Digest, LfsName]) -> None:
    """What is written is read."""
    assert parse_map(render_map(names)) == names


@given(MAPS, MAPS, MAPS)
def test_union_does_not_depend_on_order(
    one: dict[Digest, LfsName], two: dict[Digest, LfsName], three: dict[Digest, LfsName]
) -> None:
    """Clones that meet in any order, any number of times, have the same map; no digest is ever lost."""
    united = unite(one, two, three)
    assert united == unite(three, one, two) == unite(unite(one, two), unite(two, three)) == unite(united, united)
    assert united.keys() == {*one, *two, *three}
    assert render_map(united) == render_map(unite(three, two, one))


@given(MAPS, MAPS)
def test_lines_of_two_files_unite_too(one: dict[Digest, LfsName], two: dict[Digest, LfsName]) -> None:
    """A file that git merged line by line reads as the union."""
    assert parse_map(render_map(one) + render_map(two)) == unite(one, two)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but the one error comes of a hostile file."""
    try:
        names = parse_map(data)
    except DamagedMapError:
        return
    assert unite(names) == names


@pytest.mark.parametrize(
    "line",
    [
        b"0" * 64 + b" " + b"a" * 64 + b" 1",
        b"0" * 64 + b" " + b"a" * 64 + b" 01\n",
        b"0" * 64 + b" " + b"a" * 64 + b" -1\n",
        b"0" * 64 + b" " + b"A" * 64 + b" 1\n",
        b"0" * 64 + b"  " + b"a" * 64 + b" 1\n",
        b"0" * 64 + b" " + b"a" * 64 + " \u0661\n".encode(),
    ],
)
def test_other_forms_are_refused(line: bytes) -> None:
    """A missing end, a leading zero, a sign, capitals, two spaces, other digits."""
    with pytest.raises(DamagedMapError):
        parse_map(line)
