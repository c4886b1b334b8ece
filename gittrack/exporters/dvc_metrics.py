"""Which metrics of an experiment DVC finds in files of the code, and those files with the experiment's values.

DVC shows a metric once for each file that has it. So a file that ``dvc.yaml`` declares gets the values that the
experiment has, as it would if DVC itself had run it, and `gittrack.exporters.dvc` gives only the other metrics. What is
declared and not there at all, which DVC takes for an error, is made.
"""

from __future__ import annotations

import contextlib
import json
import math
import posixpath
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.declared import dvc_metrics_files, parse_metric_values, read_declared
from gittrack.experiments.overrides import Override, apply_overrides
from gittrack.importers.dvc_plots import declared_plots
from gittrack.paths import InvalidPathError, check_repository_path
from gittrack.yaml_text import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gittrack.values import PlainValue

_RENDERED = (".json", ".yaml", ".yml")


class DeclaredMetrics(NamedTuple):
    """What the declared files of the code hold of an experiment's metrics.

    Attributes:
        names: The metrics that DVC finds there with the right value.
        changed: The content of files that had another value, by path.
    """

    names: frozenset[str]
    changed: Mapping[str, bytes]


def place_metrics(read: Callable[[str], bytes | None], metrics: Mapping[str, int | float]) -> DeclaredMetrics:
    """Find the metrics that declared files hold, and put the experiment's values there.

    Args:
        read: Returns the content of a path of the code, None when there is no such file.
        metrics: The experiment's last values; a name ``val/acc`` is the key ``val.acc`` of a file, as DVCLive nests it.
    """
    dvc_yaml = read("dvc.yaml") or b""
    by_key = {name.replace("/", "."): name for name in metrics}
    names: set[str] = set()
    changed: dict[str, bytes] = {}
    for path in dvc_metrics_files(dvc_yaml):
        data = read(path)
        if data is None:
            continue
        try:
            placed = _place(path, data, {key: metrics[name] for key, name in by_key.items()})
        except (GittrackError, UnicodeDecodeError):  # one that cannot be changed is left, and DVC shows both
            continue
        if placed is not None:
            names.update(by_key[key] for key in placed[0])
            if placed[1] != data:
                changed[path] = placed[1]
    absent = _absent_file(read, "metrics")
    if absent is not None:
        others = {name: written(value) for name, value in metrics.items() if name not in names}
        changed[absent] = _render(nest_metrics(others))
        names.update(others)
    return DeclaredMetrics(frozenset(names), changed)


def place_params(read: Callable[[str], bytes | None], params: Mapping[str, PlainValue]) -> dict[str, bytes]:
    """Return the params file that ``dvc.yaml`` declares and the code lacks, with those that the code does not have.

    Args:
        read: Returns the content of a path of the code, None when there is no such file.
        params: The experiment's params.

    Returns:
        One path and its content, or nothing.
    """
    absent = _absent_file(read, "params")
    if absent is None:
        return {}
    known = read_declared(read).params
    return {absent: _render({key: written(value) for key, value in params.items() if known.get(key) != value})}


def absent_plots(read: Callable[[str], bytes | None], list_files: Callable[[str], list[str]]) -> str | None:
    """Return the folder that ``dvc.yaml`` declares for plots over steps, as DVCLive does, if the code lacks it.

    Args:
        read: Returns the content of a path of the code, None when there is no such file.
        list_files: Returns the paths of all files of the code below a path.
    """
    for plot in declared_plots(read("dvc.yaml")):
        if posixpath.basename(plot.path) == "metrics" and plot.x == "step" and not list_files(plot.path):
            with contextlib.suppress(InvalidPathError):
                return check_repository_path(plot.path) if read(f"{plot.path}.dvc") is None else None
    return None


def nest_metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics as DVCLive nests them, ``val/acc`` in ``val``; a name below another metric stays whole.

    Args:
        metrics: Names and values.

    Example:
        >>> nest_metrics({"loss": 1, "loss/kl": 2, "val/acc": 3})
        {'loss': 1, 'loss/kl': 2, 'val': {'acc': 3}}
    """
    nested: dict[str, Any] = {}
    for name, value in sorted(metrics.items()):
        *folders, last = name.split("/")
        prefixes = {"/".join(folders[: n + 1]) for n in range(len(folders))}
        if prefixes & metrics.keys() or not all((*folders, last)):
            folders, last = [], name
        inside = nested
        for folder in folders:
            inside = inside.setdefault(folder, {})
        inside[last] = value
    return nested


def written(value: Any) -> Any:
    """Return a value as DVCLive writes it: NaN and the infinities, which JSON lacks, as texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list):
        return [written(item) for item in value]
    if isinstance(value, dict):
        return {key: written(item) for key, item in value.items()}
    return value


def _absent_file(read: Callable[[str], bytes | None], kind: str) -> str | None:
    """Return the first file of a kind that ``dvc.yaml`` declares for no stage, and that neither git nor DVC keeps."""
    try:
        top = parse_yaml(read("dvc.yaml") or b"")
    except GittrackError:
        return None
    paths = top.get(kind) if isinstance(top, dict) else None
    lock = read("dvc.lock") or b""
    for path in paths if isinstance(paths, list) else ():
        if isinstance(path, str) and path.endswith(_RENDERED) and path.encode() not in lock:
            with contextlib.suppress(InvalidPathError):
                if read(check_repository_path(path)) is None and read(f"{path}.dvc") is None:
                    return path
    return None


def _render(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON, which is YAML too."""
    return (json.dumps(document, indent=4, sort_keys=True) + "\n").encode()


def _place(path: str, data: bytes, values: Mapping[str, int | float]) -> tuple[set[str], bytes] | None:
    """Return the keys that a file has of those given, and its content with their values."""
    held = parse_metric_values(path, data)
    keys = held.keys() & values.keys()
    text = data.decode()
    for key in sorted(keys):
        if not _is_same(held[key], values[key]):
            text = apply_overrides(text, path, [Override(path, key, written(values[key]), removes=False)])
    return (keys, text.encode()) if keys else None


def _is_same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))
