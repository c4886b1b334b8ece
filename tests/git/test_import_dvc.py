"""Importing what DVC tracks: content from wherever it is, checked, and nothing of DVC's files trusted."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from gittrack.artifacts.digest import hash_bytes
from gittrack.workspace.dvc_files import InvalidDvcFileError, parse_dvc_config, parse_dvc_file, parse_dvc_list
from gittrack.workspace.import_dvc import import_dvc
from gittrack.workspace.pointers import list_workspace_pointers
from gittrack.workspace.workspace import Workspace
from tests.support.artifacts import cache_of, read_files, restore, write_files
from tests.support.dvc import DvcProject
from tests.support.git_repository import open_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gittrack.artifacts.pointer import Pointer
    from gittrack.workspace.import_dvc import Imported

    Git = Callable[..., str]

FILES = {"a.txt": b"a\r\nb\r\n", "sub/b.bin": b"\0\r\n", "z \u00fc.txt": b"u", "empty": b""}
MD5 = "0a" * 16


def imported(folder: Path, *paths: str, allow_outside: bool = False, remove: bool = False) -> Imported:
    with Workspace.open(open_repository(folder)) as workspace:
        return import_dvc(workspace, paths, allow_outside=allow_outside, remove=remove)


def pointers(folder: Path) -> dict[str, Pointer]:
    return {one.path: one.pointer for one in list_workspace_pointers(open_repository(folder)).tracked}


@pytest.fixture(params=[False, True], ids=["dvc3", "dvc2"])
def project(request: pytest.FixtureRequest, repo_dir: Path) -> DvcProject:
    """A DVC project at the top of a repository, with the folder `data` and the file `model.pt`, in both layouts."""
    project = DvcProject(repo_dir, is_legacy=request.param)
    write_files(repo_dir, {**{f"data/{path}": content for path, content in FILES.items()}, "model.pt": "weights\r\n"})
    project.track("data")
    project.track(
        "model.pt", "  desc: the best one", "  type: model", "  labels: [x, y]", "  meta: {k: v}", "  isexec: true"
    )
    return project


def test_from_the_work_tree(project: DvcProject, git: Git) -> None:
    """No cache is needed; what DVC says of it is kept, and its files stay."""
    shutil.rmtree(project.cache)
    before = {path: data for path, data in read_files(project.folder).items() if not path.startswith(".git/")}
    result = imported(project.folder)
    assert [one.path for one in result.tracked] == ["data", "model.pt"]
    assert (result.absent, result.failed, result.already, result.removed) == ([], [], [], [])
    model = pointers(project.folder)["model.pt"]
    assert (model.type, model.desc, model.labels, model.meta) == ("model", "the best one", ("x", "y"), {"k": "v"})
    assert model.executable
    assert model.digest == hash_bytes(b"weights\r\n")
    assert pointers(project.folder)["data"].files == 4
    after = {path: data for path, data in read_files(project.folder).items() if not path.startswith(".git/")}
    assert after.keys() - before.keys() == {"data.gittrack", "model.pt.gittrack"}
    assert {path: after[path] for path in before} == before
    assert restore(project.folder).n_unchanged == 2
    assert "model.pt\n" not in git("status", "--short", "--untracked-files=all") + "\n"
    again = imported(project.folder)
    assert (again.already, again.tracked) == (["data", "model.pt"], [])


def test_from_the_cache(project: DvcProject) -> None:
    """Where the work tree has nothing, or something else; that stays as it is."""
    shutil.rmtree(project.folder / "data")
    (project.folder / "model.pt").write_text("changed")
    assert [one.path for one in imported(project.folder).tracked] == ["data", "model.pt"]
    assert (project.folder / "model.pt").read_text() == "changed"
    assert restore(project.folder, force=True).restored == ["data", "model.pt"]
    assert read_files(project.folder / "data") == FILES
    assert (project.folder / "model.pt").read_bytes() == b"weights\r\n"


@pytest.mark.parametrize("config", [".dvc/config", ".dvc/config.local"])
@pytest.mark.parametrize(
    "text", ["[cache]\n    dir = {0}\n", "['remote \"store\"']\n    url = {0}\n", '[remote "store"]\nurl={0}\n']
)
@pytest.mark.parametrize("is_relative", [True, False])
def test_from_a_cache_or_remote_outside(project: DvcProject, config: str, text: str, is_relative: bool) -> None:
    """Only when that is allowed; else it is named, and nothing of it was read."""
    place = project.folder.parent / "far"
    project.move_cache(place)
    shutil.rmtree(project.folder / "data")
    (project.folder / "model.pt").unlink()
    (project.folder / config).write_text(text.format("../../far" if is_relative else place))
    result = imported(project.folder)
    assert [one.path for one in result.absent] == ["data", "model.pt"]
    assert result.outside == (place,)
    assert pointers(project.folder) == {}
    assert [one.path for one in imported(project.folder, allow_outside=True).tracked] == ["data", "model.pt"]
    assert restore(project.folder).restored == ["data", "model.pt"]
    assert read_files(project.folder / "data") == FILES


def test_a_cache_inside_needs_no_leave(project: DvcProject) -> None:
    """Unless a link leads out."""
    project.move_cache(project.folder / "store")
    (project.folder / ".dvc/config").write_text("[cache]\n dir = ../store\n")
    shutil.rmtree(project.folder / "data")
    assert [one.path for one in imported(project.folder, "data").tracked] == ["data"]
    shutil.move(project.folder / "store", project.folder.parent / "far")
    (project.folder / "store").symlink_to(project.folder.parent / "far")
    (project.folder / "model.pt").unlink()
    result = imported(project.folder, "model.pt")
    assert ([one.path for one in result.absent], len(result.outside)) == (["model.pt"], 1)


def test_content_that_is_not_what_its_name_says_is_not_taken(project: DvcProject) -> None:
    """Every stored file is hashed."""
    shutil.rmtree(project.folder / "data")
    (project.folder / "model.pt").unlink()
    for path in project.stored():
        if not path.name.endswith(".dir"):
            path.chmod(0o644)
            path.write_bytes(b"damaged")
    result = imported(project.folder)
    assert [one.path for one in result.absent] == ["data", "model.pt"]
    assert "4 of 4 files" in result.absent[0].reason
    for path in project.stored():
        path.chmod(0o644)
        path.write_bytes(b"[]")
    assert "no list of its files" in imported(project.folder).absent[0].reason
    assert list(cache_of(project.folder).list_digests()) == []


def test_one_missing_file_keeps_a_folder_out(project: DvcProject) -> None:
    """It is named; the other artifacts are imported."""
    (project.folder / "data/sub/b.bin").unlink()
    for path in project.stored():
        if path.read_bytes() == b"\0\r\n":
            path.unlink()
    result = imported(project.folder)
    assert [one.path for one in result.tracked] == ["model.pt"]
    assert [(one.path, one.reason) for one in result.absent] == [
        ("data", "no content for 1 of 4 files, such as 'sub/b.bin'")
    ]


def test_links_into_the_cache_become_files(project: DvcProject) -> None:
    """As `cache.type symlink` leaves them; the cache of DVC may go afterwards."""
    for path in [*(project.folder / "data").rglob("*"), project.folder / "model.pt"]:
        if path.is_file():
            stored = next(one for one in project.stored() if one.read_bytes() == path.read_bytes())
            path.unlink()
            path.symlink_to(stored)
    assert len(imported(project.folder).tracked) == 2
    shutil.rmtree(project.cache)
    assert restore(project.folder).n_unchanged == 2
    assert read_files(project.folder / "data") == FILES


def test_dvc_files_may_go(project: DvcProject) -> None:
    """Only those of which everything is tracked now."""
    (project.folder / "model.pt").unlink()
    for path in project.stored():
        if path.read_bytes() == b"weights\r\n":
            path.unlink()
    result = imported(project.folder, remove=True)
    assert result.removed == ["data.dvc"]
    assert not (project.folder / "data.dvc").exists()
    assert (project.folder / "model.pt.dvc").exists()


@pytest.mark.parametrize("path", ["model.pt.dvc", "model.pt"])
def test_one_of_them(project: DvcProject, path: str) -> None:
    """By the file of DVC, or by what it tracks."""
    assert [one.path for one in imported(project.folder, path).tracked] == ["model.pt"]


def test_a_project_in_a_folder_of_the_repository(repo_dir: Path) -> None:
    """Its cache is its own; a `wdir` counts from the file of DVC."""
    project = DvcProject(repo_dir / "sub")
    write_files(repo_dir / "sub", {"raw/x": "1"})
    source = project.track("raw/x")
    source.rename(repo_dir / "sub/x.dvc")
    with (repo_dir / "sub/x.dvc").open("a") as file:
        file.write("wdir: raw\n")
    (repo_dir / "sub/raw/x").unlink()
    assert [one.path for one in imported(repo_dir, "sub").tracked] == ["sub/raw/x"]


def test_outputs_of_stages(repo_dir: Path, git: Git) -> None:
    """From `dvc.lock`, each in the folder of its stage; what git tracks is git's."""
    project = DvcProject(repo_dir)
    write_files(repo_dir, {"out.bin": "1", "w/in.bin": "2", "metrics.json": "{}", "each/a.bin": "3"})
    git("add", "metrics.json")
    outs = {
        "plain": project.describe("out.bin", "out.bin") + project.describe("metrics.json", "metrics.json"),
        "inside": project.describe("w/in.bin", "in.bin"),
        "many@a": project.describe("each/a.bin", "a.bin"),
        "computed@a": project.describe("out.bin", "c.bin"),
    }
    stages = "".join(
        f"  {name}:\n    cmd: touch /tmp/never\n    outs:\n" + "".join(f"    {line}\n" for line in lines.splitlines())
        for name, lines in outs.items()
    )
    write_files(repo_dir, {
        "dvc.lock": f"schema: '2.0'\nstages:\n{stages}",
        "dvc.yaml": "stages:\n  plain: {cmd: x}\n  inside: {cmd: x, wdir: w}\n"
        "  many: {foreach: [a], do: {wdir: each}}\n"
        "  computed: {foreach: [a], do: {wdir: '${item}'}}\n",
    })  # fmt: skip
    result = imported(repo_dir)
    assert [one.path for one in result.tracked] == ["out.bin", "w/in.bin", "each/a.bin"]
    assert [one.path for one in result.failed] == ["dvc.lock"]
    assert "computed folder" in result.failed[0].reason
    assert imported(repo_dir, remove=True).removed == []


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a/../../x", ".git/config", ".git/hooks/post-checkout", "con", "s3://bucket/x", ""]
)
def test_a_path_out_of_the_repository_is_refused(repo_dir: Path, path: str) -> None:
    """Before anything is read; the others are imported."""
    project = DvcProject(repo_dir)
    write_files(repo_dir, {"good": "1"})
    project.track("good")
    (repo_dir / "evil.dvc").write_text(f'outs:\n- md5: {MD5}\n  path: "{path}"\n- md5: {MD5}\n  path: absent\n')
    result = imported(repo_dir)
    assert [one.path for one in result.failed] == ["evil.dvc"]
    assert [one.path for one in result.absent] == ["absent"]
    assert [one.path for one in result.tracked] == ["good"]


