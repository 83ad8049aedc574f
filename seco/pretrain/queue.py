"""The negatives of all sub-spaces: keys of earlier steps, first in, first out."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class KeyQueue(nn.Module):
    """``length`` unit vectors a sub-space; starts as normalised normal noise and is part of the state dict.

    Args:
        sub_spaces: Number of sub-spaces M.
        length: Number of keys K; need not be a multiple of the batch.
        dim: Size of a key.
        generator: Source of the noise.
    """

    keys: Tensor  # [M, K, D] float32
    pointer: Tensor  # int64 scalar: where the next key goes

    def __init__(self, sub_spaces: int, length: int, dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        noise = torch.randn(sub_spaces, length, dim, generator=generator)
        self.register_buffer("keys", F.normalize(noise, dim=2))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Replace the oldest keys by ``keys`` ``[M, N, D]``; of more than K only the last K are kept."""
        length, count = self.keys.shape[1], keys.shape[1]
        skipped = max(0, count - length)
        slots = (self.pointer + skipped + torch.arange(count - skipped, device=keys.device)) % length
        self.keys[:, slots] = keys[:, skipped:].to(self.keys.dtype)
        self.pointer.copy_((self.pointer + count) % length)
