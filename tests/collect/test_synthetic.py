"""The synthetic source: the same everywhere, georeferenced, and with seasons that make sense."""

import hashlib

import numpy as np
import pytest

from seco.bands import SENTINEL2_L2A
from seco.collect.locations import place_patch, utm_epsg
from seco.collect.stream import Stream
from seco.collect.synthetic.classes import CLASSES, NAMES
from seco.collect.synthetic.itinerary import INTERVAL_DAYS, JITTER_DAYS, draw_location
from seco.collect.synthetic.landscape import draw_landscape
from seco.collect.synthetic.noise import top_share, value_noise
from seco.collect.synthetic.scene import PLACE, draw_place, render_scene
from seco.collect.synthetic.sensor import NATIVE_FACTOR, block_mean, digitise
from seco.collect.synthetic.series import Request, draw_series

BLUE, RED, NIR = 1, 3, 7
SIZE = 32
JANUARY, JULY = 15, 200


def ndvi(pixels):
    red, nir = pixels[RED].astype(float), pixels[NIR].astype(float)
    return (nir - red) / (nir + red)


def mean_ndvi_of_class(name, latitude, day):
    """Mean NDVI over the class's pixels in the first places of a seed that hold enough of it."""
    wanted, found = NAMES.index(name) + 1, []
    for location in range(40):
        place = draw_place(3, location, latitude=latitude, patch_size=SIZE)
        mask = place.labels == wanted
        if mask.mean() > 0.2:
            found.append(ndvi(render_scene(3, location, place, index=0, day=day, cloud_limit=0).pixels)[mask].mean())
    assert len(found) >= 3
    return np.mean(found)


def test_digital_numbers_match_the_golden_checksum():
    series = draw_series(Request(locations=1, seed=7, patch_size=20, dates=3), 0)
    digest = hashlib.sha256()
    for time, scene in zip(series.times, series.scenes, strict=True):
        digest.update(str(time).encode())
        digest.update(scene.pixels.astype("<u2").tobytes())
    digest.update(series.labels.tobytes())
    assert digest.hexdigest() == "bff17fb2a6860236e4bac6f045bba28bc6fecc3e774930befa85d72a282d55b6"


def test_stream_is_that_of_philox_and_stays_in_range():
    stream = Stream(11, 5, 2)
    raw = np.random.Philox(
        key=np.array([11, 5], dtype=np.uint64), counter=np.array([0, 0, 0, 2], dtype=np.uint64)
    ).random_raw(8)
    values = stream.uniforms((2, 4), -1.0, 3.0)
    assert values.ravel().tolist() == [-1.0 + 4.0 * (int(word) >> 11) / 2**53 for word in raw]


def test_streams_of_other_seeds_locations_and_purposes_differ():
    first = {Stream(*key).uniform() for key in [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0), (2**64 - 1, 0, 0)]}
    assert len(first) == 5


def test_bells_have_mean_zero_and_variance_one():
    values = Stream(0, 0, 0).bells((200, 200))
    # 40,000 draws: the mean's standard error is 1/200, the variance's below sqrt(2)/200; five of each.
    assert abs(values.mean()) < 5 / 200
    assert abs(values.var() - 1) < 5 * np.sqrt(2) / 200
    assert abs(values).max() <= 2 * np.sqrt(3)  # four uniform numbers reach no further


def test_value_noise_takes_lattice_values_at_lattice_points_only_within_range():
    field = value_noise(Stream(1, 2, 3), 60, 7.5)
    assert field.shape == (60, 60)
    assert -1 <= field.min() < -0.3
    assert 0.3 < field.max() <= 1
    # Smoothstep's slope is at most 1.5, values span 2: neighbours differ by at most 2 * 1.5 / cell.
    assert np.abs(np.diff(field, axis=0)).max() <= 2 * 1.5 / 7.5
    assert np.abs(np.diff(field, axis=1)).max() <= 2 * 1.5 / 7.5


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_top_share_leaves_that_share_at_or_above(share):
    field = np.arange(100.0).reshape(10, 10)
    assert np.count_nonzero(field >= top_share(field, share)) == max(round(100 * share), 1)


def test_location_does_not_depend_on_how_many_are_asked_for():
    few, many = Request(locations=3, seed=5, patch_size=16, dates=2), Request(locations=10, seed=5, patch_size=16, dates=2)
    for index in (2, 0):  # nor on the order
        one, other = draw_series(few, index), draw_series(many, index)
        assert one.location == other.location
        assert one.times == other.times
        for a, b in zip(one.scenes, other.scenes, strict=True):
            np.testing.assert_array_equal(a.pixels, b.pixels)


@pytest.mark.parametrize(
    ("longitude", "latitude", "epsg"),
    [
        (2.35, 48.86, 32631),
        (-58.4, -34.6, 32721),
        (5.3, 60.4, 32632),
        (-180.0, 1.0, 32601),
        (179.9, -1.0, 32760),
    ],
)
def test_patch_lies_on_the_60_m_lattice_of_its_utm_zone(longitude, latitude, epsg):
    location = place_patch("x", longitude, latitude, 64)
    left, width, _, top, _, height = location.transform
    assert utm_epsg(longitude, latitude) == location.epsg == epsg
    assert (width, height) == (10.0, -10.0)
    assert left % 60 == 0
    assert top % 60 == (0 if latitude > 0 else 40)
    # The centre moves by at most half a lattice cell each way: 30 m, 0.00027° of latitude.
    assert abs(location.latitude - latitude) < 0.0003
    assert abs(location.longitude - longitude) * np.cos(np.radians(latitude)) < 0.0003


