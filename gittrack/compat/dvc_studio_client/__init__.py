"""The names of `dvc_studio_client` 0.23, over gittrack: change the import, keep the code.

Messages go to the logger ``dvc_studio_client``; ``DVC_STUDIO_CLIENT_LOGLEVEL`` or ``DVCLIVE_LOGLEVEL`` sets its level.
"""

from __future__ import annotations

import logging
import os

from gittrack.compat.dvc_studio_client.env import DVC_STUDIO_CLIENT_LOGLEVEL, DVCLIVE_LOGLEVEL

DEFAULT_STUDIO_URL = "https://studio.datachain.ai"

logger = logging.getLogger("dvc_studio_client")
if not logger.handlers:  # the client itself may be imported too
    _handler = logging.StreamHandler()
    _handler.setFormatter(logging.Formatter("%(levelname)s:%(name)s:%(message)s"))
    logger.addHandler(_handler)
logger.setLevel(os.getenv(DVC_STUDIO_CLIENT_LOGLEVEL, os.getenv(DVCLIVE_LOGLEVEL, "WARNING")).upper())

__all__ = ["DEFAULT_STUDIO_URL", "logger"]
