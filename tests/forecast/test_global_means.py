"""Global means: a cycle of season and hour, its memory, and states that are given them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from data_pipeline.channels import Channels
from data_pipeline.forcings import forcings
from data_pipeline.grid import Grid
from data_pipeline.times import hour_of_day
from forecast.global_means import (
    CYCLE,
    HARMONICS,
    MOST,
    GlobalMeans,
    Memory,
    at,
    clock,
    cycle_of,
    earlier,
    memory_of,
    waves,
)

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
    """A clock of days since a midnight at the year's beginning."""
    year, day = 2 * math.pi * days / 365.2422, 2 * math.pi * days
    return torch.stack([year.cos(), year.sin(), day.cos(), day.sin()], dim=-1)


@pytest.fixture
def governed() -> GlobalMeans:
    generator = torch.Generator().manual_seed(0)
    cycle = torch.rand(4, CYCLE, generator=generator) + torch.tensor([280.0, 2.0, 0.0, 0.0])[:, None]
    cycle[:, 1:] *= 0.1
    memory = Memory(cycle, torch.tensor([0.9, 0.8, 0.2, 0.5]), 0.1 * torch.rand(4, 4, generator=generator))
    return GlobalMeans.of(CHANNELS, GRID, {24: memory})


def test_clock_is_that_of_the_steps_end() -> None:
    """Whatever the step's length."""

    def at_end(time: str, hours: int) -> torch.Tensor:
        end, step = np.datetime64(time, "ns"), np.timedelta64(hours, "h")
        known = torch.from_numpy(forcings(end, step, GRID)).expand(3, -1, -1, -1)
        same, *others = clock(known, torch.from_numpy(hour_of_day(np.array([end]))))
        assert all(torch.equal(same, other) for other in others)
        return same

    known = {("2001-03-01T06", 6): [0, 1], ("2001-09-11T18", 24): [0, -1], ("2001-06-21", 18): [1, 0]}
    for (time, hours), day in known.items():
        assert at_end(time, hours)[2:].tolist() == pytest.approx(day, abs=1e-6)
    days = torch.tensor([59.0 - 0.5, 59.0])  # since 1.5 days, the phase's own zero, cancel in the difference
    expected = phases(days)[:, :2]
    got = torch.stack([at_end("2001-03-01T00", 24)[:2], at_end("2001-03-01T12", 24)[:2]])
    angle = torch.atan2(got[:, 1], got[:, 0]) - torch.atan2(expected[:, 1], expected[:, 0])
    assert float(angle.diff()) == pytest.approx(0, abs=1e-4)


def test_earlier_is_so_many_hours_before() -> None:
    days = torch.linspace(0, 730, 50, dtype=torch.float64)
    torch.testing.assert_close(earlier(phases(days), 36), phases(days - 1.5))


def test_cycle_is_found_again() -> None:
    days = torch.linspace(0, 1500, 300, dtype=torch.float64)
    cycle = torch.randn(3, CYCLE, dtype=torch.float64)
    year, day = 2 * math.pi * days / 365.2422, 2 * math.pi * days
    seasons = [wave(number * year) for number in range(1, HARMONICS + 1) for wave in (torch.cos, torch.sin)]
    basis = torch.stack([torch.ones_like(year), day.cos(), day.sin(), *seasons])
    torch.testing.assert_close(waves(phases(days)), basis.T)
    torch.testing.assert_close(at(cycle, phases(days)), (cycle @ basis).T)
    torch.testing.assert_close(cycle_of((cycle @ basis).T, phases(days), years=4.1), cycle)


@pytest.mark.parametrize(("years", "harmonics"), [(0.4, 0), (1, 1), (1.6, 2), (10, 4)])
def test_no_more_harmonics_than_years(years: float, harmonics: int) -> None:
    days = torch.arange(0, 730, 1.5, dtype=torch.float64)
    cycle = cycle_of(torch.randn(len(days), 2, dtype=torch.float64), phases(days), years)
    assert (cycle[:, 3:].abs() > 1e-9).tolist() == 2 * [[True] * 2 * harmonics + [False] * 2 * (HARMONICS - harmonics)]


