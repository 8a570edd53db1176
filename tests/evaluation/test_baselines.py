"""Baselines: closed forms, brute force, and what each says that it lacks."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation import damped_persistence
from evaluation.analogs import AnalogEnsemble
from evaluation.climate import Season
from evaluation.damped_persistence import DampedPersistence
from evaluation.metrics.forms import Gaussian, Point
from evaluation.more_baselines import BASELINES, baselines
from evaluation.record import Record
from evaluation.settings import Settings
from tests.evaluation.baseline_worlds import DAY, GRID, HEIGHT, HOUR, TEMPERATURE, matches_of, times_from, truth_of


class ZeroClimatology:
    """Mean 0 and standard deviation 1 of some variables, at any time."""

    def __init__(self, truth: xr.Dataset, mean: float = 0.0) -> None:
        self._like, self._mean = truth.isel(time=[0]), mean

    def at(self, times: np.ndarray) -> tuple[xr.Dataset, xr.Dataset]:
        like = xr.zeros_like(self._like.isel(time=np.zeros(len(times), dtype=int))).assign_coords(time=times)
        mean, std = (like + value for value in (self._mean, 1))
        return mean, std


def test_every_baseline_says_what_it_lacks_and_has_its_name(years: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damped_persistence, "MOST_STARTS", 10)
    matches = matches_of(["2002-02-01T00", "2002-02-03T12"], [12, 72], [TEMPERATURE, HEIGHT])
    made = baselines(list(BASELINES), years, ZeroClimatology(years), matches)
    assert [baseline.name for baseline in made] == list(BASELINES)
    observation = np.full(GRID.shape, 280.0)
    for name, baseline in zip(BASELINES, made, strict=True):
        assert "lacks" in (type(baseline).__doc__ or "")
        assert baseline.lacks(matches) == [], name
        assert np.isfinite(baseline.forecast(matches[-1], observation).error).all(), name


def test_baselines_by_name() -> None:
    truth = truth_of(np.zeros((4, *GRID.shape)), times_from("2000-01-01", 4, 24))
    matches = matches_of(["2000-01-01"], [24])
    with pytest.raises(ScoreError, match="unknown baseline astrology; expected some of: persistence"):
        baselines(["astrology"], truth, None, matches)
    for name in ("climatology", "climatology_mean", "damped_persistence"):
        with pytest.raises(ScoreError, match=f"the baseline {name} needs a climatology"):
            baselines([name], truth, None, matches)
    assert [each.name for each in baselines(["persistence", "persistence"], truth, None, matches)] == ["persistence"]
    assert baselines(["persistence"], truth, None, []) == []


def test_persistence_without_its_initial_time_is_missing() -> None:
    truth = truth_of(np.ones((4, *GRID.shape)), times_from("2000-01-01", 4, 24))
    matches = matches_of(["1999-12-31"], [48])
    (persistence,) = baselines(["persistence"], truth, None, matches)
    assert persistence.lacks(matches) == ["the truth lacks the initial time 1999-12-31T00:00, which persistence needs"]
    assert np.isnan(persistence.forecast(matches[0], np.zeros(GRID.shape)).error).all()


def test_the_climatological_mean_is_that_of_the_normal_distribution() -> None:
    truth = truth_of(np.ones((4, *GRID.shape)), times_from("2000-01-01", 4, 24))
    matches = matches_of(["2000-01-01"], [24])
    normal, mean = baselines(["climatology", "climatology_mean"], truth, ZeroClimatology(truth, 5.0), matches)
    forecasts = [each.forecast(matches[0], np.ones(GRID.shape)) for each in (normal, mean)]
    assert isinstance(forecasts[0], Gaussian)
    assert isinstance(forecasts[1], Point)
    assert [float(forecast.error.mean()) for forecast in forecasts] == [4, 4]
    other = matches_of(["2000-01-01"], [24], [HEIGHT])
    assert mean.lacks(other) == ["the climatology lacks geopotential_500"]


# Damped persistence


def autoregressive(phi: float, count: int = 3000) -> np.ndarray:
    """x(t + 1) = phi x(t) + e(t), of variance one."""
    rng = np.random.default_rng(0)
    states = np.empty((count, *GRID.shape))
    states[0] = rng.standard_normal(GRID.shape)
    for step in range(1, count):
        states[step] = phi * states[step - 1] + np.sqrt(1 - phi**2) * rng.standard_normal(GRID.shape)
    return states


def test_damped_persistence_finds_the_coefficient_of_an_autoregressive_process() -> None:
    truth = truth_of(autoregressive(0.8), times_from("2000-01-01", 3000, 12))
    matches = matches_of(["2003-12-01T00"], [36])
    damped = DampedPersistence(Record(truth), ZeroClimatology(truth), matches)
    assert damped.coefficients[36 * HOUR][TEMPERATURE] == pytest.approx(0.8**3, abs=0.03)
    start = truth["2m_temperature"].sel(time="2003-12-01T00").values
    expected = damped.coefficients[36 * HOUR][TEMPERATURE] * start - 2
    np.testing.assert_allclose(damped.forecast(matches[0], np.full(GRID.shape, 2.0)).error, expected)


def test_the_coefficient_is_least_squares_with_areas_over_times_outside_the_scored_period() -> None:
    times = times_from("2000-01-01", 60, 24)
    states = autoregressive(0.5, 60) + 3
    matches = matches_of(["2000-01-21", "2000-01-25"], [48])
    damped = DampedPersistence(Record(truth_of(states, times)), ZeroClimatology(truth_of(states, times), 3.0), matches)
    area = np.broadcast_to(GRID.area_weights()[:, None], GRID.shape)
    first, last = np.datetime64("2000-01-21"), np.datetime64("2000-01-27")
    used = [t for t in range(58) if times[t + 2] < first or times[t] > last]
    assert damped.pairs(48 * HOUR).tolist() == times[used].tolist()
    start, end = (np.stack([states[t + shift] - 3 for t in used]).ravel() for shift in (0, 2))
    weights = np.sqrt(np.tile(area.ravel(), len(used)))
    expected = np.linalg.lstsq((weights * start)[:, None], weights * end, rcond=None)[0][0]
    assert damped.coefficients[48 * HOUR][TEMPERATURE] == pytest.approx(expected)
    changed = states.copy()
    changed[20:27] = 1e6
    other = DampedPersistence(Record(truth_of(changed, times)), ZeroClimatology(truth_of(states, times), 3.0), matches)
    assert other.coefficients[48 * HOUR] == damped.coefficients[48 * HOUR]


def test_points_that_are_missing_at_either_time_count_in_neither_sum() -> None:
    times, states = times_from("2000-01-01", 60, 24), autoregressive(0.5, 60)
    rng = np.random.default_rng(4)
    states[rng.random(states.shape) < 0.1] = np.nan
    truth = truth_of(states, times)
    matches = matches_of(["2000-02-20"], [24, 72])
    damped = DampedPersistence(Record(truth), ZeroClimatology(truth), matches)
    area = np.broadcast_to(GRID.area_weights()[:, None], GRID.shape)
    for days in (1, 3):
        places = [int((time - times[0]) / DAY) for time in damped.pairs(days * DAY)]
        start, end = states[places], states[np.array(places) + days]
        both = np.isfinite(start) & np.isfinite(end)
        weights = np.broadcast_to(area, both.shape)[both]
        expected = np.sum(weights * start[both] * end[both]) / np.sum(weights * start[both] ** 2)
        assert damped.coefficients[days * DAY][TEMPERATURE] == pytest.approx(expected, rel=1e-5)


def test_where_memory_is_short_starts_lie_further_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = truth_of(autoregressive(0.5, 60), times_from("2000-01-01", 60, 24))
    matches = matches_of(["2000-02-20"], [24, 72])
    many = DampedPersistence(Record(truth), ZeroClimatology(truth), matches)
    assert (np.diff(many.pairs(DAY))[:40] == DAY).all()
    monkeypatch.setattr(damped_persistence, "KEPT_BYTES", 8 * 32)  # of one state
    few = DampedPersistence(Record(truth), ZeroClimatology(truth), matches)
    assert (np.diff(few.pairs(DAY)) >= 3 * DAY).all()
    assert len(few.pairs(3 * DAY)) > 10
    assert few.coefficients[DAY][TEMPERATURE] == pytest.approx(many.coefficients[DAY][TEMPERATURE], abs=0.15)


def test_damped_persistence_between_climatology_and_persistence_at_the_ends() -> None:
    """A state that never changes has rho 1; a climate without anomaly has none."""
    times, constant = times_from("2000-01-01", 40, 24), np.full((40, *GRID.shape), 7.0)
    matches = matches_of(["2000-01-30"], [48])
    truth = truth_of(constant, times)
    assert DampedPersistence(Record(truth), ZeroClimatology(truth), matches).coefficients[48 * HOUR][TEMPERATURE] == 1
    flat = DampedPersistence(Record(truth), ZeroClimatology(truth, 7.0), matches)
    assert np.isnan(flat.coefficients[48 * HOUR][TEMPERATURE])


def test_damped_persistence_lists_what_it_lacks_and_is_missing_then() -> None:
    truth = truth_of(autoregressive(0.5, 5), times_from("2000-01-01", 5, 24))
    matches = matches_of(["2000-01-02", "1999-12-31"], [24], [TEMPERATURE, HEIGHT])
    damped = DampedPersistence(Record(truth), ZeroClimatology(truth), matches)
    messages = "; ".join(damped.lacks(matches))
    assert "the truth lacks the initial time 1999-12-31T00:00" in messages
    assert "the climatology lacks geopotential_500" in messages
    assert "the truth lacks two times" not in messages
    all_of_it = matches_of(["2000-01-01"], [96])
    damped = DampedPersistence(Record(truth), ZeroClimatology(truth), all_of_it)
    assert "lacks two times 96 h apart before 2000-01-01T00:00 or after 2000-01-05T00:00" in damped.lacks(all_of_it)[0]
    for match in (matches[1], matches[2]):
        made = DampedPersistence(Record(truth), ZeroClimatology(truth), matches)
        assert np.isnan(made.forecast(match, np.zeros(GRID.shape)).error).all()


# Analogs


def test_analogs_of_weather_that_repeats_itself_are_perfect() -> None:
    """A cycle of 50 days: the past states one, two, ... cycles away are equal, and so is what follows."""
    rng = np.random.default_rng(1)
    cycle = rng.standard_normal((50, *GRID.shape))
    times = times_from("2000-01-01", 500, 24)
    truth = truth_of(np.concatenate([cycle] * 10), times)
    matches = matches_of([str(times[260])[:10]], [24, 72])
    analogs = AnalogEnsemble(Record(truth), matches, Settings(analogs=4))
    assert sorted(int(place) % 50 for place in analogs.chosen(times[260])) == [10, 10, 10, 10]
    forecast = analogs.forecast(matches[1], cycle[13])
    assert forecast.size == 4
    np.testing.assert_array_equal(forecast.deviations, 0)


def test_analogs_are_the_nearest_of_a_loop_outside_the_gap(years: xr.Dataset) -> None:
    matches = matches_of(["2002-02-01T00", "2002-02-03T12"], [12, 72], [TEMPERATURE, HEIGHT])
    analogs = AnalogEnsemble(Record(years), matches, Settings(analogs=5, analog_gap_days=20))
    times, area = years["time"].values, np.broadcast_to(GRID.area_weights()[:, None], GRID.shape)
    first, last = np.datetime64("2002-02-01T00") - 20 * DAY, np.datetime64("2002-02-06T12") + 20 * DAY
    held = set(times.tolist())
    allowed = [place for place, time in enumerate(times) if (time + 72 * HOUR <= first or time >= last)
               and all((time + lead * HOUR).astype(np.int64).item() in held for lead in (12, 72))]  # fmt: skip
    assert analogs.candidates.tolist() == allowed
    starts = [np.datetime64("2002-02-01T00", "ns"), np.datetime64("2002-02-03T12", "ns")]
    total = np.zeros((2, len(allowed)))
    for field in (years["2m_temperature"].values, years["geopotential"].sel(level=500).values):
        own = [field[list(times).index(start)].astype(float) for start in starts]
        squares = np.array(
            [[np.average((field[place] - state) ** 2, weights=area) for place in allowed] for state in own]
        )
        total += squares / squares.mean()
    np.testing.assert_allclose(analogs.distances, total, rtol=1e-9, atol=1e-12)
    same_hour = [place for place, index in enumerate(allowed) if (times[index] - starts[1]) % DAY == np.timedelta64(0)]
    nearest = sorted(same_hour, key=lambda place: total[1, place])[:5]
    assert analogs.chosen(starts[1]).tolist() == [allowed[place] for place in nearest]


def test_channels_of_the_distance_may_be_chosen(years: xr.Dataset) -> None:
    matches = matches_of(["2002-02-01T00"], [12], [TEMPERATURE])
    by_height = AnalogEnsemble(Record(years), matches, Settings(analogs=3), [HEIGHT])
    both = AnalogEnsemble(Record(years), matches, Settings(analogs=3), [HEIGHT, TEMPERATURE])
    own = AnalogEnsemble(Record(years), matches, Settings(analogs=3))
    np.testing.assert_allclose(both.distances, by_height.distances + own.distances)
    assert not np.allclose(by_height.distances, own.distances)


def test_analogs_list_what_they_lack_and_are_missing_then() -> None:
    truth = truth_of(np.zeros((30, *GRID.shape)), times_from("2000-01-01", 30, 24))
    matches = matches_of(["2000-01-15", "1999-12-01"], [24])
    analogs = AnalogEnsemble(Record(truth), matches, Settings())
    assert analogs.lacks(matches) == [
        "the truth lacks the initial time 1999-12-01T00:00, which analogs need",
        "the truth lacks 20 past states of the same hour for 2000-01-15T00:00, which analogs need",
    ]
    for match in matches:
        assert np.isnan(analogs.forecast(match, np.zeros(GRID.shape)).error).all()


def test_the_climatology_is_evaluated_once_for_all_that_ask(years: xr.Dataset) -> None:
    season = Season(ZeroClimatology(years), GRID)
    one, other = baselines(["climatology", "climatology_mean"], years, ZeroClimatology(years),
                           matches_of(["2002-02-01T00"], [12]), season=season)  # fmt: skip
    assert one._season is other._distribution._season is season
