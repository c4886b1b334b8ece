"""Alerts are recorded, and reach the command and the address of the user's own git settings."""

from __future__ import annotations

import json
import shlex
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

import gittrack
from gittrack.errors import UsageError
from gittrack.runs import alerts
from gittrack.values import InvalidValueError
from tests.support.recorded import read_recorded, run_script, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TELL = """
import json, os, sys
told = {key: value for key, value in os.environ.items() if key.startswith("GITTRACK_ALERT_")}
with open(sys.argv[1], "a") as file:
    file.write(json.dumps([json.load(sys.stdin), told]) + "\\n")
"""


class Receiver:
    """A web server that keeps what is posted to it."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append({"path": self.path, **json.loads(body)})
                status = receiver.answers.pop(0) if receiver.answers else 204
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook/s3cret-path"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_dir)
    monkeypatch.setattr(alerts, "_PAUSES_S", (0.01, 0.01))


@pytest.fixture
def told(tmp_path: Path, git: Callable[..., str]) -> Callable[[], list[Any]]:
    """Set a command that notes what it gets, and return what it got so far."""
    script, notes = tmp_path / "tell it.py", tmp_path / "notes.jsonl"
    script.write_text(TELL, encoding="utf-8")
    git("config", "gittrack.alert.command", shlex.join([sys.executable, str(script), str(notes)]))
    return lambda: [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]


def test_an_alert_is_recorded(repo_dir: Path) -> None:
    """With its time and step, in the order in which they came; secrets are masked."""
    began = time.time()
    with gittrack.Run("a") as run:
        run.alert("Started")
        run.step = 3
        run.alert("Loss is NaN", "with token=abc", level="error")
    first, second = read_recorded(repo_dir, "a").meta.alerts
    assert (first["title"], first["level"]) == ("Started", "info")
    assert not {"step", "text"} & set(first)
    assert (second["title"], second["text"], second["level"], second["step"]) == (
        "Loss is NaN",
        "with token=***",
        "error",
        3,
    )
    assert isinstance(second["time"], float)
    assert began <= second["time"] <= time.time()


def test_a_killed_run_keeps_its_alerts(repo_dir: Path) -> None:
    """They are in the journal when the call returns."""
    run_script(repo_dir, "import gittrack, os\ngittrack.Run('a').alert('now')\nos.kill(os.getpid(), 9)")
    settle(repo_dir)
    assert [alert["title"] for alert in read_recorded(repo_dir, "a").meta.alerts] == ["now"]


def test_a_run_that_goes_on_keeps_its_alerts(repo_dir: Path) -> None:
    """New ones are added."""
    for number in range(2):
        with gittrack.Run("a", resume=number == 1) as run:
            run.alert(f"alert {number}")
    assert [alert["title"] for alert in read_recorded(repo_dir, "a").meta.alerts] == ["alert 0", "alert 1"]


def test_the_command_gets_the_alert(told: Callable[[], list[Any]]) -> None:
    """As JSON, and in variables; its words may have spaces, and no shell reads them."""
    with gittrack.Run("a", group="g") as run:
        run.alert("$(touch owned)", "`touch owned`; é", level="warning")
    ((document, variables),) = told()
    assert document["title"] == "$(touch owned)"
    assert (document["text"], document["level"]) == ("`touch owned`; é", "warning")
    assert (document["run"], document["group"], document["baseline"]) == ("a", "g", run.baseline)
    assert variables["GITTRACK_ALERT_TITLE"] == "$(touch owned)"
    assert variables["GITTRACK_ALERT_RUN"] == "a"


def test_the_address_gets_the_alert(receiver: Receiver, git: Callable[..., str]) -> None:
    """Each alert is one POST, in order."""
    git("config", "gittrack.alert.url", receiver.url)
    with gittrack.Run("a") as run:
        for number in range(3):
            run.alert(f"alert {number}")
    assert [(one["title"], one["text"], one["path"]) for one in receiver.got] == [
        (f"alert {number}", f"alert {number}", "/hook/s3cret-path") for number in range(3)
    ]


def test_an_address_that_is_busy_is_tried_again(receiver: Receiver, git: Callable[..., str]) -> None:
    """Up to three times."""
    git("config", "gittrack.alert.url", receiver.url)
    receiver.answers = [503, 429]
    with gittrack.Run("a") as run:
        run.alert("now")
    assert len(receiver.got) == 3


@pytest.mark.parametrize("status", [302, 404])
def test_a_refusal_is_a_warning_without_the_address(
    receiver: Receiver, git: Callable[..., str], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Once, not tried again, no redirect followed; the address may be a secret."""
    git("config", "gittrack.alert.url", receiver.url)
    receiver.answers = [status, status]
    with gittrack.Run("a") as run:
        run.alert("one")
        run.alert("two")
    assert [one["path"] for one in receiver.got] == ["/hook/s3cret-path"] * 2
    assert caplog.text.count(f"it answered {status}") == 1
    assert "s3cret-path" not in caplog.text


