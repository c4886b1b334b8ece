"""`gittrack export dvc`: experiments where DVC looks for its own, in the form it reads."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from gittrack.experiments import store
from gittrack.experiments.series import Series
from gittrack.exporters.dvc import export_dvc
from gittrack.importers import dvc
from gittrack.importers.write import import_foreign
from tests.support.experiments import add_experiment
from tests.support.foreign import make_dvc_repository
from tests.support.git_repository import fsck, make_repository, open_repository, run_git
from tests.support.source_code import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.exporters.dvc import Exported
    from gittrack.git.repository import Repository

    Git = Callable[..., str]

PARAMS = {"train.lr": 0.5, "optimizer": "adam", "layers": [1, 2], "seed": 7}
SERIES = {
    "loss": Series([0, 1], [1.0, 2.0], [0.5, 0.25]),
    "val/acc": Series([0, 1], [1.0, 2.0], [0.1, math.nan]),
    "../odd": Series([0], [1.0], [1.0]),
}


def export(repository: Repository, *, prune: bool = False) -> Exported:
    """Export all experiments."""
    return export_dvc(repository, sorted(store.list_tips(repository)), prune=prune)


def add_fast(repository: Repository, **more: Any) -> str:
    """Add an experiment with params, metrics and points."""
    metrics = {"loss": 0.25, "val/acc": math.nan}
    return add_experiment(repository, "fast", params=PARAMS, metrics=metrics, series=SERIES, ended=1.76e9, **more)


def test_a_mirror_has_the_layout_of_dvc(repository: Repository, git: Git) -> None:
    """The ref, the parent, the code, and a dvc.yaml with params, metrics and plots; nothing of `.gittrack`."""
    add_fast(repository, description="wider")
    head = git("rev-parse", "HEAD")
    assert export(repository) == (["fast"], [], [], [])
    ref = f"refs/exps/{head[:2]}/{head[2:]}/fast"
    assert git("for-each-ref", "--format=%(refname)", "refs/exps") == ref
    assert git("rev-list", "--parents", "-1", ref).split()[1:] == [head]
    assert git("log", "-1", "--format=%B", ref).strip() == "gittrack: mirror of fast (completed)\n\nwider"
    names = git("diff", "--name-only", head, ref).splitlines()
    folder = "gittrack-dvc"
    assert names == [
        f"{folder}/{name}"
        for name in ("dvc.yaml", "metrics.json", "params.json", "plots/loss.tsv", "plots/val/acc.tsv")
    ]
    assert json.loads(git("show", f"{ref}:{folder}/params.json")) == PARAMS
    assert json.loads(git("show", f"{ref}:{folder}/metrics.json")) == {"loss": 0.25, "val": {"acc": "nan"}}
    assert git("show", f"{ref}:{folder}/plots/loss.tsv") == "step\tloss\n0\t0.5\n1\t0.25"
    assert fsck(repository.common_dir.parent) == ""


DVC_YAML = """params: [dvclive/params.yaml]
metrics: [dvclive/metrics.json]
plots: [{dvclive/plots/metrics: {x: step}}]
"""


def test_metrics_of_the_code_are_not_given_twice(repository: Repository, git: Git) -> None:
    """A file that dvc.yaml declares gets the experiment's values, all else in it stays, and no metric stands twice."""
    folder = repository.common_dir.parent
    (folder / "dvclive").mkdir()
    (folder / "dvc.yaml").write_text("metrics: [dvclive/metrics.json]")
    (folder / "dvclive/metrics.json").write_text('{"loss": 0.9, "val": {"acc": 0.1}, "other": 7}')
    git("add", "-A")
    git("commit", "-q", "-m", "Metrics")
    add_fast(repository)
    assert export(repository) == (["fast"], [], [], [])
    ref = git("for-each-ref", "--format=%(refname)", "refs/exps")
    shown = json.loads(git("show", f"{ref}:dvclive/metrics.json"))
    assert shown == {"loss": 0.25, "val": {"acc": "nan"}, "other": 7}
    assert json.loads(git("show", f"{ref}:gittrack-dvc/metrics.json")) == {}
    assert export(repository).unchanged == ["fast"]
    assert fsck(folder) == ""


