"""Frameworks that need torchvision, which fits only the large build of torch: `make test-frameworks-vision`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

import gittrack
from gittrack.experiments.series import parse_series
from tests.support.reading import only_record
from tests.support.recorded import run_script
from tests.support.training_data import make_data

if TYPE_CHECKING:
    from collections.abc import Callable

X, Y = make_data(64)


def steps_of(folder: Path, name: str) -> list[int]:
    series = only_record(folder).series
    assert series is not None
    return list(parse_series(series)[name].steps)


def loader() -> Any:
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(data, batch_size=16)


def make_learner(**arguments: Any) -> Any:
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.metrics import accuracy

    return Learner(
        DataLoaders(loader(), loader()),
        torch.nn.Linear(4, 2),
        loss_func=torch.nn.functional.cross_entropy,
        metrics=accuracy,
        **arguments,
    )


def fit_fastai(learner: Any) -> None:
    import fastai.callback.progress  # noqa: F401  which gives a learner `no_bar`

    with learner.no_bar(), learner.no_logging():
        learner.fit(2, lr=0.1)


def test_fastai(workspace: Path) -> None:
    """Params, the loss of each batch, and metrics of each epoch."""
    from gittrack.integrations.fastai import GittrackCallback

    fit_fastai(make_learner(cbs=[GittrackCallback(name="f")]))
    record = only_record(workspace)
    assert record.params["model"] == "Linear"
    assert record.metrics["batch/loss"].count == 8
    assert steps_of(workspace, "valid/accuracy") == [0, 1]


def test_fastai_by_itself(workspace: Path) -> None:
    """`autolog` adds the callback."""
    import fastai.learner  # noqa: F401

    gittrack.autolog("fastai")
    fit_fastai(make_learner())
    assert steps_of(workspace, "valid/accuracy") == [0, 1]


def test_fastai_of_dvclive(workspace: Path) -> None:
    """Names and points are those of the original."""
    from gittrack.compat.dvclive.fastai import DVCLiveCallback

    fit_fastai(make_learner(cbs=[DVCLiveCallback()]))
    latest = json.loads(Path("dvclive/metrics.json").read_text())
    assert {"train", "eval", "accuracy", "step"} <= set(latest)
    assert "model: Linear\n" in Path("dvclive/params.yaml").read_text()
    assert only_record(workspace).metrics["eval/loss"].count == 2


def write_noise(path: Path, number: int) -> None:
    """Write an image of noise; the number makes it one of its own."""
    import numpy as np
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(number).integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(path)


def make_images(folder: Path) -> Path:
    """Write a data set of two classes for classification, and return its folder."""
    for split in ("train", "val"):
        for number in range(8):
            write_noise(folder / split / f"class{number % 2}" / f"{number}.png", number)
    return folder


def make_boxes(folder: Path) -> Path:
    """Write a data set of two classes for detection, and return its description."""
    for split in ("train", "val"):
        for number in range(8):
            write_noise(folder / "images" / split / f"{number}.png", number)
            label = folder / "labels" / split / f"{number}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(f"{number % 2} 0.5 0.5 0.4 0.4\n")
    description = folder / "data.yaml"
    description.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames: {{0: a, 1: b}}\n")
    return description


def train_ultralytics(folder: Path, model: Any, data: Path) -> None:
    model.train(
        data=str(data),
        epochs=1,
        imgsz=32,
        batch=4,
        workers=0,
        device="cpu",
        project=str(folder / "yolo-runs"),
        plots=False,
        amp=False,
        verbose=False,
    )


@pytest.mark.parametrize(
    ("model_file", "make_data_set", "metrics"),
    [
        ("yolov8n-cls.yaml", make_images, {"train/loss", "metrics/accuracy_top1"}),
        ("yolov8n.yaml", make_boxes, {"train/box_loss", "val/box_loss"}),
    ],
    ids=["classification", "detection"],
)
def test_ultralytics(
    tmp_path: Path, workspace: Path, model_file: str, make_data_set: Callable[[Path], Path], metrics: set[str]
) -> None:
    """Arguments, losses and metrics of each epoch, and the best weights."""
    from ultralytics import YOLO

    from gittrack.integrations.ultralytics import add_callbacks

    model = YOLO(model_file)
    add_callbacks(model, name="y")
    train_ultralytics(tmp_path, model, make_data_set(tmp_path / "data"))
    record = only_record(workspace)
    assert record.params["imgsz"] == 32
    assert metrics <= set(record.metrics)
    assert record.artifacts[0].type == "model"


def test_ultralytics_by_itself(tmp_path: Path, workspace: Path) -> None:
    """`autolog` adds the callbacks."""
    from ultralytics import YOLO

    gittrack.autolog("ultralytics")
    train_ultralytics(tmp_path, YOLO("yolov8n-cls.yaml"), make_images(tmp_path / "data"))
    assert "train/loss" in only_record(workspace).metrics


ULTRALYTICS = """
import os, sys
del os.environ["PYTEST_CURRENT_TEST"]  # Ultralytics logs no tests
from gittrack.compat import dvclive
dvclive.install()
from ultralytics import YOLO
YOLO(sys.argv[1]).train(
    data=sys.argv[2], epochs=2, imgsz=32, batch=4, workers=0, device="cpu", project=sys.argv[3], plots=True, amp=False,
    verbose=False,
)
"""


@pytest.mark.parametrize(
    ("model", "make_data_set", "losses", "metrics"),
    [
        ("yolov8n-cls.yaml", make_images, ["loss"], ["accuracy_top1", "accuracy_top5"]),
        (
            "yolov8n.yaml",
            make_boxes,
            ["box_loss", "cls_loss", "dfl_loss"],
            ["mAP50(B)", "mAP50-95(B)", "precision(B)", "recall(B)"],
        ),
    ],
    ids=["classification", "detection"],
)
def test_the_dvclive_callbacks_of_ultralytics(
    tmp_path: Path,
    workspace: Path,
    model: str,
    make_data_set: Callable[[Path], Path],
    losses: list[str],
    metrics: list[str],
) -> None:
    """The library's own callbacks find `dvclive`: arguments, points of each epoch, images, and the best weights.

    Files, rows and the summary's step are those that DVCLive 3.49.1 wrote for the same trainings.
    """
    done = run_script(workspace, ULTRALYTICS, model, str(make_data_set(tmp_path / "data")), str(tmp_path / "yolo-runs"))
    assert done.returncode == 0, done.stderr
    assert "imgsz: 32\n" in Path("dvclive/params.yaml").read_text()
    latest = json.loads(Path("dvclive/metrics.json").read_text())
    assert set(latest) == {"train", "metrics", "val", "lr", "model", "step"}
    assert latest["step"] == 1
    names = {
        *(f"{split}/{loss}" for split in ("train", "val") for loss in losses),
        *(f"metrics/{metric}" for metric in metrics),
        *(f"lr/pg{group}" for group in range(3)),
    }
    folder = Path("dvclive/plots/metrics")
    tables = {path.relative_to(folder).with_suffix("").as_posix(): path.read_text() for path in folder.rglob("*.tsv")}
    assert set(tables) == names
    for text in tables.values():
        assert [row.split("\t")[0] for row in text.splitlines()] == ["step", "0", "1"]
    assert Path("dvclive/plots/sklearn/cf.json").exists()
    assert Path("dvclive/plots/images/val/val_batch_pred/0.jpg").exists()
    record = only_record(workspace)
    assert record.meta.status == "completed"
    for loss in losses:
        assert steps_of(workspace, f"val/{loss}") == [0, 1]
        # Logged once more after the last step, with `plot=False`: a point of the series, but no row of the file.
        assert steps_of(workspace, f"train/{loss}") == [0, 1, 2]
    assert record.params["imgsz"] == 32
    assert {entry.kind for entry in record.plots} >= {"image", "confusion_matrix"}
    # Ultralytics asks for `cache_images`, which makes their folder an artifact.
    assert {(entry.name, entry.path, entry.type) for entry in record.artifacts} == {
        ("best", "dvclive/artifacts/best.pt", "model"),
        ("images", "dvclive/plots/images", None),
    }
