"""`gittrack add`: track files and folders as artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gittrack.cli.artifact_parts import current_workspace
from gittrack.cli.byte_progress import byte_progress, render_size
from gittrack.cli.options import current_terminal, documented
from gittrack.errors import UsageError
from gittrack.visible import sanitise
from gittrack.workspace.add import Details, add, repository_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.values import PlainValue
    from gittrack.workspace.add import Added


@documented(
    example="gittrack add data/images model.pt\ngit add data model.pt.gittrack .gitignore\n"
    "gittrack add model.pt --type model --label best --meta stage=pretrained"
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--type", "kind", metavar="WORD", help="What it is, such as model or dataset.")
@click.option("--name", help="What people call it.")
@click.option("--desc", metavar="TEXT", help="One text that says what it is about.")
@click.option("--label", "labels", metavar="WORD", multiple=True, help="A word to find it by; may be repeated.")
@click.option("--meta", "meta", metavar="KEY=VALUE", multiple=True, help="Anything else; may be repeated.")
def command(
    *,
    paths: tuple[str, ...],
    kind: str | None,
    name: str | None,
    desc: str | None,
    labels: tuple[str, ...],
    meta: tuple[str, ...],
) -> None:
    """Track files and folders as artifacts.

    The content goes to the cache (.git/gittrack/cache), a small pointer file PATH.gittrack stands for it in git, and
    .gitignore lets git leave the content itself alone. Call it again when the content has changed. 'gittrack push'
    shares it.
    """
    details = Details(kind, name, desc, labels or None, _parse_meta(meta))
    terminal = current_terminal()
    with current_workspace() as workspace, byte_progress(terminal, "adding") as progress:
        targets = [repository_path(workspace.repository, path, Path.cwd()) for path in paths]
        added = add(workspace, targets, details, on_bytes=progress.on_bytes)
    for artifact in added:
        terminal.echo(_line(artifact))


def _line(added: Added) -> str:
    pointer, previous = added.pointer, added.previous
    n_files = f", {pointer.files:,} files" if pointer.kind == "dir" else ""
    what = f"{sanitise(added.path)} ({render_size(pointer.size)}{n_files})"
    if previous == pointer:
        return f"unchanged {what}"
    verb = "added" if previous is None else "updated"
    return f"{verb} {what}, {render_size(added.n_new_bytes)} new in the cache"


def _parse_meta(texts: Sequence[str]) -> dict[str, PlainValue] | None:
    from gittrack.yaml_text import resolve_scalar

    meta: dict[str, PlainValue] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"'{text}' is not KEY=VALUE", hint="as in --meta stage=pretrained")
        meta[key] = resolve_scalar(value)
    return meta or None
