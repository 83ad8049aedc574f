"""Checkpoints: written atomically, loadable with ``weights_only=True``, complete enough to go on bit for bit."""

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seco.data.atomic import write_atomic
from seco.data.normalization import Normalization
from seco.errors import DataError, RunError

from .encoder import build_backbone

FORMAT_VERSION = 1
LAST, BEST = "last.pt", "best.pt"
ENCODER = "query.backbone."  # before the names of an encoder's weights


@dataclass(frozen=True)
class Encoder:
    """A pretrained backbone and all that its input needs.

    Attributes:
        backbone: ``[N, C, size, size]`` → ``[N, d]``, in eval mode.
        normalization: Bands, their order and scaling.
        size: Height and width that it was trained at, pixels.
        name: timm model name.
    """

    backbone: nn.Module
    normalization: Normalization
    size: int
    name: str


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write plain values and tensors; an interrupted write leaves the old file."""
    buffer = io.BytesIO()
    torch.save(content | {"format_version": FORMAT_VERSION}, buffer)
    write_atomic(path, buffer.getvalue())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Content of a checkpoint file; nothing in it is executed.

    Raises:
        RunError: If there is none, or it is of a newer version.
        DataError: If the file is damaged or no checkpoint of ours.
    """
    if not path.is_file():
        raise RunError(f"{path}: expected a checkpoint, got no such file; give a run directory or its .pt file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: expected a checkpoint of seco, got a file that does not load: {reason}") from error
    if not isinstance(content, dict) or "format_version" not in content:
        raise DataError(f"{path}: expected a checkpoint of seco, got another file")
    if content["format_version"] > FORMAT_VERSION:
        raise RunError(
            f"{path}: written by a newer seco (format {content['format_version']}, this one reads up to "
            f"{FORMAT_VERSION}); update seco"
        )
    return content


def find_checkpoint(path: str | Path) -> Path:
    """The file itself, or the last checkpoint of a run directory."""
    path = Path(path)
    return path / "checkpoints" / LAST if path.is_dir() else path


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
    return Encoder(backbone.eval(), normalization, content["config"]["size"], name)
