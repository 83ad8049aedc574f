"""Backbones: any timm model, any number of bands."""

import difflib

import timm
from torch import nn

from seco.errors import ConfigError


def build_backbone(name: str, in_channels: int) -> nn.Module:
    """An untrained timm model without its classifier.

    Args:
        name: timm model name, such as ``"resnet18"``.
        in_channels: Number of bands.

    Returns:
        A module from ``[N, in_channels, H, W]`` float to pooled features ``[N, d]``; ``.num_features`` is d.

    Raises:
        ConfigError: If timm has no model of that name.
    """
    if not timm.is_model(name):
        near = ", ".join(difflib.get_close_matches(name, timm.list_models(), n=3))
        hint = f"near it: {near}" if near else "timm.list_models() names them all"
        raise ConfigError(f"backbone: expected a timm model, got {name!r}; {hint}")
    backbone: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, in_chans=in_channels)
    return backbone
