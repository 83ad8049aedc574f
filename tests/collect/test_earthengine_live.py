"""Earth Engine itself, where SECO_LIVE_EARTHENGINE names a project that may be asked: what no stub can prove."""

import os

import pytest
from land_rectangles import LandRectangles
from small_collections import quick_gate, settings_of

from seco.collect.collector import collect
from seco.collect.earthengine.source import EarthEngineSource
from seco.data.store import open_store

PROJECT = os.environ.get("SECO_LIVE_EARTHENGINE")


@pytest.mark.skipif(not PROJECT, reason="SECO_LIVE_EARTHENGINE names no project")
@pytest.mark.parametrize("collection", ["COPERNICUS/S2_SR_HARMONIZED", "COPERNICUS/S2_HARMONIZED"])
def test_two_locations_of_the_real_catalogue(tmp_path, collection):
    credentials = os.environ.get("SECO_LIVE_CREDENTIALS", "user")
    source = EarthEngineSource(
        collection=collection, patch_size=264, cloud_percent=20.0, credentials=credentials, project=PROJECT
    )
    settings = settings_of(
        collection=collection, product_level=source.product_level, locations=2, patch_size=264, cloud_percent=20.0
    )
    collect(tmp_path / "store", settings, source, LandRectangles(264), gate=quick_gate(backoff_s=1.0))
    store = open_store(tmp_path / "store")
    _, pixels = store[0]
    assert pixels.shape == (5, len(source.bands), 264, 264)
    # 20 m and 60 m bands are exact repeats on the lattice, whatever the tile.
    coarse = {band.name: band.resolution_m // 10 for band in source.bands}
    for number, name in enumerate(store.band_names):
        step = coarse[name]
        first = pixels[:, number, ::step, ::step].repeat(step, axis=-2).repeat(step, axis=-1)
        assert (first == pixels[:, number]).all(), name
