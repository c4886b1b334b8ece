"""What hooks do once they are called: rewritten ids, arrivals, errors, imports; with the real program and git."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gittrack.git.location import locate
from gittrack.git.rewrites import (
    FILE_NAME,
    MAX_FILE_BYTES,
    OLD_FILE_NAME,
    append_rewrites,
    follow_rewrites,
    parse_rewrites,
    read_rewrites,
)
from tests.support.hooks import write_launcher

if TYPE_CHECKING:
    from collections.abc import Callable

    Git = Callable[..., str]

ROOT = Path(__file__).parents[2]
A, B, C = "a" * 40, "b" * 40, "c" * 64
FORBIDDEN = {
    "subprocess",
    "pathlib",
    "click",
    "yaml",
    "ruamel.yaml",
    "dulwich",
    "importlib.metadata",
    "numpy",
    "requests",
    "logging",
    "asyncio",
}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The real gittrack as an executable, outside of any virtual environment."""
    return write_launcher(tmp_path / "my venv")


def run_hook(
    folder: Path, *args: str, stdin: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "import sys; from gittrack.cli.entry import main; sys.exit(main())", "hook", *args]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    return subprocess.run(command, cwd=folder, input=stdin, capture_output=True, check=False, env=environ)


def test_rewrites_are_parsed_appended_and_followed(tmp_path: Path) -> None:
    """Only pairs of whole ids are kept; several rewrites of one commit lead to the last."""
    state = str(tmp_path / "state")
    append_rewrites(state, parse_rewrites(f"{A} {B} note\n{A[:39]} {B}\n../x {B}\n{B} {C}\n{A.upper()} {B}\n\n"))
    append_rewrites(state, [(C, C)])
    assert (tmp_path / "state" / FILE_NAME).read_text() == f"{A}\t{B}\n{B}\t{C}\n"
    assert follow_rewrites(read_rewrites(state), A) == C
    assert read_rewrites(str(tmp_path / "nothing")) == {}


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    """After a crash in the middle of a line, the next pair begins on its own line."""
    (tmp_path / FILE_NAME).write_text(f"{A}\t{B[:20]}")
    append_rewrites(str(tmp_path), [(B, C)])
    assert read_rewrites(str(tmp_path)) == {B: C}


