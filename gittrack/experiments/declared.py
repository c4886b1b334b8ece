"""Params and metrics from the files that a repository declares, its own or those of DVC.

Files are read through a function, so the same code reads the work tree, a commit or a snapshot. A file that is absent
is no problem, one that cannot be read is named with the reason, and the others are read all the same.
"""

from __future__ import annotations

import posixpath
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.values import MAX_DEPTH, InvalidJSONError, InvalidValueError, flatten, load_json, to_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gittrack.values import PlainValue

DEFAULT_PARAMS = ("params.yaml", "dvclive/params.yaml")
DEFAULT_METRICS = ("metrics.json", "dvclive/metrics.json")

_MAX_FILES = 100
_MAX_TEXT_BYTES = 256 * 1024
_MAX_JSON_BYTES = 8 * 1024 * 1024
# a dot of TOML that is not within a number: tomllib takes minutes for a key of 100,000 parts
_KEY_DOT = re.compile(r"\.(?![0-9]+(?:[eE][-+]?[0-9]+)?\s*(?:[],}#]|$))")
# as DVCLive and others write in JSON what JSON lacks
_WRITTEN_FLOATS = frozenset({"nan", "inf", "-inf", "infinity", "-infinity"})


class DeclaredFileError(GittrackError):
    """A declared file cannot be read as keys and values."""


class DeclaredFiles(NamedTuple):
    """The files that a repository declares, each once, in order of precedence.

    Attributes:
        params: Paths of params files.
        metrics: Paths of metrics files.
        problems: What could not be understood, each naming its file.
    """

    params: tuple[str, ...]
    metrics: tuple[str, ...]
    problems: tuple[str, ...] = ()


class DeclaredValues(NamedTuple):
    """The values of all declared files.

    Attributes:
        params: Dotted keys; ``file:key`` where an earlier file has the key with another value.
        metrics: The same for metrics.
        problems: What could not be read, each naming its file.
        files: The files that were found, params first.
    """

    params: dict[str, PlainValue]
    metrics: dict[str, int | float]
    problems: list[str]
    files: tuple[str, ...]


def declared_files(read: Callable[[str], bytes | None]) -> DeclaredFiles:
    """List the params and metrics files that ``gittrack.yaml``, ``dvc.yaml`` and custom declare.

    ``params.yaml`` and ``metrics.json`` always count, those in ``dvclive/`` when they are there. From ``dvc.yaml``
    whole files are taken, also where a stage names some of their keys; entries with a template (``${…}``) are skipped.

    Args:
        read: Returns the content of a path, None when there is no such file. It is called with checked paths only.

    Returns:
        The files, whether or not they exist, at most 100 of each kind.

    Example:
        >>> files = {"gittrack.yaml": b"metrics: eval.json"}
        >>> declared_files(files.get).metrics
        ('eval.json', 'metrics.json')
    """
    params: dict[str, None] = {}
    metrics: dict[str, None] = {}
    problems: list[str] = []
    for name, parse in (("gittrack.yaml", _from_config), ("dvc.yaml", _from_dvc)):
        data = read(name)
        if data is None:
            continue
        try:
            for kind, path in parse(data):
                _declare(params if kind == "params" else metrics, path, f"{name}: {kind}", problems)
        except GittrackError as error:
            problems.append(f"{name}: {str(error).removeprefix(f'{name}: ')}")
    for found, (always, when_there) in ((params, DEFAULT_PARAMS), (metrics, DEFAULT_METRICS)):
        found[always] = None
        if when_there not in found and read(when_there) is not None:
            found[when_there] = None
    return DeclaredFiles(tuple(params), tuple(metrics), tuple(problems))


def dvc_metrics_files(dvc_yaml: bytes) -> tuple[str, ...]:
    """List the metrics files that a ``dvc.yaml`` declares: those that DVC itself shows.

    Args:
        dvc_yaml: Its content; of one that cannot be read there are none.

    Example:
        >>> dvc_metrics_files(b"metrics: [dvclive/metrics.json]")
        ('dvclive/metrics.json',)
    """
    found: dict[str, None] = {}
    try:
        for kind, path in _from_dvc(dvc_yaml):
            if kind == "metrics":
                _declare(found, path, "dvc.yaml", [])
    except GittrackError:
        return ()
    return tuple(found)


