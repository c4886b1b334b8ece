"""`gittrack.Live`: DVCLive's files, and an experiment in git."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gittrack
from gittrack.experiments.series import parse_series
from gittrack.live_files import errors
from gittrack.runs.recovery import close_dead_runs
from tests.support import dvclive_script
from tests.support.git_repository import open_repository
from tests.support.reading import only_record, records, tip_of
from tests.support.recorded import run_script, start_script
from tests.support.untouched import own_state

if TYPE_CHECKING:
    from collections.abc import Callable

    Git = Callable[..., str]

RECORDED = Path(__file__).parents[1] / "data/dvclive-3.49.1.json"


pytestmark = pytest.mark.usefixtures("in_repository_without_dvc")


def test_the_files_are_those_of_dvclive(repo_dir: Path) -> None:
    """Byte for byte what DVCLive 3.49.1 wrote, but for a number that JSON does not have; resumed, too."""
    expected = json.loads(RECORDED.read_text(encoding="utf-8"))
    (repo_dir / "dvc.yaml").write_text(dvclive_script.DVC_YAML, encoding="utf-8")
    for part, files in zip((dvclive_script.log_all, dvclive_script.log_more), expected, strict=True):
        part(gittrack.Live)
        written = dvclive_script.read_files(repo_dir)
        assert set(written) == set(files)
        for path, text in files.items():
            assert written[path] == text.replace(" Infinity", ' "inf"'), path
    assert "Infinity" not in "".join(written.values())


def test_the_experiment_has_what_was_logged_and_the_files(repo_dir: Path, git: Git) -> None:
    """Params, series and texts are in the record, the files in its tree, and the repository is as it was."""
    before = own_state(repo_dir)
    with gittrack.Live(exp_name="one", exp_message="first") as live:
        live.log_params({"lr": 0.1, "model": {"units": [1, 2]}})
        for step in range(3):
            live.log_metric("train/loss", 1 / (step + 1))
            live.log_metric("stage", "warm-up")
            live.next_step()
        live.summary["best"] = 7
    assert own_state(repo_dir) == before
    record = only_record(repo_dir)
    assert {name: record.params[name] for name in ("lr", "model.units")} == {"lr": 0.1, "model.units": [1, 2]}
    assert record.meta.name == "one"
    assert record.meta.description == "first"
    assert record.meta.status == "completed"
    assert record.meta.tags == {"stage": "warm-up"}
    assert {name: summary.last for name, summary in record.metrics.items()} == {"train/loss": 1 / 3, "best": 7}
    assert record.series is not None
    assert list(parse_series(record.series)["train/loss"].steps) == [0, 1, 2]
    listed = git("ls-tree", "-r", "--name-only", tip_of(repo_dir, "one")).splitlines()
    assert {"dvc.yaml", "dvclive/metrics.json", "dvclive/params.yaml", "dvclive/plots/metrics/train/loss.tsv"} <= set(
        listed
    )
    blob = git("show", f"{tip_of(repo_dir, 'one')}:dvclive/metrics.json")
    assert json.loads(blob) == json.loads(Path("dvclive/metrics.json").read_text())


def test_an_exception_makes_a_failed_experiment(repo_dir: Path) -> None:
    """A crashed run is told from a finished one, and keeps what it logged."""

    def train() -> None:
        with gittrack.Live() as live:
            live.log_metric("loss", 1.5)
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        train()
    record = only_record(repo_dir)
    assert record.meta.status == "failed"
    assert record.metrics["loss"].last == 1.5


def test_what_a_killed_script_logged_is_kept(repo_dir: Path) -> None:
    """Half a second after the call a point is in its file, and in the experiment that the next command records."""
    script = """
