"""`gittrack doctor`: every problem it knows is found, with the way out, and nothing is changed."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.git_repository import HASH, REF_FORMAT, make_repository, refs_in_files, with_reftable
from tests.support.hooks import with_hook_files, with_hook_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]
    Diagnosis = dict[str, tuple[str, str, str]]


REFS_TEXT = "refs in files" if REF_FORMAT == "files" else REF_FORMAT


@pytest.fixture
def diagnose(repo_dir: Path, gittrack: Gittrack) -> Callable[..., Diagnosis]:
    """Run doctor in `repo_dir` and return level, text and fix by topic."""

    def call(*args: str, code: int = 0) -> Diagnosis:
        found = json.loads("\n".join(gittrack("doctor", "--json", *args, cwd=repo_dir, code=code)))
        return {item["topic"]: (item["level"], item["text"], item["fix"] or "") for item in found}

    return call


def test_a_healthy_repository(repo_dir: Path, git: Git, gittrack: Gittrack) -> None:
    """After init every line is a good one, and the exit code is 0."""
    git("remote", "add", "origin", "nowhere")
    gittrack("init", cwd=repo_dir)
    lines = gittrack("doctor", cwd=repo_dir)
    assert [line for line in lines if not line.startswith(("✓", "ok"))] == []
    assert f"{lines[0][0]} git: version {git('version').split()[2].rsplit('.', 1)[0]}" == lines[0]


def test_before_init_all_is_optional(diagnose: Callable[..., Diagnosis]) -> None:
    """Without hooks there is advice, not an error."""
    found = diagnose()
    assert found["hooks"] == (
        "warning",
        "none is installed; commits and pushes record and send nothing",
        "gittrack init",
    )
    assert found["remote"][0] == "ok"
    assert found["repository"][1] == f"{HASH}, {REFS_TEXT}"


@with_hook_files
def test_hooks_that_others_overwrote(repo_dir: Path, gittrack: Gittrack, diagnose: Callable[..., Diagnosis]) -> None:
    """A missing hook among present ones, an old one and one that cannot be: each is named."""
    gittrack("init", cwd=repo_dir)
    hooks = repo_dir / ".git/hooks"
    (hooks / "pre-push").write_text("#!/bin/sh\ncall_lefthook run pre-push\n")
    (hooks / "post-merge").write_text(
        (hooks / "post-merge").read_text().replace("gittrack_program=", "gittrack_program=/old")
    )
    (hooks / "post-commit").write_text("#!/usr/bin/env python3\n")
    found = diagnose(code=1)
    assert found["hook pre-push"][0] == "error"
    assert "lefthook may overwrite this file" in found["hook pre-push"][2]
    assert found["hook post-merge"][0] == "error"
    assert found["hook post-merge"][2] == "gittrack init"
    assert found["hook post-commit"][0] == "warning"
    assert found["hook post-rewrite"][0] == "ok"


@with_hook_settings
def test_hooks_in_settings(repo_dir: Path, git: Git, gittrack: Gittrack, diagnose: Callable[..., Diagnosis]) -> None:
    """Each hook of git's settings is named by its setting: one of another installation, missing, switched off."""
    gittrack("init", cwd=repo_dir)
    found = diagnose()
    assert found["hook post-commit"][:2] == ("ok", "current in the setting hook.gittrack-post-commit")
    assert found["hook pre-push"][:2] == ("ok", f"current in {repo_dir / '.git/hooks/pre-push'}")
    assert gittrack("status", cwd=repo_dir)[-1] == "hooks       all installed"
    git("config", "hook.gittrack-post-commit.command", "/old/gittrack hook")
    git("config", "--remove-section", "hook.gittrack-post-merge")
    git("config", "hook.gittrack-post-rewrite.enabled", "no")
    git("config", "--global", "hook.post-checkout.enabled", "false")
    found = diagnose(code=1)
    assert found["hook post-commit"][::2] == ("error", "gittrack init")
    assert found["hook post-merge"][::2] == ("error", "gittrack init")
    off = "it is switched off by the setting 'hook.{}.enabled'"
    assert found["hook post-rewrite"] == ("warning", "not installed", off.format("gittrack-post-rewrite"))
    assert found["hook post-checkout"] == ("warning", "not installed", off.format("post-checkout"))
    gittrack("init", cwd=repo_dir)
    found = diagnose()
    assert found["hook post-commit"][0] == found["hook post-merge"][0] == "ok"
    assert found["hook post-rewrite"][0] == found["hook post-checkout"][0] == "warning"


def test_remotes_without_and_with_wrong_refspec(
    repo_dir: Path, git: Git, gittrack: Gittrack, diagnose: Callable[..., Diagnosis]
) -> None:
    """A remote that is not tracked, and one that was renamed after init, whose fix works."""
    git("remote", "add", "origin", "nowhere")
    gittrack("init", "--no-hooks", cwd=repo_dir)
    git("remote", "rename", "origin", "upstream")
    git("remote", "add", "other", "nowhere")
    found = diagnose(code=1)
    assert found["remote other"][::2] == ("warning", "gittrack init --remote other")
    assert found["remote upstream"][::2] == ("error", "gittrack init --remote upstream")
    gittrack("init", "--no-hooks", "--remote", "upstream", cwd=repo_dir)
    assert diagnose()["remote upstream"][0] == "ok"


