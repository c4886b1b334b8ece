"""`gittrack exp artifacts`, `gittrack lineage`, and what show, diff and apply say of artifacts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

import gittrack as package
from gittrack.artifacts.digest import hash_bytes
from gittrack.workspace.workspace import Workspace
from tests.support.git_repository import open_repository, run_git

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Gittrack = Callable[..., list[str]]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="artifacts need descriptors of POSIX")
OLD, NEW = hash_bytes(b"old"), hash_bytes(b"newer")


@pytest.fixture
def two(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with experiments `old` and `new`, each with a model of its own from the same data."""
    monkeypatch.chdir(repo_dir)
    (repo_dir / "data.csv").write_bytes(b"1,2")
    for name, content in (("old", b"old"), ("new", b"newer")):
        (repo_dir / "m.pt").write_bytes(content)
        with package.Run(name, quiet=True) as run:
            run.use_artifact("data.csv")
            run.log_artifact("m.pt", type="model", desc="a \x1b[31mred\x1b[0m one")
    return repo_dir


def test_artifacts_are_listed(gittrack: Gittrack, two: Path) -> None:
    """What was made, what was used, and what of it is here."""
    assert gittrack("exp", "artifacts", "old", cwd=two) == [
        "outputs",
        "  path  type   name     size  files  digest        in the cache",
        f"  m.pt  model  m     3 bytes      1  {OLD[:12]}  yes",
        "",
        "inputs",
        "  path      type  name     size  files  digest        in the cache",
        f"  data.csv  -     -     3 bytes      1  {hash_bytes(b'1,2')[:12]}  no",
    ]
    Workspace.open(open_repository(two)).cache.remove(OLD)
    rows = json.loads("\n".join(gittrack("exp", "artifacts", "old", "--json", cwd=two)))
    assert rows[0] == {
        "path": "m.pt",
        "type": "model",
        "name": "m",
        "size": 3,
        "files": 1,
        "digest": f"b3:{OLD}",
        "step": None,
        "cached": False,
        "role": "output",
    }
    assert gittrack("exp", "artifacts", "old", "--csv", cwd=two)[0] == (
        "path,type,name,size,files,digest,step,cached,role"
    )
    assert gittrack("exp", "artifacts", "old", "--md", cwd=two)[2].startswith("| m.pt | model |")


