"""OSCD, the Onera Satellite Change Detection data set: Sentinel-2 pairs of 24 cities (Daudt et al., IGARSS 2018)."""

import re
from pathlib import Path

import numpy as np

from seco.bands import SENTINEL2_L1C
from seco.data.reflectance import SENTINEL2
from seco.evaluate.datasets.raster_pairs import CHANGED, UNCHANGED, PairFiles, RasterPairs, read_where

BANDS = tuple(band.name for band in SENTINEL2_L1C)
_BEFORE, _AFTER, _MASK = "imgs_1_rect", "imgs_2_rect", "cm/cm.png"
# The split of the publication, for copies that lack its lists.
TRAIN = {
    *("abudhabi", "aguasclaras", "beihai", "beirut", "bercy", "bordeaux", "cupertino"),
    *("hongkong", "mumbai", "nantes", "paris", "pisa", "rennes", "saclay_e"),
}


def find_oscd(folder: Path) -> RasterPairs | None:
    """The cities whose mask is there: images and labels in one tree, or in the three folders that are published."""
    masks = {file.parents[1].name: file for depth in ("*", "*/*") for file in folder.glob(f"{depth}/{_MASK}")}
    cities = [before.parent for depth in ("*", "*/*") for before in folder.glob(f"{depth}/{_BEFORE}")]
    pairs = [
        PairFiles(city.name, _bands(city / _BEFORE), _bands(city / _AFTER), (masks[city.name],), _read_mask)
        for city in cities
        if city.name in masks and (city / _AFTER).is_dir()
    ]
    if len(pairs) < 2:
        return None
    listed = _listed(folder)
    asked = {city.name for city in cities} | masks.keys() | (listed[0] if listed else set())
    lacking = sorted(asked - {pair.name for pair in pairs})
    left_out = {city: f"{city}: expected {_BEFORE}, {_AFTER} and {_MASK}; not all are there" for city in lacking}
    split = listed or (TRAIN, "that of the publication")
    return RasterPairs(folder, pairs, band_names=BANDS, reflectance=SENTINEL2, split=split, left_out=left_out)


def _bands(folder: Path) -> tuple[Path, ...]:
    return tuple(folder / f"{band}.tif" for band in BANDS)


def _listed(folder: Path) -> tuple[set[str], str] | None:
    """Cities of ``train.txt``, which lies beside the images."""
    for file in (*folder.glob("train.txt"), *folder.glob("*/train.txt")):
        names = {name for name in re.split(r"[,\s]+", file.read_text(encoding="utf-8")) if name}
        return names, f"the list {file.name} beside the images"
    return None


def _read_mask(files: tuple[Path, ...]) -> np.ndarray:
    changed, _ = read_where(files[0])
    return np.where(changed, CHANGED, UNCHANGED).astype(np.int8)
