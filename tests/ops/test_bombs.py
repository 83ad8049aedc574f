"""Decompression bombs are refused by what they declare, before memory is taken; what is merely dense is decoded."""

import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from fuzz.corpus import CODECS, bombs, encode, tiff

from seco.errors import GeoTiffError
from seco.ops.geotiff import FileSlice, decode_geotiff, read_info

BOMBS = dict(bombs())
# Bytes that one compressed byte can stand for: see csrc/geotiff/bound.cpp, which derives them.
RATIOS = {"none": 1, "lzw": 2560, "deflate": 1032, "zstd": 32768}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_by_their_header(name):
    pattern = "share their bytes" if "shared" in name else "declare"
    with pytest.raises(GeoTiffError, match=pattern) as caught:
        read_info(BOMBS[name])
    assert "\n" not in str(caught.value)


# Argument: a folder of files. Prints, under a limit of 64 MiB more than the process has, what becomes of each.
LIMITED = """
import resource, sys
from pathlib import Path
import rasterio
from seco.ops.geotiff import decode_geotiff
has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (has + (64 << 20), has + (64 << 20)))
for file in sorted(Path(sys.argv[1]).iterdir()):
    try:
        print(file.name, decode_geotiff([file], threads=1).shape)
    except Exception as error:
        print(file.name, "MemoryError" if isinstance(error, MemoryError) else type(error).__name__)
"""


def zstd_of_repeated_bytes(size):
    """A ZSTD frame of ``size`` zeros, which its header does not tell: only blocks that repeat a byte 2^17 times."""
    count, block = size >> 17, 1 << 17
    headers = [(block << 3 | 1 << 1 | (i == count - 1)).to_bytes(3, "little") + b"\0" for i in range(count)]
    return b"\x28\xb5\x2f\xfd\x00\x58" + b"".join(headers)  # a window of 2 MiB


def square(side, data, codec):
    return tiff(data, t256=side, t257=side, t278=side, t259=CODECS[codec])


def test_bombs_take_no_memory(tmp_path):
    contents = BOMBS | {"plain": tiff(), "honest-256m": square(1 << 14, zstd_of_repeated_bytes(1 << 28), "zstd")}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-P", "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    outcomes = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert outcomes.pop("plain") == "(1, 1, 4, 4)"
    assert outcomes.pop("honest-256m") == "MemoryError", "the limit does not bite"
    assert outcomes == dict.fromkeys(BOMBS, "GeoTiffError")


@pytest.mark.parametrize("codec", CODECS)
def test_the_bound_is_the_ratio(codec):
    data, ratio = bytes(64), RATIOS[codec]
    with pytest.raises(GeoTiffError, match="more pixels than its data can hold"):
        read_info(tiff(data, t259=CODECS[codec], t256=ratio, t257=65, t278=65))
    assert read_info(tiff(data, t259=CODECS[codec], t256=ratio, t257=64, t278=64)).width == ratio


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("interleave", ["band", "pixel"])
@pytest.mark.parametrize("tiled", [False, True])
def test_constant_patches_of_every_codec_are_decoded(codec, interleave, tiled):
    pixels = np.zeros((12, 264, 264), np.uint16)
    blocks = {"tiled": True, "blockxsize": 512, "blockysize": 512} if tiled else {"blockysize": 264}
    content = encode(pixels, compress=codec, interleave=interleave, **blocks)
    assert not read_info(content).foreign
    np.testing.assert_array_equal(decode_geotiff([content])[0], pixels)


@pytest.mark.parametrize(
    ("codec", "data"), [("deflate", zlib.compress(bytes(1 << 22), 9)), ("zstd", zstd_of_repeated_bytes(1 << 22))]
)
def test_the_densest_data_is_decoded(codec, data):
    assert (1 << 22) / len(data) > 0.9 * RATIOS[codec]
    np.testing.assert_array_equal(
        decode_geotiff([square(1 << 11, data, codec)])[0, 0], np.zeros((1 << 11, 1 << 11), np.uint8)
    )


def test_a_last_strip_is_as_short_as_the_image():
    """A strip of one row after one of 2048 takes fewer bytes than a whole one could do with."""
    first, last = zlib.compress(bytes(1 << 22), 9), zlib.compress(bytes(1 << 11), 9)
    data = first + last
    lists = {"t273": [16, 16 + len(first)], "t279": [len(first), len(last)]}
    content = tiff(data, t256=1 << 11, t257=(1 << 11) + 1, t278=1 << 11, t259=8, **lists)
    assert len(last) * RATIOS["deflate"] < 1 << 22
    np.testing.assert_array_equal(decode_geotiff([content])[0, 0], np.zeros(((1 << 11) + 1, 1 << 11), np.uint8))


@pytest.mark.parametrize(
    ("offset", "length"), [(-1, 10), (0, -1), (1 << 63, 10), (0, 1 << 64), (-(1 << 70), 1), (None, 1), ("0", 1)]
)
def test_slices_that_cannot_be_name_their_file(tmp_path, offset, length):
    shard = Path(tmp_path / "shard.tar")
    shard.write_bytes(tiff())
    with pytest.raises(
        GeoTiffError, match=rf"shard\.tar: expected a slice inside the file, got {length} bytes at byte {offset}"
    ):
        decode_geotiff([FileSlice(shard, offset, length)])
    with pytest.raises(GeoTiffError, match=r"shard\.tar"):
        decode_geotiff([tiff(), FileSlice(shard, offset, length)])


VRT = b"""<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename relativeToVRT="0">%s</SourceFilename><SourceBand>1</SourceBand>
</SimpleSource></VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize("kind", ["bytes", "file", "slice"])
def test_a_file_that_points_at_another_is_no_geotiff(tmp_path, kind):
    """GDAL would open what a VRT names, here or on the network, whoever sent it under the name of a TIFF."""
    target = tmp_path / "private.tif"
    target.write_bytes(tiff())
    content, file = VRT % bytes(target), tmp_path / "patch.tif"
    file.write_bytes(content)
    source = {"bytes": content, "file": file, "slice": FileSlice(file, 0, len(content))}[kind]
    with pytest.raises(GeoTiffError, match=r"\(not a TIFF\)"):
        decode_geotiff([source])
