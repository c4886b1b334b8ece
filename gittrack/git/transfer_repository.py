"""A repository that is there for one transfer: objects pass through it and never enter the user's own.

It is an empty bare repository in a scratch folder whose settings include those of the user's repository, so that
remotes, rewritten URLs, credentials and proxies are the same. git runs in the user's work tree, so that the relative
path of a remote means the same too.
"""

from __future__ import annotations

import contextlib
import os
from functools import cached_property
from typing import TYPE_CHECKING

from gittrack.git.process import Git
from gittrack.git.repository import Repository
from gittrack.scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_CONFIG = """\
[core]
	repositoryformatversion = {version}
	bare = true
{extensions}[include]
	path = {config}
	path = {worktree_config}
[core]
	compression = 0
	bigFileThreshold = 16k
	logAllRefUpdates = false
	commitGraph = false
	multiPackIndex = false
[pack]
	compression = 0
	window = 0
	writeBitmaps = false
[fetch]
	unpackLimit = 1
	writeCommitGraph = false
[transfer]
	unpackLimit = 1
[push]
	followTags = false
[gc]
	auto = 0
[maintenance]
	auto = false
{remote}"""
_NO_PROMISE = """\
[remote "{name}"]
	promisor = false
	mirror = false
"""


class TransferRepository(Repository):
    """The repository of one transfer.

    Args:
        folder: Its folder.
        user: The repository whose settings it has.
    """

    def __init__(self, folder: Path, user: Repository) -> None:
        super().__init__(
            git_dir=folder,
            common_dir=folder,
            work_tree=None,
            object_format=user.object_format,
            is_shallow=False,
            environ=user.environ,
        )
        self._user = user

    @cached_property
    def git(self) -> Git:
        """The git program, told this repository, in the user's folder."""
        return Git(self.environ, cwd=self._user.work_tree or self._user.git_dir, git_dir=self.git_dir)

    @property
    def pack_folder(self) -> Path:
        """Where its packs are."""
        return self.git_dir / "objects/pack"

    def read_also(self, objects: Path) -> None:
        """Read the objects of another repository as if they were here.

        Args:
            objects: Its folder of objects.
        """
        (self.git_dir / "objects/info/alternates").write_bytes(os.fsencode(f"{objects.absolute()}\n"))

    def write_refs(self, refs: Mapping[str, str]) -> None:
        """Make these its refs, and no others.

        Args:
            refs: Full names and commit ids.
        """
        lines = ["# pack-refs with: peeled fully-peeled sorted \n"]
        lines += [f"{oid} {ref}\n" for ref, oid in sorted(refs.items())]
        (self.git_dir / "packed-refs").write_text("".join(lines), encoding="ascii")


@contextlib.contextmanager
def transfer_repository(user: Repository, remote: str) -> Iterator[TransferRepository]:
    """Yield an empty repository for one transfer; it is gone afterwards.

    Args:
        user: The repository whose settings it has.
        remote: The remote that is spoken to; a partial clone's promises about it do not hold here.
    """
    with scratch_folder(user.scratch_root) as folder:
        for name in ("objects/pack", "objects/info", "refs/heads", "info"):
            (folder / name).mkdir(parents=True)
        (folder / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
        is_sha256 = user.object_format == "sha256"
        config = _CONFIG.format(
            version=int(is_sha256),
            extensions="[extensions]\n\tobjectFormat = sha256\n" if is_sha256 else "",
            config=_quote(str(user.common_dir / "config")),
            worktree_config=_quote(str(user.git_dir / "config.worktree")),
            remote=_NO_PROMISE.format(name=_escape(remote)),
        )
        (folder / "config").write_text(config, encoding="utf-8", errors="surrogateescape")
        yield TransferRepository(folder, user)


def _quote(value: str) -> str:
    return f'"{_escape(value)}"'


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
