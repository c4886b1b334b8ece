"""The index is never wrong, never needed and never in the way."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from gittrack.cli.render_data import write_csv
from gittrack.experiments.index import FILE_NAME, VERSION, Index
from gittrack.experiments.query import build_listing
from gittrack.experiments.summaries import Summary
from tests.support.experiments import add_experiment
from tests.support.git_repository import refs_in_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.experiments.query import Listing
    from gittrack.git.repository import Repository


def listing(repository: Repository) -> Listing:
    index = Index(repository)
    try:
        return build_listing(repository, index, now_s=time.time())
    finally:
        index.close()


def test_a_warm_index_gives_the_same_table_as_a_cold_one(repository: Repository) -> None:
    """What comes from the index equals what git says, for every type of value."""
    values = {"a": 1, "b": 0.1, "c": True, "d": None, "e": "ä", "f": [1, "x"], "g": {}, "h": 2**80, "i": -0.0}
    add_experiment(repository, "one", params=values, metrics={"loss": float("inf"), "acc": 0.5})
    add_experiment(repository, "two", params={"other": 1}, metrics={})
    cold, warm = listing(repository), listing(repository)
    assert cold == warm
    assert (repository.state_dir / FILE_NAME).exists()


def test_numbers_as_text_are_their_shortest_text(repository: Repository) -> None:
    """Who only writes numbers out gets the same ones; those within a list or a dictionary stay numbers."""
    numbers = {"a": 0.1, "b": 1e-05, "c": 1e22, "d": -0.0, "e": 3, "f": "0.5,x", "g": float("nan")}
    add_experiment(repository, "one", params=numbers, metrics={"loss": float("inf"), "acc": 2 / 3})
    add_experiment(repository, "two", params={"layers": [0.1, 0.2]}, metrics={"acc": 0.25})
    table = listing(repository).table
    index = Index(repository, numbers_as_text=True)
    as_text = build_listing(repository, index, now_s=time.time()).table
    index.close()
    cells = dict(zip(as_text.labels, as_text.cells, strict=True))
    assert {"0.6666666666666666", 0.25} <= set(cells["acc"])
    assert [0.1, 0.2] in cells["layers"]
    texts = [StringIO(), StringIO()]
    for one, stream in zip((table, as_text), texts, strict=True):
        write_csv(one, stream)
    assert texts[0].getvalue() == texts[1].getvalue()


def test_nan_survives_the_index(repository: Repository) -> None:
    """A NaN is read back as NaN."""
    add_experiment(repository, "one", metrics={"loss": float("nan")})
    listing(repository)
    (value,) = {repr(cell) for cell in listing(repository).table.cells[-3]} - {"MISSING"}
    assert value == "nan"


@refs_in_files
def test_a_warm_table_asks_git_for_no_object(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once everything is indexed no process of git is started and nothing heavy is imported."""
    add_experiment(repository, "one", params={"lr": 1})
    listing(repository)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process of git")

    monkeypatch.setattr(repository.git, "popen", refuse)
    assert listing(repository).table.n_rows == 2


def test_the_warm_path_imports_nothing_heavy(repository: Repository, repo_dir: Path) -> None:
    """A warm `exp show` loads neither dulwich nor a YAML parser."""
    add_experiment(repository, "one", params={"lr": 1})
    listing(repository)
    code = (
        "import sys, os; from gittrack.cli.entry import run; run(['exp', 'show', '--csv'], os.environ);"
        "print([m for m in sys.modules if m.split('.')[0] in {'dulwich', 'yaml', 'ruamel', 'requests', 'numpy'}])"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=repo_dir, capture_output=True, text=True, check=True)
    assert out.stdout.endswith("[]\n")


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_index_is_made_anew(repository: Repository, content: bytes) -> None:
    """Whatever the file holds, the table is right, and the next one is fast again."""
    add_experiment(repository, "one", params={"lr": 1})
    cold = listing(repository)
    (repository.state_dir / FILE_NAME).write_bytes(content)
    assert listing(repository) == cold
    assert _n_rows(repository) == 1


