from __future__ import annotations

import argparse
import dataclasses
import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gittrack
from gittrack.errors import UsageError
from gittrack.experiments.series import parse_series
from gittrack.values import InvalidValueError, dump_json, load_json
from tests.support.recorded import read_all, read_recorded, refs_of, run_script
from tests.support.untouched import stash_something, untouched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gittrack.experiments.format import Record
    from gittrack.runs.run import Run as LibraryRun

    Git = Callable[..., str]

ODD_NAMES = ["größe/损失", "a b", "line\nbreak", "..", "../../etc/passwd", "x" * 300, "-rf", "tab\there", "\N{SNOWMAN}"]


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_dir)


def _steps(record: Record, name: str) -> list[int]:
    assert record.series is not None
    return list(parse_series(record.series)[name].steps)


def _values(record: Record, name: str) -> list[float]:
    assert record.series is not None
    return list(parse_series(record.series)[name].values)


def test_everything_that_is_logged_is_recorded(repo_dir: Path) -> None:
    """Params, metrics, tags, notes, description and group are in the experiment after the block."""
    with gittrack.Run("all", group="g", description="first", tags={"a": 1}, params={"n": {"k": [1, 2]}}) as run:
        run.log_param("train.optimizer", "adam")
        run.log_params({"train": {"lr": 0.5}, "seed": 1})
        run.log_metric("loss", 0.5)
        run.log_metrics({"loss": 0.25, "accuracy": 1})
        run.set_tag("best")
        run.set_tags({"a": 2, "team": "x"})
        run.note("one")
        run.note("two\nlines")
        assert run.description == "first"
        run.description = "second"
        assert run.status == "running"
        assert run.is_writer
    assert run.status == "completed"
    record = read_recorded(repo_dir, "all")
    assert run.record is not None
    assert (record.params, record.metrics) == (run.record.params, run.record.metrics)
    assert record.params["n.k"] == [1, 2]
    assert record.params["train.optimizer"] == "adam"
    assert record.params["seed"] == 1
    assert (record.params["train.lr"], record.params["file:train.lr"]) == (0.5, 0.1)
    assert record.metrics["loss"].last == 0.25
    assert (record.metrics["loss"].min, record.metrics["loss"].max, record.metrics["loss"].count) == (0.25, 0.5, 2)
    meta = record.meta
    assert meta.tags == {"a": 2, "best": True, "team": "x"}
    assert meta.notes == ("one", "two\nlines")
    assert (meta.description, meta.group, meta.status) == ("second", "g", "completed")
    assert meta.author == "Ada Test <ada@example.org>"
    assert meta.branch == "main"
    assert meta.duration_s is not None
    assert "pid" not in meta.environment


def test_a_plain_object_is_ended_by_hand(repo_dir: Path, git: Git) -> None:
    """Without a block, `end` records; a second call does nothing."""
    run = gittrack.Run("plain", quiet=True)
    run.log_metric("loss", 1.0)
    run.end("failed", "it diverged")
    commit = run.commit
    run.end("completed")
    meta = read_recorded(repo_dir, "plain").meta
    assert (meta.status, meta.message) == ("failed", "it diverged")
    assert git("rev-parse", refs_of(repo_dir)["plain"]) == commit
    assert repr(run) == "<gittrack.Run 'plain' failed>"


