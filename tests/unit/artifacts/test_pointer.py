"""Pointers: one form, and nothing in one is trusted."""

from __future__ import annotations

import pytest

from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.pointer import (
    MAX_WRITTEN_BYTES,
    InvalidPointerError,
    NewerPointerError,
    Pointer,
    parse_pointer,
    render_pointer,
)

DIGEST = hash_bytes(b"x")
GOOD = f"gittrack: 1\npath: data/a.bin\nkind: file\ndigest: b3:{DIGEST}\nsize: 1\nfiles: 1\n"


def with_line(key: str, value: str) -> bytes:
    lines = [line for line in GOOD.splitlines() if not line.startswith(f"{key}:")]
    return "\n".join([*lines, f"{key}: {value}\n"]).encode()


def test_a_plain_pointer_reads_back() -> None:
    """By the quick way and by YAML alike."""
    expected = Pointer("data/a.bin", "file", DIGEST, 1)
    assert parse_pointer(GOOD.encode()) == expected
    assert parse_pointer(b"# by hand\n" + GOOD.encode()) == expected
    assert render_pointer(expected) == GOOD.encode()


def test_everything_that_can_be_said_reads_back() -> None:
    """In the order of the format's page, with unknown keys kept at the end."""
    pointer = Pointer(
        "a b/ü.pt", "file", DIGEST, 7, executable=True, type="model", name="null", desc="a: b # c", labels=("1", "x y"),
        meta={"k": [1, 2.5, None, True, "no"]}, media_type="text/csv", extra={"later": {"a": 1}, "also": "x"},
    )  # fmt: skip
    data = render_pointer(pointer)
    assert parse_pointer(data) == pointer
    keys = [line.split(b":")[0].decode() for line in data.splitlines()]
    assert keys == [
        "gittrack", "path", "kind", "digest", "size", "files", "executable", "type", "name", "desc", "labels", "meta",
        "media_type", "also", "later",
    ]  # fmt: skip
    assert render_pointer(parse_pointer(data)._replace(size=8)) == data.replace(b"size: 7", b"size: 8")


@pytest.mark.parametrize(
    "path",
    [
        "", "/etc/passwd", "../x", "a/../../x", "a/./b", "a//b", ".git/config", ".GIT/hooks/x", "a/.git/x", "git~1/x",
        ".g\u200cit/x", ".git./x", ".git /x", "con", "a/nul.txt", "a\\\\b", "c:x", "a/b:stream", "x" * 256, "a.",
        "a ", "\\u0001", "\\ud800", "\uff0egit/x", "[1]", "{a: 1}", "3",
    ],
)  # fmt: skip
def test_a_path_that_must_not_be_written_is_refused(path: str) -> None:
    """In any disguise, quoted or plain."""
    for value in (path, f'"{path}"'):
        if value in {"a ", '"3"', '"[1]"', '"{a: 1}"'}:
            continue  # as texts they are names, and YAML drops a plain text's last space
        with pytest.raises(InvalidPointerError):
            parse_pointer(with_line("path", value))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", "link"), ("kind", "1"), ("kind", ""), ("kind", "[file]"), ("digest", "b3:0"), ("digest", "x" * 67),
        ("digest", "1"), ("digest", f"[b3:{DIGEST}]"), ("size", "-1"), ("size", "1.0"), ("size", "true"),
        ("size", str(1 << 63)), ("size", "9" * 400), ("size", ".inf"), ("size", "x"), ("size", ""), ("files", "-1"),
        ("files", "x"), ("labels", "x"), ("labels", "[1]"), ("type", "[x]"), ("name", "1"), ("desc", "{a: 1}"),
        ("media_type", "true"), ("executable", "1"), ("executable", "x"),
    ],
)  # fmt: skip
def test_another_kind_of_value_is_refused(key: str, value: str) -> None:
    """The message names the key, so that a person finds it."""
    with pytest.raises(InvalidPointerError, match=key if key != "digest" else "digest|pointer"):
        parse_pointer(with_line(key, value))


@pytest.mark.parametrize("value", ["0", "true", "1.5", "x", "[1]", "-1", ""])
def test_another_version_is_no_pointer(value: str) -> None:
    """Only a whole number that is higher is a newer one."""
    with pytest.raises(InvalidPointerError, match="version"):
        parse_pointer(with_line("gittrack", value))


def test_a_newer_version_is_said_to_be_newer() -> None:
    """With the way out."""
    with pytest.raises(NewerPointerError, match="version 2") as caught:
        parse_pointer(with_line("gittrack", "2"))
    assert caught.value.hint == "upgrade gittrack"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"gittrack", b"[gittrack]", b"- gittrack: 1", b"\xff\xfe", b"\0", b"gittrack: 1", b"a: &a [*a]",
        b"{" * 10_000, b"[" * 60_000, b"gittrack: 1\n" + b"x: y\n" * 20_000, b"a" * (65 << 10),
        b"gittrack: 1\ngittrack: 1\n", b"!!python/object/apply:os.system ['true']",
    ],
)  # fmt: skip
def test_what_is_no_pointer_is_refused(data: bytes) -> None:
    """Quickly, and always by the same error."""
    with pytest.raises(InvalidPointerError):
        parse_pointer(data)


def test_a_pointer_stays_small() -> None:
    """One that would not is refused, with what to shorten."""
    pointer = Pointer("a", "file", DIGEST, 1)
    with pytest.raises(InvalidPointerError, match="1,024 is the limit") as caught:
        render_pointer(pointer._replace(desc="x" * MAX_WRITTEN_BYTES))
    assert "shorten" in str(caught.value.hint)
    with pytest.raises(InvalidPointerError, match="NaN"):
        render_pointer(pointer._replace(meta={"a": float("nan")}))
