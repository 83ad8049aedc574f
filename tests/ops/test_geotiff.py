import itertools
import logging
import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from ops.geotiff_files import HEIGHT, WIDTH, encode, pixels_of
from rasterio.io import MemoryFile

from seco.errors import ArrayError, GeoTiffError
from seco.ops.geotiff import FileSlice, decode_geotiff, decode_readable, fallback_count, read_info


@pytest.mark.parametrize("compress", ["none", "deflate", "zstd", "lzw"])
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_every_layout_is_read_bit_for_bit(compress, tiled, interleave):
    before = fallback_count()
    dtypes = ["uint8", "uint16", "int16", "uint32", "int32", "float32"]
    for predictor, dtype, bands, big in itertools.product((1, 2), dtypes, (1, 3, 12), ("NO", "YES")):
        pixels = pixels_of(bands, dtype)
        layout = {"tiled": tiled, "interleave": interleave, "predictor": predictor, "big": big}
        decoded = decode_geotiff([encode(pixels, compress=compress, **layout)])
        np.testing.assert_array_equal(decoded[0], pixels, err_msg=f"{layout} {dtype} {bands}")
        assert decoded.dtype == pixels.dtype
    assert fallback_count() == before, "GDAL read what the native decoder should"


def test_incompressible_lzw_fills_its_table_and_clears_it():
    noise = np.random.default_rng(0).integers(0, 256, (1, 200, 300), dtype=np.uint8)
    np.testing.assert_array_equal(decode_geotiff([encode(noise, compress="lzw", blockysize=200)])[0], noise)


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_bands_come_in_the_order_asked_for(interleave):
    pixels = pixels_of(12, "uint16")
    decoded = decode_geotiff([encode(pixels, interleave=interleave)], bands=[3, 2, 1, 3])
    np.testing.assert_array_equal(decoded[0], pixels[[3, 2, 1, 3]])


def test_of_planar_files_only_wanted_bands_are_read():
    data = bytearray(encode(pixels_of(4, "uint16"), blockysize=HEIGHT))
    whole = decode_geotiff([bytes(data)])
    with warnings.catch_warnings(), MemoryFile(bytes(data)) as memory:
        warnings.simplefilter("ignore")
        dataset = memory.open()
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=4))
    data[offset : offset + 40] = b"\xff" * 40
    np.testing.assert_array_equal(decode_geotiff([bytes(data)], bands=[0, 1, 2]), whole[:, :3])
    with pytest.raises(GeoTiffError, match="damaged DEFLATE"):
        decode_geotiff([bytes(data)], bands=[3])


def test_paths_bytes_threads_and_out_agree(tmp_path):
    files = []
    for seed in range(9):
        file = tmp_path / f"{seed}.tif"
        file.write_bytes(encode(pixels_of(3, "uint16", seed)))
        files.append(file)
    one = decode_geotiff(files, threads=1)
    np.testing.assert_array_equal(one, np.stack([pixels_of(3, "uint16", seed) for seed in range(9)]))
    np.testing.assert_array_equal(decode_geotiff([str(f) for f in files], threads=4), one)
    np.testing.assert_array_equal(decode_geotiff([f.read_bytes() for f in files], threads=3), one)
    out = np.empty_like(one)
    assert decode_geotiff(files, out=out) is out
    np.testing.assert_array_equal(out, one)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"compress": "jpeg", "interleave": "pixel", "blockysize": 16}, "compression 7"),
        ({"ENDIANNESS": "BIG"}, "big-endian"),
        ({"compress": "packbits"}, "compression 32773"),
    ],
)
def test_foreign_files_go_through_gdal_and_are_counted(options, reason):
    data = encode(pixels_of(3, "uint8"), **options)
    with MemoryFile(data) as memory, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with memory.open() as dataset:
            expected = dataset.read()
    before = fallback_count().get(reason, 0)
    np.testing.assert_array_equal(decode_geotiff([data], bands=[2, 0])[0], expected[[2, 0]])
    assert fallback_count()[reason] == before + 1
    assert read_info(data).foreign == reason


def test_float64_is_read_by_gdal():
    pixels = pixels_of(2, "float64")
    np.testing.assert_array_equal(decode_geotiff([encode(pixels)])[0], pixels)


