"""scikit-learn and Optuna."""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image
from sklearn import calibration, metrics
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import gittrack
from gittrack.compat.dvclive.optuna import DVCLiveCallback
from gittrack.experiments.series import parse_series
from gittrack.integrations.optuna import GittrackCallback
from gittrack.integrations.sklearn import fit, log_search
from gittrack.live_files.errors import InvalidDataTypeError
from tests.support.reading import only_record, records
from tests.support.training_data import make_data

X, Y = make_data()
optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_fit(workspace: Path) -> None:
    """Params, the score on the data and the time it took."""
    model = fit(LogisticRegression(C=0.5), X, Y)
    record = only_record(workspace)
    assert record.params["class"] == "LogisticRegression"
    assert record.params["C"] == 0.5
    assert record.metrics["train/score"].last == model.score(X, Y)


def test_a_fit_that_fails(workspace: Path) -> None:
    """The error arrives as it was, and the experiment has failed."""
    with pytest.raises(ValueError, match="inconsistent"):
        fit(LogisticRegression(), X, Y[:3])
    assert only_record(workspace).meta.status == "failed"


def test_a_search(workspace: Path) -> None:
    """The candidates are a series, the best has its params."""
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1, 10]}, cv=3).fit(X, Y)
    log_search(search)
    record = only_record(workspace)
    assert record.series is not None
    assert list(parse_series(record.series)["mean_test_score"].values) == search.cv_results_["mean_test_score"].tolist()
    assert record.params["best.C"] == search.best_params_["C"]


def test_autolog(workspace: Path) -> None:
    """What is fitted within a pipeline, an ensemble or a search is part of it: one experiment for each call."""
    gittrack.autolog("sklearn")
    LogisticRegression().fit(X, Y)
    make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    RandomForestClassifier(n_estimators=3).fit(X, y=Y)
    GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2).fit(X, Y)
    StandardScaler().fit(X)
    found = sorted(str(record.params["class"]) for record in records(workspace).values())
    assert found == ["GridSearchCV", "LogisticRegression", "Pipeline", "RandomForestClassifier"]
    assert all("train/score" in record.metrics for record in records(workspace).values())


def objective(trial: Any) -> float:
    x = trial.suggest_float("x", -1, 1)
    trial.report(x, 0)
    trial.report(x / 2, 1)
    if trial.number == 1:
        raise optuna.TrialPruned
    return float(x * x)


def test_optuna(workspace: Path) -> None:
    """A trial is an experiment with its params, what it reported and its state; the study is the group."""
    study = optuna.create_study(study_name="s", sampler=optuna.samplers.RandomSampler(0))
    study.optimize(objective, n_trials=3, callbacks=[GittrackCallback("loss")])
    found = {record.meta.tags["trial"]: record for record in records(workspace).values()}
    assert sorted(found) == [0, 1, 2]  # type: ignore[type-var]
    assert {record.meta.group for record in found.values()} == {"s"}
    assert found[0].params["x"] == study.trials[0].params["x"]
    assert found[0].metrics["loss"].last == study.trials[0].value
    assert found[1].meta.tags["state"] == "PRUNED"
    assert found[0].metrics["intermediate"].count == 2


def test_optuna_by_itself(workspace: Path) -> None:
    """`autolog` adds the callback; several objectives have numbered names."""
    gittrack.autolog("optuna")
    study = optuna.create_study(directions=["minimize", "maximize"])
    study.optimize(lambda trial: (trial.suggest_int("n", 1, 3), 2.0), n_trials=2)
    assert [sorted(record.metrics) for record in records(workspace).values()] == [["value_0", "value_1"]] * 2


def test_optuna_of_dvclive(workspace: Path) -> None:
    """Each trial is an experiment, its values the summary, its params the file."""
    study = optuna.create_study()
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1) ** 2, n_trials=2, callbacks=[DVCLiveCallback("loss")])
    last = study.trials[-1]
    assert json.loads(Path("dvclive-optuna/metrics.json").read_text()) == {"loss": last.value}
    assert Path("dvclive-optuna/params.yaml").read_text() == f"x: {last.params['x']!r}\n"
    assert [record.metrics["loss"].last for record in records(workspace).values()].count(last.value) == 1


