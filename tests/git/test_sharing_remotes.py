"""Sharing beyond the ordinary: hosts that take branches only, refusals, cut clones, removal, other formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gittrack.errors import DivergedError, UsageError
from gittrack.experiments.names import NAMESPACE, ExperimentRef
from gittrack.experiments.publishing import RemoteRefusedError, Selection, list_unshared, push, remove_remote
from gittrack.experiments.sharing import adopt, fetch, pull
from gittrack.experiments.store import ExperimentMissingError, list_tips, trash_experiments
from gittrack.git.refs import list_refs
from gittrack.git.state import read_head
from tests.support.experiments import add_experiment
from tests.support.git_repository import fsck, make_repository, open_repository, run_git
from tests.support.hooks import write_script
from tests.support.remotes import make_bare, make_clone, make_pair

if TYPE_CHECKING:
    from pathlib import Path

    from gittrack.git.repository import Repository

TRACKING = "refs/gittrack/remotes/origin/exps"


def names(repository: Repository, namespace: str = NAMESPACE) -> set[str]:
    """Return the last parts of the refs of a namespace."""
    return {ref.rpartition("/")[2] for ref in list_refs(repository, namespace)}


def test_branches_only_host(tmp_path: Path) -> None:
    """A host that refuses other refs is named with the way out, and with that way both sides share."""
    pair = make_pair(tmp_path)
    write_script(
        pair.remote / "hooks" / "update",
        "#!/bin/sh\ncase $1 in refs/heads/*) exit 0;; esac\necho 'only branches here' >&2\nexit 1\n",
    )
    commit = add_experiment(pair.ada, "calm-owl")
    with pytest.raises(RemoteRefusedError, match="only branches here") as raised:
        push(pair.ada, "origin")
    assert "gittrack.pushNamespace refs/heads/gittrack" in (raised.value.hint or "")
    for repository in (pair.ada, pair.bob):
        run_git("config", "gittrack.pushNamespace", "refs/heads/gittrack", cwd=repository.common_dir)
    assert [ref.name for ref in push(pair.ada, "origin").created] == ["calm-owl"]
    assert list_unshared(pair.ada, "origin") == []
    assert [ref.name for ref in pull(pair.bob, "origin")[1].created] == ["calm-owl"]
    assert set(list_refs(pair.bob, NAMESPACE).values()) == {commit}
    assert fetch(pair.bob, "origin", names=["calm-owl"]) == ([], [], [])
    assert len(remove_remote(pair.bob, "origin", [tip.experiment for tip in list_tips(pair.bob)])) == 1


def test_hidden_namespace(tmp_path: Path) -> None:
    """A host that hides the namespace is named with its reason."""
    pair = make_pair(tmp_path)
    run_git("config", "transfer.hideRefs", "refs/gittrack", cwd=pair.remote)
    add_experiment(pair.ada, "calm-owl")
    with pytest.raises(RemoteRefusedError, match="hidden"):
        push(pair.ada, "origin")


def test_bad_push_namespace(tmp_path: Path) -> None:
    """A setting that names no namespace is an error that says how it should look."""
    pair = make_pair(tmp_path)
    run_git("config", "gittrack.pushNamespace", "--upload-pack=x", cwd=pair.ada.common_dir)
    with pytest.raises(UsageError, match="pushNamespace"):
        push(pair.ada, "origin")


def test_push_of_many_is_one_call(tmp_path: Path) -> None:
    """Hundreds of experiments arrive by one pattern, all or those of one baseline, and tracking knows them."""
    pair = make_pair(tmp_path)
    head = read_head(pair.ada).sha or ""
    commit = add_experiment(pair.ada, "exp-0")
    other = "c" * 40
    lines = [f"create {NAMESPACE}/{base}/exp-{number} {commit}\n" for base in (head, other) for number in range(1, 150)]
    run_git("update-ref", "--stdin", cwd=tmp_path / "ada", input="".join(lines))
    assert len(push(pair.ada, "origin", Selection(baselines=frozenset({head}))).created) == 150
    assert len(list_refs(pair.ada, TRACKING)) == 150
    sent = push(pair.ada, "origin")
    assert (len(sent.created), sent.n_same) == (149, 150)
    assert list_unshared(pair.ada, "origin") == []


def test_push_of_named_ones(tmp_path: Path) -> None:
    """Only the experiments that are named are sent, and a dry run sends none."""
    pair = make_pair(tmp_path)
    for name in ("one", "two", "three"):
        add_experiment(pair.ada, name)
    chosen = frozenset({ExperimentRef(read_head(pair.ada).sha or "", "two")})
    assert len(push(pair.ada, "origin", Selection(chosen), dry_run=True).created) == 1
    assert names(pair.ada, TRACKING) == set()
    push(pair.ada, "origin", Selection(chosen))
    assert names(pair.ada, TRACKING) == {"two"}
    assert run_git("for-each-ref", NAMESPACE, cwd=pair.remote).count("\n") == 0


def test_pull_of_named_ones(tmp_path: Path) -> None:
    """Only the experiments that are named are fetched and taken up; an unknown name is an error."""
    pair = make_pair(tmp_path)
    for name in ("one", "two"):
        add_experiment(pair.ada, name)
    push(pair.ada, "origin")
    head = read_head(pair.ada).sha or ""
    pull(pair.bob, "origin", names=[f"one@{head[:7]}"])
    assert names(pair.bob) == names(pair.bob, TRACKING) == {"one"}
    with pytest.raises(ExperimentMissingError, match="'three'"):
        pull(pair.bob, "origin", names=["three"])


def test_prune_forgets_tracking_only(tmp_path: Path) -> None:
    """What was removed on the remote leaves tracking on request, and never the local experiments."""
    pair = make_pair(tmp_path)
    add_experiment(pair.ada, "one")
    push(pair.ada, "origin")
    pull(pair.bob, "origin")
    gone = remove_remote(pair.ada, "origin", [ExperimentRef(read_head(pair.ada).sha or "", "one")])
    assert [ref.name for ref in gone] == ["one"]
    assert names(pair.ada, TRACKING) == set()
    run_git("config", "fetch.prune", "true", cwd=tmp_path / "bob")
    fetch(pair.bob, "origin")
    assert names(pair.bob, TRACKING) == {"one"}
    assert len(fetch(pair.bob, "origin", prune=True).gone) == 1
    assert (names(pair.bob, TRACKING), names(pair.bob)) == (set(), {"one"})


def test_remove_of_what_somebody_continued(tmp_path: Path) -> None:
    """An experiment that was continued on the remote since the last fetch is not removed there."""
    pair = make_pair(tmp_path)
    commit = add_experiment(pair.ada, "one")
    push(pair.ada, "origin")
    experiment = ExperimentRef(read_head(pair.ada).sha or "", "one")
    env = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    newer = run_git("commit-tree", f"{commit}^{{tree}}", "-p", commit, "-m", "x", cwd=pair.remote, env=env)
    run_git("update-ref", experiment.ref, newer, cwd=pair.remote)
    with pytest.raises(DivergedError, match="continued there"):
        remove_remote(pair.ada, "origin", [experiment])
    assert run_git("rev-parse", experiment.ref, cwd=pair.remote) == newer


def test_removed_here_stays_removed(tmp_path: Path) -> None:
    """A pull does not bring back what was removed here, unless it is asked for by name."""
    pair = make_pair(tmp_path)
    add_experiment(pair.ada, "one")
    push(pair.ada, "origin")
    trash_experiments(pair.ada, list_tips(pair.ada))
    pull(pair.ada, "origin")
    assert names(pair.ada) == set()
    pull(pair.ada, "origin", names=["one"])
    assert names(pair.ada) == {"one"}


@pytest.mark.parametrize("options", [["--depth=1"], ["--filter=blob:none"], ["--single-branch"], ["--bare"]])
def test_partial_views(tmp_path: Path, options: list[str]) -> None:
    """Shallow, partial, single-branch and bare clones pull and push."""
    pair = make_pair(tmp_path)
    for number in range(3):
        run_git("commit", "-q", "--allow-empty", "-m", str(number), cwd=tmp_path / "ada")
    run_git("push", "-q", "origin", "main", cwd=tmp_path / "ada")
    add_experiment(pair.ada, "from-ada")
    push(pair.ada, "origin")
    cut = make_clone(tmp_path / "cut", f"file://{pair.remote}", *options)
    assert len(pull(cut, "origin")[1].created) == 1
    if "--bare" not in options:
        add_experiment(cut, "from-the-cut-one")
        push(cut, "origin")
        pull(pair.bob, "origin")
        assert names(pair.bob) == {"from-ada", "from-the-cut-one"}
    assert fsck(pair.remote) == ""


def test_partial_clone_after_a_plain_fetch(tmp_path: Path) -> None:
    """What plain `git fetch` brought without contents is completed by a pull, and left alone without network."""
    pair = make_pair(tmp_path)
    add_experiment(pair.ada, "from-ada")
    push(pair.ada, "origin")
    cut = make_clone(tmp_path / "cut", f"file://{pair.remote}", "--filter=blob:none")
    run_git("fetch", "-q", "origin", f"+{NAMESPACE}/*:{TRACKING}/*", cwd=tmp_path / "cut")
    assert "not here" in adopt(cut, "origin").refused[0].reason
    assert len(pull(cut, "origin")[1].created) == 1


def test_before_the_first_commit(tmp_path: Path) -> None:
    """An experiment that started before the first commit is shared with an empty remote."""
    bare = make_bare(tmp_path / "team.git")
    folder = make_repository(tmp_path / "ada")
    run_git("remote", "add", "origin", str(bare), cwd=folder)
    repository = open_repository(folder)
    add_experiment(repository, "unborn", baseline=repository.zero_id)
    assert len(push(repository, "origin").created) == 1
    assert len(pull(make_clone(tmp_path / "bob", str(bare)), "origin")[1].created) == 1


def test_sha256_and_remote_with_a_slash(tmp_path: Path) -> None:
    """Repositories of the newer hash share too, by a remote of any name."""
    bare = tmp_path / "team.git"
    bare.mkdir()
    run_git("init", "-q", "--bare", "--object-format=sha256", cwd=bare)
    folder = make_repository(tmp_path / "ada", object_format="sha256")
    run_git("remote", "add", "team/main", str(bare), cwd=folder)
    repository = open_repository(folder)
    add_experiment(repository, "long-id")
    assert len(push(repository, "team/main").created) == 1
    trash = list_tips(repository)
    assert [tip.experiment.remote for tip in list_tips(repository, "refs/gittrack/remotes")] == ["team/main"]
    assert pull(repository, "team/main")[1] == ([], [], [], [], [])
    assert len(trash) == 1