def read_declared(read: Callable[[str], bytes | None]) -> DeclaredValues:
    """Read the values of all declared params and metrics files.

    Args:
        read: Returns the content of a path, None when there is no such file. It is called with checked paths only.

    Returns:
        The values, and what could not be read.

    Example:
        >>> files = {"params.yaml": b"train: {lr: 1e-3}", "metrics.json": b'{"acc": 0.9}'}
        >>> values = read_declared(files.get)
        >>> values.params, values.metrics, values.problems
        ({'train.lr': 0.001}, {'acc': 0.9}, [])
    """
    declared = declared_files(read)
    problems = list(declared.problems)
    params, params_files = _merged(declared.params, read, parse_values, problems)
    metrics, metrics_files = _merged(declared.metrics, read, parse_metric_values, problems)
    return DeclaredValues(params, metrics, problems, tuple(dict.fromkeys((*params_files, *metrics_files))))


def parse_values(path: str, data: bytes) -> dict[str, PlainValue]:
    r"""Read a file of keys and values.

    Args:
        path: Its path, whose ending tells the form: ``.yaml``, ``.yml``, ``.json``, ``.toml`` or ``.py`` (assignments
            of literals in the module and its classes; nothing is executed).
        data: Its content.

    Returns:
        One level of dotted keys.

    Raises:
        DeclaredFileError: The form is unknown, the content is not of that form or too large, or it holds no keys.

    Example:
        >>> parse_values("params.toml", b"[train]\nlr = 0.1")
        {'train.lr': 0.1}
    """
    try:
        flat = flatten(parse_document(path, data))
    except InvalidValueError as error:
        raise DeclaredFileError(str(error)) from error
    if "" in flat:
        raise DeclaredFileError("it has an empty key")
    return flat


def parse_document(path: str, data: bytes) -> dict[str, PlainValue]:
    """Read a file of keys and values as it is nested.

    Args:
        path: Its path, as in `parse_values`.
        data: Its content.

    Returns:
        The document; an empty one has no keys.

    Raises:
        DeclaredFileError: As in `parse_values`.

    Example:
        >>> parse_document("params.json", b'{"train": {"lr": 0.1}}')
        {'train': {'lr': 0.1}}
    """
    suffix = posixpath.splitext(path)[1].lower()
    parse = _PARSERS.get(suffix)
    if parse is None:
        raise DeclaredFileError(f"files of type '{suffix}' are not read", hint="use .yaml, .json, .toml or .py")
    max_bytes = _MAX_JSON_BYTES if suffix == ".json" else _MAX_TEXT_BYTES
    if len(data) > max_bytes:
        raise DeclaredFileError(f"it has {len(data)} bytes, more than the {max_bytes} that are read")
    try:
        document = parse(data)
    except (InvalidValueError, InvalidJSONError) as error:
        raise DeclaredFileError(str(error)) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise DeclaredFileError(f"it holds a {type(document).__name__}, not keys and values")
    return document


def parse_metric_values(path: str, data: bytes) -> dict[str, int | float]:
    """Read the numbers of a metrics file.

    Args:
        path: Its path, as in `parse_values`.
        data: Its content.

    Returns:
        One level of dotted keys; whatever is not a number is left out, but ``"nan"`` and ``"inf"`` are numbers.

    Raises:
        DeclaredFileError: As in `parse_values`.

    Example:
        >>> parse_metric_values("metrics.json", b'{"val": {"loss": 0.5, "best": true, "kl": "nan"}, "stage": "x"}')
        {'val.loss': 0.5, 'val.kl': nan}
    """
    numbers: dict[str, int | float] = {}
    for key, value in parse_values(path, data).items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            numbers[key] = value
        elif isinstance(value, str) and value.lower() in _WRITTEN_FLOATS:
            numbers[key] = float(value)
    return numbers


def _declare(found: dict[str, None], path: str, where: str, problems: list[str]) -> None:
    from gittrack.paths import InvalidPathError, check_repository_path

    if path in found:
        return
    if len(found) >= _MAX_FILES:
        problems.append(f"{where}: more than {_MAX_FILES} files, {path[:200]!r} is left out")
        return
    try:
        found[check_repository_path(path)] = None
    except InvalidPathError as error:
        problems.append(f"{where}: {error}")


