"""The folder of a run in progress: its description, its journals, and the lock that says that it lives.

```
runs/<run id>/
  meta.json       the description so far (the format of an experiment's meta.json)
  pid             the run's process
  outcome         room for how the run ended, which is written even when the disk is full
  tip             the experiment's commit, and the tree of the code, once they are recorded
  run.journal     the metrics, and run.events all else; a process that joined adds joined-<pid>-<id>.journal
  plots/          what the run logged to look at, each a file that is whole from the moment it is there
  log.txt         the output of the command, when gittrack runs one, or of a script that wants it kept;
                  beside it log.txt.<n>, the last two pieces of a long one
  lock            held by the run's process as long as it lives
```

A folder appears under its final name only when its lock is held, so a folder without a holder is a dead run. Names
that begin with a dot are of folders that come into being or are being removed.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.format import parse_meta, render_meta
from gittrack.runs.locks import FileLock, is_locked
from gittrack.values import dump_json, load_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gittrack.experiments.format import Meta
    from gittrack.runs.journal_reader import JournalContents
    from gittrack.values import PlainValue

RUNS = "runs"
OUTSIDE_RUNS = "gittrack-runs"  # beside the script, when there is no repository to keep the run in
NO_COMMIT = "-"
_META, _TIP, _LOCK, _JOURNAL, _LOG = "meta.json", "tip", "lock", "run.journal", "log.txt"
PLOTS = "plots"
_PID, _OUTCOME = "pid", "outcome"
_OUTCOME_BYTES = 4096
_HALF_MADE_FOR_S = 60.0  # a folder is made or removed within milliseconds


class RecordedTip(NamedTuple):
    """What of a run is in git already.

    Attributes:
        commit: The experiment's last commit; ``-`` while there is only the code.
        code_tree: The tree of the code. Once there is a commit it is the commit's, ``.gittrack`` folder included, for
            that of the snapshot alone is garbage to git.
    """

    commit: str
    code_tree: str


class RunFolder:
    """One run's folder.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def run_id(self) -> str:
        """The run's id: the folder's name."""
        return self.path.name

    @property
    def journal_path(self) -> Path:
        """The journal of the run's own process."""
        return self.path / _JOURNAL

    @property
    def log_path(self) -> Path:
        """The output of the run's command or script."""
        return self.path / _LOG

    def read_log(self) -> bytes | None:
        """Return the output of the run's command or script, secrets masked; None when there is none."""
        if not self.log_path.exists():
            return None
        from gittrack.runs.command import read_log  # here: a run that starts need not wait for the imports
        from gittrack.secrets import mask_log

        return mask_log(read_log(self.log_path))

    def new_joined_journal_path(self) -> Path:
        """Return a journal path for another process that joins the run."""
        return self.path / f"joined-{os.getpid()}-{os.urandom(4).hex()}.journal"

    def is_alive(self) -> bool:
        """Return whether the run's process holds its lock."""
        return is_locked(self.path / _LOCK)

    def lock(self) -> FileLock:
        """Return the run's lock, not yet acquired."""
        return FileLock(self.path / _LOCK)

    def read_meta(self) -> Meta:
        """Return the run's description so far.

        Raises:
            OSError: There is none.
            FormatError: It is damaged.
        """
        return parse_meta((self.path / _META).read_bytes())

    def write_meta(self, meta: Meta) -> None:
        """Put the run's description in place of the last one, whole."""
        _replace(self.path / _META, render_meta(meta))

    def read_tip(self) -> RecordedTip | None:
        """Return what of the run is in git; None before its code is recorded."""
        try:
            words = (self.path / _TIP).read_text(encoding="ascii").split()
        except OSError:
            return None
        return RecordedTip(*words) if len(words) == len(RecordedTip._fields) else None

    def write_tip(self, tip: RecordedTip) -> None:
        """Remember what of the run is in git."""
        _replace(self.path / _TIP, " ".join(tip).encode())

    def forget_tip(self) -> None:
        """Forget the code, which is no longer in git."""
        (self.path / _TIP).unlink(missing_ok=True)

    def read_pid(self) -> int | None:
        """Return the id of the run's process."""
        try:
            return int((self.path / _PID).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def read_outcome(self) -> PlainValue:
        """Return how the run ended, where its journal could not take that; None when nothing is known."""
        try:
            return load_json((self.path / _OUTCOME).read_bytes().strip() or b"null")
        except (OSError, GittrackError):
            return None

    def write_outcome(self, outcome: Mapping[str, PlainValue]) -> None:
        """Keep how the run ended in room that was taken at the start, for a disk that is full.

        Args:
            outcome: The fields of an ``Outcome``; a long message is cut.
        """
        message = outcome.get("message")
        short = message[: _OUTCOME_BYTES // 8] if isinstance(message, str) else None
        data = dump_json({**outcome, "message": short}).encode()
        with (self.path / _OUTCOME).open("r+b") as file:
            file.write(data[:_OUTCOME_BYTES].ljust(_OUTCOME_BYTES))

    def read_journals(self) -> JournalContents:
        """Return everything that the run's processes logged, ordered by time."""
        from gittrack.runs.journal_reader import read_journals  # here: a run that starts need not wait for the import

        return read_journals(self.path)

    def remove(self) -> None:
        """Remove the folder; a name that begins with a dot says that what is left of it is no run."""
        done = self.path.with_name(f".done-{self.path.name}")
        self.path.replace(done)
        _remove_tree(done)


def new_run_id() -> str:
    """Return a new run's id: 16 hex digits."""
    return os.urandom(8).hex()


def create_folder(root: Path, meta: Meta) -> tuple[RunFolder, FileLock]:
    """Create a run's folder below a root and return it with its lock, held.

    Args:
        root: The folder of all runs.
        meta: The run's description so far; its id names the folder.

    Raises:
        OSError: It cannot be written.
    """
    root.mkdir(parents=True, exist_ok=True)
    nascent = RunFolder(root / f".new-{meta.id}")
    final = RunFolder(root / meta.id)
    lock = nascent.lock()
    try:
        nascent.path.mkdir()
        lock.acquire()
        nascent.write_meta(meta)
        (nascent.path / _PID).write_text(str(os.getpid()), encoding="ascii")
        (nascent.path / _OUTCOME).write_bytes(b" " * _OUTCOME_BYTES)
        nascent.path.replace(final.path)
    except BaseException:
        lock.release()
        _remove_tree(nascent.path)
        raise
    return final, lock


def list_folders(root: Path) -> list[RunFolder]:
    """Return the folders of all runs below a root, living or dead."""
    try:
        names = sorted(entry.name for entry in os.scandir(root) if not entry.name.startswith(".") and entry.is_dir())
    except OSError:
        return []
    return [RunFolder(root / name) for name in names]


def sweep_half_made(root: Path) -> None:
    """Remove what processes that were killed left of folders that they were making or removing."""
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            is_old = time.time() - entry.stat(follow_symlinks=False).st_mtime > _HALF_MADE_FOR_S
            if entry.name.startswith((".new-", ".done-")) and is_old:
                _remove_tree(entry.path)


def _remove_tree(path: str | Path) -> None:
    from shutil import rmtree  # here: a run that starts removes nothing, and need not wait for the import

    rmtree(path, ignore_errors=True)


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
