"""``dvc.yaml``: which params, metrics, plots and artifacts DVC shall show; what others wrote there stays."""

from __future__ import annotations

import copy
import io
import os
from pathlib import Path
from typing import Any

from gittrack.live_files.errors import LiveError
from gittrack.live_files.params_file import make_yaml, render_yaml
from gittrack.live_files.writing import write_text

_LISTS = ("params", "metrics", "plots")


class DvcyamlError(LiveError):
    """An existing ``dvc.yaml`` cannot be understood, and is left as it is."""


def relative_path(path: str | Path, folder: str | Path) -> str:
    """Return a path as seen from a folder, with slashes."""
    return Path(os.path.relpath(Path(path).absolute(), Path(folder).absolute())).as_posix()


def write_dvcyaml(path: str | Path, live_folder: str, sections: dict[str, Any]) -> None:
    """Write the sections of one `Live`, in place of what it said before.

    Args:
        path: The file.
        live_folder: The folder of its files; entries that lead there are its own.
        sections: ``params``, ``metrics``, ``plots`` and ``artifacts``, where there are any.

    Raises:
        DvcyamlError: The file holds something else than such sections.
        OSError: The disk refuses.
    """
    path = Path(path)
    if not path.exists():
        write_text(path, render_yaml(copy.deepcopy(sections)))
        return
    before = path.read_text(encoding="utf-8")
    text = _merge(before, relative_path(live_folder, path.parent) + "/", sections, path)
    if text != before:
        write_text(path, text)


def _merge(before: str, own: str, sections: dict[str, Any], path: Path) -> str:
    from ruamel.yaml.error import YAMLError

    round_trip = make_yaml()
    try:
        document = round_trip.load(before) or {}
        for key in _LISTS:
            document[key] = [
                *(entry for entry in document.get(key) or [] if not _is_own(entry, own)),
                *copy.deepcopy(sections.get(key, [])),
            ]
            if not document[key]:
                del document[key]
        others = {
            name: entry
            for name, entry in (document.get("artifacts") or {}).items()
            if own not in ((entry or {}).get("path") or own)
        }
        document["artifacts"] = {**others, **copy.deepcopy(sections.get("artifacts", {}))}
        if not document["artifacts"]:
            del document["artifacts"]
    except (YAMLError, AttributeError, TypeError) as error:
        raise DvcyamlError(f"'{path}' is not a dvc.yaml: {error}") from error
    text = io.StringIO()
    round_trip.dump(document, text)
    return text.getvalue()


def _is_own(entry: Any, own: str) -> bool:
    if isinstance(entry, str):
        return own in entry
    return isinstance(entry, dict) and len(entry) == 1 and own in str(next(iter(entry)))
