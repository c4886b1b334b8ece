"""What differs between two experiments, or an experiment and a commit: params, metrics and code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.errors import GittrackError
from gittrack.experiments.format import FOLDER, MAX_FILE_BYTES, PLOTS_FILE, parse_plots
from gittrack.experiments.plots import last_version
from gittrack.experiments.resolve import UnknownRevisionError, resolve, resolve_commit
from gittrack.experiments.store import ExperimentMissingError, list_tips
from gittrack.experiments.summaries import ATTRIBUTES, BROKEN, read_summaries
from gittrack.experiments.table import MISSING, differs
from gittrack.git.state import read_head

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gittrack.experiments.index import Index
    from gittrack.experiments.lineage import Lineage
    from gittrack.experiments.plot_files import PlotEntry
    from gittrack.experiments.store import Tip
    from gittrack.experiments.summaries import Summary
    from gittrack.git.batch import GitObject
    from gittrack.git.repository import Repository

_STATUS, _STARTED, _PROBLEM = (ATTRIBUTES.index(name) for name in ("status", "started", "problem"))
_SHORT_ID = 7


class NothingToCompareError(GittrackError):
    """There is no experiment, or no commit, to compare with."""


class Side(NamedTuple):
    """One side of a comparison.

    Attributes:
        label: How it is called.
        commit: Its commit; None for the time before the first commit.
        baseline: The baseline of an experiment; None for a plain commit.
        params: Its params.
        metrics: The last value of each metric.
    """

    label: str
    commit: str | None
    baseline: str | None
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]


class Difference(NamedTuple):
    """One param, metric, plot or artifact on two sides.

    Attributes:
        kind: ``param``, ``metric``, ``plot`` (a number that sums one up), or ``artifact``, whose values are digests.
        name: Its name.
        old: Its value on the first side; `MISSING` where it has none.
        new: Its value on the second side; `MISSING` where it has none.
    """

    kind: str
    name: str
    old: Any
    new: Any

    @property
    def delta(self) -> float | None:
        """How much larger the second number is; None when one of them is not a finite number."""
        numbers = (self.old, self.new)
        if not all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in numbers):
            return None
        try:
            delta = self.new - self.old
        except OverflowError:  # an integer beyond the range of floats
            return None
        return delta if delta - delta == 0 else None  # NaN for NaN and the infinities


def read_sides(repository: Repository, texts: tuple[str, ...]) -> tuple[Side, Side]:
    """Return the two sides that a person means.

    Two texts are the two sides. One text is an experiment, compared with its baseline, or a commit, with which the
    newest experiment of HEAD is compared. No text is that newest experiment, compared with its baseline.

    Args:
        repository: The repository.
        texts: At most two, each an experiment or a revision of git.

    Raises:
        NothingToCompareError: HEAD has no experiment.
        ExperimentMissingError: A text is neither an experiment nor a revision.
        AmbiguousNameError: A text fits several experiments.
        GittrackError: An experiment cannot be read.
    """
    sides = [_read_side(repository, text) for text in texts]
    if len(sides) > 1:
        return sides[0], sides[1]
    if sides and sides[0].baseline is None:
        return sides[0], _experiment_side(repository, _newest_of_head(repository))
    new = sides[0] if sides else _experiment_side(repository, _newest_of_head(repository))
    return _baseline_side(repository, new), new


def diff_sides(old: Side, new: Side, *, include_same: bool = False) -> list[Difference]:
    """Return how the metrics, then the params, of two sides differ, each sorted by name.

    Args:
        old: The first side.
        new: The second side.
        include_same: Whether to return those that are equal, too.
    """
    return [
        Difference(kind, name, before.get(name, MISSING), after.get(name, MISSING))
        for kind, before, after in (("metric", old.metrics, new.metrics), ("param", old.params, new.params))
        for name in sorted({*before, *after})
        if include_same or differs(before.get(name, MISSING), after.get(name, MISSING))
    ]


def diff_artifacts(repository: Repository, index: Index, old: Side, new: Side) -> list[Difference]:
    """Return which artifacts two sides have with different content, sorted by path; the values are digests.

    Args:
        repository: The repository.
        index: Its index, which is filled on the way.
        old: The first side.
        new: The second side.
    """
    from gittrack.experiments.lineage import load_lineages

    commits = [side.commit for side in (old, new) if side.commit is not None]
    lineages = load_lineages(repository, index, commits)
    before, after = (_digests(lineages.get(side.commit or "")) for side in (old, new))
    return [
        Difference("artifact", path, before.get(path, MISSING), after.get(path, MISSING))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    ]


def diff_plots(repository: Repository, old: Side, new: Side) -> list[Difference]:
    """Return how the numbers differ that sum up the plots of two sides, such as ``roc.auc``, sorted by name.

    Args:
        repository: The repository.
        old: The first side.
        new: The second side.
    """
    from gittrack.git.batch import read_many

    sides = [side for side in (old, new) if side.commit is not None]
    blobs = read_many(repository, [f"{side.commit}:{FOLDER}/{PLOTS_FILE}" for side in sides], max_bytes=MAX_FILE_BYTES)
    values = {id(side): _plot_values(blob) for side, blob in zip(sides, blobs, strict=True)}
    before, after = (values.get(id(side), {}) for side in (old, new))
    return [
        Difference("plot", name, before.get(name, MISSING), after.get(name, MISSING))
        for name in sorted({*before, *after})
        if differs(before.get(name, MISSING), after.get(name, MISSING))
    ]


def _plot_values(blob: GitObject | None) -> dict[str, Any]:
    """Return the numbers of each plot's last step by the names of both."""
    if blob is None or blob.kind != "blob" or blob.data is None:
        return {}
    versions: dict[str, list[PlotEntry]] = {}
    for plot in parse_plots(blob.data):
        versions.setdefault(plot.name, []).append(plot)
    return {
        f"{name}.{key}": value
        for name, own in versions.items()
        for key, value in last_version(own).values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _digests(lineage: Lineage | None) -> dict[str, str]:
    """Return the digest of each artifact of a side by its path; what it made counts more than what it used."""
    versions = () if lineage is None else (*lineage.inputs, *lineage.outputs)
    return {version.path: f"b3:{version.digest}" for version in versions}


def diff_code(repository: Repository, old: Side, new: Side, *, colour: bool) -> str:
    """Return git's own diff of two sides' code; gittrack's files are left out, no program of the user is run.

    Args:
        repository: The repository.
        old: The first side.
        new: The second side.
        colour: Whether to write ANSI colours.

    Returns:
        The text; bytes that are not UTF-8 are surrogates.

    Raises:
        GitError: git could not compare them.
    """
    trees = [side.commit or _empty_tree(repository) for side in (old, new)]
    completed = repository.git.run(
        "diff",
        "--no-ext-diff",
        "--no-textconv",
        "--submodule=short",
        f"--color={'always' if colour else 'never'}",
        *trees,
        "--",
        f":(top,exclude){FOLDER}",
        env={"GIT_LITERAL_PATHSPECS": "0", "GIT_NO_LAZY_FETCH": "1"},
    )
    return completed.stdout.decode("utf-8", "surrogateescape")


def _read_side(repository: Repository, text: str) -> Side:
    try:
        return _experiment_side(repository, resolve(repository, text))
    except ExperimentMissingError as error:
        try:
            commit = resolve_commit(repository, text)
        except UnknownRevisionError:
            message = f"{text!r} is neither an experiment nor a commit"
            raise ExperimentMissingError(message, hint=error.hint) from None
        return _commit_side(repository, commit, text)


def _experiment_side(repository: Repository, tip: Tip) -> Side:
    summary = next(iter(read_summaries(repository, [tip.commit])))
    if summary.attributes[_STATUS] == BROKEN:
        raise NothingToCompareError(f"{tip.experiment.label!r} cannot be read: {summary.attributes[_PROBLEM]}")
    return Side(tip.experiment.label, tip.commit, tip.experiment.baseline, summary.params, summary.metrics)


def _baseline_side(repository: Repository, side: Side) -> Side:
    if side.baseline is None or side.baseline == repository.zero_id:
        return Side("nothing", None, None, {}, {})
    return _commit_side(repository, side.baseline, side.baseline[:_SHORT_ID])


def _commit_side(repository: Repository, commit: str, label: str) -> Side:
    from gittrack.experiments.baselines import read_baselines

    summaries = list(read_baselines(repository, [commit]))
    if not summaries:
        raise NothingToCompareError(
            f"commit {label} is not in this repository", hint="name two experiments that are: gittrack exp diff A B"
        )
    label = label if commit.startswith(label) else f"{label} ({commit[:_SHORT_ID]})"
    return Side(label, commit, None, summaries[0].params, summaries[0].metrics)


def _newest_of_head(repository: Repository) -> Tip:
    head = read_head(repository).sha or repository.zero_id
    tips = [tip for tip in list_tips(repository) if tip.experiment.baseline == head]
    if not tips:
        raise NothingToCompareError(
            "the current commit has no experiments", hint="name one: gittrack exp diff NAME ('gittrack exp list')"
        )
    summaries = read_summaries(repository, [tip.commit for tip in tips])
    return max(zip(tips, summaries, strict=True), key=_started)[0]


def _started(pair: tuple[Tip, Summary]) -> float:
    return pair[1].attributes[_STARTED] or 0.0


def _empty_tree(repository: Repository) -> str:
    return repository.git.text("hash-object", "-t", "tree", "--stdin")
