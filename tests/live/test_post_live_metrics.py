"""`gittrack.post_live_metrics` and the compatible one: True, False and None, and what exactly is sent."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gittrack
from gittrack.compat.dvc_studio_client.post_live_metrics import post_live_metrics as studio_post
from gittrack.live import event
from tests.support.live_server import CUT, HANG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.live_server import LiveServer

SHA = "a" * 40
both = pytest.mark.parametrize("post", [gittrack.post_live_metrics, studio_post], ids=["native", "studio"])


@pytest.fixture
def send(receiver: LiveServer, monkeypatch: pytest.MonkeyPatch, repo_dir: Path) -> Callable[..., Any]:
    """Call a post function with a receiver, a token and a repository's URL."""
    monkeypatch.chdir(repo_dir)
    monkeypatch.setenv("DVC_STUDIO_URL", receiver.url)
    monkeypatch.setenv("DVC_STUDIO_TOKEN", "tok")
    monkeypatch.setenv("DVC_STUDIO_REPO_URL", "https://example.org/team/project.git")

    def call(post: Callable[..., Any], event_type: Any = "start", **arguments: Any) -> Any:
        return post(event_type, **{"baseline_sha": SHA, "name": "fox", "client": "dvclive", **arguments})

    return call


@both
@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([200], True),
        ([201], False),
        ([202], False),
        ([204], False),
        ([302, 200], True),
        ([307, 200], True),
        ([307, 201], False),
        ([401], False),
        ([429], False),
        ([500], False),
        ([CUT], False),
    ],
)
def test_exactly_200_is_true(post: Any, answers: list[int], expected: bool, send: Any, receiver: LiveServer) -> None:
    """Any other status, after redirections, and a connection that is cut are False; nothing is sent twice."""
    receiver.answers = list(answers)
    receiver.answer_headers = {"Location": "/there"}
    assert send(post) is expected
    assert len(receiver.requests) == len(answers)


@both
def test_a_refused_connection_is_false(post: Any, send: Any) -> None:
    """A receiver that is not there is no error."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert send(post, studio_url=url) is False


@both
def test_a_hanging_receiver_is_false_after_five_seconds(post: Any, send: Any, receiver: LiveServer) -> None:
    """The time-out of an answer ends the call."""
    receiver.answers = [HANG]
    assert send(post) is False
    assert len(receiver.requests) == 1


@both
def test_the_headers_and_the_place(post: Any, send: Any, receiver: LiveServer) -> None:
    """The receiver finds the token where DVC Studio looks for it."""
    assert send(post, message="m" * 80, subdir="sub", params={"p.yaml": {"lr": 0.1}}, machine={"cpu": 2}) is True
    request = receiver.requests[0]
    assert (request.method, request.path) == ("POST", "/api/live")
    assert request.headers["authorization"] == "token tok"
    assert request.headers["content-type"] == "application/json"
    assert request.body == {
        "type": "start",
        "repo_url": "https://example.org/team/project.git",
        "baseline_sha": SHA,
        "name": "fox",
        "client": "dvclive",
        "message": "m" * 72,
        "subdir": "sub",
        "params": {"p.yaml": {"lr": 0.1}},
        "machine": {"cpu": 2},
    }


@both
@pytest.mark.parametrize(
    "wrong",
    [
        {"event_type": "data"},
        {"event_type": "nonsense"},
        {"event_type": "data", "step": 1.0},
        {"baseline_sha": "a" * 39},
        {"baseline_sha": "x" * 40},
        {"name": None},
        {"client": 3},
        {"metrics": {"m.json": {"data": {}, "more": 1}}},
        {"metrics": {"m.json": {"error": {"cls": "x"}}}},
        {"params": {"p.yaml": 1}},
        {"event_type": "data", "step": 1, "plots": {"a": {"data": [{}], "image": "x"}}},
        {"event_type": "data", "step": 1, "plots": {"a": {"data": [1]}}},
        {"event_type": "done", "experiment_rev": "short"},
        {"message": 3},
    ],
    ids=str,
)
def test_what_breaks_the_protocol_is_not_sent(post: Any, wrong: Any, send: Any, receiver: LiveServer) -> None:
    """None, and no request."""
    assert send(post, **wrong) is None
    assert receiver.requests == []


@both
@pytest.mark.parametrize("missing", ["offline", "DVC_STUDIO_TOKEN", "DVC_STUDIO_REPO_URL", "DVC_STUDIO_OFFLINE"])
def test_without_what_is_needed_nothing_is_sent(
    post: Any, missing: str, send: Any, receiver: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No token, no URL of the repository, offline: None, also for an event that breaks the protocol."""
    if missing == "DVC_STUDIO_OFFLINE":
        monkeypatch.setenv(missing, "yes")
    elif missing != "offline":
        monkeypatch.delenv(missing)
    assert send(post, "nonsense", offline=missing == "offline") is None
    assert receiver.requests == []


