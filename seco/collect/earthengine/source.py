"""The source ``earthengine``."""

import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import ee
import numpy as np
from numpy.typing import NDArray

from seco.bands import SENTINEL2_L1C, SENTINEL2_L2A
from seco.collect.earthengine.answers import RequestRefusedError, asking, no_answer
from seco.collect.earthengine.credentials import load_credentials, project_of
from seco.collect.earthengine.expressions import Stack, grid, listing, scenes_of
from seco.collect.earthengine.pixels import parse_pixels
from seco.collect.earthengine.transport import CONNECT_S, Transport
from seco.collect.gate import MOST_IN_FLIGHT
from seco.collect.locations import Location
from seco.collect.source import COPERNICUS, Scene, Window
from seco.errors import ConfigError, SceneError

COLLECTIONS = {"COPERNICUS/S2_SR_HARMONIZED": ("L2A", SENTINEL2_L2A), "COPERNICUS/S2_HARMONIZED": ("L1C", SENTINEL2_L1C)}
DEFAULT_COLLECTION = next(iter(COLLECTIONS))
# Of one request for pixels, uncompressed. Source: Earth Engine, ee.data.computePixels.
MOST_BYTES, MOST_SIDE, MOST_BANDS = 48 << 20, 1 << 15, 1024
TIMEOUT_S = 330.0  # Earth Engine itself ends an interactive request after 5 minutes
WORKLOAD_TAG = "seco-collect"


class EarthEngineSource:
    """Sentinel-2 through Earth Engine's high-volume endpoint. The client is global: one such source a process.

    Args:
        collection: A key of COLLECTIONS.
        patch_size: Height and width of a patch, px of 10 m.
        cloud_percent: Scenes with more cloud are not listed, 0 to 100.
        credentials: As :func:`seco.collect.earthengine.credentials.load_credentials` takes them.
        project: Cloud project, or None for the credentials' own.
        endpoint: URL of another server than Google's.
        timeout_s: Longest time for one answer.

    Raises:
        ConfigError: If the collection is unknown, or there are no credentials or project.
        SourceError: If the server refuses them.
    """

    name = "earthengine"
    sensor = "Sentinel-2"
    licence = COPERNICUS
    listing_size = 25

    def __init__(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        patch_size: int,
        cloud_percent: float,
        credentials: str = "user",
        project: str | None = None,
        endpoint: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        if collection not in COLLECTIONS:
            raise ConfigError(f"collection: expected {' or '.join(COLLECTIONS)}, got {collection}; choose one of them")
        self.product_level, self.bands = COLLECTIONS[collection]
        self._ids = [band.name.replace("B0", "B") for band in self.bands]
        self.collection, self._patch_size, self._cloud_percent = collection, patch_size, cloud_percent
        if self._bytes(1) > MOST_BYTES or patch_size > MOST_SIDE:
            raise ConfigError(
                f"patch_size: expected at most {MOST_BYTES >> 20} MiB a date, which Earth Engine gives at once, got "
                f"{patch_size} px; choose smaller patches"
            )
        identity = load_credentials(credentials)
        self._project = project_of(identity, project)
        for name in ("googleapiclient", "google.auth", "urllib3"):  # they quote addresses, which name the project
            logging.getLogger(name).setLevel(logging.ERROR)
        ee.Reset()
        ee.data.setMaxRetries(0)  # the gate tries again, and heeds Retry-After
        with asking(self._project), _default_timeout():
            ee.Initialize(
                identity,
                url=endpoint or ee.data.HIGH_VOLUME_API_BASE_URL,
                http_transport=Transport(MOST_IN_FLIGHT, timeout_s),
                project=self._project,
            )
            ee.data.setDefaultWorkloadTag(WORKLOAD_TAG)
            ee.data.getAsset(collection)  # so that a wrong account or name is known before anything is written

    def list_scenes(
        self, locations: Sequence[Location], windows: Sequence[Sequence[Window]]
    ) -> list[list[Scene] | SceneError]:
        """Scenes of many locations in one request, with the cloud over each patch by Cloud Score+."""
        try:
            return self._list_at_once(locations, windows)
        except RequestRefusedError as error:
            if len(locations) == 1:
                if error.retriable:
                    raise
                return [SceneError(str(error))]
            # Too much for one request, perhaps: in halves.
            half = len(locations) // 2
            first = self.list_scenes(locations[:half], windows[:half])
            return first + self.list_scenes(locations[half:], windows[half:])

    def _list_at_once(
        self, locations: Sequence[Location], windows: Sequence[Sequence[Window]]
    ) -> list[list[Scene] | SceneError]:
        size, cloud = self._patch_size, self._cloud_percent
        with asking(self._project):
            value = listing(self.collection, locations, windows, patch_size=size, cloud_percent=cloud)
            try:
                return [*scenes_of(ee.data.computeValue(value), len(locations))]
            except (TypeError, LookupError, ValueError) as error:  # of a proxy's page, or JSON that is cut
                raise no_answer(f"no list: {type(error).__name__}") from None

    def cloud_fractions(self, location: Location, scenes: Sequence[Scene]) -> list[float]:
        """Not known beyond what the listing says."""
        return [float("nan")] * len(scenes)

    def read(self, location: Location, scenes: Sequence[Scene]) -> NDArray[np.uint16]:
        """Pixels ``[scenes, bands, height, width]`` in one request, or one a scene where that is too large or refused.

        Raises:
            SceneError: If a scene of its own is refused.
        """
        if len(scenes) == 1 or (self._bytes(len(scenes)) <= MOST_BYTES and len(scenes) * len(self._ids) <= MOST_BANDS):
            try:
                return self._read_at_once(location, scenes)
            except RequestRefusedError as error:
                if len(scenes) == 1:
                    raise error if error.retriable else SceneError(str(error)) from None
        return np.concatenate([self.read(location, [scene]) for scene in scenes])

    def _read_at_once(self, location: Location, scenes: Sequence[Scene]) -> NDArray[np.uint16]:
        with asking(self._project):
            request = {
                "expression": Stack(self.collection, scenes, self._ids),
                "fileFormat": "NPY",
                "grid": grid(location, self._patch_size),
            }
            answer = ee.data.computePixels(request)
        size = self._patch_size
        return parse_pixels(answer, (len(scenes), len(self._ids), size, size))

    def _bytes(self, scenes: int) -> int:
        return 2 * scenes * len(self._ids) * self._patch_size**2


@contextmanager
def _default_timeout() -> Iterator[None]:
    """The client looks for deprecated data sets on a connection of its own, which knows no other end."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(CONNECT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
