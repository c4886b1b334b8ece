"""`gittrack exp import`: runs that were kept in a folder become experiments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import gittrack as gt
from gittrack.runs.folder import RunFolder
from gittrack.runs.import_runs import PROBLEM
from tests.support.git_repository import fsck, make_repository, run_git
from tests.support.source_code import ROOT
from tests.support.untouched import own_state, stash_something, work_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder outside any repository with the runs `one` (completed), `two` (failed) and `dead`."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with gt.Run("one", params={"lr": 0.1, "größe": "ä"}) as run:
        for step in range(3):
            run.log_metric("loss", 1 / (step + 1), step=step)
        run.note("first")
    failed = gt.Run("two")
    failed.end("failed", "out of memory")
    kill_in_child(folder, "dead")
    return folder


def kill_in_child(folder: Path, name: str) -> None:
    """Let a run begin in a process that dies of SIGKILL."""
    code = (
        "import os, sys, gittrack; run = gittrack.Run(sys.argv[1]); run.log_metric('loss', 5.0); run.flush(); "
        "os.kill(os.getpid(), 9)"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, name], cwd=folder, env=environ, check=False, capture_output=True)


def metas(folder: Path) -> dict[str, dict[str, object]]:
    """Return the descriptions of all experiments by name."""
    refs = run_git("for-each-ref", "--format=%(refname)", "refs/gittrack/exps", cwd=folder).splitlines()
    shown = [json.loads(run_git("show", f"{ref}:.gittrack/meta.json", cwd=folder)) for ref in refs]
    return {str(meta["name"]): meta for meta in shown}


def test_all_runs_arrive(repo_dir: Path, jobs: Path, git: Git, gittrack: Gittrack) -> None:
    """With what they logged and how they ended, under HEAD, with a word on the code; the folders go."""
    stash_something(repo_dir)
    state, files = own_state(repo_dir), work_tree(repo_dir)
    lines = gittrack("exp", "import", str(jobs), cwd=repo_dir)
    assert sorted(lines) == [
        "imported dead: killed, 0 params, 1 metric",
        "imported one: completed, 2 params, 1 metric",
        "imported two: failed, 0 params, 0 metrics",
    ]
    found = metas(repo_dir)
    head = git("rev-parse", "HEAD")
    assert {meta["baseline"] for meta in found.values()} == {head}
    assert {meta["source"] for meta in found.values()} == {"import"}
    assert PROBLEM in found["one"]["problems"]
    assert (found["one"]["notes"], found["two"]["message"]) == (["first"], "out of memory")
    ref = f"refs/gittrack/exps/{head}/one"
    assert json.loads(git("show", f"{ref}:.gittrack/params.json")) == {"lr": 0.1, "größe": "ä"}
    assert len(git("show", f"{ref}:.gittrack/series.tsv").splitlines()) == 4
    assert git("diff", "--name-only", head, ref, "--", ":!.gittrack") == ""
    assert (own_state(repo_dir), work_tree(repo_dir)) == (state, files)
    assert list(jobs.iterdir()) == []
    assert fsck(repo_dir) == ""


def test_a_dry_run_and_keep(repo_dir: Path, jobs: Path, gittrack: Gittrack) -> None:
    """A dry run records nothing; kept folders are not recorded twice."""
    assert len(gittrack("exp", "import", "-n", str(jobs), cwd=repo_dir)) == 3
    assert metas(repo_dir) == {}
    gittrack("exp", "import", "--keep", str(jobs / "gittrack-runs"), cwd=repo_dir)
    assert len(list((jobs / "gittrack-runs").iterdir())) == 3
    again = gittrack("exp", "import", str(jobs), cwd=repo_dir)
    assert all("imported before" in line for line in again)
    assert sorted(metas(repo_dir)) == ["dead", "one", "two"]
    assert list(jobs.iterdir()) == []


def test_a_taken_name_gets_a_number(repo_dir: Path, jobs: Path, gittrack: Gittrack) -> None:
    """The experiment that has the name keeps it; one folder alone can be imported, from where the run was."""
    gittrack("exp", "save", "-n", "one", cwd=repo_dir)
    (jobs / "gittrack-runs").rename(repo_dir / "gittrack-runs")
    lines = gittrack("exp", "import", cwd=repo_dir)
    assert any(line.startswith("imported one-2:") for line in lines)
    assert metas(repo_dir)["one"]["source"] == "save"


def test_a_living_run_is_left_alone(
    repo_dir: Path, jobs: Path, gittrack: Gittrack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named, its folder stays, and it can be imported when it has ended."""
    monkeypatch.chdir(jobs)
    run = gt.Run("alive")
    folder = jobs / "gittrack-runs" / str(run.id)
    lines = gittrack("exp", "import", str(folder), cwd=repo_dir)
    assert lines == [f"left out '{folder}': still running"]
    run.log_metric("loss", 1)
    run.end()
    assert gittrack("exp", "import", str(folder), cwd=repo_dir) == ["imported alive: completed, 0 params, 1 metric"]


