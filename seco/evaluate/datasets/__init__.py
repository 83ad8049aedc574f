"""Data sets to evaluate on, one file a layout."""

from pathlib import Path

from seco.data.description import DATASET_FILE
from seco.data.scene_folders import is_archive
from seco.data.store import open_store
from seco.errors import ConfigError, DataError
from seco.evaluate.datasets.bigearthnet import BigEarthNet, find_bigearthnet
from seco.evaluate.datasets.bigearthnet_v2 import find_bigearthnet_v2
from seco.evaluate.datasets.change_pairs import ChangePairs
from seco.evaluate.datasets.class_folder import ClassFolder
from seco.evaluate.datasets.images import Images, LabelledImages
from seco.evaluate.datasets.oscd import find_oscd
from seco.evaluate.datasets.pair_folders import find_pairs
from seco.evaluate.datasets.split import AUTO, SplitChoice
from seco.evaluate.datasets.store_patches import StorePatches

__all__ = [
    "BigEarthNet",
    "ChangePairs",
    "ClassFolder",
    "Images",
    "LabelledImages",
    "SplitChoice",
    "StorePatches",
    "open_change_pairs",
    "open_images",
]


def open_images(
    path: str | Path, *, split: SplitChoice = AUTO, band_names: str | None = None
) -> StorePatches | ClassFolder | BigEarthNet:
    """Open a patch store, BigEarthNet of either version, or a folder with one folder of images a class.

    Args:
        path: Of the data.
        split: Which images train and which test.
        band_names: Names of the bands of a folder of classes, with commas; None: what the files say.

    Raises:
        DataError: If the folder is none of them, or the split is of other images.
        ConfigError: If names are given for bands that have names, or there is no such split.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a store or a folder of classes, got no such folder; check the path")
    named: StorePatches | BigEarthNet | None
    if (folder / DATASET_FILE).is_file() or is_archive(folder):
        named = StorePatches(open_store(folder), split)
    else:
        named = find_bigearthnet_v2(folder, split) or find_bigearthnet(folder, split)
    if named is None:
        return ClassFolder(folder, split=split, band_names=band_names)
    if band_names is not None:
        raise ConfigError(
            f"band_names: expected with a folder of rasters, got {folder}, whose bands have names; leave it out"
        )
    return named


def open_change_pairs(path: str | Path, *, band_names: str | None = None) -> ChangePairs:
    """Open OSCD, or a folder of pairs of rasters.

    Raises:
        DataError: If the folder is neither.
        ConfigError: If ``band_names`` are given for OSCD, which has its own.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of change pairs, got no such folder; check the path")
    oscd = find_oscd(folder)
    if oscd is not None and band_names is not None:
        raise ConfigError(f"band_names: expected with a folder of pairs, got {folder}, whose bands have names; leave it out")
    found = oscd or find_pairs(folder, band_names)
    if found is None:
        raise DataError(
            f"{folder}: expected OSCD (<city>/imgs_1_rect, <city>/cm/cm.png) or folders with before.*, after.* and mask.*, "
            "got neither; check the path"
        )
    return found
