"""The names of the module `sagemaker.experiments.run`."""

from __future__ import annotations

import json
import mimetypes
import os
import tempfile
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import gittrack
from gittrack.api import process_context
from gittrack.compat.sagemaker.experiments import _rules
from gittrack.compat.sagemaker.experiments._rules import in_context, logger
from gittrack.experiments.names import MAX_NAME_LENGTH, check_name
from gittrack.experiments.run_list import SortByType, SortOrderType
from gittrack.git.repository import NotARepositoryError
from gittrack.runs.loading import RunNotFoundError, find_named

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from typing_extensions import Self

_current: ContextVar[Run | None] = ContextVar("current", default=None)


class Run:
    """A run of an experiment, with the methods of SageMaker's.

    The run is opened when its ``with`` block begins: a new experiment of gittrack whose group is the experiment's
    name, or the one of that name that is there. Each block that ends adds a commit to it.

    Args:
        experiment_name: Becomes the group; in small letters, at most 59 characters.
        run_name: Becomes the experiment's name; in small letters, at most 59 characters; made up by default.
        experiment_display_name: Kept as a tag of a new run.
        run_display_name: The same.
        tags: Tags of a new run: a mapping, or a list of ``{"Key": …, "Value": …}``.
        sagemaker_session: Of no use here, as the next two.
        artifact_bucket: See above.
        artifact_prefix: See above.

    Raises:
        ValueError: A name is too long, or the tags are of another form.
        UsageError: No experiment can have the name.
    """

    def __init__(
        self,
        experiment_name: str,
        run_name: str | None = None,
        experiment_display_name: str | None = None,
        run_display_name: str | None = None,
        tags: Any = None,
        sagemaker_session: Any = None,  # noqa: ARG002  the original's argument, as the next two
        artifact_bucket: str | None = None,  # noqa: ARG002
        artifact_prefix: str | None = None,  # noqa: ARG002
    ) -> None:
        self.experiment_name = experiment_name.lower()
        self.run_name = (run_name or _rules.new_run_name()).lower()
        _rules.check_lengths_of_names(self.run_name, self.experiment_name)
        check_name(self.run_name)
        display = {"experiment_display_name": experiment_display_name, "run_display_name": run_display_name}
        kept = {f"sagemaker.{key}": value for key, value in display.items() if value is not None}
        self._begin({**_rules.parse_tags(tags), **kept})
        if run_name and self._exists():
            logger.info(
                "The run (%s) under experiment (%s) already exists. Loading it.", self.run_name, self.experiment_name
            )

    @classmethod
    def _of(cls, name: str, group: str | None, reference: str | None = None, native: gittrack.Run | None = None) -> Run:
        """Return the run of an experiment that is there, without looking for it."""
        run = cls.__new__(cls)
        run.experiment_name = group or ""
        run.run_name = name.removeprefix(f"{group}-") or name
        cls._begin(run, {}, reference, native)
        return run

    def _begin(self, tags: dict[str, Any], reference: str | None = None, native: gittrack.Run | None = None) -> None:
        self.run_group_name = _rules.run_group_name(self.experiment_name)
        self._tags = tags
        self._reference = reference  # name@baseline of an experiment that is known to be there
        self._native = native
        self._blocks: list[str] = []
        self._in_load = False
        self._graphs: dict[str, str] = {}

    @property
    def is_entered(self) -> bool:
        """Whether a ``with`` block of it goes on."""
        return bool(self._blocks)

    @property
    def experiment_config(self) -> dict[str, str]:
        """What names the run for a job; child processes get it as JSON in ``GITTRACK_EXPERIMENT_CONFIG``."""
        return {
            "ExperimentName": self.experiment_name,
            "TrialName": self.run_group_name,
            "RunName": f"{self.experiment_name}-{self.run_name}",
        }

    @in_context
    def log_parameter(self, name: str, value: str | float) -> None:
        """Log a param; one that is NaN or infinite is left out with a warning.

        Args:
            name: Its name.
            value: A number, or anything else as a text.
        """
        self.log_parameters({name: value})

    @in_context
    def log_parameters(self, parameters: Mapping[str, str | float]) -> None:
        """Log params; those that are NaN or infinite are left out with a warning.

        Args:
            parameters: Names and values.
        """
        finite = {key: value for key, value in parameters.items() if _rules.is_finite("parameter", key, value)}
        self._open_run.log_params({key: _param(value) for key, value in finite.items()})

    @in_context
    def log_metric(
        self, name: str, value: float, timestamp: dt.datetime | None = None, step: int | None = None
    ) -> None:
        """Log a value of a metric. NaN and infinities are kept, which the original drops.

        Args:
            name: The metric's name.
            value: What `float` takes.
            timestamp: When; now by default. Local time when it has no zone.
            step: The step; one more at each call by default.

        Raises:
            ValueError: The time is more than two weeks ago or two hours ahead, the step is no integer, or the value no
                number.
        """
        seconds, number = _rules.to_epoch_s(timestamp), float(value)
        self._open_run.log_metric(name, number, step=_rules.check_step(step), timestamp=seconds)

    @in_context
    def log_precision_recall(
        self,
        y_true: Any,
        predicted_probabilities: Any,
        positive_label: str | int | None = None,
        title: str | None = None,
        is_output: bool = True,  # noqa: FBT001, FBT002  as the original
        no_skill: int | None = None,
    ) -> None:
        """Log precision over recall, as a plot and as SageMaker's document.

        Args:
            y_true: The true labels.
            predicted_probabilities: A number for each.
            positive_label: The positive class, when the labels are not 0 and 1 or -1 and 1.
            title: What to call it; made up by default.
            is_output: Whether it came out of the run, or went in.
            no_skill: The precision without any skill, for the document.

        Raises:
            ValueError: There are more labels than probabilities, or fewer.
        """
        from gittrack.curves import precision_recall_curve

        _rules.check_lengths(y_true, predicted_probabilities, "predicted probabilities")
        curve = precision_recall_curve(y_true, predicted_probabilities, pos_label=positive_label)
        name = self._graph_name("PrecisionRecallCurve", title, is_output=is_output)
        self._open_run.log_precision_recall(
            y_true, predicted_probabilities, name, pos_label=positive_label, title=title
        )
        document = {
            "precision": curve.precision.tolist(),
            "recall": curve.recall.tolist(),
            "averagePrecisionScore": curve.average_precision,
            "noSkill": no_skill,
        }
        self._log_document("PrecisionRecallCurve", name, title, document)

    @in_context
    def log_roc_curve(
        self,
        y_true: Any,
        y_score: Any,
        title: str | None = None,
        is_output: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        """Log a ROC curve, as a plot and as SageMaker's document.

        Args:
            y_true: The true labels.
            y_score: A number for each.
            title: What to call it; made up by default.
            is_output: Whether it came out of the run, or went in.

        Raises:
            ValueError: There are more labels than scores, or fewer.
        """
        from gittrack.curves import roc_curve

        _rules.check_lengths(y_true, y_score, "predicted scores")
        curve = roc_curve(y_true, y_score)
        name = self._graph_name("ROCCurve", title, is_output=is_output)
        self._open_run.log_roc_curve(y_true, y_score, name, title=title)
        document = {
            "falsePositiveRate": curve.fpr.tolist(),
            "truePositiveRate": curve.tpr.tolist(),
            "areaUnderCurve": curve.auc,
        }
        self._log_document("ROCCurve", name, title, document)

    @in_context
    def log_confusion_matrix(
        self,
        y_true: Any,
        y_pred: Any,
        title: str | None = None,
        is_output: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        """Log a confusion matrix, as a plot and as SageMaker's document.

        Args:
            y_true: The true labels.
            y_pred: The predicted ones.
            title: What to call it; made up by default.
            is_output: Whether it came out of the run, or went in.

        Raises:
            ValueError: There are more true labels than predicted ones, or fewer.
        """
        from gittrack.curves import confusion_matrix

        _rules.check_lengths(y_true, y_pred, "predicted labels")
        matrix = confusion_matrix(y_true, y_pred)
        name = self._graph_name("ConfusionMatrix", title, is_output=is_output)
        self._open_run.log_confusion_matrix(y_true, y_pred, name, title=title)
        self._log_document("ConfusionMatrix", name, title, {"confusionMatrix": matrix.counts})

    @in_context
    def log_artifact(
        self,
        name: str,
        value: str,
        media_type: str | None = None,
        is_output: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        """Log a value, such as the address of a model, in place of an earlier one of the name.

        Args:
            name: What to call it.
            value: The value.
            media_type: The kind of what it names.
            is_output: Whether it came out of the run, or went in.
        """
        self._log_value(name, value, media_type, is_output=is_output)

    @in_context
    def log_file(
        self,
        file_path: str,
        name: str | None = None,
        media_type: str | None = None,
        is_output: bool | None = True,  # noqa: FBT001, FBT002
        extra_args: Mapping[str, Any] | None = None,
    ) -> None:
        """Log a file as an artifact: one that came out is kept in the cache, one that went in is known by its digest.

        Args:
            file_path: The file; ``~`` is the home folder.
            name: What to call it; the file's name by default.
            media_type: The kind of its content; by default what its suffix says.
            is_output: Whether it came out of the run, or went in.
            extra_args: Kept with a file that came out.

        Raises:
            ValueError: There is no file at the path.
        """
        path = os.path.expanduser(file_path)  # noqa: PTH111  a text
        if not os.path.isfile(path):  # noqa: PTH113
            raise ValueError(f"{path} does not exist or is not a file. Please supply a file path.")
        name = name or os.path.basename(path)  # noqa: PTH119
        media_type = media_type or mimetypes.guess_type(path, strict=False)[0]
        if is_output:
            told = {"name": name, "media_type": media_type, "extra_args": dict(extra_args) if extra_args else None}
            self._open_run.log_artifact(path, meta={key: value for key, value in told.items() if value is not None})
        else:
            self._open_run.use_artifact(path)
        self._log_value(name, file_path, media_type, is_output=bool(is_output))

    def close(self) -> None:
        """Bring what was logged so far to the disk."""
        if self._native is not None:
            self._native.flush()

    def __enter__(self) -> Self:
        if self._in_load:
            if "load" in self._blocks:
                raise RuntimeError("It is not allowed to use nested 'with' statements on the load_run.")
        elif _current.get() is not None:
            raise RuntimeError("It is not allowed to use nested 'with' statements on the Run.")
        if not self._blocks:
            self._open_run.__enter__()
            _current.set(self)
        self._blocks.append("load" if self._in_load else "init")
        self._in_load = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._blocks.pop()
        self._in_load = False
        if self._blocks:  # the block of the run itself goes on
            self.close()
            return
        _current.set(None)
        native = self._open_run
        native.__exit__(kind, error, trace)
        if native.status != "running":
            self._native = None
            self._reference = f"{native.name}@{native.baseline}" if native.baseline else native.name

    def __getstate__(self) -> NoReturn:
        raise NotImplementedError("Instance of Run type is not allowed to be pickled.")

    def __repr__(self) -> str:
        return f"<gittrack.compat.sagemaker.Run {self.experiment_name!r} {self.run_name!r}>"

    @property
    def _open_run(self) -> gittrack.Run:
        if self._native is None:
            self._native = self._open()
        return self._native

    def _open(self) -> gittrack.Run:
        """Open the experiment: the one that is there, or a new one."""
        if self._reference is not None:
            return gittrack.load_run(self._reference)
        if self._exists():
            return gittrack.load_run(self.run_name, self.experiment_name)
        name = self.run_name
        long_name = f"{self.experiment_name}-{name}"
        if self._exists(in_any=True) and len(long_name) <= MAX_NAME_LENGTH:
            name = long_name  # the run of another experiment has the short one
        return gittrack.Run(name, self.experiment_name, tags=self._tags)

    def _exists(self, *, in_any: bool = False) -> bool:
        try:
            find_named(process_context(), self.run_name, None if in_any else self.experiment_name)
        except (RunNotFoundError, NotARepositoryError):
            return False
        return True

    def _graph_name(self, kind: str, title: str | None, *, is_output: bool) -> str:
        """Return what to call a graph; another kind of graph keeps its title."""
        name = title or f"{kind}-{_rules.new_run_name().removeprefix('sagemaker-run-')}"
        name = name if is_output else f"inputs/{name}"
        return name if self._graphs.setdefault(name, kind) == kind else f"{name} ({kind})"

    def _log_document(self, kind: str, name: str, title: str | None, data: Mapping[str, Any]) -> None:
        """Keep a graph as SageMaker writes it, beside the plot."""
        document = {"type": kind, "version": 0, "title": title, **data}
        with tempfile.TemporaryDirectory(prefix="gittrack-") as folder:
            path = Path(folder, "graph.json")
            path.write_text(json.dumps(document), encoding="utf-8")
            self._open_run.log_file(path, f"{name}.json", "application/json")

    def _log_value(self, name: str, value: Any, media_type: str | None, *, is_output: bool) -> None:
        run = self._open_run
        log, folder = (run.log_output, "outputs") if is_output else (run.log_input, "inputs")
        log(f"{folder}/{name}", value, media_type)


class RunList(list[Run]):
    """A page of runs.

    Attributes:
        next_token: What asks for the page after this one; None when there is none.
    """

    def __init__(self, runs: Iterable[Run] = (), next_token: str | None = None) -> None:
        super().__init__(runs)
        self.next_token = next_token


def load_run(
    run_name: str | None = None,
    experiment_name: str | None = None,
    sagemaker_session: Any = None,  # noqa: ARG001  the original's argument, as the next two
    artifact_bucket: str | None = None,  # noqa: ARG001
    artifact_prefix: str | None = None,  # noqa: ARG001
    tags: Any = None,
) -> Run:
    """Return a run to log more to: of the names, of the ``with`` block around, or of the environment.

    Args:
        run_name: The run's name; goes with `experiment_name`.
        experiment_name: The experiment's name.
        sagemaker_session: Of no use here, as the next two.
        artifact_bucket: See above.
        artifact_prefix: See above.
        tags: Tags, where the run is not there yet.

    Raises:
        ValueError: There is a run's name without an experiment's.
        RuntimeError: Nothing says which run is meant.
    """
    _rules.check_load_names(run_name, experiment_name)
    if run_name and experiment_name:
        logger.warning(
            "run_name is explicitly supplied in load_run, which will be prioritized to load the Run object. In other "
            "words, the run name in the experiment config, fetched from the job environment or the current run "
            "context, will be ignored."
        )
        run = Run(experiment_name, run_name, tags=tags)
    else:
        run = _current.get() or _run_of_environment()
    run._in_load = True  # noqa: SLF001  this is the other way to get one
    return run


def _run_of_environment() -> Run:
    try:
        native = gittrack.load_run()
    except (RunNotFoundError, NotARepositoryError) as error:
        raise RuntimeError(
            "Failed to load a Run object. Please make sure a Run object has been initialized already."
        ) from error
    return Run._of(native.name, native.group, native=native)  # noqa: SLF001


def list_runs(
    experiment_name: str,
    created_before: dt.datetime | None = None,
    created_after: dt.datetime | None = None,
    sagemaker_session: Any = None,  # noqa: ARG001  the original's argument
    max_results: int | None = None,
    next_token: str | None = None,
    sort_by: SortByType = SortByType.CREATION_TIME,
    sort_order: SortOrderType = SortOrderType.DESCENDING,
) -> RunList:
    """List the runs of an experiment; nothing is written, and the list has a ``next_token``.

    Args:
        experiment_name: The experiment's name.
        created_before: Only those that started earlier.
        created_after: Only those that started later.
        sagemaker_session: Of no use here.
        max_results: How many at most; all by default.
        next_token: The ``next_token`` of the page before.
        sort_by: By what they are sorted.
        sort_order: In which direction.

    Raises:
        UsageError: An argument has a wrong type or form, or the token is of another listing.
    """
    page = gittrack.list_runs(
        experiment_name.lower(), created_before, created_after, max_results, next_token, sort_by, sort_order
    )
    runs = (Run._of(one.name, one.experiment_name, one.reference) for one in page)  # noqa: SLF001
    return RunList(runs, page.next_token)


def _param(value: Any) -> Any:
    from numbers import Number

    return value if isinstance(value, Number) else str(value)


__all__ = ["Run", "SortByType", "SortOrderType", "list_runs", "load_run"]