def test_declared_files_that_the_code_lacks_are_made(repository: Repository, git: Git) -> None:
    """What DVCLive writes and git did not have when the run began is no error of DVC's."""
    (repository.common_dir.parent / "dvc.yaml").write_text(DVC_YAML)
    git("add", "-A")
    git("commit", "-q", "-m", "Declared")
    add_fast(repository)
    export(repository)
    ref = git("for-each-ref", "--format=%(refname)", "refs/exps")
    assert json.loads(git("show", f"{ref}:dvclive/metrics.json")) == {"loss": 0.25, "val": {"acc": "nan"}}
    assert json.loads(git("show", f"{ref}:dvclive/params.yaml")) == PARAMS
    assert git("show", f"{ref}:dvclive/plots/metrics/loss.tsv") == "step\tloss\n0\t0.5\n1\t0.25"
    assert json.loads(git("show", f"{ref}:gittrack-dvc/params.json")) == {}
    assert export(repository).unchanged == ["fast"]


def test_params_of_the_code_are_not_given_twice(repository: Repository, git: Git) -> None:
    """DVC reads params.yaml of the code itself; one that differs there is given."""
    add_experiment(repository, "same", params={"train.lr": 0.1, "train.epochs": 9, "seed": 1})
    export(repository)
    ref = git("for-each-ref", "--format=%(refname)", "refs/exps")
    assert json.loads(git("show", f"{ref}:gittrack-dvc/params.json")) == {"train.epochs": 9, "seed": 1}


def test_exporting_again_changes_what_changed(repository: Repository, git: Git) -> None:
    """The same experiments give the same refs and no object; a changed one moves its mirror; a gone one loses it."""
    add_fast(repository)
    add_experiment(repository, "slow")
    export(repository)
    before = git("for-each-ref", "refs/exps"), git("count-objects", "-v")
    assert export(repository).unchanged == ["fast", "slow"]
    assert (git("for-each-ref", "refs/exps"), git("count-objects", "-v")) == before
    tip = next(tip for tip in store.list_tips(repository) if tip.experiment.name == "slow")
    meta = store.read_record(repository, tip.commit).meta
    store.rewrite_meta(repository, tip, meta._replace(description="told later"), "x")
    assert export(repository).written == ["slow"]
    store.trash_experiments(repository, [tip for tip in store.list_tips(repository) if tip.experiment.name == "fast"])
    assert export(repository).removed == []
    assert export(repository, prune=True).removed == ["fast"]
    assert git("for-each-ref", "--format=%(refname:lstrip=-1)", "refs/exps") == "slow"


def test_experiments_of_dvc_stay(tmp_path: Path) -> None:
    """One of the same name is not overwritten, nor pruned; one that came from DVC is there already."""
    folder = make_dvc_repository(tmp_path / "repo")
    repository = open_repository(folder)
    before = run_git("for-each-ref", "refs/exps", cwd=folder)
    add_experiment(repository, "fast")
    exported = export(repository, prune=True)
    assert exported.refused == [("fast", "DVC has another experiment of that name")]
    assert run_git("for-each-ref", "refs/exps", cwd=folder) == before
    store.trash_experiments(repository, store.list_tips(repository))
    import_foreign(repository, dvc.read_refs(repository))
    assert export(repository, prune=True).unchanged == ["fast", "saved", "slow"]
    assert run_git("for-each-ref", "refs/exps", cwd=folder) == before


def test_a_mirror_is_not_imported(repository: Repository) -> None:
    """Export and import do not feed each other."""
    add_fast(repository)
    export(repository)
    assert list(dvc.read_refs(repository)) == []


