"""Send what a spool holds, in order, as fast or slowly as the receiver takes it."""

from __future__ import annotations

import random
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from gittrack.live.answer import NotTakenError
from gittrack.live.event import MAX_PLOTS, Event, build_body
from gittrack.live.journal_tail import METRICS_FILE, PARAM_KINDS, PARAMS_FILE, EventsTail, JournalTail
from gittrack.live.pictures import PICTURES_FOLDER, read_picture
from gittrack.live.plain import make_plain
from gittrack.live.post import describe_machine
from gittrack.values import parse_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gittrack.live.channel import Channel
    from gittrack.live.journal_tail import News, TailedEvent
    from gittrack.live.spool import End, Spool, SpooledRun

CLIENT = "gittrack"
MAX_POINTS = 1024  # in one request: encoding more would hold the interpreter up for milliseconds

_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _LONGEST_ASKED_PAUSE_S = 1.0, 60.0, 600.0
_random = random.SystemRandom()  # of our own: a training script may have seeded that of the process


class Pauses:
    """How long to wait after a failure: twice as long after each, and by chance, so that not all come at once."""

    def __init__(self) -> None:
        self._n_failures = 0

    def succeed(self) -> None:
        """Begin anew with the next failure."""
        self._n_failures = 0

    def fail(self, retry_after: str | None = None) -> float:
        """Return the seconds to wait.

        Args:
            retry_after: What the receiver asks for, in seconds.
        """
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**self._n_failures)
        self._n_failures = min(self._n_failures + 1, 10)
        pause *= _random.uniform(0.5, 1.0)
        if retry_after is not None and retry_after.strip().isdecimal():
            pause = max(pause, min(float(retry_after), _LONGEST_ASKED_PAUSE_S))
        return pause


