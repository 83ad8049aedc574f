"""Change detection: a Siamese U-Net on the differences of an encoder's features."""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from seco.environment import extra
from seco.errors import ConfigError, DataError
from seco.evaluate.features import normalized_input, prefetched
from seco.evaluate.training import Recipe, parameter_groups, random_symmetries, seeded, shuffled_batches, train
from seco.pretrain.backbone import try_input
from seco.pretrain.encoder import Encoder
from seco.track import Track, untracked

UNKNOWN = -1
# Channels of the decoder from the coarsest level to the finest.
_DECODER = (256, 128, 64, 32, 16)

Pair = tuple[np.ndarray, np.ndarray, np.ndarray]  # before and after (C, H, W), mask int8 (H, W)
Tile = tuple[int, int, int]  # pair, top, left


class SiameseUNet(nn.Module):
    """Absolute differences of features at every level of an encoder, decoded to a map of change.

    For a ResNet the levels are its stem and its four stages.

    Args:
        backbone: A timm model with a pyramid of features; used in place.
        in_channels: Bands of one image.
        tile: Height and width of the input, pixels.
        dropout: Share of the differences that is dropped in training.
        train_encoder: The backbone learns too; else it stays as it is, in eval mode.

    Raises:
        ConfigError: If segmentation_models_pytorch is not installed, or the backbone has no such features.
    """

    def __init__(self, backbone: nn.Module, *, in_channels: int, tile: int, dropout: float, train_encoder: bool) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(train_encoder)
        self.train_encoder = train_encoder
        channels = self._channels(in_channels, tile)
        self.dropout = nn.Dropout(dropout)
        widths = _DECODER[-len(channels) :]
        self.decoder = _unet_decoder((in_channels, *channels), widths)
        self.head = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def train(self, mode: bool = True) -> "SiameseUNet":
        """As always, but a frozen backbone stays in eval mode."""
        super().train(mode)
        self.backbone.train(mode and self.train_encoder)
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores of change ``[N, H, W]`` of images before and after ``[N, 2, C, H, W]``."""
        count = len(images)
        with torch.set_grad_enabled(self.train_encoder and torch.is_grad_enabled()):
            levels = self._levels(images.transpose(0, 1).flatten(0, 1))
        differences = [self.dropout((level[:count] - level[count:]).abs()) for level in levels]
        scores: torch.Tensor = self.head(self.decoder([images[:, 0], *differences]))
        return scores[:, 0]

    def _levels(self, images: torch.Tensor) -> list[torch.Tensor]:
        levels: list[torch.Tensor] = self.backbone.forward_intermediates(images, intermediates_only=True)  # type: ignore[operator]
        return levels[-len(_DECODER) :]

    def _channels(self, in_channels: int, tile: int) -> list[int]:
        """Channels of each level, fine to coarse, of a backbone that has a pyramid."""
        name = type(self.backbone).__name__
        if not hasattr(self.backbone, "forward_intermediates"):
            raise ConfigError(f"backbone: expected a model of timm that gives features at several levels, got {name}")
        levels = try_input(self.backbone, in_channels, tile, self._levels)
        heights = [level.shape[2] for level in levels]
        if len(levels) < 2 or sorted(set(heights), reverse=True) != heights:
            raise ConfigError(
                f"backbone: expected features that become coarser from level to level, got {name} with heights "
                f"{', '.join(map(str, heights))} px; take a convolutional or hierarchical model"
            )
        return [level.shape[1] for level in levels]


def _unet_decoder(channels: Sequence[int], widths: Sequence[int]) -> nn.Module:
    with extra("evaluate", "segmentation_models_pytorch for the decoder", "change"):
        from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
    return UnetDecoder(encoder_channels=channels, decoder_channels=widths, n_blocks=len(widths))


def change_recipe(protocol: str, *, train_encoder: bool) -> Recipe:
    """The recipe of 2021, which is the default's too."""
    return Recipe(
        name=protocol,
        epochs=100,
        lr=1e-3,
        head_lr=1e-3,
        encoder="trained" if train_encoder else "frozen",
        batch_size=32,
        dropout=0.3,
        weight_decay=1e-4,
        augmentation="flips in both directions, quarter turns",
    )


def check_masks(masks: Sequence[np.ndarray], what_for: str) -> None:
    """Check that masks, int8, know pixels of both kinds.

    Raises:
        DataError: If they do not; the text says what for.
    """
    for value, kind in ((0, "unchanged"), (1, "changed")):
        if not any((mask == value).any() for mask in masks):
            raise DataError(f"data: expected changed and unchanged pixels {what_for}, got none {kind}; check the masks")


