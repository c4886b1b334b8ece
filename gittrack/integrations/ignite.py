"""PyTorch Ignite: ``attach(trainer, evaluators={"val": evaluator})``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ignite.engine import Events

from gittrack.integrations.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.runs.run import Run


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
    if params:
        trainer.add_event_handler(Events.STARTED, lambda: target.log_params(params))
    trainer.add_event_handler(Events.ITERATION_COMPLETED(every=every), partial(_log_output, target=target))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, partial(_log_state, trainer, target=target, place="train"))
    for name, engine in (evaluators or {}).items():
        engine.add_event_handler(Events.COMPLETED, partial(_log_state, trainer, target=target, place=name))
    trainer.add_event_handler(Events.COMPLETED, lambda: target.end())  # noqa: PLW0108  Ignite would hand it the engine
    trainer.add_event_handler(Events.EXCEPTION_RAISED, partial(_fail, target=target))
    return target


def _log_output(engine: Any, target: Target) -> None:
    output = engine.state.output
    values = output if isinstance(output, dict) else {"loss": output}
    target.log_metrics({f"batch/{name}": value for name, value in values.items()}, step=engine.state.iteration)


def _log_state(trainer: Any, engine: Any, target: Target, place: str) -> None:
    values = {f"{place}/{name}": value for name, value in engine.state.metrics.items()}
    target.log_metrics(values, step=trainer.state.epoch)


def _fail(_engine: Any, error: BaseException, target: Target) -> None:
    target.end("failed", f"{type(error).__name__}: {error}")
    raise error
