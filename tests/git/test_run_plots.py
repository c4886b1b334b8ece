"""What a run logs to look at is in its experiment, whatever happens to the run."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import matplotlib.figure
import numpy as np
import plotly.graph_objects
import pytest
from sklearn import metrics

import gittrack
from gittrack.artifacts.digest import hash_bytes
from gittrack.cli.hook_pre_push import has_artifacts
from gittrack.errors import UsageError
from gittrack.experiments.arrived import check_commits
from gittrack.experiments.format import FormatError, Meta, Record
from gittrack.experiments.plot_files import PlotEntry
from gittrack.experiments.plots import PlotMissingError, find_plot, read_content
from gittrack.experiments.store import list_tips, read_record, write_record
from gittrack.runs import told_plots
from gittrack.runs.import_runs import find_run_folders, import_runs
from gittrack.runs.plot_document import read_plot
from gittrack.values import InvalidValueError
from gittrack.workspace.workspace import Workspace
from tests.support.git_repository import open_repository, run_git
from tests.support.recorded import read_all, read_recorded, run_script, settle, start_script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ODD_NAMES = [
    "../../etc/passwd",
    "..",
    "a/b",
    "a b",
    "größe/损失",
    "CON",
    "nul.txt",
    "Loss",
    "loss",
    "x" * 300,
    "line\nbreak",
]


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_dir)


def content(folder: Path, name: str, plot: str, step: int | None = None) -> bytes:
    """Return the content of an experiment's plot."""
    repository = open_repository(folder)
    (tip,) = [tip for tip in list_tips(repository) if tip.experiment.name == name]
    entry = find_plot(read_recorded(folder, name).plots, plot, step)
    with Workspace.open(repository) as workspace:
        return read_content(repository, tip.commit, entry, workspace.cache)


def document(folder: Path, name: str, plot: str, step: int | None = None) -> dict[str, Any]:
    """Return the plot that an experiment's file holds; plotly takes its figure."""
    found = read_plot(content(folder, name, plot, step))
    plotly.graph_objects.Figure(found.get("figure"))
    return found


def entries(folder: Path, name: str = "x") -> dict[str, PlotEntry]:
    return {entry.name: entry for entry in read_recorded(folder, name).plots}


def test_curves_are_recorded_with_their_sums(repo_dir: Path) -> None:
    """The numbers are scikit-learn's, in the list, in the file, and in the figure."""
    labels, scores = np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8, 0.4])
    with gittrack.Run("x", quiet=True) as run:
        run.log_roc_curve(labels, scores)
        run.log_precision_recall(labels, scores, title="PR")
        run.log_det(labels, scores)
        run.log_calibration(labels, scores, n_bins=2)
        run.log_confusion_matrix(labels, scores > 0.3, step=3)
    found = entries(repo_dir)
    auc = metrics.roc_auc_score(labels, scores)
    assert found["roc"].values == {"auc": pytest.approx(auc, abs=1e-12)}
    assert found["precision_recall"].values["no_skill"] == 0.6
    assert found["precision_recall"].title == "PR"
    average = metrics.average_precision_score(labels, scores)
    assert found["precision_recall"].values["average_precision"] == pytest.approx(average, abs=1e-12)
    assert found["confusion_matrix"].step == 3
    roc = document(repo_dir, "x", "roc")
    fpr, tpr, thresholds = metrics.roc_curve(labels, scores)
    assert roc["columns"] == {"fpr": fpr.tolist(), "tpr": tpr.tolist(), "threshold": thresholds.tolist()}
    assert roc["figure"]["data"][0]["x"] == fpr.tolist()
    assert (roc["format"], roc["kind"], roc["name"]) == (1, "roc", "roc")
    matrix = document(repo_dir, "x", "confusion_matrix")
    assert matrix["columns"]["count"] == metrics.confusion_matrix(labels, scores > 0.3).ravel().tolist()
    assert matrix["values"]["accuracy"] == pytest.approx(metrics.accuracy_score(labels, scores > 0.3))
    for name in ("precision_recall", "det", "calibration"):
        assert document(repo_dir, "x", name)["columns"]
    settle(repo_dir)


