"""Commits through the installed post-commit hook: what becomes an experiment, and what is marked as landed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from gittrack.git.hook_block import render_block
from gittrack.runs.capture import save_workspace
from gittrack.runs.context import RunContext
from tests.support.git_repository import make_repository, open_repository, run_git
from tests.support.hooks import write_launcher, write_script
from tests.support.reading import code_of, records
from tests.support.untouched import own_state, work_tree

if TYPE_CHECKING:
    from gittrack.experiments.format import Record


ROOT = Path(__file__).parents[2]


class Project(NamedTuple):
    """A repository with hooks."""

    folder: Path
    program: Path

    def git(self, *args: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
        """Run git, with the hooks."""
        return run_git(*args, cwd=cwd or self.folder, env=env)

    def write(self, **files: str) -> None:
        """Write files; `_` in a keyword is the dot of the name."""
        for name, text in files.items():
            (self.folder / name.replace("_", ".")).write_text(text)

    def commit(self, *args: str) -> str:
        """Commit all that is tracked or named, and return the commit."""
        self.git("commit", "-q", "-m", "Change", *(args or ["-a"]))
        return self.head()

    def head(self) -> str:
        """Return HEAD's commit."""
        return self.git("rev-parse", "HEAD")

    def save(self, name: str) -> None:
        """Record the workspace."""
        save_workspace(open_repository(self.folder), RunContext({}, ("test",), self.folder), name=name)

    def run_hook(self) -> None:
        """Run the hook's body once more."""
        subprocess.run([self.program, "hook", "post-commit"], cwd=self.folder, check=True, capture_output=True)

    def records(self) -> dict[str, Record]:
        """Return all experiments."""
        return records(self.folder)

    def only(self) -> Record:
        """Return the only experiment."""
        (record,) = self.records().values()
        return record


def install(folder: Path, program: Path) -> Project:
    """Put the shipped script where git runs it, as `gittrack init` does, which others test."""
    block = render_block((ROOT / "hooks/post-commit").read_bytes(), str(program)).decode()
    write_script(folder / ".git/hooks/post-commit", f"#!/bin/sh\n{block}")
    return Project(folder, program)


@pytest.fixture
def project(repo_dir: Path, tmp_path: Path) -> Project:
    """A repository with the hook, and one commit that was made before."""
    return install(repo_dir, write_launcher(tmp_path / "bin"))


def set_lr(value: str) -> str:
    return f"train:\n  lr: {value}\n  epochs: 3\n"


def test_a_commit_of_params_is_an_experiment_of_its_parent(project: Project) -> None:
    """Values, code, author, message and the commit it landed in are recorded; the repository is as git left it."""
    parent = project.head()
    project.write(params_yaml=set_lr("0.5"), metrics_json='{"acc": 0.75}')
    project.git("add", "-A")
    sha = project.commit()
    (name, record), *others = project.records().items()
    assert others == []
    assert (record.params["train.lr"], record.metrics["acc"].last) == (0.5, 0.75)
    meta = record.meta
    assert (meta.baseline, meta.landed, meta.source, meta.status) == (parent, (sha,), "commit", "completed")
    assert (meta.branch, meta.description, meta.author) == ("main", "Change", "Ada Test <ada@example.org>")
    assert meta.started == meta.ended == int(project.git("log", "-1", "--format=%ct"))
    assert sorted(code_of(project.folder, name)) == ["metrics.json", "params.yaml", "train.py"]
    assert project.git("status", "--porcelain") == ""


def test_the_hook_says_what_it_recorded(project: Project) -> None:
    """One line on stderr, for the person who commits."""
    project.write(params_yaml=set_lr("0.5"))
    done = subprocess.run(
        ["git", "commit", "-qam", "x"], cwd=project.folder, capture_output=True, text=True, check=True
    )
    (name,) = project.records()
    assert (done.stdout, done.stderr) == ("", f"gittrack: recorded this commit as {name}\n")


@pytest.mark.parametrize(
    ("path", "config"),
    [
        ("conf/model.toml", {"gittrack.yaml": "params: [conf/model.toml]\n"}),
        ("conf/model.toml", {"dvc.yaml": "stages: {a: {cmd: x, wdir: conf, params: [model.toml: [units]]}}\n"}),
        ("conf/model.toml", {"gittrack.yaml": 'params: ["c\\u006fnf/m\\u006fdel.toml"]\n'}),
        ("dvclive/params.yaml", {}),
    ],
)
def test_declared_files_count(project: Project, path: str, config: dict[str, str]) -> None:
    """Whatever file a repository declares, in whatever spelling, and what stands where DVCLive writes."""
    file = project.folder / path
    file.parent.mkdir()
    file.write_text("units = 1\n" if path.endswith("toml") else "units: 1\n")
    for name, text in config.items():
        (project.folder / name).write_text(text)
    project.git("add", "-A")
    project.commit()
    before = len(project.records())
    file.write_text(file.read_text().replace("1", "2"))
    project.commit()
    assert len(project.records()) == before + 1
    assert sorted(record.params["units"] for record in project.records().values()) == [1, 2]


