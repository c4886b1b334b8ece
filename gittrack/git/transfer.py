"""Fetch and push refs: one process and one connection of git for any number of them.

git does the work, with the user's own credentials and settings. Refs that travel are named here and nowhere else:
never a tag, a branch or a submodule by the way. What git says is scrubbed of credentials.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from typing import IO, TYPE_CHECKING, Literal, NamedTuple

from gittrack.git.process import Completed, failure, scrub
from gittrack.git.remotes import strip_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gittrack.git.repository import Repository

PushStatus = Literal["created", "moved", "removed", "same", "rejected"]

_CHUNK_BYTES = 1 << 12
_FLAGS: dict[str, PushStatus] = {" ": "moved", "+": "moved", "*": "created", "-": "removed", "=": "same"}
_N_FIELDS = 3
# Lines between the progress: the table of refs, and the address.
_TABLE = re.compile(r" |From |To |Done$")
_FETCH = (
    "fetch",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-auto-maintenance",
    "--no-show-forced-updates",
    # A partial clone would leave out the files that say what an experiment is.
    "--no-filter",
)
_PUSH = ("push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no")


class Access(NamedTuple):
    """How a transfer may talk to the person.

    Attributes:
        may_prompt: Whether git may ask for a user name or password on the terminal.
        on_progress: Takes git's progress, piece by piece, each ending with a carriage return or a newline.
    """

    may_prompt: bool = False
    on_progress: Callable[[str], None] | None = None


QUIET = Access()


class PushedRef(NamedTuple):
    """What became of one ref in a push.

    Attributes:
        ref: Its full name on the remote.
        status: ``created``, ``moved``, ``removed``, ``same`` (nothing to do) or ``rejected``.
        reason: git's words, such as ``[rejected] (fetch first)``.
    """

    ref: str
    status: PushStatus
    reason: str


class Push(NamedTuple):
    """The result of a push.

    Attributes:
        refs: What became of each ref.
        remarks: What the remote said beside it, one line each.
    """

    refs: list[PushedRef]
    remarks: list[str]


def fetch_refs(
    repository: Repository,
    remote: str,
    refspecs: Sequence[str],
    *,
    prune: bool = False,
    depth: int | None = None,
    access: Access = QUIET,
    meanwhile: Callable[[], object] | None = None,
) -> None:
    """Fetch refs into the namespace that the refspecs name; FETCH_HEAD, tags and branches stay as they are.

    Args:
        repository: The repository.
        remote: The name of a remote.
        refspecs: What to fetch, such as ``+refs/a/*:refs/b/*``, or object ids.
        prune: Whether refs that the remote no longer has are removed on the receiving side of the refspecs.
        depth: How many commits of each history are fetched; all by default.
        access: How git may talk to the person.
        meanwhile: Something to do while git works.

    Raises:
        GitError: The transfer failed; refs that had arrived stay, and the next call continues.
    """
    loudness = "--progress" if access.on_progress else "--quiet"
    cut = [f"--depth={depth}"] if depth is not None else []
    arguments = [*_FETCH, *cut, "--prune" if prune else "--no-prune", loudness, "--stdin", "--", remote]
    completed = _run(repository, arguments, access, "".join(f"{refspec}\n" for refspec in refspecs), meanwhile)
    if completed.returncode:
        raise failure(("fetch",), completed, hint=_advice(remote))


def push_refs(
    repository: Repository,
    remote: str,
    refspecs: Sequence[str],
    *,
    leases: Mapping[str, str | None] | None = None,
    dry_run: bool = False,
    thin: bool = True,
    access: Access = QUIET,
) -> Push:
    """Push refs in one connection, each for itself: one that is rejected does not hold up the others.

    Nothing is forced: git sends no ref that is not a descendant of what the remote has, and the remote takes it only if
    the ref still is what it told at the start of the connection. A lease adds what the ref must be at that start.

    Args:
        repository: The repository.
        remote: The name of a remote.
        refspecs: What to push: ``<source>:<ref>``, ``<namespace>/*:<namespace>/*``, or ``:<ref>`` to remove it.
        leases: What refs must be on the remote, by name; None for one that must not exist. Only for refs that are
            created or removed: git would force one that moves. Each costs a comparison with every ref of the push.
        dry_run: Whether to ask the remote but send nothing.
        thin: Whether git may look for what the remote has to build upon; not where that is known and not here.
        access: How git may talk to the person.

    Raises:
        GitError: The transfer failed; nothing says what became of the refs, and the next call continues.
    """
    held = [f"--force-with-lease={ref}:{oid or ''}" for ref, oid in (leases or {}).items()]
    loudness = "--progress" if access.on_progress else "--no-progress"
    options = [*(["--dry-run"] if dry_run else []), *([] if thin else ["--no-thin"])]
    arguments = [*_PUSH, loudness, *options, *held, "--", remote, *refspecs]
    completed = _run(repository, arguments, access)
    refs = _parse_porcelain(completed.stdout.decode("utf-8", "surrogateescape"))
    was_cut = any(ref.reason.startswith("[remote failure]") for ref in refs)
    if completed.returncode and (was_cut or not any(ref.status == "rejected" for ref in refs)):
        raise failure(("push",), completed, hint=_advice(remote))
    said = [
        line.removeprefix("remote:").strip() for line in completed.stderr.splitlines() if line.startswith("remote:")
    ]
    return Push(refs, [line for line in said if line])


def list_remote_refs(
    repository: Repository, remote: str, patterns: Sequence[str], *, access: Access = QUIET
) -> dict[str, str]:
    """Return refs of a remote with their object ids, without fetching anything.

    Args:
        repository: The repository.
        remote: The name of a remote.
        patterns: Full names, where ``*`` stands for any characters.
        access: How git may talk to the person.

    Raises:
        GitError: The remote cannot be reached.
    """
    completed = _run(repository, ["ls-remote", "--refs", "--quiet", "--", remote, *patterns], access)
    if completed.returncode:
        raise failure(("ls-remote",), completed, hint=_advice(remote))
    lines = completed.stdout.decode("utf-8", "surrogateescape").splitlines()
    return {ref: oid for oid, _, ref in (line.partition("\t") for line in lines)}


def _advice(remote: str) -> str:
    return f"see whether git itself gets an answer: git ls-remote {strip_credentials(remote)}"


def _run(
    repository: Repository,
    arguments: Sequence[str],
    access: Access,
    text: str | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> Completed:
    process = repository.git.popen(
        *arguments,
        stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"GIT_TERMINAL_PROMPT": "1"} if access.may_prompt else None,
    )
    said: list[str] = []
    if process.stdout is None or process.stderr is None:  # pragma: no cover  both are pipes
        raise RuntimeError("no pipes")
    listener = threading.Thread(target=_listen, args=(process.stderr, said, access.on_progress), daemon=True)
    listener.start()
    try:
        if process.stdin is not None:
            _feed(process.stdin, text or "")
        if meanwhile is not None:
            meanwhile()
        stdout = process.stdout.read()
        process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        listener.join()
        process.stdout.close()
        process.stderr.close()
    return Completed(stdout, "\n".join(said), process.returncode)


def _feed(pipe: IO[bytes], text: str) -> None:
    try:
        with pipe:
            pipe.write(text.encode("utf-8", "surrogateescape"))
    except BrokenPipeError:
        pass  # git ended early and says why


def _listen(pipe: IO[bytes], said: list[str], on_progress: Callable[[str], None] | None) -> None:
    """Keep what git says, line by line, and hand on its progress."""
    rest = ""
    while chunk := os.read(pipe.fileno(), _CHUNK_BYTES):
        *pieces, rest = re.split(r"(?<=[\r\n])", rest + chunk.decode("utf-8", "replace"))
        for piece in map(scrub, pieces):
            if on_progress is not None and not _TABLE.match(piece):
                on_progress(piece)
            if piece.endswith("\n"):
                said.append(piece.rstrip())
    if rest:
        said.append(scrub(rest.rstrip()))


def _parse_porcelain(text: str) -> list[PushedRef]:
    """Read ``git push --porcelain``: a flag, ``<from>:<to>`` and a summary, between tabs."""
    fields = [line.split("\t") for line in text.splitlines()]
    return [
        PushedRef(names.rpartition(":")[2], _FLAGS.get(flag, "rejected"), summary)
        for flag, names, summary in (entry for entry in fields if len(entry) == _N_FIELDS)
    ]
