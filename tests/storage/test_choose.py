"""Which storage a repository uses, and that a URL of the repository's own files needs the person's consent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from gittrack.config import InvalidConfigError
from gittrack.git.remotes import NoRemoteError
from gittrack.storage.choose import choose_storage, open_storage
from gittrack.storage.protocol import StorageError
from tests.support.git_repository import open_repository
from tests.support.parcels import add_file, make_cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository


def test_git_is_the_default(repository: Repository) -> None:
    """Without any word the git remote holds the artifacts."""
    assert choose_storage(repository) == ("git", False)


def test_the_committed_file_is_read(repository: Repository, repo_dir: Path) -> None:
    """gittrack.yaml names the storage of the project."""
    (repo_dir / "gittrack.yaml").write_text("storage: https://example.org/data\n", encoding="utf-8")
    assert choose_storage(repository) == ("https://example.org/data", True)


def test_the_setting_of_the_user_comes_first(repository: Repository, repo_dir: Path, git: Callable[..., str]) -> None:
    """A person may keep artifacts elsewhere than the project says."""
    (repo_dir / "gittrack.yaml").write_text("storage: lfs\n", encoding="utf-8")
    git("config", "--global", "gittrack.storage", "s3://mine/x")
    assert choose_storage(repository) == ("s3://mine/x", False)


def test_a_bare_repository_reads_the_file_of_head(repo_dir: Path, git: Callable[..., str], tmp_path: Path) -> None:
    """There are no files, so the commit decides."""
    (repo_dir / "gittrack.yaml").write_text("storage: lfs\n", encoding="utf-8")
    git("add", ".")
    git("commit", "-qm", "Say where artifacts are")
    git("clone", "-q", "--bare", str(repo_dir), str(tmp_path / "bare"))
    assert choose_storage(open_repository(tmp_path / "bare")) == ("lfs", True)


def test_a_committed_url_must_be_accepted_once(repository: Repository, repo_dir: Path, git: Callable[..., str]) -> None:
    """Until then nothing is opened, and the hint is the line that accepts it."""
    url = "https://example.org/data"
    (repo_dir / "gittrack.yaml").write_text(f"storage: {url}\n", encoding="utf-8")
    with pytest.raises(StorageError, match="not accepted") as caught:
        open_storage(repository)
    assert caught.value.hint == f"if you trust it: git config gittrack.storageAccepted {url}"
    git("config", "gittrack.storageAccepted", url)
    assert open_storage(repository).label == url


def test_another_url_must_be_accepted_anew(repository: Repository, repo_dir: Path, git: Callable[..., str]) -> None:
    """Consent is to one address, not to whatever the file says later; and only this clone's own settings count."""
    git("config", "gittrack.storageAccepted", "https://example.org/data")
    git("config", "--global", "gittrack.storageAccepted", "https://example.org/evil")
    (repo_dir / "gittrack.yaml").write_text("storage: https://example.org/evil\n", encoding="utf-8")
    with pytest.raises(StorageError) as caught:
        open_storage(repository)
    assert "git config --add gittrack.storageAccepted https://example.org/evil" in (caught.value.hint or "")


def test_the_person_can_be_asked(repository: Repository, repo_dir: Path) -> None:
    """A yes is remembered, a no is not."""
    (repo_dir / "gittrack.yaml").write_text("storage: https://example.org/data\n", encoding="utf-8")
    asked: list[str] = []

    def answer(url: str) -> bool:
        asked.append(url)
        return len(asked) == 2

    with pytest.raises(StorageError, match="not accepted"):
        open_storage(repository, confirm=answer)
    for _ in range(2):
        assert open_storage(repository, confirm=answer).label == "https://example.org/data"
    assert asked == ["https://example.org/data"] * 2


def test_a_url_of_the_user_needs_no_consent(repository: Repository, git: Callable[..., str], tmp_path: Path) -> None:
    """A folder that the user's own settings name is opened, and works."""
    git("config", "gittrack.storage", f"file://{tmp_path}/store%20one")
    storage = open_storage(repository)
    cache = make_cache(tmp_path / "cache")
    parcel = add_file(cache, b"1")
    storage.send([parcel], cache)
    assert (tmp_path / "store one" / "b3" / parcel.digest[:2] / parcel.digest[2:]).read_bytes() == b"1"


def test_a_committed_folder_is_refused(repository: Repository, repo_dir: Path) -> None:
    """The repository's files cannot name a folder of this machine."""
    (repo_dir / "gittrack.yaml").write_text("storage: file:///etc\n", encoding="utf-8")
    with pytest.raises(InvalidConfigError):
        open_storage(repository)


def test_lfs_needs_a_remote(repository: Repository, git: Callable[..., str]) -> None:
    """Without one the error says how to add it."""
    git("config", "gittrack.storage", "lfs")
    with pytest.raises(NoRemoteError):
        open_storage(repository)
    git("remote", "add", "origin", "https://example.org/line.git")
    assert open_storage(repository).label == "origin (Git LFS)"


@pytest.mark.parametrize("url", ["s3://bucket/x", "gs://bucket", "az://box"])
def test_a_missing_package_is_named(
    repository: Repository, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Object stores need an extra, and the hint installs it."""
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    git("config", "gittrack.storage", url)
    with pytest.raises(StorageError, match="obstore") as caught:
        open_storage(repository)
    assert caught.value.hint == "pip install 'gittrack[storage]'"


def test_an_open_line_to_an_object_store_is_refused(repo_dir: Path, git: Callable[..., str]) -> None:
    """The environment may name an endpoint; an unencrypted one only on this machine, or with the user's word."""
    git("config", "gittrack.storage", "s3://bucket/x")
    with pytest.raises(StorageError, match="not encrypted"):
        open_storage(open_repository(repo_dir, AWS_ENDPOINT_URL="http://10.0.0.1:9000"))
    for environ in (
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000"},
        {"AWS_ENDPOINT_URL": "http://10.0.0.1:9000", "AWS_ALLOW_HTTP": "true"},
        {"AWS_ENDPOINT_URL": "https://10.0.0.1:9000"},
    ):
        assert open_storage(open_repository(repo_dir, **environ)).label == "s3://bucket/x"
