"""Turned worlds: what the network sees of them, and what we get back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from data_pipeline.forcings import forcings
from data_pipeline.grid import Grid
from forecast.config import SamplerConfig
from forecast.denoiser import Denoiser
from forecast.noise import make_noise, two_numbers
from forecast.training.randomness import draw_columns
from forecast.turning import drawn
from tests.forecast.trainings import OBJECTIVES, begun

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.config import Experiment
    from forecast.forecaster import Forecaster
    from forecast.rollout import InitialState
    from forecast.training.loop import Run
    from forecast.turning import Turn

ONE_OF_TWO = torch.tensor([False, True])
COLUMNS = torch.tensor([2, 3])


def inputs_of(forecaster: Forecaster, state: torch.Tensor, time: str) -> torch.Tensor:
    """Of the network, but for the noisy state, which is the state itself."""
    forcing = torch.from_numpy(forcings(np.datetime64(time, "ns"), forecaster.step_length, forecaster.grid))
    states = state.expand(2, *state.shape)
    return torch.cat([states, forecaster.known(states, states, forcing)], dim=1)


def turn_of(forecaster: Forecaster) -> Turn:
    return forecaster.turn(ONE_OF_TWO, COLUMNS)


def test_all_are_rolled_and_some_mirrored(forecaster: Forecaster, initial: InitialState) -> None:
    inputs = inputs_of(forecaster, initial.current, "2001-03-01")
    turned = turn_of(forecaster).there(inputs)
    rolled = inputs.roll(3, -1)
    assert torch.equal(turned[0], inputs[0].roll(2, -1))
    names = forecaster.channels.names
    for name, now, was in zip(names, turned[1], rolled[1], strict=False):
        assert torch.equal(now, was.flip(-2) * (-1 if name.startswith("v_") else 1))
    static = -len(forecaster.static)
    sun, *year = turned[1, static - 3 : static]
    assert torch.equal(sun, rolled[1, static - 3].flip(-2))
    assert all(torch.equal(now, -was) for now, was in zip(year, rolled[1, static - 2 : static], strict=True))
    torch.testing.assert_close(turned[1, -2:], forecaster.static[-2:], rtol=0, atol=1e-6)  # latitude stays
    assert torch.equal(turned[1, -3], rolled[1, -3].flip(-2)), "orography"


def test_half_a_year_later_the_sun_stands_over_the_other_hemisphere(
    forecaster: Forecaster, initial: InitialState
) -> None:
    june, december = (inputs_of(forecaster, initial.current, f"2001-{month}-21T12") for month in ("06", "12"))
    (mirrored,) = turn_of(forecaster).there(june)[1:].roll(-3, -1)
    forced = slice(-len(forecaster.static) - 3, -len(forecaster.static))
    torch.testing.assert_close(mirrored[forced], december[1, forced], atol=0.08, rtol=0.08)  # 7 % nearer in January


def test_there_and_back(forecaster: Forecaster) -> None:
    turn, states = turn_of(forecaster), torch.randn(2, len(forecaster.channels), *forecaster.grid.shape)
    noisy_and_known = torch.cat([states, torch.zeros(2, len(turn.inputs) - len(turn.states), *states.shape[-2:])], 1)
    there = turn.there(noisy_and_known)[:, : states.shape[1]]
    assert not torch.equal(there, states)
    assert torch.equal(turn.back(there), states)


class Weighted(torch.nn.Module):
    """Says the noisy state times a weight of each place."""

    def __init__(self, weight: torch.Tensor, count: int) -> None:
        super().__init__()
        self.weight, self.count = weight, count

    def forward(self, inputs: torch.Tensor, _: object) -> torch.Tensor:
        return self.weight * inputs[:, : self.count]


@pytest.mark.parametrize("anywhere", [True, False])
def test_only_what_is_elsewhere_another_notices(forecaster: Forecaster, anywhere: bool) -> None:
    shape, count = forecaster.grid.shape, len(forecaster.channels)
    weight = torch.ones(shape) if anywhere else torch.rand(shape)
    denoiser, turn = Denoiser(Weighted(weight, count), forecaster.denoiser.process), turn_of(forecaster)
    noisy, known = torch.randn(2, count, *shape), torch.randn(2, len(turn.inputs) - count, *shape)
    s, step = torch.tensor([0.5, 2.0]), torch.ones(2)
    plain, turned = denoiser(noisy, s, known, step), denoiser(noisy, s, known, step, turn)
    assert torch.allclose(plain, turned, atol=1e-6) == anywhere
    losses = [denoiser.loss(noisy, noisy, s, known, step, torch.ones(shape), which) for which in (None, turn)]
    assert torch.isclose(*losses) == anywhere
    if not anywhere:
        elsewhere = torch.stack([weight.roll(-2, -1), weight.flip(-2).roll(-3, -1)])[:, None]
        expected = Denoiser(Weighted(elsewhere, count), denoiser.process)(noisy, s, known, step)
        torch.testing.assert_close(turned, expected)


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_a_training_that_rotates(
    experiment: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """By the network's coarsest cells nothing changes; by other columns a little does."""

    def loss(run: Run, columns: int) -> float:
        monkeypatch.setattr("forecast.training.loop.draw_columns", lambda *_: columns)
        return float(run._update(run.samples.batch(run._request(1)), 1)[0])

    plain = loss(begun(experiment(**OBJECTIVES[kind])), 0)
    rotated = [loss(begun(experiment(**OBJECTIVES[kind], training__rotate=True)), columns) for columns in (4, 1)]
    assert rotated[0] == pytest.approx(plain, rel=1e-5)
    assert rotated[1] != pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("rotate", [True, False])
