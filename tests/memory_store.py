"""A store of random patches in memory: what a loader and a trainer ask of one, without files."""

from types import SimpleNamespace

import numpy as np

from seco.data.reflectance import SENTINEL2
from seco.data.statistics import BandStatistics

LOCATIONS, DATES, SIDE = 24, 4, 40


class MemoryStore:
    """Double of ``seco.data.store.Store``; every patch is unlike the others."""

    path, patch_size, dtype, fingerprint, has_checksums = "memory", SIDE, np.dtype("uint16"), "0", False
    band_names = ("B02", "B03", "B04", "B08")

    def __init__(self, **_: object) -> None:
        shape = (LOCATIONS * DATES, len(self.band_names), SIDE, SIDE)
        self.pixels = np.random.default_rng(0).integers(0, 4000, shape, dtype=np.uint16)
        self.locations = np.zeros(LOCATIONS, [("first_row", np.int64), ("num_dates", np.int64)])
        self.locations["first_row"], self.locations["num_dates"] = np.arange(LOCATIONS) * DATES, DATES
        self.times = np.zeros(LOCATIONS * DATES, "datetime64[s]")
        self.statistics = dict.fromkeys(self.band_names, BandStatistics(mean=2000, std=1150, q02=80, q98=3920))
        self.description = SimpleNamespace(reflectance=SENTINEL2)

    def __len__(self):
        return LOCATIONS

    def sources_of_rows(self, rows):
        return rows.tolist()

    def decode(self, sources, *, bands, threads, out):
        out[:] = self.pixels[sources][:, bands]
        return {}

    def check_unchanged(self):
        pass