def test_a_long_curve_is_whole_and_its_figure_short(repo_dir: Path) -> None:
    """The data has every point, in the cache; the drawing has as many as a screen."""
    random = np.random.default_rng(4)
    labels = random.integers(0, 2, 100_000)
    scores = random.random(100_000)
    with gittrack.Run("x", quiet=True) as run:
        run.log_roc_curve(labels, scores)
    entry = entries(repo_dir)["roc"]
    assert entry.digest is not None
    assert entry.size > told_plots.MAX_FILE_BYTES_IN_GIT
    roc = document(repo_dir, "x", "roc")
    assert len(roc["columns"]["fpr"]) == len(metrics.roc_curve(labels, scores)[0])
    drawn = roc["figure"]["data"][0]["x"]
    assert (len(drawn), drawn[0], drawn[-1]) == (2000, 0.0, 1.0)
    assert run_git("ls-tree", "-r", "--name-only", list_tips(open_repository(repo_dir))[0].commit, ".gittrack/plots",
                   cwd=repo_dir) == ""  # fmt: skip


PLOTS: dict[str, Callable[[gittrack.Run], None]] = {
    "linear": lambda run: run.log_plot("p", [{"x": 1, "y": 2}, {"x": 2, "y": float("nan")}], "x", "y"),
    "bar_horizontal": lambda run: run.log_plot("p", {"y": [1], "n": ["a"]}, "y", "n", "bar_horizontal", "T", "X", "Y"),
    "confusion": lambda run: run.log_plot("p", {"a": ["x", "y"], "b": ["x", "x"]}, "a", "b", template="confusion"),
    "smooth": lambda run: run.log_plot("p", {"x": [1, 2], "y": np.array([3, 4])}, "x", ["y"], "smooth"),
    "scatter": lambda run: run.log_scatter("p", [1, 2], [3, 4], [5, 6], color=["a", "b"], text=["one", "two"]),
    "line": lambda run: run.log_line("p", {"train": [1, 2], "val": [2, float("inf")]}),
    "surface": lambda run: run.log_surface("p", np.eye(3), [1, 2, 3]),
    "vector": lambda run: run.log_vector("p", {"x": [0], "y": [0], "u": [1], "v": [2]}),
    "histogram": lambda run: run.log_histogram("p", np.arange(100).reshape(10, 10), bins=7),
    "table": lambda run: run.log_table("p", [{"a": 1, "b": "x"}, {"a": 2, "b": "ü"}]),
    "figure": lambda run: run.log_figure("p", plotly.graph_objects.Figure(plotly.graph_objects.Scatter(y=[1, 2]))),
}


@pytest.mark.parametrize("kind", PLOTS)
def test_every_kind_of_plot(kind: str, repo_dir: Path) -> None:
    """Each is recorded under its kind with a figure that plotly takes."""
    with gittrack.Run("x", quiet=True) as run:
        PLOTS[kind](run)
    assert entries(repo_dir)["p"].kind == kind
    found = document(repo_dir, "x", "p")
    assert found["figure"]["data"]
    assert kind == "figure" or found["columns"]


def test_numbers_in_a_histogram_are_those_of_numpy(repo_dir: Path) -> None:
    """Counts and edges; what is not finite is told apart."""
    values = np.random.default_rng(1).normal(size=1000)
    with gittrack.Run("x", quiet=True) as run:
        run.log_histogram("h", np.append(values, [np.nan, np.inf]), bins=13)
        run.log_histogram("given", [3, 4], edges=[0, 1, 2])
    found = document(repo_dir, "x", "h")
    counts, edges = np.histogram(values, 13)
    assert found["columns"]["count"] == counts.tolist()
    np.testing.assert_allclose(found["columns"]["low"], edges[:-1], rtol=0, atol=1e-12)
    assert found["values"]["not_finite"] == 2
    assert document(repo_dir, "x", "given")["columns"] == {"low": [0, 1], "high": [1, 2], "count": [3, 4]}


