"""What protocols that train have in common: recipes, batches without a dropped tail, the loop."""

import operator
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from seco.errors import ConfigError, DataError
from seco.track import Track

PROTOCOLS = ("default", "seco2021")
# The learning rate falls to a tenth after these shares of the epochs.
_MILESTONES = (0.6, 0.8)


def check_protocol(name: str) -> None:
    """Raise ConfigError if there is no protocol of that name."""
    if name not in PROTOCOLS:
        raise ConfigError(f"protocol: expected {' or '.join(PROTOCOLS)}, got {name!r}")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained; all of it goes into the result.

    Attributes:
        name: ``default`` or ``seco2021``.
        epochs: Passes over the training images.
        lr: Learning rate of Adam.
        batch_size: Images, or tiles, a step.
        head_lr: Learning rate of new layers on top of a pretrained encoder.
        encoder: ``frozen``, ``trained``, or ``trained in eval mode``: with the statistics of batch normalisation as they
            were.
        dropout: Share of the features that is dropped in training.
        weight_decay: Of Adam.
        augmentation: What is done to training images, in words.
    """

    name: str
    epochs: int
    lr: float
    batch_size: int
    head_lr: float
    encoder: Literal["frozen", "trained", "trained in eval mode"]
    dropout: float = 0.0
    weight_decay: float = 0.0
    augmentation: str = "none"

    def __post_init__(self) -> None:
        check_protocol(self.name)
        if self.epochs < 1 or self.batch_size < 1 or not self.lr > 0:
            raise ConfigError(
                "epochs, batch size, lr: expected positive numbers, got "
                f"{self.epochs}, {self.batch_size}, {self.lr}; leave them out for those of the protocol"
            )

    def changed(self, *, epochs: int | None = None, lr: float | None = None, batch_size: int | None = None) -> "Recipe":
        """This recipe with what is given in its place; the two learning rates keep their ratio."""
        return replace(
            self,
            epochs=self.epochs if epochs is None else operator.index(epochs),
            lr=self.lr if lr is None else float(lr),
            head_lr=self.head_lr if lr is None else float(lr) * (self.head_lr / self.lr),
            batch_size=self.batch_size if batch_size is None else operator.index(batch_size),
        )


def classification_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross entropy for one class an image, int64 ``(N,)``; multi-label soft margin for bool ``(N, classes)``."""
    if labels.ndim == 2:
        return F.multilabel_soft_margin_loss(logits, labels.to(logits.dtype))
    return F.cross_entropy(logits, labels)


def shuffled_batches(rows: np.ndarray, batch_size: int, random: np.random.Generator, *, least: int = 1) -> list[np.ndarray]:
    """All rows in random order, in batches of nearly equal size: no tail is dropped.

    A batch has at most ``batch_size`` rows, unless another would have less than ``least``.
    """
    batches = min(-(-len(rows) // batch_size), len(rows) // least)
    return np.array_split(random.permutation(rows), max(1, batches))


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[np.random.Generator]:
    """Everything random inside follows ``seed``; torch's generators are as before afterwards."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.backends.cudnn.flags(benchmark=False, deterministic=True):
        torch.manual_seed(seed)
        yield np.random.default_rng(seed)


def step_schedule(optimiser: torch.optim.Optimizer, epochs: int) -> torch.optim.lr_scheduler.LRScheduler:
    """A tenth of the learning rate after 60 % and again after 80 % of the epochs."""
    return torch.optim.lr_scheduler.MultiStepLR(optimiser, [round(share * epochs) for share in _MILESTONES])


def train(
    model: nn.Module,
    batches: Callable[[], Iterable[tuple[torch.Tensor, torch.Tensor]]],
    *,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    epochs: int,
    track: Track,
) -> list[float]:
    """Train ``epochs`` passes over ``batches``, which gives input and truth.

    Returns:
        Mean loss of the batches of each epoch.

    Raises:
        DataError: If the loss is not finite.
    """
    losses = []
    for epoch in track(range(epochs), "epochs of training"):
        total, count = torch.zeros(()), 0
        for inputs, truth in batches():
            optimiser.zero_grad(set_to_none=True)
            value = loss(model(inputs), truth)
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total, count = total + value.detach().cpu(), count + 1
        schedule.step()
        losses.append(float(total) / count)
        if not np.isfinite(losses[-1]):
            raise DataError(f"training: expected a finite loss, got {losses[-1]} in epoch {epoch + 1}; lower --lr")
    return losses


def random_symmetries(images: torch.Tensor, random: np.random.Generator, *, turns: bool) -> torch.Tensor:
    """Each image ``(n, C, H, W)`` flipped, or not, in both directions and, with ``turns``, by quarter turns as well."""
    images = images.clone()
    for axis in (2, 3):
        chosen = torch.from_numpy(np.flatnonzero(random.random(len(images)) < 0.5))
        images[chosen] = images[chosen].flip(axis)
    for quarter in np.flatnonzero(random.random(len(images)) < 0.5) if turns else ():
        images[quarter] = images[quarter].rot90(dims=(1, 2))  # with the flips: each of eight equally often
    return images


def parameter_groups(
    encoder: Iterable[nn.Parameter], head: Iterable[nn.Parameter], recipe: Recipe
) -> list[dict[str, object]]:
    """Parameters for an optimiser, each with its learning rate."""
    return [{"params": list(encoder), "lr": recipe.lr}, {"params": list(head), "lr": recipe.head_lr}]
