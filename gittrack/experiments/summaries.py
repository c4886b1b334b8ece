"""What a table shows of one experiment: its status, times, last metrics and params, read from its commit.

A damaged experiment, or one of a newer format, becomes a summary that says so; it never hides the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gittrack.experiments.format import Meta
    from gittrack.git.batch import GitObject
    from gittrack.git.repository import Repository

# The order in which the index keeps them.
ATTRIBUTES = (
    "status",
    "started",
    "problem",
    "landed",
    "run",
    "parent_run",
    "host",
    "duration",
    "author",
    "branch",
    "dirty",
    "group",
    "tags",
    "message",
    "description",
)
BASELINE_ATTRIBUTES = ("time", "subject", "problems")
BROKEN = "broken"


class Summary(NamedTuple):
    """One row of a table, of an experiment or of a baseline.

    Attributes:
        commit: The commit that says it, 40 or 64 hex.
        attributes: Values in a fixed order: for experiments that of `ATTRIBUTES`, for
            baselines that of `BASELINE_ATTRIBUTES`; None where there is none.
        metrics: The last value of each metric.
        params: The value of each param.
        is_final: Whether the commit can never say anything else; False when objects of it are not here.
    """

    commit: str
    attributes: tuple[Any, ...]
    metrics: Mapping[str, Any]
    params: Mapping[str, Any]
    is_final: bool = True


def read_summaries(repository: Repository, commits: Sequence[str]) -> Iterator[Summary]:
    """Yield the summary of each experiment's commit, in order, through one process of git.

    Args:
        repository: The repository.
        commits: The tips of experiments.
    """
    # Imported here: with a full index nothing is parsed, and the format costs 10 ms to load.
    from gittrack.experiments.format import FOLDER, MAX_FILE_BYTES, META_FILE, METRICS_FILE, PARAMS_FILE
    from gittrack.git.batch import read_many

    names = (META_FILE, PARAMS_FILE, METRICS_FILE)
    specs = [f"{commit}:{FOLDER}/{name}" for commit in commits for name in names]
    found = read_many(repository, specs, max_bytes=MAX_FILE_BYTES)
    for commit, meta, params, metrics in zip(commits, found, found, found, strict=False):
        yield _summary(commit, meta, params, metrics)


def summarise_meta(meta: Meta) -> tuple[Any, ...]:
    """Return the attributes of an experiment's description, in the order of `ATTRIBUTES`.

    Args:
        meta: The description.
    """
    return (
        meta.status,
        meta.started,
        None,
        bool(meta.landed),
        meta.id,
        meta.parent_run,
        meta.host,
        meta.duration_s,
        meta.author,
        meta.branch,
        meta.dirty,
        meta.group,
        dict(meta.tags) or None,
        meta.message,
        meta.description,
    )


def _summary(commit: str, meta: GitObject | None, params: GitObject | None, metrics: GitObject | None) -> Summary:
    from gittrack.experiments.format import FormatError, parse_last_values, parse_meta, parse_params

    if meta is None:
        return _broken(commit, "its commit or its meta.json is not in this repository", is_final=False)
    try:
        return Summary(
            commit,
            summarise_meta(parse_meta(_content(meta))),
            parse_last_values(_content(metrics)),
            parse_params(_content(params)),
        )
    except FormatError as error:
        return _broken(commit, error.message, is_final=True)


def _content(blob: GitObject | None) -> bytes:
    """Return a file's content; an absent one is an empty object.

    Raises:
        FormatError: It is too large, or a folder stands in its place.
    """
    from gittrack.experiments.format import MAX_FILE_BYTES, FormatError

    if blob is None:
        return b"{}"
    if blob.kind != "blob" or blob.data is None:
        raise FormatError(f"a file of it is a folder or larger than {MAX_FILE_BYTES >> 20} MiB")
    return blob.data


def _broken(commit: str, problem: str, *, is_final: bool) -> Summary:
    attributes = (BROKEN, None, problem, *(None for _ in ATTRIBUTES[3:]))
    return Summary(commit, attributes, {}, {}, is_final)
