"""Where the Git LFS server of a remote is, and the credentials and ssh calls that reach it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from gittrack.git.credentials import Credentials
from gittrack.git.lfs_endpoint import NoLfsServerError, find_lfs_endpoint
from gittrack.git.ssh import SshAddress, SshError, ask_over_ssh
from tests.support.git_repository import open_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://example.org/team/line", "https://example.org/team/line.git/info/lfs"),
        ("https://example.org/team/line.git/", "https://example.org/team/line.git/info/lfs"),
        ("http://example.org:8080/line.git", "http://example.org:8080/line.git/info/lfs"),
        ("git@example.org:team/line.git", "https://example.org/team/line.git/info/lfs"),
        ("ssh://git@example.org:2222/team/line", "https://example.org/team/line.git/info/lfs"),
    ],
)
def test_the_server_follows_from_the_remote(
    repository: Repository, git: Callable[..., str], remote: str, url: str
) -> None:
    """As git-lfs derives it."""
    git("remote", "add", "origin", remote)
    assert find_lfs_endpoint(repository, "origin", "download").url == url


def test_whom_to_ask_over_ssh(repository: Repository, git: Callable[..., str]) -> None:
    """User, host, port and path of an ssh remote are told apart."""
    git("remote", "add", "origin", "ssh://git@example.org:2222/team/line.git")
    git("remote", "add", "scp", "git@example.org:team/line.git")
    ssh = find_lfs_endpoint(repository, "origin", "upload").ssh
    assert ssh == SshAddress("git", "example.org", 2222, "/team/line.git")
    assert find_lfs_endpoint(repository, "scp", "upload").ssh == SshAddress("git", "example.org", None, "team/line.git")


def test_settings_come_before_the_committed_file_before_the_remote(
    repository: Repository, repo_dir: Path, git: Callable[..., str]
) -> None:
    """The order of git-lfs, and who named the server is known."""
    git("remote", "add", "origin", "https://example.org/line.git")
    (repo_dir / ".lfsconfig").write_text(
        "[lfs]\n\turl = https://committed.example.org/lfs\n\tconcurrenttransfers = 3\n[core]\n\tsshCommand = touch x\n",
        encoding="utf-8",
    )
    found = find_lfs_endpoint(repository, "origin", "download")
    assert (found.url, found.is_committed) == ("https://committed.example.org/lfs", True)
    git("config", "remote.origin.lfsurl", "https://remote.example.org/lfs")
    assert find_lfs_endpoint(repository, "origin", "download").url == "https://remote.example.org/lfs"
    git("config", "lfs.url", "https://own.example.org/lfs/")
    git("config", "lfs.pushurl", "https://push.example.org/lfs")
    found = find_lfs_endpoint(repository, "origin", "download")
    assert (found.url, found.is_committed) == ("https://own.example.org/lfs", False)
    assert find_lfs_endpoint(repository, "origin", "upload").url == "https://push.example.org/lfs"


def test_a_committed_file_elsewhere_is_not_read(
    repository: Repository, repo_dir: Path, git: Callable[..., str]
) -> None:
    """A link is not followed, and an include is not either."""
    git("remote", "add", "origin", "https://example.org/line.git")
    (repo_dir / "evil").write_text("[lfs]\n\turl = https://evil.example.org/\n", encoding="utf-8")
    (repo_dir / ".lfsconfig").write_text("[include]\n\tpath = evil\n", encoding="utf-8")
    assert find_lfs_endpoint(repository, "origin", "download").url == "https://example.org/line.git/info/lfs"
    (repo_dir / ".lfsconfig").unlink()
    (repo_dir / ".lfsconfig").symlink_to("evil")
    assert find_lfs_endpoint(repository, "origin", "download").url == "https://example.org/line.git/info/lfs"


@pytest.mark.parametrize(
    "address",
    [
        "https://me:s3cret@example.org/lfs",
        "file:///srv/lfs",
        "ext::sh -c touch",
        "/srv/git/line.git",
        "ssh://-oProxyCommand=touch/x",
        "-oProxyCommand=touch:x",
        "ssh://host/$(touch x)",
        "git@host:a;touch x",
        "git@host:-x",
        "https://",
        "https://[::1",
        "https://exa mple.org/",
    ],
)
def test_bad_addresses_of_the_committed_file_are_refused(
    repository: Repository, repo_dir: Path, git: Callable[..., str], address: str
) -> None:
    """Credentials, other protocols, and what a program or shell would take for an option or command."""
    git("remote", "add", "origin", "https://example.org/line.git")
    git("config", "--file", str(repo_dir / ".lfsconfig"), "lfs.url", address)
    with pytest.raises((NoLfsServerError, SshError)) as caught:
        find_lfs_endpoint(repository, "origin", "download")
    assert "s3cret" not in str(caught.value)


def test_a_path_as_remote_has_no_server(repository: Repository, git: Callable[..., str], tmp_path: Path) -> None:
    """The error says how to name one."""
    git("remote", "add", "origin", str(tmp_path))
    with pytest.raises(NoLfsServerError) as caught:
        find_lfs_endpoint(repository, "origin", "download")
    assert "git config lfs.url" in (caught.value.hint or "")


def test_ssh_is_started_as_git_would_start_it(repo_dir: Path, git: Callable[..., str], tmp_path: Path) -> None:
    """GIT_SSH_COMMAND before core.sshCommand, options kept, port and host as arguments of their own."""
    program = tmp_path / "my ssh"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:])\n", encoding="utf-8")
    program.chmod(0o755)
    git("config", "core.sshCommand", f"'{program}' -o A=B")
    address = SshAddress("git", "example.org", 22, "team/line.git")
    said = ask_over_ssh(open_repository(repo_dir), address, "git-lfs-authenticate", address.path, "upload")
    expected = ["-p", "22", "git@example.org", "git-lfs-authenticate", "team/line.git", "upload"]
    assert said.decode().strip() == str(["-o", "A=B", *expected])
    said = ask_over_ssh(open_repository(repo_dir, GIT_SSH_COMMAND=f"'{program}'"), address, "git-lfs-authenticate")
    assert said.decode().strip() == str([*expected[:3], "git-lfs-authenticate"])


def test_an_ssh_that_fails_says_why(repo_dir: Path) -> None:
    """The last line of the program is the reason; a missing program is named."""
    address = SshAddress(None, "example.org", None, "x")
    with pytest.raises(SshError, match="failed: go away"):
        ask_over_ssh(open_repository(repo_dir, GIT_SSH_COMMAND="sh -c 'echo go away >&2; exit 1'"), address, "true")
    with pytest.raises(SshError, match="not on PATH"):
        ask_over_ssh(open_repository(repo_dir, GIT_SSH_COMMAND="no-such-ssh"), address, "true")


def test_credentials_come_from_the_helper_and_go_back_to_it(
    repository: Repository, git: Callable[..., str], tmp_path: Path
) -> None:
    """What the helper knows is returned; what was right is stored and what was wrong erased."""
    log = tmp_path / "log"
    helper = f'!f() {{ echo "$1" >> \'{log}\'; test "$1" = get && echo username=ada && echo password=s3cret; }}; f'
    git("config", "credential.helper", helper)
    credentials = Credentials(repository)
    assert credentials.fill("https://example.org/x") == ("ada", "s3cret")
    credentials.approve("https://example.org/x")
    credentials.approve("https://example.org/x")
    assert credentials.fill("https://example.org/x") == ("ada", "s3cret")
    credentials.reject("https://example.org/x")
    assert log.read_text(encoding="utf-8").split() == ["get", "store", "get", "erase"]


@pytest.mark.parametrize("url", ["https://exam\nple.org/", "file:///x", "https://ada@example.org/", "https:///x"])
def test_no_credentials_for_odd_urls(repository: Repository, url: str) -> None:
    """A line break cannot smuggle another host into the question."""
    assert Credentials(repository).fill(url) is None


def test_no_credentials_without_a_helper(repository: Repository) -> None:
    """git may not ask on a terminal here, and says that it knows nothing."""
    assert Credentials(repository).fill("https://example.org/") is None