def test_images_texts_and_files(repo_dir: Path, tmp_path: Path) -> None:
    """A series of images by step, a text, a file, a figure, values that went in and came out."""
    (tmp_path / "page.html").write_text("<p>", encoding="utf-8")
    figure = matplotlib.figure.Figure()
    figure.subplots().plot([1, 2])
    with gittrack.Run("x", quiet=True) as run:
        for step in (0, 10):
            run.log_image("sample", np.full((4, 4), step, dtype=np.uint8), step)
        run.log_text("said", "früh")
        run.log_text("said", "später")
        run.log_file(tmp_path / "page.html")
        run.log_figure("drawn", figure, format="svg")
        run.log_input("data", {"uri": "s3://bucket"}, "text/uri-list")
        run.log_output("score", 0.5)
        run.log_code(tmp_path / "page.html", "script")
    (tmp_path / "page.html").unlink()
    plots = read_recorded(repo_dir, "x").plots
    assert [(plot.name, plot.step) for plot in plots][:2] == [("sample", 0), ("sample", 10)]
    assert content(repo_dir, "x", "sample", 0) != content(repo_dir, "x", "sample")
    assert content(repo_dir, "x", "said").decode() == "später"
    assert content(repo_dir, "x", "page.html") == content(repo_dir, "x", "script") == b"<p>"
    assert entries(repo_dir)["page.html"].media_type == "text/html"
    assert b"<svg" in content(repo_dir, "x", "drawn")
    assert entries(repo_dir)["data"].values == {"value": {"uri": "s3://bucket"}, "media_type": "text/uri-list"}
    assert entries(repo_dir)["score"].kind == "output"
    with pytest.raises(PlotMissingError, match="of step 5"):
        content(repo_dir, "x", "sample", 5)
    with pytest.raises(PlotMissingError, match="no plot 'other'"):
        content(repo_dir, "x", "other")


def test_plots_of_a_script_that_counts_steps_are_series(repo_dir: Path) -> None:
    """Each kind belongs to the run's step, an explicit step wins, and what has no steps keeps none."""
    with gittrack.Run("x", quiet=True) as run:
        run.log_text("before", "once")
        run.log_table("rows", [{"a": 0}])
        for step in (1, 2):
            run.step = step
            run.log_roc_curve([0, 1], [0.1, 0.9] if step == 1 else [0.9, 0.1])
            run.log_confusion_matrix([0, 1], [0, 1])
            run.log_histogram("weights", [step, step + 1], bins=1)
            run.log_table("rows", [{"a": step}])
            run.log_plot("points", {"x": [step], "y": [step]}, "x", "y")
            run.log_figure("drawn", {"data": [], "layout": {}})
            run.log_image("sample", np.full((4, 4), step, dtype=np.uint8))
            run.log_text("said", f"step {step}")
            run.log_text("late", "given", step=7)
            run.log_input("data", step)
    steps: dict[str, list[int | None]] = {}
    for plot in read_recorded(repo_dir, "x").plots:
        steps.setdefault(plot.name, []).append(plot.step)
    series = ("roc", "confusion_matrix", "weights", "points", "drawn", "sample", "said")
    assert {name: steps.pop(name) for name in series} == {name: [1, 2] for name in series}
    assert steps == {"before": [None], "rows": [None, 1, 2], "late": [7], "data": [None]}
    first, last = document(repo_dir, "x", "roc", 1), document(repo_dir, "x", "roc")
    assert (first["step"], first["values"]["auc"], last["step"], last["values"]["auc"]) == (1, 1.0, 2, 0.0)
    assert document(repo_dir, "x", "rows")["columns"] == {"a": [2]}


def test_a_plot_without_a_step_that_is_newer_is_the_last(repo_dir: Path) -> None:
    """In a script that gives steps itself and closes with one plot for all."""
    with gittrack.Run("x", quiet=True) as run:
        run.log_text("said", "step 3", step=3)
        run.log_text("said", "at the end")
    assert content(repo_dir, "x", "said") == b"at the end"


def test_vectors_of_sequences(repo_dir: Path) -> None:
    """Arrows one by one, with or without a place of their own, and one vector as bars."""
    with gittrack.Run("x", quiet=True) as run:
        run.log_vector("plane", [(1, 2), (3, 4)])
        run.log_vector("placed", np.array([[1, 2, 3, 4]]))
        run.log_vector("space", [(1, 2, 3)])
        run.log_vector("bars", [0.5, 0.25], title="T")
    columns = {name: document(repo_dir, "x", name)["columns"] for name in ("plane", "placed", "space", "bars")}
    assert columns["plane"] == {"x": [0, 0], "y": [0, 0], "u": [1, 3], "v": [2, 4]}
    assert columns["placed"] == {"x": [1], "y": [2], "u": [3], "v": [4]}
    assert columns["space"] == {"x": [0], "y": [0], "z": [0], "u": [1], "v": [2], "w": [3]}
    assert columns["bars"] == {"place": [0, 1], "value": [0.5, 0.25]}
    assert document(repo_dir, "x", "bars")["kind"] == "bar"


