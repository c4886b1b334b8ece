"""What a person writes finds the experiment that is meant, or says what else to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gittrack.experiments.resolve import AmbiguousNameError, resolve
from gittrack.experiments.store import ExperimentMissingError
from tests.support.experiments import add_experiment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository


@pytest.fixture
def commits(repository: Repository, git: Callable[..., str], repo_dir: Path) -> dict[str, str]:
    """Two baselines, first and second; `twin` under both, `brave-otter` and `beef` under the first."""
    first = git("rev-parse", "HEAD")
    git("tag", "-a", "v1", "-m", "x")
    (repo_dir / "train.py").write_text("2\n", encoding="utf-8")
    git("commit", "-q", "-a", "-m", "Second")
    second = git("rev-parse", "HEAD")
    return {
        "first": first,
        "second": second,
        "otter": add_experiment(repository, "brave-otter", baseline=first),
        "beef": add_experiment(repository, "beef", baseline=first, params={"a": 1}),
        "twin1": add_experiment(repository, "twin", baseline=first),
        "twin2": add_experiment(repository, "twin", baseline=second),
        "theirs": add_experiment(repository, "theirs", baseline=first, remote="origin", params={"b": 1}),
        "their otter": add_experiment(repository, "brave-otter", baseline=first, remote="origin", params={"c": 1}),
    }


def test_every_way_of_naming_works(repository: Repository, commits: dict[str, str]) -> None:
    """Name, name@baseline, remote/name, the beginning of a commit id, and the full ref."""
    ways = {
        "brave-otter": "otter",
        "beef": "beef",
        f"twin@{commits['first'][:4]}": "twin1",
        "twin@v1": "twin1",
        "twin@main": "twin2",
        "twin@HEAD~1": "twin1",
        "origin/brave-otter": "their otter",
        "origin/theirs@v1": "theirs",
        "theirs": "theirs",
        commits["otter"]: "otter",
        commits["otter"][:8].upper(): "otter",
        commits["theirs"][:8]: "theirs",
        f"refs/gittrack/exps/{commits['first']}/twin": "twin1",
        f"refs/gittrack/remotes/origin/exps/{commits['first']}/theirs": "theirs",
    }
    assert {text: resolve(repository, text).commit for text in ways} == {
        text: commits[key] for text, key in ways.items()
    }


def test_an_ambiguous_name_lists_what_to_write(repository: Repository, commits: dict[str, str]) -> None:
    """Each candidate is given in a form that resolves."""
    with pytest.raises(AmbiguousNameError) as caught:
        resolve(repository, "twin")
    written = (caught.value.hint or "").removeprefix("choose one of: ").split(", ")
    assert {resolve(repository, text).commit for text in written} == {commits["twin1"], commits["twin2"]}


def test_an_unknown_name_suggests_near_ones(repository: Repository, commits: dict[str, str]) -> None:
    """A slip of the finger is answered with the name that was meant."""
    assert commits
    with pytest.raises(ExperimentMissingError) as caught:
        resolve(repository, "brave-oter")
    assert "'brave-otter'" in (caught.value.hint or "")


def test_a_name_under_another_baseline_says_where_it_is(repository: Repository, commits: dict[str, str]) -> None:
    """A wrong baseline is answered with the right one."""
    with pytest.raises(ExperimentMissingError) as caught:
        resolve(repository, "brave-otter@main")
    assert f"brave-otter@{commits['first'][:7]}" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "--help",
        "-n",
        "a\nb",
        "a\0b",
        "../../config",
        "refs/heads/main",
        "refs/gittrack/exps/../x",
        "@",
        "x@--all",
        "abc",
    ],
)
def test_hostile_and_odd_texts_name_nothing(repository: Repository, commits: dict[str, str], text: str) -> None:
    """Options, path tricks and control characters are unknown names, nothing more."""
    assert commits
    with pytest.raises(ExperimentMissingError):
        resolve(repository, text)
