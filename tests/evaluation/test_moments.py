"""Error, variance and the ratio of both, against numpy and against a reliable ensemble."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics import moments
from evaluation.metrics.forms import Ensemble, Gaussian, Point

RNG = np.random.default_rng(3)


def test_ensemble_moments_are_those_of_numpy_in_float64() -> None:
    members = (5.3e5 + RNG.standard_normal((6, 9))).astype(np.float32)
    observation = (5.3e5 + RNG.standard_normal(9)).astype(np.float32)
    ensemble, exact = Ensemble.of(members, observation), members.astype(np.longdouble)
    error = (exact.mean(axis=0) - observation).astype(np.float64)
    np.testing.assert_allclose(moments.error(ensemble), error, rtol=1e-9)
    np.testing.assert_allclose(moments.absolute_error(ensemble), np.abs(error), rtol=1e-9)
    np.testing.assert_allclose(moments.squared_error(ensemble), error**2, rtol=1e-9)
    variance = exact.var(axis=0, ddof=1).astype(np.float64)
    np.testing.assert_allclose(moments.variance(ensemble), variance, rtol=1e-9)
    np.testing.assert_allclose(moments.expected_squared_error(ensemble), 7 / 6 * variance, rtol=1e-9)


@pytest.mark.parametrize("size", [2, 3, 10])
def test_a_reliable_ensemble_expects_its_own_squared_error(size: int) -> None:
    rng = np.random.default_rng(size)
    ensemble = Ensemble.of(rng.standard_normal((size, 200_000)), rng.standard_normal(200_000))
    expected, found = moments.expected_squared_error(ensemble).mean(), moments.squared_error(ensemble).mean()
    assert np.sqrt(expected / found) == pytest.approx(1.0, abs=0.01)


def test_gaussian_and_point() -> None:
    gaussian, point = Gaussian.of([3.0], [2.0], [1.0]), Point.of([3.0], [1.0])
    for form in (gaussian, point):
        assert moments.error(form) == 2.0
        assert moments.squared_error(form) == 4.0
    assert moments.variance(gaussian) == moments.expected_squared_error(gaussian) == 4.0
    assert np.isnan(moments.variance(point))
    assert np.isnan(moments.variance(Ensemble.of([[3.0]], [1.0])))


def test_missing_values_are_counted_in_every_form() -> None:
    nan = np.nan
    ensemble = Ensemble.of([[1.0, nan, 1.0], [1.0, 1.0, np.inf], [1.0, 1.0, nan]], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(moments.missing(ensemble), [0, 1 / 3, 2 / 3])
    np.testing.assert_array_equal(moments.missing(Gaussian.of([1.0, nan, 1.0], [nan, 1.0, 1.0], np.ones(3))), [1, 1, 0])
    np.testing.assert_array_equal(moments.missing(Point.of([nan, 1.0], [1.0, 1.0])), [1, 0])


@pytest.mark.parametrize("statistic", [moments.error, moments.absolute_error, moments.squared_error, moments.variance])
def test_nan_propagates(statistic) -> None:  # type: ignore[no-untyped-def]
    ensemble = Ensemble.of([[1.0, np.nan, 1.0], [2.0, 2.0, 2.0]], [np.nan, 1.0, 1.0])
    np.testing.assert_array_equal(np.isnan(statistic(ensemble)), [True, True, False])
