"""The rollout: a generator of states that knows nothing of files."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch

from data_pipeline.errors import DataError
from forecast.guards import Stop, find_stops
from forecast.noise import member_generator
from forecast.stepping import Stepping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from torch import Tensor

    from forecast.forecaster import Forecaster

_CHURN = 2
"""The stream of the generators for noise that is added on the way; 1 is that of perturbations."""


class InitialState(NamedTuple):
    """The physical states that a forecast begins with, and the valid time of ``current``.

    Each is (channel, latitude, longitude), the same for all members, or (member, channel, latitude, longitude).
    ``previous`` is the model's forecast step before ``current``. With steps of another length later steps need
    ``others`` in its place: all are in the order of ``Stepping.needed``.
    """

    previous: Tensor
    current: Tensor
    time: np.datetime64
    others: tuple[Tensor, ...] = ()

    @classmethod
    def at(cls, time: np.datetime64, states: Sequence[Tensor]) -> InitialState:
        """Of ``states`` in the order of ``Stepping.needed``."""
        previous, current, *others = states
        return cls(previous, current, time, tuple(others))

    @property
    def states(self) -> tuple[Tensor, ...]:
        """All of them, in the order of ``Stepping.needed``."""
        return (self.previous, self.current, *self.others)

    def numbered(self, numbers: Sequence[int]) -> dict[int, Tensor]:
        """The states by the ``numbers`` that ``Stepping.needed`` gives; a DataError if they are more or fewer."""
        if len(self.states) != len(numbers):
            raise DataError(
                f"got {len(self.states)} states to begin with, expected {len(numbers)} (Stepping.needed); read them "
                "with initial_state and the same stepping"
            )
        return dict(zip(numbers, self.states, strict=True))

    def of(self, members: Sequence[int]) -> InitialState:
        """The same state for each of ``members``."""
        return InitialState.at(self.time, [state.expand(len(members), *state.shape) for state in self.states])

    def sha256(self) -> str:
        """Of the states and their time."""
        digest = hashlib.sha256(str(self.time).encode())
        for state in self.states:
            digest.update(state.contiguous().cpu().numpy().data)
        return digest.hexdigest()


class Forecast(NamedTuple):
    """States (member, channel, latitude, longitude) at one valid time, NaN for the members that were ``stopped``."""

    time: np.datetime64
    states: Tensor
    stopped: Mapping[int, Stop]


def rollout(
    forecaster: Forecaster, initial: InitialState, *, members: Sequence[int], steps: int, seed: int,
    stepping: Stepping | None = None, first_step: int = 1, antithetic: bool = False,
    stopped: Mapping[int, Stop] | None = None,
) -> Iterator[Forecast]:  # fmt: skip
    """Yield the states of ``members`` (their numbers) at each output from ``first_step`` to ``steps``.

    Outputs are the ends of the model's own steps, unless ``stepping`` says otherwise.
    A member depends on its number, the seed and the initial time, and not on which others run beside it.
    A member whose state cannot be is stopped: it is NaN from that output on, and its place is filled with the mean
    state, so that the others compute on as if nothing had happened.
    With ``antithetic`` noise, member 2k + 1 has minus the noise of member 2k.

    To go on from a state, give as ``initial`` those that ``Stepping.needed`` names, with the time at which the
    forecast began, the ``first_step`` that is to be computed, and the members ``stopped`` before.

    Raises
    ------
    DataError
        If ``initial`` has more or fewer states than the ``stepping`` needs.
    """
    stepping = Stepping.of(forecaster) if stepping is None else stepping
    held = _begun(forecaster, initial, members, stepping.needed(first_step - 1))
    stops = dict(stopped or {})
    for number in range(first_step, steps + 1):
        held = {key: _without(state, members, stops, forecaster.normalizer.mean) for key, state in held.items()}
        base = stepping.base(number)
        if base == number - 1 or number == first_step:
            draw = partial(
                draw_noise, forecaster, initial.time, members, base // stepping.outputs + 1, seed=seed,
                antithetic=antithetic,
            )  # fmt: skip
            noise = draw()
        drawn = forecaster.step(
            held[base - stepping.memory], held[base], initial.time + base * stepping.output_length, noise,
            hours=(number - base) * stepping.output_hours, fresh=_fresh(draw),
        )  # fmt: skip
        time = initial.time + number * stepping.output_length
        stops = find_stops(drawn, forecaster.channels, forecaster.grid, members=members, step=number, time=time) | stops
        held = {key: drawn if key == number else held[key] for key in stepping.needed(number)}
        yield Forecast(time, _without(drawn, members, stops, torch.nan), stops)


def draw_noise(
    forecaster: Forecaster, initial_time: np.datetime64, members: Sequence[int], step: int, *, seed: int,
    antithetic: bool = False, stream: tuple[int, ...] = (),
) -> Tensor:  # fmt: skip
    """Unit-variance noise of one step, counted from 1, on the forecaster's device; its shape is that of its noise.

    ``stream`` tells apart what is drawn for the same step.
    """
    leaders = [member - member % 2 if antithetic else member for member in members]
    generators = [member_generator(seed, initial_time, member, step - 1, stream=stream) for member in leaders]
    noise = forecaster.noise.draw(generators, len(forecaster.channels))
    signs = [1.0 if member == leader else -1.0 for member, leader in zip(members, leaders, strict=True)]
    return (noise * torch.tensor(signs).reshape(-1, *[1] * (noise.ndim - 1))).to(forecaster.static.device)


def _begun(
    forecaster: Forecaster, initial: InitialState, members: Sequence[int], numbers: Sequence[int]
) -> dict[int, Tensor]:
    """The states of each member on the forecaster's device, by their numbers."""
    per_member = initial if initial.current.ndim == 4 else initial.of(members)
    named = per_member.numbered(numbers)
    return {number: state.to(forecaster.static.device).contiguous() for number, state in named.items()}


def _fresh(draw: Callable[..., Tensor]) -> Callable[[int], Tensor]:
    """Noise to add before each step of the sampler, as ``draw`` draws it."""
    return lambda step: draw(stream=(_CHURN, step))


def _without(states: Tensor, members: Sequence[int], stops: Mapping[int, Stop], fill: Tensor | float) -> Tensor:
    """``states`` with ``fill`` in the places of stopped members; itself where none is."""
    rows = [row for row, member in enumerate(members) if member in stops]
    if rows:
        states = states.clone()
        states[rows] = torch.as_tensor(fill, dtype=states.dtype, device=states.device)
    return states
