"""Plots and images that the journal of a run names are posted too, in the form of the protocol."""

from __future__ import annotations

import base64
import json
import struct
from typing import TYPE_CHECKING, Any

import pytest

import gittrack
from gittrack.live import posting
from gittrack.live.pictures import MAX_ROWS, read_picture
from tests.support.live_server import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.live_server import LiveServer

JSON_TYPE = "application/vnd.gittrack.plot+json"


def entry(file: Any, media_type: str = JSON_TYPE, **more: Any) -> dict[str, Any]:
    """Return what an event says of a file."""
    return {"name": "x", "kind": "roc", "file": file, "media_type": media_type, **more}


def packed(**columns: list[float]) -> bytes:
    """Return a long curve as a run keeps it."""
    lengths = [[name, len(values)] for name, values in columns.items()]
    head = {"packed": lengths, "format": 1, "kind": "roc", "figure": {}}
    numbers = [number for values in columns.values() for number in values]
    return json.dumps(head, separators=(",", ":")).encode() + b"\n" + struct.pack(f"<{len(numbers)}d", *numbers)


def test_data_by_rows(tmp_path: Path) -> None:
    """Columns of any length become rows; NaN is typed."""
    document = {"columns": {"fpr": [0.0, 1.0], "tpr": [0.5, {"$": "nan"}, 1.0]}}
    document["columns"]["tpr"][1] = 0.7
    (tmp_path / "a.json").write_text(json.dumps(document), encoding="utf-8")
    assert read_picture(entry("a.json", values={"auc": 0.5}), tmp_path) == {
        "data": [{"fpr": 0.0, "tpr": 0.5}, {"fpr": 1.0, "tpr": 0.7}, {"tpr": 1.0}],
        "props": {"kind": "roc", "name": "x", "values": {"auc": 0.5}},
    }


def test_a_packed_curve(tmp_path: Path) -> None:
    """Its numbers, infinities as texts that are said to be numbers; a long one in fewer points, to its end."""
    (tmp_path / "a.json").write_bytes(packed(x=[0.0, 1.0], y=[float("inf"), 2.0]))
    short = read_picture(entry("a.json"), tmp_path)
    assert short is not None
    assert short["data"] == [{"x": 0.0, "y": "inf"}, {"x": 1.0, "y": 2.0}]
    assert short["props"]["text_numbers"] == ["y"]
    n_rows = 123_456
    (tmp_path / "b.json").write_bytes(packed(x=[float(number) for number in range(n_rows)]))
    long = read_picture(entry("b.json"), tmp_path)
    assert long is not None
    assert MAX_ROWS / 2 < len(long["data"]) <= MAX_ROWS
    assert (long["data"][0], long["data"][-1]) == ({"x": 0.0}, {"x": n_rows - 1.0})
    assert long["props"]["thinned_from"] == n_rows


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("a.json", b"{"),
        ("a.json", b"[1]"),
        ("a.json", b'{"columns": 3}'),
        ("a.json", b'{"columns": {}}'),
        ("a.json", b'{"packed":[["x",9]]}\nabc'),
        ("a.json", b'{"packed":[["x",9]]}\n12345678'),
        ("a.json", b'{"packed":3}\n'),
        ("gone.json", None),
        ("../secret.json", b"{}"),
        (".hidden", b"{}"),
        (3, None),
    ],
    ids=str,
)
def test_what_cannot_be_shown_is_passed_over(file: Any, content: bytes | None, tmp_path: Path) -> None:
    """Damaged, gone, or somewhere else."""
    if content is not None:
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / str(file)).write_bytes(content)
    assert read_picture(entry(file), tmp_path / "sub") is None


def test_an_image_above_the_limit_is_passed_over(tmp_path: Path) -> None:
    """No receiver would take it."""
    (tmp_path / "a.png").write_bytes(bytes(8_000_000))
    assert read_picture(entry("a.png", "image/png"), tmp_path) is None


def test_a_run_posts_them(
    receiver: LiveServer, repo_dir: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In their order, each once, also those that come right before the end; other files are not posted."""
    monkeypatch.chdir(repo_dir)
    monkeypatch.setattr(posting, "INTERVAL_S", 0.05)
    monkeypatch.setenv("GITTRACK_TOKEN", "tok")
    monkeypatch.setenv("DVC_STUDIO_REPO_URL", "r")
    git("config", "gittrack.live.url", receiver.url)
    with gittrack.Run(name="fox", quiet=True) as run:
        assert run._opened is not None
        folder = run._opened.folder.path / "plots"
        folder.mkdir()

        def log(file: str, media_type: str, content: bytes, **more: Any) -> None:
            (folder / ".new").write_bytes(content)
            (folder / ".new").replace(folder / file)
            run._event("plot", entry(file, media_type, **more))

        log("a.png", "image/png", b"\x89P", step=4)
        log("t.txt", "text/plain", b"words")
        wait_until(lambda: any("plots" in body for body in receiver.bodies))
        log("a.png", "image/png", b"\x89Q", step=5)
        log("c.json", JSON_TYPE, b'{"columns": {"x": [1]}}')
    told = [(body["step"], name, plot) for body in receiver.bodies for name, plot in body.get("plots", {}).items()]
    assert told == [
        (4, ".gittrack/plots/a.png", {"image": base64.b64encode(b"\x89P").decode()}),
        (5, ".gittrack/plots/a.png", {"image": base64.b64encode(b"\x89Q").decode()}),
        (0, ".gittrack/plots/c.json", {"data": [{"x": 1}], "props": {"kind": "roc", "name": "x"}}),
    ]