@refs_in_files
def test_stale_locks_are_told_by_path(repo_dir: Path, git: Git, diagnose: Callable[..., Diagnosis]) -> None:
    """A lock that is older than ten minutes blocks for ever; a young one may be at work."""
    git("update-ref", "refs/gittrack/exps/x/y", "HEAD")
    lock = repo_dir / ".git/refs/gittrack/exps/x/y.lock"
    lock.touch()
    assert diagnose()["locks"][0] == "ok"
    os.utime(lock, (0, time.time() - 3600))
    level, text, fix = diagnose(code=1)["lock"]
    assert (level, text) == ("error", f"'{lock}' is 60 minutes old")
    assert fix.endswith(f"rm '{lock}'")
    assert lock.exists()


@with_reftable
def test_a_stale_lock_of_tables_of_refs(tmp_path: Path, gittrack: Gittrack) -> None:
    """The lock that stops every change of a ref in a reftable repository is found."""
    folder = make_repository(tmp_path / "tables", "--ref-format=reftable")
    lock = folder / ".git/reftable/tables.list.lock"
    lock.touch()
    os.utime(lock, (0, time.time() - 3600))
    lines = gittrack("doctor", cwd=folder, code=1)
    assert any(f"'{lock}' is 60 minutes old" in line for line in lines)
    assert any("sha1, reftable" in line or "sha256, reftable" in line for line in lines)


def test_dead_runs_index_and_temporary_files(repo_dir: Path, diagnose: Callable[..., Diagnosis]) -> None:
    """What a crash left is found: an unrecorded run, a damaged index, temporary objects."""
    state_dir = repo_dir / ".git/gittrack"
    (state_dir / "runs/abc").mkdir(parents=True)
    (state_dir / "index.sqlite").write_bytes(b"this is no database, but long enough to be one" * 30)
    (repo_dir / ".git/objects/12").mkdir(exist_ok=True)
    (repo_dir / ".git/objects/12/tmp_obj_x").touch()
    found = diagnose(code=1)
    assert found["runs"][0] == "warning"
    assert "abc" in found["runs"][1]
    assert found["index"][0] == "error"
    assert found["temporary files"][0] == "warning"


def test_the_settings_file_is_read(repo_dir: Path, diagnose: Callable[..., Diagnosis]) -> None:
    """Unknown keys are warnings, a file that cannot be read is an error."""
    (repo_dir / "gittrack.yaml").write_text("params: [params.yaml]\nparamz: 1\n")
    assert diagnose()["gittrack.yaml"][:2] == ("warning", "unknown key 'paramz'")
    (repo_dir / "gittrack.yaml").write_text("params: [\n")
    assert diagnose(code=1)["gittrack.yaml"][0] == "error"
    (repo_dir / "gittrack.yaml").write_text("params: [params.yaml]\n")
    assert diagnose()["gittrack.yaml"][0] == "ok"


def test_an_unknown_user_is_told(repo_dir: Path, git: Git, diagnose: Callable[..., Diagnosis]) -> None:
    """Without user.email experiments would carry no author."""
    assert diagnose()["identity"][:2] == ("ok", "Ada Test <ada@example.org>")
    git("config", "--global", "--remove-section", "user")
    assert diagnose()["identity"][0] == "warning"
    assert repo_dir


def test_the_network_is_used_when_asked(
    repo_dir: Path, tmp_path: Path, git: Git, diagnose: Callable[..., Diagnosis]
) -> None:
    """Only --network contacts a remote; one that does not answer is an error with git's reason."""
    git("clone", "-q", "--bare", str(repo_dir), str(tmp_path / "remote.git"), cwd=tmp_path)
    git("remote", "add", "origin", str(tmp_path / "remote.git"))
    git("push", "-q", "origin", f"HEAD:refs/gittrack/exps/{'1' * 40}/fox")
    assert diagnose("--network")["connection to origin"] == ("ok", "1 experiments there", "")
    git("remote", "set-url", "origin", str(tmp_path / "gone"))
    assert "connection to origin" not in diagnose()
    assert diagnose("--network", code=1)["connection to origin"][0] == "error"


def test_kinds_of_repositories(repo_dir: Path, tmp_path: Path, git: Git, gittrack: Gittrack) -> None:
    """Shallow, sha256 and bare repositories are named."""
    git("commit", "-q", "--allow-empty", "-m", "x")
    git("clone", "-q", "--depth=1", f"file://{repo_dir}", str(tmp_path / "shallow"), cwd=tmp_path)
    git("init", "-q", "--bare", "--object-format=sha256", str(tmp_path / "bare.git"), cwd=tmp_path)
    assert any("shallow" in line for line in gittrack("doctor", cwd=tmp_path / "shallow"))
    assert any(f"sha256, {REFS_TEXT}, bare" in line for line in gittrack("doctor", cwd=tmp_path / "bare.git"))
