"""Turns a store into batches of views, ahead of the model, in an order that is a pure function of the seed."""

import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from seco.data.normalization import Normalization
from seco.data.store import Store
from seco.errors import StoreError
from seco.ops.augment import augment_views
from seco.ops.geotiff import Source, decode_geotiff
from seco.ops.random import permutation, sample_view_params
from seco.ops.recipe import ViewRecipe

_AHEAD = 3  # batches in the making besides the one that the model works on


@dataclass(frozen=True, slots=True)
class Batch:
    """Views of one batch of locations.

    Attributes:
        views: ``[V, N, C, size, size]``, normalised, channels last in memory.
        locations: int64 ``[N]``, their numbers in the store.
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

    Attributes:
        excluded: Number of locations left out because they have fewer dates than the recipe needs.
        steps_per_epoch: Whole batches of an epoch; the rest of the shuffle is left out.

    Raises:
        StoreError: If fewer usable locations remain than one batch takes.
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
    ) -> None:
        self.store, self.recipe, self.normalization = store, recipe, normalization
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.threads = threads or os.cpu_count() or 1
        self.rank, self.world_size = rank, world_size
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
            GeoTiffError: If a patch cannot be read; the text names the file.
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
        locations = order[first : first + self.batch_size]
        height = width = self.store.patch_size
        params = sample_view_params(
            self.recipe,
            locations,
            epoch=epoch,
            seed=self.seed,
            height=height,
            width=width,
            dates=self.store.locations["num_dates"][locations],
        )
        files, params["date"] = self._files(locations, params["date"])
        pixels = decode_geotiff(files, bands=self._bands, threads=self.threads)
        n = self.normalization
        views = augment_views(
            torch.from_numpy(pixels.reshape(len(locations), -1, *pixels.shape[1:])),
            params,
            size=self.size,
            scale=n.scale,
            offset=n.offset,
            mean=n.mean,
            std=n.std,
            threads=self.threads,
        )
        return torch.as_tensor(views), locations

    def _files(self, locations: NDArray[np.int64], dates: NDArray[np.int32]) -> tuple[list[Source], NDArray[np.int32]]:
        """Only the files that some view shows, the recipe's number a location, and the views' dates counted in them."""
        slots = np.array(self.recipe.dates)
        first_view = [int(np.flatnonzero(slots == slot)[0]) for slot in range(self.recipe.num_dates)]
        files: list[Source] = []
        for location, drawn in zip(locations, dates[:, first_view], strict=True):
            of_location = self.store.sources(int(location))
            files.extend(of_location[date] for date in drawn)
        return files, np.broadcast_to(slots.astype(np.int32), dates.shape)
