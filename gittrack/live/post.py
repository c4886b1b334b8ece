"""Post one event now, and wait for the answer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gittrack.live.answer import NotTakenError
from gittrack.live.event import Event, UnsendableEventError, build_body, split_body
from gittrack.live.plain import make_plain
from gittrack.live.target import NoTargetError, Surroundings, Target, Wishes, find_target

if TYPE_CHECKING:
    import logging

    from gittrack.values import PlainValue

# What an experiment's end can be called besides.
OTHER_ENDS = ("interrupt", "failed")


def post_event(event: Event, wishes: Wishes, around: Surroundings, log: logging.Logger) -> bool | None:
    """Post one event, in as many requests as it needs.

    Args:
        event: The event.
        wishes: Where to, as far as the caller says it.
        around: Where the caller is.
        log: Where to say what went wrong.

    Returns:
        True when every request was answered with 200; False when one was not, or the network failed; None when nothing
        was sent, because something is missing or the event breaks the protocol.
    """
    try:
        deliver_event(event, find_target(wishes, around))
    except NoTargetError as error:
        log.log(error.level, "nothing is posted: %s", error)
        return None
    except UnsendableEventError as error:
        log.warning("%s", error)
        return None
    except NotTakenError as error:
        log.warning("the event '%s' was not posted: %s", event.event_type, error)
        return False
    return True


def deliver_event(event: Event, target: Target) -> None:
    """Post one event, in as many requests as it needs.

    Args:
        event: The event.
        target: Where to.

    Raises:
        UnsendableEventError: It breaks the protocol; nothing was sent.
        BadSettingError: The target makes no sense.
        NotTakenError: A request was not answered with 200.
    """
    body = build_body(make_plain(_with_usual(event)), target.repo_url)
    _check_name(body["name"])
    requests = list(split_body(body))
    from gittrack.live.channel import open_channel  # here: it loads requests

    channel = open_channel(target)
    try:
        for request in requests:
            answer = channel.post(request)
            if not answer.is_accepted:
                raise NotTakenError(answer)
    finally:
        channel.close()


def describe_machine() -> dict[str, PlainValue]:
    """Return what a start event says of the machine: ``cpu`` (how many) and ``memory`` (bytes), as far as known."""
    described: dict[str, PlainValue] = {"cpu": os.cpu_count()}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        described["memory"] = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {key: value for key, value in described.items() if value}


def _with_usual(event: Event) -> Event:
    """Return an event with what needs not be said."""
    if event.event_type in OTHER_ENDS:
        cause = {"cls": event.event_type, "text": str(event.message or event.event_type)}
        return event._replace(event_type="done", errors=event.errors or [cause])
    if event.event_type == "start" and event.machine is None:
        return event._replace(machine=describe_machine())
    return event


def _check_name(name: str) -> None:
    if not name or "/" in name:
        raise UnsendableEventError(f"no experiment can be called {name!r:.100}", hint="leave out slashes")


__all__ = ["OTHER_ENDS", "Event", "Surroundings", "Target", "Wishes", "describe_machine", "post_event"]
