"""Real storage servers in processes of their own, installed by `.ci/test-servers`: S3, Azure Blob Storage, Git LFS."""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.support.needs import need

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SERVERS = Path(__file__).parents[2] / ".servers"
_PYTHON = SERVERS / "venv/bin/python"
_AZURITE = SERVERS / "node_modules/.bin/azurite-blob"
# Published with the emulator, the same everywhere.
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_LFS_SERVER = """
import sys, warnings, werkzeug.serving
warnings.simplefilter("ignore")
from giftless.app import init_app
app = init_app(additional_config={additional})
werkzeug.serving.run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)
"""


@contextlib.contextmanager
def serve_s3() -> Iterator[str]:
    """Run an S3 server without a bucket, and yield its address."""
    need(is_there=_PYTHON.exists(), what="moto (make .servers/.ready)")
    with _serving([str(_PYTHON), "-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}"]) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def serve_azure(folder: Path) -> Iterator[str]:
    """Run an Azure Blob Storage server without a container, and yield the address of its account."""
    need(is_there=shutil.which("node") and _AZURITE.exists(), what="Azurite (node, npm and make .servers/.ready)")
    arguments = ["--silent", "--skipApiVersionCheck", "--inMemoryPersistence", "--disableTelemetry"]
    command = [str(_AZURITE), *arguments, "--blobHost", "127.0.0.1", "--blobPort", "{port}"]
    with _serving(command, cwd=folder) as port:
        yield f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}"


@contextlib.contextmanager
def serve_lfs(folder: Path) -> Iterator[str]:
    """Run a Git LFS server that keeps its objects in a folder, and yield its address; anybody may write."""
    need(is_there=_PYTHON.exists(), what="giftless (make .servers/.ready)")
    settings = {
        "AUTH_PROVIDERS": ["giftless.auth.allow_anon:read_write"],
        "LEGACY_ENDPOINTS": False,
        "TRANSFER_ADAPTERS": {
            "basic": {
                "factory": "giftless.transfer.basic_streaming:factory",
                "options": {
                    "storage_class": "giftless.storage.local_storage:LocalStorage",
                    "storage_options": {"path": str(folder)},
                    "action_lifetime": 900,
                },
            }
        },
    }
    program = _LFS_SERVER.format(additional=repr(settings))
    with _serving([str(_PYTHON), "-c", program, "{port}"]) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _serving(command: Sequence[str], cwd: Path | None = None) -> Iterator[int]:
    """Start a server on a free port, wait until it answers, and end it whatever happens."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [word.replace("{port}", str(port)) for word in command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  one system call
        )
        try:
            _wait_for(process, port, log)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _end_with_parent() -> None:
    """Let the kernel end this process when the tests are killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG of sys/prctl.h


def _wait_for(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    log.seek(0)
    raise AssertionError(f"the server does not answer: {log.read().decode(errors='replace')[-2000:]}")
