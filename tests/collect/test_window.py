"""Windows of patches: exact where the grids agree, nearest elsewhere, nodata outside."""

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from rasterio.warp import transform

from seco.collect.locations import Location, place_patch
from seco.collect.window import read_window
from seco.errors import SceneError, SourceError

WEST, NORTH, SIDE_M = 399_960, 4_600_020, 6_000  # the corner of tile 31TDG, and its first kilometres


def write(path, pixels, *, pixel_m=10, epsg=32631, west=WEST, north=NORTH, nodata=None, driver="GTiff"):
    height, width = pixels.shape
    profile = {"driver": driver, "width": width, "height": height, "count": 1, "dtype": pixels.dtype, "nodata": nodata}
    grid = {"crs": f"EPSG:{epsg}", "transform": Affine(pixel_m, 0, west, 0, -pixel_m, north)}
    with rasterio.open(path, "w", **profile, **grid) as file:
        file.write(pixels, 1)
    return str(path)


def numbers(pixel_m):
    side = SIDE_M // pixel_m
    return (np.arange(side * side).reshape(side, side) % 65_535 + 1).astype(np.uint16)


def at(x, y, epsg=32631):
    return Location("000000", 0.0, 0.0, epsg, (float(x), 10.0, 0.0, float(y), 0.0, -10.0))


def only_band(file, location, patch_size):
    (patch,) = read_window(file, location, patch_size)
    return patch