@both
def test_plots_come_in_a_second_request(post: Any, send: Any, receiver: LiveServer) -> None:
    """Metrics and params first, then the plots without them."""
    plots = {"loss.tsv": {"data": [{"step": 1, "loss": 0.5}]}, "a.png": {"image": "abcd"}}
    given = {"metrics": {"m.json": {"data": {"a": 1}}}, "params": {"p.yaml": {"b": 2}}, "plots": plots}
    assert send(post, "data", step=1, **given) is True
    first, second = receiver.bodies
    assert "plots" not in first
    assert (first["metrics"], first["params"], first["step"]) == (given["metrics"], given["params"], 1)
    assert second == {key: first[key] for key in first if key not in {"metrics", "params"}} | {"plots": plots}


@both
def test_plots_are_not_sent_after_a_failure(post: Any, send: Any, receiver: LiveServer) -> None:
    """The first request that fails ends it."""
    receiver.answers = [500]
    assert send(post, "data", step=1, plots={"a": {"data": [{"a": 1}]}}) is False
    assert len(receiver.requests) == 1


@both
def test_arguments_stay_as_they_are(post: Any, send: Any) -> None:
    """The caller may send the same objects again."""
    arguments = {"metrics": {"m": {"data": {"a": 1}}}, "plots": {"a": {"data": [{"x": 1}]}}, "machine": {"cpu": 1}}
    before = json.dumps(arguments)
    assert send(post, "data", step=1, **arguments) is True
    assert json.dumps(arguments) == before


def test_nan_is_typed(send: Any, receiver: LiveServer) -> None:
    """NaN and infinities arrive, and are told from texts that look like them."""
    metrics = {"m.json": {"data": {"a": float("nan"), "b": [np.float32("inf")], "c": "nan"}}}
    plots = {"a.tsv": {"data": [{"step": np.int64(1), "a": float("-inf"), "t": "inf"}]}, "i.png": {"image": b"\x89P"}}
    assert send(gittrack.post_live_metrics, "data", step=1, metrics=metrics, plots=plots) is True
    first, second = receiver.bodies
    assert first["metrics"] == {"m.json": {"data": {"a": "nan", "b": ["inf"], "c": "nan"}}}
    places = [["metrics", "m.json", "data", "a"], ["metrics", "m.json", "data", "b", "0"]]
    assert first["env"] == {"text_numbers": places}
    assert second["plots"]["a.tsv"] == {
        "data": [{"step": 1, "a": "-inf", "t": "inf"}],
        "props": {"text_numbers": ["a"]},
    }
    assert second["plots"]["i.png"] == {"image": "iVA="}


def test_nan_fails_as_in_the_original(send: Any, receiver: LiveServer) -> None:
    """DVC Studio's client answers False without a request."""
    assert send(studio_post, metrics={"m.json": {"data": {"a": float("nan")}}}) is False
    assert receiver.requests == []


def test_many_plots_come_in_several_requests(send: Any, receiver: LiveServer) -> None:
    """The limits of a request lose nothing."""
    plots = {f"{number}.tsv": {"data": [{"v": number}]} for number in range(450)}
    assert send(gittrack.post_live_metrics, "data", step=1, plots=plots) is True
    assert [len(body.get("plots", {})) for body in receiver.bodies] == [0, 200, 200, 50]
    assert {name: plot for body in receiver.bodies[1:] for name, plot in body["plots"].items()} == plots


