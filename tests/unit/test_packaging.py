"""What is shipped: one version, the hooks, the licence, working console scripts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

import gittrack
from tests.support.source_code import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HOOKS = {"post-commit", "post-rewrite", "pre-push", "post-merge", "post-checkout"}
CORE = {"blake3", "click", "dulwich", "PyYAML", "requests", "ruamel.yaml", "tomlkit", "tomli", "tqdm"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built from this source."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_has_the_version_of_the_package(wheel: zipfile.ZipFile) -> None:
    """The version stands in one place."""
    assert f"gittrack-{gittrack.__version__}-" in wheel.filename
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", gittrack.__version__)


def test_the_wheel_has_hooks_types_and_licence(wheel: zipfile.ZipFile) -> None:
    """`gittrack init` finds its scripts in an installed package, type checkers the types, lawyers the licence."""
    names = set(wheel.namelist())
    assert {f"gittrack/hooks/{name}" for name in HOOKS} | {"gittrack/py.typed"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not {name for name in names if name.startswith(("tests/", "docs/"))}


def test_the_hooks_are_posix_shell() -> None:
    """Each script parses under sh and says so in its first line."""
    for name in HOOKS:
        path = ROOT / "hooks" / name
        assert path.read_bytes().startswith(b"#!/bin/sh\n")
        assert os.access(path, os.X_OK)
        subprocess.run(["sh", "-n", str(path)], check=True)


@pytest.mark.parametrize("target", PROJECT["scripts"].values())
def test_a_console_script_exists(target: str) -> None:
    """Each entry point names a function."""
    module, name = target.split(":")
    assert callable(getattr(import_module(module), name))


def test_core_dependencies_are_the_agreed_ones() -> None:
    """A further dependency of the core needs a decision."""
    assert {re.split(r"[<>=;\s]", text)[0] for text in PROJECT["dependencies"]} == CORE


def test_the_licence_is_apache_2() -> None:
    """The whole text is there."""
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_changelog_fragments_follow_the_convention() -> None:
    """Each file below changes/unreleased is `<kind>-<few-words>.md` with a paragraph."""
    for path in (ROOT / "changes" / "unreleased").iterdir():
        assert re.fullmatch(r"(added|changed|fixed|removed)-[a-z0-9-]+\.md", path.name)
        assert path.read_text(encoding="utf-8").strip().endswith(".")