def fit_change(
    encoder: Encoder,
    pairs: Sequence[Pair],
    *,
    recipe: Recipe,
    seed: int,
    threads: int | None = None,
    device: torch.device,
    track: Track = untracked,
) -> tuple[SiameseUNet, list[float]]:
    """Train a Siamese U-Net on all tiles of some pairs; the encoder given is not changed.

    The loss is the mean binary cross entropy over pixels whose change is known. The learning rate falls by
    5 % an epoch.

    Args:
        encoder: The encoder; its size is that of the tiles.
        pairs: Images in the bands of the encoder, with masks.
        recipe: How, and whether the encoder learns or only what is on top of it.
        seed: Of the decoder, the order of the tiles, dropout and augmentation.
        threads: Threads that normalise; by default one a core.
        device: Where the work is done.
        track: How progress is shown.

    Returns:
        The network, in eval mode, and the mean loss of each epoch.

    Raises:
        ConfigError: If the encoder has no features at several levels.
        DataError: If no tile has both change and no change known, images differ in type, or the loss is not finite.
    """
    known = [mask for _, _, mask in pairs]
    check_masks(known, "to train on")
    tiles = [(i, *corner) for i, mask in enumerate(known) for corner in tile_corners(mask.shape, encoder.size)]
    with seeded(seed, device) as random:
        model = SiameseUNet(
            copy.deepcopy(encoder.backbone).to(device).float(),  # whatever its weights are kept in
            in_channels=len(encoder.normalization.bands),
            tile=encoder.size,
            dropout=recipe.dropout,
            train_encoder=recipe.encoder == "trained",
        ).to(device)
        head = [*model.decoder.parameters(), *model.head.parameters()]
        groups = parameter_groups(model.backbone.parameters() if model.train_encoder else (), head, recipe)
        optimiser = torch.optim.Adam(groups, weight_decay=recipe.weight_decay)

        def read(chosen: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
            return read_tiles(encoder, pairs, [tiles[i] for i in chosen], threads)

        def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            chunks = shuffled_batches(np.arange(len(tiles)), recipe.batch_size, random)
            for images, masks in prefetched(read, chunks):
                # One stack of channels, so that images and mask are turned alike.
                together = torch.cat([images.flatten(1, 2), masks[:, None].to(images.dtype)], dim=1)
                together = random_symmetries(together, random, turns=True).to(device)
                yield together[:, :-1].reshape(images.shape), together[:, -1]

        losses = train(
            model.train(),
            batches,
            loss=known_loss,
            optimiser=optimiser,
            schedule=torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.95),
            epochs=recipe.epochs,
            track=track,
        )
    return model.eval(), losses


def known_loss(scores: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Mean binary cross entropy of logits and masks ``[N, H, W]`` over pixels that are known; 0 where none is."""
    known = masks != UNKNOWN
    total = F.binary_cross_entropy_with_logits(scores[known], masks[known], reduction="sum")
    return total / known.sum().clamp(min=1)


def tile_corners(shape: tuple[int, ...], tile: int) -> list[tuple[int, int]]:
    """Top left corners of tiles that cover an image ``(H, W)`` wholly; the last of a row or column overlap those before."""

    def starts(length: int) -> list[int]:
        return [*range(0, max(length - tile, 0), tile), max(length - tile, 0)]

    return [(top, left) for top in starts(shape[0]) for left in starts(shape[1])]


def read_tiles(
    encoder: Encoder, pairs: Sequence[Pair], tiles: Sequence[Tile], threads: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised tiles, float32 ``(n, 2, C, size, size)``, and their masks, int8 ``(n, size, size)``.

    What lies outside of an image smaller than a tile is digital number 0 and of unknown change.

    Raises:
        DataError: If images of the pairs differ in type, and so in what their numbers mean.
    """
    size = encoder.size
    pixels = np.zeros((len(tiles), 2, len(encoder.normalization.bands), size, size), pairs[0][0].dtype)
    masks = np.full((len(tiles), size, size), UNKNOWN, np.int8)
    for i, (pair, top, left) in enumerate(tiles):
        before, after, mask = pairs[pair]
        window = mask[top : top + size, left : left + size]
        height, width = window.shape
        masks[i, :height, :width] = window
        for j, image in enumerate((before, after)):
            if image.dtype != pixels.dtype:  # NumPy would wrap greater numbers without a word
                raise DataError(
                    f"pairs: expected {pixels.dtype} for all images, as pair 0 has, got {image.dtype} in pair {pair}; read "
                    "all in one type"
                )
            pixels[i, j, :, :height, :width] = image[:, top : top + size, left : left + size]
    images = normalized_input(encoder, pixels.reshape(-1, *pixels.shape[2:]), threads)
    return images.reshape(len(tiles), 2, *images.shape[1:]), torch.from_numpy(masks)


@torch.inference_mode()
def predict_change(
    model: SiameseUNet, encoder: Encoder, pair: Pair, *, batch_size: int, threads: int | None = None, device: torch.device
) -> np.ndarray:
    """Which pixels of a pair changed, bool ``(H, W)``: all of them, tile by tile."""
    height, width = pair[2].shape
    changed = np.zeros((height, width), bool)
    corners = tile_corners((height, width), encoder.size)
    for start in range(0, len(corners), batch_size):
        some = corners[start : start + batch_size]
        images, _ = read_tiles(encoder, [pair], [(0, *corner) for corner in some], threads)
        for (top, left), scores in zip(some, model(images.to(device)).cpu().numpy(), strict=True):
            window = changed[top : top + encoder.size, left : left + encoder.size]
            window[:] = scores[: window.shape[0], : window.shape[1]] > 0
    return changed
