"""Artifacts with experiments and commits: pushed, pulled, got, restored by hooks, by the commands and by plain git."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.git_repository import make_repository, run_git
from tests.support.remotes import make_bare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Gittrack = Callable[..., list[str]]

FILES = {"data/a": b"a" * 5000, "data/sub/b": b"b" * 90_000}
MODEL = bytes(range(256)) * 1000


@pytest.fixture
def ada(tmp_path: Path, gittrack: Gittrack) -> Path:
    """A repository with a remote and a commit that points to a folder and a file."""
    repo = make_repository(tmp_path / "ada")
    run_git("remote", "add", "origin", str(make_bare(tmp_path / "team.git")), cwd=repo)
    for name, data in FILES.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_bytes(data)
    (repo / "model.pt").write_bytes(MODEL)
    gittrack("add", "data", "model.pt", cwd=repo)
    commit(repo, "Data")
    return repo


def commit(repo: Path, message: str) -> None:
    run_git("add", "-A", cwd=repo)
    run_git("commit", "-q", "-m", message, cwd=repo)


def clone(tmp_path: Path, name: str = "bob") -> Path:
    run_git("clone", "-q", "-b", "main", str(tmp_path / "team.git"), name, cwd=tmp_path)
    return tmp_path / name


def check_files(repo: Path) -> None:
    assert {name: (repo / name).read_bytes() for name in FILES} == FILES
    assert (repo / "model.pt").read_bytes() == MODEL


def test_push_and_pull_bring_artifacts_along(tmp_path: Path, ada: Path, gittrack: Gittrack) -> None:
    """Artifacts first, experiments after; the other side has every byte, and nothing is moved twice."""
    gittrack("exp", "save", "-n", "first", cwd=ada)
    lines = gittrack("push", cwd=ada)
    assert lines[0] == "pushed 2 artifacts (342.8 KiB): data, model.pt"
    assert lines[1].startswith("pushed 1 experiment to origin")
    assert gittrack("push", cwd=ada)[0] == "artifacts up to date: 2 artifacts"
    run_git("push", "-q", "origin", "main", cwd=ada)
    bob = clone(tmp_path)
    lines = gittrack("pull", cwd=bob)
    assert "fetched 2 artifacts (342.8 KiB): data, model.pt" in lines
    assert "restored 2 artifacts: data, model.pt" in lines
    check_files(bob)
    assert "artifacts up to date: 2 artifacts" in gittrack("pull", cwd=bob)
    assert not any("not shared" in line for line in gittrack("status", cwd=ada))


def test_experiments_travel_alone_on_request(tmp_path: Path, ada: Path, gittrack: Gittrack) -> None:
    """And a dry run sends nothing."""
    gittrack("exp", "save", "-n", "first", cwd=ada)
    assert gittrack("push", "--dry-run", cwd=ada)[0] == "would push 2 artifacts (342.8 KiB): data, model.pt"
    gittrack("push", "--no-artifacts", cwd=ada)
    refs = run_git("for-each-ref", "--format=%(refname)", cwd=tmp_path / "team.git")
    assert "refs/gittrack/artifacts" not in refs
    assert "refs/gittrack/exps" in refs
    assert any("2 not shared with origin" in line for line in gittrack("status", cwd=ada))


def test_what_nobody_shared_is_named(tmp_path: Path, ada: Path, gittrack: Gittrack) -> None:
    """With who last changed its pointer; the exit code says that something is missing."""
    run_git("push", "-q", "origin", "main", cwd=ada)
    bob = clone(tmp_path)
    lines = gittrack("pull", cwd=bob, code=1)
    named = [line for line in lines if line.startswith("warning: the content of")]
    assert len(named) == 2
    assert "'data' is neither here nor shared; its pointer is from" in named[0]
    assert "by Ada Test on" in named[0]
    assert gittrack("push", cwd=bob, code=1)[-1].startswith(("everything", "artifacts", "hint"))


def test_changes_that_are_nowhere_else_survive_a_pull(tmp_path: Path, ada: Path, gittrack: Gittrack) -> None:
    """The file stays, and is named."""
    gittrack("push", cwd=ada)
    run_git("push", "-q", "origin", "main", cwd=ada)
    bob = clone(tmp_path)
    (bob / "model.pt").write_bytes(b"mine")
    lines = gittrack("pull", cwd=bob, code=1)
    assert "warning: 'model.pt' is left as it is: it has changes that are nowhere else" in lines
    assert (bob / "model.pt").read_bytes() == b"mine"
    assert (bob / "data/a").read_bytes() == FILES["data/a"]


def test_a_folder_as_storage(tmp_path: Path, ada: Path, gittrack: Gittrack) -> None:
    """One setting on each side; the git remote holds no artifact then."""
    shared = tmp_path / "shared"
    run_git("config", "gittrack.storage", shared.as_uri(), cwd=ada)
    gittrack("push", cwd=ada)
    run_git("push", "-q", "origin", "main", cwd=ada)
    assert "artifacts" not in run_git("for-each-ref", cwd=tmp_path / "team.git")
    bob = clone(tmp_path)
    run_git("config", "gittrack.storage", shared.as_uri(), cwd=bob)
    gittrack("pull", "--jobs", "2", cwd=bob)
    check_files(bob)


def test_a_storage_of_the_repository_is_asked_about(tmp_path: Path, ada: Path, gittrack: Gittrack) -> None:
    """Nothing is sent to a URL that only a file of the repository names, until it is accepted."""
    (ada / "gittrack.yaml").write_text("storage: s3://somebody/elses\n", encoding="utf-8")
    lines = gittrack("push", cwd=ada, code=1)
    assert "was not accepted in this clone" in lines[-2]
    assert "git config gittrack.storageAccepted s3://somebody/elses" in lines[-1]
    assert run_git("for-each-ref", cwd=tmp_path / "team.git") == ""


def test_damage_is_repaired_from_where_it_is_shared(ada: Path, gittrack: Gittrack) -> None:
    """A flipped bit is found, set aside, and fetched again."""
    gittrack("push", cwd=ada)
    target = max((ada / ".git/gittrack/cache/b3").rglob("*"), key=lambda path: path.stat().st_size)
    target.chmod(0o644)
    data = bytearray(target.read_bytes())
    data[1000] ^= 1
    target.write_bytes(data)
    (ada / "model.pt").unlink()
    gittrack("verify", cwd=ada, code=1)
    gittrack("verify", "--repair", cwd=ada)
    gittrack("checkout", cwd=ada)
    check_files(ada)


@pytest.mark.parametrize("source", ["folder", "address", "bare folder"])
def test_get_takes_artifacts_out_of_any_repository(tmp_path: Path, ada: Path, gittrack: Gittrack, source: str) -> None:
    """An artifact, a folder or a file inside of one, a plain file, of HEAD or an experiment; nothing is overwritten."""
    gittrack("exp", "save", "-n", "first", cwd=ada)
    (ada / "model.pt").write_bytes(b"newer")
    gittrack("add", "model.pt", cwd=ada)
    commit(ada, "Newer")
    gittrack("push", cwd=ada)
    run_git("push", "-q", "origin", "main", cwd=ada)
    team = tmp_path / "team.git"
    repo = {"folder": str(ada), "address": team.as_uri(), "bare folder": "../team.git"}[source]
    before = sorted(path for path in team.rglob("*") if "gittrack" in path.name)
    here = tmp_path / "here"
    here.mkdir()
    assert gittrack("get", repo, "model.pt", cwd=here) == ["got model.pt (5 bytes)"]
    assert (here / "model.pt").read_bytes() == b"newer"
    gittrack("get", repo, "model.pt", "--rev", "first", "-o", "old.pt", cwd=here)
    assert (here / "old.pt").read_bytes() == MODEL
    gittrack("get", repo, "data", "--rev", "main", cwd=here)
    gittrack("get", repo, "data/sub", cwd=here)
    gittrack("get", repo, "data/a", cwd=here)
    gittrack("get", repo, "train.py", cwd=here)
    found = {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}
    assert found == {"model.pt", "old.pt", "data/a", "data/sub/b", "sub/b", "a", "train.py"}
    assert (here / "sub/b").read_bytes() == FILES["data/sub/b"]
    assert "there already" in gittrack("get", repo, "model.pt", cwd=here, code=1)[0]
    assert "has no 'nothing'" in gittrack("get", repo, "data/nothing", cwd=here, code=1)[0]
    assert "no artifact and no file" in gittrack("get", repo, "nowhere", cwd=here, code=1)[0]
    gittrack("get", repo, "../x", cwd=here, code=1)
    gittrack("get", repo, "model.pt", "--rev", "nothing", "-o", "x", cwd=here, code=1)
    assert sorted(path.name for path in here.iterdir()) == ["a", "data", "model.pt", "old.pt", "sub", "train.py"]
    assert sorted(path for path in team.rglob("*") if "gittrack" in path.name) == before  # no cache in what is shared


def git_with_hooks(*args: str, cwd: Path) -> str:
    """Run git as a person does, hooks included, and return what it and they said."""
    done = subprocess.run(["git", *args], cwd=cwd, capture_output=True, check=False, env=dict(os.environ))
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def test_plain_git_moves_artifacts(tmp_path: Path, ada: Path, gittrack: Gittrack, program: Path) -> None:
    """`git push` sends those of every pushed commit; with autocheckout they follow checkouts, pulls and worktrees."""
    del program  # the hooks run it
    gittrack("init", cwd=ada)
    run_git("config", "gittrack.autocheckout", "true", cwd=ada)
    (ada / "model.pt").write_bytes(b"second")
    gittrack("add", "model.pt", cwd=ada)
    commit(ada, "Second")
    said = git_with_hooks("push", "-q", "-u", "origin", "main", cwd=ada)
    assert "gittrack: sent 3 artifacts" in said
    assert "sent" not in git_with_hooks("push", "-q", "origin", "main:again", cwd=ada)
    assert "gittrack: restored 1 artifact: model.pt" in git_with_hooks("checkout", "-q", "HEAD~1", cwd=ada)
    check_files(ada)
    git_with_hooks("switch", "-q", "main", cwd=ada)
    assert (ada / "model.pt").read_bytes() == b"second"
    git_with_hooks("checkout", "-q", "HEAD~1", "--", "model.pt.gittrack", cwd=ada)
    check_files(ada)
    git_with_hooks("worktree", "add", "-q", "../tree", "main", "--detach", cwd=ada)
    assert (tmp_path / "tree/model.pt").read_bytes() == b"second"
    bob = clone(tmp_path)
    gittrack("init", cwd=bob)
    gittrack("pull", cwd=bob)
    assert (bob / "model.pt").read_bytes() == b"second"


def test_hooks_leave_changed_files_alone(ada: Path, gittrack: Gittrack, program: Path) -> None:
    """A checkout of git never costs work that the cache does not have."""
    del program
    gittrack("init", cwd=ada)
    run_git("config", "gittrack.autocheckout", "true", cwd=ada)
    (ada / "model.pt").write_bytes(b"second")
    gittrack("add", "model.pt", cwd=ada)
    commit(ada, "Second")
    (ada / "model.pt").write_bytes(b"precious")
    said = git_with_hooks("checkout", "-q", "HEAD~1", cwd=ada)
    assert "'model.pt' is left as it is" in said
    assert (ada / "model.pt").read_bytes() == b"precious"
