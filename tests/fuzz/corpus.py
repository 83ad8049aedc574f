"""Corpus of the GeoTIFF fuzz target: small files of every layout, made by GDAL, and hostile ones made by hand.

``python tests/fuzz/corpus.py DIR`` writes them to a folder, with the mutated files that earlier runs of the fuzzer found.
"""

import itertools
import struct
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOUND = Path(__file__).parent / "found"
CODECS = {"none": 1, "lzw": 5, "deflate": 8, "zstd": 50000}


def write_corpus(folder: Path) -> list[Path]:
    """Writes every file of the corpus to ``folder`` and returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    found = ((file.name, file.read_bytes()) for file in sorted(FOUND.glob("*.tif")))
    for name, content in itertools.chain(layouts(), textures(), bombs(), lies(), found):
        files.append(folder / name)
        files[-1].write_bytes(content)
    return files


def encode(pixels: NDArray[Any], *, compress: str, **settings: Any) -> bytes:
    """A GeoTIFF of ``pixels`` ``[C, H, W]`` as GDAL writes it."""
    from rasterio.io import MemoryFile

    count, height, width = pixels.shape
    coding = {} if compress == "none" else {"compress": compress}
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore")
        shape = {"count": count, "height": height, "width": width, "dtype": pixels.dtype}
        with memory.open(driver="GTiff", **shape, **coding, **settings) as dataset:
            dataset.write(pixels)
        return memory.read()


def layouts() -> Iterator[tuple[str, bytes]]:
    """Names and contents of files of the fast profile: each codec in each layout, types and sizes in turn."""
    turns = itertools.cycle(
        itertools.product(("uint8", "uint16", "int16", "uint32", "float32"), ((1, 1), (13, 17), (3, 32)))
    )
    generator = np.random.default_rng(0)
    blocks = ({"blockysize": 5}, {"tiled": True, "blockxsize": 16, "blockysize": 16})
    for compress, block, interleave, bands, predictor in itertools.product(
        CODECS, blocks, ("band", "pixel"), (1, 3), (1, 2)
    ):
        dtype, size = next(turns)
        if predictor == 2 and (compress == "none" or dtype == "float32"):
            continue
        pixels = np.cumsum(generator.integers(-3, 4, (bands, *size)), axis=2).astype(dtype)
        settings = block | {"interleave": interleave, "BIGTIFF": "YES" if bands == 3 else "NO"}
        if predictor == 2:
            settings["predictor"] = 2
        layout = "tiles" if "tiled" in block else "strips"
        yield (
            f"{compress}-{layout}-{interleave}-{bands}-{predictor}-{dtype}-{size[0]}x{size[1]}.tif",
            encode(pixels, compress=compress, **settings),
        )


def textures() -> Iterator[tuple[str, bytes]]:
    """Names and contents of files large enough for the codecs' tables and matches: tiny ones are stored as they are."""
    walk = np.cumsum(np.random.default_rng(1).integers(-20, 21, (4, 40, 48)), axis=2)
    pixels = (walk + 1000).astype(np.uint16)
    pixels[:, 20:] = pixels[:, :20]
    for compress, predictor, interleave in itertools.product(("lzw", "deflate", "zstd"), (1, 2), ("band", "pixel")):
        content = encode(pixels, compress=compress, predictor=predictor, interleave=interleave)
        yield f"texture-{compress}-{predictor}-{interleave}.tif", content


def tiff(data: bytes = bytes(64), *, big: bool = False, counts: dict[int, int] | None = None, **tags: Any) -> bytes:
    """A little-endian TIFF of 4 x 4 px uint8 in one strip, with ``data`` at offset 16.

    Args:
        data: Bytes of the blocks.
        big: BigTIFF.
        counts: Number of values that a tag's entry states, where that is a lie.
        **tags: Values of the tags ``t<number>``; a list becomes an array behind the directory, None takes the tag out.
    """
    entries: dict[int, Any] = {256: 4, 257: 4, 258: 8, 259: 1, 273: 16, 278: 4, 279: len(data)}
    entries |= {int(name[1:]): value for name, value in tags.items()}
    entries = {tag: value for tag, value in sorted(entries.items()) if value is not None}
    directory = 16 + len(data)
    count_format, entry_format, value_format = ("<Q", "<HHQQ", "Q") if big else ("<H", "<HHII", "I")
    start = b"II+\0\x08\0\0\0" + struct.pack("<Q", directory) if big else b"II*\0" + struct.pack("<II4x", directory, 0)
    body, arrays = struct.pack(count_format, len(entries)), b""
    behind = directory + len(body) + len(entries) * struct.calcsize(entry_format) + struct.calcsize(value_format)
    for tag, value in entries.items():
        values = value if isinstance(value, list) else [value]
        array = struct.pack(f"<{len(values)}{value_format}", *values)
        place = value
        if isinstance(value, list):
            place = behind + len(arrays)
            arrays += array
        body += struct.pack(entry_format, tag, 16 if big else 4, (counts or {}).get(tag, len(values)), place)
    return start + data + body + bytes(struct.calcsize(value_format)) + arrays


