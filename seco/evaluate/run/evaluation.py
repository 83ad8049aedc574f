"""What every protocol is told: encoder, data, seeds."""

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seco.device import resolve_device
from seco.errors import ConfigError
from seco.evaluate.datasets import Images
from seco.evaluate.encoders import Subject, from_checkpoint, from_timm, from_torchvision, untrained
from seco.evaluate.features import Features, extract_features
from seco.track import Track, untracked


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What to evaluate, and how; exactly one of checkpoint, timm, torchvision and random is set.

    Attributes:
        data: A patch store, a folder of classes or, for change, of pairs.
        checkpoint: A checkpoint or a run.
        timm: A model of timm, with its pretrained weights.
        torchvision: A residual network of torchvision with its weights, or a file of such.
        random: A model of timm, untrained.
        bands: Bands for ``timm``, ``torchvision`` and ``random``: ``rgb``, ``all`` or a list. A checkpoint brings its own.
        band_names: Names of the bands of a folder's rasters, in their order, with commas; None: what the files say.
        split: Which images train and which test: ``auto``, what is published with the data, else ``hash``; ``spatial``; or
            name, path or folder of lists.
        size: Input of the encoder, pixels; None: what the checkpoint was trained with, what timm declares,
            or for ``random`` the size of the images.
        batch_size: Images encoded at once.
        threads: Threads that decode and resize; None: one a core.
        device: ``auto``, ``cpu`` or ``cuda``.
        seed: The first seed: of an untrained encoder, of what is drawn and of training.
        seeds: How many seeds, counted from ``seed``.
        train_fraction: Share of the training images that is used, drawn by seed.
        bootstrap: Resamples of the test images that an interval is made from; 0: none.
        skip_bad: Leave out images that cannot be read, and say which; else they are an error.
        verify: First compare published archives, and what checksum files name, in or beside the data with their checksums.
        track: How progress is shown.
    """

    data: str | Path
    checkpoint: str | Path | None = None
    timm: str | None = None
    torchvision: str | Path | None = None
    random: str | None = None
    bands: str = "rgb"
    band_names: str | None = None
    split: str = "auto"
    size: int | None = None
    batch_size: int = 256
    threads: int | None = None
    device: str = "auto"
    seed: int = 0
    seeds: int = 1
    train_fraction: float = 1.0
    bootstrap: int = 1000
    skip_bad: bool = False
    verify: bool = False
    track: Track = untracked

    def __post_init__(self) -> None:
        for name, value in self._plain().items():
            object.__setattr__(self, name, value)
        if [self.checkpoint, self.timm, self.torchvision, self.random].count(None) != 3:
            raise ConfigError(
                "encoder: expected one of checkpoint, timm, torchvision and random, got none or several; pass one"
            )
        if not 0 < self.train_fraction <= 1:
            raise ConfigError(f"train_fraction: expected a share above 0 and up to 1, got {self.train_fraction}")
        if self.seeds < 1 or self.bootstrap < 0:
            raise ConfigError(f"seeds, bootstrap: expected at least 1 and 0, got {self.seeds}, {self.bootstrap}")
        if self.seed < 0:
            raise ConfigError(f"seed: expected at least 0, got {self.seed}; choose another")
        if self.size is not None and self.size < 1:
            raise ConfigError(f"size: expected at least 1 px, got {self.size}; leave it out for the encoder's own")
        try:
            torch.device("cpu" if self.device == "auto" else self.device)
        except RuntimeError as error:
            raise ConfigError(f"device: expected auto, cpu or cuda, got {self.device!r}; choose one of them") from error

    def _plain(self) -> dict[str, Any]:
        """Fields as plain values: a result is JSON, which has no numbers of NumPy and no paths."""
        whole = {name: getattr(self, name) for name in ("size", "batch_size", "threads", "seed", "seeds", "bootstrap")}
        return {
            "data": Path(self.data),
            "split": str(self.split),
            "torchvision": None if self.torchvision is None else str(self.torchvision),
            "train_fraction": float(self.train_fraction),
            **{name: None if value is None else operator.index(value) for name, value in whole.items()},
        }

    @property
    def torch_device(self) -> torch.device:
        """Where the work is done."""
        return torch.device(resolve_device(self.device))

    def seeded(self, *of_protocol: str) -> list[str]:
        """What depends on the seed, in words: ``of_protocol``, the untrained encoder, the images drawn."""
        encoder = ["untrained encoder"] if self.random is not None else []
        return [*of_protocol, *encoder, *(["training images drawn"] if self.train_fraction < 1 else [])]

    def subjects(self, images: Images, seeded: list[str]) -> Iterator[tuple[int, Subject]]:
        """Each seed and its encoder; one seed where nothing is left to it.

        An untrained encoder is another one for each seed, any other the same object.
        """
        subject = None
        for seed in range(self.seed, self.seed + (self.seeds if seeded else 1)):
            if subject is None or self.random is not None:
                subject = self._subject(images, seed)
            yield seed, subject

    def encoded(self, images: Images, rows: np.ndarray, seeded: list[str]) -> Iterator[tuple[int, Subject, Features]]:
        """Each seed, its encoder and the features of ``rows``, in one pass over the images for each encoder."""
        encoder, features = None, None
        for seed, subject in self.subjects(images, seeded):
            if features is None or subject is not encoder:
                features = None  # frees those of the encoder before
                found = extract_features(
                    subject.encoder,
                    images,
                    rows=rows,
                    batch_size=self.batch_size,
                    threads=self.threads,
                    device=self.torch_device,
                    track=self.track,
                )
                encoder, features = subject, Features(rows, found)
            yield seed, subject, features

    def _subject(self, images: Images, seed: int) -> Subject:
        if self.checkpoint is not None:
            return from_checkpoint(self.checkpoint, images, size=self.size)
        if self.timm is not None:
            return from_timm(self.timm, images, bands=self.bands, size=self.size)
        if self.torchvision is not None:
            return from_torchvision(str(self.torchvision), images, bands=self.bands, size=self.size)
        return untrained(str(self.random), images, bands=self.bands, size=self.size, seed=seed)
