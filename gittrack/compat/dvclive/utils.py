"""DVCLive's helper functions."""

from __future__ import annotations

import csv
import functools
import json
import os
import webbrowser
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from gittrack.api_logger import is_true
from gittrack.live_files.dvcyaml import relative_path
from gittrack.live_files.image_files import is_kind
from gittrack.live_files.layout import METRICS
from gittrack.live_files.live import copy_into
from gittrack.live_files.plot_files import to_datapoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.live_files.live import Live

StrPath = str | PurePath
_SPLITS = ("train", "val", "test")
_SUFFIXES = (".csv", ".tsv")


def run_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does something the first time only."""
    done: list[bool] = []

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if done:
            return None
        done.append(True)
        return function(*args, **kwargs)

    return wrapper


@run_once
def open_file_in_browser(file: Any) -> bool:
    """Open a file in the browser, the first time that it is asked for."""
    return webbrowser.open(Path(file).resolve().as_uri())


def env2bool(var: str, undefined: Any = False) -> Any:  # noqa: FBT002  the original's
    """Say whether an environment variable means yes; ``undefined`` where it is not set."""
    text = os.environ.get(var)
    return undefined if text is None else is_true(text)


def standardize_metric_name(metric_name: str, framework: str) -> str:
    """Return the name of a framework's metric with its split as a folder: ``train/loss``.

    Args:
        metric_name: The framework's name.
        framework: ``dvclive.fastai``, ``dvclive.huggingface``, ``dvclive.keras``, ``dvclive.lightning`` or
            ``dvclive.fabric``.

    Example:
        >>> standardize_metric_name("val_loss", "dvclive.keras")
        'eval/loss'
        >>> standardize_metric_name("train_loss_epoch", "dvclive.lightning")
        'train/epoch/loss'
    """
    kind = framework.rpartition(".")[2]
    if kind == "fastai":
        return metric_name.replace("train_", "train/").replace("valid_", "eval/")
    if kind == "huggingface":
        return metric_name.replace("train_", "train/").replace("eval_", "eval/")
    if kind == "keras":
        return metric_name.replace("val_", "eval/") if "val_" in metric_name else f"train/{metric_name}"
    if kind in {"lightning", "fabric"}:
        parts = metric_name.split("_")
        split = [parts.pop(0)] if parts[0].endswith(_SPLITS) else []
        often = [parts.pop()] if split and parts and parts[-1] in {"step", "epoch"} else []
        return "/".join(part for part in (*split, *often, "_".join(parts)) if part)
    return metric_name


def parse_tsv(path: StrPath) -> list[dict[str, str]]:
    """Return the rows of a file of a metric."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def parse_json(path: StrPath) -> Any:
    """Return what a JSON file holds."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def parse_metrics(live: Live) -> tuple[dict[str, list[dict[str, str]]], Any]:
    """Return the points of all metrics by file, and the summary; everything is written first."""
    live.flush()
    folder = Path(live.plots_dir) / METRICS
    paths = [path for suffix in _SUFFIXES for path in folder.rglob(f"*{suffix}")]
    return {str(path): parse_tsv(path) for path in paths}, parse_json(live.metrics_file)


def read_history(live: Live, metric: str) -> tuple[list[int], list[float]]:
    """Return the steps and values of a metric."""
    history, _ = parse_metrics(live)
    rows = history[os.path.join(live.plots_dir, METRICS, f"{metric}.tsv")]  # noqa: PTH118
    return [int(row["step"]) for row in rows], [float(row[os.path.basename(metric)]) for row in rows]  # noqa: PTH119


def read_latest(live: Live, metric_name: str) -> tuple[Any, Any]:
    """Return the last step, and the last value of a metric."""
    _, latest = parse_metrics(live)
    value = latest
    for part in metric_name.split("/") if metric_name not in latest else [metric_name]:
        value = value[part]
    return latest["step"], value


def matplotlib_installed() -> bool:
    """Say whether matplotlib can be imported."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def inside_colab() -> bool:
    """Say whether the process is a notebook of Colab."""
    from importlib.util import find_spec

    try:
        return find_spec("google.colab") is not None
    except ModuleNotFoundError:
        return False


def inside_notebook() -> bool:
    """Say whether the process is a notebook."""
    if inside_colab():
        return True
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return type(get_ipython()).__name__ == "ZMQInteractiveShell"


def clean_and_copy_into(src: StrPath, dst: StrPath) -> str:
    """Copy a file or folder into a folder, in place of what is there, and return where it is now."""
    return copy_into(src, os.fspath(dst))


def isinstance_without_import(val: Any, module: str, name: str) -> bool:
    """Say whether a value is of a class, without importing it."""
    return is_kind(val, module, name)


def catch_and_warn(exception: Any, logger: Any, on_finally: Callable[[], Any] | None = None) -> Callable[..., Any]:
    """Return a decorator that turns an exception into a warning."""

    def decorator(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except exception as error:
                logger.warning("Error in %s: %s", function.__name__, error)
                return None
            finally:
                if on_finally is not None:
                    on_finally()

        return wrapper

    return decorator


def rel_path(path: StrPath, dvc_root_path: StrPath) -> str:
    """Return a path as seen from a folder, with slashes."""
    return relative_path(Path(path), Path(dvc_root_path))


def convert_datapoints_to_list_of_dicts(datapoints: Any) -> list[dict[Any, Any]]:
    """Return datapoints as rows; a list is taken as it is."""
    return datapoints if isinstance(datapoints, list) else to_datapoints("datapoints", datapoints)