def test_what_the_config_says_is_turned(experiment: Callable[..., Experiment], mirror: bool, rotate: bool) -> None:
    """Every second sample of the batch, in whatever parts it is learnt; another meridian in every step."""
    run = begun(experiment(training__mirror=mirror, training__rotate=rotate))
    turns = [run._turn(range(1, 5), step) for step in range(6)]
    if not mirror and not rotate:
        assert turns == [None] * 6
        return
    for turn in turns:
        assert turn
        assert turn.mirrored.tolist() == [mirror, False, mirror, False]
        assert turn.columns.tolist() == turn.columns.tolist()[:1] * 4, "one for the batch"
    assert (len({int(turn.columns[0]) for turn in turns if turn}) > 2) == rotate


@pytest.mark.parametrize("size", [1, 3, 4])
def test_half_of_all_samples_are_mirrored(experiment: Callable[..., Experiment], size: int) -> None:
    run = begun(experiment(training__mirror=True, training__batch_size=size))
    turns = [run._turn(range(size), step) for step in range(4)]
    assert sum(int(turn.mirrored.sum()) for turn in turns if turn) == 2 * size


def test_a_training_that_mirrors_sees_another_world(experiment: Callable[..., Experiment]) -> None:
    losses = []
    for mirror in (False, True):
        run = begun(experiment(**OBJECTIVES["mean"], training__mirror=mirror))
        losses.append(float(run._update(run.samples.batch(run._request(1)), 1)[0]))
    assert losses[0] != pytest.approx(losses[1], rel=1e-5)


def test_columns_are_drawn_evenly_and_anew_in_each_step() -> None:
    drawn = Counter(draw_columns(16, 0, step) for step in range(1600))
    assert sorted(drawn) == list(range(16))
    assert max(drawn.values()) < 150
    assert draw_columns(16, 0, 5) == draw_columns(16, 0, 5)


@pytest.mark.parametrize("noise", ["spherical", "white", "global"])
def test_members_are_turned_by_their_own_noise(
    make_forecaster: Callable[..., Forecaster], initial: InitialState, noise: str
) -> None:
    made = make_forecaster(sampler=SamplerConfig(name="euler", steps=1, turned=True), noise=noise, process="edm")
    generators = [np.random.default_rng(number) for number in range(4)]
    drawn_noise = made.noise.draw(generators, len(made.channels))
    both = [state.expand(4, *state.shape) for state in (initial.previous, initial.current)]
    together = made.step(*both, initial.time, drawn_noise)
    alone = torch.cat([made.step(both[0][:1], both[1][:1], initial.time, drawn_noise[k : k + 1]) for k in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    plain = replace(made, sampler=made.sampler.model_copy(update={"turned": False}))
    upright = plain.step(*both, initial.time, drawn_noise)
    assert not torch.allclose(together, upright, rtol=1e-4, atol=1e-4)
    known = inputs_of(made, initial.current, "2000-01-03T12")[:1, len(made.channels) :].expand(4, -1, -1, -1)
    turn = made.turn(*drawn(two_numbers(drawn_noise), made.grid.shape[1]))
    expected = plain.advance(both[1], known, drawn_noise, torch.zeros(1), turn=turn)
    got = made.advance(both[1], known, drawn_noise, torch.zeros(1))
    assert torch.equal(got, expected)


def test_every_turn_is_as_likely() -> None:
    mirrored, columns = drawn(torch.randn(16_000, 2, generator=torch.Generator().manual_seed(0)), 16)
    assert 0.48 < mirrored.double().mean() < 0.52
    counts = torch.bincount(columns, minlength=16)
    assert len(counts) == 16
    assert (counts - 1000).abs().max() < 150
    assert drawn(torch.tensor([[0.0, 40.0], [0.0, -40.0]]), 16)[1].tolist() == [15, 0]


@pytest.mark.parametrize("slope", [0.0, 2.0])
def test_numbers_of_a_turn_are_normal_and_independent(slope: float) -> None:
    noise = make_noise("spherical", Grid.gaussian(32, 64), slope=slope, size=0)
    numbers = two_numbers(noise.draw([np.random.default_rng(k) for k in range(2000)], 1))
    assert numbers.mean(0).abs().max() < 0.07
    assert (numbers.std(0) - 1).abs().max() < 0.05
    assert abs(float(torch.corrcoef(numbers.T)[0, 1])) < (0.07 if slope == 0 else 0.15)
