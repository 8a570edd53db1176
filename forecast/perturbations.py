"""Initial-condition perturbations: the uncertainty of the analysis, apart from the model's own noise.

Both states of a member, one step apart, are displaced alike or nearly so, as errors of an analysis outlast a step.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from data_pipeline.errors import DataError
from data_pipeline.times import shown
from forecast.guards import find_stops
from forecast.initial import initial_state, states_at, times_of
from forecast.noise import member_generator
from forecast.rollout import InitialState

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from torch import Tensor

    from data_pipeline.channels import Channels
    from data_pipeline.variables import Variable
    from forecast.forecaster import Forecaster

_STREAM = (1,)
"""Of the generators, so that a member's perturbation and its model noise have nothing in common."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoisePerturbation(_Frozen):
    """Isotropic noise on the sphere, ``amplitude`` times each channel's standard deviation of the step's tendency.

    With ``control``, member 0 is left as it is.
    """

    kind: Literal["noise"] = "noise"
    amplitude: float = Field(default=0.1, gt=0, lt=np.inf)
    control: bool = True

    def __str__(self) -> str:
        told = f"spherical noise of {self.amplitude:g} standard deviations of the tendency"
        return told + _about_control(control=self.control)

    def times(self, time: np.datetime64, step: np.timedelta64, members: int) -> tuple[np.datetime64, ...]:
        """The times at which a forecast from ``time`` needs states, for a model with this ``step``."""
        del members
        return (time - step, time)

    def shifts(self, start: PerturbedStates, member: int) -> Tensor | None:
        """What is added to the two states, (2, channel, latitude, longitude); None for the control."""
        if self.control and member == 0:
            return None
        generator = member_generator(start.seed, start.time, member, 0, stream=_STREAM)
        noise = start.forecaster.noise.draw([generator], len(start.forecaster.channels))
        return self.amplitude * start.forecaster.normalizer.tendency_std.cpu() * noise.expand(2, *noise.shape[1:])


