"""DALI's operators; those of the decoder are compared with GDAL bit for bit, on the CPU and on a GPU where there is one."""

import ctypes
import functools
import io
import itertools
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rasterio", reason="rasterio is not installed")
import dali_plugin  # noqa: F401 - skips all of it where there is none
import rasterio
from ops.geotiff_files import encode, pixels_of
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

import seco.dali
from seco import _core

fn = pytest.importorskip("nvidia.dali.fn")


@pytest.fixture(params=["cpu", pytest.param("mixed", marks=pytest.mark.gpu)])
def decoder(request):
    """Makes functions from lists of encoded files, one a date, to the operator's outputs as lists of arrays."""
    return functools.partial(make_decoder, device=request.param)


def make_decoder(*, device="cpu", **options):
    from nvidia.dali import Pipeline

    built = {}

    def decode(*dates):
        if len(dates) not in built:
            device_id = None if device == "cpu" else 0
            pipeline = Pipeline(batch_size=128, num_threads=2, device_id=device_id, prefetch_queue_depth=1)
            with pipeline:
                encoded = [fn.external_source(name=f"date{t}") for t in range(len(dates))]
                outputs = fn.seco.decode_geotiff(*encoded, device=device, **options)
                pipeline.set_outputs(*(outputs if isinstance(outputs, (list, tuple)) else [outputs]))
            pipeline.build()
            built[len(dates)] = pipeline
        for t, files in enumerate(dates):
            built[len(dates)].feed_input(f"date{t}", [np.frombuffer(file, np.uint8) for file in files])
        return [[np.array(sample) for sample in output.as_cpu()] for output in built[len(dates)].run()]

    return decode


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_every_layout_is_gdals_bit_for_bit(decoder, dtype):
    decode = decoder()
    for bands in (1, 3, 4, 12, 13, 16):
        layouts = itertools.product(
            (False, True), ("pixel", "band"), ("none", "deflate", "zstd", "lzw"), (1, 2), ("NO", "YES")
        )
        names = ("tiled", "interleave", "compress", "predictor", "big")
        kinds = [dict(zip(names, layout, strict=True)) for layout in layouts]
        files = [encode(pixels_of(bands, dtype, seed), **kind) for seed, kind in enumerate(kinds)]
        (decoded,) = decode(files)
        for file, pixels, kind in zip(files, decoded, kinds, strict=True):
            with warnings.catch_warnings(), MemoryFile(file) as memory:
                warnings.simplefilter("ignore")
                with memory.open() as dataset:
                    expected = dataset.read()
            assert pixels.dtype == expected.dtype
            np.testing.assert_array_equal(pixels, expected, err_msg=f"{kind} {bands}")


@pytest.mark.parametrize("compression", [None, "zlib", "zstd", "lzw"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_files_of_tifffile_are_read(decoder, compression, planar):
    tifffile = pytest.importorskip("tifffile", reason="tifffile is not installed")
    if compression in ("zstd", "lzw"):
        pytest.importorskip("imagecodecs", reason="imagecodecs is not installed")
    pixels = pixels_of(5, "uint16")
    buffer = io.BytesIO()
    stored = pixels if planar == "separate" else np.moveaxis(pixels, 0, -1)
    predictor = 2 if compression else None
    tifffile.imwrite(buffer, stored, planarconfig=planar, compression=compression, predictor=predictor, rowsperstrip=10)
    np.testing.assert_array_equal(decoder()([buffer.getvalue()])[0][0], pixels)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "zstd"])
def test_files_of_libtiff_are_read(decoder, compression):
    image = pytest.importorskip("PIL.Image")
    pixels = pixels_of(3, "uint8")
    buffer = io.BytesIO()
    image.fromarray(np.ascontiguousarray(np.moveaxis(pixels, 0, -1))).save(buffer, "TIFF", compression=compression)
    np.testing.assert_array_equal(decoder()([buffer.getvalue()])[0][0], pixels)


def test_bands_and_dates(decoder):
    dates = [[encode(pixels_of(4, "uint16", seed=10 * t + i)) for i in range(3)] for t in range(2)]
    (stacked,) = decoder(bands=[3, 0])(*dates)
    for i, sample in enumerate(stacked):
        assert sample.shape[:2] == (2, 2)
        np.testing.assert_array_equal(sample, [pixels_of(4, "uint16", seed=10 * t + i)[[3, 0]] for t in range(2)])