def test_the_file_of_rewrites_is_bounded(tmp_path: Path) -> None:
    """A full file becomes the old one, which is still read; the one before that is let go."""
    (tmp_path / OLD_FILE_NAME).write_text(f"{B}\t{A}\n")
    (tmp_path / FILE_NAME).write_text(f"{A}\t{B}\n" + "x\n" * (MAX_FILE_BYTES // 2))
    append_rewrites(str(tmp_path), [(C, A)])
    assert (tmp_path / FILE_NAME).stat().st_size < 200
    assert read_rewrites(str(tmp_path)) == {A: B, C: A}


def test_amend_and_rebase_are_kept(repo_dir: Path, program: Path, git: Git) -> None:
    """After `init`, what git rewrites can be followed, also from a linked worktree."""
    subprocess.run([program, "init"], cwd=repo_dir, check=True, capture_output=True)
    base = git("rev-parse", "HEAD")
    git("checkout", "-q", "-b", "side")
    git("commit", "-q", "--allow-empty", "-m", "one")
    first = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "--amend", "-m", "two")
    git("worktree", "add", "-q", str(repo_dir.parent / "linked"), "-b", "other", base)
    (repo_dir.parent / "linked/new").write_text("x")
    git("add", "new", cwd=repo_dir.parent / "linked")
    git("commit", "-q", "-m", "three", cwd=repo_dir.parent / "linked")
    git("checkout", "-q", "--detach")
    git("rebase", "-q", "--keep-empty", "other", "side", cwd=repo_dir)
    rewrites = read_rewrites(str(repo_dir / ".git/gittrack"))
    assert follow_rewrites(rewrites, first) == git("rev-parse", "side")


@pytest.mark.parametrize("kind", ["plain", "worktree", "submodule"])
def test_the_git_directory_is_found_without_git(repo_dir: Path, tmp_path: Path, git: Git, kind: str) -> None:
    """Reading files gives what git answers, in every kind of work tree and with GIT_DIR set."""
    folder = repo_dir
    if kind == "worktree":
        folder = tmp_path / "linked"
        git("worktree", "add", "-q", str(folder))
    if kind == "submodule":
        git("init", "-q", str(tmp_path / "parent"))
        git(
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            str(repo_dir),
            "sub",
            cwd=tmp_path / "parent",
        )
        folder = tmp_path / "parent/sub"
    git_dir = git("rev-parse", "--absolute-git-dir", cwd=folder)
    common = os.path.normpath(folder / git("rev-parse", "--git-common-dir", cwd=folder))
    relative = os.path.relpath(git_dir, tmp_path)
    places = [(folder, {}), (folder, {"GIT_DIR": git_dir}), (tmp_path, {"GIT_DIR": relative})]
    for place, environ in places:
        location = locate(str(place), environ)
        assert location is not None
        assert (location.git_dir, location.common_dir) == (git_dir, common)
        assert location.state_dir == f"{common}/gittrack"
    assert locate(str(tmp_path), {}) is None


def test_arrivals_are_told_once(repo_dir: Path, program: Path, tmp_path: Path, git: Git) -> None:
    """After `init` in a clone, a pull says which experiments came; the next one is silent."""
    git("clone", "-q", "--bare", str(repo_dir), str(tmp_path / "remote.git"))
    git("remote", "add", "origin", str(tmp_path / "remote.git"))
    clone = tmp_path / "clone"
    git("clone", "-q", str(tmp_path / "remote.git"), str(clone))
    subprocess.run([program, "init"], cwd=clone, check=True, capture_output=True)
    head = git("rev-parse", "HEAD")

    def share(*names: str) -> str:
        for name in names:
            git("push", "-q", "origin", f"HEAD:refs/gittrack/exps/{head}/{name}")
        git("commit", "-q", "--allow-empty", "-m", "Next")
        git("push", "-q", "origin", "main")
        done = subprocess.run(["git", "pull", "-q"], cwd=clone, capture_output=True, text=True, check=True)
        return done.stderr

    assert share("calm-owl") == "gittrack: 1 experiment arrived from origin: calm-owl (see 'gittrack exp show')\n"
    assert share() == ""
    told = share("a1", "a2", "a3", "a4")
    assert told == "gittrack: 4 experiments arrived from origin: a1, a2, a3, … (see 'gittrack exp show')\n"
    assert git("rev-parse", f"refs/gittrack/remotes/origin/exps/{head}/a1", cwd=clone) == git("rev-parse", "main~1")
    done = run_hook(clone, "post-checkout", head, head, "1")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_damaged_announcement_is_forgotten(repo_dir: Path, git: Git) -> None:
    """A state file that is no JSON of ours costs at most a repeated line."""
    head = git("rev-parse", "HEAD")
    git("update-ref", f"refs/gittrack/remotes/origin/exps/{head}/fox", head)
    state = repo_dir / ".git/gittrack"
    state.mkdir()
    for text in ("{", "[]", '{"version": 2}', '{"version": 1, "fetched": 1, "experiments": 3}'):
        (state / "announced.json").write_text(text)
        assert b"1 experiment arrived" in run_hook(repo_dir, "post-merge", "0").stderr
    assert json.loads((state / "announced.json").read_text())["experiments"] == [f"origin/{head}/fox"]


def test_only_checked_names_reach_the_terminal(repo_dir: Path, git: Git) -> None:
    """A remote's ref whose name is not an experiment's is not announced, whatever it holds."""
    head = git("rev-parse", "HEAD")
    git("update-ref", f"refs/gittrack/remotes/origin/exps/{head}/\x9b31mred", head)
    assert run_hook(repo_dir, "post-merge", "0").stderr == b""


@pytest.mark.parametrize("name", ["post-commit", "post-rewrite", "pre-push", "post-merge", "post-checkout"])
def test_an_error_is_one_line_and_no_failure(repo_dir: Path, git: Git, name: str) -> None:
    """Where the hook's folder cannot be written the git command still succeeds, with one line at most."""
    git("update-ref", f"refs/gittrack/remotes/origin/exps/{git('rev-parse', 'HEAD')}/fox", "HEAD")
    (repo_dir / ".git/gittrack").write_text("in the way")
    done = run_hook(repo_dir, name, stdin=f"{A} {B}\n".encode())
    assert done.returncode == 0
    assert done.stdout == b""
    assert all(line.startswith(b"gittrack: ") for line in done.stderr.splitlines())
    assert len(done.stderr.splitlines()) <= 2


def test_hooks_outside_a_repository_do_nothing(tmp_path: Path) -> None:
    """The hooks that only keep and tell are silent where there is no repository."""
    for name in ("post-rewrite", "post-merge"):
        done = run_hook(tmp_path, name)
        assert (done.returncode, done.stderr) == (0, b"")


def test_unknown_hooks_are_a_wrong_call(repo_dir: Path) -> None:
    """A hook that gittrack does not have is an error of usage."""
    assert run_hook(repo_dir, "pre-commit").returncode == 2
    assert run_hook(repo_dir).returncode == 2


def test_variables_of_a_hook_do_not_redirect(repo_dir: Path, tmp_path: Path, git: Git) -> None:
    """GIT_INDEX_FILE and its kin, which git sets in hooks, reach no git command of ours."""
    head = git("rev-parse", "HEAD")
    git("update-ref", f"refs/gittrack/remotes/origin/exps/{head}/fox", head)
    before = (repo_dir / ".git/index").read_bytes()
    env = {
        "GIT_DIR": str(repo_dir / ".git"),
        "GIT_INDEX_FILE": str(tmp_path / "other-index"),
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "nowhere"),
        "GIT_QUARANTINE_PATH": str(tmp_path / "nowhere"),
    }
    assert b"1 experiment arrived" in run_hook(repo_dir, "post-merge", "0", env=env).stderr
    assert (repo_dir / ".git/index").read_bytes() == before
    assert not (tmp_path / "other-index").exists()


