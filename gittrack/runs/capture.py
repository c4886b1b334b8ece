"""Record without a script's help: the workspace as it is, or a commit that was just made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments import store
from gittrack.experiments.declared import read_declared
from gittrack.experiments.format import Record
from gittrack.experiments.landed import find_landed
from gittrack.experiments.names import NAMESPACE, ExperimentRef, check_name
from gittrack.git.objects import read_commit, read_path
from gittrack.git.process import GitError
from gittrack.git.prune_watch import ObjectsPrunedError, PruneWatch, tries_but_the_last
from gittrack.git.refs import RefChangedError
from gittrack.git.state import read_head
from gittrack.git.work_tree import MAX_FILE_BYTES
from gittrack.runs import claims
from gittrack.runs.describe import describe_code, describe_surroundings, snapshot_code
from gittrack.runs.describe_process import describe_place, describe_process
from gittrack.runs.finish import author_of, commit_message, merge_params, single_value
from gittrack.runs.folder import new_run_id
from gittrack.values import dump_json
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gittrack.experiments.artifact_files import ArtifactEntry
    from gittrack.experiments.declared import DeclaredValues
    from gittrack.experiments.format import Meta
    from gittrack.experiments.store import Tip
    from gittrack.git.objects import CommitInfo
    from gittrack.git.repository import Repository
    from gittrack.git.state import Head
    from gittrack.runs.context import RunContext
    from gittrack.values import PlainValue


class Captured(NamedTuple):
    """An experiment that was recorded, or marked as landed.

    Attributes:
        experiment: Its identity.
        commit: Its commit.
        record: What it says.
        is_new: Whether it was recorded just now.
    """

    experiment: ExperimentRef
    commit: str
    record: Record
    is_new: bool = True


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
        InvalidNameError: The name cannot be that of an experiment.
        NameTakenError: There is an experiment of that name under the baseline.
        GittrackError: The workspace cannot be recorded.
    """
    if name is not None:
        check_name(name)
    head = read_head(repository)
    meta = describe_process(context, name="", run_id=new_run_id(), source="save")
    meta = describe_place(meta, repository, head, context.directory)._replace(description=message or None)
    surroundings = describe_surroundings(repository, head, context.environ)
    meta = surroundings.added_to(meta)._replace(status="completed", ended=meta.started)
    for _ in tries_but_the_last():
        with PruneWatch(repository) as watch:
            try:
                return _save(repository, head, meta, surroundings.requirements, name, watch)
            except claims.NameTakenError:
                raise
            except GittrackError:
                if not watch.has_pruned():
                    raise
    with PruneWatch(repository) as watch:
        return _save(repository, head, meta, surroundings.requirements, name, watch)


def _save(
    repository: Repository, head: Head, meta: Meta, requirements: bytes, name: str | None, watch: PruneWatch
) -> Captured:
    code = describe_code(meta, repository, snapshot_code(repository, head))
    captured = _create(repository, _record(code.meta, code.declared, requirements), code.snapshot.tree, name)
    if watch.has_lost(captured.commit, meta.baseline):
        store.withdraw(repository, captured.experiment, captured.commit, None)
        raise ObjectsPrunedError("git removed objects of the experiment while they were recorded")
    return captured


def capture_commit(repository: Repository, context: RunContext, n_ancestors: int = 1) -> list[Captured]:
    """Record HEAD's commit as an experiment of its parent, and mark what landed in it.

    A commit is recorded when its declared params or metrics differ from those of its parent, unless it takes in an
    experiment that has these values already. A merge and a first commit are experiments of no parent.

    Args:
        repository: The repository, just after a commit.
        context: The process.
        n_ancestors: How many commits before HEAD are looked at for experiments that landed only now.

    Returns:
        The experiments that were recorded or marked.
    """
    head = read_head(repository)
    parent, *older = _ancestors(repository, head, n_ancestors) or (None,)
    if head.sha is None or parent is None:
        return []
    commit = read_commit(repository, head.sha)
    declared = _declared_in(repository, commit.tree)
    is_changed = _is_changed(repository, parent, declared)
    landed = _landed_in(repository, head.sha, [parent, *older])
    if is_changed:
        landed.update(_replaced_by_amend(repository, parent, declared, known=landed))
    marked = _mark_landed(repository, head.sha, landed)
    if not is_changed or any(_holds(record, declared) for record in landed.values()):
        return marked
    meta = describe_process(context, name="", run_id=new_run_id(), source="commit")
    meta = meta._replace(baseline=parent, branch=head.branch, operation=head.operation, command=())
    meta = _describe_commit(meta, commit, head.sha, declared)
    return [*marked, _create(repository, _record(meta, declared, None), commit.tree)]


def _ancestors(repository: Repository, head: Head, n_ancestors: int) -> list[str]:
    """Return the commits before HEAD, its parent first; none when HEAD is a merge, a first commit or unborn."""
    if head.sha is None:
        return []
    listing = repository.git.text(
        "rev-list", "--first-parent", "--parents", f"--max-count={n_ancestors + 1}", head.sha, "--"
    )
    first, *others = (line.split() for line in listing.splitlines())
    return [words[0] for words in others] if len(first) == 2 else []  # noqa: PLR2004  itself and one parent


