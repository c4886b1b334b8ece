"""Ref names and lists of refs, compared with those of git."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gittrack.git.refs import (
    RefChangedError,
    RefError,
    RefUpdate,
    check_ref,
    create_ref,
    delete_ref,
    list_refs,
    read_ref,
    transaction,
    update_ref,
)
from tests.support.git_repository import find_locks, make_repository, open_repository, run_git

PIECES = [".", "..", "/", "//", ".lock", "@", "@{", "{", "~", "^", ":", "?", "*", "[", "\\", " ", "\t", "\n", "\x7f"]
PIECES += ["-", "a", "A", "0", "ü", "\u2028", "\x85", "\udcff", "HEAD", "refs", "%", ",", "$", "(", "'", "\x01", "lock"]
nasty_names = st.lists(st.sampled_from(PIECES), max_size=6).map(lambda pieces: "refs/" + "".join(pieces))
any_names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


def is_taken(name: str) -> bool:
    try:
        return check_ref(name) == name
    except RefError:
        return False


def is_taken_by_git(name: str) -> bool:
    arguments = ["git", "check-ref-format", name.encode("utf-8", "surrogateescape")]
    return subprocess.run(arguments, check=False).returncode == 0


@settings(deadline=None, max_examples=200)
@given(nasty_names)
@example("refs/.a")
@example("refs//a")
@example("refs/a/.b")
@example("refs/a.lock/b")
@example("refs/a.")
@example("refs/a./b")
@example("refs/@")
@example("refs/-a")
def test_names_below_refs_are_judged_as_by_git(name: str) -> None:
    """A name that begins with `refs/` is valid exactly when `git check-ref-format` says so."""
    assert is_taken(name) == is_taken_by_git(name)


@settings(deadline=None, max_examples=100)
@given(any_names | nasty_names.map(lambda name: name[5:]).filter(len))
@example("\ud800")
@example("refs/a\0b")
def test_no_name_is_taken_that_git_refuses(name: str) -> None:
    """What lies elsewhere than below `refs/`, or stands for no bytes, may be refused, but nothing invalid is taken."""
    if is_taken(name):
        assert is_taken_by_git(name)


class Refs(RuleBasedStateMachine):
    """Refs changed by us and by git, packed and unpacked: at every moment both see the same."""

    names = st.sampled_from([f"refs/gittrack/exps/{folder}/{name}" for folder in "ab" for name in "xyz"])
    values = st.integers(0, 2)

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        make_repository(self.folder)
        tree = run_git("write-tree", cwd=self.folder)
        self.commits = [run_git("commit-tree", "-m", str(number), tree, cwd=self.folder) for number in range(3)]
        self.repository = open_repository(self.folder)
        self.expected: dict[str, str] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(name=names, value=values)
    def create(self, name: str, value: int) -> None:
        with contextlib.suppress(RefChangedError):
            create_ref(self.repository, name, self.commits[value])
            assert name not in self.expected
            self.expected[name] = self.commits[value]

    @rule(name=names, old=values, new=values)
    def update(self, name: str, old: int, new: int) -> None:
        with contextlib.suppress(RefChangedError):
            update_ref(self.repository, name, self.commits[new], self.commits[old])
            assert self.expected[name] == self.commits[old]
            self.expected[name] = self.commits[new]

    @rule(name=names, old=values)
    def delete(self, name: str, old: int) -> None:
        with contextlib.suppress(RefChangedError):
            delete_ref(self.repository, name, self.commits[old])
            assert self.expected.pop(name) == self.commits[old]

    @rule(moves=st.dictionaries(names, values, min_size=1))
    def move_several(self, moves: dict[str, int]) -> None:
        updates = [RefUpdate(name, self.commits[value], self.expected.get(name)) for name, value in moves.items()]
        transaction(self.repository, updates)
        self.expected.update({name: self.commits[value] for name, value in moves.items()})

    @rule(name=names, value=values)
    def set_by_git(self, name: str, value: int) -> None:
        run_git("update-ref", name, self.commits[value], cwd=self.folder)
        self.expected[name] = self.commits[value]

    @rule(name=names)
    def delete_by_git(self, name: str) -> None:
        run_git("update-ref", "-d", name, cwd=self.folder)
        self.expected.pop(name, None)

    @rule()
    def pack(self) -> None:
        run_git("pack-refs", "--all", cwd=self.folder)

    @invariant()
    def both_see_the_same(self) -> None:
        listing = run_git("for-each-ref", "--format=%(refname) %(objectname)", "refs/gittrack/", cwd=self.folder)
        by_git = dict(line.split(" ") for line in listing.split("\n") if line)
        assert list_refs(self.repository, "refs/gittrack") == by_git == self.expected
        assert all(read_ref(self.repository, name) == value for name, value in self.expected.items())
        assert not find_locks(self.repository)


TestRefs = Refs.TestCase
TestRefs.settings = settings(
    max_examples=10, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
