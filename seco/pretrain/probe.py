"""Measures the momentum encoder while it trains, in a process of its own.

Training does no more for a probe than copy the encoder's weights. A thread writes the copy to a file, and a process of least
priority, on the CPU with few threads, evaluates it as ``seco evaluate`` would. While one probe is at work the next waits; a
newer one takes its place if it still waits then. Training never waits.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from seco.data.normalization import Normalization
from seco.errors import DataError, SecoError, reason_of
from seco.pretrain.checkpoint import save_checkpoint


class Snapshot(NamedTuple):
    """An encoder to measure.

    Attributes:
        step: Optimiser steps that it has seen.
        epoch: Of the last of them, from 0.
        content: Of a checkpoint whose query encoder it is.
    """

    step: int
    epoch: int
    content: dict[str, Any]


class Probe:
    """One protocol on one data set, for one encoder after another.

    Args:
        protocol: ``retrieval`` or ``knn``.
        data: Store or folder of classes.
        folder: For the snapshot that is being measured.
        threads: That the process may use.
    """

    def __init__(self, protocol: str, data: Path, *, folder: Path, threads: int) -> None:
        self._command = [sys.executable, "-m", "seco.pretrain.probe_worker", protocol, str(data.absolute()), str(threads)]
        self._environment = os.environ | {"OMP_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": ""}
        self._file = folder / ".probe.pt"
        self._waiting: queue.Queue[Snapshot | None] = queue.Queue()
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._unanswered = 0
        self._lock, self._closed = threading.Lock(), False  # no process is started once all is over
        self._worker: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None
        self._thread = threading.Thread(target=self._work, name="seco-probe", daemon=True)
        self._thread.start()

    def submit(self, snapshot: Snapshot) -> Snapshot | None:
        """Measure an encoder when its turn comes; the one that waited until now, if any, is given back and left out."""
        try:
            left_out = self._waiting.get_nowait()
        except queue.Empty:
            left_out = None
            self._unanswered += 1
        self._waiting.put(snapshot)
        return left_out

    @property
    def busy(self) -> bool:
        """Whether answers are still to come."""
        return self._unanswered > 0

    def answers(self, timeout_s: float = 0.0) -> list[dict[str, Any]]:
        """What was measured since the last call, or is within that time: lines for ``probe.jsonl``, or with an ``error``."""
        found = []
        try:
            found.append(self._answers.get(timeout=timeout_s) if timeout_s > 0 else self._answers.get_nowait())
            while True:
                found.append(self._answers.get_nowait())
        except queue.Empty:
            self._unanswered -= len(found)
            return found

    def close(self) -> None:
        """End the process, whatever it is doing."""
        with self._lock:
            self._closed = True
            if self._worker is not None:
                self._worker.kill()
        self._waiting.put(None)
        self._thread.join()
        self._stop()
        self._file.unlink(missing_ok=True)

    def _work(self) -> None:
        while (snapshot := self._waiting.get()) is not None:
            if self._closed:
                continue
            line = {"step": snapshot.step, "epoch": snapshot.epoch}
            try:
                save_checkpoint(self._file, snapshot.content)
                answer = self._ask()
            except Exception as error:
                answer = {"error": reason_of(error)}
            self._answers.put(line | answer)

    def _ask(self) -> dict[str, Any]:
        """What the process says of the snapshot in the file."""
        with self._lock:
            if self._worker is None and not self._closed:
                self._start()
        worker, answer = self._worker, ""
        if worker is not None and worker.stdin is not None and worker.stdout is not None:
            with suppress(BrokenPipeError):
                worker.stdin.write(f"{self._file.absolute()}\n")
                worker.stdin.flush()
                answer = worker.stdout.readline()
        return json.loads(answer) if answer else {"error": self._stop()}

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in _stop
        self._worker = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            # Ctrl-C is for training, which ends it in its own time. No session of its own: the scheduler of Linux would
            # give that a share of its own, whatever the priority.
            process_group=0,
        )

    def _stop(self) -> str:
        """Forget the process, so that the next snapshot gets a new one; how it ended."""
        worker, errors, self._worker, self._errors = self._worker, self._errors, None, None
        if worker is None or errors is None:
            return ""
        for pipe in (worker.stdin, worker.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what was written last was not read
                    pipe.close()
        code = worker.wait()
        errors.seek(0)
        last = errors.read().strip().splitlines()[-1:]
        errors.close()
        return f"its process ended with code {code}" + "".join(f": {line}" for line in last)


def check_probe(protocol: str, data: Path, normalization: Normalization) -> None:
    """Fail before training rather than after the first epochs.

    Raises:
        SecoError: If the data cannot be used for that protocol, or lack a band of the encoder.
    """
    from seco.evaluate.datasets import StorePatches, open_images  # which read any raster: training alone needs no rasterio

    images = open_images(data)
    if protocol == "retrieval" and not isinstance(images, StorePatches):
        raise DataError(f"{data}: expected a store to probe retrieval on, got a folder of classes; take --probe knn")
    if missing := [band for band in normalization.bands if band not in images.band_names]:
        raise DataError(
            f"{data}: expected the bands of the encoder to probe, got none named {', '.join(missing)}; "
            "choose another --probe-data"
        )
    if protocol == "knn":
        try:
            _ = images.labels
        except SecoError as error:
            raise DataError(f"{error}; or take --probe retrieval") from error
