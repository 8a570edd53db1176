"""The forecaster: conditions, steps, static features, grids that it cannot have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from data_pipeline.errors import ConfigError, DataError
from data_pipeline.forcings import FORCING_NAMES, forcings
from data_pipeline.grid import Grid
from forecast.config import ModelConfig, SamplerConfig
from forecast.forecaster import Forecaster, check_grid, static_features
from forecast.noise import one_number_each

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.rollout import InitialState


def unet(levels: int) -> ModelConfig:
    return ModelConfig(widths=(8,) * levels, step_hours=6)


def batch_of(initial: InitialState, size: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(state.expand(size, *state.shape) for state in (initial.previous, initial.current))  # type: ignore[return-value]


def test_known_inputs_are_states_forcings_static_in_this_order(forecaster: Forecaster, initial: InitialState) -> None:
    previous, current = batch_of(initial)
    forcing = torch.randn(len(FORCING_NAMES), 8, 16)
    known = forecaster.known(previous, current, forcing)
    scales, count = forecaster.normalizer, len(forecaster.channels)
    parts = known.split([count, count, 3, len(forecaster.static)], dim=1)  # type: ignore[no-untyped-call]
    expected = (scales.state(previous), scales.state(current), forcing.expand(2, 3, 8, 16))
    assert all(torch.equal(got, want) for got, want in zip(parts, expected, strict=False))
    assert torch.equal(parts[3][1], forecaster.static)


def test_forcings_and_static_fields_may_be_those_of_each_sample(forecaster: Forecaster, initial: InitialState) -> None:
    previous, current = batch_of(initial)
    forcing, static = torch.randn(2, 3, 8, 16), torch.randn(2, *forecaster.static.shape)
    known = forecaster.known(previous, current, forcing, static)
    assert torch.equal(known[:, 14:17], forcing)
    assert torch.equal(known[:, 17:], static)


def test_one_past_state_is_the_last(make_forecaster: Callable[..., Forecaster], initial: InitialState) -> None:
    made = make_forecaster(past_states=1)
    previous, current = batch_of(initial)
    known = made.known(previous, current, torch.zeros(3, 8, 16))
    assert known.shape[1] == 7 + 3 + len(made.static)
    assert torch.equal(known[:, :7], made.normalizer.state(current))
    noise = torch.randn(2, 7, 8, 16)
    first, second = (made.step(before, current, initial.time, noise) for before in (previous, 2 * previous))
    assert torch.equal(first, second)


def seen_by(forecaster: Forecaster, initial: InitialState, hours: int | None = None) -> tuple[torch.Tensor, ...]:
    """What the denoiser is shown first in a step: noisy data, level, known inputs, step; the world is not turned."""
    seen: list[tuple[torch.Tensor, ...]] = []
    hook = forecaster.denoiser.register_forward_pre_hook(lambda _, shown: seen.append(shown))
    with hook:
        forecaster.step(*batch_of(initial, 1), initial.time, torch.zeros(1, 7, 8, 16), hours=hours)
    *shown, turn = seen[0]
    assert turn is None
    return tuple(shown)


@pytest.mark.parametrize(("hours", "ratio"), [(None, 1.0), (12, 1.0), (6, 0.5), (24, 2.0)])
def test_forcings_are_those_at_the_end_of_a_step_of_any_length(
    make_forecaster: Callable[..., Forecaster], initial: InitialState, hours: int | None, ratio: float
) -> None:
    made = make_forecaster(other_step_hours=[6, 24])
    length = np.timedelta64(hours or 12, "h")
    end = torch.from_numpy(forcings(initial.time + length, length, made.grid))
    _, _, known, step = seen_by(made, initial, hours)
    assert torch.equal(known, made.known(*batch_of(initial, 1), end))
    assert step.tolist() == [ratio]


def test_mean_is_one_evaluation_without_noise(
    make_forecaster: Callable[..., Forecaster], initial: InitialState
) -> None:
    made = make_forecaster(sampler=SamplerConfig(name="mean"))
    noisy, s, _, _ = seen_by(made, initial)
    assert not noisy.any()
    assert s.tolist() == pytest.approx([made.denoiser.process.largest_noise_level])
    first, second = (made.step(*batch_of(initial), initial.time, torch.randn(2, 7, 8, 16)) for _ in range(2))
    assert torch.equal(first, second)


def test_global_noise_draws_members_in_one_evaluation(
    make_forecaster: Callable[..., Forecaster], initial: InitialState
) -> None:
    made = make_forecaster(sampler=SamplerConfig(name="euler", steps=1), noise="global", noise_size=6)
    states = made.step(*batch_of(initial), initial.time, torch.randn(2, 6))
    assert states.shape == (2, 7, 8, 16)
    assert not torch.allclose(states[0], states[1])


def test_each_channel_has_a_number_of_its_own() -> None:
    """Out of fields those of a point; out of a vector its own, and then sums of several."""
    fields, vector = torch.randn(1000, 7, 8, 16), torch.randn(4000, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(one_number_each(fields, 7), fields[..., 0, 0])
    assert torch.equal(one_number_each(vector, 5), vector[:, :5])
    more = one_number_each(vector, 9)
    assert torch.equal(more[:, :6], vector)
    assert (more.std(0) - 1).abs().max() < 0.05
    alike = torch.corrcoef(more.T) - torch.eye(9)
    assert alike[:6, :6].abs().max() < 0.06
    assert alike.abs().max() < 0.95
    torch.testing.assert_close(one_number_each(vector[:1], 9), more[:1], rtol=0, atol=0)


def test_churn_takes_fresh_noise(make_forecaster: Callable[..., Forecaster], initial: InitialState) -> None:
    made = make_forecaster(sampler=SamplerConfig(name="dpmpp_2s", steps=4, churn=2.5))
    noise = torch.randn(2, 7, 8, 16)
    first, second = (
        made.step(*batch_of(initial), initial.time, noise, fresh=lambda k, seed=seed: fresh(seed, k)) for seed in (0, 1)
    )
    assert not torch.equal(first, second)
    with pytest.raises(ConfigError, match="churn without fresh noise"):
        made.step(*batch_of(initial), initial.time, noise)


def fresh(seed: int, step: int) -> torch.Tensor:
    return torch.randn(2, 7, 8, 16, generator=torch.Generator().manual_seed(100 * seed + step))


def test_inflation_is_of_the_noise_that_sampling_starts_from(
    make_forecaster: Callable[..., Forecaster], initial: InitialState
) -> None:
    """Global means keep theirs."""
    plain, more = (make_forecaster(sampler=SamplerConfig(steps=2, inflation=value)) for value in (1.0, 1.5))
    noise = torch.randn(2, 7, 8, 16)
    known = plain.known(*batch_of(initial), torch.zeros(3, 8, 16))
    assert torch.equal(more._increment(known, noise, None, None), plain._increment(known, 1.5 * noise, None, None))
    got, expected = (made.step(*batch_of(initial), initial.time, noise) for made in (more, plain))
    assert plain.global_means
    torch.testing.assert_close(plain.global_means.means(got), plain.global_means.means(expected))


def test_untrained_forecaster_adds_noise_of_the_tendency(
    make_forecaster: Callable[..., Forecaster], initial: InitialState
) -> None:
    """A network that says 0 has velocity 0: the increment is the noise that flow matching starts from."""
    flow = replace(make_forecaster(), global_means=None)
    torch.nn.init.zeros_(flow.denoiser.network.head.weight)  # type: ignore[union-attr, arg-type]
    noise = torch.randn(1, 7, 8, 16).clamp(-2, 2)
    stepped = flow.step(*batch_of(initial, 1), initial.time, noise)
    increment = flow.increment(initial.current, stepped)
    winds = [i for i, name in enumerate(flow.channels.names) if "wind" in name]
    expected = flow.truncation(0.99 * noise)
    torch.testing.assert_close(increment[:, winds], expected[:, winds], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["euler", "heun"])
@pytest.mark.parametrize("process", ["flow_matching", "edm"])
def test_every_sampler_serves_every_process(
    make_forecaster: Callable[..., Forecaster], initial: InitialState, name: str, process: str
) -> None:
    made = make_forecaster(sampler=SamplerConfig(name=name, steps=3), process=process)  # type: ignore[arg-type]
    stepped = made.step(*batch_of(initial), initial.time, torch.randn(2, 7, 8, 16))
    assert stepped.shape == (2, 7, 8, 16)
    assert stepped.isfinite().all()


def test_humidity_is_never_negative(forecaster: Forecaster, initial: InitialState) -> None:
    stepped = forecaster.step(*batch_of(initial), initial.time, 50 * torch.randn(2, 7, 8, 16))
    humidity = stepped[:, forecaster.channels.index("specific_humidity_700")]
    assert humidity.min() == 0
    wind = stepped[:, forecaster.channels.index("u_component_of_wind_850")]
    assert wind.min() < 0


def test_static_features_have_unit_variance_and_latitude() -> None:
    grid = Grid.gaussian(8, 16)
    values = np.stack([np.random.default_rng(0).uniform(0, 5e4, grid.shape), np.full(grid.shape, 7.0)])
    features = static_features(values, grid)
    weights = torch.as_tensor(grid.area_weights(), dtype=torch.float32)[:, None]
    assert features.shape == (4, 8, 16)
    assert (weights * features[0]).mean().item() == pytest.approx(0, abs=1e-5)
    assert (weights * features[0] ** 2).mean().item() == pytest.approx(1, rel=1e-4)
    assert features[1].abs().max() < 1e-4, "a constant field tells nothing"
    torch.testing.assert_close(features[2] ** 2 + features[3] ** 2, torch.ones(8, 16))
    assert static_features(np.zeros((0, 8, 16)), grid).shape == (2, 8, 16)


@pytest.mark.parametrize(
    ("grid", "levels"),
    [
        (Grid.equiangular(8, 16, poles=False), 3),
        (Grid.gaussian(32, 64), 3),
        (Grid.equiangular(6, 8, poles=False), 2),
        (Grid.equiangular(5, 6, poles=False), 1),
    ],
)
def test_grids_that_fit(grid: Grid, levels: int) -> None:
    check_grid(grid, unet(levels))


@pytest.mark.parametrize(
    ("grid", "levels", "said"),
    [
        (Grid.equiangular(6, 16, poles=False), 3, "latitudes divisible by 4, longitudes by 8.*6x16"),
        (Grid.equiangular(8, 12, poles=False), 3, "longitudes by 8.*8x12"),
        (Grid.equiangular(8, 15, poles=False), 1, "longitudes by 2.*8x15"),
        (Grid.equiangular(8, 16, poles=True), 2, "no row on a pole"),
        (Grid((60.0, 55.0, 50.0, 45.0), (0.0, 90.0, 180.0, 270.0)), 1, "global grid"),
        (Grid((67.5, 22.5, -22.5, -67.5), (0.0, 10.0, 20.0, 30.0)), 1, "global grid"),
    ],
)
def test_grids_that_do_not_fit(grid: Grid, levels: int, said: str) -> None:
    with pytest.raises(DataError, match=said):
        check_grid(grid, unet(levels))


@pytest.mark.parametrize(("patch", "fits"), [(2, True), (4, True), (8, False), (3, False)])
def test_grid_is_cut_into_patches(patch: int, fits: bool) -> None:
    """Along latitude whole ones, along longitude twice as many, as the rows beyond a pole are from the other side."""
    grid = Grid.equiangular(*((8, 16) if patch == 3 else (12, 24)), poles=False)
    model = ModelConfig(network="transformer", widths=(8,), patch=patch, step_hours=6)
    if fits:
        check_grid(grid, model)
    else:
        with pytest.raises(DataError, match=f"latitudes divisible by {patch}, longitudes by {2 * patch}"):
            check_grid(grid, model)
