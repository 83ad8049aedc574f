"""Weights that stock torchvision, timm and torchgeo load with ``strict=True``, and safetensors for anyone."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from seco.errors import ConfigError, DataError, reason_of
from seco.export.subject import Subject
from seco.pretrain.backbone import count_features
from seco.pretrain.encoder import Encoder

# torchgeo's residual networks are timm's, of these names; torchvision's have timm's names of weights.
_TORCHGEO = ("resnet18", "resnet50", "resnet152")
TOLERANCE = 1e-5  # of features, relative to the greatest


def export_torchvision(subject: Subject) -> dict[str, bytes]:
    """``weights.pth`` for the model of the same name, whose ``fc`` is set to ``nn.Identity()``.

    Raises:
        ConfigError: If torchvision has no such model, or one with other weights.
    """
    import torchvision

    name, bands = subject.encoder.name, len(subject.encoder.normalization.bands)
    if name not in torchvision.models.list_models():
        raise _no_such_model("torchvision", name)
    model = torchvision.models.get_model(name, weights=None)
    if not hasattr(model, "fc") or not hasattr(model, "conv1"):
        raise _no_such_model("torchvision", name)
    model.fc = nn.Identity()
    if bands != 3:
        first = model.conv1
        shape = {"kernel_size": first.kernel_size, "stride": first.stride, "padding": first.padding}
        model.conv1 = nn.Conv2d(bands, first.out_channels, bias=False, **shape)
    return _save(subject, model, f"torchvision's {name}")


def export_torchgeo(subject: Subject) -> dict[str, bytes]:
    """``weights.pth`` for ``torchgeo.models.NAME(in_chans=…, num_classes=0)``.

    Raises:
        ConfigError: If torchgeo has no such model.
    """
    import timm

    name = subject.encoder.name
    if name not in _TORCHGEO:
        raise _no_such_model("torchgeo", name)
    model = timm.create_model(name, in_chans=len(subject.encoder.normalization.bands), num_classes=0)
    return _save(subject, model, f"torchgeo's {name}")


def export_timm(subject: Subject) -> dict[str, bytes]:
    """A folder for ``timm.create_model("local-dir:FOLDER", pretrained=True)``: ``model.safetensors`` and ``config.json``.

    Raises:
        ConfigError: If safetensors cannot hold the weights, or timm does not make the network again.
    """
    import safetensors.torch
    import timm

    config = json.dumps(_timm_config(subject.encoder), indent=2).encode()
    contents = {"model.safetensors": _safetensors(subject.encoder.backbone), "config.json": config}
    weights = {"source": "", "state_dict": safetensors.torch.load(contents["model.safetensors"])}  # no second file
    with TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_bytes(config)
        try:
            model = timm.create_model(f"local-dir:{folder}", pretrained=True, pretrained_cfg_overlay=weights)
        except RuntimeError as error:
            raise _unlike("timm's model of that name", error, instead="safetensors") from error
    _compare(subject, model, "timm")
    return contents


def _timm_config(encoder: Encoder) -> dict[str, Any]:
    """What timm reads to make a network again and to load its weights."""
    normalization = encoder.normalization
    bands = len(normalization.bands)
    arguments: dict[str, Any] = {"in_chans": bands, "num_classes": 0}
    made_for: Any = encoder.backbone.pretrained_cfg
    if made_for.get("fixed_input_size"):  # as its positions are embedded
        arguments["img_size"] = made_for["input_size"][-2:]
    return {
        "architecture": encoder.name,
        "num_classes": 0,
        "num_features": count_features(encoder.backbone),
        "model_args": arguments,
        # timm's mean and std are of pictures in [0, 1]: here, of the numbers after scale and offset, which seco.json has.
        # No first_conv: timm before 1.0.31 takes what it names for weights of three bands, and else draws them at random.
        "pretrained_cfg": {
            "tag": "seco",
            "num_classes": 0,
            "input_size": (bands, encoder.size, encoder.size),
            "mean": normalization.mean,
            "std": normalization.std,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "license": "other",
            "paper_ids": "arXiv:2103.16607",
        },
    }


def export_safetensors(subject: Subject) -> dict[str, bytes]:
    """``model.safetensors``: the backbone's weights by their names in timm, and in its metadata all of ``seco.json``.

    Raises:
        ConfigError: If safetensors cannot hold the weights.
    """
    metadata = subject.describe_in_words() | {"format": "pt"}
    return {"model.safetensors": _safetensors(subject.encoder.backbone, metadata)}


def check_features(found: torch.Tensor, expected: torch.Tensor, what: str) -> None:
    """Compare features ``[N, d]`` of an exported encoder with those of the original.

    Raises:
        DataError: If they differ by more than 1e-5 of the greatest.
    """
    difference = float((found - expected).abs().max() / expected.abs().max())
    if not difference <= TOLERANCE:
        raise DataError(
            f"{what}: expected the features of the checkpoint, got others by {difference:.1e}; report this, please"
        )


def _save(subject: Subject, model: nn.Module, what: str) -> dict[str, bytes]:
    """Load the weights into a stock model, compare its features, and give ``weights.pth`` of what it calls its own."""
    try:
        model.load_state_dict(subject.encoder.backbone.state_dict(), strict=True)
    except RuntimeError as error:
        raise _unlike(what, error, instead="timm") from error
    _compare(subject, model, what)
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return {"weights.pth": buffer.getvalue()}


def _unlike(what: str, error: RuntimeError, *, instead: str) -> ConfigError:
    reason = str(error).splitlines()[-1].strip()
    return ConfigError(f"format: expected weights that fit {what}, got: {reason}; take --format {instead}")


def _compare(subject: Subject, model: nn.Module, what: str) -> None:
    """Have another library's network encode what the checkpoint's encodes."""
    batch = subject.probe()
    with torch.inference_mode():
        check_features(model.eval()(batch), subject.features(batch), what)


def _safetensors(model: nn.Module, metadata: Mapping[str, str] | None = None) -> bytes:
    """A network's weights by their names, and words about them."""
    from safetensors import SafetensorError
    from safetensors.torch import save

    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    try:
        return save(tensors, metadata=dict(metadata) if metadata else None)
    except (SafetensorError, RuntimeError) as error:  # such as of tensors that share their memory
        raise ConfigError(
            f"format: expected weights that safetensors can hold, got: {reason_of(error)}; take --format onnx"
        ) from error


def _no_such_model(library: str, name: str) -> ConfigError:
    return ConfigError(f"format: expected a residual network that {library} has, got {name}; take --format timm or onnx")
