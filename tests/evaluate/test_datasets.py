"""Class folders: real EuroSAT files, and folders that are wrong."""

import hashlib
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from seco.errors import ConfigError, DataError
from seco.evaluate.datasets import ClassFolder, SplitChoice, open_images
from seco.evaluate.datasets.class_folder import EUROSAT_BANDS
from seco.evaluate.datasets.raster_header import open_raster


def write_picture(file, *, seed=0, size=(8, 8), mode="RGB"):
    file.parent.mkdir(exist_ok=True)
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    pixels = np.random.default_rng(seed).integers(1, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(file)
    return pixels


@pytest.fixture
def folder(tmp_path):
    for i in range(5):
        write_picture(tmp_path / "a" / f"{i}.png", seed=i)
        write_picture(tmp_path / "b" / f"{i}.png", seed=10 + i)
    return tmp_path


def test_eurosat_rgb(shared_data):
    root = shared_data("eurosat") / "rgb"
    images = open_images(root)
    assert len(images) == 110
    assert len(images.class_names) == 10
    assert images.band_names == ("B04", "B03", "B02")
    assert images.patch_size == 64
    np.testing.assert_array_equal(np.bincount(images.labels), 11)
    # 6 of the 11 of each class train.
    np.testing.assert_array_equal(np.bincount(images.labels[images.splits["train"]]), 6)
    pixels = images.read(np.arange(0, 110), ("B02", "B04"))
    assert pixels.shape == (110, 2, 64, 64)
    first = sorted((root / "AnnualCrop").iterdir())[0]
    with Image.open(first) as image:
        expected = np.asarray(image)
    np.testing.assert_array_equal(pixels[0], expected.transpose(2, 0, 1)[[2, 0]])


def test_pictures_are_read_in_the_order_of_names(folder):
    images = ClassFolder(folder)
    expected = write_picture(folder / "b" / "1.png", seed=11)
    np.testing.assert_array_equal(images.read(np.arange(6, 7), images.band_names)[0], expected.transpose(2, 0, 1))
    np.testing.assert_array_equal(images.labels, [0] * 5 + [1] * 5)


def test_threads_that_open_files_swap_no_filters_of_warnings(monkeypatch):
    def open_slowly(milliseconds):
        sleep(milliseconds / 1000)
        warnings.warn("it lies nowhere", NotGeoreferencedWarning, stacklevel=2)

    monkeypatch.setattr(rasterio, "open", open_slowly)
    with ThreadPoolExecutor(8) as pool:  # who ends first would give the others back what an error is
        list(pool.map(open_raster, [5, 1, 10, 3, 20, 7] * 4))


def test_what_macos_keeps_beside_files_is_no_image(folder):
    names = ClassFolder(folder).names
    first = folder / names[0]
    first.with_name(f"._{first.name}").write_bytes(b"no picture")
    assert ClassFolder(folder).names == names


def test_a_folder_above_names_those_to_choose_from(folder):
    shutil.copytree(folder, folder.parent / "above" / "rgb")
    shutil.copytree(folder, folder.parent / "above" / "ms")
    with pytest.raises(DataError, match="got 0 images of 0 classes; give one of its folders ms, rgb"):
        ClassFolder(folder.parent / "above")


def test_split_is_half_of_each_class_by_hash(folder):
    images = ClassFolder(folder)
    order = sorted(range(5), key=lambda i: hashlib.sha256(f"b/{i}.png".encode()).hexdigest())
    assert [row - 5 for row in images.splits["train"] if row >= 5] == sorted(order[:3])


def test_folders_of_a_split_are_the_split(tmp_path):
    for k, (part, name) in enumerate([("train", "1"), ("train", "2"), ("valid", "1"), ("test", "1"), ("test", "3")]):
        for i, label in enumerate("ab"):
            file = tmp_path / "data" / part / label / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_picture(file, seed=10 * k + i)
    images = ClassFolder(tmp_path)
    assert (len(images), images.class_names, images.split_source) == (10, ["a", "b"], "folders train, validation, test")
    for part, folder, files in (("train", "train", "1122"), ("validation", "valid", "11"), ("test", "test", "1133")):
        rows = images.splits[part]
        assert sorted(images.names[row] for row in rows) == sorted(
            f"{folder}/{'ab'[i % 2]}/{name}.png" for i, name in enumerate(files)
        )
        np.testing.assert_array_equal(images.labels[rows], [images.names[row].split("/")[1] == "b" for row in rows])
    assert "half of each class" in ClassFolder(tmp_path, split=SplitChoice(how="hash")).split_source
    (tmp_path / "my-train.txt").write_text("a/2\nb/2\n")
    (tmp_path / "my-test.txt").write_text("a/3\ntest/b/3.png\n")
    listed = ClassFolder(tmp_path, split=SplitChoice(how="my"))
    assert [listed.names[row] for row in listed.splits["train"]] == ["train/a/2.png", "train/b/2.png"]
    write_picture(tmp_path / "data" / "train" / "overview.png")
    write_picture(tmp_path / "data" / "test" / "overview.png")
    assert ClassFolder(tmp_path).names == images.names
    (tmp_path / "data" / "val" / "a").mkdir(parents=True)
    with pytest.raises(DataError, match="expected one folder for validation, got val and valid; move one away"):
        ClassFolder(tmp_path)
    shutil.rmtree(tmp_path / "data" / "val")
    for name in ("train", "test"):
        (tmp_path / "data" / name / "overview.png").unlink()
    for file in (tmp_path / "data/test").rglob("*.png"):
        file.unlink()
    with pytest.raises(DataError, match="got 0 images of 0 classes; give one of its folders data/train, data/valid"):
        ClassFolder(tmp_path)  # without images to test on it is no split


def test_statistics_are_those_of_the_training_half(folder):
    images = ClassFolder(folder)
    pixels = images.read(np.arange(0, 10), images.band_names)[images.splits["train"]]
    for i, name in enumerate(images.band_names):
        assert images.statistics[name].mean == pytest.approx(pixels[:, i].mean(), rel=1e-12)
        assert images.statistics[name].std == pytest.approx(pixels[:, i].std(), rel=1e-12)


def test_fingerprint_follows_content_and_names(folder):
    before = ClassFolder(folder).describe()["fingerprint"]
    assert ClassFolder(folder).describe()["fingerprint"] == before
    write_picture(folder / "a" / "0.png", seed=99)
    changed = ClassFolder(folder).describe()["fingerprint"]
    (folder / "a" / "0.png").rename(folder / "a" / "00.png")
    assert len({before, changed, ClassFolder(folder).describe()["fingerprint"]}) == 3


def break_size(file):
    write_picture(file, size=(8, 9))


def break_mode(file):
    write_picture(file, mode="L")


def break_content(file):
    file.write_bytes(b"no picture")


def truncate(file):
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (break_size, "expected the size of 0.png, got 8x9"),
        (break_mode, "expected an RGB picture of 8 bits, got mode L"),
        (break_content, "expected a readable picture"),
        (truncate, "expected a readable picture"),
    ],
)
def test_a_bad_picture_is_named(folder, damage, text):
    damage(folder / "b" / "3.png")
    images = ClassFolder(folder)
    with pytest.raises(DataError, match=rf"b/3\.png: {text}"):
        images.read(np.arange(0, 10), images.band_names)


