"""What a run's events say of artifacts, as an experiment's record has it."""

from __future__ import annotations

import contextlib
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from gittrack.experiments.artifact_files import InvalidEntryError, latest_entries, parse_entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gittrack.experiments.artifact_files import ArtifactEntry


def read_lineage(events: Iterable[tuple[str, Any]]) -> dict[str, tuple[ArtifactEntry, ...]]:
    """Return artifacts, inputs and outputs of a run, by the names of a record's fields.

    A line that is damaged is passed over. An input that is named twice counts once, and an output that the run also
    logged is an artifact already.

    Args:
        events: Kinds (``artifact``, ``input``, ``output``) and data, in the order in which they were recorded.
    """
    found: dict[str, list[ArtifactEntry]] = {"artifact": [], "input": [], "output": []}
    for kind, data in events:
        with contextlib.suppress(InvalidEntryError):
            found[kind].append(parse_entry(data))
    artifacts = [entry for _, entry in sorted(((one.time or 0.0, one) for one in found["artifact"]), key=itemgetter(0))]
    logged = {(entry.path, entry.digest) for entry in latest_entries(artifacts).values()}
    inputs = {(entry.path, entry.digest): entry for entry in reversed(found["input"])}
    outputs = {entry.path: entry for entry in found["output"] if (entry.path, entry.digest) not in logged}
    return {
        "artifacts": tuple(artifacts),
        "inputs": tuple(reversed(inputs.values())),
        "outputs": tuple(outputs.values()),
    }
