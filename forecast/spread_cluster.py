"""Batches of members over the workers of a dask cluster; this process writes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from distributed import CancelledError, Client, KilledWorker

from data_pipeline.errors import SphercastError
from forecast.devices import choose_device
from forecast.ensemble import Advance
from forecast.rollout import InitialState, rollout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from forecast.ensemble import Ensemble
    from forecast.forecaster import Forecaster
    from forecast.guards import Stop

_SECONDS = 30
"""To wait for a scheduler, and for its first worker."""


class _State(NamedTuple):
    """A batch after a step: (member, channel, latitude, longitude)."""

    states: NDArray[np.float32]
    stopped: Mapping[int, Stop]


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of the scheduler at ``address``.

    Raises
    ------
    SphercastError
        If it cannot be reached, has no worker, or loses them.
    """
    try:
        client: Any = Client(address, timeout=_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:
        raise SphercastError(
            f"no dask scheduler answers at {address!r}; start one with 'dask scheduler', or mend --scheduler"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_SECONDS)
            yield client
        except TimeoutError as error:
            raise SphercastError(
                f"the dask scheduler at {address} has no workers; start some with 'dask worker {address}'"
            ) from error
        except (CancelledError, KilledWorker) as error:
            raise SphercastError(
                f"the dask cluster at {address} lost its scheduler, or the workers of a step again and again; look at "
                "their logs, mend it, and run the same command to go on"
            ) from error


def workers(client: Any) -> int:
    """How many there are."""
    return len(client.nthreads())


def over_cluster(ensemble: Ensemble, client: Any) -> Iterator[Advance]:
    """Compute all advances that are still to come, in order, on the cluster: a future for each."""
    forecaster = client.scatter(ensemble.forecaster.to("cpu"), broadcast=True)
    chains: dict[int, _Chain] = {}
    for turn in ensemble.plan.turns(ensemble.computed):
        if turn.batch not in chains:
            together = ensemble.plan.together(turn.batch)
            chains = {batch: _Chain(ensemble, batch, client, forecaster) for batch in together}
        chain = chains[turn.batch]
        state: _State = chain.under_way.result()
        yield Advance(turn, ensemble.plan.batches[turn.batch], state.states, state.stopped)
        chain.go_on()


class _Chain:
    """The steps of a batch; the next one is begun when the one before is kept, so that a kill costs one."""

    def __init__(self, ensemble: Ensemble, batch: int, client: Any, forecaster: Any) -> None:
        self._ensemble, self._batch, self._client, self._forecaster = ensemble, batch, client, forecaster
        start = ensemble.start(batch)
        states = [_State(state.cpu().numpy(), start.stopped) for state in start.states[:2]]
        self._last_two = client.scatter(states, hash=False)
        self._step = start.step
        self._submit()

    def go_on(self) -> None:
        """Begin the next step, if there is one."""
        self._last_two = [self._last_two[1], self.under_way]
        self._step += 1
        self._submit()

    def _submit(self) -> None:
        ensemble = self._ensemble
        if self._step > ensemble.plan.steps:
            return
        self.under_way = self._client.submit(
            _advance, self._forecaster, *self._last_two, ensemble.initial.time, ensemble.plan.batches[self._batch],
            step=self._step, seed=ensemble.seed, antithetic=ensemble.antithetic, pure=False,
        )  # fmt: skip


def _advance(
    forecaster: Forecaster, before: _State, now: _State, time: np.datetime64, members: range, *, step: int, seed: int,
    antithetic: bool,
) -> _State:  # fmt: skip
    """One step, on a worker; arrays that came over the network may not be written, so they are copied."""
    states = InitialState(torch.tensor(before.states), torch.tensor(now.states), time)
    forecast = next(
        rollout(
            forecaster.to(choose_device()), states, members=members, steps=step, seed=seed, first_step=step,
            antithetic=antithetic, stopped=now.stopped,
        )
    )  # fmt: skip
    return _State(forecast.states.cpu().numpy(), forecast.stopped)