@pytest.mark.parametrize("relpath", ["../x", "/x", ".git/config", "a/../../x", "", ".", "a\\..\\x"])
def test_a_hostile_list_is_refused(repo_dir: Path, relpath: str) -> None:
    """Of an object that has the right MD5."""
    import hashlib

    project = DvcProject(repo_dir)
    data = json.dumps([{"md5": MD5, "relpath": relpath}]).encode()
    md5 = hashlib.md5(data).hexdigest() + ".dir"
    project._write(md5, data)
    (repo_dir / "evil.dvc").write_text(f"outs:\n- md5: {md5}\n  hash: md5\n  path: evil\n")
    result = imported(repo_dir)
    assert [one.path for one in result.failed] == ["evil"]
    assert pointers(repo_dir) == {}


def test_a_link_in_the_place_of_content_is_not_followed(repo_dir: Path, tmp_path: Path) -> None:
    """Neither in the work tree nor in the cache; a secret is not imported even when its MD5 is known."""
    project = DvcProject(repo_dir)
    write_files(tmp_path, {"secret": "secret"})
    write_files(repo_dir, {"a": "secret"})
    project.track("a")
    (stored,) = project.stored()
    for place in (stored, repo_dir / "a"):
        place.unlink()
        place.symlink_to(tmp_path / "secret")
    assert [one.path for one in imported(repo_dir).absent] == ["a"]
    (repo_dir / "a").unlink()
    (repo_dir / "b").symlink_to(tmp_path)
    (repo_dir / "evil.dvc").write_text((repo_dir / "a.dvc").read_text().replace("path: a", "path: b/secret"))
    result = imported(repo_dir)
    assert [one.path for one in [*result.absent, *result.failed]] == ["a", "b/secret"]
    assert list(cache_of(repo_dir).list_digests()) == []


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", "outs: x", "outs: [1]", "outs: [{}]", "outs: [{path: 3, md5: x}]", "outs: [{path: a}]",
     "outs: [{path: a, etag: x}]", f"outs: [{{path: a, md5: {MD5}0}}]", "a: &a [*a]", "!!python/object:os.system x",
     "{" * 10_000, "outs: [{path: a, md5: null, files: []}]", "stages: {a: 1}"],
)  # fmt: skip
def test_files_that_are_none_are_errors_of_their_own(repo_dir: Path, text: str) -> None:
    """Nothing is imported, nothing ends it, and nothing is run."""
    write_files(repo_dir, {"evil.dvc": text, "sub/dvc.lock": text})
    result = imported(repo_dir)
    assert (result.tracked, result.already, result.absent) == ([], [], [])


