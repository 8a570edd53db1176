"""Batches of members over the processes that torchrun started, on one machine or several; one of them writes.

States travel through the CPUs (gloo), also between GPUs, since they go to a file. All processes read the initial data
and the work folder, so these must be on a disk that all of them see.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import distributed

from data_pipeline.errors import DataError, SphercastError
from forecast.batches import Plan
from forecast.ensemble import Advance, Batches, Ensemble
from forecast.guards import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from forecast.batches import Turn
    from forecast.forecaster import Forecaster
    from forecast.job import Job

_PATIENCE = timedelta(days=7)
"""Torchrun ends all processes when one of them fails, so that none waits in vain."""
_BYTES_OF_A_STOP = 1024


def processes() -> int:
    """How many torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def joined() -> Iterator[int]:
    """The processes together; the number of this one. Number 0 writes and lets the others go at the end.

    Raises
    ------
    SphercastError
        If another process failed.
    """
    distributed.init_process_group("gloo", timeout=_PATIENCE)
    try:
        yield distributed.get_rank()
        if distributed.get_rank() == 0:
            _broadcast(None)
    finally:
        distributed.destroy_process_group()


def over_processes(ensemble: Ensemble) -> Iterator[Advance]:
    """Compute all advances that are still to come, in order, in all processes; for process 0."""
    _broadcast({
        "batches": ensemble.plan.to_json(), "steps": ensemble.plan.steps, "computed": ensemble.computed,
        "initial_sha256": ensemble.initial.sha256(),
    })  # fmt: skip
    batches = Batches(ensemble)
    for turn in ensemble.plan.turns(ensemble.computed):
        yield batches.advance(turn) if _sender(turn) == 0 else _received(ensemble, turn)


def help_out(job: Job, forecaster: Forecaster, work: Path) -> None:
    """Compute this process's batches and send them to process 0, until it lets go; for the other processes.

    Raises
    ------
    DataError
        If this process sees other initial data than process 0.
    """
    while (asked := _broadcast(None)) is not None:
        if asked["initial_sha256"] != job.initial.sha256():
            raise DataError("got other initial data than process 0 of torchrun; give all of them the same, or one disk")
        plan = Plan.of_json(asked["batches"], asked["steps"])
        ensemble = Ensemble(
            forecaster, job.initial, job.walk(forecaster), plan, job.seed, job.antithetic, work, asked["computed"]
        )
        _send_own(ensemble)


def _send_own(ensemble: Ensemble) -> None:
    """The next step of a batch is begun when process 0 has taken the one before, so that a kill costs one."""
    batches = Batches(ensemble)
    sending: dict[int, list[tuple[Any, Tensor]]] = {}
    for turn in ensemble.plan.turns(ensemble.computed):
        if _sender(turn) == distributed.get_rank():
            _wait(sending.pop(turn.batch, ()))
            _, members, states, stopped = batches.advance(turn)
            tensors = torch.from_numpy(np.ascontiguousarray(states)), _packed(stopped, members)
            with _losing_none():
                sending[turn.batch] = [(distributed.isend(tensor, 0), tensor) for tensor in tensors]
    for last in sending.values():
        _wait(last)


def _sender(turn: Turn) -> int:
    """The number of the process that computes it."""
    return int(turn.batch % distributed.get_world_size())


def _received(ensemble: Ensemble, turn: Turn) -> Advance:
    members, shape = ensemble.plan.batches[turn.batch], ensemble.forecaster.grid.shape
    states = torch.empty((len(members), len(ensemble.forecaster.channels), *shape))
    packed = torch.empty(_BYTES_OF_A_STOP * len(members), dtype=torch.uint8)
    with _losing_none():
        for tensor in (states, packed):
            distributed.recv(tensor, _sender(turn))
    return Advance(turn, members, states.numpy(), _unpacked(packed))


def _packed(stopped: Mapping[int, Stop], members: Sequence[int]) -> Tensor:
    """As text in a tensor of a size that the receiver knows."""
    text = json.dumps([stop.to_json() for stop in stopped.values()]).encode()
    return torch.from_numpy(np.frombuffer(text.ljust(_BYTES_OF_A_STOP * len(members), b"\0"), np.uint8).copy())


def _unpacked(packed: Tensor) -> dict[int, Stop]:
    stops = [Stop.of_json(values) for values in json.loads(packed.numpy().tobytes().rstrip(b"\0"))]
    return {stop.member: stop for stop in stops}


def _wait(sending: Sequence[tuple[Any, Tensor]]) -> None:
    with _losing_none():
        for work, _ in sending:
            work.wait()


def _broadcast(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """What process 0 says to all."""
    said = [value]
    with _losing_none():
        distributed.broadcast_object_list(said, src=0)
    return said[0]


@contextmanager
def _losing_none() -> Iterator[None]:
    """Around all that is said between processes."""
    try:
        yield
    except RuntimeError as error:  # gloo has no kinds of errors
        raise SphercastError(
            f"process {distributed.get_rank()} of torchrun lost another ({' '.join(str(error).split())[:100]}); look "
            "at what that one said, mend it, and run the same command to go on"
        ) from error
