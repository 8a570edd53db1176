"""Guards: a member whose state cannot be is stopped, and the others keep every bit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from forecast.guards import Stop, find_stops
from forecast.noise import SphericalNoise
from forecast.rollout import InitialState, rollout

if TYPE_CHECKING:
    from data_pipeline.channels import Channels
    from data_pipeline.grid import Grid
    from forecast.forecaster import Forecaster

MEMBERS = [7, 8, 9]
ILL = 1
"""The position of the member that fares badly."""


def spoil(monkeypatch: pytest.MonkeyPatch, value: float, step: int) -> None:
    """Put ``value`` into one number of the noise of member 8 at ``step``."""
    draw, calls = SphericalNoise.draw, []

    def ill(self: SphericalNoise, *args: object) -> torch.Tensor:
        noise = draw(self, *args)  # type: ignore[arg-type]
        calls.append(1)
        if len(calls) == step:
            noise[ILL, 3, 4, 5] = value
        return noise

    monkeypatch.setattr(SphericalNoise, "draw", ill)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e6])
def test_the_others_keep_their_bits(
    forecaster: Forecaster, initial: InitialState, monkeypatch: pytest.MonkeyPatch, bad: float
) -> None:
    sound = list(rollout(forecaster, initial, members=MEMBERS, steps=4, seed=0))
    spoil(monkeypatch, bad, step=2)
    spoiled = list(rollout(forecaster, initial, members=MEMBERS, steps=4, seed=0))
    for before, after in zip(sound, spoiled, strict=True):
        assert torch.equal(before.states[[0, 2]], after.states[[0, 2]])
    assert [bool(forecast.states[ILL].isnan().all()) for forecast in spoiled] == [False, True, True, True]
    assert [list(forecast.stopped) for forecast in spoiled] == [[], [8], [8], [8]]
    assert spoiled[-1].stopped[8].step == 2
    assert spoiled[-1].stopped[8].time == initial.time + np.timedelta64(24, "h")


def test_a_stopped_member_stays_stopped_when_its_batch_goes_on(
    forecaster: Forecaster, initial: InitialState, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, torch.nan, step=1)
    first, second, third = rollout(forecaster, initial, members=MEMBERS, steps=3, seed=0)
    middle = InitialState(first.states, second.states, initial.time)
    (again,) = rollout(
        forecaster, middle, members=MEMBERS, steps=3, seed=0, first_step=3, stopped=second.stopped
    )  # fmt: skip
    assert torch.equal(again.states[[0, 2]], third.states[[0, 2]])
    assert again.states[ILL].isnan().all()
    assert again.stopped == third.stopped


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 400.0, 100.0])
def test_says_where_and_when(channels: Channels, grid: Grid, initial: InitialState, value: float) -> None:
    states = initial.current.expand(3, *initial.current.shape).clone()
    states[2, channels.index("2m_temperature"), 5, 9] = value
    stops = find_stops(states, channels, grid, members=MEMBERS, step=4, time=initial.time)
    assert list(stops) == [9]
    stop = stops[9]
    assert (stop.member, stop.step, stop.variable, stop.level) == (9, 4, "2m_temperature", None)
    assert (stop.latitude, stop.longitude) == (grid.latitude[5], grid.longitude[9])
    assert str(stop) == (
        f"member 9 stopped at step 4 (2000-01-03T00): 2m_temperature was {value:g} at latitude {grid.latitude[5]:g}, "
        f"longitude {grid.longitude[9]:g}"
    )


def test_bounds_are_those_of_the_variables(channels: Channels, grid: Grid, initial: InitialState) -> None:
    states = initial.current[None].clone()
    for number, channel in enumerate(channels):
        for inside, bound in zip((1, -1), channel.variable.valid_range, strict=True):
            ill = states.clone()
            ill[0, number, 0, 0] = bound
            assert not find_stops(ill, channels, grid, members=[0], step=1, time=initial.time)
            ill[0, number, 0, 0] = bound - inside * 1e-3 * abs(bound)
            (stop,) = find_stops(ill, channels, grid, members=[0], step=1, time=initial.time).values()
            assert (stop.variable, stop.level) == (channel.variable_name, channel.level)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.1])
def test_stops_survive_json(initial: InitialState, value: float) -> None:
    stop = Stop(3, 2, initial.time, "geopotential", 500, -10.0, 20.0, value)
    again = Stop.of_json(json.loads(json.dumps(stop.to_json())))
    assert str(again) == str(stop)
    assert again.to_json() == stop.to_json()
