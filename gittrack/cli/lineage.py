"""`gittrack lineage`: which experiments made an artifact, and which used it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gittrack.cli.byte_progress import render_size
from gittrack.cli.exp.show import close_dead_runs, write_lines
from gittrack.cli.options import current_repository, current_terminal, documented
from gittrack.errors import GittrackError
from gittrack.visible import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.cli.terminal import Terminal
    from gittrack.experiments.lineage import Lineage, Lineages, Mention, Trace, Version
    from gittrack.experiments.names import ExperimentRef
    from gittrack.git.repository import Repository

_SHORT_ID, _SHORT_DIGEST = 7, 12
_EXAMPLE = """\
gittrack lineage data/train.csv
gittrack lineage brave-otter
gittrack lineage b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262 --json
"""


class UnknownSubjectError(GittrackError):
    """A text names neither an artifact nor an experiment."""


class _Subject(NamedTuple):
    """What is asked about: content, or an experiment.

    Attributes:
        label: How it is called.
        digest: Of the content; None for an experiment.
        experiment: The experiment; None for content.
    """

    label: str
    digest: str | None = None
    experiment: ExperimentRef | None = None


@documented(example=_EXAMPLE)
@click.argument("subject", metavar="PATH|DIGEST|EXPERIMENT")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, subject: str, as_json: bool) -> int:
    """Show which experiments made an artifact and which used it.

    PATH is a file or folder, tracked or not, or one that an experiment logged; DIGEST is 'b3:' and 64 hex digits. Of an
    EXPERIMENT its inputs are shown with their makers, and its outputs with their users; where a path has the same name,
    write NAME@BASELINE.

    Artifacts are the same when their content is, whatever they are called. 'logged' and 'used' is what a run said by
    log_artifact and use_artifact; 'made' is an artifact whose pointer changed while a command ran or since the
    baseline; 'tracked' is one that the code of the experiment has a pointer to.
    """
    from gittrack.experiments.index import Index
    from gittrack.experiments.lineage import list_lineages

    repository, terminal = current_repository(), current_terminal()
    close_dead_runs(repository)
    index = Index(repository)
    try:
        lineages = list_lineages(repository, index)
    finally:
        index.close()
    asked = _find(repository, lineages, subject)
    if asked.experiment is not None:
        lineage = lineages.known[asked.experiment]
        document = _experiment_document(asked.experiment, lineage, lineages)
        lines = _experiment_lines(terminal, asked.experiment, lineage, lineages)
    else:
        trace = lineages.trace(asked.digest or "")
        document = {"artifact": asked.label, **_trace_document(trace)}
        lines = _trace_lines(terminal, asked.label, trace)
    if as_json:
        from gittrack.cli.render_data import render_json

        terminal.echo(render_json(document))
    else:
        write_lines(terminal, list(lines), is_paged=True)
    return 0


def _find(repository: Repository, lineages: Lineages, text: str) -> _Subject:
    """Return what a person means: content by its digest, a path here, an experiment, a path that one logged."""
    from gittrack.artifacts.digest import PREFIX, parse_digest
    from gittrack.experiments.resolve import resolve
    from gittrack.experiments.store import ExperimentMissingError

    if text.startswith(PREFIX):
        return _Subject(text, digest=parse_digest(text))
    digest = _digest_here(repository, text)
    if digest is not None:
        return _Subject(text.removesuffix("/").removesuffix(".gittrack"), digest=digest)
    try:
        tip = resolve(repository, text)
    except ExperimentMissingError as error:
        made = lineages.find(_path_in_repository(repository, text))
        if made:
            return _Subject(f"{made[0].version.path} of {made[0].experiment.label}", digest=made[0].version.digest)
        raise UnknownSubjectError(
            f"{text!r} is no path, no experiment, and nothing that an experiment logged", hint=error.hint
        ) from None
    if tip.experiment not in lineages.known:  # one of a remote that is the same as a local one
        same = [one for one in lineages.known if (one.baseline, one.name) == tip.experiment[:2]]
        return _Subject(text, experiment=same[0])
    return _Subject(text, experiment=tip.experiment)


def _digest_here(repository: Repository, text: str) -> str | None:
    """Return the digest of what stands at a path, or of what its pointer says when nothing does."""
    from gittrack.artifacts.holding import Holder, Room
    from gittrack.artifacts.pointer import SUFFIX
    from gittrack.workspace.add import repository_path
    from gittrack.workspace.held import hash_held
    from gittrack.workspace.pointers import read_workspace_pointer
    from gittrack.workspace.workspace import Workspace

    path = text.removesuffix("/").removesuffix(SUFFIX)
    with Workspace.open(repository) as workspace:
        if os.path.lexists(path):
            # Nothing is held: it is read at once.
            holder = Holder(Room(0, 0), repository.scratch_root / "none", workspace.cache)
            holding = holder.hold(os.path.abspath(path))  # noqa: PTH100  a link is kept
            try:
                return hash_held(holding, workspace.cache, workspace.stats).digest
            finally:
                holding.close()
        if os.path.lexists(path + SUFFIX) and repository.work_tree is not None:
            pointer = read_workspace_pointer(repository, repository_path(repository, path, Path.cwd()))
            return None if pointer is None else pointer.digest
    return None


def _path_in_repository(repository: Repository, text: str) -> str:
    from gittrack.paths import InvalidPathError
    from gittrack.workspace.add import repository_path

    try:
        return repository_path(repository, text, Path.cwd())
    except GittrackError as error:
        if not isinstance(error, InvalidPathError) and repository.work_tree is not None:
            raise
        return text


def _trace_lines(terminal: Terminal, label: str, trace: Trace) -> Iterator[str]:
    yield f"{terminal.style(sanitise(label), 'bold')}  {_facts(trace)}"
    sides = (("made by", trace.makers), ("used by", trace.users))
    for position, (title, mentions) in enumerate(sides):
        is_last = position == len(sides) - 1
        yield _branch(terminal, is_last=is_last) + title + ("" if mentions else ": no experiment")
        yield from _mention_lines(terminal, mentions, "   " if is_last else _bar(terminal))


def _experiment_lines(
    terminal: Terminal, experiment: ExperimentRef, lineage: Lineage, lineages: Lineages
) -> Iterator[str]:
    yield terminal.style(sanitise(_label(experiment)), "bold")
    if lineage.problem is not None:
        yield f"it cannot be read: {sanitise(lineage.problem)}"
    for title, versions in (("inputs", lineage.inputs), ("outputs", lineage.outputs)):
        if versions:
            yield ""
            yield terminal.style(title, "bold")
        for version in _latest(versions):
            yield f"  {sanitise(version.path)}  {_version_facts(version)}"
            mentions = _others(experiment, lineages.trace(version.digest), is_input=title == "inputs")
            yield from _mention_lines(terminal, mentions, "  ", "made by " if title == "inputs" else "used by ")
    if not (lineage.inputs or lineage.outputs or lineage.problem):
        yield "it has no artifacts"


def _mention_lines(terminal: Terminal, mentions: list[Mention], indent: str, verb: str = "") -> Iterator[str]:
    for position, (experiment, version) in enumerate(mentions):
        branch = _branch(terminal, is_last=position == len(mentions) - 1)
        path = f"  as {sanitise(version.path)}" if not verb else ""
        yield f"{indent}{branch}{verb}{sanitise(_label(experiment))}  {version.how}{path}"


def _latest(versions: tuple[Version, ...]) -> list[Version]:
    """Return each content of each path once."""
    return list({(one.path, one.digest): one for one in versions}.values())


def _others(experiment: ExperimentRef, trace: Trace, *, is_input: bool) -> list[Mention]:
    mentions = trace.makers if is_input else trace.users
    return [mention for mention in mentions if mention.experiment != experiment]


def _facts(trace: Trace) -> str:
    mentions = [*trace.makers, *trace.users]
    size = f"{render_size(mentions[0].version.size)}  " if mentions else ""
    return f"{size}b3:{trace.digest[:_SHORT_DIGEST]}"


def _version_facts(version: Version) -> str:
    return f"{render_size(version.size)}  b3:{version.digest[:_SHORT_DIGEST]}  {version.how}"


def _label(experiment: ExperimentRef) -> str:
    return f"{experiment.label}@{experiment.baseline[:_SHORT_ID]}"


def _branch(terminal: Terminal, *, is_last: bool) -> str:
    if terminal.unicode:
        return "└─ " if is_last else "├─ "
    return "`- " if is_last else "|- "


def _bar(terminal: Terminal) -> str:
    return "│  " if terminal.unicode else "|  "


def _trace_document(trace: Trace) -> dict[str, Any]:
    return {
        "digest": f"b3:{trace.digest}",
        "made_by": [_mention_document(mention) for mention in trace.makers],
        "used_by": [_mention_document(mention) for mention in trace.users],
    }


def _mention_document(mention: Mention) -> dict[str, Any]:
    experiment, version = mention
    return {
        "experiment": experiment.label,
        "baseline": experiment.baseline,
        "ref": experiment.ref,
        "path": version.path,
        "how": version.how,
    }


def _experiment_document(experiment: ExperimentRef, lineage: Lineage, lineages: Lineages) -> dict[str, Any]:
    def entries(versions: tuple[Version, ...], *, is_input: bool) -> list[dict[str, Any]]:
        return [
            {
                "path": one.path,
                "kind": one.kind,
                "size": one.size,
                "digest": f"b3:{one.digest}",
                "how": one.how,
                "made_by" if is_input else "used_by": [
                    _mention_document(mention)
                    for mention in _others(experiment, lineages.trace(one.digest), is_input=is_input)
                ],
            }
            for one in _latest(versions)
        ]

    return {
        "experiment": experiment.label,
        "baseline": experiment.baseline,
        "ref": experiment.ref,
        "problem": lineage.problem,
        "inputs": entries(lineage.inputs, is_input=True),
        "outputs": entries(lineage.outputs, is_input=False),
    }
