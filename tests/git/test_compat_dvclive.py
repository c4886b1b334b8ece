"""`gittrack.compat.dvclive`: code that was written for DVCLive runs after its import was changed."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gittrack.compat import dvclive
from gittrack.compat.dvclive import Live, dvc, env, error, install, serialize, utils, vscode
from gittrack.compat.dvclive.plots import PLOT_TYPES, SKLEARN_PLOTS, CustomPlot, Image, Metric, NumpyEncoder
from tests.support import dvclive_script
from tests.support.reading import only_record
from tests.support.recorded import run_script

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDED = Path(__file__).parents[1] / "data/dvclive-3.49.1.json"
# Module, its public names: those that the original has and others use.
SURFACE = {
    "dvc": "get_dvc_repo make_dvcyaml get_exp_name find_overlapping_stage ensure_dir_is_tracked",
    "env": "DVCLIVE_LOGLEVEL DVCLIVE_OPEN DVCLIVE_RESUME DVCLIVE_TEST DVC_EXP_BASELINE_REV DVC_EXP_NAME DVC_ROOT",
    "error": "DvcLiveError InvalidDataTypeError InvalidDvcyamlError InvalidImageNameError InvalidParameterTypeError "
    "InvalidPlotTypeError InvalidReportModeError",
    "lgbm": "DVCLiveCallback",
    "live": "Live ParamLike NULL_SHA logger",
    "monitor_system": "_SystemMonitor METRIC_CPU_COUNT METRIC_GPU_USAGE_PERCENT METRIC_VRAM_TOTAL_GB",
    "optuna": "DVCLiveCallback",
    "plots": "Metric Image CustomPlot SKLEARN_PLOTS PLOT_TYPES NumpyEncoder",
    "plots.base": "Data",
    "plots.custom": "CustomPlot",
    "plots.image": "Image",
    "plots.metric": "Metric",
    "plots.sklearn": "SKLearnPlot Roc PrecisionRecall Det ConfusionMatrix Calibration",
    "plots.utils": "NUMPY_INTS NUMPY_FLOATS NUMPY_SCALARS NumpyEncoder",
    "report": "make_report BLANK_NOTEBOOK_REPORT",
    "serialize": "load_yaml get_yaml dump_yaml dump_json make_dir YAMLError YAMLFileCorruptedError",
    "studio": "get_dvc_studio_config post_to_studio",
    "utils": "StrPath run_once open_file_in_browser env2bool standardize_metric_name parse_tsv parse_json "
    "parse_metrics matplotlib_installed inside_colab inside_notebook clean_and_copy_into isinstance_without_import "
    "catch_and_warn rel_path read_history read_latest convert_datapoints_to_list_of_dicts",
    "vscode": "mark_dvclive_step_completed cleanup_dvclive_step_completed mark_dvclive_only_started "
    "mark_dvclive_only_ended",
}


pytestmark = pytest.mark.usefixtures("in_repository_without_dvc")


@pytest.fixture
def installed() -> Iterator[None]:
    """Let ``import dvclive`` find gittrack for a moment."""
    dvclive.install()
    yield
    sys.modules[install.__module__].uninstall()


@pytest.mark.parametrize("module", SURFACE)
def test_modules_have_the_names_of_the_original(module: str) -> None:
    """What other libraries import is there."""
    home = importlib.import_module(f"gittrack.compat.dvclive.{module}")
    assert [name for name in SURFACE[module].split() if not hasattr(home, name)] == []


def test_the_arguments_of_live_are_those_of_the_original() -> None:
    """Names, order and defaults."""
    from gittrack import Live as Own

    shown = [f"{name}={parameter.default!r}" for name, parameter in inspect.signature(Own).parameters.items()]
    assert shown == [
        "dir='dvclive'",
        "resume=False",
        "report=None",
        "save_dvc_exp=True",
        "dvcyaml='dvc.yaml'",
        "cache_images=False",
        "exp_name=None",
        "exp_message=None",
        "monitor_system=False",
    ]


def test_the_files_are_those_of_dvclive(repo_dir: Path) -> None:
    """The same script, with the import changed."""
    expected = json.loads(RECORDED.read_text(encoding="utf-8"))[0]
    (repo_dir / "dvc.yaml").write_text(dvclive_script.DVC_YAML, encoding="utf-8")
    dvclive_script.log_all(Live)
    written = dvclive_script.read_files(repo_dir)
    assert written == {path: text.replace(" Infinity", ' "inf"') for path, text in expected.items()}
    assert only_record(repo_dir).metrics["loss"].last == 0.01


@pytest.mark.usefixtures("installed")
def test_other_libraries_find_it_under_its_name() -> None:
    """Modules are the same objects under both names, and the version is what a check asks for."""
    import dvclive as other
    from dvclive.plots.metric import Metric as OtherMetric

    assert other.Live is Live
    assert OtherMetric is Metric
    assert importlib.util.find_spec("dvclive") is not None
    assert importlib.util.find_spec("dvclive.utils") is not None
    assert importlib.util.find_spec("dvclive.no_such") is None
    assert importlib.metadata.version("dvclive") == "3.49.1"
    assert importlib.import_module("dvclive.utils") is utils
    assert utils.__spec__ is not None
    assert utils.__spec__.name == "gittrack.compat.dvclive.utils"


def test_it_is_not_found_unless_installed() -> None:
    """Importing gittrack changes nothing for others."""
    assert "dvclive" not in sys.modules
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("dvclive")


def test_neither_dvc_nor_dvclive_is_needed(repo_dir: Path) -> None:
    """A fresh process that cannot import them logs all the same."""
    script = """