def test_truncated_files_are_named(tmp_path, capfd):
    data = encode(pixels_of(2, "uint16"))
    file = tmp_path / "cut.tif"
    for length in [*range(0, 400, 7), len(data) // 2, len(data) - 1]:
        file.write_bytes(data[:length])
        with pytest.raises(GeoTiffError, match=r"cut\.tif"):
            decode_geotiff([file])
    assert capfd.readouterr() == ("", ""), "GDAL's chatter reached the terminal"


@pytest.mark.parametrize("compress", ["none", "deflate", "zstd", "lzw"])
def test_damaged_files_never_crash(compress):
    """Each of many mutations decodes to something or raises our error."""
    data = encode(pixels_of(2, "uint16"), compress=compress, predictor=1)
    generator = np.random.default_rng(0)
    outcomes = set()
    for _ in range(1500):
        mutated = bytearray(data)
        # The header is at both ends: most mutations go there.
        span = generator.choice([300, len(data)])
        for _ in range(generator.integers(1, 5)):
            mutated[generator.integers(0, span)] = generator.integers(0, 256)
        try:
            decode_geotiff([bytes(mutated)], threads=1)
            outcomes.add("decoded")
        except (GeoTiffError, ArrayError):
            outcomes.add("refused")
    assert outcomes == {"decoded", "refused"}


def header(**entries):
    """A classic little-endian TIFF with the given tags, each one LONG, and 64 bytes of data at offset 8."""
    tags = {"256": 4, "257": 4, "258": 8, "259": 1, "273": 8, "278": 4, "279": 16} | entries
    body = b"II*\0" + struct.pack("<I", 72) + bytes(64) + struct.pack("<H", len(tags))
    body += b"".join(
        struct.pack("<HHII", int(tag), 4, 1, value) for tag, value in sorted(tags.items(), key=lambda t: int(t[0]))
    )
    return body + bytes(4)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"256": 0}, "nothing, or more than 1 GiB"),
        ({"256": 1 << 24, "257": 1 << 24}, "more than 1 GiB"),
        ({"256": 20000, "257": 20000, "278": 20000, "259": 8}, "more pixels than its data can hold"),
        ({"273": 4000}, "truncated"),
        ({"279": 0xFFFFFFFF}, "truncated"),
        ({"279": 3}, "more pixels than its data can hold: 16 bytes in a block of 3"),
        ({"278": 2}, "lists 1 blocks where its size needs 2"),
        ({"277": 0}, "has 0 bands"),
    ],
)
def test_lies_in_the_header_are_refused(entries, message):
    np.testing.assert_array_equal(decode_geotiff([header()]), np.zeros((1, 1, 4, 4), np.uint8))  # the plain one is fine
    with pytest.raises(GeoTiffError, match=message):
        decode_geotiff([header(**entries)])


def test_a_corrupt_patch_names_itself_and_leaves_the_others_alone(tmp_path):
    files = []
    for seed in range(4):
        data = bytearray(encode(pixels_of(1, "uint16", seed), blockysize=HEIGHT))
        if seed == 2:
            data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
        files.append(tmp_path / f"{seed}.tif")
        files[-1].write_bytes(bytes(data))
    out = np.zeros((4, 1, HEIGHT, WIDTH), np.uint16)
    with pytest.raises(GeoTiffError, match=r"2\.tif"):
        decode_geotiff(files, out=out)
    for seed in (0, 1, 3):
        np.testing.assert_array_equal(out[seed], pixels_of(1, "uint16", seed))


def test_gdal_leaves_one_handler_however_many_files_it_reads():
    content = encode(pixels_of(3, "uint8"), compress="packbits")
    decode_geotiff([content])
    before = list(logging.getLogger("rasterio").handlers)
    decode_geotiff([content] * 5)
    assert logging.getLogger("rasterio").handlers == before


def test_bad_input_is_named(tmp_path):
    data = encode(pixels_of(3, "uint16"))
    other = encode(pixels_of(3, "uint8"))
    with pytest.raises(GeoTiffError, match="has 3 bands of 37 x 53 px uint8, not 3 bands"):
        decode_geotiff([data, other])
    with pytest.raises(GeoTiffError, match=r"missing\.tif.*No such file"):
        decode_geotiff([tmp_path / "missing.tif"])
    with pytest.raises(GeoTiffError, match="is not a file"):
        decode_geotiff([tmp_path])
    with pytest.raises(ArrayError, match="sources: expected a list"):
        decode_geotiff([])
    with pytest.raises(ArrayError, match="threads: expected a whole number, 1"):
        decode_geotiff([data], threads=0)
    with pytest.raises(GeoTiffError, match="expected the name of a file, got one with a NUL"):
        decode_geotiff([f"{tmp_path}/a\0b"])


@pytest.mark.parametrize("bands", [[3], [-1], [10**12], [1.5], ["B04"], "12", [True], []])
def test_bands_that_are_not_there_are_refused(bands):
    data, out = encode(pixels_of(3, "uint16")), np.empty((1, len(bands), HEIGHT, WIDTH), np.uint16)
    with pytest.raises(ArrayError, match="bands: expected numbers 0 … 2, got "):
        decode_geotiff([data], bands=bands)
    with pytest.raises(ArrayError, match="bands: expected numbers 0 … 2, got "):
        decode_readable([data], bands=bands, total_bands=3, threads=1, out=out)


