"""Backbones: any timm model, any number of bands."""

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import timm
import torch
from torch import nn

from seco.errors import ConfigError


def build_backbone(name: str, in_channels: int) -> nn.Module:
    """An untrained timm model without its classifier.

    Args:
        name: timm model name, such as ``"resnet18"``.
        in_channels: Number of bands.

    Returns:
        A module from ``[N, in_channels, H, W]`` float to pooled features ``[N, d]``; :func:`count_features` says d.

    Raises:
        ConfigError: If timm has no model of that name.
    """
    if not timm.is_model(name):
        near = ", ".join(difflib.get_close_matches(name, timm.list_models(), n=3))
        hint = f"near it: {near}" if near else "timm.list_models() names them all"
        raise ConfigError(f"backbone: expected a timm model, got {name!r}; {hint}")
    return timm.create_model(name, pretrained=False, num_classes=0, in_chans=in_channels)


def count_features(backbone: nn.Module) -> int:
    """Width d of what a timm model without its classifier gives; some have a layer before that, and say its width apart."""
    return int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)  # type: ignore[arg-type]


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Inside, a network is in eval mode; afterwards each of its modules is in the mode that it was in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:  # not train(), which sets what is below as well
            module.training = training


def input_dtype(backbone: nn.Module) -> torch.dtype:
    """Floating type of the images that a backbone takes: that of its weights."""
    weights = (parameter.dtype for parameter in backbone.parameters() if parameter.is_floating_point())
    return next(weights, torch.float32)


def try_input(backbone: nn.Module, bands: int, size: int, forward: Callable[[torch.Tensor], Any] | None = None) -> Any:  # noqa: ANN401 - what it gives
    """What a backbone makes of one image of zeros, before anything long begins.

    Args:
        backbone: Each of its modules is left in the mode that it is in.
        bands: Of the image.
        size: Height and width of the image, px.
        forward: What is called, of the backbone. None: itself.

    Raises:
        ConfigError: If it takes no images of that size.
    """
    device = next(backbone.parameters(), torch.empty(0)).device
    image = torch.zeros(1, bands, size, size, dtype=input_dtype(backbone), device=device)
    try:
        with torch.inference_mode(), eval_mode(backbone):
            return (forward or backbone)(image)
    except (AssertionError, RuntimeError) as error:
        raise ConfigError(
            f"backbone: expected one that takes {size} px, got {type(backbone).__name__}, which says: {error}; "
            "give the size that it was made for, or take a convolutional model"
        ) from error