import sys
sys.modules["dvc"] = None
from gittrack.compat.dvclive import Live
with Live() as live:
    live.log_metric("loss", 1)
print(sorted(name for name in sys.modules if name.split(".")[0] in {"dvc", "dvclive"}))
"""
    done = run_script(repo_dir, script)
    assert done.stdout == "['dvc']\n", done.stderr


def test_helpers_read_what_was_logged() -> None:
    """`parse_metrics`, `read_history` and `read_latest` see the newest values though files are written in blocks."""
    with Live(save_dvc_exp=False) as live:
        for step in range(3):
            live.log_metric("train/loss", step / 2)
            live.next_step()
            assert utils.read_latest(live, "train/loss") == (step, step / 2)
        assert utils.read_history(live, "train/loss") == ([0, 1, 2], [0.0, 0.5, 1.0])
        history, latest = utils.parse_metrics(live)
        assert [len(rows) for rows in history.values()] == [3]
        assert latest["step"] == 2


@pytest.mark.parametrize(
    ("name", "framework", "expected"),
    [
        ("train_loss", "dvclive.fastai", "train/loss"),
        ("valid_loss", "dvclive.fastai", "eval/loss"),
        ("eval_accuracy", "dvclive.huggingface", "eval/accuracy"),
        ("loss", "dvclive.keras", "train/loss"),
        ("val_loss", "dvclive.keras", "eval/loss"),
        ("train_loss_epoch", "dvclive.lightning", "train/epoch/loss"),
        ("val_my_metric", "dvclive.fabric", "val/my_metric"),
        ("train_step", "dvclive.lightning", "train/step"),
        ("epoch", "dvclive.lightning", "epoch"),
        ("other_loss_step", "dvclive.lightning", "other_loss_step"),
        ("loss", "somewhere.else", "loss"),
    ],
)
def test_names_of_metrics(name: str, framework: str, expected: str) -> None:
    """As the original maps them; the expected ones were made with it."""
    assert utils.standardize_metric_name(name, framework) == expected


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("TRUE", True), ("yes", True), ("0", False), ("", False)])
def test_variables_that_mean_yes(text: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the original reads them."""
    monkeypatch.setenv(env.DVCLIVE_OPEN, text)
    assert utils.env2bool(env.DVCLIVE_OPEN) is expected
    assert utils.env2bool("NOT_SET_AT_ALL", undefined=3) == 3


@pytest.mark.parametrize("value", [1, 1.5, "a", True, np.float32(1), np.uint8(1)])
def test_values_that_are_metrics(value: object) -> None:
    """Callbacks of other libraries ask before they log."""
    assert Metric.could_log(value)
    assert not Metric.could_log(np.bool_(True))
    assert not Metric.could_log(np.zeros(1))
    assert not Metric.could_log(None)


