"""What `gittrack.Live` draws are plots of its experiment, beside the files that DVC shows."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

import gittrack
from gittrack import curves
from tests.support.reading import only_record, tip_of

if TYPE_CHECKING:
    from collections.abc import Callable

LABELS, SCORES = [0, 1, 1, 0, 1], [0.1, 0.9, 0.4, 0.6, 0.8]


pytestmark = pytest.mark.usefixtures("in_repository_without_dvc")


def exp_plots(*arguments: str) -> str:
    """Return what `gittrack exp plots` prints."""
    command = [sys.executable, "-m", "gittrack", "exp", "plots", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_curves_are_plots_of_the_experiment(repo_dir: Path) -> None:
    """Each kind by its name, with the numbers that sum it up, its points, and the texts that DVC shows."""
    with gittrack.Live(exp_name="one") as live:
        for kind in ("roc", "precision_recall", "det", "calibration"):
            live.log_sklearn_plot(kind, LABELS, SCORES)
        live.log_sklearn_plot("confusion_matrix", LABELS, [0, 1, 0, 0, 1], name="train/cm", normalized=True)
        live.log_sklearn_plot("roc", LABELS, SCORES, name="weighted", title="Mine", x_label="x", sample_weight=SCORES)
    found = {entry.name: entry for entry in only_record(repo_dir).plots}
    assert {name: entry.kind for name, entry in found.items()} == {
        **{kind: kind for kind in ("roc", "precision_recall", "det", "calibration")},
        "train/cm": "confusion_matrix",
        "weighted": "roc",
    }
    assert found["weighted"].values["auc"] == curves.roc_curve(LABELS, SCORES, sample_weight=SCORES).auc
    listed = exp_plots("one")
    assert f"auc {found['roc'].values['auc']:.5g}" in listed
    document = json.loads(exp_plots("one", "weighted", "--json"))
    assert document["figure"]["layout"]["title"]["text"] == "Mine"
    assert document["figure"]["layout"]["xaxis"]["title"]["text"] == "x"
    assert document["figure"]["layout"]["yaxis"]["title"]["text"] == "True Positive Rate"
    # The shares of each prediction, as DVC's template has them.
    matrix = json.loads(exp_plots("one", "train/cm", "--json"))["columns"]
    assert dict(zip(zip(matrix["actual"], matrix["predicted"], strict=True), matrix["count"], strict=True)) == {
        ("0", "0"): 2 / 3, ("0", "1"): 0, ("1", "0"): 1 / 3, ("1", "1"): 1
    }  # fmt: skip


def test_datapoints_are_plots_of_the_experiment(repo_dir: Path) -> None:
    """Of the last call, by their template; one that only DVC knows is drawn as lines, what cannot be drawn a table."""
    rows = [{"x": 1, "y": 2, "z": 3}, {"x": 2, "y": 4, "z": float("nan")}]
    with warnings.catch_warnings(), gittrack.Live(exp_name="one") as live:
        warnings.simplefilter("error")
        live.log_plot("bars", rows[:1], x="x", y="y", template="bar_horizontal")
        live.log_plot("bars", rows, x="x", y="y", template="bar_horizontal")
        live.log_plot("own", rows, x="x", y=["y", "z"], template="my_template")
        live.log_plot("ragged", [{"x": 1}, {"other": 2}], x="x", y="y")
    found = {entry.name: entry.kind for entry in only_record(repo_dir).plots}
    assert found == {"bars": "bar_horizontal", "own": "linear", "ragged": "table"}
    assert exp_plots("one", "bars", "--csv") == "x,y,z\n1,2,3\n2,4,nan\n"


def test_an_image_is_stored_once(repo_dir: Path, git: Callable[..., str]) -> None:
    """The plot and the file in the tree are one object of git."""
    with gittrack.Live(exp_name="one") as live:
        for shade in (0, 200):
            live.log_image("steps/a.png", Image.fromarray(np.full((4, 4, 3), shade, np.uint8)))
    (entry,) = only_record(repo_dir).plots
    assert (entry.name, entry.kind, entry.media_type) == ("steps/a.png", "image", "image/png")
    tip = tip_of(repo_dir, "one")
    plot, file = (
        git("rev-parse", f"{tip}:{path}")
        for path in (f".gittrack/plots/{entry.file}", "dvclive/plots/images/steps/a.png")
    )
    assert plot == file
    exp_plots("one", "steps/a.png", "-o", "out.png")
    assert Path("out.png").read_bytes() == Path("dvclive/plots/images/steps/a.png").read_bytes()


def test_a_cached_image_is_stored_once(repo_dir: Path, git: Callable[..., str]) -> None:
    """With `cache_images` the plot is the object of the artifact's file, and git has no copy."""
    with gittrack.Live(exp_name="one", cache_images=True) as live:
        live.log_image("a.png", Image.fromarray(np.zeros((4, 4, 3), np.uint8)))
    record = only_record(repo_dir)
    assert [entry.path for entry in record.artifacts] == ["dvclive/plots/images"]
    assert record.plots[0].digest is not None
    assert not [
        path for path in git("ls-tree", "-r", "--name-only", tip_of(repo_dir, "one")).split("\n") if ".png" in path
    ]
    objects = [path for path in Path(".git/gittrack/cache/b3").rglob("*") if path.is_file()]
    content = Path("dvclive/plots/images/a.png").read_bytes()
    assert [path.read_bytes() for path in objects].count(content) == 1
    exp_plots("one", "a.png", "-o", "out.png")
    assert Path("out.png").read_bytes() == content


def test_a_live_without_an_experiment_draws_files_alone(repo_dir: Path, git: Callable[..., str]) -> None:
    """With `save_dvc_exp=False` the files are written, and nothing goes into git."""
    with gittrack.Live(save_dvc_exp=False) as live:
        live.log_sklearn_plot("roc", LABELS, SCORES)
    assert Path("dvclive/plots/sklearn/roc.json").is_file()
    assert git("for-each-ref", "refs/gittrack", cwd=repo_dir) == ""