def _merged(
    paths: Iterable[str],
    read: Callable[[str], bytes | None],
    parse: Callable[[str, bytes], dict[str, Any]],
    problems: list[str],
) -> tuple[dict[str, Any], list[str]]:
    """Read and join files; return the values and the paths that were there."""
    merged: dict[str, Any] = {}
    files: list[str] = []
    for path in paths:
        data = read(path)
        if data is None:
            continue
        files.append(path)
        try:
            values = parse(path, data)
        except GittrackError as error:
            problems.append(f"{path}: {error}")
            continue
        for key, value in values.items():
            if key not in merged:
                merged[key] = value
            elif not _is_same(merged[key], value):
                merged[f"{path}:{key}"] = value
    return merged, files


def _is_same(one: Any, other: Any) -> bool:
    is_nan = one != one and other != other  # noqa: PLR0124  only NaN differs from itself
    return is_nan or (type(one) is type(other) and one == other)


def _from_config(data: bytes) -> Iterator[tuple[str, str]]:
    from gittrack.config import parse_project_config

    config = parse_project_config(data)
    yield from (("params", path) for path in config.params)
    yield from (("metrics", path) for path in config.metrics)


def _from_dvc(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the files of ``dvc.yaml``: those of the top level, then those of its stages."""
    top = _parse_yaml(data)
    if not isinstance(top, dict):
        return
    for kind in ("params", "metrics"):
        yield from ((kind, path) for path in _entries(top.get(kind), "."))
    stages = top.get("stages")
    for stage in stages.values() if isinstance(stages, dict) else ():
        # a stage with `foreach` has its body under `do`
        body = stage.get("do", stage) if isinstance(stage, dict) else None
        if isinstance(body, dict):
            yield from _from_stage(body)


def _from_stage(stage: dict[str, PlainValue]) -> Iterator[tuple[str, str]]:
    folder = stage.get("wdir")
    folder = folder if isinstance(folder, str) else "."
    params = stage.get("params")
    for entry in params if isinstance(params, list) else ():
        # a text is a key of the default file, a mapping is from files to their keys
        yield from (
            ("params", path) for path in _entries([entry] if isinstance(entry, dict) else "params.yaml", folder)
        )
    yield from (("metrics", path) for path in _entries(stage.get("metrics"), folder))


def _entries(value: PlainValue, folder: str) -> Iterator[str]:
    """Yield the paths of a list whose items are paths or mappings from paths to options."""
    for entry in value if isinstance(value, list) else [value]:
        for path in entry if isinstance(entry, dict) else [entry]:
            if isinstance(path, str) and "${" not in path + folder:
                yield posixpath.normpath(posixpath.join(folder, path)) if path else path


def _parse_yaml(data: bytes) -> PlainValue:
    from gittrack.yaml_text import InvalidYAMLError, parse_yaml

    try:
        return parse_yaml(data)
    except InvalidYAMLError as error:
        raise DeclaredFileError(str(error)) from error


def _parse_json(data: bytes) -> PlainValue:
    return load_json(data, tagged=False) if data.strip() else None


def _parse_toml(data: bytes) -> PlainValue:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        text = data.decode("utf-8")
        if any(len(_KEY_DOT.findall(line)) > MAX_DEPTH for line in text.splitlines() if line.count(".") > MAX_DEPTH):
            raise DeclaredFileError(f"a key has more than {MAX_DEPTH} parts")
        return to_plain(tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        raise DeclaredFileError(f"not valid TOML: {error}") from error


def _parse_python(data: bytes) -> PlainValue:
    import ast
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in somebody's file is not ours to report
            module = ast.parse(data)
            return to_plain(dict(_literals(module)))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise DeclaredFileError(f"not valid Python: {error}") from error


def _literals(body: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names that a module or class assigns literals to; what is computed is left out."""
    import ast

    for statement in body.body:
        if isinstance(statement, ast.ClassDef):
            yield statement.name, dict(_literals(statement))
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            try:
                value = to_plain(ast.literal_eval(statement.value))
            except (ValueError, TypeError, InvalidValueError):
                continue
            yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))


_PARSERS: dict[str, Callable[[bytes], PlainValue]] = {
    ".yaml": _parse_yaml,
    ".yml": _parse_yaml,
    ".json": _parse_json,
    ".toml": _parse_toml,
    ".py": _parse_python,
}
