"""Runs under way are seen with what they logged; whatever else lies in their folder is passed over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gittrack.experiments.format import Meta
from gittrack.runs.active import list_active, live_values
from gittrack.runs.folder import create_folder
from gittrack.runs.journal import JournalWriter
from tests.support.git_repository import ZERO_ID

if TYPE_CHECKING:
    from gittrack.git.repository import Repository


def test_a_live_run_shows_params_tags_and_latest_metrics(repository: Repository) -> None:
    """What the journals of all its processes hold so far; once its lock is free it is stale."""
    meta = Meta("quick-fox", "0123456789abcdef", "running", started=time.time(), tags={"a": 1})
    folder, lock = create_folder(repository.state_dir / "runs", meta)
    for path, loss in ((folder.journal_path, 0.5), (folder.new_joined_journal_path(), 0.25)):
        journal = JournalWriter(path)
        journal.metrics({"loss": loss}, int(1 / loss), 1.0)
        journal.event("params", {"lr": 0.1})
        journal.event("declared", {"lr": 0.2, "seed": 1})
        journal.event("tags", {"b": 2})
        journal.event("note", "well")
        journal.event("description", "a try")
        journal.close()
    (run,) = list_active(repository)
    assert run.is_alive
    assert run.params == {"lr": 0.1, "seed": 1, "file:lr": 0.2}
    assert run.metrics["loss"].value == 0.25
    assert (run.meta.tags, run.meta.description) == ({"a": 1, "b": 2}, "a try")
    live = live_values(repository, run)
    assert (live.baseline, live.attributes[0], live.metrics) == (ZERO_ID, "running", {"loss": 0.25})
    lock.release()
    (run,) = list_active(repository)
    assert not run.is_alive
    assert live_values(repository, run).attributes[0] == "stale"


def test_half_written_and_foreign_folders_are_passed_over(repository: Repository) -> None:
    """Nothing in the folder of the runs can make the table fail."""
    assert list_active(repository) == []
    root = repository.state_dir / "runs"
    for name, content in (("empty", None), ("torn", '{"format": 1'), ("newer", '{"format": 9}'), (".new-x", None)):
        (root / name).mkdir(parents=True)
        if content is not None:
            (root / name / "meta.json").write_text(content, encoding="utf-8")
    (root / "file").write_text("x", encoding="utf-8")
    (root / "bad-name").mkdir()
    (root / "bad-name" / "meta.json").write_text(
        '{"format": 1, "name": "../x", "id": "1", "status": "running", "source": "run"}', encoding="utf-8"
    )
    assert list_active(repository) == []
