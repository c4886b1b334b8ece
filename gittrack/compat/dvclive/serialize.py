"""Reading and writing YAML and JSON, as DVCLive does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gittrack.live_files.params_file import BrokenYamlError, make_yaml, read_yaml, render_yaml
from gittrack.live_files.writing import write_text

YAMLError = YAMLFileCorruptedError = BrokenYamlError


def load_yaml(path: Any, typ: str = "safe") -> Any:
    """Return what a YAML file holds; with ``typ="rt"`` so that it can be written again with its comments."""
    return read_yaml(path) if typ == "safe" else make_yaml().load(Path(path).read_text(encoding="utf-8"))


def get_yaml() -> Any:
    """Return what reads and writes YAML."""
    return make_yaml()


def dump_yaml(content: Any, output_file: Any) -> None:
    """Write a YAML file with its folders."""
    write_text(output_file, render_yaml(content))


def dump_json(content: Any, output_file: Any, indent: int = 4, **kwargs: Any) -> None:
    """Write a JSON file with its folders."""
    write_text(output_file, json.dumps(content, indent=indent, **kwargs) + "\n")


def make_dir(output_file: Any) -> None:
    """Make the folder of a file."""
    Path(output_file).parent.mkdir(parents=True, exist_ok=True)
