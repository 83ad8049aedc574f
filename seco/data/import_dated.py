"""Imports dated, co-registered rasters of one place as a grid of patches."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from seco.bands import Band, product_level
from seco.data.clouds import BLUE, CloudRule, cloud_fraction, cloud_mask, count_cloudy
from seco.data.dated_rasters import DatedRasters, open_dated_rasters
from seco.data.reflectance import SENTINEL2, Reflectance
from seco.data.writer import StoreWriter, check_new_folder, check_units
from seco.errors import ConfigError, DataError
from seco.track import Track, untracked

MIN_DATES = 2  # fewer have no season to contrast
ROWS_AT_ONCE = 256  # of all dates in memory at a time


@dataclass(frozen=True)
class DateReport:
    """What became of one date.

    Attributes:
        time: The date.
        name: Its file, without suffix.
        cloud_fraction: Share of cloudy pixels; NaN when nobody looked.
        kept: Whether it is in the store.
    """

    time: np.datetime64
    name: str
    cloud_fraction: float
    kept: bool


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        dates: One report a date, in order of time.
        bands: Bands, in the order of the files.
        locations: Locations written.
        patches: Patches written.
        dropped_patches: Patches of kept dates left out because they hold nodata pixels or an empty band, or because their
            location has fewer than two others.
        dropped_locations: Locations left out because fewer than two dates remained.
        margin: Pixels at the right and at the bottom that no patch covers.
        quantification: Digital numbers per unit reflectance.
    """

    dates: tuple[DateReport, ...]
    bands: tuple[Band, ...]
    locations: int
    patches: int
    dropped_patches: int
    dropped_locations: int
    margin: tuple[int, int]
    quantification: float


def import_dated(
    source: str | Path,
    store: str | Path,
    *,
    patch_size: int,
    stride: int | None = None,
    band_names: Sequence[str] | None = None,
    quantification: float | None = None,
    offset: float = 0.0,
    cloud_rule: CloudRule | None = None,
    licence: str = "not stated",
    level: str | None = None,
    track: Track = untracked,
) -> ImportReport:
    """Cut dated rasters of one place into patches and write them as a store.

    Args:
        source: Folder of GeoTIFFs with a date in each name, all of one grid: size, CRS, transform, bands. Where they
            have a scale and an offset, these say the same as ``quantification`` and ``offset``.
        store: Folder of the store, new or empty.
        patch_size: Height and width of a patch, pixels.
        stride: Distance between patches, pixels; ``patch_size`` when None.
        band_names: Names of the files' bands, in order; see :func:`open_dated_rasters`.
        quantification: Digital numbers per unit reflectance; None: 10,000, unless the files are of 8 bits.
        offset: ``reflectance = (dn + offset) / quantification``.
        cloud_rule: Which dates to reject; None keeps all and stores NaN cloud fractions.
        licence: Licence of the pixels, in words.
        level: Processing level of the pixels, such as ``"L2A"``; None: as the bands say.
        track: How progress is shown.

    Raises:
        ConfigError: If an argument is out of range.
        DataError: If the rasters do not fit together, or fewer than two clear dates are there.
        StoreError: If the folder of the store is in use.
    """
    source, store = Path(source), Path(store)
    check_units(SENTINEL2.quantification if quantification is None else quantification, offset)
    with open_dated_rasters(source, band_names) as rasters:
        check_new_folder(store)
        if quantification is None:
            quantification = _usual_quantification(rasters, source)
        rasters.check_units(Reflectance(quantification, offset))
        windows = _cut(rasters, _location_name(source.resolve().name), patch_size, patch_size if stride is None else stride)
        clouds = _Clouds.unknown(len(rasters), len(windows))
        if cloud_rule is not None:
            clouds = _find_clouds(rasters, list(windows.values()), cloud_rule, quantification, track)
        dates = _judge_dates(rasters, clouds.of_dates, cloud_rule)
        writer = StoreWriter(
            store,
            bands=rasters.bands,
            patch_size=patch_size,
            dtype="uint16",
            quantification=quantification,
            offset=offset,
            product_level=level or product_level(rasters.bands),
            sensor="Sentinel-2",
            seed=None,
            source=f"dated rasters of the folder {source.resolve().name}",
            licence=licence,
            resolution_m=rasters.resolution_m,
        )
        with writer:
            written = [
                _write_location(writer, name, windows[name], rasters=rasters, dates=dates, clouds=fractions)
                for name, fractions in track(list(zip(windows, clouds.of_patches, strict=True)), "patches written")
            ]
        return _report(rasters, dates, written, list(windows.values())[-1], quantification)


def _location_name(folder: str) -> str:
    """The folder's name in the letters that a location's may have: ``Zürich 2`` becomes ``Zurich-2``."""
    letters = (letter for letter in unicodedata.normalize("NFKD", folder) if not unicodedata.combining(letter))
    return re.sub(r"[^A-Za-z0-9_-]+", "-", "".join(letters))


def _usual_quantification(rasters: DatedRasters, source: Path) -> float:
    if rasters.dtype == np.uint8:
        raise ConfigError(
            f"quantification: expected the number that reflectance 1 has in the 8 bits of {source}, got none; give it, such "
            "as --quantification 255"
        )
    return SENTINEL2.quantification