class LaggedPerturbation(_Frozen):
    """Differences to earlier states: x(t) +- ``amplitude`` (x(t) - x(t - k lag)), in pairs, k = 1, 2, ...

    Such differences have the balance and the patterns of the flow (Magnusson, Nycander and Källén 2009, "Flow-dependent
    versus flow-independent initial perturbations for ensemble prediction"). A lag of whole days keeps the time of day
    out of them. With ``control``, member 0 is left as it is.
    """

    kind: Literal["lagged"] = "lagged"
    amplitude: float = Field(default=0.1, gt=0, lt=np.inf)
    lag_hours: int = Field(default=24, ge=1)
    control: bool = True

    def __str__(self) -> str:
        told = f"+-{self.amplitude:g} times the differences to the states k x {self.lag_hours} h before, in pairs"
        return told + _about_control(control=self.control)

    def times(self, time: np.datetime64, step: np.timedelta64, members: int) -> tuple[np.datetime64, ...]:
        """The times at which a forecast from ``time`` needs states, for a model with this ``step``."""
        longest = max(self.lag_and_sign(member)[0] for member in range(members))
        lags = np.arange(longest + 1) * np.timedelta64(self.lag_hours, "h")
        return tuple(np.unique([time - lags, time - step - lags]))

    def lag_and_sign(self, member: int) -> tuple[int, int]:
        """k and the sign of a member; (0, 0) for the control.

        >>> [LaggedPerturbation().lag_and_sign(member) for member in range(4)]
        [(0, 0), (1, 1), (1, -1), (2, 1)]
        """
        position = member - 1 if self.control else member
        return (position // 2 + 1, 1 - 2 * (position % 2)) if position >= 0 else (0, 0)

    def shifts(self, start: PerturbedStates, member: int) -> Tensor | None:
        """What is added to the two states, (2, channel, latitude, longitude); None for the control."""
        lag, sign = self.lag_and_sign(member)
        if lag == 0:
            return None
        earlier = start.time - lag * np.timedelta64(self.lag_hours, "h")
        before = initial_state(start.forecaster, start.data, earlier)
        return sign * self.amplitude * (torch.stack(start.state[:2]) - torch.stack(before[:2]))


class AnalysisMembers(_Frozen):
    """Each member starts from its own member of an ensemble analysis (see ``forecast.initial.given_members``)."""

    kind: Literal["analysis"] = "analysis"

    def __str__(self) -> str:
        return "each member starts from its own member of the ensemble analysis"


Perturbation = Annotated[NoisePerturbation | LaggedPerturbation | AnalysisMembers, Field(discriminator="kind")]


@dataclass(frozen=True)
class PerturbedStates:
    """An ``InitialEnsemble`` around one state; ``data`` hold it and the earlier ones that ``perturbation`` needs."""

    forecaster: Forecaster
    data: xr.Dataset
    state: InitialState
    perturbation: NoisePerturbation | LaggedPerturbation
    members: int
    seed: int

    @property
    def time(self) -> np.datetime64:
        """As ``InitialEnsemble.time``."""
        return self.state.time

    def of(self, members: Sequence[int]) -> InitialState:
        """As ``InitialEnsemble.of``; a DataError if a perturbation leads out of what can be."""
        previous, current = torch.stack([self._member(member) for member in members], dim=1)
        return InitialState(previous, current, self.time)

    def _member(self, member: int) -> Tensor:
        """Its two states; what cannot be negative is clipped, as in a forecast."""
        states = torch.stack(self.state[:2])
        shifts = self.perturbation.shifts(self, member)
        if shifts is None:
            return states
        channels, grid = self.forecaster.channels, self.forecaster.grid
        displaced = _clipped(states + shifts, channels)
        for stop in find_stops(displaced, channels, grid, members=(member,) * 2, step=0, time=self.time).values():
            raise DataError(
                f"a perturbation of amplitude {self.perturbation.amplitude:g} takes {stop.variable} of member {member} "
                f"to {stop.value:g}, which cannot be; give a smaller --amplitude"
            )
        return displaced

    def sha256(self) -> str:
        """As ``InitialEnsemble.sha256``."""
        times = self.perturbation.times(self.time, self.forecaster.step_length, self.members)
        digest = hashlib.sha256(str(self.time).encode())
        for time in times:
            digest.update(states_at(self.forecaster, self.data, (time,)).numpy().data)
        return digest.hexdigest()


def perturbed_states(
    forecaster: Forecaster, data: xr.Dataset, time: np.datetime64, perturbation: NoisePerturbation | LaggedPerturbation,
    *, members: int, seed: int,
) -> PerturbedStates:  # fmt: skip
    """The initial states of ``members`` members around the state of ``data`` at ``time``.

    Raises
    ------
    DataError
        If the data lack a state that the perturbation needs, or as of ``initial_state``.
    """
    state, held = initial_state(forecaster, data, time), times_of(data)
    needed = perturbation.times(time, forecaster.step_length, members)
    missing = [shown(one) for one in needed if one not in held]
    if missing:
        raise DataError(
            f"{members} members with lagged perturbations from {shown(time)} need states back to {shown(needed[0])}; "
            f"the data lack {len(missing)} of them, the first {missing[0]}. Give longer data, a later --init, fewer "
            "--members or a shorter --lag"
        )
    return PerturbedStates(forecaster, data, state, perturbation, members, seed)


def _about_control(*, control: bool) -> str:
    return "; member 0 is unperturbed" if control else ""


def _clipped(states: Tensor, channels: Channels) -> Tensor:
    """Within the bounds of the variables that have a minimum, as humidity and fractions do."""
    bounds = [_bounds(channel.variable) for channel in channels]
    low, high = torch.tensor(bounds, dtype=torch.float32).T[:, :, None, None]
    return states.clamp(low, high)


def _bounds(variable: Variable) -> tuple[float, float]:
    if variable.minimum is None:
        return -np.inf, np.inf
    return variable.minimum, variable.valid_range[1]
