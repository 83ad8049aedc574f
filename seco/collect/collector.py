"""Fills a store from a source of scenes: many requests at once, and nothing lost when it is interrupted."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from seco.collect.choose import ADVICE, PlaceRejected, Rejected
from seco.collect.fetch import Candidate, choose_for, fetch_patches
from seco.collect.gate import LISTING, PIXELS, RequestGate
from seco.collect.journal import Journal
from seco.collect.ledger import Ledger
from seco.collect.locations import Location, location_id
from seco.collect.patches import Patches
from seco.collect.settings import SceneSettings
from seco.collect.source import Scene, SceneSource
from seco.collect.workers import Workers
from seco.device import cores
from seco.errors import RunError, SceneError, SourceError

HOPELESS = 20  # locations without clear scenes, and no fewer than those with: the settings ask too much
LOST = 10  # requests of one kind in a row that failed for good: the line is down, or the quota used up
WITH_PIXELS = ("nodata", "unreadable")  # rejections after an answer to a request for pixels
SHOW_S = 5.0  # longest time between two reports
AHEAD = 8  # listings: each takes longer than a request for pixels


Fetch = Callable[[Candidate, Sequence[tuple[Scene, float]], RequestGate], Patches]


class Books(Protocol):
    """What became of candidates: a :class:`seco.collect.ledger.Ledger`, or one that keeps nothing."""

    journal: Journal
    accepted: set[str]  # names of the locations that are there already

    def accept(self, patches: Patches) -> None:
        """Note the patches of a location."""


class Sampler(Protocol):
    """Draws places."""

    def candidate(self, seed: int, number: int, attempt: int) -> Location:
        """The place of an attempt at a location, both from 0: a pure function of its arguments.

        Raises:
            PlaceRejected: If it will not do: the next attempt is tried.
        """


@dataclass
class Progress:
    """How far a collection is: counts since it was first begun, except that requests and bytes are of this run.

    ``unreadable`` is why the last scene was, and ``silent_s`` how long ago the source last answered.
    """

    wanted: int
    accepted: int = 0
    given_up: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    bytes_read: int = 0
    unreadable: str = ""
    silent_s: float = 0.0
    began: float = field(default_factory=time.monotonic)
    accepted_before: int = 0


@dataclass(frozen=True)
class _Outcome:
    """What a job found: patches, or why there are none, scenes to fetch, or an error."""

    candidates: list[Candidate]
    scenes: Sequence[list[Scene] | SceneError] | None = None
    patches: Patches | None = None
    rejection: Rejected | None = None
    error: SourceError | None = None


class Collector:
    """Collects what ``settings`` say into the ledger of a store.

    Candidates are listed in batches and fetched one by one, by threads; this one only keeps the books. What becomes of a
    candidate depends on it and the catalogue alone, hence the store on neither order nor failures.

    Args:
        settings: What to collect.
        source: Where scenes come from.
        sampler: Where places come from.
        fetch: Reads and writes the patches of a candidate from its chosen scenes, in any thread.
        ledger: Keeps what became of candidates.
        gate: Lets requests through.
        skip_bad: Reject as unreadable what requests fail for time and again, if they do not fail for its next place, too.
        report: Called after each step.
    """

    def __init__(
        self,
        settings: SceneSettings,
        source: SceneSource,
        sampler: Sampler,
        fetch: Fetch,
        ledger: Books,
        *,
        gate: RequestGate | None = None,
        skip_bad: bool = False,
        report: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._settings, self._source, self._sampler = settings, source, sampler
        self._fetch_patches, self._ledger = fetch, ledger
        self._gate = gate or RequestGate()
        self._skip_bad, self._report = skip_bad, report
        tried = ledger.journal.attempts()
        given_up = {number for number, count in tried.items() if count >= settings.max_attempts}
        done = ledger.accepted
        numbers = (n for n in settings.numbers if location_id(n) not in done and n not in given_up)
        self._fresh: Iterator[tuple[int, int]] = ((n, tried.get(n, 0)) for n in numbers)
        self._again: deque[tuple[int, int]] = deque()
        self._next: list[Candidate] = []  # of the next listing
        self._ready: deque[tuple[Candidate, list[Scene] | SceneError]] = deque()
        self._listings = self._in_vain = 0
        self._failures = Counter[str]()  # of each kind of request, in a row
        self._aside: list[tuple[Candidate, SourceError]] = []
        self._probing = False  # whether one of these was rejected, and no pixels have come since
        self.progress = Progress(
            wanted=len(settings.numbers),
            accepted=len(done),
            accepted_before=len(done),
            given_up=len(given_up),
            rejected=ledger.journal.reasons(),
        )

    def run(self) -> Progress:
        """Collect until every location is accepted or given up.

        Raises:
            SourceError: If the source refuses, or does not answer for long, or to requests for some locations; the journal
                has what came before.
            RunError: If hardly any place will do.
        """
        # A few threads more than requests: while some write patches, the line stays busy.
        self._workers: Workers[_Outcome] = Workers(self._gate.most + cores())
        self._report(self.progress)
        try:
            while self._feed() or (self._reject_one_aside() and self._feed()):
                if outcome := self._workers.result(SHOW_S):
                    self._note(outcome)
                self.progress.requests, self.progress.silent_s = self._gate.requests, self._gate.silent_s
                self._report(self.progress)
        finally:
            self._gate.stop()
            for outcome in self._workers.stop():
                if outcome.patches:
                    self._accept(outcome.patches)
        if self._aside:
            *_, (_, error) = self._aside
            raise SourceError(f"locations left for the next run, or for --skip-bad: {len(self._aside)}; the last: {error}")
        return self.progress

    def _reject_one_aside(self) -> bool:
        """With ``skip_bad``, give up a place that fails: its next one tells whether all do. Whether there was one."""
        if not self._skip_bad or not self._aside or self._probing:
            return False
        candidate, error = self._aside.pop()
        self._probing = True
        self._reject_candidate(candidate, "unreadable", str(error))
        return True

    def _feed(self) -> bool:
        """Give the threads work; whether there is any."""
        width = self._gate.most
        while True:
            if self._ready and self._workers.running - self._listings < width:
                self._workers.submit(partial(self._fetch, *self._ready.popleft()))
            elif not self._list_more(width):
                return self._workers.running > 0

    def _list_more(self, width: int) -> bool:
        """Begin a listing if the threads will need it, and its candidates are as many as one request takes."""
        size = self._source.listing_size
        if len(self._ready) + size * self._listings >= max(AHEAD * size, 2 * width):
            return False
        self._fill(size)
        starving = not self._ready and not self._listings
        if not self._next or (len(self._next) < size and not starving):
            return False
        self._listings += 1
        self._workers.submit(partial(self._list, self._next))
        self._next = []
        return True

    def _fill(self, size: int) -> None:
        """Draw candidates until the next listing is full, those of locations begun first."""
        while len(self._next) < size:
            drawn = self._again.popleft() if self._again else next(self._fresh, None)
            if drawn is None:
                return
            number, attempt = drawn
            try:
                place = self._sampler.candidate(self._settings.seed, number, attempt)
            except PlaceRejected as rejection:
                self._reject(number, attempt, str(rejection), rejection.position)
            else:
                windows = self._settings.calendar.windows(self._settings.seed, number, attempt)
                self._next.append(Candidate(number, attempt, place, windows))

    def _list(self, candidates: list[Candidate]) -> _Outcome:
        places, windows = [c.location for c in candidates], [c.windows for c in candidates]
        try:
            scenes = self._gate.call(lambda: self._source.list_scenes(places, windows), LISTING)
        except SourceError as error:
            return _Outcome(candidates, scenes=[], error=error)
        return _Outcome(candidates, scenes=scenes)

    def _fetch(self, candidate: Candidate, scenes: list[Scene] | SceneError) -> _Outcome:
        try:
            chosen = choose_for(candidate, scenes, self._source, self._gate, self._settings.cloud_percent)
            return _Outcome([candidate], patches=self._fetch_patches(candidate, chosen, self._gate))
        except Rejected as rejection:
            return _Outcome([candidate], rejection=rejection)
        except SourceError as error:
            return _Outcome([candidate], error=error)

    def _note(self, outcome: _Outcome) -> None:
        kind = PIXELS if outcome.scenes is None else LISTING
        self._listings -= kind == LISTING
        if outcome.error:
            self._set_aside(outcome.candidates, outcome.error, kind)
            return
        if outcome.scenes is not None:
            self._failures[LISTING] = 0
            self._ready.extend(zip(outcome.candidates, outcome.scenes, strict=True))
            return
        if outcome.patches or str(outcome.rejection) in WITH_PIXELS:
            self._failures[PIXELS], self._probing = 0, False
        if outcome.patches:
            self._accept(outcome.patches)
        elif outcome.rejection:
            self._reject_candidate(outcome.candidates[0], str(outcome.rejection), str(outcome.rejection.__cause__))

    def _set_aside(self, candidates: list[Candidate], error: SourceError, kind: str) -> None:
        """Leave locations to the next run of the same command; end this one if that happens time and again."""
        self._failures[kind] += 1
        if len(candidates) > 1 and error.retriable:  # it may be one that spoils the list of all
            for candidate in candidates:
                self._listings += 1
                self._workers.submit(partial(self._list, [candidate]))
        else:
            self._aside.append((candidates[0], error))
        if not error.retriable:
            raise error
        if self._failures[kind] >= LOST:
            self._failures[kind] = 0
            if not self._reject_one_aside():
                raise error

    def _reject_candidate(self, candidate: Candidate, reason: str, cause: str) -> None:
        if reason == "unreadable":
            self.progress.unreadable = cause
        position = candidate.location.longitude, candidate.location.latitude
        self._reject(candidate.number, candidate.attempt, reason, position)
        if candidate.attempt + 1 == self._settings.max_attempts:
            self._give_up_in_vain()

    def _accept(self, patches: Patches) -> None:
        self._ledger.accept(patches)
        self.progress.accepted += 1
        self.progress.bytes_read += patches.num_bytes

    def _reject(self, number: int, attempt: int, reason: str, position: tuple[float, float]) -> None:
        longitude, latitude = position
        self._ledger.journal.reject(
            number,
            attempt,
            location_id=location_id(number),
            longitude=longitude,
            latitude=latitude,
            reason=reason,
        )
        self.progress.rejected[reason] += 1
        if attempt + 1 < self._settings.max_attempts:
            self._again.append((number, attempt + 1))
        else:
            self.progress.given_up += 1

    def _give_up_in_vain(self) -> None:
        """Of a location that cost requests; those in the sea and on others cost none, and may come before all others."""
        self._in_vain += 1
        if self._in_vain >= max(HOPELESS, self.progress.accepted):
            raise RunError(explain_rejections(self.progress, self._settings))


def collect(
    folder: str | Path,
    settings: SceneSettings,
    source: SceneSource,
    sampler: Sampler,
    *,
    gate: RequestGate | None = None,
    skip_bad: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Progress | None:
    """Write the store of ``settings``, or go on where another call with the same settings ended.

    The last three arguments are those of :class:`Collector`.

    Returns:
        What became of the candidates; None if the store was complete already.

    Raises:
        StoreError: If the folder is in use, or of a collection with other settings.
        SourceError: As :meth:`Collector.run`; what was collected stays, for the next call.
        RunError: If no place or hardly any will do; without any, nothing stays in the folder.
    """
    folder = Path(folder)
    with Ledger(folder, settings, source) as ledger:
        if ledger.finished:
            return None
        fetch = partial(fetch_patches, source=source, patch_size=settings.patch_size, folder=folder)
        collector = Collector(settings, source, sampler, fetch, ledger, gate=gate, skip_bad=skip_bad, report=report)
        progress = collector.run()
        if not progress.accepted:
            raise RunError(explain_rejections(progress, settings))
        ledger.finish()
    return progress


def explain_rejections(progress: Progress, settings: SceneSettings) -> str:
    """Why candidates were rejected, by reason, and what may help against the one that occurs most."""
    ((most, _),) = progress.rejected.most_common(1)
    reasons = ", ".join(f"{reason} {count}" for reason, count in progress.rejected.most_common())
    last = f", the last: {progress.unreadable}" if progress.unreadable else ""
    return (
        f"locations: expected {progress.wanted}, got {progress.accepted}, and {progress.given_up} without a place after "
        f"{settings.max_attempts} attempts each (rejected: {reasons}{last}); {ADVICE[most]}"
    )
