"""One event of an experiment's life, and the bodies of the requests that tell it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.live.schema import EVENT_TYPES, GIT_IDS, find_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gittrack.live.schema import Dialect, Problem

MAX_MESSAGE_LENGTH = 72  # characters, as in the title of a commit
# DVC Studio refuses bodies above 30 MB, plots above 10 MB, and more than 200 plots in a folder.
MAX_REQUEST_BYTES = 29_000_000
MAX_PLOT_BYTES = 10_000_000
MAX_PLOTS = 200
_SOME_ARE_LEFT = "Some plots will not be sent."


class UnsendableEventError(GittrackError):
    """The event breaks the protocol, so it is not sent.

    Attributes:
        problems: Where its body breaks the schema; empty when it is something else.
        body: That body.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        problems: Sequence[Problem] = (),
        body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems
        self.body = body


class Event(NamedTuple):
    """One event, as `gittrack.post_live_metrics` gets it.

    Attributes:
        event_type: ``start``, ``data`` or ``done``.
        baseline_sha: The commit from which the experiment starts.
        name: Its name, unique under the baseline.
        client: Which program tells of it.
        experiment_rev: The experiment's commit; told when done.
        machine: What is known of the machine.
        message: What the experiment is about; told at the start.
        metrics: Files of metrics, each with ``data`` or ``error``.
        params: Files of params with their values.
        plots: Files of plots, each with ``data`` (a list of mappings) or ``image`` (base64).
        step: The training's step.
        subdir: The project's folder in the repository; told at the start.
        errors: What went wrong: ``cls`` and ``text``.
        env: Anything else.
    """

    event_type: Any
    baseline_sha: Any
    name: Any
    client: Any
    experiment_rev: Any = None
    machine: Any = None
    message: Any = None
    metrics: Any = None
    params: Any = None
    plots: Any = None
    step: Any = None
    subdir: Any = None
    errors: Any = None
    env: Any = None


def build_body(event: Event, repo_url: str, dialect: Dialect = GIT_IDS) -> dict[str, Any]:
    """Return the body that tells an event, all of it in one.

    Args:
        event: The event. Of its values those that belong to another type of event, and empty ones, are left out.
        repo_url: The repository's URL.
        dialect: Which commit ids are taken.

    Raises:
        UnsendableEventError: It breaks the protocol; the message names each place.
    """
    body: dict[str, Any] = {
        "type": event.event_type,
        "repo_url": repo_url,
        "baseline_sha": event.baseline_sha,
        "name": event.name,
        "client": event.client,
    }
    for key in ("params", "metrics", "machine", "errors", "env"):
        if value := getattr(event, key):
            body[key] = value
    if event.event_type not in EVENT_TYPES:
        raise UnsendableEventError(f"Invalid event_type: {event.event_type}", hint=f"use {', '.join(EVENT_TYPES)}")
    if event.event_type == "data" and event.step is None:
        raise UnsendableEventError("a data event needs its step")
    body.update(_own_fields(event))
    problems = find_problems(body, dialect)
    if problems:
        raise UnsendableEventError("; ".join(map(str, problems)), problems=problems, body=body)
    return body


def split_body(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the requests in which a body fits within the limits: all but plots first, then plots without the rest.

    Datapoints that are too many for one plot are sent in several requests, of which each adds to the plot.

    Args:
        body: A body that keeps to the protocol.

    Raises:
        UnsendableEventError: One image, or one datapoint, is larger than any request may be.
    """
    plots = body.get("plots")
    if body.get("type") != "data" or plots is None:
        yield dict(body)
        return
    head = {key: value for key, value in body.items() if key != "plots"}
    yield head
    rest = {key: value for key, value in head.items() if key not in {"metrics", "params"}}
    chosen: dict[str, Any] = {}
    n_bytes = 0
    for name, plot in plots.items():
        for part, size in _parts(name, plot):
            if chosen and (name in chosen or len(chosen) == MAX_PLOTS or n_bytes + size > MAX_REQUEST_BYTES):
                yield {**rest, "plots": chosen}
                chosen, n_bytes = {}, 0
            chosen[name] = part
            n_bytes += size
    if chosen:
        yield {**rest, "plots": chosen}


class ChosenPlots(NamedTuple):
    """What of many plots is sent, by the rules of DVC Studio's client.

    Attributes:
        plots: Those that are.
        omissions: What is not, and why, in the words of that client.
    """

    plots: dict[str, Any]
    omissions: list[str]


def choose_plots(plots: Mapping[str, Any]) -> ChosenPlots:
    """Return the plots that fit into one request: the first ones, but for those that are too large.

    Args:
        plots: Plots of the protocol.
    """
    chosen: dict[str, Any] = {}
    omissions: list[str] = []
    n_bytes = 0
    for number, (name, plot) in enumerate(plots.items()):
        if number >= MAX_PLOTS:
            omissions.append(f"Number of plots exceeds Studio limit ({MAX_PLOTS}). {_SOME_ARE_LEFT}")
            break
        size = plot_bytes(plot)
        if size > MAX_PLOT_BYTES:
            omissions.append(f"Size of plot exceeds Studio limit ({MAX_PLOT_BYTES}). {name} will not be sent.")
            continue
        n_bytes += size
        if n_bytes > MAX_REQUEST_BYTES:
            omissions.append(f"Total size of plots exceeds Studio limit ({MAX_REQUEST_BYTES}). {_SOME_ARE_LEFT}")
            break
        chosen[name] = plot
    return ChosenPlots(chosen, omissions)


def plot_bytes(plot: Mapping[str, Any]) -> int:
    """Return how many bytes of a request a plot takes, in the way in which DVC Studio counts them.

    Args:
        plot: The plot, with ``data``, ``image`` or neither.
    """
    if "data" in plot:
        return len(json.dumps(plot["data"]))  # pure ASCII
    return len(plot.get("image", ""))


def _own_fields(event: Event) -> dict[str, Any]:
    """Return what only events of its type tell."""
    if event.event_type == "start":
        message = event.message
        if isinstance(message, str):
            message = message[:MAX_MESSAGE_LENGTH]
        return {key: value for key, value in (("message", message), ("subdir", event.subdir)) if value}
    if event.event_type == "data":
        return {"step": event.step, **({"plots": event.plots} if event.plots else {})}
    return {"experiment_rev": event.experiment_rev} if event.experiment_rev else {}


def _parts(name: str, plot: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield a plot in parts that are small enough, with their sizes in bytes."""
    size = plot_bytes(plot)
    if size <= MAX_PLOT_BYTES:
        yield dict(plot), size
        return
    points = plot.get("data", [])
    if len(points) <= 1:
        raise UnsendableEventError(f"plot '{name}' takes {size} bytes of at most {MAX_PLOT_BYTES}")
    middle = len(points) // 2
    for half in (points[:middle], points[middle:]):
        yield from _parts(name, {**plot, "data": half})
