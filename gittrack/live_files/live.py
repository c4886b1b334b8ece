"""The logger that writes DVCLive's files, and records the experiment in git.

Points are kept in memory and appended to their files in blocks; summary and report are written anew when their time has
come: at a step when a quarter of a second has passed, else by a thread within a second. So a step costs microseconds, a
slow loop finds its files up to date after every step, and what is logged survives a kill half a second later.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError
from gittrack.live_files import image_files, plot_files, regular
from gittrack.live_files.dvcyaml import relative_path, write_dvcyaml
from gittrack.live_files.errors import InvalidDataTypeError, InvalidDvcyamlError, InvalidReportModeError, LiveError
from gittrack.live_files.layout import DVC_FILE, IMAGES, METRICS, Layout
from gittrack.live_files.metric_files import Metric, MetricFiles
from gittrack.live_files.params_file import read_yaml, to_params, write_params
from gittrack.live_files.recording import Recording
from gittrack.live_files.report import Report
from gittrack.live_files.run_plots import curve_plot, points_plot
from gittrack.live_files.summary import Summary, read_summary, to_loggable
from gittrack.live_files.writing import render_json, without_odd_floats, write_text
from gittrack.runs import open_runs
from gittrack.runs.artifact_request import is_artifact_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from gittrack.live_files.metric_files import Point
    from gittrack.live_files.surroundings import Surroundings
    from gittrack.runs.monitor import SystemMonitor
    from gittrack.runs.plot_document import Plot as RunPlot

_MAX_FAST = 1 << 64
_SYNC_INTERVAL_S = 0.25
_REST = 20  # what a write took is rested this many times
_REPORT_INTERVAL_S = 1.0
_REPORT_REST = 100  # a report grows until its charts are full; its share of the time stays below a hundredth


class Live:
    """The logger behind `gittrack.Live`, for a process that somebody describes.

    Args:
        dir: As for `gittrack.Live`.
        resume: The same.
        report: The same.
        dvcyaml: The same.
        cache_images: The same.
        exp_name: The same.
        exp_message: The same.
        monitor_system: The same.
        surroundings: The process.

    Raises:
        InvalidReportModeError: There is no such report.
        InvalidDvcyamlError: The path does not end in ``dvc.yaml``.
        OSError: The folder cannot be made.
    """

    def __init__(  # noqa: PLR0913  DVCLive's arguments
        self,
        dir: str | os.PathLike[str] = "dvclive",  # noqa: A002
        *,
        resume: bool = False,
        report: str | None = None,
        dvcyaml: str | os.PathLike[str] | bool | None = DVC_FILE,
        cache_images: bool = False,
        exp_name: str | None = None,
        exp_message: str | None = None,
        monitor_system: bool = False,
        surroundings: Surroundings,
    ) -> None:
        if report not in {None, "html", "notebook", "md"}:
            raise InvalidReportModeError(report)
        self._dvcyaml = _dvc_file(dvcyaml)
        self._surroundings = surroundings
        self._shown = Layout(os.fspath(dir))
        self._layout = Layout(os.path.abspath(dir))  # noqa: PTH100  a script may go to another folder meanwhile
        self._dvc_path = os.path.abspath(self._dvcyaml or DVC_FILE)  # noqa: PTH100
        self._pid = os.getpid()
        self._lock = threading.RLock()  # a signal handler may end the run while its thread writes
        self._step: Any = None
        self._summary = Summary()
        self._params: dict[Any, Any] = {}
        self._metrics: dict[str, Metric] = {}
        self._images: dict[str, Path] = {}
        self._plots: dict[str, plot_files.Plot] = {}
        self._artifacts: dict[str, dict[str, Any]] = {}
        self._files = MetricFiles()
        self._refused: list[Point] = []
        self._dvcyaml_said: dict[str, Any] | None = None
        self._is_unsynced = self._has_unwritten_params = self._inside_with = False
        self._is_shape_new = True
        self._next_sync = self._next_report = self._next_params = 0.0
        self._warned: set[str] = set()
        self._cache_images = cache_images
        self._resume = resume
        self._monitor: SystemMonitor | None = None
        self._report = Report(report, self._layout) if report is not None else None
        if surroundings.is_writer:
            regular.write_those_in(self._layout.folder)
            Path(self._layout.folder).mkdir(parents=True, exist_ok=True)
            self._take_up() if resume else self._layout.clean()
        self._recording = Recording(surroundings, exp_name, exp_message, self._finish, resume=resume)
        if resume and self._params:
            self._recording.params(self._params)
        regular.add(self)
        if monitor_system:
            self.monitor_system()

    @property
    def dir(self) -> str:
        """The folder of the files."""
        return self._shown.folder

    @property
    def params_file(self) -> str:
        """The file of the params."""
        return self._shown.params

    @property
    def metrics_file(self) -> str:
        """The file of the summary."""
        return self._shown.metrics

    @property
    def dvc_file(self) -> str:
        """The file of DVC's configuration."""
        return self._dvcyaml or DVC_FILE

    @property
    def plots_dir(self) -> str:
        """The folder of metrics, images and plots."""
        return self._shown.plots

    @property
    def artifacts_dir(self) -> str:
        """The folder of copied artifacts."""
        return self._shown.artifacts

    @property
    def report_file(self) -> str | None:
        """The file of the report; None without one, and in a notebook."""
        return (
            None if self._report is None or self._report.mode == "notebook" else self._shown.report(self._report.mode)
        )

    @property
    def exp_name(self) -> str | None:
        """The experiment's name."""
        return self._recording.name

    @property
    def summary(self) -> dict[str, Any]:
        """The last value of each metric; names with slashes are nested. Values of your own may be set."""
        return self._summary.values

    @summary.setter
    def summary(self, values: dict[str, Any]) -> None:
        self._summary.values = values

    @property
    def step(self) -> Any:
        """The step of what is logged now."""
        return self._step or 0

    @step.setter
    def step(self, value: Any) -> None:
        self._step = value

    def log_metric(self, name: str, val: Any, timestamp: bool = False, plot: bool = True) -> None:  # noqa: FBT001, FBT002
        """Log one value of a metric.

        Args:
            name: Its name; slashes make folders.
            val: A number or a text.
            timestamp: Whether the time goes into the file, too.
            plot: Whether the value goes into a file of its own, or into the summary alone.

        Raises:
            InvalidDataTypeError: It is no number and no text.
            InvalidNameError: The name leads elsewhere.
            LiveError: It would nest in a metric that is a value.
        """
        kind = type(val)
        # infinity less infinity is not a number
        if not ((kind is float and val - val == 0.0) or (kind is int and -_MAX_FAST < val < _MAX_FAST)):
            val = to_loggable(name, val)
        metric = self._metrics.get(name) or self._add_metric(name)
        self._summary.set(metric.keys, val)
        self._files.pending.append((metric, self._step or 0, val, time.time(), timestamp, plot))

    def log_param(self, name: str, val: Any) -> None:
        """Log one param.

        Args:
            name: Its name.
            val: A plain value, a list or a mapping.

        Raises:
            InvalidParameterTypeError: The value cannot be held; nothing was changed.
        """
        self.log_params({name: val})

    def log_params(self, params: Mapping[Any, Any]) -> None:
        """Log many params; later values win.

        Args:
            params: Names and values.

        Raises:
            InvalidParameterTypeError: A value cannot be held; nothing was changed.
        """
        plain = to_params(params)
        self._recording.params(plain)
        with self._lock:
            self._is_shape_new |= not self._params
            self._params.update(plain)
            self._has_unwritten_params = True
            if time.monotonic() >= self._next_params:
                self._write_params()

    def log_image(self, name: str, val: Any) -> None:
        """Log an image; one of the same name is replaced.

        Args:
            name: Its name, ending in ``.png``, ``.jpg``, ``.jpeg`` or ``.gif``.
            val: An array, a figure of matplotlib's, which is closed, an image of Pillow's, or a path.

        Raises:
            InvalidDataTypeError: It is something else.
            InvalidImageNameError: The name has another suffix, or none.
            InvalidNameError: The name leads elsewhere.
            PillowMissingError: Pillow is needed.
            OSError: A file cannot be read or written.
        """
        if self._is_writer:
            name, path = image_files.write_image(self._layout, name, val)
            self._is_shape_new |= not self._images
            self._images[name] = path
            self._guarded(lambda: self._recording.image(name, path, is_cached=self._cache_images))

    def log_plot(
        self,
        name: str,
        datapoints: Any,
        x: str,
        y: str | list[str],
        template: str | None = "linear",
        title: str | None = None,
        x_label: str | None = None,
        y_label: str | None = None,
    ) -> None:
        """Log a plot of datapoints; how it is drawn is fixed by the first call of a name.

        Args:
            name: Its name.
            datapoints: A list of rows, a DataFrame or an array.
            x: The column of the x axis.
            y: The column, or columns, of the y axis.
            template: One of DVC's templates.
            title: A title.
            x_label: A label for the x axis.
            y_label: A label for the y axis.

        Raises:
            InvalidDataTypeError: The datapoints are something else.
            InvalidNameError: The name leads elsewhere.
            OSError: The disk refuses.
        """
        rows = plot_files.to_datapoints(name, datapoints)
        plot = self._plots.get(name) or plot_files.make_plot(
            self._layout,
            name,
            {"template": template, "x": x, "y": y, "title": title, "x_label": x_label, "y_label": y_label},
        )
        self._write_plot(name, plot, rows, lambda: points_plot(rows, plot.config))

    def log_sklearn_plot(
        self,
        kind: str,
        labels: Any,
        predictions: Any,
        name: str | None = None,
        title: str | None = None,
        x_label: str | None = None,
        y_label: str | None = None,
        normalized: bool | None = None,  # noqa: FBT001
        **kwargs: Any,
    ) -> None:
        """Log a plot of labels and predictions; scikit-learn is not needed.

        Args:
            kind: ``calibration``, ``confusion_matrix``, ``det``, ``precision_recall`` or ``roc``.
            labels: The true labels.
            predictions: The predicted labels for ``confusion_matrix``, else probabilities or scores.
            name: Its name; the kind by default.
            title: A title.
            x_label: A label for the x axis.
            y_label: A label for the y axis.
            normalized: Whether a confusion matrix shows shares.
            kwargs: What scikit-learn's function of that name takes.

        Raises:
            InvalidPlotTypeError: There is no such kind.
            InvalidValueError: The labels or predictions make no such plot.
            OSError: The disk refuses.
        """
        from gittrack.live_files.curve_files import curve_content

        key = name or kind
        said = {"title": title, "x_label": x_label, "y_label": y_label, "normalized": normalized}
        plot = self._plots.get(key) or plot_files.make_sklearn_plot(
            self._layout, kind, key, {word: text for word, text in said.items() if text is not None}
        )
        content = curve_content(plot.kind or kind, labels, predictions, kwargs)
        self._write_plot(
            key, plot, content, lambda: curve_plot(plot.kind or kind, labels, predictions, kwargs, plot.config)
        )

    def log_artifact(
        self,
        path: str | PurePath,
        type: str | None = None,  # noqa: A002
        name: str | None = None,
        desc: str | None = None,
        labels: Sequence[str] | None = None,
        meta: Mapping[str, Any] | None = None,
        copy: bool = False,  # noqa: FBT001, FBT002
        cache: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        """Log a file or folder, such as a model; see `gittrack.Run.log_artifact`.

        Args:
            path: The file or folder.
            type: What it is, such as ``"model"``.
            name: What to call it; its stem by default.
            desc: One text that says what it is about.
            labels: Words to find it by.
            meta: Anything else.
            copy: Whether to log a copy in ``{dir}/artifacts``.
            cache: Whether to keep its content.

        Raises:
            InvalidDataTypeError: The path is no path.
            FileNotFoundError: There is nothing there.
        """
        if not isinstance(path, (str, PurePath)):
            raise InvalidDataTypeError(path, path.__class__)
        if not self._is_writer:
            return
        if copy:
            path = copy_into(path, self._layout.artifacts)
        details = {"type": type, "desc": desc, "labels": list(labels) if labels else None, "meta": meta}
        if cache or self._recording.is_on:
            is_logged = self._recording.artifact(os.fspath(path), name=name, cache=cache, **details)
            if not is_logged and not self._surroundings.is_pipeline:
                self._warn(f"no experiment is recorded: '{path}' is not kept")
        if name or any(details.values()):
            self._note_artifact(name or Path(path).stem, {"path": os.path.abspath(path), **details})  # noqa: PTH100

    def cache(self, path: str | PurePath) -> None:
        """Keep the content of a file or folder, without a word about it; see `log_artifact`.

        Args:
            path: The file or folder.
        """
        self.log_artifact(path)

    def monitor_system(
        self,
        interval: float = 0.05,
        num_samples: int = 20,
        directories_to_monitor: Mapping[str, str] | None = None,
    ) -> None:
        """Log how CPU, memory, disks and GPUs are used, from a thread.

        Args:
            interval: Seconds between samples, at most 0.1.
            num_samples: How many samples make one point, 1 to 30.
            directories_to_monitor: Names and folders of disks; ``{"main": "/"}`` by default.

        Raises:
            ValueError: A name cannot be that of a file.
            MonitorError: psutil is missing.
        """
        from gittrack.live_files.system import start_monitor

        if self._monitor is not None:
            self._monitor.close()
        folders = {"main": "/"} if directories_to_monitor is None else directories_to_monitor
        self._monitor = start_monitor(self.log_metric, interval, num_samples, folders, self._warn)

    def next_step(self) -> None:
        """Say that the step is complete, and go to the next."""
        if self._step is None:
            self._step = 0
        self.sync()
        self._step += 1

    def sync(self) -> None:
        """Bring the files up to date: now if that is due, else within a second. `flush` does so at once."""
        self._note_step()
        self._is_unsynced = True
        if self._is_shape_new:
            self._is_shape_new = False
            self._guarded(self.make_dvcyaml) if self._dvcyaml else None
        if time.monotonic() >= self._next_sync:
            self._write_due()

    def flush(self) -> None:
        """Write everything that was logged."""
        with self._lock:
            self._write_points()
            self._write_params()
            self._is_unsynced = True
            self._next_sync = self._next_report = 0.0
            self._write_due()

    def make_summary(self) -> None:
        """Write the summary.

        Raises:
            OSError: The disk refuses.
        """
        self._note_step()
        self._write_summary()

    def make_report(self) -> None:
        """Write the report, where one was asked for."""
        if self._report is None or not self._is_writer:
            return
        with self._lock:
            self._write_points()
            self._report.write(self._params, self._summary.copy(), self._images, self._plots, self._surroundings)

    def make_dvcyaml(self) -> None:
        """Write DVC's configuration into ``dvc.yaml``; what others wrote there stays."""
        with self._lock:
            if self._is_writer:
                write_dvcyaml(self._dvc_path, self._layout.folder, self._sections())

    def read_latest(self) -> dict[str, Any]:
        """Return what the summary's file holds."""
        return read_summary(self._layout.metrics)

    def read_step(self) -> Any:
        """Return the last step that is in the summary's file."""
        return self.read_latest().get("step", 0)

    def end(self) -> None:
        """Write everything and record the experiment; within a ``with`` block its end does so."""
        if not self._inside_with:
            self._end("completed", None)

    def _end(self, status: open_runs.EndStatus, message: str | None) -> None:
        if self._images and self._cache_images and self._is_writer and not self._surroundings.is_pipeline:
            self._recording.artifact(os.fspath(Path(self._layout.plots, IMAGES)))
        self._finish()
        self._recording.end(status, message, self._written())

    def _finish(self) -> None:
        """Bring everything to the disk and to the run."""
        if "step" in self._summary.values:
            self._step = self._summary.values["step"]
        self._note_step()
        if self._monitor is not None:
            self._monitor.close()
        if self._pid != os.getpid():
            return
        if self._is_writer and self._dvcyaml:
            self._guarded(self.make_dvcyaml)
        self.sync()
        self.flush()
        self._guarded(self._tell_own_values)
        self._recording.tell(self._written())

    def _written(self) -> list[Path]:
        files = list(self._layout.files())
        if self._cache_images:
            images = Path(self._layout.plots, IMAGES)
            files = [path for path in files if images not in path.parents]
        return [*files, *([Path(self._dvc_path)] if self._dvcyaml else [])]

    def _tell_own_values(self) -> None:
        """Log what the script put into the summary itself."""
        for name, value in self._summary.own_values(self._metrics):
            with suppress(LiveError):  # a list, say, which is in the file all the same
                point = _point(Metric(name, self._layout), self.step, to_loggable(name, value), time.time())
                self._recording.points([point])

    def _take_up(self) -> None:
        if Path(self._layout.params).is_file():
            self._params.update(read_yaml(self._layout.params) or {})
        self._summary.values = self.read_latest()
        self._step = self.read_step()
        if self._step != 0:
            self._step += 1

    def _add_metric(self, name: str) -> Metric:
        metric = Metric(name, self._layout, is_resumed=self._resume)
        with self._lock:
            self._is_shape_new |= not self._metrics
            return self._metrics.setdefault(name, metric)

    def _note_artifact(self, name: str, said: dict[str, Any]) -> None:
        """Let ``dvc.yaml`` tell of an artifact; DVC could not read it with a name that is none to it."""
        if is_artifact_name(name):
            self._artifacts[name] = {key: value for key, value in said.items() if value is not None}
        else:
            self._warn(f"Can't use '{name}' as artifact name (ID). It will not be included in the `artifacts` section.")

    def _write_plot(self, name: str, plot: plot_files.Plot, content: Any, make: Callable[[], RunPlot]) -> None:
        if self._is_writer:
            plot.write(content)
            self._is_shape_new |= name not in self._plots
            self._plots[name] = plot
            self._guarded(lambda: self._recording.plot(name, make))

    def _write_waiting(self) -> None:
        """Write everything, if there is anything to write."""
        if self._files.pending or self._is_unsynced or self._has_unwritten_params:
            self.flush()

    def _write_regularly(self) -> None:
        """Write what waits; called twice a second from a thread."""
        if not self._is_writer:
            return
        with self._lock:
            if self._is_unsynced and time.monotonic() >= self._next_sync:
                self._write_due()
            else:
                self._write_points()
            self._write_params()

    def _write_due(self) -> None:
        with self._lock:
            start = time.monotonic()
            self._is_unsynced = False
            self._write_points()
            self._guarded(self._write_summary)
            self._next_sync = self._rested(start, _SYNC_INTERVAL_S)
            if self._report is None:
                return
            if start >= self._next_report:
                start = time.monotonic()
                self._guarded(self.make_report)
                self._next_report = self._rested(start, _REPORT_INTERVAL_S, _REPORT_REST)
            else:
                self._is_unsynced = True

    def _rested(self, start: float, least: float, rest: int = _REST) -> float:
        """Return when a piece of work may be done again: nine tenths and more of the time belong to the training."""
        now = time.monotonic()
        return now + max(least, rest * (now - start))

    def _write_points(self) -> None:
        with self._lock:
            points = self._files.take()
            if points and self._pid == os.getpid():
                self._guarded(lambda: self._recording.points(points))
            if not self._is_writer or not (points or self._refused):
                return
            self._refused = self._files.flush([*self._refused, *points])
            if self._report is not None:
                self._report.add_points(points)
            if self._refused:
                self._warn_once(f"the points of metrics cannot be written to '{self.plots_dir}' now: the disk refuses")

    @property
    def _is_writer(self) -> bool:
        """Whether this process writes the files: the first rank, and no fork of it."""
        return self._surroundings.is_writer and self._pid == os.getpid()

    def _note_step(self) -> None:
        if self._step is not None:
            self._summary.values["step"] = self._step

    def _write_summary(self) -> None:
        with self._lock:
            if self._is_writer:
                write_text(self._layout.metrics, render_json(without_odd_floats(self._summary.copy())))

    def _write_params(self) -> None:
        with self._lock:
            if self._has_unwritten_params and self._is_writer:
                start = time.monotonic()
                self._has_unwritten_params = False
                self._guarded(lambda: write_params(self._layout.params, self._params))
                self._next_params = self._rested(start, 0.0)

    def _sections(self) -> dict[str, Any]:
        """Return what ``dvc.yaml`` is to say."""
        folder = Path(self._dvc_path).absolute().parent
        sections: dict[str, Any] = {}
        if self._params:
            sections["params"] = [relative_path(self._layout.params, folder)]
        if self._metrics or self._summary.values:
            sections["metrics"] = [relative_path(self._layout.metrics, folder)]
        plots: list[Any] = []
        if any(point[5] for point in self._files.pending[:1000]):
            self._write_points()
        if Path(self._layout.plots, METRICS).exists():
            plots.append({relative_path(Path(self._layout.plots, METRICS), folder): {"x": "step"}})
        if self._images:
            plots.append(relative_path(Path(self._layout.plots, IMAGES), folder))
        plots += [{relative_path(plot.path, folder): plot.config} for plot in self._plots.values()]
        if plots:
            sections["plots"] = plots
        if self._artifacts:
            sections["artifacts"] = {
                name: {**said, "path": relative_path(said["path"], folder)} for name, said in self._artifacts.items()
            }
        return sections

    def _guarded(self, work: Any) -> None:
        """Do what must not stop the training, whatever the disk or the repository does."""
        try:
            work()
        except (OSError, GittrackError, ValueError, TypeError) as error:
            self._warn_once(f"Error in {getattr(work, '__name__', 'live')}: {error}")

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self._warn(message)

    def _warn(self, message: str) -> None:
        self._surroundings.warn(message)

    def __enter__(self) -> Self:
        self._inside_with = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inside_with = False
        self._end(*open_runs.status_after(error))


def _point(metric: Metric, step: Any, value: Any, seconds: float) -> Point:
    from gittrack.live_files.metric_files import Point

    return Point(metric, step, value, seconds, has_time=False, is_plotted=False)


def _dvc_file(dvcyaml: Any) -> str | None:
    """Return the path of ``dvc.yaml``, or None where none is to be written.

    Raises:
        InvalidDvcyamlError: It has another name.
    """
    if dvcyaml is None or dvcyaml is False:
        return None
    if dvcyaml is True:
        return DVC_FILE
    try:
        path = os.fspath(dvcyaml)
    except TypeError:
        raise InvalidDvcyamlError from None
    if not isinstance(path, str) or Path(path).name != DVC_FILE:
        raise InvalidDvcyamlError
    return path


def copy_into(source: str | PurePath, folder: str) -> str:
    """Copy a file or folder into a folder, in place of what is there, and return where it is now.

    Args:
        source: The file or folder.
        folder: The folder.

    Raises:
        LiveError: It is the folder itself, or holds it.
        OSError: It cannot be read, or the disk refuses.
    """
    source = Path(os.path.normpath(source))
    target = Path(folder, source.name)
    if not source.exists():
        raise FileNotFoundError(f"there is no file or folder '{source}'")
    if target.exists() and target.samefile(source):
        return str(target)
    if source.resolve() in target.resolve().parents:
        raise LiveError(f"'{source}' cannot be copied into itself")
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    return str(target)


__all__ = ["Live", "copy_into"]
