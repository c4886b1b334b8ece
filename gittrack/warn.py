"""Warnings of a run: what goes wrong while a model is trained is said through `logging`, and training goes on."""

from __future__ import annotations


def warn(message: str, *arguments: object) -> None:
    """Log a warning to the logger ``gittrack``, as from the caller.

    Args:
        message: What happened, in the form of `logging`.
        arguments: What its placeholders stand for.
    """
    import logging  # here: it costs the first run of a process 4 ms, and most runs warn of nothing

    logging.getLogger("gittrack").warning(message, *arguments, stacklevel=2)
