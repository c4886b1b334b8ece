"""The images, histograms, curves and texts of TensorBoard's plugins.

Each stands in the summary in the form of its first version, a message of its own (`summary.proto`: ``Image``,
``HistogramProto``), or in that of today, a tensor that the plugin's name explains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gittrack import figures
from gittrack.figures import Labels
from gittrack.importers import protobuf, tensor
from gittrack.importers.plots import histogram
from gittrack.runs.plot_document import Plot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gittrack.importers.plots import PlotBuilder
    from gittrack.importers.protobuf import Fields
    from gittrack.values import PlainValue

_IMAGE, _HISTOGRAM, _TENSOR = 4, 5, 8
_NOT_SHOWN = frozenset({"", "scalars", "hparams", "custom_scalars"})
_N_SIZES = 2  # an image tensor begins with width and height, as texts
_N_BUCKET_COLUMNS, _N_CURVE_ROWS = 3, 6
_Value = TypeVar("_Value", str, bytes)
_DIAGONAL = [0.0, 1.0]


def take_plugin(plots: PlotBuilder, plugin: str, tag: str, value: Fields, when: tuple[int, float]) -> None:
    """Take a value of a summary that is no scalar.

    Args:
        plots: Where what it shows goes.
        plugin: The plugin that its first value named; empty when none did.
        tag: Its name.
        value: A message ``Summary.Value``.
        when: The step, and the time in UTC epoch seconds.

    Raises:
        MalformedMessageError: A part of it is no message.
    """
    step, time = when
    held = protobuf.message(value, _TENSOR)
    if _IMAGE in value:
        plots.add_image(tag, protobuf.raw(protobuf.message(value, _IMAGE), 4), step, time)
    elif _HISTOGRAM in value:
        buckets = protobuf.message(value, _HISTOGRAM)
        plots.add_plot(tag, lambda: _old_histogram(tag, buckets), step, time)
    elif plugin == "images":
        for name, data in _numbered(tag, tensor.encoded(held)[_N_SIZES:]):
            plots.add_image(name, data, step, time)
    elif plugin == "text":
        for name, text in _numbered(tag.removesuffix("/text_summary"), tensor.strings(held)):
            plots.add_text(name, text, step, time)
    elif plugin == "histograms":
        plots.add_plot(tag, lambda: _histogram(tag, tensor.rows(held)), step, time)
    elif plugin == "pr_curves":
        plots.add_plot(tag, lambda: _pr_curve(tensor.rows(held)), step, time)
    elif plugin not in _NOT_SHOWN:
        plots.leave_out(f"value of the plugin {plugin[:50]!r}, which only the event files have")


def _numbered(name: str, values: Sequence[_Value]) -> list[tuple[str, _Value]]:
    """Return names for values, the name itself when there is one only."""
    return [(name if len(values) == 1 else f"{name}/{number}", value) for number, value in enumerate(values)]


def _old_histogram(tag: str, buckets: Fields) -> Plot:
    low, high, count, total = (protobuf.double(buckets, number) or 0.0 for number in (1, 2, 3, 4))
    limits, counts = (
        [one for data in buckets.get(number, ()) if isinstance(data, bytes) for one in tensor.unpack_numbers("d", data)]
        for number in (6, 7)
    )
    # a bucket ends at its limit and begins at that of the one before; the first and last may be as wide as all numbers
    filled = [place for place, number in enumerate(counts) if number]
    first, last = filled[0], filled[-1]
    inner = [min(max(limit, low), high) for limit in limits[first:last]]
    more: dict[str, PlainValue] = {"min": low, "max": high}
    if count:
        more["mean"] = total / count
    return histogram(counts[first : last + 1], [low, *inner, high], tag, more)


def _histogram(tag: str, rows: Sequence[Sequence[float]]) -> Plot:
    if not rows or len(rows[0]) != _N_BUCKET_COLUMNS:
        raise ValueError("no buckets")
    return histogram([row[2] for row in rows], [rows[0][0], *(row[1] for row in rows)], tag, {})


def _pr_curve(rows: Sequence[Sequence[float]]) -> Plot:
    """Return precision over recall at rising thresholds from 0 to 1, with the counts that TensorBoard keeps."""
    if len(rows) != _N_CURVE_ROWS:
        raise ValueError("no curve")
    names = ("true_positives", "false_positives", "true_negatives", "false_negatives", "precision", "recall")
    columns = {name: list(row) for name, row in zip(names, rows, strict=True)}
    n_points = len(rows[0])
    columns["threshold"] = [place / max(n_points - 1, 1) for place in range(n_points)]
    labels = Labels("Precision and recall", "recall", "precision")
    precision, recall = columns["precision"], columns["recall"]
    positives, total = rows[0][0] + rows[3][0], sum(row[0] for row in rows[:4])
    no_skill = positives / total if total else 0.0
    line = (_DIAGONAL, [no_skill, no_skill], "no skill")
    figure = figures.curve_figure(recall, precision, "precision", labels, line)
    return Plot("precision_recall", columns, figure, {"no_skill": no_skill})
