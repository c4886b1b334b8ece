"""The report of a run: complete, there while it trains, the same afterwards from git, and harmless."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import gittrack as package
from gittrack.errors import UsageError
from gittrack.runs import reporting
from tests.support.git_repository import run_git
from tests.support.recorded import read_recorded, start_script

if TYPE_CHECKING:
    from collections.abc import Callable

    Gittrack = Callable[..., list[str]]

HOSTILE = "</td><script>alert('1')</script>"


@pytest.fixture(autouse=True)
def _in_repository(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo_dir)


def log_all(run: package.Run) -> None:
    """Log one of everything."""
    run.log_params({"lr": 0.125, HOSTILE: HOSTILE})
    for step in range(50):
        run.log_metrics({"train/loss": 1 / (step + 1), "odd": float("nan")}, step=step)
    run.set_tags({"team": HOSTILE})
    run.note("a note " + HOSTILE)
    run.alert("an alert", "of something")
    run.log_roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    run.log_confusion_matrix(["cat", "dog", "dog"], ["cat", "cat", "dog"])
    run.log_table("some rows", [{"a": 1, "b": HOSTILE}])
    run.log_image("a picture", np.zeros((2, 3)), step=3)
    run.log_text("a text", HOSTILE)
    Path("model.bin").write_bytes(b"weights")
    run.log_artifact("model.bin", type="model", name="net")


WORDS = ["train/loss", "0.125", "team", "a note", "an alert", "roc", "auc 0.75", "confusion_matrix", "some rows"]
WORDS += ["a picture (step 3)", "data:image/png;base64,", "a text", "model.bin", "net", "true positive rate", "0.02"]


@pytest.mark.parametrize("mode", ["html", "md"])
def test_all_is_in_one_file(repo_dir: Path, mode: str, gittrack: Gittrack) -> None:
    """What was logged is in the report, which loads nothing; the command makes the same one from git alone."""
    with package.Run("x", report=mode, quiet=True, description="why " + HOSTILE) as run:  # type: ignore[arg-type]
        log_all(run)
    assert run.report_file is not None
    assert run.report_file.parent == repo_dir / ".git/gittrack/reports"
    text = run.report_file.read_text()
    assert [word for word in WORDS if word not in text.replace("\\", "") and mode == "html"] == []
    assert [word for word in WORDS[:5] if word not in text.replace("\\", "")] == []
    assert "completed" in text
    assert run.commit in text
    assert not re.search(r"(?<!\\)<script", text.replace("```text\n" + HOSTILE, ""))
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert "refresh" not in text
    run.report_file.unlink()
    made = repo_dir / "out"
    gittrack("exp", "report", "x", f"--{mode}", "-o", str(made), cwd=repo_dir)
    assert made.read_text() == text
    printed = "\n".join(gittrack("exp", "report", "x", f"--{mode}", cwd=repo_dir))
    assert printed.split("\n")[:20] == text.split("\n")[:20]


def test_a_report_is_no_part_of_the_work_tree(repo_dir: Path) -> None:
    """Neither the work tree nor the experiment has the file."""
    with package.Run("x", report="html", quiet=True) as run:
        run.log_metric("loss", 1)
    assert run_git("status", "--porcelain", cwd=repo_dir) == ""
    assert "report" not in run_git("ls-tree", "-r", "--name-only", run.commit or "", cwd=repo_dir)
    assert read_recorded(repo_dir, "x").plots == ()


def test_it_is_there_while_the_run_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread writes it, anew when there is more; such a page loads itself anew."""
    monkeypatch.setattr(reporting, "_FIRST_S", 0.05)
    monkeypatch.setattr(reporting, "_LEAST_REST_S", 0.05)
    monkeypatch.setattr(reporting, "_REST", 1)
    with package.Run("x", report="html", quiet=True) as run:
        assert run.report_file is not None
        for number in range(3):
            run.log_metrics({f"metric-{number}": 1.5, "loss": number}, step=number)
            run.log_text(f"text-{number}", "hello")
            deadline = time.monotonic() + 30
            words = (f"metric-{number}", f"text-{number}")
            while not all(word in read(run.report_file) for word in words):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert 'http-equiv="refresh"' in read(run.report_file)
            assert "running" in read(run.report_file)


