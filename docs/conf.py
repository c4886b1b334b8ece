"""Sphinx settings; `make docs` builds with warnings as errors."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import gittrack

project = "gittrack"
author = "The gittrack authors"
copyright = author
release = version = gittrack.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "gittrack_command", "gittrack_modules"]
exclude_patterns = ["_build"]
default_role = "code"
smartquotes = False  # quotes stand around things to type

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_inherit_docstrings = True
python_maximum_signature_line_length = 88
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["console.css"]
html_title = f"gittrack {release}"
