"""Fetch and push through every transport of git, and the creation of many refs at once."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from gittrack.experiments.publishing import push
from gittrack.experiments.sharing import pull
from gittrack.git.packed_refs import create_refs
from gittrack.git.process import GitError
from gittrack.git.refs import list_refs, read_ref
from gittrack.git.transfer import Access, fetch_refs, list_remote_refs, push_refs
from tests.support.experiments import add_experiment
from tests.support.git_repository import find_locks, fsck, make_repository, open_repository, run_git
from tests.support.remotes import PASSWORD, make_bare, make_clone, make_pair, serve_http, serve_ssh, ssh_command

if TYPE_CHECKING:
    from pathlib import Path

EXPS = "refs/gittrack/exps"
BASELINE = "ab" * 20


def share_round_trip(folder: Path, url: str) -> None:
    """Push from one clone and pull in another, over a URL."""
    first = make_repository(folder / "first")
    run_git("remote", "add", "origin", url, cwd=first)
    repository = open_repository(first)
    commits = {add_experiment(repository, f"exp-{number}") for number in range(3)}
    sent = push(repository, "origin")
    assert len(sent.created) == 3
    run_git("push", "-q", "origin", "main", cwd=first)
    second = make_clone(folder / "second", url)
    _, adopted = pull(second, "origin")
    assert len(adopted.created) == 3
    assert set(list_refs(second, EXPS).values()) == commits
    assert fsck(folder / "second") == ""


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_local_remote(tmp_path: Path, prefix: str) -> None:
    """A path and a file:// URL work as remotes."""
    share_round_trip(tmp_path, f"{prefix}{make_bare(tmp_path / 'team.git')}")


def test_http_remote_with_password(tmp_path: Path) -> None:
    """A push over http with a password arrives, and a second one is a handful of requests however many experiments."""
    make_bare(tmp_path / "srv" / "team.git")
    with serve_http(tmp_path / "srv") as remotes:
        share_round_trip(tmp_path, f"{remotes.url}/team.git")


def test_ssh_remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push over ssh arrives."""
    bare = make_bare(tmp_path / "team.git")
    with serve_ssh(tmp_path / "ssh") as url:
        monkeypatch.setenv("GIT_SSH_COMMAND", ssh_command(tmp_path / "ssh"))
        share_round_trip(tmp_path, f"{url}{bare}")


def test_errors_hold_no_password(tmp_path: Path) -> None:
    """The error of a failed transfer names no password."""
    make_bare(tmp_path / "srv" / "team.git")
    with serve_http(tmp_path / "srv") as remotes:
        remotes.answer = 403
        repository = open_repository(make_repository(tmp_path / "first"))
        run_git("remote", "add", "origin", f"{remotes.url}/team.git", cwd=tmp_path / "first")
        with pytest.raises(GitError) as raised:
            fetch_refs(repository, "origin", [f"+{EXPS}/*:refs/gittrack/remotes/origin/exps/*"])
    assert PASSWORD not in raised.value.message + raised.value.stderr
    assert "403" in raised.value.message


def test_fetch_touches_nothing_else(tmp_path: Path) -> None:
    """A fetch brings the refs it was told and no FETCH_HEAD, tag or branch."""
    pair = make_pair(tmp_path)
    add_experiment(pair.ada, "calm-owl")
    push(pair.ada, "origin")
    run_git("tag", "v1", cwd=tmp_path / "ada")
    run_git("push", "-q", "origin", "v1", cwd=tmp_path / "ada")
    before = list_refs(pair.bob, "refs/remotes") | list_refs(pair.bob, "refs/tags")
    (pair.bob.git_dir / "FETCH_HEAD").unlink(missing_ok=True)
    fetch_refs(pair.bob, "origin", [f"+{EXPS}/*:refs/gittrack/remotes/origin/exps/*"])
    assert len(list_refs(pair.bob, "refs/gittrack/remotes/origin/exps")) == 1
    assert list_refs(pair.bob, "refs/remotes") | list_refs(pair.bob, "refs/tags") == before
    assert not (pair.bob.git_dir / "FETCH_HEAD").exists()


def test_progress_is_handed_on(tmp_path: Path) -> None:
    """git's progress reaches the caller, without the table of refs."""
    pair = make_pair(tmp_path)
    add_experiment(pair.ada, "calm-owl")
    pieces: list[str] = []
    push(pair.ada, "origin", access=Access(on_progress=pieces.append))
    assert any("Writing objects" in piece for piece in pieces)
    assert not any(piece.startswith(("To ", " ")) for piece in pieces)


