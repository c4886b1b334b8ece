"""The console scripts `gittrack` and `git-exp`.

What people and hooks call all the time (`--version`, `--help`, a hook with nothing to do) is answered here without
click, whose import alone costs 26 ms. The imports of this path are the start-up budget (DESIGN.md 7), which
`tests/unit/test_startup.py` holds.
"""

from __future__ import annotations

import os
import sys

from gittrack.cli.commands import GROUPS, render_help
from gittrack.cli.errors import run_guarded

TYPE_CHECKING = False  # as in `typing`, whose import would break the budget
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HELP_OPTIONS = ("-h", "--help")


def main() -> int:
    """Run `gittrack` with the arguments of this process and return the exit code."""
    _open_missing_streams()
    return run(sys.argv[1:], os.environ)


def git_exp() -> int:
    """Run `git exp …`, which git looks up as `git-exp`, as `gittrack exp …`."""
    _open_missing_streams()
    return run(["exp", *sys.argv[1:]], os.environ)


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run `gittrack` with the given arguments and return the exit code.

    Args:
        argv: The arguments after the program's name.
        environ: The environment.
    """
    return run_guarded(lambda: _dispatch(list(argv), environ), environ)


def _open_missing_streams() -> None:
    """Open what the caller closed (`>&-`) on /dev/null, as git does, lest a file of ours is given its number."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)  # noqa: FBT003  takes no keyword
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  a standard stream


def _dispatch(argv: list[str], environ: Mapping[str, str]) -> int:
    if argv[:1] == ["hook"]:
        from gittrack.cli.hook import main as run_hook

        return run_hook(argv[1:], environ)
    if argv[:1] == ["help"]:
        argv = [*argv[1:], "--help"]
    words = [word for word in argv if word not in _HELP_OPTIONS]
    if not words or (len(words) == 1 and words[0] in GROUPS):
        sys.stdout.write(render_help(*words))
        return 0
    if argv in (["--version"], ["-V"], ["version"]):
        from gittrack import __version__

        sys.stdout.write(f"gittrack {__version__}\n")
        return 0
    from gittrack.cli.group import run_click

    return run_click(argv, environ)
