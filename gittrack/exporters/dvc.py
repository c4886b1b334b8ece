"""Mirror experiments where DVC looks for its own: ``refs/exps/<2 hex>/<38 hex>/<name>``.

The commit of a mirror has the baseline as its parent and the code of the experiment, with a folder `gittrack-dvc` in
which a ``dvc.yaml`` declares files of params, metrics and plots: DVC finds a ``dvc.yaml`` in any folder. Where the
code's own ``dvc.yaml`` declares a file with a metric, the value stands there instead. The same experiment always gives
the same commit. A ref that is none of these mirrors is DVC's, and stays.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments import store
from gittrack.experiments.declared import read_declared
from gittrack.experiments.format import FOLDER
from gittrack.experiments.series import parse_series
from gittrack.exporters.dvc_metrics import absent_plots, nest_metrics, place_metrics, place_params, written
from gittrack.git import objects
from gittrack.git.pack_batch import PackBatch
from gittrack.git.refs import RefUpdate, list_refs, transaction
from gittrack.importers.dvc import MIRROR_MARK, NAMESPACE, TOOL, CommitFiles
from gittrack.paths import InvalidPathError, check_repository_path
from gittrack.runs.finish import author_of, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from gittrack.experiments.format import Record
    from gittrack.experiments.names import ExperimentRef
    from gittrack.experiments.series import Series
    from gittrack.git.repository import Repository

MIRROR_FOLDER = "gittrack-dvc"
_DVC_YAML = b"params:\n- params.json\nmetrics:\n- metrics.json\n"
_PLOTS = b"plots:\n- plots:\n    x: step\n"
_HEX_FOLDER = 2
_FILE_MODE = 0o100644
_FOLDER_MODE = 0o040000
_MAX_FILE_BYTES = 8 << 20


class Exported(NamedTuple):
    """What became of the experiments.

    Attributes:
        written: The names of those whose mirror is new or was changed.
        unchanged: Those whose mirror was as it is.
        refused: Those that have none, with the reason.
        removed: Mirrors of experiments that are gone, which were removed.
    """

    written: list[str]
    unchanged: list[str]
    refused: list[tuple[str, str]]
    removed: list[str]


def dvc_ref(experiment: ExperimentRef) -> str:
    """Return the ref under which DVC finds an experiment.

    Args:
        experiment: Its identity.

    Example:
        >>> from gittrack.experiments.names import ExperimentRef
        >>> dvc_ref(ExperimentRef("ab" * 20, "fast"))
        'refs/exps/ab/ababababababababababababababababababab/fast'
    """
    return f"{NAMESPACE}/{experiment.baseline[:_HEX_FOLDER]}/{experiment.baseline[_HEX_FOLDER:]}/{experiment.name}"


def export_dvc(repository: Repository, tips: Sequence[store.Tip], *, prune: bool = False) -> Exported:
    """Mirror experiments, all in one pack and one transaction.

    Args:
        repository: The repository.
        tips: The experiments.
        prune: Whether mirrors of experiments that are not among them are removed.

    Raises:
        RefChangedError: DVC changed one of the refs meanwhile; nothing was changed.
        OSError: The disk is full or broken.
    """
    present = list_refs(repository, NAMESPACE)
    exported = Exported([], [], [], [])
    updates: list[RefUpdate] = []
    with PackBatch(repository) as batch:
        for tip in tips:
            ref = dvc_ref(tip.experiment)
            try:
                commit = _mirror(repository, batch, tip, present.get(ref))
            except GittrackError as error:
                exported.refused.append((tip.experiment.name, error.message))
                continue
            if commit == present.get(ref):
                exported.unchanged.append(tip.experiment.name)
            elif commit is not None:
                updates.append(RefUpdate(ref, commit, present.get(ref)))
                exported.written.append(tip.experiment.name)
        if prune:
            kept = {dvc_ref(tip.experiment) for tip in tips}
            gone = [ref for ref in sorted(present) if ref not in kept and _is_mirror(repository, present[ref])]
            updates += [RefUpdate(ref, None, present[ref]) for ref in gone]
            exported.removed.extend(ref.rpartition("/")[2] for ref in gone)
        if updates:
            with batch.published():
                transaction(repository, updates)
    return exported


class NotMirroredError(GittrackError):
    """An experiment cannot be shown by DVC."""


def _mirror(repository: Repository, batch: PackBatch, tip: store.Tip, present: str | None) -> str | None:
    """Add the commit of a mirror and return it; of an experiment that came from DVC, what is there."""
    if tip.experiment.baseline == repository.zero_id:
        raise NotMirroredError("it started before the first commit, of which DVC knows nothing")
    record = store.read_record(repository, tip.commit)
    if present is not None and not _is_mirror(repository, present):
        if record.meta.origin.get("tool") == TOOL:
            return present
        raise NotMirroredError("DVC has another experiment of that name")
    code = record.meta.code_tree or tree_of(repository, tip.commit)
    read = _reader(repository, code)
    placed = place_metrics(read, {name: summary.last for name, summary in record.metrics.items()})
    params = place_params(read, record.params)
    known = {**_known_params(read), **(record.params if params else {})}
    files = {**placed.changed, **params, **render_files(record, known, placed.names)}
    folder = absent_plots(read, CommitFiles(repository, code).list_files)
    if folder is not None:
        files = _move_plots(files, folder)
    dry = _write_mirror(repository, objects.ObjectBatch(repository), tip, record, files)
    return present if dry == present else _write_mirror(repository, batch, tip, record, files)


def _write_mirror(
    repository: Repository,
    batch: PackBatch | objects.ObjectBatch,
    tip: store.Tip,
    record: Record,
    files: Mapping[str, bytes],
) -> str:
    """Add the objects of a mirror and return its commit."""
    code = record.meta.code_tree or tree_of(repository, tip.commit)
    entries = _with_files(repository, batch, code, files)
    meta = record.meta
    told = meta.description or meta.message
    message = f"{MIRROR_MARK}{tip.experiment.name} ({meta.status})" + (f"\n\n{told}" if told else "")
    time = meta.ended or meta.started
    return batch.add_commit(
        batch.add_tree(entries), [tip.experiment.baseline], message, author_of(repository, meta), time
    )


def render_files(
    record: Record, known: Mapping[str, Any] | None = None, placed: Collection[str] = ()
) -> dict[str, bytes]:
    """Return the files that DVC reads, by path.

    Args:
        record: What the experiment says.
        known: Params that DVC finds in the code itself; they are not given twice.
        placed: The names of metrics that DVC finds there, too.
    """
    params = {key: value for key, value in record.params.items() if not (known and known.get(key) == value)}
    metrics = {name: written(summary.last) for name, summary in record.metrics.items() if name not in placed}
    files: dict[str, bytes] = {
        "dvc.yaml": _DVC_YAML,
        "params.json": _json({key: written(value) for key, value in params.items()}),
        "metrics.json": _json(nest_metrics(metrics)),
    }
    for name, series in (parse_series(record.series) if record.series else {}).items():
        try:
            path = check_repository_path(f"plots/{name}.tsv")
        except InvalidPathError:  # only the plot is left out; the metric is in its file
            continue
        files[path] = _table(name, series)
        files["dvc.yaml"] = _DVC_YAML + _PLOTS
    return {f"{MIRROR_FOLDER}/{path}": data for path, data in files.items()}


def _move_plots(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """Return the files of a mirror with its plots in another folder, which is declared already."""
    before = f"{MIRROR_FOLDER}/plots/"
    moved = {f"{folder}/{path[len(before) :]}" if path.startswith(before) else path: files[path] for path in files}
    return {**moved, f"{MIRROR_FOLDER}/dvc.yaml": _DVC_YAML}


def _with_files(
    repository: Repository, batch: PackBatch | objects.ObjectBatch, code: str, files: Mapping[str, bytes]
) -> list[objects.TreeEntry]:
    """Return the entries of the code with the folder of a mirror, and files that it changes, in it."""
    hidden = {FOLDER.encode(), MIRROR_FOLDER.encode()}
    entries = [entry for entry in objects.read_tree(repository, code) if entry.name not in hidden]
    return _merged(repository, batch, entries, files)


def _merged(
    repository: Repository,
    batch: PackBatch | objects.ObjectBatch,
    before: Sequence[objects.TreeEntry],
    files: Mapping[str, bytes],
) -> list[objects.TreeEntry]:
    """Return the entries of a tree with files in the place of those of the same paths, which keep their modes."""
    present = {entry.name.decode("utf-8", "surrogateescape"): entry for entry in before}
    below: dict[str, dict[str, bytes]] = {}
    for path, data in files.items():
        first, slash, rest = path.partition("/")
        if slash:
            below.setdefault(first, {})[rest] = data
        else:
            mode = present[first].mode if first in present else _FILE_MODE
            present[first] = objects.TreeEntry(first.encode(), mode, batch.add_blob(data))
    for name, inside in below.items():
        held = present.get(name)
        old = objects.read_tree(repository, held.oid) if held is not None and held.mode == _FOLDER_MODE else []
        tree = batch.add_tree(_merged(repository, batch, old, inside))
        present[name] = objects.TreeEntry(name.encode(), _FOLDER_MODE, tree)
    return list(present.values())


def _reader(repository: Repository, code: str) -> Callable[[str], bytes | None]:
    """Return what reads files of the code as DVC sees it."""

    def read(path: str) -> bytes | None:
        if path == "gittrack.yaml":
            return None
        return objects.read_path(repository, code, path, max_bytes=_MAX_FILE_BYTES)

    return read


def _known_params(read: Callable[[str], bytes | None]) -> Mapping[str, Any]:
    """Return the params of the code that DVC reads: those of ``params.yaml`` and of what ``dvc.yaml`` names."""
    return read_declared(read).params


def _is_mirror(repository: Repository, commit: str) -> bool:
    try:
        return objects.read_commit(repository, commit).subject.startswith(MIRROR_MARK)
    except objects.ObjectMissingError:
        return False


def _table(name: str, series: Series) -> bytes:
    column = name.rpartition("/")[2].replace("\t", " ").replace("\n", " ").replace('"', "'")
    lines = [f"step\t{column}"]
    lines += [f"{step}\t{value!r}" for step, value in zip(series.steps, series.values, strict=True)]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True) + "\n").encode()
