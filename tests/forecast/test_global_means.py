"""Global means: a seasonal cycle, its memory, and states that are given them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch

from data_pipeline.channels import Channels
from data_pipeline.grid import Grid
from forecast.global_means import SEASON, GlobalMeans, Memory, earlier, memory_of, seasonal_cycle, waves

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.forecaster import Forecaster
    from forecast.rollout import InitialState

GRID = Grid.gaussian(8, 16)
CHANNELS = Channels.of(
    {"2m_temperature": None, "specific_humidity": [700], "v_component_of_wind": [850], "total_precipitation": None}
)
NAMES = [channel.variable_name for channel in CHANNELS]
AREAS = torch.as_tensor(GRID.area_weights(), dtype=torch.float32)[:, None]


def phases(days: torch.Tensor) -> torch.Tensor:
    angle = 2 * math.pi * days / 365.2422
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


@pytest.fixture
def governed() -> GlobalMeans:
    generator = torch.Generator().manual_seed(0)
    season = torch.rand(4, SEASON, generator=generator) + torch.tensor([280.0, 2.0, 0.0, 0.0])[:, None]
    return GlobalMeans.of(
        CHANNELS, GRID, season, {24: Memory(torch.tensor([0.9, 0.8, 0.2, 0.5]), torch.full((4,), 0.1))}
    )


def test_earlier_is_so_many_hours_before() -> None:
    days = torch.linspace(0, 730, 50, dtype=torch.float64)
    torch.testing.assert_close(earlier(phases(days), 36), phases(days - 1.5))


def test_seasonal_cycle_is_found_again() -> None:
    days = torch.linspace(0, 1500, 300, dtype=torch.float64)
    season = torch.randn(3, SEASON, dtype=torch.float64)
    angle = 2 * math.pi * days / 365.2422
    basis = torch.stack([torch.ones_like(angle), angle.cos(), angle.sin(), (2 * angle).cos(), (2 * angle).sin()])
    torch.testing.assert_close(waves(phases(days)), basis.T)
    torch.testing.assert_close(seasonal_cycle((season @ basis).T, phases(days)), season)


def test_memory_is_that_of_an_autoregressive_process() -> None:
    generator = torch.Generator().manual_seed(1)
    before, fresh = torch.randn(2, 20_000, 2, generator=generator, dtype=torch.float64)
    kept, new = memory_of(3 * before, 3 * (0.8 * before + 0.6 * fresh))
    torch.testing.assert_close(kept, torch.full((2,), 0.8), rtol=0.02, atol=0.0)
    torch.testing.assert_close(new, torch.full((2,), 1.8), rtol=0.02, atol=0.0)
    assert memory_of(before, -before).kept.tolist() == [0, 0]
    assert memory_of(0 * before, 0 * before).new.tolist() == [0, 0]


def test_states_get_the_means_of_season_anomaly_and_chance(governed: GlobalMeans) -> None:
    generator = torch.Generator().manual_seed(2)
    before, after = (
        torch.rand(5, 4, *GRID.shape, generator=generator) + governed.season[:, :1, None] for _ in range(2)
    )
    normal, year = torch.randn(5, 4, generator=generator), phases(torch.linspace(3, 300, 5))
    got = governed.imposed(after, before, year, 24, normal)
    anomaly = (before * AREAS).mean((-2, -1)) - waves(earlier(year, 24)) @ governed.season.T
    expected = waves(year) @ governed.season.T + governed.memory[24].kept * anomaly + 0.1 * normal
    rain = NAMES.index("total_precipitation")
    expected[:, rain] = (after * AREAS).mean((-2, -1))[:, rain]
    torch.testing.assert_close((got * AREAS).mean((-2, -1)), expected, rtol=1e-5, atol=1e-4)
    assert torch.equal(got[:, rain], after[:, rain])


def test_what_is_added_has_its_shape(governed: GlobalMeans) -> None:
    after = torch.rand(2, 4, *GRID.shape)
    after[:, NAMES.index("specific_humidity"), 3] = 0
    got = governed.imposed(after, after, phases(torch.tensor([0.0, 100.0])), 24, torch.zeros(2, 4))
    added = got - after
    warmer, wetter, blown = (
        added[:, NAMES.index(name)] for name in ("2m_temperature", "specific_humidity", "v_component_of_wind")
    )
    assert float(warmer.std((-2, -1)).max()) < 1e-4
    assert not wetter[:, 3].any(), "nothing comes from nothing"
    assert (got[:, NAMES.index("specific_humidity")] >= 0).all()
    rows = blown / torch.cos(torch.deg2rad(torch.tensor(GRID.latitude, dtype=torch.float32)))[:, None]
    torch.testing.assert_close(rows, rows[:, :1, :1].expand_as(rows), rtol=1e-3, atol=1e-5)


def test_a_long_rollout_keeps_to_the_season(make_forecaster: Callable[..., Forecaster], initial: InitialState) -> None:
    """Whatever the network does, which knows nothing here: the spread of the means is that of the process."""
    made = make_forecaster()
    assert made.global_means
    members, time = 64, initial.time
    previous = current = initial.current.expand(members, *initial.current.shape)
    for step in range(12):
        noise = torch.randn(current.shape, generator=torch.Generator().manual_seed(step))
        previous, current = current, made.step(previous, current, time, noise)
        time = time + made.step_length
    kept, new = made.global_means.memory[12]
    variance = new**2 * (1 - kept**24) / (1 - kept**2)
    means = made.global_means.means(current)
    ratio = means.var(0) / variance
    assert (ratio > 0.5).all()
    assert (ratio < 1.8).all()
