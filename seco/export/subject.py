"""What is exported: an encoder, and all that is known of how it came about."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seco.pretrain.checkpoint import find_checkpoint, read_checkpoint
from seco.pretrain.encoder import Encoder, load_encoder, weights_fingerprint


@dataclass(frozen=True)
class Subject:
    """An encoder to export.

    Attributes:
        encoder: Backbone, normalisation and input size.
        settings: Of the training.
        checkpoint_sha256: Of the file it comes from, hexadecimal.
    """

    encoder: Encoder
    settings: dict[str, Any]
    checkpoint_sha256: str

    @classmethod
    def of_run(cls, path: str | Path) -> "Subject":
        """The encoder of a run's last checkpoint, or of a checkpoint file.

        Raises:
            RunError: If there is no checkpoint.
            DataError: If it does not load.
        """
        file = find_checkpoint(path)
        content = read_checkpoint(file)
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        return cls(load_encoder(file), dict(content["config"]), sha256)

    @cached_property
    def weights_sha256(self) -> str:
        """Of the backbone's names, shapes and numbers, hexadecimal: the one in results of ``seco evaluate``."""
        return weights_fingerprint(self.encoder.backbone)

    def describe(self) -> dict[str, Any]:
        """Plain values: what a user of the weights has to know."""
        from seco import __version__

        return {
            "backbone": self.encoder.name,
            "input": f"[N, {len(self.encoder.normalization.bands)}, {self.encoder.size}, {self.encoder.size}] float32",
            "formula": "x = clamp(dn * scale + offset, 0, 1); input = (x - mean) / std; band by band",
            "size": self.encoder.size,
            "normalization": self.encoder.normalization.to_dict(),
            "weights_sha256": self.weights_sha256,
            "checkpoint_sha256": self.checkpoint_sha256,
            "training": self.settings | {"steps": self.encoder.step},
            "seco_version": __version__,
        }

    def describe_in_words(self) -> dict[str, str]:
        """The same for formats whose metadata are strings: JSON where a value is none."""
        return {f"seco.{k}": v if isinstance(v, str) else json.dumps(v) for k, v in self.describe().items()}

    def probe(self) -> torch.Tensor:
        """Two inputs that an exported encoder has to agree on, ``[2, C, size, size]``: noise of the range of pixels."""
        normalization = self.encoder.normalization
        unit = np.random.default_rng(0).random((2, len(normalization.bands), self.encoder.size, self.encoder.size))
        mean, std = (np.array(values)[:, None, None] for values in (normalization.mean, normalization.std))
        return torch.from_numpy(((unit - mean) / std).astype(np.float32))

    def features(self, batch: torch.Tensor) -> torch.Tensor:
        """Features of normalised input, ``[N, d]``."""
        with torch.inference_mode():
            found: torch.Tensor = self.encoder.backbone(batch)
        return found
