"""Entries of artifacts.json, inputs.json and outputs.json: one form, and nothing in them is trusted."""

from __future__ import annotations

import math

import pytest

from gittrack.artifacts.digest import hash_bytes
from gittrack.artifacts.pointer import MAX_WRITTEN_BYTES, render_pointer
from gittrack.experiments.artifact_files import (
    ArtifactEntry,
    InvalidEntryError,
    latest_entries,
    parse_entry,
    pointer_to,
    render_entry,
)
from gittrack.experiments.format import FormatError, Meta, Record, parse_entries, parse_files, render_files

DIGEST = hash_bytes(b"weights")
FULL = ArtifactEntry(
    path="models/m.pt",
    kind="dir",
    digest=DIGEST,
    size=7,
    files=3,
    type="model",
    name="m",
    desc="the best",
    labels=("a", "b"),
    meta={"acc": math.inf, "k": [1, None]},
    step=12,
    time=1_760_000_000.25,
    cached=True,
    pointer=True,
    extra={"from the future": [1]},
)
PLAIN = {"path": "m.pt", "kind": "file", "digest": f"b3:{DIGEST}", "size": 7}


@pytest.mark.parametrize(
    "entry", [FULL, ArtifactEntry("m.pt", "file", DIGEST, 0), FULL._replace(outside=True, files=0)]
)
def test_an_entry_reads_back_the_same(entry: ArtifactEntry) -> None:
    """Also what this version does not know, and numbers that JSON lacks."""
    record = Record(Meta("x", "0" * 16, "completed"), artifacts=(entry,), inputs=(entry,), outputs=(entry,))
    read = parse_files(render_files(record))
    assert (read.artifacts, read.inputs, read.outputs) == ((entry,), (entry,), (entry,))


def test_what_says_nothing_is_left_out() -> None:
    """An entry of a file has four keys; a record without artifacts has none of the files."""
    assert render_entry(ArtifactEntry("m.pt", "file", DIGEST, 7)) == PLAIN
    assert not {"artifacts.json", "inputs.json", "outputs.json"} & set(
        render_files(Record(Meta("x", "0" * 16, "completed")))
    )


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../../.ssh/authorized_keys"},
        {"path": "/etc/passwd"},
        {"path": ".git/hooks/post-commit"},
        {"path": "a/.GIT/config"},
        {"path": "a\nb"},
        {"path": None},
        {"path": 7},
        {"digest": "b3:" + "0" * 63},
        {"digest": DIGEST},
        {"digest": f"b3:../../{'0' * 58}"},
        {"digest": None},
        {"kind": "link"},
        {"size": -1},
        {"size": True},
        {"size": 1 << 64},
        {"size": "7"},
        {"files": -1},
        {"labels": "model"},
        {"labels": [1]},
        {"type": 1},
        {"name": ["m"]},
        {"desc": {}},
        {"step": 1.5},
        {"time": 1_760_000_000.0},
        {"time": "yesterday"},
    ],
    ids=repr,
)
def test_a_forged_entry_is_refused(change: dict[str, object]) -> None:
    """Whatever it names, nothing is done with it."""
    with pytest.raises(InvalidEntryError):
        parse_entry({**PLAIN, **change})
    with pytest.raises(FormatError, match=r"artifacts\.json"):
        parse_entries(repr({}).encode(), "artifacts.json")


@pytest.mark.parametrize("data", [b"{}", b"[1]", b"[", b"\xff", b"[" * 100_000])
def test_a_damaged_file_is_refused_by_name(data: bytes) -> None:
    """The message says which file it is."""
    with pytest.raises(FormatError, match=r"inputs\.json"):
        parse_entries(data, "inputs.json")


def test_the_pointer_stays_small() -> None:
    """What does not fit into a pointer is in the experiment; the pointer says what and where."""
    pointer = pointer_to(FULL._replace(meta={"a": "x" * 2000}))
    assert (pointer.meta, pointer.desc, pointer.labels) == (None, "the best", ("a", "b"))
    pointer = pointer_to(FULL._replace(desc="x" * 2000))
    assert (pointer.name, pointer.desc) == ("m", None)
    for name in ("n" * 2000, "n"):
        assert len(render_pointer(pointer_to(FULL._replace(name=name)))) <= MAX_WRITTEN_BYTES


def test_the_latest_version_of_a_path_wins() -> None:
    """Entries are in the order of logging."""
    first, second = FULL, FULL._replace(digest=hash_bytes(b"later"))
    other = FULL._replace(path="n.pt")
    assert list(latest_entries([first, other, second]).values()) == [other, second]
