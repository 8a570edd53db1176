"""Initial-condition perturbations: the uncertainty of the analysis, apart from the model's own noise.

All states that a member begins with are displaced alike or nearly so, as errors of an analysis outlast a step.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from data_pipeline.errors import DataError
from data_pipeline.times import shown
from forecast.guards import find_stops
from forecast.initial import initial_state, states_at, times_of
from forecast.noise import SphericalNoise, member_generator
from forecast.perturbation_kinds import LaggedPerturbation, NoisePerturbation
from forecast.rollout import InitialState
from forecast.stepping import Stepping

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from torch import Tensor

    from data_pipeline.channels import Channels
    from data_pipeline.variables import Variable
    from forecast.forecaster import Forecaster

_STREAM = (1,)
"""Of the generators, so that a member's perturbation and its model noise have nothing in common."""


@dataclass(frozen=True)
class PerturbedStates:
    """An ``InitialEnsemble`` around one state; ``data`` hold it and the earlier ones that ``perturbation`` needs."""

    forecaster: Forecaster
    data: xr.Dataset
    state: InitialState
    perturbation: NoisePerturbation | LaggedPerturbation
    members: int
    seed: int
    stepping: Stepping

    @property
    def time(self) -> np.datetime64:
        """As ``InitialEnsemble.time``."""
        return self.state.time

    def of(self, members: Sequence[int]) -> InitialState:
        """As ``InitialEnsemble.of``; a DataError if a perturbation leads out of what can be."""
        states = torch.stack([self._member(member) for member in members], dim=1)
        return InitialState.at(self.time, states.unbind())

    def _member(self, member: int) -> Tensor:
        """Its states; what cannot be negative is clipped, as in a forecast."""
        states = torch.stack(self.state.states)
        shifts = _shifts(self, member)
        if shifts is None:
            return states
        channels, grid = self.forecaster.channels, self.forecaster.grid
        displaced = _clipped(states + shifts, channels)
        for stop in find_stops(
            displaced, channels, grid, members=(member,) * len(states), step=0, time=self.time
        ).values():
            raise DataError(
                f"a perturbation of amplitude {self.perturbation.amplitude:g} takes {stop.variable} of member {member} "
                f"to {stop.value:g}, which cannot be; give a smaller --amplitude"
            )
        return displaced

    def sha256(self) -> str:
        """As ``InitialEnsemble.sha256``."""
        digest = hashlib.sha256(str(self.time).encode())
        for time in _times(self):
            digest.update(states_at(self.forecaster, self.data, (time,)).numpy().data)
        return digest.hexdigest()


def _times(start: PerturbedStates) -> tuple[np.datetime64, ...]:
    """Of the states that are needed."""
    unperturbed = [start.time + length for length in start.stepping.initial_lengths]
    return start.perturbation.times(unperturbed, start.members)


def _shifts(start: PerturbedStates, member: int) -> Tensor | None:
    """What is added to the states, (state, channel, latitude, longitude); None for the control."""
    kind = start.perturbation
    return _noise(start, member, kind) if isinstance(kind, NoisePerturbation) else _difference(start, member, kind)


def _noise(start: PerturbedStates, member: int, kind: NoisePerturbation) -> Tensor | None:
    if kind.control and member == 0:
        return None
    generator = member_generator(start.seed, start.time, member, 0, stream=_STREAM)
    forecaster, count = start.forecaster, len(start.state.states)
    noise = SphericalNoise(forecaster.grid).draw([generator], len(forecaster.channels))
    return kind.amplitude * forecaster.normalizer.tendency_std.cpu() * noise.expand(count, *noise.shape[1:])


def _difference(start: PerturbedStates, member: int, kind: LaggedPerturbation) -> Tensor | None:
    lag, sign = kind.lag_and_sign(member)
    if lag == 0:
        return None
    earlier = start.time - lag * np.timedelta64(kind.lag_hours, "h")
    before = initial_state(start.forecaster, start.data, earlier, start.stepping)
    return sign * kind.amplitude * (torch.stack(start.state.states) - torch.stack(before.states))


def perturbed_states(
    forecaster: Forecaster, data: xr.Dataset, time: np.datetime64, perturbation: NoisePerturbation | LaggedPerturbation,
    *, members: int, seed: int, stepping: Stepping | None = None,
) -> PerturbedStates:  # fmt: skip
    """The initial states of ``members`` members around the state of ``data`` at ``time``.

    Raises
    ------
    DataError
        If the data lack a state that the perturbation needs, or as of ``initial_state``.
    """
    stepping = stepping or Stepping.of(forecaster)
    state, held = initial_state(forecaster, data, time, stepping), times_of(data)
    perturbed = PerturbedStates(forecaster, data, state, perturbation, members, seed, stepping)
    needed = _times(perturbed)
    missing = [shown(one) for one in needed if one not in held]
    if missing:
        raise DataError(
            f"{members} members with lagged perturbations from {shown(time)} need states back to {shown(needed[0])}; "
            f"the data lack {len(missing)} of them, the first {missing[0]}. Give longer data, a later --init, fewer "
            "--members or a shorter --lag"
        )
    return perturbed


def _clipped(states: Tensor, channels: Channels) -> Tensor:
    """Within the bounds of the variables that have a minimum, as humidity and fractions do."""
    bounds = [_bounds(channel.variable) for channel in channels]
    low, high = torch.tensor(bounds, dtype=torch.float32).T[:, :, None, None]
    return states.clamp(low, high)


def _bounds(variable: Variable) -> tuple[float, float]:
    if variable.minimum is None:
        return -np.inf, np.inf
    return variable.minimum, variable.valid_range[1]
