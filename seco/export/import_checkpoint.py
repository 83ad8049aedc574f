"""Somebody else's checkpoint becomes a run directory that evaluation, embedding and export take."""

import hashlib
import json
from pathlib import Path

from seco.errors import RunError
from seco.export.folder import write_folder
from seco.export.foreign import ForeignEncoder, read_foreign
from seco.pretrain.checkpoint import CHECKPOINTS, ENCODER, LAST, encode_checkpoint
from seco.pretrain.encoder import build_backbone
from seco.pretrain.run_directory import CONFIG_FILE


def import_checkpoint(file: Path, out: Path, *, bands: tuple[str, ...] | None = None, size: int = 224) -> ForeignEncoder:
    """Write a run directory with the encoder of a foreign checkpoint.

    Args:
        file: Lightning checkpoint of the 2021 release, weights of torchgeo, or a MoCo of SSL4EO-S12.
        out: Run directory; new or empty.
        bands: Names of the input's bands, in order; None: as its number of channels says.
        size: Input of the encoder, pixels.

    Returns:
        What was read.

    Raises:
        SecoError: If the file is none of these, holds code, or the directory is in use or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out}: expected a new or empty directory, got one in use; choose another --out")
    found = read_foreign(file, bands=bands)
    backbone = build_backbone(found.name, len(found.normalization.bands))
    backbone.load_state_dict(found.weights, strict=False)  # all but counters of batches, which were checked by name
    settings = {
        "data": "",
        "method": "imported",
        "backbone": found.name,
        "size": size,
        "imported": file.name,
        "imported_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    content = {
        "config": settings,
        "normalization": found.normalization.to_dict(),
        "model": {f"{ENCODER}{name}": value for name, value in backbone.state_dict().items()},
        "step": 0,
    }
    config = (json.dumps(settings, indent=1) + "\n").encode()
    write_folder(out, {f"{CHECKPOINTS}/{LAST}": encode_checkpoint(content), CONFIG_FILE: config})
    return found
