"""Threads that work beside the training do not stop a child that is forked meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.recorded import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FORK = """
import os, signal, threading
from gittrack.runs.beside import work_beside

started = threading.Event()

def load():
    started.set()
    import slow

work_beside("load", load)
started.wait()
child = os.fork()
if not child:
    signal.alarm(20)
    import slow
    os._exit(slow.CODE)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_fork_waits_until_a_module_is_loaded(tmp_path: Path) -> None:
    """A child that needs the module that its parent was loading gets it, where it would wait for ever."""
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(0.3)\nCODE = 7\n", encoding="utf-8")
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    command = [sys.executable, "-c", FORK]
    done = subprocess.run(command, check=False, env=environ, capture_output=True, text=True, timeout=60)
    assert done.stdout == "7\n", done.stderr
