"""What a receiver answers, and the error when it did not take an event."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from gittrack.errors import GittrackError

_MAX_SHOWN = 300
# Told by the receiver to come again.
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class Answer(NamedTuple):
    """What came of one request.

    Attributes:
        status: The HTTP status, after redirections; None when there was no answer.
        text: What the receiver said, or why there is no answer.
        is_posted: Whether the last request was a POST still, not the GET that some redirections turn it into.
        retry_after: The header of that name.
        is_passing: Where there was no answer: whether there may be one later.
    """

    status: int | None
    text: str = ""
    is_posted: bool = True
    retry_after: str | None = None
    is_passing: bool = True

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has the event: the protocol knows 200 alone."""
        return self.status == HTTPStatus.OK

    @property
    def may_retry(self) -> bool:
        """Whether the same request may be answered otherwise later."""
        if self.status is None:
            return self.is_passing
        return self.status in _PASSING or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    def describe(self) -> str:
        """Return what is wrong, in one line."""
        if self.status is None:
            return self.text
        if self.is_accepted:
            return "the receiver redirects to a page that takes no events"
        said = f": {self.text[:_MAX_SHOWN]}" if self.text else ""
        return f"the receiver answered {self.status}{said}"


class NotTakenError(GittrackError):
    """The receiver did not take an event.

    Attributes:
        may_retry: Whether it may take it later.
        retry_after: What it says of when, in seconds.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.describe())
        self.may_retry = answer.may_retry
        self.retry_after = answer.retry_after
