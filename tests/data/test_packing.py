import gc
import tarfile
import warnings

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from click.testing import CliRunner
from seco.cli.main import main

from seco.data.loader import Loader
from seco.data.normalization import Normalization
from seco.data.packing import pack_store
from seco.data.store import open_store
from seco.errors import GeoTiffError, StoreError
from seco.ops.geotiff import decode_geotiff
from seco.ops.recipe import RECIPES

ONE_A_SHARD = 1
TWO_A_SHARD = 10_000  # a patch of these stores takes up to 4608 bytes with its header and padding, 5632 under the long name
LONG_NAME = "a" * 200  # more than the oldest tar headers have room for


def members(shard):
    with tarfile.open(shard) as tar:
        return len(tar.getnames())


def used(shard):
    """Bytes of all members with their headers, without the zeros at the end."""
    with tarfile.open(shard) as tar:
        last = tar.getmembers()[-1]
    return last.offset_data + -(-last.size // 512) * 512


@pytest.fixture
def loose(make_store):
    return open_store(make_store(locations=("b", LONG_NAME, "c"), labels={LONG_NAME: "forest", "b": "water"}))


@pytest.fixture
def packed(loose, tmp_path):
    pack_store(loose, tmp_path / "packed", shard_size=TWO_A_SHARD)
    return open_store(tmp_path / "packed")


def test_a_packed_store_holds_what_the_loose_one_does(loose, packed):
    assert packed.packed
    assert not loose.packed
    assert (packed.locations == loose.locations).all()
    assert packed.description == loose.description
    assert packed.labels()[0] == loose.labels()[0]
    for i in range(len(loose)):
        for ours, theirs in zip(packed[i], loose[i], strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("shard_size", "shards"), [(ONE_A_SHARD, 9), (TWO_A_SHARD, 6), (1 << 30, 1)])
def test_shards_are_filled_up_to_their_size(loose, tmp_path, shard_size, shards):
    assert pack_store(loose, tmp_path / "p", shard_size=shard_size) == shards
    files = sorted((tmp_path / "p" / "shards").iterdir())
    assert [file.name for file in files] == [f"{i:06d}.tar" for i in range(shards)]
    if shard_size == TWO_A_SHARD:
        assert [members(file) for file in files] == [1, 1, 2, 2, 2, 1]
        assert all(used(file) <= shard_size for file in files)


def test_unpacking_the_shards_gives_the_loose_patches(loose, packed, tmp_path):
    for shard in sorted((packed.path / "shards").iterdir()):
        with tarfile.open(shard) as tar:
            tar.extractall(tmp_path / "again", filter="data")
    for i in range(len(loose)):
        for file in loose.sources(i):
            assert (tmp_path / "again" / file.relative_to(loose.path)).read_bytes() == file.read_bytes()


def test_packing_again_changes_no_byte(packed, loose, tmp_path):
    pack_store(packed, tmp_path / "again", shard_size=TWO_A_SHARD)
    assert open_store(tmp_path / "again").fingerprint == packed.fingerprint
    for shard in (packed.path / "shards").iterdir():
        assert (tmp_path / "again" / "shards" / shard.name).read_bytes() == shard.read_bytes()


def test_webdataset_reads_the_shards(loose, packed):
    webdataset = pytest.importorskip("webdataset")
    shards = [str(file) for file in sorted((packed.path / "shards").iterdir())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # webdataset leaves it to the garbage collector to close files
        samples = list(webdataset.WebDataset(shards, shardshuffle=False))
        gc.collect()
    sources = [(i, source) for i in range(len(loose)) for source in loose.sources(i)]
    assert len(samples) == len(sources)
    for sample, (_, file) in zip(samples, sources, strict=True):
        assert sample["__key__"] == str(file.relative_to(loose.path).with_suffix(""))
        np.testing.assert_array_equal(decode_geotiff([sample["tif"]]), decode_geotiff([file]))


def test_dali_reads_the_shards(loose, packed):
    fn = pytest.importorskip("nvidia.dali.fn", reason="DALI is not installed", exc_type=ImportError)
    from nvidia.dali import pipeline_def

    shards = [str(file) for file in sorted((packed.path / "shards").iterdir())]

    @pipeline_def(batch_size=1, num_threads=1, device_id=None)
    def read():
        return fn.readers.webdataset(paths=shards, ext=["tif"], missing_component_behavior="error")

    pipeline = read()
    pipeline.build()
    for i in range(len(loose)):
        for file in loose.sources(i):
            (batch,) = pipeline.run()
            assert batch.at(0).tobytes() == file.read_bytes()


def test_gdal_reads_a_member(packed):
    import rasterio

    path, offset, length = packed.sources(1)[2]
    with rasterio.open(f"/vsisubfile/{offset}_{length},{path}") as raster:
        np.testing.assert_array_equal(raster.read(), packed[1][1][2])


def test_loaders_of_both_give_the_same_batches(loose, packed):
    def batch(store):
        bands = ("B04", "B03", "B02")
        normalization = Normalization.from_store(store, bands)
        loader = Loader(store, recipe=RECIPES["seco"], normalization=normalization, size=8, batch_size=3, seed=0, threads=2)
        return next(iter(loader.epoch(0))).views.numpy()

    np.testing.assert_array_equal(batch(packed), batch(loose))


def test_a_changed_patch_is_named_and_nothing_is_left(loose, tmp_path):
    file = loose.sources(1)[0]
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(StoreError, match=rf"{file.name}: expected the patch of the index, got other bytes"):
        pack_store(loose, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_what_lies_beside_the_patches_is_packed_too(loose, packed, tmp_path):
    beside = {"histogram.npz": b"counts", "collection.json": b"{}", "rejected.parquet": b"reasons", "labels/b.tif": b"map"}
    (loose.path / "labels").mkdir()
    for name, content in beside.items():
        (loose.path / name).write_bytes(content)
    pack_store(loose, tmp_path / "p")
    assert {name: (tmp_path / "p" / name).read_bytes() for name in beside} == beside
    assert open_store(tmp_path / "p").description == packed.description


def test_a_shard_that_was_cut_is_named(packed):
    shard = packed.path / "shards" / "000004.tar"
    shard.write_bytes(shard.read_bytes()[:600])
    with pytest.raises(GeoTiffError, match=r"000004\.tar at byte 512: .* lies beyond the end of its file"):
        packed[2]


def test_a_packed_index_without_an_offset_names_its_shard(packed):
    table = pyarrow.parquet.read_table(packed.path / "index.parquet")
    column = table.column_names.index("offset")
    pyarrow.parquet.write_table(
        table.set_column(column, "offset", pyarrow.nulls(len(table), pyarrow.int64())), packed.path / "index.parquet"
    )
    with pytest.raises(GeoTiffError, match="bytes at byte None; write the index again"):
        open_store(packed.path).read_bytes(0)


@pytest.mark.parametrize("path", ["../outside.tif", "/etc/passwd", "patches/../../outside.tif"])
def test_an_index_that_points_out_of_the_store_is_refused(loose, path):
    table = pyarrow.parquet.read_table(loose.path / "index.parquet")
    column = table.column_names.index("path")
    pyarrow.parquet.write_table(
        table.set_column(column, "path", pyarrow.array([path] * len(table))), loose.path / "index.parquet"
    )
    with pytest.raises(StoreError, match="points out of it"):
        open_store(loose.path)[0]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--shard-size", "10kB"], 0, "packed: 6 shards"),
        (["--shard-size", "1 GiB"], 0, "packed: 1 shard\n"),
        (["--shard-size", "much"], 2, "expected bytes such as 500MB or 1GiB, got 'much'"),
        (["--shard-size", "0MB"], 2, "expected bytes such as"),
    ],
)
def test_command(loose, tmp_path, arguments, code, text):
    result = CliRunner().invoke(main, ["pack", str(loose.path), "--out", str(tmp_path / "packed"), *arguments])
    assert result.exit_code == code
    assert text in result.output
    if code == 0:
        again = CliRunner().invoke(main, ["pack", str(loose.path), "--out", str(tmp_path / "packed")])
        assert again.exit_code == 1
        assert "expected a new or empty folder" in again.output
