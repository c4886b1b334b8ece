"""`gittrack push`, `pull`, `fetch`, and plain git with hooks: what people see, and what stays as it is."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gittrack.experiments.names import NAMESPACE
from gittrack.experiments.publishing import push
from gittrack.git.refs import list_refs
from tests.support.experiments import add_experiment
from tests.support.git_repository import make_repository, open_repository, run_git
from tests.support.hooks import write_script
from tests.support.remotes import PASSWORD, make_bare, make_pair, serve_http

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.remotes import Pair

    GitTrack = Callable[..., list[str]]


def on_remote(pair: Pair) -> set[str]:
    """Return the names of the experiments on the remote."""
    listing = run_git("for-each-ref", "--format=%(refname:lstrip=4)", NAMESPACE, cwd=pair.remote)
    return set(listing.split())


def plain_push(folder: Path, *args: str, code: int = 0) -> str:
    """Push with git alone and return what it and its hooks said."""
    done = subprocess.run(["git", "push", *args], cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stderr


@pytest.fixture
def hooked(tmp_path: Path, gittrack: GitTrack) -> Pair:
    """Two clones of one remote after `gittrack init`."""
    pair = make_pair(tmp_path)
    for name in ("ada", "bob"):
        gittrack("init", cwd=tmp_path / name)
    return pair


def test_round_trip(tmp_path: Path, gittrack: GitTrack) -> None:
    """Push, fetch and pull say what they did, and say so when there is nothing to do."""
    pair = make_pair(tmp_path)
    add_experiment(pair.ada, "calm-owl")
    add_experiment(pair.ada, "brave-fox")
    place = f"origin ({pair.remote})"
    assert gittrack("push", cwd=tmp_path / "ada") == [f"pushed 2 experiments to {place}: brave-fox, calm-owl"]
    assert gittrack("push", cwd=tmp_path / "ada") == [f"everything up to date: {place} has 2 experiments"]
    assert gittrack("fetch", cwd=tmp_path / "bob") == [
        f"fetched 2 experiments from {place}: 2 new (brave-fox, calm-owl)"
    ]
    assert gittrack("fetch", cwd=tmp_path / "bob") == [f"nothing new on {place}"]
    assert gittrack("pull", cwd=tmp_path / "bob") == [f"pulled 2 experiments from {place}: 2 new (brave-fox, calm-owl)"]
    assert gittrack("pull", cwd=tmp_path / "bob") == [f"everything up to date with {place}"]


def test_named_and_dry(tmp_path: Path, gittrack: GitTrack) -> None:
    """Experiments may be named, and `--dry-run` sends nothing."""
    pair = make_pair(tmp_path)
    add_experiment(pair.ada, "calm-owl")
    add_experiment(pair.ada, "brave-fox")
    (line,) = gittrack("push", "--dry-run", "origin", "calm-owl", cwd=tmp_path / "ada")
    assert line.startswith("would push 1 experiment to ")
    assert on_remote(pair) == set()
    gittrack("push", "origin", "calm-owl", cwd=tmp_path / "ada")
    assert on_remote(pair) == {"calm-owl"}


def test_second_name_is_said(tmp_path: Path, gittrack: GitTrack) -> None:
    """Where two experiments have one name, the push says which name is whose, and exits with 0."""
    pair = make_pair(tmp_path)
    add_experiment(pair.ada, "calm-owl", metrics={"acc": 1.0})
    push(pair.ada, "origin")
    add_experiment(pair.bob, "calm-owl", metrics={"acc": 2.0})
    lines = gittrack("push", cwd=tmp_path / "bob")
    assert any("'calm-owl' is another experiment on origin" in line and "'calm-owl-2' now" in line for line in lines)
    assert on_remote(pair) == {"calm-owl", "calm-owl-2"}


def test_errors(tmp_path: Path, gittrack: GitTrack) -> None:
    """No remote, an unknown one, an experiment in its place, a diverged one: one line each, and a way out."""
    folder = make_repository(tmp_path / "alone")
    assert "no remote" in gittrack("push", cwd=folder, code=1)[0]
    pair = make_pair(tmp_path)
    assert gittrack("push", "calm-owl", cwd=tmp_path / "ada", code=1)[1].startswith(
        "hint: the remote comes first, as in 'gittrack push origin calm-owl'"
    )
    add_experiment(pair.ada, "calm-owl")
    push(pair.ada, "origin")
    add_experiment(pair.bob, "calm-owl", status="running")
    lines = gittrack("push", cwd=tmp_path / "bob", code=4)
    assert "still running" in lines[0]


def test_no_password_is_printed(tmp_path: Path, gittrack: GitTrack) -> None:
    """Neither results nor errors show the password of a remote's URL."""
    make_bare(tmp_path / "srv" / "team.git")
    with serve_http(tmp_path / "srv") as remotes:
        folder = make_repository(tmp_path / "ada")
        run_git("remote", "add", "origin", f"{remotes.url}/team.git", cwd=folder)
        add_experiment(open_repository(folder), "calm-owl")
        text = "\n".join(gittrack("push", cwd=folder))
        remotes.answer = 500
        text += "\n".join(gittrack("push", cwd=folder, code=1))
    assert f"origin ({remotes.bare_url}/team.git)" in text
    assert PASSWORD not in text


