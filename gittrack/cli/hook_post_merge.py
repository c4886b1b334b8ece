"""The part of ``post-merge`` that takes up fetched experiments, so that plain ``git pull`` does what ours does.

No network, and no local experiment gives up its name here: `gittrack pull` does that where it is needed, and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def take_up(refs: Iterable[str], environ: Mapping[str, str]) -> None:
    """Create, advance and merge local experiments from what was last seen on each remote.

    Args:
        refs: The tracking refs of all remotes.
        environ: The environment of the hook.

    Raises:
        GittrackError: git or the disk refused a change.
    """
    from pathlib import Path

    from gittrack.experiments.names import parse_ref
    from gittrack.experiments.sharing import adopt
    from gittrack.git.repository import Repository

    remotes = {found.remote for found in map(parse_ref, refs) if found is not None and found.remote}
    if remotes:
        repository = Repository.discover(Path.cwd(), environ)
        for remote in sorted(remotes):
            adopt(repository, remote, may_rename=False)
