"""What of a run is still to be posted, on disk, so that a killed process, a reboot or a lost network loses nothing.

```
.git/gittrack/live/<run id>/
  lock                 held by the process that posts
  run.json             who the run is and where its events go; never a token
  *.journal, *.events  hard links to the run's own journals: what is logged is spooled at no cost, and stays here when
                       the folder of the run is gone
  plots/<number>.json  plots and images that are not in the journal, one event each
  media/               hard links to the files of plots and images that are
  end.json             how the run ended
  position.json        how far the receiver has it all
```

The folder goes when everything was posted. Outside of a repository it is ``gittrack-runs/.live/<run id>/``.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.runs.journal import events_path, find_journals
from gittrack.runs.locks import FileLock, is_locked
from gittrack.values import dump_json, load_json

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

LIVE = "live"
KEPT_FOR_S = 30 * 86_400.0  # what no receiver took in a month is of no use to a live view

_LOCK, _RUN, _END, _POSITION = "lock", "run.json", "end.json", "position.json"
_DONE = ".done-"  # a folder that is being removed
_MEDIA, _PLOTS_OF_RUN = "media", "plots"  # the latter in the run's own folder
_RUN_ID = re.compile(r"[0-9a-f]{16}")


class SpooledRun(NamedTuple):
    """Who a run is, and where its events go.

    Attributes:
        url: The base URL of the receiver.
        repo_url: The repository's URL, without credentials.
        baseline_sha: The commit from which the experiment starts.
        name: The experiment's name.
        message: What it is about; None when nobody said.
        subdir: The folder it runs in, relative to the top of the repository; None at the top.
    """

    url: str
    repo_url: str
    baseline_sha: str
    name: str
    message: str | None = None
    subdir: str | None = None


class End(NamedTuple):
    """How a run ended.

    Attributes:
        status: ``completed``, ``failed`` or ``killed``.
        message: Why, when it did not complete.
        commit: The experiment's commit; None when it could not be recorded.
    """

    status: str
    message: str | None = None
    commit: str | None = None


class Position(NamedTuple):
    """How far the receiver has a run.

    Attributes:
        is_started: Whether it knows of the start.
        files: How many bytes of each journal it has, by the file's name; of events, up to the last plot.
        step: The highest step it has.
        problem: Why it took no more, the last time; None when it did.
        is_refused: Whether it refused for good, so that only a person can help.
    """

    is_started: bool = False
    files: dict[str, int] = {}  # noqa: RUF012  never changed
    step: int = 0
    problem: str | None = None
    is_refused: bool = False


class Spool:
    """The folder of one run that is to be posted.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.path.name

    def create(self, run: SpooledRun) -> None:
        """Make the folder.

        Raises:
            OSError: The disk refuses.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._write(_RUN, run._asdict())

    @property
    def media(self) -> Path:
        """The folder of files that the journals name."""
        return self.path / _MEDIA

    def link_journals(self, folder: Path) -> None:
        """Take the journals, and the files of plots, that are new in the run's folder.

        Args:
            folder: The run's folder; one that is gone has nothing new.

        Raises:
            OSError: The disk has no hard links.
        """
        for journal in find_journals(folder):
            for path in (events_path(journal), journal):
                with contextlib.suppress(FileExistsError, FileNotFoundError):
                    os.link(path, self.path / path.name)
        with contextlib.suppress(FileNotFoundError), os.scandir(folder / _PLOTS_OF_RUN) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                    self._link_media(entry)

    def write_end(self, end: End) -> None:
        """Keep how the run ended."""
        self._write(_END, end._asdict())

    def read_end(self) -> End | None:
        """Return how the run ended; None when nobody said."""
        fields = self._read(_END)
        return _make(End, fields) if fields is not None else None

    def read_run(self) -> SpooledRun | None:
        """Return who the run is; None when that is damaged."""
        fields = self._read(_RUN)
        return _make(SpooledRun, fields) if fields is not None else None

    def read_position(self) -> Position:
        """Return how far the receiver has it."""
        position = _make(Position, self._read(_POSITION) or {})
        return position or Position()

    def write_position(self, position: Position) -> None:
        """Keep how far the receiver has it."""
        self._write(_POSITION, position._asdict())

    def journals(self) -> list[Path]:
        """Return the journals."""
        return find_journals(self.path)

    def unsent_bytes(self) -> int:
        """Return how many bytes of what was logged the receiver does not have."""
        position = self.read_position()
        n_bytes = 0
        for path in self.journals():
            n_bytes += max(0, path.stat().st_size - position.files.get(path.name, 0))
        return n_bytes

    def is_expired(self) -> bool:
        """Return whether it is too old to be of use to anybody."""
        try:
            return time.time() - max(path.stat().st_mtime for path in self.path.iterdir()) > KEPT_FOR_S
        except (OSError, ValueError):
            return False

    def is_posting(self) -> bool:
        """Return whether a living process posts it."""
        return is_locked(self.path / _LOCK)

    def lock(self) -> FileLock:
        """Return the lock, not yet acquired."""
        return FileLock(self.path / _LOCK)

    def remove(self) -> None:
        """Remove the folder."""
        from shutil import rmtree

        gone = self.path.with_name(f"{_DONE}{self.path.name}")
        with contextlib.suppress(OSError):
            self.path.replace(gone)
        rmtree(gone, ignore_errors=True)

    def _link_media(self, entry: os.DirEntry[str]) -> None:
        """Take a file; one of that name that is there already is an earlier version."""
        target = self.media / entry.name
        self.media.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if target.stat().st_ino == entry.inode():
                return
            target.unlink()
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            os.link(entry.path, target)

    def _write(self, name: str, fields: dict[str, Any]) -> None:
        path = self.path / name
        temporary = path.with_name(f".{path.name}-{os.getpid()}")
        try:
            temporary.write_text(dump_json(fields), encoding="utf-8")
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            fields = load_json((self.path / name).read_bytes())
        except (OSError, GittrackError):
            return None
        return fields if isinstance(fields, dict) else None


def spool_of(place: Repository | Path, run_id: str) -> Spool:
    """Return the spool of a run, which need not exist.

    Args:
        place: The repository; outside of one, the folder of its runs.
        run_id: The run's id.
    """
    return Spool(_root_of(place) / run_id)


def list_spools(place: Repository | Path) -> list[Spool]:
    """Return the spools of all runs that are to be posted, the oldest first.

    Args:
        place: The repository; outside of one, the folder of its runs.
    """
    try:
        found = [entry for entry in os.scandir(_root_of(place)) if _RUN_ID.fullmatch(entry.name)]
        found.sort(key=_modified)
    except OSError:
        return []
    return [spool_of(place, entry.name) for entry in found]


def sweep_removed(place: Repository | Path) -> None:
    """Remove what processes that were killed left of spools that they were removing.

    Args:
        place: The repository; outside of one, the folder of its runs.
    """
    from shutil import rmtree

    for path in _root_of(place).glob(f"{_DONE}*"):
        rmtree(path, ignore_errors=True)


def _root_of(place: Repository | Path) -> Path:
    return place / f".{LIVE}" if isinstance(place, Path) else place.state_dir / LIVE


def _modified(entry: os.DirEntry[str]) -> float:
    return entry.stat().st_mtime


def _make(kind: Any, fields: dict[str, Any]) -> Any:
    """Return a record of the fields that it knows; None when one is missing."""
    try:
        return kind(**{name: fields[name] for name in kind._fields if name in fields})
    except TypeError:
        return None
