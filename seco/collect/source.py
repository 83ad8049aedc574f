"""What every source of scenes can do: say its bands, list the scenes of locations, and read their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seco.bands import Band
from seco.collect.locations import Location
from seco.errors import SceneError

COPERNICUS = "Copernicus Sentinel data: free, full and open (legal notice of the European Union)"  # a licence

Window = tuple[np.datetime64, np.datetime64]  # first and last day, datetime64[D], both included


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One product over a location, as a catalogue lists it.

    Attributes:
        id: Product identifier, such as ``S2A_MSIL2A_20210621T103631_N0300_R008_T31TDG_20210621T143310``.
        time: Acquisition, UTC, datetime64[s].
        tile: MGRS tile, such as ``31TDG``.
        cloud_percent: Of the whole scene, 0 to 100; NaN where the catalogue does not say.
        baseline: Processing baseline as a number such as 4.0; NaN where unknown.
        patch_cloud: Share of the patch under cloud, 0 to 1, where the listing says; None asks ``cloud_fractions``.
        handle: What its source needs to read it; of no meaning to others.
    """

    id: str
    time: np.datetime64
    tile: str
    cloud_percent: float
    baseline: float
    patch_cloud: float | None = None
    handle: Any = None


class Origin(Protocol):
    """What a store says of its pixels, whoever made them."""

    sensor: str
    bands: tuple[Band, ...]
    product_level: str  # "L2A" or "L1C"
    licence: str


class SceneSource(Origin, Protocol):
    """A catalogue of scenes and their pixels; its methods are called from many threads at once."""

    name: str  # as in --source
    collection: str  # what it asks for, by the catalogue's name
    listing_size: int  # locations that one request for a listing serves

    def list_scenes(
        self, locations: Sequence[Location], windows: Sequence[Sequence[Window]]
    ) -> Sequence[list[Scene] | SceneError]:
        """Scenes that cover each whole patch within its windows, in any order; why not, where a place has no list.

        Raises:
            SourceError: If the catalogue does not answer; ``retriable`` says whether asking again may help.
        """

    def cloud_fractions(self, location: Location, scenes: Sequence[Scene]) -> list[float]:
        """Share of the patch under cloud in each scene, 0 to 1; NaN where it cannot be said."""

    def read(self, location: Location, scenes: Sequence[Scene]) -> NDArray[np.uint16]:
        """Pixels ``[T, C, H, W]`` of the patch: digital numbers at offset 0, quantification 10000; 0 is nodata.

        Raises:
            SourceError: As :meth:`list_scenes`.
            SceneError: If a scene cannot be read at all.
        """
