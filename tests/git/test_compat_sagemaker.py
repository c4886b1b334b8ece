"""`gittrack.compat.sagemaker` has the rules of SageMaker Experiments, minus its defects."""

from __future__ import annotations

import datetime as dt
import inspect
import json
import logging
import math
import pickle
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import gittrack
from gittrack.compat.sagemaker import Run, SortByType, SortOrderType, list_runs, load_run
from gittrack.compat.sagemaker.core.experiments.run import Run as RunOfVersion3
from gittrack.compat.sagemaker.experiments import Run as RunOfPackage
from gittrack.compat.sagemaker.experiments.run import Run as RunOfModule
from gittrack.experiments.series import parse_series
from tests.support.recorded import read_all, read_recorded, run_script, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OUTSIDE = "This method should be called inside context of 'with' statement."


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_dir)


def plot(git: Callable[..., str], name: str, file: str) -> Any:
    ref = next(line for line in git("for-each-ref", "--format=%(refname)").splitlines() if line.endswith(f"/{name}"))
    listed = json.loads(git("show", f"{ref}:.gittrack/plots.json"))
    (entry,) = [entry for entry in listed if entry["name"] == file]
    return json.loads(git("show", f"{ref}:.gittrack/plots/{entry['file']}"))


def test_all_spellings_are_the_same_class() -> None:
    """The package, `experiments` and `experiments.run` give one class."""
    assert Run is RunOfPackage is RunOfModule is RunOfVersion3
    assert (SortByType.NAME.value, SortOrderType.DESCENDING.value) == ("Name", "Descending")


# As the package sagemaker 2.257 says by `inspect`.
SIGNATURES = {
    Run: "experiment_name run_name experiment_display_name run_display_name tags sagemaker_session artifact_bucket "
    "artifact_prefix",
    load_run: "run_name experiment_name sagemaker_session artifact_bucket artifact_prefix tags",
    list_runs: "experiment_name created_before created_after sagemaker_session max_results next_token sort_by "
    "sort_order",
    Run.log_parameter: "self name value",
    Run.log_parameters: "self parameters",
    Run.log_metric: "self name value timestamp step",
    Run.log_artifact: "self name value media_type is_output",
    Run.log_file: "self file_path name media_type is_output extra_args",
    Run.log_confusion_matrix: "self y_true y_pred title is_output",
    Run.log_roc_curve: "self y_true y_score title is_output",
    Run.log_precision_recall: "self y_true predicted_probabilities positive_label title is_output no_skill",
    Run.close: "self",
}


@pytest.mark.parametrize(("called", "names"), SIGNATURES.items())
def test_signatures_are_those_of_the_original(called: Callable[..., Any], names: str) -> None:
    """Names and order of the arguments, so that calls by place and by name both work."""
    parameters = inspect.signature(called).parameters
    assert list(parameters) == names.split()
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}


def test_a_run_is_an_experiment_of_its_group(repo_dir: Path) -> None:
    """Names are in small letters; params, metrics and tags are recorded; the block decides the status."""
    with Run("My-Exp", "Run-1", run_display_name="One", tags=[{"Key": "team", "Value": "x"}]) as run:
        run.log_parameter("lr", 0.1)
        run.log_parameters({"layers": 3, "name": "a", "list": [1, 2], "bad": math.nan, "worse": math.inf})
        run.log_metric("loss", 1, step=3)
        run.log_metric("loss", "0.5", step=4)
        run.log_metric("nan", math.nan)
        assert (run.experiment_name, run.run_name, run.run_group_name) == (
            "my-exp",
            "run-1",
            "Default-Run-Group-my-exp",
        )
        assert run.experiment_config == {
            "ExperimentName": "my-exp",
            "TrialName": "Default-Run-Group-my-exp",
            "RunName": "my-exp-run-1",
        }
    record = read_recorded(repo_dir, "run-1")
    assert (record.meta.group, record.meta.status) == ("my-exp", "completed")
    assert record.meta.tags == {"team": "x", "sagemaker.run_display_name": "One"}
    logged = {key: record.params[key] for key in ("lr", "layers", "name", "list")}
    assert logged == {"lr": 0.1, "layers": 3, "name": "a", "list": "[1, 2]"}
    assert not {"bad", "worse"} & set(record.params)
    assert (record.metrics["loss"].last, record.metrics["loss"].step) == (0.5, 4)
    assert math.isnan(record.metrics["nan"].last)


def test_what_cannot_be_a_param_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """The warning is that of the original."""
    with Run("e", "r") as run:
        run.log_parameter("lr", math.nan)
    assert "Failed to log parameter lr. Received invalid value: nan." in caplog.messages


