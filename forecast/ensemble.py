"""An ensemble on its way: its members in batches, computed here, each from where it was left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from forecast.restart import read_state
from forecast.rollout import InitialState, rollout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from forecast.batches import Plan, Turn
    from forecast.forecaster import Forecaster
    from forecast.guards import Stop
    from forecast.initial import InitialEnsemble
    from forecast.rollout import Forecast
    from forecast.stepping import Stepping


class Advance(NamedTuple):
    """One output of one batch: ``states`` (member, channel, latitude, longitude), NaN for the members ``stopped``."""

    turn: Turn
    members: range
    states: NDArray[np.float32]
    stopped: Mapping[int, Stop]


class Start(NamedTuple):
    """Where a batch goes on: its states, the output that comes next, and the members stopped before."""

    states: InitialState
    step: int
    stopped: Mapping[int, Stop]


@dataclass(frozen=True)
class Ensemble:
    """What is to be computed; the first ``computed`` advances are done, with states in the folder ``work``.

    A member depends on the forecaster, its initial state, the seed and its number, whoever computes it.
    """

    forecaster: Forecaster
    initial: InitialEnsemble
    stepping: Stepping
    plan: Plan
    seed: int
    antithetic: bool
    work: Path
    computed: int = 0

    def start(self, batch: int) -> Start:
        """Where the batch at position ``batch`` goes on; a DataError if its states cannot be read."""
        members, done = self.plan.batches[batch], self.plan.steps_done(self.computed)[batch]
        needed = self.stepping.needed(done)
        kept = {number: read_state(self.work, batch, number) for number in {*needed, done} if number > 0}
        states = {number: state for number, (state, _) in kept.items()}
        if min(needed) <= 0:
            states |= self.initial.of(members).numbered(self.stepping.needed(0))
        stopped = kept[done][1] if done else {}
        return Start(InitialState.at(self.initial.time, [states[number] for number in needed]), done + 1, stopped)

    def kept(self, turn: Turn) -> Advance:
        """One of the last two advances of a batch that are done; a DataError if its states cannot be read."""
        states, stopped = read_state(self.work, turn.batch, turn.step)
        return Advance(turn, self.plan.batches[turn.batch], states.numpy(), stopped)

    def rollout(self, batch: int) -> Iterator[Forecast]:
        """The steps of a batch that are still to be computed."""
        start = self.start(batch)
        return rollout(
            self.forecaster, start.states, members=self.plan.batches[batch], steps=self.plan.steps, seed=self.seed,
            stepping=self.stepping, first_step=start.step, antithetic=self.antithetic, stopped=start.stopped,
        )  # fmt: skip


class Batches:
    """The batches of an ensemble that are computed in this process, each from where it was left."""

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble
        self._under_way: dict[int, Iterator[Forecast]] = {}

    def advance(self, turn: Turn) -> Advance:
        """The next step of a batch, which must be that of ``turn``."""
        if turn.batch not in self._under_way:
            self._under_way[turn.batch] = self._ensemble.rollout(turn.batch)
        forecast = next(self._under_way[turn.batch])
        if turn.step == self._ensemble.plan.steps:
            del self._under_way[turn.batch]
        members = self._ensemble.plan.batches[turn.batch]
        return Advance(turn, members, forecast.states.cpu().numpy(), forecast.stopped)


def here(ensemble: Ensemble) -> Iterator[Advance]:
    """Compute all advances that are still to come, in order, in this process."""
    batches = Batches(ensemble)
    return map(batches.advance, ensemble.plan.turns(ensemble.computed))
