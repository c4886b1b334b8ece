"""Install, inspect and remove gittrack's git hooks, beside the hooks of everybody else.

Three situations, told apart by `find_place`:

- git 2.54 or newer: hooks are settings (``hook.gittrack-<event>.command``), all but ``pre-push``; see `hook_settings`.
- An ordinary hooks folder inside the repository's git directory: a marked block in the hook file.
- ``core.hooksPath`` leads elsewhere: into the work tree (husky, a folder that the team commits) or to a folder that
  serves other repositories too. Nothing is written; the user is told which line to add where.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from gittrack.errors import GittrackError
from gittrack.git.hook_advice import find_manager, find_manual_call, render_advice
from gittrack.git.hook_block import HookFileError, find_block, insert_block, remove_block, render_block
from gittrack.git.hook_settings import (
    CONFIG_HOOKS_SINCE,
    HookSettings,
    own_name,
    read_hook_settings,
    remove_hook_setting,
    render_command,
    write_hook_setting,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gittrack.git.repository import Repository

HOOK_NAMES = ("post-commit", "post-rewrite", "pre-push", "post-merge", "post-checkout")

# What other programs rename our file to when they put theirs in its place; pre-commit goes on running the first.
_SET_ASIDE = (".legacy", ".old")


class HookInstallError(GittrackError):
    """A hook file could not be written."""


class HooksPlace(NamedTuple):
    """Where hooks are for a repository.

    Attributes:
        folder: The folder in which git looks for hook files.
        is_ours: Whether gittrack may write to that folder.
        has_settings: Whether git runs hooks from its settings.
    """

    folder: Path
    is_ours: bool
    has_settings: bool

    def is_setting(self, name: str) -> bool:
        """Say whether a hook belongs into git's settings: not ``pre-push``, which must come after other checks."""
        return self.has_settings and name != "pre-push"


class HookState(NamedTuple):
    """How one hook stands.

    Attributes:
        name: The event, such as ``post-commit``.
        status: ``current``; ``outdated`` (of another version or another gittrack); ``missing``; ``manual`` (called from
            a hook or a hook manager's file that the user wrote); ``blocked`` (gittrack will not write there).
        where: The file or setting.
        advice: For ``blocked``, and where another program gets in the way: what to do by hand, and where.
    """

    name: str
    status: Literal["current", "outdated", "missing", "manual", "blocked"]
    where: str
    advice: str | None = None


def git_version(repository: Repository) -> tuple[int, int]:
    """Return the major and minor version of the git program.

    Args:
        repository: The repository whose environment finds git.
    """
    match = re.search(r"(\d+)\.(\d+)", repository.git.text("version"))
    return (int(match[1]), int(match[2])) if match else (0, 0)


def find_place(repository: Repository, version: tuple[int, int]) -> HooksPlace:
    """Decide where hooks go.

    Args:
        repository: The repository.
        version: The version of git.
    """
    scope, folder = _hooks_folder(repository)
    is_ours = scope in {None, "local", "worktree"} and _is_inside(folder, repository)
    return HooksPlace(folder, is_ours, version >= CONFIG_HOOKS_SINCE)


def inspect_hooks(repository: Repository, program: str, place: HooksPlace) -> list[HookState]:
    """Return how each hook stands, without changing anything.

    Args:
        repository: The repository.
        program: The absolute path of the gittrack executable that hooks should run.
        place: Where hooks go.
    """
    settings = read_hook_settings(repository) if place.has_settings else HookSettings({}, frozenset())
    return [_inspect(repository, name, program, place, settings) for name in HOOK_NAMES]


