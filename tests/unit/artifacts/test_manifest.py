"""Manifests: one form for one folder, and nothing in one is trusted."""

from __future__ import annotations

import json
import unicodedata

import pytest

from gittrack.artifacts import manifest
from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.manifest import FileEntry, InvalidManifestError, parse_manifest, render_manifest

DIGEST = hash_bytes(b"x")


def entry(path: str, size: int = 1) -> FileEntry:
    return FileEntry(path, DIGEST, size)


def line(**fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode() + b"\n"


def test_a_folder_has_one_form() -> None:
    """Whatever the order, and it reads back."""
    files = [entry("b"), entry("a/b"), FileEntry("a-b", DIGEST, 0, is_executable=True), entry('q"uote\u00fc')]
    data = render_manifest(files)
    assert data == render_manifest(files[::-1])
    assert parse_manifest(data) == sorted(files)
    assert data.count(b"\n") == 4
    assert render_manifest([]) == b""
    assert parse_manifest(b"") == []


@pytest.mark.parametrize(
    "path",
    ["", "/a", "../a", "a/../b", "./a", "a//b", "a/", ".git", ".git/config", "a/.GIT/b", "git~1", ".g\u200dit/x", "con",
     "aux.txt", "a:b", "a\\b", "a.", "a ", "\x01", "x" * 256, "d/" * 100 + "f", "\ud800"],
)  # fmt: skip
def test_a_path_that_must_not_be_written_is_refused(path: str) -> None:
    """Neither written nor read."""
    with pytest.raises((InvalidManifestError, UnicodeEncodeError)):
        render_manifest([entry(path)])
    text = json.dumps(path, ensure_ascii=path.isascii() or "\ud800" in path)
    data = f'{{"digest":"b3:{DIGEST}","path":{text},"size":1}}\n'.encode()
    with pytest.raises(InvalidManifestError):
        parse_manifest(data)


@pytest.mark.parametrize(
    "paths",
    [
        ("a", "A"), ("a/x", "A/y"), ("a", "a/b"), ("A", "a/b"), ("a/b", "A"), ("stra\u00dfe", "strasse"),
        (unicodedata.normalize("NFC", "\u00e9"), unicodedata.normalize("NFD", "\u00e9")),
        (unicodedata.normalize("NFC", "\u00e9/a"), unicodedata.normalize("NFD", "\u00e9/b")), ("x/y/z", "x/Y"),
    ],
)  # fmt: skip
def test_names_that_are_one_name_elsewhere_are_refused(paths: tuple[str, str]) -> None:
    """Case, accents, and a file that would be a folder: one would overwrite the other."""
    with pytest.raises(InvalidManifestError, match="one name"):
        render_manifest([entry(path) for path in paths])
    lines = [line(digest=f"b3:{DIGEST}", path=path, size=1) for path in sorted(paths)]
    with pytest.raises(InvalidManifestError, match="one name"):
        parse_manifest(b"".join(lines))


@pytest.mark.parametrize(
    "data",
    [
        b"x", b"{}\n", b"[]\n", b"null\n", b"\n", b"\xff\n", b"{" * 5000, b"[" * 200_000 + b"\n",
        line(digest=f"b3:{DIGEST}", path="a", size=1)[:-1],
        line(digest=f"b3:{DIGEST}", path="a", size=1) * 2,
        line(digest=f"b3:{DIGEST}", path="b", size=1) + line(digest=f"b3:{DIGEST}", path="a", size=1),
        line(digest=f"b3:{DIGEST}", path="a", size=1) + b"\n",
        line(digest=f"b3:{DIGEST}", path="a", size=1).replace(b"\n", b"\r\n"),
        line(digest=f"b3:{DIGEST}", path="a", size=1, more=1),
        line(digest=f"b3:{DIGEST}", path="a", size=-1),
        line(digest=f"b3:{DIGEST}", path="a", size=1 << 63),
        line(digest=f"b3:{DIGEST}", path="a", size=1.0),
        line(digest=f"b3:{DIGEST}", path="a", size=True),
        line(digest=f"b3:{DIGEST}", path="a", size="1"),
        line(digest=f"b3:{DIGEST}", path=["a"], size=1),
        line(digest=f"b3:{DIGEST}", path=None, size=1),
        line(digest=DIGEST, path="a", size=1),
        line(digest=f"b3:{DIGEST}", path="a"),
        line(digest=f"b3:{DIGEST}", executable=False, path="a", size=1),
        line(digest=f"b3:{DIGEST}", executable=1, path="a", size=1),
        line(digest=f"b3:{DIGEST}", path="a", size=1).replace(b",", b", "),
        b'{"digest":"b3:' + DIGEST.encode() + b'","path":"\\u0061","size":1}\n',
        b'{"digest":"b3:' + DIGEST.encode() + b'","path":"a","size":' + b"9" * 5000 + b"}\n",
        b'{"path":"a","path":"b","digest":"b3:' + DIGEST.encode() + b'","size":1}\n',
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    """Any other spelling too: equal folders must have equal digests."""
    with pytest.raises(InvalidManifestError):
        parse_manifest(data)


def test_hostile_counts_are_refused_before_they_cost_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """By bytes and by lines, before the lines are split."""
    monkeypatch.setattr(manifest, "MAX_FILES", 10)
    with pytest.raises(InvalidManifestError, match="more than 10 files"):
        parse_manifest(b"\n" * 11)
    assert len(parse_manifest(render_manifest([entry(f"{number:02}") for number in range(10)]))) == 10
    monkeypatch.setattr(manifest, "MAX_MANIFEST_BYTES", 10)
    with pytest.raises(InvalidManifestError, match="too large"):
        parse_manifest(b" " * 11)