@pytest.mark.parametrize("tags", [{"a": "1", "b": 2}, [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]])
def test_both_forms_of_tags(repo_dir: Path, tags: Any) -> None:
    """A mapping and the list of keys and values mean the same."""
    with Run("e", "r", tags=tags):
        pass
    assert read_recorded(repo_dir, "r").meta.tags == {"a": "1", "b": "2"}


def test_other_tags_are_an_error() -> None:
    """Before anything is recorded."""
    with pytest.raises(ValueError, match="tags must be"):
        Run("e", "r", tags=["a"])


@pytest.mark.parametrize(
    "call",
    [
        lambda run: run.log_parameter("a", 1),
        lambda run: run.log_parameters({"a": 1}),
        lambda run: run.log_metric("a", 1),
        lambda run: run.log_artifact("a", "s3://b"),
        lambda run: run.log_file("train.py"),
        lambda run: run.log_confusion_matrix([0], [0]),
        lambda run: run.log_roc_curve([0, 1], [0, 1]),
        lambda run: run.log_precision_recall([0, 1], [0, 1]),
    ],
)
def test_logging_needs_the_block(repo_dir: Path, call: Callable[[Run], None]) -> None:
    """Before it, and after it."""
    run = Run("e", "r")
    with pytest.raises(RuntimeError, match=OUTSIDE):
        call(run)
    assert read_all(repo_dir) == {}
    with run:
        pass
    with pytest.raises(RuntimeError, match=OUTSIDE):
        call(run)


def test_names_are_limited() -> None:
    """59 characters each."""
    Run("e" * 59, "r" * 59)
    with pytest.raises(ValueError, match=r"The run_name \(length: 60\) must have length less than or equal to 59"):
        Run("e", "r" * 60)
    with pytest.raises(ValueError, match=r"The experiment_name \(length: 60\) must have length less than or equal to"):
        Run("e" * 60, "r")


def test_a_name_is_made_up() -> None:
    """By time and chance."""
    names = {Run("e").run_name for _ in range(20)}
    assert all(name.startswith("sagemaker-run-") for name in names)
    assert len(names) > 1


def test_a_failure_is_recorded(repo_dir: Path) -> None:
    """What leaves the block is the message."""
    with pytest.raises(KeyError, match="oops"), Run("e", "r"):
        raise KeyError("oops")
    meta = read_recorded(repo_dir, "r").meta
    assert meta.status == "failed"
    assert meta.message is not None
    assert "oops" in meta.message


