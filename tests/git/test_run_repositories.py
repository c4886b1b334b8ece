from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gittrack
from gittrack.runs.folder import list_folders
from tests.support.git_repository import ZERO_ID, fsck, make_repository, run_git
from tests.support.recorded import read_recorded, refs_of, run_script
from tests.support.untouched import untouched

if TYPE_CHECKING:
    from collections.abc import Callable

    Git = Callable[..., str]


def _record(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "run") -> gittrack.Run:
    monkeypatch.chdir(folder)
    (folder / "new.py").write_text("new\n", encoding="utf-8")
    with untouched(folder), gittrack.Run(name, quiet=True) as run:
        run.log_metric("m", 1)
    assert fsck(folder) == ""
    assert read_recorded(folder, name).metrics["m"].last == 1
    assert run_git("show", f"{refs_of(folder)[name]}:new.py", cwd=folder) == "new"
    return run


@pytest.mark.parametrize("where", ["nowhere", "bare"])
def test_without_a_work_tree_it_is_kept_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    """Outside a repository, or in a bare one, there is one warning, and everything is in `gittrack-runs`."""
    folder = tmp_path / "here"
    folder.mkdir()
    if where == "bare":
        run_git("init", "-q", "--bare", cwd=folder)
    monkeypatch.chdir(folder)
    with gittrack.Run("outside", group="g") as run:
        run.log_param("lr", 0.1)
        run.log_metric("m", 1)
        run.set_tag("t")
    assert len(caplog.records) == 1
    assert "gittrack exp import" in caplog.text
    assert (run.record, run.commit, run.baseline) == (None, None, None)
    (kept,) = list_folders(folder / "gittrack-runs")
    assert not kept.is_alive()
    assert (kept.read_meta().name, kept.read_meta().group) == ("outside", "g")
    contents = kept.read_journals()
    assert contents.series["m"].values == [1]
    assert [event.kind for event in contents.events] == ["params", "tags", "end"]


