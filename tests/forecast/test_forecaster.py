"""The forecaster: conditions, steps, static features, grids that it cannot have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from data_pipeline.errors import DataError
from data_pipeline.forcings import FORCING_NAMES, forcings
from data_pipeline.grid import Grid
from forecast.config import SamplerConfig
from forecast.forecaster import Forecaster, check_grid, static_features

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.rollout import InitialState


def batch_of(initial: InitialState, size: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(state.expand(size, *state.shape) for state in (initial.previous, initial.current))  # type: ignore[return-value]


def test_condition_is_states_forcings_static_in_this_order(forecaster: Forecaster, initial: InitialState) -> None:
    previous, current = batch_of(initial)
    forcing = torch.randn(len(FORCING_NAMES), 8, 16)
    condition = forecaster.condition(previous, current, forcing)
    scales, count = forecaster.normalizer, len(forecaster.channels)
    parts = condition.split([count, count, 3, len(forecaster.static)], dim=1)  # type: ignore[no-untyped-call]
    expected = (scales.state(previous), scales.state(current), forcing.expand(2, 3, 8, 16))
    assert all(torch.equal(got, want) for got, want in zip(parts, expected, strict=False))
    assert torch.equal(parts[3][1], forecaster.static)


def test_training_and_sampling_see_the_same_condition(forecaster: Forecaster, initial: InitialState) -> None:
    """The forcings of a step are those at its end, in the loop as in ``step``."""
    seen = []
    denoise = forecaster.denoiser.forward
    try:
        forecaster.denoiser.forward = lambda x, s, c: (seen.append(c), denoise(x, s, c))[1]  # type: ignore[method-assign, func-returns-value]
        forecaster.step(*batch_of(initial, 1), initial.time, torch.zeros(1, 7, 8, 16))
    finally:
        del forecaster.denoiser.forward
    end = forcings(initial.time + np.timedelta64(12, "h"), np.timedelta64(12, "h"), forecaster.grid)
    expected = forecaster.condition(*batch_of(initial, 1), torch.from_numpy(end))
    assert torch.equal(seen[0], expected)


def test_untrained_forecaster_adds_noise_of_the_tendency(
    make_forecaster: Callable[..., Forecaster], initial: InitialState
) -> None:
    """A network that says 0 has velocity 0: the increment is the noise that flow matching starts from."""
    flow = make_forecaster()
    torch.nn.init.zeros_(flow.denoiser.network.head.weight)  # type: ignore[union-attr, arg-type]
    torch.nn.init.zeros_(flow.denoiser.network.head.bias)  # type: ignore[union-attr, arg-type]
    noise = torch.randn(1, 7, 8, 16).clamp(-2, 2)
    stepped = flow.step(*batch_of(initial, 1), initial.time, noise)
    increment = flow.normalizer.increment(initial.current, stepped)
    winds = [i for i, name in enumerate(flow.channels.names) if "wind" in name]
    torch.testing.assert_close(increment[:, winds], 0.99 * noise[:, winds], rtol=1e-3, atol=1e-3)


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
    check_grid(grid, levels)


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
        check_grid(grid, levels)