@pytest.mark.parametrize("pixel_m", [10, 20, 60])
@pytest.mark.parametrize(("patch_size", "shift"), [(24, 0), (66, 60), (25, 600), (24, 70)])
def test_pixels_are_repeated_and_never_resampled(tmp_path, pixel_m, patch_size, shift):
    pixels = numbers(pixel_m)
    file = write(tmp_path / "a.tif", pixels, pixel_m=pixel_m)
    fine = np.kron(pixels, np.ones((pixel_m // 10, pixel_m // 10), np.uint16))
    first = shift // 10
    expected = fine[first : first + patch_size, first : first + patch_size]
    np.testing.assert_array_equal(only_band(file, at(WEST + shift, NORTH - shift), patch_size), expected)


@pytest.mark.parametrize("pixel_m", [10, 20, 60])
def test_outside_is_nodata(tmp_path, pixel_m):
    file = write(tmp_path / "a.tif", numbers(pixel_m), pixel_m=pixel_m)
    patch = only_band(file, at(WEST - 120, NORTH + 60), 48)
    assert (patch[:6] == 0).all()
    assert (patch[:, :12] == 0).all()
    assert (patch[6:, 12:] > 0).all()
    assert not only_band(file, at(WEST + 60_000, NORTH), 48).any()


def test_southern_patches_lie_on_the_lattice_of_their_tiles(tmp_path):
    file = write(tmp_path / "a.tif", numbers(60), pixel_m=60, epsg=32751, west=199_980, north=8_500_000)  # T51LTE
    (longitude,), (latitude,) = transform("EPSG:32751", "EPSG:4326", [202_000], [8_498_000])
    patch = only_band(file, place_patch("000000", longitude, latitude, 66), 66)
    blocks = patch.reshape(11, 6, 11, 6)
    assert (blocks == blocks[:, :1, :, :1]).all()
    assert np.unique(patch).size == 121


def test_another_zone_takes_the_nearest_pixel(tmp_path):
    pixels = numbers(10)
    file = write(tmp_path / "a.tif", pixels)
    (x,), (y,) = transform("EPSG:32631", "EPSG:32630", [WEST + 3_000], [NORTH - 3_000])
    x, y = 60 * round(x / 60), 60 * round(y / 60)
    patch = only_band(file, at(x, y, epsg=32630), 24)
    across, down = np.meshgrid(x + 5 + 10 * np.arange(24), y - 5 - 10 * np.arange(24))
    back_x, back_y = transform("EPSG:32630", "EPSG:32631", across.ravel(), down.ravel())
    rows, columns = ((NORTH - np.array(back_y)) // 10).astype(int), ((np.array(back_x) - WEST) // 10).astype(int)
    # GDAL's approximated transform is off by up to an eighth of a pixel: a few pixels fall to the neighbour.
    assert (patch.ravel() == pixels[rows, columns]).mean() > 0.75
    assert np.isin(patch, pixels[rows.min() - 1 : rows.max() + 2, columns.min() - 1 : columns.max() + 2]).all()


def test_nodata_of_the_file_becomes_zero_and_other_negative_numbers_one(tmp_path):
    pixels = np.full((600, 600), 5, np.int16)
    pixels[0, :3] = (-32768, -7, 9)
    file = write(tmp_path / "a.tif", pixels, nodata=-32768)
    assert only_band(file, at(WEST - 60, NORTH), 12)[0].tolist() == [0] * 7 + [1, 9, 5, 5, 5]


@pytest.mark.parametrize("epsg", [32631, 32630])
def test_masked_pixels_become_zero(tmp_path, epsg):
    file = write(tmp_path / "a.tif", np.full((600, 600), 5, np.uint16))
    (x,), (y,) = transform("EPSG:32631", f"EPSG:{epsg}", [WEST + 3_000], [NORTH - 3_000])
    place = at(60 * round(x / 60), 60 * round(y / 60), epsg=epsg)
    assert (only_band(file, place, 24) == 5).all()
    mask = np.full((600, 600), 255, np.uint8)
    mask[:308] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(file, "r+") as raster:
        raster.write_mask(mask)
    patch = only_band(file, place, 24)
    assert not patch[:4].any()
    assert (patch[14:] == 5).all()


@pytest.mark.parametrize("epsg", [32631, 32630])
def test_damaged_pixels_have_a_cause(tmp_path, epsg):
    file = tmp_path / "a.tif"
    write(file, numbers(10))
    file.write_bytes(file.read_bytes()[:2_000])
    (x,), (y,) = transform("EPSG:32631", f"EPSG:{epsg}", [WEST + 3_000], [NORTH - 3_000])
    with pytest.raises(
        SceneError, match=r"^a\.tif: expected a raster that can be read, got .*(IReadBlock|TIFFRead).*; check"
    ):
        only_band(str(file), at(60 * round(x / 60), 60 * round(y / 60), epsg=epsg), 12)


@pytest.mark.parametrize("crs", [None, 'LOCAL_CS["a lab",UNIT["metre",1]]'])
def test_rasters_that_lie_nowhere_are_refused(tmp_path, crs):
    file = write(tmp_path / "a.tif", numbers(10))
    with rasterio.open(file) as raster:
        profile = raster.profile | {"crs": crs}
    with rasterio.open(tmp_path / "b.tif", "w", **profile) as raster:
        raster.write(numbers(10), 1)
    with pytest.raises(SceneError, match=r"^b\.tif: expected a raster on Earth, got coordinates .*; check the catalogue$"):
        only_band(str(tmp_path / "b.tif"), at(WEST, NORTH), 12)


def test_errors_are_one_line_and_quiet(tmp_path, capfd):
    (tmp_path / "b.tif").write_text("no raster")
    for name in ("a.tif", "b.tif"):
        with pytest.raises(SceneError, match=rf"^{name}: expected a raster that can be read, got .*; check the catalogue$"):
            only_band(str(tmp_path / name), at(WEST, NORTH), 12)
    with pytest.raises(SourceError, match=r"^c\.tif: expected an answer of 127\.0\.0\.1, got none") as caught:
        only_band("http://127.0.0.1:9/c.tif?token=secret", at(WEST, NORTH), 12)
    assert caught.value.retriable
    assert capfd.readouterr() == ("", "")


def test_bands_of_one_file_are_read_together_in_any_order(tmp_path):
    planes = np.stack([numbers(20) + i for i in range(3)])
    profile = {"width": 300, "height": 300, "count": 3, "dtype": "uint16"}
    grid = {"crs": "EPSG:32631", "transform": Affine(20, 0, WEST, 0, -20, NORTH)}
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", **profile, **grid) as file:
        file.write(planes)
    patch = read_window(str(tmp_path / "a.tif"), at(WEST + 600, NORTH - 600), 12, numbers=(3, 1))
    expected = planes[[2, 0], 30:36, 30:36].repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(patch, expected)
