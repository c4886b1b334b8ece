"""Runs of MLflow, TensorBoard, Weights & Biases and DVC become experiments; the real ones wrote the stores."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sqlite3
import struct
import time
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from gittrack.experiments import store
from gittrack.experiments.series import parse_series
from gittrack.git.refs import RefExistsError
from gittrack.importers import dvc, mlflow_database, mlflow_files, tensorboard, wandb, wandb_artifacts, write
from gittrack.importers.foreign import ForeignRun, UnreadableStoreError, experiment_id
from gittrack.importers.write import import_foreign
from tests.support.foreign import make_dvc_repository, unpack_store
from tests.support.git_repository import find_locks, fsck, open_repository, run_git

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gittrack.experiments.format import Record
    from gittrack.experiments.series import Series
    from gittrack.git.repository import Repository

    Git = Callable[..., str]

LONG_AGO = 1_000_000_000.0


def records(repository: Repository) -> dict[str, Record]:
    """Return what all experiments say, by name."""
    tips = store.list_tips(repository)
    return {tip.experiment.name: store.read_record(repository, tip.commit) for tip in tips}


def contents(repository: Repository, name: str) -> dict[tuple[str, int | None], bytes]:
    """Return what the plots of an experiment hold, by name and step."""
    from gittrack.artifacts.cache import Cache
    from gittrack.experiments.plots import read_content

    tip = next(tip for tip in store.list_tips(repository) if tip.experiment.name == name)
    cache = Cache(repository.state_dir / "cache")
    plots = store.read_record(repository, tip.commit).plots
    return {plot.key: read_content(repository, tip.commit, plot, cache) for plot in plots}


def points(record: Record) -> Mapping[str, Series]:
    """Return the points of an experiment's metrics."""
    return parse_series(record.series or b"metric\tstep\ttime\tvalue\n")


@pytest.fixture
def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stores be old, so that what has no end is dead."""
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)


@pytest.mark.usefixtures("_later")
@pytest.mark.parametrize("kind", ["mlflow-files", "mlflow-database"])
def test_runs_of_mlflow_come_whole(repository: Repository, tmp_path: Path, kind: str) -> None:
    """Params with their types, points, special floats, tags, times, status, parents and artifacts, of both stores."""
    folder = unpack_store(kind, tmp_path / "store")
    if kind == "mlflow-files":
        runs = mlflow_files.read_runs(folder / "mlruns")
    else:
        runs = mlflow_database.read_runs(folder / "mlflow.db")
    taken = import_foreign(repository, runs)
    assert {one.outcome for one in taken} == {"imported"}
    found = records(repository)
    statuses = {name: record.meta.status for name, record in found.items()}
    assert statuses == {
        "child": "completed",
        "failed": "failed",
        "killed": "killed",
        "running": "stale",
        "sweep-e-1": "completed",
    }
    sweep, child = found["sweep-e-1"], found["child"]
    assert sweep.params == {"layers": [64, 32], "lr": 0.001, "optimizer/name": "adam", "use_bn": True}
    assert points(sweep)["loss"].values == [1.0, 0.5, 1 / 3, 0.25, 0.2]
    assert points(sweep)["val/acc"].steps == [0, 1, 2, 3, 4]
    odd = points(sweep)["odd"].values
    assert math.isnan(odd[0])
    assert odd[1:] == [math.inf, -math.inf]
    assert sweep.metrics["one"].last == 3.0
    assert points(found["failed"])["loss"].steps == [-1]
    assert sweep.meta.tags == {"mlflow.source.type": "LOCAL", "mlflow.user": "ada", "team": "vision"}
    assert sweep.meta.description == "A sweep over rates"
    assert sweep.meta.group == "digits"
    assert sweep.meta.source == "import"
    assert sweep.meta.origin["tool"] == "mlflow"
    assert sweep.meta.started < child.meta.started < (child.meta.ended or 0) <= (sweep.meta.ended or 0)
    assert child.meta.parent_run == sweep.meta.id
    assert child.params == {"empty": ""}
    entries = {entry.path: entry for entry in sweep.artifacts}
    assert {path: (entry.kind, entry.files) for path, entry in entries.items()} == {
        "model.txt": ("file", 1),
        "sub": ("dir", 1),
    }
    from gittrack.workspace.workspace import Workspace

    with Workspace.open(repository) as workspace:
        assert workspace.cache.read(entries["model.txt"].digest, 100) == b"weights\n"
    assert fsck(repository.common_dir.parent) == ""
    assert find_locks(repository) == []
    assert not list((repository.common_dir / "objects/pack").glob("*.keep"))


def test_a_run_that_goes_on_is_left_alone(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run without an end that was heard of within the hour is not imported; later it is, as one that died."""
    folder = unpack_store("mlflow-files", tmp_path / "store") / "mlruns"
    started = next(run.started for run in mlflow_files.read_runs(folder) if run.status == "running")
    assert started is not None
    monkeypatch.setattr(time, "time", lambda: started + 60)
    taken = import_foreign(repository, mlflow_files.read_runs(folder))
    assert sorted(one.outcome for one in taken) == ["imported"] * 4 + ["running"]
    monkeypatch.setattr(time, "time", lambda: started + 7200)
    taken = import_foreign(repository, mlflow_files.read_runs(folder))
    assert sorted(one.outcome for one in taken) == ["imported"] + ["known"] * 4