def read(path: Path) -> str:
    """Return a file's text; nothing where there is none yet."""
    return path.read_text() if path.exists() else ""


def test_a_report_can_be_made_at_any_time() -> None:
    """Without having been asked for, during the run and after its end; points of a series are counted once."""
    with package.Run("x", quiet=True) as run:
        assert run.report_file is None
        for step in range(10):
            run.log_metric("loss", step)
            if step in {3, 6}:
                path = run.make_report()
                assert path is not None
                assert f'<td class="gt-number">{step + 1}</td>' in path.read_text()
    after = run.make_report()
    assert after == path == run.report_file
    assert "completed" in after.read_text()


def test_the_report_of_a_run_under_way(repo_dir: Path, gittrack: Gittrack) -> None:
    """The command reads what another process has logged so far."""
    script = (
        "import time, gittrack\nrun = gittrack.Run('live', quiet=True)\nrun.log_metrics({'loss': 0.5}, step=3)\n"
        "run.log_text('said', 'hello')\nrun.flush()\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    with start_script(repo_dir, script) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            text = "\n".join(gittrack("exp", "report", "live", cwd=repo_dir))
        finally:
            process.kill()
    for word in ("loss", "said", "hello", "running"):
        assert word in text


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is beside the data of the run."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with package.Run("x", report="md", quiet=True) as run:
        run.log_metric("loss", 0.5)
    assert run.report_file is not None
    assert folder in run.report_file.parents
    assert "loss" in run.report_file.read_text()


def test_what_is_no_report_is_refused() -> None:
    """Before anything is recorded."""
    with pytest.raises(UsageError, match="unknown report 'pdf'"):
        package.Run("x", report="pdf")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown report"):
        package.init("x", report="docx")


def test_a_script_without_an_object_has_a_report() -> None:
    """`init` takes the same argument."""
    run = package.init("x", report="html", quiet=True)
    package.log({"loss": 0.5})
    package.finish()
    assert run.report_file is not None
    assert "loss" in run.report_file.read_text()


def test_a_notebook_is_needed_for_that_of_a_notebook(caplog: pytest.LogCaptureFixture) -> None:
    """Outside of one it is a warning, and there is no report."""
    with package.Run("x", report="notebook", quiet=True) as run:
        pass
    assert run.report_file is None
    assert "requires to be inside a notebook" in caplog.text


def test_a_report_that_cannot_be_written_stops_nothing(repo_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One warning, and the run is recorded."""
    (repo_dir / ".git/gittrack").mkdir(exist_ok=True)
    (repo_dir / ".git/gittrack/reports").write_text("in the way")
    with package.Run("x", report="html", quiet=True) as run:
        run.log_metric("loss", 0.5)
        run.make_report()
    assert run.commit is not None
    assert caplog.text.count("cannot be made") == 1


def test_old_reports_go(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the newest are kept: any can be made again."""
    monkeypatch.setattr(reporting, "_MAX_KEPT", 3)
    for number in range(6):
        with package.Run(f"x{number}", report="html", quiet=True):
            pass
    names = sorted(path.name[:2] for path in (repo_dir / ".git/gittrack/reports").iterdir())
    assert names == ["x3", "x4", "x5"]


def test_a_resumed_run_has_the_whole_series() -> None:
    """The last report is of the experiment, not of its last part."""
    with package.Run("x", quiet=True) as run:
        run.log_metric("loss", 4)
    with package.Run("x", resume=True, report="html", quiet=True) as run:
        run.log_metric("loss", 2)
    assert run.report_file is not None
    assert '<td class="gt-number">2</td></tr>' in run.report_file.read_text()
