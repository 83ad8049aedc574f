import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from seco.cli.main import main

from seco.bands import SENTINEL2_L1C, SENTINEL2_L2A
from seco.data import scene_folders
from seco.data.import_scenes import import_scenes
from seco.data.packing import pack_store
from seco.data.scene_folders import SECO2021, SSL4EO
from seco.data.store import open_store
from seco.errors import ArrayError, DataError, StoreError

SIDE = 24  # of 10 m; 12 of 20 m and 4 of 60 m
SCENES = ("20200620T105031_20200620T105613_T31TDF", "20200318T105031_20200318T105613_T31TDF", "20191221T105441_x_T31TDF")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_tiff(path, pixels, *, crs, **options):
    options = {"driver": "GTiff", "count": len(pixels), "dtype": pixels.dtype.name, **options}
    step = 10 * SIDE / pixels.shape[1] * (1e-5 if crs == "+proj=latlong" else 1)
    x, y = (2.0, 42.0) if step < 1 else (500_000.0, 4_650_000.0)
    place = {"crs": crs, "transform": rasterio.Affine(step, 0, x, 0, -step, y)}
    with rasterio.open(path, "w", height=pixels.shape[1], width=pixels.shape[2], **place, **options) as raster:
        raster.write(pixels)


def sides(bands):
    return [SIDE * 10 // band.resolution_m for band in bands]


def make_seco2021(root, *, previews=True):
    random = np.random.default_rng(0)
    for location in ("000000", "000007"):
        for scene in SCENES:
            folder = root / location / scene
            folder.mkdir(parents=True)
            for band, side in zip(SENTINEL2_L2A, sides(SENTINEL2_L2A), strict=True):
                smooth = np.add.outer(np.linspace(20, 90, side), np.linspace(0, 90, side)) + random.uniform(0, 30)
                name = f"B{band.name[1:].lstrip('0')}.tif"
                write_tiff(folder / name, smooth.astype(np.uint8)[None], crs="+proj=latlong", compress="jpeg")
            (folder / "metadata.json").write_text(json.dumps({"system:index": scene, "type": "Image"}))
            if previews:
                write_tiff(root / location / f"{scene}.tif", np.full((3, SIDE, SIDE), 7, np.uint8), crs="+proj=latlong")
    return root


def make_ssl4eo(root, *, bands=SENTINEL2_L2A, together=False, baselines=("02.14", "02.14", "02.14")):
    random = np.random.default_rng(1)
    for location in ("0000000", "0000012"):
        for scene, baseline in zip(SCENES, baselines, strict=True):
            folder = root / location / scene
            folder.mkdir(parents=True)
            if together:
                pixels = random.integers(1, 9000, (len(bands), SIDE, SIDE), dtype=np.uint16)
                write_tiff(folder / "all_bands.tif", pixels, crs="EPSG:32631")
            else:
                for band, side in zip(bands, sides(bands), strict=True):
                    pixels = random.integers(1, 9000, (1, side, side), dtype=np.uint16)
                    write_tiff(folder / f"B{band.name[1:].lstrip('0')}.tif", pixels, crs="EPSG:32631", compress="lzw")
            if baseline:
                (folder / "metadata.json").write_text(json.dumps({"properties": {"PROCESSING_BASELINE": baseline}}))
    return root


def written(root, bands, location, scene):
    """Pixels as rasterio reads them, band for band, repeated to the finest grid."""
    folder = root / location / scene
    if (folder / "all_bands.tif").is_file():
        with rasterio.open(folder / "all_bands.tif") as raster:
            return raster.read()
    planes = []
    for band in bands:
        with rasterio.open(folder / f"B{band.name[1:].lstrip('0')}.tif") as raster:
            planes.append(np.kron(raster.read(1), np.ones((band.resolution_m // 10,) * 2, raster.dtypes[0])))
    return np.stack(planes)


ARCHIVES = {
    "seco2021": (make_seco2021, SECO2021, SENTINEL2_L2A),
    "ssl4eo L2A": (make_ssl4eo, SSL4EO, SENTINEL2_L2A),
    "ssl4eo L1C": (lambda root: make_ssl4eo(root, bands=SENTINEL2_L1C), SSL4EO, SENTINEL2_L1C),
    "ssl4eo all_bands": (lambda root: make_ssl4eo(root, bands=SENTINEL2_L1C, together=True), SSL4EO, SENTINEL2_L1C),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_are_read_in_place_and_imported_alike(tmp_path, kind):
    make, archive, bands = ARCHIVES[kind]
    root = make(tmp_path / "archive")
    before = sorted(path.relative_to(root) for path in root.rglob("*"))
    in_place = open_store(root)
    report = import_scenes(root, tmp_path / "store", archive)
    imported = open_store(tmp_path / "store")
    assert sorted(path.relative_to(root) for path in root.rglob("*")) == before, "an archive must be left as it is"
    assert (report.locations, report.patches, report.moved, report.left_out) == (2, 6, 0, {})
    for store in (in_place, imported):
        assert len(store) == 2
        assert store.bands == bands
        assert store.description.product_level == ("L1C" if len(bands) == 13 else "L2A")
        assert (store.description.quantification, store.description.offset) == (archive.quantification, 0)
        assert store.locations["id"].tolist() == sorted(path.name for path in root.iterdir())
        for i, location in enumerate(store.locations["id"]):
            dates, pixels = store[i]
            assert [str(date)[:10] for date in dates] == ["2019-12-21", "2020-03-18", "2020-06-20"]
            for patch, scene in zip(pixels, sorted(SCENES), strict=True):
                np.testing.assert_array_equal(patch, written(root, bands, location, scene))
    assert in_place.statistics == imported.statistics, "so few scenes are all looked at"
    index = imported.read_index(["epsg", "scene_id"])
    assert set(index["epsg"].to_pylist()) == {4326 if archive is SECO2021 else 32631}
    assert index["scene_id"].to_pylist()[:3] == sorted(SCENES)


def test_a_store_is_made_of_the_middle(tmp_path):
    root = make_ssl4eo(tmp_path / "archive", together=True)
    import_scenes(str(root), str(tmp_path / "store"), SSL4EO, patch_size=16)
    store = open_store(tmp_path / "store")
    np.testing.assert_array_equal(store[0][1][0], written(root, SENTINEL2_L2A, "0000000", sorted(SCENES)[0])[:, 4:20, 4:20])
    assert store.read_index(["geotransform"])["geotransform"][0].as_py() == [500_040, 10, 0, 4_649_960, 0, -10]
    with pytest.raises(DataError, match="patch_size: expected at most 24 and an even number less, got 17"):
        import_scenes(root, tmp_path / "other", SSL4EO, patch_size=17)


def test_processing_baselines_are_brought_to_one_offset(tmp_path):
    root = make_ssl4eo(tmp_path / "archive", baselines=("04.00", "02.14", ""))
    report = import_scenes(root, tmp_path / "store", SSL4EO, offset=-250)
    assert report.moved == 4  # the newest scene, and the one that does not say
    pixels = open_store(tmp_path / "store")[0][1].astype(int)
    for patch, scene, offset in zip(pixels, sorted(SCENES), (-250, 0, -1000), strict=True):
        expected = written(root, SENTINEL2_L2A, "0000000", scene).astype(int)
        np.testing.assert_array_equal(patch, np.maximum(expected + offset, 1))
    with pytest.raises(DataError, match=r"processing baselines before and from 04\.00 on; import the archive"):
        open_store(root)


def test_a_newer_baseline_is_declared_in_place(tmp_path):
    root = make_ssl4eo(tmp_path / "archive", baselines=("04.00", "05.09", "04.00"))
    assert open_store(root).description.offset == -1000


def test_damaged_scenes_are_named_and_left_out(tmp_path):
    root = make_ssl4eo(tmp_path / "archive")
    (root / "0000000" / SCENES[2] / "B11.tif").unlink()  # the first of all: bands are not those of one scene
    (root / "0000012" / SCENES[2] / "B2.tif").unlink()
    (root / "0000012" / "no date").mkdir()
    result = CliRunner().invoke(main, ["import", "ssl4eo", str(root), str(tmp_path / "store")])
    assert result.exit_code == 0, result.output
    assert "2 locations, 4 patches, 12 bands (B01 to B12)" in result.stdout
    assert "Units: reflectance = DN / 10000, level L2A." in result.stdout
    assert f"Left out: 2 scenes that cannot be read, such as 0000000/{SCENES[2]}: " in result.stderr
    assert "B11.tif" in result.stderr
    assert open_store(tmp_path / "store").locations["num_dates"].tolist() == [2, 2]


def test_what_is_known_of_an_archive_is_kept_until_it_changes(tmp_path, cache):
    root = make_ssl4eo(tmp_path / "archive")
    first = open_store(root)
    kept = sorted(path for path in cache.rglob("*") if path.is_file())
    assert [path.name for path in kept] == ["dataset.json", "index.parquet"]
    stamps = [path.stat().st_mtime_ns for path in kept]
    assert open_store(root).fingerprint == first.fingerprint
    assert [path.stat().st_mtime_ns for path in kept] == stamps
    shutil.rmtree(root / "0000012" / SCENES[0])
    assert open_store(root).locations["num_dates"].tolist() == [3, 2]


def test_processes_that_open_an_archive_at_once_see_what_is_kept_whole_or_not_at_all(tmp_path, cache, monkeypatch):
    root = make_ssl4eo(tmp_path / "archive")
    write = scene_folders.write_parquet

    def slowly(file, table):
        assert not list(cache.glob("seco/archives/*/dataset.json")), "half of it is there"
        monkeypatch.setattr(scene_folders, "write_parquet", write)
        others.append(open_store(root).fingerprint)  # another process, which is done first
        write(file, table)

    others = []
    monkeypatch.setattr(scene_folders, "write_parquet", slowly)
    assert [open_store(root).fingerprint] == others
    assert {path.name for path in cache.rglob("*") if path.is_file()} == {"dataset.json", "index.parquet"}


def test_a_scene_without_its_file_spoils_no_other(tmp_path):
    root = make_ssl4eo(tmp_path / "archive", together=True, bands=SENTINEL2_L1C)
    store = open_store(root)
    sources = store.sources_of_rows(np.arange(6))
    (sources[0] / "all_bands.tif").unlink()
    out = np.empty((6, 1, SIDE, SIDE), np.uint16)
    assert list(store.decode(sources, bands=[3], threads=1, out=out)) == [0]
    np.testing.assert_array_equal(out[1:], store.read(np.arange(1, 6), bands=[3]))


@pytest.mark.parametrize("together", [False, True])
def test_what_is_not_in_an_archive_is_refused_as_by_a_store(tmp_path, together):
    store = open_store(make_ssl4eo(tmp_path / "archive", together=together))
    for band in (-1, 99):
        with pytest.raises(ArrayError, match="bands: expected numbers 0 … 11"):
            store.read([0], bands=[band])
    with pytest.raises(ArrayError, match=r"rows: expected numbers 0 … 5, .* got -1"):
        store.read([-1])
    assert store.read([]).shape == (0, 12, SIDE, SIDE)
    assert store.read([0], bands=[np.int64(3)]).shape == (1, 1, SIDE, SIDE)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(open_store(make_ssl4eo(tmp_path / "archive"))) == 2


def test_a_user_without_a_home_needs_none(tmp_path, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    assert len(open_store(make_ssl4eo(tmp_path / "archive"))) == 2


def test_other_types_and_folders_are_one_line(tmp_path):
    root = make_ssl4eo(tmp_path / "data" / "s2a")
    for source, kind, text in (
        (root, "seco2021", "expected uint8 scenes of seco2021, got uint16; name the other archive"),
        (tmp_path / "data", "ssl4eo", f"got no folder of a dated scene; give {root}"),
        (tmp_path / "nothing", "ssl4eo", "nothing"),
    ):
        result = CliRunner().invoke(main, ["import", kind, str(source), str(tmp_path / "store")])
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
        assert text in result.stderr
        assert not (tmp_path / "store").exists()
    with pytest.raises(StoreError, match="import it first"):
        pack_store(open_store(root), tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def test_training_evaluation_and_inspection_take_an_archive_in_place(tmp_path):
    root = make_seco2021(tmp_path / "archive")
    train = [
        "pretrain",
        "--data",
        str(root),
        "--out",
        str(tmp_path / "run"),
        "--backbone",
        "test_resnet",
        "--batch-size",
        "2",
    ]
    result = CliRunner().invoke(main, [*train, "--size", "32", "--queue", "8", "--epochs", "1"])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(main, [*train, "--verify", "--overwrite"])
    assert result.stderr == f"Error: {root}: expected checksums to verify, got an archive read in place; import it first\n"
    evaluate = ["evaluate", "retrieval", "--data", str(root), "--checkpoint", str(tmp_path / "run")]
    result = CliRunner().invoke(main, evaluate)
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(main, ["inspect", str(root), "--figures", str(tmp_path / "figures")])
    assert result.exit_code == 0, result.output
    assert "not known" in result.stdout
