"""Backbones: any timm model, any number of bands."""

import difflib
from collections.abc import Callable
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


def try_input(backbone: nn.Module, bands: int, size: int, forward: Callable[[torch.Tensor], Any] | None = None) -> Any:  # noqa: ANN401 - what it gives
    """What a backbone makes of one image of zeros, before anything long begins.

    Args:
        backbone: Left in the mode that it is in.
        bands: Of the image.
        size: Height and width of the image, px.
        forward: What is called, of the backbone. None: itself.

    Raises:
        ConfigError: If it takes no images of that size.
    """
    training, device = backbone.training, next(backbone.parameters(), torch.empty(0)).device
    backbone.eval()
    try:
        with torch.inference_mode():
            return (forward or backbone)(torch.zeros(1, bands, size, size, device=device))
    except (AssertionError, RuntimeError) as error:
        raise ConfigError(
            f"backbone: expected one that takes {size} px, got {type(backbone).__name__}, which says: {error}; "
            "give the size that it was made for, or take a convolutional model"
        ) from error
    finally:
        backbone.train(training)