import gittrack, sys, time
live = gittrack.Live(exp_name="killed")
live.log_param("lr", 0.5)
live.log_metric("loss", 0.25)
live.next_step()
live.log_metric("loss", 0.125)
print("logged", flush=True)
time.sleep(60)
"""
    process = start_script(repo_dir, script)
    assert process.stdout is not None
    assert process.stdout.readline() == "logged\n"
    path = repo_dir / "dvclive/plots/metrics/loss.tsv"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (not path.exists() or len(path.read_text().splitlines()) < 3):
        time.sleep(0.05)
    time.sleep(1.5)  # the run's own journal, and what starts beside it
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert path.read_text() == "step\tloss\n0\t0.25\n1\t0.125\n"
    close_dead_runs(open_repository(repo_dir))
    record = only_record(repo_dir)
    assert record.meta.status == "killed"
    assert record.params["lr"] == 0.5
    assert record.metrics["loss"].last == 0.125


@pytest.mark.parametrize(("ending", "status"), [("", "completed"), ("raise ValueError", "failed")])
def test_a_script_that_ends_without_a_word_has_its_files(repo_dir: Path, ending: str, status: str) -> None:
    """Without `end`, what was logged last is in the files and in the experiment."""
    script = f"import gittrack; live = gittrack.Live(); live.log_metric('loss', 1); live.next_step(); {ending}"
    run_script(repo_dir, script)
    assert json.loads(Path("dvclive/metrics.json").read_text()) == {"loss": 1, "step": 0}
    record = only_record(repo_dir)
    assert record.metrics["loss"].last == 1
    assert record.meta.status == status


def test_a_taken_name_gets_a_number_and_a_wrong_one_is_replaced(
    repo_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A name never stops a training: both are recorded, each with a warning."""
    for _ in range(2):
        gittrack.Live(exp_name="same").end()
    gittrack.Live(exp_name="no/slash").end()
    names = set(records(repo_dir))
    assert {"same", "same-2"} < names
    assert len(names) == 3
    assert "no/slash" in caplog.text


def test_logging_after_the_end_continues_the_experiment(repo_dir: Path) -> None:
    """A callback that ends the logger after each of two trainings makes one experiment of both."""
    live = gittrack.Live(exp_name="twice")
    live.log_metric("loss", 1)
    live.next_step()
    live.end()
    live.step = 1
    live.log_metric("loss", 2)
    live.next_step()
    live.end()
    record = only_record(repo_dir)
    assert record.series is not None
    assert list(parse_series(record.series)["loss"].values) == [1, 2]


def test_nothing_is_recorded_when_it_is_not_wanted(repo_dir: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """`save_dvc_exp=False`, and `dvc exp run`, which records itself, write the files alone."""
    with gittrack.Live(save_dvc_exp=False) as live:
        live.log_metric("loss", 1)
    monkeypatch.setenv("DVC_ROOT", str(repo_dir))
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "a" * 40)
    with gittrack.Live("other") as live:
        live.log_metric("loss", 1)
    assert json.loads((repo_dir / "other/metrics.json").read_text()) == {"loss": 1}
    assert git("for-each-ref", "refs/gittrack") == ""


def test_other_ranks_write_nothing(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In distributed training only the first rank has files and an experiment."""
    monkeypatch.setenv("RANK", "1")
    with gittrack.Live() as live:
        live.log_param("lr", 1)
        live.log_metric("loss", 1)
        live.log_plot("p", [{"x": 1, "y": 2}], x="x", y="y")
        live.next_step()
    assert not (repo_dir / "dvclive").exists()
    assert records(repo_dir) == {}


def test_a_new_logger_removes_only_its_own_files(repo_dir: Path) -> None:
    """What an earlier script logged goes, what somebody else put there stays, and no link is followed."""
    outside = repo_dir / "outside"
    outside.mkdir()
    (outside / "precious.txt").write_text("x")
    with gittrack.Live(save_dvc_exp=False) as live:
        live.log_metric("loss", 1)
    Path("dvclive/mine.txt").write_text("x")
    Path("dvclive/plots/images").symlink_to(outside)
    gittrack.Live(save_dvc_exp=False)
    assert sorted(path.name for path in Path("dvclive").rglob("*")) == ["mine.txt", "plots"]
    assert (outside / "precious.txt").exists()


def test_a_resumed_checkpoint_doubles_no_step(repo_dir: Path) -> None:
    """Going back to an earlier step replaces the points from there on."""
    live = gittrack.Live(save_dvc_exp=False)
    for value in range(5):
        live.log_metric("loss", value)
        live.next_step()
    live.end()
    live = gittrack.Live(save_dvc_exp=False, resume=True)
    assert live.step == 5
    live.step = 3
    live.log_metric("loss", 30)
    live.end()
    assert Path("dvclive/plots/metrics/loss.tsv").read_text() == "step\tloss\n0\t0\n1\t1\n2\t2\n3\t30\n"
    assert repo_dir.exists()


class Opaque:
    """A value of no type that can be logged."""


@pytest.mark.parametrize("value", [Opaque(), {1: Opaque()}, [Opaque()]])
def test_a_param_that_cannot_be_held_changes_nothing(value: object) -> None:
    """The error names the type, and `params.yaml` keeps what it held (DVCLive empties it)."""
    with gittrack.Live(save_dvc_exp=False) as live:
        live.log_param("lr", 0.1)
        with pytest.raises(errors.InvalidParameterTypeError):
            live.log_params({"good": 1, "bad": value})
        live.log_param("after", 2)
    assert Path("dvclive/params.yaml").read_text() == "lr: 0.1\nafter: 2\n"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (np.float32(0.5), "0.5"),
        (np.int8(3), "3"),
        (np.array(2.5), "2.5"),
        (True, "True"),
        pytest.param(10**400, str(10**400), id="wide"),
    ],
)
def test_numbers_of_other_types(value: object, cell: str) -> None:
    """Numpy's scalars, arrays of one element and wide integers are written as numbers."""
    with gittrack.Live(save_dvc_exp=False) as live:
        live.log_metric("m", value)
    assert Path("dvclive/plots/metrics/m.tsv").read_text() == f"step\tm\n0\t{cell}\n"


@pytest.mark.parametrize(
    "value", [None, [1.0], {"a": 1}, 1 + 2j, b"x", np.bool_(True), np.zeros(2), pytest.param(10**5000, id="digits")]
)
def test_what_is_no_metric_is_refused_at_once(value: object) -> None:
    """A named error, and no file."""
    with gittrack.Live(save_dvc_exp=False) as live, pytest.raises(errors.InvalidDataTypeError):
        live.log_metric("m", value)
    assert not Path("dvclive/plots").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "../out", "a/../../out", "/etc/out", "nul\0", "x" * 300, 3])
