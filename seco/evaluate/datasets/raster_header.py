"""What rasters say of themselves: names of their bands, meaning of their numbers, where they lie."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.warp import transform as transform_points

from seco.bands import RGB, canonical_name
from seco.data.reflectance import Reflectance
from seco.errors import ConfigError, DataError, UnreadableError
from seco.ops.gdal_fallback import open_quietly

_OPENED_AT_ONCE = 8
_NO_UNITS = {"", "none", "1", "reflectance", "unitless", "dimensionless"}


def open_raster(file: Path) -> Any:  # noqa: ANN401 - rasterio publishes no types
    """A raster that GDAL reads, to be closed by the caller.

    Raises:
        UnreadableError: If it is none.
    """
    try:
        return open_quietly(rasterio.open, file)
    except RasterioError as error:
        raise UnreadableError(f"{file}: expected a raster that GDAL reads, got: {error}; fetch it again") from error


def band_names_of(raster: Any) -> tuple[str, ...]:  # noqa: ANN401
    """The descriptions of an open raster's bands; B04, B03, B02 of one in red, green and blue; else band1, band2, …."""
    described = [name or "" for name in raster.descriptions]
    if [colour.name for colour in raster.colorinterp] == ["red", "green", "blue"]:
        described = list(RGB)
    if not all(re.fullmatch(r"\w{1,16}", name) for name in described) or len(set(described)) < len(described):
        described = [f"band{i}" for i in range(1, len(described) + 1)]  # whole sentences are no names
    return tuple(canonical_name(name) for name in described)


@dataclass(frozen=True)
class RasterHeader:
    """What a raster says of itself.

    Attributes:
        file: The raster.
        dtype: Type of its numbers.
        band_names: As :func:`band_names_of` gives them.
        reflectance: As :func:`reflectance_of` gives it.
        nodata: The number that is nodata besides 0, if there is one.
    """

    file: Path
    dtype: np.dtype
    band_names: tuple[str, ...]
    reflectance: Reflectance | None
    nodata: int = 0

    @classmethod
    def of(cls, file: Path, raster: Any) -> "RasterHeader":  # noqa: ANN401 - rasterio publishes no types
        """Of an open raster."""
        dtype = np.dtype(raster.dtypes[0])
        return cls(file, dtype, band_names_of(raster), reflectance_of(raster), _nodata_of(raster, dtype))

    def check_like(self, first: "RasterHeader", *, names: bool, units: bool) -> None:
        """Refuse a raster of another kind than the first; one that names no bands says nothing of their order.

        Args:
            first: What the first says.
            names: Compare the names of the bands.
            units: Compare what the numbers mean.

        Raises:
            DataError: If they differ; the text names the file and what it says.
        """
        traits: list[tuple[str, object, object]] = [("type", self.dtype, first.dtype), ("nodata", self.nodata, first.nodata)]
        if names and "band1" not in {self.band_names[0], first.band_names[0]}:
            traits.append(("bands", ",".join(self.band_names), ",".join(first.band_names)))
        if units:
            traits.append(("units", self.reflectance, first.reflectance))
        for what, got, expected in traits:
            if got != expected:
                raise DataError(f"{self.file}: expected {what} {expected} like {first.file}, got {got}; bring them to one")


def _nodata_of(raster: Any, dtype: np.dtype) -> int:  # noqa: ANN401
    said = raster.nodata
    possible = said is not None and dtype.kind == "u" and 0 <= said <= np.iinfo(dtype).max and said == int(said)
    return int(said) if possible else 0


def given_band_names(given: str, count: int, file: Path) -> tuple[str, ...]:
    """Names that the user gave, such as ``B02,B03,B04``, for ``count`` bands.

    Raises:
        ConfigError: If they are not as many, or one is there twice.
    """
    names = tuple(canonical_name(name) for name in given.split(",") if name.strip())
    if len(names) != count or len(set(names)) < count:
        raise ConfigError(f"band_names: expected {count} different names, as many as {file} has bands, got {given!r}")
    return names


def reflectance_of(raster: Any) -> Reflectance | None:  # noqa: ANN401
    """What an open raster's scale and offset say of its numbers; None where they say nothing, or differ by band."""
    scale, offset = raster.scales[0], raster.offsets[0]
    alike = set(raster.scales) == {scale} and set(raster.offsets) == {offset}
    if not alike or scale == 1 or scale <= 0 or not {str(unit).lower() for unit in raster.units} <= _NO_UNITS:
        return None
    return Reflectance.of_gdal(scale, offset)


def centres_of(files: Sequence[Path]) -> np.ndarray:
    """Longitude and latitude of the centre of each raster, degrees, float64 ``(N, 2)``.

    Raises:
        DataError: If one cannot be read or is not georeferenced; the text names it.
    """
    with ThreadPoolExecutor(_OPENED_AT_ONCE) as pool:
        systems, points = zip(*pool.map(_centre, files), strict=True)
    found = np.empty((len(files), 2))
    by_system = np.array(systems)
    for system in set(systems):
        rows = np.flatnonzero(by_system == system)
        x, y = np.array(points)[rows].T
        found[rows] = np.transpose(transform_points(system, "EPSG:4326", x, y))
    return found


def _centre(file: Path) -> tuple[str, tuple[float, float]]:
    with open_raster(file) as raster:
        if raster.crs is None:
            raise DataError(f"{file}: expected a georeferenced raster, got one without coordinates; split by names or lists")
        x0, dx, rx, y0, ry, dy = raster.transform.to_gdal()
        across, down = raster.width / 2, raster.height / 2
        return raster.crs.to_wkt(), (x0 + across * dx + down * rx, y0 + across * ry + down * dy)
