"""Make experiments of foreign runs: all in one pack, one transaction of refs, however many there are."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments import format as fmt
from gittrack.experiments import store
from gittrack.experiments.names import MAX_NAME_LENGTH, NAMESPACE, ExperimentRef
from gittrack.git import objects
from gittrack.git.pack_batch import PackBatch
from gittrack.git.refs import RefExistsError, RefUpdate, list_names, transaction
from gittrack.git.remotes import default_remote, remote_url
from gittrack.git.state import read_head, read_identity
from gittrack.importers.foreign import experiment_id
from gittrack.importers.records import build_record, is_running
from gittrack.runs.finish import commit_message, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gittrack.artifacts.intake import Intake
    from gittrack.experiments.format import Meta, Record
    from gittrack.git.repository import Repository
    from gittrack.importers.foreign import ForeignRun

_FILE_MODE = 0o100644
_FOLDER_MODE = 0o040000
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

Outcome = Literal["imported", "known", "running", "damaged"]


class Taken(NamedTuple):
    """What became of one run.

    Attributes:
        run_id: Its id where it comes from.
        outcome: ``imported``; ``known`` when an experiment holds the run already; ``running``; or ``damaged``.
        meta: The description; of a known one, that of the experiment.
        n_params: How many params it has.
        n_metrics: How many metrics it has.
        reason: Why it was not imported.
    """

    run_id: str
    outcome: Outcome
    meta: Meta | None = None
    n_params: int = 0
    n_metrics: int = 0
    reason: str | None = None


def import_foreign(
    repository: Repository, runs: Iterable[ForeignRun], *, with_artifacts: bool = True, dry_run: bool = False
) -> list[Taken]:
    """Record foreign runs as experiments, all of them or, after an error of the disk or git, none.

    Args:
        repository: The repository.
        runs: The runs.
        with_artifacts: Whether their artifacts go into the cache.
        dry_run: Whether to only say what would be done.

    Returns:
        What became of each run. A run whose record would be damaged does not stop the others.

    Raises:
        RefExistsError: Experiments of the same names kept appearing meanwhile.
        OSError: The disk is full or broken.
        GittrackError: git failed, or the store is damaged.
    """
    metas = store.read_metas(repository, store.list_tips(repository))
    known = {meta.id: meta for meta in metas.values()}
    with contextlib.ExitStack() as stack:
        intake = stack.enter_context(_open_intake(repository)) if with_artifacts and not dry_run else None
        batch = stack.enter_context(PackBatch(repository))
        writer = _Writer(repository, batch)
        taken = [_take(writer, run, known, intake, dry_run=dry_run) for run in runs]
        if intake is not None:
            intake.publish()
        if not dry_run:
            writer.publish()
    return [one if one.meta is None else one._replace(meta=known[one.meta.id]) for one in taken]


def _take(writer: _Writer, run: ForeignRun, known: dict[str, Meta], intake: Intake | None, *, dry_run: bool) -> Taken:
    run_id = experiment_id(run.tool, run.id)
    if run_id in known:
        return Taken(run.id, "known", known[run_id], reason=f"imported before, as '{known[run_id].name}'")
    if is_running(run):
        return Taken(run.id, "running", reason="still running")
    try:
        baseline = writer.baseline_of(run)
        record = build_record(run, writer.place(baseline, run))
        if intake is not None and run.files:
            record = _with_files(record, run, intake)
        if run.plots and not dry_run:
            record = _with_plots(record, run, intake)
        meta = writer.add(record, baseline, run.tree)
    except (GittrackError, ValueError, OverflowError, RecursionError) as error:
        return Taken(run.id, "damaged", reason=str(error))
    known[run_id] = meta
    return Taken(run.id, "imported", meta, len(record.params), len(record.metrics))


def _with_files(record: Record, run: ForeignRun, intake: Intake) -> Record:
    from gittrack.importers.artifacts import take_files

    entries, problems = take_files(intake, run.files)
    meta = record.meta._replace(problems=(*record.meta.problems, *problems))
    return record._replace(meta=meta, artifacts=entries)


def _with_plots(record: Record, run: ForeignRun, intake: Intake | None) -> Record:
    from gittrack.importers.plots import take_plots

    entries, files, problems = take_plots(run.plots, intake)
    meta = record.meta._replace(problems=(*record.meta.problems, *problems))
    return record._replace(meta=meta, plots=entries, plot_files=files)


@contextlib.contextmanager
def _open_intake(repository: Repository) -> Iterator[Intake]:
    from gittrack.artifacts.intake import Intake
    from gittrack.workspace.workspace import Workspace

    with Workspace.open(repository) as workspace, Intake(workspace.cache) as intake:
        yield intake


class _Writer:
    """Experiments on their way into a repository.

    Args:
        repository: The repository.
        batch: Where their objects go.
    """

    def __init__(self, repository: Repository, batch: PackBatch) -> None:
        self._repository = repository
        self._batch = batch
        self._head = read_head(repository)
        self._author = read_identity(repository)
        remote = default_remote(repository, self._head)
        self._remote_url = None if remote is None else remote_url(repository, remote)
        self._commits: dict[str, bool] = {}
        self._code: dict[str, list[objects.TreeEntry]] = {}
        self._trees: dict[str | None, str] = {}
        self._names: dict[str, _Names] = {}
        self._refs: dict[str, str] = {}

    def baseline_of(self, run: ForeignRun) -> str | None:
        """Return the commit that a run names when it is here, else HEAD's; None before the first commit."""
        if run.commit and _COMMIT.fullmatch(run.commit):
            if run.commit not in self._commits:
                with contextlib.suppress(objects.ObjectMissingError):
                    objects.read_commit(self._repository, run.commit)
                    self._commits[run.commit] = True
            if self._commits.setdefault(run.commit, False):
                return run.commit
        return self._head.sha

    def place(self, baseline: str | None, run: ForeignRun) -> dict[str, str | None]:
        """Return what the description of an experiment says of this repository."""
        return {
            "baseline": baseline,
            "branch": self._head.branch if baseline == self._head.sha else None,
            "code_tree": run.tree or self._tree_of(baseline),
            "remote_url": self._remote_url,
            "author": str(self._author),
        }

    def add(self, record: Record, baseline: str | None, tree: str | None) -> Meta:
        """Add an experiment under the first free number of its name, and return its description.

        Raises:
            FormatError: A file of it would be larger than what is read.
        """
        start = baseline or self._repository.zero_id
        if start not in self._names:
            self._names[start] = _Names(self._repository, start)
        name = self._names[start].take(record.meta.name)
        record = record._replace(meta=record.meta._replace(name=name))
        files = fmt.render_files(record)
        for file, data in files.items():
            if file.endswith(".json") and len(data) > fmt.MAX_FILE_BYTES:
                raise fmt.FormatError(f"its {file} would have more than {fmt.MAX_FILE_BYTES >> 20} MiB")
        entries = [
            objects.TreeEntry(file.encode(), _FILE_MODE, self._batch.add_blob(data)) for file, data in files.items()
        ]
        if record.plot_files:
            plots = [
                objects.TreeEntry(file.encode(), _FILE_MODE, self._batch.add_blob(data))
                for file, data in record.plot_files.items()
            ]
            entries.append(objects.TreeEntry(fmt.PLOTS_FOLDER.encode(), _FOLDER_MODE, self._batch.add_tree(plots)))
        folder = objects.TreeEntry(fmt.FOLDER.encode(), _FOLDER_MODE, self._batch.add_tree(entries))
        root = self._batch.add_tree([*self._code_of(tree or self._tree_of(baseline)), folder])
        parents = [baseline] if baseline else []
        commit = self._batch.add_commit(root, parents, commit_message(record.meta), self._author)
        self._refs[ExperimentRef(start, name).ref] = commit
        return record.meta

    def publish(self) -> None:
        """Make the objects visible and create all refs.

        Raises:
            RefExistsError: An experiment of one of the names appeared meanwhile; nothing was imported.
        """
        with self._batch.published():
            updates = [RefUpdate(ref, commit, None) for ref, commit in self._refs.items()]
            try:
                transaction(self._repository, updates)
            except RefExistsError as error:
                raise RefExistsError(f"{error.message}: nothing was imported", hint="import again") from error

    def _tree_of(self, commit: str | None) -> str:
        if commit not in self._trees:
            self._trees[commit] = tree_of(self._repository, commit)
        return self._trees[commit]

    def _code_of(self, tree: str) -> list[objects.TreeEntry]:
        if tree not in self._code:
            entries = objects.read_tree(self._repository, tree)
            self._code[tree] = [entry for entry in entries if entry.name != fmt.FOLDER.encode()]
        return self._code[tree]


class _Names:
    """The names under a baseline that are taken: those of experiments, of runs in progress, and those given here."""

    def __init__(self, repository: Repository, baseline: str) -> None:
        self._taken = {name.casefold() for name in list_names(repository, f"{NAMESPACE}/{baseline}")}
        with contextlib.suppress(FileNotFoundError):
            claims = os.listdir(repository.state_dir / "names")  # noqa: PTH208  names, not paths
            self._taken |= {name.partition("~")[2] for name in claims if name.startswith(f"{baseline}~")}
        self._numbers: dict[str, int] = {}

    def take(self, wanted: str) -> str:
        """Return the first free one of ``name``, ``name-2``, ``name-3``…."""
        name, number = wanted, self._numbers.get(wanted, 1)
        while name.casefold() in self._taken:
            number += 1
            suffix = f"-{number}"
            name = wanted[: MAX_NAME_LENGTH - len(suffix)] + suffix
        self._numbers[wanted] = number
        self._taken.add(name.casefold())
        return name


__all__ = ["Outcome", "Taken", "import_foreign"]
