"""Data sets without those images, or pairs, that cannot be read: what ``--skip-bad`` evaluates."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np

from seco.data.statistics import BandStatistics
from seco.errors import DataError
from seco.evaluate.datasets import ChangePairs, LabelledImages
from seco.evaluate.datasets.statistics import statistics_of, statistics_of_pairs
from seco.track import Track, untracked

_BATCH = 256


def find_unreadable(
    images: LabelledImages, *, rows: np.ndarray | None = None, threads: int | None = None, track: Track = untracked
) -> dict[int, str]:
    """Read every image, or those of some rows, once: the reason, by row, for each that cannot be read.

    Raises:
        DataError: If none can.
    """
    asked = np.arange(len(images)) if rows is None else rows
    reasons: dict[int, str] = {}

    def check(rows: np.ndarray) -> None:
        try:
            images.read(rows, images.band_names, threads)
        except DataError as error:
            if len(rows) == 1:
                reasons[int(rows[0])] = str(error)
            else:
                for half in np.array_split(rows, 2):
                    check(half)

    chunks = np.split(asked, np.arange(_BATCH, len(asked), _BATCH))
    for chunk in track(chunks, "images read", size=len):
        check(chunk)
    if len(reasons) == len(asked):
        raise DataError(f"{images.path}: expected images, got none that can be read; the first: {reasons[int(asked[0])]}")
    return reasons


def leave_out(images: LabelledImages, rows: list[int]) -> LabelledImages:
    """The images such that ``rows`` have no label and are in no split; statistics do not ask for them."""
    return cast(LabelledImages, _Without(images, rows)) if rows else images


class _Without:
    def __init__(self, images: LabelledImages, rows: list[int]) -> None:
        self._images, self._rows = images, rows

    def __len__(self) -> int:
        return len(self._images)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is as it was
        if name.startswith("_"):  # copy and pickle ask before _images is there
            raise AttributeError(name)
        return getattr(self._images, name)

    def describe(self) -> dict[str, Any]:
        """As the images do; of those that train only what can be read."""
        said = self._images.describe()
        return said | {"training_images": len(self.splits["train"])} if "training_images" in said else said

    @property
    def labels(self) -> np.ndarray:
        labels = self._images.labels.copy()
        labels[self._rows] = False if labels.ndim == 2 else -1
        return labels

    @property
    def splits(self) -> Mapping[str, np.ndarray]:
        return {name: np.setdiff1d(rows, self._rows) for name, rows in self._images.splits.items()}

    @cached_property
    def statistics(self) -> dict[str, BandStatistics]:
        try:
            return self._images.statistics
        except DataError:
            return statistics_of(cast(LabelledImages, self), self.splits["train"])


def find_unreadable_pairs(pairs: ChangePairs, *, track: Track = untracked) -> dict[int, str]:
    """Read every pair of a split once, all bands: the reason, by number, for each that cannot be read."""
    reasons = {}
    numbers = sorted({number for of_part in pairs.splits.values() for number in of_part})
    for number in track(numbers, "pairs read"):
        try:
            pairs.read(number, pairs.band_names)
        except DataError as error:
            reasons[number] = str(error)
    return reasons


def leave_pairs_out(pairs: ChangePairs, numbers: list[int]) -> ChangePairs:
    """The pairs such that ``numbers`` are in no split; statistics do not ask for them."""
    return cast(ChangePairs, _WithoutPairs(pairs, numbers)) if numbers else pairs


class _WithoutPairs:
    def __init__(self, pairs: ChangePairs, numbers: list[int]) -> None:
        self._pairs, self._numbers = pairs, numbers

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is as it was
        if name.startswith("_"):  # as above
            raise AttributeError(name)
        return getattr(self._pairs, name)

    @property
    def splits(self) -> Mapping[str, Sequence[int]]:
        return {part: [i for i in of_part if i not in self._numbers] for part, of_part in self._pairs.splits.items()}

    @cached_property
    def statistics(self) -> dict[str, BandStatistics]:
        return statistics_of_pairs(cast(ChangePairs, self))
