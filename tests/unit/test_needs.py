"""No test vanishes from continuous integration because a machine lacks something."""

from __future__ import annotations

import pytest

from tests.support.needs import need


def test_what_is_there_is_no_reason() -> None:
    """The test goes on."""
    need(is_there=True, what="git")


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_what_is_missing_skips_or_fails(ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    """Skipped with its reason, or failed with CI=true."""
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="sshd"):
        need(is_there=False, what="sshd")
