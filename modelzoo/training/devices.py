"""Where a run computes: one process on this machine's processor or GPU, or several started by `torchrun`.

Several processes take different batches of the same step, average their gradients and so hold the same weights all the
time. Batch-norm statistics are those of the first process, whose weights are the ones that are written.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class Devices:
    """This process among `world` others; `rank` 0 writes and reports."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[object]:
        """bfloat16 on a GPU. On a processor without matrix units for it float32 is ten times faster."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda")

    def average_gradients(self, model: nn.Module) -> None:
        """Every gradient becomes the mean over the processes, in one message."""
        if self.world == 1:
            return
        used = [parameter for parameter in model.parameters() if parameter.requires_grad]
        gradients: list[Tensor] = [p.grad if p.grad is not None else torch.zeros_like(p) for p in used]
        message = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(message)
        message /= self.world
        for parameter, mean in zip(used, message.split([p.numel() for p in used]), strict=True):
            parameter.grad = mean.view_as(parameter)

    def of_first(self, value: float) -> float:
        """The first process's value, for everybody."""
        if self.world == 1:
            return value
        said = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.broadcast(said, src=0)
        return float(said)

    def leave(self) -> None:
        """Wait for the others, then part."""
        if self.world > 1:
            distributed.barrier()
            distributed.destroy_process_group()


def gpus_here() -> int:
    """GPUs that torch can use on this machine."""
    return torch.cuda.device_count()


def join() -> Devices:
    """The device of this process: a GPU where there is one. Joins the others when `torchrun` started it."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if world > 1:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Devices(device, rank, world)
