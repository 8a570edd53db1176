"""Training over the processes that torchrun started: which rows are whose, and what is the same in all of them.

Every process has the same weights, or its share of them, and learns from its rows of each batch. Gradients are averaged
by DistributedDataParallel, or by FSDP2 where the weights are sharded, so that the step is that of the whole batch.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, ParamSpec

import torch
from torch import Tensor, distributed, nn
from torch.distributed import PrefixStore  # type: ignore[attr-defined]
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.rendezvous import rendezvous
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from data_pipeline.errors import ConfigError, SphercastError
from forecast.devices import choose_device
from forecast.networks.transformer import TransformerBlock
from forecast.networks.unet import ResidualBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

P = ParamSpec("P")

_PATIENCE = timedelta(days=7)
"""Torchrun ends all processes when one of them fails, so that none waits in vain."""


@dataclass(frozen=True)
class World:
    """All processes of a training, and the number ``rank`` of this one. Number 0 writes and speaks for all."""

    rank: int = 0
    size: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def rows(self, count: int) -> range:
        """Of ``count`` rows those of this process.

        >>> [World(rank, 3).rows(7) for rank in range(3)]
        [range(0, 2), range(2, 4), range(4, 7)]
        """
        return range(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def sum(self, value: Tensor) -> Tensor:
        """Of the values of all processes; each must ask."""
        if self.size > 1:
            value = value.clone()
            distributed.all_reduce(value)
        return value

    def wait(self) -> None:
        """Until all processes have come here."""
        self.sum(torch.zeros(()))

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Process 0 does it before the others begin: these find what it made."""
        if not self.writes:
            self.wait()
        yield
        if self.writes:
            self.wait()


ALONE = World()


@contextmanager
def joined() -> Iterator[World]:
    """The processes of torchrun together (gloo between CPUs, nccl between GPUs); without torchrun this one alone.

    Raises
    ------
    SphercastError
        If another process failed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    world = _join()
    try:
        yield world
    except RuntimeError as error:
        if not _is_lost(error):
            raise
        raise SphercastError(
            f"process {world.rank} of torchrun lost another ({' '.join(str(error).split())[:100]}); look at what that "
            "one said, mend it, and run the same command to go on"
        ) from error
    finally:
        distributed.destroy_process_group()


def _join() -> World:
    """Addresses are told under the number of the attempt: those of processes that torchrun has restarted are stale."""
    store, rank, size = next(rendezvous("env://"))
    attempt = PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, store=attempt, rank=rank, world_size=size, timeout=_PATIENCE)
    return World(rank, size)


def _is_lost(error: RuntimeError) -> bool:
    """Whether a connection was closed; gloo has no kinds of errors."""
    return isinstance(error, distributed.DistError) or "gloo" in str(error)


def choose_own_device(asked: str, world: World) -> torch.device:
    """The device ``asked`` for, ``auto`` for the GPU if there is one; of several processes, each has its own GPU.

    Raises
    ------
    ConfigError
        If there is no such device, or fewer GPUs than processes.
    """
    device = torch.device(choose_device(None if asked == "auto" else asked))
    if world.size == 1 or device.type == "cpu":
        return device
    here, number = (int(os.environ[name]) for name in ("LOCAL_WORLD_SIZE", "LOCAL_RANK"))
    count = torch.cuda.device_count() if asked in {"auto", "cuda"} else 1
    if here > count:
        raise ConfigError(
            f"got {here} processes for device {asked}, expected one for each GPU, {count} at most; start fewer, or set "
            "training.device to cuda or cpu"
        )
    device = torch.device("cuda", number) if asked in {"auto", "cuda"} else device
    torch.cuda.set_device(device)
    return device


def shard(network: nn.Module) -> None:
    """Leave of every weight only this process's share; blocks fetch the rest while they compute (FSDP2).

    FSDP2 takes no weights in channels-last layout. Root and blocks let go of fetched weights after each forward pass,
    because a rollout makes many, and a validation makes no backward pass.
    """
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    mesh = init_device_mesh(next(network.parameters()).device.type, (distributed.get_world_size(),))
    for module in list(network.modules()):
        if isinstance(module, (ResidualBlock, TransformerBlock)):
            fully_shard(module, mesh=mesh, reshard_after_forward=True)
    fully_shard(network, mesh=mesh, reshard_after_forward=True)


def averaging(module: nn.Module, loss: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """``loss``, whose backward pass averages the gradients of ``module`` over the processes.

    DistributedDataParallel knows one forward pass for each backward pass. A rollout calls the network many times, so
    what it wraps is the whole loss: every weight then has its gradient once, however often it was used. Gradients are
    averaged after each part of an accumulated batch, while the rest of that part's backward pass still runs.
    """
    return DistributedDataParallel(_Loss(module, loss))


class _Loss(nn.Module, Generic[P]):
    def __init__(self, module: nn.Module, loss: Callable[P, Tensor]) -> None:
        super().__init__()
        self.module, self.loss = module, loss

    def forward(self, *args: P.args, **kwargs: P.kwargs) -> Tensor:
        return self.loss(*args, **kwargs)


def whole(value: Tensor) -> Tensor:
    """All shares of a sharded tensor together, in every process, each of which must ask; another as it is."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def gathered(tensors: Mapping[str, Tensor], world: World) -> dict[str, Tensor]:
    """The whole tensors in process 0, in the CPU's memory where they were sharded; nothing in the others."""
    found = {}
    for name, value in tensors.items():
        complete = value.full_tensor().cpu() if isinstance(value, DTensor) else value
        if world.writes:
            found[name] = complete
    return found


def shared_like(value: Tensor, like: Tensor | None) -> Tensor:
    """This process's share of a whole tensor, if ``like`` is sharded."""
    if not isinstance(like, DTensor):
        return value
    value = value.to(like.device)
    return distribute_tensor(value, like.device_mesh, like.placements, src_data_rank=None)
