"""Experiments as commits under refs: create, advance, read, remove."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments import format as fmt
from gittrack.experiments.names import NAMESPACE, TRASH_NAMESPACE, parse_ref
from gittrack.git import objects
from gittrack.git.batch import read_many, read_one
from gittrack.git.refs import RefChangedError, RefUpdate, create_ref, list_refs, read_ref, transaction, update_ref
from gittrack.git.state import read_identity

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from gittrack.experiments.names import ExperimentRef
    from gittrack.git.repository import Repository
    from gittrack.git.state import Identity

_FILE_MODE = 0o100644
_FOLDER_MODE = 0o040000
_PLOTS_FOLDER = fmt.PLOTS_FOLDER.encode()
_READ_FILES = (
    fmt.META_FILE,
    fmt.PARAMS_FILE,
    fmt.METRICS_FILE,
    fmt.SERIES_FILE,
    fmt.REQUIREMENTS_FILE,
    fmt.LOG_FILE,
    *fmt.LINEAGE_FILES,
    fmt.PLOTS_FILE,
)
_MAX_SERIES_BYTES = 1 << 30


class ExperimentMissingError(GittrackError):
    """There is no such experiment."""


class Tip(NamedTuple):
    """An experiment's ref and the commit it names.

    Attributes:
        experiment: Its identity.
        commit: The commit, 40 or 64 hex.
    """

    experiment: ExperimentRef
    commit: str


def list_tips(repository: Repository, namespace: str = NAMESPACE) -> list[Tip]:
    """Return every experiment of a namespace; refs that are not of an experiment's form are passed over.

    Args:
        repository: The repository.
        namespace: ``refs/gittrack/exps`` for the local ones, ``refs/gittrack/remotes`` for those of remotes.
    """
    found = ((parse_ref(ref), oid) for ref, oid in list_refs(repository, namespace).items())
    return [Tip(experiment, oid) for experiment, oid in found if experiment is not None]


def write_record(
    repository: Repository,
    record: fmt.Record,
    *,
    code_tree: str,
    parents: Sequence[str],
    message: str,
    author: Identity | None = None,
) -> str:
    """Write an experiment's commit, without a ref yet; durable when this returns.

    Args:
        repository: The repository.
        record: What it says.
        code_tree: The tree of the code.
        parents: The baseline, or the experiment's previous commit; nothing before the first commit.
        message: The commit message.
        author: The user by default.

    Returns:
        The commit's id.
    """
    batch = objects.ObjectBatch(repository)
    kept = [entry for parent in parents for entry in _unknown_files(repository, parent)]
    if record.plots:
        before = [entry for entry in kept if entry.name == _PLOTS_FOLDER]
        kept = [entry for entry in kept if entry.name != _PLOTS_FOLDER]
        record, plots = _add_plots(repository, batch, record, before)
        kept += [objects.TreeEntry(_PLOTS_FOLDER, _FOLDER_MODE, batch.add_tree(plots))] if plots else []
    files = {name.encode(): batch.add_blob(data) for name, data in fmt.render_files(record).items()}
    entries = [objects.TreeEntry(name, _FILE_MODE, oid) for name, oid in files.items()]
    entries += [entry for entry in kept if entry.name not in files]
    code = objects.tree_with_blobs(repository, batch, code_tree, _pointers(record))
    commit = _add_commit(repository, batch, entries, code, parents, message, author)
    batch.write()
    return commit


def create_experiment(repository: Repository, experiment: ExperimentRef, commit: str) -> None:
    """Create an experiment's ref.

    Raises:
        RefExistsError: There is one of that name.
    """
    create_ref(repository, experiment.ref, commit)


def advance_experiment(repository: Repository, experiment: ExperimentRef, commit: str, previous: str) -> None:
    """Move an experiment to a further commit.

    Raises:
        RefChangedError: Somebody else moved it meanwhile.
    """
    update_ref(repository, experiment.ref, commit, previous)


def withdraw(repository: Repository, experiment: ExperimentRef, commit: str, previous: str | None) -> None:
    """Take back a commit whose objects git removed: the ref gets its previous value, or goes.

    Args:
        repository: The repository.
        experiment: The experiment.
        commit: The commit that its ref names now.
        previous: The commit before; None when the ref did not exist.

    Raises:
        RefChangedError: Somebody else moved it meanwhile.
    """
    transaction(repository, [RefUpdate(experiment.ref, previous, commit)])


def read_tip(repository: Repository, experiment: ExperimentRef) -> str | None:
    """Return the commit of an experiment, or None when there is none."""
    return read_ref(repository, experiment.ref)


def read_record(repository: Repository, commit: str) -> fmt.Record:
    """Return everything an experiment's commit says.

    Raises:
        FormatError: Its files are damaged or from a newer gittrack.
    """
    specs = [f"{commit}:{fmt.FOLDER}/{name}" for name in _READ_FILES]
    files = {}
    for name, blob in zip(_READ_FILES, read_many(repository, specs, max_bytes=fmt.MAX_FILE_BYTES), strict=True):
        if blob is None or blob.kind != "blob":
            continue
        data = blob.data
        if data is None and name.endswith(".json"):
            raise fmt.FormatError(f"{name}: larger than {fmt.MAX_FILE_BYTES >> 20} MiB")
        if data is None:  # a series may be long; it is asked for again, as that is seldom
            large = read_one(repository, blob.oid, max_bytes=_MAX_SERIES_BYTES)
            data = large and large.data
        if data is not None:
            files[name] = data
    return fmt.parse_files(files)


def read_metas(repository: Repository, tips: Sequence[Tip]) -> dict[Tip, fmt.Meta]:
    """Return the descriptions of many experiments, through one process; damaged ones are left out."""
    specs = [f"{tip.commit}:{fmt.FOLDER}/{fmt.META_FILE}" for tip in tips]
    metas = {}
    for tip, blob in zip(tips, read_many(repository, specs, max_bytes=fmt.MAX_FILE_BYTES), strict=True):
        if blob is not None and blob.data is not None:
            with contextlib.suppress(fmt.FormatError):
                metas[tip] = fmt.parse_meta(blob.data)
    return metas


def rewrite_meta(repository: Repository, tip: Tip, meta: fmt.Meta, message: str) -> str:
    """Give an experiment a further commit whose description differs, and return it; all its other files stay.

    Args:
        repository: The repository.
        tip: The experiment and the commit whose description is changed.
        meta: The new description.
        message: The commit message.

    Raises:
        RefChangedError: Somebody else moved it meanwhile.
    """
    commit = write_meta(repository, tip.commit, meta, message)
    advance_experiment(repository, tip.experiment, commit, tip.commit)
    return commit


def write_meta(repository: Repository, previous: str, meta: fmt.Meta, message: str) -> str:
    """Write the further commit of `rewrite_meta`, without moving a ref; durable when this returns.

    Args:
        repository: The repository.
        previous: The commit whose description is changed.
        meta: The new description.
        message: The commit message.
    """
    batch = objects.ObjectBatch(repository)
    described = objects.TreeEntry(fmt.META_FILE.encode(), _FILE_MODE, batch.add_blob(fmt.render_meta(meta)))
    tree = objects.read_commit(repository, previous).tree
    others = [entry for entry in _folder_entries(repository, tree) if entry.name != described.name]
    code = objects.read_tree(repository, tree)
    commit = _add_commit(repository, batch, [*others, described], code, [previous], message)
    batch.write()
    return commit


def _add_commit(
    repository: Repository,
    batch: objects.ObjectBatch,
    files: Iterable[objects.TreeEntry],
    code: Iterable[objects.TreeEntry],
    parents: Sequence[str],
    message: str,
    author: Identity | None = None,
) -> str:
    """Add the folder of an experiment's files, the code with it in place, and the commit."""
    folder = objects.TreeEntry(fmt.FOLDER.encode(), _FOLDER_MODE, batch.add_tree(files))
    others = [entry for entry in code if entry.name != folder.name]
    return batch.add_commit(batch.add_tree([*others, folder]), parents, message, author or read_identity(repository))


