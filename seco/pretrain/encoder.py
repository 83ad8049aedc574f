"""Pretrained encoders: a backbone and all that its input needs, from a run or a checkpoint."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from seco.data.normalization import Normalization
from seco.errors import DataError
from seco.pretrain.backbone import build_backbone
from seco.pretrain.checkpoint import find_checkpoint, read_checkpoint

ENCODER = "query.backbone."  # before the names of an encoder's weights in a checkpoint


@dataclass(frozen=True)
class Encoder:
    """A pretrained backbone and all that its input needs.

    Attributes:
        backbone: ``[N, C, size, size]`` → ``[N, d]``, in eval mode.
        normalization: Bands, their order and scaling.
        size: Height and width that it was trained at, pixels.
        name: timm model name.
        step: Optimiser steps of seco that it was trained for; 0 for the weights of others.
    """

    backbone: nn.Module
    normalization: Normalization
    size: int
    name: str
    step: int = 0


def load_encoder(path: str | Path) -> Encoder:
    """The query encoder of a run or checkpoint file.

    Raises:
        RunError: If there is no checkpoint there.
        DataError: If it does not load.
    """
    file = find_checkpoint(path)
    content = read_checkpoint(file)
    normalization = Normalization.from_dict(content["normalization"])
    name = content["config"]["backbone"]
    backbone = build_backbone(name, len(normalization.bands))
    weights = {k.removeprefix(ENCODER): v for k, v in content["model"].items() if k.startswith(ENCODER)}
    try:
        backbone.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(f"{file}: expected weights of {name}, got others; was timm changed since?") from error
    return Encoder(backbone.eval(), normalization, content["config"]["size"], name, int(content.get("step", 0)))


def weights_fingerprint(backbone: nn.Module) -> str:
    """SHA-256, hexadecimal, of all names, shapes and numbers of a network: one for equal weights in any file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(backbone.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {tuple(values.shape)} {values.dtype}\0".encode())
        digest.update(values.flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
