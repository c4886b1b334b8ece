"""The commands on artifacts, with what they really print."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.digest import hash_bytes
from tests.support.artifacts import age, cache_of, damage, drop, read_files, track, write_files
from tests.support.commands import call_gittrack
from tests.support.dvc import DvcProject
from tests.support.experiments import add_experiment
from tests.support.git_repository import open_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Git = Callable[..., str]
    Gittrack = Callable[..., list[str]]


@pytest.fixture
def repo(repo_dir: Path, git: Git, gittrack: Gittrack) -> Path:
    """A repository with the folder `data` and the file `sub/model.pt`, tracked and committed."""
    write_files(repo_dir, {f"data/{number}.txt": str(number) for number in range(7)})
    write_files(repo_dir, {"sub/model.pt": b"\0weights\xff" * 200})
    gittrack("add", "data", cwd=repo_dir)
    gittrack("add", "sub/model.pt", "--type", "model", "--name", "best", cwd=repo_dir)
    git("add", "-A")
    git("commit", "-q", "-m", "Track data")
    return repo_dir


def test_add_says_what_it_did(repo: Path, gittrack: Gittrack) -> None:
    """Added, updated and unchanged; from a folder below, too."""
    write_files(repo, {"sub/new.bin": "x" * 2048, "data/7.txt": "7"})
    assert gittrack("add", "new.bin", "../data", "model.pt", cwd=repo / "sub") == [
        "added sub/new.bin (2.0 KiB), 2.0 KiB new in the cache",
        "updated data (8 bytes, 8 files), 841 bytes new in the cache",
        "unchanged sub/model.pt (1.8 KiB)",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "error", "hint"),
    [
        (["absent"], 1, "there is no file or folder 'absent'", "look for a misspelt name"),
        (["train.py"], 1, "git tracks 'train.py' itself", "git rm -r --cached -- 'train.py'"),
        (["data/0.txt"], 2, "'data/0.txt' is part of 'data', which is tracked as a whole", "gittrack add 'data'"),
        (["../x"], 1, "'../x' is outside the repository", None),
        (["."], 1, "the repository as a whole cannot be an artifact", "name a file or folder in it"),
        (["data", "--meta", "x"], 2, "'x' is not KEY=VALUE", "as in --meta stage=pretrained"),
    ],
)  # fmt: skip
def test_add_refuses(repo: Path, gittrack: Gittrack, arguments: list[str], code: int, error: str, hint: str) -> None:
    """With the value and the way out."""
    lines = gittrack("add", *arguments, cwd=repo, code=code)
    assert lines[0] == f"error: {error}"
    assert hint is None or lines[1] == f"hint: {hint}"


def test_a_bare_repository_is_refused_clearly(repo: Path, tmp_path: Path, git: Git, gittrack: Gittrack) -> None:
    """By the commands that need files; a revision can be looked into there."""
    git("clone", "-q", "--bare", str(repo), str(tmp_path / "bare.git"), cwd=tmp_path)
    for words in (["add", "x"], ["checkout"], ["ls"], ["diff"], ["mv", "a", "b"], ["rm", "a"], ["verify"],
                  ["import-dvc"]):  # fmt: skip
        assert "bare repository" in gittrack(*words, cwd=tmp_path / "bare.git", code=1)[0], words
    assert len(gittrack("ls", "--rev", "main", cwd=tmp_path / "bare.git")) == 3
    assert gittrack("verify", "--all", cwd=tmp_path / "bare.git") == ["checked 0 objects (0 bytes): all intact"]
    assert gittrack("gc", "--cache", cwd=tmp_path / "bare.git") == ["nothing to do"]


def test_ls_shows_artifacts(repo: Path, gittrack: Gittrack) -> None:
    """In a table for people, and for programs."""
    drop(cache_of(repo), hash_bytes(b"3"))
    assert gittrack("ls", cwd=repo) == [
        "path          kind     size  files  type   name  cached",
        "data          dir   7 bytes      7               no",
        "sub/model.pt  file  1.8 KiB         model  best  yes",
    ]
    assert gittrack("ls", "--csv", cwd=repo) == [
        "path,kind,size,files,type,name,cached",
        "data,dir,7,7,,,false",
        "sub/model.pt,file,1800,1,model,best,true",
    ]
    assert json.loads("".join(gittrack("ls", "--json", "sub", cwd=repo))) == [
        {"path": "sub/model.pt", "kind": "file", "size": 1800, "files": 1, "type": "model", "name": "best",
         "cached": True}
    ]  # fmt: skip
    assert [json.loads(line)["type"] for line in gittrack("ls", "--jsonl", cwd=repo)] == [None, "model"]
    assert gittrack("ls", "--md", "model.pt", cwd=repo / "sub")[2] == (
        "| sub/model.pt | file | 1800 | 1 | model | best | true |"
    )


def test_ls_shows_files(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """Of a folder, of a folder in it, of another revision, of an experiment."""
    write_files(repo, {"data/deep/er/run.sh": "#!"})
    (repo / "data/deep/er/run.sh").chmod(0o755)
    add_experiment(open_repository(repo), "calm-owl")
    gittrack("add", "data", cwd=repo)
    assert gittrack("ls", "data/deep", cwd=repo) == [
        "path                    size  executable  cached",
        "data/deep/er/run.sh  2 bytes  yes         yes",
    ]
    assert len(gittrack("ls", "data", cwd=repo)) == 9
    for revision in ("HEAD", "main", "calm-owl", git("rev-parse", "--short", "HEAD")):
        assert gittrack("ls", "data", "--rev", revision, "--csv", cwd=repo)[1] == "data/0.txt,1,false,true"
        assert len(gittrack("ls", "data", "--rev", revision, cwd=repo)) == 8
    assert gittrack("ls", "--rev", "none", cwd=repo, code=1)[0] == "error: 'none' is neither an experiment nor a commit"
    assert gittrack("ls", "data/none", cwd=repo, code=1)[0] == "error: 'data' has no file 'none'"
    assert gittrack("ls", "train.py", cwd=repo, code=1)[0] == "error: 'train.py' is no artifact and holds none"


def test_ls_without_artifacts(repo_dir: Path, gittrack: Gittrack) -> None:
    """A word for people, and an empty list for programs."""
    assert gittrack("ls", cwd=repo_dir) == ["there are no artifacts here ('gittrack add' makes some)"]
    assert gittrack("ls", "--json", cwd=repo_dir) == ["[]"]


def test_ls_fits_a_narrow_terminal(repo: Path, gittrack: Gittrack) -> None:
    """The path gives way, and no line is wider."""
    name = "a-very-long-folder-name/and-a-file-in-it-that-is-longer.bin"
    write_files(repo, {name: "x"})
    gittrack("add", name, cwd=repo)
    code = "import os, sys; from gittrack.cli.entry import run; sys.exit(run(['ls'], os.environ))"
    for width in (50, 60, 120):
        main, terminal = pty.openpty()
        environ = {**os.environ, "COLUMNS": str(width), "LINES": "50", "NO_COLOR": "1"}
        subprocess.run([sys.executable, "-c", code], cwd=repo, check=True, stdout=terminal, env=environ)
        os.close(terminal)
        shown = os.read(main, 10_000).decode().splitlines()
        os.close(main)
        assert max(map(len, shown)) <= width
        assert (name in shown[1]) == (width == 120)


def cat(folder: Path, *arguments: str) -> tuple[int, bytes, bytes]:
    code = "import os, sys; from gittrack.cli.entry import run; sys.exit(run(sys.argv[1:], os.environ))"
    done = subprocess.run([sys.executable, "-c", code, "cat", *arguments], cwd=folder, check=False, capture_output=True)
    return done.returncode, done.stdout, done.stderr


def test_cat_writes_the_content(repo: Path, gittrack: Gittrack) -> None:
    """Byte for byte, as the pointer says and not as the work tree is; of a revision, too."""
    assert cat(repo, "sub/model.pt") == (0, b"\0weights\xff" * 200, b"")
    write_files(repo, {"data/3.txt": "changed"})
    assert cat(repo / "sub", "../data/3.txt") == (0, b"3", b"")
    gittrack("add", "data", cwd=repo)
    assert cat(repo, "data/3.txt")[1] == b"changed"
    assert cat(repo, "data/3.txt", "--rev", "HEAD")[1] == b"3"


def test_cat_of_a_large_object(repo: Path, gittrack: Gittrack) -> None:
    """It is checked before the first byte; a reader that goes away is no error."""
    content = os.urandom(40 << 20)
    write_files(repo, {"large": content})
    gittrack("add", "large", cwd=repo)
    assert cat(repo, "large") == (0, content, b"")
    code = "import os, sys; from gittrack.cli.entry import run; sys.exit(run(sys.argv[1:], os.environ))"
    with subprocess.Popen([sys.executable, "-c", code, "cat", "large"], cwd=repo, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10) == content[:10]
        process.stdout.close()
        assert process.stderr.read() == b""
    damage(cache_of(repo), hash_bytes(content), content[:-1] + bytes([content[-1] ^ 1]))
    status, out, err = cat(repo, "large")
    assert (status, out) == (1, b"")
    assert b"is corrupt" in err


def test_cat_refuses(repo: Path) -> None:
    """What is corrupt, missing, a folder, or nothing: with the way out, and without a byte of output."""
    damage(cache_of(repo), hash_bytes(b"2"), b"3")
    drop(cache_of(repo), hash_bytes(b"4"))
    for path, error, hint in (
        ("data/2.txt", "is corrupt", "verify --repair"), ("data/4.txt", "not in the cache", "gittrack pull"),
        ("data", "'data' is a folder", "gittrack ls"), ("data/x", "'data' has no file 'x'", "gittrack ls"),
        ("train.py", "no artifact", "gittrack ls"), ("sub/model.pt/x", "'sub/model.pt' is a file", "gittrack cat"),
    ):  # fmt: skip
        status, out, err = cat(repo, path)
        assert (status, out) == (1, b""), path
        assert error in err.decode()
        assert hint in err.decode()


def test_diff(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """Of the work tree, of revisions, of one artifact; counts, the first names, and all of them on demand."""
    assert gittrack("diff", cwd=repo) == ["no difference in artifacts from HEAD to the work tree"]
    for number in range(6):
        (repo / f"data/{number}.txt").unlink()
    write_files(repo, {"data/6.txt": "six", "data/new": "n", "sub/model.pt": "v2"})
    assert gittrack("diff", cwd=repo) == [
        "M data (7 bytes to 4 bytes, 1 added, 1 modified, 6 deleted)",
        *(f"    D {number}.txt (1 byte)" for number in range(5)),
        "    … and 3 more (see --files)",
        "M sub/model.pt (1.8 KiB to 2 bytes)",
    ]
    assert gittrack("diff", "--files", "../data", cwd=repo / "sub")[-2:] == [
        "    M 6.txt (1 byte to 3 bytes)", "    A new (1 byte)",
    ]  # fmt: skip
    gittrack("add", "data", cwd=repo)
    git("commit", "-qam", "Two")
    assert gittrack("diff", "HEAD~1", "HEAD", cwd=repo)[0].startswith("M data (7 bytes to 4 bytes")
    assert gittrack("diff", "HEAD", "HEAD~1", "sub", cwd=repo) == ["no difference in artifacts from HEAD to HEAD~1"]
    said = json.loads("\n".join(gittrack("diff", "HEAD~1", "--json", "--", "sub/model.pt", cwd=repo)))
    assert said == {
        "from": "HEAD~1",
        "to": None,
        "artifacts": [
            {"path": "sub/model.pt", "change": "modified", "old_size": 1800, "new_size": 2, "files": None,
             "problem": None}
        ],
    }  # fmt: skip


def test_diff_asks_what_is_meant(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """A name that is a branch and a path needs a word more; one that is neither is an error."""
    git("branch", "data")
    assert gittrack("diff", "data", cwd=repo, code=2)[1] == "hint: write './data' for the path"
    assert gittrack("diff", "./data", cwd=repo) == ["no difference in artifacts from HEAD to the work tree"]
    assert gittrack("diff", "nothing", cwd=repo, code=1)[0] == (
        "error: 'nothing' is neither a revision nor an artifact, and holds none"
    )
    assert gittrack("diff", "HEAD", "HEAD", "HEAD", cwd=repo, code=1)[0].startswith("error: 'HEAD' is neither")


def test_diff_before_the_first_commit(tmp_path: Path, git: Git, gittrack: Gittrack) -> None:
    """Everything is new."""
    git("init", "-q", str(tmp_path / "unborn"), cwd=tmp_path)
    write_files(tmp_path / "unborn", {"a": "1"})
    gittrack("add", "a", cwd=tmp_path / "unborn")
    assert gittrack("diff", cwd=tmp_path / "unborn") == ["A a (1 byte)"]


def run_line(line: str, folder: Path) -> None:
    """Run the shell line that a command has printed."""
    subprocess.run(["sh", "-c", line.partition(": ")[2]], cwd=folder, check=True)


def test_mv_and_its_last_line(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """It says what `git add` has to take, from where one is; then nothing is left to do."""
    (repo / "my models").mkdir()
    lines = gittrack("mv", "model.pt", "../my models/", cwd=repo / "sub")
    assert lines[0] == "moved sub/model.pt to my models/model.pt"
    assert lines[1].startswith("to stage it: git add -A -- ")
    assert (repo / "sub").is_dir()
    run_line(lines[1], repo / "sub")
    git("commit", "-q", "-m", "Move")
    assert git("status", "--short") == ""
    assert gittrack("checkout", cwd=repo) == ["everything is as its pointer says: 2 artifacts"]
    assert gittrack("mv", "train.py", "x", cwd=repo, code=1)[1] == (
        "hint: gittrack ls lists them, 'git mv' moves others"
    )


def test_mv_to_the_top(repo: Path, gittrack: Gittrack) -> None:
    """As `mv x .`."""
    assert gittrack("mv", "sub/model.pt", ".", cwd=repo)[0] == "moved sub/model.pt to model.pt"
    assert (repo / "model.pt").is_file()


def test_rm_and_its_last_line(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """Nothing goes that is nowhere else; the rest goes whole."""
    write_files(repo, {"data/0.txt": "mine"})
    lines = gittrack("rm", "data", "sub/model.pt", cwd=repo, code=1)
    assert lines[0] == "error: 'data' is not as its pointer says"
    assert (repo / "sub/model.pt").exists()
    lines = gittrack("rm", "-f", "data", "sub", cwd=repo)
    assert lines[:2] == ["removed data", "removed sub/model.pt"]
    run_line(lines[2], repo)
    git("commit", "-q", "-m", "Remove")
    assert git("status", "--short") == ""
    assert set(read_files(repo)) & {"data.gittrack", ".gitignore"} == set()


def test_rm_cached(repo: Path, gittrack: Gittrack) -> None:
    """Only the pointer goes."""
    lines = gittrack("rm", "--cached", "data", cwd=repo)
    assert lines[0] == "stopped tracking data"
    assert (repo / "data/0.txt").read_text() == "0"


def test_status_shows_artifacts(repo: Path, gittrack: Gittrack) -> None:
    """One line while all is well; one for each trouble, with the way out."""
    assert "artifacts   2, all as their pointers say" in gittrack("status", cwd=repo)
    write_files(repo, {"data/0.txt": "mine", "fresh": "f", "bad.gittrack": "x"})
    gittrack("add", "fresh", cwd=repo)
    drop(cache_of(repo), hash_bytes((repo / "sub/model.pt").read_bytes()))
    (repo / "sub/model.pt").unlink()
    lines = gittrack("status", cwd=repo)
    start = lines.index("artifacts   3")
    assert lines[start + 1 : start + 6] == [
        "            1 modified ('gittrack add' keeps, 'gittrack checkout -f' gives up the changes): data",
        "            1 missing ('gittrack checkout' restores): sub/model.pt",
        "            1 not in the cache ('gittrack pull' fetches): sub/model.pt",
        "            1 new, the pointer is not committed: fresh",
        "            1 no pointer, though it is named like one: bad.gittrack",
    ]
    said = json.loads("\n".join(gittrack("status", "--json", cwd=repo)))["artifacts"]
    assert said == {
        "n_artifacts": 3, "new": ["fresh"], "changed_pointers": [], "modified": ["data"], "missing": ["sub/model.pt"],
        "unreadable": [], "not_cached": ["sub/model.pt"], "bad_pointers": ["bad.gittrack"], "remote": None,
        "not_shared": None,
    }  # fmt: skip


def test_verify(repo: Path, gittrack: Gittrack) -> None:
    """The exit code says whether something is wrong; a repair takes what the work tree still has."""
    assert gittrack("verify", cwd=repo) == ["checked 9 objects (2.5 KiB): all intact"]
    digest = hash_bytes(b"3")
    damage(cache_of(repo), digest, b"4")
    lines = gittrack("verify", "data", cwd=repo, code=1)
    assert lines == [
        f"corrupt: {digest[:12]} (data/3.txt)",
        "checked 8 objects (742 bytes): 1 damaged",
        "hint: 'gittrack verify --repair' takes again what unchanged files still hold",
    ]
    said = json.loads("\n".join(gittrack("verify", "--json", "--all", cwd=repo, code=1)))
    assert said["damaged"] == [
        {"digest": f"b3:{digest}", "problem": "missing", "repaired": False, "paths": ["data/3.txt"]}
    ]
    assert gittrack("verify", "--repair", cwd=repo)[0] == f"missing, repaired: {digest[:12]} (data/3.txt)"
    assert gittrack("verify", cwd=repo) == ["checked 9 objects (2.5 KiB): all intact"]
    drop(cache_of(repo), digest)
    write_files(repo, {"data/3.txt": "changed"})
    assert gittrack("verify", "--repair", cwd=repo, code=1)[-1] == (
        "hint: 'gittrack pull' fetches what others have pushed"
    )
    assert gittrack("verify", "--all", "data", cwd=repo, code=2)[0].startswith("error: --all checks everything")


def test_gc_of_the_cache(repo: Path, git: Git, gittrack: Gittrack) -> None:
    """Only when it is asked for, only what is old, and not in a cache that others may use."""
    write_files(repo, {"old": "x" * 3000})
    track(repo, "old")
    (repo / "old.gittrack").unlink()
    assert gittrack("gc", "--cache", cwd=repo) == ["in no use, but too new to remove: 1 objects"]
    age(cache_of(repo).path(hash_bytes(b"x" * 3000)))
    assert gittrack("gc", cwd=repo) == ["nothing to do"]
    assert gittrack("gc", "--cache", "-n", cwd=repo) == ["would remove from the cache: 1 objects, 2.9 KiB"]
    git("config", "gittrack.cache", ".git/gittrack/cache")
    lines = gittrack("gc", "--cache", cwd=repo, code=2)
    assert lines[0].startswith("error: the cache '.git/gittrack/cache' may be shared")
    assert lines[1] == "hint: add --shared if no other repository uses it"
    said = json.loads("\n".join(gittrack("gc", "--cache", "--shared", "--json", cwd=repo)))
    assert said["cache"] == {"n_objects": 1, "n_bytes": 3000, "n_kept": 9, "n_young": 0, "n_leftovers": 0}
    assert gittrack("verify", "--all", cwd=repo) == ["checked 9 objects (2.5 KiB): all intact"]


def test_import_dvc(repo_dir: Path, tmp_path: Path, gittrack: Gittrack) -> None:
    """What was imported, what was not and why; the way to more."""
    assert gittrack("import-dvc", cwd=repo_dir) == ["there is nothing here that DVC tracks"]
    project = DvcProject(repo_dir)
    write_files(repo_dir, {"data/a": "1", "model": "w"})
    project.track("data")
    project.track("model")
    project.move_cache(tmp_path / "far")
    (repo_dir / ".dvc/config").write_text("[cache]\n    dir = ../../far\n")
    (repo_dir / "model").unlink()
    assert gittrack("import-dvc", cwd=repo_dir, code=1) == [
        "imported 1 artifact: data",
        f"warning: 'model' is not imported: no content with the MD5 {hashlib.md5(b'w').hexdigest()}",
        f"hint: --allow-outside looks into {tmp_path / 'far'}, too",
    ]
    assert gittrack("import-dvc", "--allow-outside", "--remove", cwd=repo_dir) == [
        "imported 1 artifact: model", "already tracked: data", "removed data.dvc, model.dvc",
    ]  # fmt: skip


def test_hostile_names_do_not_reach_the_terminal(repo: Path, git: Git) -> None:
    """Control characters in pointers of a commit are refused or made harmless, in every listing."""
    name = "a\x1b[31mred\u202e"
    pointer = (repo / "data.gittrack").read_text() + 'type: "\\e[31m"\nname: "\\a"\n'
    write_files(repo, {f"{name}.gittrack": pointer, "ok.gittrack": pointer})
    git("add", "-f", "-A")
    git("commit", "-q", "-m", "Evil")
    for words in (["ls"], ["ls", "--rev", "HEAD"], ["ls", "--md"], ["diff", "HEAD~1"], ["diff", "HEAD~1", "HEAD"],
                  ["status"], ["verify"], ["checkout"], ["rm", "ok"], ["mv", "ok", "k"], ["ls", "--json"]):  # fmt: skip
        output = call_gittrack(*words, cwd=repo)
        assert output.code in {0, 1}, words
        assert all(char.isprintable() for char in (output.out + output.err).replace("\n", "")), words
