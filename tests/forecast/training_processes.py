"""Trainings in two processes, which are new but have the packages loaded."""

from __future__ import annotations

import os
import socket
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from forecast.config import load_experiment
from forecast.training import loop
from forecast.training.distributed import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE = 2


class Pair:
    """Two processes that train together, as torchrun would start them."""

    def __init__(self) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload(["tests.forecast.training_processes"])
        self._pools = [ProcessPoolExecutor(1, mp_context=context) for _ in range(SIZE)]  # torch remembers its rank

    def train(self, *configs: Path, poisoned: int | None = None) -> list[BaseException | None]:
        """One training after the other; what each process failed with."""
        port = _free_port()
        futures = [
            pool.submit(_train_as, rank, port, configs, rank == poisoned) for rank, pool in enumerate(self._pools)
        ]
        return [future.exception(timeout=300) for future in futures]

    def close(self) -> None:
        """End the processes."""
        for pool in self._pools:
            pool.shutdown()


def _train_as(rank: int, port: int, configs: Sequence[Path], poisoned: bool) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": SIZE, "LOCAL_WORLD_SIZE": SIZE, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()}, MASTER_ADDR="127.0.0.1")
    whole = loop.denoising_loss
    if poisoned:
        loop.denoising_loss = lambda *words: whole(*words) * float("nan")
    try:
        with joined() as world:
            for config in configs:
                loop.train(load_experiment(config), progress=False, world=world)
    finally:
        loop.denoising_loss = whole


def _free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def child_of_torchrun(launcher: int, rank: int) -> int | None:
    """The id of the process with this rank, once there is one (Linux)."""
    for child in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
        if f"RANK={rank}".encode() in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
            return int(child)
    return None