class Sender:
    """Sends one spool; the caller holds its lock.

    Args:
        spool: The spool.
        run: Who the run is.
        channel: What takes its events.
        refresh: Brings into the spool what is new of a run that goes on.
    """

    def __init__(
        self, spool: Spool, run: SpooledRun, channel: Channel, refresh: Callable[[], None] | None = None
    ) -> None:
        self.spool = spool
        self._run = run
        self._channel = channel
        self._refresh = refresh
        self._position = spool.read_position()
        self._tails: dict[str, JournalTail] = {}
        self._events_tails: dict[str, EventsTail] = {}
        self._pictures: deque[tuple[str, TailedEvent]] = deque()
        self._params: dict[str, dict[str, Any]] = {}
        self._has_new_params = False
        self._next_journal = 0

    def send_some(self) -> bool:
        """Send the next piece; return whether there was any.

        Raises:
            NotTakenError: The receiver did not take it; it is sent again by the next call.
            OSError: The disk refuses.
        """
        self._read_events()
        if self._refresh is not None:
            self._refresh()  # after the events: the files that they name are there by now
        if not self._position.is_started:
            self._send_start()
            return True
        return self._send_series() or self._send_picture() or self._send_params()

    def send_end(self, end: End) -> None:
        """Tell how the run ended, when all else was sent, and remove the spool.

        Args:
            end: How it ended.

        Raises:
            NotTakenError: The receiver did not take it.
        """
        errors = [] if end.status == "completed" else [{"cls": end.status, "text": end.message or end.status}]
        self._post(
            self._event("done", metrics=self._metrics(), params=self._params_body(), errors=errors)._replace(
                experiment_rev=end.commit
            )
        )
        self.spool.remove()

    def note_problem(self, error: NotTakenError) -> None:
        """Keep why nothing is taken, for people to see."""
        self._move(problem=error.message, is_refused=not error.may_retry)

    def _send_start(self) -> None:
        run = self._run
        params = self._params_body()
        self._post(
            self._event("start", params=params)._replace(
                message=run.message, subdir=run.subdir, machine=describe_machine()
            )
        )
        self._has_new_params = False
        self._move(is_started=True)

    def _send_series(self) -> bool:
        """Send new points of the next journal that has any."""
        tails = self._find_tails()
        for number in range(len(tails)):
            tail = tails[(self._next_journal + number) % len(tails)]
            news = tail.read(MAX_POINTS)
            if news is not None:
                self._next_journal += number + 1
                self._send_news(tail, news)
                return True
        return False

    def _send_news(self, tail: JournalTail, news: News) -> None:
        if news.plots:
            step = max([self._position.step, *(step for step, _ in tail.latest.values())])
            params = self._params_body() if self._has_new_params else None
            self._post(self._event("data", step=step, metrics=self._metrics(), params=params))
            self._has_new_params = False
            head = build_body(self._event("data", step=step), self._run.repo_url)
            for plots in _batches(news.plots):
                self._deliver({**head, "plots": plots})  # unchecked: the journal knows no other form
        else:
            step = self._position.step
        tail.accept(news)
        self._move(step=step, files={**self._position.files, tail.name: news.end})

    def _send_picture(self) -> bool:
        """Send the next plot or image that the journal names; what cannot be shown live is passed over."""
        if not self._pictures:
            return False
        name, event = self._pictures[0]
        plot = read_picture(event.content, self.spool.media)
        if plot is not None:
            step = event.content.get("step")
            step = step if type(step) is int else self._position.step
            head = build_body(self._event("data", step=step), self._run.repo_url)
            self._deliver({**head, "plots": {f"{PICTURES_FOLDER}/{event.content['file']}": plot}})
        self._pictures.popleft()
        self._move(files={**self._position.files, name: event.end})
        return True

    def _send_params(self) -> bool:
        """Send params that no point was logged after."""
        if not self._has_new_params:
            return False
        self._post(self._event("data", step=self._position.step, params=self._params_body()))
        self._has_new_params = False
        return True

    def _find_tails(self) -> list[JournalTail]:
        for path in self.spool.journals():
            if path.name not in self._tails:
                self._tails[path.name] = JournalTail(path, self._position.files.get(path.name, 0))
        return list(self._tails.values())

    def _read_events(self) -> None:
        for path in self.spool.journals():
            tail = self._events_tails.setdefault(path.name, EventsTail(path))
            for event in tail.read():
                if not isinstance(event.content, dict):
                    continue
                if event.kind in PARAM_KINDS:
                    self._params.setdefault(event.kind, {}).update(event.content)
                    self._has_new_params |= bool(event.content)
                elif event.end > self._position.files.get(tail.name, 0):
                    self._pictures.append((tail.name, event))

    def _params_body(self) -> dict[str, Any]:
        """Return all params; those that were logged come before those of files."""
        params = {**self._params.get("declared", {}), **self._params.get("params", {})}
        return {PARAMS_FILE: params} if params else {}

    def _metrics(self) -> dict[str, Any]:
        """Return the last value of each metric, over all journals."""
        latest: dict[str, tuple[int, Any]] = {}
        for tail in self._find_tails():
            for name, point in tail.latest.items():
                if name not in latest or point[0] >= latest[name][0]:
                    latest[name] = point
        values = {name: parse_number(value) if isinstance(value, str) else value for name, (_, value) in latest.items()}
        return {METRICS_FILE: {"data": values}} if values else {}

    def _event(self, event_type: str, **fields: Any) -> Event:
        return Event(event_type, self._run.baseline_sha, self._run.name, CLIENT, **fields)

    def _post(self, event: Event) -> None:
        self._deliver(build_body(make_plain(event), self._run.repo_url))

    def _deliver(self, body: dict[str, Any]) -> None:
        answer = self._channel.post(body)
        # a redirection that made a GET of it may well end on a page for people, with 200
        if not (answer.is_accepted and answer.is_posted):
            raise NotTakenError(answer)

    def _move(self, **fields: Any) -> None:
        """Keep how far the receiver has it."""
        fields = {"problem": None, "is_refused": False, **fields}
        self._position = self._position._replace(**fields)
        self.spool.write_position(self._position)


def send_until(sender: Sender, deadline: float) -> bool:
    """Send what there is until it is sent or the time is over; return whether it is sent.

    Args:
        sender: The sender.
        deadline: When to stop, by `time.monotonic`.

    Raises:
        NotTakenError: The receiver did not take something.
    """
    while time.monotonic() < deadline:
        if not sender.send_some():
            return True
    return False


def _batches(plots: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield plots for several requests, none with too many plots or points."""
    batch: dict[str, Any] = {}
    room = MAX_POINTS
    for name, plot in plots.items():
        points = plot["data"]
        while points:
            if room == 0 or len(batch) == MAX_PLOTS:
                yield batch
                batch, room = {}, MAX_POINTS
            batch[name] = {**plot, "data": points[:room]}
            points, room = points[room:], room - len(batch[name]["data"])
    yield batch
