"""The rollout: a generator of states that knows nothing of files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import torch

from forecast.guards import Stop, find_stops
from forecast.noise import member_generator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from torch import Tensor

    from forecast.forecaster import Forecaster


class InitialState(NamedTuple):
    """Two physical states one step apart, and the valid time of the later one.

    Each is (channel, latitude, longitude), the same for all members, or (member, channel, latitude, longitude).
    """

    previous: Tensor
    current: Tensor
    time: np.datetime64

    def of(self, members: Sequence[int]) -> InitialState:
        """The same state for each of ``members``."""
        previous, current = (state.expand(len(members), *state.shape) for state in self[:2])
        return InitialState(previous, current, self.time)

    def sha256(self) -> str:
        """Of the two states and their time."""
        digest = hashlib.sha256(str(self.time).encode())
        for state in self[:2]:
            digest.update(state.contiguous().cpu().numpy().data)
        return digest.hexdigest()


class Forecast(NamedTuple):
    """States (member, channel, latitude, longitude) at one valid time, NaN for the members that were ``stopped``."""

    time: np.datetime64
    states: Tensor
    stopped: Mapping[int, Stop]


def rollout(
    forecaster: Forecaster, initial: InitialState, *, members: Sequence[int], steps: int, seed: int,
    first_step: int = 1, antithetic: bool = False, stopped: Mapping[int, Stop] | None = None,
) -> Iterator[Forecast]:  # fmt: skip
    """Yield the states of ``members`` (their numbers) after each forecast step from ``first_step`` to ``steps``.

    A member depends on its number, the seed and the initial time, and not on which others run beside it.
    A member whose state cannot be is stopped: it is NaN from that step on, and its place is filled with the mean
    state, so that the others compute on as if nothing had happened.
    With ``antithetic`` noise, member 2k + 1 has minus the noise of member 2k.

    To go on from a state, give it as ``initial`` with the time at which the forecast began, the ``first_step`` that
    is to be computed, and the members ``stopped`` before.
    """
    device = forecaster.static.device
    per_member = initial if initial.current.ndim == 4 else initial.of(members)
    previous, current = (state.to(device).contiguous() for state in per_member[:2])
    harmless, stops = forecaster.normalizer.mean, dict(stopped or {})
    for step in range(first_step, steps + 1):
        previous, current = (_without(state, members, stops, harmless) for state in (previous, current))
        noise = draw_noise(forecaster, initial.time, members, step, seed=seed, antithetic=antithetic)
        time = initial.time + (step - 1) * forecaster.step_length
        previous, current = current, forecaster.step(previous, current, time, noise.to(device))
        time = time + forecaster.step_length
        found = find_stops(current, forecaster.channels, forecaster.grid, members=members, step=step, time=time)
        stops = {**found, **stops}
        yield Forecast(time, _without(current, members, stops, torch.nan), stops)


def draw_noise(
    forecaster: Forecaster, initial_time: np.datetime64, members: Sequence[int], step: int, *, seed: int,
    antithetic: bool = False,
) -> Tensor:  # fmt: skip
    """Unit-variance noise (member, channel, latitude, longitude) of one step, counted from 1."""
    leaders = [member - member % 2 if antithetic else member for member in members]
    generators = [member_generator(seed, initial_time, member, step - 1) for member in leaders]
    noise = forecaster.noise.draw(generators, len(forecaster.channels))
    signs = [1.0 if member == leader else -1.0 for member, leader in zip(members, leaders, strict=True)]
    return noise * torch.tensor(signs)[:, None, None, None]


def _without(states: Tensor, members: Sequence[int], stops: Mapping[int, Stop], fill: Tensor | float) -> Tensor:
    """``states`` with ``fill`` in the places of stopped members; itself where none is."""
    rows = [row for row, member in enumerate(members) if member in stops]
    if rows:
        states = states.clone()
        states[rows] = torch.as_tensor(fill, dtype=states.dtype, device=states.device)
    return states
