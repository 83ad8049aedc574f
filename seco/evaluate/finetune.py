"""Fine-tuning: encoder and a linear layer trained together on labelled images."""

import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from seco.errors import ConfigError, DataError
from seco.evaluate.datasets import LabelledImages
from seco.evaluate.features import check_bands, count_outputs, read_batches
from seco.evaluate.training import (
    Recipe,
    classification_loss,
    parameter_groups,
    random_symmetries,
    seeded,
    shuffled_batches,
    step_schedule,
    train,
)
from seco.pretrain.encoder import Encoder
from seco.track import Track, untracked


class Classifier(nn.Module):
    """Backbone, dropout and one linear layer.

    Args:
        backbone: ``[N, C, size, size]`` → ``[N, d]``; trained in place.
        num_features: d.
        num_classes: Scores an image.
        recipe: Dropout, and whether batch normalisation learns.
    """

    def __init__(self, backbone: nn.Module, num_features: int, num_classes: int, recipe: Recipe) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(recipe.dropout)
        self.head = nn.Linear(num_features, num_classes)
        self._learns_statistics = recipe.encoder == "trained"

    def train(self, mode: bool = True) -> "Classifier":
        """As always, but the backbone stays in eval mode if the recipe says so."""
        super().train(mode)
        self.backbone.train(mode and self._learns_statistics)
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores ``[N, classes]``."""
        return self.head(self.dropout(self.backbone(images)))


def finetune_recipe(protocol: str, *, multi_label: bool) -> Recipe:
    """The recipe of ``default`` or ``seco2021``."""
    if protocol == "seco2021":
        return Recipe(
            name=protocol,
            epochs=100,
            lr=1e-5,
            head_lr=1e-5,
            encoder="trained in eval mode",
            batch_size=1024 if multi_label else 32,
            dropout=0.2 if multi_label else 0.0,
        )
    return Recipe(
        name=protocol,
        epochs=30,
        lr=1e-4,
        head_lr=1e-3,
        encoder="trained",
        batch_size=64,
        augmentation="flips in both directions",
    )


def fine_tune(
    encoder: Encoder,
    images: LabelledImages,
    rows: np.ndarray,
    *,
    recipe: Recipe,
    seed: int,
    threads: int | None = None,
    device: torch.device,
    track: Track = untracked,
) -> tuple[Encoder, list[float]]:
    """Train a copy of an encoder and a linear layer on it.

    Args:
        encoder: Where training starts; it is not changed.
        images: Labelled images.
        rows: Those to train on.
        recipe: How.
        seed: Of the new layer, the order of the images, dropout and augmentation.
        threads: Threads that decode and resize; by default one a core.
        device: Where the work is done.
        track: How progress is shown.

    Returns:
        An encoder whose features are the scores of the classes, and the mean loss of each epoch.

    Raises:
        ConfigError: If the recipe trains batch norm on one image at a time.
        DataError: If the images lack a band or are too few, or the loss is not finite.
    """
    check_bands(encoder, images.band_names)
    least = 2 if recipe.encoder == "trained" else 1  # of one image batch norm can learn nothing
    if recipe.batch_size < least:
        raise ConfigError(f"batch_size: expected at least {least}, for batch norm learns from a batch, got 1; raise it")
    if len(rows) < least:
        raise DataError(f"{images.path}: expected at least {least} images to train on, got {len(rows)}; label more")
    truth = torch.from_numpy(images.labels).to(device)
    backbone = copy.deepcopy(encoder.backbone).eval().to(device).float()  # whatever its weights are kept in
    num_features = count_outputs(backbone, len(encoder.normalization.bands), encoder.size)
    with seeded(seed, device) as random:
        model = Classifier(backbone, num_features, len(images.class_names), recipe)
        model = model.to(device).to(memory_format=torch.channels_last).train()
        groups = parameter_groups(model.backbone.parameters(), model.head.parameters(), recipe)
        optimiser = torch.optim.Adam(groups, weight_decay=recipe.weight_decay)

        def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            chunks = shuffled_batches(rows, recipe.batch_size, random, least=least)
            for chunk, batch in zip(chunks, read_batches(encoder, images, chunks, threads), strict=True):
                seen = batch if recipe.augmentation == "none" else random_symmetries(batch, random, turns=False)
                yield seen.to(device), truth[torch.from_numpy(chunk).to(device)]

        losses = train(
            model,
            batches,
            loss=classification_loss,
            optimiser=optimiser,
            schedule=step_schedule(optimiser, recipe.epochs),
            epochs=recipe.epochs,
            track=track,
        )
    return replace(encoder, backbone=model.eval()), losses
