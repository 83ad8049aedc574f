"""Bands of the sensors that seco knows, and how a user names a subset of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from seco.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Band:
    """One spectral band.

    Attributes:
        name: Name by the sensor's operator, such as ``"B04"``.
        wavelength_nm: Central wavelength, nanometres.
        resolution_m: Native ground sampling distance, metres.
    """

    name: str
    wavelength_nm: float
    resolution_m: int


# Central wavelengths of Sentinel-2A; those of 2B and 2C differ by at most 17 nm (B12).
# Source: ESA, Sentinel-2 User Handbook, spectral bands table.
SENTINEL2_L1C: tuple[Band, ...] = (
    Band("B01", 442.7, 60),
    Band("B02", 492.4, 10),
    Band("B03", 559.8, 10),
    Band("B04", 664.6, 10),
    Band("B05", 704.1, 20),
    Band("B06", 740.5, 20),
    Band("B07", 782.8, 20),
    Band("B08", 832.8, 10),
    Band("B8A", 864.7, 20),
    Band("B09", 945.1, 60),
    Band("B10", 1373.5, 60),
    Band("B11", 1613.7, 20),
    Band("B12", 2202.4, 20),
)
# Level 2A has no B10: the cirrus band sees no ground.
SENTINEL2_L2A: tuple[Band, ...] = tuple(band for band in SENTINEL2_L1C if band.name != "B10")

LEVELS = {"L2A": SENTINEL2_L2A, "L1C": SENTINEL2_L1C}  # bands by processing level
BANDS_BY_COUNT = {len(bands): bands for bands in LEVELS.values()}

RGB = ("B04", "B03", "B02")

NAME_BANDS = "--band-names names those of a folder's rasters"  # which say band1, band2 and so on without it


def finest(bands: Sequence[Band]) -> Band:
    """The band of the smallest native pixels; of several the first."""
    return min(bands, key=lambda band: band.resolution_m)


def product_level(bands: Sequence[Band]) -> str:
    """Level of Sentinel-2 that the bands are likely of: ``"L1C"`` with B10, else ``"L2A"``, which has none."""
    return "L1C" if "B10" in {band.name for band in bands} else "L2A"


def canonical_name(name: str) -> str:
    """Spell a Sentinel-2 band with two digits: ``b4`` and ``B4`` become ``B04``; other names stay."""
    name = name.strip()
    match = re.fullmatch(r"[Bb]0*(\d{1,2}|8[Aa])", name)
    return f"B{match[1].upper().zfill(2)}" if match else name


def select_bands(available: Sequence[str], spec: str) -> tuple[str, ...]:
    """Names of the bands that ``spec`` asks for, in its order.

    Args:
        available: Names of the bands that are there.
        spec: ``"rgb"`` (B04, B03, B02), ``"all"``, or a list such as ``"B08,B4,B03"``.

    Raises:
        ConfigError: If a band is not there, is named twice, or the list is empty.
    """
    if spec.strip().lower() == "all":
        return tuple(available)
    names = RGB if spec.strip().lower() == "rgb" else tuple(part for part in spec.split(",") if part.strip())
    by_name = {canonical_name(name): name for name in available}
    there = ", ".join(available)
    if not names:
        raise ConfigError(f"bands: expected rgb, all or a list, got {spec!r}; choose from {there}")
    chosen = []
    for name in map(canonical_name, names):
        if name not in by_name:
            hint = f"; {NAME_BANDS}" if "band1" in available else ""
            raise ConfigError(f"bands: expected bands that are there, got {name}; choose from {there}{hint}")
        if by_name[name] in chosen:
            raise ConfigError(f"bands: expected each band once, got {name} twice in {spec!r}; name it once")
        chosen.append(by_name[name])
    return tuple(chosen)
