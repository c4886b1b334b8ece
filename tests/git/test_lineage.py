"""Lineage: which experiments made content and which used it, whatever it is called; derived, indexed, and hostile."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

import gittrack
from gittrack.artifacts.digest import hash_bytes
from gittrack.experiments import store
from gittrack.experiments.arrived import check_commits
from gittrack.experiments.artifact_files import ArtifactEntry
from gittrack.experiments.format import Meta, Record
from gittrack.experiments.index import Index
from gittrack.experiments.lineage import list_lineages, read_lineages, read_logged
from gittrack.experiments.merge import merge_commits
from gittrack.experiments.names import ExperimentRef
from gittrack.git.objects import ObjectBatch, TreeEntry, read_tree, tree_with_blobs, write_blob, write_tree
from gittrack.runs.capture import save_workspace
from gittrack.runs.command import Output
from gittrack.runs.context import RunContext
from gittrack.runs.launch import Plan, run_command
from gittrack.workspace.add import add
from gittrack.workspace.workspace import Workspace
from tests.support.git_repository import open_repository, run_git
from tests.support.recorded import ROOT, read_recorded, refs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gittrack.experiments.lineage import Lineages, Mention
    from gittrack.git.repository import Repository

    Git = Callable[..., str]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="artifacts need descriptors of POSIX")
DIGEST = hash_bytes(b"w")
ENTRY = ArtifactEntry("m.pt", "file", DIGEST, 1, cached=True, pointer=True)


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_dir)


def track(repository: Repository, path: str, content: bytes) -> None:
    """Write a file and track it."""
    target = repository.require_work_tree() / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    with Workspace.open(repository) as workspace:
        add(workspace, [path])


def lineages_of(repository: Repository) -> Lineages:
    index = Index(repository)
    try:
        return list_lineages(repository, index)
    finally:
        index.close()


def told(mentions: list[Mention]) -> list[tuple[str, str, str]]:
    return sorted((one.experiment.name, one.version.path, one.version.how) for one in mentions)


def write(
    repository: Repository, git: Git, name: str, files: Mapping[str, bytes] | None = None, **fields: object
) -> str:
    """Write an experiment with a record of its own, and with files as they come."""
    head, tree = git("rev-parse", "HEAD"), git("rev-parse", "HEAD^{tree}")
    record = Record(Meta(name, "0" * 16, "completed", started=1.0, baseline=head))._replace(**fields)  # type: ignore[arg-type]
    commit = store.write_record(repository, record, code_tree=tree, parents=[head], message="x")
    if files:
        entries = read_tree(repository, git("rev-parse", f"{commit}^{{tree}}"))
        folder = next(entry for entry in entries if entry.name == b".gittrack")
        inside = {entry.name: entry for entry in read_tree(repository, folder.oid)}
        inside |= {n.encode(): TreeEntry(n.encode(), 0o100644, write_blob(repository, d)) for n, d in files.items()}
        new = TreeEntry(b".gittrack", 0o040000, write_tree(repository, inside.values()))
        root = write_tree(repository, [*(entry for entry in entries if entry.name != b".gittrack"), new])
        commit = git("commit-tree", "-p", head, "-m", "x", root)
    store.create_experiment(repository, ExperimentRef(head, name), commit)
    return commit


def test_a_chain_is_traced_by_content(repository: Repository, repo_dir: Path, git: Git) -> None:
    """Data that is tracked, a model that a run made of it, and a run that used the model under another name."""
    track(repository, "data/train.csv", b"1,2")
    git("add", "-A")
    git("commit", "-qm", "Data")
    (repo_dir / "m.pt").write_bytes(b"w")
    with gittrack.Run("train", quiet=True) as run:
        run.log_artifact("m.pt", type="model")
    (repo_dir / "m.pt").rename(repo_dir / "base.pt")
    (repo_dir / "m.pt.gittrack").unlink()
    with gittrack.Run("tune", quiet=True) as run:
        run.use_artifact("base.pt")
        (repo_dir / "tuned.pt").write_bytes(b"v")
        run.log_artifact("tuned.pt")
    lineages = lineages_of(repository)
    trace = lineages.trace(DIGEST)
    assert told(trace.makers) == [("train", "m.pt", "logged")]
    assert told(trace.users) == [("tune", "base.pt", "used")]
    data = lineages.trace(hash_bytes(b"1,2"))
    assert (told(data.makers), told(data.users)) == (
        [],
        [("train", "data/train.csv", "tracked"), ("tune", "data/train.csv", "tracked")],
    )
    assert [one.version.path for one in lineages.find("m")] == ["m.pt"]
    assert lineages_of(repository).known == lineages.known  # now from the index


def test_what_a_run_makes_is_no_input_of_its_own(repository: Repository, repo_dir: Path) -> None:
    """Also when the pointer of an earlier version was there at the start."""
    for name in ("first", "second"):
        (repo_dir / "m.pt").write_bytes(name.encode())
        with gittrack.Run(name, quiet=True) as run:
            run.log_artifact("m.pt")
    known = {experiment.name: one for experiment, one in lineages_of(repository).known.items()}
    assert [known[name].inputs for name in ("first", "second")] == [(), ()]


def test_saving_tells_what_changed_since_the_baseline(repository: Repository, repo_dir: Path, git: Git) -> None:
    """New or another content is an output, the same content an input."""
    track(repository, "same.csv", b"same")
    track(repository, "model.pt", b"old")
    git("add", "-A")
    git("commit", "-qm", "Artifacts")
    track(repository, "model.pt", b"new")
    track(repository, "new.pt", b"newer")
    save_workspace(repository, RunContext(dict(os.environ), ("x",), repo_dir), name="saved")
    (lineage,) = lineages_of(repository).known.values()
    assert [(one.path, one.how) for one in lineage.outputs] == [("model.pt", "made"), ("new.pt", "made")]
    assert [(one.path, one.how) for one in lineage.inputs] == [("same.csv", "tracked")]


SCRIPT = """
import subprocess, sys, gittrack
open("logged.pt", "wb").write(b"logged")
open("both.pt", "wb").write(b"both")
open("added.pt", "wb").write(b"added")
with gittrack.Run() as run:
    run.log_artifact("logged.pt", type="model")
    run.log_artifact("both.pt")
