"""Momentum contrast in one or more sub-spaces: `seco`, `moco` and `moco_tp` differ only in their views.

Source: Mañas et al., Seasonal Contrast, ICCV 2021, section 3.2; MoCo-v2 (He et al. 2020, Chen et al. 2020).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seco.pretrain import ranks
from seco.pretrain.backbone import build_backbone, count_features
from seco.pretrain.queue import KeyQueue


def no_lap(part: str) -> None:
    """Nobody times the parts of a step."""


class ContrastOutput(NamedTuple):
    """Result of one step.

    Attributes:
        loss: Scalar float32, summed over the M sub-spaces.
        accuracy: ``[M]`` float32, share of queries whose positive ranks first.
        keys: ``[M, N, D]`` float32 of the samples of all ranks, what the queues take after the step.
    """

    loss: Tensor
    accuracy: Tensor
    keys: Tensor


class ProjectedEncoder(nn.Module):
    """A backbone and one projection head a sub-space; outputs are unit vectors."""

    def __init__(self, backbone: nn.Module, *, heads: int, dim: int) -> None:
        super().__init__()
        features = count_features(backbone)
        self.backbone = backbone
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, dim)) for _ in range(heads)
        )

    def forward(self, views: Tensor) -> Tensor:
        """``[N, C, H, W]`` → ``[M, N, D]`` float32, one unit vector a sub-space and sample."""
        features = self.backbone(views)
        return torch.stack([F.normalize(head(features).float(), dim=1) for head in self.heads])


class MomentumContrast(nn.Module):
    """Query encoder, key encoder and queues of M sub-spaces, one key view a sub-space.

    Args:
        backbone: timm model name.
        in_channels: Number of bands.
        sub_spaces: M: 3 for ``seco``, 1 for ``moco`` and ``moco_tp``.
        dim: Size of an embedding.
        queue_length: Keys K a sub-space.
        momentum: m of the key encoder's moving average.
        temperature: Of the logits.
        seed: Of weights and queues.
        batch_negatives: The positives of the batch's other locations are negatives too, in every sub-space.
    """

    def __init__(
        self,
        *,
        backbone: str,
        in_channels: int,
        sub_spaces: int,
        dim: int,
        queue_length: int,
        momentum: float,
        temperature: float,
        seed: int,
        batch_negatives: bool = False,
    ) -> None:
        super().__init__()
        self.batch_negatives = batch_negatives
        self.momentum = momentum
        self.temperature = temperature
        self.seed = seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.query = ProjectedEncoder(build_backbone(backbone, in_channels), heads=sub_spaces, dim=dim)
            self.key = ProjectedEncoder(build_backbone(backbone, in_channels), heads=sub_spaces, dim=dim)
        self.key.load_state_dict(self.query.state_dict())
        self.key.requires_grad_(False)
        generator = torch.Generator().manual_seed(seed)
        self.queue = KeyQueue(sub_spaces, queue_length, dim, generator=generator)

    def forward(self, views: Tensor, step: int = 0, lap: Callable[[str], None] = no_lap) -> ContrastOutput:
        """Loss of one batch.

        Args:
            views: ``[1 + M, N, C, H, W]``: the query view, then one key view a sub-space.
            step: Number of the step, from which the ranks draw how they mix their keys.
            lap: Told when the queries and when the keys are there.
        """
        query = self.query(views[0])
        lap("forward q")
        keys = self.encode_keys(views[1:], step)
        lap("forward k")
        return self.compare(query, keys)

    @torch.no_grad()
    def encode_keys(self, views: Tensor, step: int = 0) -> Tensor:
        """Key views ``[V, n, C, H, W]`` of this rank → keys ``[M, V, N, D]`` of all ranks.

        One pass a view, as in the 2021 code: batch-norm statistics are those of one kind of view.
        """
        if ranks.count() == 1:
            return torch.stack([self.key(view) for view in views], dim=1)
        samples = ranks.count() * views.shape[1]
        order, back = ranks.shuffle(samples, seed=self.seed, step=step, device=views.device)
        return torch.stack([self._encode_mixed(view, order, back) for view in views], dim=1)

    def compare(self, query: Tensor, keys: Tensor) -> ContrastOutput:
        """Loss of queries ``[M, n, D]`` of this rank among the keys ``[M, V, N, D]`` of all ranks."""
        own = ranks.own_share(query.shape[1])
        losses, accuracies = [], []
        for cosines in contrast(query, keys, self.queue.keys, own=own, batch_negatives=self.batch_negatives):
            logits = cosines / self.temperature
            losses.append(F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.int64)))
            # A tie is no win: an encoder that maps everything to one point must not look perfect.
            accuracies.append((logits[:, :1] > logits[:, 1:]).all(dim=1).float().mean())
        pushed = torch.stack([keys[i, i] for i in range(len(keys))])
        return ContrastOutput(torch.stack(losses).sum(), torch.stack(accuracies).detach(), pushed)

    def _encode_mixed(self, view: Tensor, order: Tensor, back: Tensor) -> Tensor:
        """Keys ``[M, N, D]`` of one view of all ranks, mixed in an ``order`` that ``back`` undoes.

        Each rank encodes a mixture of all ranks' samples: batch-norm statistics would give a key's own batch away (He et
        al. 2020, section 3.3).
        """
        mine = ranks.gather(view)[order[ranks.own_share(len(view))]].contiguous(memory_format=torch.channels_last)
        return ranks.gather(self.key(mine).transpose(0, 1))[back].transpose(0, 1)

    @torch.no_grad()
    def update_key_encoder(self) -> None:
        """θ' ← m θ' + (1 - m) θ; call before the keys of a step are computed."""
        keys: list[Tensor] = list(self.key.parameters())
        queries: list[Tensor] = list(self.query.parameters())
        torch._foreach_lerp_(keys, queries, 1 - self.momentum)

    def push_keys(self, keys: Tensor) -> None:
        """Feed the queue with each sub-space's keys ``[M, N, D]``; call after the logits of a step."""
        self.queue.push(keys)


def contrast(
    query: Tensor, keys: Tensor, queue: Tensor, *, own: slice = slice(None), batch_negatives: bool = False
) -> list[Tensor]:
    """Cosines of every sub-space, the positive first.

    Negatives are the queue and, in every sub-space but the first, the other key views of every sample of the batch,
    the query's own location included. The batch is that of all ranks.

    Args:
        query: ``[M, n, D]`` unit vectors of this rank's samples in each sub-space.
        keys: ``[M, V, N, D]`` unit vectors of all key views of all ranks' samples; view i is sub-space i's positive.
        queue: ``[M, K, D]`` unit vectors.
        own: Where this rank's samples are among the N.
        batch_negatives: The positives of the other samples are negatives too.

    Returns:
        ``[n, 1 + K]`` for sub-space 0, ``[n, 1 + K + (V - 1) N]`` for the others, N more with ``batch_negatives`` (the
        sample's own is -inf there), float32.
    """
    with torch.autocast(query.device.type, enabled=False):
        queued = query @ queue.mT  # all sub-spaces in one product
        batch = (query @ keys.flatten(1, 2).mT).view(*query.shape[:2], *keys.shape[1:3])  # [M, n, V, N]
        cosines = []
        for i, of_view in enumerate(batch.transpose(1, 2)):
            parts = [of_view[i][:, own].diagonal()[:, None], queued[i]]
            if i > 0:
                parts += [others for j, others in enumerate(of_view) if j != i]
            if batch_negatives:
                others = of_view[i].clone()
                others[:, own].fill_diagonal_(-torch.inf)
                parts.append(others)
            cosines.append(torch.cat(parts, dim=1))
        return cosines
