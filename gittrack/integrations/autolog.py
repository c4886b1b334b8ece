"""`gittrack.autolog`: what is trained with a framework that is imported already is logged without a further word."""

from __future__ import annotations

import functools
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gittrack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MARK = "_gittrack_original"


def autolog(*frameworks: str) -> tuple[str, ...]:
    """Log what is trained from now on with the frameworks that are imported, or with those that are named.

    Training functions get gittrack's callback as if it had been written there; everything else is as it was. What is
    trained goes to the run that is open, else into a run of its own. Calling it again does no harm, and `autolog_off`
    undoes it.

    Args:
        frameworks: ``xgboost``, ``lightgbm``, ``catboost``, ``sklearn``, ``optuna``, ``keras``, ``lightning``,
            ``transformers``, ``fastai``, ``ignite``, ``ultralytics``; all of them that are imported by default.

    Returns:
        The frameworks that are logged now.

    Raises:
        UsageError: A framework of that name is not known, or not imported.
    """
    for name in frameworks:
        if name not in _SWITCHES:
            raise UsageError(f"no framework '{name}' is known", hint=f"use one of {', '.join(_SWITCHES)}")
        if name not in sys.modules:
            raise UsageError(f"'{name}' is not imported", hint=f"import {name} before the call")
    chosen = [name for name in frameworks or _SWITCHES if name in sys.modules]
    for name in chosen:
        _SWITCHES[name]()
    return tuple(chosen)


def autolog_off() -> None:
    """Undo `autolog`."""
    while _patched:
        owner, name, original = _patched.pop()
        setattr(owner, name, original)
    _end_fabric("success")


_patched: list[tuple[Any, str, Any]] = []


