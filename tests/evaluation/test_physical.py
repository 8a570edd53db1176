"""Means of regions, their drift, and how large values are: closed forms, loops, and runs of the whole engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.channels import Channel
from data_pipeline.grid import Grid
from evaluation.metrics.definitions import PointStatistic, Sample
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.metrics.moments import error
from evaluation.metrics.physical import METRICS, STATISTICS, forecast_square, forecast_value, region_errors
from evaluation.settings import Settings

if TYPE_CHECKING:
    from evaluation.metrics.forms import Forecast

GRID = Grid.equiangular(6, 8, poles=False)
AREA = np.repeat(GRID.area_weights()[:, None], 8, axis=1)


def sample(forecast: Forecast) -> Sample:
    now = np.datetime64("2020-01-01", "ns")
    return Sample(forecast, Channel("mean_sea_level_pressure"), GRID, now, 24.0, Settings())


def noise(members: int = 4, seed: int = 0, mean: float = 1e5) -> Ensemble:
    rng = np.random.default_rng(seed)
    fields = (mean + rng.standard_normal((members + 1, *GRID.shape))).astype(np.float32)
    return Ensemble(fields[1:], fields[0])


def value(statistic: str, forecast: Forecast, weights: np.ndarray = AREA) -> float:
    entry = STATISTICS[statistic]
    if isinstance(entry, PointStatistic):
        return float((entry.of(sample(forecast)) * weights).sum() / weights.sum())
    return float(entry.of(sample(forecast), weights))


def score(metric: str, fields: list[list[Forecast]]) -> np.ndarray:
    """By lead, of forecasts by lead and initial time."""
    needed = {**STATISTICS, "error": PointStatistic(lambda sample: error(sample.forecast))}
    means = {}
    for name in METRICS[metric].statistics:
        entry = needed[name]
        per_field = [
            [
                float((entry.of(sample(own)) * AREA).sum() / AREA.sum())
                if isinstance(entry, PointStatistic)
                else float(entry.of(sample(own), AREA))
                for own in lead
            ]
            for lead in fields
        ]
        leads = 24.0 * np.arange(1, len(fields) + 1)
        means[name] = xr.DataArray(np.mean(per_field, axis=1), dims="lead_time", coords={"lead_time": leads})
    return METRICS[metric].finalise(means).values


def test_a_region_mean_of_members_and_of_the_truth() -> None:
    ensemble = noise()
    expected = (ensemble.members.astype(float).mean(axis=0) * AREA).sum() / AREA.sum()
    assert score("region_mean", [[ensemble]]) == pytest.approx(expected, rel=1e-12)
    expected = (ensemble.observation.astype(float) * AREA).sum() / AREA.sum()
    assert score("region_mean_of_truth", [[ensemble]]) == pytest.approx(expected, rel=1e-12)


def test_drift_is_the_change_of_the_mean_error_since_the_first_lead() -> None:
    truth = noise().observation
    fields = [[Ensemble(np.stack([truth + shift, truth + shift + 2]), truth)] for shift in (5.0, 6.0, 9.0)]
    np.testing.assert_allclose(score("drift", fields), [0, 1, 4], atol=1e-2)  # float32 at 1e5


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(0, 1000), st.floats(-1e6, 1e6))
def test_errors_of_regional_means_agree_with_loops_over_members(members: int, seed: int, shift: float) -> None:
    ensemble = noise(members, seed, shift)
    weights = AREA * (np.arange(8) < 5)
    inside = [
        sum(
            weights[row, column] * (float(member[row, column]) - float(ensemble.observation[row, column]))
            for row in range(6)
            for column in range(8)
        )
        / weights.sum()
        for member in ensemble.members
    ]
    np.testing.assert_allclose(region_errors(ensemble.members, ensemble.observation, weights), inside, atol=1e-12)
    assert value("region_mean_member_squared_error", ensemble, weights) == pytest.approx(np.mean(np.square(inside)))
    assert value("region_mean_squared_error", ensemble, weights) == pytest.approx(np.mean(inside) ** 2)
    if members > 1:
        assert value("region_mean_variance", ensemble, weights) == pytest.approx(np.var(inside, ddof=1))
    else:
        assert np.isnan(value("region_mean_variance", ensemble, weights))


def test_members_that_drift_apart_have_no_bias_but_are_seen() -> None:
    truth = noise().observation
    apart = Ensemble(np.stack([truth + 8.0, truth - 8.0]), truth)
    assert score("region_mean_rmse", [[apart]]) == pytest.approx(0, abs=1e-3)
    assert score("region_mean_member_rmse", [[apart]]) == pytest.approx(8)
    assert score("region_mean_spread", [[apart]]) == pytest.approx(8 * 2**0.5)


def test_errors_of_different_times_do_not_cancel() -> None:
    truth = noise().observation
    fields = [[Ensemble(truth[None] + 4.0, truth), Ensemble(truth[None] - 4.0, truth)]]
    assert score("region_mean_rmse", fields) == pytest.approx(4)


def test_rms_is_of_members_and_pools_before_the_root() -> None:
    """Trap 13: members 3 and -3 hold energy although their mean holds none."""
    zero = np.zeros(GRID.shape)
    opposite = Ensemble(np.stack([zero + 3, zero - 3]), zero + 1)
    assert score("rms", [[opposite]]) == pytest.approx(3)
    assert score("rms_of_truth", [[opposite]]) == pytest.approx(1)
    assert score("rms_ratio", [[opposite, Ensemble((zero + 4)[None], zero + 2)]]) == pytest.approx((25 / 5) ** 0.5)
    assert np.isnan(score("rms_ratio", [[Ensemble((zero + 4)[None], zero)]]))


def test_other_forms_of_forecast() -> None:
    point = Point.of([[3.0]], [[1.0]])
    assert forecast_value(point).item() == 3
    assert forecast_square(point).item() == 9
    assert forecast_value(Gaussian.of([[3.0]], [[2.0]], [[1.0]])).item() == 3
    truth = noise().observation
    shifted = Point.of(truth + 2.0, truth)
    assert value("region_mean_squared_error", shifted) == pytest.approx(4)
    assert np.isnan(value("region_mean_variance", shifted))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_missing_member_is_seen_and_a_missing_observation_is_not_counted(bad: float) -> None:
    ensemble = noise()
    ensemble.members[1, 2, 3] = bad
    for name in STATISTICS:
        assert np.isnan(value(name, ensemble)) == ("truth" not in name)
    assert np.isnan(forecast_square(ensemble)).sum() == 1
    ensemble.observation[2, 3] = np.nan
    weights = np.where(np.isfinite(ensemble.observation), AREA, 0.0)
    for name, entry in STATISTICS.items():
        if not isinstance(entry, PointStatistic):
            assert np.isfinite(value(name, ensemble, weights))


def test_an_empty_region_has_no_mean() -> None:
    for name, entry in STATISTICS.items():
        if not isinstance(entry, PointStatistic):
            assert np.isnan(value(name, noise(), 0 * AREA))


def test_geopotential_in_single_precision_loses_nothing() -> None:
    ensemble = noise(8, mean=5.4e5)
    exact = ensemble.members.astype(np.float64), ensemble.observation.astype(np.float64)
    np.testing.assert_allclose(region_errors(*exact, AREA), region_errors(ensemble.members, ensemble.observation, AREA))
    np.testing.assert_allclose(forecast_square(ensemble), np.square(exact[0]).mean(axis=0))


def test_huge_and_tiny_values() -> None:
    for scale in (1e-150, 1e150):
        truth = np.full(GRID.shape, scale)
        assert score("rms", [[Ensemble(truth[None] * 2, truth)]]) == pytest.approx(2 * scale)