def test_the_original_sends_the_first_200_plots(send: Any, receiver: LiveServer) -> None:
    """What is left out is warned of."""
    plots = {f"{number}.tsv": {"data": [{"v": number}]} for number in range(201)}
    assert send(studio_post, "data", step=1, plots=plots) is True
    assert len(receiver.bodies[1]["plots"]) == 200


def test_a_long_series_is_divided(send: Any, receiver: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plot that is too large for a request comes in parts that add up."""
    monkeypatch.setattr(event, "MAX_PLOT_BYTES", 2000)
    points = [{"step": number, "loss": 0.5} for number in range(500)]
    assert send(gittrack.post_live_metrics, "data", step=1, plots={"a.tsv": {"data": points}}) is True
    parts = [body["plots"]["a.tsv"]["data"] for body in receiver.bodies[1:]]
    assert len(parts) > 5
    assert [point for part in parts for point in part] == points


def test_an_image_that_is_too_large_is_not_sent(
    send: Any, receiver: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of the event is: it is known before the first request."""
    monkeypatch.setattr(event, "MAX_PLOT_BYTES", 100)
    assert send(gittrack.post_live_metrics, "data", step=1, plots={"a.png": {"image": b"x" * 200}}) is None
    assert receiver.requests == []


@pytest.mark.parametrize("other_end", ["interrupt", "failed"])
def test_other_ends_are_done_with_an_error(other_end: str, send: Any, receiver: LiveServer) -> None:
    """The protocol knows one end."""
    assert send(gittrack.post_live_metrics, other_end, message="out of memory") is True
    assert receiver.bodies[0]["type"] == "done"
    assert receiver.bodies[0]["errors"] == [{"cls": other_end, "text": "out of memory"}]


def test_ids_of_sha256_repositories(send: Any, receiver: LiveServer) -> None:
    """64 digits are a commit too; the original takes 40, and the letters g and h."""
    assert send(gittrack.post_live_metrics, baseline_sha="B" * 64) is True
    assert receiver.bodies[0]["baseline_sha"] == "B" * 64
    assert send(studio_post, baseline_sha="b" * 64) is None
    assert send(studio_post, baseline_sha="h" * 40) is True
    assert send(gittrack.post_live_metrics, baseline_sha="h" * 40) is None


def test_the_start_tells_of_the_machine(send: Any, receiver: LiveServer) -> None:
    """CPUs and memory, when the caller says nothing."""
    assert send(gittrack.post_live_metrics) is True
    assert receiver.bodies[0]["machine"]["cpu"] >= 1


def test_a_name_with_a_slash_is_not_sent(send: Any, receiver: LiveServer) -> None:
    """No experiment can be called so."""
    assert send(gittrack.post_live_metrics, name="a/b") is None
    assert receiver.requests == []


def test_offline_must_be_a_boolean(send: Any) -> None:
    """A text is a mistake, not a yes."""
    with pytest.raises(gittrack.UsageError, match="'offline' must be True or False, not 'no'"):
        send(gittrack.post_live_metrics, offline="no")


def test_a_netrc_does_not_replace_the_token(send: Any, receiver: LiveServer, monkeypatch: Any, tmp_path: Path) -> None:
    """What the user keeps for another program of the same host."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password s3cret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert send(gittrack.post_live_metrics) is True
    assert receiver.requests[0].headers["authorization"] == "token tok"


def test_a_file_takes_events(send: Any, receiver: LiveServer, tmp_path: Path) -> None:
    """A `file:` URL needs neither a server nor a token, and True means that it is on the disk."""
    path = tmp_path / "events.jsonl"
    for event_type in ("start", "done"):
        assert send(gittrack.post_live_metrics, event_type, studio_url=path.as_uri()) is True
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["start", "done"]
    assert receiver.requests == []
    assert send(gittrack.post_live_metrics, studio_url=(tmp_path / "no/such/folder").as_uri()) is False


def test_no_receiver_is_assumed(send: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a URL nothing leaves the machine, whatever token is set."""
    monkeypatch.delenv("DVC_STUDIO_URL")
    assert send(gittrack.post_live_metrics) is None
