"""What a hostile repository plants so that reading it runs a command: one list for the tests of every layer.

Each attack names a program of its own, which leaves a mark when it is run. `proof` is a plain git command that falls
for the attack, so that a test can show that the trap is real.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.support.git_repository import ABSENT_ID, HASH, run_git
from tests.support.hooks import HAS_HOOK_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_HOOKS = (
    "applypatch-msg",
    "commit-msg",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-rewrite",
    "pre-auto-gc",
    "pre-commit",
    "pre-push",
    "pre-rebase",
    "prepare-commit-msg",
    "reference-transaction",
)
MISSING_OID = ABSENT_ID


class Attack(NamedTuple):
    """One way to make git run a program.

    Attributes:
        name: In a few words.
        plant: Puts it into a repository; takes the repository's folder and the program's path.
        proof: Arguments of git that run the program; `{program}` stands for its path. None where git runs it only
            on a terminal or on a network.
        runs_on_snapshot: Whether git runs the program by design when it takes files in, as it does for `git add`.
    """

    name: str
    plant: Callable[[Path, str], object]
    proof: tuple[str, ...] | None
    runs_on_snapshot: bool = False


class Planted(NamedTuple):
    """Attacks in a repository, and where they leave their marks."""

    marks: Path

    def ran(self) -> list[str]:
        """Return the names of the attacks whose program was run."""
        return sorted(path.name for path in self.marks.iterdir())


def plant(folder: Path, marks: Path, *attacks: Attack) -> Planted:
    """Put attacks into a repository.

    Args:
        folder: The repository's top folder; `train.py` in it is tracked.
        marks: An empty place for the marks, without spaces in its path; made here.
        attacks: The attacks; all of them by default.
    """
    marks.mkdir()
    for attack in attacks or ATTACKS:
        attack.plant(folder, write_program(marks, attack.name))
    return Planted(marks)


def write_program(marks: Path, name: str) -> str:
    """Write a program that leaves a mark, and return its path: one word, fit for a ref name."""
    program = marks.with_name(f"{marks.name}-programs") / name.replace(" ", "-")
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\ntouch '{marks / name}'\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program)


def _git(*args: str, cwd: Path, input: str | None = None) -> str:  # noqa: A002  subprocess.run's own name
    """Run git without the hooks that were planted before."""
    return run_git("-c", "core.hooksPath=/dev/null", *args, cwd=cwd, input=input)


def _settings(**values: str) -> Callable[[Path, str], None]:
    """Return what sets keys, written `section__key`, to values in which `{program}` stands for the program."""

    def plant_settings(folder: Path, program: str) -> None:
        for key, value in values.items():
            _git("config", key.replace("__", "."), value.format(program=program), cwd=folder)

    return plant_settings


def _hooks_folder(folder: Path, program: str) -> None:
    _link_hooks(folder / ".git" / "hooks", program)


def _hooks_path(folder: Path, program: str) -> None:
    _link_hooks(folder / "hooks", program)
    _git("config", "core.hooksPath", "hooks", cwd=folder)


def _link_hooks(folder: Path, program: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in _HOOKS:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(program)


def _configured_hooks(folder: Path, program: str) -> None:
    """Plant a hook for every event in git's settings, under names that are hard to switch off."""
    for name in ("", "a=b", "Dotted.name.event", 'quo"ted \\ name', "x\u0301\x7f"):
        _git("config", f"hook.{name}.command", program, cwd=folder)
        for event in _HOOKS:
            _git("config", "--add", f"hook.{name}.event", event, cwd=folder)
    # A hook of the event's name: git 2.55 then reads 'hook.<event>.enabled' as that of the hook.
    for event in _HOOKS:
        _git("config", f"hook.{event}.command", program, cwd=folder)


def _attribute(attribute: str, **values: str) -> Callable[[Path, str], None]:
    """Return what gives every file an attribute, sets the keys that go with it, and changes a file."""

    def plant_attribute(folder: Path, program: str) -> None:
        _settings(**values)(folder, program)
        with (folder / ".gitattributes").open("a", encoding="utf-8") as file:
            file.write(f"* {attribute}\n")
        (folder / "train.py").write_text("print('changed!')\n", encoding="utf-8")  # of the same length

    return plant_attribute


