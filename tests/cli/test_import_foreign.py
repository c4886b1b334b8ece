"""`gittrack import …` and `gittrack export dvc`, as a person calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.commands import call_gittrack
from tests.support.foreign import make_dvc_repository, unpack_store
from tests.support.git_repository import run_git

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("below", ["mlruns", "."])
def test_import_mlflow_says_what_came(repo_dir: Path, tmp_path: Path, below: str) -> None:
    """A line for each run, and what was left out; the folder above a store will do."""
    store = unpack_store("mlflow-files", tmp_path / "store")
    output = call_gittrack("import", "mlflow", str(store / below), "--dry-run", cwd=repo_dir)
    assert (output.code, output.err.count("still running")) in {(0, 0), (0, 1)}  # as of when the test runs
    assert "would import sweep-e-1: completed, 4 params, 4 metrics\n" in output.out
    output = call_gittrack("import", "mlflow", str(store / below), "--deleted", cwd=repo_dir)
    assert "imported sweep-e-1: completed, 4 params, 4 metrics\nimported" in output.out.replace("\r", "") + "imported"
    assert "imported deleted: completed, 0 params, 0 metrics\n" in output.out
    again = call_gittrack("import", "mlflow", str(store / below), cwd=repo_dir)
    assert again.code == 0
    assert "imported" not in again.out
    assert " that were imported before\n" in again.err


def test_import_mlflow_finds_the_database(repo_dir: Path, tmp_path: Path) -> None:
    """In a folder, or named; one that is in use is warned of."""
    store = unpack_store("mlflow-database", tmp_path / "store")
    (store / "mlflow.db-wal").write_bytes(b"x")
    output = call_gittrack("import", "mlflow", str(store), "--no-artifacts", cwd=repo_dir)
    assert output.code == 0
    assert "is in use" in output.err
    assert "imported child: completed, 1 param, 1 metric\n" in output.out
    shown = call_gittrack("exp", "artifacts", "sweep-e-1", "--json", cwd=repo_dir)
    assert "model.txt" not in shown.out


def test_import_names_problems(repo_dir: Path, tmp_path: Path) -> None:
    """What could not be read is warned of, run by run; a path without runs is an error with a way out."""
    store = unpack_store("wandb", tmp_path / "store")
    output = call_gittrack("import", "wandb", str(store / "wandb"), cwd=repo_dir)
    assert output.code == 0
    assert "imported baseline-run: completed, 4 params, 7 metrics\n" in output.out
    assert "baseline-run: texts logged as metrics: of word only the last one was kept, as a tag\n" in output.err
    output = call_gittrack("import", "tensorboard", str(tmp_path / "nowhere"), cwd=repo_dir)
    assert output.code == 1
    assert output.err == (
        f"error: no event files of TensorBoard in '{tmp_path}/nowhere'\nhint: name the folder with the runs\n"
    )


def test_import_and_export_dvc(tmp_path: Path) -> None:
    """What came from DVC is not sent back; what did not is."""
    folder = make_dvc_repository(tmp_path / "repo")
    output = call_gittrack("import", "dvc", cwd=folder)
    assert output.out.startswith("imported fast: completed, 4 params, 3 metrics\n")
    store = unpack_store("tensorboard", tmp_path / "store")
    assert call_gittrack("import", "tensorboard", str(store), cwd=folder).code == 0
    output = call_gittrack("export", "dvc", cwd=folder)
    assert output.out == "exported 3 of 6: tb-new, tb-train, tb-train-val\n"
    assert call_gittrack("export", "dvc", cwd=folder).out == "everything is exported already\n"
    assert call_gittrack("export", "dvc", "--prune", "fast", cwd=folder).code == 2
    call_gittrack("exp", "remove", "tb-new", cwd=folder)
    assert call_gittrack("export", "dvc", "--prune", cwd=folder).out.endswith("removed 1: tb-new\n")
    names = run_git("for-each-ref", "--format=%(refname:lstrip=-1)", "refs/exps/*/*/*", cwd=folder).split()
    assert names == ["fast", "saved", "slow", "tb-train", "tb-train-val"]


def test_export_dvc_with_nothing(repo_dir: Path) -> None:
    """No experiment, no error."""
    assert call_gittrack("export", "dvc", cwd=repo_dir).out == "nothing to export\n"
    assert call_gittrack("import", "dvc", cwd=repo_dir).out == "there are no runs to import\n"
