"""What a machine must have for a test: elsewhere the test is skipped, with CI=true it fails."""

from __future__ import annotations

import os

import pytest


def need(*, is_there: object, what: str) -> None:
    """Skip the test when the machine lacks something; fail instead where nothing may be skipped.

    Args:
        is_there: True in a truth test when the machine has it; what `shutil.which` returns will do.
        what: What it is, such as `sshd (package openssh-server)`.
    """
    if is_there:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"needs {what}, and CI=true forbids to skip")
    pytest.skip(f"needs {what}")