def test_every_version_is_listed_on_request(
    gittrack: Gittrack, repo_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of logging."""
    monkeypatch.chdir(repo_dir)
    with package.Run("x", quiet=True) as run:
        for step, content in enumerate((b"a", b"b")):
            run.step = step
            (repo_dir / "m.pt").write_bytes(content)
            run.log_artifact("m.pt")
    assert len(gittrack("exp", "artifacts", "x", "--csv", cwd=repo_dir)) == 2
    lines = gittrack("exp", "artifacts", "x", "--all", "--csv", cwd=repo_dir)
    assert [line.split(",")[5:7] for line in lines[1:]] == [
        [f"b3:{hash_bytes(b'a')}", "0"],
        [f"b3:{hash_bytes(b'b')}", "1"],
    ]


def test_an_experiment_without_artifacts_says_how(gittrack: Gittrack, repo_dir: Path) -> None:
    """And so does its lineage."""
    gittrack("exp", "save", "-n", "plain", cwd=repo_dir)
    assert gittrack("exp", "artifacts", "plain", cwd=repo_dir) == [
        "plain has no artifacts: run.log_artifact(path) logs one"
    ]
    assert gittrack("lineage", "plain", cwd=repo_dir)[1] == "it has no artifacts"
    assert gittrack("exp", "artifacts", "plain", "--json", cwd=repo_dir) == ["[]"]


def test_the_lineage_of_a_file(gittrack: Gittrack, two: Path) -> None:
    """By path, by digest and by the path it was logged under."""
    baseline = run_git("rev-parse", "--short=7", "HEAD", cwd=two)
    wanted = [
        f"m.pt  5 bytes  b3:{NEW[:12]}",
        "├─ made by",
        f"│  └─ new@{baseline}  logged  as m.pt",
        "└─ used by: no experiment",
    ]
    assert gittrack("lineage", "m.pt", cwd=two) == wanted
    assert gittrack("lineage", "m.pt.gittrack", cwd=two) == wanted
    (two / "sub").mkdir()
    assert gittrack("lineage", "../m.pt", cwd=two / "sub")[1:] == wanted[1:]
    (two / "m.pt").unlink()
    assert gittrack("lineage", "m.pt", cwd=two) == wanted
    (two / "m.pt.gittrack").unlink()
    assert gittrack("lineage", "m.pt", cwd=two)[1:] == wanted[1:]
    document = json.loads("\n".join(gittrack("lineage", f"b3:{OLD}", "--json", cwd=two)))
    assert [one["experiment"] for one in document["made_by"]] == ["old"]
    assert document["used_by"] == []


def test_the_lineage_of_an_experiment(gittrack: Gittrack, two: Path) -> None:
    """Inputs with their makers, outputs with their users."""
    (two / "m.pt").write_bytes(b"old")
    with package.Run("user", quiet=True) as run:
        run.use_artifact("m.pt")
    baseline = run_git("rev-parse", "--short=7", "HEAD", cwd=two)
    assert gittrack("lineage", "old", cwd=two) == [
        f"old@{baseline}",
        "",
        "inputs",
        f"  data.csv  3 bytes  b3:{hash_bytes(b'1,2')[:12]}  used",
        "",
        "outputs",
        f"  m.pt  3 bytes  b3:{OLD[:12]}  logged",
        f"  └─ used by user@{baseline}  used",
    ]
    document = json.loads("\n".join(gittrack("lineage", "user", "--json", cwd=two)))
    made = {one["path"] + one["how"]: [maker["experiment"] for maker in one["made_by"]] for one in document["inputs"]}
    assert made == {"m.ptused": ["old"], "m.pttracked": ["new"]}


@pytest.mark.parametrize("subject", ["nothing", "b3:12", "../elsewhere", ".git/config"])
def test_what_is_unknown_is_an_error(gittrack: Gittrack, two: Path, subject: str) -> None:
    """With a way out; a file that is there but in no experiment has a lineage that says so."""
    if subject == ".git/config":
        assert gittrack("lineage", subject, cwd=two)[1:] == [
            "├─ made by: no experiment",
            "└─ used by: no experiment",
        ]
    else:
        lines = gittrack("lineage", subject, cwd=two, code=1)
        assert lines[0].startswith("error: ")


def test_show_lists_artifacts(gittrack: Gittrack, two: Path) -> None:
    """Harmless for a terminal, and whole as JSON."""
    lines = gittrack("exp", "show", "new", cwd=two)
    start = lines.index("artifacts")
    assert lines[start + 1].split("  ", 2)[1] == "m.pt"
    assert f"model  5 bytes  b3:{NEW[:12]}" in lines[start + 1]
    assert "\x1b" not in "".join(lines)
    document = json.loads("\n".join(gittrack("exp", "show", "new", "--json", cwd=two)))
    assert [(one["path"], one["digest"]) for one in document["artifacts"]] == [("m.pt", f"b3:{NEW}")]
    assert [one["path"] for one in document["inputs"]] == ["data.csv"]


def test_show_lists_artifacts_of_a_run_under_way(gittrack: Gittrack, two: Path) -> None:
    """As soon as they are kept."""
    run = package.Run("live", quiet=True)
    run.log_artifact("m.pt")
    run.flush()
    assert "artifacts" in gittrack("exp", "show", "live", cwd=two)
    run.end()


def test_diff_names_artifacts_that_differ(gittrack: Gittrack, two: Path) -> None:
    """By digest; the same ones are not named."""
    assert gittrack("exp", "diff", "old", "new", cwd=two) == [
        "old → new",
        "",
        "artifacts",
        f"  m.pt  b3:{OLD[:12]} → b3:{NEW[:12]}",
    ]
    document = json.loads("\n".join(gittrack("exp", "diff", "old", "new", "--json", cwd=two)))
    assert document["artifacts"] == {"m.pt": {"from": f"b3:{OLD}", "to": f"b3:{NEW}"}}
    assert any(f"b3:{OLD}" in line for line in gittrack("exp", "diff", "old", "new", "--md", cwd=two))


def test_apply_restores_artifacts(gittrack: Gittrack, two: Path) -> None:
    """Pointer and content, where the cache has it."""
    assert gittrack("exp", "apply", "old", cwd=two)[-1] == "restored 1 artifact: m.pt"
    assert (two / "m.pt").read_bytes() == b"old"
    gittrack("exp", "apply", "new", cwd=two)
    assert (two / "m.pt").read_bytes() == b"newer"


def test_apply_never_overwrites_what_is_nowhere_else(gittrack: Gittrack, two: Path) -> None:
    """A model that was trained on, and is in no cache."""
    (two / "m.pt").write_bytes(b"precious")
    lines = gittrack("exp", "apply", "old", cwd=two)
    assert "warning: 'm.pt' is left as it is: it has changes that are nowhere else" in lines
    assert (two / "m.pt").read_bytes() == b"precious"


def test_apply_in_another_clone_says_what_is_missing(gittrack: Gittrack, two: Path, tmp_path: Path) -> None:
    """And git does not take the content for a file of the project once it is there."""
    run_git("clone", "-q", str(two), str(tmp_path / "clone"), cwd=tmp_path)
    clone = tmp_path / "clone"
    gittrack("pull", cwd=clone)
    lines = gittrack("exp", "apply", "old", cwd=clone)
    assert "warning: the content of 1 artifact is not in the cache: m.pt" in lines
    cache = Workspace.open(open_repository(two)).cache
    run_git("config", "gittrack.cache", str(cache.root), cwd=clone)
    assert gittrack("checkout", cwd=clone) == ["restored 1 artifact: m.pt"]
    assert run_git("status", "--porcelain", cwd=clone).split("\n") == ["?? data.csv", "?? m.pt.gittrack"]


def test_a_branch_has_the_pointers(gittrack: Gittrack, two: Path) -> None:
    """So that `git switch` and `gittrack checkout` bring the model back."""
    gittrack("exp", "branch", "old", "best", cwd=two)
    assert f"b3:{OLD}" in run_git("show", "best:m.pt.gittrack", cwd=two)


def test_gc_keeps_the_lineage_of_what_is_there(gittrack: Gittrack, two: Path) -> None:
    """And forgets that of what is gone."""
    gittrack("lineage", "old", cwd=two)
    gittrack("exp", "remove", "new", cwd=two)
    gittrack("gc", cwd=two)
    assert gittrack("lineage", f"b3:{NEW}", cwd=two)[1] == "├─ made by: no experiment"
    assert gittrack("lineage", f"b3:{OLD}", cwd=two)[1] == "├─ made by"
