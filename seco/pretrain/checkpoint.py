"""Checkpoints: written atomically, loadable with ``weights_only=True``, complete enough to go on bit for bit."""

import io
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from seco.data.atomic import write_atomic
from seco.errors import DataError, RunError

FORMAT_VERSION = 1
CHECKPOINTS = "checkpoints"  # their folder in that of a run
LAST, BEST = "last.pt", "best.pt"
# What torch raises for files that it cannot load.
# A file that was cut short makes the reader seek where there is nothing: OSError.
UNLOADABLE = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError, OSError)


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write plain values and tensors; an interrupted write leaves the old file."""
    write_atomic(path, encode_checkpoint(content))


def encode_checkpoint(content: dict[str, Any]) -> bytes:
    """The file of a checkpoint of plain values and tensors."""
    buffer = io.BytesIO()
    torch.save(content | {"format_version": FORMAT_VERSION}, buffer)
    return buffer.getvalue()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Content of a checkpoint file; nothing in it is executed.

    Raises:
        RunError: If there is none, or it is of a newer version.
        DataError: If the file is damaged or no checkpoint of ours.
    """
    if not path.is_file():
        if path.name == LAST and not path.parent.exists():  # as find_checkpoint names it in whatever folder
            run = path.parent.parent
            raise RunError(f"{run}: expected a run, got a folder without checkpoints; give a run directory or its .pt file")
        remedy = _instead_of(path) or "give a run directory or its .pt file"
        raise RunError(f"{path}: expected a checkpoint, got no such file; {remedy}")
    try:
        content = load_inert(path)
    except UNLOADABLE as error:
        remedy = f", or {other}" if (other := _instead_of(path)) else ""
        raise DataError(f"{path}: expected a checkpoint of seco, got a file that {why_unloadable(error)}{remedy}") from error
    if not isinstance(content, dict) or "format_version" not in content:
        raise DataError(
            f"{path}: expected a checkpoint of seco, got another file; seco import-checkpoint makes one of weights"
        )
    if content["format_version"] > FORMAT_VERSION:
        raise RunError(
            f"{path}: written by a newer seco (format {content['format_version']}, this one reads up to "
            f"{FORMAT_VERSION}); update seco"
        )
    return content


def load_inert(path: Path) -> Any:  # noqa: ANN401 - whatever is in the file
    """Content of a file of torch; nothing in it is executed.

    Raises:
        UNLOADABLE: Of several classes, if it does not load.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the protocol of pickle
        return torch.load(path, map_location="cpu", weights_only=True)


def why_unloadable(error: BaseException) -> str:
    """What is wrong with a file, after "a file that": never torch's advice to load it all the same."""
    text = str(error).strip()
    if found := re.search(r"GLOBAL (\S+)", text):
        return f"would run {found[1]}; do not trust it"
    if "weights_only" in text:
        return "does not load: it is none of torch's, or holds more than numbers and text, perhaps code; do not trust it"
    if isinstance(error, PermissionError):
        return "may not be read; change its permissions"
    return "does not load: it is damaged or none of torch's; fetch or write it again"


def _instead_of(path: Path) -> str:
    """What may be done where the last checkpoint is lost."""
    best = path.with_name(BEST)
    return f"copy {best} there to go on from its epoch" if path.name == LAST and best.is_file() else ""


def find_checkpoint(path: str | Path) -> Path:
    """The file itself, or the last checkpoint of a run directory or of the folder of its checkpoints."""
    path = Path(path)
    if not path.is_dir():
        return path
    return path / LAST if (path / LAST).is_file() else path / CHECKPOINTS / LAST
