"""Wherever a command is called, it ends with a clear word and the right exit code, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gittrack.cli.entry import run
from tests.support.commands import all_calls, call_gittrack
from tests.support.experiments import add_experiment
from tests.support.git_repository import make_repository, open_repository, refs_in_files, run_git
from tests.support.needs import need
from tests.support.remotes import make_bare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.commands import Call

PACKAGE = Path(__file__).parents[2]
COMMANDS = [call for call in all_calls() if call.words[0] != "hook"]
# Python forgets that it is root: the mode of a file counts for it, as for everybody else.
OBEY_MODES = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
CALL_ALL = """\
import json, pathlib
from tests.support.commands import all_calls, call_gittrack
print(json.dumps([[str(call), *call_gittrack(*call.words, cwd=pathlib.Path.cwd())] for call in all_calls()]))
"""


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Path]:
    """A repository with the experiments of the list of calls, and a remote."""
    folder = make_repository(tmp_path / "repo")
    run_git("remote", "add", "team", str(make_bare(tmp_path / "team.git")), cwd=folder)
    for name in ("good", "odd", "spare"):
        add_experiment(open_repository(folder), name, params={"lr": 0.1}, metrics={"acc": 0.5})
    yield folder
    os.chdir(tmp_path)


def call_in_shell(script: str, cwd: Path, **environ: str) -> tuple[int, str, str]:
    """Run a shell script in which `$GITTRACK` is the program."""
    variables = {"GITTRACK": f"{sys.executable} -m gittrack", "PYTHONPATH": str(PACKAGE), **environ}
    done = subprocess.run(
        ["sh", "-c", script], cwd=cwd, env={**os.environ, **variables}, capture_output=True, check=False, timeout=60
    )
    return done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr)


def experiments(folder: Path) -> str:
    """Return every ref of ours."""
    return run_git("for-each-ref", "refs/gittrack", cwd=folder)


@pytest.mark.parametrize("call", COMMANDS, ids=str)
def test_without_a_repository(tmp_path: Path, call: Call) -> None:
    """It is said, with the way out, and nothing is written."""
    output = call_gittrack(*call.words, cwd=tmp_path)
    assert output.code == 1
    assert output.err.startswith(f"error: no git repository at '{tmp_path}'\nhint: run 'git init' first")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ["status", "exp show", "exp save", "exp run -- true", "init"])
def test_in_a_folder_that_is_gone(tmp_path: Path, words: str) -> None:
    """The folder is said to be gone."""
    (tmp_path / "gone").mkdir()
    code, out, err = call_in_shell(f'rmdir "$PWD"; $GITTRACK {words}', tmp_path / "gone")
    assert (code, out, err) == (1, "", "error: the current folder was removed\nhint: change to one that exists\n")


def test_in_a_bare_repository(tmp_path: Path, repo: Path) -> None:
    """What needs no files works; what does says so."""
    bare = tmp_path / "bare.git"
    run_git("clone", "-q", "--mirror", str(repo), str(bare), cwd=tmp_path)
    run_git("remote", "add", "team", str(tmp_path / "team.git"), cwd=bare)
    for call in COMMANDS:
        output = call_gittrack(*call.words, cwd=bare)
        if call.words[:2] in {("exp", "save"), ("exp", "run"), ("exp", "apply")}:
            assert output.code == 1
            assert "is a bare repository without files to record\nhint: run this in a clone" in output.err, call
        else:
            assert output.code in {call.code, 1}, (call, output)


def test_before_the_first_commit(tmp_path: Path) -> None:
    """Every command ends sensibly, and recording works where it needs no commit."""
    run_git("init", "-q", str(tmp_path), cwd=tmp_path)
    run_git("remote", "add", "team", str(make_bare(tmp_path / "team.git")), cwd=tmp_path)
    (tmp_path / "train.py").write_text("print()\n", encoding="utf-8")
    for call in COMMANDS:
        output = call_gittrack(*call.words, cwd=tmp_path)
        assert output.code in {0, 1, 2}, (call, output)
        if call.words[:2] == ("exp", "save") or "--in-place" in call.words:
            assert output.code == 0, (call, output)


def test_in_a_repository_that_cannot_be_written(repo: Path) -> None:
    """Reading works; writing is refused in a word, without a report of a defect, and nothing is lost."""
    need(is_there=sys.platform == "linux", what="Linux, to take the rights of root from a process")
    before = experiments(repo)
    folders = [repo / ".git", *(path for path in (repo / ".git").rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", OBEY_MODES, CALL_ALL],
            cwd=repo,
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
            capture_output=True,
            check=False,
        )
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    outputs = {words: (code, out, err) for words, code, out, err in json.loads(done.stdout)}
    for words, (code, _, err) in outputs.items():
        assert code in {0, 1, 2}, (words, err)
        if words.startswith(("status", "doctor", "exp show", "exp list", "exp diff")) and "team" not in words:
            assert code == 0, (words, err)
            assert "error" not in err, words
        elif words.startswith(("exp save", "exp branch", "exp rename", "exp remove", "init --")):
            assert code == 1, (words, err)
            assert err.startswith("error: "), words
    assert experiments(repo) == before


def test_without_a_home(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command needs HOME, nor a user name."""
    monkeypatch.delenv("HOME")
    for call in COMMANDS:
        output = call_gittrack(*call.words, cwd=repo)
        assert output.code in {call.code, 1}, (call, output)
        assert "unexpected" not in output.err, (call, output)


