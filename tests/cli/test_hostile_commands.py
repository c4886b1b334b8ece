"""A repository or remote from a stranger: no command runs what it names, obeys what it holds, or ends over it."""

from __future__ import annotations

import contextlib
import io
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gittrack.api import Run
from gittrack.cli.exp.diff import _write_code
from gittrack.cli.exp.show import write_table
from gittrack.cli.terminal import Terminal
from gittrack.errors import GittrackError
from gittrack.experiments.format import FormatError, Meta, parse_files, render_meta
from gittrack.experiments.names import NAMESPACE, ExperimentRef
from gittrack.experiments.series import Series, parse_series
from gittrack.experiments.table import Column, Table
from gittrack.git.process import Git
from tests.support.commands import REMOTE, SETTINGS, all_calls, call_gittrack, write_untracked
from tests.support.experiments import add_experiment
from tests.support.git_repository import make_repository, open_repository, run_git
from tests.support.hostile import plant
from tests.support.remotes import make_bare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Colours, the window's title, the cursor, a bell, C1 controls, the writing direction, line ends, a byte of no text.
NASTY = "x\x1b[31m\x1b]0;title\x07\x9b2J\u202e\u2066\u2028\n\r\x7f\x00\udcff"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
FILTERS = {"filter"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A repository with experiments, one of them nasty, and a remote with another nasty one."""
    repo = make_repository(tmp_path / "repo")
    run_git("remote", "add", "team", str(make_bare(tmp_path / "team.git")), cwd=repo)
    run_git("push", "-q", "team", "main", cwd=repo)
    repository = open_repository(repo)
    for name in ("good", "spare"):
        add_experiment(repository, name, params={"lr": 0.1}, metrics={"acc": 0.5})
    add_nasty(repository, "odd")
    theirs = add_nasty(repository, "theirs")
    ref = ExperimentRef(run_git("rev-parse", "HEAD", cwd=repo), "theirs").ref
    run_git("push", "-q", "team", f"{theirs}:{ref}", cwd=repo)
    run_git("update-ref", "-d", ref, cwd=repo)
    write_untracked(repo)
    yield repo
    os.chdir(tmp_path)


def add_nasty(repository: Any, name: str) -> str:
    """Write an experiment in which every text is nasty."""
    texts = ("branch", "author", "host", "directory", "group", "description", "message", "remote_url", "operation")
    return add_experiment(
        repository,
        name,
        params={f"p{NASTY}": NASTY, "list": [NASTY], "dict": {NASTY: NASTY}},
        metrics={f"m{NASTY}": 0.5},
        series={f"m{NASTY[:-1]}": Series([1, 2], [1.0, 2.0], [0.5, 0.6])},
        tags={NASTY: NASTY},
        environment={NASTY: NASTY},
        left_out=({"path": NASTY, "reason": NASTY},),
        **dict.fromkeys(texts, NASTY),
        **dict.fromkeys(("notes", "command", "problems", "files", "landed"), (NASTY,)),
    )


def outside(folder: Path) -> dict[str, bytes]:
    """Return every file but those where gittrack writes: its own folder, its refs, objects."""
    ours = tuple(str(folder / ".git" / name) for name in ("gittrack", "objects", "refs/gittrack", "packed-refs"))
    paths = (path for path in folder.parent.rglob("*") if path.is_file() and not str(path).startswith(ours))
    return {str(path): path.read_bytes() for path in paths if "marks" not in str(path)}


def test_no_command_runs_what_a_repository_names(place: Path, tmp_path: Path) -> None:
    """With every attack planted, every command does its work, runs nothing, and writes where it should."""
    planted = plant(place, tmp_path / "marks")
    before = outside(place)
    for call in all_calls():
        output = call_gittrack(*call.words, cwd=place)
        assert output.code in {0, 1, 2}, (str(call), output)
        assert "unexpected" not in output.err, (str(call), output)
        assert set(planted.ran()) <= FILTERS, str(call)
        after = outside(place)
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        allowed = {REMOTE: f"{tmp_path}/team.git", SETTINGS: f"{place}/.git/"}
        prefixes = tuple(prefix for kind, prefix in allowed.items() if kind in call.changes)
        if not call.changes - set(allowed):
            assert [path for path in changed if not path.startswith(prefixes or ("nowhere",))] == [], str(call)
        before = after
        for mark in planted.marks.iterdir():
            assert call.takes_files, str(call)
            mark.unlink()


def test_no_command_sends_control_characters(place: Path) -> None:
    """What a stranger wrote is shown, in every format for people and in JSON, without driving the terminal."""
    for call in all_calls():
        output = call_gittrack(*call.words, cwd=place)
        assert output.code == call.code, (str(call), output)
        texts = [output.err] if "--csv" in call.words else [output.out, output.err]  # CSV is data
        assert [CONTROLS.findall(text) for text in texts] == [[]] * len(texts), str(call)


def test_a_script_says_no_control_characters(place: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    """The last line of a run names files that were left out without driving the terminal."""
    (place / "a\x1b[2J\u202e.pem").write_text("x", encoding="utf-8")
    monkeypatch.chdir(place)
    with Run("from-script"):
        pass
    line = capfd.readouterr().err
    assert "left out 1 untracked: a\\x1b[2J\\u202e.pem" in line
    assert CONTROLS.findall(line) == []


class FakeTerminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_data_on_a_terminal_is_harmless() -> None:
    """CSV and git's own diff, which programs get byte by byte, are made harmless where a person reads them."""
    for is_tty in (True, False):
        stream = (FakeTerminal if is_tty else io.TextIOWrapper)(io.BytesIO(), encoding="utf-8", newline="")
        terminal = Terminal.detect({"PAGER": "cat"}, stream, stream)
        write_table(terminal, Table((Column("x", "param"),), ([NASTY],)), "csv", 5)
        _write_code(terminal, f"\x1b[31m-{NASTY}\x1b[m\n\udcff\n")
        data = stream.buffer.getvalue()
        if is_tty:
            assert CONTROLS.findall(re.sub("\x1b\\[[0-9;]*m", "", data.decode())) == []
        else:
            assert data.endswith(f"\x1b[31m-{NASTY}\x1b[m\n\udcff\n".encode("utf-8", "surrogateescape"))


@pytest.fixture
def calls_of_git(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Every call of git from now on, as its arguments."""
    calls: list[tuple[str, ...]] = []
    original = Git.popen

    def popen(self: Git, *args: str, **rest: Any) -> Any:
        calls.append(args)
        return original(self, *args, **rest)

    monkeypatch.setattr(Git, "popen", popen)
    return calls


def find_unfenced(calls: list[tuple[str, ...]], value: str) -> list[tuple[str, ...]]:
    """Return the calls in which a value, as the beginning of an argument, could be taken for an option."""
    found = []
    for args in calls:
        # `git config` takes no option after the key.
        fence = next((index for index, arg in enumerate(args) if arg in {"--", "--end-of-options"}), len(args))
        if args[0] != "config" and any(arg.startswith(value) for arg in args[:fence]):
            found.append(args)
    return found


@pytest.mark.parametrize(
    "name",
    [
        "--upload-pack=touch {mark}",
        "-oProxyCommand=touch {mark}",
        "ext::sh -c touch% {mark}",
        "a\x1b[2J",
        "-x",
        "a/../b",
    ],
)
def test_names_of_remotes(place: Path, tmp_path: Path, name: str, calls_of_git: list[tuple[str, ...]]) -> None:
    """A remote that is called like an option, a command or a path, or has such an address, is no more than a name."""
    mark = tmp_path / "mark"
    name = name.format(mark=mark)
    config = place / ".git" / "config"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    with config.open("a", encoding="utf-8") as file:
        file.write(f'[remote "{quoted}"]\n\turl = "{quoted}"\n\tfetch = +refs/heads/*:refs/remotes/odd/*\n')
    run_git("config", "branch.main.remote", name, cwd=place)
    for words in (
        *(("fetch",), ("pull",), ("push",), ("fetch", "--", name), ("push", "--", name), ("exp", "list", "--", name)),
        *(("exp", "remove", "--remote", name, "good"), ("init", "--remote", name), ("init",), ("status",)),
        *(("doctor", "--network"), ("hook", "pre-push", name, name + "/"), ("exp", "save"), ("uninit",)),
    ):
        output = call_gittrack(*words, cwd=place)
        assert output.code in {0, 1, 2}, (words, output)
        assert CONTROLS.findall(output.out + output.err) == [], (words, output)
    assert not mark.exists()
    assert find_unfenced(calls_of_git, name) == []
    assert call_gittrack("exp", "show", "good", cwd=place).code == 0


@pytest.mark.parametrize(
    "text",
    ["--upload-pack=touch x", "--output=x", "-x", "x\x1b[2J", "@{-1}", ":/x", "HEAD:train.py", "a..b", "^HEAD", "\n"],
)
def test_arguments_like_options(place: Path, text: str, calls_of_git: list[tuple[str, ...]]) -> None:
    """A value that git would take for an option, a range or a search is refused in a word, and nothing is written."""
    before = outside(place)
    for words in (
        *(("exp", "show", "--", text), ("exp", "show", "--rev", text), ("exp", "diff", "--", text, text)),
        *(("exp", "diff", "--code", "--", text), ("exp", "apply", "--", text), ("exp", "rename", "--", "good", text)),
        *(("exp", "branch", "--", "good", text), ("exp", "branch", "--", text), ("exp", "save", "-n", text)),
        *(("exp", "remove", "--", text), ("exp", "remove", "--rev", text, "-y"), ("push", "team", "--", text)),
        *(("fetch", "team", "--", text), ("pull", "team", "--", f"good@{text}"), ("exp", "run", "-n", text, "true")),
        *(
            ("exp", "show", "--", f"good@{text}"),
            ("exp", "list", "--", text),
            ("exp", "remove", "--restore", "--", text),
        ),
    ):
        output = call_gittrack(*words, cwd=place)
        assert output.code in {1, 2}, (words, output)
        assert output.err.startswith("error: "), (words, output)
        assert "unexpected" not in output.err, (words, output)
        assert CONTROLS.findall(output.err) == [], (words, output)
    assert find_unfenced(calls_of_git, text) == []
    assert outside(place) == before
    assert run_git("for-each-ref", "--format=%(refname)", NAMESPACE, cwd=place).count("\n") == 2


def plant_experiment(repo: Path, name: str, entries: str) -> None:
    """Write an experiment whose `.gittrack` folder has the entries of a `git mktree` text, links and all."""
    folder = run_git("mktree", "--missing", cwd=repo, input=entries)
    tree = run_git("mktree", cwd=repo, input=f"040000 tree {folder}\t.gittrack\n")
    head = run_git("rev-parse", "HEAD", cwd=repo)
    commit = run_git("commit-tree", tree, "-p", head, "-m", "x", cwd=repo)
    run_git("update-ref", f"{NAMESPACE}/{head}/{name}", commit, cwd=repo)


def blob(repo: Path, text: str) -> str:
    """Write a blob."""
    return run_git("hash-object", "-w", "--stdin", cwd=repo, input=text)


META = '{"format": 1, "id": "0123456789abcdef", "name": "bad", "status": "completed"}'
BAD_FILES = {
    "no-json": {"meta.json": "nope"},
    "deep": {"meta.json": "[" * 100_000},
    "deep-params": {"meta.json": META, "params.json": '{"a":' * 50_000 + "1" + "}" * 50_000},
    "newer": {"meta.json": '{"format": 99, "status": "completed"}'},
    "far-time": {"meta.json": META[:-1] + ', "started": "9999-12-31T23:59:59.999999Z"}'},
    "no-time": {"meta.json": META[:-1] + ', "started": "0000-00-00T00:00:00.000000Z"}'},
    "huge-number": {"meta.json": META, "params.json": '{"a": 1e999, "b": ' + "9" * 5000 + "}"},
    "long-number": {"meta.json": META, "metrics.json": '{"a": {"last": ' + "9" * 4000 + "}}"},
    "odd-metrics": {"meta.json": META, "metrics.json": '{"a": {"last": "1"}, "b": [], "c": {"last": true}}'},
    "odd-counts": {"meta.json": META, "metrics.json": '{"a": {"last": 1, "count": 1e999, "step": 1e999}}'},
    "nan": {"meta.json": META, "metrics.json": '{"a": {"last": NaN}, "b": {"last": {"$float": "inf"}}}'},
    "bad-series": {"meta.json": META, "series.tsv": "metric\tstep\nx\t\x00\n\t\t\t\t\t\n1e9999\t1\t1\t1\n"},
    "bytes": {"meta.json": META.replace("bad", "\udcff\udcfe")},
}


def test_descriptions_and_trees_of_strangers(place: Path) -> None:
    """Each bad experiment is named or read as far as it can be; the good one is shown; nothing ends in a defect."""
    meta = blob(place, META)
    for name, files in BAD_FILES.items():
        plant_experiment(
            place, name, "".join(f"100644 blob {blob(place, text)}\t{file}\n" for file, text in files.items())
        )
    plant_experiment(place, "link", f"120000 blob {blob(place, '/etc/passwd')}\tmeta.json\n")
    plant_experiment(place, "submodule", f"160000 commit {'1' * 40}\tmeta.json\n")
    plant_experiment(place, "folder", f"040000 tree {run_git('mktree', cwd=place, input='')}\tmeta.json\n")
    plant_experiment(place, "absent", f"100644 blob {'1' * 40}\tmeta.json\n")
    plant_experiment(place, "odd-files", f"100644 blob {meta}\tmeta.json\n100644 blob {meta}\t..\\x\n")
    plant_experiment(place, "twice", f"100644 blob {meta}\tmeta.json\n120000 blob {meta}\tmeta.jsoN\n")
    head = run_git("rev-parse", "HEAD", cwd=place)
    run_git("update-ref", f"{NAMESPACE}/{head}/a-blob", meta, cwd=place)
    run_git("update-ref", f"{NAMESPACE}/{head}/a-commit", head, cwd=place)
    bad = [*BAD_FILES, "link", "submodule", "folder", "absent", "odd-files", "twice", "a-blob", "a-commit"]
    for words in (
        *(("exp", "show"), ("exp", "show", "--json"), ("exp", "show", "--all-columns"), ("exp", "list"), ("status",)),
        *(("exp", "show", name) for name in ("good", *bad)),
        *(("exp", "show", name, "--json") for name in bad),
        *(("exp", "diff", "good", name) for name in bad),
        *(("exp", "apply", "--dry-run", name) for name in bad),
        *(("exp", "branch", name, f"from-{name}") for name in bad),
        *(("exp", "rename", name, f"{name}-2") for name in bad),
        *(("push", "team"), ("pull", "team"), ("exp", "save", "-n", "after"), ("doctor",), ("gc",)),
    ):
        output = call_gittrack(*words, cwd=place)
        assert output.code in {0, 1}, (words, output.err[:500])
        assert "unexpected" not in output.err, (words, output.err[:500])
        assert CONTROLS.findall(output.out + output.err) == [], words
        if words[-1] in {"show", "list", "good"}:
            assert output.code == 0, (words, output.err[:500])
            assert "good" in output.out


def test_a_huge_description(place: Path) -> None:
    """A description far above the limit is not held in memory; the others are shown."""
    import resource

    huge = place.parent / "huge"
    with huge.open("wb") as file:
        file.truncate(256 << 20)
    oid = run_git("-c", "core.compression=1", "hash-object", "-w", "--stdin-paths", cwd=place, input=f"{huge}\n")
    huge.unlink()
    plant_experiment(place, "huge", f"100644 blob {oid}\tmeta.json\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    output = call_gittrack("exp", "show", cwd=place)
    assert "good" in output.out
    assert "'huge' cannot be read" in output.err
    for words in (("exp", "show", "huge"), ("exp", "branch", "huge"), ("exp", "diff", "good", "huge")):
        assert call_gittrack(*words, cwd=place).code == 1, words
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KiB


def test_refs_of_strangers(place: Path) -> None:
    """Refs on a remote whose names are no experiment's stay there; the others arrive."""
    head = run_git("rev-parse", "HEAD", cwd=place)
    names = ["-x", "x" * 230, "ä", "a@b", "a b".replace(" ", "\u00a0"), "THEIRS", "a/b", "x.y-z", "\u202eevil", "a'b"]
    for name in names:
        ref = f"{NAMESPACE}/{head}/{name}"
        run_git("push", "-q", "team", f"refs/gittrack/exps/{head}/good:{ref}", cwd=place)
    for words in (("fetch", "team"), ("exp", "list"), ("exp", "list", "team"), ("exp", "show"), ("pull", "team")):
        output = call_gittrack(*words, cwd=place)
        assert output.code == 0, (words, output)
        assert CONTROLS.findall(output.out + output.err) == [], words
    here = run_git("for-each-ref", "--format=%(refname:lstrip=4)", NAMESPACE, cwd=place).split()
    assert {"good", "odd", "spare"} < set(here)
    assert len({name.casefold() for name in here}) == len(here)
    assert not {"-x", "x" * 230, "ä", "a@b", "a/b"} & set(here)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(field=st.sampled_from(sorted(Meta._fields)), value=JSON)
def test_fields_of_every_type(field: str, value: Any) -> None:
    """A field of any type is read or refused as damaged; what is read can be written again."""
    import json

    document = {**json.loads(META), field: value}
    try:
        record = parse_files({"meta.json": json.dumps(document).encode()})
    except FormatError:
        return
    render_meta(record.meta)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text("0123456789.e\t\n-nanif m", max_size=80).map(str.encode))
def test_series_of_any_bytes(data: bytes) -> None:
    """Points are read or refused, never anything else."""
    with contextlib.suppress(GittrackError):
        parse_series(data)
