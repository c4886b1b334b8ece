"""What a run logs to look at: the methods of `gittrack.Run` for plots, images, tables, texts and files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from gittrack.values import InvalidValueError, clean_text, to_plain

# What only one method needs is imported there: a script that logs metrics alone waits for none of it.
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gittrack.curves import Normalization, Strategy
    from gittrack.figures import Labels
    from gittrack.runs.plot_document import Plot
    from gittrack.runs.plot_log import PlotLog

_MAX_NAME = 1000


class PlotLogging:
    """The methods of a run that log what people look at.

    Every plot is kept as its data, the numbers that sum it up, and a figure that plotly draws. With a `step` a plot
    belongs to a series, one for each step; by default it is the run's step, in a script that calls `next_step` or sets
    `step`. In a script that counts no steps, a later plot of the name takes the place of the earlier one. A wrong
    argument raises at once and changes nothing; a disk that refuses warns, and training goes on.
    """

    def log_plot(  # noqa: PLR0913  each is a word of the plot
        self,
        name: str,
        datapoints: Any,
        x: str | int,
        y: str | int | Sequence[str | int],
        template: str = "linear",
        title: str | None = None,
        x_label: str | None = None,
        y_label: str | None = None,
        *,
        step: int | None = None,
    ) -> None:
        """Log a plot of datapoints.

        Args:
            name: What to call it: any text.
            datapoints: A list of dicts, a mapping of columns, a DataFrame, or an array (also of named fields).
            x: The column along the horizontal axis; of an array without names its number.
            y: The column, or columns, that are drawn.
            template: ``linear``, ``simple``, ``smooth``, ``scatter``, ``points``, ``bar``, ``bar_horizontal``,
                ``bar_horizontal_sorted``, ``confusion`` or ``confusion_normalized``.
            title: What stands above it.
            x_label: What stands along the horizontal axis; the column's name by default.
            y_label: The same for the vertical one.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: The datapoints are of a wrong type, or there is no such column or template.
        """

        def make() -> Plot:
            from gittrack.runs import plots

            return plots.datapoints(datapoints, x, y, template=template, labels=_labels(title, x_label, y_label))

        self._log_plot(name, step, title, make)

    def log_confusion_matrix(
        self,
        y_true: Any,
        y_pred: Any,
        name: str = "confusion_matrix",
        *,
        labels: Any = None,
        normalize: Normalization | None = None,
        title: str | None = None,
        step: int | None = None,
    ) -> None:
        """Log how often each class was taken for which.

        Args:
            y_true: The true labels: texts, integers or booleans.
            y_pred: The predicted ones.
            name: What to call it.
            labels: The classes in their order; all that occur, sorted, by default.
            normalize: None for counts; shares of the ``true`` class, of the ``pred``-icted one, or of ``all``.
            title: What stands above it.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: The labels are empty, of different lengths or no labels.
        """

        def make() -> Plot:
            from gittrack.runs import plots

            return plots.confusion_matrix(y_true, y_pred, labels=labels, normalize=normalize, title=title)

        self._log_plot(name, step, title, make)

    def log_roc_curve(
        self,
        y_true: Any,
        y_score: Any,
        name: str = "roc",
        *,
        pos_label: Any = None,
        sample_weight: Any = None,
        drop_intermediate: bool = True,
        title: str | None = None,
        step: int | None = None,
    ) -> None:
        """Log a ROC curve with its area, ``auc``; the numbers are those of scikit-learn.

        Args:
            y_true: The true labels.
            y_score: A finite number for each: the higher, the more likely positive.
            name: What to call it.
            pos_label: The positive class; 1 by default, when the labels are 0 and 1 or -1 and 1.
            sample_weight: A weight for each sample.
            drop_intermediate: Whether to leave out points that lie on a line with their neighbours.
            title: What stands above it.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: No curve can be made of these; nothing was logged.
            GittrackError: numpy is not installed.
        """

        def make() -> Plot:
            from gittrack.runs import plots

            options = _options(pos_label, sample_weight, drop_intermediate=drop_intermediate)
            return plots.roc_curve(y_true, y_score, title=title, options=options)

        self._log_plot(name, step, title, make)

    def log_precision_recall(
        self,
        y_true: Any,
        y_score: Any,
        name: str = "precision_recall",
        *,
        pos_label: Any = None,
        sample_weight: Any = None,
        drop_intermediate: bool = False,
        title: str | None = None,
        step: int | None = None,
    ) -> None:
        """Log precision over recall, with ``average_precision`` and the line of ``no_skill``.

        Args:
            y_true: As for `log_roc_curve`.
            y_score: The same.
            name: What to call it.
            pos_label: As for `log_roc_curve`.
            sample_weight: The same.
            drop_intermediate: Whether to keep only the first and last point of each recall.
            title: What stands above it.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: No curve can be made of these; nothing was logged.
            GittrackError: numpy is not installed.
        """

        def make() -> Plot:
            from gittrack.runs import plots

            options = _options(pos_label, sample_weight, drop_intermediate=drop_intermediate)
            return plots.precision_recall(y_true, y_score, title=title, options=options)

        self._log_plot(name, step, title, make)

    def log_det(
        self,
        y_true: Any,
        y_score: Any,
        name: str = "det",
        *,
        pos_label: Any = None,
        sample_weight: Any = None,
        drop_intermediate: bool = False,
        title: str | None = None,
        step: int | None = None,
    ) -> None:
        """Log a detection error trade-off: false negatives over false positives.

        Args:
            y_true: As for `log_roc_curve`.
            y_score: The same.
            name: What to call it.
            pos_label: As for `log_roc_curve`.
            sample_weight: The same.
            drop_intermediate: Whether to keep only the first and last point of each false negative rate.
            title: What stands above it.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: No curve can be made of these; nothing was logged.
            GittrackError: numpy is not installed.
        """

        def make() -> Plot:
            from gittrack.runs import plots

            options = _options(pos_label, sample_weight, drop_intermediate=drop_intermediate)
            return plots.det_curve(y_true, y_score, title=title, options=options)

        self._log_plot(name, step, title, make)

    def log_calibration(
        self,
        y_true: Any,
        y_prob: Any,
        name: str = "calibration",
        *,
        n_bins: int = 5,
        strategy: Strategy = "uniform",
        pos_label: Any = None,
        title: str | None = None,
        step: int | None = None,
    ) -> None:
        """Log how often what is predicted with a probability comes true, with ``expected_calibration_error``.

        Args:
            y_true: The true labels, of two classes.
            y_prob: The probability of the positive class for each, from 0 to 1.
            name: What to call it.
            n_bins: How many bins to sort the probabilities into.
            strategy: ``uniform`` for bins of one width, ``quantile`` for bins of as many samples each.
            pos_label: As for `log_roc_curve`.
            title: What stands above it.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: No curve can be made of these; nothing was logged.
            GittrackError: numpy is not installed.
        """

        def make() -> Plot:
            from gittrack.runs import plots

            return plots.calibration(y_true, y_prob, n_bins=n_bins, strategy=strategy, pos_label=pos_label, title=title)

        self._log_plot(name, step, title, make)

    def log_line(
        self,
        name: str,
        y: Any,
        x: Any = None,
        *,
        title: str | None = None,
        x_label: str | None = None,
        y_label: str | None = None,
        step: int | None = None,
    ) -> None:
        """Log one line, or several.

        Args:
            name: What to call it.
            y: Numbers; or a mapping of the lines' names to theirs.
            x: The values along the horizontal axis; 0, 1, 2… by default.
            title: What stands above it.
            x_label: What stands along the horizontal axis.
            y_label: What stands along the vertical one.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: These are no numbers, or lists of different lengths.
        """

        def make() -> Plot:
            from gittrack.runs import plots

            return plots.line(x, y, _labels(title, x_label, y_label))

        self._log_plot(name, step, title, make)

    def log_scatter(  # noqa: PLR0913  each is a word of the plot
        self,
        name: str,
        x: Any,
        y: Any,
        z: Any = None,
        *,
        color: Any = None,
        text: Any = None,
        title: str | None = None,
        x_label: str | None = None,
        y_label: str | None = None,
        z_label: str | None = None,
        step: int | None = None,
    ) -> None:
        """Log points in a plane; in space with `z`.

        Args:
            name: What to call it.
            x: A number for each point.
            y: The same.
            z: The same, or None.
            color: A number or a class for each point.
            text: A text for each point.
            title: What stands above it.
            x_label: What stands along the first axis.
            y_label: What stands along the second one.
            z_label: What stands along the third one.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: These are no numbers, or lists of different lengths.
        """

        def make() -> Plot:
            from gittrack.runs import plots

            labels = _labels(title, x_label, y_label, z_label)
            return plots.scatter({"x": x, "y": y, "z": z}, color=color, text=text, labels=labels)

        self._log_plot(name, step, title, make)

    def log_surface(  # noqa: PLR0913  each is a word of the plot
        self,
        name: str,
        z: Any,
        x: Any = None,
        y: Any = None,
        *,
        title: str | None = None,
        x_label: str | None = None,
        y_label: str | None = None,
        z_label: str | None = None,
        step: int | None = None,
    ) -> None:
        """Log a surface over a grid.

        Args:
            name: What to call it.
            z: The heights: a matrix with one row for each y and one column for each x.
            x: The values along the columns; 0, 1, 2… by default.
            y: The values along the rows; the same.
            title: What stands above it.
            x_label: What stands along the first axis.
            y_label: What stands along the second one.
            z_label: What stands along the third one.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: These are no numbers, or no grid.
        """

        def make() -> Plot:
            from gittrack.runs import plots

            return plots.surface(z, x, y, _labels(title, x_label, y_label, z_label))

        self._log_plot(name, step, title, make)

    def log_vector(
        self,
        name: str,
        axes: Mapping[str, Any] | Sequence[Any],
        *,
        title: str | None = None,
        x_label: str | None = None,
        y_label: str | None = None,
        z_label: str | None = None,
        step: int | None = None,
    ) -> None:
        """Log arrows in a plane or in space, or one vector of numbers.

        Args:
            name: What to call it.
            axes: Numbers for each arrow: where it begins, ``x`` and ``y`` (and ``z``), and where it points from there,
                ``u`` and ``v`` (and ``w``). Or a sequence or array of arrows: each as ``(u, v)`` from the origin, as
                ``(x, y, u, v)``, or in space as ``(u, v, w)`` or ``(x, y, z, u, v, w)``. A sequence of numbers is
                one vector, drawn as bars.
            title: What stands above it.
            x_label: What stands along the first axis.
            y_label: What stands along the second one.
            z_label: What stands along the third one.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: These are no numbers, lists of different lengths, or an axis is missing.
        """

        def make() -> Plot:
            from gittrack.runs import plots

            return plots.vector(axes, _labels(title, x_label, y_label, z_label))

        self._log_plot(name, step, title, make)

    def log_histogram(
        self,
        name: str,
        values: Any,
        bins: int = 64,
        *,
        edges: Any = None,
        title: str | None = None,
        x_label: str | None = None,
        step: int | None = None,
    ) -> None:
        """Log how many values fall into which range.

        Args:
            name: What to call it.
            values: Numbers; what is not finite is counted apart.
            bins: How many ranges of one width.
            edges: The borders of the ranges, one more than there are `values`; these are then counts.
            title: What stands above it.
            x_label: What stands along the horizontal axis.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: These are no numbers, or none of them is finite.
        """

        def make() -> Plot:
            from gittrack.runs import plots

            flat = values.ravel() if edges is None and hasattr(values, "ravel") else values
            return plots.histogram(flat, bins, edges, _labels(title, x_label, "count"))

        self._log_plot(name, step, title, make)

    def log_table(
        self,
        name: str,
        data: Any,
        columns: Sequence[str] | None = None,
        *,
        title: str | None = None,
        step: int | None = None,
    ) -> None:
        """Log a table.

        Args:
            name: What to call it.
            data: A list of dicts, a list of rows, a mapping of columns, a DataFrame or an array.
            columns: The columns' names, where rows have none.
            title: What stands above it.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: The data is of a wrong type, or its rows or columns have different lengths.
        """

        def make() -> Plot:
            from gittrack.runs import plots

            return plots.table(data, columns, title)

        self._log_plot(name, step, title, make)

    def log_figure(
        self,
        name: str,
        figure: Any,
        *,
        format: Literal["png", "svg"] = "png",  # noqa: A002  matplotlib's word
        title: str | None = None,
        step: int | None = None,
    ) -> None:
        """Log a figure of matplotlib, as an image, or of plotly, as its data and layout.

        Args:
            name: What to call it.
            figure: The figure, which stays open; for plotly also a dict with ``data`` and ``layout``.
            format: What a figure of matplotlib is written as.
            title: What stands above it.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: It is no figure, or one that cannot be drawn.
        """
        from gittrack.runs import media
        from gittrack.runs.plot_document import Plot
        from gittrack.runs.plot_log import Logged

        log, step = self._open_plot_log(name, step), self._plot_step(step)
        if log is None:
            return
        if format not in {"png", "svg"}:
            raise InvalidValueError(f"unknown format {format!r}", hint='use "png" or "svg"')
        if media.is_matplotlib(figure):
            content = media.draw_matplotlib(figure, format)
            suffix = f".{format}"
            log.add(Logged(_checked(name), "figure", suffix, media.IMAGE_TYPES[suffix], content, step, title))
            return
        specification = media.plotly_specification(figure)
        if specification is None:
            raise media.InvalidFigureError(
                f"a figure must be of matplotlib or plotly, not {type(figure).__name__}",
                hint="log_image takes arrays and images",
            )
        self._log_plot(name, step, title, lambda: Plot("figure", {}, specification))

    def log_image(self, name: str, value: Any, step: int | None = None, *, title: str | None = None) -> None:
        """Log an image.

        Args:
            name: What to call it.
            value: The path of an image, an image of pillow, a figure of matplotlib, or an array or tensor of pixels: of
                shape (height, width), (height, width, channels) or (channels, height, width); integers from 0 to 255,
                numbers from 0 to 1, or booleans.
            step: The step it belongs to; the run's by default, where the script counts steps.
            title: What stands above it.

        Raises:
            InvalidValueError: It is something else.
            FileNotFoundError: There is no file at the path.
        """
        from gittrack.runs.media import read_image
        from gittrack.runs.plot_log import Logged

        log, step = self._open_plot_log(name, step), self._plot_step(step)
        if log is not None:
            image = read_image(value)
            log.add(Logged(_checked(name), "image", image.suffix, image.media_type, image.content, step, title))

    def log_text(self, name: str, text: str, step: int | None = None, *, title: str | None = None) -> None:
        """Log a text, such as what a model wrote.

        Args:
            name: What to call it.
            text: The text.
            step: The step it belongs to; the run's by default, where the script counts steps.
            title: What stands above it.

        Raises:
            InvalidValueError: It is no text.
        """
        from gittrack.runs.plot_log import Logged

        if not isinstance(text, str):
            raise InvalidValueError(f"a text must be a string, not {type(text).__name__}")
        log, step = self._open_plot_log(name, step), self._plot_step(step)
        if log is not None:
            content = clean_text(str.__str__(text)).encode()
            log.add(Logged(_checked(name), "text", ".txt", "text/plain; charset=utf-8", content, step, title))

    def log_file(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        media_type: str | None = None,
        *,
        step: int | None = None,
    ) -> None:
        """Log a small file as it is now, such as a page or a list; `log_artifact` is for models and data.

        Args:
            path: The file; ``~`` is the home folder.
            name: What to call it; the file's name by default.
            media_type: The kind of its content; by default what its suffix says.
            step: The step it belongs to; the run's by default, where the script counts steps.

        Raises:
            InvalidValueError: An argument has a wrong type.
            FileNotFoundError: There is no file at the path.
        """
        self._log_file("file", path, name, media_type, self._plot_step(step))

    def log_code(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        """Log a file of code that is not in the repository; what is there is recorded with every run.

        Args:
            path: The file.
            name: What to call it; the file's name by default.

        Raises:
            InvalidValueError: An argument has a wrong type.
            FileNotFoundError: There is no file at the path.
        """
        self._log_file("code", path, name, None, None)

    def log_input(self, name: str, value: Any, media_type: str | None = None) -> None:
        """Log a value that went in, such as the URI of a data set; `use_artifact` is for files.

        Args:
            name: What to call it.
            value: Any plain value.
            media_type: The kind of what it names.

        Raises:
            InvalidValueError: The value has no plain form.
        """
        self._log_value("input", name, value, media_type)

    def log_output(self, name: str, value: Any, media_type: str | None = None) -> None:
        """Log a value that came out, such as the URI of a service; `log_artifact` is for files.

        Args:
            name: What to call it.
            value: Any plain value.
            media_type: The kind of what it names.

        Raises:
            InvalidValueError: The value has no plain form.
        """
        self._log_value("output", name, value, media_type)

    def _log_plot(self, name: str, step: int | None, title: str | None, make: Callable[[], Plot]) -> None:
        """Make a plot of the step, or of the run's, and keep it."""
        self._keep_plot(name, self._plot_step(step), title, make)

    def _keep_plot(self, name: str, step: int | None, title: str | None, make: Callable[[], Plot]) -> None:
        """Make a plot and keep it; where nothing is recorded, it is not even made."""
        log = self._open_plot_log(name, step)
        if title is not None and not isinstance(title, str):
            raise InvalidValueError(f"a title must be a string, not {type(title).__name__}")
        if log is None:
            return
        from gittrack.runs.plot_document import MEDIA_TYPE, SUFFIX, pack_plot
        from gittrack.runs.plot_log import Logged

        plot = make()
        content = pack_plot(plot, _checked(name), step)
        log.add(Logged(_checked(name), plot.kind, SUFFIX, MEDIA_TYPE, content, step, title, plot.values))

    def _log_file(
        self, kind: str, path: str | os.PathLike[str], name: str | None, media_type: str | None, step: int | None
    ) -> None:
        from gittrack.runs.plot_log import Logged, suffix_and_type

        if not isinstance(path, (str, os.PathLike)):
            raise InvalidValueError(f"a path must be a string or a path, not {type(path).__name__}")
        if media_type is not None and not isinstance(media_type, str):
            raise InvalidValueError(f"a media type must be a string, not {type(media_type).__name__}")
        text = os.path.expanduser(os.fspath(path))  # noqa: PTH111  a text
        name = os.path.basename(text) if name is None else name  # noqa: PTH119  a text
        log = self._open_plot_log(name, step)
        if os.path.isdir(text):  # noqa: PTH112  a text
            raise InvalidValueError(f"'{path}' is a folder", hint="log_artifact takes folders")
        if not os.path.isfile(text):  # noqa: PTH113  a text
            raise FileNotFoundError(2, "there is no such file", text)
        if log is not None:
            suffix, guessed = suffix_and_type(text)
            log.add(Logged(_checked(name), kind, suffix, media_type or guessed, text, step))

    def _log_image_file(self, name: str, path: os.PathLike[str], *, is_cached: bool) -> None:
        """Log an image that `Live` has written; in the cache where it is there as an artifact, too."""
        from gittrack.runs.plot_log import Logged, suffix_and_type

        log = self._open_plot_log(name, None)
        if log is not None:
            text = os.fspath(path)
            log.add(Logged(name, "image", *suffix_and_type(text), text, is_cached=is_cached))

    def _log_value(self, kind: str, name: str, value: Any, media_type: str | None) -> None:
        from gittrack.runs.plot_document import Plot

        values = {"value": to_plain(value, name=name if isinstance(name, str) else kind)}
        if media_type is not None:
            values["media_type"] = to_plain(media_type, name="media_type")
        self._keep_plot(name, None, None, lambda: Plot(kind, {}, {}, values))

    def _open_plot_log(self, name: str, step: int | None) -> PlotLog | None:
        """Check what all methods have in common, and return what keeps plots; None where nothing is recorded."""
        _checked(name)
        if step is not None and (isinstance(step, bool) or not isinstance(step, int)):
            raise InvalidValueError(f"a step must be an integer, not {step!r}")
        return self._plot_log()

    def _plot_step(self, step: int | None) -> int | None:
        """Return the step that a plot belongs to: the run's, where the script counts steps and names none."""
        raise NotImplementedError

    def _plot_log(self) -> PlotLog | None:
        raise NotImplementedError


def _checked(name: Any) -> str:
    """Return the name of a plot, in characters that UTF-8 can hold."""
    if not isinstance(name, str):
        raise InvalidValueError(f"the name of a plot must be a str, not {type(name).__name__}")
    if not name:
        raise InvalidValueError("the name of a plot must not be empty")
    if len(name) > _MAX_NAME:
        raise InvalidValueError(f"the name of a plot must not be longer than {_MAX_NAME} characters, not {len(name):,}")
    return clean_text(str.__str__(name))


def _labels(title: str | None, x: str | None = None, y: str | None = None, z: str | None = None) -> Labels:
    from gittrack.figures import Labels

    for what, text in (("title", title), ("x_label", x), ("y_label", y), ("z_label", z)):
        if text is not None and not isinstance(text, str):
            raise InvalidValueError(f"'{what}' must be a string, not {type(text).__name__}")
    return Labels(title, x, y, z)


def _options(pos_label: Any, sample_weight: Any, *, drop_intermediate: bool) -> dict[str, Any]:
    return {"pos_label": pos_label, "sample_weight": sample_weight, "drop_intermediate": drop_intermediate}
