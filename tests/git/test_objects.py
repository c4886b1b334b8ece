"""Objects are those of git: ids, order, what fsck says, wherever they lie."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from gittrack.git.objects import (
    ObjectMissingError,
    TreeEntry,
    object_id,
    read_commit,
    read_object,
    read_path,
    read_tree,
    write_blob,
    write_commit,
    write_tree,
)
from gittrack.git.refs import create_ref
from gittrack.git.state import Identity
from tests.support.git_repository import find_locks, fsck, make_repository, open_repository, run_git

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import ObjectFormat, Repository

    Git = Callable[..., str]

ADA = Identity("Ada", "ada@example.org")
CONTENTS = [b"", b"\n", b"a\r\nb\0", bytes(range(256)), b"x" * 1_000_000]


@pytest.fixture(params=["sha1", "sha256"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A repository of either hash."""
    object_format: ObjectFormat = request.param
    return make_repository(tmp_path / object_format, object_format=object_format)


@pytest.mark.parametrize("content", CONTENTS, ids=len)
def test_blobs_have_the_ids_of_git(folder: Path, content: bytes) -> None:
    """The id is that of `git hash-object`, and git reads the content back."""
    repository = open_repository(folder)
    oid = write_blob(repository, content)
    assert oid == run_git("hash-object", "--stdin", cwd=folder, input=content)
    assert oid == object_id(repository.object_format, b"blob", content)
    assert repository.git.run("cat-file", "blob", oid).stdout == content == read_object(repository, oid, "blob")


def test_what_is_written_passes_fsck(folder: Path) -> None:
    """A commit with every kind of entry is as strict as git wants it, and reads back."""
    repository = open_repository(folder)
    head = run_git("rev-parse", "HEAD", cwd=folder)
    blob = write_blob(repository, b"content")
    names = [b"a", b"a.b", b"a0", b"A", b"\xff\xfe", "ü".encode(), b"-x", b"a b", b"a\nb", b"\xe2\x80\xa8"]
    inner = write_tree(repository, [TreeEntry(name, stat.S_IFREG | 0o644, blob) for name in names])
    entries = [
        TreeEntry(b"a0", stat.S_IFREG | 0o644, blob),
        TreeEntry(b"a", stat.S_IFDIR, inner),
        TreeEntry(b"a.b", stat.S_IFREG | 0o755, blob),
        TreeEntry(b"a-", stat.S_IFLNK, write_blob(repository, b"a0")),
        TreeEntry(b"a_", 0o160000, head),
    ]
    tree = write_tree(repository, entries)
    commit = write_commit(repository, tree=tree, parents=[head], message="Ünicode\n\nbody", author=ADA)
    create_ref(repository, "refs/gittrack/exps/a/b", commit)
    assert fsck(folder) == ""
    assert [entry.name for entry in read_tree(repository, tree)] == [b"a-", b"a.b", b"a", b"a0", b"a_"]
    assert sorted(read_tree(repository, tree)) == sorted(entries)
    listing = repository.git.run("ls-tree", "-z", "--name-only", inner).stdout
    assert listing.split(b"\0")[:-1] == [entry.name for entry in read_tree(repository, inner)] == sorted(names)
    assert run_git("log", "-1", "--format=%an <%ae>|%B|%P", commit, cwd=folder) == f"{ADA}|Ünicode\n\nbody\n|{head}"
    info = read_commit(repository, commit)
    assert (info.tree, info.parents, info.author, info.subject) == (tree, (head,), str(ADA), "Ünicode")


def test_trees_are_those_of_git_mktree(folder: Path) -> None:
    """The order of entries, in which folders count as if they ended with a slash, is git's."""
    repository = open_repository(folder)
    blob, empty = write_blob(repository, b""), write_tree(repository, [])
    names = [b"a", b"a.b", b"a0", b"a-b", b"b", b"ab", b"a\x01", b"\xff"]
    for folders in ([], names[:1], names[1:4], names):
        entries = [TreeEntry(name, stat.S_IFDIR, empty) for name in folders]
        entries += [TreeEntry(name, stat.S_IFREG | 0o644, blob) for name in names if name not in folders]
        listing = b"".join(
            b"%06o %s %s\t%s\0" % (mode, b"tree" if stat.S_ISDIR(mode) else b"blob", oid.encode(), name)
            for name, mode, oid in entries
        )
        assert write_tree(repository, entries) == run_git("mktree", "-z", cwd=folder, input=listing)


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        (Identity("", "x@y"), ""),
        (Identity("Ünï\u2028cödé \U0001f600", "a b@c"), "\n\n"),
        (Identity("a\udcffb", "x@y"), "surrogate \udcff \ud800"),
        (Identity("a", "b"), "NUL \0 inside"),
        (Identity("a", "b"), "x" * 100_000 + "\r\n"),
    ],
)
def test_commits_of_odd_text_pass_fsck(folder: Path, identity: Identity, message: str) -> None:
    """Whatever a name or a message holds, the commit is one that git takes."""
    repository = open_repository(folder)
    commit = write_commit(
        repository, tree=write_tree(repository, []), parents=[], message=message, author=identity, timestamp=-5.5
    )
    create_ref(repository, "refs/gittrack/exps/a/b", commit)
    assert fsck(folder) == ""
    assert read_commit(repository, commit).time == 0


