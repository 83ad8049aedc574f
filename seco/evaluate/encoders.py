"""The encoder under test: from a checkpoint, with weights of timm, or untrained."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from seco.bands import RGB, select_bands
from seco.data.normalization import Normalization
from seco.errors import ConfigError, DataError
from seco.evaluate.datasets import Images
from seco.pretrain.backbone import build_backbone
from seco.pretrain.encoder import Encoder, load_encoder, weights_fingerprint
from seco.pretrain.foreign import read_residual_network
from seco.pretrain.recipe2021 import IMAGENET_MEAN, IMAGENET_STD

_OWN_RANGE = "scale and offset from the 2 % and 98 % quantiles of the data"


@dataclass(frozen=True)
class Subject:
    """An encoder and where it comes from.

    Attributes:
        encoder: Backbone, normalisation and input size.
        origin: ``kind`` (``checkpoint``, ``timm``, ``torchvision`` or ``random``), ``name`` and what else identifies it.
        normalization_source: In words, where the numbers of the normalisation come from.
    """

    encoder: Encoder
    origin: dict[str, Any]
    normalization_source: str

    def describe(self) -> dict[str, Any]:
        """Origin, SHA-256 of the weights, input size and normalisation, for a result that can be repeated."""
        return self.origin | {
            "weights_sha256": weights_fingerprint(self.encoder.backbone),
            "size": self.encoder.size,
            "normalization": self.encoder.normalization.to_dict() | {"source": self.normalization_source},
        }


def from_checkpoint(path: str | Path, images: Images, *, size: int | None = None) -> Subject:
    """Encoder of a checkpoint, or of the last one of a run; its normalisation comes with it, in the units of the images.

    Pictures have no units: their scale and offset come from the pictures, mean and std from the checkpoint.

    Raises:
        SecoError: If there is no readable checkpoint, or it does not say the units that the images have.
    """
    encoder = load_encoder(path)
    origin = {"kind": "checkpoint", "name": encoder.name, "checkpoint": str(path), "step": encoder.step}
    normalization, source = _in_units_of(images, encoder.normalization)
    return Subject(replace(encoder, normalization=normalization, size=size or encoder.size), origin, source)


def _in_units_of(images: Images, normalization: Normalization) -> tuple[Normalization, str]:
    """A checkpoint's normalisation for these images, and in words where it comes from."""
    theirs, ours = images.reflectance, normalization.reflectance
    if theirs == ours or not set(normalization.bands) <= set(images.band_names):
        return normalization, "checkpoint"  # missing bands are named when they are read
    if theirs is None:
        own = _own_normalization(images, normalization.bands)
        return (
            replace(normalization, scale=own.scale, offset=own.offset, reflectance=None),
            f"mean and std of the checkpoint, {_OWN_RANGE}",
        )
    if ours is None:
        raise ConfigError(
            f"{images.path}: expected pictures, for the checkpoint does not say what its digital numbers mean, got "
            f"reflectance = {theirs}; evaluate it on pictures, or train again"
        )
    return normalization.for_reflectance(theirs), f"checkpoint, from reflectance = {ours} to {theirs}"


def from_timm(name: str, images: Images, *, bands: str = "rgb", size: int | None = None) -> Subject:
    """Pretrained weights of timm, on RGB scaled by the data's quantiles and normalised as timm's weights ask.

    Raises:
        ConfigError: If timm has no such model or weights, or the bands are not red, green, blue.
        DataError: If the weights are not in timm's cache and cannot be fetched.
    """
    import timm

    chosen = select_bands(images.band_names, bands)
    if chosen != RGB:
        raise ConfigError(f"bands: expected rgb, for weights of timm take red, green and blue, got {bands!r}; leave it out")
    if not timm.is_model(name) or not timm.is_model_pretrained(name):
        raise ConfigError(f"timm: expected a model that has weights, got {name!r}; see timm.list_pretrained()")
    try:
        _ask_hub(timm.get_pretrained_cfg(name).hf_hub_id)
        backbone = timm.create_model(name, pretrained=True, num_classes=0)
    except (OSError, RuntimeError) as error:
        # The hub's advice after the first sentence is about its own environment variables.
        reason = next(iter(str(error).splitlines()), type(error).__name__).split(". ")[0].removeprefix("Got: ")
        raise DataError(
            f"timm: expected the weights of {name} in the cache or on line, got {reason}; fetch them once with a network"
        ) from error
    declared = backbone.pretrained_cfg
    normalization = replace(
        _own_normalization(images, chosen),
        mean=tuple(declared["mean"]),
        std=tuple(declared["std"]),
    )
    encoder = Encoder(backbone.eval(), normalization, size or int(declared["input_size"][-1]), name)
    origin = {"kind": "timm", "name": name, "weights": declared.get("hf_hub_id") or declared.get("url")}
    return Subject(encoder, origin, f"mean and std of timm, {_OWN_RANGE}")


