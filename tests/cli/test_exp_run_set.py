"""`gittrack exp run -S`: params are set in files of the work tree, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Gittrack = Callable[..., list[str]]


def test_param_is_set_for_the_command(repo_dir: Path, gittrack: Gittrack) -> None:
    """In place, the command sees the edited file, which keeps its comment and line ends."""
    (repo_dir / "params.yaml").write_bytes(b"lr: 0.1  # found by sweep\r\n")
    gittrack("exp", "run", "--in-place", "-S", "lr=0.2", "--", "cp", "params.yaml", "seen.yaml", cwd=repo_dir)
    assert (repo_dir / "params.yaml").read_bytes() == b"lr: 0.2  # found by sweep\r\n"
    assert (repo_dir / "seen.yaml").read_bytes() == (repo_dir / "params.yaml").read_bytes()


@pytest.mark.parametrize("place", ["link.yaml", "folder/params.yaml", "huge.yaml"])
def test_param_behind_a_link_is_refused(place: str, repo_dir: Path, gittrack: Gittrack, tmp_path: Path) -> None:
    """A link, a folder that is one, and a file too large to be params stay as they are, and nothing runs."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "params.yaml").write_text("lr: 0.1\n", encoding="utf-8")
    (repo_dir / "link.yaml").symlink_to(outside / "params.yaml")
    (repo_dir / "folder").symlink_to(outside)
    (repo_dir / "huge.yaml").write_text("#" * (5 << 20), encoding="utf-8")
    command = ("exp", "run", "--in-place", "-S", f"{place}:lr=0.2", "--", "touch", "ran")
    assert "its params are not set" in "\n".join(gittrack(*command, cwd=repo_dir, code=2))
    assert (outside / "params.yaml").read_text(encoding="utf-8") == "lr: 0.1\n"
    assert (repo_dir / "huge.yaml").stat().st_size == 5 << 20
    assert sorted(path.name for path in outside.iterdir()) == ["params.yaml"]
    assert not (repo_dir / "ran").exists()
