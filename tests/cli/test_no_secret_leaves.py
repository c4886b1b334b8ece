"""No secret leaves: what is planted everywhere a person has credentials is in no object, file or output of ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gittrack.cli.errors import run_guarded
from tests.support.commands import Output, call_gittrack
from tests.support.git_repository import make_repository, run_git

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[2]
SECRETS = {
    "user": "canary-user-of-a-url",
    "password": "canary-password-of-a-url",
    "query": "canary-query-of-a-url",
    "scp": "canary-user-of-scp",
    "argument": "canary-argument",
    "variable": "canary-variable",
    "file": "canary-file",
}
HTTPS = f"https://{SECRETS['user']}:{SECRETS['password']}@127.0.0.1:1/x.git?token={SECRETS['query']}"
SSH = f"ssh://{SECRETS['user']}:{SECRETS['password']}@127.0.0.1:1/x.git?token={SECRETS['query']}"
SCP = f"{SECRETS['scp']}@127.0.0.1:team/x.git"
REMOTES = {"https": HTTPS, "ssh": SSH, "scp": SCP}
ARGUMENTS = ("--api-key", SECRETS["argument"], f"--token={SECRETS['argument']}", HTTPS)
SCRIPT = """\
import os, signal, sys
import gittrack
with gittrack.Run("script") as run:
    run.log_param("lr", 0.1)
    run.log_metric("acc", 0.5)
    if "--die" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    if "--fail" in sys.argv:
        raise ValueError(f"cannot reach {sys.argv[-1]}")
"""


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with credentials in its settings, in untracked files and in the environment."""
    folder = make_repository(tmp_path / "repo")
    for name, url in REMOTES.items():
        run_git("remote", "add", name, url, cwd=folder)
    run_git("config", "branch.main.remote", "https", cwd=folder)
    (folder / "keys").mkdir()
    for name in (".env", ".env.local", "keys/id_rsa", "keys/server.pem", "credentials.json", ".netrc"):
        (folder / name).write_text(SECRETS["file"], encoding="utf-8")
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    for name in ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "GH_TOKEN"):
        monkeypatch.setenv(name, SECRETS["variable"])
    # In place of ssh, which the machine may lack: it says whom it could not reach, as ssh does.
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "{SECRETS["scp"]}@127.0.0.1: Permission denied (publickey)." >&2\nexit 255\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    monkeypatch.setenv("PYTHONPATH", str(PACKAGE))
    yield folder
    os.chdir(tmp_path)


def find_secrets(text: str) -> list[str]:
    """Return which secrets are in a text."""
    return [name for name, secret in SECRETS.items() if secret in text]


def find_kept(folder: Path) -> dict[str, list[str]]:
    """Return which secrets are in the repository's objects, or in any file of the git directory but its settings."""
    found = {"objects": find_secrets(run_git("cat-file", "--batch-all-objects", "--batch", cwd=folder))}
    for path in (folder / ".git").rglob("*"):
        if path.is_file() and path != folder / ".git" / "config":
            data = path.read_bytes()
            with suppress(zlib.error):
                data += zlib.decompress(data)
            found[str(path)] = find_secrets(os.fsdecode(data))
    return {place: names for place, names in found.items() if names}


def run_script(folder: Path, *arguments: str) -> Output:
    """Run the training script and return what it said."""
    done = subprocess.run(
        [sys.executable, "script.py", *arguments], cwd=folder, capture_output=True, check=False, timeout=60
    )
    return Output(done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr))


def test_recording_keeps_no_secret(repo: Path) -> None:
    """Runs that complete, are killed, or call other commands record none, and show none."""
    output = run_script(repo, *ARGUMENTS)
    assert (output.code, find_secrets(output.out + output.err)) == (0, [])
    assert run_script(repo, *ARGUMENTS, "--die").code == -signal.SIGKILL
    assert find_kept(repo) == {}
    for words in (
        ("exp", "save", "-n", "saved"),
        ("exp", "run", "-n", "in-copy", "--", "true", *ARGUMENTS),
        ("exp", "run", "-n", "in-place", "--in-place", "--", "false", *ARGUMENTS),
        ("exp", "run", "-n", "absent", "--", "no-such-program", *ARGUMENTS),
        *(("exp", "show", *rest) for rest in ((), ("--json",), ("--all-columns",), ("script",), ("in-copy", "--json"))),
        ("status",),
        ("status", "--json"),
        ("doctor",),
    ):
        output = call_gittrack(*words, cwd=repo)
        assert find_secrets(output.out + output.err) == [], words
    assert find_kept(repo) == {}


def test_a_failure_keeps_no_secret(repo: Path) -> None:
    """The message of an exception is recorded without the credentials of a URL in it."""
    assert run_script(repo, "--fail", f"https://{SECRETS['user']}:{SECRETS['password']}@example.org/x").code == 1
    assert find_kept(repo) == {}
    assert "cannot reach https://" in call_gittrack("exp", "show", "script", cwd=repo).out


@pytest.mark.parametrize("remote", REMOTES)
def test_an_unreachable_remote_is_named_without_credentials(repo: Path, remote: str) -> None:
    """Neither git's own words nor the address that a person typed are repeated with what is secret in them."""
    call_gittrack("exp", "save", "-n", "saved", cwd=repo)
    for words in (
        ("fetch", remote),
        ("pull", remote),
        ("push", remote),
        ("exp", "list", remote),
        ("exp", "list", REMOTES[remote]),
        ("fetch", REMOTES[remote]),
        ("push", REMOTES[remote]),
        ("init", "--remote", REMOTES[remote]),
        ("exp", "remove", "saved", "--remote", REMOTES[remote]),
        ("doctor", "--network"),
        ("hook", "pre-push", remote, REMOTES[remote]),
        ("hook", "pre-push", REMOTES[remote], REMOTES[remote]),
        ("init",),
        ("status",),
    ):
        output = call_gittrack(*words, cwd=repo)
        assert find_secrets(output.out + output.err) == [], (words, output)
    assert find_kept(repo) == {}


def test_a_report_of_a_defect_has_no_secret(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that a person hands in is free of them: command line, message and traceback."""
    os.chdir(repo)
    monkeypatch.setattr(sys, "argv", ["gittrack", "push", HTTPS, *ARGUMENTS])

    def fail() -> int:
        raise RuntimeError(f"cannot reach {HTTPS} nor {SCP}")

    assert run_guarded(fail, dict(os.environ)) == 3
    assert (repo / ".git" / "gittrack" / "last-error.md").exists()
    assert find_kept(repo) == {}