@pytest.mark.parametrize(("missing", "harmonics"), [(30, 4), (50, 3), (75, 2), (100, 0)])
def test_no_harmonic_of_which_half_a_wave_is_missing(missing: int, harmonics: int) -> None:
    days = torch.arange(0, 365 - missing, 1.5, dtype=torch.float64) + 365 * torch.arange(10)[:, None]
    times = phases(days.flatten())
    cycle = cycle_of(torch.randn(len(times), 1, dtype=torch.float64), times, years=8)
    assert (cycle[0, 3:].abs() > 1e-9).sum() == 2 * harmonics


@pytest.mark.parametrize(("months", "seasonal"), [(2, False), (6, False), (10, True)])
def test_seasons_that_nobody_has_seen_are_not_made_up(months: int, seasonal: bool) -> None:
    """A cycle fitted to noise in two months was 130 times the noise two months later."""
    days = torch.arange(0, 30.4 * months, 0.25, dtype=torch.float64)
    noise = torch.randn(len(days), 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hourly = torch.cos(2 * math.pi * days)[:, None]
    cycle = cycle_of(280 + noise + hourly, phases(days), years=2)
    whole_year = phases(torch.arange(0, 365, 0.25, dtype=torch.float64))
    assert bool(cycle[:, 3:].abs().max() > 1e-9) == seasonal
    assert float((at(cycle, whole_year) - 280).abs().max()) < 3
    assert float(cycle[0, 1]) == pytest.approx(1, abs=0.3)


def test_hours_that_nobody_has_seen_are_not_made_up() -> None:
    """At 00 and 12 the hour has one number, not two; at 00 alone it has none."""
    generator = torch.Generator().manual_seed(0)
    days = torch.arange(0, 1000, 0.5, dtype=torch.float64)
    times, late = phases(days), phases(days + 0.25)
    means = 280 + 0.2 * times[:, 2:3] + 0.02 * torch.randn(len(days), 1, generator=generator, dtype=torch.float64)
    cycle = cycle_of(means, times, years=2.7)
    torch.testing.assert_close(at(cycle, times), 280 + 0.2 * times[:, 2:3], rtol=0, atol=0.02)
    assert float((at(cycle, late) - 280).abs().max()) < 0.02
    once = cycle_of(means[::2], times[::2], years=2.7)
    assert once[:, 1:3].abs().max() < 1e-9
    torch.testing.assert_close(at(once, times), torch.full((2000, 1), 280.2, dtype=torch.float64), rtol=0, atol=0.02)


def test_memory_is_that_of_an_autoregressive_process() -> None:
    generator = torch.Generator().manual_seed(1)
    before, fresh = torch.randn(2, 20_000, 2, generator=generator, dtype=torch.float64)
    kept, new = memory_of(3 * before, 3 * (0.8 * before + 0.6 * fresh))
    torch.testing.assert_close(kept, torch.full((2,), 0.8), rtol=0.02, atol=0.0)
    torch.testing.assert_close(new, 1.8 * torch.eye(2), rtol=0.02, atol=0.05)
    assert memory_of(before, -before)[0].tolist() == [0, 0]
    assert not memory_of(0 * before, 0 * before)[1].any()


def test_channels_that_change_together_are_drawn_together() -> None:
    generator = torch.Generator().manual_seed(1)
    mixed = torch.tensor([[1.0, 0.9, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 2.0]], dtype=torch.float64)
    fresh = torch.randn(20_000, 3, generator=generator, dtype=torch.float64) @ mixed
    _, new = memory_of(torch.zeros_like(fresh), fresh)
    drawn = torch.randn(20_000, 3, generator=generator) @ new.T
    # half of the variance: with nothing before, that of the anomalies is half of what comes
    torch.testing.assert_close(torch.corrcoef(drawn.T), torch.corrcoef(fresh.T).float(), rtol=0, atol=0.03)
    torch.testing.assert_close(drawn.var(0), (fresh.var(0) / 2).float(), rtol=0.05, atol=0)


def test_states_get_the_means_of_cycle_anomaly_and_chance(governed: GlobalMeans) -> None:
    generator, (cycle, kept, new) = torch.Generator().manual_seed(2), governed.memory[24]
    before, after = (torch.rand(5, 4, *GRID.shape, generator=generator) + cycle[:, :1, None] for _ in range(2))
    normal, times = torch.randn(5, 4, generator=generator), phases(torch.linspace(3, 300.3, 5))
    got = governed.imposed(after, before, times, 24, normal)
    anomaly = (before * AREAS).mean((-2, -1)) - waves(earlier(times, 24)) @ cycle.T
    expected = waves(times) @ cycle.T + kept * anomaly + normal @ new.T
    rain = NAMES.index("total_precipitation")
    expected[:, rain] = (after * AREAS).mean((-2, -1))[:, rain]
    torch.testing.assert_close((got * AREAS).mean((-2, -1)), expected, rtol=1e-5, atol=1e-4)
    assert torch.equal(got[:, rain], after[:, rain])


def test_what_cannot_be_negative_is_not_wiped_out(governed: GlobalMeans) -> None:
    humidity = NAMES.index("specific_humidity")
    after, far = torch.rand(2, 4, *GRID.shape), torch.full((2, 4), -1e6)
    for normal, factor in ((far, 1 / MOST), (-far, MOST)):
        got = governed.imposed(after, after, phases(torch.tensor([0.0, 1.0])), 24, normal)
        torch.testing.assert_close(got[:, humidity], factor * after[:, humidity])


def test_what_is_added_has_its_shape(governed: GlobalMeans) -> None:
    after = torch.rand(2, 4, *GRID.shape) + governed.memory[24].cycle[:, :1, None]
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


@pytest.mark.parametrize("past_states", [1, 2])
def test_a_long_rollout_keeps_to_the_cycle(
    make_forecaster: Callable[..., Forecaster], initial: InitialState, past_states: int
) -> None:
    """Whatever the network does, which knows nothing here: means and their spread are those of the process."""
    made = make_forecaster(past_states=past_states)
    assert made.global_means
    made = replace(made, global_means=replace(made.global_means, memory=with_larger_cycle(made)))
    assert made.global_means
    (cycle, kept, new), members, time = made.global_means.memory[12], 64, initial.time
    previous = current = initial.current.expand(members, *initial.current.shape)
    anomaly = made.global_means.means(current[:1]) - at(cycle, clock_of(made, time))
    for step in range(12):
        noise = torch.randn(current.shape, generator=torch.Generator().manual_seed(step))
        previous, current = current, made.step(previous, current, time, noise)
        time = time + made.step_length
    means = made.global_means.means(current)
    std = new.diag() * ((1 - kept**24) / (1 - kept**2)).sqrt()
    expected = at(cycle, clock_of(made, time)) + kept**12 * anomaly
    assert ((means.mean(0) - expected) / std).abs().max() < 4 / members**0.5
    ratio = means.var(0) / std**2
    assert (ratio > 0.5).all()
    assert (ratio < 1.8).all()


def with_larger_cycle(forecaster: Forecaster) -> dict[int, Memory]:
    """So that a wrong time shows."""
    assert forecaster.global_means
    cycle, kept, new = forecaster.global_means.memory[12]
    return {12: Memory(torch.cat([cycle[:, :1], cycle[:, :1] * torch.full((CYCLE - 1,), 0.1)], dim=1), kept, new)}


def clock_of(forecaster: Forecaster, time: np.datetime64) -> torch.Tensor:
    known = torch.from_numpy(forcings(time, np.timedelta64(12, "h"), forecaster.grid))[None]
    return clock(known, torch.from_numpy(hour_of_day(np.array([time]))))
