"""The parsers of pointers and manifests fail in one way only, and read what was written."""

from __future__ import annotations

import contextlib
import json
import string

from hypothesis import given
from hypothesis import strategies as st

from gittrack.artifacts.digest import Digest
from gittrack.artifacts.manifest import FileEntry, InvalidManifestError, parse_manifest, render_manifest
from gittrack.artifacts.pointer import InvalidPointerError, Pointer, parse_pointer, render_pointer
from gittrack.paths import InvalidPathError, check_repository_path

digests = st.text("0123456789abcdef", min_size=64, max_size=64).map(Digest)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.text(
    string.printable, min_size=1, max_size=9
)
sizes = st.integers(0, (1 << 63) - 1)
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn"]), max_size=12)
scalars = st.none() | st.booleans() | st.integers(-(1 << 60), 1 << 60) | words
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=5
)


def is_portable(path: str) -> bool:
    try:
        check_repository_path(path)
    except InvalidPathError:
        return False
    return True


paths = st.lists(names, min_size=1, max_size=3).map("/".join)
good_paths = paths.filter(is_portable)
pointers = st.builds(
    Pointer,
    path=good_paths,
    kind=st.sampled_from(["file", "dir"]),
    digest=digests,
    size=sizes,
    files=sizes,
    executable=st.booleans(),
    type=st.none() | words,
    name=st.none() | words,
    desc=st.none() | words,
    labels=st.lists(words, max_size=3).map(tuple),
    meta=plain,
    media_type=st.none() | words,
    extra=st.dictionaries(
        words.map(lambda word: f"x {word}"), plain.filter(lambda value: value is not None), max_size=2
    ),
)


@given(pointers)
def test_a_pointer_reads_back(pointer: Pointer) -> None:
    """Whatever is said, with keys of later versions, and written again it is the same bytes."""
    with contextlib.suppress(InvalidPointerError):  # too large
        data = render_pointer(pointer)
        assert parse_pointer(data) == pointer
        assert render_pointer(parse_pointer(data)) == data


@given(pointers, st.data())
def test_a_damaged_pointer_is_a_pointer_or_an_error(pointer: Pointer, data: st.DataObject) -> None:
    """Bytes that were changed, cut or added end in nothing but that error."""
    with contextlib.suppress(InvalidPointerError):
        text = render_pointer(pointer)
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 8)))
        found = parse_pointer(text[:start] + data.draw(st.binary(max_size=8)) + text[end:])
        check_repository_path(found.path)
        assert found.kind in {"file", "dir"}
        assert 0 <= found.size < 1 << 63


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_noise_is_an_error(noise: bytes) -> None:
    """And never another one, for pointers and manifests."""
    with contextlib.suppress(InvalidPointerError):
        parse_pointer(b"gittrack: 1\n" + noise)
    with contextlib.suppress(InvalidManifestError):
        parse_manifest(noise)


@given(
    st.dictionaries(words | st.sampled_from(["gittrack", "path", "kind", "digest", "size", "files", "labels"]), plain)
)
def test_any_json_is_a_pointer_or_an_error(fields: dict[str, object]) -> None:
    """JSON is YAML, so it may come as well."""
    with contextlib.suppress(InvalidPointerError):
        parse_pointer(json.dumps({"gittrack": 1, **fields}).encode())


files = st.lists(st.builds(FileEntry, path=paths, digest=digests, size=sizes, is_executable=st.booleans()), max_size=6)


@given(files)
def test_a_manifest_reads_back(entries: list[FileEntry]) -> None:
    """Or the files cannot stand beside each other; and no path in it leads anywhere else."""
    with contextlib.suppress(InvalidManifestError):
        data = render_manifest(entries)
        found = parse_manifest(data)
        assert found == sorted(entries)
        assert render_manifest(found[::-1]) == data
        assert all(is_portable(entry.path) for entry in found)


@given(files, st.data())
def test_a_damaged_manifest_is_a_manifest_or_an_error(entries: list[FileEntry], data: st.DataObject) -> None:
    """What is read is in the one form, so two manifests of one folder are the same bytes."""
    with contextlib.suppress(InvalidManifestError):
        text = render_manifest(entries)
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 8)))
        changed = text[:start] + data.draw(st.binary(max_size=8)) + text[end:]
        assert render_manifest(parse_manifest(changed)) == changed
