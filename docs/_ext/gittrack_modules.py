"""The directive `gittrack-modules`: the modules of a folder with the first sentence of each, from the code itself."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import gittrack

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_ROOT = Path(gittrack.__file__).parent


class GittrackModules(SphinxDirective):
    """A list of the modules in a folder of the package; ``.`` is the top."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the list."""
        items = nodes.bullet_list()
        for path in sorted((_ROOT / self.arguments[0]).glob("*.py")):
            if path.stem.startswith("__"):
                continue
            self.env.note_dependency(str(path))
            item = nodes.list_item()
            item += self.parse_text_to_nodes(f"`{path.name}`: {_first_sentence(path)}")
            items += item
        return [items]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("gittrack-modules", GittrackModules)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _first_sentence(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = docstring.partition("\n\n")[0].replace("\n", " ").replace("``", "`")
    return first[:1].lower() + first[1:].removesuffix(".")
