"""`monitor_system` logs what the machine does, and says what is true."""

from __future__ import annotations

import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

import gittrack
from gittrack.experiments.series import parse_series
from gittrack.runs.monitor import Gpus, Machine, MonitorError, SystemMonitor
from tests.support.recorded import read_recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

GB = 1 << 30


class Driver(ModuleType):
    """Stands in for NVIDIA's driver, which no test machine has: one busy GPU, one idle, one that says nothing."""

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.n_open = 0

    def nvmlInit(self) -> None:  # noqa: N802  the driver's names
        self.n_open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.n_open -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 3

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        if handle == 2:
            raise OSError("not supported")
        return [SimpleNamespace(gpu=90, memory=30), SimpleNamespace(gpu=0, memory=0)][handle]

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        if handle == 2:
            raise OSError("not supported")
        return SimpleNamespace(used=(4 * GB) >> handle, total=16 * GB)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    module = Driver()
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return module


@pytest.fixture
def logged() -> list[tuple[dict[str, float], int, float]]:
    return []


def wait_for(logged: list[Any], n_points: int) -> None:
    deadline = time.monotonic() + 30
    while len(logged) < n_points and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(logged) >= n_points


@pytest.fixture
def monitor(logged: list[Any], tmp_path: Path) -> Iterator[SystemMonitor]:
    def log(values: Mapping[str, float], step: int, seconds: float) -> None:
        logged.append((dict(values), step, seconds))

    monitor = SystemMonitor(log, {"main": str(tmp_path)}, first_step=7, interval_s=0.01, n_samples=2)
    yield monitor
    monitor.close()


def test_the_values_are_those_of_psutil(tmp_path: Path) -> None:
    """Memory and disk are compared with a question of our own at the same time."""
    machine = Machine({"main": str(tmp_path)})
    constants, values = machine.constants(), machine.look()
    machine.close()
    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(tmp_path))
    assert constants["system/cpu/count"] == psutil.cpu_count()
    assert constants["system/ram/total (GB)"] == memory.total / GB
    assert constants["system/disk/total (GB)/main"] == disk.total / GB
    assert values["system/ram/usage (%)"] == pytest.approx(memory.percent, abs=10)
    assert values["system/disk/usage (GB)/main"] == pytest.approx(disk.used / GB, rel=0.1)
    assert 0 <= values["system/cpu/usage (%)"] <= 100
    assert 0 <= values["system/cpu/parallelization (%)"] <= 100


def test_a_busy_processor_shows(tmp_path: Path) -> None:
    """Half a second of work on one core is seen as at least half of that core."""
    machine = Machine({"main": str(tmp_path)})
    end = time.process_time() + 0.5
    while time.process_time() < end:
        pass
    values = machine.look()
    machine.close()
    assert values["system/cpu/usage (%)"] >= 50 / (psutil.cpu_count() or 1)
    assert values["system/cpu/parallelization (%)"] > 0


def test_the_use_of_a_gpu_is_what_the_driver_says(driver: Driver) -> None:
    """90 % busy is 90 %, not the memory's share of that; an idle one is 0, where a ratio would divide by it."""
    gpus = Gpus()
    assert gpus.constants() == {
        "system/gpu/count": 3,
        "system/vram/total (GB)/0": 16,
        "system/vram/total (GB)/1": 16,
    }
    assert gpus.look() == {
        "system/gpu/usage (%)/0": 90,
        "system/gpu/usage (%)/1": 0,
        "system/vram/usage (%)/0": 25,
        "system/vram/usage (GB)/0": 4,
        "system/vram/usage (%)/1": 12.5,
        "system/vram/usage (GB)/1": 2,
    }
    gpus.close()
    assert driver.n_open == 0


def test_the_library_has_the_functions_that_are_called() -> None:
    """The driver above has the names of the real nvidia-ml-py."""
    pynvml = pytest.importorskip("pynvml")
    assert [name for name in vars(Driver) if name.startswith("nvml") and not callable(getattr(pynvml, name))] == []


def test_a_machine_without_a_driver_has_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a missing library nor a missing driver is an error."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    gpus = Gpus()
    assert (gpus.constants(), gpus.look()) == ({}, {})
    gpus.close()


def test_means_are_logged_step_by_step(monitor: SystemMonitor, logged: list[Any]) -> None:
    """The first point has the constants, too; steps go on from the first one."""
    monitor.start()
    wait_for(logged, 3)
    monitor.close()
    assert [step for _, step, _ in logged[:3]] == [7, 8, 9]
    assert "system/cpu/count" in logged[0][0]
    assert "system/cpu/count" not in logged[1][0]
    assert logged[0][2] <= logged[1][2] <= time.time()


def test_a_short_run_has_a_point(logged: list[Any], tmp_path: Path) -> None:
    """Also one that ends before the first look."""
    monitor = SystemMonitor(lambda values, *_: logged.append(values), {"main": str(tmp_path)})
    monitor.start()
    monitor.close()
    assert len(logged) == 1
    assert {"system/cpu/count", "system/ram/usage (%)"} <= logged[0].keys()


def test_a_fault_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What fails in the thread ends the monitor, not the training."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: 1 / 0)
    monitor = SystemMonitor(lambda *_: None, {"main": str(tmp_path)})
    monitor.start()
    monitor.close()
    assert "the machine is not monitored any more: ZeroDivisionError" in caplog.text


def test_a_run_has_the_series(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread is a daemon, ends with the run, and leaves the script's steps alone, also of a run that goes on."""
    monkeypatch.chdir(repo_dir)
    with gittrack.Run("a", monitor_system=True) as run:
        (thread,) = [one for one in threading.enumerate() if one.name == "gittrack-monitor"]
        assert thread.daemon
        run.log_metric("loss", 1)
    assert not thread.is_alive()
    with gittrack.Run(resume="a", monitor_system=True) as run:
        run.log_metric("loss", 0.5)
    series = parse_series(read_recorded(repo_dir, "a").series or b"")
    assert list(series["loss"].steps) == [0, 1]
    assert list(series["system/ram/usage (%)"].steps) == [0, 1]


def test_a_missing_library_is_said_at_once(repo_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that has it, and before a run is made."""
    monkeypatch.chdir(repo_dir)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "psutil" else name)
    with pytest.raises(MonitorError, match="monitor_system needs psutil") as caught:
        gittrack.Run("a", monitor_system=True)
    assert caught.value.hint == 'pip install "gittrack[system]"'
    assert gittrack.list_runs() == []
