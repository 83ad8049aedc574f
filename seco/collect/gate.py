"""How many requests are in flight at once, and when a failed one is made again."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TypeVar

from seco.errors import SceneError, SourceError

T = TypeVar("T")
MOST_IN_FLIGHT = 40  # of one project, by Earth Engine's documented quota
FIRST_IN_FLIGHT = 10
LONGEST_WAIT_S = 60.0
OUTAGE_S = 600.0
LISTING, PIXELS = "listing", "pixels"  # kinds of requests


def seconds_of(retry_after: str) -> float:
    """Seconds that a header ``Retry-After`` asks for, as a number or a date of HTTP; 0 where it says neither."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0


class Stopped(Exception):
    """The collection ends: no more requests."""


class RequestGate:
    """Lets requests of many threads through: more at a time while all goes well, half as many after a quota answer.

    Additive increase, multiplicative decrease, as TCP finds its share of a line (Chiu and Jain, 1989).

    Args:
        most: Never more in flight.
        tries: How often one request is made before its error counts.
        backoff_s: Longest first wait; it doubles with every try. The wait is random, so that threads part.
        outage_s: Where others fail, too, it is not the request: it is made for so long before its error counts.
    """

    def __init__(
        self, *, most: int = MOST_IN_FLIGHT, tries: int = 8, backoff_s: float = 1.0, outage_s: float = OUTAGE_S
    ) -> None:
        self.most = most
        self.requests = 0
        self._tries, self._backoff_s, self._outage_s = tries, backoff_s, outage_s
        self._began = time.monotonic()
        self._answered: dict[str, float] = {}  # when a request of each kind was last answered
        self.limit = float(min(FIRST_IN_FLIGHT, most))
        self._in_flight = 0
        self._closed_until = self._last_cut = 0.0
        self._stopped = False
        self._change = threading.Condition()

    @property
    def silent_s(self) -> float:
        """Seconds since the last answer."""
        return time.monotonic() - max(self._answered.values(), default=self._began)

    def call(self, request: Callable[[], T], kind: str = "") -> T:
        """The answer to a request; answers to others of its kind say that the server is there.

        Raises:
            SourceError: If it is not retriable, or was made ``tries`` times, and in an outage for long enough.
            Stopped: If :meth:`stop` was called.
        """
        began = before = time.monotonic()
        tries = 0
        for attempt in itertools.count():
            try:
                with self._slot() as started:
                    answer = request()
            except SourceError as error:
                if time.monotonic() >= began + self._outage_s:
                    tries = attempt + 1
                else:
                    tries += not self._is_outage(error, kind, before)
                if not error.retriable or tries >= self._tries:
                    raise
                self._back_off(error, attempt, started)
                before = started
            else:
                break
        with self._change:
            self._answered[kind] = time.monotonic()
            self.limit = min(self.limit + 1.0 / self.limit, self.most)
            self._change.notify()
        return answer

    def _is_outage(self, error: SourceError, kind: str, before: float) -> bool:
        """Whether nobody had an answer since a request was made the time before; what a scene itself lacks is none."""
        return self._answered.get(kind, 0.0) <= before and not isinstance(error, SceneError)

    def stop(self) -> None:
        """Let nothing through any more, and wake whoever waits."""
        with self._change:
            self._stopped = True
            self._change.notify_all()

    @contextmanager
    def _slot(self) -> Iterator[float]:
        with self._change:
            self._wait_while(lambda: self._in_flight >= int(self.limit) or time.monotonic() < self._closed_until)
            self._in_flight += 1
            self.requests += 1
        try:
            yield time.monotonic()
        finally:
            with self._change:
                self._in_flight -= 1
                self._change.notify()

    def _back_off(self, error: SourceError, attempt: int, started: float) -> None:
        wait = random.uniform(0.0, min(self._backoff_s * 2.0 ** min(attempt, 16), LONGEST_WAIT_S))
        again = time.monotonic() + max(wait, error.retry_after_s)
        with self._change:
            if error.quota:
                # Answers to requests made before the last cut say nothing about the limit that it set.
                if started > self._last_cut:
                    self.limit, self._last_cut = max(1.0, self.limit / 2.0), time.monotonic()
                self._closed_until = max(self._closed_until, time.monotonic() + error.retry_after_s)
            self._wait_while(lambda: time.monotonic() < again)

    def _wait_while(self, blocked: Callable[[], bool]) -> None:
        """Wait, with the condition held; time passes without a notice, so look again now and then."""
        while not self._stopped and blocked():
            self._change.wait(0.05)
        if self._stopped:
            raise Stopped