def test_formatting_is_no_change(project: Project) -> None:
    """Comments, order and style of the same values, and code alone, make no experiment; NaN equals NaN."""
    project.write(metrics_json='{"loss": NaN}')
    project.git("add", "-A")
    project.commit()
    assert len(project.records()) == 1
    project.write(params_yaml="# all\ntrain: {epochs: 3, lr: 1e-1}\n", metrics_json='{\n"loss" : NaN}')
    project.commit()
    project.write(train_py="print()\n")
    project.commit()
    assert len(project.records()) == 1


def test_first_commits_and_merges_are_none(project: Project) -> None:
    """They are experiments of no parent."""
    start = project.head()
    project.git("checkout", "-q", "-b", "side")
    project.write(train_py="side\n")
    project.commit()
    project.git("checkout", "-q", "main")
    project.write(params_yaml=set_lr("0.5"))
    project.commit()
    project.git("merge", "-q", "--no-edit", "side")
    assert [record.meta.baseline for record in project.records().values()] == [start]
    project.git("checkout", "-q", "--orphan", "new")
    project.write(params_yaml=set_lr("0.7"))
    project.commit()
    assert len(project.records()) == 1


def test_an_amended_message_is_no_second_experiment(project: Project) -> None:
    """The same snapshot landed in the new commit too."""
    project.write(params_yaml=set_lr("0.5"))
    first = project.commit()
    project.git("commit", "-q", "--amend", "-m", "Better words")
    assert project.only().meta.landed == (first, project.head())


def test_amended_code_with_the_same_values_is_no_second_experiment(project: Project) -> None:
    """A forgotten file changes nothing of what was tried."""
    project.write(params_yaml=set_lr("0.5"))
    first = project.commit()
    project.write(train_py="forgotten\n")
    project.git("commit", "-q", "--amend", "-a", "--no-edit")
    assert project.only().meta.landed == (first, project.head())


def test_amended_values_are_a_new_experiment(project: Project) -> None:
    """Both tries stay; each says where it landed."""
    project.write(params_yaml=set_lr("0.5"))
    first = project.commit()
    project.write(params_yaml=set_lr("0.6"))
    project.git("commit", "-q", "--amend", "-a", "--no-edit")
    found = {record.params["train.lr"]: record.meta.landed for record in project.records().values()}
    assert found == {0.5: (first,), 0.6: (project.head(),)}


def test_the_same_change_on_two_branches_is_recorded_twice_unless_the_code_is_the_same(project: Project) -> None:
    """Another commit of the same parent is no amend."""
    start = project.head()
    project.write(params_yaml=set_lr("0.5"))
    project.commit()
    project.git("checkout", "-q", "-b", "other", start)
    project.write(params_yaml=f"# rewritten\n{set_lr('0.5')}")
    project.commit()
    assert len(project.records()) == 2


def test_a_rebase_makes_none(project: Project) -> None:
    """The commits were made before; what was recorded stays."""
    start = project.head()
    project.git("checkout", "-q", "-b", "side")
    project.write(params_yaml=set_lr("0.5"))
    project.commit()
    project.write(params_yaml=set_lr("0.6"))
    project.commit()
    project.git("checkout", "-q", "main")
    project.write(train_py="main goes on\n")
    project.commit()
    before = set(project.records())
    old = project.git("rev-parse", "side~")
    project.git("rebase", "-q", "main", "side")
    assert (set(project.records()), len(before)) == (before, 2)
    assert {record.meta.baseline for record in project.records().values()} == {start, old}


def test_a_cherry_pick_is_an_experiment_of_its_new_parent(project: Project) -> None:
    """The same change at another place is another try."""
    start = project.head()
    project.git("checkout", "-q", "-b", "side")
    project.write(params_yaml=set_lr("0.5"))
    project.commit()
    project.git("checkout", "-q", "main")
    project.write(train_py="main goes on\n")
    parent = project.commit()
    project.git("cherry-pick", "side")
    landed = {record.meta.baseline: record.meta.landed for record in project.records().values()}
    assert set(landed) == {start, parent}
    assert landed[parent] == (project.head(),)


def test_a_linked_worktree_and_a_detached_head(project: Project) -> None:
    """The hook works where HEAD and index are elsewhere."""
    linked = project.folder.parent / "linked ü"
    project.git("worktree", "add", "-q", "--detach", str(linked))
    (linked / "params.yaml").write_text(set_lr("0.5"))
    project.git("commit", "-qam", "There", cwd=linked)
    meta = project.only().meta
    assert (meta.branch, meta.landed) == (None, (project.git("rev-parse", "HEAD", cwd=linked),))


