"""The schemas of events: `dvc_studio_client.schema`, without voluptuous.

``SCHEMAS_BY_TYPE[event_type](body)`` returns the body or raises `Invalid`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack.live.schema import EVENT_TYPES, STUDIO_IDS, find_problems

if TYPE_CHECKING:
    from collections.abc import Callable


class Invalid(ValueError):  # noqa: N818  the name that voluptuous gives it
    """The body breaks the protocol."""


def _schema_of(event_type: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def check(body: dict[str, Any]) -> dict[str, Any]:
        problems = find_problems({**body, "type": body.get("type", event_type)}, STUDIO_IDS)
        if problems:
            raise Invalid("; ".join(problems))
        return body

    return check


SCHEMAS_BY_TYPE = {event_type: _schema_of(event_type) for event_type in EVENT_TYPES}