def test_lease_holds_a_name(tmp_path: Path) -> None:
    """A ref that must not exist is not overwritten when it does; other refs of the same push arrive."""
    pair = make_pair(tmp_path)
    one, two = add_experiment(pair.ada, "one"), add_experiment(pair.ada, "two")
    taken, free = "refs/gittrack/exps/x/taken", "refs/gittrack/exps/x/free"
    push_refs(pair.ada, "origin", [f"{one}:{taken}"])
    result = push_refs(pair.ada, "origin", [f"{two}:{taken}", f"{two}:{free}"], leases={taken: None, free: None})
    assert {ref.ref: ref.status for ref in result.refs} == {taken: "rejected", free: "created"}
    assert list_remote_refs(pair.ada, "origin", ["refs/gittrack/*"]) == {taken: one, free: two}


def test_moved_ref_is_never_forced(tmp_path: Path) -> None:
    """A ref on the remote that is no ancestor of ours stays as it is, without any lease."""
    pair = make_pair(tmp_path)
    one, two = add_experiment(pair.ada, "one"), add_experiment(pair.ada, "two")
    push_refs(pair.ada, "origin", [f"{one}:refs/gittrack/exps/x/a"])
    result = push_refs(pair.ada, "origin", [f"{two}:refs/gittrack/exps/x/a"])
    assert [ref.status for ref in result.refs] == ["rejected"]


@pytest.mark.parametrize("n_refs", [3, 500])
@pytest.mark.parametrize("is_packed", [True, False])
def test_create_refs(tmp_path: Path, n_refs: int, is_packed: bool) -> None:
    """Many refs are created beside those that exist, which stay; git reads them all and finds the file in order."""
    folder = make_repository(tmp_path / "repo")
    repository = open_repository(folder)
    head = run_git("rev-parse", "HEAD", cwd=folder)
    other = run_git("commit-tree", "HEAD^{tree}", "-m", "other", cwd=folder)
    run_git("tag", "-a", "v1", "-m", "annotated", cwd=folder)
    run_git("update-ref", f"{EXPS}/{BASELINE}/exp-1", other, cwd=folder)
    if is_packed:
        run_git("pack-refs", "--all", cwd=folder)
    wanted = {f"{EXPS}/{BASELINE}/exp-{number}": head for number in range(n_refs)}
    assert create_refs(repository, wanted, namespace=EXPS) == {f"{EXPS}/{BASELINE}/exp-1"}
    listing = run_git("for-each-ref", "--format=%(refname) %(objectname)", EXPS, cwd=folder).splitlines()
    assert dict(line.split(" ") for line in listing) == {**wanted, f"{EXPS}/{BASELINE}/exp-1": other}
    assert run_git("rev-parse", "v1^{commit}", cwd=folder) == head
    assert list_refs(repository, EXPS) == {**wanted, f"{EXPS}/{BASELINE}/exp-1": other}
    run_git("pack-refs", "--all", "--prune", cwd=folder)
    assert list_refs(repository, EXPS) == {**wanted, f"{EXPS}/{BASELINE}/exp-1": other}
    assert find_locks(repository) == []


def test_create_refs_beside_git(tmp_path: Path) -> None:
    """While git packs and creates refs in a loop, none of ours and none of git's is lost."""
    folder = make_repository(tmp_path / "repo")
    repository = open_repository(folder)
    head = run_git("rev-parse", "HEAD", cwd=folder)
    script = (
        f"i=0; while [ $i -lt 60 ]; do git update-ref {EXPS}/{BASELINE}/git-$i {head}; git pack-refs --all; "
        "i=$((i+1)); done"
    )
    rival = subprocess.Popen(["sh", "-c", script], cwd=folder, env=dict(os.environ), stderr=subprocess.DEVNULL)
    n_rounds = 0
    while rival.poll() is None:
        wanted = {f"{EXPS}/{BASELINE}/ours-{n_rounds}-{number}": head for number in range(30)}
        assert create_refs(repository, wanted, namespace=EXPS) == set()
        n_rounds += 1
    present = list_refs(repository, EXPS)
    assert sum("/ours-" in ref for ref in present) == 30 * n_rounds
    assert read_ref(repository, "refs/heads/main") == head
    assert sum("/git-" in ref for ref in present) == 60