def test_an_experiment_before_the_first_commit_is_refused(tmp_path: Path) -> None:
    """DVC has no place for it."""
    folder = tmp_path / "unborn"
    folder.mkdir()
    run_git("init", "-q", cwd=folder)
    repository = open_repository(folder)
    from gittrack.importers.foreign import ForeignRun

    import_foreign(repository, [ForeignRun("mlflow", "r", "one")])
    assert [name for name, _ in export(repository).refused] == ["one"]


@pytest.fixture
def dvc_run(tmp_path: Path) -> Callable[..., str]:
    """Return what runs the real DVC in `tmp_path / "repo"`, a repository of its own, and returns its output."""
    own = ROOT / ".venv-dvc/bin/dvc"
    program = str(own) if own.exists() else shutil.which("dvc")
    if program is None:
        pytest.skip("needs dvc (make test-dvc)")
    folder = make_repository(tmp_path / "repo", object_format="sha1")

    def run(*arguments: str) -> str:
        environ = {**os.environ, "DVC_NO_ANALYTICS": "1"}
        command = [program, *arguments]
        return subprocess.run(command, cwd=folder, check=True, env=environ, capture_output=True, text=True).stdout

    run("init", "-q")
    run_git("add", "-A", cwd=folder)
    run_git("commit", "-q", "-m", "DVC", cwd=folder)
    return run


def test_the_real_dvc_lists_what_was_exported(tmp_path: Path, dvc_run: Callable[..., str]) -> None:
    """`dvc exp show --json` has the params and the metrics, special floats and names with slashes included."""
    repository = open_repository(tmp_path / "repo")
    add_fast(repository)
    export(repository)
    baselines = json.loads(dvc_run("exp", "show", "--json"))
    [experiment] = [one for baseline in baselines for one in baseline.get("experiments") or ()]
    assert experiment["name"] == "fast"
    [state] = experiment["revs"]
    data = state["data"]
    assert data["params"]["gittrack-dvc/params.json"]["data"] == PARAMS
    assert data["params"]["params.yaml"]["data"] == {"train": {"lr": 0.1, "epochs": 3}}
    assert data["metrics"]["gittrack-dvc/metrics.json"]["data"] == {"loss": 0.25, "val": {"acc": "nan"}}
    assert not state.get("error")


def test_the_real_dvc_compares_draws_and_applies_what_was_exported(tmp_path: Path, dvc_run: Callable[..., str]) -> None:
    """The calls of DVC and its editor extension give each metric once, all plots, and the code."""
    folder = tmp_path / "repo"
    (folder / "dvc.yaml").write_text(DVC_YAML)
    run_git("add", "-A", cwd=folder)
    run_git("commit", "-q", "-m", "Declared", cwd=folder)
    repository = open_repository(folder)
    add_fast(repository)
    add_experiment(repository, "slow", params=PARAMS, metrics={"loss": 0.75}, series={"loss": SERIES["loss"]})
    assert export(repository).written == ["fast", "slow"]
    assert {line.split()[-1] for line in dvc_run("exp", "list", "--all").splitlines()[1:]} == {"[fast]", "[slow]"}
    changes = json.loads(dvc_run("exp", "diff", "fast", "slow", "--json"))
    assert changes["metrics"]["dvclive/metrics.json"]["loss"] == {"old": 0.25, "new": 0.75, "diff": 0.5}
    assert set(changes["metrics"]) == {"dvclive/metrics.json"}
    plots = json.loads(dvc_run("plots", "diff", "fast", "slow", "-o", ".dvc/tmp/plots", "--split", "--json"))
    assert "errors" not in plots
    drawn = plots["data"]["dvclive/plots/metrics/loss.tsv"][0]
    points = drawn["anchor_definitions"]["<DVC_METRIC_DATA>"]
    assert [(point["rev"], float(point["loss"])) for point in points if point["step"] == "1"] == [
        ("fast", 0.25),
        ("slow", 0.25),
    ]
    assert json.loads(dvc_run("data", "status", "--granular", "--unchanged", "--json")) == {}
    dvc_run("exp", "apply", "slow")
    assert json.loads((folder / "dvclive/metrics.json").read_text()) == {"loss": 0.75}