@pytest.mark.usefixtures("_later")
@pytest.mark.parametrize("kind", ["files", "database"])
def test_data_sets_of_mlflow_come_as_inputs(repository: Repository, tmp_path: Path, kind: str) -> None:
    """What a run used is there with source, schema, profile and context, without the credentials of its URL."""
    folder = unpack_store("mlflow-datasets", tmp_path / "store")
    runs = mlflow_files.read_runs(folder / "mlruns") if kind == "files" else mlflow_database.read_runs(folder / "m.db")
    import_foreign(repository, runs)
    record = records(repository)["one"]
    assert {(plot.name, plot.kind) for plot in record.plots} == {("train", "input"), ("val", "input")}
    held = contents(repository, "one")
    assert json.loads(held["train", None])["values"]["value"] == {
        "name": "train",
        "digest": "abc",
        "source_type": "http",
        "source": {"url": "https://host/x.csv"},
        "schema": {"cols": 3},
        "profile": {"num_rows": 5},
        "context": "training",
    }
    assert json.loads(held["val", None])["values"]["value"]["source"] == {"uri": "/data/v.csv"}
    [problem] = [problem for problem in record.meta.problems if "artifacts" in problem]
    assert problem.startswith("its artifacts at 's3://bucket/art/")
    assert problem.endswith("/artifacts' are on a server and are not imported")


@pytest.mark.parametrize("kind", ["files", "database"])
def test_artifacts_outside_of_a_store_come_from_a_copy(repository: Repository, tmp_path: Path, kind: str) -> None:
    """A folder that is named with what was in a bucket, laid out as there, is looked into."""
    folder = unpack_store("mlflow-datasets", tmp_path / "store")
    store_path = folder / ("mlruns" if kind == "files" else "m.db")
    read = mlflow_files.read_runs if kind == "files" else mlflow_database.read_runs
    [run] = read(store_path)
    place = tmp_path / "copy" / run.id / "artifacts"
    place.mkdir(parents=True)
    (place / "model.bin").write_bytes(b"weights")
    import_foreign(repository, read(store_path, artifacts=tmp_path / "copy"))
    record = records(repository)["one"]
    assert [(entry.path, entry.size) for entry in record.artifacts] == [("model.bin", 7)]
    assert not any("artifacts" in problem for problem in record.meta.problems)


def test_deleted_runs_come_on_demand(tmp_path: Path) -> None:
    """What was deleted in MLflow is left out unless asked for, in both stores."""
    files = unpack_store("mlflow-files", tmp_path / "files") / "mlruns"
    database = unpack_store("mlflow-database", tmp_path / "database") / "mlflow.db"
    for read, path in ((mlflow_files.read_runs, files), (mlflow_database.read_runs, database)):
        assert "deleted" not in {run.name for run in read(path)}
        assert "deleted" in {run.name for run in read(path, with_deleted=True)}


def test_the_database_is_not_touched(tmp_path: Path) -> None:
    """Not a byte of the database changes, nothing appears beside it, and a lock on it does not matter."""
    folder = unpack_store("mlflow-database", tmp_path / "store")
    path = folder / "mlflow.db"
    before, names = path.read_bytes(), sorted(folder.iterdir())
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")
    try:
        assert len(list(mlflow_database.read_runs(path))) == 5
    finally:
        locker.execute("ROLLBACK")
        locker.close()
    assert path.read_bytes() == before
    assert sorted(folder.iterdir()) == names


