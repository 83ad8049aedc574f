"""Dated, co-registered rasters of one place: found by name, checked to lie on one grid, read by window."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioIOError
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from seco.bands import BANDS_BY_COUNT, SENTINEL2_L1C, Band, canonical_name
from seco.data.dated_files import find_dated_files
from seco.data.raster_pixels import read_unmasked, to_digital_numbers, units_of
from seco.data.reflectance import Reflectance
from seco.errors import DataError, reason_of

DTYPES = ("uint8", "int16", "uint16")
EARTH_RADIUS_M = 6_371_000
UNITS_RTOL, OFFSET_ATOL = 1e-5, 1e-2  # units agree that differ by less: six printed digits, and a hundredth of a DN


class DatedRasters:
    """Open rasters of one place, in order of time; make one with :func:`open_dated_rasters`.

    Attributes:
        times: Dates, datetime64[s] ``(T,)``.
        names: File names without suffix, one a date.
        bands: Bands of every file.
        height: Pixels.
        width: Pixels.
        epsg: Code of the coordinate reference system.
        dtype: Type of the files.
    """

    def __init__(self, times: np.ndarray, rasters: Sequence[Any], bands: tuple[Band, ...]) -> None:
        self.times = times
        self.names = [Path(raster.name).stem for raster in rasters]
        self.bands = bands
        self.height, self.width = (int(size) for size in rasters[0].shape)
        self.epsg = int(rasters[0].crs.to_epsg())
        self.dtype = np.dtype(rasters[0].dtypes[0])
        self._rasters = rasters

    def __len__(self) -> int:
        return len(self.names)

    def read(self, i: int, window: Window, *, band: str | None = None) -> np.ndarray:
        """Digital numbers of date ``i`` as uint16; what the file masks and its nodata become 0.

        Args:
            i: Number of the date.
            window: Part to read.
            band: Name of the one band to read: the result is ``(height, width)``; all bands and
                ``(bands, height, width)`` when None.

        Raises:
            DataError: If the file cannot be read.
        """
        raster = self._rasters[i]
        number = None if band is None else [each.name for each in self.bands].index(band) + 1
        try:
            pixels = read_unmasked(raster, number, window)
        except RasterioIOError as error:
            raise _unreadable(raster.name, error) from error
        return to_digital_numbers(pixels, raster.nodata)

    def check_units(self, stated: Reflectance) -> None:
        """Refuse units that GDAL's scale and offset in the files contradict; 1 and 0 say nothing.

        Raises:
            DataError: If they do, or differ between files; the text names the file and what it says.
        """
        read = ((raster.name, units_of(raster)) for raster in self._rasters)
        said = [(file, units) for file, units in read if units != Reflectance(1, 0)]
        for file, units in said[1:]:
            first_file, first = said[0]
            if not _agree(units, first):
                raise DataError(
                    f"{file}: expected {_scale_and_offset(first)} like {first_file}, got {_scale_and_offset(units)}; "
                    "bring them to one (seco collect --source local does)"
                )
        if said and not _agree(said[0][1], stated):
            file, units = said[0]
            raise DataError(
                f"{file}: expected scale and offset as {_options(stated)} say, got {_scale_and_offset(units)}; "
                f"give {_options(units, stated)}"
            )

    @property
    def resolution_m(self) -> float:
        """Side of a pixel from north to south, metres."""
        *_, across, down = self._rasters[0].transform.to_gdal()
        crs = self._rasters[0].crs
        _, factor = crs.units_factor  # to metres or radians
        return math.hypot(across, down) * float(factor) * (EARTH_RADIUS_M if crs.is_geographic else 1)

    def geotransform(self, window: Window) -> tuple[float, ...]:
        """GDAL geotransform of a window."""
        _, dx, rx, _, ry, dy = self._rasters[0].transform.to_gdal()
        x, y = self._position(window.col_off, window.row_off)
        return x, dx, rx, y, ry, dy

    def centre(self, window: Window) -> tuple[float, float]:
        """Longitude and latitude of the centre of a window, degrees."""
        x, y = self._position(window.col_off + window.width / 2, window.row_off + window.height / 2)
        longitude, latitude = transform_points(self._rasters[0].crs, "EPSG:4326", [x], [y])
        return longitude[0], latitude[0]

    def _position(self, column: float, row: float) -> tuple[float, float]:
        """Coordinates of a corner of a pixel, in units of the CRS."""
        x0, dx, rx, y0, ry, dy = self._rasters[0].transform.to_gdal()
        return x0 + column * dx + row * rx, y0 + column * ry + row * dy


@contextmanager
def open_dated_rasters(source: Path, band_names: Sequence[str] | None) -> Iterator[DatedRasters]:
    """Open the GeoTIFFs of a folder that have a date in their name.

    Args:
        source: Folder of the rasters.
        band_names: Names of the bands, in order; when None, the files' descriptions, and without those
            Sentinel-2 L2A for 12 bands and L1C for 13.

    Raises:
        DataError: If the folder or a date is missing, or a raster is unreadable, on another grid or of bands in
            another order.
    """
    files = find_dated_files(source)
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env())
        rasters = []
        for file in files.values():
            try:
                rasters.append(stack.enter_context(rasterio.open(file)))
            except RasterioIOError as error:
                raise _unreadable(file, error) from error
        _check_grids(rasters)
        bands = _name_bands(rasters[0], band_names)
        if band_names is None:
            _check_band_order(rasters)
        yield DatedRasters(np.array(list(files)), rasters, bands)


def _check_grids(rasters: Sequence[Any]) -> None:
    _check_alike(rasters, [_grid(raster) for raster in rasters], "co-register it or move it away")
    first = rasters[0]
    if first.crs is None or first.crs.to_epsg() is None:
        raise DataError(f"{first.name}: expected a CRS with an EPSG code, got {first.crs}; assign one")
    if set(first.dtypes) - set(DTYPES):
        raise DataError(f"{first.name}: expected type {', '.join(DTYPES)}, got {first.dtypes[0]}; convert it")


def _check_band_order(rasters: Sequence[Any]) -> None:
    """Of those that describe all their bands; the others do not say."""
    described = [raster for raster in rasters if all(raster.descriptions)]
    orders = [(("bands", ",".join(map(canonical_name, raster.descriptions))),) for raster in described]
    _check_alike(described, orders, "bring them into that order or move it away")


def _check_alike(rasters: Sequence[Any], traits: Sequence[tuple[tuple[str, Any], ...]], remedy: str) -> None:
    """All rasters must agree with the majority, so that the error names the odd one."""
    for usual, _ in Counter(traits).most_common(1):
        for raster, own in zip(rasters, traits, strict=True):
            for (what, got), (_, expected) in zip(own, usual, strict=True):
                if got != expected:
                    raise DataError(f"{raster.name}: expected {what} {expected} like the others, got {got}; {remedy}")


def _grid(raster: Any) -> tuple[tuple[str, Any], ...]:  # noqa: ANN401 - rasterio publishes no types
    # Nine digits: a millimetre in degrees, and in metres of UTM.
    transform = tuple(float(f"{number:.9g}") for number in raster.transform.to_gdal())
    return (
        ("size", (raster.width, raster.height)),
        ("CRS", raster.crs.to_string() if raster.crs else None),
        ("transform", transform),
        ("band count", raster.count),
        ("type", raster.dtypes[0]),
    )


def _name_bands(raster: Any, names: Sequence[str] | None) -> tuple[Band, ...]:  # noqa: ANN401
    if names is None and all(raster.descriptions):
        names = raster.descriptions
    if names is None:
        if ColorInterp.alpha in raster.colorinterp:
            raise DataError(f"{raster.name}: expected bands of Sentinel-2, got an alpha channel; make it the file's mask")
        if raster.count not in BANDS_BY_COUNT:
            raise DataError(
                f"bands: expected descriptions, or the 12 or 13 bands of Sentinel-2, got {raster.count} "
                "without descriptions; describe them in the files, or name them with seco import dated --bands"
            )
        return BANDS_BY_COUNT[raster.count]
    known = {band.name: band for band in SENTINEL2_L1C}
    unknown = [name for name in names if canonical_name(name) not in known]
    if unknown or len(names) != raster.count:
        got = repr(unknown[0]) if unknown else f"{len(names)} names"
        raise DataError(
            f"bands: expected {raster.count} names of Sentinel-2 bands, got {got}; "
            "describe them in the files, or name them with seco import dated --bands"
        )
    return tuple(known[canonical_name(name)] for name in names)


def _agree(units: Reflectance, others: Reflectance) -> bool:
    alike = units.quantification == 1 or math.isclose(units.quantification, others.quantification, rel_tol=UNITS_RTOL)
    return alike and math.isclose(units.offset, others.offset, rel_tol=UNITS_RTOL, abs_tol=OFFSET_ATOL)


def _scale_and_offset(units: Reflectance) -> str:
    return f"scale {1 / units.quantification:g} and offset {units.offset / units.quantification:g}"


def _options(units: Reflectance, otherwise: Reflectance | None = None) -> str:
    """What to give to ``seco import dated``; the quantification of ``otherwise`` where ``units`` does not say it."""
    quantification = otherwise.quantification if otherwise and units.quantification == 1 else units.quantification
    return f"--quantification {quantification:.6g} --offset {units.offset:.6g}"


def _unreadable(file: Path | str, error: RasterioIOError) -> DataError:
    return DataError(
        f"{file}: expected a readable GeoTIFF, got {reason_of(error.__cause__ or error)}; fetch it again"
    )  # rasterio itself says only that reading failed