def test_a_partial_commit_counts_what_was_committed(project: Project) -> None:
    """`git commit FILE` uses an index of its own; what stayed behind is not recorded."""
    project.write(params_yaml=set_lr("0.5"), train_py="stays\n")
    project.git("add", "train.py")
    project.commit("params.yaml")
    (name,) = project.records()
    assert code_of(project.folder, name)["train.py"] == "print('training')"
    assert project.git("status", "--porcelain") == "M  train.py"


@pytest.mark.parametrize("inherited", [{"GIT_INDEX_FILE": ".git/other-index"}, {"GIT_DIR": ".git"}])
def test_an_inherited_environment_misleads_nobody(project: Project, inherited: dict[str, str]) -> None:
    """A commit made inside another hook or a script has variables that redirect git."""
    project.git("read-tree", "HEAD", env=inherited)
    project.write(params_yaml=set_lr("0.5"))
    project.git("add", "params.yaml", env=inherited)
    project.git("commit", "-qm", "Inside", env=inherited)
    assert project.only().params["train.lr"] == 0.5


def test_a_saved_experiment_lands(project: Project) -> None:
    """What was saved and then committed is marked, and not recorded a second time."""
    project.write(params_yaml=set_lr("0.5"), notes_txt="untracked\n")
    project.save("tried")
    project.commit()
    assert list(project.records()) == ["tried"]
    assert project.only().meta.landed == (project.head(),)
    assert project.only().params["train.lr"] == 0.5


def test_an_experiment_lands_in_a_later_commit(project: Project) -> None:
    """Other commits may come between; those after it are not noted."""
    project.write(params_yaml=set_lr("0.5"))
    project.save("tried")
    project.write(readme="first\n")
    project.git("add", "readme")
    project.commit("readme")
    assert project.only().meta.landed == ()
    landed = project.commit()
    project.write(readme="after\n")
    project.commit()
    assert project.records()["tried"].meta.landed == (landed,)


def test_a_commit_of_a_part_lands_nothing(project: Project) -> None:
    """The rest of the experiment's code is still missing."""
    project.write(params_yaml=set_lr("0.5"), train_py="better\n")
    project.save("tried")
    project.commit("train.py")
    assert project.only().meta.landed == ()


def test_a_hook_that_runs_twice_records_once(project: Project) -> None:
    """Hooks may be installed in two ways at once."""
    project.write(params_yaml=set_lr("0.5"))
    project.commit()
    project.run_hook()
    assert len(project.only().meta.landed) == 1


def test_the_hook_leaves_the_repository_alone(project: Project) -> None:
    """Only refs of gittrack's own are written."""
    project.write(params_yaml=set_lr("0.5"))
    project.git("-c", "core.hooksPath=/dev/null", "commit", "-qam", "Unseen")
    before = own_state(project.folder), work_tree(project.folder)
    project.run_hook()
    assert len(project.records()) == 1
    assert (own_state(project.folder), work_tree(project.folder)) == before


def test_a_broken_file_is_no_reason_to_fail(project: Project) -> None:
    """The commit is made, and the record names the problem."""
    project.write(params_yaml="lr: [\n", metrics_json='{"acc": 1}')
    project.git("add", "-A")
    project.commit()
    record = project.only()
    assert record.metrics["acc"].last == 1
    assert record.meta.problems[0].startswith("params.yaml: ")


def test_a_shallow_clone_whose_first_commit_is_amended(project: Project, tmp_path: Path) -> None:
    """The parent is not there: the commit counts as a first one, and nobody complains."""
    project.write(train_py="two\n")
    project.commit()
    clone = tmp_path / "shallow"
    project.git("clone", "-q", "--depth=1", f"file://{project.folder}", str(clone))
    shallow = install(clone, project.program)
    shallow.write(params_yaml=set_lr("0.5"))
    done = subprocess.run(
        ["git", "commit", "-qa", "--amend", "--no-edit"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert (done.stderr, shallow.records()) == ("", {})
    shallow.write(params_yaml=set_lr("0.6"))
    shallow.commit()
    assert len(shallow.records()) == 1


def test_sha256_repositories(tmp_path: Path) -> None:
    """Ids of 64 digits are no different."""
    folder = make_repository(tmp_path / "wide", object_format="sha256")
    project = install(folder, write_launcher(tmp_path / "bin"))
    project.write(params_yaml=set_lr("0.5"))
    project.commit()
    assert len(project.only().meta.landed[0]) == 64


def test_a_missing_git_is_one_line(project: Project) -> None:
    """Without git on PATH the hook says so in one line and succeeds."""
    done = subprocess.run(
        [project.program, "hook", "post-commit"],
        cwd=project.folder, capture_output=True, text=True, check=False, env={**os.environ, "PATH": "/nonexistent"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("gittrack: post-commit hook: ")