def test_a_server_that_is_not_there(git: Callable[..., str], caplog: pytest.LogCaptureFixture, repo_dir: Path) -> None:
    """The alert is recorded all the same."""
    git("config", "gittrack.alert.url", "http://127.0.0.1:9/secret-path")
    with gittrack.Run("a") as run:
        run.alert("now")
    assert "gittrack.alert.url at 127.0.0.1 cannot be reached: ConnectionError" in caplog.text
    assert "secret-path" not in caplog.text
    assert len(read_recorded(repo_dir, "a").meta.alerts) == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("false", "gittrack.alert.command ended with 1"),
        ("no-such-program", "gittrack.alert.command cannot be run"),
        ('"open', "gittrack.alert.command cannot be split into words"),
        ("sh -c 'echo password=hunter2 >&2; exit 3'", "ended with 3: password=***"),
    ],
)
def test_a_command_that_fails_is_a_warning(
    git: Callable[..., str], caplog: pytest.LogCaptureFixture, command: str, said: str
) -> None:
    """And the run is completed."""
    git("config", "gittrack.alert.command", command)
    with gittrack.Run("a") as run:
        run.alert("now")
    assert said in caplog.text
    assert run.status == "completed"


def test_an_address_of_another_kind_is_refused(git: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    """Only the web is posted to."""
    git("config", "gittrack.alert.url", "file:///etc/passwd")
    with gittrack.Run("a") as run:
        run.alert("now")
    assert "gittrack.alert.url is not a web address" in caplog.text


def test_files_of_the_repository_name_no_destination(repo_dir: Path, receiver: Receiver) -> None:
    """Whoever can commit to a project must not be able to have commands run or data sent."""
    (repo_dir / "gittrack.yaml").write_text(f"alert: {{url: '{receiver.url}'}}\n", encoding="utf-8")
    (repo_dir / ".gitconfig").write_text(f'[gittrack "alert"]\n\turl = {receiver.url}\n', encoding="utf-8")
    with gittrack.Run("a") as run:
        run.alert("now")
    assert receiver.got == []


def test_the_call_does_not_wait(git: Callable[..., str]) -> None:
    """A slow command holds up the end of the run, not the training."""
    git("config", "gittrack.alert.command", f"{sys.executable} -c 'import time; time.sleep(1)'")
    with gittrack.Run("a") as run:
        began = time.perf_counter()
        run.alert("now")
        assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("",), InvalidValueError),
        ((" ",), InvalidValueError),
        ((3,), InvalidValueError),
        (("a", None), InvalidValueError),
        (("a", "b", "loud"), UsageError),
        (("a", "b", ["info"]), UsageError),
    ],
)
def test_a_wrong_call_raises(arguments: tuple[Any, ...], error: type[Exception], repo_dir: Path) -> None:
    """At once, and nothing is recorded."""
    with gittrack.Run("a") as run, pytest.raises(error):
        run.alert(*arguments)
    assert read_recorded(repo_dir, "a").meta.alerts == ()
