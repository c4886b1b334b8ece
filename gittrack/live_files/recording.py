"""The experiment behind a `Live`: its run, which gets every point, param and artifact beside the files."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError
from gittrack.live_files.params_file import to_recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from gittrack.live_files.metric_files import Point
    from gittrack.live_files.surroundings import Surroundings
    from gittrack.runs.open_runs import EndStatus
    from gittrack.runs.plot_document import Plot
    from gittrack.runs.run import Run

_ODD_FLOATS = frozenset({"nan", "inf", "-inf"})


class Recording:
    """A run that is opened at once, and once more when something is logged after its end.

    Args:
        surroundings: The process.
        name: The experiment's name; made up where it is None or cannot be one.
        message: What is said about it.
        resume: Whether to continue the experiment of that name, where there is one.
        finish: Called before the run ends, however it does.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        name: str | None,
        message: str | None,
        finish: Callable[[], object],
        *,
        resume: bool,
    ) -> None:
        self._surroundings = surroundings
        self._message = message
        self._finish = finish
        self._texts: dict[str, str] = {}
        self.name = name
        self.commit: str | None = None
        self._run = self._open(name, resume=resume)

    @property
    def is_on(self) -> bool:
        """Whether an experiment is recorded at all."""
        return self._surroundings.open_run is not None

    @property
    def baseline(self) -> str | None:
        """The commit that the experiment starts from; None where there is none."""
        return None if self._run is None else self._run.baseline

    def points(self, points: Iterable[Point]) -> None:
        """Log points: those of a step together, texts as tags at the end."""
        values: dict[str, Any] = {}
        step: Any = None
        time = 0.0
        for point in points:
            name, value = point.metric.name, point.value
            if isinstance(value, str):
                if value not in _ODD_FLOATS:
                    self._texts[name] = value
                    continue
                value = float(value)
            if values and (point.step != step or name in values):
                self._log(values, step, time)
                values = {}
            if not values:
                step, time = point.step, point.time
            values[name] = value
        if values:
            self._log(values, step, time)

    def params(self, params: Mapping[Any, Any]) -> None:
        """Log params."""
        run = self._open_run()
        if run is not None:
            run.log_params(to_recorded(params))

    def artifact(self, path: str, **details: Any) -> bool:
        """Log an artifact, and say whether there is a run to log it to."""
        run = self._open_run()
        if run is None:
            return False
        run.log_artifact(path, **details)
        return True

    def plot(self, name: str, make: Callable[[], Plot]) -> None:
        """Log a plot of datapoints or of labels and predictions; one of the same name is replaced.

        Args:
            name: Its name.
            make: Makes it, where there is a run.

        Raises:
            InvalidValueError: It cannot be made.
        """
        run = self._open_run()
        if run is not None:
            run._log_plot(name, None, None, make)  # noqa: SLF001  the run's side of this class

    def image(self, name: str, path: Path, *, is_cached: bool) -> None:
        """Log an image; one of the same name is replaced.

        Args:
            name: Its name.
            path: Its file.
            is_cached: Whether the cache keeps it rather than git.

        Raises:
            FileNotFoundError: There is no such file.
        """
        run = self._open_run()
        if run is not None:
            run._log_image_file(name, path, is_cached=is_cached)  # noqa: SLF001  the run's side of this class

    def end(self, status: EndStatus, message: str | None, written: Sequence[Path]) -> None:
        """End the run, with the files that belong to it."""
        run = self._run
        if run is None or run.status != "running":
            return
        self.tell(written)
        run._before_end = None  # noqa: SLF001  everything is written
        run.end(status, message)
        self.commit = run.commit or self.commit
        self.name = run.name

    def tell(self, written: Sequence[Path]) -> None:
        """Tell the run what belongs to it: the files, and the metrics that are texts."""
        run = self._run
        if run is None or run.status != "running":
            return
        if self._texts:
            run.set_tags(self._texts)
        run._keep_written(written)  # noqa: SLF001  the run's side of this class

    def _log(self, values: dict[str, Any], step: Any, time: float) -> None:
        run = self._open_run()
        if run is not None:
            run.log_metrics(values, step=_whole(step), timestamp=time)

    def _open_run(self) -> Run | None:
        """Return the run; one that has ended is continued, for code may log more after its training."""
        if self._run is not None and self._run.status != "running" and self._run.commit is not None:
            self._run = self._open(self._run.name, resume=True)
        return self._run

    def _open(self, name: str | None, *, resume: bool) -> Run | None:
        open_run = self._surroundings.open_run
        if open_run is None:
            return None
        try:
            run = open_run(name, self._message, resume and name is not None)
        except GittrackError as error:
            if name is None:
                raise
            if not resume:  # DVCLive goes on under another name, too
                self._surroundings.warn(f"Can't use the name '{name}': {error.message}")
            run = open_run(name if resume else None, self._message, False)  # noqa: FBT003  a callable has no keywords
        run._before_end = self._finish  # noqa: SLF001  the run's side of this class
        self.name = run.name
        return run


def _whole(step: Any) -> int:
    try:
        return operator.index(step)
    except TypeError:
        return int(step)
