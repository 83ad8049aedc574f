"""Somebody else's checkpoint becomes a run directory that evaluation, embedding and export take."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from torch import nn

from seco.data.atomic import is_in_use
from seco.data.normalization import Normalization
from seco.errors import ConfigError, RunError
from seco.export.folder import DESCRIPTION, write_folder
from seco.pretrain.backbone import build_backbone
from seco.pretrain.checkpoint import CHECKPOINTS, LAST, encode_checkpoint
from seco.pretrain.encoder import ENCODER, weights_fingerprint
from seco.pretrain.foreign import ForeignEncoder, read_foreign
from seco.pretrain.run_directory import CONFIG_FILE


def import_checkpoint(
    file: str | Path, out: str | Path, *, bands: Sequence[str] | None = None, size: int | None = None
) -> ForeignEncoder:
    """Write a run directory with the encoder of a foreign checkpoint.

    Args:
        file: Lightning checkpoint of the 2021 release, weights of torchgeo, a MoCo of SSL4EO-S12; or ours as ``seco export``
            wrote them, beside whose ``seco.json`` says how they are fed.
        out: Run directory; new or empty.
        bands: Names of the input's bands, in order; None: as ``seco.json`` says, or the number of channels.
        size: Input of the encoder, pixels; None: as ``seco.json`` says, or 224.

    Returns:
        What was read.

    Raises:
        SecoError: If the file is none of these, holds code, or the directory is in use or cannot be written.
    """
    file, out = Path(file), Path(out)
    if is_in_use(out):
        raise RunError(f"{out}: expected a new or empty directory, got one in use; choose another --out")
    asked = None if bands is None else tuple(bands)
    found = read_foreign(file, bands=asked)
    backbone = build_backbone(found.name, len(found.normalization.bands))
    backbone.load_state_dict(found.weights, strict=False)  # all but counters of batches, which were checked by name
    found = _as_described(file, found, backbone)
    if asked is not None and asked != found.normalization.bands:
        raise ConfigError(
            f"bands: expected {','.join(found.normalization.bands)} as {DESCRIPTION} beside {file} says, got "
            f"{','.join(asked)}; leave --bands out"
        )
    found = replace(found, size=int(size or found.size))
    settings = {
        "data": "",
        "method": "imported",
        "backbone": found.name,
        "size": found.size,
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


def _as_described(file: Path, found: ForeignEncoder, backbone: nn.Module) -> ForeignEncoder:
    """With the normalisation, and the input's size, of the ``seco.json`` beside the file, if that is of these weights."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        said = json.loads(file.with_name(DESCRIPTION).read_text(encoding="utf-8"))
        normalization, size = Normalization.from_dict(said["normalization"]), int(said["size"])
        if said["weights_sha256"] == weights_fingerprint(backbone):
            return replace(found, normalization=normalization, size=size, source=f"as {DESCRIPTION} beside it says")
    return found