def _patch(owner: Any, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
    """Replace a function by one that is made from it, once."""
    original = owner.__dict__[name]
    if hasattr(original, _MARK):
        return
    replacement = functools.wraps(original)(make(original))
    setattr(replacement, _MARK, original)
    _patched.append((owner, name, original))
    setattr(owner, name, replacement)


def _with_callback(owner: Any, name: str, add: Callable[[dict[str, Any], tuple[Any, ...]], Any]) -> None:
    """Let a function get a callback among its keyword arguments, and end what the callback began, however it ends."""

    def make(original: Any) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            target = add(kwargs, args)
            try:
                return original(*args, **kwargs)
            except BaseException as error:
                if target is not None:
                    target.end("failed", f"{type(error).__name__}: {error}")
                raise
            finally:
                if target is not None:
                    target.end()

        return call

    _patch(owner, name, make)


def _append(kwargs: dict[str, Any], key: str, callback: Any) -> None:
    existing = kwargs.get(key)
    listed = [] if existing is None else list(existing) if isinstance(existing, (list, tuple)) else [existing]
    kwargs[key] = [*listed, callback]


def _callback(framework: str) -> Any:
    return import_module(f"gittrack.integrations.{framework}").GittrackCallback()


def _xgboost() -> None:
    def add(kwargs: dict[str, Any], args: tuple[Any, ...]) -> Any:
        callback = _callback("xgboost")
        callback.log_params(kwargs.get("params", args[0] if args else {}))
        _append(kwargs, "callbacks", callback)
        return callback._target  # noqa: SLF001  a part of the same package

    xgboost = sys.modules["xgboost"]
    for module in (xgboost, xgboost.training, sys.modules.get("xgboost.sklearn")):
        if module is not None:
            _with_callback(module, "train", add)


def _lightgbm() -> None:
    def add(kwargs: dict[str, Any], _args: tuple[Any, ...]) -> Any:
        callback = _callback("lightgbm")
        _append(kwargs, "callbacks", callback)
        return callback._target  # noqa: SLF001

    lightgbm = sys.modules["lightgbm"]
    for module in (lightgbm, lightgbm.engine, sys.modules.get("lightgbm.sklearn")):
        if module is not None:
            _with_callback(module, "train", add)


def _catboost() -> None:
    def make(original: Any) -> Callable[..., Any]:
        def fit(model: Any, *args: Any, **kwargs: Any) -> Any:
            if _is_within("catboost"):
                return original(model, *args, **kwargs)
            callback = _callback("catboost")
            if str(model.get_param("task_type") or "CPU").upper() == "CPU":  # GPUs take no callbacks
                _append(kwargs, "callbacks", callback)
            with _Within("catboost"):
                fitted = _ending(callback._target, original, model, *args, **kwargs)  # noqa: SLF001
            callback.end(model)
            return fitted

        return fit

    catboost = sys.modules["catboost"]
    for kind in (catboost.CatBoost, catboost.CatBoostClassifier, catboost.CatBoostRegressor):
        _patch(kind, "fit", make)


def _sklearn() -> None:
    from sklearn.base import BaseEstimator

    def make(original: Any) -> Callable[..., Any]:
        def fit(estimator: Any, *args: Any, **kwargs: Any) -> Any:
            if _is_within("sklearn") or _is_transformer(
                type(estimator)
            ):  # a pipeline, a search and an ensemble fit others
                return original(estimator, *args, **kwargs)
            from gittrack.integrations.sklearn import log_estimator, log_fitted
            from gittrack.integrations.target import Target

            target, start = Target(), time.perf_counter()
            with _Within("sklearn"):
                log_estimator(target, estimator)
                fitted = _ending(target, original, estimator, *args, **kwargs)
                x, y = (*args, kwargs.get("X"), kwargs.get("y"))[0], (*args, None, None)[1]
                log_fitted(target, estimator, x, kwargs.get("y", y), time.perf_counter() - start)
            target.end()
            return fitted

        return fit

    for kind in _subclasses(BaseEstimator):
        if kind.__module__.startswith("sklearn.") and "fit" in kind.__dict__:
            _patch(kind, "fit", make)


def _optuna() -> None:
    def add(kwargs: dict[str, Any], _args: tuple[Any, ...]) -> None:
        _append(kwargs, "callbacks", _callback("optuna"))

    _with_callback(sys.modules["optuna"].study.Study, "optimize", add)


def _keras() -> None:
    def add(kwargs: dict[str, Any], _args: tuple[Any, ...]) -> Any:
        callback = _callback("keras")
        _append(kwargs, "callbacks", callback)
        return callback._target  # noqa: SLF001

    model = sys.modules["keras"].Model
    owner = next(kind for kind in model.__mro__ if "fit" in kind.__dict__)
    _with_callback(owner, "fit", add)


def _lightning() -> None:
    def add(kwargs: dict[str, Any], _args: tuple[Any, ...]) -> None:
        from gittrack.integrations.lightning import GittrackLogger

        if kwargs.get("logger") is None or kwargs["logger"] is True:
            kwargs["logger"] = GittrackLogger()
        elif kwargs["logger"] is not False:
            _append(kwargs, "logger", GittrackLogger())

    from lightning.fabric import Fabric
    from lightning.pytorch import Trainer

    _with_callback(Trainer, "__init__", add)
    _patch(Fabric, "__init__", _with_fabric_logger)
    _patch(Fabric, "launch", _ending_fabric_logger)


_fabric_loggers: list[Any] = []  # those of no more than one `Fabric`: it does not say when its training is over


def _with_fabric_logger(original: Any) -> Callable[..., Any]:
    def init(fabric: Any, *args: Any, **kwargs: Any) -> None:
        from gittrack.integrations.fabric import GittrackLogger

        _end_fabric("success")
        logger = GittrackLogger()
        _append(kwargs, "loggers", logger)
        original(fabric, *args, **kwargs)
        _fabric_loggers.append(logger)

    return init


def _ending_fabric_logger(original: Any) -> Callable[..., Any]:
    """Let a function that is launched be the training; without one the training is what follows."""

    def launch(fabric: Any, *args: Any, **kwargs: Any) -> Any:
        if not args and "function" not in kwargs:
            return original(fabric, *args, **kwargs)
        try:
            result = original(fabric, *args, **kwargs)
        except BaseException:
            _end_fabric("failed")
            raise
        _end_fabric("success")
        return result

    return launch


def _end_fabric(status: str) -> None:
    while _fabric_loggers:
        _fabric_loggers.pop().finalize(status)


def _transformers() -> None:
    def add(kwargs: dict[str, Any], _args: tuple[Any, ...]) -> None:
        _append(kwargs, "callbacks", _callback("transformers"))

    from transformers import Trainer

    _with_callback(Trainer, "__init__", add)


def _fastai() -> None:
    def add(kwargs: dict[str, Any], _args: tuple[Any, ...]) -> None:
        _append(kwargs, "cbs", _callback("fastai"))

    from fastai.learner import Learner

    _with_callback(Learner, "__init__", add)


def _ignite() -> None:
    def make(original: Any) -> Callable[..., Any]:
        def run(engine: Any, *args: Any, **kwargs: Any) -> Any:
            from gittrack.integrations.ignite import run_logged

            return run_logged(original, engine, *args, **kwargs)

        return run

    from ignite.engine import Engine

    _patch(Engine, "run", make)


def _ultralytics() -> None:
    def make(original: Any) -> Callable[..., Any]:
        def train(model: Any, *args: Any, **kwargs: Any) -> Any:
            from gittrack.integrations.ultralytics import add_callbacks

            return _ending(add_callbacks(model), original, model, *args, **kwargs)

        return train

    from ultralytics.engine.model import Model

    _patch(Model, "train", make)


def _ending(target: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function, and end the run as failed where it raises."""
    try:
        return function(*args, **kwargs)
    except BaseException as error:
        target.end("failed", f"{type(error).__name__}: {error}")
        raise


class _Within:
    """Says that a thread is within a training of a framework, for what is called there is part of it."""

    _threads = threading.local()

    def __init__(self, framework: str) -> None:
        self._framework = framework

    def __enter__(self) -> None:
        setattr(self._threads, self._framework, True)

    def __exit__(self, *_: object) -> None:
        setattr(self._threads, self._framework, False)


def _is_within(framework: str) -> bool:
    return getattr(_Within._threads, framework, False)  # noqa: SLF001


def _subclasses(kind: type) -> Iterable[type]:
    found: dict[type, None] = {}
    pending: list[Any] = [kind]
    while pending:
        for child in pending.pop().__subclasses__():
            if child not in found:
                found[child] = None
                pending.append(child)
    return found


def _is_transformer(kind: type) -> bool:
    """Say whether a class only prepares data: it predicts nothing."""
    return not hasattr(kind, "predict") and not hasattr(kind, "fit_predict")


_SWITCHES: dict[str, Callable[[], None]] = {
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
    "sklearn": _sklearn,
    "optuna": _optuna,
    "keras": _keras,
    "lightning": _lightning,
    "transformers": _transformers,
    "fastai": _fastai,
    "ignite": _ignite,
    "ultralytics": _ultralytics,
}