def install_hooks(repository: Repository, program: str, place: HooksPlace) -> list[HookState]:
    """Install every hook that is not current, and return how each stands then.

    Args:
        repository: A repository with a work tree.
        program: The absolute path of the gittrack executable that hooks shall run.
        place: Where hooks go.

    Raises:
        HookInstallError: A hook file cannot be written.
    """
    for state in inspect_hooks(repository, program, place):
        if place.is_setting(state.name):
            is_there = state.status == "current" and state.where == _setting(own_name(state.name))
            if not is_there and state.status not in {"manual", "blocked"}:
                write_hook_setting(repository, state.name, program)
        elif state.status in {"missing", "outdated"}:
            path = Path(state.where)
            _write_hook(path, insert_block(_read_hook(path), render_block(_shipped(state.name), program)))
        _remove_double(repository, state, place)
    return inspect_hooks(repository, program, place)


def remove_hooks(repository: Repository) -> list[str]:
    """Remove every hook that gittrack installed, from settings and files, and return where they were.

    Args:
        repository: The repository.

    Raises:
        HookInstallError: A hook file cannot be written.
    """
    removed = [f"hook.{own_name(name)}" for name in HOOK_NAMES if remove_hook_setting(repository, name)]
    folders = {repository.common_dir / "hooks", _hooks_folder(repository)[1]}
    for folder in sorted(folders):
        if _is_inside(folder, repository):
            removed += _remove_blocks(repository, folder)
    return removed


def _hooks_folder(repository: Repository) -> tuple[str | None, Path]:
    """Return where ``core.hooksPath`` is set, if it is, and the folder that git takes hooks from.

    Our own git calls switch hooks off by that very setting on their command line, so it is left out here.
    """
    completed = repository.git.run(
        "config", "--show-scope", "--null", "--type=path", "--get-all", "core.hooksPath", check=False
    )
    fields = os.fsdecode(completed.stdout).split("\0")
    values = [(scope, path) for scope, path in zip(fields[::2], fields[1::2], strict=False) if scope != "command"]
    if not values:
        return None, repository.common_dir / "hooks"
    scope, path = values[-1]
    return scope, Path(os.path.normpath((repository.work_tree or repository.git_dir) / path))


def _is_inside(folder: Path, repository: Repository) -> bool:
    """Return whether a folder belongs to this repository alone: inside its git directory."""
    real = folder.resolve()
    return any(real.is_relative_to(parent.resolve()) for parent in (repository.common_dir, repository.git_dir))


def _inspect(repository: Repository, name: str, program: str, place: HooksPlace, settings: HookSettings) -> HookState:
    others = list(settings.others(name))
    by_setting = next((other for other, hook in others if f"gittrack hook {name}" in (hook.command or "")), None)
    if by_setting is not None:
        return HookState(name, "manual", _setting(by_setting))
    manual = find_manual_call(repository.work_tree, place.folder, name)
    if manual is not None:
        return HookState(name, "manual", str(manual))
    if place.is_setting(name):
        return _inspect_setting(repository, name, program, place, settings)
    path = place.folder / name
    if not place.is_ours:
        return HookState(name, "blocked", str(path), render_advice(repository.work_tree, place.folder, name))
    state = _inspect_file(repository, name, program, path)
    if others and name == "pre-push" and state.advice is None:
        checks = " and ".join(_setting(other) for other, _ in others)
        return state._replace(advice=f"git goes on when {checks} refuses a push: its experiments are sent all the same")
    return state


def _inspect_setting(
    repository: Repository, name: str, program: str, place: HooksPlace, settings: HookSettings
) -> HookState:
    where = _setting(own_name(name))
    off = next((switch for switch in (own_name(name), name) if switch in settings.switched_off), None)
    if off is not None:
        return HookState(name, "blocked", where, f"it is switched off by the setting 'hook.{off}.enabled'")
    found = settings.by_name.get(own_name(name))
    if found is not None:
        is_current = (found.events, found.command) == ((name,), render_command(name, program))
        return HookState(name, "current" if is_current else "outdated", where)
    if place.is_ours:  # from an older git: the block in the file still runs
        state = _inspect_file(repository, name, program, place.folder / name)
        if state.status in {"current", "outdated"}:
            return state
    return HookState(name, "missing", where)


def _setting(name: str) -> str:
    return f"the setting hook.{name}"


