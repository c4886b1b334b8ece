"""The schemas of events: `dvc_studio_client.schema`, without voluptuous.

``SCHEMAS_BY_TYPE[event_type](body)`` returns the body, its commit ids in small letters, or raises `MultipleInvalid`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack.live.schema import EVENT_TYPES, STUDIO_IDS, check_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gittrack.live.schema import Problem

_MAX_SHOWN = 500
_COMMIT_IDS = ("baseline_sha", "experiment_rev")


class Invalid(Exception):  # noqa: N818  the name that voluptuous gives it
    """A body breaks the protocol at one place.

    Attributes:
        msg: The rule.
        path: The keys and numbers that lead to the place.
    """

    def __init__(self, message: str, path: list[Any]) -> None:
        super().__init__(message)
        self.msg = message
        self.path = path


class MultipleInvalid(Invalid):
    """A body breaks the protocol.

    Attributes:
        errors: One error for each place.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.errors = [Invalid(render_problem(problem), list(problem.path)) for problem in problems]
        super().__init__(self.errors[0].msg, self.errors[0].path)


def humanize(body: Any, problems: Sequence[Problem]) -> str:
    """Return all that is wrong with a body, as voluptuous writes it, with the values that are.

    Args:
        body: The body.
        problems: What is wrong with it.
    """
    return "\n".join(sorted(f"{render_problem(one)}. Got {_shown(_value_at(body, one.path))}" for one in problems))


def render_problem(problem: Problem) -> str:
    """Return one problem as voluptuous writes it."""
    place = "][".join(map(repr, problem.path))
    return f"{problem.rule} @ data[{place}]" if place else problem.rule


def _value_at(value: Any, path: Sequence[Any]) -> Any:
    for key in path:
        try:
            value = value[key]
        except (LookupError, TypeError):
            return None
    return value


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _MAX_SHOWN else shown[: _MAX_SHOWN - 3] + "..."


def _schema_of(event_type: str | None) -> Callable[[Any], dict[str, Any]]:
    def check(body: Any) -> dict[str, Any]:
        problems = check_event(body, event_type, STUDIO_IDS)
        if problems:
            raise MultipleInvalid(problems)
        return {key: str(value).lower() if key in _COMMIT_IDS else value for key, value in body.items()}

    return check


BASE_SCHEMA = _schema_of(None)
SCHEMAS_BY_TYPE = {event_type: _schema_of(event_type) for event_type in EVENT_TYPES}
