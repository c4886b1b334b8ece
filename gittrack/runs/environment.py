"""The machine and the Python that a run works on, without a value that could be secret."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gittrack.secrets import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gittrack.values import PlainValue

# what decides where and how numerical code runs; any other variable may hold a secret
_VARIABLES = (
    "CONDA_DEFAULT_ENV",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "LOCAL_RANK",
    "MKL_NUM_THREADS",
    "NVIDIA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "RANK",
    "ROCR_VISIBLE_DEVICES",
    "SLURM_JOB_ID",
    "SLURM_NNODES",
    "SLURM_NTASKS",
    "SLURM_PROCID",
    "TF_DETERMINISTIC_OPS",
    "WORLD_SIZE",
)
_MAX_VARIABLE_LENGTH = 200
_GPU_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")
_PROGRAM_TIMEOUT_S = 3.0
_MIB = 1 << 20
# the folder of an installed package; pip's leftovers begin with a tilde, editable checkouts have no version
_PACKAGE = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>[^-]+)(-py[0-9.]+)?\.(dist-info|egg-info)", re.ASCII
)


def capture_environment(environ: Mapping[str, str]) -> dict[str, PlainValue]:
    """Describe Python, machine and GPUs; takes a few milliseconds, longer only where ``nvidia-smi`` must be asked.

    Args:
        environ: The process's environment; of it only variables known to be harmless are kept.

    Returns:
        ``python``, ``implementation``, ``executable``, ``os``, ``machine``, ``cpu``, ``n_cpus`` (that this process may
        use), ``memory_bytes``, ``gpus`` and ``variables``; what cannot be found is absent.

    Example:
        >>> import sys
        >>> described = capture_environment({"OMP_NUM_THREADS": "4", "API_TOKEN": "hunter2"})
        >>> described["variables"], described["implementation"] == sys.implementation.name
        ({'OMP_NUM_THREADS': '4'}, True)
    """
    described: dict[str, PlainValue] = {
        "python": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "executable": Path(sys.executable or "").name,
        "os": _operating_system(),
        "machine": _machine(environ),
        "cpu": _cpu_model(environ),
        "n_cpus": _n_cpus(),
        "memory_bytes": _memory_bytes(),
        "gpus": list(_gpus(environ)),
        "variables": {
            name: mask_secrets(environ[name][:_MAX_VARIABLE_LENGTH]) for name in _VARIABLES if environ.get(name)
        },
    }
    return {key: value for key, value in described.items() if value not in (None, "", [], {})}


def installed_packages(folders: Iterable[str] | None = None) -> list[str]:
    """List the packages that a script can import, as ``pip freeze`` does, forty times faster.

    The names of the packages' metadata folders tell all; no file is opened.

    Args:
        folders: Where to look; by default ``sys.path``.

    Returns:
        Sorted ``name==version`` with names as PyPI normalises them; of a package found twice the one that Python
        imports.
    """
    versions: dict[str, str] = {}
    for folder in sys.path if folders is None else folders:
        with contextlib.suppress(OSError):
            for match in filter(None, map(_PACKAGE.fullmatch, os.listdir(folder or "."))):  # noqa: PTH208  names alone, three times as fast
                versions.setdefault(re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"])
    return sorted(f"{name}=={version}" for name, version in versions.items())


def peak_memory_bytes() -> int | None:
    """Return the largest resident size that this process ever had; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _operating_system() -> str:
    if hasattr(os, "uname"):
        system = os.uname()
        return f"{system.sysname} {system.release}"
    return sys.platform


def _machine(environ: Mapping[str, str]) -> str:
    return os.uname().machine if hasattr(os, "uname") else environ.get("PROCESSOR_ARCHITECTURE", "")


def _cpu_model(environ: Mapping[str, str]) -> str | None:
    if sys.platform == "darwin":
        return _output(["sysctl", "-n", "machdep.cpu.brand_string"], environ)
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return None


def _n_cpus() -> int | None:
    # a container or a job scheduler gives a process fewer than the machine has
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf; other systems not these names
        return None


def _gpus(environ: Mapping[str, str]) -> Iterable[dict[str, PlainValue]]:
    gpus = _gpus_by_library()
    return _gpus_by_program(environ) if gpus is None else gpus


def _gpus_by_library() -> list[dict[str, PlainValue]] | None:
    """Ask nvidia-ml-py; None when it is not installed or finds no driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
        try:
            return [_gpu_by_library(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
        finally:
            pynvml.nvmlShutdown()
    except Exception:  # noqa: BLE001  a broken driver shows in many ways, and none may cost the run
        return None


def _gpu_by_library(pynvml: Any, index: int) -> dict[str, PlainValue]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    name = pynvml.nvmlDeviceGetName(handle)
    driver = pynvml.nvmlSystemGetDriverVersion()
    return {
        "name": _text(name),
        "memory_bytes": int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
        "driver": _text(driver),
    }


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value  # bytes before version 11.5


def _gpus_by_program(environ: Mapping[str, str]) -> list[dict[str, PlainValue]]:
    gpus: list[dict[str, PlainValue]] = []
    for line in (_output(_GPU_QUERY, environ) or "").splitlines():
        name, _, rest = line.partition(", ")
        memory, _, driver = rest.partition(", ")
        gpu: dict[str, PlainValue] = {"name": name, "driver": driver}
        if memory.isdecimal():  # "[N/A]" where memory is shared with the CPU
            gpu["memory_bytes"] = int(memory) * _MIB
        gpus.append(gpu)
    return gpus


def _output(arguments: Iterable[str], environ: Mapping[str, str]) -> str | None:
    """Return what a program prints; None when it is absent, fails or hangs."""
    program, *rest = arguments
    path = shutil.which(program, path=environ.get("PATH", ""))
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, *rest],
            check=True,
            capture_output=True,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            timeout=_PROGRAM_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()
