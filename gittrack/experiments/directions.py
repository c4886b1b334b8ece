"""Whether low or high numbers of a metric are better: as ``gittrack.yaml`` says, else as its name suggests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gittrack.experiments.index import Index
    from gittrack.experiments.table import Direction
    from gittrack.git.repository import Repository

_FILE = "gittrack.yaml"
_MAX_BYTES = 256 * 1024
_WORDS = re.compile(r"[a-z]+[0-9]*")
_LOW = frozenset(
    ("loss", "error", "err", "mse", "rmse", "mae", "mape", "nll", "perplexity", "ppl", "wer", "cer", "fid", "regret")
)
_HIGH = frozenset(
    ("acc", "accuracy", "f1", "auc", "auroc", "auprc", "precision", "recall", "r2", "map", "bleu", "rouge")
) | frozenset(("iou", "miou", "dice", "mcc", "ndcg", "mrr", "psnr", "ssim"))


def metric_directions(repository: Repository, index: Index, names: Iterable[str]) -> dict[str, Direction]:
    """Return the better side of each metric that has one.

    Args:
        repository: The repository, whose ``gittrack.yaml`` in the work tree has the last word.
        index: Keeps what that file says, so that no YAML is parsed twice.
        names: Of metrics.
    """
    declared = _declared(repository, index)
    directions = {name: declared.get(name) or guess_direction(name) for name in names}
    return {name: direction for name, direction in directions.items() if direction is not None}


def guess_direction(name: str) -> Direction | None:
    """Return the better side of a metric whose name has a common word for it in its last part.

    Args:
        name: A metric's name.

    Example:
        >>> [guess_direction(name) for name in ("val/loss", "test.top1_acc", "gpu.memory", "val_loss_acc")]
        ['min', 'max', None, None]
    """
    words = set(_WORDS.findall(re.split(r"[./]", name)[-1].lower()))
    is_low, is_high = bool(words & _LOW), bool(words & _HIGH)
    if is_low == is_high:
        return None
    return "min" if is_low else "max"


def _declared(repository: Repository, index: Index) -> dict[str, Direction]:
    if repository.work_tree is None:
        return {}
    path = repository.work_tree / _FILE
    if not path.is_file():  # nor a pipe, whose reader would wait
        return {}
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_BYTES + 1).decode("utf-8", "replace")
    except OSError:
        return {}
    known: dict[str, dict[str, Direction]] = index.load_facts("directions", [text])
    if text in known:
        return known[text]
    from gittrack.config import parse_project_config

    try:
        directions = dict(parse_project_config(text).directions)
    except GittrackError:  # `gittrack doctor` says what is wrong with the file
        directions = {}
    index.save_facts("directions", {text: directions})
    return directions
