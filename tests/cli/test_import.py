"""``seco import dated`` on the real Boadella series, and its refusals."""

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from seco.cli.main import main

from seco.data.store import open_store


def run(*arguments):
    return CliRunner().invoke(main, ["import", "dated", *map(str, arguments)])


def test_boadella_loses_its_two_clouded_dates_by_the_rule(shared_data, tmp_path):
    source = shared_data("boadella_s2")
    result = run(source, tmp_path / "store", "--patch-size", 64)
    assert result.exit_code == 0, result.stderr
    rejected = [line.split()[1] for line in result.stdout.splitlines() if "rejected" in line and "│" in line]
    assert rejected == ["2020-01-18", "2020-01-23"]
    assert "by more than 0.1 reflectance" in result.stdout.replace("\n", " ")
    assert "reflectance = DN / 10000" in result.stdout
    assert "25 locations, 250 patches of 10 dates, 12 bands" in result.stdout
    store = open_store(tmp_path / "store")
    assert (len(store), store.patch_size) == (25, 64)
    assert set(store.locations["num_dates"].tolist()) == {10}
    assert store.dates(0)[3] == np.datetime64("2020-06-21")
    dates, pixels = store[12]
    with rasterio.Env(), rasterio.open(source / "Boadella_2020-06-21.tif") as raster:
        np.testing.assert_array_equal(pixels[3], raster.read()[:, 128:192, 128:192])
        x0, dx, _, y0, _, dy = raster.transform.to_gdal()
    with rasterio.open(store.sources(12)[3]) as patch:
        assert patch.transform.to_gdal() == (x0 + 128 * dx, dx, 0, y0 + 128 * dy, 0, dy)
        assert patch.crs.to_epsg() == 4326
    assert len(dates) == 10


@pytest.mark.parametrize("percent", [2, 50])
def test_boadella_is_judged_alike_over_a_wide_range_of_thresholds(shared_data, tmp_path, percent):
    result = run(shared_data("boadella_s2"), tmp_path / "store", "--patch-size", 188, "--cloud", percent)
    assert result.stdout.count("rejected │") == 2


def test_every_date_can_be_kept(shared_data, tmp_path):
    result = run(shared_data("boadella_s2"), tmp_path / "store", "--patch-size", 188, "--cloud", 100)
    assert "every date is kept" in result.stdout
    assert "4 locations, 48 patches of 12 dates" in result.stdout


def test_missing_folder_is_one_line_and_exit_1(tmp_path):
    result = run(tmp_path / "nowhere", tmp_path / "store")
    assert result.exit_code == 1
    expected = "expected a folder of dated GeoTIFFs, got no such folder; check the path"
    assert result.stderr == f"Error: {tmp_path / 'nowhere'}: {expected}\n"


@pytest.mark.parametrize("arguments", ["", "in", "in out --patch-size 0", "in out --cloud 101"])
def test_wrong_usage_is_exit_2(arguments):
    assert run(*arguments.split()).exit_code == 2
