"""The rollout: a generator of states that knows nothing of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from data_pipeline.errors import DataError
from forecast.noise import member_generator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from torch import Tensor

    from forecast.forecaster import Forecaster


class InitialState(NamedTuple):
    """Two physical states (channel, latitude, longitude) one step apart, and the valid time of the later one."""

    previous: Tensor
    current: Tensor
    time: np.datetime64


class Forecast(NamedTuple):
    """States (member, channel, latitude, longitude) at one valid time."""

    time: np.datetime64
    states: Tensor


def rollout(
    forecaster: Forecaster, initial: InitialState, *, members: Sequence[int], steps: int, seed: int
) -> Iterator[Forecast]:
    """Yield the states of ``members`` (their numbers) after each of ``steps`` forecast steps.

    A member depends on its number, the seed and the initial time, and not on which others run beside it.

    Raises
    ------
    DataError
        If a state is no longer finite; the message names the step and the members.
    """
    previous = initial.previous.expand(len(members), *initial.previous.shape)
    current = initial.current.expand(len(members), *initial.current.shape)
    time = initial.time
    for step in range(steps):
        generators = [member_generator(seed, initial.time, member, step) for member in members]
        noise = forecaster.noise.draw(generators, len(forecaster.channels)).to(current.device)
        previous, current = current, forecaster.step(previous, current, time, noise)
        time = time + forecaster.step_length
        _refuse_non_finite(current, members, step)
        yield Forecast(time, current)


def _refuse_non_finite(states: Tensor, members: Sequence[int], step: int) -> None:
    finite = states.isfinite().flatten(1).all(1).tolist()
    bad = [str(member) for member, good in zip(members, finite, strict=True) if not good]
    if bad:
        raise DataError(f"members {', '.join(bad)} are not finite after step {step + 1}; check the initial state")