open("both.pt", "wb").write(b"both, later")
subprocess.run([sys.executable, "-m", "gittrack", "add", "added.pt", "both.pt"], check=True)
"""


@pytest.mark.parametrize("in_place", [False, True])
def test_a_command_tells_what_came_out(repository: Repository, repo_dir: Path, git: Git, in_place: bool) -> None:
    """What its script logs and what it tracks itself; the last version is in the tree."""
    track(repository, "data.csv", b"data")
    (repo_dir / "make.py").write_text(SCRIPT)
    git("add", "-A")
    git("commit", "-qm", "Script")
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with open(os.devnull, "wb") as sink:  # noqa: PTH123
        output = Output(sink, sink)
        context = RunContext(environ, ("x",), repo_dir)
        repository = open_repository(repo_dir, PYTHONPATH=str(ROOT))
        plan = Plan(name="made", in_place=in_place)
        assert run_command(repository, context, [sys.executable, "make.py"], plan, output).exit_code == 0
    (lineage,) = lineages_of(repository).known.values()
    assert {(one.path, one.digest, one.how) for one in lineage.outputs} == {
        ("logged.pt", hash_bytes(b"logged"), "logged"),
        ("both.pt", hash_bytes(b"both"), "logged"),
        ("both.pt", hash_bytes(b"both, later"), "made"),
        ("added.pt", hash_bytes(b"added"), "made"),
    }
    assert [(one.path, one.how) for one in lineage.inputs] == [("data.csv", "tracked")]
    ref = refs_of(repo_dir)["made"]
    for name, content in (("logged.pt", b"logged"), ("both.pt", b"both, later"), ("added.pt", b"added")):
        assert f"b3:{hash_bytes(content)}" in run_git("show", f"{ref}:{name}.gittrack", cwd=repo_dir)
    assert "logged.pt" not in git("ls-tree", "-r", "--name-only", ref).split("\n")
    if not in_place:
        assert git("status", "--porcelain") == ""


def test_hostile_entries_concern_one_experiment_only(repository: Repository, git: Git) -> None:
    """It is named, refused on arrival, and hides no other."""
    good = write(repository, git, "good", artifacts=(ENTRY,))
    forged = b'[{"path": "../../x", "kind": "file", "digest": "b3:%s", "size": 1}]' % DIGEST.encode()
    bad = [
        write(repository, git, f"bad{number}", files={name: data})
        for number, (name, data) in enumerate(
            [("artifacts.json", forged), ("inputs.json", b"{"), ("outputs.json", b"[" * 10_000)]
        )
    ]
    known = {experiment.name: one for experiment, one in lineages_of(repository).known.items()}
    assert [one.path for one in known["good"].outputs] == ["m.pt"]
    assert all(known[f"bad{number}"].problem for number in range(3))
    checked = check_commits(repository, [good, *bad])
    assert [checked[commit].problem is None for commit in (good, *bad)] == [True, False, False, False]
    assert [entry.path for entry in read_logged(repository, [good, *bad])] == ["m.pt"]


def test_a_tree_that_repeats_itself_is_read_once(repository: Repository, git: Git) -> None:
    """Ten folders in ten folders in ten…, a few trees that stand for billions of paths."""
    pointer = b"gittrack: 1\npath: a\nkind: file\ndigest: b3:%s\nsize: 1\nfiles: 1\n" % DIGEST.encode()
    tree = write_tree(repository, [TreeEntry(b"a.gittrack", 0o100644, write_blob(repository, pointer))])
    for _ in range(10):
        tree = write_tree(repository, [TreeEntry(b"d%d" % n, 0o040000, tree) for n in range(10)])
    commit = git("commit-tree", "-m", "x", tree)
    (lineage,) = read_lineages(repository, [commit])
    assert lineage is not None
    assert 0 < len(lineage.inputs) <= 100_000


def test_names_that_only_look_like_pointers_are_passed_over(repository: Repository, repo_dir: Path, git: Git) -> None:
    """A link, a file of other content, a folder; and `.gittrack` itself."""
    (repo_dir / "text.gittrack").write_text("not a pointer")
    (repo_dir / "link.gittrack").symlink_to("train.py")
    (repo_dir / "sub").mkdir()
    (repo_dir / "sub" / ".gittrack").write_text("x")
    (repo_dir / "folder.gittrack").mkdir()
    (repo_dir / "folder.gittrack" / "x").write_text("x")
    git("add", "-A")
    git("commit", "-qm", "Odd")
    (lineage,) = read_lineages(repository, [git("rev-parse", "HEAD")])
    assert lineage is not None
    assert lineage.inputs == ()


def test_continuations_of_one_experiment_are_united(repository: Repository, repo_dir: Path, git: Git) -> None:
    """A change of the description on one side, artifacts on the other: nothing is lost."""
    base = write(repository, git, "x", artifacts=(ENTRY,))
    meta = read_recorded(repo_dir, "x").meta
    ours = store.write_meta(repository, base, meta._replace(description="ours"), "x")
    more = ENTRY._replace(path="n.pt")
    record = read_recorded(repo_dir, "x")._replace(artifacts=(ENTRY, more), inputs=(ENTRY,))
    theirs = store.write_record(
        repository, record, code_tree=git("rev-parse", f"{base}^{{tree}}"), parents=[base], message="x"
    )
    merged = store.read_record(repository, merge_commits(repository, base, ours, theirs))
    assert (merged.artifacts, merged.inputs, merged.meta.description) == ((ENTRY, more), (ENTRY,), "ours")


def test_blobs_are_put_into_a_tree(repository: Repository, repo_dir: Path, git: Git) -> None:
    """New folders, replaced files, and what is in the way is left alone."""
    (repo_dir / "a" / "b").mkdir(parents=True)
    (repo_dir / "a" / "b" / "f").write_text("old")
    (repo_dir / "link").symlink_to("a")
    git("add", "-A")
    git("commit", "-qm", "Files")
    tree = git("rev-parse", "HEAD^{tree}")
    batch = ObjectBatch(repository)
    files = {
        "a/b/f": b"new",
        "a/c/d/g": b"1",
        "top": b"2",
        "train.py/x": b"no",
        "link/x": b"no",
        "link": b"no",
        "a/b": b"no",
        "params.yaml": None,
        "absent": None,
        "absent/x": None,
    }
    entries = tree_with_blobs(repository, batch, tree, files)
    batch.write()
    listed = git("ls-tree", "-r", "--name-only", write_tree(repository, entries)).split("\n")
    assert listed == ["a/b/f", "a/c/d/g", "link", "top", "train.py"]
    assert git("cat-file", "-p", f"{write_tree(repository, entries)}:a/b/f") == "new"
    assert git("ls-tree", write_tree(repository, entries), "link").startswith("120000")


def test_an_incomplete_commit_is_not_kept_in_the_index(repository: Repository) -> None:
    """It may be complete tomorrow."""
    (lineage,) = read_lineages(repository, ["1" * 40])
    assert lineage is None
