"""Transfers that are cut, killed or refused half-way: nothing half is left, and the next one does the rest."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from gittrack.experiments.names import NAMESPACE
from gittrack.experiments.publishing import push
from gittrack.experiments.sharing import pull
from gittrack.git.process import GitError
from gittrack.git.refs import list_refs
from tests.support.experiments import add_experiment
from tests.support.git_repository import fsck, make_repository, open_repository, run_git
from tests.support.remotes import make_bare, make_clone, make_pair, serve_http, serve_ssh, ssh_command

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.git.repository import Repository

N_EXPERIMENTS = 8


def fill(repository: Repository, n_experiments: int = N_EXPERIMENTS) -> set[str]:
    """Record some experiments and return their commits."""
    return {add_experiment(repository, f"exp-{number}", params={"n": number}) for number in range(n_experiments)}


@pytest.mark.parametrize("cut_after", [0, 1, 40, 200, 600])
def test_http_connection_that_ends_early(tmp_path: Path, cut_after: int) -> None:
    """A server that closes the connection in the middle of any answer costs an error; the next try does the rest."""
    make_bare(tmp_path / "srv" / "team.git")
    with serve_http(tmp_path / "srv") as remotes:
        url = f"{remotes.url}/team.git"
        folder = make_repository(tmp_path / "ada")
        run_git("remote", "add", "origin", url, cwd=folder)
        repository = open_repository(folder)
        commits = fill(repository)
        remotes.cut_after = cut_after
        with pytest.raises(GitError):
            push(repository, "origin")
        remotes.cut_after = None
        push(repository, "origin")
        assert run_git("for-each-ref", NAMESPACE, cwd=tmp_path / "srv" / "team.git").count("commit") == N_EXPERIMENTS
        other = make_clone(tmp_path / "bob", url)
        remotes.cut_after = cut_after
        with pytest.raises(GitError):
            pull(other, "origin")
        assert list_refs(other, NAMESPACE) == {}
        remotes.cut_after = None
        pull(other, "origin")
        assert set(list_refs(other, NAMESPACE).values()) == commits
    assert fsck(tmp_path / "bob") == fsck(tmp_path / "srv" / "team.git") == ""


@pytest.mark.parametrize("answer", [403, 404, 429, 500, 503])
def test_http_server_that_refuses(tmp_path: Path, answer: int) -> None:
    """An HTTP error is an error with its number, and changes nothing."""
    make_bare(tmp_path / "srv" / "team.git")
    with serve_http(tmp_path / "srv") as remotes:
        folder = make_repository(tmp_path / "ada")
        run_git("remote", "add", "origin", f"{remotes.url}/team.git", cwd=folder)
        repository = open_repository(folder)
        fill(repository, 1)
        remotes.answer = answer
        for action in (push, pull):
            with pytest.raises(GitError, match=str(answer) if answer != 404 else "not found"):
                action(repository, "origin")
    assert list_refs(repository, "refs/gittrack/remotes") == {}


def test_ssh_that_dies(tmp_path: Path) -> None:
    """An ssh connection that breaks in the middle of a push leaves a remote that takes the next one."""
    bare = make_bare(tmp_path / "team.git")
    repository = open_repository(make_repository(tmp_path / "ada"))
    fill(repository)
    with serve_ssh(tmp_path / "ssh") as url:
        run_git("remote", "add", "origin", f"{url}{bare}", cwd=tmp_path / "ada")
        good = ssh_command(tmp_path / "ssh")
        script = tmp_path / "dying-ssh"
        script.write_text(f'#!/bin/sh\nhead -c 700 | {good} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
        with pytest.raises(GitError):
            push(open_repository(tmp_path / "ada", GIT_SSH_COMMAND=str(script)), "origin")
        assert len(push(open_repository(tmp_path / "ada", GIT_SSH_COMMAND=good), "origin").created) == N_EXPERIMENTS
    assert fsck(bare) == ""


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_kill_at_any_moment(tmp_path: Path, verb: str) -> None:
    """A command that is killed together with its git leaves only whole experiments and no lock that stops the next."""
    pair = make_pair(tmp_path)
    commits = fill(pair.ada, 60)
    if verb == "pull":
        push(pair.ada, "origin")
    folder = tmp_path / ("ada" if verb == "push" else "bob")
    repository = open_repository(folder)
    chance = random.Random(7)
    command = [sys.executable, "-m", "gittrack", verb]
    for _ in range(15):
        process = subprocess.Popen(
            command, cwd=folder, env=dict(os.environ), start_new_session=True, stdout=-3, stderr=-3
        )
        time.sleep(chance.uniform(0.03, 0.4))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # A killed git leaves its own lock files; what git itself would ask for is to remove them.
        for root in (repository.common_dir, pair.remote):
            for lock in root.rglob("*.lock"):
                lock.unlink()
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    where = pair.remote if verb == "push" else folder
    listing = run_git("for-each-ref", "--format=%(objectname)", NAMESPACE, cwd=where).split()
    assert set(listing) == commits
    assert fsck(where) == ""
