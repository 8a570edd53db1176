"""The rollout: members that depend on nothing but themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from forecast.noise import SphericalNoise, member_generator
from forecast.rollout import InitialState, draw_noise, rollout

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from forecast.forecaster import Forecaster


def states(forecaster: Forecaster, initial: InitialState, members: Sequence[int], seed: int = 0) -> torch.Tensor:
    """(member, step, channel, latitude, longitude) of two steps, in units of the standard deviation."""
    drawn = [forecast.states for forecast in rollout(forecaster, initial, members=members, steps=2, seed=seed)]
    return forecaster.normalizer.state(torch.stack(drawn, 1))


def test_times_and_shapes(forecaster: Forecaster, initial: InitialState) -> None:
    forecasts = list(rollout(forecaster, initial, members=range(3), steps=4, seed=0))
    assert [f.time - initial.time for f in forecasts] == [np.timedelta64(12 * n, "h") for n in range(1, 5)]
    assert {f.states.shape for f in forecasts} == {(3, 7, 8, 16)}


def test_member_does_not_depend_on_the_others(forecaster: Forecaster, initial: InitialState) -> None:
    together = states(forecaster, initial, range(5))
    for members in ([3], [4, 0], [2, 3, 4]):
        torch.testing.assert_close(states(forecaster, initial, members), together[members], rtol=1e-3, atol=1e-4)


def test_noise_of_a_member_is_identical_to_the_bit(
    forecaster: Forecaster, initial: InitialState, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[torch.Tensor] = []
    draw = SphericalNoise.draw

    def spy(self: SphericalNoise, *args: object) -> torch.Tensor:
        drawn.append(draw(self, *args))  # type: ignore[arg-type]
        return drawn[-1]

    monkeypatch.setattr(SphericalNoise, "draw", spy)
    for members in (range(4), [2]):
        list(rollout(forecaster, initial, members=members, steps=2, seed=1))
    together, alone = drawn[:2], drawn[2:]
    assert all(torch.equal(one[0], all_[2]) for one, all_ in zip(alone, together, strict=True))
    assert not torch.equal(together[0], together[1]), "every step has its own noise"


def test_members_and_seeds_differ_and_repeat(forecaster: Forecaster, initial: InitialState) -> None:
    first = states(forecaster, initial, [0, 1])
    assert torch.equal(states(forecaster, initial, [0, 1]), first)
    assert (first[0] - first[1]).abs().max() > 0.1
    assert (states(forecaster, initial, [0, 1], seed=1) - first).abs().max() > 0.1


def test_second_step_starts_from_the_first(forecaster: Forecaster, initial: InitialState) -> None:
    first, second = rollout(forecaster, initial, members=[6], steps=2, seed=0)
    again = InitialState(initial.current, first.states[0], first.time)
    noise = forecaster.noise.draw([member_generator(0, initial.time, 6, 1)], 7)
    expected = forecaster.step(again.previous[None], again.current[None], again.time, noise)
    torch.testing.assert_close(second.states, expected)


def test_initial_state_is_left_alone(forecaster: Forecaster, initial: InitialState) -> None:
    before = initial.current.clone()
    list(rollout(forecaster, initial, members=range(2), steps=1, seed=0))
    assert torch.equal(initial.current, before)


def test_is_lazy(forecaster: Forecaster, initial: InitialState) -> None:
    assert next(rollout(forecaster, initial, members=[0], steps=10**9, seed=0)).states.isfinite().all()


def test_goes_on_in_the_middle_to_the_last_bit(forecaster: Forecaster, initial: InitialState) -> None:
    whole = [forecast.states for forecast in rollout(forecaster, initial, members=[3, 5], steps=4, seed=2)]
    middle = InitialState(whole[0], whole[1], initial.time)
    rest = list(rollout(forecaster, middle, members=[3, 5], steps=4, seed=2, first_step=3))
    assert torch.equal(torch.stack([forecast.states for forecast in rest]), torch.stack(whole[2:]))
    assert [forecast.time - initial.time for forecast in rest] == [np.timedelta64(36, "h"), np.timedelta64(48, "h")]


def test_antithetic_members_have_opposite_noise(forecaster: Forecaster, initial: InitialState) -> None:
    pairs = draw_noise(forecaster, initial.time, range(5), 2, seed=1, antithetic=True)
    plain = draw_noise(forecaster, initial.time, range(5), 2, seed=1)
    assert torch.equal(pairs[1], -pairs[0])
    assert torch.equal(pairs[3], -pairs[2])
    assert torch.equal(pairs[[0, 2, 4]], plain[[0, 2, 4]]), "the leaders have the noise that they have without pairs"
    alone = draw_noise(forecaster, initial.time, [3], 2, seed=1, antithetic=True)
    assert torch.equal(alone[0], pairs[3]), "whether or not the other is there"


def test_members_may_start_from_states_of_their_own(forecaster: Forecaster, initial: InitialState) -> None:
    own = initial.of([0, 1])
    own = InitialState(own.previous, own.current + torch.tensor([0.0, 1.0])[:, None, None, None], own.time)
    first, second = next(rollout(forecaster, own, members=[0, 1], steps=1, seed=0)).states
    plain = next(rollout(forecaster, initial, members=[0, 1], steps=1, seed=0)).states
    assert torch.equal(first, plain[0])
    assert not torch.equal(second, plain[1])


def test_initial_states_are_known_by_their_hash(initial: InitialState) -> None:
    assert initial.sha256() == InitialState(initial.previous.clone(), initial.current.clone(), initial.time).sha256()
    others = [
        InitialState(initial.current, initial.previous, initial.time),
        InitialState(initial.previous, initial.current + 1e-3, initial.time),
        InitialState(initial.previous, initial.current, initial.time + np.timedelta64(1, "h")),
    ]
    assert len({state.sha256() for state in [initial, *others]}) == 4
