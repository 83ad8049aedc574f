"""One step of training, whoever wraps the model."""

from collections.abc import Callable

import torch
from torch import Tensor

from seco.pretrain.method import ContrastOutput, MomentumContrast, no_lap


def train_step(
    model: MomentumContrast,
    views: Tensor,
    *,
    forward: Callable[..., ContrastOutput],
    backward: Callable[[Tensor], object],
    optimizer: torch.optim.Optimizer,
    step: int = 0,
    lap: Callable[[str], None] = no_lap,
) -> ContrastOutput:
    """Move both encoders and the queue by one batch.

    Args:
        model: Whose key encoder and queue are moved.
        views: ``[1 + M, N, C, H, W]``.
        forward: The model as it is called, with what precision and ranks ask for around it.
        backward: Finds the gradients of a loss.
        optimizer: Of the query encoder.
        step: Number of the step.
        lap: Told the name of each part of the step when it ends; "EMA and queue" is one at the beginning and one at the end.
    """
    model.update_key_encoder()
    lap("EMA and queue")
    output = forward(views, step, lap)
    optimizer.zero_grad()
    lap("loss")
    backward(output.loss)
    lap("backward")
    optimizer.step()
    lap("optimiser")
    model.push_keys(output.keys)
    lap("EMA and queue")
    return output