def test_a_name_stays_in_the_folder(name: Any) -> None:
    """Metrics, plots and images alike."""
    with gittrack.Live(save_dvc_exp=False) as live:
        for log in (
            lambda: live.log_metric(name, 1),
            lambda: live.log_plot(name, [{"x": 1, "y": 1}], x="x", y="y"),
            lambda: live.log_sklearn_plot("confusion_matrix", [1], [1], name=name or "../x"),
        ):
            with pytest.raises(errors.InvalidNameError):
                log()


def test_a_metric_within_a_metric_is_refused() -> None:
    """A value cannot hold others; what was there stays."""
    with gittrack.Live(save_dvc_exp=False) as live:
        live.log_metric("loss", 1)
        with pytest.raises(errors.LiveError, match="would be within 'loss'"):
            live.log_metric("loss/train", 1)
    assert json.loads(Path("dvclive/metrics.json").read_text()) == {"loss": 1}


def test_wrong_options_are_refused() -> None:
    """A report, a file for DVC or a kind of plot that does not exist."""
    with pytest.raises(errors.InvalidReportModeError, match="pdf"):
        gittrack.Live(report="pdf")  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidDvcyamlError):
        gittrack.Live(dvcyaml="dvc.yml")
    with gittrack.Live(save_dvc_exp=False) as live:
        with pytest.raises(errors.InvalidPlotTypeError, match="no_such"):
            live.log_sklearn_plot("no_such", [0, 1], [0.1, 0.9])
        with pytest.raises(errors.InvalidDataTypeError):
            live.log_plot("p", "text", x="x", y="y")
        with pytest.raises(errors.InvalidDataTypeError):
            live.log_artifact(3)  # type: ignore[arg-type]
        with pytest.raises(errors.InvalidImageNameError):
            live.log_image("name.txt", "x.png")


@pytest.mark.parametrize(("labels", "scores"), [([], []), ([0, 1], [0.5]), ([1, 1], [0.1, 0.9])])
def test_labels_that_make_no_curve_are_refused(labels: list[int], scores: list[float]) -> None:
    """Empty, of unequal length, of one class: an error, and no file."""
    with gittrack.Live(save_dvc_exp=False) as live, pytest.raises(gittrack.UsageError):
        live.log_sklearn_plot("roc", labels, scores)
    assert not Path("dvclive/plots/sklearn").exists()