@pytest.mark.parametrize("call", COMMANDS, ids=str)
def test_without_git(repo: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    """The missing program is named."""
    monkeypatch.setenv("PATH", str(repo / "nowhere"))
    output = call_gittrack(*call.words, cwd=repo)
    assert output == (1, "", "error: the git program is not on PATH\nhint: install git 2.34 or newer\n")


@pytest.mark.parametrize("variables", [{"COLUMNS": "1"}, {"COLUMNS": "20"}, {"TERM": "dumb"}, {"FORCE_COLOR": "1"}])
def test_on_odd_terminals(repo: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """A terminal of any width shows something."""
    long = "ö" * 150
    add_experiment(
        open_repository(repo),
        "a" * 100,
        params={long: long},
        metrics={f"{long}/m": 1.0},
        description=long,
        message=long,
    )
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for words in (
        ("exp", "show"),
        ("exp", "show", "a" * 100),
        ("exp", "list"),
        ("exp", "diff", "good", "a" * 100),
        ("status",),
        ("doctor",),
        ("gc", "--dry-run"),
    ):
        output = call_gittrack(*words, cwd=repo)
        assert (output.code, output.err) == (0, ""), words
        assert output.out.strip(), words


def test_in_ascii(repo: Path) -> None:
    """With LANG=C and no UTF-8 in Python, what ASCII lacks is written out."""
    add_experiment(open_repository(repo), "unicode", params={"größe": "★\udcff"}, message="ä")
    environ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    script = "; ".join(f"$GITTRACK exp show {words} || exit 9" for words in ("", "--csv", "--json", "--md", "unicode"))
    code, out, err = call_in_shell(script, repo, **environ)
    assert (code, err) == (0, "")
    assert out.isascii()


def test_when_the_output_is_full(repo: Path) -> None:
    """The disk behind the output is full: an error with exit code 1, and no report of a defect."""
    os.chdir(repo)
    for call in COMMANDS:
        with contextlib.suppress(OSError), Path("/dev/full").open("w", encoding="utf-8") as full:
            with contextlib.redirect_stdout(full):
                code = run(call.words, dict(os.environ))
            assert code in {0, 1, 2}, call
            assert code == 1 or not str(call).startswith(("status", "doctor", "exp show")), call
    assert not (repo / ".git" / "gittrack" / "last-error.md").exists()


@pytest.mark.parametrize("words", ["--version", "--help", "exp --help", "exp show --help", "exp show", "status --json"])
def test_streams_that_are_full_or_closed(repo: Path, words: str) -> None:
    """A full output is an error; one that the caller closed is none, as with git."""
    full = "error: no space left on device\nhint: free some space; what was recorded before is kept\n"
    assert call_in_shell(f"$GITTRACK {words} >/dev/full", repo) == (1, "", full)
    assert call_in_shell(f"$GITTRACK {words} >&-", repo) == (0, "", "")
    assert call_in_shell(f"$GITTRACK {words} <&- >&- 2>&-", repo) == (0, "", "")


def test_closed_streams_are_not_reused(repo: Path) -> None:
    """What is recorded with every stream closed is whole: no file of ours was given the number of a stream."""
    assert call_in_shell("$GITTRACK exp save -n quiet <&- >&- 2>&-; $GITTRACK exp show quiet --json", repo)[0] == 0
    assert call_in_shell("$GITTRACK exp run -n closed -- echo hello <&- >&- 2>&-", repo)[0] == 0
    log = f"refs/gittrack/exps/{run_git('rev-parse', 'HEAD', cwd=repo)}/closed:.gittrack/log.txt"
    assert run_git("cat-file", "blob", log, cwd=repo) == "hello"
    run_git("fsck", "--strict", cwd=repo)


def test_a_reader_that_leaves(repo: Path) -> None:
    """`… | true` is no error that anybody reads of."""
    commands = "'exp show --all-columns' 'exp show --csv' 'exp list' doctor"
    script = f"for words in {commands}; do $GITTRACK $words | true; done"
    assert call_in_shell(script, repo) == (0, "", "")


@refs_in_files
def test_among_very_many_refs(repo: Path) -> None:
    """Ten thousand branches and two thousand experiments are no trouble."""
    head = run_git("rev-parse", "HEAD", cwd=repo)
    experiment = run_git("rev-parse", f"refs/gittrack/exps/{head}/good", cwd=repo)
    run_git("pack-refs", "--all", cwd=repo)
    packed = repo / ".git" / "packed-refs"
    lines = [line for line in packed.read_text().splitlines() if line[0] != "#"]
    lines += [f"{head} refs/heads/b{number:05}" for number in range(10_000)]
    lines += [f"{experiment} refs/gittrack/exps/{head}/x{number:05}" for number in range(2_000)]
    lines.sort(key=lambda line: line[41:])
    packed.write_text("\n".join(["# pack-refs with: peeled fully-peeled sorted ", *lines, ""]), encoding="utf-8")
    output = call_gittrack("exp", "list", "--names-only", cwd=repo)
    assert (output.code, len(output.out.splitlines()), output.err) == (0, 2003, "")
    for words in (("exp", "show"), ("status",), ("exp", "save"), ("push", "team"), ("gc",)):
        output = call_gittrack(*words, cwd=repo)
        assert (output.code, output.err) == (0, ""), words
