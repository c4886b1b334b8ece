"""The git program is run with a fenced environment, and its failures are errors in plain words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gittrack.git.fence import LOCAL_ENVIRONMENT
from gittrack.git.objects import object_id
from gittrack.git.process import Git, GitError, GitMissingError, clean_environment, failure
from tests.support.git_repository import HASH, open_repository, run_git

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.git.repository import Repository

# Left in on purpose: CI systems hand over credentials by them.
SETTINGS = {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}


def test_every_variable_that_redirects_git_is_known(tmp_path: Path) -> None:
    """What the git of this machine calls local to a repository is left out of our calls."""
    known = set(run_git("rev-parse", "--local-env-vars", cwd=tmp_path).split("\n"))
    assert known - SETTINGS <= LOCAL_ENVIRONMENT


def test_the_environment_of_a_hook_is_cleaned() -> None:
    """Variables of a git command in progress go, everything else stays."""
    environ = dict.fromkeys(LOCAL_ENVIRONMENT, "x") | {"GIT_TRACE": "1", "GIT_TRACE2_EVENT": "/x"}
    kept = {"PATH": "/bin", "GIT_SSH_COMMAND": "ssh -v", "GIT_CONFIG_COUNT": "0", "GIT_AUTHOR_NAME": "Ada"}
    assert clean_environment(environ | kept) == kept


def test_settings_from_the_environment_count(repo_dir: Path) -> None:
    """`GIT_CONFIG_COUNT` and its kin reach git."""
    environ = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "Robot"}
    assert open_repository(repo_dir, **environ).git.text("config", "user.name") == "Robot"


def test_tracing_does_not_mix_with_answers(repo_dir: Path) -> None:
    """A user who traces git gets the same answers."""
    repository = open_repository(repo_dir, GIT_TRACE="1", GIT_TRACE2="1", GIT_TRACE_SETUP="1")
    assert repository.git.run("rev-parse", "HEAD").stderr == ""


def test_messages_are_in_one_language(tmp_path: Path) -> None:
    """Whatever the user's language, what we look for in a message is there."""
    environ = {**os.environ, "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"}
    completed = Git(environ, cwd=tmp_path).run("rev-parse", "HEAD", check=False)
    assert "not a git repository" in completed.stderr


def test_a_failure_is_an_error_in_one_line(repository: Repository) -> None:
    """The verb and git's own reason, without `fatal:`; code and all messages are there for the caller."""
    with pytest.raises(GitError, match=r"^git rev-parse failed: Needed a single revision$") as caught:
        repository.git.run("rev-parse", "--verify", "absent")
    assert caught.value.returncode == 128
    assert caught.value.stderr == "fatal: Needed a single revision\n"


def test_a_failure_without_a_word_gives_its_code(repository: Repository) -> None:
    """Where git says nothing, the exit code is the reason."""
    completed = repository.git.run("rev-parse", "--verify", "--quiet", "absent", check=False)
    assert failure(("-c", "rev-parse"), completed).message == "git rev-parse failed: exit code 1"


def test_no_git_on_the_path_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint says which version to install; a missing folder is not mistaken for a missing program."""
    monkeypatch.setenv("PATH", str(tmp_path))
    git = Git({"PATH": str(tmp_path)}, cwd=tmp_path)
    with pytest.raises(GitMissingError, match="not on PATH") as caught:
        git.run("version")
    assert "2.34" in (caught.value.hint or "")
    with pytest.raises(FileNotFoundError):
        git.run("version", cwd=tmp_path / "absent")


def test_git_asks_nobody_and_waits_for_nobody(repository: Repository) -> None:
    """Standard input is empty unless given, and no password is asked for."""
    assert repository.git.run("hash-object", "--stdin").stdout == object_id(HASH, b"blob", b"").encode() + b"\n"
    assert repository.git.run("hash-object", "--stdin", input=b"x").stdout != b""
    assert repository.git.environ["GIT_TERMINAL_PROMPT"] == "0"


def test_text_is_kept_byte_for_byte(repository: Repository, repo_dir: Path) -> None:
    """Undecodable bytes survive, and only the last newline goes."""
    (repo_dir / "\udcff\n").write_text("x", encoding="utf-8")
    run_git("add", "-A", cwd=repo_dir)
    assert repository.git.text("ls-files", "-z", "--", "\udcff\n") == "\udcff\n\0"
    oid = repository.git.run("hash-object", "-w", "--stdin", input=b"a\n\n").stdout.decode().strip()
    assert repository.git.text("cat-file", "blob", oid) == "a\n"
