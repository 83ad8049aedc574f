"""Decoding: seco beside rasterio, GDAL alone, tifffile, imagecodecs and DALI on the same files.

Every answer is compared with the pixels that went into the files. A missing peer is left out.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from benchmarks import decode_cuda, gdal_api
from benchmarks.installed import is_installed
from benchmarks.patches import patch_store
from benchmarks.record import Record, make_record, time_in_turns
from seco import _core
from seco.bands import select_bands
from seco.data.store import Store
from seco.device import cores
from seco.errors import ConfigError
from seco.ops.geotiff import decode_geotiff

# GDAL's creation options, and rows of a strip where it is not all of a band; `store` is what seco writes.
LAYOUTS: dict[str, dict[str, Any]] = {
    "store": {},
    "zstd-planar-88-rows": {"compress": "zstd", "zstd_level": 1, "predictor": 2, "interleave": "band", "blockysize": 88},
    "deflate-planar": {"compress": "deflate", "predictor": 2, "interleave": "band"},
    "deflate-planar-88-rows": {"compress": "deflate", "predictor": 2, "interleave": "band", "blockysize": 88},
    "deflate-pixel": {"compress": "deflate", "predictor": 2, "interleave": "pixel"},
    "zstd-pixel": {"compress": "zstd", "predictor": 2, "interleave": "pixel"},
}

Decoder = Callable[[Sequence[Path]], Any]


def run(*, device: str, quick: bool) -> Iterator[Record]:
    """Records of all layouts and implementations; on CUDA those of DALI."""
    if device == "cuda" and not _core.dali_version:
        raise ConfigError("device: expected DALI and seco's plugin for decoding on a GPU, got none; see `seco doctor`")
    with patch_store(quick=quick) as (store, origin):
        rgb = [store.band_names.index(name) for name in select_bands(store.band_names, "rgb")]
        every = list(range(len(store.bands)))
        cases: dict[str, tuple[list[Path], list[int]]] = {}
        for layout, options in LAYOUTS.items():
            files = _write_layout(store, layout, options, count=4 if quick else 20)
            cases |= {f"{layout}-all": (files, every), f"{layout}-rgb": (files, rgb)}
        if device == "cuda":
            yield from decode_cuda.measure(cases, origin=origin, quick=quick)
            return
        for name, (files, bands) in cases.items():
            yield from _measure(files, bands, case=name, origin=origin, runs=2 if quick else 15)


def _write_layout(store: Store, layout: str, options: dict[str, Any], *, count: int) -> list[Path]:
    """Some patches of the store in another layout, one strip a band where bands are apart."""
    sources = [Path(str(source)) for i in range(len(store)) for source in store.sources(i)][:count]
    if not options:
        return sources
    folder = store.path.parent / layout
    folder.mkdir()
    files = []
    for i, pixels in enumerate(decode_geotiff(sources)):
        files.append(folder / f"{i}.tif")
        profile = {"driver": "GTiff", "dtype": "uint16", "count": len(pixels), "height": pixels.shape[1]}
        strip = {"blockysize": pixels.shape[1]} if options["interleave"] == "band" else {}
        place = {"width": pixels.shape[2], "crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 4.6e6)}
        with rasterio.open(files[-1], "w", **profile, **(strip | options), **place) as raster:
            raster.write(pixels)
    return files


def _measure(files: list[Path], bands: list[int], *, case: str, origin: str, runs: int) -> list[Record]:
    decoders: dict[tuple[str, int], Decoder] = {("seco", 1): lambda files: decode_geotiff(files, bands=bands, threads=1)}
    every = cores()
    if every > 1:
        decoders["seco", every] = lambda files: decode_geotiff(files, bands=bands, threads=every)
    decoders["gdal", 1] = gdal_api.decoder(bands)
    decoders["rasterio", 1] = lambda files: [_rasterio(file, bands) for file in files]
    decoders |= {(name, 1): peer for name, peer in _peers(bands).items() if is_installed(name)}
    if _core.dali_version:
        decoders["seco-dali", every] = _dali(files, bands, every, "seco")
        if "pixel" in case:  # DALI's own decoder refuses files whose bands are apart
            decoders["nvidia.dali", every] = _dali(files, bands, every, "own")
    expected = [_rasterio(file, bands) for file in files]
    for (name, _), decode in decoders.items():
        for got, wanted in zip(decode(files), expected, strict=True):
            if not np.array_equal(got, wanted):
                raise RuntimeError(f"{name}: expected the pixels of {case}, got others")
    seconds = time_in_turns({key: lambda d=d: d(files) for key, d in decoders.items()}, runs=runs)  # type: ignore[misc]
    return [
        make_record(
            benchmark="decode",
            case=case,
            implementation=name,
            device="cpu",
            threads=threads,
            items=len(files),
            unit="patches",
            seconds=seconds[name, threads],
            pixels=origin,
            gdal=rasterio.__gdal_version__,
            shape=[len(bands), *expected[0].shape[1:]],
            bytes_read=sum(file.stat().st_size for file in files),
        )
        for name, threads in decoders
    ]


def _rasterio(file: Path, bands: list[int]) -> NDArray[Any]:
    with rasterio.open(file) as raster:
        return raster.read([band + 1 for band in bands])


def _dali(files: Sequence[Path], bands: list[int], threads: int, whose: str) -> Decoder:
    """A pipeline of DALI with the plugin's decoder or DALI's own, which knows no bands; the files' bytes are at hand."""
    from nvidia.dali import fn, pipeline_def, types

    import seco.dali  # noqa: F401 - adds the operators

    encoded = [np.fromfile(file, np.uint8) for file in files]

    @pipeline_def(batch_size=len(files), num_threads=threads, device_id=None, prefetch_queue_depth=1)  # type: ignore[untyped-decorator]
    def decode() -> Any:  # noqa: ANN401 - a node of the pipeline
        source = fn.external_source(source=lambda: encoded, batch=True)
        if whose == "seco":
            return fn.seco.decode_geotiff(source, bands=bands)  # type: ignore[attr-defined]
        return fn.decoders.image(source, output_type=types.ANY_DATA, dtype=types.UINT16)

    pipeline = decode()

    def run(_: Sequence[Path]) -> list[NDArray[Any]]:
        (pixels,) = pipeline.run()
        arrays = [np.asarray(sample) for sample in pixels]
        return arrays if whose == "seco" else [np.moveaxis(array, -1, 0)[bands] for array in arrays]

    return run


def _peers(bands: list[int]) -> dict[str, Decoder]:
    """Peers that know no bands: they decode the file and select."""

    def bands_first(pixels: NDArray[Any]) -> NDArray[Any]:
        return pixels if pixels.shape[0] < pixels.shape[2] else np.moveaxis(pixels, -1, 0)

    def tifffile(files: Sequence[Path]) -> list[NDArray[Any]]:
        import tifffile

        return [bands_first(tifffile.imread(file))[bands] for file in files]

    def imagecodecs(files: Sequence[Path]) -> list[NDArray[Any]]:
        import imagecodecs

        return [bands_first(imagecodecs.tiff_decode(file.read_bytes()))[bands] for file in files]

    return {"tifffile": tifffile, "imagecodecs": imagecodecs}
