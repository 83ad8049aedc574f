"""The world map of a store: every location on it, few or many."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from seco.data.store import open_store
from seco.report import world_map


@pytest.fixture
def axes():
    return Figure().subplots()


def test_dots_lie_where_the_places_are(axes):
    world_map.draw_locations(axes, np.array([0.0, 0.0, 10.0]), np.array([0.0, 45.0, 0.0]))
    x, y = axes.collections[-1].get_offsets().T
    np.testing.assert_allclose((x[0], y[0], x[1], y[2]), 0, atol=1e-6)
    # Equal Earth (Šavrič et al., 2019): x = 0.8616 R λ at the equator, R of the sphere of equal area.
    assert x[2] == pytest.approx(0.8616 * 6_371_007 * np.radians(10), rel=1e-3)
    assert y[1] > 0


def test_many_locations_are_all_counted(axes):
    random = np.random.default_rng(0)
    count = world_map.MOST_DOTS + 1
    world_map.draw_locations(axes, random.uniform(-180, 180, count), random.uniform(-55, 80, count))
    density = axes.collections[-1]
    assert isinstance(density, PolyCollection)
    assert density.get_array().sum() == count


@pytest.mark.parametrize("months", [0, 1, 4, 13, 30, 35, 36, 90, 200])
def test_any_span_of_dates_gets_a_readable_axis(axes, months):
    last = np.datetime64("2020-01") + months
    world_map._draw_dates(axes, np.array(["2020-01-13", last.astype("M8[D]") + 20], "M8[s]"))
    axes.figure.draw_without_rendering()  # matplotlib warns where it finds no good step
    assert 2 <= len(axes.get_xticks()) <= 10


def test_locations_of_an_archive_that_says_nothing_of_positions_are_counted(make_store):
    store = open_store(make_store())
    assert "position" not in world_map.world_map(store).get_suptitle()
    store.locations["longitude"][1] = np.nan
    assert world_map.world_map(store).get_suptitle().endswith("; 1 without a known position")


def test_every_panel_of_a_store_that_knows_little(axes):
    world_map.draw_locations(axes, np.empty(0), np.empty(0))
    world_map._draw_histogram(axes, np.empty(0), "cloud")
    assert "not known" in [text.get_text() for text in axes.texts]
