"""The cache: what is damaged is never given out."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.cache import Cache, ObjectCorruptError, ObjectMissingError
from gittrack.artifacts.digest import Digest, hash_bytes
from tests.support.artifacts import age, damage, drop, fill_cache

if TYPE_CHECKING:
    from pathlib import Path


def test_an_object_is_read_back(tmp_path: Path) -> None:
    """Its content, its size, its place in the list; and it cannot be written to."""
    cache, (digest,) = fill_cache(tmp_path / "cache", b"content")
    assert cache.read(digest, 100) == b"content"
    assert cache.find_size(digest) == 7
    assert list(cache.list_digests()) == [digest]
    assert cache.is_intact(digest)
    assert cache.path(digest).stat().st_mode & 0o777 == 0o444


def test_damage_is_found(tmp_path: Path) -> None:
    """Other bytes, fewer bytes and an empty file, of small and large objects."""
    cache, digests = fill_cache(tmp_path / "cache", b"content", os.urandom(9 << 20))
    for digest in digests:
        for content in (b"another", b"", b"c"):
            damage(cache, digest, content)
            assert not cache.is_intact(digest)
            with pytest.raises(ObjectCorruptError):
                cache.read(digest, 100)


def test_an_object_that_is_absent_is_said_to_be(tmp_path: Path) -> None:
    """With the way out, and also where there is no cache at all."""
    cache, absent = Cache(tmp_path / "none"), hash_bytes(b"absent")
    for call in (cache.open, cache.is_intact, lambda digest: cache.read(digest, 1)):
        with pytest.raises(ObjectMissingError) as caught:
            call(absent)
        assert caught.value.hint == "run 'gittrack pull'"
    assert cache.find_size(absent) is None
    assert cache.find_missing([absent, absent]) == [absent]
    assert list(cache.list_digests()) == []
    assert not cache.freshen(absent)
    cache.remove(absent)


def test_an_object_that_is_larger_than_allowed_is_refused(tmp_path: Path) -> None:
    """A list of files cannot be made to fill the memory."""
    cache, (digest,) = fill_cache(tmp_path / "cache", b"content")
    assert cache.read(digest, 7) == b"content"
    with pytest.raises(ObjectCorruptError, match="larger than 6 bytes"):
        cache.read(digest, 6)


def test_many_are_looked_for_by_one_listing(tmp_path: Path) -> None:
    """The same answer, in the same order, for few and for many."""
    cache, present = fill_cache(tmp_path / "cache", *(str(number).encode() for number in range(300)))
    absent = [hash_bytes(str(number).encode()) for number in range(300, 310)]
    assert cache.find_missing([*present, *absent]) == absent
    assert cache.find_missing([*present[:5], *absent]) == absent


def test_what_is_no_object_is_not_listed(tmp_path: Path) -> None:
    """Files that somebody put there."""
    cache, (digest,) = fill_cache(tmp_path / "cache", b"content")
    (cache.objects / "README").write_text("x")
    (cache.objects / "zz").mkdir()
    (cache.objects / "zz" / ("0" * 62)).write_text("x")
    (cache.objects / digest[:2] / "short").write_text("x")
    assert list(cache.list_digests()) == [digest]


def test_a_link_in_the_place_of_an_object_is_not_followed(tmp_path: Path) -> None:
    """Whoever can write into a shared cache cannot make others read their own files."""
    cache, (digest,) = fill_cache(tmp_path / "cache", b"content")
    (tmp_path / "secret").write_text("secret")
    drop(cache, digest)
    cache.path(digest).symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic"):
        cache.open(digest)


def test_a_corrupt_object_is_set_aside(tmp_path: Path) -> None:
    """Under its name, so that it can be looked at; twice does nothing."""
    cache, (digest,) = fill_cache(tmp_path / "cache", b"content")
    damage(cache, digest)
    place = cache.set_aside(digest)
    assert place is not None
    assert place.read_bytes() == b"damaged"
    assert cache.find_size(digest) is None
    assert cache.set_aside(digest) is None


def test_an_old_object_counts_as_new_when_it_is_added_again(tmp_path: Path) -> None:
    """So that a collection of garbage that goes on leaves it alone; a young one is not written to."""
    cache, (digest,) = fill_cache(tmp_path / "cache", b"content")
    age(cache.path(digest))
    assert cache.freshen(digest)
    assert time.time() - cache.path(digest).stat().st_mtime < 60
    before = cache.path(digest).stat().st_mtime_ns
    assert cache.freshen(Digest(digest))
    assert cache.path(digest).stat().st_mtime_ns == before
