"""The name of this machine, as `socket.gethostname` gives it, without `socket`, whose import costs 3 ms."""

from __future__ import annotations

import os


def host_name() -> str:
    """Return the machine's name, which need not be unique in the world."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    from socket import gethostname  # Windows

    return gethostname()
