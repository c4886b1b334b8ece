"""Record a run without holding an object: `gittrack.init`, `gittrack.log`, `gittrack.finish`, `gittrack.run`.

All three speak of the run of this process that was opened last and is still open, also one of a ``with`` block.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from gittrack.api import Run
from gittrack.errors import UsageError
from gittrack.runs import open_runs
from gittrack.values import InvalidValueError, to_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from inspect import BoundArguments, Signature

    from gittrack.runs.run import Run as AnyRun

_Function = TypeVar("_Function", bound="Callable[..., Any]")
_started: list[Run] = []  # also those of ranks that do not write, which are open nowhere


def init(name: str | None = None, **options: Any) -> Run:
    """Start a run that `log` logs to, until `finish` or the end of the script.

    Args:
        name: As for `gittrack.Run`.
        options: The same, such as ``params={"lr": 0.1}``.

    Returns:
        The run, for all that `log` does not do.

    Raises:
        UsageError: An argument is wrong, or such a run is open already.

    Example:
        One run of a script::

            gittrack.init("first", params={"lr": 0.1})
            gittrack.log({"loss": 0.25})
            gittrack.finish()
    """
    _forget_ended()
    if _started and not (options.get("nested") or options.get("parent")):
        raise UsageError(
            f"the run '{_started[-1].name}' is open already", hint="call gittrack.finish() first, or pass nested=True"
        )
    run = Run(name, **options)
    _started.append(run)
    return run


def log(metrics: Mapping[str, Any], step: int | None = None) -> None:
    """Log one value of several metrics to the open run, all at the same step and time.

    Args:
        metrics: Names and numbers.
        step: The step they belong to; as for `gittrack.Run.log_metric`.

    Raises:
        UsageError: No run is open, or a name, value or step cannot be logged.
    """
    run = _current()
    if run is None:
        raise UsageError("no run is open", hint="call gittrack.init() first")
    run.log_metrics(metrics, step)


def finish(status: Literal["completed", "failed", "killed"] = "completed", message: str | None = None) -> None:
    """End the open run and record it in git; does nothing when none is open.

    Args:
        status: How it ended.
        message: Why, when it did not complete.

    Raises:
        UsageError: The status is another word.
    """
    run = _current()
    if run is not None:
        run.end(status, message)
    _forget_ended()


@overload
def run(function: _Function, /) -> _Function: ...


@overload
def run(*, name: str | None = None, **options: Any) -> Callable[[_Function], _Function]: ...


def run(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None, **options: Any
) -> Callable[..., Any]:
    """Make each call of a function a run, with its arguments as params.

    Arguments that have no plain form are left out. A parameter called ``run`` without a value gets the run. An
    exception ends the run as ``failed``. Within an open run each call is a nested one.

    Args:
        function: The function, or coroutine function.
        name: The experiment's name; the function's by default. One that exists gets a number.
        options: As for `gittrack.Run`.

    Returns:
        The function that records; given only options, what makes one.

    Raises:
        UsageError: It is no function, or one that yields.

    Example:
        Each call is an experiment::

            @gittrack.run
            def train(lr=0.1, run=None):
                run.log_metric("loss", 0.25)
    """
    if function is None:
        return lambda decorated: _recorded(decorated, name, options)
    return _recorded(function, name, options)


def _recorded(function: Callable[..., Any], name: str | None, options: Mapping[str, Any]) -> Callable[..., Any]:
    import inspect

    if not callable(function) or inspect.isclass(function):
        raise UsageError(f"gittrack.run takes a function, not {type(function).__name__}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError("gittrack.run takes no function that yields", hint="use 'with gittrack.Run():' inside it")
    signature = inspect.signature(function)
    title = name or _usable_name(getattr(function, "__name__", ""))

    def open_call(arguments: tuple[Any, ...], words: dict[str, Any]) -> tuple[Run, BoundArguments]:
        bound = signature.bind_partial(*arguments, **words)
        gives_run = "run" in signature.parameters and bound.arguments.get("run") is None
        if gives_run:
            bound.arguments["run"] = None
        signature.bind(*bound.args, **bound.kwargs)  # a wrong call is no run
        params = {**_plain_arguments(signature, bound.arguments), **(options.get("params") or {})}
        opened = Run(title, **{"nested": True, **options, "params": params})
        if gives_run:
            bound.arguments["run"] = opened
        return opened, bound

    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def call_async(*arguments: Any, **words: Any) -> Any:
            opened, bound = open_call(arguments, words)
            with opened:
                return await function(*bound.args, **bound.kwargs)

        return call_async

    @wraps(function)
    def call(*arguments: Any, **words: Any) -> Any:
        opened, bound = open_call(arguments, words)
        with opened:
            return function(*bound.args, **bound.kwargs)

    return call


def _plain_arguments(signature: Signature, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call, defaults included, that can be recorded."""
    params: dict[str, Any] = {}
    for key, value in _arguments(signature, given):
        try:
            params[key] = to_plain(value, name=key)
        except InvalidValueError:
            continue
    return params


def _arguments(signature: Signature, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, parameter in signature.parameters.items():
        if key in {"run", "self", "cls"}:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            yield from given.get(key, {}).items()
        elif parameter.kind is parameter.VAR_POSITIONAL:
            if given.get(key):
                yield key, list(given[key])
        elif key in given or parameter.default is not parameter.empty:
            yield key, given.get(key, parameter.default)


def _usable_name(text: str) -> str | None:
    """Return the name of a function as that of an experiment; None where it cannot be one."""
    name = "".join(char for char in text if char.isascii() and (char.isalnum() or char in "_-")).lstrip("_-")
    return name[:100] or None


def _current() -> AnyRun | None:
    _forget_ended()
    newest = open_runs.newest()
    return newest if newest is not None else (_started[-1] if _started else None)


def _forget_ended() -> None:
    _started[:] = [one for one in _started if one.status == "running" and open_runs.is_own_process(one)]
