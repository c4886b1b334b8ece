"""Read the experiments of DVC: commits under ``refs/exps/``, and folders that DVCLive wrote.

Params and metrics are those of the files that the commit declares, in ``dvc.yaml`` or by DVC's defaults; the points of
metrics are in its plots. DVC's own refs of that namespace (``refs/exps/stash``, ``exec/…``, ``celery/…``) have another
form.
"""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
import re
import stat
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError
from gittrack.experiments.declared import declared_files, parse_metric_values, parse_values, read_declared
from gittrack.git import objects
from gittrack.git.refs import list_refs
from gittrack.importers.dvc_content import DvcContent
from gittrack.importers.dvc_plots import Plot, declared_plots, read_plots
from gittrack.importers.foreign import ForeignRun, UnreadableStoreError
from gittrack.importers.local_files import read_file, walk
from gittrack.importers.plots import PlotBuilder
from gittrack.paths import InvalidPathError, check_repository_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gittrack.git.repository import Repository

TOOL = "dvc"
NAMESPACE = "refs/exps"
MIRROR_MARK = "gittrack: mirror of "  # how the message of an experiment begins that was exported
_REF = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38}|[0-9a-f]{62})/([^/\n]+)")
_DEFAULT_MESSAGE = re.compile(r"dvc: commit experiment [0-9a-f]+")
_MAX_FILE_BYTES = 64 << 20
_MAX_FILES = 10_000
_MAX_DEPTH = 20


def read_refs(repository: Repository) -> Iterator[ForeignRun]:
    """Yield the experiments that DVC has in a repository.

    Args:
        repository: The repository.
    """
    for ref, oid in sorted(list_refs(repository, NAMESPACE).items()):
        match = _REF.fullmatch(ref)
        if match is None:
            continue
        with contextlib.suppress(objects.ObjectMissingError):
            info = objects.read_commit(repository, oid)
            if not info.subject.startswith(MIRROR_MARK):
                yield _read_commit(repository, info, match[1] + match[2], match[3])


def read_folder(path: Path) -> ForeignRun:
    """Return what DVCLive wrote into a folder.

    Args:
        path: The folder, with ``metrics.json``, ``params.yaml`` and ``plots/metrics``.

    Raises:
        UnreadableStoreError: It holds neither.
    """
    params_data = read_file(path / "params.yaml", _MAX_FILE_BYTES)
    metrics_data = read_file(path / "metrics.json", _MAX_FILE_BYTES)
    folders = ("plots/metrics", "plots/images")
    files = {f"{folder}/{name}": file for folder in folders for name, file in walk(path, folder)}
    shown = PlotBuilder()
    if params_data is None and metrics_data is None and not files:
        raise UnreadableStoreError(f"nothing of DVCLive in '{path}'", hint="name a folder such as 'dvclive'")
    problems: list[str] = []
    params, values = {}, {}
    try:
        params = parse_values("params.yaml", params_data or b"")
        values = parse_metric_values("metrics.json", metrics_data or b"")
    except GittrackError as error:
        problems.append(error.message)
    points = read_plots(
        [Plot("plots/metrics", "step"), Plot("plots/images")],
        lambda name: read_file(files[name], _MAX_FILE_BYTES) if name in files else None,
        lambda folder: sorted(name for name in files if name.startswith(f"{folder}/")),
        problems,
        shown,
    )
    values.pop("step", None)
    first, last = points.span()
    written = path.stat().st_mtime
    content = hashlib.sha256(params_data or b"")
    content.update(metrics_data or b"")
    for name in sorted(files):
        content.update(read_file(files[name], _MAX_FILE_BYTES) or b"")
    return ForeignRun(
        tool=TOOL,
        id=f"dvclive/{content.hexdigest()}",
        name=path.absolute().name,
        started=first or written,
        ended=last or written,
        params=params,
        series=points.series,
        values=_without_points(values, points.series),
        problems=(*problems, *shown.problems()),
        plots=tuple(shown.plots),
    )


def _read_commit(repository: Repository, info: objects.CommitInfo, baseline: str, name: str) -> ForeignRun:
    tree = CommitFiles(repository, info.tree)
    declared = read_declared(tree.read)
    problems = list(declared.problems)
    plots = declared_plots(tree.read("dvc.yaml"))
    plots += [Plot(f"{folder}/plots/metrics", "step") for folder in _dvclive_folders(declared_files(tree.read).metrics)]
    content = DvcContent(repository, tree.read, _MAX_FILE_BYTES)
    shown = PlotBuilder()
    points = read_plots(
        plots, content.read, lambda path: tree.list_files(path) or content.list_files(path), problems, shown
    )
    absent = [plot.path for plot in plots if content.is_tracked(plot.path) and not content.is_here(plot.path)]
    if absent:
        shown.leave_out(f"plot whose content is in no cache of DVC here, such as {absent[0]!r:.200}", len(absent))
    metrics = {name: value for name, value in declared.metrics.items() if name != "step"}
    return ForeignRun(
        tool=TOOL,
        id=f"{baseline}/{name}",
        name=name,
        started=points.span()[0] or info.time,
        ended=info.time,
        params=declared.params,
        series=points.series,
        values=_without_points(metrics, points.series),
        description=None if _DEFAULT_MESSAGE.fullmatch(info.subject) else info.subject or None,
        commit=baseline,
        problems=(*problems, *shown.problems()),
        tree=info.tree,
        plots=tuple(shown.plots),
    )


def _without_points(values: dict[str, int | float], series: object) -> dict[str, int | float]:
    """Return the values of metrics that have no points; DVCLive nests ``val/acc`` where a series has the whole name."""
    names = {name.replace("/", ".") for name in series} if isinstance(series, dict) else set()
    return {name: value for name, value in values.items() if name not in names}


def _dvclive_folders(metrics: tuple[str, ...]) -> list[str]:
    return [posixpath.dirname(path) for path in metrics if posixpath.basename(path) == "metrics.json" and "/" in path]


class CommitFiles:
    """The files of a commit.

    Args:
        repository: The repository.
        tree: The commit's tree.
    """

    def __init__(self, repository: Repository, tree: str) -> None:
        self._repository = repository
        self._tree = tree

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None when there is none, or its path leads elsewhere."""
        try:
            check_repository_path(path)
            return objects.read_path(self._repository, self._tree, path, max_bytes=_MAX_FILE_BYTES)
        except (InvalidPathError, objects.ObjectMissingError):
            return None

    def list_files(self, path: str) -> list[str]:
        """Return the paths of the files below a folder, in order."""
        tree = self._tree
        try:
            for part in check_repository_path(path).split("/"):
                entries = {entry.name.decode("utf-8", "replace"): entry for entry in self._entries(tree)}
                if part not in entries or not stat.S_ISDIR(entries[part].mode):
                    return []
                tree = entries[part].oid
            return list(self._walk(tree, path, 0))[:_MAX_FILES]
        except (InvalidPathError, objects.ObjectMissingError):
            return []

    def _entries(self, tree: str) -> list[objects.TreeEntry]:
        return objects.read_tree(self._repository, tree)

    def _walk(self, tree: str, prefix: str, depth: int) -> Iterator[str]:
        for entry in self._entries(tree):
            path = f"{prefix}/{entry.name.decode('utf-8', 'replace')}"
            if stat.S_ISDIR(entry.mode) and depth < _MAX_DEPTH:
                yield from self._walk(entry.oid, path, depth + 1)
            elif stat.S_ISREG(entry.mode):
                yield path
