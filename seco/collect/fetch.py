"""One candidate: choose its scenes, read them, and write their patches."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seco.collect.choose import Rejected, choose_scenes
from seco.collect.gate import PIXELS, RequestGate
from seco.collect.locations import Location
from seco.collect.patches import Patches, write_patches
from seco.collect.source import Scene, SceneSource, Window
from seco.data.reflectance import NODATA
from seco.errors import SceneError, SourceError

# A footprint in a catalogue is a polygon of few corners: patches at its edge may still lack a pixel here and there.
MOST_NODATA = 0.001


@dataclass(frozen=True)
class Candidate:
    """One attempt at a location: number ``attempt``, from 0, at location number ``number``, from 0."""

    number: int
    attempt: int
    location: Location
    windows: list[Window]


def choose_for(
    candidate: Candidate, scenes: Sequence[Scene] | SceneError, source: SceneSource, gate: RequestGate, cloud_percent: float
) -> list[tuple[Scene, float]]:
    """Scenes of a candidate and the share of the patch under cloud in each, earliest first.

    Raises:
        Rejected: If the catalogue has none that will do, or they cannot be listed.
        SourceError: If the source was asked for clouds, and did not answer.
    """

    def clouds(asked: Sequence[Scene]) -> list[float]:
        unknown = [scene for scene in asked if scene.patch_cloud is None]
        found = gate.call(lambda: source.cloud_fractions(candidate.location, unknown), PIXELS) if unknown else []
        answers = iter(found)
        return [next(answers) if scene.patch_cloud is None else scene.patch_cloud for scene in asked]

    if isinstance(scenes, SceneError):
        raise Rejected("unreadable") from scenes
    try:
        epsg = candidate.location.epsg
        return choose_scenes(scenes, candidate.windows, epsg=epsg, cloud_percent=cloud_percent, clouds=clouds)
    except SceneError as error:
        raise Rejected("unreadable") from error


def fetch_patches(
    candidate: Candidate,
    chosen: Sequence[tuple[Scene, float]],
    gate: RequestGate,
    *,
    source: SceneSource,
    patch_size: int,
    folder: Path,
) -> Patches:
    """Read the chosen scenes of a candidate and write them into the store at ``folder``.

    Raises:
        Rejected: If a scene cannot be read, or lacks pixels.
        SourceError: If the source does not answer, or gives other pixels than were asked for.
    """
    place, scenes = candidate.location, [scene for scene, _ in chosen]
    try:
        pixels = gate.call(lambda: source.read(place, scenes), PIXELS)
    except SceneError as error:
        raise Rejected("unreadable") from error
    shape = (len(scenes), len(source.bands), patch_size, patch_size)
    if pixels.shape != shape or pixels.dtype != np.uint16:
        raise SourceError(
            f"{source.name}: expected uint16 pixels of shape {shape}, got {pixels.dtype} of {pixels.shape}; report this"
        )
    nodata = pixels == NODATA
    if nodata.all(axis=1).mean(axis=(1, 2)).max() > MOST_NODATA or nodata.all(axis=(2, 3)).any():  # or a band is empty
        raise Rejected("nodata")
    said = [
        {
            "time": scene.time.astype("datetime64[s]"),
            "scene_id": scene.id,
            "cloud_fraction": cloud,
            "scene_cloud": scene.cloud_percent,
            "baseline": scene.baseline,
            "tile": scene.tile,
        }
        for scene, cloud in chosen
    ]
    return write_patches(folder, place, pixels, bands=source.bands, said=said)
