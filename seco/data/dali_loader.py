"""The loader on NVIDIA DALI: the same batches as the native one, bit for bit, through DALI's operators and threads."""

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import seco.dali  # noqa: F401 - adds the operators
from seco.data.loader import Batch, Loader, MadeBatch, checked_step
from seco.errors import ConfigError, StoreError
from seco.ops.random import VIEW_DTYPE
from seco.ops.recipe import is_rgb

_AHEAD = 2  # batches that DALI has in the making


class DaliLoader(Loader):
    """As :class:`seco.data.loader.Loader`, whose arguments it takes.

    Reading, decoding and the views are operators of DALI on its own threads; on CUDA, patches are decoded and augmented on
    the GPU. Python draws the parameters and names the files. A batch with a patch that cannot be read is made by the native
    loader, which finds the same stand-ins as ever.

    Raises:
        ConfigError: If DALI or seco's plugin for it is missing, or ``verify`` or a ``table`` is asked for.
        DeviceError: As the native loader.
        StoreError: As the native loader, and for archives that are read in place, which have no files of patches.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401 - those of Loader
        super().__init__(*args, **settings)
        if self.verify:
            raise ConfigError("loader: expected no verify for DALI, got it; take --loader native")
        if self.table is not None:
            raise ConfigError("loader: expected no table of digital numbers for DALI, got one; take --loader native")
        if not self.store.has_checksums:
            raise StoreError(f"{self.store.path}: expected a store for DALI, got an archive read in place; import it first")
        self.inputs: deque[list[NDArray[Any]]] = deque()
        self._pipeline = _build(self)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """Batches of one epoch from step ``start_step`` on, in order; each is good until the next.

        Raises:
            DataError: If more patches than ``max_bad_fraction`` cannot be read; the text names them.
            ArrayError: If ``epoch`` or ``start_step`` is out of range.
        """
        order, start_step = self.order(epoch), checked_step(start_step)
        running: deque[NDArray[np.int64]] = deque()  # locations of the batches in the making
        handed_over: deque[tuple[torch.cuda.Event, torch.Tensor]] = deque()
        self._pipeline.reset()
        try:
            for step in range(start_step, self.steps_per_epoch):
                start = time.perf_counter()  # naming files and feeding them to DALI keeps the consumer, too
                for later in range(step + len(running), min(step + _AHEAD, self.steps_per_epoch)):
                    locations = self.locations_of(order, later)
                    self.inputs.append(self._name(epoch, locations))
                    running.append(locations)
                while self.inputs:  # the first call takes several
                    self._pipeline.schedule_run()
                locations = running.popleft()
                views, whole = self._pipeline.share_outputs()
                try:
                    made = MadeBatch(self._as_torch(views), locations, None)
                finally:
                    self._pipeline.release_outputs()  # to their owners, which are here
                if not np.asarray(whole.as_cpu().as_tensor()).all():
                    made = self._make(epoch, order, step)
                waited = time.perf_counter() - start
                if self._stream is not None:
                    self._hand_over(made, handed_over)
                yield Batch(made.views, made.locations, waited)
        finally:
            self.inputs.clear()  # nothing of this epoch is left for the next
            for _ in () if sys.is_finalizing() else running:  # when Python ends, DALI has gone before
                with suppress(RuntimeError):  # the first error is the one to tell
                    self._pipeline.share_outputs()
                    self._pipeline.release_outputs()
            if self._stream is not None:  # DALI takes its memory back, and does not know torch's streams
                torch.cuda.current_stream(self.device).synchronize()

    def _name(self, epoch: int, locations: NDArray[np.int64]) -> list[NDArray[Any]]:
        """What the pipeline takes for a batch: parameters, then paths and ranges for each date."""
        params, rows = self.draw(epoch, locations)
        inputs: list[NDArray[Any]] = [params.view(np.uint8).reshape(*params.shape, VIEW_DTYPE.itemsize)]
        paths, ranges = self.store.ranges_of_rows(rows.T.ravel())
        for of_date, within in zip(paths.reshape(rows.T.shape), ranges.reshape(*rows.T.shape, 2), strict=True):
            inputs += [of_date.view(np.uint8).reshape(len(locations), -1), within]
        return inputs

    def _as_torch(self, views: Any) -> torch.Tensor:  # noqa: ANN401 - a list of DALI's tensors
        """``[V, N, C, size, size]`` of DALI's ``[N, V, size, size, C]``, without a copy."""
        tensor = torch.utils.dlpack.from_dlpack(views.as_tensor())
        if self.dtype != "float32":
            tensor = tensor.view(getattr(torch, self.dtype))
        return tensor.permute(1, 0, 4, 2, 3)


def _build(loader: DaliLoader) -> Any:  # noqa: ANN401 - a Pipeline
    from nvidia.dali import fn, pipeline_def

    n = loader.normalization
    operators: Any = fn.seco  # type: ignore[attr-defined] # the plugin's
    dates = loader.recipe.num_dates
    on_gpu = loader.device.type == "cuda"
    shape = (loader.store.patch_size, loader.store.patch_size)
    inputs = loader.inputs  # not the loader, which holds the pipeline

    def next_inputs() -> list[NDArray[Any]]:
        if not inputs:
            raise StopIteration
        return inputs.popleft()

    @pipeline_def(  # type: ignore[untyped-decorator]
        batch_size=loader.batch_size,
        num_threads=loader.threads,
        device_id=torch.empty(0, device=loader.device).get_device() if on_gpu else None,
        prefetch_queue_depth=_AHEAD,
    )
    def views() -> Any:  # noqa: ANN401 - nodes of a pipeline
        params, *files = fn.external_source(source=next_inputs, num_outputs=1 + 2 * dates, batch=True)
        encoded = [
            operators.read_range(path, within, bands=loader.band_numbers)
            for path, within in zip(files[::2], files[1::2], strict=True)
        ]
        pixels, whole = operators.decode_geotiff(
            *encoded,
            bands=loader.band_numbers,
            on_error="flag",
            size=shape,
            dtype=str(loader.store.dtype),
            device="mixed" if on_gpu else "cpu",
        )
        if dates == 1:
            pixels = fn.expand_dims(pixels, axes=[0])
        made = operators.augment_views(
            pixels,
            params,
            size=loader.size,
            scale=n.scale,
            offset=n.offset,
            mean=n.mean,
            inverse_std=np.reciprocal(np.array(n.std, np.float32)).tolist(),
            rgb=is_rgb(n.bands),
            dtype=loader.dtype,
            device="gpu" if on_gpu else "cpu",
        )
        return made, whole

    pipeline = views()
    pipeline.build()
    return pipeline
