"""README.md beside exported weights: what they are, how to load them, what they were trained on, how good they are."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seco.data.store import open_store
from seco.errors import DataError, SecoError, reason_of
from seco.evaluate.protocol_name import protocol_name
from seco.export.subject import Subject

LOADING = {
    "torchvision": """\
import torchvision

model = torchvision.models.{name}()
model.fc = torch.nn.Identity()
{first_layer}model.load_state_dict(torch.load("weights.pth", weights_only=True), strict=True)""",
    "torchgeo": """\
import torchgeo.models

model = torchgeo.models.{name}(in_chans={bands}, num_classes=0)
model.load_state_dict(torch.load("weights.pth", weights_only=True), strict=True)""",
    "timm": """\
import timm

model = timm.create_model("local-dir:.", pretrained=True)  # this folder; timm 1.0.26 or newer""",
    "safetensors": """\
import safetensors.torch, timm

model = timm.create_model("{name}", in_chans={bands}, num_classes=0)
model.load_state_dict(safetensors.torch.load_file("model.safetensors"), strict=True)""",
    "onnx": """\
import numpy, onnxruntime

pixels = numpy.ones((1, {bands}, {size}, {size}), "float32")  # yours: digital numbers, not normalised
session = onnxruntime.InferenceSession("model.onnx")
(features,) = session.run(None, {{"digital_numbers": pixels}})""",
}
NORMALISING = """\
import json, pathlib, torch
{loading}

n = json.loads(pathlib.Path("seco.json").read_text())["normalization"]
scale, offset, mean, std = (torch.tensor(n[name])[:, None, None] for name in ("scale", "offset", "mean", "std"))
pixels = torch.ones(1, {bands}, {size}, {size})  # yours: digital numbers
x = (pixels * scale + offset).clip(0, 1)
features = model.eval()((x - mean) / std)"""


def make_model_card(subject: Subject, form: str, results: str) -> str:
    """Text of ``README.md``.

    Args:
        subject: What was exported.
        form: Name of the format.
        results: Of :func:`results_table`.
    """
    encoder, settings = subject.encoder, subject.settings
    sections = [
        f"# {encoder.name}, {settings['method']}, {', '.join(encoder.normalization.bands)}",
        f"A {encoder.name} {_origin(settings)}.",
        "## Input\n\n" + _input(subject),
        "## Loading\n\nIn this folder:\n\n```python\n" + _loading(subject, form) + "\n```",
        "## Training\n\n" + _training(subject),
        "## Results\n\n" + results,
        f"SHA-256 of the weights (names, shapes and numbers): `{subject.weights_sha256}`",
    ]
    return "\n\n".join(sections) + "\n"


def _origin(settings: dict[str, Any]) -> str:
    if "imported" in settings:
        return f"imported from `{settings['imported']}` (SHA-256 {settings['imported_sha256']})"
    return "pretrained by seco without labels (Seasonal Contrast, Mañas et al., ICCV 2021)"


def _input(subject: Subject) -> str:
    n = subject.encoder.normalization
    rows = [
        f"| {band} | {scale:.6g} | {offset:.6g} | {mean:.6g} | {std:.6g} |"
        for band, scale, offset, mean, std in zip(n.bands, n.scale, n.offset, n.mean, n.std, strict=True)
    ]
    size = subject.encoder.size
    return (
        f"Bands in this order, trained at {size} × {size} px. From digital numbers of the training data:\n"
        "`x = clamp(dn * scale + offset, 0, 1)`, then `(x - mean) / std`.\n\n"
        "| band | scale | offset | mean | std |\n|---|---|---|---|---|\n" + "\n".join(rows)
    )


def _loading(subject: Subject, form: str) -> str:
    bands, size = len(subject.encoder.normalization.bands), subject.encoder.size
    first = "" if bands == 3 else f"model.conv1 = torch.nn.Conv2d({bands}, 64, 7, stride=2, padding=3, bias=False)\n"
    text = LOADING[form].format(name=subject.encoder.name, bands=bands, size=size, first_layer=first)
    return text if form == "onnx" else NORMALISING.format(loading=text, bands=bands, size=size)


def _training(subject: Subject) -> str:
    shown = {k: v for k, v in subject.settings.items() if k not in {"data", "threads", "log_every", "save_every", "device"}}
    rows = [f"| {name} | {value} |" for name, value in shown.items()]
    return f"{_data(subject)}\n\n{subject.encoder.step:,} steps.\n\n| setting | |\n|---|---|\n" + "\n".join(rows)


def _data(subject: Subject) -> str:
    """What the store says of itself, if it is where it was."""
    if "imported" in subject.settings:
        return "Data: not known here."
    path = subject.settings["data"]
    try:
        store = open_store(path)
    except SecoError:
        return f"Data: a store named `{Path(path).name}`."  # where it was is nobody's business
    said = store.description
    return (
        f"Data: {said.sensor} {said.product_level}, {len(store):,} locations, {len(store.times):,} patches of "
        f"{said.patch_size} × {said.patch_size} px at {said.resolution_m:g} m; {said.source}; licence: {said.licence}. "
        f"Reflectance = {said.reflectance}."
    )


def results_table(files: Sequence[str | Path], weights_sha256: str) -> str:
    """Metrics of files of ``seco evaluate --json`` as Markdown.

    Args:
        files: The results.
        weights_sha256: Of the weights that they have to be of; where the encoder was trained on, that it began with.

    Raises:
        DataError: If one cannot be read, or is of other weights.
    """
    if not files:
        return "None were given (`seco export --metrics RESULT.json`)."
    rows = [row for file in files for row in _result(Path(file), weights_sha256)]
    return "| protocol | data | metric | | untrained |\n|---|---|---|---|---|\n" + "\n".join(rows)


def _result(file: Path, weights_sha256: str) -> list[str]:
    try:
        result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        data = Path(result["data"]["path"]).name
        size = result.get("encoder", {}).get("size")
        protocol = protocol_name(result) + (f" at {size} px" if size else "")
        untrained = result.get("untrained", {}).get("metrics", {})
        rows = [
            f"| {protocol} | {data} | {name} | {value:.4f} | {f'{untrained[name]:.4f}' if name in untrained else ''} |"
            for name, value in result["metrics"].items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file}: expected a result of `seco evaluate --json`, got another file: {reason_of(error)}"
        ) from error
    _check_weights(file, result.get("encoder"), weights_sha256)
    return rows


def _check_weights(file: Path, encoder: Any, expected: str) -> None:  # noqa: ANN401 - whatever is in the file
    """Compare the weights that a result is of with those that are exported."""
    encoder = encoder if isinstance(encoder, dict) else {}
    found = encoder.get("weights_sha256")
    if found == expected:
        return
    whose = f"one of {encoder.get('kind')} {encoder.get('name')}, SHA-256 {str(found)[:12]}…"
    raise DataError(
        f"{file}: expected a result of the exported weights, SHA-256 {expected[:12]}…, got "
        f"{whose if found else 'one that does not say of which (encoder.weights_sha256)'}; evaluate this checkpoint and "
        "give that result"
    )
