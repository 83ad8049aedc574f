"""Turns a store into batches of views, ahead of the model, in an order that is a pure function of the seed."""

import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from seco import _core
from seco.data.normalization import Normalization, require_bands
from seco.data.store import Store
from seco.device import cores, resolve_device
from seco.errors import ConfigError, DataError, DeviceError, StoreError
from seco.ops.augment import augment_views
from seco.ops.random import permutation, sample_view_params, substitute
from seco.ops.recipe import ViewRecipe, is_rgb
from seco.ops.whole_numbers import as_index, whole_number

_ATTEMPTS = 100  # to find another location in place of one that cannot be read
_LISTED = 3  # bad patches that an error names
_AHEAD = 3  # batches in the making besides the one that the model works on


class MadeBatch(NamedTuple):
    """A batch as a thread leaves it, and when its views are made where a stream of the loader's is still at it."""

    views: torch.Tensor
    locations: NDArray[np.int64]
    ready: torch.cuda.Event | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Views of one batch of locations.

    Attributes:
        views: ``[V, N, C, size, size]``, normalised, channels last in memory, on the loader's device.
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
        table: For each band, what stands for each digital number: ``[C, 2 ** bits]`` of the store's type; None: itself.
        device: Where the views are made. On CUDA, pixels are decoded into pinned memory, copied and augmented on a stream of
            the loader's own, beside the work of the stream that the consumer runs on.
        dtype: Of the views, as in ``augment_views``.

    Attributes:
        band_numbers: Of the normalization's bands in the store.
        bad_patches: What is wrong with the patches that could not be read so far, by name.
        excluded: Number of locations left out because they have fewer dates than the recipe needs.
        steps_per_epoch: Whole batches of an epoch; the rest of the shuffle is left out.

    Raises:
        ConfigError: If a number is out of range, or the table of another shape.
        DeviceError: If the device is CUDA, and there is no GPU or seco was built without it, or neither that nor the CPU.
        StoreError: If fewer usable locations remain than one batch takes, a band is not there, or there are no checksums to
            verify.
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
        table: NDArray[np.generic] | None = None,
        device: torch.device | str = "cpu",
        dtype: str = "float32",
    ) -> None:
        self.store, self.recipe, self.normalization = store, recipe, normalization
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.threads = cores() if threads is None else threads
        self.rank, self.world_size = rank, world_size
        self._check_numbers()
        require_bands(normalization.bands, store.band_names, origin=str(store.path))
        self.max_bad_fraction, self.verify, self.table = max_bad_fraction, verify, table
        self._check_table()
        self.device, self.dtype = torch.device(device), dtype
        if self.device.type not in {"cpu", "cuda"}:
            raise DeviceError(
                f"device: expected cpu or cuda, got {device}; views are made there, then copied where you like"
            )
        if self.device.type == "cuda" and not _core.built_with_cuda:
            raise DeviceError(
                "device: expected seco built with CUDA to make views on a GPU, got one without; build it where nvcc is, or "
                "choose --device cpu"
            )
        resolve_device(self.device.type)
        self._stream = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self.bad_patches: dict[str, str] = {}
        self._lock, self._buffers = threading.Lock(), threading.local()
        self._pool_of: tuple[int, ThreadPoolExecutor] | None = None
        if verify:
            store.require_checksums()
        needed = recipe.num_dates if recipe.distinct_dates else 1
        self._usable = np.flatnonzero(store.locations["num_dates"] >= needed)
        self.band_numbers = [store.band_names.index(band) for band in normalization.bands]
        self.excluded = len(store) - len(self._usable)
        self.steps_per_epoch = len(self._usable) // (batch_size * world_size)
        if self.steps_per_epoch < 1:
            remedy = "choose a smaller --batch-size or collect more"
            if needed > 1 and len(self._usable) < len(store):
                remedy += ", or a --method that takes fewer dates, such as moco_tp"
            raise StoreError(
                f"{store.path}: expected at least {batch_size * world_size} locations with {needed} dates or more (one "
                f"batch), got {len(self._usable)} of {len(store)}; {remedy}"
            )

    def _check_numbers(self) -> None:
        for name in ("size", "batch_size", "threads", "world_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: expected at least 1, got {getattr(self, name)}; raise it")
        if not 0 <= self.rank < self.world_size:
            raise ConfigError(f"rank: expected 0 … {self.world_size - 1}, got {self.rank}; count from 0")
        seed = as_index(self.seed)
        if seed is None or not 0 <= seed < 1 << 64:
            raise ConfigError(f"seed: expected a whole number, 0 … 2**64 - 1, got {self.seed!r}; choose another")

    def _check_table(self) -> None:
        expected = (len(self.normalization.bands), np.iinfo(self.store.dtype).max + 1)
        if self.table is not None and np.shape(self.table) != expected:
            raise ConfigError(
                f"table: expected {list(expected)}, a row a band, got {list(np.shape(self.table))}; give all digital numbers"
            )

    @property
    def _pool(self) -> ThreadPoolExecutor:
        """One for all epochs: what its threads keep in memory is kept once. A forked process has none of their threads."""
        if self._pool_of is None or self._pool_of[0] != os.getpid():
            pool = ThreadPoolExecutor(
                min(_AHEAD, self.threads),
                thread_name_prefix="seco-loader",
                # Else all threads wake the first GPU.
                initializer=None if self._stream is None else partial(torch.cuda.set_device, self._stream.device),
            )
            self._pool_of = os.getpid(), pool
        return self._pool_of[1]

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """Batches of one epoch from step ``start_step`` on, in order, made ahead by threads.

        Raises:
            DataError: If more patches than ``max_bad_fraction`` cannot be read; the text names them.
            ArrayError: If ``epoch`` or ``start_step`` is out of range.
        """
        order, start_step = self.order(epoch), checked_step(start_step)
        pending: deque[Future[MadeBatch]] = deque()
        handed_over: deque[tuple[torch.cuda.Event, torch.Tensor]] = deque()
        try:
            for step in range(start_step, self.steps_per_epoch):
                while len(pending) < _AHEAD and step + len(pending) < self.steps_per_epoch:
                    pending.append(self._pool.submit(self._make, epoch, order, step + len(pending)))
                start = time.perf_counter()
                made = pending.popleft().result()
                waited = time.perf_counter() - start
                if self._stream is not None:
                    self._hand_over(made, handed_over)
                yield Batch(made.views, made.locations, waited)
        finally:
            for future in pending:
                future.cancel()
            wait(pending)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Numbers of the usable locations, int64 ``[locations]``, as an epoch shows them to all ranks.

        Raises:
            ArrayError: If ``epoch`` is none of 0 … 2³² - 1.
        """
        epoch = whole_number("epoch", epoch, bits=32, remedy="count passes from 0")
        return self._usable[permutation(len(self._usable), seed=self.seed, epoch=epoch)]

    def locations_of(self, order: NDArray[np.int64], step: int) -> NDArray[np.int64]:
        """This rank's locations of a step, int64 ``[N]``."""
        first = (step * self.world_size + self.rank) * self.batch_size
        return order[first : first + self.batch_size].copy()

    def _make(self, epoch: int, order: NDArray[np.int64], step: int) -> MadeBatch:
        locations = self.locations_of(order, step)
        params, pixels = self._read(epoch, locations)
        if self._stream is None:
            return MadeBatch(self._augment(pixels, params), locations, None)
        with torch.cuda.stream(self._stream):
            views = self._augment(pixels.to(self.device, non_blocking=True), params)
            return MadeBatch(views, locations, self._stream.record_event())

    def _augment(self, pixels: torch.Tensor, params: NDArray[np.void]) -> torch.Tensor:
        n = self.normalization
        settings = {"scale": n.scale, "offset": n.offset, "mean": n.mean, "std": n.std, "rgb": is_rgb(n.bands)}
        views = augment_views(pixels, params, size=self.size, dtype=self.dtype, threads=self.threads, **settings)  # type: ignore[arg-type]
        return torch.as_tensor(views)

    def _hand_over(self, made: MadeBatch, handed_over: deque[tuple[torch.cuda.Event, torch.Tensor]]) -> None:
        """Let the consumer's stream, which nobody waits for, go on when the views are made.

        The host may run ahead of the GPU by few batches only, for each takes memory there: ``handed_over`` holds their
        views, and when all views before them are consumed.
        """
        current = torch.cuda.current_stream(self.device)
        done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        done.record(current)
        handed_over.append((done, made.views))
        if len(handed_over) > _AHEAD:
            handed_over[1][0].synchronize()
            handed_over.popleft()
        if made.ready is not None:
            current.wait_event(made.ready)
            made.views.record_stream(current)

    def _read(self, epoch: int, locations: NDArray[np.int64]) -> tuple[NDArray[np.void], torch.Tensor]:
        """View parameters ``[N, V]`` and pixels ``[N, T, C, H, W]``; replaces locations that cannot be read, in place."""
        wanted = locations.copy()
        params, rows = self.draw(epoch, locations)
        tensor = self._buffer(rows.shape)
        pixels = tensor.numpy()
        bad = self._decode(np.arange(len(locations)), rows, pixels)
        for attempt in range(_ATTEMPTS):
            if not len(bad):
                if self.table is not None:
                    for band, numbers in enumerate(self.table):
                        pixels[:, :, band] = numbers[pixels[:, :, band]]
                return params, tensor
            for i in bad:
                stand_in = substitute(len(self._usable), seed=self.seed, epoch=epoch, sample=int(wanted[i]), attempt=attempt)
                locations[i] = self._usable[stand_in]
            params[bad], rows[bad] = self.draw(epoch, locations[bad])
            bad = self._decode(bad, rows[bad], pixels)
        raise DataError(
            f"{self.store.path}: expected a readable location in {_ATTEMPTS} draws, got none; "
            f"{len(self.bad_patches)} patches are bad, such as {next(iter(self.bad_patches.values()))}"
        )

    def draw(self, epoch: int, locations: NDArray[np.int64]) -> tuple[NDArray[np.void], NDArray[np.int64]]:
        """What an epoch shows of some locations, int64 ``[N]``, if all their patches can be read.

        Returns:
            View parameters ``[N, V]``, their ``date`` counted in the second: the rows of the index, int64 ``[N, T]``, that
            some view shows.
        """
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

    def _buffer(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Room for pixels: fresh pages cost as much as decoding, so the memory is used again."""
        side = self.store.patch_size
        shape = (*shape, len(self.band_numbers), side, side)
        dtype = getattr(torch, np.dtype(self.store.dtype).name)
        if self._stream is not None:  # from torch's cache of pinned memory, which waits until a copy is done
            return torch.empty(shape, dtype=dtype, pin_memory=True)
        # This thread's own: its views are made before it reads again.
        if getattr(self._buffers, "pixels", None) is None or self._buffers.pixels.shape != shape:
            self._buffers.pixels = torch.empty(shape, dtype=dtype)
        return self._buffers.pixels

    def _decode(self, numbers: NDArray[np.int64], rows: NDArray[np.int64], pixels: NDArray[Any]) -> NDArray[np.int64]:
        """Decode ``rows`` ``[n, T]`` to ``pixels[numbers]``; the numbers with a patch that cannot be read."""
        sources = self.store.sources_of_rows(rows.ravel())
        encoded: list[Any] = list(sources)
        wrong: dict[int, DataError] = {}
        if self.verify:
            for i, row in enumerate(rows.ravel()):
                try:
                    encoded[i] = self.store.read_bytes(int(row))
                except DataError as error:
                    wrong[i] = error
        whole = len(numbers) == len(pixels)
        out = pixels if whole else np.empty((len(numbers), *pixels.shape[1:]), pixels.dtype)
        patches = out.reshape(-1, *out.shape[2:])
        wrong = self.store.decode(encoded, bands=self.band_numbers, threads=self.threads, out=patches) | wrong
        if not whole:
            pixels[numbers] = out
        if not wrong:
            return numbers[:0]
        self.note_bad({str(sources[i]): str(error) for i, error in sorted(wrong.items())})
        return numbers[sorted({i // rows.shape[1] for i in wrong})]

    def note_bad(self, bad: dict[str, str]) -> None:
        """Add to :attr:`bad_patches`, what other ranks have found, too.

        Raises:
            DataError: If they are more than ``max_bad_fraction`` now.
        """
        with self._lock:
            # A new dict in one assignment: the consumer may be looking at the old one.
            self.bad_patches = known = self.bad_patches | bad
        total = len(self.store.times)
        if len(known) > self.max_bad_fraction * total:
            listed = "; ".join(itertools.islice(known.values(), _LISTED))
            more = f"; and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
            raise DataError(
                f"{self.store.path}: expected at most {self.max_bad_fraction:.3%} of {total} patches to be unreadable, got "
                f"{len(known)}: {listed}{more}; mend them or raise --max-bad-fraction"
            )


def checked_step(step: int) -> int:
    """Raise ArrayError if ``step`` is no number of a step."""
    return whole_number("start_step", step, bits=63, remedy="count from 0")


def loader_class(name: str) -> type[Loader]:
    """The ``native`` loader, or that of ``dali``.

    Raises:
        ConfigError: If it is neither, or DALI is missing.
    """
    if name == "native":
        return Loader
    if name != "dali":
        raise ConfigError(f"loader: expected native or dali, got {name!r}")
    from seco.data.dali_loader import DaliLoader

    return DaliLoader
