"""The GPU's GeoTIFF decoder without a GPU: what is staged, what is checked, and where each sample goes."""

import io
import itertools

import numpy as np
import pytest
from kernels.emulation import emulate_decode
from ops.geotiff_files import encode, pixels_of

pytest.importorskip("imagecodecs", reason="imagecodecs is not installed")
tifffile = pytest.importorskip("tifffile", reason="tifffile is not installed")


def layouts(dtype):
    names = ("tiled", "interleave", "compress", "predictor", "big")
    every = itertools.product((False, True), ("pixel", "band"), ("none", "deflate", "zstd", "lzw"), (1, 2), ("NO", "YES"))
    kinds = [dict(zip(names, layout, strict=True)) for layout in every]
    return [kind for kind in kinds if not (dtype == "float32" and kind["predictor"] == 2)]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("count", [1, 3, 12, 16])
def test_a_batch_of_all_layouts_is_decoded_bit_for_bit(dtype, count):
    kinds = layouts(dtype)
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


@pytest.mark.parametrize("compress", ["deflate", "zstd"])
def test_a_strip_that_cannot_be_decompressed_is_seen(compress):
    pixels = pixels_of(2, "uint16")
    file = bytearray(encode(pixels, compress=compress))
    offset, length = strip_of(bytes(file))
    file[offset + 2 : offset + length - 4] = b"\xff" * (length - 6)
    _, whole = emulate_decode([file], bands=[0, 1], shape=pixels.shape, dtype="uint16")
    assert whole.tolist() == [False]


@pytest.mark.parametrize("byte", [0, 1])
def test_a_damaged_header_of_zlib_is_refused(byte):
    file = bytearray(encode(pixels_of(1, "uint8"), compress="deflate"))
    offset, _ = strip_of(bytes(file))
    file[offset + byte] ^= 0x0F
    with pytest.raises(RuntimeError, match="has damaged DEFLATE data"):
        emulate_decode([file], bands=[0], shape=(1, 37, 53), dtype="uint8")