def test_damaged_rows_and_tables_are_made_anew(repository: Repository) -> None:
    """A row that is no JSON, and a table that is gone, cost one rebuild."""
    add_experiment(repository, "one", params={"lr": 1})
    cold = listing(repository)
    for damage in ("UPDATE experiments SET data = '['", "UPDATE experiments SET data = '1,2'", "DROP TABLE schemas"):
        with sqlite3.connect(repository.state_dir / FILE_NAME) as connection:
            connection.execute(damage)
        connection.close()
        assert listing(repository) == cold
        assert listing(repository) == cold
        assert _n_rows(repository) == 1


def test_an_index_of_another_version_is_made_anew(repository: Repository) -> None:
    """A file of another version is replaced."""
    add_experiment(repository, "one")
    cold = listing(repository)
    with sqlite3.connect(repository.state_dir / FILE_NAME) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    assert listing(repository) == cold
    assert _n_rows(repository) == 1


def test_a_busy_index_is_not_waited_for(repository: Repository) -> None:
    """While another process holds the file, the table comes from git, soon."""
    add_experiment(repository, "one", params={"lr": 1})
    cold = listing(repository)
    holder = sqlite3.connect(repository.state_dir / FILE_NAME, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    start = time.monotonic()
    assert listing(repository) == cold
    assert time.monotonic() - start < 2
    holder.close()
    assert _n_rows(repository) == 1


@pytest.mark.parametrize("in_the_way", ["folder", "file"])
def test_where_the_index_cannot_be_written_everything_works(repository: Repository, in_the_way: str) -> None:
    """Without a place for the file the table comes from git every time, and nothing is left behind."""
    add_experiment(repository, "one", params={"lr": 1})
    shutil.rmtree(repository.state_dir, ignore_errors=True)
    if in_the_way == "folder":
        (repository.state_dir / FILE_NAME / "x").mkdir(parents=True)
    else:
        repository.state_dir.write_text("not a folder", encoding="utf-8")
    assert listing(repository).table.n_rows == 2
    assert listing(repository).table.n_rows == 2
    assert (repository.state_dir / FILE_NAME / "x").is_dir() == (in_the_way == "folder")


def test_what_is_not_here_is_asked_for_again(repository: Repository, git: Callable[..., str]) -> None:
    """An experiment whose objects are missing is broken only until they arrive."""
    commit = add_experiment(repository, "one", params={"lr": 1})
    blob = git("rev-parse", f"{commit}:.gittrack/meta.json")
    path = repository.common_dir / "objects" / blob[:2] / blob[2:]
    hidden = path.with_name("hidden")
    path.rename(hidden)
    assert list(listing(repository).problems) == ["one"]
    hidden.rename(path)
    assert not listing(repository).problems


def test_rows_of_no_use_are_forgotten(repository: Repository) -> None:
    """The file does not grow for ever with the former tips of experiments."""
    index = Index(repository)
    old = [Summary(f"{number:040x}", (1,), {}, {}) for number in range(3000)]
    index.save("experiments", old)
    index.save("experiments", [Summary("f" * 40, (1,), {}, {})], keep={"f" * 40})
    index.close()
    assert _n_rows(repository) == 1


def test_two_processes_that_make_the_index_do_not_disturb_each_other(repository: Repository) -> None:
    """The second to create it finds it made."""
    one, two = Index(repository), Index(repository)
    one.save("experiments", [Summary("a" * 40, (1,), {}, {})])
    two.save("experiments", [Summary("b" * 40, (1,), {}, {})])
    one.close()
    two.close()
    assert _n_rows(repository) == 2


def _n_rows(repository: Repository) -> int:
    connection = sqlite3.connect(repository.state_dir / FILE_NAME)
    try:
        return int(connection.execute("SELECT count(*) FROM experiments").fetchone()[0])
    finally:
        connection.close()
