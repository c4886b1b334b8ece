"""One call or more of every command, with what each may change: the list behind the tests of the whole command line."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from gittrack.cli.entry import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# What a command says that it changes; all else must stay as it is.
WORK_TREE, BRANCHES, SETTINGS, REMOTE = "work tree", "branches", "settings", "remote"


class Call(NamedTuple):
    """A command line.

    Attributes:
        words: The arguments after `gittrack`. The repository has experiments `good`, `odd` and `spare`, a remote
            `team` with the experiment `theirs`, and files that git ignores, `artifact.bin` and `artifacts/a`.
        changes: What the command says that it changes.
        takes_files: Whether it reads or writes files of the work tree through git's filters, as `git add` does.
        code: The exit code where everything is as it should be.
    """

    words: tuple[str, ...]
    changes: frozenset[str] = frozenset()
    takes_files: bool = False
    code: int = 0

    def __str__(self) -> str:
        return " ".join(self.words)


class Output(NamedTuple):
    """What a call of gittrack gave."""

    code: int
    out: str
    err: str


def _calls(*lines: str, changes: str = "", takes_files: bool = False, code: int = 0) -> tuple[Call, ...]:
    may_change = frozenset(changes.split(", ")) if changes else frozenset()
    return tuple(Call(tuple(line.split()), may_change, takes_files, code) for line in lines)


# Commands in an order in which each finds what it needs. A hook is called as git would call it.
CALLS: Mapping[str, tuple[Call, ...]] = {
    "status": _calls("status", "status --json", takes_files=True),  # as `git status`
    "doctor": _calls("doctor", "doctor --json"),
    "exp show": _calls(
        "exp show",
        "exp show --csv",
        "exp show --json",
        "exp show --jsonl",
        "exp show --md",
        "exp show --all-columns",
        "exp show --only-changed",
        "exp show --rev HEAD -n 2 --sort-by acc",
        "exp show odd",
        "exp show odd --json",
    ),
    "exp list": _calls("exp list", "exp list --json", "exp list --names-only", "exp list team", "exp list team --json"),
    "exp diff": _calls(
        "exp diff odd",
        "exp diff good odd --all",
        "exp diff good odd --json",
        "exp diff good odd --md",
        "exp diff good odd --code",
    ),
    "exp artifacts": _calls("exp artifacts odd", "exp artifacts odd --json", "exp artifacts odd --all --csv"),
    "exp plots": _calls("exp plots odd", "exp plots odd --json", "exp plots odd --csv"),
    "exp report": _calls("exp report odd", "exp report odd --md"),
    "lineage": _calls("lineage odd", "lineage odd --json", "lineage train.py", f"lineage b3:{'0' * 64} --json"),
    "fetch": _calls("fetch team", "fetch team --prune"),
    "pull": _calls("pull team", "pull team theirs"),
    "push": _calls("push team --dry-run") + _calls("push team", "push team good", changes=REMOTE),
    "live status": _calls("live status", "live status --json", "live status --csv"),
    "live post": _calls("live post start -n good", "live post data -n good --step 1 --params params.yaml", code=1),
    "live flush": _calls("live flush", "live flush good --discard"),
    "exp save": _calls("exp save -n saved", "exp save --json", takes_files=True),
    "exp run": _calls("exp run -n ran -- true", "exp run -n ran-here --in-place -- true", takes_files=True),
    "exp import": _calls("exp import --dry-run --keep runs-elsewhere", code=2),
    "import mlflow": _calls("import mlflow --dry-run nothing", code=1),
    "import wandb": _calls("import wandb nothing", code=1),
    "import tensorboard": _calls("import tensorboard nothing", code=1),
    "import dvc": _calls("import dvc"),
    "export dvc": _calls("export dvc", "export dvc --prune", changes=BRANCHES),
    "exp branch": _calls("exp branch good new-branch", changes=BRANCHES),
    "exp apply": _calls("exp apply --dry-run good", takes_files=True)
    + _calls("exp apply --force good", changes=WORK_TREE, takes_files=True),
    "exp rename": _calls("exp rename spare spare-2"),
    "exp remove": _calls("exp remove spare-2", "exp remove --restore spare-2")
    + _calls("exp remove --remote team good", changes=REMOTE),
    "add": _calls("add artifact.bin artifacts", changes=WORK_TREE),
    "ls": _calls("ls", "ls --csv", "ls artifacts --json", "ls --rev good --md"),
    "cat": _calls("cat artifact.bin", "cat artifacts/a"),
    "diff": _calls("diff", "diff --json", "diff good odd"),
    "verify": _calls("verify", "verify --all --repair --json"),
    "mv": _calls("mv artifact.bin moved.bin", changes=WORK_TREE, takes_files=True),
    "rm": _calls("rm --cached artifacts", "rm --force moved.bin", changes=WORK_TREE, takes_files=True),
    "checkout": _calls("checkout", "checkout --force", changes=WORK_TREE),
    "get": _calls("get . train.py -o got.py", changes=WORK_TREE),
    "import-dvc": _calls("import-dvc", changes=WORK_TREE),
    "gc": _calls("gc --dry-run", "gc", "gc --cache --older-than 0"),
    "hook": _calls(
        *("hook post-commit", "hook post-rewrite amend", "hook post-merge 0"),
        f"hook post-checkout {'0' * 40} {'0' * 40} 1",
        takes_files=True,
    )
    + _calls("hook pre-push team x", changes=REMOTE),
    "init": _calls("init --remote team", "init --no-hooks", changes=SETTINGS),
    "uninit": _calls("uninit", "uninit --purge", changes=SETTINGS),
}


def all_calls() -> Iterator[Call]:
    """Yield every call, in an order in which each finds what it needs."""
    for calls in CALLS.values():
        yield from calls


def write_untracked(folder: Path) -> None:
    """Write the files that the calls track, and let git ignore them, so that the other calls find nothing new.

    Args:
        folder: The top of a repository.
    """
    (folder / ".git/info/exclude").write_text("artifact.bin\nartifacts/\n", encoding="utf-8")
    (folder / "artifact.bin").write_text("1", encoding="utf-8")
    (folder / "artifacts").mkdir()
    (folder / "artifacts/a").write_text("2", encoding="utf-8")


def call_gittrack(*words: str, cwd: Path, environ: Mapping[str, str] | None = None) -> Output:
    """Run gittrack in this process with nobody at the terminal, and return what it wrote.

    Args:
        words: The arguments after `gittrack`.
        cwd: The current folder; it stays so afterwards.
        environ: The environment; that of this process by default.
    """
    os.chdir(cwd)
    out, err, nothing = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(3))
    before = sys.stdin
    sys.stdin = nothing
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(words, dict(os.environ) if environ is None else environ)
    finally:
        sys.stdin = before
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8", "replace"))
    return Output(code, *texts)
