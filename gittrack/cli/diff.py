"""`gittrack diff`: which artifacts and files differ between revisions, or from the work tree."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gittrack.cli.artifact_parts import current_workspace, path_from_top, say_bad_pointers
from gittrack.cli.byte_progress import render_size
from gittrack.cli.options import current_terminal, documented
from gittrack.errors import UsageError
from gittrack.experiments.store import ExperimentMissingError
from gittrack.git.state import read_head
from gittrack.visible import sanitise
from gittrack.workspace.diff import diff_revisions, diff_work_tree
from gittrack.workspace.pointers import Pointers, list_commit_pointers
from gittrack.workspace.revisions import NotTrackedError, list_pointers, resolve_revision, select_below

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gittrack.cli.terminal import Terminal
    from gittrack.git.repository import Repository
    from gittrack.workspace.diff import Difference
    from gittrack.workspace.revisions import Revision
    from gittrack.workspace.workspace import Workspace

_N_FILES = 5
_N_SIDES = 2
_WORK_TREE = "the work tree"
_LETTERS = {"added": "A", "modified": "M", "deleted": "D", "missing": "!", "unreadable": "?"}
_STYLES = {"added": "green", "modified": "yellow", "deleted": "red", "missing": "red", "unreadable": "red"}


@documented(example="gittrack diff\ngittrack diff main brave-otter data --files")
@click.argument("words", nargs=-1, metavar="[A] [B] [PATH]...")
@click.option("--files", "all_files", is_flag=True, help=f"Name all files of folders, not the first {_N_FILES}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with all files.")
def command(*, words: tuple[str, ...], all_files: bool, as_json: bool) -> None:
    """Show which artifacts differ between two revisions.

    A and B are commits, branches or experiments. With A alone the work tree is compared with it, and without both with
    HEAD. PATH is an artifact or a folder that holds some; write ./PATH where it could be a revision. Folders are
    compared file by file as far as the cache knows what they hold.
    """
    terminal = current_terminal()
    with current_workspace() as workspace:
        question = _read_question(workspace.repository, words)
        say_bad_pointers(terminal, [*question.before.bad, *question.after.bad])
        differences = _diff(workspace, question)
    if as_json:
        from gittrack.cli.render_data import render_json

        terminal.echo(render_json(_document(question, differences)))
        return
    terminal.page(list(_lines(terminal, differences, all_files=all_files)))
    if not differences:
        terminal.note(sanitise(f"no difference in artifacts from {question.old} to {question.new or _WORK_TREE}"))


class _Question(NamedTuple):
    """What is to be compared.

    Attributes:
        old: What the first side is called.
        new: What the second side is called; None for the work tree.
        before: Pointers of the first side.
        after: Pointers of the second side.
        paths: Where to look, relative to the top folder; empty for everywhere.
    """

    old: str
    new: str | None
    before: Pointers
    after: Pointers
    paths: list[str]


def _read_question(repository: Repository, words: Sequence[str]) -> _Question:
    revisions: list[Revision] = []
    for word in words[:_N_SIDES]:
        revision = _find_revision(repository, word)
        if revision is None:
            break
        revisions.append(revision)
    paths = [path_from_top(repository, word, may_be_top=True) for word in words[len(revisions) :]]
    old, new = [*revisions, None, None][:_N_SIDES]
    before = list_pointers(repository, old) if old else _head_pointers(repository)
    after = list_pointers(repository, new)
    known = [*before.tracked, *after.tracked]
    for path in paths:
        if not select_below(known, path):
            raise NotTrackedError(
                f"'{path}' is neither a revision nor an artifact, and holds none", hint="gittrack ls lists them"
            )
    return _Question(old.label if old else "HEAD", new.label if new else None, before, after, paths)


def _find_revision(repository: Repository, word: str) -> Revision | None:
    """Return the revision that a word means; None when it means a path."""
    try:
        revision = resolve_revision(repository, word)
    except ExperimentMissingError:
        return None
    if word not in {".", ".."} and (Path.cwd() / word).exists():
        raise UsageError(f"'{word}' is a revision and a path", hint=f"write './{word}' for the path")
    return revision


def _head_pointers(repository: Repository) -> Pointers:
    head = read_head(repository).sha
    return Pointers([], []) if head is None else list_commit_pointers(repository, head)


def _diff(workspace: Workspace, question: _Question) -> list[Difference]:
    before, after = (
        [one for one in side.tracked if _is_wanted(one.path, question.paths)]
        for side in (question.before, question.after)
    )
    if question.new is None:
        return diff_work_tree(workspace, before, after)
    return diff_revisions(workspace.cache, before, after)


def _is_wanted(path: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(not one or path == one or path.startswith(f"{one}/") for one in wanted)


def _lines(terminal: Terminal, differences: Sequence[Difference], *, all_files: bool) -> Iterator[str]:
    for one in differences:
        yield f"{_mark(terminal, one.change)} {sanitise(one.path)}{sanitise(_describe(one))}"
        files = one.files or ()
        for file in files if all_files else files[:_N_FILES]:
            yield f"    {_mark(terminal, file.change)} {sanitise(file.path)} ({_sizes(file.old_size, file.new_size)})"
        if not all_files and len(files) > _N_FILES:
            yield f"    {'…' if terminal.unicode else '...'} and {len(files) - _N_FILES:,} more (see --files)"


def _mark(terminal: Terminal, change: str) -> str:
    return terminal.style(_LETTERS[change], _STYLES[change])


def _describe(one: Difference) -> str:
    if one.change == "missing":
        return ": nothing is there ('gittrack checkout' restores it)"
    if one.change == "unreadable":
        return f": {one.problem}"
    counts = Counter(file.change for file in one.files or ())
    words = [f"{counts[change]:,} {change}" for change in ("added", "modified", "deleted") if counts[change]]
    return f" ({', '.join([_sizes(one.old_size, one.new_size), *words])})"


def _sizes(old: int | None, new: int | None) -> str:
    if old is not None and new is not None:
        return f"{render_size(old)} to {render_size(new)}" if old != new else render_size(new)
    return render_size((new if old is None else old) or 0)


def _document(question: _Question, differences: Sequence[Difference]) -> dict[str, Any]:
    return {
        "from": question.old,
        "to": question.new,
        "artifacts": [
            {
                **one._asdict(),
                "files": None if one.files is None else [file._asdict() for file in one.files],
            }
            for one in differences
        ],
    }
