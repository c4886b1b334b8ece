"""What DVCLive 3.49.1 wrote for a varied script, and the script, to be run with any `Live`.

The files were recorded once with the original, in an environment of its own that has dvclive 3.49.1 and scikit-learn::

    python tests/support/dvclive_script.py tests/data/dvclive-3.49.1.json
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

DVC_YAML = """\
stages:
  # mine
  train:
    cmd: python train.py
plots:
- mine.csv:
    x: a
- dvclive/plots/old.json
artifacts:
  data:
    path: data.csv
"""
LABELS, SCORES = [0, 1, 1, 0, 1, 0, 1], [0.1, 0.9, 0.4, 0.6, 0.8, 0.3, 0.7]


def log_all(live_type: Any) -> None:
    """Log everything that needs no library beside the logger's own."""
    with live_type() as live:
        live.log_params({"lr": 0.1, "model": {"units": [64, 32], "name": "a: b"}, "none": None, "pair": (1, 2)})
        for name, value in {
            "on": True,
            "text": "yes",
            "long": "word " * 40,
            "unicode": "größe - \u6f22\u5b57",
            "lines": "one\ntwo\n",
            "empty": {},
            "list": [],
        }.items():
            live.log_param(name, value)
        for step in range(4):
            _log_metrics(live, step)
            live.next_step()
        live.step = 10
        live.log_metric("loss", 0.01)
        live.next_step()
        _log_plots(live)
        live.next_step()


def log_more(live_type: Any) -> None:
    """Resume, and log further steps."""
    with live_type(resume=True) as live:
        live.log_param("more", 1)
        for step in range(2):
            live.log_metric("loss", -step)
            live.log_metric("new", step)
            live.next_step()


def _log_metrics(live: Any, step: int) -> None:
    live.log_metric("loss", 1 / (step + 1))
    live.log_metric("train/acc", step)
    live.log_metric("train/deep/er", 1e-12 * step)
    live.log_metric("nan", math.nan)
    live.log_metric("inf", math.inf)
    live.log_metric("minus", -math.inf)
    live.log_metric("text", 'a\tb "c"')
    live.log_metric("bool", step % 2 == 0)
    live.log_metric("big", 10**30)
    live.log_metric("unplotted", step, plot=False)
    live.log_metric("unicode/größe", 2.5)
    live.log_metric("with space (%)/0", 3.0)
    if step == 2:
        live.log_metric("late", "nan")
    live.summary["best"] = step


def _log_plots(live: Any) -> None:
    rows = [{"x": 1, "y": 2.5}, {"x": 2, "y": "a"}]
    live.log_plot("bars", rows, x="x", y="y", template="bar_horizontal", title="T")
    live.log_plot("two.json", [{"x": 1, "y": 2, "z": 3}], x="x", y=["y", "z"], template=None, x_label="X")
    live.log_plot("in/folder", [], x="a", y="b", y_label="Y")
    for kind in ("roc", "precision_recall", "det", "calibration"):
        live.log_sklearn_plot(kind, LABELS, SCORES)
    live.log_sklearn_plot("calibration", LABELS, SCORES, name="bins", n_bins=3, strategy="quantile", title="Q")
    live.log_sklearn_plot("roc", LABELS, SCORES, name="all/roc", drop_intermediate=False, x_label="F", y_label="T")
    live.log_sklearn_plot("confusion_matrix", LABELS, [0, 1, 0, 1, 1, 0, 1])
    live.log_sklearn_plot("confusion_matrix", ["a", "b"], ["b", "b"], name="words", normalized=True)


def read_files(folder: Path) -> dict[str, str]:
    """Return what a logger wrote below a folder, by path."""
    paths = [folder / "dvc.yaml", *sorted((folder / "dvclive").rglob("*"))]
    return {path.relative_to(folder).as_posix(): path.read_bytes().decode("utf-8") for path in paths if path.is_file()}


def main() -> None:
    """Record what the original writes."""
    script = "from tests.support import dvclive_script as s; from dvclive import Live; s.{}(Live)"
    root = Path(__file__).parents[2]
    recorded = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "dvc.yaml").write_text(DVC_YAML, encoding="utf-8")
        for part in ("log_all", "log_more"):
            command = f"import sys; sys.path.insert(0, {str(root)!r}); {script.format(part)}"
            subprocess.run([sys.executable, "-c", command], cwd=folder, check=True)
            recorded.append(read_files(folder))
    Path(sys.argv[1]).write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
