"""Reports in a real notebook: a kernel executes its cells, and their outputs are what a person sees."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

# zmq's sockets of a kernel that was shut down are closed by the collector of garbage
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


@pytest.fixture(autouse=True)
def _kernel_of_this_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PATH", f"{sys.prefix}/share/jupyter")
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


def execute(folder: Path, *cells: str) -> list[list[Any]]:
    """Return the outputs of each cell of a notebook."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return [cell.outputs for cell in notebook.cells]


def html_of(outputs: list[Any]) -> list[str]:
    """Return the HTML that a cell shows."""
    return [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]


def test_a_run_shows_its_report_in_one_cell(repo_dir: Path) -> None:
    """It is in the cell that made the run, renewed by other cells, and final at the end."""
    first, _, during, _, last = execute(
        repo_dir,
        "import gittrack\nrun = gittrack.Run('x', report='notebook', quiet=True, params={'lr': '<script>'})",
        "for step in range(30):\n    run.log_metric('loss', 1 / (step + 1))\nrun.log_text('words', '<b>hello</b>')",
        "run.make_report()",
        "run.end()\nprint(run.commit, run.report_file)",
        "run",
    )
    (shown,) = html_of(first)
    for word in ("loss", "words", "completed", "<svg", "&lt;script&gt;", "&lt;b&gt;hello"):
        assert word in shown
    assert "<script" not in shown
    assert html_of(during) == []
    (own,) = html_of(last)
    assert "<strong>x</strong>" in own
    assert "completed" in own


def test_a_report_is_renewed_while_a_cell_runs(repo_dir: Path) -> None:
    """The thread shows what a long cell has logged so far."""
    (outputs,) = execute(
        repo_dir,
        "import time, gittrack\nfrom gittrack import notebook_cell\nfrom gittrack.runs import reporting\n"
        "reporting._FIRST_S = reporting._LEAST_REST_S = 0.1\nreporting._REST = 1\nshown = []\n"
        "import IPython.display as d\nupdate = d.DisplayHandle.update\n"
        "def count(self, obj, **words):\n    shown.append(obj.data)\n    update(self, obj, **words)\n"
        "d.DisplayHandle.update = count\n"
        "run = gittrack.Run('x', report='notebook', quiet=True)\nrun.log_metric('early', 1)\n"
        "end = time.monotonic() + 60\n"
        "while not any('early' in text for text in shown) and time.monotonic() < end:\n    time.sleep(0.05)\n"
        "print(any('early' in text and 'running' in text for text in shown))\nrun.end()",
    )
    assert [output["text"] for output in outputs if output["output_type"] == "stream"] == ["True\n"]
    (shown,) = html_of(outputs)
    assert "early" in shown


def test_live_shows_its_report(repo_dir: Path) -> None:
    """DVCLive's way, from its module, too."""
    first, _, last = execute(
        repo_dir,
        "from gittrack.compat.dvclive import Live\nlive = Live(report='notebook', save_dvc_exp=False)",
        "for step in range(30):\n    live.log_metric('train/loss', 1 / (step + 1))\n    live.next_step()\nlive.end()",
        "live.report_file is None",
    )
    (shown,) = html_of(first)
    assert "train/loss" in shown
    assert "<svg" in shown
    assert last[0]["data"]["text/plain"] == "True"
