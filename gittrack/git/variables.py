"""Everything that git would use here, from one question: its settings and who the user is.

A run asks this at its start, where each process of git counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.git.repository import Repository


def read_variables(repository: Repository) -> Mapping[str, str]:
    """Return git's settings by key (``remote.origin.url``) and its variables (``GIT_COMMITTER_IDENT``).

    Of a key with several values the last is kept; of a value with several lines the first.

    Args:
        repository: The repository.
    """
    listing = repository.git.run("var", "-l", check=False).stdout.decode("utf-8", "surrogateescape")
    return dict(line.partition("=")[::2] for line in listing.splitlines() if "=" in line)
