"""Decoding in DALI from the memory of the host to that of a GPU: the plugin's operator beside DALI's own.

The batch is that of a training step: 256 locations and three dates. Pixels are compared before anything is timed.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.record import Record, make_record, time_runs
from seco.device import cores
from seco.errors import reason_of
from seco.ops.geotiff import decode_geotiff, read_info

_AHEAD = 2  # batches in the making, as in training


def measure(cases: Mapping[str, tuple[list[Path], list[int]]], *, origin: str, quick: bool) -> Iterator[Record]:
    """Records of all decoders, for each case's files and bands: ours first, for a peer may take the process with it."""
    for name in ("seco", "nvidia.dali", "nvidia.dali-mixed"):
        for case, (files, bands) in cases.items():
            if name == "seco" or len(bands) == read_info(files[0]).bands:  # DALI's own decoders know no bands
                yield from _measure(name, files, bands, case=case, origin=origin, quick=quick)


def _measure(name: str, files: list[Path], bands: list[int], *, case: str, origin: str, quick: bool) -> Iterator[Record]:
    """One record if the decoder reads ``files``; the batch goes through it again and again."""
    threads, runs, batch = cores(), 3 if quick else 21, 8 if quick else 768
    encoded = [np.fromfile(files[i % len(files)], np.uint8) for i in range(batch)]
    expected = decode_geotiff(files, bands=bands)
    try:
        work = _pipeline(name, encoded, bands, threads)
        for i, pixels in enumerate(_on_host(work(), bands_last=name != "seco")[: len(files)]):
            np.testing.assert_array_equal(pixels, expected[i])
    except (RuntimeError, AssertionError) as error:
        if name == "seco":
            raise
        print(f"{name} does not read {case}: {reason_of(error)}", file=sys.stderr)
        return
    yield make_record(
        benchmark="decode",
        case=case,
        implementation=name,
        device="cuda",
        threads=threads,
        items=expected[0].nbytes * batch / 1e9,
        unit="GB",
        seconds=time_runs(work, runs=runs),
        pixels=origin,
        patches=batch,
        shape=list(expected[0].shape),
        bytes_read=sum(file.nbytes for file in encoded),
    )


def _pipeline(name: str, encoded: list[NDArray[np.uint8]], bands: list[int], threads: int) -> Callable[[], Any]:
    """What gives a batch on the GPU, the next ones being in the making."""
    from nvidia.dali import fn, pipeline_def, types

    import seco.dali  # noqa: F401 - adds the operators

    @pipeline_def(batch_size=len(encoded), num_threads=threads, device_id=0, prefetch_queue_depth=_AHEAD)  # type: ignore[untyped-decorator]
    def decode() -> Any:  # noqa: ANN401 - a node of the pipeline
        source = fn.external_source(source=lambda: encoded, batch=True, no_copy=True)
        if name == "seco":
            return fn.seco.decode_geotiff(source, bands=bands, device="mixed")  # type: ignore[attr-defined]
        own = {"output_type": types.ANY_DATA, "dtype": types.UINT16}
        if name == "nvidia.dali-mixed":
            return fn.decoders.image(source, device="mixed", **own)
        return fn.decoders.image(source, **own).gpu()

    pipeline = decode()
    return lambda: pipeline.run()[0]


def _on_host(pixels: Any, *, bands_last: bool) -> list[NDArray[Any]]:  # noqa: ANN401 - a list of DALI's tensors
    arrays = [np.array(sample) for sample in pixels.as_cpu()]
    return [np.moveaxis(array, -1, 0) for array in arrays] if bands_last else arrays
