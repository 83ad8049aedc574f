"""Change pairs in raster files, whatever the layout they were found in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window

from seco.data.reflectance import NODATA, Reflectance
from seco.data.statistics import BandStatistics
from seco.errors import DataError, UnreadableError
from seco.evaluate.datasets.published import fingerprint
from seco.evaluate.datasets.raster_header import RasterHeader, given_band_names, open_raster
from seco.evaluate.datasets.split import half_of_each_class
from seco.evaluate.datasets.statistics import statistics_of_pairs

UNCHANGED, CHANGED, UNKNOWN = 0, 1, -1


@dataclass(frozen=True)
class PairFiles:
    """Files of one pair.

    Attributes:
        name: Of the pair.
        before: One file of all bands, or one a band.
        after: The same for the later date.
        masks: Files that :attr:`read_mask` takes.
        read_mask: Files → int8 ``(H, W)`` of the values above.
        half: 0 or 1: only the left or right half of the images; None: all.
    """

    name: str
    before: tuple[Path, ...]
    after: tuple[Path, ...]
    masks: tuple[Path, ...]
    read_mask: Callable[[tuple[Path, ...]], np.ndarray]
    half: int | None = None


class RasterPairs:
    """Pairs of rasters of one kind; a :class:`~seco.evaluate.datasets.change_pairs.ChangePairs`.

    Args:
        path: Folder of the data set.
        pairs: Its pairs, at least two.
        band_names: Of the bands, in the order of the files, perhaps as the user gave them, with commas; None: of pictures
            B04, B03 and B02, else the descriptions in the first, or band1, band2, ….
        reflectance: What the digital numbers mean; None: what scale and offset of the first say.
        split: Names of the pairs to train on and where that is said; None: half of them, by hash.
        left_out: What may have been a pair, and why it is none, by name.

    Raises:
        DataError: If a raster cannot be read, or is not of uint8 or uint16.
    """

    def __init__(
        self,
        path: Path,
        pairs: Sequence[PairFiles],
        *,
        band_names: tuple[str, ...] | str | None,
        reflectance: Reflectance | None,
        split: tuple[set[str], str] | None = None,
        left_out: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self._left_out = dict(left_out or {})
        self._pairs = sorted(pairs, key=lambda pair: pair.name)
        self.names = [pair.name for pair in self._pairs]
        first = self._pairs[0].before[0]
        with open_raster(first) as raster:
            self._header = RasterHeader.of(first, raster)
        self._compared = {"names": band_names is None, "units": reflectance is None}
        if isinstance(band_names, str):
            band_names = given_band_names(band_names, len(self._header.band_names), first)
        self.dtype = self._header.dtype
        self.band_names = band_names or self._header.band_names
        self.reflectance = reflectance or self._header.reflectance
        if self.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
            raise DataError(f"{first}: expected uint8 or uint16, got {self.dtype}; convert the rasters")
        if split is None:
            train = half_of_each_class(self.names, np.zeros(len(self.names), np.int64))
            self.split_source = "half of the pairs for training, by SHA-256 of their names"
        else:
            train = np.array([name in split[0] for name in self.names])
            self.split_source = split[1]
        self.splits: Mapping[str, Sequence[int]] = {
            "train": np.flatnonzero(train).tolist(),
            "test": np.flatnonzero(~train).tolist(),
        }

    @cached_property
    def statistics(self) -> dict[str, BandStatistics]:
        """Statistics of each band in digital numbers, over the training pairs; 0 is nodata."""
        return statistics_of_pairs(self)

    def read(self, index: int, bands: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One pair: pixels before and after ``(C, H, W)``, and the mask, int8 ``(H, W)``.

        Raises:
            DataError: If a file cannot be read, or sizes differ; the text names it.
        """
        pair = self._pairs[index]
        chosen = [self.band_names.index(name) for name in bands]
        before, after = self._read(pair.before, chosen), self._read(pair.after, chosen)
        mask = pair.read_mask(pair.masks)
        for file, found in ((pair.after[0], after.shape[1:]), (pair.masks[0], mask.shape)):
            if found != before.shape[1:]:
                expected = "x".join(map(str, before.shape[:0:-1]))
                raise DataError(
                    f"{file}: expected {expected} px as {pair.before[0].name}, got {found[1]}x{found[0]}; align them"
                )
        if pair.half is not None:
            middle = before.shape[2] // 2
            part = slice(None, middle) if pair.half == 0 else slice(middle, None)
            before, after, mask = before[..., part], after[..., part], mask[..., part]
        return before, after, mask

    def describe(self) -> dict[str, Any]:
        """Path, names, split, and a hash of all files."""
        parts = [(pair, file) for pair in self._pairs for file in (*pair.before, *pair.after, *pair.masks)]
        return {
            "kind": "change pairs",
            "path": str(self.path),
            "fingerprint": fingerprint((f"{pair.name} {file.name}", file) for pair, file in parts),
            "fingerprint_of": "names and bytes",
            "pairs": len(self.names),
            "bands": list(self.band_names),
            "split": self.split_source,
            "training_pairs": [self.names[i] for i in self.splits["train"]],
            "test_pairs": [self.names[i] for i in self.splits["test"]],
            **({"left_out_pairs": self._left_out} if self._left_out else {}),
        }

    def _read(self, files: tuple[Path, ...], bands: list[int]) -> np.ndarray:
        if len(files) > 1:  # a file a band, some of them coarser in data sets that were not resampled
            shape = max(_shape_of(files[band]) for band in bands)
            return np.stack([self._read_raster(files[band], [1], shape)[0] for band in bands])
        return self._read_raster(files[0], [band + 1 for band in bands])

    def _read_raster(self, file: Path, bands: list[int], shape: tuple[int, int] | None = None) -> np.ndarray:
        with open_raster(file) as raster:
            height, width = shape or (raster.height, raster.width)
            window = Window(0, 0, raster.width, raster.height)
            if raster.count < max(bands):
                raise DataError(f"{file}: expected at least {max(bands)} bands, got {raster.count}; use rasters of one kind")
            RasterHeader.of(file, raster).check_like(self._header, **self._compared)
            try:
                found: np.ndarray = raster.read(bands, window=window, out_shape=(len(bands), height, width))
            except RasterioError as error:
                raise UnreadableError(f"{file}: expected a readable raster, got: {error}; fetch it again") from error
            if self._header.nodata:
                found[found == self._header.nodata] = NODATA
            return found


def _shape_of(file: Path) -> tuple[int, int]:
    with open_raster(file) as raster:
        return raster.height, raster.width


def read_where(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Of a mask, where it is above 0, and where it says anything: bool ``(H, W)`` each.

    Its nodata says nothing, nor do numbers below 0 or NaN.
    """
    with open_raster(file) as raster:
        try:
            values = raster.read()
            known = raster.dataset_mask() > 0
        except RasterioError as error:
            raise UnreadableError(f"{file}: expected a readable mask, got: {error}; fetch it again") from error
        colours = values[:3] if raster.count >= 3 else values[:1]  # a fourth is how opaque it is
        return (colours > 0).any(axis=0), known & (colours >= 0).all(axis=0)
