"""What the benchmarks of stability and speed compute."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import network, persistence, stability
from benchmarks.ensemble import START, random_fields, with_random_weights
from benchmarks.seasons import same_courses, same_season
from benchmarks.stability import Course, Planet, compared, drift, power_ratio
from data_pipeline.channels import Channels
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from forecast.config import SamplerConfig
from forecast.noise import SphericalNoise
from forecast.rollout import InitialState, rollout

GRID = Grid.equiangular(8, 16, poles=False)
DAY = np.timedelta64(1, "D")


def days(start: str, count: int) -> Any:
    return np.datetime64(start, "ns") + np.arange(count) * DAY


def test_same_season_goes_over_the_end_of_the_year() -> None:
    times = days("2001-07-01", 4 * 365)
    positions, years = same_season(times, np.datetime64("2003-01-01", "ns"), 5)
    december, january = {f"12-{day}" for day in range(26, 32)}, {f"01-0{day}" for day in range(1, 7)}
    assert {str(time)[5:10] for time in times[positions]} <= december | january
    np.testing.assert_array_equal(years, np.repeat([-1, 0, 1, 2], 11))


def test_same_season_is_of_the_same_hour() -> None:
    times = np.datetime64("2001-01-01", "ns") + np.arange(40) * np.timedelta64(12, "h")
    assert same_season(times, times[21], 1)[0].tolist() == [19, 21, 23]


def test_same_courses_are_those_that_are_whole() -> None:
    times = days("2001-07-01", 3 * 365)
    found = [str(times[course[0]])[:10] for course in same_courses(times, days("2003-06-01", 60))]
    assert found == ["2002-06-01", "2003-06-01"]
    assert len(same_courses(times, days("2003-02-01", 60))) == 3


def test_drift_is_in_interannual_ranges() -> None:
    years = np.array([-1.0, 0.0, 1.0])[:, None, None] * np.ones((3, 20, 1))
    still, gone = np.full((20, 2, 1), 0.5), np.zeros((20, 2, 1))
    gone[10:, 1] = 4
    assert drift(still, years, 10).tolist() == [0.25]
    assert drift(gone, years, 10).tolist() == [2.0]
    brief = np.zeros((20, 1, 1))
    brief[3] = 5  # one day of ten
    assert drift(brief, years, 10).tolist() == [0.25]


def planet(years: int = 4) -> Any:
    times = days("2001-01-01", 366 * years)
    states = np.random.default_rng(0).normal(280, 1, (len(times), 1, *GRID.shape)).astype(np.float32)
    store = SimpleNamespace(
        times=times, grid=GRID, statistics=SimpleNamespace(std=np.ones(1)), read=lambda at: states[np.asarray(at)]
    )
    return Planet.of([store])


def course(states: Any, times: Any) -> Course:
    weights = GRID.area_weights()[:, None]
    parts = (states * weights).mean((-2, -1)), states.min((-2, -1)), states.max((-2, -1))
    return Course(times, *parts, states[-1])


def test_a_year_of_the_planet_is_within_its_bounds() -> None:
    known, times = planet(), days("2002-03-01", 30)
    states = known.stores[0].read(np.searchsorted(known.stores[0].times, times))[:, None].astype(float)
    found = compared(course(states, times), known)
    assert found["drift"] < 1
    assert found["drift"] == found["member_drift"]
    assert found["beyond_extremes"] == 0
    np.testing.assert_allclose(found["small_scale_power"], 1, atol=0.4)
    found = compared(course(states + 20, times), known)
    assert found["drift"] > 10
    assert found["beyond_extremes"] > 10


def test_without_members_nothing_is_known() -> None:
    found = compared(course(np.empty((3, 0, 1, *GRID.shape)), days("2002-03-01", 3)), planet())
    assert np.isnan(list(found.values())).all()


def test_few_years_have_no_range() -> None:
    with pytest.raises(DataError, match="in 2 years, expected 3 or more"):
        planet(years=2).same_days(days("2002-03-01", 30))


def test_power_ratio_is_of_the_small_scales() -> None:
    fields = np.random.default_rng(0).normal(size=(5, 1, *GRID.shape))
    store: Any = SimpleNamespace(grid=GRID)
    np.testing.assert_allclose(power_ratio(2 * fields + 7, fields.astype(np.float32), store), 4, rtol=1e-3)


def test_stability_writes_no_nan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    forecaster = SimpleNamespace(channels=SimpleNamespace(names=["temperature_850"]))
    gone = course(np.empty((3, 0, 1, *GRID.shape)), days("2002-03-01", 3))
    known, line = planet(), "stability checkpoint store --init 2002-03-01 --init 2002-04-01"
    monkeypatch.setattr(sys, "argv", line.split())
    monkeypatch.setattr(stability, "load_checkpoint", lambda _: SimpleNamespace(to=lambda _: forecaster))
    monkeypatch.setattr(stability, "open_store", lambda path: path)
    monkeypatch.setattr(Planet, "of", lambda _: known)
    monkeypatch.setattr(stability, "run", lambda *_: gone)
    stability.main()
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (found["stopped_members"], found["within_bounds"]) == (16, False)
    assert set(found["channels"]["temperature_850"].values()) == {None}


def test_random_weights_change_fields_and_stay_sound() -> None:
    forecaster = with_random_weights(16, SamplerConfig(name="euler", steps=1))
    fields = random_fields(forecaster, seed=0)
    initial = InitialState.at(START, [fields, fields])
    *_, last = rollout(forecaster, initial, members=range(2), steps=15, seed=0)
    assert not last.stopped
    changes = (last.states - fields).std((0, 2, 3)) / forecaster.normalizer.std.flatten()
    assert ((changes > 0.05) & (changes < 3)).all()
    assert (last.states[0] != last.states[1]).any()


def test_network_benchmark_tells_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "matmul_peak", lambda *_: 1e9)

    class Doubled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(8, 8)

        def forward(self, fields: torch.Tensor, _: object) -> torch.Tensor:
            return self.layer(fields)

    found = network.measured(Doubled(), (4, 8), 2, torch.device("cpu"), None)
    assert found["milliseconds_per_evaluation"] == pytest.approx(1000 / found["evaluations_per_second"], rel=0.1, abs=1)


def test_increments_over_damped_persistence_have_less_variance() -> None:
    """Of an autoregressive process with memory A: 1 - A**2, and 2 - 2 A over the whole last state."""
    channels = Channels.of({"2m_temperature": None})
    store: Any = SimpleNamespace(channels=channels, grid=GRID)
    noise = SphericalNoise(GRID).draw([np.random.default_rng(k) for k in range(800)], 1)
    before, fresh = noise.chunk(2)
    found = persistence.compared(store, before, 0.5 * before + 0.75**0.5 * fresh)["2m_temperature"]
    assert found["kept"] == pytest.approx({0: 0.5, 2: 0.5, 5: 0.5}, abs=0.15)
    assert found["variance"] == pytest.approx(0.75, abs=0.03)
    assert found["variance_of_small_scales"] == pytest.approx(0.75, abs=0.04)