def test_curves_are_those_of_scikit_learn() -> None:
    """Every number is that of the function that DVCLive calls, for scores with ties and with options."""
    random = np.random.default_rng(1)
    labels, scores = random.integers(0, 2, 500), random.integers(0, 50, 500) / 50
    with gittrack.Live(save_dvc_exp=False) as live:
        for kind in ("roc", "precision_recall", "det", "calibration"):
            live.log_sklearn_plot(kind, labels, scores)
        live.log_sklearn_plot("roc", labels, scores, name="weighted", sample_weight=scores + 1, drop_intermediate=False)
        live.log_sklearn_plot(
            "calibration", labels.tolist(), scores.tolist(), name="bins", n_bins=7, strategy="quantile"
        )
    expected = {
        "roc": metrics.roc_curve(labels, scores),
        "precision_recall": metrics.precision_recall_curve(labels, scores),
        "det": metrics.det_curve(labels, scores),
        "calibration": calibration.calibration_curve(labels, scores),
        "weighted": metrics.roc_curve(labels, scores, sample_weight=scores + 1, drop_intermediate=False),
        "bins": calibration.calibration_curve(labels, scores, n_bins=7, strategy="quantile"),
    }
    for name, columns in expected.items():
        (rows,) = json.loads(Path(f"dvclive/plots/sklearn/{name}.json").read_text()).values()
        for column, values in zip(zip(*(row.values() for row in rows), strict=True), columns, strict=True):
            assert np.allclose([float(value) for value in column], values[: len(rows)], rtol=0, atol=1e-12), name


def test_images() -> None:
    """Arrays, figures, Pillow's images and paths are written, and read back as what they were."""
    pixels = (np.arange(300) % 256).astype(np.uint8).reshape(10, 10, 3)
    Image.fromarray(pixels).save("in.png")
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    with gittrack.Live() as live:
        live.log_image("array.png", pixels)
        live.log_image("steps/0.jpg", Image.fromarray(pixels))
        live.log_image("path", "in.png")
        live.log_image("figure.png", figure)
        with pytest.raises(InvalidDataTypeError):
            live.log_image("bad.png", np.zeros((2, 2, 7)))
        with pytest.raises(FileNotFoundError):
            live.log_image("missing.png", "missing.png")
    folder = Path("dvclive/plots/images")
    assert sorted(path.name for path in folder.rglob("*.*")) == ["0.jpg", "array.png", "figure.png", "path.png"]
    assert np.array_equal(np.asarray(Image.open(folder / "array.png")), pixels)
    assert np.array_equal(np.asarray(Image.open(folder / "path.png")), pixels)
    assert not plt.fignum_exists(figure.number)
    assert "- dvclive/plots/images\n" in Path("dvc.yaml").read_text()


def test_cached_images_are_an_artifact(workspace: Path) -> None:
    """With `cache_images` the folder has a pointer, and its files are not in the experiment's tree."""
    with gittrack.Live(cache_images=True) as live:
        live.log_image("a.png", np.zeros((2, 2, 3), np.uint8))
    (entry,) = only_record(workspace).artifacts
    assert entry.path == "dvclive/plots/images"


def test_datapoints_of_pandas_and_numpy() -> None:
    """Frames and arrays become rows with Python's own numbers."""
    with gittrack.Live(save_dvc_exp=False) as live:
        live.log_plot("frame", pd.DataFrame({"x": [1, 2], "y": [0.5, np.nan]}), x="x", y="y")
        live.log_plot("plain", np.array([[1, 2], [3, 4]]), x="0", y="1")
        live.log_plot("named", np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]), x="a", y="b")
    rows = {
        name: json.loads(Path(f"dvclive/plots/custom/{name}.json").read_text()) for name in ("frame", "plain", "named")
    }
    assert rows["frame"] == [{"x": 1, "y": 0.5}, {"x": 2, "y": "nan"}]
    assert rows["plain"] == [{"0": 1, "1": 2}, {"0": 3, "1": 4}]
    assert rows["named"] == [{"a": 1, "b": 2.5}]


def test_the_system_is_monitored() -> None:
    """CPU, memory and disk are metrics; nothing is warned of where there is no GPU."""
    with warnings.catch_warnings(), gittrack.Live(save_dvc_exp=False) as live:
        warnings.simplefilter("error")
        live.monitor_system(interval=0.01, num_samples=1)
        while "system" not in live.summary:
            time.sleep(0.05)
    assert set(live.summary["system"]) >= {"cpu", "ram", "disk"}
    text = Path("dvclive/plots/metrics/system/cpu/usage (%).tsv").read_text()
    assert text.startswith("timestamp\tstep\tusage (%)\n")
    assert not Path("dvclive/plots/metrics/system/cpu/count.tsv").exists()
