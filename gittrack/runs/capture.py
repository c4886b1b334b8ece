"""Record without a script's help: the workspace as it is, or a commit that was just made."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from gittrack.experiments import store
from gittrack.experiments.declared import read_declared
from gittrack.experiments.format import Record
from gittrack.experiments.landed import find_landed
from gittrack.experiments.names import NAMESPACE, ExperimentRef, check_name
from gittrack.git.objects import read_commit, read_path
from gittrack.git.refs import RefChangedError
from gittrack.git.state import read_head
from gittrack.git.work_tree import MAX_FILE_BYTES
from gittrack.runs import claims
from gittrack.runs.describe import describe_code, describe_place, describe_process, describe_surroundings, snapshot_code
from gittrack.runs.finish import author_of, commit_message, merge_params, single_value
from gittrack.runs.folder import new_run_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.experiments.declared import DeclaredValues
    from gittrack.experiments.format import Meta
    from gittrack.git.objects import CommitInfo
    from gittrack.git.repository import Repository
    from gittrack.runs.context import RunContext

_logger = logging.getLogger("gittrack")


class Captured(NamedTuple):
    """An experiment that was recorded.

    Attributes:
        experiment: Its identity.
        commit: Its commit.
        record: What it says.
    """

    experiment: ExperimentRef
    commit: str
    record: Record


def save_workspace(
    repository: Repository, context: RunContext, *, name: str | None = None, message: str | None = None
) -> Captured:
    """Record the workspace as it is now: code, declared params and declared metrics.

    Args:
        repository: A repository with a work tree.
        context: The process.
        name: The experiment's name; made up by default.
        message: What to say about it.

    Raises:
        NameTakenError: There is an experiment of that name under the baseline.
        GittrackError: The workspace cannot be recorded.
    """
    head = read_head(repository)
    meta = describe_process(context, name="", run_id=new_run_id(), source="save")
    meta = describe_place(meta, repository, head, context.directory)
    meta = replace(meta, name=_claim(repository, meta, name), description=message)
    code = describe_code(meta, repository, snapshot_code(repository, head))
    surroundings = describe_surroundings(repository, head, context.environ)
    meta = replace(surroundings.added_to(code.meta), status="completed", ended=meta.started)
    return _create(repository, _record(meta, code.declared, surroundings.requirements), code.snapshot.tree)


def capture_commit(repository: Repository, context: RunContext) -> list[Captured]:
    """Record HEAD's commit as an experiment of its parent, and mark what landed in it.

    A commit that lands an experiment with the same params and metrics is not recorded a second time; a merge and a
    first commit are experiments of no parent.

    Args:
        repository: The repository, just after a commit.
        context: The process.

    Returns:
        The experiments that were recorded or marked.
    """
    head = read_head(repository)
    if head.sha is None:
        return []
    commit = read_commit(repository, head.sha)
    if len(commit.parents) != 1:
        return []
    baseline = commit.parents[0]
    landed = _mark_landed(repository, baseline, head.sha)
    declared = _declared_in(repository, commit.tree)
    if not _changed_values(repository, baseline, declared):
        return landed
    params, metrics = dict(declared.params), dict(declared.metrics)
    for captured in landed:
        known = {key: summary.last for key, summary in captured.record.metrics.items()}
        if params.items() <= captured.record.params.items() and metrics.items() <= known.items():
            return landed
    meta = describe_process(context, name="", run_id=new_run_id(), source="commit")
    meta = replace(meta, baseline=baseline, branch=head.branch, operation=head.operation, command=())
    meta = _describe_commit(meta, commit, head.sha, declared)
    meta = replace(meta, name=_claim(repository, meta, None))
    return [*landed, _create(repository, _record(meta, declared, None), commit.tree)]


def _describe_commit(meta: Meta, commit: CommitInfo, sha: str, declared: DeclaredValues) -> Meta:
    return replace(
        meta,
        status="completed",
        started=commit.time,
        ended=commit.time,
        code_tree=commit.tree,
        author=commit.author,
        description=commit.subject,
        landed=(sha,),
        files=tuple(declared.files),
        problems=tuple(declared.problems),
    )


def _claim(repository: Repository, meta: Meta, name: str | None) -> str:
    baseline = meta.baseline or repository.zero_id
    if name is None:
        return claims.claim_generated_name(repository, baseline, meta.id)
    if not claims.claim_name(repository, baseline, check_name(name), meta.id):
        raise claims.NameTakenError(
            f"there is an experiment '{name}' under {baseline[:8]} already",
            hint=f"choose another name, or remove it: gittrack exp remove {name}",
        )
    return name


def _record(meta: Meta, declared: DeclaredValues, requirements: bytes | None) -> Record:
    metrics = {name: single_value(value) for name, value in declared.metrics.items()}
    return Record(meta, merge_params({}, declared.params), metrics, requirements=requirements)


def _create(repository: Repository, record: Record, tree: str) -> Captured:
    meta = record.meta
    experiment = ExperimentRef(meta.baseline or repository.zero_id, meta.name)
    try:
        commit = store.write_record(
            repository,
            record,
            code_tree=tree,
            parents=[meta.baseline] if meta.baseline else [],
            message=commit_message(meta),
            author=author_of(repository, meta),
        )
        store.create_experiment(repository, experiment, commit)
    finally:
        claims.release_name(repository, experiment.baseline, experiment.name)
    return Captured(experiment, commit, record)


def _declared_in(repository: Repository, tree: str) -> DeclaredValues:
    return read_declared(lambda path: read_path(repository, tree, path, max_bytes=MAX_FILE_BYTES))


def _changed_values(repository: Repository, baseline: str, declared: DeclaredValues) -> bool:
    """Return whether a commit's declared values differ from those of its parent."""
    if not declared.params and not declared.metrics:
        return False
    before = _declared_in(repository, read_commit(repository, baseline).tree)
    return _values(before) != _values(declared)


def _values(declared: DeclaredValues) -> tuple[Mapping[str, object], Mapping[str, object]]:
    return dict(declared.params), dict(declared.metrics)


def _mark_landed(repository: Repository, baseline: str, sha: str) -> list[Captured]:
    """Mark the experiments of a baseline whose code a commit contains."""
    metas = store.read_metas(repository, store.list_tips(repository, f"{NAMESPACE}/{baseline}"))
    ended = [tip for tip, meta in metas.items() if meta.status != "running"]
    marked = []
    for tip in find_landed(repository, baseline, sha, ended):
        record = store.read_record(repository, tip.commit)
        if sha not in record.meta.landed:
            record = replace(record, meta=replace(record.meta, landed=(*record.meta.landed, sha)))
            try:
                message = f"gittrack: {record.meta.name} landed in {sha[:12]}"
                commit = store.rewrite_meta(repository, tip, record.meta, message)
            except RefChangedError:  # somebody edits it at this moment; the next commit marks it
                continue
            marked.append(Captured(tip.experiment, commit, record))
    return marked