@pytest.mark.parametrize("content", ["- a list\n", "a: [unclosed\n", "params: 3\n"])
def test_a_foreign_dvc_yaml_is_left_alone(content: str, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is no dvc.yaml stops nothing and stays as it is."""
    Path("dvc.yaml").write_text(content)
    with gittrack.Live(save_dvc_exp=False) as live:
        live.log_metric("loss", 1)
        live.next_step()
    assert Path("dvc.yaml").read_text() == content
    assert "dvc.yaml" in caplog.text


def test_an_artifact_is_in_the_experiment_and_in_dvc_yaml(repo_dir: Path) -> None:
    """What is said of it goes to both; a copy is the one that counts."""
    Path("model.pt").write_bytes(b"weights")
    with gittrack.Live(exp_name="a") as live:
        live.log_artifact("model.pt", type="model", name="net", labels=["x"], copy=True)
        with pytest.raises(FileNotFoundError):
            live.log_artifact("missing.pt")
    (entry,) = only_record(repo_dir).artifacts
    assert (entry.path, entry.type, entry.name) == ("dvclive/artifacts/model.pt", "model", "net")
    assert (
        Path("dvc.yaml")
        .read_text()
        .endswith("artifacts:\n  net:\n    path: dvclive/artifacts/model.pt\n    type: model\n    labels:\n    - x\n")
    )


def test_the_report_has_all_and_costs_the_same_at_every_step(repo_dir: Path) -> None:
    """Tables, charts and plots in one file without scripts or links; its size does not grow with the history."""
    with gittrack.Live(report="html", save_dvc_exp=False) as live:
        live.log_param("<b>lr</b>", "</table><script>")
        sizes = []
        for step in range(20_000):
            live.log_metric("loss", 1 / (step + 1))
            live.next_step()
            if step in {999, 19_999}:
                live.make_report()
                sizes.append(Path("dvclive/report.html").stat().st_size)
        live.log_sklearn_plot("confusion_matrix", ["<i>", "b"], ["b", "b"])
    text = Path("dvclive/report.html").read_text()
    assert sizes[1] < 1.5 * sizes[0]
    assert "<script" not in text
    assert "<b>" not in text
    assert "<i>" not in text
    assert text.count("<svg") == 2
    assert repo_dir.exists()


def test_the_report_in_markdown_has_its_charts_beside_it() -> None:
    """Charts are files that the report names."""
    with gittrack.Live(report="md", save_dvc_exp=False) as live:
        live.log_param("lr", "a|b")
        live.log_metric("train/loss", 1)
        live.next_step()
    text = Path("dvclive/report.md").read_text()
    assert text.startswith("# DVC Report\n\nparams.yaml\n\n| lr |\n| --- |\n| a\\|b |")
    assert "![train/loss](static/train/loss.svg)" in text
    assert Path("dvclive/static/train/loss.svg").read_text().startswith("<svg")


def test_a_full_disk_stops_no_training(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Points wait in memory and are written when the disk takes them again; one warning."""
    live = gittrack.Live(save_dvc_exp=False)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda _fd, _data: 0)
        for step in range(3):
            live.log_metric("loss", step)
            live.next_step()
            live.flush()
    live.log_metric("loss", 3)
    live.end()
    assert Path("dvclive/plots/metrics/loss.tsv").read_text() == "step\tloss\n0\t0\n1\t1\n2\t2\n3\t3\n"
    assert caplog.text.count("the disk refuses") == 1


def test_times_keep_their_column() -> None:
    """A metric that is logged with a time once, and once without, keeps its columns (DVCLive's shift)."""
    with gittrack.Live(save_dvc_exp=False) as live:
        live.log_metric("timed", 1, timestamp=True)
        live.log_metric("timed", 2)
        live.log_metric("plain", 1)
        live.log_metric("plain", 2, timestamp=True)
    head, first, second = Path("dvclive/plots/metrics/timed.tsv").read_text().splitlines()
    assert head == "timestamp\tstep\ttimed"
    assert abs(int(first.split("\t")[0]) / 1000 - time.time()) < 60
    assert second == "\t0\t2"
    assert Path("dvclive/plots/metrics/plain.tsv").read_text() == "step\tplain\n0\t1\n0\t2\n"