@pytest.mark.filterwarnings("ignore:Use `@` matmul")  # rasterio of its own dependency
@pytest.mark.parametrize("epsg", [32731, 4326])
def test_georeference_is_gdals(decoder, epsg):
    transform = from_origin(499_980.0, 4_600_020.0, 10.0, 20.0)
    file = encode(pixels_of(2, "uint8"), crs=f"EPSG:{epsg}", transform=transform)
    nowhere = encode(pixels_of(2, "uint8"))
    _, places = decoder(georeference=True)([file, nowhere])
    with MemoryFile(file) as memory, memory.open() as dataset:
        assert places[0].tolist() == [*dataset.transform.to_gdal(), dataset.crs.to_epsg()]
    assert np.isnan(places[1][:6]).all()
    assert places[1][6] == 0


@pytest.mark.filterwarnings("ignore:Use `@` matmul")
def test_point_tagged_files_lie_half_a_pixel_off(decoder, tmp_path):
    with rasterio.open(
        tmp_path / "point.tif", "w", driver="GTiff", width=4, height=3, count=1, dtype="uint8", crs="EPSG:32631",
        transform=from_origin(500_000, 4_600_000, 10, 10),
    ) as dataset:  # fmt: skip
        dataset.update_tags(AREA_OR_POINT="Point")
        dataset.write(np.ones((1, 3, 4), np.uint8))
    _, places = decoder(georeference=True)([(tmp_path / "point.tif").read_bytes()])
    with rasterio.open(tmp_path / "point.tif") as dataset:
        assert places[0][:6].tolist() == list(dataset.transform.to_gdal())


def test_a_corrupt_file_is_flagged_and_harms_no_neighbour(decoder):
    good = [encode(pixels_of(2, "uint16", seed)) for seed in range(4)]
    cut = good[1][: len(good[1]) // 2]
    other = encode(pixels_of(3, "uint16"))
    decoded, whole = decoder(on_error="flag")([good[0], cut, good[2], other, good[3], b""])
    assert [flag.item() for flag in whole] == [True, False, True, False, True, False]
    for i, seed in ((0, 0), (2, 2), (4, 3)):
        np.testing.assert_array_equal(decoded[i], pixels_of(2, "uint16", seed))
    for i in (1, 3, 5):
        assert not decoded[i].any()


@pytest.mark.parametrize("place", range(3))
def test_a_file_that_lies_about_its_size_is_flagged_wherever_it_stands(decoder, place):
    pixels = [pixels_of(2, "uint16", seed) for seed in range(3)]
    files = [encode(each) for each in pixels]
    files[place] = with_width(files[place], pixels[place].shape[2] - 1)
    decoded, whole = decoder(on_error="flag")(files)
    assert [flag.item() for flag in whole] == [i != place for i in range(3)]
    for i in set(range(3)) - {place}:
        np.testing.assert_array_equal(decoded[i], pixels[i])


def with_width(file, width):
    """The same file, whose header says another width."""
    changed = bytearray(file)
    start = int.from_bytes(changed[4:8], "little")
    for entry in range(start + 2, start + 2 + 12 * int.from_bytes(changed[start : start + 2], "little"), 12):
        if int.from_bytes(changed[entry : entry + 2], "little") == 256:
            changed[entry + 8 : entry + 10] = width.to_bytes(2, "little")
    return bytes(changed)


def test_of_files_of_more_bands_those_asked_for_are_decoded(decoder):
    pixels = [pixels_of(bands, "uint16", bands) for bands in (4, 2, 3)]
    decoded, whole = decoder(bands=[2, 0], on_error="flag")([encode(each) for each in pixels])
    assert [flag.item() for flag in whole] == [True, False, True]
    for i in (0, 2):
        np.testing.assert_array_equal(decoded[i], pixels[i][[2, 0]])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (lambda f: [f, f[:200]], r"sample 1 of input 0: expected a readable GeoTIFF, got one that ends before"),
        (lambda f: [f, encode(pixels_of(2, "uint8"))], r"sample 1 of input 0: .* has 2 bands of 37 x 53 px uint8, not"),
        (lambda _: [encode(pixels_of(2, "uint16"), ENDIANNESS="BIG")], r"not of the fast profile \(big-endian\)"),
        (lambda _: [b"no tiff at all"], "not of the fast profile"),
    ],
)
def test_a_bad_file_is_named(decoder, files, message):
    with pytest.raises(RuntimeError, match=message):
        decoder()(files(encode(pixels_of(2, "uint16"))))


