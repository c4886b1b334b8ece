"""Read many objects through one ``git cat-file --batch``: the fastest reader of any repository.

It knows packs, alternates, every hash and every extension, and it follows ``<commit>:<path>`` by itself. Contents
above a limit are passed over without being held in memory.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from typing import IO, TYPE_CHECKING, NamedTuple

from gittrack.git.process import GitError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from gittrack.git.repository import Repository

_CHUNK_BYTES = 1 << 20
_N_HEADER_WORDS = 3
# git ends at an object that a partial clone left out, and at a path such as `../x`, instead of calling it missing.
_GIVES_UP = ("promisor remote", "outside repository")


class GitObject(NamedTuple):
    """An object as ``cat-file`` gives it.

    Attributes:
        oid: Its id in hex.
        kind: ``blob``, ``tree``, ``commit`` or ``tag``.
        size: Its size in bytes.
        data: Its content; None when it is larger than the limit of the call.
    """

    oid: str
    kind: str
    size: int
    data: bytes | None


def read_many(repository: Repository, specs: Sequence[str], *, max_bytes: int = 64 << 20) -> Iterator[GitObject | None]:
    """Yield the object of each name, in order; None where there is none.

    Nothing is fetched: in a partial clone, a blob that is not here counts as absent.

    Args:
        repository: The repository.
        specs: Object names such as ``<id>`` or ``<commit>:<path>``; one with a line break in it names nothing.
        max_bytes: Larger contents are passed over.

    Raises:
        GitError: git ended before it answered everything.
    """
    n_read = 0
    while n_read < len(specs):
        with contextlib.closing(_read_batch(repository, specs[n_read:], max_bytes)) as batch:
            for found in batch:
                n_read += 1
                yield found
        if n_read < len(specs):
            _check_answer(repository, specs[n_read])
            n_read += 1
            yield None


def read_one(repository: Repository, spec: str, *, max_bytes: int = 64 << 20) -> GitObject | None:
    """Return one object by name, or None; see `read_many`."""
    return next(read_many(repository, [spec], max_bytes=max_bytes))


def _read_batch(repository: Repository, specs: Sequence[str], max_bytes: int) -> Generator[GitObject | None]:
    """Yield the objects of names until git ends, which may be early."""
    names = [_encode(spec) for spec in specs]
    process = repository.git.popen("cat-file", "--batch", "--buffer", stdin=subprocess.PIPE)
    if process.stdin is None or process.stdout is None:  # pragma: no cover  both are pipes
        raise RuntimeError("no pipes")
    feeder = threading.Thread(target=_feed, args=(process.stdin, names), daemon=True)
    feeder.start()
    try:
        for spec in specs:
            header = process.stdout.readline()
            if not header:
                return
            yield _read_one(process.stdout, header, spec, max_bytes)
    finally:
        process.stdout.close()
        process.kill()
        process.wait()
        feeder.join()


def _encode(spec: str) -> bytes:
    """Return a name as one line of input; an empty line, for which there is no object, where it cannot be one."""
    if "\n" in spec or "\0" in spec:
        return b""  # it would make two questions of one name, and each later answer another name's; or cut the name
    try:
        return spec.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return b""


def _feed(pipe: IO[bytes], names: Iterable[bytes]) -> None:
    """Write all names from a thread of its own, so that neither side can fill a pipe and wait for ever."""
    try:
        with pipe:
            pipe.write(b"".join(name + b"\n" for name in names))
    except BrokenPipeError:
        pass  # the reader stopped early


def _read_one(pipe: IO[bytes], header: bytes, spec: str, max_bytes: int) -> GitObject | None:
    words = header.split()
    if len(words) != _N_HEADER_WORDS or not words[2].isdigit():  # "<spec> missing", "… ambiguous"
        return None
    size = int(words[2])
    oid, kind = words[0].decode(), words[1].decode()
    if size > max_bytes:
        n_bytes, data = _skip(pipe, size + 1), None
    else:
        content = pipe.read(size + 1)
        n_bytes, data = len(content), content[:-1]
    if n_bytes != size + 1:
        raise GitError(f"git cat-file ended in the middle of '{spec}'", returncode=1, stderr="")
    return GitObject(oid, kind, size, data)


def _skip(pipe: IO[bytes], n_bytes: int) -> int:
    """Read and drop bytes; return how many there were."""
    n_left = n_bytes
    while n_left > 0:
        chunk = pipe.read(min(n_left, _CHUNK_BYTES))
        if not chunk:
            break
        n_left -= len(chunk)
    return n_bytes - n_left


def _check_answer(repository: Repository, spec: str) -> None:
    """Raise unless git has no object for a name for a reason that is no fault of the repository."""
    completed = repository.git.run("cat-file", "-e", "--end-of-options", spec, check=False)
    if not any(reason in completed.stderr for reason in _GIVES_UP):
        reason = f": {completed.stderr.strip()}" if completed.stderr else ""
        message = f"git cat-file ended before it answered for '{spec}'{reason}"
        raise GitError(message, returncode=completed.returncode, stderr=completed.stderr)
