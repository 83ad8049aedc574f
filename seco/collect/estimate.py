"""What a collection will take, from the listings of locations spread over it."""

from contextlib import closing
from dataclasses import dataclass, replace

from seco.collect.collector import Collector, Progress, Sampler
from seco.collect.gate import RequestGate
from seco.collect.journal import Journal
from seco.collect.patches import Patches
from seco.collect.settings import SceneSettings
from seco.collect.source import SceneSource

SAMPLE = 200  # locations
REQUESTS_PER_S = 30.0  # what 40 requests in flight come to when each takes 1.3 s
COMPRESSION = 3.0  # of real Sentinel-2 patches: docs/decisions/0005-zstd-stores.md


@dataclass(frozen=True)
class Estimate:
    """Of a whole collection.

    Attributes:
        locations: That find all dates.
        requests: Listings, and one a location for its pixels.
        bytes_received: Of pixels, uncompressed.
        bytes_on_disk: About.
        sample: What became of the locations that say so.
        every: Step from one of these to the next.
    """

    locations: int
    requests: int
    bytes_received: int
    bytes_on_disk: int
    sample: Progress
    every: int

    @property
    def hours(self) -> float:
        """How long Earth Engine takes for the requests."""
        return self.requests / REQUESTS_PER_S / 3600.0


class _Sample:
    """Books that keep nothing."""

    def __init__(self) -> None:
        self.journal = Journal(None)
        self.accepted: set[str] = set()

    def accept(self, patches: Patches) -> None:
        """Keep nothing."""


def estimate(settings: SceneSettings, source: SceneSource, sampler: Sampler) -> Estimate:
    """Sample and list locations of a collection; no pixels are asked for, and nothing is written.

    They are spread evenly over it, since places of later locations overlap earlier ones more often.

    Raises:
        RunError: If hardly any place will do.
        SourceError: If the source does not answer.
    """
    wanted = len(settings.numbers)
    every = max(1, -(-wanted // SAMPLE))
    few = replace(settings, num_shards=settings.num_shards * every)
    gate = RequestGate(outage_s=0.0)  # somebody waits for the answer
    books = _Sample()
    with closing(books.journal):
        sample = Collector(few, source, sampler, lambda *_: Patches([], [], 0), books, gate=gate, skip_bad=True).run()
    found = max(sample.accepted, 1)
    locations = wanted * sample.accepted / sample.wanted
    requests = round(locations * (sample.requests / found + 1))
    received = round(locations * 2 * settings.dates * len(source.bands) * settings.patch_size**2)
    return Estimate(round(locations), requests, received, round(received / COMPRESSION), sample, every)
