"""From a run to a folder that others can use."""

from collections.abc import Callable, Sequence
from pathlib import Path

from seco.errors import ConfigError
from seco.export.model_card import results_table, write_model_card
from seco.export.onnx import export_onnx
from seco.export.subject import Subject
from seco.export.weights import export_safetensors, export_timm, export_torchgeo, export_torchvision, write_description

FORMATS: dict[str, Callable[[Subject, Path], Path]] = {
    "torchvision": export_torchvision,
    "timm": export_timm,
    "torchgeo": export_torchgeo,
    "safetensors": export_safetensors,
    "onnx": export_onnx,
}


def export(run: str | Path, form: str, folder: Path, *, results: Sequence[Path] = ()) -> Path:
    """Write the encoder of a run in another library's format.

    Args:
        run: Run directory, or a checkpoint file.
        form: Name of the format, of :data:`FORMATS`.
        folder: Folder to write: the weights, ``seco.json`` (bands, normalisation, training, hashes) and ``README.md``.
        results: Files of ``seco evaluate --json`` for the model card.

    Returns:
        File of the weights.

    Raises:
        SecoError: If there is no readable checkpoint or result, the folder is not empty, or the format has no such network.
    """
    if form not in FORMATS:
        raise ConfigError(f"format: expected {', '.join(FORMATS)}, got {form!r}; choose one of them")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: expected a new or empty folder, got one with files; choose another --out")
    subject, table = Subject.of_run(run), results_table(results)
    folder.mkdir(parents=True, exist_ok=True)
    file = FORMATS[form](subject, folder)
    write_description(subject, folder)
    write_model_card(subject, form, folder, table)
    return file
