"""DVCLive's package over `gittrack.Live`: change the import, or call `install`, and code written for it runs.

It needs neither DVC nor DVCLive. Files, arguments, environment variables, exceptions and callbacks are the original's
(3.49.1); the experiment is recorded by a gittrack run. Its defects are not kept: a param that cannot be held leaves
``params.yaml`` as it was, checkpoints of others are not deleted, a crashed script is recorded as failed.
"""

from __future__ import annotations

from gittrack.compat.dvclive.install import install
from gittrack.compat.dvclive.live import Live

__version__ = "3.49.1"

__all__ = ["Live", "__version__", "install"]