def write_raster(file, *, bands=4, side=8, dtype="uint16", names=(), scale=None, seed=0):
    file.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(1, 200, (bands, side, side)).astype(dtype)
    size = {"count": bands, "height": side, "width": side, "dtype": dtype}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(file, "w", driver="GTiff", **size) as raster:
            raster.write(pixels)
            if names:
                raster.descriptions = names
            if scale is not None:
                raster.scales, raster.offsets = [scale[0]] * bands, [scale[1]] * bands
    return pixels


def write_rasters(folder, **settings):
    pixels = [write_raster(folder / f"{'ab'[i // 3]}" / f"{i}.tif", seed=i, **settings) for i in range(6)]
    return np.stack(pixels)


def test_rasters_of_any_bands(tmp_path):
    pixels = write_rasters(tmp_path, bands=5)
    images = open_images(tmp_path)
    assert images.band_names == ("band1", "band2", "band3", "band4", "band5")
    assert images.reflectance is None
    np.testing.assert_array_equal(images.read(np.array([4, 1]), ("band5", "band2")), pixels[[4, 1]][:, [4, 1]])
    assert set(images.statistics) == set(images.band_names)
    images = open_images(tmp_path, band_names="B2, VV,B8A,VH,b11")
    assert images.band_names == ("B02", "VV", "B8A", "VH", "B11")
    for given in ("B2,VV", "B2,B02,B3,B4,B5"):
        with pytest.raises(ConfigError, match=r"band_names: expected 5 different names, as many as .*0\.tif has bands"):
            open_images(tmp_path, band_names=given)


