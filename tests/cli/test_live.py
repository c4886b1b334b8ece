"""`gittrack live`: post one event, see what is to be posted, post the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import gittrack as package
from gittrack.live import posting
from tests.support.live_server import live_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.live_server import LiveServer

    Call = Callable[..., list[str]]


@pytest.fixture
def receiver(git: Callable[..., str], repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    """A receiver that the repository's settings name."""
    for name in ("DVC_STUDIO_TOKEN", "DVC_STUDIO_URL", "DVC_STUDIO_REPO_URL", "DVC_STUDIO_OFFLINE", "STUDIO_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(repo_dir)
    with live_server() as server:
        git("config", "gittrack.live.url", server.url)
        git("config", "gittrack.token", "tok")
        git("config", "gittrack.live.repo", "https://me:s3cret@example.org/x.git")
        yield server


@pytest.fixture
def _left(receiver: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of which the receiver took nothing."""
    monkeypatch.setattr(posting, "END_WAIT_S", 2.0)
    receiver.answers = [403]
    with package.Run(name="fox", quiet=True) as run:
        run.log_metric("loss", 0.5)


left = pytest.mark.usefixtures("_left")


def test_an_event_with_files(receiver: LiveServer, gittrack: Call, repo_dir: Path, git: Callable[..., str]) -> None:
    """Metrics, params, a table, datapoints and an image, by their paths from the top."""
    folder = repo_dir / "sub"
    folder.mkdir()
    (folder / "m.json").write_text('{"acc": 0.5, "loss": NaN}', encoding="utf-8")
    (folder / "loss.tsv").write_text("step\tloss\tnote\n0\t0.5\tx\n1\tnan\ty\n", encoding="utf-8")
    (folder / "roc.json").write_text('[{"fpr": 0, "tpr": 1}]', encoding="utf-8")
    (folder / "a.png").write_bytes(b"\x89PNG")
    files = ("--metrics", "m.json", "--params", "../params.yaml", "--plot", "loss.tsv", "--plot", "roc.json")
    said = gittrack("live", "post", "data", "-n", "fox", "--step", "3", *files, "--plot", "a.png", cwd=folder)
    assert said == ["posted data of fox"]
    head, plots = receiver.bodies
    assert head["baseline_sha"] == git("rev-parse", "HEAD")
    assert head["repo_url"] == "https://example.org/x.git"
    assert head["metrics"] == {"sub/m.json": {"data": {"acc": 0.5, "loss": "nan"}}}
    assert list(head["params"]) == ["params.yaml"]
    assert plots["plots"]["sub/loss.tsv"]["data"] == [
        {"step": 0, "loss": 0.5, "note": "x"},
        {"step": 1, "loss": "nan", "note": "y"},
    ]
    assert plots["plots"]["sub/roc.json"] == {"data": [{"fpr": 0, "tpr": 1}]}
    assert plots["plots"]["sub/a.png"] == {"image": "iVBORw=="}


def test_the_end_names_the_experiment(receiver: LiveServer, gittrack: Call, repo_dir: Path) -> None:
    """By its name or by any revision."""
    with package.Run(name="fox", quiet=True) as run:
        pass
    n_before = len(receiver.requests)
    gittrack("live", "post", "done", "-n", "fox", "--experiment", "fox", cwd=repo_dir)
    gittrack("live", "post", "done", "-n", "fox", "--experiment", str(run.commit), cwd=repo_dir)
    assert [body["experiment_rev"] for body in receiver.bodies[n_before:]] == [run.commit] * 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("data", "-n", "fox"), 2, "error: data needs the step it belongs to"),
        (("start", "-n", "a/b"), 1, "error: no experiment can be called 'a/b'"),
        (("start", "-n", "fox", "--baseline", "nowhere"), 1, "error: git knows no commit 'nowhere'"),
        (("start", "-n", "fox", "--params", "no.yaml"), 1, "error: cannot read 'no.yaml': No such file or directory"),
        (("start", "-n", "fox", "--params", "train.py", "--url", "ftp://x"), 1, "error: the live URL is none of"),
        (("start", "-n", "fox", "--metrics", "list.json"), 1, "error: 'list.json' cannot be posted"),
    ],
    ids=str,
)
def test_what_cannot_be_posted(
    arguments: tuple[str, ...], code: int, said: str, receiver: LiveServer, gittrack: Call, repo_dir: Path
) -> None:
    """The message names it, and nothing is sent."""
    (repo_dir / "list.json").write_text("[1]", encoding="utf-8")
    assert gittrack("live", "post", *arguments, cwd=repo_dir, code=code)[0].startswith(said)
    assert receiver.requests == []


def test_a_receiver_that_refuses(receiver: LiveServer, gittrack: Call, repo_dir: Path) -> None:
    """Its own words, without control characters."""
    receiver.usual, receiver.answer_text = 401, b"wrong\x1b[31m token"
    lines = gittrack("live", "post", "start", "-n", "fox", cwd=repo_dir, code=1)
    assert lines[0].startswith("error: the receiver answered 401: wrong")
    assert "\x1b" not in "".join(lines)


def test_nothing_set_up(gittrack: Call, repo_dir: Path, receiver: LiveServer, git: Callable[..., str]) -> None:
    """Status and error say what to set."""
    git("config", "--unset", "gittrack.live.url")
    hint = "hint: git config gittrack.live.url <url>, or set DVC_STUDIO_URL"
    assert gittrack("live", "status", cwd=repo_dir) == ["runs are not posted: no live URL is set", hint]
    assert gittrack("live", "post", "start", "-n", "x", cwd=repo_dir, code=1) == ["error: no live URL is set", hint]
    assert gittrack("live", "flush", cwd=repo_dir) == ["everything is posted"]
    assert receiver.requests == []


def test_all_is_posted(receiver: LiveServer, gittrack: Call, repo_dir: Path) -> None:
    """Status names the receiver, without the token."""
    assert gittrack("live", "status", cwd=repo_dir) == [
        f"runs are posted to {receiver.url}, as those of https://example.org/x.git",
        "everything is posted",
    ]


@left
def test_what_is_left(receiver: LiveServer, gittrack: Call, repo_dir: Path) -> None:
    """Status shows why; flush posts it when the receiver takes it."""
    table = gittrack("live", "status", cwd=repo_dir)
    assert "fox" in table[1]
    assert "refused" in table[1]
    assert "the receiver answered 403" in table[1]
    (row,) = json.loads("\n".join(gittrack("live", "status", "--json", cwd=repo_dir)[:-1]))
    assert row["unsent"] > 0
    receiver.answers = [403]
    assert gittrack("live", "flush", cwd=repo_dir, code=1) == ["not posted: fox: the receiver answered 403"]
    assert gittrack("live", "flush", "other", cwd=repo_dir) == []
    assert gittrack("live", "flush", "fox", cwd=repo_dir) == ["posted fox"]
    assert receiver.points("loss") == [0.5]
    assert receiver.bodies[-1]["type"] == "done"
    assert gittrack("live", "flush", cwd=repo_dir) == ["everything is posted"]


@left
def test_what_is_left_can_be_forgotten(receiver: LiveServer, gittrack: Call, repo_dir: Path) -> None:
    """The experiment stays."""
    assert gittrack("live", "flush", "--discard", cwd=repo_dir) == ["discarded what was not posted of fox"]
    assert gittrack("live", "flush", cwd=repo_dir) == ["everything is posted"]
    assert gittrack("exp", "list", "--names-only", cwd=repo_dir) == ["fox"]
    assert len(receiver.requests) == 1
