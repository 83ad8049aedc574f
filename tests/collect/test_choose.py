"""The choice of scenes: one tile, newest baseline, clear, nearest to the middle; whatever the order of the list."""

import itertools
import math

import numpy as np
import pytest

from seco.collect.choose import Rejected, choose_scenes, tile_epsg
from seco.collect.source import Scene

WINDOWS = [
    (np.datetime64("2021-01-01"), np.datetime64("2021-01-31")),
    (np.datetime64("2021-04-02"), np.datetime64("2021-05-02")),
]


def scene(day, *, tile="31TDG", cloud=1.0, baseline=3.0, patch=0.0, name=""):
    time = np.datetime64(f"{day}T10:30:00")
    return Scene(
        id=name or f"{day}-{tile}-{baseline}",
        time=time,
        tile=tile,
        cloud_percent=cloud,
        baseline=baseline,
        patch_cloud=patch,
    )


def choose(scenes, *, cloud_percent=10.0, asked=None):
    def clouds(some):
        if asked is not None:
            asked.append([s.id for s in some])
        return [s.patch_cloud for s in some]

    chosen = choose_scenes(scenes, WINDOWS, epsg=32631, cloud_percent=cloud_percent, clouds=clouds)
    return [(s.id, cloud) for s, cloud in chosen]


def days(scenes, **options):
    return [name[:10] for name, _ in choose(scenes, **options)]


def test_nearest_to_the_middle_of_the_window_in_any_order():
    scenes = [scene(day) for day in ("2021-01-02", "2021-01-15", "2021-01-25", "2021-04-10", "2021-04-16")]
    for order in itertools.permutations(scenes):
        assert days(order) == ["2021-01-15", "2021-04-16"]


def test_equally_near_scenes_are_told_apart_by_name():
    first, second = (np.datetime64("2021-01-16T00:00:00") + np.timedelta64(s, "h") for s in (12 - 24, 12 + 24))
    pair = [
        Scene(id=name, time=time, tile="31TDG", cloud_percent=0, baseline=1) for name, time in (("b", first), ("a", second))
    ]
    later = scene("2021-04-16")
    for order in itertools.permutations([*pair, later]):
        chosen = choose_scenes(order, WINDOWS, epsg=32631, cloud_percent=10, clouds=lambda some: [0.0] * len(some))
        assert chosen[0][0].id == "a"


def test_all_dates_are_of_one_tile():
    near = [scene("2021-01-16", tile="31TCG"), scene("2021-04-30", tile="31TDG"), scene("2021-01-02", tile="31TDG")]
    assert [name[11:16] for name, _ in choose(near)] == ["31TDG", "31TDG"]
    with pytest.raises(Rejected, match="no tile with all dates"):
        choose(near[:2])


def test_tiles_of_another_zone_are_left_out():
    other = [scene(day, tile="32TLM") for day in ("2021-01-16", "2021-04-16")]
    own = [scene(day) for day in ("2021-01-03", "2021-04-29")]
    assert days(other + own) == ["2021-01-03", "2021-04-29"]
    with pytest.raises(Rejected, match="no clear scene"):
        choose(other)


def test_newest_baseline_of_a_day():
    scenes = [scene("2021-01-16", baseline=b) for b in (2.14, 5.0, math.nan)] + [scene("2021-04-16")]
    for order in itertools.permutations(scenes):
        assert choose(order)[0][0] == "2021-01-16-31TDG-5.0"


def test_cloudy_scenes_and_then_cloudy_patches_are_passed_over():
    scenes = [
        scene("2021-01-16", cloud=10.1),
        scene("2021-01-17", patch=0.11),
        scene("2021-01-19", patch=0.1, cloud=10.0),
        scene("2021-04-16", patch=math.nan, cloud=math.nan),
    ]
    assert days(scenes) == ["2021-01-19", "2021-04-16"]
    with pytest.raises(Rejected, match="cloud over the patch"):
        choose([scenes[1], scenes[3]])
    with pytest.raises(Rejected, match="no clear scene"):
        choose([scenes[0], scenes[3]])


def test_clouds_are_asked_for_as_seldom_as_will_do():
    asked = []
    scenes = [
        scene("2021-01-16", patch=0.5),
        scene("2021-01-20"),
        scene("2021-01-21"),
        scene("2021-04-17"),
        scene("2021-04-19"),
    ]
    choose(scenes, asked=asked)
    assert [[name[:10] for name in names] for names in asked] == [["2021-01-16", "2021-04-17"], ["2021-01-20"]]


def test_epsg_of_tiles():
    assert tile_epsg("31TDG") == 32631
    assert tile_epsg("51LTE") == 32751
    assert tile_epsg("1CCV") == 32701
    assert tile_epsg("") is None
