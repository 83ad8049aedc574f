"""The contact sheet: what it shows, not how it looks."""

import numpy as np
import pytest

from seco.bands import SENTINEL2_L2A
from seco.data.spread import spread_evenly
from seco.data.statistics import BandStatistics
from seco.data.store import open_store
from seco.report.contact_sheet import contact_sheet
from seco.report.true_colour import stretch


@pytest.mark.parametrize(
    ("count", "limit", "expected"),
    [(3, 8, [0, 1, 2]), (9, 3, [0, 4, 8]), (1, 4, [0]), (10, 1, [0])],
)
def test_choice_is_spread_with_both_ends(count, limit, expected):
    assert spread_evenly(count, limit) == expected


def test_stretch_maps_quantiles_to_black_and_white():
    statistics = [BandStatistics(0, 0, q02=100, q98=300), BandStatistics(0, 0, q02=7, q98=7)]
    pixels = np.array([[[0, 100, 200, 300, 65535]], [[6, 7, 8, 9, 10]]], dtype=np.uint16)
    stretched = stretch(pixels, statistics)
    assert (stretched.dtype, stretched.shape) == (np.float32, (1, 5, 2))
    assert stretched[0, :, 0].tolist() == [0, 0, 0.5, 1, 1]
    assert stretched[0, :, 1].tolist() == [0, 0, 1, 1, 1]


def test_rows_are_locations_and_columns_dates(make_store):
    store = open_store(make_store())
    axes = contact_sheet(store, max_locations=2, max_dates=2).axes
    assert len(axes) == 4
    assert [axis.get_title() for axis in axes] == ["2020-01-15", "2021-07-01"] * 2
    assert [axis.get_ylabel().split("\n")[0] for axis in axes] == ["a", "", "c", ""]
    assert axes[2].get_ylabel().splitlines()[1] == "42.000°N 5.000°E"
    rgb = [store.band_names.index(name) for name in ("B04", "B03", "B02")]
    expected = stretch(store[0][1][0, rgb], [store.statistics[store.band_names[i]] for i in rgb])
    np.testing.assert_array_equal(axes[0].images[0].get_array(), expected)


def test_a_patch_that_cannot_be_read_is_said(make_store):
    store = open_store(make_store())
    store.sources(0)[0].write_bytes(b"no TIFF")
    first, second, *_ = contact_sheet(store, max_locations=2, max_dates=2).axes
    assert [text.get_text() for text in first.texts] == ["cannot be\nread"]
    assert len(first.images) == 0
    assert len(second.images) == 1


def test_store_without_red_green_blue_is_grey(make_store):
    store = open_store(make_store(bands=SENTINEL2_L2A[7:9]))
    figure = contact_sheet(store)
    assert figure.axes[0].images[0].get_array().shape == (8, 8)
    assert "B08" in figure.get_suptitle()
