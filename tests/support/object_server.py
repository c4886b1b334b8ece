"""A server of objects over http that can be told to fail: a plain one, a WebDAV one, or one that speaks as a bucket."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["plain", "webdav", "bucket"]
_PAGE = 1000


class Fault(NamedTuple):
    """What is wrong with one answer.

    Attributes:
        method: Which requests it is for.
        status: An HTTP status to answer with instead; None for the right one.
        retry_after: A `Retry-After` header to send with it.
        cut_after: Close the connection after so many bytes of the body.
        is_reset: Whether it is closed with a reset, which may swallow bytes that were on their way.
        length: A `Content-Length` to send instead of the right one.
        body: Bytes to send instead of the object.
        headers: Further headers.
    """

    method: str = "GET"
    status: int | None = None
    retry_after: str | None = None
    cut_after: int | None = None
    is_reset: bool = False
    length: int | None = None
    body: bytes | None = None
    headers: dict[str, str] = {}  # noqa: RUF012  never changed


class ObjectServer:
    """A server of objects.

    Attributes:
        objects: What it holds, by path without the leading slash.
        faults: What to do wrong, each once, in this order; `always` is done wrong every time.
        requests: Method, path and `Range` of every request that came.
        url: Its address.
    """

    def __init__(self, kind: Kind = "plain") -> None:
        self.kind = kind
        self.objects: dict[str, bytes] = {}
        self.folders: set[str] = {""}
        self.faults: list[Fault] = []
        self.always: Fault | None = None
        self.knows_ranges = True
        self.login: str | None = None
        self.requests: list[tuple[str, str, str | None]] = []
        self.sent_headers: list[dict[str, str]] = []
        self._parts: dict[str, dict[int, bytes]] = {}
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                server.handle(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PROPFIND = do_MKCOL = handle_any  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the standard library's name
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                """Say nothing of clients that leave."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def count(self, method: str) -> int:
        """Return how many requests of a method came."""
        return sum(request[0] == method for request in self.requests)

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request, or do what is to go wrong with it."""
        path, _, query = request.path.partition("?")
        name = unquote(path).lstrip("/")
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        with self._lock:
            self.requests.append((request.command, name, request.headers.get("Range")))
            self.sent_headers.append({key.lower(): value for key, value in request.headers.items()})
            fault = self._next_fault(request.command)
        if self.login is not None and request.headers.get("Authorization") != self.login:
            _answer(request, 401, b'{"message": "who are you?"}', {"WWW-Authenticate": 'Basic realm="objects"'})
        elif fault.status is not None:
            again = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            _answer(request, fault.status, b'{"message": "not now"}', {**again, **fault.headers})
        else:
            self._serve(request, name, query, body, fault)

    def _next_fault(self, method: str) -> Fault:
        for number, fault in enumerate(self.faults):
            if fault.method == method:
                return self.faults.pop(number)
        return self.always if self.always is not None and self.always.method == method else Fault()

    def _serve(self, request: BaseHTTPRequestHandler, name: str, query: str, body: bytes, fault: Fault) -> None:
        fields = parse_qs(query, keep_blank_values=True)
        if request.command == "PUT":
            self._put(request, name, fields, body, fault)
        elif request.command == "POST":
            self._post(request, name, fields)
        elif request.command == "PROPFIND" and self.kind == "webdav":
            _answer(request, 207, self._propfind(name))
        elif request.command == "MKCOL" and self.kind == "webdav":
            self.folders.add(name.strip("/"))
            _answer(request, 201)
        elif request.command not in {"GET", "HEAD"}:
            _answer(request, 405)
        elif self.kind == "bucket" and "list-type" in fields:
            _answer(request, 200, self._list(fields), {"Content-Type": "application/xml"})
        elif name not in self.objects:
            _answer(request, 404)
        else:
            self._get(request, self.objects[name], fault)

    def _get(self, request: BaseHTTPRequestHandler, data: bytes, fault: Fault) -> None:
        data = data if fault.body is None else fault.body
        headers = {"ETag": '"x"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT", **fault.headers}
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range") or "")
        if match is None or not self.knows_ranges:
            _answer(request, 200, data, headers, fault)
            return
        start, stop = int(match[1]), min(len(data), int(match[2] or len(data) - 1) + 1)
        if start >= len(data):
            _answer(request, 416, b"", {"Content-Range": f"bytes */{len(data)}"})
            return
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        _answer(request, 206, data[start:stop], headers, fault)

    def _put(
        self, request: BaseHTTPRequestHandler, name: str, fields: dict[str, list[str]], body: bytes, fault: Fault
    ) -> None:
        if fault.cut_after is not None:
            _reset(request)
        elif self.kind == "webdav" and name.rpartition("/")[0] not in self.folders:
            _answer(request, 409)
        elif "partNumber" in fields:
            self._parts[fields["uploadId"][0]][int(fields["partNumber"][0])] = body
            _answer(request, 200, b"", {"ETag": '"part"'})
        else:
            self.objects[name] = body
            _answer(request, 200, b"", {"ETag": '"x"'})

    def _post(self, request: BaseHTTPRequestHandler, name: str, fields: dict[str, list[str]]) -> None:
        if "uploads" in fields:
            upload = str(len(self._parts))
            self._parts[upload] = {}
            answer = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
        else:
            parts = self._parts.pop(fields["uploadId"][0])
            self.objects[name] = b"".join(parts[number] for number in sorted(parts))
            answer = '<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>'
        _answer(request, 200, answer.encode(), {"Content-Type": "application/xml"})

    def _list(self, fields: dict[str, list[str]]) -> bytes:
        """Answer as the XML API of S3 and of Google Cloud Storage, in pages."""
        prefix, after = fields.get("prefix", [""])[0], fields.get("continuation-token", [""])[0]
        names = sorted(name.partition("/")[2] for name in self.objects)
        names = [name for name in names if name.startswith(prefix) and name > after]
        page = names[:_PAGE]
        bucket = next(iter(self.objects), "").partition("/")[0]
        entries = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
            f'<Size>{len(self.objects[f"{bucket}/{name}"])}</Size><ETag>"x"</ETag></Contents>'
            for name in page
        )
        is_cut = len(names) > len(page)
        more = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if is_cut else ""
        head = f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>{more}"
        return f"<ListBucketResult>{head}{entries}</ListBucketResult>".encode()

    def _propfind(self, name: str) -> bytes:
        below = name.strip("/")
        entries = "".join(
            f"<D:response><D:href>/{escape(path)}</D:href><D:propstat><D:prop>"
            f"<D:getcontentlength>{len(data)}</D:getcontentlength></D:prop></D:propstat></D:response>"
            for path, data in self.objects.items()
            if path.startswith(f"{below}/")
        )
        return f'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">{entries}</D:multistatus>'.encode()


def _answer(
    request: BaseHTTPRequestHandler,
    status: int,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    fault: Fault | None = None,
) -> None:
    fault = fault or Fault()
    with contextlib.suppress(ConnectionError):
        request.send_response(status)
        for key, value in (headers or {}).items():
            request.send_header(key, value)
        request.send_header("Content-Length", str(len(body) if fault.length is None else fault.length))
        request.end_headers()
        if request.command == "HEAD":
            return
        if fault.cut_after is not None:
            request.wfile.write(body[: fault.cut_after])
            request.wfile.flush()
            request.close_connection = True
            if fault.is_reset:
                _reset(request)
            return
        request.wfile.write(body)
        if fault.length is not None:
            request.close_connection = True


def _reset(request: BaseHTTPRequestHandler) -> None:
    """End the connection with a reset once what was written is out."""
    request.connection.shutdown(socket.SHUT_WR)
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.close_connection = True


@contextlib.contextmanager
def serve_objects(kind: Kind = "plain") -> Iterator[ObjectServer]:
    """Run a server of objects on a free port."""
    server = ObjectServer(kind)
    try:
        yield server
    finally:
        server.close()