def test_a_run_is_loaded_when_it_is_there(repo_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Said at the level of information; what is logged is added; new tags do not take effect."""
    with Run("e", "r", tags={"a": "1"}) as run:
        run.log_metric("m", 1)
    with caplog.at_level(logging.INFO):
        again = Run("E", "R", tags={"a": "2"})
    assert "The run (r) under experiment (e) already exists. Loading it." in caplog.messages
    with again as run:
        run.log_metric("m", 2)
    record = read_recorded(repo_dir, "r")
    assert (record.metrics["m"].count, record.meta.tags) == (2, {"a": "1"})


def test_a_run_is_entered_again(repo_dir: Path) -> None:
    """The same object, one commit for each block."""
    run = Run("e", "r")
    for value in (1, 2, 3):
        with run:
            run.log_metric("m", value)
    assert read_recorded(repo_dir, "r").metrics["m"].count == 3
    settle(repo_dir)


def test_runs_of_one_name_in_two_experiments(repo_dir: Path) -> None:
    """The second one has the name that SageMaker gives to all."""
    for experiment in ("one", "two"):
        with Run(experiment, "r") as run:
            run.log_parameter("of", experiment)
    assert set(read_all(repo_dir)) == {"r", "two-r"}
    with load_run("r", "two") as run:
        run.log_metric("m", 1)
        assert run.experiment_config["RunName"] == "two-r"
    assert read_recorded(repo_dir, "two-r").metrics["m"].last == 1
    assert [(run.experiment_name, run.run_name) for run in list_runs("two")] == [("two", "r")]


def test_blocks_are_not_nested() -> None:
    """As in the original, and the outer one goes on."""
    with Run("e", "a") as outer:
        with pytest.raises(RuntimeError, match=r"It is not allowed to use nested 'with' statements on the Run\."):
            Run("e", "b").__enter__()
        with load_run() as inner:
            assert inner is outer
            with (
                pytest.raises(RuntimeError, match=r"nested 'with' statements on the load_run\."),
                load_run(),
            ):
                pass
            inner.log_metric("m", 1)
        outer.log_metric("m", 2)


def test_the_inner_block_does_not_end_the_run(repo_dir: Path) -> None:
    """The original says Completed while the outer block goes on; a run that was loaded and not entered is harmless."""
    with Run("e", "r") as run:
        with load_run():
            pass
        assert gittrack.list_runs("e")[0].status == "running"
        load_run().log_metric("m", 1)
        run.log_metric("m", 2)
    assert read_recorded(repo_dir, "r").metrics["m"].count == 2
    assert read_recorded(repo_dir, "r").meta.status == "completed"
    with Run("e", "other"):
        pass


def test_names_come_in_pairs(caplog: pytest.LogCaptureFixture) -> None:
    """A run's name needs that of its experiment, and alone that of an experiment is ignored."""
    with pytest.raises(ValueError, match="Invalid input: experiment_name is missing when run_name is supplied"):
        load_run(run_name="r")
    with pytest.raises(RuntimeError, match="Failed to load a Run object"):
        load_run(experiment_name="e")
    assert any("Ignoring the provided experiment_name" in message for message in caplog.messages)
    load_run("r", "e")
    assert any("will be prioritized" in message for message in caplog.messages)


def test_a_program_that_is_started_finds_the_run(repo_dir: Path) -> None:
    """By the environment, as a job of SageMaker does."""
    script = (
        "from gittrack.compat.sagemaker import load_run\n"
        "with load_run() as run: run.log_metric('child', 3); print(run.experiment_name, run.run_name)"
    )
    with Run("e", "r"):
        done = run_script(repo_dir, script)
    assert (done.returncode, done.stdout.split()) == (0, ["e", "r"]), done.stderr
    assert read_recorded(repo_dir, "r").metrics["child"].last == 3


def test_a_thread_finds_the_run_and_does_not_end_it(repo_dir: Path) -> None:
    """What a thread loads is the run of its process."""

    def work() -> None:
        with load_run() as run:
            run.log_metric("thread", 1)

    with Run("e", "r") as run:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        run.log_metric("main", 1)
    assert set(read_recorded(repo_dir, "r").metrics) >= {"thread", "main"}


@pytest.mark.parametrize("shift_s", [-1_209_500, 0, 7_100])
def test_times_within_the_window(repo_dir: Path, shift_s: int) -> None:
    """Two weeks back and two hours ahead; a time without a zone is local."""
    seconds = float(int(time.time() + shift_s))
    with Run("e", "r") as run:
        run.log_metric("aware", 1, dt.datetime.fromtimestamp(seconds, dt.timezone.utc))
        run.log_metric("naive", 1, dt.datetime.fromtimestamp(seconds))  # noqa: DTZ006  that is the point
        run.log_metric("number", 1, seconds)  # type: ignore[arg-type]  the original takes it
    series = parse_series(read_recorded(repo_dir, "r").series or b"")
    assert {name: one.times[0] for name, one in series.items()} == dict.fromkeys(("aware", "naive", "number"), seconds)


@pytest.mark.parametrize("shift_s", [-1_209_700, 7_300])
def test_times_outside_of_the_window(shift_s: int) -> None:
    """Are refused, and nothing is logged."""
    when = dt.datetime.fromtimestamp(time.time() + shift_s, dt.timezone.utc)
    with Run("e", "r") as run, pytest.raises(ValueError, match="Timestamps must be between two weeks before"):
        run.log_metric("m", 1, when)


@pytest.mark.parametrize("step", [1.0, "1"])
def test_steps_are_integers(step: Any) -> None:
    """The text is that of the original."""
    with Run("e", "r") as run, pytest.raises(ValueError, match=r"step must be int\."):
        run.log_metric("m", 1, step=step)


def test_values_are_overwritten_by_name(git: Callable[..., str]) -> None:
    """More than thirty are fine; inputs and outputs of one name do not meet."""
    with Run("e", "r") as run:
        for number in range(40):
            run.log_artifact(f"a{number}", "s3://bucket/key", "text/plain")
        run.log_artifact("a0", "s3://bucket/other", is_output=True)
        run.log_artifact("a0", "s3://bucket/in", is_output=False)
    assert plot(git, "r", "outputs/a0")["values"] == {"value": "s3://bucket/other"}
    assert plot(git, "r", "inputs/a0")["values"] == {"value": "s3://bucket/in"}
    assert plot(git, "r", "outputs/a39")["values"] == {"value": "s3://bucket/key", "media_type": "text/plain"}


def test_files_are_artifacts(repo_dir: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files of one basename both stay; inputs are known by their digest; the home folder is found."""
    for folder in ("a", "b"):
        (repo_dir / folder).mkdir()
        (repo_dir / folder / "model.json").write_text(folder, encoding="utf-8")
    monkeypatch.setenv("HOME", str(repo_dir / "a"))
    with Run("e", "r") as run:
        run.log_file("~/model.json", extra_args={"ACL": "private"})
        run.log_file("b/model.json", name="second")
        run.log_file("train.py", is_output=False)
        with pytest.raises(ValueError, match=r"does not exist or is not a file\. Please supply a file path\."):
            run.log_file("a")
    record = read_recorded(repo_dir, "r")
    assert [entry.path for entry in record.artifacts] == ["a/model.json", "b/model.json"]
    assert record.artifacts[0].meta == {
        "name": "model.json",
        "media_type": "application/json",
        "extra_args": {"ACL": "private"},
    }
    assert [entry.path for entry in record.inputs] == ["train.py"]
    assert plot(git, "r", "outputs/second")["values"]["value"] == "b/model.json"


def test_graphs_are_the_documents_of_the_original(git: Callable[..., str]) -> None:
    """Each document as SageMaker writes it, beside a plot of our own."""
    truth, scores = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
    with Run("e", "r") as run:
        run.log_confusion_matrix(["cat", "dog", "cat"], ["cat", "cat", "cat"], title="cm")
        run.log_roc_curve(truth, scores, title="roc")
        run.log_precision_recall(truth, scores, title="pr", no_skill=0)
        run.log_precision_recall(["n", "n", "y", "y"], scores, positive_label="y", title="labels", is_output=False)
    assert plot(git, "r", "cm.json") == {
        "type": "ConfusionMatrix",
        "version": 0,
        "title": "cm",
        "confusionMatrix": [[2, 0], [1, 0]],
    }
    roc = plot(git, "r", "roc.json")
    assert (roc["type"], roc["areaUnderCurve"]) == ("ROCCurve", 0.75)
    assert (roc["falsePositiveRate"], roc["truePositiveRate"]) == ([0, 0, 0.5, 0.5, 1], [0, 0.5, 0.5, 1, 1])
    curve = plot(git, "r", "pr.json")
    assert (curve["type"], curve["noSkill"], curve["version"]) == ("PrecisionRecallCurve", 0, 0)
    assert curve["averagePrecisionScore"] == pytest.approx(0.8333333333333333)
    assert (curve["precision"][-1], curve["recall"][-1]) == (1, 0)
    assert plot(git, "r", "inputs/labels.json")["recall"] == curve["recall"]
    assert plot(git, "r", "roc")["kind"] == "roc"


def test_graphs_without_a_title_get_a_name(repo_dir: Path) -> None:
    """Where the original fails; two of a title and of different kinds both stay."""
    with Run("e", "r") as run:
        run.log_roc_curve([0, 1], [0.1, 0.9])
        run.log_roc_curve([0, 1], [0.1, 0.9], title="same")
        run.log_confusion_matrix([0, 1], [0, 1], title="same")
    names = {entry.name for entry in read_recorded(repo_dir, "r").plots}
    assert {"same", "same (ConfusionMatrix)"} <= names
    assert any(name.startswith("ROCCurve-") for name in names)


@pytest.mark.parametrize(
    ("method", "what"),
    [
        ("log_confusion_matrix", "predicted labels"),
        ("log_roc_curve", "predicted scores"),
        ("log_precision_recall", "predicted probabilities"),
    ],
)
def test_lengths_must_match(method: str, what: str) -> None:
    """The text is that of the original."""
    message = rf"Lengths mismatch between true labels and {what}: \(3 vs 2\)."
    with Run("e", "r") as run, pytest.raises(ValueError, match=message):
        getattr(run, method)([0, 1, 1], [0, 1])


def test_a_run_is_not_pickled() -> None:
    """The text is that of the original."""
    with pytest.raises(NotImplementedError, match=r"Instance of Run type is not allowed to be pickled\."):
        pickle.dumps(Run("e", "r"))


def test_runs_are_listed_without_writing(repo_dir: Path) -> None:
    """Pages with true caps and a token; each item is a run that can be entered."""
    for number in range(5):
        with Run("e", f"r{number}"):
            pass
    with Run("other", "x"):
        pass
    before = read_all(repo_dir)
    page = list_runs("E", max_results=2, sort_by=SortByType.NAME, sort_order=SortOrderType.ASCENDING)
    assert [run.run_name for run in page] == ["r0", "r1"]
    rest = list_runs("e", next_token=page.next_token, sort_by=SortByType.NAME, sort_order=SortOrderType.ASCENDING)
    assert ([run.run_name for run in rest], rest.next_token) == (["r2", "r3", "r4"], None)
    assert read_all(repo_dir) == before
    with rest[0] as run:
        run.log_metric("m", 1)
    assert read_recorded(repo_dir, "r2").metrics["m"].last == 1
