"""Remotes: which one git would use, and addresses without credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gittrack.git.process import scrub
from gittrack.git.remotes import (
    NoRemoteError,
    default_remote,
    list_remotes,
    remote_url,
    require_remote,
    strip_credentials,
)
from gittrack.git.state import Head, read_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.git.repository import Repository

    Git = Callable[..., str]

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/a.git", "https://example.org/a.git"),
        ("https://me@example.org/a.git", "https://example.org/a.git"),
        ("https://me:s3cret@example.org:8443/a.git", "https://example.org:8443/a.git"),
        ("https://me:s3cret@with@at@example.org/a.git", "https://example.org/a.git"),
        ("https://s3cret:x-oauth-basic@example.org/a.git", "https://example.org/a.git"),
        ("https://me:s3cr%40et@example.org/a@b.git", "https://example.org/a@b.git"),
        ("https://me:s3c?r#et@example.org/a.git", "https://example.org/a.git"),
        ("https://example.org/a.git?private_token=s3cret", "https://example.org/a.git"),
        ("https://example.org/a.git#s3cret", "https://example.org/a.git"),
        ("HTTPS://me:s3cret@EXAMPLE.org/a", "HTTPS://EXAMPLE.org/a"),
        ("http://me:s3cret@[::1]:8080/a", "http://[::1]:8080/a"),
        ("git+ssh://me:s3cret@example.org/a", "git+ssh://example.org/a"),
        ("ssh://git@example.org:2222/~ada/a.git", "ssh://example.org:2222/~ada/a.git"),
        ("git@example.org:team/a.git", "example.org:team/a.git"),
        ("example.org:team/a.git", "example.org:team/a.git"),
        ("git://example.org/a.git", "git://example.org/a.git"),
        ("file:///srv/git/a.git", "file:///srv/git/a.git"),
        ("/srv/git/a@b:c.git", "/srv/git/a@b:c.git"),
        ("../sibling", "../sibling"),
        ("./a:b@c", "./a:b@c"),
        ("C:\\git\\a.git", "C:\\git\\a.git"),
        ("C:/git/a.git", "C:/git/a.git"),
        ("\\\\server\\share\\a.git", "\\\\server\\share\\a.git"),
        ("ext::sh -c curl% https://me:s3cret@example.org/", "ext::"),
        ("codecommit::eu-west-1://s3cret@project", "codecommit::eu-west-1://project"),
        ("gcrypt::https://me:s3cret@example.org/a", "gcrypt::https://example.org/a"),
        ("gcrypt::git@example.org:a.git", "gcrypt::example.org:a.git"),
        ("https://example.org/\x1b[31ma\n.git", "https://example.org/[31ma.git"),
        ("", ""),
    ],
)
def test_addresses_lose_their_credentials_and_nothing_else(url: str, expected: str) -> None:
    """User, password, query and fragment go, in every form of address that git knows; the rest stays."""
    assert strip_credentials(url) == expected
    assert strip_credentials(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "fatal: unable to access 'https://me:s3cret@example.org/x.git/': 403",
        "error: https://me:s3cret@with@s3cret@example.org refused",
        "remote: use https://s3cret@example.org and ssh://a:s3cret@example.org:22/x",
    ],
)
def test_messages_of_git_lose_credentials(text: str) -> None:
    """Nothing secret reaches an error message, and the hosts stay."""
    assert SECRET not in scrub(text)
    assert "example.org" in scrub(text)


def test_a_failing_call_names_no_password(repository: Repository) -> None:
    """The error of a call on an address with a password does not hold the password."""
    address = "https://me:s3cret@with@localhost:1/x"
    completed = repository.git.run("ls-remote", "--", address, check=False)
    assert completed.returncode
    assert SECRET not in completed.stderr


def test_the_address_is_the_one_git_would_contact(repository: Repository, git: Git) -> None:
    """`url.*.insteadOf` is applied, and credentials that it brings in are taken out."""
    git("remote", "add", "origin", "short:team/a.git")
    assert remote_url(repository, "origin") == "short:team/a.git"
    git("config", "url.https://me:s3cret@example.org/.insteadOf", "short:")
    assert remote_url(repository, "origin") == "https://example.org/team/a.git"
    assert remote_url(repository, "absent") is None


def test_remotes_are_listed(repository: Repository, git: Git) -> None:
    """None, one, and several, also with names of several parts."""
    assert list_remotes(repository) == []
    for name in ("origin", "a/b", "ünï"):
        git("remote", "add", name, "/nowhere")
    assert sorted(list_remotes(repository)) == ["a/b", "origin", "ünï"]


def test_the_default_remote_is_that_of_git(repository: Repository, git: Git) -> None:
    """The branch's own, else `origin`, else the only one, else none."""
    detached = Head("1" * 40, None, None)
    head = read_head(repository)
    assert default_remote(repository, head) is None
    git("remote", "add", "upstream", "/nowhere")
    assert default_remote(repository, head) == default_remote(repository, detached) == "upstream"
    git("remote", "add", "fork.x", "/nowhere")
    assert default_remote(repository, head) is None
    git("remote", "add", "origin", "/nowhere")
    assert default_remote(repository, head) == "origin"
    git("config", "branch.main.remote", "fork.x")
    assert default_remote(repository, head) == "fork.x"
    assert default_remote(repository, detached) == "origin"
    git("config", "branch.main.remote", "gone")
    assert default_remote(repository, head) == "origin"


def test_a_remote_that_is_not_there_is_said(repository: Repository, git: Git) -> None:
    """The error lists what there is, the hint says how to go on."""
    head = read_head(repository)
    with pytest.raises(NoRemoteError, match="this repository has no remote"):
        require_remote(repository, head, None)
    for name in ("a", "b"):
        git("remote", "add", name, "/nowhere")
    with pytest.raises(NoRemoteError, match="no remote to use") as caught:
        require_remote(repository, head, None)
    assert caught.value.hint == "name one of: a, b"
    with pytest.raises(NoRemoteError, match=r"no remote 'c' \(there is: a, b\)"):
        require_remote(repository, head, "c")
    assert require_remote(repository, head, "b") == "b"