def test_any_name_will_do(repo_dir: Path) -> None:
    """Names that are no file's name are kept apart, in the run's folder and in git."""
    with gittrack.Run("x", quiet=True) as run:
        for name in ODD_NAMES:
            run.log_text(name, name)
    assert set(entries(repo_dir)) == set(ODD_NAMES)
    for name in ODD_NAMES:
        assert content(repo_dir, "x", name).decode() == name
    settle(repo_dir)


WRONG: list[Callable[[gittrack.Run], None]] = [
    lambda run: run.log_roc_curve([], []),
    lambda run: run.log_roc_curve([0, 1], [0.5]),
    lambda run: run.log_roc_curve([1, 1], [0.5, 0.6]),
    lambda run: run.log_precision_recall([0, 1], [0.5, float("nan")]),
    lambda run: run.log_det([0, 1], ["a", "b"]),
    lambda run: run.log_calibration([0, 1], [0.5, 1.5]),
    lambda run: run.log_confusion_matrix([0], [0, 1]),
    lambda run: run.log_plot("p", 5, "x", "y"),
    lambda run: run.log_plot("p", [], "x", "y"),
    lambda run: run.log_plot("p", [{"x": 1}], "x", "y"),
    lambda run: run.log_plot("p", [{"x": 1}], "x", "x", "pie"),
    lambda run: run.log_plot("p", [{"x": 1}], "x", "x", title=3),  # type: ignore[arg-type]
    lambda run: run.log_scatter("p", [1], [1, 2]),
    lambda run: run.log_scatter("p", ["a"], [1]),
    lambda run: run.log_line("p", []),
    lambda run: run.log_line("p", [True]),
    lambda run: run.log_surface("p", [1, 2]),
    lambda run: run.log_surface("p", [[1, 2], [3]]),
    lambda run: run.log_surface("p", [[1, 2]], x=[1]),
    lambda run: run.log_vector("p", {"x": [1], "y": [1]}),
    lambda run: run.log_vector("p", []),
    lambda run: run.log_vector("p", [[1, 2], [1]]),
    lambda run: run.log_vector("p", [[1, 2], 3]),
    lambda run: run.log_vector("p", [(1, 2, 3, 4, 5)]),
    lambda run: run.log_vector("p", [(1, "a")]),
    lambda run: run.log_vector("p", "text"),
    lambda run: run.log_histogram("p", []),
    lambda run: run.log_histogram("p", [float("nan")]),
    lambda run: run.log_histogram("p", [1], bins=0),
    lambda run: run.log_histogram("p", [1], edges=[1, 0]),
    lambda run: run.log_table("p", "rows"),
    lambda run: run.log_figure("p", 5),
    lambda run: run.log_figure("p", matplotlib.figure.Figure(), format="pdf"),  # type: ignore[arg-type]
    lambda run: run.log_image("p", "x.exe"),
    lambda run: run.log_image("p", None),
    lambda run: run.log_text("p", 5),  # type: ignore[arg-type]
    lambda run: run.log_text("p", "x", step=1.5),  # type: ignore[arg-type]
    lambda run: run.log_text("p", "x", step=True),
    lambda run: run.log_text("", "x"),
    lambda run: run.log_text("n" * 1001, "x"),
    lambda run: run.log_text(5, "x"),  # type: ignore[arg-type]
    lambda run: run.log_file("."),
    lambda run: run.log_file(5),  # type: ignore[arg-type]
    lambda run: run.log_input("p", object()),
]


def test_a_wrong_argument_raises_at_once_and_changes_nothing(repo_dir: Path) -> None:
    """Each by a usage error; nothing of it is recorded."""
    with gittrack.Run("x", quiet=True) as run:
        run.log_text("kept", "here")
        for call in WRONG:
            with pytest.raises(UsageError) as caught:
                call(run)
            assert isinstance(caught.value, InvalidValueError)
        with pytest.raises(FileNotFoundError):
            run.log_file("none.txt")
        with pytest.raises(FileNotFoundError):
            run.log_image("p", "none.png")
    assert list(entries(repo_dir)) == ["kept"]
    assert read_recorded(repo_dir, "x").meta.problems == ()


KILLED = """
import os, gittrack
run = gittrack.Run("x", quiet=True)
run.log_roc_curve([0, 1], [0.1, 0.9])
run.log_text("said", "x" * 2_000_000)
run.summary["best"] = 3
print("logged", flush=True)
import time
time.sleep(60)
"""