def test_variables_of_dvclive_count(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC_EXP_NAME names, DVCLIVE_RESUME resumes, DVCLIVE_TEST goes aside."""
    monkeypatch.setenv("DVC_EXP_NAME", "from-outside")
    with gittrack.Live() as live:
        live.step = 4
        live.log_metric("loss", 1)
        live.next_step()
    assert set(records(repo_dir)) == {"from-outside"}
    monkeypatch.setenv("DVCLIVE_RESUME", "true")
    assert gittrack.Live(save_dvc_exp=False).step == 5
    monkeypatch.setenv("DVCLIVE_TEST", "1")
    with gittrack.Live("aside") as live:
        live.log_metric("loss", 1)
    assert not (repo_dir / "aside").exists()


def test_nothing_of_all_this_warns(repo_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An ordinary script is quiet."""
    with caplog.at_level(logging.WARNING):
        dvclive_script.log_all(gittrack.Live)
    assert caplog.text == ""
    assert repo_dir.exists()


def test_another_logger_of_the_folder_finds_what_was_logged(repo_dir: Path) -> None:
    """One that nobody ended is written before the next one resumes, and appends nothing to what that one writes."""
    first = gittrack.Live(save_dvc_exp=False)
    for value in (0.9, 0.8):
        first.log_metric("loss", value)
        first.next_step()
    assert gittrack.Live(save_dvc_exp=False, resume=True).step == 2
    last = gittrack.Live(save_dvc_exp=False)
    last.log_metric("loss", 1)
    last.end()
    first.flush()
    assert Path("dvclive/plots/metrics/loss.tsv").read_text() == "step\tloss\n0\t1\n"
    assert repo_dir.exists()


def test_a_script_may_go_elsewhere(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files stay in the folder that was the current one at the start."""
    with gittrack.Live() as live:
        live.log_metric("loss", 1)
        (repo_dir / "elsewhere").mkdir()
        monkeypatch.chdir(repo_dir / "elsewhere")
        live.log_param("lr", 1)
        live.next_step()
    assert list((repo_dir / "elsewhere").iterdir()) == []
    assert (repo_dir / "dvclive/params.yaml").exists()
    assert (repo_dir / "dvc.yaml").read_text().startswith("params:\n- dvclive/params.yaml\n")


def test_a_forked_child_writes_nothing(repo_dir: Path) -> None:
    """The files are the parent's, and so is the experiment."""
    script = """
import os, time, gittrack
live = gittrack.Live(exp_name="parent")
live.log_metric("loss", 1)
if os.fork() == 0:
    live.log_metric("loss", 2)
    live.next_step()
    live.flush()
    live.end()
    os._exit(0)
os.wait()
live.end()
"""
    run_script(repo_dir, script)
    assert Path("dvclive/plots/metrics/loss.tsv").read_text() == "step\tloss\n0\t1\n"
    assert json.loads(Path("dvclive/metrics.json").read_text()) == {"loss": 1}
    assert only_record(repo_dir).metrics["loss"].last == 1


def test_params_that_contain_themselves_are_refused() -> None:
    """A named error, and nothing is changed."""
    params: dict[str, Any] = {"a": 1}
    params["self"] = params
    with gittrack.Live(save_dvc_exp=False) as live, pytest.raises(errors.InvalidParameterTypeError):
        live.log_params(params)
    assert not Path("dvclive/params.yaml").exists()


def test_the_machine_is_logged(repo_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Use as plots, what does not change in the summary alone; a folder that is not there is said once."""
    with gittrack.Live() as live:
        live.monitor_system(0.5, 1, {"main": str(repo_dir), "gone": str(repo_dir / "gone")})
        time.sleep(0.5)
    summary = json.loads(Path("dvclive/metrics.json").read_text(encoding="utf-8"))["system"]
    assert summary["cpu"]["count"] == os.cpu_count()
    assert 0 < summary["ram"]["usage (GB)"] < summary["ram"]["total (GB)"]
    assert summary["disk"]["usage (%)"].keys() == {"main"}
    plots = {path.relative_to("dvclive/plots/metrics/system").as_posix() for path in Path("dvclive").rglob("*.tsv")}
    assert {"cpu/usage (%).tsv", "disk/usage (GB)/main.tsv"} <= plots
    assert not [name for name in plots if "total" in name or "count" in name]
    said = [record.message for record in caplog.records]
    assert len([text for text in said if "Couldn't find directory" in text]) == 1
    assert [text for text in said if "`interval` is set to 0.1 seconds" in text]
    with pytest.raises(ValueError, match="should be a valid name"):
        live.monitor_system(directories_to_monitor={"a/../b": "/"})