def test_rasters_that_say_what_they_hold(tmp_path):
    write_rasters(tmp_path, bands=2, names=("B4", "NIR"), scale=(1e-4, -0.1))
    images = open_images(tmp_path)
    assert images.band_names == ("B04", "NIR")
    assert images.reflectance.quantification == pytest.approx(1e4)
    assert images.reflectance.offset == pytest.approx(-1e3)


def quietly_opened(file):
    """For writing; these rasters lie nowhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(file, "r+")


def test_nodata_of_the_files_is_nodata(tmp_path):
    for name, nodata in (("says", 65535), ("is", 0)):
        (tmp_path / name).mkdir()
        write_rasters(tmp_path / name)
        for file in (tmp_path / name).rglob("*.tif"):
            with quietly_opened(file) as raster:
                pixels = raster.read()
                pixels[:, :2] = nodata
                raster.write(pixels)
                raster.nodata = nodata
    says, is_zero = (open_images(tmp_path / name) for name in ("says", "is"))
    assert says.statistics == is_zero.statistics
    np.testing.assert_array_equal(*(images.read(np.arange(0, 3), images.band_names) for images in (says, is_zero)))
    with quietly_opened(next((tmp_path / "says").rglob("*.tif"))) as raster:
        raster.nodata = 7
    with pytest.raises(DataError, match="expected nodata"):
        open_images(tmp_path / "says")


def test_thirteen_bands_are_eurosat_only_with_its_classes(tmp_path):
    write_rasters(tmp_path, bands=13)
    images = open_images(tmp_path)
    assert (images.band_names[0], images.reflectance) == ("band1", None)
    (tmp_path / "a").rename(tmp_path / "Forest")
    (tmp_path / "b").rename(tmp_path / "SeaLake")
    images = open_images(tmp_path)
    assert images.band_names == EUROSAT_BANDS
    assert (images.reflectance.quantification, images.reflectance.offset) == (10_000, 0)


@pytest.mark.parametrize("unlike", [{"bands": 3}, {"side": 9}, {"dtype": "uint8"}])
@pytest.mark.parametrize("rows", [[4], [4, 5], [3, 4]])
def test_a_raster_unlike_the_others_is_named(tmp_path, unlike, rows):
    write_rasters(tmp_path)
    write_raster(tmp_path / "b" / "4.tif", **unlike)
    images = open_images(tmp_path)
    with pytest.raises(DataError, match=r"b/4\.tif: expected .* not 4 bands of 8 x 8 px uint16"):
        images.read(np.array(rows), images.band_names)


def test_rasters_of_other_types_are_refused(tmp_path):
    write_rasters(tmp_path, dtype="float32")
    with pytest.raises(DataError, match=r"a/0\.tif: expected uint8 or uint16, got float32; convert"):
        open_images(tmp_path)


def test_names_are_for_bands_that_have_none(make_store):
    with pytest.raises(ConfigError, match="band_names: expected with a folder of rasters"):
        open_images(make_store(), band_names="a,b")


def test_no_folder_no_classes_and_mixed_files(tmp_path, folder):
    with pytest.raises(DataError, match="no such folder"):
        open_images(tmp_path / "missing")
    with pytest.raises(DataError, match="got 0 images of 0 classes"):
        open_images(folder / "a")
    (folder / "a" / "raster.tif").write_bytes(b"")
    with pytest.raises(DataError, match="one kind of files"):
        open_images(folder)


def test_band_names_of_eurosat():
    assert len(EUROSAT_BANDS) == 13
    assert EUROSAT_BANDS[8:] == ("B09", "B10", "B11", "B12", "B8A")


def test_no_location_of_a_store_is_in_both_halves(make_store):
    labels = {name: ("wood", "crops")[i % 2] for i, name in enumerate("abcdefg")}
    images = open_images(make_store(locations=tuple("abcdefgh"), labels=labels))
    train, test = (set(images.groups[rows]) for rows in (images.splits["train"], images.splits["test"]))
    assert (len(train), len(test)) == (4, 3)  # h has no label
    assert not train & test
    assert {images.labels[row] for row in images.splits["test"]} == {0, 1}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"names": ("B04", "B03", "B02", "B08")}, "expected bands B02,B03,B04,B08 like"),
        ({"names": ("B02", "B03", "B04", "B08"), "scale": (1e-4, -0.1)}, "expected units None like"),
    ],
)
def test_rasters_of_another_kind_than_the_first_are_refused(tmp_path, other, said):
    write_rasters(tmp_path, names=("B02", "B03", "B04", "B08"))
    write_raster(tmp_path / "b" / "5.tif", **other)
    with pytest.raises(DataError, match=rf"b/5\.tif: {said}"):
        open_images(tmp_path)
