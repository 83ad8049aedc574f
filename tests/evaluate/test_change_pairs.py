"""Change pairs as they lie on disk: OSCD made again, the real pair of Taizhou, folders of any rasters."""

import shutil
import warnings

import numpy as np
import pytest
import rasterio
from PIL import Image

from seco.bands import select_bands
from seco.data.reflectance import Reflectance
from seco.errors import ConfigError, DataError
from seco.evaluate.datasets import open_change_pairs
from seco.evaluate.datasets.oscd import BANDS
from seco.evaluate.unreadable import find_unreadable_pairs, leave_pairs_out

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
SHAPE = (40, 30)  # rows, columns


def write(file, pixels, **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    options |= {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype.name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these lie nowhere
        with rasterio.open(file, "w", **options) as raster:
            raster.write(pixels)


def numbers(seed, count=1, shape=SHAPE, dtype=np.uint16):
    return np.random.default_rng(seed).integers(1, 200, (count, *shape)).astype(dtype)


def change_mask(seed):
    return np.random.default_rng(seed).random(SHAPE) < 0.3


def write_city(images, labels, city, seed):
    for k, folder in enumerate(("imgs_1_rect", "imgs_2_rect")):
        for i, band in enumerate(BANDS):
            write(images / city / folder / f"{band}.tif", numbers([seed, k, i]))
    if labels is not None:
        (labels / city / "cm").mkdir(parents=True, exist_ok=True)
        Image.fromarray(change_mask(seed).astype(np.uint8) * 255).save(labels / city / "cm" / "cm.png")


@pytest.mark.parametrize("published", [True, False])
def test_oscd(tmp_path, published):
    """In the three folders that are published, with the lists beside the images, and in one tree without lists."""
    images = tmp_path / "images" if published else tmp_path
    for seed, city in enumerate(("paris", "rio", "dubai")):
        labels = tmp_path / ("train" if city == "paris" else "test") if published else tmp_path
        write_city(images, labels if city != "dubai" else None, city, seed)
    if published:
        (images / "train.txt").write_text("paris,dubai\n")
    pairs = open_change_pairs(tmp_path)
    assert list(pairs.names) == ["paris", "rio"]  # nobody knows what changed in dubai
    assert {name: list(rows) for name, rows in pairs.splits.items()} == {"train": [0], "test": [1]}
    assert ("train.txt" if published else "publication") in pairs.split_source
    assert (pairs.band_names, pairs.dtype, pairs.reflectance) == (BANDS, np.uint16, Reflectance(10_000.0, 0.0))
    before, after, mask = pairs.read(1, ("B04", "B8A"))
    red, narrow = BANDS.index("B04"), BANDS.index("B8A")
    np.testing.assert_array_equal(before, np.concatenate([numbers([1, 0, red]), numbers([1, 0, narrow])]))
    np.testing.assert_array_equal(after[0], numbers([1, 1, red])[0])
    np.testing.assert_array_equal(mask, change_mask(1))
    assert mask.dtype == np.int8
    both = np.concatenate([numbers([0, k, red]) for k in (0, 1)])
    assert pairs.statistics["B04"].mean == pytest.approx(both.mean())
    assert pairs.describe()["training_pairs"] == ["paris"]
    left_out = pairs.describe()["left_out_pairs"]
    assert "dubai: expected imgs_1_rect, imgs_2_rect and cm/cm.png; not all are there" in left_out["dubai"]
    assert list(left_out) == ["dubai"]


def test_coarser_bands_of_oscd_take_the_size_of_the_finest(tmp_path):
    for seed, city in enumerate(("paris", "rio")):
        write_city(tmp_path, tmp_path, city, seed)
        for when in ("imgs_1_rect", "imgs_2_rect"):
            write(tmp_path / city / when / "B01.tif", numbers(seed, shape=(SHAPE[0] // 2, SHAPE[1] // 2)))
    pairs = open_change_pairs(tmp_path)
    before, _, mask = pairs.read(0, ("B01", "B02"))
    assert before.shape == (2, *mask.shape) == (2, *SHAPE)


def test_the_real_pair_of_taizhou(shared_data):
    folder = shared_data("change") / "taizhou_landsat"
    pairs = open_change_pairs(folder)
    assert list(pairs.names) == ["taizhou_landsat left", "taizhou_landsat right"]
    assert len(pairs.band_names) == 6
    left, right = (pairs.read(i, pairs.band_names) for i in range(2))
    assert left[0].shape == right[0].shape == (6, 400, 200)
    with warnings.catch_warnings(), rasterio.open(folder / "2000TM") as raster:
        np.testing.assert_array_equal(np.concatenate([left[0], right[0]], axis=2), raster.read())
    mask = np.concatenate([left[2], right[2]], axis=1)
    changed, unchanged = (
        np.asarray(Image.open(folder / f"{name}.bmp").convert("L")) > 0 for name in ("change", "unchanged")
    )
    np.testing.assert_array_equal(mask == 1, changed)
    np.testing.assert_array_equal(mask == 0, unchanged & ~changed)
    assert {-1, 0, 1} == set(np.unique(mask))


def test_folders_of_any_pairs(tmp_path):
    for i in range(4):
        folder = tmp_path / f"place{i}"
        write(folder / "before.tif", numbers(i, 4, dtype=np.uint8), photometric="minisblack")
        write(folder / "after.tif", numbers(i + 10, 4, dtype=np.uint8), photometric="minisblack")
        mask = change_mask(i).astype(np.uint8)
        mask[:2] = 99
        write(folder / "mask.tif", mask[None], nodata=99)
    pairs = open_change_pairs(tmp_path)
    assert pairs.band_names == ("band1", "band2", "band3", "band4")
    assert [len(pairs.splits[name]) for name in ("train", "test")] == [2, 2]
    mask = pairs.read(2, ("band2",))[2]
    assert (mask[:2] == -1).all()
    np.testing.assert_array_equal(mask[2:], change_mask(2)[2:])
    assert open_change_pairs(tmp_path).describe() == pairs.describe()
    with pytest.raises(ConfigError, match=r"got B04; choose from band1, .*band4; --band-names names those of a folder"):
        select_bands(pairs.band_names, "rgb")
    assert "left_out_pairs" not in pairs.describe()
    (tmp_path / "place1/mask.tif").rename(tmp_path / "place1/label.tif")
    assert list(open_change_pairs(tmp_path).describe()["left_out_pairs"]) == ["place1"]
    (tmp_path / "place1/label.tif").rename(tmp_path / "place1/mask.tif")
    for i in range(1, 4):
        (tmp_path / f"place{i}" / "mask.tif").rename(tmp_path / f"place{i}" / "label.tif")
    with pytest.raises(DataError, match="got neither"):  # the others are forgotten, not left out on purpose
        open_change_pairs(tmp_path)
    for i in range(1, 4):
        shutil.rmtree(tmp_path / f"place{i}")
    alone, above = open_change_pairs(tmp_path / "place0").describe(), open_change_pairs(tmp_path).describe()
    assert above == alone, "a folder with nothing but a pair is that pair"


@pytest.mark.parametrize(("dtype", "unknown"), [(np.int16, -1), (np.float32, np.nan)])
def test_masks_say_nothing_below_zero_and_where_they_are_no_number(tmp_path, dtype, unknown):
    mask = change_mask(0).astype(dtype)
    mask[:2] = unknown
    for name in ("a", "b"):
        write(tmp_path / name / "before.tif", numbers(0))
        write(tmp_path / name / "after.tif", numbers(1))
        write(tmp_path / name / "mask.tif", mask[None])
    pairs = open_change_pairs(tmp_path)
    found = pairs.read(0, pairs.band_names)[2]
    assert (found[:2] == -1).all()
    np.testing.assert_array_equal(found[2:], change_mask(0)[2:])


def test_pairs_that_cannot_be_read_are_left_out_of_statistics_too(tmp_path):
    for seed, city in enumerate(("paris", "pisa", "rio")):
        write_city(tmp_path, tmp_path, city, seed)
    whole = open_change_pairs(tmp_path)
    of_pisa = leave_pairs_out(whole, [0]).statistics
    assert of_pisa != whole.statistics
    (tmp_path / "paris" / "imgs_2_rect" / "B04.tif").unlink()
    pairs = open_change_pairs(tmp_path)
    unreadable = find_unreadable_pairs(pairs)
    assert list(unreadable) == [0]
    assert "paris/imgs_2_rect/B04.tif: expected a raster" in unreadable[0]
    left = leave_pairs_out(pairs, list(unreadable))
    assert left.statistics == of_pisa
    assert left.splits == {"train": [1], "test": [2]}
    assert left.describe()["pairs"] == 3


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_change_pairs(tmp_path / "missing")
    with pytest.raises(DataError, match=r"expected OSCD .* got neither"):
        open_change_pairs(tmp_path)
    for name in ("a", "b"):
        write(tmp_path / name / "before.tif", numbers(0))
        write(tmp_path / name / "after.tif", numbers(1, shape=(40, 31)))
        write(tmp_path / name / "mask.tif", np.zeros((1, *SHAPE), np.uint8))
    pairs = open_change_pairs(tmp_path)
    with pytest.raises(DataError, match=r"b/after\.tif: expected 30x40 px as before\.tif, got 31x40"):
        pairs.read(1, pairs.band_names)
    (tmp_path / "a" / "mask.tif").write_bytes(b"no raster")
    write(tmp_path / "a" / "after.tif", numbers(1))
    with pytest.raises(DataError, match=r"a/mask\.tif"):
        pairs.read(0, pairs.band_names)
    write(tmp_path / "a" / "before.tif", numbers(0).astype(np.float32))
    with pytest.raises(DataError, match=r"a/before\.tif: expected uint8 or uint16, got float32"):
        open_change_pairs(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"names": ("B04", "B03", "B02")}, "expected bands B02,B03,B04 like"),
        ({"scale": (1e-4, -0.1)}, "expected units DN / 10000 like"),
        ({"dtype": np.uint8}, "expected type uint16 like"),
        ({"dtype": np.float32}, "expected type uint16 like"),
        ({"names": ()}, None),  # says nothing of the order
    ],
)
def test_dates_of_another_kind_than_the_first_are_refused(tmp_path, changes, said):
    for place in "ab":
        for k, date in enumerate(("before", "after")):
            own = {"names": ("B02", "B03", "B04"), "scale": (1e-4, 0.0), "dtype": np.uint16}
            own |= changes if (place, date) == ("a", "after") else {}
            file = tmp_path / place / f"{date}.tif"
            write(file, numbers(k, 3, dtype=own["dtype"]), photometric="minisblack")
            with rasterio.open(file, "r+") as raster:
                raster.scales, raster.offsets = ([number] * 3 for number in own["scale"])
                if own["names"]:
                    raster.descriptions = own["names"]
        write(tmp_path / place / "mask.tif", change_mask(0).astype(np.uint8)[None])
    pairs = open_change_pairs(tmp_path)
    if said is None:
        np.testing.assert_array_equal(pairs.read(0, ("B04",))[1], numbers(1, 3)[2:])
        return
    with pytest.raises(DataError, match=rf"a/after\.tif: {said}"):
        pairs.read(0, ("B04",))


def test_what_lies_beside_a_raster_is_none(tmp_path):
    for file in ("before.tif", "after.tif"):
        write(tmp_path / "pair" / file, numbers(0, dtype=np.uint8))
    write(tmp_path / "pair" / "mask.tif", change_mask(0).astype(np.uint8)[None])
    for file in ("before.wld", "before.tfw", "after.prj", "mask.shp", "mask.tif.ovr"):
        (tmp_path / "pair" / file).write_text("no raster")
    assert open_change_pairs(tmp_path / "pair").read(0, ("band1",))[0].shape == (1, SHAPE[0], SHAPE[1] // 2)