@pytest.mark.parametrize("name", ["post-rewrite", "post-merge", "post-checkout"])
def test_imports_of_a_hook_with_nothing_to_do(repo_dir: Path, name: str) -> None:
    """A hook with nothing to do imports nothing that costs."""
    code = f"""
import sys
from gittrack.cli.hook import main
sys.stdin = open({os.devnull!r})
main([{name!r}, "0", "0", "1"], {{"PATH": {os.environ["PATH"]!r}}})
main([{name!r}, "0", "0", "1"], {{"PATH": {os.environ["PATH"]!r}}})
print(*sys.modules)
"""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=repo_dir, env=environ, check=True, capture_output=True)
    done = subprocess.run([sys.executable, "-c", code], cwd=repo_dir, env=environ, check=True, capture_output=True)
    imported = set(done.stdout.decode().split())
    assert "gittrack.git.location" in imported
    assert not imported & FORBIDDEN


def test_pre_commit_gives_the_push_by_variables() -> None:
    """Under pre-commit the pushed refs come from its variables, else as git gives them."""
    from gittrack.cli.hook_frameworks import pre_push_call

    arguments, stdin = pre_push_call(["origin", "url"], io.BytesIO(b"a b c d\n"), {})
    assert (arguments, stdin.read()) == (["origin", "url"], b"a b c d\n")


def test_hook_ids_for_pre_commit_name_hooks_that_exist() -> None:
    """Every id that is offered to pre-commit calls a hook that gittrack has."""
    import yaml

    from gittrack.git.hooks import HOOK_NAMES

    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {hook["id"].removeprefix("gittrack-") for hook in hooks} == set(HOOK_NAMES) - {"post-rewrite"}
    assert all(hook["entry"] == f"gittrack hook {hook['stages'][0]}" for hook in hooks)


def test_shells_are_the_real_ones() -> None:
    """The tests of hooks run with the shells that they name."""
    assert all(map(shutil.which, ("sh", "bash", "dash")))