def test_kinds_of_data_write_their_files(repo_dir: Path) -> None:
    """The classes of `plots` work by themselves, too."""
    metric = Metric("a/b", "out/plots")
    metric.step = 3
    metric.dump(0.5)
    metric.step = 4
    metric.dump(1.5)
    assert metric.output_path.read_text() == "step\tb\n3\t0.5\n4\t1.5\n"
    assert metric.summary_keys == ["a", "b"]
    plot = CustomPlot("p.json", "out/plots", x="x", y="y", template=None)
    plot.dump([{"x": 1, "y": 2}])
    assert json.loads((repo_dir / "out/plots/custom/p.json").read_text()) == [{"x": 1, "y": 2}]
    roc = SKLEARN_PLOTS["roc"]("roc", "out/plots", title="mine")
    roc.dump(([0, 1], [0.2, 0.8]))
    assert roc.plot_config["title"] == "mine"
    assert roc.plot_config["x_label"] == "False Positive Rate"
    assert set(json.loads((repo_dir / "out/plots/sklearn/roc.json").read_text())) == {"roc"}
    assert {kind.subfolder for kind in PLOT_TYPES} == {"metrics", "images", "custom", "sklearn"}
    assert Image.could_log("path.png")
    assert json.dumps({"a": np.int64(3)}, cls=NumpyEncoder) == '{"a": 3}'


def test_exceptions_are_one_family() -> None:
    """`except DvcLiveError` catches all of them, and they say what they said."""
    with Live(save_dvc_exp=False) as live:
        with pytest.raises(error.DvcLiveError, match=r"Data 'm' has not supported type <class 'list'>") as raised:
            live.log_metric("m", [])
        assert isinstance(raised.value, error.InvalidDataTypeError)
        assert (raised.value.name, raised.value.val) == ("m", list)
        with pytest.raises(error.InvalidParameterTypeError):
            live.log_param("p", object())
        with pytest.raises(error.InvalidPlotTypeError, match="Supported types are"):
            live.log_sklearn_plot("foo", [0, 1], [0, 1])


def test_an_artifact_that_is_missing_is_only_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Code that logs the best of no checkpoints goes on, as with the original."""
    with caplog.at_level(logging.WARNING, "dvclive"), Live(save_dvc_exp=False) as live:
        live.log_artifact("missing.pt", type="model", copy=True)
        live.log_sklearn_plot("confusion_matrix", [], [])
        with pytest.raises(error.InvalidDataTypeError):
            live.log_artifact(None)
    assert "missing.pt" in caplog.text


def test_an_editor_is_told_where_dvc_is(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signals of a queue are files below `.dvc`; where there is none, nothing is made."""
    vscode.mark_dvclive_step_completed(1)
    with Live(save_dvc_exp=True):
        pass
    assert not (repo_dir / ".dvc").exists()
    (repo_dir / ".dvc").mkdir()
    signals = repo_dir / ".dvc/tmp/exps/run"
    with Live(exp_name="seen"):
        assert json.loads((signals / "DVCLIVE_ONLY").read_text()) == {"exp_name": "seen", "pid": os.getpid()}
    monkeypatch.setenv(env.DVC_ROOT, str(repo_dir))
    monkeypatch.setenv(env.DVC_EXP_BASELINE_REV, "a" * 40)
    with Live() as live:
        live.next_step()
        assert json.loads((signals / "DVCLIVE_STEP_COMPLETED").read_text())["step"] == 0
    assert list(signals.iterdir()) == []
    assert dvc.get_dvc_repo() is None


def test_files_of_yaml_and_json(tmp_path: Path) -> None:
    """What is written can be read again, and what is no YAML is an error of the family."""
    serialize.dump_yaml({"b": [1], "a": {"c": None}}, tmp_path / "in/a.yaml")
    assert (tmp_path / "in/a.yaml").read_text() == "b:\n- 1\na:\n  c:\n"
    assert serialize.load_yaml(tmp_path / "in/a.yaml") == {"b": [1], "a": {"c": None}}
    serialize.dump_json({"a": 1}, tmp_path / "a.json")
    assert utils.parse_json(tmp_path / "a.json") == {"a": 1}
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(serialize.YAMLError):
        serialize.load_yaml(tmp_path / "bad.yaml")


