"""A run posts itself: in the background, in order, through failures, and after the death of its process."""

from __future__ import annotations

import base64
import io
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import gittrack
from gittrack.live import posting, sender
from gittrack.live.sender import Pauses
from gittrack.live.spool import list_spools
from tests.support.live_server import CUT, HANG, live_server, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository
    from tests.support.live_server import LiveServer

TRAIN = """
import gittrack, sys, time
with gittrack.Run(name="fox", quiet=True, params={"lr": 0.1}) as run:
    for step in range(int(sys.argv[1])):
        run.log_metrics({"loss": 1 / (step + 1), "train/acc": step}, step=step)
    run.flush()
    print("logged", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def _set_up(receiver: LiveServer, repo_dir: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    git("remote", "add", "origin", "https://me:s3cret@example.org/x.git")
    git("config", "gittrack.live.url", receiver.url)
    monkeypatch.setenv("GITTRACK_TOKEN", "tok-123")
    monkeypatch.chdir(repo_dir)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "INTERVAL_S", 0.05)
    monkeypatch.setattr(sender, "_FIRST_PAUSE_S", 0.02)


quick = pytest.mark.usefixtures("_quick")


def train(*arguments: object) -> subprocess.Popen[str]:
    """Start a training in a process of its own."""
    command = [sys.executable, "-c", TRAIN, *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def kill(process: subprocess.Popen[str], receiver: LiveServer | None = None, after: str = "data") -> None:
    """Kill a training that has logged everything, and of which the receiver has heard."""
    assert process.stdout is not None
    assert process.stdout.readline() == "logged\n"
    if receiver is not None:
        receiver.wait_for_event(after)
    process.kill()
    process.communicate()


def kill_when_spooled(process: subprocess.Popen[str], repository: Repository) -> None:
    """Kill a training that has logged everything, and whose spool is there."""
    wait_until(lambda: any(spool.journals() for spool in list_spools(repository)))
    kill(process)


def check_order(receiver: LiveServer) -> None:
    """Fail unless a run was told of from its start to its end; how often in between depends on the moment."""
    first, *between, last = [body["type"] for body in receiver.bodies]
    assert (first, set(between), last) == ("start", {"data"}, "done")


def params_of(body: Any) -> Any:
    """Return the params that an event tells."""
    return body.get("params", {}).get(".gittrack/params.json", {})


def test_a_run_is_posted(receiver: LiveServer, git: Callable[..., str]) -> None:
    """Start, data, done: with everything that was logged, and the commit at the end."""
    with gittrack.Run(name="fox", quiet=True, description="deeper", params={"lr": 0.1}) as run:
        for step in range(3):
            run.log_metrics({"loss": 1.0 / (step + 1), "train/acc": float("nan")}, step=step)
    check_order(receiver)
    start, done = receiver.bodies[0], receiver.bodies[-1]
    plots = next(body for body in receiver.bodies if "plots" in body)
    assert start["message"] == "deeper"
    assert start["params"][".gittrack/params.json"]["lr"] == 0.1
    assert start["client"] == "gittrack"
    assert done["metrics"] == {".gittrack/metrics.json": {"data": {"loss": 1 / 3, "train/acc": "nan"}}}
    assert done["env"] == {"text_numbers": [["metrics", ".gittrack/metrics.json", "data", "train/acc"]]}
    points = plots["plots"][".gittrack/plots/metrics/train/acc.tsv"]
    assert [(point["step"], point["acc"]) for point in points["data"]] == [(0, "nan"), (1, "nan"), (2, "nan")]
    assert points["props"] == {"text_numbers": ["acc"]}
    assert abs(int(points["data"][0]["timestamp"]) / 1000 - time.time()) < 60
    assert receiver.points("loss") == [1.0, 0.5, 1 / 3]
    assert done["experiment_rev"] == run.commit == git("rev-parse", f"refs/gittrack/exps/{run.baseline}/fox")
    for body in receiver.bodies:
        assert (body["baseline_sha"], body["name"]) == (run.baseline, "fox")
        assert body["repo_url"] == "https://example.org/x.git"
    assert {request.headers["authorization"] for request in receiver.requests} == {"token tok-123"}


@quick
def test_it_is_posted_while_it_goes_on(receiver: LiveServer) -> None:
    """Each point once, params when they change."""
    with gittrack.Run(name="fox", quiet=True) as run:
        receiver.wait_for_event("start")
        run.log_metric("loss", 1.0)
        wait_until(lambda: receiver.points("loss") == [1.0])
        run.log_params({"later": True})
        wait_until(lambda: any(params_of(body).get("later") for body in receiver.bodies))
        run.log_metric("loss", 2.0)
        run.log_metric("loss", 3.0)
        wait_until(lambda: receiver.points("loss") == [1.0, 2.0, 3.0])
    assert receiver.points("loss") == [1.0, 2.0, 3.0]


def test_nothing_is_left(repository: Repository) -> None:
    """No spool, once all is posted."""
    with gittrack.Run(name="fox", quiet=True) as run:
        run.log_metric("loss", 1.0)
    assert list_spools(repository) == []


def test_a_failed_run_says_why(receiver: LiveServer) -> None:
    """The end of the protocol is the same, with an error."""
    with pytest.raises(ValueError, match="no such layer"), gittrack.Run(name="fox", quiet=True):
        raise ValueError("no such layer")
    assert receiver.bodies[-1]["type"] == "done"
    assert receiver.bodies[-1]["errors"] == [{"cls": "failed", "text": "ValueError: no such layer"}]


def test_the_spool_holds_no_secret(
    receiver: LiveServer, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the token nor what stands in a URL."""
    receiver.usual = 500
    monkeypatch.setenv("DVC_STUDIO_URL", receiver.url.replace("http://", "http://ada:hunter2@"))
    monkeypatch.setattr(posting, "END_WAIT_S", 0.3)
    with gittrack.Run(name="fox", quiet=True) as run:
        run.log_metric("loss", 1.0)
        receiver.wait_for(1)
    (spool,) = list_spools(repository)
    content = b"".join(path.read_bytes() for path in spool.path.iterdir() if path.is_file())
    assert b"fox" in content
    assert not [secret for secret in (b"tok-123", b"hunter2", b"s3cret") if secret in content]


