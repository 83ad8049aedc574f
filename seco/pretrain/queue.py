"""The negatives of one sub-space: keys of earlier steps, first in, first out."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class KeyQueue(nn.Module):
    """``length`` unit vectors; starts as normalised normal noise and is part of the state dict.

    Args:
        length: Number of keys K; need not be a multiple of the batch.
        dim: Size of a key.
        generator: Source of the noise.
    """

    keys: Tensor  # [K, D] float32
    pointer: Tensor  # int64 scalar: where the next key goes

    def __init__(self, length: int, dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        noise = torch.randn(length, dim, generator=generator)
        self.register_buffer("keys", F.normalize(noise, dim=1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Replace the oldest keys by ``keys`` ``[N, D]``; of more than K only the last K are kept."""
        length = len(self.keys)
        skipped = max(0, len(keys) - length)
        slots = (self.pointer + skipped + torch.arange(len(keys) - skipped, device=keys.device)) % length
        self.keys[slots] = keys[skipped:].to(self.keys.dtype)
        self.pointer.copy_((self.pointer + len(keys)) % length)