class Results:
    """What LightGBM and Optuna give to a callback."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def test_optuna_names() -> None:
    """One objective has the name, several have numbered ones, and names must fit."""
    from gittrack.compat.dvclive.optuna import DVCLiveCallback

    DVCLiveCallback(dir="o")(None, Results(values=[0.5], params={"x": 1}))
    assert json.loads(Path("o/metrics.json").read_text()) == {"metric": 0.5}
    DVCLiveCallback("loss", dir="o")(None, Results(values=[1, 2], params={"x": 1}))
    assert json.loads(Path("o/metrics.json").read_text()) == {"loss_0": 1, "loss_1": 2}
    with pytest.raises(ValueError, match="3 objective values, but 1 names"):
        DVCLiveCallback(["a"], dir="o")(None, Results(values=[1, 2, 3], params={}))


PIPELINE = """\
stages:
  train:
    cmd: python train.py
    wdir: work
    outs:
    - model.pt
    - ../dvclive:
        cache: false
  broken: 3
"""


def test_what_a_pipeline_does_not_keep_is_said(
    repo_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Within DVC an artifact that is no output of a stage is kept by nobody; one that is, or lies in one, is."""
    (repo_dir / ".dvc").mkdir()
    Path("dvc.yaml").write_text(PIPELINE)
    monkeypatch.setenv(env.DVC_ROOT, str(repo_dir))
    for name in ("work/model.pt", "dvclive/inner.bin", "dvclive-old"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("x")
    with caplog.at_level(logging.WARNING, "dvclive"), Live("elsewhere", save_dvc_exp=False) as live:
        for name in ("work/model.pt", "dvclive/inner.bin", "dvclive-old"):
            live.log_artifact(name)
    assert [record.getMessage() for record in caplog.records] == [
        "To track 'dvclive-old' automatically in the DVC pipeline, add it as an output of the pipeline stage."
    ]


def test_a_dvc_yaml_among_the_outputs_is_warned_of(repo_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """DVC removes outputs before a stage runs; in its place of usual nothing is said."""
    (repo_dir / ".dvc").mkdir()
    Path("dvc.yaml").write_text(PIPELINE)
    with caplog.at_level(logging.WARNING, "dvclive"):
        Live("dvclive", dvcyaml="dvclive/dvc.yaml", save_dvc_exp=False).end()
        Live("dvclive", save_dvc_exp=False).end()
    assert [record.getMessage() for record in caplog.records] == [
        "'dvclive/dvc.yaml' is in outputs of stage 'train'.\nRemove it from outputs to make DVCLive work as expected."
    ]


def test_a_name_that_dvc_could_not_read_stays_out_of_dvc_yaml(caplog: pytest.LogCaptureFixture) -> None:
    """A warning says so, and the others are there."""
    Path("x.bin").write_text("x")
    with caplog.at_level(logging.WARNING, "dvclive"), Live(save_dvc_exp=False) as live:
        live.log_artifact("x.bin", name="a b")
        live.log_artifact("x.bin", type="model")
    assert "Can't use 'a b' as artifact name (ID)" in caplog.text
    assert serialize.load_yaml("dvc.yaml") == {"artifacts": {"x": {"path": "x.bin", "type": "model"}}}


def test_each_call_is_told_at_the_level_of_debugging(caplog: pytest.LogCaptureFixture) -> None:
    """Values and steps as DVCLive tells them, and where a resumed script goes on."""
    with caplog.at_level(logging.DEBUG, "dvclive"):
        with Live(save_dvc_exp=False) as live:
            live.log_metric("foo", 0)
            live.next_step()
            live.log_metric("foo", 1)
            live.next_step()
        Live(save_dvc_exp=False, resume=True).end()
    told = [record.getMessage() for record in caplog.records if record.name == "dvclive"]
    assert told[:2] == ["Logged foo: 0", "Step: 1"]
    assert told[-1].startswith("Resuming from step ")


def test_an_experiment_that_is_not_recorded_has_a_name() -> None:
    """Code that asks for it gets one and the same text."""
    live = Live(save_dvc_exp=False)
    assert live._exp_name == live._exp_name != ""
    live.end()
