"""Data sets to evaluate on, one file a layout."""

from pathlib import Path

from seco.data.description import DATASET_FILE
from seco.data.scene_folders import is_archive
from seco.data.store import open_store
from seco.errors import DataError

from .bigearthnet import BigEarthNet, find_bigearthnet
from .bigearthnet_v2 import find_bigearthnet_v2
from .change_pairs import ChangePairs
from .class_folder import ClassFolder
from .images import Images, LabelledImages
from .oscd import find_oscd
from .pair_folders import find_pairs
from .store_patches import StorePatches

__all__ = [
    "BigEarthNet",
    "ChangePairs",
    "ClassFolder",
    "Images",
    "LabelledImages",
    "StorePatches",
    "open_change_pairs",
    "open_images",
]


def open_images(path: str | Path) -> StorePatches | ClassFolder | BigEarthNet:
    """Open a patch store, BigEarthNet of either version, or a folder with one folder of images a class.

    Raises:
        DataError: If the folder is none of them.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a store or a folder of classes, got no such folder; check the path")
    is_store = (folder / DATASET_FILE).is_file() or (folder.is_dir() and is_archive(folder))
    if is_store:
        return StorePatches(open_store(folder))
    return find_bigearthnet_v2(folder) or find_bigearthnet(folder) or ClassFolder(folder)


def open_change_pairs(path: str | Path) -> ChangePairs:
    """Open OSCD, or a folder of pairs of rasters.

    Raises:
        DataError: If the folder is neither.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of change pairs, got no such folder; check the path")
    found = find_oscd(folder) or find_pairs(folder)
    if found is None:
        raise DataError(
            f"{folder}: expected OSCD (<city>/imgs_1_rect, <city>/cm/cm.png) or folders with before.*, after.* and mask.*, "
            "got neither; check the path"
        )
    return found
