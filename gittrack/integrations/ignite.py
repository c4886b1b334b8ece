"""PyTorch Ignite: ``attach(trainer, evaluators={"val": evaluator})``, or `run_logged` around every run of an engine."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ignite.engine import Events

from gittrack.integrations.target import Target, to_metric
from gittrack.runs import open_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gittrack.runs.run import Run

_attached: WeakSet[Any] = WeakSet()  # what `attach` logs needs no second logger


class _Thread(threading.local):
    """What runs in a thread now.

    Attributes:
        training: The training; None outside of one, and in one that `attach` logs.
        is_within: Whether an engine runs.
    """

    training: _Training | None = None
    is_within = False


_thread = _Thread()


def attach(
    trainer: Any,
    *,
    evaluators: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    run: Run | None = None,
    every: int = 1,
    **run_arguments: Any,
) -> Target:
    """Log what engines compute: the trainer's output at each iteration, its metrics and those of evaluators by epoch.

    Args:
        trainer: The engine that trains; its end, or its exception, ends a run of its own.
        evaluators: Names and engines that evaluate.
        params: What to log as params at the start.
        run: The run to log to; see `gittrack.integrations`.
        every: At how many iterations the output is logged.
        run_arguments: What a run of its own is made with.

    Returns:
        What is logged to; its ``run`` is the run.
    """
    target = Target(run, run_arguments)
    _attached.add(trainer)
    if params:
        trainer.add_event_handler(Events.STARTED, lambda: target.log_params(params))
    trainer.add_event_handler(Events.ITERATION_COMPLETED(every=every), partial(_log_output, target=target))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, partial(_log_state, trainer, target=target, place="train"))
    for name, engine in (evaluators or {}).items():
        engine.add_event_handler(Events.COMPLETED, partial(_log_state, trainer, target=target, place=name))
    trainer.add_event_handler(Events.COMPLETED, lambda: target.end())  # noqa: PLW0108  Ignite would hand it the engine
    trainer.add_event_handler(Events.EXCEPTION_RAISED, partial(_fail, target=target))
    return target


def run_logged(run: Callable[..., Any], engine: Any, *args: Any, **kwargs: Any) -> Any:
    """Run an engine, and log what it computes; the engines that it runs itself are its evaluators.

    An engine trains when its output is a number or a mapping with numbers: one that only evaluates goes to the run that
    is open, and has no experiment of its own.

    Args:
        run: Ignite's own function.
        engine: The engine.
        args: What is handed on.
        kwargs: The same.

    Returns:
        What Ignite returns.
    """
    if _thread.is_within:
        state = run(engine, *args, **kwargs)
        if _thread.training is not None:
            _thread.training.log_evaluation(engine)
        return state
    training = None if engine in _attached else _Training(engine)
    _thread.training, _thread.is_within = training, True
    try:
        return run(engine, *args, **kwargs) if training is None else training.run(run, *args, **kwargs)
    finally:
        _thread.training, _thread.is_within = None, False


class _Training:
    """One run of an engine that nobody attached."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._target = Target()
        self._is_training = False
        self._epoch = self._n_evaluations = 0

    def run(self, run: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            with ExitStack() as handlers:
                for event, log in (
                    (Events.ITERATION_COMPLETED, self._log_output),
                    (Events.EPOCH_COMPLETED, self._log_metrics),
                ):
                    handlers.enter_context(self._engine.add_event_handler(event, log))
                state = run(self._engine, *args, **kwargs)
        except BaseException as error:
            self._target.end("failed", f"{type(error).__name__}: {error}")
            raise
        self._target.end()
        return state

    def log_evaluation(self, evaluator: Any) -> None:
        """Log the metrics of an engine that ran within: the second one of an epoch has another name."""
        epoch = self._engine.state.epoch
        self._n_evaluations = self._n_evaluations + 1 if epoch == self._epoch else 1
        self._epoch = epoch
        place = "eval" if self._n_evaluations == 1 else f"eval_{self._n_evaluations}"
        _log_state(self._engine, evaluator, self._target, place)

    def _log_output(self, engine: Any) -> None:
        values = [to_metric(value) for value in _outputs(engine).values()]
        self._is_training |= any(value is not None for value in values)
        _log_output(engine, self._target)

    def _log_metrics(self, engine: Any) -> None:
        if self._is_training or open_runs.newest() is not None:
            _log_state(engine, engine, self._target, "train" if self._is_training else "eval")


def _outputs(engine: Any) -> dict[Any, Any]:
    output = engine.state.output
    return output if isinstance(output, dict) else {"loss": output}


def _log_output(engine: Any, target: Target) -> None:
    values = _outputs(engine)
    target.log_metrics({f"batch/{name}": value for name, value in values.items()}, step=engine.state.iteration)


def _log_state(trainer: Any, engine: Any, target: Target, place: str) -> None:
    values = {f"{place}/{name}": value for name, value in engine.state.metrics.items()}
    target.log_metrics(values, step=trainer.state.epoch)


def _fail(_engine: Any, error: BaseException, target: Target) -> None:
    target.end("failed", f"{type(error).__name__}: {error}")
    raise error
