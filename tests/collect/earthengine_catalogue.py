"""An imaginary Sentinel-2 archive for the stub: every scene and pixel follows from its name."""

import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from rasterio.warp import transform

TILE_M, PITCH_M, CYCLE_DAYS = 109_800, 100_000, 5
DAY_MS = 86_400_000
BANDS = {
    "COPERNICUS/S2_SR_HARMONIZED": ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"],
    "COPERNICUS/S2_HARMONIZED": ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12"],
}
CLOUD_SCORE = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"


def draw(*words) -> float:
    """A number in [0, 1) that depends on the words alone."""
    digest = hashlib.blake2b("/".join(map(str, words)).encode(), digest_size=4)
    return int.from_bytes(digest.digest()) / 2**32


@dataclass(frozen=True)
class Asset:
    """One image: its footprint is its whole tile."""

    index: str
    tile: str
    time_ms: int
    cloud: float
    baseline: str
    patch_cloud: float | None

    @cached_property
    def properties(self):
        level = "MSIL2A"
        found = {
            "system:index": self.index,
            "system:time_start": self.time_ms,
            "MGRS_TILE": self.tile,
            "CLOUDY_PIXEL_PERCENTAGE": self.cloud,
            "PROCESSING_BASELINE": self.baseline,
        }
        # As some of the real ones do, one in nine lacks its product's name.
        return found if draw(self.index) < 1 / 9 else found | {"PRODUCT_ID": f"S2A_{level}_{self.index}"}


@dataclass
class Catalogue:
    """``clear``: share of scenes below 10 % cloud; ``hazy``: share of patches under cloud in a clear scene."""

    clear: float = 0.8
    hazy: float = 0.05
    tiles: dict = field(default_factory=dict)  # those ever asked about: name -> (epsg, left, bottom)

    def tiles_over(self, ring):
        """Tiles whose footprint holds every corner (degrees) of a ring."""
        longitudes, latitudes = (np.array(axis) for axis in zip(*ring, strict=True))
        zone = int((longitudes.mean() + 180) // 6) + 1
        epsg = (32600 if latitudes.mean() >= 0 else 32700) + zone
        x, y = (np.array(axis) for axis in transform("EPSG:4326", f"EPSG:{epsg}", longitudes, latitudes))
        for column in {math.floor(x.min() / PITCH_M) - 1, math.floor(x.min() / PITCH_M)}:
            # Tiles reach 9.8 km into their neighbours to the east and to the south.
            for row in {math.floor(y.max() / PITCH_M), math.floor(y.max() / PITCH_M) + 1}:
                left, top = column * PITCH_M, (row + 1) * PITCH_M
                if left <= x.min() and x.max() <= left + TILE_M and top - TILE_M <= y.min() and y.max() <= top:
                    name = tile_name(zone, latitudes.mean(), column, row)
                    self.tiles[name] = (epsg, left, top)
                    yield name

    def assets(self, tile, first_ms, end_ms):
        """Images of a tile from a time up to another: one day in five."""
        first_day, end_day = first_ms // DAY_MS, -(-end_ms // DAY_MS)
        for day in range(first_day + (phase(tile) - first_day) % CYCLE_DAYS, end_day, CYCLE_DAYS):
            for asset in made(tile, day, self.clear, self.hazy):
                if first_ms <= asset.time_ms < end_ms:
                    yield asset

    def find(self, index):
        """The image of that index, of a tile that was asked about; or None."""
        stamp, _, tile = index.split("_")
        time = np.datetime64(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}")
        day = int(time.astype("datetime64[D]").astype(int))
        found = self.assets(tile[1:], day * DAY_MS, (day + 1) * DAY_MS) if tile[1:] in self.tiles else ()
        return next((asset for asset in found if asset.index == index), None)


@lru_cache(maxsize=100_000)
def phase(tile):
    return int(CYCLE_DAYS * draw(tile))


@lru_cache(maxsize=100_000)
def made(tile, day, clear, hazy):
    """Images of one tile and day: one, or two where the day was processed again."""
    seconds = 37_000 + int(600 * draw(tile, day, "time"))
    stamp = str(np.datetime64(day * 86_400 + seconds, "s")).replace("-", "").replace(":", "")
    place = draw(tile, day, "cloud")
    cloud = 10 * place / clear if place < clear else 10 + 90 * place
    hazes = draw(tile, day, "patch")
    patch_cloud = None if hazes > 0.98 else 0.5 if hazes < hazy else 0.02
    versions = ("0214", "0500") if draw(tile, day, "again") < 0.15 else ("0214",)
    return tuple(
        Asset(
            f"{stamp}_{stamp[:8]}T{v}00_T{tile}",
            tile,
            1000 * (day * 86_400 + seconds),
            cloud,
            f"{v[:2]}.{v[2:]}",
            patch_cloud,
        )
        for v in versions
    )


def tile_name(zone, latitude, column, row):
    """Like those of MGRS: zone, band of latitude, column and row."""
    band = "CDEFGHJKLMNPQRSTUVWX"[min(int((latitude + 80) // 8), 19)]
    return f"{zone:02d}{band}{'ABCDEFGHJKLMNPQRSTUVWXYZ'[column]}{'ABCDEFGHJKLMNPQRSTUV'[row % 20]}"


def pixels(index, band, grid):
    """Digital numbers ``[height, width]``, never 0: they follow from the scene, the band and the place on Earth."""
    affine, size = grid["affineTransform"], grid["dimensions"]
    column = round(affine["translateX"] / 10) + np.arange(size["width"])
    row = round(affine["translateY"] / 10) - np.arange(size["height"])[:, np.newaxis]
    base = 200 + int(2000 * draw(index, band))
    return (base + column % 97 + row % 89).astype(np.uint16)