def _describe_commit(meta: Meta, commit: CommitInfo, sha: str, declared: DeclaredValues) -> Meta:
    return meta._replace(
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


def _record(meta: Meta, declared: DeclaredValues, requirements: bytes | None) -> Record:
    metrics = {name: single_value(value) for name, value in declared.metrics.items()}
    return Record(meta, merge_params({}, declared.params), metrics, requirements=requirements)


def _create(repository: Repository, record: Record, tree: str, name: str | None = None) -> Captured:
    """Write an experiment under a name of its own; a made-up one when none is given."""
    baseline = record.meta.baseline or repository.zero_id
    name = _claim(repository, baseline, record.meta.id, name)
    record = record._replace(meta=record.meta._replace(name=name))
    experiment = ExperimentRef(baseline, name)
    try:
        record = record._replace(outputs=_changed_artifacts(repository, record.meta.baseline, tree))
        commit = store.write_record(
            repository,
            record,
            code_tree=tree,
            parents=[record.meta.baseline] if record.meta.baseline else [],
            message=commit_message(record.meta),
            author=author_of(repository, record.meta),
        )
        store.create_experiment(repository, experiment, commit)
    finally:
        claims.release_name(repository, baseline, name)
    return Captured(experiment, commit, record)


def _changed_artifacts(repository: Repository, baseline: str | None, tree: str) -> tuple[ArtifactEntry, ...]:
    """Return the artifacts that are not as in the baseline; none where that is not here."""
    if baseline is None:
        return ()
    from gittrack.runs.pointer_changes import changed_pointers

    try:
        return changed_pointers(repository, baseline, tree)
    except GitError:
        return ()


def _claim(repository: Repository, baseline: str, run_id: str, name: str | None) -> str:
    if name is None:
        return claims.claim_generated_name(repository, baseline, run_id)
    if not claims.claim_name(repository, baseline, name, run_id):
        raise claims.NameTakenError(
            f"there is an experiment '{name}' under {baseline[:8]} already",
            hint=f"choose another name, or remove it: gittrack exp remove {name}",
        )
    return name


def _declared_in(repository: Repository, tree: str) -> DeclaredValues:
    return read_declared(lambda path: read_path(repository, tree, path, max_bytes=MAX_FILE_BYTES))


def _is_changed(repository: Repository, parent: str, declared: DeclaredValues) -> bool:
    """Return whether a commit's declared values differ from those of its parent."""
    if not declared.params and not declared.metrics:
        return False
    before = _declared_in(repository, read_commit(repository, parent).tree)
    return _text(before.params, before.metrics) != _text(declared.params, declared.metrics)


def _holds(record: Record, declared: DeclaredValues) -> bool:
    """Return whether an experiment has a commit's declared values, and perhaps more."""
    params = {key: record.params[key] for key in declared.params if key in record.params}
    metrics = {key: record.metrics[key].last for key in declared.metrics if key in record.metrics}
    return _text(params, metrics) == _text(declared.params, declared.metrics)


def _text(params: Mapping[str, PlainValue], metrics: Mapping[str, int | float]) -> str:
    """Return values in the one form in which NaN equals NaN, and ``true`` is not 1."""
    return dump_json({"params": dict(params), "metrics": {name: float(value) for name, value in metrics.items()}})


def _landed_in(repository: Repository, sha: str, ancestors: Sequence[str]) -> dict[Tip, Record]:
    """Return the experiments of some ancestors whose code a commit contains.

    What landed in an older commit is in every later one too: only what is new is of interest there.
    """
    tips = [tip for ancestor in ancestors for tip in store.list_tips(repository, f"{NAMESPACE}/{ancestor}")]
    metas = store.read_metas(repository, tips)
    open_tips = [tip for tip, meta in metas.items() if tip.experiment.baseline == ancestors[0] or not meta.landed]
    return {tip: store.read_record(repository, tip.commit) for tip in find_landed(repository, sha, open_tips)}


def _replaced_by_amend(
    repository: Repository, parent: str, declared: DeclaredValues, *, known: Mapping[Tip, Record]
) -> dict[Tip, Record]:
    """Return the experiment of the commit that an amend put aside, when the amended one has the same values."""
    reflog = repository.git.run("log", "--walk-reflogs", "--max-count=1", "--format=%gs", "HEAD", "--", check=False)
    if not reflog.stdout.startswith(b"commit (amend)"):
        return {}
    old = (
        repository.git.run("rev-parse", "--verify", "--quiet", "HEAD@{1}^{commit}", check=False).stdout.decode().strip()
    )
    metas = store.read_metas(repository, store.list_tips(repository, f"{NAMESPACE}/{parent}"))
    tips = [tip for tip, meta in metas.items() if meta.source == "commit" and old in meta.landed and tip not in known]
    records = {tip: store.read_record(repository, tip.commit) for tip in tips}
    return {tip: record for tip, record in records.items() if _holds(record, declared)}


def _mark_landed(repository: Repository, sha: str, landed: Mapping[Tip, Record]) -> list[Captured]:
    """Note a commit in the experiments that landed in it; those that say so already stay as they are."""
    marked = []
    for tip, before in landed.items():
        if sha in before.meta.landed:
            continue
        record = before._replace(meta=before.meta._replace(landed=(*before.meta.landed, sha)))
        message = f"gittrack: {record.meta.name} landed in {sha[:12]}"
        try:
            commit = store.rewrite_meta(repository, tip, record.meta, message)
        except RefChangedError:
            warn("experiment '%s' changed meanwhile; that it landed is not noted", record.meta.name)
            continue
        marked.append(Captured(tip.experiment, commit, record, is_new=False))
    return marked
