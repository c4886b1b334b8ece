from __future__ import annotations

import importlib.metadata
import re
import sys
import time
from typing import TYPE_CHECKING

from gittrack.runs.environment import capture_environment, installed_packages, peak_memory_bytes
from gittrack.values import dump_json

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NVIDIA_SMI = """#!/bin/sh
echo "NVIDIA A100-SXM4-40GB, 40960, 535.104.05"
echo "NVIDIA GB10, [N/A], 580.1"
"""


def test_packages_are_those_that_importlib_finds() -> None:
    """The fast way gives the names and versions of the slow one."""
    slow = {
        f"{re.sub('[-_.]+', '-', found.metadata['Name']).lower()}=={found.version}"
        for found in importlib.metadata.distributions()
    }
    assert set(installed_packages()) == slow


def test_the_package_that_is_imported_wins(tmp_path: Path) -> None:
    """Of two versions the first on the path counts; leftovers and files of other kinds are no packages."""
    for name in ("a/Foo_Bar-2.0+cu121.dist-info", "a/~ip-1.dist-info", "a/readme.txt", "b/foo.bar-1.0.dist-info"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "b/six-1.16.0-py3.11.egg-info").mkdir()
    folders = [str(tmp_path / "missing"), str(tmp_path / "a"), str(tmp_path / "b")]
    assert installed_packages(folders) == ["foo-bar==2.0+cu121", "six==1.16.0"]


def test_only_harmless_variables_are_kept() -> None:
    """No value of a variable that is not on the list is in the description."""
    described = capture_environment({"CUDA_VISIBLE_DEVICES": "0,1", "WORLD_SIZE": "", "API_TOKEN": "hunter2"})
    assert described["variables"] == {"CUDA_VISIBLE_DEVICES": "0,1"}
    assert "hunter2" not in dump_json(described)


def test_gpus_are_asked_of_the_program_when_there_is_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name, memory and driver of each GPU; a memory that is not told is left out."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    program = tmp_path / "nvidia-smi"
    program.write_text(NVIDIA_SMI, encoding="utf-8")
    program.chmod(0o755)
    assert capture_environment({"PATH": str(tmp_path)})["gpus"] == [
        {"name": "NVIDIA A100-SXM4-40GB", "driver": "535.104.05", "memory_bytes": 40960 << 20},
        {"name": "NVIDIA GB10", "driver": "580.1"},
    ]


def test_a_program_that_fails_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken driver costs nothing but the entry."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'couldn't talk to the driver'\nexit 9\n", encoding="utf-8")
    program.chmod(0o755)
    assert "gpus" not in capture_environment({"PATH": str(tmp_path)})


def test_the_library_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old versions of nvidia-ml-py give bytes."""

    class Library:
        def __getattr__(self, name: str) -> object:
            answers = {"nvmlDeviceGetCount": 1, "nvmlDeviceGetName": b"T4", "nvmlSystemGetDriverVersion": "535"}
            return lambda *_: answers.get(name, self)

        total = 16 << 30

    monkeypatch.setitem(sys.modules, "pynvml", Library())
    assert capture_environment({})["gpus"] == [{"name": "T4", "memory_bytes": 16 << 30, "driver": "535"}]


def test_the_capture_takes_less_than_30_ms_of_cpu() -> None:
    """It must not be felt beside the training."""
    start = time.process_time()
    capture_environment({})
    installed_packages()
    assert time.process_time() - start < 0.03


def test_peak_memory_is_of_this_process() -> None:
    """A Python process takes more than a mebibyte."""
    peak = peak_memory_bytes()
    assert peak is not None
    assert peak > 1 << 20
