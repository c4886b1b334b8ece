"""Log what the machine does while a run goes on: processors, memory, disk and NVIDIA GPUs, as metrics ``system/…``.

A thread looks once a second and logs the mean of five looks, so that a month of training has half a million points and
a core is busy with it for less than a hundredth of the time (benchmarks/bench_monitor.py).
"""

from __future__ import annotations

import contextlib
import importlib.util
import threading
import time
from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError
from gittrack.warn import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

INTERVAL_S = 1.0
N_SAMPLES = 5
PREFIX = "system/"
_GB = 1 << 30
_BUSY_PERCENT = 20.0  # a core that does at least this much takes part in the work
_STOP_S = 2.0  # how long an end waits for a look that hangs in a driver


class MonitorError(GittrackError):
    """The machine cannot be monitored."""


class SystemMonitor:
    """Logs the machine's use from a daemon thread, until it is closed.

    Args:
        log: Takes the values of metrics, their step and their time in UTC epoch seconds.
        folders: The folders whose disks are watched, by the names that the metrics get.
        first_step: The step of the first values; each further time is one more.
        interval_s: Seconds between two looks.
        n_samples: How many looks make one value.
        on_missing: Told once of a folder that is not there.

    Raises:
        MonitorError: psutil is not installed.
    """

    def __init__(
        self,
        log: Callable[[Mapping[str, float], int, float], None],
        folders: Mapping[str, str],
        *,
        first_step: int = 0,
        interval_s: float = INTERVAL_S,
        n_samples: int = N_SAMPLES,
        on_missing: Callable[[str], object] | None = None,
    ) -> None:
        require_psutil()
        self._log = log
        self._folders = folders
        self._on_missing = on_missing
        self._step = first_step
        self._interval_s = interval_s
        self._n_samples = n_samples
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="gittrack-monitor", daemon=True)

    def start(self) -> None:
        """Begin."""
        try:
            self._thread.start()
        except RuntimeError:  # no thread is to be had: the system's limit, or the interpreter is ending
            warn("the machine is not monitored: no thread can be started; training goes on")

    def close(self) -> None:
        """Log what was seen last, and end."""
        self._stop.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(_STOP_S)

    def _work(self) -> None:
        try:
            machine = Machine(self._folders, self._on_missing)
            try:
                self._watch(machine)
            finally:
                machine.close()
        except Exception as error:  # noqa: BLE001  no fault of ours may reach the training
            warn("the machine is not monitored any more: %s: %s; training goes on", type(error).__name__, error)

    def _watch(self, machine: Machine) -> None:
        constants = machine.constants()
        samples: list[dict[str, float]] = []
        while not self._stop.wait(self._interval_s):
            samples.append(machine.look())
            if len(samples) == self._n_samples:
                self._tell({**constants, **mean(samples)})
                samples, constants = [], {}
        if constants or samples:  # a short run has one point at least
            self._tell({**constants, **mean([*samples, machine.look()])})

    def _tell(self, values: dict[str, float]) -> None:
        self._log(values, self._step, time.time())
        self._step += 1


class Machine:
    """What can be seen of this machine.

    Args:
        folders: The folders whose disks are watched, by the names that the metrics get.
        on_missing: Told once of a folder that is not there.
    """

    def __init__(self, folders: Mapping[str, str], on_missing: Callable[[str], object] | None = None) -> None:
        import psutil

        self._psutil = psutil
        self._folders = folders
        self._on_missing = on_missing
        self._missing: set[str] = set()
        self._gpus = Gpus()
        psutil.cpu_percent(percpu=True)  # what comes next is the use since this call

    def constants(self) -> dict[str, float]:
        """Return what does not change: how much there is of each."""
        psutil = self._psutil
        values: dict[str, float] = {"system/cpu/count": psutil.cpu_count() or 1}
        values["system/ram/total (GB)"] = psutil.virtual_memory().total / _GB
        values.update({f"system/disk/total (GB)/{name}": disk.total / _GB for name, disk in self._disks()})
        return {**values, **self._gpus.constants()}

    def look(self) -> dict[str, float]:
        """Return the use since the last look, or at this moment."""
        psutil = self._psutil
        cores = psutil.cpu_percent(percpu=True)
        memory = psutil.virtual_memory()
        values = {
            "system/cpu/usage (%)": sum(cores) / len(cores),
            "system/cpu/parallelization (%)": 100.0 * sum(core >= _BUSY_PERCENT for core in cores) / len(cores),
            "system/ram/usage (%)": memory.percent,
            "system/ram/usage (GB)": (memory.total - memory.available) / _GB,
        }
        for name, disk in self._disks():
            values[f"system/disk/usage (%)/{name}"] = disk.percent
            values[f"system/disk/usage (GB)/{name}"] = disk.used / _GB
        return {**values, **self._gpus.look()}

    def _disks(self) -> Iterator[tuple[str, Any]]:
        for name, folder in self._folders.items():
            try:
                yield name, self._psutil.disk_usage(folder)
            except OSError:  # the folder is gone, or its disk
                if self._on_missing is not None and name not in self._missing:
                    self._missing.add(name)
                    self._on_missing(folder)

    def close(self) -> None:
        """Let the driver go."""
        self._gpus.close()


class Gpus:
    """The NVIDIA GPUs; none where there is no driver or no nvidia-ml-py."""

    def __init__(self) -> None:
        self._handles: dict[int, Any] = {}
        self._nvml: Any = None
        with contextlib.suppress(Exception):  # a broken driver shows in many ways, and none may cost the run
            import pynvml

            pynvml.nvmlInit()
            self._nvml = pynvml
            self._handles = {
                index: pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())
            }

    def constants(self) -> dict[str, float]:
        """Return how many there are, and the memory of each."""
        values: dict[str, float] = {"system/gpu/count": len(self._handles)} if self._nvml is not None else {}
        for index, handle in self._handles.items():
            with contextlib.suppress(Exception):
                values[f"system/vram/total (GB)/{index}"] = self._nvml.nvmlDeviceGetMemoryInfo(handle).total / _GB
        return values

    def look(self) -> dict[str, float]:
        """Return the use of each; what a driver cannot say is left out."""
        values: dict[str, float] = {}
        for index, handle in self._handles.items():
            with contextlib.suppress(Exception):
                # `gpu` is the share of time in which a kernel ran, `memory` that of reading and writing memory: no
                # ratio of the two is a usage.
                values[f"system/gpu/usage (%)/{index}"] = float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
            with contextlib.suppress(Exception):
                memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
                values[f"system/vram/usage (%)/{index}"] = 100.0 * memory.used / memory.total
                values[f"system/vram/usage (GB)/{index}"] = memory.used / _GB
        return values

    def close(self) -> None:
        """Let the driver go."""
        if self._nvml is not None:
            with contextlib.suppress(Exception):
                self._nvml.nvmlShutdown()


def mean(samples: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each value over the samples that have it.

    Args:
        samples: Values by name.

    Example:
        >>> mean([{"a": 1.0, "b": 4.0}, {"a": 3.0}])
        {'a': 2.0, 'b': 4.0}
    """
    values: dict[str, list[float]] = {}
    for sample in samples:
        for name, value in sample.items():
            values.setdefault(name, []).append(value)
    return {name: sum(seen) / len(seen) for name, seen in values.items()}


def require_psutil() -> None:
    """Say at once when the library is missing, and not hours later from a thread.

    Raises:
        MonitorError: It is.
    """
    if importlib.util.find_spec("psutil") is None:
        raise MonitorError("monitor_system needs psutil", hint='pip install "gittrack[system]"')