@quick
@pytest.mark.parametrize("failure", [CUT, 408, 429, 500, 503], ids=str)
def test_what_passes_is_tried_again(failure: int, receiver: LiveServer, caplog: pytest.LogCaptureFixture) -> None:
    """Everything arrives, in order, with one warning."""
    receiver.answers = [failure, failure, 200, failure, 200, failure]
    with gittrack.Run(name="fox", quiet=True) as run:
        for step in range(5):
            run.log_metric("loss", float(step), step=step)
        wait_until(lambda: receiver.points("loss") and not receiver.answers)
    assert receiver.bodies[-1]["type"] == "done"
    assert receiver.points("loss")[-5:] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert 1 <= len([record for record in caplog.records if "live posting" in record.message]) <= 4


@quick
@pytest.mark.parametrize("refusal", [400, 401, 403, 404, 201, 302], ids=str)
def test_a_refusal_ends_it_and_keeps_what_there_is(
    refusal: int, receiver: LiveServer, repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    """Training goes on, somebody is told, and the rest waits for them."""
    receiver.answers = [refusal]
    receiver.answer_headers = {"Location": "/login"}
    with gittrack.Run(name="fox", quiet=True) as run:
        receiver.wait_for(1)
        wait_until(lambda: "fails" in caplog.text)
        run.log_metric("loss", 1.0)
        time.sleep(0.2)
    assert [request.body["type"] for request in receiver.requests if request.method == "POST"] == ["start"]
    (spool,) = list_spools(repository)
    assert spool.read_position().is_refused
    assert "'gittrack live flush'" in caplog.text


def test_a_receiver_that_is_not_there_costs_the_end_seconds(
    receiver: LiveServer, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection; the run is recorded all the same."""
    receiver.close()
    monkeypatch.setattr(posting, "END_WAIT_S", 0.5)
    with gittrack.Run(name="fox", quiet=True) as run:
        run.log_metric("loss", 1.0)
        start = time.monotonic()
    assert time.monotonic() - start < 3.0
    assert run.commit is not None
    assert len(list_spools(repository)) == 1


def test_a_hanging_receiver_costs_the_end_seconds(receiver: LiveServer, repository: Repository) -> None:
    """The wait for it has an end, well before that of an answer."""
    receiver.usual = HANG
    with gittrack.Run(name="fox", quiet=True) as run:
        run.log_metric("loss", 1.0)
        receiver.wait_for(1)
        start = time.monotonic()
    assert time.monotonic() - start < posting.END_WAIT_S + 1.5
    assert run.commit is not None
    assert len(list_spools(repository)) == 1


@quick
def test_a_killed_run_is_posted_by_the_next(
    receiver: LiveServer, repository: Repository, git: Callable[..., str]
) -> None:
    """What it had logged, each point at least once, and that it was killed; then nothing is left."""
    process = train(300, 60)
    kill(process, receiver)
    n_before = len(receiver.requests)
    with gittrack.Run(name="next", quiet=True):
        wait_until(lambda: any(body["name"] == "fox" and body["type"] == "done" for body in receiver.bodies))
    assert set(receiver.points("loss")) == {1 / (step + 1) for step in range(300)}
    done = next(body for body in receiver.bodies[n_before:] if body["name"] == "fox" and body["type"] == "done")
    assert done["errors"][0]["cls"] == "killed"
    assert done["experiment_rev"] == git("rev-parse", f"refs/gittrack/exps/{done['baseline_sha']}/fox")
    assert [body["type"] for body in receiver.bodies if body["name"] == "fox"].count("start") == 1
    assert list_spools(repository) == []


def test_a_run_that_was_killed_offline_is_flushed(
    receiver: LiveServer, repository: Repository, git: Callable[..., str]
) -> None:
    """Not a point is lost when the receiver comes back."""
    git("config", "gittrack.live.url", "http://127.0.0.1:9")
    kill_when_spooled(train(2000, 60), repository)
    git("config", "gittrack.live.url", receiver.url)
    command = [sys.executable, "-m", "gittrack", "live", "flush"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 1
    assert "it was meant for http://127.0.0.1:9" in done.stdout
    assert receiver.requests == []
    done = subprocess.run([*command, "--any-receiver"], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, "posted fox\n")
    assert receiver.points("loss") == [1 / (step + 1) for step in range(2000)]
    assert receiver.bodies[-1]["type"] == "done"
    assert list_spools(repository) == []


def test_what_a_receiver_did_not_take_in_time_is_sent_by_the_process(
    receiver: LiveServer, repository: Repository
) -> None:
    """A process that lives on after the run's end, as a notebook does, goes on trying."""
    receiver.answers = [503] * 2
    with gittrack.Run(name="fox", quiet=True) as run:
        run.log_metric("loss", 1.0)
    wait_until(lambda: receiver.bodies[-1]["type"] == "done" and not list_spools(repository))
    assert receiver.points("loss") == [1.0]


def test_a_terminated_run_posts_its_end(receiver: LiveServer) -> None:
    """SIGTERM leaves time to say so."""
    process = train(3, 60)
    assert process.stdout is not None
    process.stdout.readline()
    receiver.wait_for_event("data")
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert receiver.bodies[-1]["type"] == "done"
    assert receiver.bodies[-1]["errors"][0]["cls"] == "killed"


def test_a_short_script_without_an_end_is_posted(receiver: LiveServer) -> None:
    """The interpreter's exit ends the run, when no thread can be started any more."""
    program = "import gittrack; run = gittrack.Run(name='fox', quiet=True); run.log_metric('loss', 1.0)"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
    check_order(receiver)
    assert receiver.points("loss") == [1.0]


@quick
def test_several_processes_of_one_run_are_posted_once(receiver: LiveServer) -> None:
    """Workers that join a run log into its folder, and its owner posts for all."""
    program = "import gittrack; run = gittrack.Run(quiet=True); run.log_metric('worker', 2.0, step=0); run.end()"
    with gittrack.Run(name="fox", quiet=True) as run:
        run.log_metric("loss", 1.0)
        subprocess.run([sys.executable, "-c", program], check=True)
    assert receiver.points("worker") == [2.0]
    assert receiver.points("loss") == [1.0]
    assert [body["type"] for body in receiver.bodies].count("start") == 1
    assert {body["name"] for body in receiver.bodies} == {"fox"}


def test_a_command_is_posted(receiver: LiveServer) -> None:
    """`gittrack exp run`, and the script in it that logs."""
    script = "import gittrack; run = gittrack.Run(); run.log_metric('loss', 1.0); run.end()"
    command = [sys.executable, "-m", "gittrack", "exp", "run", "-n", "fox", "--", sys.executable, "-c", script]
    subprocess.run(command, check=True, capture_output=True)
    assert receiver.points("loss") == [1.0]
    check_order(receiver)
    assert receiver.bodies[-1]["experiment_rev"]


def test_a_forked_child_posts_nothing(receiver: LiveServer) -> None:
    """The run is its parent's."""
    with gittrack.Run(name="fox", quiet=True) as run:
        receiver.wait_for_event("start")
        pid = os.fork()
        if pid == 0:
            run.end()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    assert {body["type"] for body in receiver.bodies} - {"data"} == {"start", "done"}
    assert [body["type"] for body in receiver.bodies].count("done") == 1


def test_the_folder_of_the_project_is_told(
    receiver: LiveServer, repo_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository may hold several."""
    (repo_dir / "a/b").mkdir(parents=True)
    monkeypatch.chdir(repo_dir / "a/b")
    gittrack.Run(name="fox", quiet=True).end()
    assert receiver.bodies[0]["subdir"] == "a/b"


@pytest.mark.parametrize("how", ["url", "offline"])
def test_without_a_receiver_nothing_is_spooled(
    how: str, receiver: LiveServer, repository: Repository, git: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    """The usual case: no folder, no request, no word."""
    if how == "url":
        git("config", "--unset", "gittrack.live.url")
    else:
        git("config", "gittrack.live.offline", "true")
    gittrack.Run(name="fox", quiet=True).end()
    assert not (repository.state_dir / "live").exists()
    assert receiver.requests == []
    assert caplog.records == []


def test_a_receiver_without_a_token_is_said_once(
    receiver: LiveServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Half of a set-up is a mistake, not a choice."""
    monkeypatch.delenv("GITTRACK_TOKEN")
    gittrack.Run(name="fox", quiet=True).end()
    assert receiver.requests == []
    assert [record.message for record in caplog.records] == [
        "the run is not posted live: there is no token for live posting; training goes on"
    ]


@quick
def test_more_metrics_than_a_request_may_have(receiver: LiveServer) -> None:
    """They come in several."""
    with gittrack.Run(name="fox", quiet=True) as run:
        run.log_metrics({f"m{number}": number for number in range(450)})
    assert [len(body["plots"]) for body in receiver.bodies if "plots" in body] == [200, 200, 50]


@quick
def test_plots_that_are_not_series(receiver: LiveServer) -> None:
    """What a run logs beside its series comes with its step: rows of curves and tables, images; texts are left out."""
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    with gittrack.Run(name="fox", quiet=True) as run:
        run.log_metric("loss", 0.5, step=7)
        run.log_roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], step=7)
        run.log_table("rows", [{"a": 1, "b": float("nan")}], step=7)
        run.log_image("sample", image, step=7)
        run.log_text("note", "hello")
        wait_until(lambda: len(plots_of(receiver)) == 3)
    plots = plots_of(receiver)
    assert {one["step"] for one in plots.values()} == {7}
    by_kind = {one["plot"].get("props", {}).get("kind"): one["plot"] for one in plots.values()}
    roc, table, picture = (by_kind[kind] for kind in ("roc", "table", None))
    assert [(row["fpr"], row["tpr"]) for row in roc["data"]] == [(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]
    assert roc["props"]["values"] == {"auc": 0.75}
    assert table["data"] == [{"a": 1, "b": "nan"}]
    shown = Image.open(io.BytesIO(base64.b64decode(picture["image"])))
    assert np.array_equal(np.asarray(shown), image)


def plots_of(receiver: LiveServer) -> dict[str, dict[str, Any]]:
    """Return the plots that are no series of metrics, by their files, each with the step that it came with."""
    return {
        file: {"plot": plot, "step": body["step"]}
        for body in receiver.bodies
        for file, plot in body.get("plots", {}).items()
        if not file.endswith(".tsv")
    }


def test_the_proxy_of_the_environment_is_used(
    receiver: LiveServer, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every event goes through it, and none where the host is an exception."""
    monkeypatch.setenv("http_proxy", receiver.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    git("config", "gittrack.live.url", "http://studio.invalid/")
    with gittrack.Run(name="fox", quiet=True) as run:
        run.log_metric("loss", 0.5)
    paths = [request.path for request in receiver.requests]
    assert len(paths) > 2
    assert set(paths) == {"http://studio.invalid/api/live"}
    git("config", "gittrack.live.url", receiver.url)
    gittrack.Run(name="owl", quiet=True).end()
    assert {request.path for request in receiver.requests[len(paths) :]} == {"/api/live"}


def test_numbers_that_json_cannot_hold(receiver: LiveServer) -> None:
    """Integers of thousands of digits, infinities, and a metric that is called as a column."""
    with gittrack.Run(name="fox", quiet=True) as run:
        run.log_metrics({"big": 2**20_000, "up": float("inf"), "step": 5}, step=0)
    assert receiver.points("big") == [hex(2**20_000)]
    assert receiver.points("up") == ["inf"]
    plots = next(body["plots"] for body in receiver.bodies if "plots" in body)
    assert plots[".gittrack/plots/metrics/step.tsv"]["data"][0]["value"] == 5
    metrics = receiver.bodies[-1]["metrics"][".gittrack/metrics.json"]["data"]
    assert metrics == {"big": hex(2**20_000), "up": "inf", "step": 5}


def test_a_spool_that_is_too_old_goes(receiver: LiveServer, repository: Repository, git: Callable[..., str]) -> None:
    """A live view has no use for what nobody took in a month."""
    git("config", "gittrack.live.url", "http://127.0.0.1:9")
    kill_when_spooled(train(3, 60), repository)
    git("config", "gittrack.live.url", receiver.url)
    (spool,) = list_spools(repository)
    (spool.path.with_name(f".done-{spool.run_id}") / "sub").mkdir(parents=True)
    month_ago = time.time() - 40 * 86_400
    for path in spool.path.iterdir():
        os.utime(path, (month_ago, month_ago))
    with gittrack.Run(name="next", quiet=True):
        wait_until(lambda: not spool.path.exists())
    assert list(spool.path.parent.iterdir()) == []
    assert {body["name"] for body in receiver.bodies} == {"next"}


def test_pauses_grow_and_obey_the_receiver() -> None:
    """Twice as long after each failure, up to a minute; longer where the receiver asks for it, up to ten."""
    pauses = Pauses()
    waits = [pauses.fail() for _ in range(12)]
    assert all(0.5 * 2**n <= wait <= 2**n for n, wait in enumerate(waits[:6]))
    assert max(waits) <= 60.0
    assert pauses.fail("120") == 120.0
    assert pauses.fail("100000") == 600.0
    pauses.succeed()
    assert pauses.fail("soon") <= 1.0


def test_two_receivers(receiver: LiveServer, git: Callable[..., str], repository: Repository) -> None:
    """What was meant for one is not sent to the other by the next run."""
    with live_server() as other:
        other.usual = 401
        git("config", "gittrack.live.url", other.url)
        gittrack.Run(name="secret", quiet=True).end()
        git("config", "gittrack.live.url", receiver.url)
        gittrack.Run(name="open", quiet=True).end()
    assert {body["name"] for body in receiver.bodies} == {"open"}
    assert len(list_spools(repository)) == 1


def test_the_logger_of_dvclive_posts_its_run(receiver: LiveServer) -> None:
    """Start, points and end, as of any run."""
    with gittrack.Live(exp_name="fox") as live:
        live.log_param("lr", 0.1)
        for step in range(3):
            live.log_metric("loss", 1 / (step + 1))
            live.next_step()
    assert next(body["type"] for body in receiver.bodies) == "start"
    assert receiver.points("loss") == [1.0, 1 / 2, 1 / 3]
    assert receiver.bodies[-1]["type"] == "done"
    assert receiver.bodies[-1]["params"][".gittrack/params.json"]["lr"] == 0.1


@pytest.fixture
def _outside(receiver: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "outside"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_STUDIO_URL", receiver.url)
    monkeypatch.setenv("DVC_STUDIO_REPO_URL", "https://me:s3cret@example.org/x.git")


outside = pytest.mark.usefixtures("_outside")


@outside
def test_a_run_outside_of_a_repository_is_posted(receiver: LiveServer, tmp_path: Path) -> None:
    """Where the repository's URL is said; its baseline is no commit."""
    with gittrack.Run(name="fox", quiet=True, params={"lr": 0.1}) as run:
        run.log_metric("loss", 0.5, step=0)
    check_order(receiver)
    assert receiver.points("loss") == [0.5]
    assert {body["baseline_sha"] for body in receiver.bodies} == {"0" * 40}
    assert {body["repo_url"] for body in receiver.bodies} == {"https://example.org/x.git"}
    assert params_of(receiver.bodies[0])["lr"] == 0.1
    assert list_spools(tmp_path / "outside/gittrack-runs") == []


@outside
@pytest.mark.parametrize("who", ["next", "flush"])
def test_a_run_outside_of_a_repository_that_is_killed(who: str, receiver: LiveServer, tmp_path: Path) -> None:
    """The next run of the folder posts it, or a flush."""
    place = tmp_path / "outside/gittrack-runs"
    process = train(300, 60)
    wait_until(lambda: any(spool.journals() for spool in list_spools(place)))
    kill(process)
    if who == "flush":
        subprocess.run([sys.executable, "-m", "gittrack", "live", "flush"], check=True, capture_output=True)
    else:
        with gittrack.Run(name="next", quiet=True):
            wait_until(lambda: not any(spool for spool in list_spools(place) if not spool.is_posting()))
    assert set(receiver.points("loss")) == {1 / (step + 1) for step in range(300)}
    (end,) = [body for body in receiver.bodies if body["type"] == "done" and body["name"] == "fox"]
    assert end["errors"][0]["cls"] == "killed"


@outside
def test_a_run_outside_without_the_url_of_a_repository(
    receiver: LiveServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing says where it belongs, so nothing is sent, and one warning tells."""
    monkeypatch.delenv("DVC_STUDIO_REPO_URL")
    gittrack.Run(name="fox", quiet=True).end()
    assert receiver.requests == []
    assert "without a git repository its URL must be said" in caplog.text
