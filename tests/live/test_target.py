"""Where events go: the order of arguments, environment and settings, and what is never taken from a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gittrack.live.target import NoTargetError, NoURLError, OfflineError, Surroundings, Wishes, find_target
from tests.support.git_repository import open_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.live.target import Target

FULL = {"DVC_STUDIO_URL": "http://env", "DVC_STUDIO_TOKEN": "env-token", "DVC_STUDIO_REPO_URL": "env-repo"}


@pytest.fixture
def find(repo_dir: Path, tmp_path: Path) -> Callable[..., Target]:
    """Find the target in the repository, with an environment of its own."""

    def call(environ: Any = (), **wishes: Any) -> Target:
        around = {"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", **dict(environ)}
        repository = open_repository(repo_dir)
        return find_target(Wishes(**wishes), Surroundings(around, repo_dir, repository))

    return call


def write_dvc(folder: Path, name: str, **settings: str) -> None:
    """Write DVC's file of settings as DVC does."""
    (folder / ".dvc").mkdir(exist_ok=True)
    lines = ["[core]", "    analytics = false", "['remote \"x\"']", "    url = s3://bucket", "[studio]"]
    lines += [f"    {key} = {value}" for key, value in settings.items()]
    (folder / ".dvc" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_arguments_come_first(find: Any) -> None:
    """Then nothing else counts."""
    target = find(FULL, url="http://arg", token="arg-token", repo_url="arg-repo")
    assert (target.url, target.token, target.repo_url) == ("http://arg", "arg-token", "arg-repo")


def test_the_environment_comes_before_settings(find: Any, git: Callable[..., str]) -> None:
    """git's settings are for what nobody says otherwise."""
    for key in ("live.url", "token", "live.repo"):
        git("config", f"gittrack.{key}", "http://git")
    target = find(FULL, dvc_config={"url": "http://dvc", "token": "dvc", "repo_url": "dvc"})
    assert (target.url, target.token, target.repo_url) == ("http://env", "env-token", "env-repo")


def test_the_order_of_variables(find: Any) -> None:
    """gittrack's own, then DVC's, then the old ones."""
    environ = {**FULL, "GITTRACK_TOKEN": "own", "GITTRACK_LIVE_URL": "http://own", "STUDIO_TOKEN": "old"}
    assert (find(environ).token, find(environ).url) == ("own", "http://own")
    assert find({**FULL, "DVC_STUDIO_TOKEN": "", "STUDIO_TOKEN": "old"}).token == "old"


def test_settings_of_git(find: Any, git: Callable[..., str]) -> None:
    """`gittrack.live.url`, `gittrack.token` and the remote are enough."""
    git("config", "gittrack.live.url", "http://git")
    git("config", "gittrack.token", "git-token")
    git("remote", "add", "origin", "https://me:s3cret@example.org/x.git")
    target = find()
    assert (target.url, target.token, target.repo_url) == ("http://git", "git-token", "https://example.org/x.git")
    assert "git-token" not in repr(target)


def test_the_remote_of_the_branch_names_the_repository(find: Any, git: Callable[..., str]) -> None:
    """As `git fetch` would use it; `origin` for a detached HEAD; `url.*.insteadOf` applied."""
    git("remote", "add", "origin", "gh:team/origin")
    git("remote", "add", "up", "git@example.org:team/up.git")
    git("config", "branch.main.remote", "up")
    git("config", "url.https://github.example/.insteadOf", "gh:")
    assert find(FULL | {"DVC_STUDIO_REPO_URL": ""}).repo_url == "example.org:team/up.git"
    git("checkout", "--quiet", "--detach")
    assert find(FULL | {"DVC_STUDIO_REPO_URL": ""}).repo_url == "https://github.example/team/origin"


def test_what_is_missing_is_named(find: Any) -> None:
    """The hint says how to set it."""
    with pytest.raises(NoURLError) as no_url:
        find()
    assert no_url.value.hint == "git config gittrack.live.url <url>, or set DVC_STUDIO_URL"
    with pytest.raises(NoTargetError, match="no token"):
        find({**FULL, "DVC_STUDIO_TOKEN": ""})
    with pytest.raises(NoTargetError, match="no git remote"):
        find({**FULL, "DVC_STUDIO_REPO_URL": ""})
    with pytest.raises(NoTargetError, match="none of http"):
        find(FULL, url="ftp://ada:s3cret@host")


@pytest.mark.parametrize("how", ["variable", "section", "git", "dvc"])
def test_offline(how: str, find: Any, git: Callable[..., str], repo_dir: Path) -> None:
    """Anybody may switch it off, a committed file too."""
    environ, wishes = dict(FULL), {}
    if how == "variable":
        environ["DVC_STUDIO_OFFLINE"] = "True"
    elif how == "section":
        wishes = {"dvc_config": {"offline": True}}
    elif how == "git":
        git("config", "gittrack.live.offline", "yes")
    else:
        write_dvc(repo_dir, "config", offline="true")
        git("add", ".dvc")
    with pytest.raises(OfflineError):
        find(environ, **wishes)


def test_a_switch_that_says_neither_sends_nothing(find: Any) -> None:
    """It is no yes by its letters, and no silent no."""
    with pytest.raises(NoTargetError, match="true or false, not 'anything y'"):
        find({**FULL, "DVC_STUDIO_OFFLINE": "anything y"})


def test_login_of_dvc(find: Any, tmp_path: Path) -> None:
    """`dvc studio login` writes into the user's own file."""
    folder = tmp_path / "home/.config/dvc"
    folder.mkdir(parents=True)
    (folder / "config").write_text('[studio]\n    token = "isat_x"\n    url = http://studio\n', encoding="utf-8")
    target = find({"DVC_STUDIO_REPO_URL": "r"})
    assert (target.url, target.token) == ("http://studio", "isat_x")


def test_files_of_dvc_in_the_repository(find: Any, repo_dir: Path) -> None:
    """`.dvc/config.local` wins over `.dvc/config`, while git tracks neither."""
    write_dvc(repo_dir, "config", url="http://shared", token="shared", repo_url="r")
    write_dvc(repo_dir, "config.local", token="mine")
    target = find()
    assert (target.url, target.token, target.repo_url) == ("http://shared", "mine", "r")


@pytest.mark.parametrize("name", ["config", "config.local"])
def test_a_tracked_file_names_no_receiver(name: str, find: Any, git: Callable[..., str], repo_dir: Path) -> None:
    """A repository from a stranger must not be able to have the user's token sent to an address of its own."""
    write_dvc(repo_dir, name, url="http://evil", token="stranger", repo_url="r")
    git("add", "--force", ".dvc")
    with pytest.raises(NoURLError):
        find({"DVC_STUDIO_TOKEN": "mine"})
    assert find({"DVC_STUDIO_TOKEN": "mine", "DVC_STUDIO_URL": "http://mine"}).url == "http://mine"


def test_a_tracked_file_of_another_name(find: Any, git: Callable[..., str], repo_dir: Path) -> None:
    """Where case does not count, one file has many names; a hard link stands for such a disk."""
    write_dvc(repo_dir, "config", url="http://evil", token="stranger", repo_url="r")
    (repo_dir / ".DVC").mkdir()
    (repo_dir / ".DVC/Config").hardlink_to(repo_dir / ".dvc/config")
    git("add", "--force", ".DVC")
    with pytest.raises(NoURLError):
        find({"DVC_STUDIO_TOKEN": "mine"})


def test_gittrack_yaml_names_no_receiver(find: Any, repo_dir: Path) -> None:
    """What is committed says nothing about where tokens go."""
    (repo_dir / "gittrack.yaml").write_text("live: {url: http://evil}\n", encoding="utf-8")
    with pytest.raises(NoURLError):
        find({"DVC_STUDIO_TOKEN": "mine"})


def test_a_symlink_for_a_file_of_dvc_is_not_followed(find: Any, repo_dir: Path, tmp_path: Path) -> None:
    """No file outside of the repository is read through it."""
    (tmp_path / "other").write_text("[studio]\nurl = http://evil\n", encoding="utf-8")
    (repo_dir / ".dvc").mkdir()
    (repo_dir / ".dvc/config").symlink_to(tmp_path / "other")
    with pytest.raises(NoURLError):
        find({"DVC_STUDIO_TOKEN": "mine"})


def test_the_credential_helper_of_git(find: Any, git: Callable[..., str]) -> None:
    """It is asked last, and nobody is asked on a terminal."""
    git("config", "credential.http://git.helper", "!f() { echo username=x; echo password=kept; }; f")
    git("config", "gittrack.live.url", "http://git")
    assert find({"DVC_STUDIO_REPO_URL": "r"}).token == "kept"
