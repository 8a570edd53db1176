"""Tests of means of autocorrelated series: closed forms, plain loops, peers, and what they cover by simulation."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from data_pipeline.errors import ScoreError
from evaluation import resampling, significance
from evaluation.significance import STANDARD_ERRORS, TESTS, false_discoveries

ONE = np.ones(1, dtype=int)


def autoregressive(count: int, series: int, memory: float, seed: int = 0) -> np.ndarray:
    """(time, series) of mean zero."""
    noise = np.random.default_rng(seed).standard_normal((count + 200, series))
    return lfilter([1], [1, -memory], noise, axis=0)[200:]


def deviations(series: np.ndarray) -> np.ndarray:
    return series - series.mean(axis=0)


def test_geer_is_the_t_test_where_autocorrelation_is_negative():
    x = np.array([1.0, -1.0] * 10)[:, None] + np.linspace(0, 0.5, 20)[:, None]
    p = significance.p_value(x.mean(axis=0), significance.geer(deviations(x), ONE))
    assert p[0] == pytest.approx(stats.ttest_1samp(x[:, 0], 0.0).pvalue)


def test_geer_inflates_by_the_factor_of_an_ar1_process():
    """``k^2 = (1 + phi)/(1 - phi)`` for AR(1): Wilks 2019, eq. 5.12."""
    x = autoregressive(200_000, 1, 0.6)
    error = significance.geer(deviations(x), ONE).standard_error
    assert error / (x.std() / np.sqrt(len(x))) == pytest.approx(np.sqrt(1.6 / 0.4), rel=0.02)


def test_geer_equals_its_definition_as_a_loop():
    x = autoregressive(50, 1, 0.5)[:, 0]
    d, n = x - x.mean(), 50
    r = [sum(d[t] * d[t + k] for t in range(n - k)) / sum(d * d) for k in (1, 2)]
    phi1, phi2 = r[0] * (1 - r[1]) / (1 - r[0] ** 2), (r[1] - r[0] ** 2) / (1 - r[0] ** 2)
    k = np.sqrt((1 - r[0] * phi1 - r[1] * phi2) / (1 - phi1 - phi2) ** 2)
    assert significance.geer(d[:, None], ONE).standard_error[0] == pytest.approx(k * x.std(ddof=1) / np.sqrt(n))


@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_diebold_mariano_equals_scores(horizon):
    peer = pytest.importorskip("scores.stats.statistical_tests")
    x = autoregressive(60, 3, 0.4) + 0.2
    precision = significance.diebold_mariano(deviations(x), np.full(3, horizon))
    series = xr.DataArray(x.T, dims=("lead", "time"), coords={"lead": [0, 1, 2], "h": ("lead", [horizon] * 3)})
    theirs = peer.diebold_mariano(series, "lead", "h", method="HLN", statistic_distribution="t")
    np.testing.assert_allclose(x.mean(axis=0) / precision.standard_error, theirs["dm_test_stat"].values)
    low, high = significance.interval(x.mean(axis=0), precision)
    np.testing.assert_allclose(low, theirs["ci_lower"].values)
    np.testing.assert_allclose(high, theirs["ci_upper"].values)


def test_diebold_mariano_of_a_day_ahead_is_the_t_test():
    x = np.random.default_rng(1).standard_normal((20, 1)) + 0.3
    p = significance.p_value(x.mean(axis=0), significance.diebold_mariano(deviations(x), ONE))
    assert p[0] == pytest.approx(stats.ttest_1samp(x[:, 0], 0).pvalue)


def test_diebold_mariano_has_no_answer_where_its_variance_is_not_positive():
    x = np.array([1.0, -1.0] * 6)[:, None]
    assert np.isnan(significance.diebold_mariano(x, np.array([2])).standard_error[0])
    assert np.isnan(significance.diebold_mariano(x, np.array([12])).standard_error[0])


def test_equal_weighted_cosine_equals_its_definition_as_a_loop():
    x, n = autoregressive(30, 1, 0.5)[:, 0], 30
    v = int(0.41 * n ** (2 / 3))
    lambdas = [
        np.sqrt(2 / n) * sum(x[t] * np.cos(np.pi * j * (t + 0.5) / n) for t in range(n)) for j in range(1, v + 1)
    ]
    found = significance.equal_weighted_cosine(deviations(x[:, None]), ONE)
    assert found.standard_error[0] == pytest.approx(np.sqrt(np.mean(np.square(lambdas)) / n))
    assert found.degrees[0] == v


COVERAGE = {
    ("ewc", 0.0): (0.93, 0.97), ("ewc", 0.5): (0.92, 0.97), ("ewc", 0.8): (0.89, 0.97), ("geer", 0.0): (0.94, 0.98),
    ("geer", 0.5): (0.90, 0.96), ("geer", 0.8): (0.86, 0.96), ("bootstrap", 0.0): (0.90, 0.99),
    ("bootstrap", 0.5): (0.88, 0.97), ("bootstrap", 0.8): (0.82, 0.96),
}  # fmt: skip


@pytest.mark.parametrize(("test", "memory"), COVERAGE)
def test_intervals_cover_the_truth_of_autocorrelated_series(test, memory):
    """Trap 11: an interval that takes times as independent covers 48 % at a memory of 0.8."""
    series = 250 if test == "bootstrap" else 4000
    x = autoregressive(100, series, memory, seed=3)
    mean, around = x.mean(axis=0), deviations(x)
    if test == "bootstrap":
        ends = [bootstrapped(x[:, [place]], seed=place) for place in range(series)]
        low, high = np.array(ends)[:, :2, 0].T
    else:
        low, high = significance.interval(mean, STANDARD_ERRORS[test](around, np.ones(series, int)))
    covered = ((low < 0) & (high > 0)).mean()
    assert COVERAGE[test, memory][0] <= covered <= COVERAGE[test, memory][1]


def test_independent_times_are_a_trap():
    x = autoregressive(100, 4000, 0.8, seed=3)
    reach = stats.t.ppf(0.975, 99) * x.std(axis=0, ddof=1) / 10
    assert (np.abs(x.mean(axis=0)) < reach).mean() < 0.55


def bootstrapped(x: np.ndarray, seed: int) -> tuple[np.ndarray, ...]:
    length = resampling.common_length(deviations(x))
    resampled = resampling.circular_blocks(len(x), length, 300, seed) @ x / len(x)
    return resampling.bootstrap_interval(x.mean(axis=0), resampled, resampling.stretch(length, len(x)), 0.95)


def test_block_lengths_equal_those_of_a_known_process():
    """White noise needs short blocks, an AR(1) process those that the formula gives for its autocovariances."""
    x = np.concatenate([autoregressive(2000, 20, memory, seed=1) for memory in (0.0, 0.5, 0.9)], axis=1)
    lengths = resampling.block_lengths(deviations(x)).reshape(3, 20).mean(axis=1)
    assert lengths[0] < 4 < lengths[1] < lengths[2]
    rho, n = 0.5, 2000  # AR(1): G/spectrum = 2 rho/(1 - rho^2), so b = (3/2 (2 rho/(1 - rho^2))^2 n)^(1/3)
    assert lengths[1] == pytest.approx((1.5 * (2 * rho / (1 - rho**2)) ** 2 * n) ** (1 / 3), rel=0.15)


def test_block_lengths_of_what_has_none():
    constant, alternating = np.zeros(20), np.array([1.0, -1.0] * 10)
    assert resampling.block_lengths(np.stack([constant, alternating], axis=1)).tolist()[0] == 1.0
    trend = np.linspace(-1, 1, 20)[:, None]
    assert 1 <= resampling.block_lengths(trend)[0] <= np.ceil(min(3 * np.sqrt(20), 20 / 3))


def test_a_negative_spectrum_gives_the_longest_block():
    x = np.array([1.0, -1.0] * 50)[:, None] * np.linspace(1, 1.2, 100)[:, None]
    assert resampling.block_lengths(deviations(x))[0] <= 30


@given(count=st.integers(10, 60), length=st.integers(1, 60), seed=st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_blocks_are_runs_of_times(count, length, seed):
    length = min(length, count)
    weights = resampling.circular_blocks(count, length, 50, seed)
    assert (weights.sum(axis=1) == count).all()
    if length == count:
        assert (weights == 1).all()
    np.testing.assert_array_equal(weights, resampling.circular_blocks(count, length, 50, seed))


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_the_stretch_is_the_fixed_b_critical_value(share):
    """Kiefer and Vogelsang's polynomial against simulation of the Bartlett kernel's variance of white noise."""
    x = np.random.default_rng(0).standard_normal((6000, 200))
    length, around = int(share * 200), x - x.mean(axis=1, keepdims=True)
    total = np.cumsum(np.pad(around, ((0, 0), (length + 1, length))), axis=1)
    variance = ((total[:, length:] - total[:, :-length]) ** 2).sum(axis=1) / (200 * length)
    critical = np.quantile(np.abs(x.mean(axis=1)) * np.sqrt(200 / variance), 0.95)
    assert 1.96 * resampling.stretch(length, 200) == pytest.approx(critical, rel=0.06)


def test_bootstrap_p_values():
    estimate, resampled = np.array([0.0, 5.0, np.nan]), np.array([[0.0, 5.1, 1.0], [0.0, 4.9, 1.0]] * 50)
    low, high, p = resampling.bootstrap_interval(estimate, resampled, 1.0, 0.9)
    assert p.tolist()[:2] == [1.0, pytest.approx(2 / 101)]
    assert low[1] < 5 < high[1]
    assert np.isnan([low[2], high[2], p[2]]).all()


def test_identical_models_differ_by_nothing():
    zero = np.zeros((20, 1))
    for test in STANDARD_ERRORS.values():
        assert significance.p_value(np.zeros(1), test(zero, ONE)).tolist() == [1.0]
        assert significance.p_value(np.ones(1), test(zero, ONE)).tolist() == [0.0]


def test_false_discoveries_equal_a_loop_and_statsmodels():
    rng = np.random.default_rng(0)
    p = np.concatenate([rng.uniform(size=40), rng.uniform(0, 0.005, size=10), [np.nan]])
    ranked = sorted(p[:50])
    limit = max((value for rank, value in enumerate(ranked, 1) if value <= 0.1 * rank / 50), default=-1.0)
    assert false_discoveries(p, 0.1) == limit
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    rejected = multitest.multipletests(p[:50], 0.1, "fdr_bh")[0]
    assert (p[:50] <= limit).tolist() == rejected.tolist()


def test_false_discoveries_of_nothing():
    assert false_discoveries([], 0.1) == -1.0
    assert false_discoveries([np.nan], 0.1) == -1.0


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1])
def test_a_share_of_false_discoveries_is_between_0_and_1(alpha):
    with pytest.raises(ScoreError, match=f"got alpha {alpha}, expected a share"):
        false_discoveries([0.5], alpha)


def test_noise_is_rarely_marked():
    """Without any difference, a share of false discoveries of 0.1 marks something in one card in ten."""
    x = autoregressive(60, 200 * 50, 0.3, seed=5)
    p = significance.p_value(x.mean(axis=0), significance.equal_weighted_cosine(deviations(x), ONE)).reshape(200, 50)
    assert np.mean([false_discoveries(row, 0.1) > 0 for row in p]) < 0.18


def test_spacing():
    times = np.datetime64("2020-01-01", "ns") + np.array([0, 12, 24, 96]) * np.timedelta64(1, "h")
    assert significance.spacing(times) == (12.0, 12.0, 72.0, False)
    assert "unevenly spaced, usually 12 h, at most 72 h" in str(significance.spacing(times))
    late_start = np.datetime64("2020-01-01", "ns") + np.array([0, 6, 18, 30]) * np.timedelta64(1, "h")
    assert "unevenly spaced, usually 12 h, at least 6 h" in str(significance.spacing(late_start))
    assert str(significance.spacing(times[:3])) == "every 12 h"
    assert significance.spacing(times[:1]).even


def test_horizons():
    assert significance.horizons([6, 24, 25, 72], 24.0).tolist() == [1, 1, 2, 3]
    assert significance.horizons([6, 24], np.nan).tolist() == [1, 1]


def test_every_test_has_words():
    assert set(TESTS) == {*STANDARD_ERRORS, "bootstrap"}
