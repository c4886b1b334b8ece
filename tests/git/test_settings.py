"""git's settings, read as git reads them and written to the repository alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gittrack.git.process import GitError
from gittrack.git.settings import (
    add_setting,
    read_all_settings,
    read_bool_setting,
    read_setting,
    unset_setting,
    write_setting,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository

    Git = Callable[..., str]


@pytest.mark.parametrize("value", ["x", "", " lead and trail ", "-x", "a\nb", "q\"'\\", "# ; =", "ü\u2028", "--get"])
def test_values_of_any_text_are_kept(repository: Repository, git: Git, value: str) -> None:
    """What is written is what git and we read."""
    write_setting(repository, "gittrack.key", value)
    write_setting(repository, "gittrack.key", value)
    assert read_setting(repository, "gittrack.key") == git("config", "gittrack.key") == value
    assert read_all_settings(repository, "gittrack.key", local=True) == [value]


def test_settings_of_the_user_are_read_and_never_written(repository: Repository, git: Git, tmp_path: Path) -> None:
    """The repository's own come first; taking one away uncovers the user's."""
    git("config", "--global", "gittrack.key", "user")
    assert read_setting(repository, "gittrack.key") == "user"
    write_setting(repository, "gittrack.key", "own")
    assert read_setting(repository, "gittrack.key") == "own"
    assert read_all_settings(repository, "gittrack.key") == ["user", "own"]
    unset_setting(repository, "gittrack.key")
    assert git("config", "--global", "gittrack.key", cwd=tmp_path) == read_setting(repository, "gittrack.key") == "user"


def test_a_value_is_added_once_and_removed_alone(repository: Repository) -> None:
    """Keys with several values, such as refspecs, keep those of others; patterns are taken literally."""
    key, ours, others = "remote.origin.fetch", "+refs/a/*:refs/b/*", "+refs/heads/*:refs/remotes/origin/*"
    for value in (others, ours, ours):
        add_setting(repository, key, value)
    assert read_all_settings(repository, key) == [others, ours]
    unset_setting(repository, key, "+refs/.*")
    unset_setting(repository, key, ours)
    unset_setting(repository, key, ours)
    assert read_all_settings(repository, key) == [others]
    unset_setting(repository, "gittrack.absent")
    assert read_all_settings(repository, "gittrack.absent") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("true", True), ("yes", True), ("on", True), ("1", True), ("no", False), ("0", False), ("", False)],
)
def test_truth_is_read_as_git_reads_it(repository: Repository, text: str, expected: bool) -> None:
    """All words of git for yes and no; the default only where there is nothing, or nonsense."""
    write_setting(repository, "gittrack.strict", text)
    assert read_bool_setting(repository, "gittrack.strict", default=not expected) is expected
    for default in (True, False):
        assert read_bool_setting(repository, "gittrack.absent", default=default) is default


def test_a_key_that_git_refuses_is_an_error(repository: Repository) -> None:
    """Reading gives nothing; writing says why."""
    assert read_setting(repository, "nosection") is None
    with pytest.raises(GitError, match="git config failed: key does not contain a section"):
        write_setting(repository, "nosection", "x")