def _signed_head(folder: Path, program: str) -> None:
    _settings(gpg__program="{program}", log__showSignature="true")(folder, program)
    head = _git("cat-file", "commit", "HEAD", cwd=folder)
    header, _, message = head.partition("\n\n")
    field = "gpgsig-sha256" if HASH == "sha256" else "gpgsig"
    signature = f"{field} -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    signed = f"{header}\n{signature}\n\n{message}\n"
    oid = _git("hash-object", "-t", "commit", "-w", "--stdin", cwd=folder, input=signed)
    _git("update-ref", "HEAD", oid, cwd=folder)


def _option_as_branch(folder: Path, program: str) -> None:
    ref = f"refs/heads/--upload-pack={program}"
    _git("update-ref", ref, "HEAD", cwd=folder)
    _git("symbolic-ref", "HEAD", ref, cwd=folder)


def _option_as_remote(folder: Path, program: str) -> None:
    name = f"--upload-pack={program}"
    _git("config", f"remote.{name}.url", name, cwd=folder)
    _git("config", f"remote.{name}.fetch", "+refs/heads/*:refs/remotes/x/*", cwd=folder)


def _promisor(folder: Path, program: str) -> None:
    values = {"url": str(folder), "promisor": "true", "uploadpack": program, "partialCloneFilter": "blob:none"}
    for key, value in values.items():
        _git("config", f"remote.promisor.{key}", value, cwd=folder)


ATTACKS = (
    Attack("fsmonitor", _settings(core__fsmonitor="{program}"), ("status",)),
    Attack("hooks folder", _hooks_folder, ("commit", "-q", "--allow-empty", "-m", "x")),
    Attack("hooks path", _hooks_path, ("commit", "-q", "--allow-empty", "-m", "x")),
    Attack(
        "ssh command",
        _settings(core__sshCommand="{program}", remote__origin__url="ssh://localhost/x"),
        ("ls-remote", "origin"),
    ),
    Attack(
        "git proxy",
        _settings(core__gitProxy="{program}", remote__proxied__url="git://localhost/x"),
        ("ls-remote", "proxied"),
    ),
    Attack(
        "ext remote",
        _settings(protocol__ext__allow="always", remote__ext__url="ext::{program}"),
        ("ls-remote", "ext"),
    ),
    Attack(
        "ext by insteadOf",
        _settings(
            **{"protocol__ext__allow": "always", "url__ext::{program} __insteadOf": "x:", "remote__y__url": "x:y"}
        ),
        None,
    ),
    Attack("promisor", _promisor, ("cat-file", "blob", MISSING_OID)),
    Attack("option as branch", _option_as_branch, ("ls-remote", "--upload-pack={program}", ".")),
    Attack("option as remote", _option_as_remote, ("ls-remote", "--upload-pack={program}", ".")),
    Attack("alias", _settings(alias__evil="!{program}", alias__status="!{program}"), ("evil",)),
    Attack("pager", _settings(core__pager="{program}", pager__log="{program}", pager__config="{program}"), None),
    Attack("editor", _settings(core__editor="{program}"), ("commit", "--allow-empty")),
    Attack("askpass", _settings(core__askPass="{program}", credential__helper="!{program}"), None),
    Attack("diff external", _attribute("diff", diff__external="{program}"), ("diff",)),
    Attack("diff driver", _attribute("diff=evil", diff__evil__command="{program}"), ("diff",)),
    Attack("textconv", _attribute("diff=text", diff__text__textconv="{program}"), ("diff",)),
    Attack("merge driver", _attribute("merge=evil", merge__evil__driver="{program}"), None),
    Attack("signature", _signed_head, ("log", "-1")),
    Attack(
        "filter",
        _attribute("filter=evil", filter__evil__clean="{program}", filter__evil__smudge="{program}"),
        ("status",),
        runs_on_snapshot=True,
    ),
    # Last: planting the others would run it.
    Attack(
        "configured hook",
        _configured_hooks,
        ("commit", "-q", "--allow-empty", "-m", "x") if HAS_HOOK_SETTINGS else None,
    ),
)
