"""The processes of one run: how many there are, and what they exchange."""

import logging
import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from lightning.fabric import Fabric
from lightning.fabric.strategies import DDPStrategy
from torch import Tensor

from seco.device import resolve_device
from seco.ops.random import permutation
from seco.pretrain.config import PRECISIONS


def launch(device: str, precision: str) -> Any:  # noqa: ANN401 - lightning publishes types that strict mypy refuses
    """Join the processes that torchrun or srun started, or stand alone; on a GPU, set up cuDNN for this process.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: ``fp32`` or ``bf16``.

    Raises:
        DeviceError: If there is no GPU where one is asked for.
    """
    for chatty in ("lightning.fabric", "lightning.pytorch", "lightning_utilities"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    device = resolve_device(device)
    if device == "cuda":
        # Views have one size: the fastest convolution for it is worth looking for.
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = precision != "fp32"
    ranks, nodes = started_with()
    # Queues are alike on all ranks, and batch-norm statistics are not used in training: there is nothing to broadcast.
    strategy = DDPStrategy(broadcast_buffers=False) if ranks > 1 else "auto"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fabric = Fabric(
            accelerator=device,
            devices=ranks // nodes,
            num_nodes=nodes,
            strategy=strategy,
            precision=PRECISIONS[precision].fabric,
        )
        fabric.launch()
    return fabric


def leave() -> None:
    """Part from the other processes; threads that still serve them when Python ends would abort the process."""
    if dist.is_initialized():
        dist.destroy_process_group()


def started_with() -> tuple[int, int]:
    """Processes and nodes that torchrun or srun says there are.

    A batch script of SLURM that calls no srun is one process, whatever it has reserved; so only a step's variables count.
    """
    if "LOCAL_WORLD_SIZE" in os.environ:
        ranks = int(os.environ["WORLD_SIZE"])
        return ranks, ranks // int(os.environ["LOCAL_WORLD_SIZE"])
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")), int(os.environ.get("SLURM_STEP_NUM_NODES", "1"))


def count() -> int:
    """Number of ranks."""
    return dist.get_world_size() if dist.is_initialized() else 1


def own() -> int:
    """Number of this rank, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def own_share(samples: int) -> slice:
    """Where this rank's ``samples`` are among those of all ranks."""
    return slice(own() * samples, (own() + 1) * samples)


def gather(tensor: Tensor) -> Tensor:
    """``[N, …]`` of every rank, in their order: ``[ranks × N, …]``, without gradients."""
    if count() == 1:
        return tensor
    parts = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(count())]
    dist.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)


def shuffle(samples: int, *, seed: int, step: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """An order of all ranks' samples that all ranks draw alike, and the order that undoes it: int64 ``[samples]``."""
    order = permutation(samples, seed=seed, epoch=step)
    both = torch.from_numpy(np.stack([order, np.argsort(order)]))
    if device.type == "cuda":  # a copy of other memory would wait for all that the GPU has to do
        both = both.pin_memory()
    order_there, back = both.to(device, non_blocking=True)
    return order_there, back


def seed_step(seed: int, step: int) -> None:
    """Have what a backbone draws by itself, such as dropout, depend on seed, step and rank alone."""
    torch.manual_seed(int(np.random.SeedSequence((seed, step, own())).generate_state(1, np.uint64)[0]))


def union(own: Mapping[str, str]) -> dict[str, str]:
    """What all ranks know by name."""
    parts: list[Any] = [own] * count()
    if count() > 1:
        dist.all_gather_object(parts, own)
    return {name: known for part in parts for name, known in part.items()}


def any_of(flag: bool) -> bool:
    """Whether the flag is set on some rank."""
    if count() == 1:
        return flag
    # On the GPU where NCCL needs it there.
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    flags = torch.tensor(int(flag), device=device)
    dist.all_reduce(flags, op=dist.ReduceOp.MAX)
    return bool(flags.item())
