"""``params.yaml``: all params that were logged, in YAML as DVCLive writes it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gittrack.live_files.errors import InvalidParameterTypeError
from gittrack.live_files.writing import write_text
from gittrack.values import InvalidValueError, to_plain

if TYPE_CHECKING:
    from collections.abc import Mapping


class BrokenYamlError(InvalidParameterTypeError):
    """A file that should be YAML is not."""


def render_yaml(content: Any) -> str:
    """Return content as YAML in block style.

    Raises:
        InvalidParameterTypeError: Something in it has no form in YAML.
    """
    from ruamel.yaml.representer import RepresenterError

    text = io.StringIO()
    try:
        make_yaml().dump(content, text)
    except RepresenterError as error:
        raise InvalidParameterTypeError(error.args[0]) from error
    return text.getvalue()


def make_yaml() -> Any:
    """Return what reads and writes YAML with its comments and order, mappings of any kind in block style."""
    from collections import OrderedDict

    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.representer.add_representer(OrderedDict, type(yaml.representer).represent_dict)
    return yaml


def read_yaml(path: str | Path) -> Any:
    """Return what a YAML file holds, as plain values.

    Raises:
        BrokenYamlError: It is no YAML.
        OSError: It cannot be read.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    text = Path(path).read_text(encoding="utf-8")
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise BrokenYamlError(f"'{path}' is not valid YAML") from error


def to_params(params: Any) -> dict[Any, Any]:
    """Return params as YAML can hold them; the caller's own are not kept.

    Args:
        params: A mapping; of a namespace, dataclass and the like its fields.

    Raises:
        InvalidParameterTypeError: One cannot be held.
    """
    if isinstance(params, dict):
        try:
            render_yaml(params)
        except InvalidParameterTypeError:
            pass
        else:
            try:
                return {key: _copy(value) for key, value in params.items()}
            except RecursionError:
                raise InvalidParameterTypeError("params contain themselves") from None
    try:
        plain = to_plain(params, name="params")
    except InvalidValueError as error:
        raise InvalidParameterTypeError(error.message) from error
    if not isinstance(plain, dict):
        raise InvalidParameterTypeError(f"params must be a mapping, not {type(params).__name__}")
    return plain


def to_recorded(params: Mapping[Any, Any]) -> dict[str, Any]:
    """Return params as an experiment can hold them: names are texts, and so is what is no plain value."""
    return {str(key): _to_recorded(value) for key, value in params.items() if str(key)}


def write_params(path: str | Path, params: Mapping[Any, Any]) -> None:
    """Write ``params.yaml``.

    Raises:
        OSError: The disk refuses.
    """
    write_text(path, render_yaml(dict(params)))


def _to_recorded(value: Any) -> Any:
    if isinstance(value, dict):
        return to_recorded(value)
    if isinstance(value, (list, tuple)):
        return [_to_recorded(item) for item in value]
    try:
        return to_plain(value)
    except InvalidValueError:
        return str(value)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
