"""Any pairs of co-registered rasters with masks: a folder a pair, or one folder that is a pair."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from seco.evaluate.datasets.raster_pairs import CHANGED, UNCHANGED, UNKNOWN, PairFiles, RasterPairs, read_where

_Pair = tuple[tuple[Path, ...], tuple[Path, ...], tuple[Path, ...], Callable[[tuple[Path, ...]], np.ndarray]]
_NO_RASTERS = {  # nor what lies beside rasters
    *(".hdr", ".xml", ".txt", ".md", ".json", ".aux", ".jpg", ".jpeg", ".geojson", ".zip"),
    *(".wld", ".tfw", ".tifw", ".pgw", ".pngw", ".prj", ".ovr", ".rrd", ".shp", ".shx", ".dbf", ".cpg"),
}


def find_pairs(folder: Path, band_names: str | None = None) -> RasterPairs | None:
    """Pairs ``<name>/{before,after,mask}.*``; of one folder alone the left half trains and the right half tests.

    Instead of ``before`` and ``after`` the names may begin with dates or years; instead of ``mask``, ``change`` and
    ``unchanged`` may say each for itself, and what neither says is unknown.
    """
    alone = _pair_of(folder)
    if alone is not None:
        halves = [PairFiles(f"{folder.name} {side}", *alone, half=half) for half, side in enumerate(("left", "right"))]
        split = ({halves[0].name}, "one pair: its left half for training, its right half to test")
        return RasterPairs(folder, halves, band_names=band_names, reflectance=None, split=split)
    found = {child.name: _pair_of(child) for child in sorted(folder.iterdir()) if child.is_dir()}
    pairs = [PairFiles(name, *pair) for name, pair in found.items() if pair is not None]
    if len(found) == len(pairs) == 1:
        return find_pairs(folder / pairs[0].name, band_names)
    if len(pairs) < 2:
        return None
    left_out = {
        name: f"{name}: expected before.*, after.* and mask.*, or dates and change.* and unchanged.*; not all are there"
        for name, pair in found.items()
        if pair is None and any(map(_may_be_raster, (folder / name).iterdir()))
    }
    return RasterPairs(folder, pairs, band_names=band_names, reflectance=None, left_out=left_out)


def _pair_of(folder: Path) -> _Pair | None:
    """Files before and after, masks, and who reads them."""
    files = {file.stem.lower(): file for file in sorted(folder.iterdir()) if _may_be_raster(file)}
    dated = sorted((stem, file) for stem, file in files.items() if re.match(r"\d{4}", stem))
    if {"before", "after"} <= set(files):
        images = (files["before"],), (files["after"],)
    elif len(dated) == 2:
        images = (dated[0][1],), (dated[1][1],)
    else:
        return None
    if "mask" in files:
        return *images, (files["mask"],), _read_mask
    if {"change", "unchanged"} <= set(files):
        return *images, (files["change"], files["unchanged"]), _read_masks
    return None


def _may_be_raster(file: Path) -> bool:
    return file.is_file() and file.name[0] != "." and file.suffix.lower() not in _NO_RASTERS


def _read_mask(files: tuple[Path, ...]) -> np.ndarray:
    changed, known = read_where(files[0])
    return np.where(known, np.where(changed, CHANGED, UNCHANGED), UNKNOWN).astype(np.int8)


def _read_masks(files: tuple[Path, ...]) -> np.ndarray:
    changed, unchanged = (read_where(file)[0] for file in files)
    return np.where(changed, CHANGED, np.where(unchanged, UNCHANGED, UNKNOWN)).astype(np.int8)
