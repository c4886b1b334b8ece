"""XGBoost, LightGBM and CatBoost: their callbacks, native and of DVCLive, and `autolog`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import pytest
import xgboost

import gittrack
from gittrack.compat.dvclive import Live
from gittrack.compat.dvclive.lgbm import DVCLiveCallback as LightGBMLive
from gittrack.compat.dvclive.utils import parse_metrics
from gittrack.compat.dvclive.xgb import DVCLiveCallback as XGBoostLive
from gittrack.experiments.series import parse_series
from gittrack.integrations.catboost import GittrackCallback as CatBoostCallback
from gittrack.integrations.lightgbm import GittrackCallback as LightGBMCallback
from gittrack.integrations.xgboost import GittrackCallback as XGBoostCallback
from tests.support.reading import only_record, records
from tests.support.training_data import make_data

X, Y = make_data()
PARAMS = {"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "max_depth": 2}


def train_xgboost(n_rounds: int = 5, **arguments: Any) -> xgboost.Booster:
    data = xgboost.DMatrix(X, Y)
    evals = [(data, "train"), (xgboost.DMatrix(X[:40], Y[:40]), "val")]
    return xgboost.train(PARAMS, data, n_rounds, evals=evals, verbose_eval=False, **arguments)


def train_lightgbm(n_rounds: int = 5, **arguments: Any) -> Any:
    data = lightgbm.Dataset(X, Y)
    params = {"objective": "binary", "metric": "auc", "num_leaves": 4, "verbose": -1}
    valid = [data, lightgbm.Dataset(X[:40], Y[:40], reference=data)]
    return lightgbm.train(params, data, n_rounds, valid_sets=valid, valid_names=["train", "val"], **arguments)


def steps_of(folder: Path, name: str) -> list[int]:
    series = only_record(folder).series
    assert series is not None
    return list(parse_series(series)[name].steps)


def test_xgboost(workspace: Path) -> None:
    """Each metric of each set, at each round; a run of its own ends with the training, the model is kept."""
    results: dict[str, Any] = {}
    train_xgboost(evals_result=results, callbacks=[XGBoostCallback(name="xgb", log_model=True)])
    record = only_record(workspace)
    assert record.meta.status == "completed"
    assert steps_of(workspace, "val/auc") == [0, 1, 2, 3, 4]
    assert record.metrics["train/logloss"].last == results["train"]["logloss"][-1]
    assert record.artifacts[0].type == "model"


def test_xgboost_in_an_open_run(workspace: Path) -> None:
    """The open run is logged to, and goes on after the training."""
    with gittrack.Run(name="mine") as run:
        train_xgboost(3, callbacks=[XGBoostCallback()])
        run.log_metric("after", 1)
    assert set(records(workspace)) == {"mine"}
    assert {"after", "train/auc"} <= set(only_record(workspace).metrics)


def test_lightgbm(workspace: Path) -> None:
    """Params once, metrics at each iteration."""
    train_lightgbm(callbacks=[LightGBMCallback(name="lgbm")])
    assert steps_of(workspace, "val/auc") == [0, 1, 2, 3, 4]
    assert only_record(workspace).params["num_leaves"] == 4


def test_catboost(workspace: Path) -> None:
    """Metrics at each iteration; params and best values at the end."""
    model = catboost.CatBoostClassifier(iterations=5, depth=2, verbose=False, allow_writing_files=False)
    callback = CatBoostCallback(name="cat")
    model.fit(X, Y, eval_set=(X[:40], Y[:40]), callbacks=[callback])
    callback.end(model)
    assert steps_of(workspace, "validation/Logloss") == [0, 1, 2, 3, 4]
    assert only_record(workspace).params["depth"] == 2
    assert "best/validation/Logloss" in only_record(workspace).metrics


def test_autolog_of_all_three(workspace: Path) -> None:
    """Plain calls are logged, the interface of scikit-learn too, each into a run of its own; off is off."""
    assert {"xgboost", "lightgbm", "catboost"} <= set(gittrack.autolog("xgboost", "lightgbm", "catboost"))
    gittrack.autolog("xgboost", "lightgbm", "catboost")
    train_xgboost(3)
    train_lightgbm(3)
    xgboost.XGBClassifier(n_estimators=3).fit(X, Y, eval_set=[(X, Y)], verbose=False)
    catboost.CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False).fit(X, Y)
    gittrack.autolog_off()
    train_xgboost(3)
    found = sorted(max(record.metrics) for record in records(workspace).values())
    assert found == ["learn/Logloss", "val/auc", "val/logloss", "validation_0/logloss"]
    assert {record.meta.status for record in records(workspace).values()} == {"completed"}
    assert {record.params.get("max_depth") for record in records(workspace).values()} >= {2}


def test_autolog_of_a_failing_training(workspace: Path) -> None:
    """The error arrives as it was, and the experiment has failed."""
    gittrack.autolog("xgboost")
    with pytest.raises(xgboost.core.XGBoostError):
        xgboost.train({"objective": "no:such"}, xgboost.DMatrix(X, Y), 2)
    assert {record.meta.status for record in records(workspace).values()} == {"failed"}


def test_dvclive_callbacks(workspace: Path) -> None:
    """Names and points are those of the original."""
    train_xgboost(3, callbacks=[XGBoostLive(dir="xgb")])
    assert json.loads(Path("xgb/metrics.json").read_text()).keys() == {"train", "val", "step"}
    assert len(Path("xgb/plots/metrics/val/auc.tsv").read_text().splitlines()) == 4
    live = Live("lgbm", save_dvc_exp=False)
    train_lightgbm(3, callbacks=[LightGBMLive(live=live)])
    live.end()
    history, latest = parse_metrics(live)
    assert {path.removeprefix("lgbm/plots/metrics/") for path in history} == {"train/auc.tsv", "val/auc.tsv"}
    assert latest["step"] == 2
    assert len(records(workspace)) == 1
