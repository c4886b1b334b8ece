"""`gittrack.Live`: DVCLive's files and arguments, with the experiment recorded in git by a run."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gittrack.api import Run
from gittrack.live_files.live import Live as _Live
from gittrack.live_files.surroundings import Surroundings
from gittrack.notebook_cell import NOT_THERE, open_display
from gittrack.runs.context import RunContext
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Callable

_TRUE = re.compile("1|y|yes|true", re.IGNORECASE)


class Live(_Live):
    """Log what a script trains, into the files that DVCLive writes, and record the experiment in git.

    ``params.yaml``, ``metrics.json``, ``plots/``, ``report.*`` and ``dvc.yaml`` are written as DVCLive writes them,
    without DVC and without DVCLive. At the end the experiment is in git like that of any `Run`: with the code as it was
    at the start, the series of all metrics, and these files. A script that is killed loses at most half a second.

    Unless ``resume`` is true, the files that an earlier script left in the folder are removed.

    Args:
        dir: The folder of the files.
        resume: Whether to go on after the last step that is in the folder, and with the experiment ``exp_name``.
        report: ``"html"``, ``"md"`` or ``"notebook"`` for a report that is renewed while the training runs.
        save_dvc_exp: Whether to record the experiment. Inside of ``dvc exp run`` DVC does that.
        dvcyaml: Where DVC's configuration goes: a path that ends in ``dvc.yaml``; None or False for nowhere.
        cache_images: Whether images are kept as an artifact rather than in git.
        exp_name: The experiment's name; ``DVC_EXP_NAME`` or a made-up one by default.
        exp_message: What is said about it.
        monitor_system: Whether to log how CPU, memory, disk and GPU are used.

    Raises:
        InvalidReportModeError: There is no such report.
        InvalidDvcyamlError: The path does not end in ``dvc.yaml``.
        OSError: The folder cannot be made.
    """

    _log_warning: Callable[[str], object] = staticmethod(partial(warn, "%s"))

    def __init__(  # noqa: PLR0913, PLR0917  DVCLive's arguments
        self,
        dir: str | os.PathLike[str] = "dvclive",  # noqa: A002
        resume: bool = False,  # noqa: FBT001, FBT002
        report: Literal["md", "notebook", "html"] | None = None,
        save_dvc_exp: bool = True,  # noqa: FBT001, FBT002
        dvcyaml: str | os.PathLike[str] | bool | None = "dvc.yaml",  # noqa: FBT001
        cache_images: bool = False,  # noqa: FBT001, FBT002
        exp_name: str | None = None,
        exp_message: str | None = None,
        monitor_system: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        environ = os.environ
        place, dvc_file, is_saved = dir, dvcyaml, save_dvc_exp
        if is_true(environ.get("DVCLIVE_TEST")):
            place, dvc_file, is_saved = self._go_aside(dir, dvcyaml)
        is_pipeline = bool(environ.get("DVC_ROOT"))
        if is_pipeline and is_saved:
            is_saved = False
            if not environ.get("DVC_EXP_BASELINE_REV"):
                self._log_warning(
                    "Ignoring `save_dvc_exp` because `dvc repro` is running.\nUse `dvc exp run` to save experiment."
                )
        display = open_display() if report == "notebook" else None
        if report == "notebook" and display is None:
            self._log_warning(NOT_THERE)
            report = None
        super().__init__(
            place,
            resume=resume or is_true(environ.get("DVCLIVE_RESUME")),
            report=report,
            dvcyaml=dvc_file,
            cache_images=cache_images,
            exp_name=exp_name or environ.get("DVC_EXP_NAME") or None,
            exp_message=exp_message,
            monitor_system=monitor_system,
            surroundings=Surroundings(
                open_run=_open_run if is_saved else None,
                warn=self._log_warning,
                is_writer=RunContext(environ, (), Path()).is_writer,
                is_pipeline=is_pipeline,
                show=_browser() if is_true(environ.get("DVCLIVE_OPEN")) else None,
                display=display,
            ),
        )

    def _go_aside(self, folder: Any, dvcyaml: Any) -> tuple[Any, Any, bool]:
        """Return folder, ``dvc.yaml`` and whether to record, for the tests of other libraries: aside, and no."""
        import tempfile

        aside = tempfile.mkdtemp(prefix="dvclive-")
        self._log_warning(f"DVCLive testing mode enabled. Repo will be ignored and output will be written to {aside}.")
        is_path = isinstance(dvcyaml, (str, os.PathLike))
        return os.path.join(aside, folder), os.path.join(aside, dvcyaml) if is_path else dvcyaml, False  # noqa: PTH118


def is_true(text: str | None) -> bool:
    """Say whether the value of a variable means yes.

    Args:
        text: Its value; None when it is not set.

    Example:
        >>> is_true("true"), is_true("0"), is_true(None)
        (True, False, False)
    """
    return text is not None and _TRUE.search(text) is not None


def _open_run(name: str | None, message: str | None, resume: bool) -> Run:  # noqa: FBT001  called by position
    return Run(name, description=message, resume=resume, quiet=True)


def _browser() -> Callable[[Path], object]:
    """Return what opens a file in the browser, the first time that it is called."""
    opened: list[Path] = []

    def show(path: Path) -> None:
        if not opened:
            import webbrowser

            opened.append(path)
            webbrowser.open(path.resolve().as_uri())

    return show


__all__ = ["Live"]
