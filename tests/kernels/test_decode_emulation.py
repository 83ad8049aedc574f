"""The GPU's GeoTIFF decoder without a GPU: what is staged, what is checked, and where each sample goes."""

import ctypes
import io
import itertools
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from kernels.emulation import emulate_decode, zstd_blocks, zstd_bytes_told
from ops.geotiff_files import encode, pixels_of

imagecodecs = pytest.importorskip("imagecodecs", reason="imagecodecs is not installed")
tifffile = pytest.importorskip("tifffile", reason="tifffile is not installed")


def layouts():
    names = ("tiled", "interleave", "compress", "predictor", "big")
    every = itertools.product((False, True), ("pixel", "band"), ("none", "deflate", "zstd", "lzw"), (1, 2), ("NO", "YES"))
    return [dict(zip(names, layout, strict=True)) for layout in every]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("count", [1, 3, 12, 16])
def test_a_batch_of_all_layouts_is_decoded_bit_for_bit(dtype, count):
    kinds = layouts()
    expected = np.stack([pixels_of(count, dtype, seed) for seed in range(len(kinds))])
    files = [encode(pixels, **kind) for pixels, kind in zip(expected, kinds, strict=True)]
    decoded, whole = emulate_decode(files, bands=range(count), shape=expected.shape[1:], dtype=dtype)
    assert whole.all()
    np.testing.assert_array_equal(decoded, expected)


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("compress", ["none", "deflate", "zstd", "lzw"])
def test_only_wanted_bands_are_decoded(interleave, compress):
    pixels = pixels_of(13, "uint16")
    file = encode(pixels, interleave=interleave, compress=compress, predictor=2)
    decoded, _ = emulate_decode([file], bands=[3, 12, 0], shape=pixels[[3, 12, 0]].shape, dtype="uint16")
    np.testing.assert_array_equal(decoded[0], pixels[[3, 12, 0]])


def strip_of(file):
    """Offset and length of the first strip's bytes."""
    with tifffile.TiffFile(io.BytesIO(file)) as tiff:
        return tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]


def test_a_strip_that_is_not_what_its_checksum_says_is_seen_and_harms_no_neighbour():
    pixels = [pixels_of(2, "uint16", seed) for seed in range(3)]
    files = [bytearray(encode(p, compress="deflate", predictor=2)) for p in pixels]
    offset, length = strip_of(bytes(files[1]))
    files[1][offset + length - 1] ^= 1  # of the checksum
    decoded, whole = emulate_decode(files, bands=[0, 1], shape=pixels[0].shape, dtype="uint16")
    assert whole.tolist() == [True, False, True]
    np.testing.assert_array_equal(decoded[[0, 2]], [pixels[0], pixels[2]])


@pytest.mark.parametrize(("compress", "headers"), [("deflate", 2), ("zstd", 12)])
def test_a_strip_that_cannot_be_decompressed_is_seen(compress, headers):
    pixels = pixels_of(2, "uint16")
    file = bytearray(encode(pixels, compress=compress))
    offset, length = strip_of(bytes(file))
    file[offset + headers : offset + length - 4] = b"\xff" * (length - headers - 4)
    _, whole = emulate_decode([file], bands=[0, 1], shape=pixels.shape, dtype="uint16")
    assert whole.tolist() == [False]


def zstd_at_once(content):
    return imagecodecs.zstd_encode(content, 1)


def zstd_with_checksum(content):
    frame = bytearray(zstd_at_once(content))
    frame[4] |= 4  # of the descriptor: four bytes follow
    return bytes(frame) + b"sums"


