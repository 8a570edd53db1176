"""Anomaly correlation by its three definitions and activity, against plain loops and against xskillscore."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data_pipeline.channels import Channel
from data_pipeline.grid import Grid
from evaluation.metrics.correlation import (
    METRICS,
    STATISTICS,
    centred_correlation,
    spatial_variance,
    uncentred_correlation,
)
from evaluation.metrics.definitions import PointStatistic, Sample
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.settings import Settings

if TYPE_CHECKING:
    from evaluation.metrics.forms import Forecast

RNG = np.random.default_rng(0)
GRID = Grid.equiangular(6, 8, poles=False)
AREA = np.broadcast_to(GRID.area_weights()[:, None], GRID.shape)
MEAN = 280 + 20 * np.cos(np.deg2rad(GRID.latitude))[:, None] + np.zeros(GRID.shape)
VALUES = st.integers(-99, 99)


class Climate:
    """A climatology with cold poles."""

    mean, std = MEAN, np.full(GRID.shape, 3.0)


def sample(forecast: Forecast, climate: Any = Climate) -> Sample:
    return Sample(forecast, Channel("2m_temperature"), GRID, np.datetime64("2020-01-01"), 24.0, Settings(), climate)


def scored(metric: str, forecasts: list[Forecast], weights: np.ndarray = AREA, **options: Any) -> float:
    """A metric of several times: averages of its statistics, then its finalizer."""
    means = {}
    for name in METRICS[metric].statistics:
        statistic, values = STATISTICS[name], []
        for forecast in forecasts:
            if isinstance(statistic, PointStatistic):
                values.append(np.average(statistic.of(sample(forecast, **options)), weights=weights))
            else:
                values.append(float(statistic.of(sample(forecast, **options), weights)))
        means[name] = xr.DataArray(np.mean(values))
    return float(METRICS[metric].finalise(means))


def world(times: int = 4, size: int = 5, bias: float = 1.0) -> list[Ensemble]:
    """Anomalies with a signal that forecasts share with the truth."""
    found = []
    for _ in range(times):
        signal = 4 * RNG.standard_normal(GRID.shape)
        members = MEAN + bias + signal + 2 * RNG.standard_normal((size, *GRID.shape))
        found.append(Ensemble.of(members, MEAN + signal + RNG.standard_normal(GRID.shape)))
    return found


def anomalies(ensemble: Ensemble) -> list[tuple[float, float, float]]:
    """Weight, anomaly of the mean and observed anomaly of each point."""
    members, observation = ensemble.members.astype(np.float64), ensemble.observation.astype(np.float64)
    fields = AREA, members.mean(axis=0) - MEAN, observation - MEAN
    return list(zip(*(field.ravel().tolist() for field in fields), strict=True))


def correlation_twin(points: list[tuple[float, float, float]], *, centred: bool) -> float:
    """The formula as sums over points."""
    total = sum(w for w, _, _ in points)
    forecast = sum(w * f for w, f, _ in points) / total if centred else 0.0
    observed = sum(w * a for w, _, a in points) / total if centred else 0.0
    product = sum(w * (f - forecast) * (a - observed) for w, f, a in points)
    squares = sum(w * (f - forecast) ** 2 for w, f, _ in points) * sum(w * (a - observed) ** 2 for w, _, a in points)
    return product / math.sqrt(squares)


def test_each_definition_is_its_formula() -> None:
    times = world()
    fields = [anomalies(ensemble) for ensemble in times]
    assert scored("acc", times) == pytest.approx(np.mean([correlation_twin(f, centred=True) for f in fields]))
    assert scored("acc_uncentred", times) == pytest.approx(
        np.mean([correlation_twin(f, centred=False) for f in fields])
    )
    everything = [point for field in fields for point in field]
    assert scored("acc_pooled", times) == pytest.approx(correlation_twin(everything, centred=False))


def test_the_three_definitions_differ_as_documented() -> None:
    """A bias lowers those that are not centred; pooling weighs times by how unusual they are."""
    biased, calm = world(bias=8.0), [Ensemble.of(MEAN + 0.1 * RNG.standard_normal((5, 6, 8)), MEAN + 0.1)]
    unbiased = [Ensemble.of(e.members - 8.0, e.observation) for e in biased]
    assert scored("acc", biased) == pytest.approx(scored("acc", unbiased), abs=1e-12)
    assert scored("acc_uncentred", biased) < scored("acc_uncentred", unbiased) - 0.2
    assert scored("acc_pooled", unbiased + calm) == pytest.approx(scored("acc_pooled", unbiased), abs=0.01)
    assert scored("acc_uncentred", unbiased + calm) < scored("acc_uncentred", unbiased) - 0.05


def test_the_centred_one_is_xskillscores_weighted_correlation() -> None:
    xskillscore = pytest.importorskip("xskillscore")
    (ensemble,) = world(times=1)
    dims = ("latitude", "longitude")
    forecast, observed, weights = (
        xr.DataArray(field, dims=dims)
        for field in (ensemble.members.mean(axis=0) - MEAN, ensemble.observation - MEAN, AREA)
    )
    theirs = xskillscore.pearson_r(forecast, observed, dim=list(dims), weights=weights)
    assert scored("acc", [ensemble]) == pytest.approx(float(theirs), rel=1e-12)


def test_the_centred_one_without_weights_is_that_of_scores() -> None:
    correlation = pytest.importorskip("scores.continuous.correlation")
    (ensemble,) = world(times=1)
    forecast, observed = (
        xr.DataArray(f, dims=("a", "b")) for f in (ensemble.members.mean(axis=0) - MEAN, ensemble.observation - MEAN)
    )
    ours = centred_correlation(forecast.values, observed.values, np.ones(GRID.shape))
    assert ours == pytest.approx(float(correlation.pearsonr(forecast, observed)), rel=1e-12)


def test_float32_geopotential_is_correlated_without_loss() -> None:
    mean = np.full(GRID.shape, 5.4e5)
    signal = 100 * RNG.standard_normal(GRID.shape)
    members = (mean + signal + 20 * RNG.standard_normal((5, *GRID.shape))).astype(np.float32)
    observation = (mean + signal).astype(np.float32)

    class High:
        std = mean

    High.mean = mean  # type: ignore[attr-defined]
    exact = members.astype(np.longdouble).mean(axis=0) - mean, observation.astype(np.longdouble) - mean
    expected = centred_correlation(*(field.astype(np.float64) for field in exact), AREA)
    assert scored("acc", [Ensemble.of(members, observation)], climate=High) == pytest.approx(expected, rel=1e-11)


def test_activity_is_the_spread_over_the_area_of_the_anomaly() -> None:
    times = world(times=3)

    def variance(field: np.ndarray) -> float:
        points = list(zip(AREA.ravel().tolist(), (field - MEAN).ravel().tolist(), strict=True))
        total = sum(w for w, _ in points)
        mean = sum(w * a for w, a in points) / total
        return sum(w * (a - mean) ** 2 for w, a in points) / total

    members = np.sqrt(np.mean([variance(member) for ensemble in times for member in ensemble.members]))
    means = np.sqrt(np.mean([variance(ensemble.members.mean(axis=0)) for ensemble in times]))
    analysis = np.sqrt(np.mean([variance(ensemble.observation) for ensemble in times]))
    assert scored("activity", times) == pytest.approx(members)
    assert scored("activity_of_mean", times) == pytest.approx(means)
    assert scored("activity_of_analysis", times) == pytest.approx(analysis)
    assert scored("activity_ratio", times) == pytest.approx(members / analysis)
    assert scored("activity_ratio_of_mean", times) == pytest.approx(means / analysis)
    assert means < members


def test_other_forms() -> None:
    (ensemble,) = world(times=1)
    point = Point.of(ensemble.members[0], ensemble.observation)
    alone = Ensemble.of(ensemble.members[:1], ensemble.observation)
    for name in METRICS:
        assert scored(name, [point]) == pytest.approx(scored(name, [alone]), rel=1e-12)
    climatology = Gaussian.of(MEAN, Climate.std, ensemble.observation)
    for name in ("acc", "acc_uncentred", "acc_pooled"):
        assert np.isnan(scored(name, [climatology]))  # nothing to correlate, and not the noise of rounding
    assert scored("activity_of_mean", [climatology]) == 0.0
    assert Gaussian not in STATISTICS["activity_of_members"].forms


def test_a_constant_anomaly_correlates_with_nothing() -> None:
    varying = RNG.standard_normal(GRID.shape)
    assert np.isnan(centred_correlation(np.full(GRID.shape, 0.1), varying, AREA))
    assert np.isnan(centred_correlation(varying, np.full(GRID.shape, 1 / 3), AREA))
    assert np.isnan(uncentred_correlation(np.zeros(GRID.shape), varying, AREA))
    assert centred_correlation(varying, varying, AREA) == pytest.approx(1.0)
    assert spatial_variance(np.full(GRID.shape, 2.0), AREA) == pytest.approx(0.0, abs=1e-30)


@pytest.mark.parametrize("name", ["acc", "acc_uncentred", "activity", "activity_of_mean", "activity_of_analysis"])
def test_what_is_missing_counts_where_it_has_weight_only(name: str) -> None:
    (ensemble,) = world(times=1)
    weights = AREA.copy()
    weights[2, 3] = 0.0
    clean = scored(name, [ensemble], weights)
    members, observation = ensemble.members.copy(), ensemble.observation.copy()
    members[1, 2, 3], observation[2, 3] = np.nan, np.nan
    assert scored(name, [Ensemble.of(members, observation)], weights) == pytest.approx(clean, rel=1e-12)
    if name != "activity_of_analysis":
        for bad in (np.nan, np.inf):
            members[1, 4, 4] = bad
            assert np.isnan(scored(name, [Ensemble.of(members, observation)], weights))


@pytest.mark.parametrize("name", METRICS)
def test_without_climatology_there_is_no_anomaly(name: str) -> None:
    assert np.isnan(scored(name, world(times=1), climate=None))
    assert METRICS[name].needs == {"climate"}


@given(arrays(np.int32, (6, 8), elements=VALUES), arrays(np.int32, (6, 8), elements=VALUES))
def test_correlations_are_between_minus_one_and_one_and_do_not_depend_on_units(f: np.ndarray, a: np.ndarray) -> None:
    forecast, observed = f.astype(np.float64), a.astype(np.float64)
    for correlation in (centred_correlation, uncentred_correlation):
        found = correlation(forecast, observed, AREA)
        assert np.isnan(found) or abs(found) <= 1 + 1e-12
        close = pytest.approx(found, abs=1e-12, nan_ok=True)
        assert correlation(observed, forecast, AREA) == close
        assert correlation(3e20 * forecast, 1e-20 * observed, 7 * AREA) == close
        assert correlation(-forecast, observed, AREA) == pytest.approx(-found, abs=1e-12, nan_ok=True)
    shifted = centred_correlation(forecast + 1000, observed - 500, AREA)
    assert shifted == pytest.approx(centred_correlation(forecast, observed, AREA), abs=1e-9, nan_ok=True)