def test_the_commit_that_a_run_names_is_its_baseline(repository: Repository, git: Git) -> None:
    """If it is here; one that is not, or no id at all, is passed over for HEAD."""
    first = git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "Second")
    head = git("rev-parse", "HEAD")
    named = {"here": first, "absent": "1" * len(first), "odd": "HEAD~1", "tree": git("rev-parse", "HEAD^{tree}")}
    import_foreign(repository, [ForeignRun("mlflow", name, name, commit=commit) for name, commit in named.items()])
    baselines = {name: record.meta.baseline for name, record in records(repository).items()}
    assert baselines == {"here": first, "absent": head, "odd": head, "tree": head}
    assert git("rev-parse", f"refs/gittrack/exps/{first}/here^") == first


def test_names_are_made_usable_and_unique(repository: Repository) -> None:
    """Spaces, slashes, all scripts, dots, ids, nothing at all; equal ones get numbers, also in one import."""
    names = ["a b/c", "a b/c", "A-B-C", "Größe", "..", "x.lock", "f" * 40, "", "-x-", "実験", "n" * 300]
    import_foreign(repository, [ForeignRun("wandb", f"id{n}", name) for n, name in enumerate(names)])
    import_foreign(repository, [ForeignRun("wandb", "later", "a b/c")])
    found = set(records(repository))
    assert {"a-b-c", "a-b-c-2", "A-B-C-3", "a-b-c-4", "Groe", "x", "x-2", "n" * 100} <= found
    assert len(found) == len(names) + 1
    assert f"wandb-{'f' * 40}" in found


def test_importing_twice_creates_nothing_twice(repository: Repository, git: Git) -> None:
    """Known by its id, also after a rename; what was removed can be imported again."""
    runs = [ForeignRun("mlflow", "r1", "one"), ForeignRun("mlflow", "r1", "one"), ForeignRun("wandb", "r1", "two")]
    first = import_foreign(repository, runs)
    assert [one.outcome for one in first] == ["imported", "known", "imported"]
    refs = git("for-each-ref", "refs/gittrack")
    assert [one.outcome for one in import_foreign(repository, runs)] == ["known"] * 3
    assert git("for-each-ref", "refs/gittrack") == refs
    store.trash_experiments(repository, [tip for tip in store.list_tips(repository) if tip.experiment.name == "one"])
    assert [one.outcome for one in import_foreign(repository, runs[:1])] == ["imported"]


def test_a_dry_run_writes_nothing(repository: Repository, git: Git) -> None:
    """No ref, no object, nothing in the cache."""
    before = git("count-objects", "-v")
    taken = import_foreign(repository, [ForeignRun("mlflow", "r", "one", params={"a": 1})], dry_run=True)
    assert [(one.outcome, one.n_params) for one in taken] == [("imported", 1)]
    assert git("count-objects", "-v") == before
    assert records(repository) == {}


