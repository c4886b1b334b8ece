"""The guides name the versions that the frameworks' tests install."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = {"fabric": "lightning", "ignite": "pytorch-ignite"}


def installed_versions() -> dict[str, str]:
    files = (ROOT / "tests/frameworks").glob("requirements*.txt")
    pairs = [line.split("==") for file in files for line in file.read_text().splitlines() if "==" in line]
    return {name: version for name, version in pairs if name != "torch"}


def test_the_table_of_frameworks() -> None:
    """Each framework's row has the version that is tested."""
    text = (ROOT / "docs/guides/frameworks.md").read_text()
    rows = dict(re.findall(r"^\| ([\w-]+) \| ([\d.]+) \|", text, flags=re.MULTILINE))
    assert len(rows) == 12
    versions = installed_versions()
    assert rows == {name: versions[NAMES.get(name.lower(), name.lower())] for name in rows}


@pytest.mark.parametrize("name", ["transformers", "accelerate", "Ultralytics"])
def test_the_libraries_that_import_dvclive(name: str) -> None:
    """The guide names the version that was tested with the libraries' own callbacks."""
    assert re.search(
        rf"{name}\s+{re.escape(installed_versions()[name.lower()])}", (ROOT / "docs/guides/dvclive.md").read_text()
    )


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-vision.txt"])
def test_the_builds_of_torch(file: str) -> None:
    """There are two, for torchvision fits only the newer one."""
    (version,) = re.findall(r"^torch==(.*)$", (ROOT / "tests/frameworks" / file).read_text(), flags=re.MULTILINE)
    assert f"torch {version}" in (ROOT / "docs/guides/frameworks.md").read_text()
