"""A receiver of the live protocol that records what it gets and can be told to fail."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

CUT = -1  # instead of a status: close the connection without an answer
HANG = -2  # answer nothing until the server ends


class Request(NamedTuple):
    """One request that came.

    Attributes:
        method: Its method.
        path: Its path.
        headers: Its headers, by their names in small letters.
        body: What it holds, from JSON; None when it is empty.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class LiveServer:
    """A receiver.

    Attributes:
        requests: What came, in order.
        replies: Statuses and bodies for the next requests, in order.
        answers: Statuses for the next requests after those, in order; then `usual`.
        usual: The status of all other answers.
        answer_headers: Headers of every answer.
        answer_text: The body of every answer.
        url: Its address.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.replies: list[tuple[int, bytes]] = []
        self.answers: list[int] = []
        self.usual = 200
        self.answer_headers: dict[str, str] = {}
        self.answer_text = b""
        self._changed = threading.Condition()
        self._is_over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                receiver._handle(self)

            do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the standard library's name
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """Say nothing of a client that went away."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def bodies(self) -> list[Any]:
        """The bodies that came."""
        return [request.body for request in self.requests]

    def wait_for(self, n_requests: int, timeout_s: float = 20.0) -> None:
        """Wait until so many requests came."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= n_requests, timeout_s), self.requests

    def wait_for_event(self, event_type: str, timeout_s: float = 20.0) -> Any:
        """Wait until an event of a type came, and return its body."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._find(event_type) is not None, timeout_s), self.requests
        return self._find(event_type)

    def points(self, metric: str) -> list[Any]:
        """Return the values of a metric that came, in order."""
        column = metric.rpartition("/")[2]
        file = f".gittrack/plots/metrics/{metric}.tsv"
        plots = [body["plots"][file] for body in self.bodies if body and file in body.get("plots", {})]
        return [point[column] for plot in plots for point in plot["data"]]

    def close(self) -> None:
        """Stop it."""
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()

    def _find(self, event_type: str) -> Any:
        return next((body for body in self.bodies if body and body["type"] == event_type), None)

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        data = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._changed:
            status, text = self._next_reply()
            body = json.loads(data) if data else None
            self.requests.append(Request(handler.command, handler.path, headers, body))
            self._changed.notify_all()
        if status == HANG:
            self._is_over.wait()
        if status in {HANG, CUT}:
            handler.close_connection = True
            with contextlib.suppress(OSError):
                handler.connection.shutdown(2)
            return
        handler.send_response(status)
        for name, value in self.answer_headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def _next_reply(self) -> tuple[int, bytes]:
        if self.replies:
            return self.replies.pop(0)
        return (self.answers.pop(0) if self.answers else self.usual), self.answer_text


@contextlib.contextmanager
def live_server() -> Iterator[LiveServer]:
    """Run a receiver."""
    server = LiveServer()
    try:
        yield server
    finally:
        server.close()


def wait_until(is_so: Any, timeout_s: float = 20.0) -> None:
    """Wait until a function says so."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.01)