def test_an_import_is_whole_or_nothing(repository: Repository, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a name is taken at the last moment no experiment appears, and the next import has all of them."""
    runs = [ForeignRun("mlflow", f"r{n}", f"run-{n}") for n in range(3)]
    head = git("rev-parse", "HEAD")
    original = write.transaction

    def beaten(*arguments: object) -> None:
        monkeypatch.setattr(write, "transaction", original)
        git("update-ref", f"refs/gittrack/exps/{head}/run-1", head)
        original(*arguments)

    monkeypatch.setattr(write, "transaction", beaten)
    with pytest.raises(RefExistsError, match="nothing was imported"):
        import_foreign(repository, runs)
    assert git("for-each-ref", "--format=%(refname:lstrip=-1)", "refs/gittrack/exps") == "run-1"
    assert not list((repository.common_dir / "objects/pack").glob("*.keep"))
    import_foreign(repository, runs)
    names = git("for-each-ref", "--format=%(refname:lstrip=-1)", "refs/gittrack/exps").split()
    assert names == ["run-0", "run-1", "run-1-2", "run-2"]


def test_a_pack_is_kept_while_its_refs_are_made(
    repository: Repository, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `git gc` that prunes everything just before the refs exist takes no object away."""
    original = write.transaction

    def collected(*arguments: object) -> None:
        git("gc", "-q", "--prune=now")
        original(*arguments)

    monkeypatch.setattr(write, "transaction", collected)
    import_foreign(repository, [ForeignRun("mlflow", "r", "one", params={"a": 1})])
    assert fsck(repository.common_dir.parent) == ""
    assert records(repository)["one"].params == {"a": 1}


def test_runs_before_the_first_commit(tmp_path: Path) -> None:
    """A repository without a commit takes runs, too."""
    folder = tmp_path / "unborn"
    folder.mkdir()
    run_git("init", "-q", cwd=folder)
    repository = open_repository(folder)
    import_foreign(repository, [ForeignRun("mlflow", "r", "one")])
    assert records(repository)["one"].meta.baseline is None


def test_runs_of_tensorboard_come_whole(repository: Repository, tmp_path: Path) -> None:
    """Scalars of both styles, doubles, hparams of both writers, texts, times and the event files."""
    folder = unpack_store("tensorboard", tmp_path / "store") / "tb"
    import_foreign(repository, tensorboard.read_runs(folder))
    found = records(repository)
    assert set(found) == {"new", "train", "train-val"}
    new, train = found["new"], found["train"]
    assert new.params == {"act": "relu", "flag": True, "lr": 0.01, "units": 32}
    assert points(new)["acc"].steps == [0, 1, 2]
    assert points(new)["acc"].values == [0.0, *struct.unpack("<2f", struct.pack("<2f", 0.1, 0.2))]
    assert points(new)["acc"].times == [1760000000.5, 1760000001.5, 1760000002.5]
    assert points(new)["dbl"].values == [2.5]
    assert (new.meta.started, new.meta.ended) == (1759999990.0, 1760000009.0)
    assert [(plot.name, plot.kind, plot.step) for plot in new.plots] == [("note", "text", 0)]
    assert contents(repository, "new")["note", 0] == b"hello *world*"
    assert train.params == {"bn": True, "lr": 0.1, "opt": "adam"}
    assert points(train)["loss"].values == [1.0, 0.5, struct.unpack("<f", struct.pack("<f", 1 / 3))[0], 0.25]
    assert math.isnan(points(train)["odd"].values[0])
    assert "weights" not in train.metrics
    shown = {plot.name: plot for plot in train.plots}
    assert {name: plot.kind for name, plot in shown.items()} == {"config": "text", "weights": "histogram"}
    assert shown["weights"].values == {"count": 10, "min": 0, "max": 9, "mean": 4.5}
    assert [entry.type for entry in train.artifacts] == ["tensorboard"] * 2
    again = import_foreign(repository, tensorboard.read_runs(folder.parent))
    assert {one.outcome for one in again} == {"known"}


def test_plots_of_tensorboard_come_whole(repository: Repository, tmp_path: Path) -> None:
    """Images, histograms and curves of both writers, each with its step, its numbers and its bytes."""
    folder = unpack_store("tensorboard-plots", tmp_path / "store")
    import_foreign(repository, tensorboard.read_runs(folder))
    found = records(repository)
    assert set(found) == {"plots-old", "plots-new"}
    for name in found:
        kinds = {(plot.name, plot.kind, plot.step) for plot in found[name].plots}
        assert {("image", "image", 0), ("image", "image", 1), ("weights", "histogram", 3)} <= kinds
        assert contents(repository, name)["image", 1].startswith(b"\x89PNG")
        histogram = json.loads(contents(repository, name)["weights", 3])["columns"]
        assert sum(histogram["count"]) == 100
        assert (histogram["low"][0], histogram["high"][-1]) == (0, 99)
        assert all(low < high for low, high in zip(histogram["low"], histogram["high"], strict=True))
        curve = json.loads(contents(repository, name)["pr", 0])
        assert curve["values"] == {"no_skill": 0.5}
        assert curve["columns"]["threshold"] == pytest.approx([0, 1 / 3, 2 / 3, 1])
        assert curve["columns"]["precision"][0] == pytest.approx(0.5)
    problems = found["plots-new"].meta.problems
    assert "left out, 1 in all: value of the plugin 'audio', which only the event files have" in problems
    assert fsck(repository.common_dir.parent) == ""


@pytest.fixture
def _nothing_staged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a store was recorded, its files may be staged still."""
    monkeypatch.setattr(wandb_artifacts, "_staged", lambda *_: None)


@pytest.mark.usefixtures("_nothing_staged")
def test_runs_of_wandb_come_whole(repository: Repository, tmp_path: Path) -> None:
    """Config, history, summary, tags, notes, group, times, status, output, packages and files of the folder."""
    folder = unpack_store("wandb", tmp_path / "store")
    import_foreign(repository, wandb.read_runs(folder))
    found = records(repository)
    run = found["baseline-run"]
    assert run.params == {"flag": True, "lr": 0.1, "model.layers": [64, 32], "model.name": "mlp"}
    assert points(run)["loss"].values == [1, 0.5, 1 / 3, 0.25, 0.2, 1 / 6]
    assert points(run)["nested.a"].values == [0, 2, 4, 6, 8, 10]
    assert math.isnan(points(run)["odd"].values[0])
    assert points(run)["odd"].values[1] == math.inf
    assert run.metrics["best"].last == 0.99
    assert run.meta.tags == {
        "v1": True,
        "vision": True,
        "wandb.job_type": "train",
        "wandb.project": "digits",
        "word": "hello",
    }
    assert (run.meta.description, run.meta.group, run.meta.status) == ("First try", "g1", "completed")
    assert run.meta.exit_code == 0
    assert run.meta.environment["python"] == "3.11.7"
    assert run.log is not None
    assert run.log.startswith(b"printed line\n")
    assert run.requirements is not None
    assert b"wandb==0.31.0" in run.requirements
    assert [(entry.path, entry.kind, entry.files) for entry in run.artifacts] == [("media", "dir", 1)]
    assert any("'m' (model)" in problem for problem in run.meta.problems)
    failed = next(record for name, record in found.items() if name != "baseline-run")
    assert (failed.meta.status, failed.meta.exit_code) == ("failed", 1)


@pytest.mark.usefixtures("_nothing_staged")
def test_media_of_wandb_come_whole(repository: Repository, tmp_path: Path) -> None:
    """Images, single and several, tables and histograms at their steps; what is no plot is named."""
    folder = unpack_store("wandb-media", tmp_path / "store")
    import_foreign(repository, wandb.read_runs(folder))
    record = records(repository)["m"]
    kinds = {(plot.name, plot.kind, plot.step) for plot in record.plots}
    names = {("img", "image"), ("many/0", "image"), ("many/1", "image"), ("deep.img", "image")}
    assert kinds == {(*one, step) for one in {*names, ("hist", "histogram"), ("tab", "table")} for step in (0, 1)}
    assert {plot.title for plot in record.plots if plot.name == "img"} == {"cap"}
    held = contents(repository, "m")
    assert held["img", 0].startswith(b"\x89PNG")
    assert json.loads(held["tab", 1])["columns"] == {"a": [1, 2], "b": ["x", None]}
    columns = json.loads(held["hist", 0])["columns"]
    assert columns == {"low": [0, 2.25, 4.5, 6.75], "high": [2.25, 4.5, 6.75, 9], "count": [3, 2, 2, 3]}
    assert record.params == {"a.b": [1, {"c": 2}]}
    assert set(record.metrics) == {"loss"}
    assert [problem for problem in record.meta.problems if "left out" in problem] == [
        "left out, 1 in all: value of the type 'html-file', whose file is among the artifacts if it was there"
    ]
    assert any("'mod' (model): 2 of its 2 files are not where they were staged" in one for one in record.meta.problems)


def field(number: int, value: bytes) -> bytes:
    """Return a field of a protobuf message that has fewer than 128 bytes."""
    assert len(value) < 128
    return bytes([number << 3 | 2, len(value)]) + value


def test_staged_artifacts_of_wandb_come_by_their_digest(repository: Repository, tmp_path: Path) -> None:
    """A file at the place that a record names is taken if it is the one that was logged, and no other."""
    (tmp_path / "s").write_bytes(b"weights")
    (tmp_path / "t").write_bytes(b"secret")
    (tmp_path / "l").symlink_to("s")
    md5 = b64encode(hashlib.md5(b"weights").digest())
    if len(str(tmp_path)) > 80:
        pytest.skip("the path of the test is long")
    manifest = b"".join(
        field(4, field(1, path) + field(2, md5) + field(6, str(tmp_path / place).encode()))
        for path, place in ((b"a/w.bin", "s"), (b"b/w.bin", "s"), (b"other", "t"), (b"link", "l"), (b"gone", "g"))
    )
    artifact = {4: [b"model"], 5: [b"mod"], 12: [manifest]}
    files, problems = wandb_artifacts.read_artifact(artifact)
    assert problems == ["the artifact 'mod' (model): 2 of its 5 files are not where they were staged"]
    import_foreign(repository, [ForeignRun("wandb", "r", "one", files=tuple(files))])
    record = records(repository)["one"]
    assert [(entry.path, entry.name, entry.type, entry.size) for entry in record.artifacts] == [
        ("mod-a-w.bin", "mod/a/w.bin", "model", 7),
        ("mod-b-w.bin", "mod/b/w.bin", "model", 7),
    ]
    assert "the artifact 'mod/other' is not imported: what is there is not what was logged" in record.meta.problems


def test_experiments_of_dvc_come_whole(tmp_path: Path) -> None:
    """The same baseline, name and code, with params, metrics and points; refs of DVC's queue are no experiments."""
    folder = make_dvc_repository(tmp_path / "repo")
    head = run_git("rev-parse", "HEAD", cwd=folder)
    run_git("update-ref", "refs/exps/exec/EXEC_HEAD", head, cwd=folder)
    repository = open_repository(folder)
    import_foreign(repository, dvc.read_refs(repository))
    found = records(repository)
    assert set(found) == {"fast", "saved", "slow"}
    fast = found["fast"]
    assert fast.params == {"lr": 0.5, "net.width": 8, "train.epochs": 3, "train.lr": 0.1}
    assert points(fast)["loss"].values == [0.5, 0.25, 0.5 / 3]
    assert points(fast)["loss"].times[0] > 1_700_000_000
    assert points(fast)["val/acc"].values == [0.0, 0.1, 0.2]
    assert set(fast.metrics) == {"best", "loss", "val/acc"}
    assert (fast.meta.description, found["saved"].meta.description) == ("try fast", None)
    assert {record.meta.baseline for record in found.values()} == {head}
    theirs = run_git("for-each-ref", "--format=%(refname)", "refs/exps/*/*/fast", cwd=folder)
    ours = f"refs/gittrack/exps/{head}/fast"
    assert run_git("diff", "--name-only", theirs, ours, "--", ":!.gittrack", cwd=folder) == ""
    assert {one.outcome for one in import_foreign(repository, dvc.read_refs(repository))} == {"known"}


def test_plots_of_dvc_come_from_git_and_from_its_cache(tmp_path: Path) -> None:
    """Tables in the cache are series, JSON with a template a figure; content with another MD5 is not taken."""
    folder = make_dvc_repository(tmp_path / "repo")
    table, forged = b"step,loss\n0,1.0\n1,0.5\n", b"step,other\n0,1.0\n"
    md5 = hashlib.md5(table).hexdigest()
    for name, data in ((md5, table), ("f" * 32, forged)):
        place = folder / ".dvc/cache/files/md5" / name[:2] / name[2:]
        place.parent.mkdir(parents=True)
        place.write_bytes(data)
    outs = "".join(
        f"    - {{path: {path}, hash: md5, md5: {one}}}\n" for path, one in (("c.csv", md5), ("f.csv", "f" * 32))
    )
    (folder / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  t:\n    cmd: x\n    outs:\n{outs}")
    (folder / "dvc.yaml").write_text(
        "plots: [{c.csv: {x: step, y: loss}}, {f.csv: {x: step}},"
        " {roc.json: {x: fpr, y: tpr, template: simple, title: ROC}}, {steps.json: {x: step, y: acc}}]"
    )
    (folder / "roc.json").write_text('{"roc": [{"fpr": 0.0, "tpr": 0.25}, {"fpr": 1.0, "tpr": 1.0}]}')
    (folder / "steps.json").write_text('[{"step": 0, "acc": 0.5}, {"step": 1, "acc": 0.75}]')
    baseline = run_git("rev-parse", "HEAD", cwd=folder)
    run_git("add", "-A", "--", "dvc.lock", "dvc.yaml", "roc.json", "steps.json", cwd=folder)
    run_git("commit", "-q", "-m", "Plots", cwd=folder)
    run_git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/plots", "HEAD", cwd=folder)
    repository = open_repository(folder)
    import_foreign(repository, dvc.read_refs(repository))
    record = records(repository)["plots"]
    assert {name: list(series.values) for name, series in points(record).items()} == {
        "loss": [1.0, 0.5],
        "acc": [0.5, 0.75],
    }
    [plot] = record.plots
    assert (plot.name, plot.kind) == ("roc.json", "simple")
    document = json.loads(contents(repository, "plots")["roc.json", None])
    assert document["columns"] == {"fpr": [0.0, 1.0], "tpr": [0.25, 1.0]}
    assert document["figure"]["layout"]["title"]["text"] == "ROC"
    assert record.meta.problems == (
        "left out, 1 in all: plot whose content is in no cache of DVC here, such as 'f.csv'",
    )


def test_a_folder_of_dvclive_becomes_an_experiment(repository: Repository, tmp_path: Path) -> None:
    """What DVCLive wrote, without any commit of DVC; changed content is another run."""
    folder = unpack_store("dvclive", tmp_path / "store") / "dvclive"
    import_foreign(repository, [dvc.read_folder(folder)])
    run = records(repository)["dvclive"]
    assert run.params == {"lr": 0.5, "net.width": 8}
    assert points(run)["val/acc"].steps == [0, 1, 2]
    assert run.metrics["best"].last == 1.5
    assert import_foreign(repository, [dvc.read_folder(folder)])[0].outcome == "known"
    (folder / "params.yaml").write_text("lr: 0.6\n")
    assert import_foreign(repository, [dvc.read_folder(folder)])[0].outcome == "imported"


def cut(path: Path, n_bytes: int) -> None:
    """Take bytes from the end of a file."""
    path.write_bytes(path.read_bytes()[:-n_bytes])


def test_what_is_cut_off_comes_up_to_the_cut(tmp_path: Path) -> None:
    """Event files and record files whose process was killed while writing, at every length."""
    events = next((unpack_store("tensorboard", tmp_path / "tb") / "tb/new").iterdir())
    whole = next(iter(tensorboard.read_runs(events)))
    for n_left in range(0, events.stat().st_size, 7):
        copy = tmp_path / "cut" / events.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(events.read_bytes()[:n_left])
        run = next(iter(tensorboard.read_runs(copy)))
        n_points = len(run.series["acc"].steps) if "acc" in run.series else 0
        assert run.series.get("acc", whole.series["acc"])[2][:n_points] == whole.series["acc"].values[:n_points]
    assert run.problems
    records_file = next((unpack_store("wandb", tmp_path / "wb") / "wandb").glob("offline-*/run-p*.wandb"))
    for _ in range(40):
        cut(records_file, 97)
        partial = next(iter(wandb.read_runs(records_file)))
        assert partial.status == "running"
    assert any("cut off" in problem for problem in partial.problems)
    assert partial.params["lr"] == 0.1


def test_flipped_bytes_never_crash_a_reader(tmp_path: Path) -> None:
    """One wrong byte anywhere gives a run with what stands before, or none, and a problem; nothing else."""
    events = next((unpack_store("tensorboard", tmp_path / "tb") / "tb/new").iterdir())
    records_file = next((unpack_store("wandb", tmp_path / "wb") / "wandb").glob("offline-*/run-f*.wandb"))
    for file, read in ((events, tensorboard.read_runs), (records_file, wandb.read_runs)):
        data = file.read_bytes()
        for at in range(0, len(data), 5):
            file.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
            run = next(iter(read(file)))
            assert run.problems, at


def test_links_lead_nowhere(repository: Repository, tmp_path: Path) -> None:
    """A store cannot make us record a file of this machine, by links in place of params, tags, artifacts or folders."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("s3cret")
    folder = unpack_store("mlflow-files", tmp_path / "store") / "mlruns"
    run = next(path.parent for path in folder.glob("*/*/artifacts") if (path / "model.txt").exists())
    (run / "params/stolen").symlink_to(secret / "key")
    (run / "artifacts/stolen").symlink_to(secret / "key")
    (run / "artifacts/folder").symlink_to(secret)
    (run / "artifacts/sub/stolen").symlink_to(secret / "key")
    shutil.rmtree(run / "tags")
    (run / "tags").symlink_to(secret)
    import_foreign(repository, mlflow_files.read_runs(run))
    wb = unpack_store("wandb", tmp_path / "wb") / "wandb"
    place = next(wb.glob("offline-*fq*"))
    (place / "files/output.log").symlink_to(secret / "key")
    (place / "files/out.csv").symlink_to(secret / "key")
    import_foreign(repository, wandb.read_runs(place))
    other = next(wb.glob("offline-*p2*"))
    shutil.rmtree(other / "files")
    (secret / "output.log").write_text("s3cret")
    (other / "files").symlink_to(secret)
    import_foreign(repository, wandb.read_runs(other))
    live = unpack_store("dvclive", tmp_path / "dl") / "dvclive"
    shutil.rmtree(live / "plots")
    (secret / "metrics").mkdir()
    (secret / "metrics/a.tsv").write_text("step\ts3cret\n1\t2\n")
    (live / "plots").symlink_to(secret)
    import_foreign(repository, [dvc.read_folder(live)])
    for tip in store.list_tips(repository):
        record = store.read_record(repository, tip.commit)
        assert "s3cret" not in repr(record)
        assert not {"stolen", "folder", "out.csv"} & {entry.path for entry in record.artifacts}
        assert all(entry.files == 1 for entry in record.artifacts)
    cached = [path.read_bytes() for path in (repository.state_dir / "cache").rglob("*") if path.is_file()]
    assert b"s3cret" not in b"".join(cached)


def test_an_artifact_uri_cannot_lead_out_of_the_store(repository: Repository, tmp_path: Path) -> None:
    """A database that names /etc, or a way up, as the place of artifacts gets none of it."""
    path = unpack_store("mlflow-database", tmp_path / "store") / "mlflow.db"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/key").write_text("s3cret")
    with sqlite3.connect(path) as database:
        database.execute("UPDATE runs SET artifact_uri = ?", (f"file://{tmp_path}/store/../outside",))
    database.close()
    shutil.rmtree(path.parent / "artifacts")
    import_foreign(repository, mlflow_database.read_runs(path))
    assert all(not record.artifacts for record in records(repository).values())


def test_damage_concerns_one_run_only(repository: Repository, tmp_path: Path) -> None:
    """Lines that are no points, a meta.yaml that is no YAML, huge steps and times, and another tracker's binary."""
    folder = unpack_store("mlflow-files", tmp_path / "store") / "mlruns"
    run = next(path.parent for path in folder.glob("*/*/artifacts") if (path / "model.txt").exists())
    (run / "metrics/loss").write_bytes(b"1 2\n\xff\xfe junk\n99999999999999999999 0.5 " + b"9" * 30 + b"\n1 x 1\n")
    (run / "meta.yaml").write_text("!!python/object/apply:os.system [touch pwned]")
    taken = import_foreign(repository, mlflow_files.read_runs(folder))
    assert all(one.outcome in {"imported", "running"} for one in taken)
    damaged = next(record for record in records(repository).values() if record.params.get("optimizer/name") == "adam")
    assert points(damaged)["loss"].steps == [0, int("9" * 30)]
    assert any("2 lines of the metric 'loss'" in problem for problem in damaged.meta.problems)
    assert any("meta.yaml" in problem for problem in damaged.meta.problems)


def test_a_record_that_is_too_large_stops_no_other(repository: Repository) -> None:
    """An experiment whose files nobody could read is not written; the others are."""
    runs = [ForeignRun("mlflow", "big", "big", params={"x": "y" * (17 << 20)}), ForeignRun("mlflow", "ok", "ok")]
    taken = import_foreign(repository, runs)
    assert [one.outcome for one in taken] == ["damaged", "imported"]
    assert set(records(repository)) == {"ok"}


def test_secrets_of_a_command_are_masked(repository: Repository) -> None:
    """As in the command of a run that gittrack records."""
    import_foreign(repository, [ForeignRun("wandb", "r", "one", command=("train.py", "--api-key", "s3cret"))])
    assert records(repository)["one"].meta.command == ("train.py", "--api-key", "***")


@pytest.mark.parametrize(
    "read", [mlflow_files.read_runs, mlflow_database.read_runs, tensorboard.read_runs, wandb.read_runs]
)
def test_what_is_no_store_is_named(tmp_path: Path, read: Callable[..., object]) -> None:
    """A folder of something else, and a path where nothing is."""
    (tmp_path / "other.txt").write_text("x")
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UnreadableStoreError) as caught:
            list(read(path))  # type: ignore[call-overload]
        assert str(path) in str(caught.value)


def test_a_database_of_something_else_is_named(tmp_path: Path) -> None:
    """SQLite, but not MLflow's; and a database whose pages are damaged."""
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE cats (name)")
    database.close()
    with pytest.raises(UnreadableStoreError, match="no such table"):
        list(mlflow_database.read_runs(tmp_path / "other.db"))
    path = unpack_store("mlflow-database", tmp_path / "store") / "mlflow.db"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xaa" * (len(data) - 4096))
    with pytest.raises(UnreadableStoreError):
        list(mlflow_database.read_runs(path))


def test_the_id_of_an_experiment_comes_from_that_of_the_run(repository: Repository) -> None:
    """So a child finds its parent, whichever is imported first."""
    import_foreign(repository, [ForeignRun("mlflow", "c", "child", parent="p")])
    import_foreign(repository, [ForeignRun("mlflow", "p", "parent")])
    found = records(repository)
    assert found["child"].meta.parent_run == found["parent"].meta.id == experiment_id("mlflow", "p")
    shown = json.loads(run_git("cat-file", "blob", f"{store.list_tips(repository)[0].commit}:.gittrack/meta.json",
                               cwd=repository.common_dir.parent))  # fmt: skip
    assert shown["origin"]["tool"] == "mlflow"
