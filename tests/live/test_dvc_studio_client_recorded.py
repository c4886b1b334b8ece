"""What comes of calls is what came of the same calls of `dvc_studio_client` 0.23.0, recorded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.studio_client_script import play

if TYPE_CHECKING:
    from tests.support.live_server import LiveServer

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data/dvc-studio-client-0.23.0.json").read_text(encoding="utf-8")
)
FUNCTIONS = sorted({tuple(case["of"]) for case in RECORDED})
FIELDS = ("result", "logs", "output", "requests", "opened")
CODES = re.compile(r"(?<='device_code': ')[^']*|(?<='user_code': ')[^']*|(?<=Checking with )\S+")


def expected(case: dict[str, Any]) -> dict[str, Any]:
    """Return what was recorded, but for what is meant to differ: codes of a login, and empty messages."""
    logs = [[level, CODES.sub("***", message)] for level, message in case["logs"] if message]
    return {**{field: case[field] for field in FIELDS}, "logs": logs}


@pytest.mark.parametrize("function", FUNCTIONS, ids=".".join)
def test_calls(
    function: tuple[str, str], receiver: LiveServer, repo_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results and errors, every message, what is printed, and every request, of calls that were made up by chance."""
    monkeypatch.chdir(repo_dir)
    cases = [case for case in RECORDED if tuple(case["of"]) == function]
    assert len(cases) >= 20
    for case in cases:
        told = play("gittrack.compat.dvc_studio_client", case, receiver)
        shown = {field: case[field] for field in ("arguments", "answers", "env")}
        assert told == json.loads(json.dumps(expected(case))), shown
