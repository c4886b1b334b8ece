"""Real remotes: a path, file://, ssh by a daemon of our own, and http by git's own server program."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.support.git_repository import make_repository, open_repository, run_git
from tests.support.needs import need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.git.repository import Repository

USER, PASSWORD = "ada", "s3cret-word"
_CHUNK_BYTES = 1 << 16


class Pair(NamedTuple):
    """Two clones of one bare remote."""

    remote: Path
    ada: Repository
    bob: Repository


def make_bare(folder: Path) -> Path:
    """Make an empty bare repository that may be pushed to over http, and return its folder."""
    folder.mkdir(parents=True)
    run_git("init", "-q", "--bare", cwd=folder)
    run_git("config", "http.receivepack", "true", cwd=folder)
    run_git("config", "uploadpack.allowFilter", "true", cwd=folder)
    return folder


def make_clone(folder: Path, url: str, *options: str) -> Repository:
    """Clone a remote and open the clone."""
    run_git("clone", "-q", *options, url, str(folder), cwd=folder.parent)
    return open_repository(folder)


def use_protocol(folder: Path) -> None:
    """Let a clone speak git's protocol with a remote that is a folder, as with one that is far."""
    run_git("config", "remote.origin.uploadpack", "git-upload-pack", cwd=folder)


def make_pair(folder: Path) -> Pair:
    """Make a bare remote with one commit, and two clones of it."""
    remote = make_bare(folder / "team.git")
    first = make_repository(folder / "ada")
    run_git("remote", "add", "origin", str(remote), cwd=first)
    run_git("push", "-q", "-u", "origin", "main", cwd=first)
    return Pair(remote, open_repository(first), make_clone(folder / "bob", str(remote)))


class HttpRemotes:
    """A server of bare repositories over http with a password, which can be made to misbehave.

    Attributes:
        root: The folder of the repositories.
        url: Its address, with user and password.
        bare_url: The same without.
        cut_after: Close the connection after so many bytes of an answer; None for never.
        answer: An HTTP status to answer everything with; None for git's own.
        n_requests: How many requests came.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cut_after: int | None = None
        self.answer: int | None = None
        self.n_requests = 0
        remotes = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                remotes.handle(self)

            do_POST = do_GET  # noqa: N815  the standard library's name

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the standard library's name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        port = self._server.server_address[1]
        self.url = f"http://{USER}:{PASSWORD}@127.0.0.1:{port}"
        self.bare_url = f"http://127.0.0.1:{port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request: refuse it, or hand it to ``git http-backend``, perhaps cutting its answer."""
        self.n_requests += 1
        body = _read_body(request)
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        with contextlib.suppress(ConnectionError):
            if request.headers.get("Authorization") != expected:
                request.send_response(401)
                request.send_header("WWW-Authenticate", 'Basic realm="git"')
                request.end_headers()
            elif self.answer is not None:
                request.send_error(self.answer)
            else:
                self._serve(request, body)

    def _serve(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        path, _, query = request.path.partition("?")
        environ = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": request.command,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_USER": USER,
        }
        done = subprocess.run(["git", "http-backend"], env=environ, input=body, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((value.split()[0] for name, value in lines if name == "Status"), "200")
        request.send_response(int(status))
        for name, value in lines:
            if name != "Status":
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content if self.cut_after is None else content[: self.cut_after])


def _read_body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    return body


@contextlib.contextmanager
def serve_http(root: Path) -> Iterator[HttpRemotes]:
    """Serve the repositories of a folder over http."""
    remotes = HttpRemotes(root)
    try:
        yield remotes
    finally:
        remotes.close()


@contextlib.contextmanager
def serve_ssh(folder: Path) -> Iterator[str]:
    """Run an ssh daemon with throw-away keys, and yield the beginning of its URLs.

    `GIT_SSH_COMMAND` in the environment of the test must be what `ssh_command` returns.
    """
    daemon = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
    need(is_there=daemon and shutil.which("ssh"), what="sshd (package openssh-server)")
    folder.mkdir()
    folder.chmod(0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    settings = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder / 'host'}",
        f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        f'SetEnv "PATH={os.environ["PATH"]}"',  # the git of the test, also on the other side
    ]
    (folder / "sshd_config").write_text("\n".join([*settings, ""]), encoding="utf-8")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    command = [str(daemon), "-D", "-e", "-f", str(folder / "sshd_config")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"ssh://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def ssh_command(folder: Path) -> str:
    """Return the ssh call that knows the throw-away key and trusts the daemon."""
    return f"ssh -i {folder / 'user'} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"


def _wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("sshd does not answer")
