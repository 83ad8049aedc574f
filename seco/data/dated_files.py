"""GeoTIFFs that have a date in their names."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np

from seco.errors import DataError

SUFFIXES = (".tif", ".tiff")  # in lower case
# 2020-06-21, 2020_06_21 or 20200621, perhaps with a time as in 20200621T103629 or 20200621_103629; not inside a longer
# number, but that of 14 digits.
DATE = re.compile(
    r"(?<!\d)(?P<year>\d{4})([-_.]?)(?P<month>\d{2})\2(?P<day>\d{2})"
    r"(?:[T_]?(?P<hour>\d{2})([-:]?)(?P<minute>\d{2})\6(?P<second>\d{2}))?(?!\d)"
)
FIRST_YEAR = 1972  # of Landsat 1


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
