"""Climatologies that are made of the truth's other years, against loops and brute force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from data_pipeline.errors import ScoreError
from evaluation.climate import Season
from evaluation.metrics.forms import Ensemble
from evaluation.other_years import QUANTILES, ClimatologyOfTruth, OtherYears
from evaluation.probabilistic_climatology import ProbabilisticClimatology
from evaluation.record import Record
from evaluation.settings import Settings
from tests.evaluation.baseline_worlds import DAY, GRID, HEIGHT, TEMPERATURE, matches_of, times_from, truth_of

if TYPE_CHECKING:
    import xarray as xr

# Other years


def test_other_years_are_those_of_a_loop_at_leap_days_and_turns_of_the_year() -> None:
    times = times_from("1999-01-01", 6 * 366 * 2, 12)
    years = OtherYears(times, 61)
    for text in ("2000-02-29T12", "2001-12-31T00", "2002-01-05T12", "2000-12-31T00"):
        time = np.datetime64(text, "ns")
        expected = {}
        for place, other in enumerate(times):
            same_hour = (other - time) % DAY == np.timedelta64(0)
            day, own = (int(str(np.datetime64(t, "D") - np.datetime64(t, "Y").astype("datetime64[D]")).split()[0])
                        for t in (other, time))  # fmt: skip
            apart = min(abs(day - own), 366 - abs(day - own))
            if same_hour and apart < 30 and abs(other - time) > 182.5 * DAY:
                expected[place] = 1 - apart / 30
        positions, weights = years.around(time)
        assert positions.tolist() == list(expected)
        np.testing.assert_allclose(weights, list(expected.values()))


def test_the_members_of_the_probabilistic_climatology_are_fields_of_other_years(years: xr.Dataset) -> None:
    climatology = ProbabilisticClimatology(Record(years), Settings(climatology_window_days=5, climatology_members=50))
    match = matches_of(["2002-02-01T00"], [36], [HEIGHT])[0]
    days = ["2000-02-01T12", "2000-02-02T12", "2000-02-03T12", "2001-02-01T12", "2001-02-02T12", "2001-02-03T12",
            "2003-02-01T12", "2003-02-02T12", "2003-02-03T12"]  # fmt: skip
    observation = years["geopotential"].sel(time="2002-02-02T12", level=500).values
    forecast = climatology.forecast(match, observation)
    assert isinstance(forecast, Ensemble)
    expected = years["geopotential"].sel(time=np.array(days, dtype="datetime64[ns]"), level=500)
    np.testing.assert_array_equal(forecast.members, expected.values)


def test_draws_are_bounded_reproducible_and_follow_the_triangle(years: xr.Dataset) -> None:
    time = np.datetime64("2002-07-01T00", "ns")
    made = [ProbabilisticClimatology(Record(years), Settings(climatology_members=10, seed=seed)) for seed in range(400)]
    draws = [each.chosen(time) for each in made]
    assert all(len(set(draw.tolist())) == 10 for draw in draws)
    assert (
        draws[0].tolist()
        == ProbabilisticClimatology(Record(years), Settings(climatology_members=10)).chosen(time).tolist()
    )
    positions, weights = OtherYears(years["time"].values, 61).around(time)
    counts = np.array([sum(place in draw for draw in draws) for place in positions])
    assert np.corrcoef(counts, weights)[0, 1] > 0.9
    assert made[0].chosen(time + DAY).tolist() != draws[0].tolist()


def test_a_truth_of_one_year_has_no_other() -> None:
    truth = truth_of(np.zeros((300, *GRID.shape)), times_from("2000-01-01", 300, 24))
    matches = matches_of(["2000-03-01"], [24])
    climatology = ProbabilisticClimatology(Record(truth), Settings())
    assert climatology.lacks(matches) == [
        "the truth lacks other years around 2000-03-02T00:00, which probabilistic_climatology needs"
    ]
    assert np.isnan(climatology.forecast(matches[0], np.zeros(GRID.shape)).error).all()
    with pytest.raises(ScoreError, match="no other year around 2000-03-02T00:00"):
        ClimatologyOfTruth(truth).at(np.array(["2000-03-02"], dtype="datetime64[ns]"))


def test_the_climatology_of_the_truth_is_weighted_by_the_triangle_and_leaves_the_year_out(years: xr.Dataset) -> None:
    time = np.datetime64("2001-06-15T12", "ns")
    season = Season(ClimatologyOfTruth(years), GRID)
    positions, weights = OtherYears(years["time"].values, 61).around(time)
    states = years["geopotential"].sel(level=500).values[positions].astype(np.float64)
    mean, std = season.mean_and_std(HEIGHT, time)
    expected = np.average(states, axis=0, weights=weights)
    np.testing.assert_allclose(mean, expected)
    np.testing.assert_allclose(std, np.sqrt(np.average((states - expected) ** 2, axis=0, weights=weights)))
    near = [place for place, weight in zip(positions, weights, strict=True) if weight > 1 - 15.5 / 30]
    assert len(near) == 3 * 31
    quantiles = np.quantile(years["2m_temperature"].values[near], QUANTILES, axis=0)
    np.testing.assert_allclose(season.quantiles(TEMPERATURE, time, QUANTILES), quantiles, rtol=1e-6)
    changed = years.copy(deep=True)
    changed["geopotential"].loc[{"time": slice("2001-01-01", "2001-12-01")}] = 0
    np.testing.assert_array_equal(Season(ClimatologyOfTruth(changed), GRID).mean_and_std(HEIGHT, time)[0], mean)


def test_missing_states_have_no_mean_and_are_left_out_of_quantiles() -> None:
    times, rng = times_from("2000-01-01", 3 * 366, 24), np.random.default_rng(2)
    dims, shape = ("time", "level", "latitude", "longitude"), (3 * 366, 2, *GRID.shape)
    holed = 5e4 + rng.standard_normal(shape)
    holed[370, 0, 1, 1], holed[:, 1, 2, 2] = np.nan, np.nan
    truth = truth_of(rng.standard_normal((3 * 366, *GRID.shape)), times).assign(geopotential=(dims, holed))
    truth = truth.assign_coords(level=[500, 850]).assign_attrs(channels="geopotential_500 geopotential_850")
    truth["geopotential"].attrs["units"] = "m2 s-2"
    asked = np.array(["2002-01-05", "2002-07-01"], dtype="datetime64[ns]")
    climatology = ClimatologyOfTruth(truth)
    (mean, std), quantiles = climatology.at(asked), climatology.quantiles_at(asked)
    for found in (mean, std, quantiles):
        assert found["geopotential"].dims[-4:] == dims
        assert found["geopotential"].attrs["units"] == "m2 s-2"
        assert found.attrs["channels"] == truth.attrs["channels"]
        assert found["2m_temperature"].sizes["time"] == 2
    for place, time in enumerate(asked):
        positions, weights = OtherYears(times, 61).around(time)
        expected = np.average(holed[positions], axis=0, weights=weights)
        np.testing.assert_allclose(mean["geopotential"][place], expected)
        variance = np.average((holed[positions] - expected) ** 2, axis=0, weights=weights)
        np.testing.assert_allclose(std["geopotential"][place], np.sqrt(variance))
        near = positions[weights > 1 - 15.5 / 30]
        own = quantiles["geopotential"].isel(time=place)
        np.testing.assert_allclose(own[:, 0], np.nanquantile(holed[near, 0], QUANTILES, axis=0))
        assert np.isnan(own[:, 1, 2, 2]).all()
    assert np.isnan(mean["geopotential"][0, 0, 1, 1])
    assert np.isfinite(mean["geopotential"][1, 0, 1, 1])
    assert list(climatology.select({"geopotential", "wind"}).at(asked)[0].data_vars) == ["geopotential"]
    assert climatology.select({"wind"}) is climatology


def test_a_climatology_is_evaluated_once_for_each_time_and_its_quantiles_once_for_each_field(years: xr.Dataset) -> None:
    calls: list[str] = []

    class Watched(ClimatologyOfTruth):
        def at(self, times: np.ndarray) -> tuple[xr.Dataset, xr.Dataset]:
            calls.append("at")
            return super().at(times)

        def quantiles_at(self, times: np.ndarray) -> xr.Dataset:
            calls.append("quantiles_at")
            return super().quantiles_at(times)

    season, time = Season(Watched(years), GRID), np.datetime64("2001-06-15T12", "ns")
    for channel in (HEIGHT, TEMPERATURE):
        first = season.quantiles(channel, time, (0.1, 0.25))
        assert season.quantiles(channel, time, [0.1, 0.25]) is first
        assert season.quantiles(channel, time, (0.1,)) is not first
        assert season.mean_and_std(channel, time)[1] is season.std(channel, time)
    assert calls == ["quantiles_at", "at"]
    assert season.quantiles(HEIGHT, time, (0.1, 0.25)) is not first
    season.mean(HEIGHT, time + DAY)
    assert calls == ["quantiles_at", "at", "at"]
