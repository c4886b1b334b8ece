"""What `Live` raises for a value, name or option that cannot be used; nothing was changed then.

The classes have the names, arguments and messages that DVCLive gives them.
"""

from __future__ import annotations

from gittrack.errors import UsageError

SKLEARN_KINDS = ("calibration", "confusion_matrix", "det", "precision_recall", "roc")


class LiveError(UsageError):
    """The root of the errors of `Live`."""


class InvalidDataTypeError(LiveError):
    """A value of this type cannot be logged.

    Args:
        name: Under which name it was to be logged.
        val: Its type.
    """

    def __init__(self, name: object, val: object) -> None:
        self.name = name
        self.val = val
        super().__init__(f"Data '{name}' has not supported type {val}")


class InvalidDvcyamlError(LiveError):
    """The file for DVC's configuration has another name than ``dvc.yaml``."""

    def __init__(self) -> None:
        super().__init__("`dvcyaml` path must have filename 'dvc.yaml'")


class InvalidImageNameError(LiveError):
    """The name of an image has no suffix of an image.

    Args:
        name: The name.
    """

    def __init__(self, name: object) -> None:
        self.name = name
        super().__init__(f"Cannot log image with name '{name}'", hint="end it with .png, .jpg, .jpeg or .gif")


class InvalidPlotTypeError(LiveError):
    """There is no such kind of plot.

    Args:
        name: The kind.
    """

    def __init__(self, name: object) -> None:
        self.name = name
        super().__init__(f"Plot type '{name}' is not supported.\nSupported types are: {list(SKLEARN_KINDS)}")


class InvalidParameterTypeError(LiveError):
    """A param has a type that no YAML file can hold.

    Args:
        msg: What is wrong.
    """

    def __init__(self, msg: object) -> None:
        super().__init__(str(msg))


class InvalidReportModeError(LiveError):
    """There is no such kind of report.

    Args:
        val: The kind.
    """

    def __init__(self, val: object) -> None:
        super().__init__(f"`report` can only be `None`, `auto`, `html`, `notebook` or `md`. Got {val} instead.")


class InvalidNameError(LiveError):
    """A name would lead out of the folder, or cannot be that of a file."""
