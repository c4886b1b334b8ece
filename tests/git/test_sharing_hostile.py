"""What somebody else may put on a remote: it stays there, is named, and the others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gittrack.experiments.names import NAMESPACE, ExperimentRef
from gittrack.experiments.sharing import pull
from gittrack.git.refs import list_refs
from gittrack.git.state import read_head
from tests.support.experiments import add_experiment
from tests.support.git_repository import ABSENT_ID, run_git
from tests.support.remotes import make_pair

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.remotes import Pair

META = '{"format": 1, "id": "0123456789abcdef", "name": "bad", "status": "completed"}'


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Two clones; a good experiment is on the remote."""
    made = make_pair(tmp_path)
    add_experiment(made.ada, "good-one")
    run_git("push", "-q", "origin", f"{NAMESPACE}/*:{NAMESPACE}/*", cwd=tmp_path / "ada")
    return made


def plant(pair: Pair, entries: str, name: str = "bad") -> None:
    """Put an experiment on the remote whose `.gittrack` folder has the entries of a `git mktree` text."""
    folder = run_git("mktree", "--missing", cwd=pair.remote, input=entries)
    tree = run_git("mktree", cwd=pair.remote, input=f"040000 tree {folder}\t.gittrack\n")
    baseline = read_head(pair.ada).sha or ""
    env = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    commit = run_git("commit-tree", tree, "-p", baseline, "-m", "x", cwd=pair.remote, env=env)
    run_git("update-ref", ExperimentRef(baseline, name).ref, commit, cwd=pair.remote)


def blob(pair: Pair, text: str) -> str:
    """Write a blob into the remote."""
    return run_git("hash-object", "-w", "--stdin", cwd=pair.remote, input=text)


def pull_and_find_refused(pair: Pair) -> dict[str, str]:
    """Pull in the second clone, where the good one must arrive alone, and return what was refused."""
    adopted = pull(pair.bob, "origin")[1]
    assert [experiment.name for experiment in adopted.created] == ["good-one"]
    assert [ref.rpartition("/")[2] for ref in list_refs(pair.bob, NAMESPACE)] == ["good-one"]
    return {entry.name: entry.reason for entry in adopted.refused}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("..\\evil", "not allowed"),
        ("git~1", "not allowed"),
        (".GIT", "not allowed"),
        ("a\x1b[31m", "not allowed"),
        ("c:evil", "not allowed"),
    ],
)
def test_names_of_files(pair: Pair, name: str, reason: str) -> None:
    """A file whose name some file system would take for another place is refused."""
    plant(pair, f"100644 blob {blob(pair, META)}\tmeta.json\n100644 blob {blob(pair, 'x')}\t{name}\n")
    assert reason in pull_and_find_refused(pair)["origin/bad"]


@pytest.mark.parametrize("mode", ["120000 blob", "160000 commit"])
def test_links_and_submodules(pair: Pair, mode: str) -> None:
    """Links and submodules in the experiment's folder are refused."""
    oid = blob(pair, "/etc/passwd") if mode.startswith("12") else ABSENT_ID
    plant(pair, f"100644 blob {blob(pair, META)}\tmeta.json\n{mode} {oid}\tplot\n")
    assert "link or a submodule" in pull_and_find_refused(pair)["origin/bad"]


def test_links_in_folders(pair: Pair) -> None:
    """A link inside a folder of plots is found too."""
    plots = run_git("mktree", cwd=pair.remote, input=f"120000 blob {blob(pair, '/etc')}\tx\n")
    plant(pair, f"100644 blob {blob(pair, META)}\tmeta.json\n040000 tree {plots}\tplots\n")
    assert "link or a submodule" in pull_and_find_refused(pair)["origin/bad"]


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        ("not json", "meta.json"),
        ("[" * 100_000, "meta.json"),
        ('{"format": 99, "status": "completed"}', "newer gittrack"),
        ('{"format": 1, "status": "running\\u001b[2J"}', "unknown status"),
        (f'{{"format": 1, "x": "{"a" * (17 << 20)}"}}', "larger than"),
    ],
)
def test_descriptions(pair: Pair, meta: str, reason: str) -> None:
    """A description that cannot be read, is huge or is from a newer version is refused by name."""
    plant(pair, f"100644 blob {blob(pair, meta)}\tmeta.json\n")
    assert reason in pull_and_find_refused(pair)["origin/bad"]


def test_ref_that_names_no_experiment(pair: Pair) -> None:
    """Refs to a tag, a blob or a plain commit, and refs of another form, are refused."""
    baseline = read_head(pair.ada).sha or ""
    env = {"GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x"}
    run_git("tag", "-a", "-m", "x", "v1", baseline, cwd=pair.remote, env=env)
    run_git("update-ref", f"{NAMESPACE}/{baseline}/tag", run_git("rev-parse", "v1", cwd=pair.remote), cwd=pair.remote)
    run_git("update-ref", f"{NAMESPACE}/{baseline}/blob", blob(pair, "x"), cwd=pair.remote)
    run_git("update-ref", f"{NAMESPACE}/{baseline}/commit", baseline, cwd=pair.remote)
    run_git("update-ref", f"{NAMESPACE}/{baseline}/-option", baseline, cwd=pair.remote)
    run_git("update-ref", f"{NAMESPACE}/short/name", baseline, cwd=pair.remote)
    refused = pull_and_find_refused(pair)
    assert {"origin/tag", "origin/blob", "origin/commit"} < refused.keys()
    assert sum("not that of an experiment" in reason for reason in refused.values()) == 2


def test_name_that_differs_in_case(pair: Pair) -> None:
    """A name that a file system may not tell from another one stays where it is."""
    plant(pair, f"100644 blob {blob(pair, META)}\tmeta.json\n", name="Good-One")
    adopted = pull(pair.bob, "origin")[1]
    assert len(adopted.created) == len(adopted.refused) == 1
    assert "only in case" in adopted.refused[0].reason