def _inspect_file(repository: Repository, name: str, program: str, path: Path) -> HookState:
    wanted = render_block(_shipped(name), program)
    try:
        aside = path.with_name(path.name + ".legacy")
        if find_block(_read_hook(aside) or b"") and find_manager(path) == "pre-commit":
            path = aside
        content = _read_hook(path)
        insert_block(content, wanted)
    except HookFileError as error:
        way_out = error.hint or render_advice(repository.work_tree, path.parent, name)
        return HookState(name, "blocked", str(path), f"{error.message}; {way_out}")
    block = find_block(content or b"")
    status: Literal["missing", "current", "outdated"]
    status = "missing" if block is None else "current" if _same_block(block, wanted) else "outdated"
    manager = find_manager(path)
    advice: str | None = None
    if manager and path.suffix != ".legacy":
        by_hand = render_advice(repository.work_tree, path.parent, name)
        advice = f"{manager} may overwrite this file; to be safe, {by_hand}"
    return HookState(name, status, str(path), advice)


def _same_block(block: bytes, wanted: bytes) -> bool:
    # A block at the end of a file without a last newline has none either.
    return block.rstrip(b"\r\n") == wanted.rstrip(b"\n")


def _read_hook(path: Path) -> bytes | None:
    """Return a hook file's content, or None when there is none.

    Raises:
        HookFileError: The file is not one that gittrack edits.
    """
    try:
        info = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(info.st_mode):
        raise HookFileError(f"'{path}' is a symbolic link to '{path.readlink()}'")
    if not stat.S_ISREG(info.st_mode):
        raise HookFileError(f"'{path}' is not a file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HookFileError(f"cannot read '{path}': {error.strerror}") from error
    if os.name == "posix" and not info.st_mode & 0o111:
        raise HookFileError(f"'{path}' is not executable, so git does not run it: make it executable or remove it")
    return content


def _write_hook(path: Path, content: bytes) -> None:
    """Replace a hook file in one step, keeping its permissions; a new one is executable."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else _new_mode(path.parent)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
            temporary = Path(stream.name)
            try:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
                temporary.chmod(mode)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise HookInstallError(
            f"cannot write the hook '{path}': {error.strerror}",
            hint="make its folder writable, or use 'gittrack init --no-hooks'",
        ) from error


def _new_mode(folder: Path) -> int:
    """Return the permissions for a new hook: those of its folder, which git made by the user's umask and sharing."""
    folder.mkdir(parents=True, exist_ok=True)
    return stat.S_IMODE(folder.stat().st_mode) & 0o777


def _remove_blocks(repository: Repository, folder: Path, names: Sequence[str] = HOOK_NAMES) -> list[str]:
    removed = []
    for path in _own_files(folder, names):
        if not _is_inside(path.parent, repository):
            continue
        content = remove_block(path.read_bytes())
        if content is None:
            _unlink(path)
        else:
            _write_hook(path, content)
        removed.append(str(path))
    return removed


def _remove_double(repository: Repository, state: HookState, place: HooksPlace) -> None:
    """Remove what an older git or gittrack left of a hook, where it would run a second time."""
    if place.is_setting(state.name) and state.status != "manual":
        if place.is_ours:
            _remove_blocks(repository, place.folder, (state.name,))
    elif state.status != "blocked":
        remove_hook_setting(repository, state.name)


def _own_files(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yield the hook files that hold our block, and those that another program renamed."""
    for name in names:
        for suffix in ("", *_SET_ASIDE):
            path = folder / (name + suffix)
            if path.is_file() and not path.is_symlink() and find_block(path.read_bytes()):
                yield path


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise HookInstallError(f"cannot remove the hook '{path}': {error.strerror}") from error


def _shipped(name: str) -> bytes:
    """Return a hook script as shipped: in the package, or beside it in a source tree."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "hooks", package.parent / "hooks"):
        path = folder / name
        if path.is_file():
            return path.read_bytes()
    raise HookInstallError(f"the hook script '{name}' is missing from the installation", hint="install gittrack again")
