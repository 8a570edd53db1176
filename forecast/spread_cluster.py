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
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from forecast.ensemble import Ensemble
    from forecast.forecaster import Forecaster
    from forecast.guards import Stop
    from forecast.stepping import Stepping

_SECONDS = 30
"""To wait for a scheduler, and for its first worker."""


class _State(NamedTuple):
    """A batch at one output: (member, channel, latitude, longitude)."""

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
        chain.go_on(state.stopped)


class _Chain:
    """The steps of a batch; the next one is begun when the one before is kept, so that a kill costs one."""

    def __init__(self, ensemble: Ensemble, batch: int, client: Any, forecaster: Any) -> None:
        self._ensemble, self._batch, self._client, self._forecaster = ensemble, batch, client, forecaster
        start = ensemble.start(batch)
        states = [_State(state.cpu().numpy(), start.stopped) for state in start.states.states]
        numbers = ensemble.stepping.needed(start.step - 1)
        self._held = dict(zip(numbers, client.scatter(states, hash=False), strict=True))
        self._step = start.step
        self._submit(start.stopped)

    def go_on(self, stopped: Mapping[int, Stop]) -> None:
        """Begin the next step, if there is one."""
        held = {**self._held, self._step: self.under_way}
        self._held = {number: held[number] for number in self._ensemble.stepping.needed(self._step)}
        self._step += 1
        self._submit(stopped)

    def _submit(self, stopped: Mapping[int, Stop]) -> None:
        ensemble = self._ensemble
        if self._step > ensemble.plan.steps:
            return
        self.under_way = self._client.submit(
            _advance, self._forecaster, list(self._held.values()), ensemble.initial.time,
            ensemble.plan.batches[self._batch], ensemble.stepping, stopped, step=self._step, seed=ensemble.seed,
            antithetic=ensemble.antithetic, pure=False,
        )  # fmt: skip


def _advance(
    forecaster: Forecaster, held: Sequence[_State], time: np.datetime64, members: range, stepping: Stepping,
    stopped: Mapping[int, Stop], *, step: int, seed: int, antithetic: bool,
) -> _State:  # fmt: skip
    """One output, on a worker; arrays that came over the network may not be written, so they are copied."""
    states = InitialState.at(time, [torch.tensor(state.states) for state in held])
    forecast = next(
        rollout(
            forecaster.to(choose_device()), states, members=members, steps=step, seed=seed, stepping=stepping,
            first_step=step, antithetic=antithetic, stopped=stopped,
        )
    )  # fmt: skip
    return _State(forecast.states.cpu().numpy(), forecast.stopped)