def _pointers(record: fmt.Record) -> dict[str, bytes | None]:
    """Return what belongs into the tree: the pointer of each logged artifact's last version, in place of its content.

    The content is there when it was an untracked file at the start. A pointer that changed while a command ran is
    there already, and newer than what the command's script logged.
    """
    if not record.artifacts:
        return {}
    from gittrack.artifacts.pointer import pointer_path, render_pointer
    from gittrack.experiments.artifact_files import latest_entries, pointer_to

    changed = {entry.path for entry in record.outputs}
    files: dict[str, bytes | None] = {}
    for path, entry in latest_entries(entry for entry in record.artifacts if entry.pointer).items():
        if path not in changed:
            files[pointer_path(path)] = render_pointer(pointer_to(entry))
        files[path] = None
    return files


def _add_plots(
    repository: Repository, batch: objects.ObjectBatch, record: fmt.Record, before: Sequence[objects.TreeEntry]
) -> tuple[fmt.Record, list[objects.TreeEntry]]:
    """Add the files of plots to those that an earlier commit of the experiment holds.

    Returns:
        The record without plots whose content is nowhere, and the entries of their folder.
    """
    held: dict[bytes, objects.TreeEntry] = {}
    for folder in before:
        if folder.mode == _FOLDER_MODE:
            held.update((entry.name, entry) for entry in objects.read_tree(repository, folder.oid))
    for name, data in record.plot_files.items():
        held[name.encode()] = objects.TreeEntry(name.encode(), _FILE_MODE, batch.add_blob(data))
    kept = tuple(entry for entry in record.plots if entry.digest is not None or entry.file.encode() in held)
    return record._replace(plots=kept), list(held.values())