def test_nothing_of_the_user_changes(tmp_path: Path, gittrack: GitTrack) -> None:
    """HEAD, index, files, branches and tags are byte-identical after push, fetch and pull."""
    pair = make_pair(tmp_path)
    add_experiment(pair.ada, "calm-owl")
    push(pair.ada, "origin")
    add_experiment(pair.bob, "brave-fox")
    folder = tmp_path / "bob"
    (folder / "train.py").write_text("changed\n", encoding="utf-8")
    run_git("add", "train.py", cwd=folder)

    def state() -> list[object]:
        refs = [list_refs(pair.bob, f"refs/{kind}") for kind in ("heads", "tags", "remotes")]
        return [refs, *((folder / name).read_bytes() for name in (".git/HEAD", ".git/index", "train.py"))]

    before = state()
    for verb in ("fetch", "pull", "push"):
        gittrack(verb, cwd=folder)
    assert state() == before


def test_plain_git_push_sends_experiments(tmp_path: Path, hooked: Pair) -> None:
    """`git push` sends the experiments of the pushed commits in the hook, once, and none of other commits."""
    add_experiment(hooked.ada, "calm-owl")
    run_git("checkout", "-q", "-b", "other", cwd=tmp_path / "ada")
    run_git("commit", "-q", "--allow-empty", "-m", "other", cwd=tmp_path / "ada")
    add_experiment(hooked.ada, "brave-fox")
    run_git("checkout", "-q", "main", cwd=tmp_path / "ada")
    run_git("commit", "-q", "--allow-empty", "-m", "next", cwd=tmp_path / "ada")
    assert "gittrack: sent 1 experiment to origin" in plain_push(tmp_path / "ada")
    assert on_remote(hooked) == {"calm-owl"}
    assert "gittrack" not in plain_push(tmp_path / "ada")
    assert "sent 1 experiment" in plain_push(tmp_path / "ada", "origin", "other")
    assert "gittrack" not in plain_push(tmp_path / "ada", "origin", ":other")


def test_plain_git_push_of_a_new_branch_to_an_empty_remote(tmp_path: Path, gittrack: GitTrack) -> None:
    """The first push of all brings the experiments with it."""
    folder = make_repository(tmp_path / "ada")
    run_git("remote", "add", "origin", str(make_bare(tmp_path / "team.git")), cwd=folder)
    gittrack("init", cwd=folder)
    add_experiment(open_repository(folder), "calm-owl")
    assert "sent 1 experiment to origin" in plain_push(folder, "-u", "origin", "main")


def test_plain_git_pull_takes_experiments_up(tmp_path: Path, hooked: Pair) -> None:
    """`git pull` brings experiments by its refspec and the hook makes them local."""
    add_experiment(hooked.ada, "calm-owl")
    run_git("commit", "-q", "--allow-empty", "-m", "next", cwd=tmp_path / "ada")
    plain_push(tmp_path / "ada")
    run_git("pull", "-q", cwd=tmp_path / "bob")
    assert [ref.rpartition("/")[2] for ref in list_refs(hooked.bob, NAMESPACE)] == ["calm-owl"]


def test_hook_blocks_a_push_only_when_strict(tmp_path: Path, hooked: Pair) -> None:
    """A remote that refuses experiments costs one warning line; with gittrack.strict the push fails."""
    script = "#!/bin/sh\ncase $1 in refs/heads/*) exit 0;; esac\nexit 1\n"
    write_script(hooked.remote / "hooks" / "update", script)
    add_experiment(hooked.ada, "calm-owl")
    run_git("commit", "-q", "--allow-empty", "-m", "next", cwd=tmp_path / "ada")
    assert "gittrack: pre-push hook: origin refused 1 experiment" in plain_push(tmp_path / "ada")
    assert run_git("rev-parse", "main", cwd=hooked.remote) == run_git("rev-parse", "HEAD", cwd=tmp_path / "ada")
    run_git("config", "gittrack.strict", "true", cwd=tmp_path / "ada")
    run_git("commit", "-q", "--allow-empty", "-m", "one more", cwd=tmp_path / "ada")
    plain_push(tmp_path / "ada", code=1)


def test_hook_with_nothing_to_do_starts_no_git(tmp_path: Path) -> None:
    """Without experiments the hook needs neither subprocess nor pathlib nor click."""
    folder = make_repository(tmp_path / "ada")
    code = (
        "import io, os, sys\n"
        "from gittrack.cli import hook_pre_push\n"
        "lines = b'refs/heads/main ' + b'1' * 40 + b' refs/heads/main ' + b'0' * 40 + b'\\n'\n"
        "assert hook_pre_push.main(['origin', 'url'], io.BytesIO(lines), dict(os.environ)) == 0\n"
        "print(*sorted({'subprocess', 'pathlib', 'click', 'json'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""
