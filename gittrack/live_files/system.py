"""How CPU, memory, disks and GPUs are used, logged as metrics from a thread that ends with the process."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from gittrack.errors import GittrackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_GB = 1024.0**3
_ACTIVE_PERCENT = 20  # a core that is used more counts as active
_MAX_INTERVAL_S = 0.1
_MAX_SAMPLES = 30
_CONSTANT = ("system/cpu/count", "system/gpu/count")


class SystemMonitorError(GittrackError):
    """A library that looks at the system is missing."""


class SystemMonitor:
    """Log what the system does, until its end.

    Args:
        log: Logs a metric: its name, value, whether with the time, and whether as a plot.
        interval: Seconds between samples.
        num_samples: How many samples make a point.
        folders: Names and folders of disks.
        warn: Tells what is wrong.

    Raises:
        ValueError: A name cannot be that of a file.
        SystemMonitorError: psutil is missing.
    """

    def __init__(
        self,
        log: Callable[[str, Any, bool, bool], object],
        interval: float,
        num_samples: int,
        folders: Mapping[str, str],
        warn: Callable[[str], object],
    ) -> None:
        for name in folders:
            if name != os.path.normpath(name):
                raise ValueError(f"Keys for `directories_to_monitor` should be a valid name, but got '{name}'.")
        self._psutil = _import_psutil()
        self._log, self._warn, self._folders = log, warn, dict(folders)
        self._interval, self._n_samples = min(interval, _MAX_INTERVAL_S), max(1, min(num_samples, _MAX_SAMPLES))
        if self._interval != interval:
            warn(f"System monitoring `interval` is set to {self._interval} seconds, the most that is allowed.")
        if self._n_samples != num_samples:
            warn(f"System monitoring `num_samples` is set to {self._n_samples}: 1 to {_MAX_SAMPLES} are allowed.")
        self._gpus = _open_gpus()
        self._stop = threading.Event()
        threading.Thread(target=self._work, name="gittrack-system", daemon=True).start()

    def end(self) -> None:
        """Stop, without waiting."""
        self._stop.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            sums: dict[str, float] = {}
            n_taken = 0
            for _ in range(self._n_samples):
                for name, value in self._sample().items():
                    sums[name] = sums.get(name, 0.0) + value
                n_taken += 1
                if self._stop.wait(self._interval):
                    break
            for name, total in sums.items():
                is_constant = name.startswith(_CONSTANT) or "/total (GB)" in name
                self._log(name, total / n_taken, True, not is_constant)  # noqa: FBT003  a callable has no keywords

    def _sample(self) -> dict[str, float]:
        sample: dict[str, float] = {}
        for look in (self._look_at_gpus, self._look_at_cpu, self._look_at_memory, self._look_at_disks):
            try:
                sample.update(look())
            except Exception as error:  # noqa: BLE001  whatever a driver raises, training goes on
                self._warn_once(look.__name__, f"the system cannot be monitored in full: {error}")
        return sample

    def _look_at_cpu(self) -> dict[str, float]:
        percents = self._psutil.cpu_percent(percpu=True)
        active = [percent for percent in percents if percent >= _ACTIVE_PERCENT]
        return {
            "system/cpu/count": self._psutil.cpu_count(),
            "system/cpu/usage (%)": sum(percents) / len(percents),
            "system/cpu/parallelization (%)": len(active) * 100 / len(percents),
        }

    def _look_at_memory(self) -> dict[str, float]:
        memory = self._psutil.virtual_memory()
        return {
            "system/ram/usage (%)": memory.percent,
            "system/ram/usage (GB)": memory.used / _GB,
            "system/ram/total (GB)": memory.total / _GB,
        }

    def _look_at_disks(self) -> dict[str, float]:
        sample = {}
        for name, folder in self._folders.items():
            try:
                disk = self._psutil.disk_usage(folder)
            except OSError:
                self._warn_once(f"disk {name}", f"Couldn't find directory '{folder}', ignoring it.")
                continue
            sample[f"system/disk/usage (%)/{name}"] = disk.percent
            sample[f"system/disk/usage (GB)/{name}"] = disk.used / _GB
            sample[f"system/disk/total (GB)/{name}"] = disk.total / _GB
        return sample

    def _look_at_gpus(self) -> dict[str, float]:
        if self._gpus is None:
            return {}
        n_gpus = self._gpus.nvmlDeviceGetCount()
        sample: dict[str, float] = {"system/gpu/count": n_gpus}
        for number in range(n_gpus):
            gpu = self._gpus.nvmlDeviceGetHandleByIndex(number)
            memory = self._gpus.nvmlDeviceGetMemoryInfo(gpu)
            sample[f"system/gpu/usage (%)/{number}"] = self._gpus.nvmlDeviceGetUtilizationRates(gpu).gpu
            sample[f"system/vram/usage (%)/{number}"] = 100 * memory.used / memory.total
            sample[f"system/vram/usage (GB)/{number}"] = memory.used / _GB
            sample[f"system/vram/total (GB)/{number}"] = memory.total / _GB
        return sample

    def _warn_once(self, key: str, message: str) -> None:
        warned: set[str] = self.__dict__.setdefault("_warned", set())
        if key not in warned:
            warned.add(key)
            self._warn(message)


def _import_psutil() -> Any:
    try:
        import psutil
    except ImportError:
        raise SystemMonitorError("monitor_system needs psutil", hint="pip install 'gittrack[system]'") from None
    return psutil


def _open_gpus() -> Any:
    """Return NVIDIA's library, ready; None without it or its driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001  no library, no driver or no GPU
        return None
    return pynvml