@pytest.mark.parametrize("text", ["[cache", "dir = x", "[cache]\n[cache\n", "\0"])
def test_settings_that_cannot_be_read_are_an_error(repo_dir: Path, text: str) -> None:
    """They may name the cache."""
    DvcProject(repo_dir)
    (repo_dir / ".dvc/config").write_text(text)
    with pytest.raises(InvalidDvcFileError, match="configuration"):
        imported(repo_dir)


def test_settings_only_name_folders() -> None:
    """No interpolation, no URL, no command; a section twice is fine, as in DVC."""
    text = (
        "[core]\n remote = x\n['remote \"x\"']\n url = s3://b\n password = %(x)s\n['remote \"y\"']\n url = /y\n"
        "[cache]\n dir = a\n[cache]\n dir = b\n['remote \"z\"']\n ask_password = true\n"
    )
    assert list(parse_dvc_config(text)) == ["/y", "b"]


def test_lists_that_are_none_are_refused() -> None:
    """By one error."""
    for data in (b"", b"{}", b"[1]", b'[{"md5": "x", "relpath": "a"}]', b"[" * 100_000, b"\xff", b'[{"md5": null}]'):
        with pytest.raises(InvalidDvcFileError):
            parse_dvc_list(data)
    with pytest.raises(InvalidDvcFileError):
        parse_dvc_file(b"[]", "a.dvc")


def test_what_gittrack_cannot_track_is_named(repo_dir: Path, git: Git) -> None:
    """A file of git's, a part of an artifact, names that are one elsewhere, a pointer that would be too large."""
    project = DvcProject(repo_dir)
    write_files(repo_dir, {"git": "1", "whole/part": "2", "clash/a": "3", "clash/A": "4", "long": "5"})
    for path in ("git", "whole/part", "clash"):
        project.track(path)
    project.track("long", f"  desc: {'x' * 2000}")
    git("add", "-f", "git")
    (repo_dir / "whole.gittrack").write_text("x")
    result = imported(repo_dir)
    assert sorted(one.path for one in result.failed) == ["clash", "git", "long", "whole/part"]
    assert pointers(repo_dir) == {}