def test_objects_are_found_loose_packed_and_after_gc(folder: Path) -> None:
    """A repository that is open while git repacks goes on reading."""
    repository = open_repository(folder)
    ids = [write_blob(repository, b"number %d" % number) for number in range(50)]
    tree = write_tree(repository, [TreeEntry(oid.encode(), stat.S_IFREG | 0o644, oid) for oid in ids])
    commit = write_commit(repository, tree=tree, parents=[], message="m", author=ADA)
    create_ref(repository, "refs/gittrack/exps/a/b", commit)
    for command in (["repack", "-q", "-d"], ["gc", "-q", "--prune=now"], ["repack", "-q", "-a", "-d", "-f"]):
        run_git(*command, cwd=folder)
        assert not (repository.common_dir / "objects" / ids[0][:2] / ids[0][2:]).exists()
        assert [read_object(repository, oid, "blob") for oid in ids] == [b"number %d" % n for n in range(50)]
        assert read_commit(repository, commit).tree == tree
    assert write_blob(repository, b"number 7") == ids[7]


def test_objects_of_an_alternate_are_found(folder: Path, tmp_path: Path) -> None:
    """A clone that borrows its objects reads them, and writes its own."""
    run_git("clone", "-q", "--shared", str(folder), "borrower", cwd=tmp_path)
    repository = open_repository(tmp_path / "borrower")
    script = run_git("rev-parse", "HEAD:train.py", cwd=folder)
    assert read_object(repository, script, "blob") == b"print('training')\n"
    own = write_blob(repository, b"own")
    assert (repository.common_dir / "objects" / own[:2] / own[2:]).exists()
    run_git("repack", "-q", "-a", "-d", cwd=folder)
    assert read_object(repository, script, "blob") == b"print('training')\n"


def test_a_missing_object_or_another_kind_is_said(folder: Path) -> None:
    """No object, a wrong kind, or what is no id at all: the same error, with the id."""
    repository = open_repository(folder)
    tree = write_tree(repository, [])
    for oid in ("1" * repository.id_length, tree, "nothing", "--batch", "", "12"):
        with pytest.raises(ObjectMissingError, match=f"no blob {oid} in this repository"):
            read_object(repository, oid, "blob")


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "other content"])
def test_a_damaged_object_is_never_returned(folder: Path, damage: str) -> None:
    """What the disk ruined is an error with git's reason, whatever the kind of damage."""
    repository = open_repository(folder)
    oid, other = write_blob(repository, os.urandom(1000)), write_blob(repository, b"other")
    path = repository.common_dir / "objects" / oid[:2] / oid[2:]
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(
        {
            "truncated": content[:500],
            "empty": b"",
            "garbage": b"garbage" * 100,
            "other content": (repository.common_dir / "objects" / other[:2] / other[2:]).read_bytes(),
        }[damage]
    )
    with pytest.raises(ObjectMissingError, match=f"no blob {oid} in this repository"):
        read_object(repository, oid, "blob")


def test_the_same_content_twice_is_one_object_and_fresh(repository: Repository) -> None:
    """Writing again renews the time of the file, so that a `git gc` of this moment keeps it."""
    oid = write_blob(repository, b"again")
    path = repository.common_dir / "objects" / oid[:2] / oid[2:]
    os.utime(path, (1, 1))
    inode = path.stat().st_ino
    assert write_blob(repository, b"again") == oid
    assert path.stat().st_mtime > 1
    assert path.stat().st_ino == inode
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert not find_locks(repository)


@pytest.mark.parametrize(
    "lines",
    [
        "author Ada",
        "author Ada <ada@example.org> ",
        "author Ada <ada@example.org> soon +0000",
        "author Ada <ada@example.org> ٣ +0000",
        "author Ada <ada@example.org> " + "9" * 5000 + " +0000",
        "author \u2028parent " + "1" * 40 + "> <x> 5 +0000",
        "\nno header",
        "gpgsig -----BEGIN\n parent x\n author y\n -----END",
        "",
    ],
)
def test_commits_of_other_programs_are_read_whatever_they_hold(repository: Repository, git: Git, lines: str) -> None:
    """A malformed author, date or header is no reason to fail, nor a way to smuggle in a parent."""
    tree = write_tree(repository, [])
    oid = git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", input=f"tree {tree}\n{lines}\n\nsubject\n")
    info = read_commit(repository, oid)
    assert (info.tree, info.parents) == (tree, ())


def test_files_are_read_by_path(repository: Repository, repo_dir: Path, git: Git) -> None:
    """Regular files of any depth and name; nothing else, and nothing too large."""
    (repo_dir / "deep" / "er").mkdir(parents=True)
    (repo_dir / "deep" / "er" / "\udcff ü").write_bytes(b"12345")
    (repo_dir / "link").symlink_to("train.py")
    git("add", "-A")
    tree = git("write-tree")
    assert read_path(repository, tree, "deep/er/\udcff ü", max_bytes=5) == b"12345"
    assert read_path(repository, tree, "deep/er/\udcff ü", max_bytes=4) is None
    for path in ("absent", "deep", "deep/absent/x", "train.py/x", "link", "../x", "", "/train.py", "deep//er"):
        assert read_path(repository, tree, path, max_bytes=100) is None
