"""The source files of the package as syntax trees, for tests of its architecture."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Source:
    """One module of the package.

    Attributes:
        name: Dotted, such as `gittrack.git.refs`; a package has the name of its folder.
        path: Its file.
        tree: Its syntax tree.
    """

    name: str
    path: Path
    tree: ast.Module

    @property
    def part(self) -> str:
        """What it belongs to: a folder or a top module, such as `git` or `errors`; empty for `gittrack` itself."""
        return [*self.name.split("."), ""][1]

    def imports(self) -> Iterator[str]:
        """Yield what it imports anywhere, in functions and for types too, as dotted names."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def at(self, node: ast.expr | ast.stmt) -> str:
        """Return a place in it as `file:line`."""
        return f"{self.path.relative_to(ROOT)}:{node.lineno}"


def read_sources() -> list[Source]:
    """Return every module of the package."""
    return [_read(path) for path in sorted((ROOT / "gittrack").rglob("*.py"))]


def dotted_name(node: ast.AST) -> str:
    """Return `os.environ` for such an expression; empty for anything but names and attributes."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted_name(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _read(path: Path) -> Source:
    words = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(words[:-1] if words[-1] == "__init__" else words)
    return Source(name, path, ast.parse(path.read_text(encoding="utf-8")))