def test_a_run_of_another_machine_must_have_ended(repo_dir: Path, jobs: Path, gittrack: Gittrack) -> None:
    """Its lock says nothing here: without a word of its end it is alive until it has been silent for an hour."""
    folders = [RunFolder(path) for path in (jobs / "gittrack-runs").iterdir()]
    for folder in folders:
        folder.write_meta(folder.read_meta()._replace(host="elsewhere"))
    lines = gittrack("exp", "import", str(jobs), cwd=repo_dir)
    assert sorted(metas(repo_dir)) == ["one", "two"]
    assert "still running" in lines[-1]
    (left,) = (jobs / "gittrack-runs").iterdir()
    for path in left.iterdir():
        os.utime(path, (1e9, 1e9))
    assert gittrack("exp", "import", str(jobs), cwd=repo_dir)[0].startswith("imported dead: killed")


def test_a_damaged_folder_does_not_stop_the_others(repo_dir: Path, jobs: Path, gittrack: Gittrack) -> None:
    """It stays, it is named, and the exit code says so; hostile names are refused."""
    first, second, _ = sorted((jobs / "gittrack-runs").iterdir())
    (first / "meta.json").write_text("{", encoding="utf-8")
    folder = RunFolder(second)
    folder.write_meta(folder.read_meta()._replace(name="../../heads/evil"))
    lines = gittrack("exp", "import", str(jobs), cwd=repo_dir, code=1)
    assert len([line for line in lines if line.startswith("warning: cannot import")]) == 2
    assert len(metas(repo_dir)) == 1
    assert sorted((jobs / "gittrack-runs").iterdir()) == [first, second]


def test_a_link_in_a_folder_is_not_followed(repo_dir: Path, tmp_path: Path, jobs: Path, gittrack: Gittrack) -> None:
    """A folder that came with a repository cannot make a file of this machine part of an experiment."""
    secret = tmp_path / "id_rsa"
    secret.write_text("PRIVATE KEY\n", encoding="utf-8")
    for folder in (jobs / "gittrack-runs").iterdir():
        (folder / "log.txt").symlink_to(secret)
    lines = gittrack("exp", "import", str(jobs), cwd=repo_dir, code=1)
    assert len([line for line in lines if "symbolic link: 'log.txt'" in line]) == 3
    assert metas(repo_dir) == {}


def test_nothing_to_import(repo_dir: Path, tmp_path: Path, gittrack: Gittrack) -> None:
    """A place without runs is a wrong call."""
    assert "no runs in 'gittrack-runs'" in gittrack("exp", "import", cwd=repo_dir, code=2)[0]
    gittrack("exp", "import", str(tmp_path / "nowhere"), cwd=repo_dir, code=2)


@pytest.mark.parametrize("kind", ["unborn", "sha256", "worktree"])
def test_other_repositories(tmp_path: Path, repo_dir: Path, jobs: Path, gittrack: Gittrack, kind: str) -> None:
    """Before the first commit, with ids of 64 digits, and from a linked worktree."""
    folder = tmp_path / kind
    if kind == "sha256":
        make_repository(folder, object_format="sha256")
    elif kind == "worktree":
        run_git("worktree", "add", "-q", str(folder), cwd=repo_dir)
    else:
        folder.mkdir()
        run_git("init", "-q", cwd=folder)
    gittrack("exp", "import", str(jobs), cwd=folder)
    assert sorted(metas(folder)) == ["dead", "one", "two"]
    assert fsck(folder) in {"", "notice: HEAD points to an unborn branch (main)\nnotice: No default references"}
