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
from forecast.ensemble import Advance, Ensemble
from forecast.guards import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from forecast.batches import Turn
    from forecast.forecaster import Forecaster
    from forecast.job import Job
    from forecast.rollout import Forecast

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
    number = distributed.get_rank()
    try:
        yield number
        if number == 0:
            _broadcast(None)
    except RuntimeError as error:  # gloo has no kinds of errors
        raise SphercastError(
            f"process {number} of torchrun lost another ({' '.join(str(error).split())[:100]}); look at what that one "
            "said, mend it, and run the same command to go on"
        ) from error
    finally:
        distributed.destroy_process_group()


def over_processes(ensemble: Ensemble) -> Iterator[Advance]:
    """Compute all advances that are still to come, in order, in all processes; for process 0."""
    _broadcast({
        "batches": ensemble.plan.to_json(), "steps": ensemble.plan.steps, "committed": ensemble.committed,
        "initial_sha256": ensemble.initial.sha256(),
    })  # fmt: skip
    batches = ensemble.plan.batches
    for turn, forecast in _turns(ensemble):
        members = batches[turn.batch]
        states, stopped = (forecast.states.cpu(), forecast.stopped) if forecast else _received(ensemble, turn, members)
        yield Advance(turn, members, states.numpy(), stopped)


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
        ensemble = Ensemble(forecaster, job.initial, plan, job.seed, job.antithetic, work, asked["committed"])
        _send_own(ensemble)


def _send_own(ensemble: Ensemble) -> None:
    """While one step is sent, the next is computed."""
    under_way: list[tuple[Any, Tensor]] = []
    for turn, forecast in _turns(ensemble):
        if forecast is None:
            continue
        _wait(under_way)
        members = ensemble.plan.batches[turn.batch]
        tensors = (forecast.states.cpu().contiguous(), _packed(forecast.stopped, members))
        under_way = [(distributed.isend(tensor, 0), tensor) for tensor in tensors]
    _wait(under_way)


def _turns(ensemble: Ensemble) -> Iterator[tuple[Turn, Forecast | None]]:
    """All turns in order, with the forecasts of this process's batches and None for those of others."""
    own: dict[int, Iterator[Forecast]] = {}
    for turn in ensemble.plan.turns(ensemble.committed):
        if turn.batch % distributed.get_world_size() != distributed.get_rank():
            yield turn, None
            continue
        if turn.batch not in own:
            own[turn.batch] = ensemble.rollout(turn.batch)
        yield turn, next(own[turn.batch])
        if turn.step == ensemble.plan.steps:
            del own[turn.batch]


def _received(ensemble: Ensemble, turn: Turn, members: Sequence[int]) -> tuple[Tensor, dict[int, Stop]]:
    sender = turn.batch % distributed.get_world_size()
    states = torch.empty((len(members), len(ensemble.forecaster.channels), *ensemble.forecaster.grid.shape))
    packed = torch.empty(_BYTES_OF_A_STOP * len(members), dtype=torch.uint8)
    distributed.recv(states, sender)
    distributed.recv(packed, sender)
    return states, _unpacked(packed)


def _packed(stopped: Mapping[int, Stop], members: Sequence[int]) -> Tensor:
    """As text in a tensor of a size that the receiver knows."""
    text = json.dumps([stop.to_json() for stop in stopped.values()]).encode()
    return torch.from_numpy(np.frombuffer(text.ljust(_BYTES_OF_A_STOP * len(members), b"\0"), np.uint8).copy())


def _unpacked(packed: Tensor) -> dict[int, Stop]:
    stops = [Stop.of_json(values) for values in json.loads(packed.numpy().tobytes().rstrip(b"\0"))]
    return {stop.member: stop for stop in stops}


def _wait(under_way: Sequence[tuple[Any, Tensor]]) -> None:
    for work, _ in under_way:
        work.wait()


def _broadcast(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """What process 0 says to all."""
    said = [value]
    distributed.broadcast_object_list(said, src=0)
    return said[0]