ROOM = np.empty((2, 3, HEIGHT, WIDTH), np.uint16)


@pytest.mark.parametrize(
    ("out", "got"),
    [
        (ROOM[:1], r"uint16 \[1, 3, 37, 53\]"),
        (ROOM[:, :2], r"uint16 \[2, 2, 37, 53\]"),
        (np.empty((2, 3, HEIGHT, 2 * WIDTH), np.uint16)[..., ::2], "one with strides"),
        (ROOM.astype(">u2"), r">u2 \[2, 3, 37, 53\]"),
        (np.frombuffer(bytes(ROOM.nbytes), np.uint16).reshape(ROOM.shape), "one that is read-only"),
    ],
)
def test_room_that_does_not_fit_is_not_written_to(out, got):
    data = encode(pixels_of(3, "uint16"))
    message = f"out: expected a writeable C-contiguous .*, got {got}; or leave it out"
    with pytest.raises(ArrayError, match=message):
        decode_geotiff([data, data], out=out)
    with pytest.raises(ArrayError, match=message):
        decode_readable([data, data], bands=range(3), total_bands=3, threads=1, out=out)


@pytest.mark.parametrize("out", [[1], ROOM[0], ROOM[None], ROOM[0, 0, 0]])
def test_room_of_another_form_is_refused(out):
    with pytest.raises(ArrayError, match=r"out: expected \[N, C, H, W\], got \["):
        decode_readable([encode(pixels_of(3, "uint16"))], bands=[0], total_bands=3, threads=1, out=out)


def test_bands_may_be_a_tensor():
    pixels = pixels_of(3, "uint16")
    np.testing.assert_array_equal(decode_geotiff([encode(pixels)], bands=torch.tensor([2, 0]))[0], pixels[[2, 0]])


def test_room_of_another_type_is_refused():
    with pytest.raises(ArrayError, match="expected a writeable C-contiguous uint16"):
        decode_geotiff([encode(pixels_of(3, "uint16"))], out=np.empty((1, 3, HEIGHT, WIDTH), np.uint8))


def test_any_name_that_a_file_system_gives_is_opened(tmp_path):
    file, pixels = os.fsencode(tmp_path) + b"/caf\xe9.tif", pixels_of(3, "uint16")
    with open(file, "wb") as written:  # noqa: PTH123 - no Path takes these bytes
        written.write(encode(pixels))
    (name,) = os.listdir(tmp_path)  # noqa: PTH208
    np.testing.assert_array_equal(decode_geotiff([tmp_path / name])[0], pixels)
    (tmp_path / name).write_bytes(b"II")
    with pytest.raises(GeoTiffError, match=r"caf\\udce9\.tif: expected a readable GeoTIFF"):
        decode_geotiff([tmp_path / name])


def test_real_scenes_are_read_as_gdal_reads_them(shared_data):
    files = sorted(shared_data("boadella_s2").glob("*.tif"))
    decoded = decode_geotiff(files)
    for file, pixels in zip(files, decoded, strict=True):
        with rasterio.open(file) as dataset:
            np.testing.assert_array_equal(pixels, dataset.read())


def calls_of_read():
    (line,) = (line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("syscr"))
    return int(line.split()[1])


@pytest.mark.parametrize("compress", ["deflate", "zstd", "none"])
def test_a_file_takes_a_few_calls_of_the_system(tmp_path, compress):
    """Two for the header, wherever in the file it stands, one a band: on network disks each is a round trip."""
    pixels = np.random.default_rng(0).integers(0, 4000, (12, 128, 128)).astype(np.uint16)
    file = tmp_path / "patch.tif"
    file.write_bytes(encode(pixels, compress=compress, blockysize=128))
    before = calls_of_read()
    counted = calls_of_read() - before
    before = calls_of_read()
    decoded = decode_geotiff([file], bands=[3, 2, 1], threads=1)
    assert calls_of_read() - before - counted <= 6
    np.testing.assert_array_equal(decoded[0], pixels[[3, 2, 1]])


@pytest.mark.parametrize("options", [{}, {"compress": "jpeg", "interleave": "pixel", "blockysize": 16}])
def test_a_slice_of_a_file_is_the_file(tmp_path, options):
    content, shard = encode(pixels_of(3, "uint8"), **options), tmp_path / "shard.tar"
    shard.write_bytes(b"before" + content + b"after")
    np.testing.assert_array_equal(decode_geotiff([FileSlice(shard, 6, len(content))]), decode_geotiff([content]))
    with pytest.raises(GeoTiffError, match=r"shard\.tar at byte 6: .* lies beyond the end of its file"):
        decode_geotiff([FileSlice(shard, 6, len(content) + 6)])
