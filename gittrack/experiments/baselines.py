"""What a table shows of a plain commit: its time and subject, and the params and metrics that its files declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.experiments.summaries import Summary
from gittrack.git.batch import read_many, read_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gittrack.experiments.declared import DeclaredValues
    from gittrack.git.batch import GitObject
    from gittrack.git.repository import Repository

# What says which files are declared, and the files that are by default.
_DECLARATIONS = ("gittrack.yaml", "dvc.yaml")
_USUAL_FILES = (*_DECLARATIONS, "params.yaml", "metrics.json", "dvclive/params.yaml", "dvclive/metrics.json")
_MAX_FILE_BYTES = 4 << 20


class _Found(NamedTuple):
    """The commit object of a baseline and those of its files that were read."""

    commit: bytes
    files: dict[str, GitObject | None]


def read_baselines(repository: Repository, commits: Sequence[str]) -> Iterator[Summary]:
    """Yield the summary of each commit that is in the repository, through two processes of git.

    Args:
        repository: The repository.
        commits: Full ids of commits.
    """
    found = _read_usual(repository, commits)
    if not found:
        return
    _read_declared_files(repository, found)
    # In a partial clone a file that is absent may only be far away.
    is_final = not any((repository.common_dir / "objects" / "pack").glob("*.promisor"))
    known: dict[tuple[tuple[str, str], ...], DeclaredValues] = {}
    for commit, (data, files) in found.items():
        time, subject = parse_commit(data)
        key = tuple((path, blob.oid) for path, blob in files.items() if blob is not None)
        if key not in known:
            known[key] = _values(repository, commit, files)
        values = known[key]
        attributes = (time, subject, list(values.problems) or None)
        yield Summary(commit, attributes, values.metrics, values.params, is_final or bool(key))


def parse_commit(data: bytes) -> tuple[float, str]:
    r"""Return the time (UTC epoch seconds) and the subject line of a commit object.

    Args:
        data: Its content.

    Example:
        >>> parse_commit(b"tree 12\ncommitter A <a@b> 1700000000 +0100\n\nAdd a model\n\nBecause.\n")
        (1700000000.0, 'Add a model')
    """
    head, _, message = data.partition(b"\n\n")
    headers = dict(line.partition(b" ")[::2] for line in head.split(b"\n"))
    words = headers.get(b"committer", b"").rsplit(b" ", 2)
    time = float(words[-2]) if len(words) > 1 and words[-2].isdigit() else 0.0
    subject = message.lstrip(b"\n").partition(b"\n")[0]
    encoding = headers.get(b"encoding", b"utf-8").decode("ascii", "replace")
    try:
        return time, subject.decode(encoding, "replace").strip()
    except LookupError:
        return time, subject.decode("utf-8", "replace").strip()


def _read_usual(repository: Repository, commits: Sequence[str]) -> dict[str, _Found]:
    """Read each commit and the files that most repositories have; commits that are not here are left out."""
    specs = [spec for commit in commits for spec in (commit, *(f"{commit}:{path}" for path in _USUAL_FILES))]
    objects = read_many(repository, specs, max_bytes=_MAX_FILE_BYTES)
    found: dict[str, _Found] = {}
    for commit in commits:
        one = next(objects)
        files = {path: next(objects) for path in _USUAL_FILES}
        if one is not None and one.kind == "commit" and one.data is not None:
            found[commit] = _Found(one.data, files)
    return found


def _read_declared_files(repository: Repository, found: dict[str, _Found]) -> None:
    """Read the further files that baselines declare, all at once."""
    missing: list[tuple[dict[str, GitObject | None], str]] = []
    specs: list[str] = []
    for commit, (_, files) in found.items():
        if not any(files[path] for path in _DECLARATIONS):
            continue
        from gittrack.experiments.declared import declared_files

        declared = declared_files(lambda path, files=files: _content(files.get(path)))  # type: ignore[misc]
        for path in dict.fromkeys((*declared.params, *declared.metrics)):
            if path not in files and "\n" not in path:
                missing.append((files, path))
                specs.append(f"{commit}:{path}")
    objects = read_many(repository, specs, max_bytes=_MAX_FILE_BYTES)
    for (files, path), blob in zip(missing, objects, strict=True):
        files[path] = blob


def _values(repository: Repository, commit: str, files: dict[str, GitObject | None]) -> Any:
    """Return the declared values of a baseline; yaml is imported only where it has a file to parse."""
    if not any(files.values()):
        return _Nothing()
    from gittrack.experiments.declared import read_declared

    return read_declared(_reader(repository, commit, files))


def _reader(repository: Repository, commit: str, files: dict[str, GitObject | None]) -> Callable[[str], bytes | None]:
    def read(path: str) -> bytes | None:
        if path not in files:
            files[path] = None if "\n" in path else read_one(repository, f"{commit}:{path}", max_bytes=_MAX_FILE_BYTES)
        return _content(files[path])

    return read


def _content(blob: GitObject | None) -> bytes | None:
    return blob.data if blob is not None and blob.kind == "blob" else None


class _Nothing(NamedTuple):
    """The values of a commit without any declared file."""

    params: dict[str, Any] = {}  # noqa: RUF012  never changed
    metrics: dict[str, Any] = {}  # noqa: RUF012  never changed
    problems: tuple[str, ...] = ()
