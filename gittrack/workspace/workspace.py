"""A repository with its cache of artifacts: what every command on artifacts works with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.artifacts.cache import Cache
from gittrack.artifacts.restore import DEFAULT_LINKS, LINK_TYPES, Restorer
from gittrack.artifacts.stat_cache import StatCache
from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from gittrack.artifacts.restore import LinkType
    from gittrack.git.repository import Repository

CACHE_SETTING = "gittrack.cache"
LINK_SETTING = "gittrack.link"


class Workspace:
    """A repository's files, its cache of artifacts, and what is known of unchanged files.

    Use it as a context manager, so that what was learnt about files is kept.

    Args:
        repository: The repository.
        cache: The cache.
        links: How restored files share bytes with the cache; see `Restorer`.

    Attributes:
        current_folder: Where the person is, relative to the top folder: it is never removed for being empty.
    """

    current_folder: str = ""

    def __init__(self, repository: Repository, cache: Cache, links: Sequence[LinkType] = DEFAULT_LINKS) -> None:
        self.repository = repository
        self.cache = cache
        self.links = tuple(links)
        self.stats = StatCache(repository.state_dir / "stat.sqlite")

    @classmethod
    def open(cls, repository: Repository) -> Self:
        """Return a repository with the cache and the kind of links that the git settings name.

        ``gittrack.cache`` is a folder, perhaps shared with others (by default ``.git/gittrack/cache``); a relative one
        is meant from the top of the repository. ``gittrack.link`` lists how restored files share bytes with the cache,
        such as ``reflink,hardlink``.

        Args:
            repository: The repository.

        Raises:
            GittrackError: A setting makes no sense.
        """
        settings = _read_settings(repository)
        folder = settings.get(CACHE_SETTING)
        base = repository.work_tree or repository.common_dir
        root = base / folder if folder else repository.state_dir / "cache"
        return cls(repository, Cache(root), _parse_links(settings.get(LINK_SETTING)))

    @property
    def root(self) -> Path:
        """The top folder of the files.

        Raises:
            NoWorkTreeError: The repository is bare.
        """
        return self.repository.require_work_tree()

    def restorer(self, on_bytes: Callable[[int], object] | None = None) -> Restorer:
        """Return what writes objects of the cache into the work tree.

        Args:
            on_bytes: Called with the bytes of each piece that was written.
        """
        return Restorer(
            self.cache, self.root, self.repository.scratch_root, self.links, on_bytes, kept_folder=self.current_folder
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stats.close()


def _read_settings(repository: Repository) -> dict[str, str]:
    completed = repository.git.run(
        "config", "--null", "--type=path", "--get-regexp", r"^gittrack\.(cache|link)$", check=False
    )
    entries = completed.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
    return dict(entry.partition("\n")[::2] for entry in entries)


def _parse_links(text: str | None) -> tuple[LinkType, ...]:
    if not text:
        return DEFAULT_LINKS
    words = [word.strip().lower() for word in text.split(",")]
    links = tuple(link for word in words for link in LINK_TYPES if link == word)
    if len(links) != len(words):
        raise GittrackError(
            f"the git setting {LINK_SETTING} is {text!r}",
            hint=f"list some of {', '.join(LINK_TYPES)}, as in 'reflink,copy'",
        )
    return links