def test_a_wrong_status_is_refused_and_the_run_goes_on(repo_dir: Path) -> None:
    """`end` with another word raises and ends nothing."""
    run = gittrack.Run("words", quiet=True)
    with pytest.raises(UsageError, match="cannot end as 'done'"):
        run.end("done")  # type: ignore[arg-type]
    assert run.status == "running"
    run.end()
    assert read_recorded(repo_dir, "words").meta.status == "completed"


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": 3},
        {"name": ""},
        {"name": "a/b"},
        {"name": ".."},
        {"name": "x" * 101},
        {"name": "a.lock"},
        {"name": "f" * 40},
        {"group": 1},
        {"description": b"x"},
        {"tags": [1]},
        {"tags": 0},
        {"tags": {"": 1}},
        {"params": 7},
        {"params": {"x": b"bytes"}},
        {"params": {"a": {"b": 1}, "a.b": 2}},
        {"durability": "always"},
        {"resume": 3},
        {"resume": True},
        {"name": "nobody", "resume": True},
        {"resume": "nobody"},
    ],
    ids=str,
)
def test_wrong_arguments_leave_nothing_behind(repo_dir: Path, arguments: dict[str, Any]) -> None:
    """The constructor raises at once; there is no experiment, no folder and no claimed name afterwards."""
    with pytest.raises(gittrack.errors.GittrackError):
        gittrack.Run(**arguments)
    state = repo_dir / ".git/gittrack"
    assert not list(state.glob("runs/*"))
    assert not list(state.glob("names/*"))
    assert refs_of(repo_dir) == {}


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("log_param", ("", 1)),
        ("log_param", (3, 1)),
        ("log_param", ("x", b"bytes")),
        ("log_params", ([1],)),
        ("log_params", ({"good": 1, "bad": 1j},)),
        ("log_metric", ("", 1.0)),
        ("log_metric", (None, 1.0)),
        ("log_metric", ("m", "high")),
        ("log_metric", ("m", None)),
        ("log_metric", ("m", 1j)),
        ("log_metric", ("m", np.zeros(2))),
        ("log_metric", ("m", 1.0, 1.5)),
        ("log_metric", ("m", 1.0, "3")),
        ("log_metric", ("m", 1.0, True)),
        ("log_metric", ("m", 1.0, None, math.nan)),
        ("log_metric", ("m", 1.0, None, math.inf)),
        ("log_metric", ("m", 1.0, None, 1e300)),
        ("log_metric", ("m", 1.0, None, "now")),
        ("log_metrics", ({"good": 1, "bad": "x"},)),
        ("log_metrics", ([("good", 1)],)),
        ("log_metrics", (5,)),
        ("set_tag", ("", 1)),
        ("set_tags", ({"t": 1j},)),
        ("note", (5,)),
    ],
    ids=str,
)
def test_a_wrong_call_raises_and_changes_nothing(repo_dir: Path, method: str, arguments: tuple[Any, ...]) -> None:
    """Not even the good half of a call is recorded."""
    with gittrack.Run("wrong", quiet=True) as run:
        with pytest.raises(InvalidValueError):
            getattr(run, method)(*arguments)
        with pytest.raises(InvalidValueError):
            run.step = 1.5  # type: ignore[assignment]
        with pytest.raises(InvalidValueError):
            run.description = 3  # type: ignore[assignment]
        run.log_metric("m", 2.0)
    record = read_recorded(repo_dir, "wrong")
    assert set(record.params) == {"train.lr", "train.epochs"}
    assert set(record.metrics) == {"m"}
    assert _steps(record, "m") == [0]
    assert (record.meta.tags, record.meta.notes) == ({}, ())


def test_logging_after_the_end_warns_once(caplog: pytest.LogCaptureFixture, repo_dir: Path) -> None:
    """Late calls are no error, and lose what they log with one warning."""
    run = gittrack.Run("late", quiet=True)
    run.end()
    run.log_metric("loss", 1.0)
    run.log_param("lr", 1)
    run.set_tag("t")
    run.note("n")
    run.description = "d"
    assert run.flush() is False
    assert [record.message for record in caplog.records] == ["run 'late' has ended; what is logged to it now is lost"]
    assert read_recorded(repo_dir, "late").metrics == {}


def test_steps_are_counted_for_each_metric(repo_dir: Path) -> None:
    """Without `next_step` every call is a step of its metric; with it, all metrics share the run's step."""
    with gittrack.Run("auto", quiet=True) as run:
        run.log_metric("a", 1)
        run.log_metric("a", 2)
        run.log_metric("b", 3)
        run.log_metrics({"a": 4, "b": 5})
        assert run.step == 0
    record = read_recorded(repo_dir, "auto")
    assert (_steps(record, "a"), _steps(record, "b")) == ([0, 1, 2], [0, 2])
    with gittrack.Run("stepping", quiet=True) as run:
        run.log_metric("a", 1)
        assert run.next_step() == 1
        run.log_metric("a", 2)
        run.log_metric("b", 3)
        run.step = 10
        run.log_metric("a", 4)
        run.log_metric("a", 5, step=-3)
        run.log_metric("a", 6, np.int64(20))
        assert (run.next_step(), run.step) == (11, 11)
    record = read_recorded(repo_dir, "stepping")
    assert (_steps(record, "a"), _steps(record, "b")) == ([-3, 0, 1, 10, 20], [1])
    assert record.metrics["a"].last == 6