def zstd_streamed(content):
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("content", "blocks"),
    [
        (b"", 1),
        (b"seco", 1),
        (bytes(300_000), 3),  # of 128 KiB that repeat a byte
        (np.random.default_rng(0).bytes(300_000), 3),  # stored as they are
        (np.random.default_rng(0).integers(0, 50, 150_000, np.uint8).tobytes(), 2),
    ],
    ids=["nothing", "little", "zeros", "noise", "pixels"],
)
@pytest.mark.parametrize("encode_frame", [zstd_at_once, zstd_with_checksum, zstd_streamed])
def test_blocks_of_a_zstd_frame_are_counted_and_nothing_else_is_one(content, blocks, encode_frame):
    frame = encode_frame(content)
    assert zstd_blocks(frame) - blocks in {0, encode_frame is zstd_streamed}  # whose last block may be empty
    cuts = {*range(min(len(frame), 40)), len(frame) // 2, len(frame) - 1}
    assert not any(zstd_blocks(frame[:cut]) for cut in cuts)
    assert zstd_blocks(frame + b"\0") == 0
    assert zstd_blocks(b"\1" + frame[1:]) == 0


@pytest.fixture(scope="module")
def nvcomp_memory():
    """Bytes of memory that nvCOMP asks for, for ``frames`` of at most ``largest`` bytes, ``size`` in all."""
    package = pytest.importorskip("nvidia.libnvcomp", reason="nvCOMP is not installed")
    library = ctypes.CDLL(str(Path(next(iter(package.__path__)), "lib64", "libnvcomp.so.5")))

    class Options(ctypes.Structure):
        _fields_ = (("backend", ctypes.c_int), ("reserved", ctypes.c_char * 60))

    def ask(frames, largest, size):
        need = ctypes.c_size_t()
        sizes = ctypes.c_size_t(frames), ctypes.c_size_t(largest)
        call = library.nvcompBatchedZstdDecompressGetTempSizeAsync
        assert call(*sizes, Options(), ctypes.byref(need), ctypes.c_size_t(size)) == 0
        return need.value

    return ask


@pytest.mark.parametrize(
    ("frames", "largest", "blocks"),
    [
        (9216, 264 * 264 * 2, 2 * 9216),  # whole bands of a store
        (9216, 264 * 264 * 2, 5 * 9216),  # at high levels
        (202_752, 264 * 24, 202_752),  # rows of bands together
        (1000, 512, 1000),
        (1, 1 << 30, 1 << 13),
    ],
)
def test_nvcomp_has_room_for_all_blocks_and_is_asked_for_no_more(nvcomp_memory, frames, largest, blocks):
    def room(told):
        bytes_a_byte, bytes_a_block = 3, 3468
        return (nvcomp_memory(frames, largest, told) - bytes_a_byte * told) // bytes_a_block

    size = frames * largest
    told = zstd_bytes_told(frames, size, blocks)
    assert room(told) >= blocks
    assert (told == size) == (room(size) >= blocks)


def test_a_strip_that_is_no_zstd_frame_never_reaches_the_gpu():
    file = bytearray(encode(pixels_of(1, "uint8"), compress="zstd"))
    offset, length = strip_of(bytes(file))
    file[offset : offset + length] = bytes(length)  # as a download that was cut short leaves it
    with pytest.raises(RuntimeError, match="has damaged ZSTD data"):
        emulate_decode([file], bands=[0], shape=(1, 37, 53), dtype="uint8")


@pytest.mark.parametrize("byte", [0, 1])
def test_a_damaged_header_of_zlib_is_refused(byte):
    file = bytearray(encode(pixels_of(1, "uint8"), compress="deflate"))
    offset, _ = strip_of(bytes(file))
    file[offset + byte] ^= 0x0F
    with pytest.raises(RuntimeError, match="has damaged DEFLATE data"):
        emulate_decode([file], bands=[0], shape=(1, 37, 53), dtype="uint8")


def test_a_stream_of_zlib_with_nothing_in_it_never_reaches_the_gpu():
    file = bytearray(encode(pixels_of(1, "uint8"), compress="deflate"))
    with tifffile.TiffFile(io.BytesIO(bytes(file))) as tiff:
        at = tiff.pages[0].tags["StripByteCounts"].valueoffset
    file[at : at + 2] = (6).to_bytes(2, "little")  # header and checksum of zlib
    with pytest.raises(RuntimeError, match="has damaged DEFLATE data"):
        emulate_decode([file], bands=[0], shape=(1, 37, 53), dtype="uint8")