def _cut(rasters: DatedRasters, place: str, patch_size: int, stride: int) -> dict[str, Window]:
    """Windows of the grid of patches, by location id: place, number of the row, then of the column."""
    shorter = min(rasters.height, rasters.width)
    if not 1 <= patch_size <= shorter:
        raise ConfigError(f"patch_size: expected 1 to {shorter}, as the rasters are large, got {patch_size}; lower it")
    if stride < 1:
        raise ConfigError(f"stride: expected a positive number of pixels, got {stride}; raise it")
    rows, columns = (range(0, side - patch_size + 1, stride) for side in (rasters.height, rasters.width))
    digits = max(3, len(str(max(len(rows), len(columns)) - 1)))
    return {
        f"{place}-{i:0{digits}d}{j:0{digits}d}": Window(column, row, patch_size, patch_size)
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    }


@dataclass(frozen=True)
class _Clouds:
    """Shares of cloudy pixels of whole dates ``(T,)`` and of patches ``(N, T)``; NaN where unknown."""

    of_dates: np.ndarray
    of_patches: np.ndarray

    @classmethod
    def unknown(cls, dates: int, patches: int) -> "_Clouds":
        return cls(np.full(dates, np.nan), np.full((patches, dates), np.nan))


def _find_clouds(
    rasters: DatedRasters, windows: Sequence[Window], rule: CloudRule, quantification: float, track: Track
) -> _Clouds:
    """Look for clouds strip by strip, for a mask of everything takes gigabytes."""
    names = [band.name for band in rasters.bands]
    if BLUE not in names:
        raise DataError(f"cloud: expected band {BLUE} to see clouds, got {','.join(names)}; use --cloud 100")
    of_dates = np.zeros((len(rasters), 2), np.int64)
    of_patches = np.zeros((len(windows), len(rasters), 2), np.int64)
    for top in track(range(0, rasters.height, ROWS_AT_ONCE), "strips searched for clouds"):
        height = min(ROWS_AT_ONCE, rasters.height - top)
        strip = Window(0, top, rasters.width, height)
        blue = np.stack([rasters.read(i, strip, band=BLUE) for i in range(len(rasters))])
        mask = cloud_mask(blue, excess=rule.excess * quantification)
        of_dates += count_cloudy(mask)
        for i, window in enumerate(windows):
            first, last = (min(max(row - top, 0), height) for row in (window.row_off, window.row_off + window.height))
            if first < last:
                of_patches[i] += count_cloudy(mask[:, first:last, window.col_off : window.col_off + window.width])
    return _Clouds(cloud_fraction(of_dates), cloud_fraction(of_patches))


def _judge_dates(rasters: DatedRasters, fractions: np.ndarray, rule: CloudRule | None) -> tuple[DateReport, ...]:
    dates = tuple(
        DateReport(time, name, fraction, kept=rule is None or fraction <= rule.max_fraction)
        for time, name, fraction in zip(rasters.times, rasters.names, fractions.tolist(), strict=True)
    )
    kept = sum(date.kept for date in dates)
    if rule is not None and kept < MIN_DATES:
        raise DataError(
            f"cloud: expected two or more dates with at most {rule.max_fraction:.0%} cloud, got {kept} of "
            f"{len(dates)}; allow more with --cloud"
        )
    return dates


def _write_location(
    writer: StoreWriter,
    name: str,
    window: Window,
    *,
    rasters: DatedRasters,
    dates: Sequence[DateReport],
    clouds: np.ndarray,
) -> int:
    """Write the kept dates of one patch that have no nodata pixel or empty band, if they are two or more; their number."""
    kept = {i: rasters.read(i, window) for i, date in enumerate(dates) if date.kept}
    may_be_dark = rasters.dtype == np.uint8  # of 8 bits, a band may well be 0 all over a patch
    whole = {
        i: pixels
        for i, pixels in kept.items()
        if pixels.any(axis=0).all() and (may_be_dark or pixels.any(axis=(1, 2)).all())
    }
    if len(whole) < MIN_DATES:
        return 0
    longitude, latitude = rasters.centre(window)
    for i, pixels in whole.items():
        writer.add(
            name,
            dates[i].time,
            pixels,
            epsg=rasters.epsg,
            transform=rasters.geotransform(window),
            scene_id=dates[i].name,
            cloud_fraction=float(clouds[i]),
            longitude=longitude,
            latitude=latitude,
        )
    return len(whole)


def _report(
    rasters: DatedRasters, dates: tuple[DateReport, ...], written: Sequence[int], last: Window, quantification: float
) -> ImportReport:
    locations = sum(count > 0 for count in written)
    return ImportReport(
        dates=dates,
        bands=rasters.bands,
        locations=locations,
        patches=sum(written),
        dropped_patches=sum(date.kept for date in dates) * len(written) - sum(written),
        dropped_locations=len(written) - locations,
        margin=(rasters.width - last.col_off - last.width, rasters.height - last.row_off - last.height),
        quantification=quantification,
    )
