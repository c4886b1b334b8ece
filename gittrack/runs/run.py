"""The live run: what a training script holds and logs to."""

from __future__ import annotations

import operator
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from gittrack.errors import UsageError
from gittrack.runs import open_runs
from gittrack.runs.context import experiment_config
from gittrack.runs.opening import open_run
from gittrack.runs.outcome import Outcome
from gittrack.runs.plot_logging import PlotLogging
from gittrack.values import InvalidValueError, flatten, to_number, to_plain, validate_param_name
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from gittrack.experiments.format import Record, Status
    from gittrack.runs.artifact_log import ArtifactLog
    from gittrack.runs.companions import Companions
    from gittrack.runs.context import RunContext
    from gittrack.runs.journal import JournalWriter
    from gittrack.runs.opening import OpenedRun
    from gittrack.runs.plot_log import PlotLog
    from gittrack.runs.reporting import Reporting
    from gittrack.runs.summary import Summary

_FIRST_SECOND, _END_OF_SECONDS = -62_135_596_800.0, 253_402_300_800.0  # of the years 1 to 9999


class Run(PlotLogging):
    """The run behind `gittrack.Run`, for a process that somebody describes.

    Args:
        name: As for `gittrack.Run`.
        group: The same.
        description: The same.
        tags: The same.
        params: The same.
        resume: The same.
        durability: The same.
        context: The process's environment, command line and folder.

    Raises:
        UsageError: An argument has a wrong type or form.
        GittrackError: There is no experiment to resume, or it is still running.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        group: str | None = None,
        description: str | None = None,
        tags: Mapping[str, object] | None = None,
        params: object = None,
        resume: bool | str = False,
        durability: Literal["buffered", "step"] = "buffered",
        context: RunContext,
    ) -> None:
        for argument, value in (("name", name), ("group", group), ("description", description)):
            if value is not None and not isinstance(value, str):
                raise InvalidValueError(f"'{argument}' must be a string, not {type(value).__name__}")
        if durability not in {"buffered", "step"}:
            raise UsageError(f"unknown durability {durability!r}", hint='use "buffered" or "step"')
        if not isinstance(resume, (bool, str)):
            raise InvalidValueError(f"'resume' must be True or a name, not {type(resume).__name__}")
        plain_tags = _plain_mapping({} if tags is None else tags, "tags")
        plain_params = flatten(_plain_mapping({} if params is None else params, "params"))
        self.pid = os.getpid()
        self._step = 0
        self._is_stepping = False
        self._auto_steps: dict[str, int] = {}
        self._status: Status = "running"
        self._warned: set[str] = set()
        self._opened: OpenedRun | None = None
        self._journal: JournalWriter | None = None
        self._summary: Summary | None = None
        self._plots: PlotLog | None = None
        self._before_end: Callable[[], object] | None = None
        self._context = context
        self._companions: Companions | None = None
        self._reporting: Reporting | None = None
        if not context.is_writer:
            self._name = name or "another-rank"
            return
        try:
            self._opened = open_run(context, name=name, group=group, resume=resume, durability=durability)
        except OSError as error:
            self._name = name or "not-recorded"
            warn("nothing of this run can be kept: %s; training goes on", error)
            return
        self._name = self._opened.meta.name
        self._journal = self._opened.journal
        self._step = self._opened.first_step
        self._is_stepping = self._opened.first_step > 0
        if description is not None:
            self._event("description", description)
        if plain_tags:
            self._event("tags", plain_tags)
        if plain_params:
            self._event("params", plain_params)
        open_runs.add(self)

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self._name if self._opened is None else self._opened.current_name()

    @property
    def id(self) -> str | None:
        """The run's id, 16 hex digits; None on a rank that does not write."""
        return None if self._opened is None else self._opened.meta.id

    @property
    def baseline(self) -> str | None:
        """The commit the experiment starts from; None before the first commit and outside a repository."""
        return None if self._opened is None else self._opened.meta.baseline

    @property
    def group(self) -> str | None:
        """The name that ties the experiment to others."""
        return None if self._opened is None else self._opened.meta.group

    @property
    def experiment_config(self) -> dict[str, str]:
        """What names the run for a job: ``ExperimentName`` and ``TrialName`` when it has a group, and ``RunName``.

        Child processes get it as JSON in ``GITTRACK_EXPERIMENT_CONFIG``. Where that alone reaches a job, on another
        machine with a clone, `gittrack.load_run` finds the run by it.
        """
        return experiment_config(self.name, self.group)

    @property
    def record(self) -> Record | None:
        """What was recorded, once the run has ended."""
        return None if self._opened is None else self._opened.record

    @property
    def commit(self) -> str | None:
        """The experiment's commit, once the run has ended."""
        return None if self._opened is None else self._opened.commit

    @property
    def status(self) -> Status:
        """The run's status: ``running`` until it ends."""
        return self._status

    @property
    def is_writer(self) -> bool:
        """Whether this process records; false on all ranks but the first."""
        return self._opened is not None

    @property
    def summary(self) -> Summary:
        """What sums the run up, like a dict: the last value of each metric; a value that is set here wins over it."""
        if self._summary is None:
            from gittrack.runs.summary import Summary

            self._summary = Summary(self._read_last, lambda values: self._event("summary", values))
        return self._summary

    @property
    def step(self) -> int:
        """The step that metrics without a step of their own belong to."""
        return self._step

    @step.setter
    def step(self, value: int) -> None:
        self._step = _to_step(value)
        self._is_stepping = True

    def next_step(self) -> int:
        """Go to the next step and return it."""
        self._step += 1
        self._is_stepping = True
        return self._step

    def log_param(self, name: str, value: object) -> None:
        """Log one param.

        Args:
            name: Its name; dots nest.
            value: A plain value, or a numpy scalar, path, dataclass, namespace… that is turned into one.

        Raises:
            InvalidValueError: The name or the value cannot be logged; nothing was changed.
        """
        self.log_params({validate_param_name(name): value})

    def log_params(self, params: object) -> None:
        """Log many params; nested ones get dotted names, later values win.

        Args:
            params: A mapping, a dataclass, an argparse or OmegaConf namespace.

        Raises:
            InvalidValueError: A name or a value cannot be logged; nothing was changed.
        """
        plain = flatten(_plain_mapping(params, "params"))
        if plain:
            self._event("params", plain)

    def log_metric(self, name: str, value: object, step: int | None = None, timestamp: float | None = None) -> None:
        """Log one value of a metric.

        Args:
            name: The metric's name.
            value: A number; NaN and infinities are kept as such.
            step: The step it belongs to. By default the run's step; a script that never calls `next_step` gets
                one step for each call: 0, 1, 2…
            timestamp: UTC epoch seconds; now by default.

        Raises:
            InvalidValueError: The name, value, step or time cannot be logged.
        """
        self.log_metrics({name: value}, step, timestamp)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None, timestamp: float | None = None) -> None:
        """Log one value of several metrics, all at the same step and time.

        Args:
            metrics: Names and numbers.
            step: The step they belong to; see `log_metric`.
            timestamp: UTC epoch seconds; now by default.

        Raises:
            InvalidValueError: A name, value, step or time cannot be logged; nothing was logged.
        """
        if type(metrics) is not dict and not isinstance(metrics, Mapping):
            raise InvalidValueError(f"metrics must be a mapping, not {type(metrics).__name__}")
        is_auto = step is None and not self._is_stepping
        if step is None:
            step = self._next_auto_step(metrics) if is_auto else self._step
        elif type(step) is not int:
            step = _to_step(step)
        seconds = time.time() if timestamp is None else _to_seconds(timestamp)
        journal = self._journal
        if journal is not None:
            journal.metrics(metrics, step, seconds)
            if is_auto:
                self._auto_steps.update(dict.fromkeys(metrics, step + 1))
        elif self._opened is not None:
            self._warn_ended()

    def set_tag(self, key: str, value: object = True) -> None:  # noqa: FBT002  a bare tag is simply there
        """Set one tag.

        Raises:
            InvalidValueError: The key or the value cannot be kept.
        """
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set several tags; later values win.

        Raises:
            InvalidValueError: A key or a value cannot be kept; nothing was changed.
        """
        plain = _plain_mapping(tags, "tags")
        if plain:
            self._event("tags", plain)

    def note(self, text: str) -> None:
        """Add a note.

        Raises:
            InvalidValueError: It is not a string.
        """
        if not isinstance(text, str):
            raise InvalidValueError(f"a note must be a string, not {type(text).__name__}")
        self._event("note", text)

    def alert(self, title: str, text: str = "", level: Literal["info", "warning", "error"] = "info") -> None:
        """Tell somebody at once: the alert is recorded, and sent in the background as the user's git settings say.

        ``gittrack.alert.command`` is a command that gets the alert as JSON on standard input and in
        ``GITTRACK_ALERT_TITLE``, ``_TEXT``, ``_LEVEL`` and ``_RUN``; ``gittrack.alert.url`` an address that the same
        JSON is posted to. Where both are unset the alert is only recorded. What fails is a warning.

        Args:
            title: What it is about, in a few words.
            text: All else.
            level: ``"info"``, ``"warning"`` or ``"error"``.

        Raises:
            UsageError: The level is another word, title or text is no text, or the title is empty.
        """
        from gittrack.runs.alerts import parse_alert

        alert = parse_alert(title, text, level, self._step if self._is_stepping else None)
        self._event("alert", alert.plain())
        companions = self._beside()
        if companions is not None:
            companions.send(alert, lambda: {"run": self.name, "group": self.group, "baseline": self.baseline})

    @property
    def description(self) -> str | None:
        """One text that says what the experiment is about; set it to change it."""
        return None if self._opened is None else self._opened.description

    @description.setter
    def description(self, text: str | None) -> None:
        if text is not None and not isinstance(text, str):
            raise InvalidValueError(f"a description must be a string, not {type(text).__name__}")
        self._event("description", text)

    def log_artifact(
        self,
        path: str | os.PathLike[str],
        type: str | None = None,  # noqa: A002
        name: str | None = None,
        desc: str | None = None,
        labels: Sequence[str] | None = None,
        meta: object = None,
        copy: bool = False,  # noqa: FBT001, FBT002
        cache: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        """Log a file or folder, such as a trained model, as it is at this moment.

        The call returns at once; content is copied into the cache and hashed beside the training. A pointer file
        ``<path>.gittrack`` beside it stands for it in git. `flush` and `end` wait until everything is kept.

        Args:
            path: The file or folder.
            type: What it is, such as ``"model"``.
            name: What to call it: letters, digits, ``-``, ``_`` and ``/``. The path's last part without its suffix by
                default. One that cannot be used is left out with a warning.
            desc: One text that says what it is about.
            labels: Words to find it by.
            meta: Anything else: plain values.
            copy: Whether to copy it to ``gittrack-artifacts/`` first, and log the copy; that takes its time.
            cache: Whether to keep its content; else only its digest is recorded.

        Raises:
            InvalidValueError: An argument has a wrong type.
            FileNotFoundError: There is nothing at the path.
        """
        from gittrack.runs.artifact_request import parse_request

        texts = {"type": type, "name": name, "desc": desc}
        request = parse_request(path, copy=copy, cache=cache, labels=labels, meta=meta, **texts)
        artifacts = self._artifact_log()
        if artifacts is not None:
            artifacts.log(request, self._step if self._is_stepping else None)

    def use_artifact(self, artifact: str | os.PathLike[str]) -> Path:
        """Say that the run uses an artifact, and return where it is on this machine.

        What is not in the work tree is restored from the cache.

        Args:
            artifact: A file or folder, its pointer, a digest ``b3:…``, ``experiment:path``, or the name under which an
                artifact was logged.

        Returns:
            The path of the file or folder.

        Raises:
            InvalidValueError: It is neither a text nor a path.
            GittrackError: There is no such artifact, or its content is not in the cache.
        """
        from gittrack.runs.used import use_artifact

        step = self._step if self._is_stepping else None
        return use_artifact(self._opened, self._context, self._artifact_log(), artifact, step)

    @property
    def report_file(self) -> Path | None:
        """The file of the report, on this machine; None where there is none, and in a notebook."""
        return None if self._reporting is None else self._reporting.path

    def make_report(self) -> Path | None:
        """Write the report of what was logged so far, now, or show it; an HTML page where none was asked for.

        Everything that it says is in the experiment, too: ``gittrack exp report`` makes it for any one.

        Returns:
            Its file; None in a notebook, and in a process that does not write.
        """
        if self._reporting is None:
            self._start_report("html", None, is_regular=False)
        if self._reporting is not None and open_runs.is_own_process(self):
            if self._journal is None:
                self._finish_report(self._reporting)
            else:
                self._journal.flush()
                self._reporting.write()
        return self.report_file

    def flush(self) -> bool:
        """Bring everything logged so far to the system, so that it survives a kill; waits for artifacts.

        Returns:
            Whether it does now; when not, the disk refuses, and the data waits in memory and is tried again.
        """
        journal = self._journal
        if journal is None:
            return False
        if self._opened is not None and self._opened.artifacts is not None:
            self._opened.artifacts.wait()
        journal.flush()
        return journal.problem is None

    def end(self, status: Literal["completed", "failed", "killed"] = "completed", message: str | None = None) -> None:
        """End the run and record it in git; a second call does nothing.

        A failing disk or repository warns and keeps the run's folder for the next gittrack command to record.

        Args:
            status: How it ended.
            message: Why, when it did not complete.

        Raises:
            UsageError: The status is another word.
        """
        if status not in {"completed", "failed", "killed"}:
            raise UsageError(f"a run cannot end as {status!r}", hint="use completed, failed or killed")
        if self._status != "running":
            return
        self._finish_written()
        self._status = status
        if self._companions is not None and open_runs.is_own_process(self):
            self._companions.close()  # before the journal and the log are read
        if self._reporting is not None and open_runs.is_own_process(self):
            self._reporting.stop()
        journal, self._journal = self._journal, None
        open_runs.discard(self)
        if self._opened is None or journal is None or not open_runs.is_own_process(self):
            return
        try:
            self._opened.close(Outcome(status, message, time.time()))
        except Exception as error:  # noqa: BLE001  training is over, and no fault of ours may make it fail
            warn(
                "experiment '%s' could not be recorded in git: %s; all it logged is in '%s' and the next gittrack "
                "command records it",
                self.name,
                error,
                self._opened.folder.path,
            )
        if self._reporting is not None:
            self._finish_report(self._reporting)

    def __enter__(self) -> Self:
        open_runs.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._companions is not None:
            self._companions.note_error(error)
        if open_runs.leave(self):  # one that a block within took up goes on
            self.end(*open_runs.status_after(error))

    def __repr__(self) -> str:
        return f"<gittrack.Run {self.name!r} {self._status}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows of the run: who it is, how it stands, and its last values."""
        from gittrack.runs.notebook import render_run

        return render_run(self)

    def _start_report(self, mode: str, display: Callable[[str], object] | None, *, is_regular: bool = True) -> None:
        """Begin to make the report; a run that was joined has a process that does."""
        if self._opened is None or self._opened.lock is None or not open_runs.is_own_process(self):
            return
        from gittrack.runs.reporting import Reporting  # here: few runs want one

        self._reporting = Reporting(self._opened, mode, display)
        if is_regular and self._journal is not None:
            self._reporting.start()

    def _finish_report(self, reporting: Reporting) -> None:
        """Make the report of what was recorded."""
        from gittrack.runs.artifact_log import find_repository

        reporting.finish(lambda: find_repository(self._opened, self._context))

    def _finish_written(self) -> None:
        """Let `Live` bring its files up to date, however the run comes to its end."""
        before_end, self._before_end = self._before_end, None
        if before_end is not None and open_runs.is_own_process(self):
            try:
                before_end()
            except Exception as error:  # noqa: BLE001  training is over, and no fault of ours may make it fail
                warn("the files of experiment '%s' could not be finished: %s", self.name, error)

    def _keep_written(self, paths: Sequence[Path]) -> None:
        """Let files of the work tree go into the recorded tree at the end, as they are then; for `Live`."""
        if self._opened is not None:
            self._opened.written = list(paths)

    def _artifact_log(self) -> ArtifactLog | None:
        """Return what logs artifacts; None where nothing is recorded."""
        if self._opened is None or not open_runs.is_own_process(self):
            return None
        if self._journal is None:
            self._warn_ended()
            return None
        if self._opened.artifacts is None:
            from gittrack.runs.artifact_log import ArtifactLog

            self._opened.artifacts = ArtifactLog(self._opened, self._context)
        return self._opened.artifacts

    def _beside(self) -> Companions | None:
        """Return what works beside the run; None where nothing is recorded."""
        if self._opened is None or self._journal is None or not open_runs.is_own_process(self):
            return None
        if self._companions is None:
            from gittrack.runs.companions import Companions  # here: few runs have any

            self._companions = Companions(self._opened, self._context)
        return self._companions

    def _plot_step(self, step: int | None) -> int | None:
        return self._step if step is None and self._is_stepping else step

    def _plot_log(self) -> PlotLog | None:
        """Return what keeps plots; None where nothing is recorded."""
        if self._opened is None or not open_runs.is_own_process(self):
            return None
        if self._journal is None:
            self._warn_ended()
            return None
        if self._plots is None:
            from gittrack.runs.plot_log import PlotLog

            self._plots = PlotLog(self._opened)
        return self._plots

    def _read_last(self) -> dict[str, int | float]:
        """Return the last value of each metric that this process logged."""
        if self.record is not None:
            return {name: one.last for name, one in self.record.metrics.items()}
        if self._opened is None or self._journal is None:
            return {}
        from gittrack.runs.journal_reader import read_latest

        self._journal.flush()
        with suppress(OSError):
            return {name: point.value for name, point in read_latest(self._journal.path).values.items()}
        return {}

    def _event(self, kind: str, data: Any) -> None:
        if self._journal is not None:
            self._journal.event(kind, data)
            if kind == "description" and self._opened is not None:
                self._opened.description = data
        elif self._opened is not None:
            self._warn_ended()

    def _next_auto_step(self, names: Mapping[str, object]) -> int:
        steps = self._auto_steps
        return max([steps.get(name, 0) for name in names], default=0)

    def _warn_ended(self) -> None:
        if "ended" not in self._warned:
            self._warned.add("ended")
            warn("run '%s' has ended; what is logged to it now is lost", self.name)


def _plain_mapping(value: object, what: str) -> dict[str, Any]:
    plain = to_plain(value, name=what)
    if not isinstance(plain, dict):
        raise InvalidValueError(f"'{what}' must be a mapping, a dataclass or a namespace, not {type(value).__name__}")
    for key in plain:
        validate_param_name(key)
    return plain


def _to_seconds(timestamp: Any) -> float:
    seconds = float(to_number(timestamp, name="timestamp"))
    if not _FIRST_SECOND <= seconds < _END_OF_SECONDS:
        raise InvalidValueError(f"a timestamp must be UTC epoch seconds within the years 1 to 9999, not {timestamp!r}")
    return seconds


def _to_step(value: Any) -> int:
    if not isinstance(value, bool):
        with suppress(TypeError):
            return operator.index(value)
    raise InvalidValueError(f"a step must be an integer, not {value!r}")
