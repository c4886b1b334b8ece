"""Rewriting an experiment keeps what this version does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.experiments import store
from gittrack.experiments.format import Meta, Record
from gittrack.experiments.names import ExperimentRef
from gittrack.git import objects
from gittrack.git.state import Identity, read_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.git.repository import Repository

RECORD = Record(Meta(name="old", id="1" * 16, status="completed"), {"lr": 0.1}, series=b"metric\tstep\ttime\tvalue\n")
ADA = Identity("Ada", "ada@example.org")


def from_the_future(repository: Repository) -> store.Tip:
    """Make an experiment whose folder also has a plot and a file of a later version."""
    head = read_head(repository).sha or ""
    tree = objects.read_commit(repository, head).tree
    commit = store.write_record(repository, RECORD, code_tree=tree, parents=[head], message="m", author=ADA)
    folder = next(
        e for e in objects.read_tree(repository, objects.read_commit(repository, commit).tree) if e.name == b".gittrack"
    )
    plot = objects.write_tree(
        repository, [objects.TreeEntry(b"roc.json", 0o100644, objects.write_blob(repository, b"{}"))]
    )
    entries = [*objects.read_tree(repository, folder.oid), objects.TreeEntry(b"plots", 0o040000, plot)]
    code = objects.read_tree(repository, tree)
    root = objects.write_tree(repository, [*code, folder._replace(oid=objects.write_tree(repository, entries))])
    later = objects.write_commit(repository, tree=root, parents=[commit], message="m", author=ADA)
    experiment = ExperimentRef(head, "old")
    store.create_experiment(repository, experiment, later)
    return store.Tip(experiment, later)


def test_a_changed_description_keeps_all_other_files(repository: Repository, git: Callable[..., str]) -> None:
    """A rewrite of the description touches no other file, known or not."""
    tip = from_the_future(repository)
    meta = RECORD.meta._replace(landed=("a" * 40,))
    commit = store.rewrite_meta(repository, tip, meta, "landed")
    assert git("diff", "--name-only", tip.commit, commit) == ".gittrack/meta.json"
    assert store.read_record(repository, commit).meta.landed == ("a" * 40,)


def test_a_further_record_keeps_files_it_does_not_know(repository: Repository, git: Callable[..., str]) -> None:
    """A resumed experiment's next commit still has the plots of the last one."""
    tip = from_the_future(repository)
    tree = objects.read_commit(repository, tip.experiment.baseline).tree
    commit = store.write_record(repository, RECORD, code_tree=tree, parents=[tip.commit], message="m", author=ADA)
    assert git("show", f"{commit}:.gittrack/plots/roc.json") == "{}"
    git("fsck", "--strict")
