"""Quantile and interval scores against their definitions, closed forms and the peers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from evaluation.metrics.crps import empirical_crps, gaussian_crps
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.metrics.quantiles import (
    METRICS,
    STATISTICS,
    central_intervals,
    interval_score,
    quantile_errors,
    quantile_score,
)
from tests.evaluation.field_samples import GRID, forms, means, random_ensemble, sample

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
VALUES = st.floats(-1e6, 1e6, width=32)


def brute_force_quantile(members: np.ndarray, level: float) -> float:
    """Type 7 by its definition: linear between the points ((i - 1)/(M - 1), x_(i))."""
    if len(members) == 1:
        return float(members[0])
    return float(np.interp(level, np.arange(len(members)) / (len(members) - 1), np.sort(members)))


@pytest.mark.parametrize("size", [1, 2, 3, 10, 21])
@pytest.mark.parametrize("steps", [None, 1])
def test_quantiles_are_type_7(size: int, steps: int | None) -> None:
    ensemble = random_ensemble(size, steps=steps)
    levels = [0.001, *LEVELS, 0.999]
    found = quantile_errors(ensemble, levels)
    expected = [[[brute_force_quantile(ensemble.members[:, i, j], level) - ensemble.observation[i, j]
                  for j in range(8)] for i in range(6)] for level in levels]  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-12)
    by_numpy = np.quantile(ensemble.members, levels, axis=0) - ensemble.observation
    np.testing.assert_allclose(found, by_numpy, atol=1e-12)


def test_scores_are_those_of_scoringrules_and_scores() -> None:
    sr, continuous = pytest.importorskip("scoringrules"), pytest.importorskip("scores.continuous")
    ensemble = random_ensemble(9)
    field = sample(ensemble)
    found = {name: statistic.of(field) for name, statistic in STATISTICS.items()}
    quantiles = np.quantile(ensemble.members, LEVELS, axis=0)
    observation = np.asarray(ensemble.observation)
    for place, level in enumerate(LEVELS):
        theirs = sr.quantile_score(observation, quantiles[place], level)
        np.testing.assert_allclose(found["quantile_score"][place], theirs, atol=1e-12)
        named = (xr.DataArray(values, dims=("y", "x")) for values in (quantiles[place], observation))
        theirs = continuous.quantile_score(*named, level, preserve_dims="all")
        np.testing.assert_allclose(found["quantile_score"][place], theirs, atol=1e-12)
    for place, (low, high, alpha) in enumerate(((0, 4, 0.1), (1, 3, 0.5))):
        theirs = sr.interval_score(observation, quantiles[low], quantiles[high], alpha)
        np.testing.assert_allclose(found["interval_score"][place], theirs, rtol=1e-10)
        ends = (xr.DataArray(values, dims=("y", "x")) for values in (quantiles[low], quantiles[high], observation))
        theirs = continuous.interval_score(*ends, 1 - alpha, preserve_dims="all")["total"]
        np.testing.assert_allclose(found["interval_score"][place], theirs, rtol=1e-10)


def test_scores_by_hand() -> None:
    """One case in the interval, one below, one above, one on its end."""
    members = np.linspace(0, 10, 11)[:, None].repeat(4, axis=1)
    errors = quantile_errors(Ensemble.of(members, [5.0, -1.0, 12.0, 9.0]), [0.1, 0.9])
    np.testing.assert_allclose(errors, [[-4, 2, -11, -8], [4, 10, -3, 0]], atol=1e-12)
    np.testing.assert_allclose(interval_score(*errors, 0.8), [8, 8 + 10 * 2, 8 + 10 * 3, 8], atol=1e-9)
    np.testing.assert_allclose(quantile_score(errors[0], 0.1), [0.4, 1.8, 1.1, 0.8], atol=1e-12)


def test_statistics_of_intervals_are_loops() -> None:
    ensemble = random_ensemble(6)
    field = sample(ensemble)
    errors = quantile_errors(ensemble, LEVELS)
    inside, width = STATISTICS["interval_coverage"].of(field), STATISTICS["interval_width"].of(field)
    for place, (low, high) in enumerate(((0, 4), (1, 3))):
        for i, j in np.ndindex(GRID.shape):
            assert inside[place, i, j] == (errors[low, i, j] <= 0 <= errors[high, i, j])
            assert width[place, i, j] == pytest.approx(errors[high, i, j] - errors[low, i, j])
    np.testing.assert_array_equal(STATISTICS["quantile_frequency"].of(field), errors >= 0)
    np.testing.assert_array_equal(STATISTICS["interval_coverage"].axes(field)["interval"], [0.9, 0.5])


@given(
    arrays(np.float64, (5, 3), elements=VALUES),
    arrays(np.float64, 3, elements=VALUES),
    st.sampled_from([0.02, 0.5, 0.9]),
)
def test_interval_score_is_made_of_quantile_scores(
    members: np.ndarray, observation: np.ndarray, coverage: float
) -> None:
    """``(2/alpha) (QS_low + QS_high)``."""
    levels = [(1 - coverage) / 2, (1 + coverage) / 2]
    low, high = quantile_errors(Ensemble.of(members, observation), levels)
    parts = quantile_score(low, levels[0]) + quantile_score(high, levels[1])
    scale = 1 + np.abs(members).max() + np.abs(observation).max()
    np.testing.assert_allclose(interval_score(low, high, coverage), 2 / (1 - coverage) * parts, atol=1e-8 * scale)


def test_twice_the_integral_of_the_quantile_score_is_the_crps() -> None:
    levels = (np.arange(20_000) + 0.5) / 20_000
    gaussian = Gaussian.of([1.0], [2.0], [0.3])
    errors = quantile_errors(gaussian, levels.tolist())[:, 0]
    total = sum(quantile_score(error, level) for error, level in zip(errors, levels, strict=True))
    assert 2 * total / 20_000 == pytest.approx(gaussian_crps(gaussian)[0], rel=1e-4)
    ensemble = Ensemble.of(norm.ppf((np.arange(500) + 0.5) / 500)[:, None], [0.3])
    errors = quantile_errors(ensemble, levels.tolist())[:, 0]
    total = sum(quantile_score(error, level) for error, level in zip(errors, levels, strict=True))
    assert 2 * total / 20_000 == pytest.approx(empirical_crps(ensemble)[0], rel=0.01)


@pytest.mark.parametrize("size", [5, 11, 41])
def test_a_reliable_ensemble_covers_less_than_the_level_says(size: int) -> None:
    """``(1 + (M - 1) tau) / (M + 1)`` of the observations are up to a quantile on a member, not tau."""
    rng = np.random.default_rng(size)
    ensemble = Ensemble.of(rng.standard_normal((size, 100_000)), rng.standard_normal(100_000))
    for tau in (0.25, 0.5):  # (M - 1) tau is whole
        below = (quantile_errors(ensemble, [tau])[0] >= 0).mean()
        assert below == pytest.approx((1 + (size - 1) * tau) / (size + 1), abs=0.006)


def test_median() -> None:
    ensemble = random_ensemble(4)
    error = np.median(ensemble.members, axis=0) - ensemble.observation
    for levels in (LEVELS, (0.1, 0.9)):
        field = sample(ensemble, quantile_levels=levels)
        np.testing.assert_allclose(STATISTICS["median_error"].of(field), error, atol=1e-12)
        np.testing.assert_allclose(STATISTICS["median_absolute_error"].of(field), abs(error), atol=1e-12)


def test_gaussian_and_point() -> None:
    gaussian, point = Gaussian.of([1.0], [2.0], [0.5]), Point.of([1.0], [0.5])
    np.testing.assert_allclose(quantile_errors(gaussian, LEVELS)[:, 0], norm.ppf(LEVELS, 1, 2) - 0.5, rtol=1e-12)
    np.testing.assert_array_equal(quantile_errors(point, LEVELS)[:, 0], np.full(5, 0.5))
    one = Ensemble.of([[1.0]], [0.5])
    np.testing.assert_array_equal(quantile_errors(one, LEVELS), quantile_errors(point, LEVELS))
    certain = Gaussian.of([1.0, 1.0, 1.0], [0.0, -1.0, np.nan], np.full(3, 0.5))
    np.testing.assert_array_equal(quantile_errors(certain, [0.9])[0], [0.5, np.nan, np.nan])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_finite_is_nan_at_its_point_only(bad: float, dtype: type) -> None:
    ensemble = random_ensemble(5)
    members, observation = ensemble.members.astype(dtype), ensemble.observation.astype(dtype)
    members[3, 2, 2], observation[0, 0] = bad, bad
    field = sample(Ensemble.of(members, observation))
    for name, statistic in STATISTICS.items():
        missing = np.isnan(statistic.of(field))
        assert missing[..., 2, 2].all(), name
        assert missing[..., 0, 0].all(), name
        assert missing.sum() == 2 * missing[..., 2, 2].size, name
    for form in (Gaussian.of(np.nan, 1.0, 0.0), Point.of(np.nan, 0.0)):
        assert np.isnan(quantile_errors(form, LEVELS)).all()


@given(arrays(np.float32, (4, 3), elements=VALUES), arrays(np.float32, 3, elements=VALUES), st.permutations(range(4)))
def test_properties(members: np.ndarray, observation: np.ndarray, order: list[int]) -> None:
    found = quantile_errors(Ensemble.of(members, observation), LEVELS)
    np.testing.assert_array_equal(found, quantile_errors(Ensemble.of(members[order], observation), LEVELS))
    mirrored = quantile_errors(Ensemble.of(-members, -observation), LEVELS)
    np.testing.assert_allclose(found, -mirrored[::-1], rtol=1e-6, atol=1e-6 * (1 + np.abs(found).max()))
    assert np.all(np.diff(found, axis=0) >= -1e-9 * (1 + np.abs(found).max()))
    for error, level in zip(found, LEVELS, strict=True):
        assert np.all(quantile_score(error, level) >= 0)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scale_multiplies_huge_and_tiny_values(scale: float) -> None:
    ensemble = random_ensemble(4)
    scaled = Ensemble.of(np.asarray(ensemble.members) * scale, np.asarray(ensemble.observation) * scale)
    np.testing.assert_allclose(quantile_errors(scaled, LEVELS), quantile_errors(ensemble, LEVELS) * scale, rtol=1e-9)


def test_a_constant_ensemble() -> None:
    field = sample(Ensemble.of(np.full((4, *GRID.shape), 3.0), np.full(GRID.shape, 3.0)))
    for name in ("quantile_score", "interval_score", "interval_width", "median_error"):
        assert not STATISTICS[name].of(field).any()
    for name in ("interval_coverage", "quantile_frequency"):
        assert (STATISTICS[name].of(field) == 1).all()


def test_intervals_of_levels() -> None:
    assert central_intervals((0.1, 0.2, 0.3, 0.7, 0.9)) == {0.8: (0, 4), 0.4: (2, 3)}
    assert central_intervals((0.5,)) == {}
    field = sample(random_ensemble(3), quantile_levels=(0.2, 0.5))
    for name in ("interval_score", "interval_width", "interval_coverage"):
        assert STATISTICS[name].of(field).shape == (0, *GRID.shape)


def test_metrics_are_the_means_of_their_statistics_for_every_form() -> None:
    found = means(STATISTICS, {name: sample(form) for name, form in forms(5).items()})
    for name, metric in METRICS.items():
        values = metric.finalise(found)
        assert np.isfinite(values).all(), name
        assert metric.family == "quantiles"
    bias = METRICS["median_bias"].finalise(found)
    mae = METRICS["median_mae"].finalise(found)
    assert (abs(bias) <= mae).all()
