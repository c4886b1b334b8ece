"""`gittrack exp plots`, what `exp show` says of plots, and that large ones travel."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gittrack as package
from gittrack.workspace.workspace import Workspace
from tests.support.git_repository import make_repository, open_repository, run_git
from tests.support.recorded import start_script
from tests.support.remotes import make_bare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Gittrack = Callable[..., list[str]]


LIVE = """
import time, gittrack
run = gittrack.Run("live", quiet=True)
run.log_text("said", "hello")
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def repo(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with an experiment `x` that has a curve, a series of images, a text with an escape, and a table."""
    monkeypatch.chdir(repo_dir)
    with package.Run("x", quiet=True) as run:
        run.log_roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        run.log_image("sample", np.zeros((2, 3)), step=1)
        run.log_image("sample", np.ones((2, 3)), step=2)
        run.log_text("a \x1b[31mred\x1b[0m one", "früh")
        run.log_table("rows", [{"a": 1, "b": "x"}, {"a": 2, "b": None}])
    with package.Run("none", quiet=True):
        pass
    return repo_dir


def as_json(lines: list[str]) -> Any:
    return json.loads("\n".join(lines))


def test_plots_are_listed(gittrack: Gittrack, repo: Path) -> None:
    """Each with its step and what sums it up; for programs, all that is known; nothing reaches the terminal raw."""
    lines = gittrack("exp", "plots", "x", cwd=repo)
    assert lines[0].split() == ["name", "step", "kind", "size", "values"]
    assert lines[1].split() == ["roc", "-", "roc", "564", "bytes", "auc", "0.75"]
    assert [line.split()[:3] for line in lines[2:4]] == [["sample", "1", "image"], ["sample", "2", "image"]]
    assert "\x1b" not in "".join(lines)
    listed = as_json(gittrack("exp", "plots", "x", "--json", cwd=repo))
    assert [(one["name"], one.get("step")) for one in listed[:3]] == [("roc", None), ("sample", 1), ("sample", 2)]
    assert listed[0]["values"] == {"auc": 0.75}
    rows = list(csv.DictReader(io.StringIO("\n".join(gittrack("exp", "plots", "x", "--csv", cwd=repo)))))
    assert (rows[1]["name"], rows[1]["step"], rows[1]["media_type"]) == ("sample", "1", "image/png")


def test_an_experiment_without_plots_says_how_to_log_one(gittrack: Gittrack, repo: Path) -> None:
    """On stderr; programs get an empty list."""
    assert gittrack("exp", "plots", "none", cwd=repo) == ["none has no plots: run.log_plot(name, …) logs one"]
    assert as_json(gittrack("exp", "plots", "none", "--json", cwd=repo)) == []


def test_the_data_of_a_plot_is_printed(gittrack: Gittrack, repo: Path) -> None:
    """All of it as JSON, the columns as CSV."""
    found = as_json(gittrack("exp", "plots", "x", "roc", "--json", cwd=repo))
    assert found["columns"]["fpr"] == [0.0, 0.0, 0.5, 0.5, 1.0]
    assert found["columns"]["threshold"][0] == "inf"
    assert found["figure"]["data"][0]["y"] == [0.0, 0.5, 0.5, 1.0, 1.0]
    assert as_json(gittrack("exp", "plots", "x", "roc", cwd=repo)) == found
    assert gittrack("exp", "plots", "x", "rows", "--csv", cwd=repo) == ["a,b", "1,x", "2,"]
    assert gittrack("exp", "plots", "x", "a \x1b[31mred\x1b[0m one", cwd=repo) == ["früh"]


def test_a_plot_is_written_to_a_file(gittrack: Gittrack, repo: Path) -> None:
    """Byte for byte: that of a step, or of the last."""
    for options, name in ((["--step", "1"], "one.png"), ([], "last.png")):
        assert gittrack("exp", "plots", "x", "sample", *options, "-o", name, cwd=repo) == []
    one, last = ((repo / name).read_bytes() for name in ("one.png", "last.png"))
    assert one[:4] == last[:4] == b"\x89PNG"
    assert one != last


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["x", "other"], 1),
        (["x", "sample", "--step", "9"], 1),
        (["nobody"], 1),
        (["x", "--step", "1"], 2),
        (["x", "sample", "--csv"], 2),
    ],
)
def test_what_is_not_there_is_an_error(gittrack: Gittrack, repo: Path, words: list[str], code: int) -> None:
    """With the exit code of its kind."""
    gittrack("exp", "plots", *words, cwd=repo, code=code)


def test_show_names_the_plots(gittrack: Gittrack, repo: Path) -> None:
    """For people and for programs."""
    lines = gittrack("exp", "show", "x", cwd=repo)
    section = lines[lines.index("plots") :]
    assert section[1].split() == ["roc", "roc", "auc", "0.75"]
    assert section[2].split() == ["sample", "image", "2", "steps"]
    assert len(as_json(gittrack("exp", "show", "x", "--json", cwd=repo))["plots"]) == 5


def test_diff_compares_the_numbers_of_plots(gittrack: Gittrack, repo: Path) -> None:
    """What sums up the last step of each; what is the same is left out."""
    with package.Run("y", quiet=True) as run:
        run.log_roc_curve([0, 0, 1, 1], [0.1, 0.2, 0.35, 0.8], step=1)
        run.log_roc_curve([0, 0, 1, 1], [0.1, 0.36, 0.35, 0.8], step=2)
        run.log_roc_curve([0, 1], [0.1, 0.8], "other")
        run.log_table("rows", [{"a": 1, "b": "x"}, {"a": 2, "b": None}])
    found = as_json(gittrack("exp", "diff", "x", "y", "--json", cwd=repo))
    assert found["plots"] == {"other.auc": {"to": 1.0}}
    lines = gittrack("exp", "diff", "none", "x", cwd=repo)
    assert lines[lines.index("plots") + 1].split()[0] == "roc.auc"
    with package.Run("z", quiet=True) as run:
        run.log_roc_curve([0, 1], [0.1, 0.8])
    found = as_json(gittrack("exp", "diff", "x", "z", "--json", cwd=repo))
    assert found["plots"]["roc.auc"] == {"from": 0.75, "to": 1.0, "delta": 0.25}


def test_plots_of_a_run_under_way_are_shown(gittrack: Gittrack, repo: Path) -> None:
    """Before its end, and before its first commit."""
    process = start_script(repo, LIVE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert gittrack("exp", "plots", "live", "said", cwd=repo) == ["hello"]
    finally:
        process.kill()
        process.communicate()


def test_large_plots_travel_with_the_experiment(
    tmp_path: Path, gittrack: Gittrack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushed, pulled, kept by gc, and named when they are lost."""
    ada = make_repository(tmp_path / "ada")
    run_git("remote", "add", "origin", str(make_bare(tmp_path / "team.git")), cwd=ada)
    monkeypatch.chdir(ada)
    with package.Run("x", quiet=True) as run:
        run.log_text("large", "y" * 1_500_000)
    (digest,) = [plot.digest for plot in run.record.plots] if run.record else []
    assert digest is not None
    assert gittrack("push", cwd=ada)[0] == "pushed 1 artifact (1.4 MiB): .gittrack/plots/large.txt"
    run_git("push", "-q", "origin", "main", cwd=ada)
    run_git("clone", "-q", "-b", "main", str(tmp_path / "team.git"), "bob", cwd=tmp_path)
    bob = tmp_path / "bob"
    # A plain fetch brings what is said of the plots, and not what is in the large ones.
    run_git("fetch", "-q", "origin", "+refs/gittrack/exps/*:refs/gittrack/remotes/origin/exps/*", cwd=bob)
    said = [
        "error: the content of the plot 'large' is not in the cache",
        "hint: fetch it with 'gittrack pull origin x'",
    ]
    assert gittrack("exp", "plots", "origin/x", "large", cwd=bob, code=1) == said
    assert gittrack("exp", "plots", "x", "large", cwd=bob, code=1) == said
    assert not Workspace.open(open_repository(bob)).cache.find_size(digest)
    gittrack("pull", "origin", "x", cwd=bob)
    assert gittrack("exp", "plots", "x", "large", cwd=bob) == ["y" * 1_500_000]
    gittrack("gc", "--cache", "--older-than", "0", cwd=bob)
    cache = Workspace.open(open_repository(bob)).cache
    assert cache.is_intact(digest)
    cache.remove(digest)
    assert gittrack("exp", "plots", "x", "large", cwd=bob, code=1) == said
    gittrack("pull", "origin", "x", cwd=bob)
    assert gittrack("exp", "plots", "x", "large", cwd=bob) == ["y" * 1_500_000]