def bombs() -> Iterator[tuple[str, bytes]]:
    """Names and contents of files that declare far more than their bytes can hold."""
    for (codec, number), big in itertools.product(CODECS.items(), (False, True)):
        name = f"bomb-{codec}-{'big' if big else 'classic'}"
        side = {"t256": 30000, "t257": 30000, "t278": 30000}
        yield f"{name}-strip.tif", tiff(b"\x80\x0b\x60\x50" * 4, big=big, t259=number, **side)
        yield f"{name}-2g.tif", tiff(big=big, t259=number, t256=1 << 16, t257=1 << 15, t278=1 << 15)
        yield f"{name}-bands.tif", tiff(big=big, t259=number, t256=120, t257=120, t278=120, t277=65535)
        tile = {"t322": 1 << 15, "t323": 1 << 14, "t324": 16, "t325": 64, "t273": None, "t279": None}
        yield f"{name}-tile.tif", tiff(big=big, t259=number, **tile)
        shared = {"t256": 4096, "t257": 256, "t278": 1, "t273": [16] * 256, "t279": [4096] * 256}
        yield f"{name}-shared.tif", tiff(bytes(4096), big=big, t259=number, **shared)
    # Samples that GDAL reads; it would make zeros of the blocks that are not there.
    sparse = {"t256": 1 << 16, "t257": 1 << 15, "t278": 1 << 15, "t273": 0, "t279": 0}
    yield "bomb-foreign.tif", tiff(t258=64, t339=3, **sparse)
    # A frame header that gives 2 GiB as its size, and one that gives 16 bytes where 4 MiB are declared:
    # more than DEFLATE could make of its bytes, less than ZSTD.
    frame = b"\x28\xb5\x2f\xfd\xa0"
    large = {"t259": 50000, "t256": 2048, "t257": 2048, "t278": 2048}
    yield "bomb-zstd-frame.tif", tiff(frame + struct.pack("<I", 1 << 31) + bytes(55), t259=50000, t256=1 << 16, t257=1 << 15)
    yield "bomb-zstd-small-frame.tif", tiff(frame + struct.pack("<I", 16) + bytes(1024), **large)


def lies() -> Iterator[tuple[str, bytes]]:
    """Names and contents of files that lie in other ways about themselves."""
    top = (1 << 32) - 1
    yield "lie-plain.tif", tiff()
    yield "lie-plain-big.tif", tiff(big=True)
    yield "lie-offset.tif", tiff(t273=top)
    yield "lie-offset-big.tif", tiff(big=True, t273=(1 << 64) - 1)
    yield "lie-bytes-big.tif", tiff(big=True, t279=(1 << 64) - 8)
    yield "lie-count-big.tif", tiff(big=True, counts={273: 1 << 40, 279: 1 << 40})
    yield "lie-count-wraps.tif", tiff(big=True, counts={273: (1 << 61) + 1, 258: 1 << 63})
    yield "lie-array-offset.tif", tiff(big=True, counts={273: 9})
    yield "lie-product.tif", tiff(big=True, t256=1 << 32, t257=1 << 32, t278=1)
    yield "lie-width.tif", tiff(t256=top, t257=top)
    yield "lie-no-tile.tif", tiff(t322=0, t323=0, t324=16, t325=64)
    yield "lie-huge-tile.tif", tiff(t322=top, t323=top, t324=16, t325=64)
    yield "lie-zero-rows.tif", tiff(t278=0)
    yield "lie-zero-bits.tif", tiff(t258=0)
    yield "lie-no-bands.tif", tiff(t277=0)
    yield "lie-planes.tif", tiff(t277=3, t284=2)
    yield "lie-sparse.tif", tiff(t273=0, t279=0)
    yield "lie-empty-strip.tif", tiff(t279=0)
    yield "lie-loop.tif", b"II*\0\x04\0\0\0" + bytes(64)
    yield "lie-directory-is-itself.tif", tiff()[:4] + struct.pack("<I", 0) + tiff()[8:]
    yield "lie-directory-beyond.tif", b"II*\0" + struct.pack("<I", top) + bytes(64)
    yield "lie-directory-wraps.tif", b"II+\0\x08\0\0\0" + struct.pack("<Q", (1 << 64) - 4) + bytes(64)
    yield "lie-entries.tif", b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 1 << 62) + bytes(64)
    for codec in CODECS:  # the data is longer than the rows that are left, and LZW's strings go beyond them
        content = encode(np.zeros((1, 64, 64), np.uint16), compress=codec, blockysize=64)
        for tag in (257, 278):
            content = content.replace(struct.pack("<HHII", tag, 3, 1, 64), struct.pack("<HHII", tag, 3, 1, 3))
        yield f"lie-longer-{codec}.tif", content
    for length in (0, 1, 7, 8, 15, 30, 100):
        yield f"lie-cut-{length}.tif", tiff()[:length]


if __name__ == "__main__":
    write_corpus(Path(sys.argv[1]))
