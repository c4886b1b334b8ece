"""DVCLive's exceptions."""

from __future__ import annotations

from gittrack.live_files.errors import (
    InvalidDataTypeError,
    InvalidDvcyamlError,
    InvalidImageNameError,
    InvalidParameterTypeError,
    InvalidPlotTypeError,
    InvalidReportModeError,
    LiveError,
)

DvcLiveError = LiveError

__all__ = [
    "DvcLiveError",
    "InvalidDataTypeError",
    "InvalidDvcyamlError",
    "InvalidImageNameError",
    "InvalidParameterTypeError",
    "InvalidPlotTypeError",
    "InvalidReportModeError",
]