def from_torchvision(name: str, images: Images, *, bands: str = "rgb", size: int | None = None) -> Subject:
    """Weights of torchvision's residual networks, by name or from a file, on RGB normalised as ImageNet's pictures.

    Args:
        name: Model of torchvision, whose default weights are in its cache or on line, or a file of weights.
        images: What is to be encoded: their 2 % and 98 % quantiles become black and white.
        bands: Only red, green, blue.
        size: Input of the encoder, pixels; None: 224.

    Raises:
        ConfigError: If there is no such model, or the bands are not red, green, blue.
        DataError: If the weights cannot be read or fetched, or are not of a residual network.
    """
    chosen = select_bands(images.band_names, bands)
    if chosen != RGB:
        raise ConfigError(
            f"bands: expected rgb, for torchvision's weights take red, green, blue, got {bands!r}; leave it out"
        )
    network, weights = read_residual_network(Path(name) if Path(name).exists() else _fetch_from_torchvision(name))
    backbone = build_backbone(network, 3)
    backbone.load_state_dict(weights, strict=False)  # names were compared; counters of batches do not matter
    normalization = replace(_own_normalization(images, chosen), mean=IMAGENET_MEAN, std=IMAGENET_STD)
    encoder = Encoder(backbone.eval(), normalization, size or 224, network)
    return Subject(
        encoder, {"kind": "torchvision", "name": network, "weights": name}, f"ImageNet's mean and std, {_OWN_RANGE}"
    )


def _fetch_from_torchvision(name: str) -> Path:
    """The file of a model's default weights, in torch's cache."""
    import torchvision

    if not name.startswith("resnet") or name not in torchvision.models.list_models():
        raise ConfigError(
            f"torchvision: expected a file of weights or one of resnet18, 34, 50, 101 and 152, got {name!r}; check the name"
        )
    address = torchvision.models.get_model_weights(name).DEFAULT.url
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(address).name
    try:
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(address, str(file), progress=False)
    except OSError as error:
        raise DataError(
            f"torchvision: expected the weights of {name} in the cache or on line, got {error}; fetch {address} and give "
            "that file"
        ) from error
    return file


def _ask_hub(repository: str | None) -> None:
    """Raise OSError if timm's repository is neither on line nor in the cache.

    One request: where there is no network, fetching the weights would repeat its own for most of a minute.
    """
    from huggingface_hub import snapshot_download

    if repository is not None:
        snapshot_download(repository, allow_patterns="config.json")


def untrained(name: str, images: Images, *, bands: str = "rgb", size: int | None = None, seed: int = 0) -> Subject:
    """The same network without training: the baseline that every result needs.

    Raises:
        ConfigError: If timm has no such model, or a band is not there.
    """
    chosen = select_bands(images.band_names, bands)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = build_backbone(name, len(chosen)).eval()
    normalization = _own_normalization(images, chosen)
    encoder = Encoder(backbone, normalization, size or images.patch_size, name)
    return Subject(encoder, {"kind": "random", "name": name, "seed": seed}, "statistics of the data")


def _own_normalization(images: Images, bands: Sequence[str]) -> Normalization:
    return Normalization.from_statistics(images.statistics, bands, origin=str(images.path))
