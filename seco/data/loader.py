"""Turns a store into batches of views, ahead of the model, in an order that is a pure function of the seed."""

import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seco.data.normalization import Normalization
from seco.data.store import Store
from seco.errors import DataError, StoreError
from seco.ops.augment import augment_views
from seco.ops.random import permutation, sample_view_params, substitute
from seco.ops.recipe import ViewRecipe

_ATTEMPTS = 100  # to find another location in place of one that cannot be read
_AHEAD = 3  # batches in the making besides the one that the model works on


@dataclass(frozen=True, slots=True)
class Batch:
    """Views of one batch of locations.

    Attributes:
        views: ``[V, N, C, size, size]``, normalised, channels last in memory.
        locations: int64 ``[N]``, their numbers in the store; of those that stand in for unreadable ones, too.
        wait_s: Seconds that the consumer waited for this batch.
    """

    views: torch.Tensor
    locations: NDArray[np.int64]
    wait_s: float


class Loader:
    """Batches of a store; the same for any number of threads.

    Args:
        store: Where the patches are.
        recipe: What the views are.
        normalization: Bands to read, and how they are scaled.
        size: Height and width of a view, pixels.
        batch_size: Locations a batch on this rank.
        seed: Of order, seasons and views.
        threads: Threads that decode and augment; None takes one a core.
        rank: This process among ``world_size``; ranks see disjoint locations.
        world_size: Number of processes.
        max_bad_fraction: Share of the store's patches that may be unreadable. A location with such a patch is replaced by
            another draw, the same for any number of threads or ranks.
        verify: Compare every patch with its checksum, at the cost of reading it whole.

    Attributes:
        bad_patches: What is wrong with the patches that could not be read so far, by name.
        excluded: Number of locations left out because they have fewer dates than the recipe needs.
        steps_per_epoch: Whole batches of an epoch; the rest of the shuffle is left out.

    Raises:
        StoreError: If fewer usable locations remain than one batch takes, or there are no checksums to verify.
    """

    def __init__(
        self,
        store: Store,
        *,
        recipe: ViewRecipe,
        normalization: Normalization,
        size: int,
        batch_size: int,
        seed: int,
        threads: int | None = None,
        rank: int = 0,
        world_size: int = 1,
        max_bad_fraction: float = 0.01,
        verify: bool = False,
    ) -> None:
        self.store, self.recipe, self.normalization = store, recipe, normalization
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.threads = threads or os.cpu_count() or 1
        self.rank, self.world_size = rank, world_size
        self.max_bad_fraction, self.verify = max_bad_fraction, verify
        self.bad_patches: dict[str, str] = {}
        self._lock, self._buffers = threading.Lock(), threading.local()
        if verify and not store.has_checksums:
            raise StoreError(f"{store.path}: expected checksums to verify, got an archive read in place; import it first")
        needed = recipe.num_dates if recipe.distinct_dates else 1
        self._usable = np.flatnonzero(store.locations["num_dates"] >= needed)
        self._bands = [store.band_names.index(band) for band in normalization.bands]
        self.excluded = len(store) - len(self._usable)
        self.steps_per_epoch = len(self._usable) // (batch_size * world_size)
        if self.steps_per_epoch < 1:
            raise StoreError(
                f"{store.path}: expected at least {batch_size * world_size} locations with {needed} dates or more (one "
                f"batch), got {len(self._usable)} of {len(store)}; choose a smaller batch size or collect more"
            )

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """Batches of one epoch from step ``start_step`` on, in order, made ahead by threads.

        Raises:
            DataError: If more patches than ``max_bad_fraction`` cannot be read; the text names them.
        """
        order = self._usable[permutation(len(self._usable), seed=self.seed, epoch=epoch)]
        pending: deque[Future[tuple[torch.Tensor, NDArray[np.int64]]]] = deque()
        with ThreadPoolExecutor(_AHEAD, thread_name_prefix="seco-loader") as pool:
            try:
                for step in range(start_step, self.steps_per_epoch):
                    while len(pending) < _AHEAD and step + len(pending) < self.steps_per_epoch:
                        pending.append(pool.submit(self._make, epoch, order, step + len(pending)))
                    start = time.perf_counter()
                    views, locations = pending.popleft().result()
                    yield Batch(views, locations, time.perf_counter() - start)
            finally:
                for future in pending:
                    future.cancel()

    def _make(self, epoch: int, order: NDArray[np.int64], step: int) -> tuple[torch.Tensor, NDArray[np.int64]]:
        first = (step * self.world_size + self.rank) * self.batch_size
        locations = order[first : first + self.batch_size].copy()
        params, pixels = self._read(epoch, locations)
        n = self.normalization
        views = augment_views(
            torch.from_numpy(pixels),
            params,
            size=self.size,
            scale=n.scale,
            offset=n.offset,
            mean=n.mean,
            std=n.std,
            threads=self.threads,
        )
        return torch.as_tensor(views), locations

    def _read(self, epoch: int, locations: NDArray[np.int64]) -> tuple[NDArray[np.void], NDArray[Any]]:
        """View parameters ``[N, V]`` and pixels ``[N, T, C, H, W]``; replaces locations that cannot be read, in place."""
        wanted = locations.copy()
        params, rows = self._draw(epoch, locations)
        pixels = self._buffer(rows.shape)
        bad = self._decode(np.arange(len(locations)), rows, pixels)
        for attempt in range(_ATTEMPTS):
            if not len(bad):
                return params, pixels
            for i in bad:
                stand_in = substitute(len(self._usable), seed=self.seed, epoch=epoch, sample=int(wanted[i]), attempt=attempt)
                locations[i] = self._usable[stand_in]
            params[bad], rows[bad] = self._draw(epoch, locations[bad])
            bad = self._decode(bad, rows[bad], pixels)
        raise DataError(
            f"{self.store.path}: expected a readable location in {_ATTEMPTS} draws, got none; "
            f"{len(self.bad_patches)} patches are bad, such as {next(iter(self.bad_patches.values()))}"
        )

    def _draw(self, epoch: int, locations: NDArray[np.int64]) -> tuple[NDArray[np.void], NDArray[np.int64]]:
        """View parameters, their dates counted in the rows of the index ``[N, T]`` that some view shows."""
        of_location = self.store.locations[locations]
        params = sample_view_params(
            self.recipe,
            locations,
            epoch=epoch,
            seed=self.seed,
            height=self.store.patch_size,
            width=self.store.patch_size,
            dates=of_location["num_dates"],
        )
        slots = np.array(self.recipe.dates)
        first_view = [int(np.flatnonzero(slots == slot)[0]) for slot in range(self.recipe.num_dates)]
        rows = of_location["first_row"][:, None] + params["date"][:, first_view]
        params["date"] = slots
        return params, rows

    def _buffer(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """This thread's pixels, the same memory for every batch: fresh pages cost as much as decoding."""
        side = self.store.patch_size
        shape = (*shape, len(self._bands), side, side)
        if getattr(self._buffers, "pixels", None) is None or self._buffers.pixels.shape != shape:
            self._buffers.pixels = np.empty(shape, self.store.dtype)
        pixels: NDArray[Any] = self._buffers.pixels
        return pixels

    def _decode(self, numbers: NDArray[np.int64], rows: NDArray[np.int64], pixels: NDArray[Any]) -> NDArray[np.int64]:
        """Decode ``rows`` ``[n, T]`` to ``pixels[numbers]``; the numbers with a patch that cannot be read."""
        sources: list[Any] = list(self.store.sources_of_rows(rows.ravel()))
        names = [str(source) for source in sources]
        wrong: dict[int, DataError] = {}
        if self.verify:
            for i, row in enumerate(rows.ravel()):
                try:
                    sources[i] = self.store.read_bytes(int(row))
                except StoreError as error:
                    wrong[i] = error
        whole = len(numbers) == len(pixels)
        out = pixels if whole else np.empty((len(numbers), *pixels.shape[1:]), pixels.dtype)
        patches = out.reshape(-1, *out.shape[2:])
        wrong = self.store.decode(sources, bands=self._bands, threads=self.threads, out=patches) | wrong
        if not whole:
            pixels[numbers] = out
        if not wrong:
            return numbers[:0]
        self._judge({names[i]: str(error) for i, error in sorted(wrong.items())})
        return numbers[sorted({i // rows.shape[1] for i in wrong})]

    def _judge(self, bad: dict[str, str]) -> None:
        with self._lock:
            # A new dict in one assignment: the consumer may be looking at the old one.
            self.bad_patches = known = self.bad_patches | bad
        total = len(self.store.times)
        if len(known) > self.max_bad_fraction * total:
            listed = "; ".join(itertools.islice(known.values(), 20))
            more = f"; and {len(known) - 20} more" if len(known) > 20 else ""
            raise DataError(
                f"{self.store.path}: expected at most {self.max_bad_fraction:.3%} of {total} patches to be unreadable, got "
                f"{len(known)}: {listed}{more}; mend them or raise --max-bad-fraction"
            )
