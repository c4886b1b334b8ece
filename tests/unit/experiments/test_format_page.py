"""The page that specifies the format names what the code writes, and its example is of this format."""

from __future__ import annotations

import re

import pytest

from gittrack.experiments import format as fmt
from tests.support.source_code import ROOT

PAGE = (ROOT / "docs" / "design" / "format.md").read_text(encoding="utf-8")
TABLE_KEYS = set(re.findall(r"`([^`]+)`", "".join(re.findall(r"^\| (`[^|]+) \|", PAGE, re.MULTILINE))))


@pytest.mark.parametrize("key", [name for name in fmt.Meta._fields if name != "extra"])
def test_each_key_of_the_description_is_specified(key: str) -> None:
    """Each key of meta.json has a row in a table of the page."""
    assert key in TABLE_KEYS


@pytest.mark.parametrize("file", [value for name, value in vars(fmt).items() if name.endswith("_FILE")])
def test_each_file_is_specified(file: str) -> None:
    """Each file of `.gittrack/` has a row in a table of the page."""
    assert file in TABLE_KEYS


def test_the_example_of_a_description_is_written_again_the_same() -> None:
    """What the page shows as meta.json is read, and written again byte for byte."""
    example = re.findall(r"^```json\n(\{\n \"author\".*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0].encode()
    assert fmt.render_meta(fmt.parse_meta(example)) == example


def test_the_version_is_that_of_the_code() -> None:
    """The page specifies the version that is written."""
    assert f"The version of the format is **{fmt.FORMAT_VERSION}**" in PAGE