def test_a_band_that_is_not_there_is_named(decoder):
    with pytest.raises(RuntimeError, match="has 2 bands, none numbered 2"):
        decoder(bands=[0, 2])([encode(pixels_of(2, "uint16"))])


def test_real_files_are_gdals(decoder, shared_data):
    files = sorted(shared_data("bigearthnet").rglob("*.tif"))[:24]
    assert files
    decode, read = decoder(on_error="flag"), 0
    for file in files:
        pixels, whole = decode([file.read_bytes()])
        read += whole[0].item()
        if whole[0]:
            with rasterio.open(file) as dataset:
                np.testing.assert_array_equal(pixels[0], dataset.read())
    assert read, "none of them is of the fast profile"


@pytest.mark.parametrize("compress", ["deflate", "zstd", "lzw"])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_a_real_scene_written_anew(decoder, shared_data, compress, interleave):
    with rasterio.open(sorted(shared_data("boadella_s2").rglob("*.tif"))[0]) as dataset:  # big-endian as it is
        scene = dataset.read()
    (decoded,) = decoder()([encode(scene, compress=compress, interleave=interleave, predictor=2)])
    np.testing.assert_array_equal(decoded[0], scene)


def test_another_version_of_dali_is_refused_in_one_line():
    script = "import nvidia.dali as d; d.__version__ = '1.0'; import seco.dali"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert f"expected {seco._core.dali_version}" in last
    assert f"pip install nvidia-dali-cuda130=={seco._core.dali_version}" in last


def test_a_strip_that_is_not_what_its_checksum_says_is_refused(decoder):
    tifffile = pytest.importorskip("tifffile", reason="tifffile is not installed")
    files = [bytearray(encode(pixels_of(2, "uint16", seed))) for seed in range(3)]
    with tifffile.TiffFile(io.BytesIO(bytes(files[1]))) as tiff:
        files[1][tiff.pages[0].dataoffsets[0] + tiff.pages[0].databytecounts[0] - 1] ^= 1
    decoded, whole = decoder(on_error="flag")(files)
    assert [flag.item() for flag in whole] == [True, False, True]
    for i in (0, 2):
        np.testing.assert_array_equal(decoded[i], pixels_of(2, "uint16", i))
    assert not decoded[1].any()


@pytest.mark.parametrize("interleave", ["band", "pixel"])
def test_blocks_of_unwanted_bands_are_not_read(interleave, tmp_path):
    from nvidia.dali import Pipeline

    file = encode(pixels_of(12, "uint16"), interleave=interleave)
    (tmp_path / "12.tif").write_bytes(b"before" + file + b"behind")
    pipeline = Pipeline(batch_size=1, num_threads=1, device_id=None, prefetch_queue_depth=1)
    with pipeline:
        path = fn.external_source(source=lambda: [np.frombuffer(bytes(tmp_path / "12.tif"), np.uint8)])
        within = fn.external_source(source=lambda: [np.array([6, len(file)])])
        pipeline.set_outputs(fn.seco.decode_geotiff(fn.seco.read_range(path, within, bands=[7, 2]), bands=[7, 2]))
    before = bytes_read()
    (decoded,) = pipeline.run()
    np.testing.assert_array_equal(np.array(decoded[0]), pixels_of(12, "uint16")[[7, 2]])
    if interleave == "band":
        assert bytes_read() - before < len(file) / 2
    else:
        assert bytes_read() - before == len(file)


def bytes_read():
    totals = (ctypes.c_int64 * len(_core.stage_totals()))()
    ctypes.CDLL(str(seco.dali.PLUGIN)).seco_stage_totals(totals)
    return totals[4]


def test_the_readmes_example_runs(tmp_path, monkeypatch):
    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    (example,) = [code for code in re.findall(r"```python\n(.*?)```", readme, re.S) if "pipeline_def" in code]
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a.tif", "b.tif")):
        Path(name).write_bytes(encode(pixels_of(13, "uint16", seed)))
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    for seed, pixels in enumerate(names["pixels"]):
        # The reader goes round until the batch is full.
        np.testing.assert_array_equal(np.array(pixels), pixels_of(13, "uint16", seed % 2)[[3, 2, 1]])
