"""The public interface is small, documented and found where it is said to be."""

from __future__ import annotations

import ast

import pytest

import gittrack
from tests.support.source_code import ROOT, read_sources

REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").rglob("*.md"))


@pytest.mark.parametrize("name", gittrack.__all__)
def test_a_public_name_exists(name: str) -> None:
    """Each name of `__all__` can be imported from `gittrack`."""
    assert getattr(gittrack, name) is not None


@pytest.mark.parametrize("name", sorted(set(gittrack.__all__) - {"__version__"}))
def test_a_public_name_is_in_the_reference(name: str) -> None:
    """Each name of `__all__` has its entry in docs/reference."""
    assert f"gittrack.{name}" in REFERENCE


@pytest.mark.parametrize("name", [name for name in dir(gittrack.Run) if not name.startswith("_")])
def test_a_method_of_a_run_is_in_the_reference(name: str) -> None:
    """Each method and property of `Run` has its entry in docs/reference."""
    assert f":: gittrack.Run.{name}\n" in REFERENCE


def test_an_unknown_name_is_an_attribute_error() -> None:
    """`hasattr` and `from gittrack import x` work as with any module."""
    assert not hasattr(gittrack, "no_such_name")


def test_public_names_are_listed() -> None:
    """`dir(gittrack)` shows the lazy names too, for completion in a notebook."""
    assert set(gittrack.__all__) <= set(dir(gittrack))


def test_everything_public_has_a_docstring() -> None:
    """Modules, and the classes, functions and methods without a leading underscore."""

    def is_public(node: ast.AST) -> bool:
        return isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.name[0] != "_"

    def is_overload(node: ast.AST) -> bool:
        return any(ast.unparse(decorator).endswith(("overload", "setter")) for decorator in node.decorator_list)

    offenders = []
    for source in read_sources():
        if not ast.get_docstring(source.tree):
            offenders.append(source.name)
        inside = list(source.tree.body)
        while inside:
            node = inside.pop()
            if is_public(node):
                inherits = "__doc__ =" in ast.unparse(node)
                if not ast.get_docstring(node) and not inherits and not is_overload(node):
                    offenders.append(f"{source.at(node)} {node.name}")
                if isinstance(node, ast.ClassDef):
                    inside += node.body
    assert offenders == []
