"""Hooks in git's settings, which git 2.54 and newer runs: ``hook.<name>.event`` and ``hook.<name>.command``.

git runs them before the hook file of the event, and goes on whatever they answer. So ``pre-push``, which must wait for
the checks of others, is not among those that gittrack keeps there.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from gittrack.git.process import failure
from gittrack.git.settings import write_setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.git.repository import Repository

CONFIG_HOOKS_SINCE = (2, 54)

_KEY = re.compile(r"hook\.(?P<name>.*)\.(?P<key>event|command|enabled)", re.DOTALL)
_FALSE = frozenset({"false", "no", "off", "0", ""})
# Nothing can have arrived when nothing was fetched since the last time. (In a linked worktree .git is a file; there the
# program finds out.)
_IF_FETCHED = (
    "! [ -d .git ] || { [ -e .git/FETCH_HEAD ] && ! [ .git/gittrack/announced.json -nt .git/FETCH_HEAD ]; } || exit 0; "
)
# With gittrack.autocheckout, artifacts follow every checkout and merge.
_UNLESS_RESTORING = '[ "$(git config --type=bool --get gittrack.autocheckout 2>/dev/null)" = true ] || {{ {} }}; '
_CONDITIONS = {
    "post-checkout": _UNLESS_RESTORING.format('[ "${3-}" = 1 ] || exit 0; ' + _IF_FETCHED),
    "post-merge": _UNLESS_RESTORING.format(_IF_FETCHED),
}


class HookSetting(NamedTuple):
    """A hook in git's settings.

    Attributes:
        events: The events that run it.
        command: What is run; None when it has no command.
    """

    events: tuple[str, ...] = ()
    command: str | None = None


class HookSettings(NamedTuple):
    """The hooks in git's settings, from all files that git reads.

    Attributes:
        by_name: Each hook, by its name.
        switched_off: Hooks and events of which `enabled` is false.
    """

    by_name: dict[str, HookSetting]
    switched_off: frozenset[str]

    def others(self, event: str) -> Iterator[tuple[str, HookSetting]]:
        """Yield the hooks that run at an event and that gittrack did not make, with their names."""
        for name, setting in self.by_name.items():
            if event in setting.events and name != own_name(event) and name not in self.switched_off:
                yield name, setting


def own_name(event: str) -> str:
    """Return the name of gittrack's hook of an event."""
    return f"gittrack-{event}"


def read_hook_settings(repository: Repository) -> HookSettings:
    """Read the hooks that git would run from its settings.

    Args:
        repository: The repository.
    """
    listing = repository.git.run("config", "--null", "--get-regexp", r"^hook\..*\.", check=False).stdout
    by_name: dict[str, HookSetting] = {}
    switched_off: set[str] = set()
    for entry in listing.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = entry.partition("\n")
        match = _KEY.fullmatch(key)
        if match is None:
            continue
        name = match["name"]
        hook = by_name.get(name, HookSetting())
        if match["key"] == "enabled":
            (switched_off.add if value.lower() in _FALSE else switched_off.discard)(name)
        elif match["key"] == "command":
            by_name[name] = hook._replace(command=value)
        else:  # an empty value takes back those before it
            by_name[name] = hook._replace(events=tuple(dict.fromkeys((*hook.events, value))) if value else ())
    return HookSettings(by_name, frozenset(switched_off))


def write_hook_setting(repository: Repository, event: str, program: str) -> None:
    """Make a hook of gittrack in the repository's own settings.

    Args:
        repository: The repository.
        event: Such as ``post-commit``.
        program: The absolute path of the gittrack executable.
    """
    # In this order, because git refuses to work with an event that has no command.
    write_setting(repository, f"hook.{own_name(event)}.command", render_command(event, program))
    write_setting(repository, f"hook.{own_name(event)}.event", event)


def remove_hook_setting(repository: Repository, event: str) -> bool:
    """Remove a hook of gittrack from the repository's own settings, and return whether it was there.

    Args:
        repository: The repository.
        event: Such as ``post-commit``.

    Raises:
        GitError: The settings cannot be written.
    """
    arguments = ("config", "--local", "--remove-section", f"hook.{own_name(event)}")
    completed = repository.git.run(*arguments, check=False)
    if completed.returncode and "no such section" not in completed.stderr:
        raise failure(arguments, completed)
    return completed.returncode == 0


def render_command(event: str, program: str) -> str:
    """Return the shell command of a hook; git adds the hook's arguments.

    It does what the scripts in ``hooks/`` do: git commands that gittrack runs inside a hook start no hooks, a program
    that has moved is searched on PATH, and whatever goes wrong fails nothing.

    Args:
        event: Such as ``post-commit``.
        program: The absolute path of the gittrack executable.
    """
    script = (
        f'[ -z "${{GITTRACK_HOOK-}}" ] || exit 0; {_CONDITIONS.get(event, "")}'
        f'p={shlex.quote(program)}; [ -x "$p" ] || p=gittrack; command -v "$p" >/dev/null 2>&1 || exit 0; '
        f'GITTRACK_HOOK={event} "$p" hook {event} "$@" || :'
    )
    # git runs `sh -c '<command> "$@"' <command> <args>`: the arguments land after the last word.
    return f"sh -c {shlex.quote(script)} gittrack"
