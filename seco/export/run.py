"""From a run to a folder that others can use."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from seco.data.atomic import is_in_use
from seco.errors import ConfigError
from seco.export.folder import DESCRIPTION, write_folder
from seco.export.model_card import make_model_card, results_table
from seco.export.onnx import export_onnx
from seco.export.subject import Subject
from seco.export.weights import export_safetensors, export_timm, export_torchgeo, export_torchvision

# The files of each, that of the weights first.
FORMATS: dict[str, Callable[[Subject], dict[str, bytes]]] = {
    "torchvision": export_torchvision,
    "timm": export_timm,
    "torchgeo": export_torchgeo,
    "safetensors": export_safetensors,
    "onnx": export_onnx,
}


def export(run: str | Path, form: str, folder: str | Path, *, results: Sequence[str | Path] = ()) -> Path:
    """Write the encoder of a run in another library's format.

    Args:
        run: Run directory, or a checkpoint file.
        form: Name of the format, of :data:`FORMATS`.
        folder: Folder to write: the weights, ``seco.json`` (bands, normalisation, training, hashes) and ``README.md``.
        results: Files of ``seco evaluate --json`` for the model card, of these weights.

    Returns:
        File of the weights.

    Raises:
        SecoError: If there is no readable checkpoint or result, a result is of other weights, the folder is not empty or
            cannot be written, or the format has no such network. Nothing is written then.
    """
    if form not in FORMATS:
        raise ConfigError(f"format: expected {', '.join(FORMATS)}, got {form!r}; choose one of them")
    folder = Path(folder)
    if is_in_use(folder):
        raise ConfigError(f"{folder}: expected a new or empty folder, got one with files; choose another --out")
    subject = Subject.of_run(run)
    card = make_model_card(subject, form, results_table(results, subject.weights_sha256))
    contents = FORMATS[form](subject)
    description = json.dumps(subject.describe(), indent=1) + "\n"
    write_folder(folder, contents | {DESCRIPTION: description.encode(), "README.md": card.encode()})
    return folder / next(iter(contents))
