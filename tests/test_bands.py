"""Selecting bands by name."""

import pytest

from seco.bands import SENTINEL2_L1C, SENTINEL2_L2A, select_bands
from seco.errors import ConfigError

NAMES = tuple(band.name for band in SENTINEL2_L2A)


def test_level_2a_lacks_only_the_cirrus_band():
    assert tuple(["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]) == NAMES
    assert {band.name for band in SENTINEL2_L1C} - set(NAMES) == {"B10"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("rgb", ("B04", "B03", "B02")),
        ("all", NAMES),
        ("B08,B4, b3", ("B08", "B04", "B03")),
        ("B8A,B8,b12", ("B8A", "B08", "B12")),
    ],
)
def test_spec_is_resolved_in_its_own_order(spec, expected):
    assert select_bands(NAMES, spec) == expected


def test_names_that_are_not_sentinels_are_taken_as_they_are():
    assert select_bands(("VV", "VH"), "VH") == ("VH",)


@pytest.mark.parametrize(
    ("available", "spec", "message"),
    [
        (NAMES, "B10", "expected bands that are there, got B10"),
        (("B04", "B03"), "rgb", "got B02; choose from B04, B03"),
        (NAMES, "B04,B4", "got B04 twice"),
        (NAMES, " , ", "expected rgb, all or a list"),
    ],
)
def test_wrong_spec_is_named(available, spec, message):
    with pytest.raises(ConfigError, match=message):
        select_bands(available, spec)