def test_locations_lie_in_both_hemispheres_between_55_south_and_70_north():
    latitudes = [draw_location(Stream(0, index, 0), index, 64).latitude for index in range(60)]
    assert -55 < min(latitudes) < -10
    assert 40 < max(latitudes) < 70


def test_dates_are_three_months_apart_and_not_after_until():
    until = np.datetime64("2021-12-31")
    for index in range(5):
        times = draw_series(Request(locations=5, seed=1, patch_size=8), index).times
        days = np.array(times).astype("datetime64[D]")
        gaps = np.diff(days).astype(int)
        assert len(times) == 5
        assert (np.abs(gaps - INTERVAL_DAYS) <= 2 * JITTER_DAYS).all()
        assert days[-1] <= until
        assert (until - days[-1]).astype(int) <= 365 + JITTER_DAYS


def test_pixels_are_uint16_digital_numbers_without_nodata_and_repeat_exactly():
    series = draw_series(Request(locations=1, seed=4, patch_size=64), 0)
    for scene in series.scenes:
        assert scene.pixels.dtype == np.uint16
        assert scene.pixels.shape == (12, 64, 64)
        assert 1 <= scene.pixels.min() <= scene.pixels.max() < 20_000
        for band, pixels in zip(SENTINEL2_L2A, scene.pixels, strict=True):
            factor = band.resolution_m // 10
            native = pixels[::factor, ::factor]
            repeated = native.repeat(factor, axis=0).repeat(factor, axis=1)[:64, :64]
            np.testing.assert_array_equal(pixels, repeated)


def test_native_factors_are_those_of_the_band_table():
    assert tuple(band.resolution_m // 10 for band in SENTINEL2_L2A) == NATIVE_FACTOR


def test_block_mean_is_the_mean_of_each_block():
    band = np.arange(36.0).reshape(6, 6)
    assert block_mean(band, 6).tolist() == [[17.5]]
    assert block_mean(band, 2)[0, 1] == np.mean([2, 3, 8, 9])


@pytest.mark.parametrize(("reflectance", "dn"), [(-1.0, 1), (9.0, 65535)])
def test_digital_numbers_are_clipped(reflectance, dn):
    assert np.unique(digitise(np.full((12, 6, 6), reflectance), Stream(0, 0, 0))).tolist() == [dn]


@pytest.mark.parametrize("name", ["deciduous_forest", "summer_crop"])
@pytest.mark.parametrize(("latitude", "summer", "winter"), [(44.0, JULY, JANUARY), (-34.0, JANUARY, JULY)])
def test_plants_are_greener_in_the_local_summer(name, latitude, summer, winter):
    assert mean_ndvi_of_class(name, latitude, summer) > mean_ndvi_of_class(name, latitude, winter) + 0.2


def test_winter_crop_is_green_in_spring_and_harvested_in_late_summer():
    assert mean_ndvi_of_class("winter_crop", 48.0, 135) > mean_ndvi_of_class("winter_crop", 48.0, 230) + 0.2


def test_water_is_dark_in_the_near_infrared():
    dark, light = [], []
    for location in range(25):
        place = draw_place(9, location, latitude=15.0, patch_size=SIZE)
        nir = render_scene(9, location, place, index=0, day=JULY, cloud_limit=0).pixels[NIR]
        dark.append(nir[place.labels == 1])
        light.append(nir[place.labels > 1])
    dark, light = np.concatenate(dark), np.concatenate(light)
    assert dark.size > 500
    assert np.median(dark) < 0.25 * np.median(light)


def test_snow_lies_in_the_far_north_in_winter_only():
    def brightness(day):
        places = [draw_place(6, k, latitude=64.0, patch_size=12) for k in range(12)]
        scenes = [render_scene(6, k, p, index=0, day=day, cloud_limit=0) for k, p in enumerate(places)]
        return np.mean([scene.pixels[RED].mean() for scene in scenes])

    assert brightness(JANUARY) > 2 * brightness(JULY)


@pytest.mark.parametrize("limit", [0.0, 0.1, 0.6])
def test_cloud_limit_is_kept_and_clouds_are_bright(limit):
    place = draw_place(1, 0, latitude=20.0, patch_size=SIZE)
    fractions = []
    for index in range(30):
        cloudy = render_scene(1, 0, place, index=index, day=JULY, cloud_limit=limit)
        fractions.append(cloudy.cloud_fraction)
        if cloudy.cloud_fraction > 0.05:
            assert cloudy.pixels[BLUE].max() > 4000
    assert max(fractions) <= limit
    assert (max(fractions) > 0.4 * limit) == (limit > 0)


def test_a_place_keeps_its_layout_while_its_colour_changes():
    """Pixels of one place correlate over the seasons more than those of two places."""
    places = [draw_place(8, k, latitude=40.0, patch_size=SIZE) for k in range(8)]
    dates = [
        [render_scene(8, k, p, index=i, day=d, cloud_limit=0).pixels[NIR].ravel() for k, p in enumerate(places)]
        for i, d in enumerate((120, 290))
    ]
    correlation = np.abs(np.corrcoef(dates[0], dates[1])[:8, 8:])
    same = np.diag(correlation).mean()
    other = correlation[~np.eye(8, dtype=bool)].mean()
    assert same > other + 0.2


def test_most_places_hold_several_classes_and_one_above_all():
    shares, kinds = [], []
    for location in range(30):
        classes = draw_landscape(Stream(0, location, PLACE), 60, 40.0).classes
        counts = np.bincount(classes.ravel(), minlength=len(CLASSES))
        shares.append(counts.max() / counts.sum())
        kinds.append(np.count_nonzero(counts))
    assert min(kinds) >= 3
    assert np.median(shares) > 0.5