def _unknown_files(repository: Repository, commit: str) -> list[objects.TreeEntry]:
    """Return what an experiment's folder holds that this version does not write: it is somebody's, and stays."""
    known = {name.encode() for name in _READ_FILES}
    try:
        entries = _folder_entries(repository, objects.read_commit(repository, commit).tree)
    except objects.ObjectMissingError:  # the baseline of a shallow or partial clone
        return []
    return [entry for entry in entries if entry.name not in known]


def _folder_entries(repository: Repository, tree: str) -> list[objects.TreeEntry]:
    for entry in objects.read_tree(repository, tree):
        if entry.name == fmt.FOLDER.encode() and entry.mode == _FOLDER_MODE:
            return objects.read_tree(repository, entry.oid)
    return []


def trash_experiments(repository: Repository, tips: Iterable[Tip]) -> list[str]:
    """Move experiments to the trash, all or none, and return their refs there.

    Raises:
        RefChangedError: One of them changed meanwhile.
    """
    updates: list[RefUpdate] = []
    kept: list[str] = []
    trash = list_refs(repository, TRASH_NAMESPACE)
    for tip in tips:
        ref = _free_trash_ref(tip.experiment, trash)
        updates.append(RefUpdate(ref, tip.commit, None))
        updates.append(RefUpdate(tip.experiment.ref, None, tip.commit))
        kept.append(ref)
    transaction(repository, updates)
    return kept


def copy_to_trash(repository: Repository, tips: Iterable[Tip]) -> None:
    """Keep experiments that are about to go elsewhere, such as on a remote, in the local trash.

    Args:
        repository: The repository.
        tips: The experiments, whose commits are here.
    """
    trash = list_refs(repository, TRASH_NAMESPACE)
    transaction(repository, [RefUpdate(_free_trash_ref(tip.experiment, trash), tip.commit, None) for tip in tips])


def _free_trash_ref(experiment: ExperimentRef, trash: Container[str]) -> str:
    seconds = int(time.time())
    while (ref := f"{TRASH_NAMESPACE}/{seconds}/{experiment.baseline}/{experiment.name}") in trash:
        seconds += 1  # one of that name was removed within this second
    return ref


__all__ = [
    "ExperimentMissingError",
    "RefChangedError",
    "Tip",
    "advance_experiment",
    "copy_to_trash",
    "create_experiment",
    "list_tips",
    "read_metas",
    "read_record",
    "read_tip",
    "rewrite_meta",
    "trash_experiments",
    "withdraw",
    "write_meta",
    "write_record",
]
