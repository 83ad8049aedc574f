"""Dated, co-registered rasters of one place: found by name, checked to lie on one grid, read by window."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioIOError
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from seco.bands import BANDS_BY_COUNT, SENTINEL2_L1C, Band, canonical_name
from seco.data.reflectance import Reflectance
from seco.errors import DataError, reason_of

# 2020-06-21, 2020_06_21 or 20200621, perhaps with a time as in 20200621T103629 or 20200621_103629; not inside a longer
# number, but that of 14 digits.
DATE = re.compile(
    r"(?<!\d)(?P<year>\d{4})([-_.]?)(?P<month>\d{2})\2(?P<day>\d{2})"
    r"(?:[T_]?(?P<hour>\d{2})([-:]?)(?P<minute>\d{2})\6(?P<second>\d{2}))?(?!\d)"
)
FIRST_YEAR = 1972  # of Landsat 1
DTYPES = ("uint8", "int16", "uint16")
SUFFIXES = (".tif", ".tiff")  # in lower case
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


def find_dated_files(source: Path) -> dict[np.datetime64, Path]:
    """GeoTIFFs of a folder by the date in their names, in order of time.

    Raises:
        DataError: If there are fewer than two, one has no date, or two have the same.
    """
    if not source.is_dir():
        got = "a file; name its folder" if source.exists() else "no such folder; check the path"
        raise DataError(f"{source}: expected a folder of dated GeoTIFFs, got {got}")
    files: dict[np.datetime64, Path] = {}
    found = sorted(path for path in source.iterdir() if _is_raster(path))
    for file, time in zip(found, _dates_of(found), strict=True):
        if time in files:
            raise DataError(f"{file}: expected one raster a date, got {files[time].name} of {time} as well; remove one")
        files[time] = file
    if len(files) < 2:
        inside = sorted(file for file in source.glob("*/*") if _is_raster(file))
        remedy = "add dates (files .tif or .tiff)"
        if inside and not files and _dates_in(inside[0].name):
            remedy = f"import a place at a time, such as {inside[0].parent}, then seco merge"
        elif inside and not files:
            remedy = f"the date belongs into the name of the file: rename {inside[0]} and move it here"
        raise DataError(f"{source}: expected two or more dated GeoTIFFs, got {len(files)}; {remedy}")
    return dict(sorted(files.items()))


def _is_raster(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.name[0] != "." and not path.is_dir()


def read_unmasked(raster: Any, numbers: int | Sequence[int] | None, window: Window) -> np.ndarray:  # noqa: ANN401
    """Pixels of a window of an open raster; 0 where its internal or ``.msk`` mask, if it has one, leaves them out.

    Args:
        raster: To read from.
        numbers: Of the bands, from 1, as rasterio takes them.
        window: Part to read, within the raster.
    """
    pixels: np.ndarray = raster.read(numbers, window=window)
    if raster.mask_flag_enums[0] != [MaskFlags.per_dataset]:  # nodata and alpha are no such masks
        return pixels
    return np.where(raster.read_masks(1, window=window) > 0, pixels, pixels.dtype.type(0))


def units_of(raster: Any) -> Reflectance:  # noqa: ANN401
    """What GDAL's scale and offset of an open raster's bands say; a quantification of 1 says nothing.

    Raises:
        DataError: If bands differ, or the scale is none.
    """
    (scale, offset), *others = dict.fromkeys(zip(raster.scales, raster.offsets, strict=True))
    if others or not scale > 0:
        got = ", ".join(f"{scale:g} with {offset:g}" for scale, offset in [(scale, offset), *others])
        raise DataError(f"{raster.name}: expected one scale above 0 and one offset of all bands, got {got}; convert it")
    return Reflectance.of_gdal(scale, offset)


def to_digital_numbers(pixels: np.ndarray, nodata: float | None) -> np.ndarray:
    """Pixels of a raster, of any shape, as uint16; its nodata becomes 0.

    Negative numbers are dark where the raster says what its nodata is, and become 1; else they are taken for nodata.
    """
    if nodata is not None:
        pixels = np.where(pixels == nodata, 0, pixels)
    return np.where(pixels < 0, nodata is not None, pixels).astype(np.uint16)


def date_in_name(name: str) -> np.datetime64 | None:
    """The first date in a file name, to the second, or None."""
    return next(iter(_dates_in(name)), None)


def _dates_in(name: str) -> list[np.datetime64]:
    """What may be a date in a file name: of satellites' years, and not in the future."""
    found: list[np.datetime64] = []
    for match in DATE.finditer(name):
        part = match.groupdict(default="00")
        day = f"{part['year']}-{part['month']}-{part['day']}"
        # Digits behind a date may be no time, and others no date, such as an orbit.
        for clock in (f"{part['hour']}:{part['minute']}:{part['second']}", "00:00:00"):
            with suppress(ValueError):
                date = datetime.fromisoformat(f"{day}T{clock}")
                if FIRST_YEAR <= date.year <= datetime.now().year:
                    found.append(np.datetime64(date.isoformat(), "s"))
                break
    return found


def _dates_of(files: Sequence[Path]) -> list[np.datetime64]:
    """One date for each name: of several, such as the number of a field and a date, those that differ between files.

    Raises:
        DataError: If one has none.
    """
    dates = [_dates_in(file.name) for file in files]
    for file, found in zip(files, dates, strict=True):
        if not found:
            raise DataError(
                f"{file}: expected a date in the name (2020-06-21, 20200621 or 20200621T103629), got none; rename or move it"
            )
    columns = list(zip(*dates, strict=False))
    return list(next((column for column in columns if len(set(column)) == len(files)), columns[0])) if files else []


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
