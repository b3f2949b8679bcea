"""Where a training computes: one process on whatever device there is, or several started by torch's own launcher.

Lightning Fabric moves, casts and synchronises; what it leaves open is settled here: how many processes there are, which
precision gains anything, and batch normalisation over all processes' pictures, which makes the outcome independent of
how many processes share a batch.
"""

import logging
import os
import warnings
from typing import Any

import torch
import torch.distributed
from lightning_fabric import Fabric
from torch import nn


def start(precision: str) -> Fabric:
    """The device and processes that this program was started with (`torchrun` says so in the environment).

    `precision` is a recipe's; `auto` is bfloat16 where the GPU or CPU has instructions for it, float16 on older GPUs
    and full on older CPUs, which emulate bfloat16 many times slower.
    """
    processes, local = (int(os.environ.get(name, "1")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hints about tensor cores and launchers, for people who write training loops
        fabric = Fabric(
            devices=local,
            num_nodes=max(1, processes // local),
            strategy="ddp" if processes > 1 else "auto",
            precision=_precision(precision),  # type: ignore[arg-type]
        )
        fabric.launch()
    return fabric


def _precision(asked: str) -> str:
    if asked != "auto":
        return asked
    if not torch.cuda.is_available():
        able = torch.cpu.get_capabilities()
        return "bf16-mixed" if able.get("avx512_bf16") or able.get("amx_bf16") else "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"


def shared_normalisation(network: nn.Module, fabric: Fabric) -> nn.Module:
    """Let batch normalisation see the pictures of all processes; the network as it is when there is one process."""
    if fabric.world_size == 1:
        return network
    from timm.layers.norm_act import (
        BatchNormAct2d,
        convert_sync_batchnorm,
    )  # after the network, which mends torchvision

    if fabric.device.type == "cuda":
        shared: nn.Module = convert_sync_batchnorm(network)
        return shared
    kinds: dict[type[nn.Module], type[nn.Module]] = {
        nn.BatchNorm2d: _SharedBatchNorm,
        BatchNormAct2d: _SharedBatchNormAct,
    }
    for module in network.modules():
        module.__class__ = kinds.get(type(module), type(module))
    return network


class _Sum(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(context: Any, values: torch.Tensor) -> torch.Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


class _SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation over all processes on CPUs, for which torch has none (Ioffe 2015)."""

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(planes)
        count = torch.full((1,), planes.numel() / planes.shape[1], dtype=torch.float64)
        sums = [power.sum((0, 2, 3), dtype=torch.float64) for power in (planes, planes**2)]
        total: torch.Tensor = _Sum.apply(torch.cat([*sums, count]))
        mean, square = (part / total[-1] for part in total[:-1].chunk(2))
        variance = square - mean**2
        self._remember(mean, variance * total[-1] / (total[-1] - 1))
        scale = self.weight / torch.sqrt(variance + self.eps)
        offset = self.bias - mean * scale
        return planes * _planar(scale, planes) + _planar(offset, planes)

    @torch.no_grad()
    def _remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        kept: Any = self
        kept.num_batches_tracked += 1
        kept.running_mean.lerp_(mean.to(kept.running_mean), self.momentum or 0.1)
        kept.running_var.lerp_(variance.to(kept.running_var), self.momentum or 0.1)


class _SharedBatchNormAct(_SharedBatchNorm):
    """That, and what timm's encoders do after it in the same layer."""

    drop: nn.Module
    act: nn.Module

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        activated: torch.Tensor = self.act(self.drop(super().forward(planes)))
        return activated


def _planar(values: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
    return values.to(planes.dtype)[None, :, None, None]
