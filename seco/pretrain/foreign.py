"""Checkpoints of others: of the 2021 release, torchgeo, or MoCo of SSL4EO-S12; nothing in them is executed."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seco.bands import BANDS_BY_COUNT, RGB
from seco.data.normalization import Normalization
from seco.data.reflectance import SENTINEL2, Reflectance
from seco.errors import ConfigError, DataError
from seco.pretrain.backbone import build_backbone
from seco.pretrain.checkpoint import UNLOADABLE, load_inert, why_unloadable
from seco.pretrain.recipe2021 import normalization

# Settings that Lightning keeps beside the weights. Objects of these packages become empty ones; any other is refused.
_HARMLESS = ("argparse.", "pytorch_lightning.", "lightning.", "omegaconf.", "collections.", "pathlib.")
# torchvision's network as the 2021 code kept it: a Sequential of its children.
_CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
_NETWORKS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
_BANDS = {3: RGB} | {count: tuple(band.name for band in bands) for count, bands in BANDS_BY_COUNT.items()}


class _Inert:
    """Stands for an object of a package that is not loaded: takes whatever it is given, does nothing."""

    def __new__(cls, *_: object, **__: object) -> "_Inert":
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


@dataclass(frozen=True)
class ForeignEncoder:
    """A backbone out of somebody else's file.

    Attributes:
        name: Of the network in timm.
        weights: Its state, by timm's names.
        normalization: What it was trained with, as far as the file's origin tells.
        source: In words, where that comes from.
        size: Of its input, pixels.
    """

    name: str
    weights: dict[str, Tensor]
    normalization: Normalization
    source: str
    size: int = 224


def read_foreign(file: Path, *, bands: tuple[str, ...] | None = None) -> ForeignEncoder:
    """The encoder of a file: ``encoder_q`` of a MoCo, or a plain state of a residual network.

    Args:
        file: The checkpoint.
        bands: Names of the input's bands; by default RGB for 3 channels, those of Sentinel-2 L1C for 13 and L2A for 12.

    Raises:
        DataError: If the file cannot be read, holds code, or no residual network.
        ConfigError: If the bands are not known or not as many as the network takes.
    """
    name, weights = read_residual_network(file)
    channels = weights["conv1.weight"].shape[1]
    if bands is None and channels not in _BANDS:
        raise ConfigError(f"bands: expected names for the {channels} channels of {file}, got none; give --bands")
    chosen = bands or _BANDS[channels]
    if len(chosen) != channels:
        raise ConfigError(f"bands: expected {channels} as the network takes, got {len(chosen)}; name them in its order")
    if set(chosen) == set(RGB):
        # The archive's 8-bit numbers, 255 times reflectance.
        stretch = normalization(Reflectance(255.0, 0.0), chosen)
        return ForeignEncoder(name, weights, stretch, "the 2021 code's quantiles, ImageNet's mean and std")
    zeros, ones = (0.0,) * channels, (1.0,) * channels
    reflectance = Normalization(chosen, (1e-4,) * channels, zeros, zeros, ones, SENTINEL2)
    return ForeignEncoder(
        name, weights, reflectance, "reflectance, as torchgeo feeds Sentinel-2 of all bands; over 1 it is cut"
    )


def read_residual_network(file: Path) -> tuple[str, dict[str, Tensor]]:
    """Name in timm and weights, without classifier, of the residual network in a file.

    Raises:
        DataError: If the file cannot be read, holds code, or no residual network.
    """
    weights = _rename(_tensors(file), file)
    return _recognise(weights, file), weights


def _tensors(file: Path) -> dict[str, Tensor]:
    """All named tensors of the file's state."""
    if not file.is_file():
        got = "a folder; give the file of the weights in it" if file.is_dir() else "no such file; check the path"
        raise DataError(f"{file}: expected a checkpoint, got {got}")
    try:
        content = _load(file)
    except DataError:
        raise
    except UNLOADABLE as error:
        raise DataError(f"{file}: expected a checkpoint of torch, got a file that {why_unloadable(error)}") from error
    if isinstance(content, Mapping) and "format_version" in content:
        raise DataError(f"{file}: expected a checkpoint of others, got one of seco; use it, or its run, as it is")
    state = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    found = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if not found:
        raise DataError(f"{file}: expected named tensors (state_dict), got none; give the file of the weights")
    return found


def _load(file: Path) -> Any:  # noqa: ANN401 - whatever is in the file
    """Its content; objects of harmless packages are replaced by empty ones.

    Raises:
        DataError: If it holds anything else than numbers, text and those.
    """
    try:
        wanted = torch.serialization.get_unsafe_globals_in_checkpoint(str(file))
    except ValueError:  # the format of torch before 1.6 has no list; it is read without any object
        wanted = []
    code = sorted(name for name in wanted if not name.startswith(_HARMLESS))
    if code:
        raise DataError(f"{file}: expected weights, got a file that would run {', '.join(code)}; do not trust it")
    # Dictionaries have to be of a class that torch fills.
    inert: list[Any] = [(OrderedDict if name.endswith("Dict") else _Inert, name) for name in wanted]
    with torch.serialization.safe_globals(inert):
        return load_inert(file)


def _rename(tensors: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """The query encoder's weights by timm's names, without classifier and heads."""
    for prefix in ("encoder_q.", "module.encoder_q.", "encoder.", "backbone.", "module.", "model.", ""):
        inner = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        if "0.weight" in inner and "4.0.conv1.weight" in inner:
            parts = (name.split(".", 1) for name in inner)
            inner = {f"{_CHILDREN[a]}.{b}": inner[f"{a}.{b}"] for a, b in parts if a in _CHILDREN}
        if "conv1.weight" in inner and inner["conv1.weight"].ndim == 4:
            return {name: value for name, value in inner.items() if not re.match(r"(fc|head|classifier)\b", name)}
    names = ", ".join(list(tensors)[:3])
    raise DataError(
        f"{file}: expected weights of a residual network (conv1, layer1, …), got {names}, …; it is another architecture"
    )


def _recognise(weights: Mapping[str, Tensor], file: Path) -> str:
    """Name of the network that takes exactly these weights."""
    for name in _NETWORKS:
        with torch.device("meta"):
            expected = build_backbone(name, weights["conv1.weight"].shape[1]).state_dict()
        counters = {key for key in expected if key.endswith("num_batches_tracked")}  # torch before 0.4.1 had none
        if set(expected) - counters <= set(weights) <= set(expected) and all(
            weights[key].shape == expected[key].shape for key in weights
        ):
            return name
    raise DataError(f"{file}: expected weights of one of {', '.join(_NETWORKS)}, got others; it is another architecture")
