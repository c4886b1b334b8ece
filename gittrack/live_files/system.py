"""The monitor of the machine with DVCLive's arguments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from gittrack.runs.monitor import SystemMonitor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MAX_INTERVAL_S = 0.1
_MAX_SAMPLES = 30


def start_monitor(
    log: Callable[[str, Any, bool, bool], object],
    interval: float,
    num_samples: int,
    folders: Mapping[str, str],
    warn: Callable[[str], object],
) -> SystemMonitor:
    """Begin to log what the machine does.

    Args:
        log: Logs a metric: its name, value, whether with the time, and whether as a plot.
        interval: Seconds between samples.
        num_samples: How many samples make a point.
        folders: Names and folders of disks.
        warn: Tells what is wrong.

    Raises:
        ValueError: A name cannot be that of a file.
        MonitorError: psutil is missing.
    """
    for name in folders:
        if name != os.path.normpath(name):
            raise ValueError(f"Keys for `directories_to_monitor` should be a valid name, but got '{name}'.")
    interval_s, n_samples = min(interval, _MAX_INTERVAL_S), max(1, min(num_samples, _MAX_SAMPLES))
    if interval_s != interval:
        warn(f"System monitoring `interval` is set to {interval_s} seconds, the most that is allowed.")
    if n_samples != num_samples:
        warn(f"System monitoring `num_samples` is set to {n_samples}: 1 to {_MAX_SAMPLES} are allowed.")

    def log_all(values: Mapping[str, float], _step: int, _time: float) -> None:
        for name, value in values.items():
            is_constant = name.endswith("/count") or "/total (GB)" in name
            log(name, value, True, not is_constant)  # noqa: FBT003  a callable has no keywords

    def miss(folder: str) -> None:
        warn(f"Couldn't find directory '{folder}', ignoring it.")

    monitor = SystemMonitor(log_all, dict(folders), interval_s=interval_s, n_samples=n_samples, on_missing=miss)
    monitor.start()
    return monitor