def test_a_killed_run_keeps_its_plots(repo_dir: Path) -> None:
    """What a call had returned from is recorded by the next command, large ones too."""
    process = start_script(repo_dir, KILLED)
    assert process.stdout is not None
    assert process.stdout.readline() == "logged\n"
    time.sleep(1)  # for the first commit
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    settle(repo_dir)
    record = read_recorded(repo_dir, "x")
    assert record.meta.status == "killed"
    assert record.metrics["best"].last == 3
    assert document(repo_dir, "x", "roc")["values"] == {"auc": 1.0}
    assert len(content(repo_dir, "x", "said")) == 2_000_000
    assert entries(repo_dir)["said"].digest is not None


def test_a_resumed_run_keeps_its_plots(repo_dir: Path) -> None:
    """Those of before stay, those of the same name and step are replaced."""
    with gittrack.Run("x", quiet=True) as run:
        run.log_text("a", "old")
        run.log_text("b", "old")
        run.log_metric("loss", 2)
        run.summary["loss"] = 1
    with gittrack.Run("x", resume=True, quiet=True) as run:
        run.log_text("b", "new")
        run.log_text("c", "new")
        run.log_metric("loss", 3)
    assert [content(repo_dir, "x", name) for name in "abc"] == [b"old", b"new", b"new"]
    assert read_recorded(repo_dir, "x").metrics["loss"].last == 1
    assert read_recorded(repo_dir, "x").metrics["loss"].count == 2


def test_an_edit_of_the_description_keeps_the_plots(repo_dir: Path) -> None:
    """Another commit of the experiment has the same files."""
    with gittrack.Run("x", quiet=True) as run:
        run.log_text("a", "here")
        run_git("notes", "list", cwd=repo_dir)
    from gittrack.experiments.store import rewrite_meta

    repository = open_repository(repo_dir)
    (tip,) = list_tips(repository)
    rewrite_meta(repository, tip, read_recorded(repo_dir, "x").meta._replace(notes=("new",)), "Edit")
    assert content(repo_dir, "x", "a") == b"here"


def test_a_child_process_logs_into_the_same_experiment(repo_dir: Path) -> None:
    """Plots of a process that joined are those of the run."""
    with gittrack.Run("x", quiet=True):
        done = run_script(repo_dir, "import gittrack\nwith gittrack.Run() as run: run.log_text('child', 'hello')")
        assert done.returncode == 0, done.stderr
    assert content(repo_dir, "x", "child") == b"hello"


