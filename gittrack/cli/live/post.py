"""`gittrack live post`: tell a receiver of one event."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gittrack.cli.options import current_terminal, documented
from gittrack.errors import GittrackError, UsageError
from gittrack.live.post import Event, deliver_event
from gittrack.live.target import Wishes, find_target
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_IMAGES = (".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp")
_MAX_BYTES = 64 << 20


@documented(
    example=(
        'gittrack live post start --name brave-fox --message "a deeper net" --params params.yaml\n'
        "gittrack live post data --name brave-fox --step 3 --metrics metrics.json --plot loss.tsv --plot sample.png\n"
        "gittrack live post done --name brave-fox --experiment brave-fox"
    ),
    exit_codes={0: "the receiver answered 200", 1: "nothing was sent, or the receiver did not take it"},
)
@click.argument("event", type=click.Choice(["start", "data", "done", "interrupt", "failed"]))
@click.option("-n", "--name", metavar="NAME", required=True, help="The experiment's name.")
@click.option(
    "--baseline", metavar="REV", default="HEAD", show_default=True, help="The commit that the experiment starts from."
)
@click.option("--step", type=int, help="The step of the training; data needs one.")
@click.option("--metrics", "metrics", metavar="FILE", multiple=True, help="A file of metrics; may be repeated.")
@click.option("--params", "params", metavar="FILE", multiple=True, help="A file of params; may be repeated.")
@click.option(
    "--plot",
    "plots",
    metavar="FILE",
    multiple=True,
    help="Datapoints (.tsv, .csv, or a JSON list of objects) or an image, to send with data; may be repeated.",
)
@click.option("-m", "--message", metavar="TEXT", help="What it is about, at the start; why, when it failed.")
@click.option("--experiment", metavar="REV", help="The experiment's commit or name, when it is done.")
@click.option("--subdir", metavar="PATH", help="The project's folder in the repository, at the start.")
@click.option("--client", metavar="TEXT", default="gittrack", show_default=True, help="Which program tells of it.")
@click.option("--url", metavar="URL", help="The receiver, instead of the one that is set.")
@click.option("--repo-url", metavar="URL", help="The repository's URL, instead of the remote's.")
def command(  # noqa: PLR0913  one argument per option
    *,
    event: str,
    name: str,
    baseline: str,
    step: int | None,
    metrics: tuple[str, ...],
    params: tuple[str, ...],
    plots: tuple[str, ...],
    message: str | None,
    experiment: str | None,
    subdir: str | None,
    client: str,
    url: str | None,
    repo_url: str | None,
) -> None:
    """Tell a receiver of one event in an experiment's life.

    Scripts of any language can so be watched while they train. A script that uses gittrack.Run need not: runs post
    themselves where a receiver is set up. The token is that of GITTRACK_TOKEN, DVC_STUDIO_TOKEN or the git setting
    gittrack.token. Files are named to the receiver by their paths from the top of the repository.
    """
    from gittrack.api_live import current_surroundings
    from gittrack.cli.options import current_repository
    from gittrack.experiments.resolve import resolve_commit

    if event == "data" and step is None:
        raise UsageError("data needs the step it belongs to", hint="add --step N")
    repository = current_repository()
    told = Event(
        event,
        resolve_commit(repository, baseline),
        name,
        client,
        experiment_rev=_find_experiment(repository, experiment) if experiment else None,
        message=message,
        metrics={_key(repository, path): {"data": _read_values(path)} for path in metrics},
        params={_key(repository, path): _read_values(path) for path in params},
        plots={_key(repository, path): _read_plot(path) for path in plots},
        step=step,
        subdir=subdir,
    )
    target = find_target(Wishes(url, repo_url=repo_url), current_surroundings())
    deliver_event(told, target)
    current_terminal().note(sanitise(f"posted {event} of {name}"))


def _find_experiment(repository: Repository, text: str) -> str:
    from gittrack.experiments.resolve import resolve, resolve_commit
    from gittrack.experiments.store import ExperimentMissingError

    try:
        return resolve(repository, text).commit
    except ExperimentMissingError:
        return resolve_commit(repository, text)


def _key(repository: Repository, path: str) -> str:
    """Return a file's path from the top of the repository."""
    top = os.path.realpath(repository.work_tree or Path.cwd())
    relative = os.path.relpath(os.path.realpath(path), top)
    return Path(path).name if relative.startswith("..") else Path(relative).as_posix()


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise GittrackError(f"cannot read '{path}': {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise GittrackError(f"'{path}' is larger than {_MAX_BYTES >> 20} MiB")
    return data


def _read_values(path: str) -> dict[str, Any]:
    from gittrack.experiments.declared import DeclaredFileError, parse_document

    try:
        return parse_document(path, _read(path))
    except DeclaredFileError as error:
        raise GittrackError(f"'{path}' cannot be posted: {error.message}", hint=error.hint) from error


def _read_plot(path: str) -> dict[str, Any]:
    """Return a plot of the protocol from a file."""
    suffix = Path(path).suffix.lower()
    data = _read(path)
    if suffix in _IMAGES:
        return {"image": data}
    try:
        text = data.decode("utf-8-sig")
        points = json.loads(text) if suffix == ".json" else _read_table(text, "," if suffix == ".csv" else "\t")
    except (ValueError, RecursionError) as error:
        raise GittrackError(f"'{path}' holds no datapoints: {error}") from error
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise GittrackError(f"'{path}' holds no datapoints", hint="write a JSON list of objects, or a table")
    return {"data": points}


def _read_table(text: str, delimiter: str) -> list[dict[str, Any]]:
    import csv
    import io

    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [{key: _value(cell) for key, cell in row.items() if key is not None} for row in rows]


def _value(cell: str | None) -> str | int | float | None:
    if cell is None:
        return None
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell
