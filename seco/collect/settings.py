"""What is collected: everything that the pixels of a store depend on, kept in ``collection.json`` beside them."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import seco
from seco.collect.dates import Calendar
from seco.data.atomic import alone_in, write_atomic
from seco.data.description import SETTINGS_FILE, read_settings
from seco.data.writer import check_new_folder, make_folder
from seco.errors import ConfigError, StoreError

# First acquisitions: Sentinel-2A's, and the first that ESA processed to level 2A as a product.
FIRST_DAYS = {"L1C": np.datetime64("2015-06-27"), "L2A": np.datetime64("2017-03-28")}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of any collection; the same ones give the same store.

    Attributes:
        source: Name of the source, as in ``--source``.
        collection: What it was asked for, such as ``COPERNICUS/S2_SR_HARMONIZED``.
        locations: Number of locations, of all shards together. Location k does not depend on it.
        seed: Seed of all that is drawn, ``0 <= seed < 2**64``.
        patch_size: Height and width of a patch, px of 10 m.
        until: No date is later, such as ``"2021-12-31"``.
        dates: Dates a location.
        cloud_percent: Most cloud, of a scene and of a patch, 0 to 100.
        num_shards: In how many stores the locations are split.
        shard: Which of them, from 0: locations k with ``k % num_shards == shard``.
    """

    source: str
    collection: str
    locations: int
    seed: int
    patch_size: int = 264
    until: str = "2021-12-31"
    dates: int = 5
    cloud_percent: float = 10.0
    num_shards: int = 1
    shard: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "until", _checked_day(self.until))
        for name in ("locations", "seed", "patch_size", "dates", "num_shards", "shard"):
            object.__setattr__(self, name, int(getattr(self, name)))  # NumPy's numbers are no JSON
        self._expect_at_least(locations=1, patch_size=8, dates=1, num_shards=1)
        if not 0 <= self.seed < 2**64:
            raise ConfigError(f"seed: expected 0 to 2**64 - 1, got {self.seed}; choose another")
        if self.num_shards > self.locations:
            raise ConfigError(
                f"num_shards: expected at most one a location ({self.locations}), got {self.num_shards}; lower it"
            )
        if not 0 <= self.shard < self.num_shards:
            raise ConfigError(f"shard: expected 0 to {self.num_shards - 1}, got {self.shard}; choose one of num_shards")
        if not 0.0 <= self.cloud_percent <= 100.0:
            raise ConfigError(f"cloud_percent: expected 0 to 100, got {self.cloud_percent}; choose another")

    @property
    def numbers(self) -> range:
        """Numbers of the locations of this shard."""
        return range(self.shard, self.locations, self.num_shards)

    def _expect_at_least(self, **lows: int) -> None:
        for name, low in lows.items():
            if getattr(self, name) < low:
                raise ConfigError(f"{name}: expected at least {low}, got {getattr(self, name)}; raise it")


@dataclass(frozen=True, kw_only=True)
class SceneSettings(Settings):
    """Settings of a collection from a catalogue of scenes, on which the store depends, too.

    Attributes:
        product_level: ``"L2A"`` or ``"L1C"``.
        sampling: Where places are drawn, in words that name everything that they depend on.
        interval_days: Days between the centres of windows.
        window_days: Days of a window to both sides of its centre.
        max_attempts: Candidates that are tried for a location.
    """

    product_level: str
    sampling: str
    interval_days: int = 91
    window_days: int = 15
    max_attempts: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        self._expect_at_least(max_attempts=1)
        first = FIRST_DAYS.get(self.product_level)
        if first is not None and self.calendar.first_day < first:
            raise ConfigError(
                f"until: expected windows after {first}, when Sentinel-2 {self.product_level} begins, got windows "
                f"from {self.calendar.first_day}; choose a later day than {self.until} or fewer dates"
            )

    @property
    def calendar(self) -> Calendar:
        """How the dates of a location are spread."""
        return Calendar(
            until=np.datetime64(self.until),
            dates=self.dates,
            interval_days=self.interval_days,
            window_days=self.window_days,
        )


def _checked_day(day: str) -> str:
    with suppress(ValueError):
        if not np.isnat(found := np.datetime64(day, "D")):
            return str(found)
    raise ConfigError(f"until: expected a day such as 2021-12-31, got {day}; correct it")


def claim_folder(path: Path, settings: Settings) -> None:
    """Make the folder of a collection, or go on with one that was begun with the same settings.

    Raises:
        StoreError: If the folder holds something else, or a collection with other settings.
    """
    make_folder(path)
    with alone_in(path):  # tasks of an array begin in the same moment
        written = read_settings(path)
        if not written:
            (path / f".{SETTINGS_FILE}.part").unlink(missing_ok=True)  # of a program that was killed at once
            check_new_folder(path)
            content = {"tool_version": f"seco {seco.__version__}"} | asdict(settings)
            write_atomic(path / SETTINGS_FILE, (json.dumps(content, indent=2) + "\n").encode())
            return
    for name, value in asdict(settings).items():
        if written.get(name) != value:
            raise StoreError(
                f"{path}: expected a collection with {name} {value}, got one begun with {written.get(name)}; "
                "give the same settings or choose another folder"
            )