def test_outside_a_repository_plots_wait_for_import(
    repo_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in the run's folder, and in the experiment once it is taken up."""
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    with gittrack.Run("x", quiet=True) as run:
        run.log_text("small", "here")
        run.log_text("large", "y" * 1_500_000)
    monkeypatch.chdir(repo_dir)
    (done,) = import_runs(open_repository(repo_dir), find_run_folders([outside]))
    assert done.outcome == "imported"
    assert content(repo_dir, "x", "small") == b"here"
    assert len(content(repo_dir, "x", "large")) == 1_500_000


def test_import_follows_no_link_to_a_plot(repo_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder from elsewhere cannot make us record a file of this machine."""
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    with gittrack.Run("x", quiet=True) as run:
        run.log_text("a", "here")
    (path,) = outside.rglob("plots/a.txt")
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    monkeypatch.chdir(repo_dir)
    list(import_runs(open_repository(repo_dir), find_run_folders([outside])))
    record = read_recorded(repo_dir, "x")
    assert record.plots == ()
    assert any("the plot 'a' is lost" in problem for problem in record.meta.problems)


def test_the_list_of_plots_stays_readable(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long value is in its file alone, a long title is cut, and what does not fit into the list is a problem."""
    monkeypatch.setattr(told_plots, "MAX_LIST_BYTES", 2000)
    with gittrack.Run("x", quiet=True) as run:
        run.log_input("long", "y" * 10_000)
        run.log_text("titled", "x", title="t" * 5000)
        for number in range(20):
            run.log_text(f"n{number}", "x")
    record = read_recorded(repo_dir, "x")
    assert (record.plots[0].name, record.plots[0].values) == ("long", {})
    assert document(repo_dir, "x", "long")["values"]["value"] == "y" * 10_000
    assert record.plots[1].title == "t" * 1000
    (problem,) = record.meta.problems
    assert problem == f"the list of plots is full: {22 - len(record.plots)} of them are not recorded"


@pytest.mark.parametrize("file", ["../../config", "a/b", "..", ".git", "con"])
def test_an_experiment_with_a_forged_list_is_refused(repo_dir: Path, file: str) -> None:
    """What a remote has under such a name is not taken up, and not read."""
    repository = open_repository(repo_dir)
    forged = PlotEntry("a", "text", file, "text/plain", 1, digest=hash_bytes(b"x"))
    meta = Meta(name="x", id="1" * 16, status="completed")
    head = run_git("rev-parse", "HEAD", cwd=repo_dir)
    commit = write_record(
        repository,
        Record(meta, plots=(forged,)),
        code_tree=run_git("rev-parse", "HEAD^{tree}", cwd=repo_dir),
        parents=[head],
        message="forged",
    )
    problem = check_commits(repository, [commit])[commit].problem
    assert problem is not None
    assert problem.startswith("plots.json: ")
    with pytest.raises(FormatError):
        read_record(repository, commit)


def test_many_bytes_go_to_the_cache(repo_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What comes after the limit of a run; where the cache is elsewhere, a push still knows that there is something."""
    monkeypatch.setattr(told_plots, "MAX_BYTES_IN_GIT", 50)
    run_git("config", "gittrack.cache", str(tmp_path / "elsewhere"), cwd=repo_dir)
    with gittrack.Run("x", quiet=True) as run:
        for number in range(3):
            run.log_text(f"n{number}", "x" * 20)
    assert [plot.digest is None for plot in read_recorded(repo_dir, "x").plots] == [True, True, False]
    assert content(repo_dir, "x", "n2") == b"x" * 20
    assert has_artifacts(str(repo_dir / ".git/gittrack"))


def test_after_the_end_it_warns(repo_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is logged too late is lost, which is said once, and nothing comes back to life."""
    with gittrack.Run("x", quiet=True) as run:
        pass
    run.log_text("late", "x")
    run.log_roc_curve([0, 1], [0.1, 0.9])
    assert len([record for record in caplog.records if "has ended" in record.getMessage()]) == 1
    settle(repo_dir)


def test_a_folder_that_refuses_is_a_problem_not_an_error(repo_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The training goes on; one warning, and a problem for each plot in the experiment."""
    with gittrack.Run("x", quiet=True) as run:
        (folder,) = (path for path in (repo_dir / ".git/gittrack/runs").iterdir() if path.name == run.id)
        (folder / "plots").write_text("in the way", encoding="utf-8")
        run.log_text("a", "1")
        run.log_text("b", "2")
        run.log_metric("loss", 1)
    assert len([record for record in caplog.records if "is not recorded" in record.getMessage()]) == 1
    record = read_recorded(repo_dir, "x")
    assert len(record.meta.problems) == 2
    assert record.metrics["loss"].last == 1


def test_other_ranks_do_nothing(monkeypatch: pytest.MonkeyPatch, repo_dir: Path) -> None:
    """Their plots are not even made."""
    monkeypatch.setenv("RANK", "1")
    with gittrack.Run("x", quiet=True) as run:
        run.log_text("a", "1")
        run.log_image("b", np.zeros((2, 2)))
        run.summary["a"] = 1
    assert read_all(repo_dir) == {}


def test_the_summary_is_a_dict_that_wins(repo_dir: Path) -> None:
    """It shows the last values, takes others, and what was set is what the experiment says."""
    with gittrack.Run("x", quiet=True) as run:
        run.log_metric("loss", 2)
        run.log_metric("loss", 3)
        assert dict(run.summary) == {"loss": 3}
        run.summary["loss"] = 2
        run.summary.update(best=np.float32(0.5), n=np.int64(3))
        run.log_metric("loss", 4)
        assert dict(run.summary) == {"loss": 2, "best": 0.5, "n": 3}
        assert "other" not in run.summary
        for name, value in (("a", "text"), ("", 1), (5, 1)):
            with pytest.raises(InvalidValueError):
                run.summary[name] = value  # type: ignore[index]
        with pytest.raises(InvalidValueError):
            run.summary.update(good=1, bad="text")
        with pytest.raises(InvalidValueError):
            del run.summary["loss"]
    assert dict(run.summary) == {"loss": 2, "best": 0.5, "n": 3}
    found = read_recorded(repo_dir, "x").metrics
    assert {name: one.last for name, one in found.items()} == {"loss": 2, "best": 0.5, "n": 3}
    assert (found["loss"].min, found["loss"].max, found["loss"].count, found["loss"].set) == (2, 4, 3, True)