def test_values_of_libraries_become_plain(repo_dir: Path) -> None:
    """numpy, dataclasses, namespaces, paths and mappings like those of OmegaConf are params."""

    @dataclasses.dataclass
    class Train:
        lr: float = 0.1
        layers: tuple[int, ...] = (64, 32)

    class Config(Mapping[str, Any]):
        """Like OmegaConf's DictConfig: a mapping that is no dict."""

        def __init__(self, **values: Any) -> None:
            self._values = values

        def __getitem__(self, key: str) -> Any:
            return self._values[key]

        def __iter__(self) -> Iterator[str]:
            return iter(self._values)

        def __len__(self) -> int:
            return len(self._values)

    with gittrack.Run("types", params=argparse.Namespace(epochs=3, data=Path("data/x")), quiet=True) as run:
        run.log_params(Train())
        run.log_params(Config(model=Config(depth=np.int32(3), rate=np.float32(0.5)), sizes=np.arange(2)))
        run.log_metric("m", np.float64(0.1), step=np.int16(2), timestamp=np.float64(1e9))
        run.log_metric("flag", np.bool_(1))
    record = read_recorded(repo_dir, "types")
    wanted = {"epochs": 3, "data": "data/x", "lr": 0.1, "layers": [64, 32], "model.depth": 3, "model.rate": 0.5}
    assert {key: record.params[key] for key in wanted} == wanted
    assert record.params["sizes"] == [0, 1]
    assert (record.metrics["m"].last, record.metrics["m"].step, record.metrics["flag"].last) == (0.1, 2, 1)
    assert record.series is not None
    assert parse_series(record.series)["m"].times == [1e9]


def test_nan_and_infinities_are_kept(repo_dir: Path, git: Git) -> None:
    """They can be read with `git show` in valid JSON and in the TSV, and come back as what they were."""
    with gittrack.Run("nan", quiet=True) as run:
        for value in (1.0, math.inf, -math.inf, math.nan):
            run.log_metric("loss", value)
        run.log_params({"nan": math.nan, "list": [math.inf, -math.inf]})
    record = read_recorded(repo_dir, "nan")
    assert math.isnan(record.metrics["loss"].last)
    assert _values(record, "loss")[1:3] == [math.inf, -math.inf]
    assert math.isnan(_values(record, "loss")[3])
    assert record.params["list"] == [math.inf, -math.inf]
    ref = refs_of(repo_dir)["nan"]
    lines = git("show", f"{ref}:.gittrack/series.tsv").splitlines()
    assert [line.split("\t")[3] for line in lines[1:]] == ["1.0", "inf", "-inf", "nan"]
    text = git("show", f"{ref}:.gittrack/params.json")
    assert '"$float": "nan"' in text
    assert dump_json(load_json(text)) == text + "\n"


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_of_any_form_come_back(repo_dir: Path, name: str) -> None:
    """Params, metrics and tags may be called anything."""
    with gittrack.Run("odd", quiet=True) as run:
        run.log_param(name, name)
        run.log_metric(name, 1.5)
        run.set_tag(name, name)
    record = read_recorded(repo_dir, "odd")
    assert record.params[name] == name
    assert (record.metrics[name].last, _values(record, name)) == (1.5, [1.5])
    assert record.meta.tags == {name: name}


def test_what_utf_8_cannot_hold_is_recorded_all_the_same(repo_dir: Path) -> None:
    """Lone surrogates and NUL in texts and errors are kept as escapes; nothing fails."""
    run = gittrack.Run("bytes", quiet=True)
    run.note("a\udcffb\0c")
    run.log_param("p", "\ud800")
    with pytest.raises(ValueError, match="bad"), run:
        raise ValueError("bad \udcff name \0 " + "x" * 100_000)
    record = read_recorded(repo_dir, "bytes")
    assert record.meta.status == "failed"
    assert record.meta.message is not None
    assert record.meta.message.startswith("ValueError: bad ")
    assert len(record.meta.message) < 10_000