def test_without_git_it_is_kept_in_a_folder(
    repo_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where there is no git program, training goes on with one warning."""
    monkeypatch.chdir(repo_dir)
    monkeypatch.setenv("PATH", str(repo_dir))
    gittrack.Run("no-git").end()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "git program" in caplog.text
    assert len(list_folders(repo_dir / "gittrack-runs")) == 1


def test_an_unborn_branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first commit the baseline is zeros and the experiment has no parent."""
    folder = tmp_path / "unborn"
    folder.mkdir()
    run_git("init", "-q", cwd=folder)
    run = _record(folder, monkeypatch)
    assert run.baseline is None
    assert refs_of(folder)["run"] == f"refs/gittrack/exps/{ZERO_ID}/run"
    # On a busy machine the run is recorded when it starts, too.
    assert run_git("log", "--format=%P", "--reverse", refs_of(folder)["run"], cwd=folder).split("\n")[0] == ""
    meta = read_recorded(folder, "run").meta
    assert (meta.branch, meta.dirty, meta.baseline) == ("main", True, None)


def test_a_detached_head(repo_dir: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no branch to name."""
    git("checkout", "-q", "--detach")
    run = _record(repo_dir, monkeypatch)
    assert run.baseline == git("rev-parse", "HEAD")
    assert read_recorded(repo_dir, "run").meta.branch is None


@pytest.mark.parametrize("option", ["--depth=1", "--filter=blob:none"])
def test_partial_clones(repo_dir: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    """A shallow and a blobless clone record without fetching what is missing."""
    (repo_dir / "old.py").write_text("old\n", encoding="utf-8")
    git("add", "-A")
    git("commit", "-qm", "Second")
    git("rm", "-q", "old.py")
    git("commit", "-qm", "Third")
    git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone"
    run_git("clone", "-q", option, f"file://{repo_dir}", str(clone), cwd=tmp_path)
    repo_dir.rename(tmp_path / "gone")
    monkeypatch.chdir(clone)
    (clone / "new.py").write_text("new\n", encoding="utf-8")
    with untouched(clone), gittrack.Run("run", quiet=True) as run:
        run.log_metric("m", 1)
    record = read_recorded(clone, "run")
    assert record.metrics["m"].last == 1
    assert record.params == {"train.lr": 0.1, "train.epochs": 3}
    assert record.meta.problems == ()
    assert record.meta.remote_url == f"file://{repo_dir}"


def test_a_linked_worktree(repo_dir: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch, HEAD and files are those of the worktree; the experiment is in the common repository."""
    linked = tmp_path / "linked"
    git("worktree", "add", "-q", "-b", "topic", str(linked))
    run_git("commit", "-q", "--allow-empty", "-m", "Topic", cwd=linked)
    run = _record(linked, monkeypatch)
    assert run.baseline == run_git("rev-parse", "HEAD", cwd=linked)
    assert read_recorded(repo_dir, "run").meta.branch == "topic"


def test_a_submodule_is_a_repository_of_its_own(
    repo_dir: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script inside a submodule records there, and the project around it stays as it is."""
    inner = make_repository(tmp_path / "inner")
    git("submodule", "add", "-q", str(inner), "lib")
    git("commit", "-qm", "Add lib")
    _record(repo_dir / "lib", monkeypatch)
    assert refs_of(repo_dir) == {}


def test_sha256(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of 64 digits, everything else as ever."""
    folder = make_repository(tmp_path / "sha256", object_format="sha256")
    run = _record(folder, monkeypatch)
    assert run.commit is not None
    assert len(run.commit) == 64


@pytest.mark.parametrize(
    "settings",
    [
        ["core.splitIndex=true"],
        ["core.untrackedCache=true", "feature.manyFiles=true"],
        ["index.version=4"],
        ["core.sharedRepository=group"],
        ["core.autocrlf=true"],
        ["status.showUntrackedFiles=no", "core.quotePath=false", "color.ui=always"],
    ],
    ids=str,
)
def test_settings_of_the_user(repo_dir: Path, git: Git, monkeypatch: pytest.MonkeyPatch, settings: list[str]) -> None:
    """However git keeps its index or prints its answers, the run is recorded."""
    for setting in settings:
        git("config", *setting.split("="))
    git("update-index", "--force-write-index")
    _record(repo_dir, monkeypatch)


def test_a_sparse_checkout(repo_dir: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are not checked out are recorded as committed, not as deleted."""
    (repo_dir / "far").mkdir()
    (repo_dir / "far/away.py").write_text("far\n", encoding="utf-8")
    git("add", "-A")
    git("commit", "-qm", "Far")
    git("sparse-checkout", "set", "--cone", "--sparse-index", "near")
    assert not (repo_dir / "far").exists()
    _record(repo_dir, monkeypatch)
    assert git("show", f"{refs_of(repo_dir)['run']}:far/away.py") == "far"


@pytest.mark.parametrize("operation", ["merge", "rebase", "cherry-pick"])
def test_an_operation_in_progress(repo_dir: Path, git: Git, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    """In the middle of a conflict the files are recorded with their markers, and the operation is named."""
    git("checkout", "-qb", "topic")
    (repo_dir / "train.py").write_text("theirs\n", encoding="utf-8")
    git("commit", "-qam", "Theirs")
    git("checkout", "-q", "main")
    (repo_dir / "train.py").write_text("ours\n", encoding="utf-8")
    git("commit", "-qam", "Ours")
    git(operation, "topic", check=False)
    assert "UU train.py" in git("status", "--porcelain")
    _record(repo_dir, monkeypatch)
    assert read_recorded(repo_dir, "run").meta.operation == operation
    assert "<<<<<<<" in git("show", f"{refs_of(repo_dir)['run']}:train.py")


def test_git_dir_is_honoured(repo_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With GIT_DIR and GIT_WORK_TREE the run belongs to that repository, wherever the script runs."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("GIT_DIR", str(repo_dir / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(repo_dir))
    gittrack.Run("redirected", quiet=True).end()
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_WORK_TREE")
    assert read_recorded(repo_dir, "redirected").meta.directory == ""
    assert list(elsewhere.iterdir()) == []


def test_without_an_identity(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who told git no name is recorded under a neutral one, or the one git makes up."""
    (Path(os.environ["HOME"]) / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n", encoding="utf-8")
    _record(repo_dir, monkeypatch)
    assert read_recorded(repo_dir, "run").meta.author == "gittrack <gittrack@localhost>"


def test_the_user_s_hooks_and_signing_stay_out(repo_dir: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recording runs no hook, asks for no signature and needs no editor."""
    for name in ("pre-commit", "post-commit", "reference-transaction", "post-index-change", "commit-msg"):
        hook = repo_dir / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch '{repo_dir}/ran-{name}'\nexit 1\n", encoding="utf-8")
        hook.chmod(0o755)
    git("config", "commit.gpgSign", "true")
    git("config", "core.editor", "false")
    _record(repo_dir, monkeypatch)
    assert not list(repo_dir.glob("ran-*"))


def test_the_url_of_the_remote_has_no_credentials(repo_dir: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shared names the repository but not the password."""
    git("remote", "add", "origin", "https://me:s3cret@example.org/team/model.git?token=abc")
    _record(repo_dir, monkeypatch)
    url = read_recorded(repo_dir, "run").meta.remote_url
    assert url == "https://example.org/team/model.git"
    assert "s3cret" not in git("show", f"{refs_of(repo_dir)['run']}:.gittrack/meta.json")


def test_another_owner_is_refused_by_git(repo_dir: Path) -> None:
    """A repository that `safe.directory` keeps git from using is not written; the run is kept in a folder."""
    script = "import gittrack\ngittrack.Run('run').end()"
    done = run_script(repo_dir, script, GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert done.returncode == 0
    assert "another user owns it" in done.stderr
    assert refs_of(repo_dir) == {}
    assert len(list_folders(repo_dir / "gittrack-runs")) == 1
