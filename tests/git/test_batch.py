"""Reading many objects through one git process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from gittrack.git.batch import read_many, read_one
from gittrack.git.objects import write_blob
from gittrack.git.process import GitError
from tests.support.git_repository import open_repository, run_git

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.git.repository import Repository

    Git = Callable[..., str]


def test_objects_come_in_the_order_of_their_names(repository: Repository, git: Git) -> None:
    """Commits, trees and blobs by id, by name and by path, with id, kind, size and content."""
    specs = ["HEAD", "HEAD:train.py", "HEAD:", git("rev-parse", "HEAD:params.yaml"), "HEAD:train.py"]
    found = list(read_many(repository, specs))
    assert [item.kind for item in found if item] == ["commit", "blob", "tree", "blob", "blob"]
    assert [item.oid for item in found if item] == git("rev-parse", *specs).split("\n")
    script = found[1]
    assert script is not None
    assert (script.size, script.data) == (18, b"print('training')\n")


def test_nothing_asked_starts_no_process(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """No names, no git."""
    monkeypatch.setattr(repository.git, "popen", None)
    assert list(read_many(repository, [])) == []


@pytest.mark.parametrize(
    "spec",
    [
        "1" * 40,
        "HEAD:absent",
        "HEAD:train.py/below",
        "HEAD:../outside",
        "HEAD:/etc/passwd",
        "nothing:x",
        "",
        " ",
        "a b c",
        "HEAD:x 5",
        "blob 5",
        "--batch-all-objects",
        "HEAD:train.py\n" + "HEAD",
        "\nHEAD",
        "HEAD\n",
        "HEAD:\ud800",
        "HEAD:\u2028",
        "HEAD:\x00",
        "x" * 100_000,
    ],
)
def test_what_names_nothing_gives_none_and_disturbs_no_other(repository: Repository, spec: str) -> None:
    """Whatever a name looks like, the answers after it are still those of their own names."""
    nothing, found = read_many(repository, [spec, "HEAD:train.py"])
    assert nothing is None
    assert found is not None
    assert found.data == b"print('training')\n"


def test_an_ambiguous_id_gives_none(repository: Repository, git: Git) -> None:
    """A short id that several objects share names none of them."""
    seen: dict[str, int] = {}
    number = 0
    while max(seen.values(), default=0) < 2:
        prefix = write_blob(repository, b"%d" % number)[:4]
        seen[prefix] = seen.get(prefix, 0) + 1
        number += 1
    shared = next(prefix for prefix, count in seen.items() if count == 2)
    assert git("rev-parse", "--verify", "--quiet", shared, check=False) == ""
    assert list(read_many(repository, [shared])) == [None]


def test_a_large_object_is_passed_over(repository: Repository) -> None:
    """Above the limit there is no content, and the next object is read as usual."""
    large = write_blob(repository, bytes(3 << 20))
    at_limit = write_blob(repository, b"x" * 100)
    first, second, third = read_many(repository, [large, at_limit, "HEAD:train.py"], max_bytes=100)
    assert first == (large, "blob", 3 << 20, None)
    assert second == (at_limit, "blob", 100, b"x" * 100)
    assert third is not None
    assert third.data is not None


def test_contents_of_any_bytes_are_kept(repository: Repository) -> None:
    """Newlines, NUL and what looks like a header are content."""
    contents = [b"", b"\n", b"\0\n\0", b"%s blob 3\nabc\n" % (b"1" * 40), bytes(range(256)) * 300]
    ids = [write_blob(repository, content) for content in contents]
    assert [item.data for item in read_many(repository, ids) if item] == contents


def test_paths_of_unusual_names_are_read(repository: Repository, repo_dir: Path, git: Git) -> None:
    """Spaces, quotes, undecodable bytes and line separators in a path are no obstacle."""
    names = ["a b", " lead", "trail ", "q'\"", "ü", "\udcff", "a\u2028b", "tab\t", "-x", "a:b", "*", "cr\r/x"]
    for name in names:
        (repo_dir / name).parent.mkdir(exist_ok=True)
        (repo_dir / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    git("add", "-A")
    git("commit", "-q", "-m", "Names")
    found = read_many(repository, [f"HEAD:{name}" for name in names])
    assert [item.data if item else None for item in found] == [
        name.encode("utf-8", "surrogateescape") for name in names
    ]


def test_thousands_of_names_do_not_block(repository: Repository) -> None:
    """More names and answers than the pipes hold."""
    specs = ["HEAD:train.py", f"HEAD:{'x' * 200}"] * 2_500
    found = list(read_many(repository, specs))
    assert len(found) == 5_000
    assert all(item is not None and item.size == 18 for item in found[::2])
    assert not any(found[1::2])


def test_a_reader_may_stop_early(repository: Repository) -> None:
    """Neither a process nor a thread is left behind."""
    reader = read_many(repository, ["HEAD:train.py"] * 50_000)
    assert next(reader) is not None
    n_threads = threading.active_count()
    reader.close()  # type: ignore[attr-defined]  it is a generator
    assert threading.active_count() == n_threads - 1


def test_one_object_by_name(repository: Repository) -> None:
    """The same for a single name."""
    found = read_one(repository, "HEAD:train.py")
    assert found is not None
    assert found.data == b"print('training')\n"
    assert read_one(repository, "HEAD:absent") is None


def test_what_a_partial_clone_left_out_counts_as_absent(repo_dir: Path, git: Git, tmp_path: Path) -> None:
    """Nothing is fetched, and what follows an absent object is read all the same."""
    git("config", "uploadpack.allowFilter", "true")
    (repo_dir / "second").write_text("second\n", encoding="utf-8")
    git("add", "-A")
    git("commit", "-q", "-m", "Second")
    run_git("clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{repo_dir}", "partial", cwd=tmp_path)
    repository = open_repository(tmp_path / "partial")
    kept = write_blob(repository, b"kept")
    specs = ["HEAD", "HEAD:train.py", kept, "HEAD:second", "HEAD:absent", kept]
    assert [item.kind if item else None for item in read_many(repository, specs)] == [
        "commit",
        None,
        "blob",
        None,
        None,
        "blob",
    ]
    assert list(read_many(repository, ["HEAD:train.py"])) == [None]


def test_a_broken_object_is_an_error_or_absent(repository: Repository, git: Git) -> None:
    """A damaged object is never returned, and the reason of git is there when it gives up."""
    oid = git("rev-parse", "HEAD:train.py")
    path = repository.common_dir / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:12])
    try:
        found = list(read_many(repository, [oid, "HEAD"]))
    except GitError as error:
        assert oid in error.message  # noqa: PT017  git may also go on
    else:
        assert found[0] is None


def test_a_git_that_dies_is_an_error(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is taken for no object."""
    monkeypatch.setattr(
        repository.git, "environ", {**repository.git.environ, "GIT_DIR": str(repository.common_dir / "absent")}
    )
    with pytest.raises(GitError, match="ended before it answered for 'HEAD'"):
        list(read_many(repository, ["HEAD"]))