def test_threads_of_one_run_lose_nothing(repo_dir: Path) -> None:
    """Four threads log to one run at once, while the main thread flushes."""

    def log(run: LibraryRun, number: int) -> None:
        for step in range(500):
            run.log_metric(f"m{number}", step, step)
            if step % 100 == 0:
                run.log_param(f"p{number}.{step}", step)

    with gittrack.Run("threads", quiet=True) as run:
        threads = [threading.Thread(target=log, args=(run, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert run.flush() is True
        for thread in threads:
            thread.join()
    record = read_recorded(repo_dir, "threads")
    assert all(_values(record, f"m{number}") == list(range(500)) for number in range(4))
    assert len([name for name in record.params if name.startswith("p")]) == 20


def test_two_runs_at_once_are_two_experiments(repo_dir: Path) -> None:
    """Runs of one process, nested or not, under one name: each has its own record, ended in any order."""
    outer = gittrack.Run("twice", quiet=True)
    inner = gittrack.Run("twice", quiet=True)
    inner.log_metric("m", 2)
    outer.log_metric("m", 1)
    outer.end()
    inner.end()
    after = gittrack.Run(quiet=True)
    after.end()
    records = read_all(repo_dir)
    assert {outer.name: 1, inner.name: 2} == {
        name: record.metrics["m"].last for name, record in records.items() if record.metrics
    }
    assert (outer.name, inner.name) == ("twice", "twice-2")
    assert records["twice-2"].meta.parent_run == records["twice"].meta.id
    assert not after.name.startswith("twice")
    assert records[after.name].meta.parent_run is None


def test_a_name_is_taken_also_in_another_case(repo_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """File systems that fold case must not join two experiments; the new one gets a number and one warning."""
    for name in ("Model", "model"):
        gittrack.Run(name, quiet=True).end()
    assert set(read_all(repo_dir)) == {"Model", "model-2"}
    assert [record.message for record in caplog.records] == [
        "experiment 'model' exists already; recording as 'model-2'"
    ]


def test_the_last_line_says_what_was_recorded(repo_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on standard error names experiment, commit, status and what the snapshot left out."""
    (repo_dir / ".env").write_text("KEY=1\n", encoding="utf-8")
    with gittrack.Run("line") as run:
        pass
    captured = capsys.readouterr()
    assert captured.out == ""
    assert run.commit is not None
    assert captured.err == (f"gittrack: recorded line ({run.commit[:8]}, completed); left out 1 untracked: .env\n")


def test_a_recorded_run_can_be_read_with_git_alone(repo_dir: Path, git: Git) -> None:
    """Message, parent, files and a clean fsck: nothing but git is needed."""
    stash_something(repo_dir)
    with untouched(repo_dir), gittrack.Run("plain", description="Why it was made", quiet=True) as run:
        run.log_metric("loss", 0.5)
    ref = refs_of(repo_dir)["plain"]
    head = git("rev-parse", "HEAD")
    assert ref == f"refs/gittrack/exps/{head}/plain"
    assert git("log", "-1", "--format=%an|%B", ref) == "Ada Test|gittrack: plain completed\n\nWhy it was made\n"
    assert git("merge-base", ref, "HEAD") == head
    assert git("show", f"{ref}:train.py") == "print('training')"
    assert set(git("ls-tree", "--name-only", f"{ref}:.gittrack").split()) == {
        "meta.json",
        "metrics.json",
        "params.json",
        "requirements.txt",
        "series.tsv",
    }
    assert git("fsck", "--strict", "--no-dangling") == ""
    assert git("status", "--porcelain") == ""


def test_secrets_of_the_command_line_are_masked(repo_dir: Path) -> None:
    """A token among the arguments is in no object; what is no UTF-8 does not stop the run."""
    script = "import gittrack\nwith gittrack.Run('masked'): pass"
    done = run_script(repo_dir, script, "--api-key=hunter2hunter2", "caf\udce9")
    assert done.returncode == 0, done.stderr
    command = " ".join(read_recorded(repo_dir, "masked").meta.command)
    assert "hunter2" not in command
    assert "caf" in command
