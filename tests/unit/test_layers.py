"""The architecture of docs/design/architecture.md: imports point down, and only the top touches the outside world."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tests.support.source_code import dotted_name, read_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.source_code import Source

SOURCES = read_sources()
LAYERS = {
    **dict.fromkeys(
        (
            "errors",
            "values",
            "curves",
            "columns",
            "figures",
            "config",
            "paths",
            "secrets",
            "visible",
            "warn",
            "yaml_text",
        ),
        1,
    ),
    "reports": 2,
    **dict.fromkeys(("host", "scratch", "git", "artifacts"), 2),
    **dict.fromkeys(("experiments", "storage"), 3),
    **dict.fromkeys(("runs", "models", "tables", "live", "live_files", "sweeps", "workspace"), 4),
    **dict.fromkeys(("importers", "exporters"), 4),
    **dict.fromkeys(("cli", "ui", "compat", "integrations", "api", "api_live", "api_logger", "script", "__main__"), 5),
    "notebook_cell": 5,
}
TOP = 5
OUTSIDE_WORLD = {"os.environ", "os.environb", "os.getenv", "os.putenv", "sys.argv", "sys.exit", "print", "exit", "quit"}
IMPURE = {"io", "subprocess", "shutil", "socket", "tempfile", "pathlib", "glob", "sqlite3"}
DANGEROUS_CALLS = {"eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}
DANGEROUS_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


def imported_parts(source: Source) -> Iterator[str]:
    """Yield the parts of the package that a module imports."""
    for name in source.imports():
        words = name.split(".")
        if words[0] == "gittrack" and len(words) > 1 and name != "gittrack.__version__":
            yield words[1]


def is_impure(name: str) -> bool:
    """Say whether a name reaches for files or processes; of `os`, only what concerns path objects does not."""
    return name == "open" or (name.startswith("os.") and name not in {"os.PathLike", "os.fspath"})


def test_every_module_has_a_layer() -> None:
    """A module that belongs to no layer would escape the rules below."""
    assert {source.part for source in SOURCES} - {""} <= set(LAYERS)


def test_imports_point_down() -> None:
    """No module imports from a layer above its own, and the two stores do not know one another."""
    offenders = [
        f"{source.name} imports {part}"
        for source in SOURCES
        if source.part
        for part in imported_parts(source)
        if LAYERS[part] > LAYERS[source.part] or {part, source.part} == {"git", "artifacts"}
    ]
    assert offenders == []


def test_no_two_parts_import_one_another() -> None:
    """Parts of the same layer may build on each other in one direction only."""
    arrows = {(source.part, part) for source in SOURCES if source.part for part in imported_parts(source)}
    assert [arrow for arrow in arrows if arrow[0] < arrow[1] and arrow[::-1] in arrows] == []


def test_only_the_top_layer_touches_the_outside_world() -> None:
    """Library layers never print, exit, or read the environment or the command line."""
    offenders = [
        source.at(node)
        for source in SOURCES
        if LAYERS.get(source.part, TOP) < TOP
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.Attribute, ast.Name)) and dotted_name(node) in OUTSIDE_WORLD
    ]
    offenders += [
        f"{source.name} imports {name}"
        for source in SOURCES
        if LAYERS.get(source.part, TOP) < TOP
        for name in source.imports()
        if name in OUTSIDE_WORLD
    ]
    assert offenders == []


def test_the_lowest_layer_is_pure() -> None:
    """Values, config and errors are computed from arguments: no files, no processes."""
    offenders = [
        f"{source.name} imports {name}"
        for source in SOURCES
        if LAYERS.get(source.part) == 1
        for name in source.imports()
        if name.split(".")[0] in IMPURE
    ]
    offenders += [
        source.at(node)
        for source in SOURCES
        if LAYERS.get(source.part) == 1
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.Attribute, ast.Name)) and is_impure(dotted_name(node))
    ]
    assert offenders == []


def test_only_the_git_layer_speaks_to_git() -> None:
    """dulwich is imported, and the git program started, in gittrack/git/ alone."""
    offenders = [
        f"{source.name} imports {name}"
        for source in SOURCES
        if source.part != "git"
        for name in source.imports()
        if name.split(".")[0] == "dulwich"
    ]
    offenders += [
        source.at(node)
        for source in SOURCES
        if source.part != "git"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and dotted_name(node.func).startswith("subprocess.")
        and node.args
        and isinstance(node.args[0], (ast.List, ast.Tuple))
        and ast.unparse(node.args[0].elts[0] if node.args[0].elts else node.args[0]) == "'git'"
    ]
    assert offenders == []


def test_no_data_is_executed() -> None:
    """No pickle and its kin, no YAML loader that makes objects, no shell, no eval."""
    offenders = [
        f"{source.name} imports {name}"
        for source in SOURCES
        for name in source.imports()
        if name.split(".")[0] in DANGEROUS_MODULES
    ]
    offenders += [
        source.at(node)
        for source in SOURCES
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and (
            dotted_name(node.func) in DANGEROUS_CALLS
            or any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in node.keywords)
        )
    ]
    assert offenders == []
