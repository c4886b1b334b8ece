"""One experiment in full: what `gittrack exp show NAME` writes."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.cli.cells import render_age, render_moment, render_number
from gittrack.cli.exp.show import write_lines
from gittrack.cli.render_data import render_json
from gittrack.cli.render_pairs import Section, render_sections
from gittrack.cli.render_plot import render_series_plot
from gittrack.errors import UsageError
from gittrack.experiments.format import FOLDER, Record, render_entries, render_meta, render_plots
from gittrack.experiments.plot_files import latest_plots
from gittrack.experiments.resolve import resolve
from gittrack.experiments.series import parse_series, summarise
from gittrack.experiments.store import ExperimentMissingError, read_record
from gittrack.experiments.table import param_order
from gittrack.runs.active import list_active
from gittrack.runs.finish import build_record
from gittrack.values import load_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gittrack.cli.exp.show import ShowOptions
    from gittrack.cli.terminal import Terminal
    from gittrack.experiments.artifact_files import ArtifactEntry
    from gittrack.experiments.format import Meta
    from gittrack.experiments.names import ExperimentRef
    from gittrack.experiments.plot_files import PlotEntry
    from gittrack.experiments.series import Series
    from gittrack.git.repository import Repository
    from gittrack.runs.active import ActiveRun

_N_PLOTS = 6
_N_LOGGED_PLOTS = 30
_PLOT_HEIGHT = 8
_MAX_PLOT_WIDTH = 100
_N_LEFT_OUT_SHOWN = 10
_SHORT_ID = 7
_SHORT_DIGEST = 12
_STATUS_STYLES = {"completed": "green", "failed": "red", "killed": "magenta", "running": "yellow", "stale": "yellow"}


class _Experiment(NamedTuple):
    """All there is to show.

    Attributes:
        label: Its name, with the remote where it is from one.
        ref: The full name of its ref; None before its first commit.
        commit: Its commit; None before the first.
        record: What it holds.
        series: The points of its metrics.
    """

    label: str
    ref: str | None
    commit: str | None
    record: Record
    series: Mapping[str, Series]


def show_one(repository: Repository, terminal: Terminal, text: str, options: ShowOptions) -> int:
    """Write one experiment in full and return the exit code.

    Args:
        repository: The repository.
        terminal: Where to.
        text: What the person wrote for the experiment.
        options: The command line.

    Raises:
        UsageError: The output format is one for tables.
        GittrackError: There is no such experiment, or it cannot be read.
    """
    experiment = _read(repository, text)
    if options.output_format == "json":
        terminal.echo(render_json(_document(experiment)))
        return 0
    if options.output_format is not None:
        raise UsageError(
            f"--{options.output_format} writes tables; one experiment can be written as --json",
            hint=f"gittrack exp show --{options.output_format} for all experiments",
        )
    sections = list(_sections(experiment, options.precision))
    lines = [_title(terminal, experiment), ""]
    lines += render_sections(sections, width=terminal.width, colour=terminal.colour, precision=options.precision)
    lines += _plots(terminal, experiment)
    lines += _access(terminal, experiment)
    write_lines(terminal, lines, is_paged=not options.no_pager)
    return 0


def _read(repository: Repository, text: str) -> _Experiment:
    """Return what is recorded, and what a run under way has logged since."""
    active = list_active(repository)
    try:
        tip = resolve(repository, text)
    except ExperimentMissingError:
        run = next((run for run in active if run.meta.name == text), None)
        if run is None:
            raise
        return _with_live(_Experiment(text, None, None, Record(run.meta), {}), run)
    record = read_record(repository, tip.commit)
    series = parse_series(record.series) if record.series else {}
    experiment = _Experiment(tip.experiment.label, tip.experiment.ref, tip.commit, record, series)
    run = next((run for run in active if _is_run_of(repository, run, tip.experiment)), None)
    return experiment if run is None else _with_live(experiment, run)


def _is_run_of(repository: Repository, run: ActiveRun, experiment: ExperimentRef) -> bool:
    identity = (run.meta.baseline or repository.zero_id, run.meta.name, None)
    return identity == (experiment.baseline, experiment.name, experiment.remote)


def _with_live(experiment: _Experiment, run: ActiveRun) -> _Experiment:
    contents = run.folder.read_journals()
    series = {**experiment.series, **contents.series}
    logged, before = build_record(run.meta, contents), experiment.record
    record = Record(
        meta=run.meta,
        params={**experiment.record.params, **run.params},
        metrics={**experiment.record.metrics, **logged.metrics, **summarise(series, logged.metrics)},
        requirements=before.requirements,
        artifacts=before.artifacts + logged.artifacts,
        inputs=before.inputs + logged.inputs,
        outputs=before.outputs + logged.outputs,
        plots=latest_plots(before.plots + logged.plots),
    )
    return experiment._replace(record=record, series=series)


def _title(terminal: Terminal, experiment: _Experiment) -> str:
    from gittrack.cli.terminal import sanitise

    meta = experiment.record.meta
    status = terminal.style(meta.status, _STATUS_STYLES.get(meta.status, "bold"))
    message = f": {sanitise(meta.message)}" if meta.message else ""
    return f"{terminal.style(sanitise(experiment.label), 'bold')}  {status}{message}"


def _sections(experiment: _Experiment, precision: int) -> Iterator[Section]:
    meta, record = experiment.record.meta, experiment.record
    yield Section("", tuple(_about(meta)))
    yield Section("code", tuple(_code(experiment)))
    yield Section("environment", tuple(_environment(record)))
    yield Section("params", tuple((name, record.params[name]) for name in sorted(record.params, key=param_order)))
    yield Section("metrics", tuple(_metrics(record, precision)))
    if record.artifacts or record.outputs:
        from gittrack.experiments.artifact_files import latest_entries

        made = (*latest_entries(record.artifacts).values(), *record.outputs)
        yield Section("artifacts", tuple(map(_artifact, made)))
    yield Section("inputs", tuple(map(_artifact, record.inputs)))
    if record.plots:
        yield Section("plots", tuple(_logged_plots(record.plots)))


def _about(meta: Meta) -> Iterator[tuple[str, object]]:
    now_s = time.time()
    yield "started", f"{render_moment(meta.started)} ({render_age(meta.started, now_s)})"
    if meta.ended is not None:
        yield "ended", render_moment(meta.ended)
    duration_s = meta.duration_s if meta.duration_s is not None or meta.ended else now_s - meta.started
    if duration_s is not None:
        yield "duration", _duration(duration_s)
    for key in ("description", "author", "host", "group", "parent_run", "exit_code"):
        value = getattr(meta, key)
        if value is not None:
            yield key.replace("_", " "), value
    if meta.command:
        import shlex

        yield "command", shlex.join(map(str, meta.command))
    if meta.directory:
        yield "directory", meta.directory
    if meta.peak_memory_bytes is not None:
        yield "peak memory", f"{meta.peak_memory_bytes / (1 << 20):.0f} MiB"
    yield from ((f"tag {key}", value) for key, value in sorted(meta.tags.items()))
    yield from (("note", note) for note in meta.notes)
    yield from ((f"alert {alert.get('level', '')}".strip(), _alert(alert)) for alert in meta.alerts)
    yield from (("problem", problem) for problem in meta.problems)


def _alert(alert: Mapping[str, Any]) -> str:
    parts = (alert.get("title"), alert.get("text"))
    return ": ".join(str(part) for part in parts if part)


def _code(experiment: _Experiment) -> Iterator[tuple[str, object]]:
    meta = experiment.record.meta
    if experiment.commit is not None:
        yield "commit", experiment.commit
    yield "baseline", meta.baseline or "none: before the first commit"
    state = "with uncommitted changes" if meta.dirty else "as committed"
    yield "branch", f"{meta.branch or 'detached HEAD'}, {state}"
    if meta.operation is not None:
        yield "during", meta.operation
    if meta.remote_url is not None:
        yield "remote", meta.remote_url
    if meta.landed:
        yield "landed in", ", ".join(str(commit)[:_SHORT_ID] for commit in meta.landed)
    for one in meta.left_out[:_N_LEFT_OUT_SHOWN]:
        yield "left out", f"{one.get('path')} ({one.get('reason')})"
    if len(meta.left_out) > _N_LEFT_OUT_SHOWN:
        yield "left out", f"and {len(meta.left_out) - _N_LEFT_OUT_SHOWN} more (see --json)"


def _environment(record: Record) -> Iterator[tuple[str, object]]:
    yield from ((str(key), value) for key, value in record.meta.environment.items())
    if record.requirements:
        yield "packages", len(record.requirements.splitlines())


def _metrics(record: Record, precision: int) -> Iterator[tuple[str, object]]:
    for name, summary in sorted(record.metrics.items()):
        text = render_number(summary.last, precision)
        if summary.count > 1:
            low, high = (render_number(number, precision) for number in (summary.min, summary.max))
            text = f"{text}  (min {low}, max {high}, {summary.count} points, step {summary.step})"
        yield name, text


def _artifact(entry: ArtifactEntry) -> tuple[str, object]:
    from gittrack.cli.byte_progress import render_size

    words = [entry.type, render_size(entry.size), f"b3:{entry.digest[:_SHORT_DIGEST]}", entry.desc]
    return entry.path + ("/" if entry.kind == "dir" else ""), "  ".join(word for word in words if word)


def _logged_plots(plots: Sequence[PlotEntry]) -> Iterator[tuple[str, object]]:
    """Say what was logged to look at, each name once."""
    from gittrack.cli.exp.plots import describe_values

    last = {entry.name: entry for entry in plots}
    n_steps = Counter(entry.name for entry in plots)
    for name, entry in list(last.items())[:_N_LOGGED_PLOTS]:
        steps = f"{n_steps[name]} steps" if n_steps[name] > 1 else ""
        yield name, "  ".join(word for word in (entry.kind, steps, describe_values(entry.values)) if word)
    if len(last) > _N_LOGGED_PLOTS:
        yield "…", f"and {len(last) - _N_LOGGED_PLOTS} more (see gittrack exp plots)"


def _plots(terminal: Terminal, experiment: _Experiment) -> Iterator[str]:
    drawn = {name: points for name, points in sorted(experiment.series.items()) if len(points.steps) > 1}
    for name, points in list(drawn.items())[:_N_PLOTS]:
        yield ""
        yield from render_series_plot(
            name,
            [(experiment.label, points.steps, points.values)],
            width=min(terminal.width or _MAX_PLOT_WIDTH, _MAX_PLOT_WIDTH),
            height=_PLOT_HEIGHT,
            colour=terminal.colour,
            unicode=terminal.unicode,
        ).splitlines()
    if len(drawn) > _N_PLOTS:
        yield ""
        yield terminal.style(f"{len(drawn) - _N_PLOTS} more series (see --json)", "dim")


def _access(terminal: Terminal, experiment: _Experiment) -> Iterator[str]:
    """Say how git itself shows what was recorded."""
    if experiment.ref is not None:
        yield ""
        yield terminal.style(f"git show {experiment.ref}:{FOLDER}/metrics.json", "dim")
        if experiment.record.meta.baseline:
            baseline = experiment.record.meta.baseline[:_SHORT_ID]
            yield terminal.style(f"git diff {baseline} {experiment.ref} -- ':!{FOLDER}'", "dim")


def _document(experiment: _Experiment) -> dict[str, Any]:
    """Return everything as plain data: the description as its file has it, then values and series."""
    meta: Any = load_json(render_meta(experiment.record.meta).decode())
    record = experiment.record
    return {
        "experiment": experiment.label,
        "ref": experiment.ref,
        "commit": experiment.commit,
        **meta,
        "params": dict(record.params),
        "metrics": {
            name: {"last": one.last, "min": one.min, "max": one.max, "count": one.count, "step": one.step}
            for name, one in sorted(record.metrics.items())
        },
        "series": {
            name: {"steps": points.steps, "times": points.times, "values": points.values}
            for name, points in sorted(experiment.series.items())
        },
        **{
            name: load_json(render_entries(entries).decode())
            for name, entries in (
                ("artifacts", record.artifacts),
                ("inputs", record.inputs),
                ("outputs", record.outputs),
            )
            if entries
        },
        **({"plots": load_json(render_plots(record.plots))} if record.plots else {}),
    }


def _duration(seconds: float) -> str:
    """Return a duration for reading.

    Example:
        >>> _duration(0.5), _duration(75), _duration(7384)
        ('0.5 s', '1 min 15 s', '2 h 3 min')
    """
    minutes, rest_s = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest_s:.0f} s" if minutes else f"{rest_s:.3g} s"
