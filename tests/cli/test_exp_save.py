"""`gittrack exp save`: the workspace as it is, and nothing else touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.git_repository import ZERO_ID, run_git
from tests.support.reading import code_of, only_record, records, tip_of
from tests.support.untouched import own_state, stash_something, work_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]


def test_save_records_the_workspace_under_its_name(repo_dir: Path, gittrack: Gittrack, git: Git) -> None:
    """Changed, deleted and untracked files are in the record, with declared values, message and baseline."""
    (repo_dir / "params.yaml").write_text("train: {lr: 0.5}\n")
    (repo_dir / "metrics.json").write_text('{"acc": 0.75}')
    (repo_dir / "train.py").unlink()
    lines = gittrack("exp", "save", "-n", "wide", "-m", "128 units", cwd=repo_dir)
    record = only_record(repo_dir)
    assert lines == [f"recorded wide ({tip_of(repo_dir, 'wide')[:8]}): completed, 1 param, 1 metric"]
    assert (record.params, record.metrics["acc"].last) == ({"train.lr": 0.5}, 0.75)
    assert (record.meta.description, record.meta.source, record.meta.status) == ("128 units", "save", "completed")
    assert (record.meta.baseline, record.meta.branch) == (git("rev-parse", "HEAD"), "main")
    assert record.meta.dirty
    assert record.requirements
    assert sorted(code_of(repo_dir, "wide")) == ["metrics.json", "params.yaml"]
    assert git("log", "-1", "--format=%B", tip_of(repo_dir, "wide")) == "gittrack: wide completed\n\n128 units\n"


def test_save_touches_nothing(repo_dir: Path, gittrack: Gittrack, git: Git) -> None:
    """HEAD, index, work tree, branches, tags and stash are byte-identical afterwards."""
    stash_something(repo_dir)
    (repo_dir / "staged.py").write_text("staged\n")
    git("add", "staged.py")
    (repo_dir / "staged.py").write_text("and changed again\n")
    (repo_dir / "untracked.txt").write_text("new\n")
    before = own_state(repo_dir), work_tree(repo_dir), git("status", "--porcelain")
    gittrack("exp", "save", "-n", "one", cwd=repo_dir)
    assert (own_state(repo_dir), work_tree(repo_dir), git("status", "--porcelain")) == before
    assert code_of(repo_dir, "one")["staged.py"] == "and changed again"


def test_save_in_json_is_one_object(repo_dir: Path, gittrack: Gittrack, git: Git) -> None:
    """Programs get name, full ref and commit; NaN is written by its name."""
    (repo_dir / "metrics.json").write_text('{"loss": NaN}')
    answer = json.loads("\n".join(gittrack("exp", "save", "--json", cwd=repo_dir)))
    assert answer["ref"] == f"refs/gittrack/exps/{git('rev-parse', 'HEAD')}/{answer['name']}"
    assert answer["commit"] == git("rev-parse", answer["ref"])
    assert answer["metrics"] == {"loss": "nan"}
    assert answer["params"] == {"train.lr": 0.1, "train.epochs": 3}


def test_a_name_is_used_once_for_a_baseline(repo_dir: Path, gittrack: Gittrack, git: Git) -> None:
    """A second save of that name, in any case, is refused and records nothing; another commit starts anew."""
    gittrack("exp", "save", "-n", "same", cwd=repo_dir)
    before = tip_of(repo_dir, "same")
    lines = gittrack("exp", "save", "-n", "SAME", cwd=repo_dir, code=1)
    assert lines[0].startswith("error: there is an experiment 'SAME' under ")
    assert lines[1].startswith("hint: choose another name")
    assert (tip_of(repo_dir, "same"), list(records(repo_dir))) == (before, ["same"])
    git("commit", "-q", "--allow-empty", "-m", "next")
    gittrack("exp", "save", "-n", "same", cwd=repo_dir)
    assert len(git("for-each-ref", "refs/gittrack/exps").splitlines()) == 2


@pytest.mark.parametrize("name", ["", "../x", "-n", "a b", "é", "x.lock", "a" * 101, "a\nb"])
def test_invalid_names_are_refused(repo_dir: Path, gittrack: Gittrack, name: str) -> None:
    """What would be no ref, or no path, is a wrong call, and nothing is recorded."""
    gittrack("exp", "save", f"--name={name}", cwd=repo_dir, code=2)
    assert records(repo_dir) == {}


def test_made_up_names_differ(repo_dir: Path, gittrack: Gittrack) -> None:
    """Saving again and again without a name always succeeds."""
    for _ in range(3):
        gittrack("exp", "save", cwd=repo_dir)
    assert len(records(repo_dir)) == 3


def test_save_before_the_first_commit(tmp_path: Path, gittrack: Gittrack) -> None:
    """On an unborn branch an experiment has no baseline, and zeros stand in its ref."""
    run_git("init", "-q", str(tmp_path / "new"), cwd=tmp_path)
    (tmp_path / "new/params.yaml").write_text("lr: 1\n")
    answer = json.loads("\n".join(gittrack("exp", "save", "--json", cwd=tmp_path / "new")))
    assert answer["ref"] == f"refs/gittrack/exps/{ZERO_ID}/{answer['name']}"
    assert (answer["baseline"], answer["params"]) == (None, {"lr": 1})


def test_save_with_a_detached_head(repo_dir: Path, gittrack: Gittrack, git: Git) -> None:
    """The baseline is the commit that is checked out; there is no branch to name."""
    git("checkout", "-q", "--detach")
    gittrack("exp", "save", cwd=repo_dir)
    meta = only_record(repo_dir).meta
    assert (meta.baseline, meta.branch) == (git("rev-parse", "HEAD"), None)


def test_save_from_a_folder_and_from_a_linked_worktree(repo_dir: Path, gittrack: Gittrack, git: Git) -> None:
    """The whole work tree is recorded from wherever; each worktree has its own files and HEAD."""
    (repo_dir / "src/deep").mkdir(parents=True)
    gittrack("exp", "save", "-n", "below", cwd=repo_dir / "src/deep")
    linked = repo_dir.parent / "linked tree ü"
    git("worktree", "add", "-q", str(linked), "-b", "other")
    (linked / "params.yaml").write_text("train: {lr: 9}\n")
    gittrack("exp", "save", "-n", "beside", cwd=linked)
    found = records(repo_dir)
    assert (found["below"].meta.directory, found["below"].params["train.lr"]) == ("src/deep", 0.1)
    assert (found["beside"].meta.branch, found["beside"].params) == ("other", {"train.lr": 9})


def test_what_is_left_out_is_named(repo_dir: Path, gittrack: Gittrack) -> None:
    """Large files and secrets stay out, in one line of output and in the description."""
    (repo_dir / "big.bin").write_bytes(b"x" * (2 << 20))
    (repo_dir / ".env").write_text("TOKEN=secret\n")
    lines = gittrack("exp", "save", "-n", "one", cwd=repo_dir)
    assert lines[1:] == ["left out: .env (looks like a secret), big.bin (larger than 1 MiB)"]
    assert {item["path"] for item in only_record(repo_dir).meta.left_out} == {".env", "big.bin"}
    assert not {".env", "big.bin"} & set(code_of(repo_dir, "one"))


def test_every_kind_of_declaration_counts(repo_dir: Path, gittrack: Gittrack) -> None:
    """params.yaml, gittrack.yaml, dvc.yaml and dvclive/ all give params and metrics."""
    (repo_dir / "conf").mkdir()
    (repo_dir / "dvclive").mkdir()
    (repo_dir / "gittrack.yaml").write_text("params: conf/model.toml\nmetrics: [eval.yaml]\n")
    (repo_dir / "conf/model.toml").write_text("units = 128\n")
    (repo_dir / "eval.yaml").write_text("f1: 1e-1\n")
    (repo_dir / "dvc.yaml").write_text(
        "stages:\n  train:\n    cmd: x\n    params: [data.json: [n]]\n    metrics: [scores.json: {cache: false}]\n"
    )
    (repo_dir / "data.json").write_text('{"n": 7}')
    (repo_dir / "scores.json").write_text('{"auc": 0.5}')
    (repo_dir / "dvclive/params.yaml").write_text("seed: 1\n")
    (repo_dir / "dvclive/metrics.json").write_text('{"loss": 2}')
    gittrack("exp", "save", cwd=repo_dir)
    record = only_record(repo_dir)
    assert record.params == {"units": 128, "n": 7, "train.lr": 0.1, "train.epochs": 3, "seed": 1}
    assert {name: metric.last for name, metric in record.metrics.items()} == {"f1": 0.1, "auc": 0.5, "loss": 2}


def test_a_broken_file_spoils_no_other(repo_dir: Path, gittrack: Gittrack) -> None:
    """What cannot be read is a warning that names the file; the other files' values are recorded."""
    (repo_dir / "params.yaml").write_text("lr: [1\n")
    (repo_dir / "metrics.json").write_text('{"acc": 0.5}')
    lines = gittrack("exp", "save", cwd=repo_dir)
    record = only_record(repo_dir)
    assert (dict(record.params), record.metrics["acc"].last) == ({}, 0.5)
    assert len(record.meta.problems) == 1
    assert lines[1].startswith("warning: params.yaml: ")


def test_messages_of_every_kind(repo_dir: Path, gittrack: Gittrack) -> None:
    """Unicode, line breaks and leading dashes are kept as they were given; an empty one is none."""
    for number, message in enumerate(["naïve 模型\nsecond line", "-dash", ""]):
        gittrack("exp", "save", "-n", f"m{number}", f"--message={message}", cwd=repo_dir)
    found = records(repo_dir)
    assert [found[f"m{number}"].meta.description for number in range(3)] == ["naïve 模型\nsecond line", "-dash", None]


def test_outside_of_a_repository_there_is_nothing_to_save(tmp_path: Path, gittrack: Gittrack) -> None:
    """The message says so and what to do."""
    lines = gittrack("exp", "save", cwd=tmp_path, code=1)
    assert lines[0].startswith("error: no git repository at ")


def test_a_bare_repository_has_no_workspace(tmp_path: Path, gittrack: Gittrack) -> None:
    """There is nothing to record, and the message says why."""
    run_git("init", "-q", "--bare", "bare.git", cwd=tmp_path)
    lines = gittrack("exp", "save", cwd=tmp_path / "bare.git", code=1)
    assert "bare repository" in lines[0]
    assert not (Path(tmp_path) / "bare.git/refs/gittrack").exists()
