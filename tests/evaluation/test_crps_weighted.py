"""The CRPS with weight on tails against its integral, closed forms, and what happens when weights vanish."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import norm

from evaluation.metrics.crps import crps, empirical_crps, fair_crps, gaussian_crps
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.metrics.weighted_crps import outcome_weighted_crps, threshold_weighted_crps

RNG = np.random.default_rng(4)
VALUES = st.integers(-20, 20).map(float)


def tail_integral(members: np.ndarray, y: float, t: float, *, above: bool) -> float:
    """``int w(z) (F(z) - 1{y <= z})^2 dz`` of a step function, piece by piece."""
    edges = np.sort(np.concatenate([members, [y, t]]))
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    step = (members[:, None] <= middle).mean(axis=0)
    inside = middle > t if above else middle < t
    return float(np.sum(width * inside * (step - (y <= middle)) ** 2))


def conditional(members: np.ndarray, y: float, t: float, *, above: bool) -> float:
    """``w(y) CRPS(F_w, y)`` of members in a loop, of all of them where none has weight."""
    event = (lambda z: z > t) if above else (lambda z: z < t)
    if not event(y):
        return 0.0
    chosen = [x for x in members if event(x)] or list(members)
    pairs = sum(abs(a - b) for a in chosen for b in chosen) / (2 * len(chosen) ** 2)
    return sum(abs(x - y) for x in chosen) / len(chosen) - pairs


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_ensembles_are_scored_as_the_definitions_say(size: int, above: bool) -> None:
    members, observation = RNG.integers(-5, 6, (size, 60)) / 2, RNG.integers(-5, 6, 60) / 2
    threshold = RNG.integers(-7, 8, 60) / 2
    ensemble, columns = Ensemble.of(members, observation), list(zip(members.T, observation, threshold, strict=True))
    np.testing.assert_allclose(
        threshold_weighted_crps(ensemble, threshold, above=above, fair=False),
        [tail_integral(x, y, t, above=above) for x, y, t in columns], atol=1e-13,
    )  # fmt: skip
    np.testing.assert_allclose(
        outcome_weighted_crps(ensemble, threshold, above=above),
        [conditional(x, y, t, above=above) for x, y, t in columns], atol=1e-13,
    )  # fmt: skip


@given(arrays(np.float64, (5, 4), elements=VALUES), arrays(np.float64, 4, elements=VALUES), VALUES)
def test_both_tails_together_are_the_crps(members: np.ndarray, observation: np.ndarray, threshold: float) -> None:
    ensemble = Ensemble.of(members, observation)
    for fair, whole in ((True, fair_crps(ensemble)), (False, empirical_crps(ensemble))):
        above, below = (threshold_weighted_crps(ensemble, threshold, above=side, fair=fair) for side in (True, False))
        np.testing.assert_allclose(above + below, whole, atol=1e-12)
        if not fair:
            assert np.all(above >= -1e-12)


@given(arrays(np.float64, (5, 4), elements=VALUES), arrays(np.float64, 4, elements=VALUES), VALUES)
def test_tails_mirror_each_other(members: np.ndarray, observation: np.ndarray, threshold: float) -> None:
    ensemble, mirrored = Ensemble.of(members, observation), Ensemble.of(-members, -observation)
    for score in (threshold_weighted_crps, outcome_weighted_crps):
        np.testing.assert_allclose(
            score(ensemble, threshold, above=True), score(mirrored, -threshold, above=False), atol=1e-12
        )


def test_a_threshold_beyond_all_values_leaves_all_or_nothing() -> None:
    ensemble = Ensemble.of(RNG.standard_normal((6, 9)), RNG.standard_normal(9))
    np.testing.assert_allclose(threshold_weighted_crps(ensemble, -99.0, above=True), fair_crps(ensemble), atol=1e-13)
    np.testing.assert_array_equal(threshold_weighted_crps(ensemble, 99.0, above=True), np.zeros(9))
    np.testing.assert_allclose(outcome_weighted_crps(ensemble, -99.0, above=True), empirical_crps(ensemble), rtol=1e-12)
    np.testing.assert_array_equal(outcome_weighted_crps(ensemble, 99.0, above=True), np.zeros(9))


def test_an_event_that_no_member_has_scores_the_limit_of_a_vanishing_weight() -> None:
    members, y, t, epsilon = RNG.standard_normal(8), 5.0, 4.0, 1e-9
    weights = (members > t) + epsilon
    share = weights / weights.sum()
    limit = share @ np.abs(members - y) - share @ np.abs(members[:, None] - members) @ share / 2
    found = outcome_weighted_crps(Ensemble.of(members[:, None], [y]), t, above=True)
    assert found == pytest.approx([limit], rel=1e-6)


def test_a_value_on_the_threshold_is_no_event_in_the_precision_of_the_data() -> None:
    ensemble = Ensemble.of(np.full((3, 1), 0.1, np.float32) + 1, np.full(1, 0.1, np.float32))
    assert float(np.float32(0.1)) > 0.1, "or this test shows nothing"
    assert outcome_weighted_crps(ensemble, 0.1, above=True) == 0.0
    assert outcome_weighted_crps(ensemble, 0.05, above=True) == pytest.approx([1.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("score", [threshold_weighted_crps, outcome_weighted_crps])
def test_what_is_not_finite_scores_nan_at_its_point_only(score, above: bool, bad: float) -> None:  # type: ignore[no-untyped-def]
    members, observation = RNG.standard_normal((5, 4)), RNG.standard_normal(4)
    clean = score(Ensemble.of(members, observation), 0.0, above=above)
    observation[0], members[2, 1] = bad, bad
    threshold = np.array([0.0, 0.0, 0.0, np.nan])
    found = score(Ensemble.of(members, observation), threshold, above=above)
    np.testing.assert_array_equal(found, [np.nan, np.nan, clean[2], np.nan])
    point = score(Point.of([bad, 1.0], [0.0, 0.0]), -1.0, above=True)
    np.testing.assert_array_equal(point, [np.nan, 1.0])
    gaussian = score(Gaussian.of([bad, 1.0], [1.0, 0.0], [0.0, 0.0]), -1.0, above=True)
    np.testing.assert_array_equal(gaussian, [np.nan, 1.0])


def test_one_member_has_no_fair_score() -> None:
    with np.errstate(all="raise"):
        one = threshold_weighted_crps(Ensemble.of([[1.0]], [2.0]), 0.0, above=True)
    assert np.isnan(one)


def test_geopotential_in_float32_is_scored_without_loss() -> None:
    members = (5.3e5 + 20 * RNG.standard_normal((30, 40))).astype(np.float32)
    observation = (5.3e5 + 20 * RNG.standard_normal(40)).astype(np.float32)
    exact = Ensemble.of(members.astype(np.float64), observation.astype(np.float64))
    threshold = np.float64(np.float32(5.3e5 + 10))
    for score in (threshold_weighted_crps, outcome_weighted_crps):
        np.testing.assert_allclose(
            score(Ensemble.of(members, observation), threshold, above=True),
            score(exact, threshold, above=True), rtol=1e-9, atol=1e-9,
        )  # fmt: skip


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("threshold", [-3.0, 0.0, 1.5, 4.0])
def test_a_normal_distribution_is_its_integral(threshold: float, above: bool) -> None:
    for mean, std, y in ((0.0, 1.0, 0.3), (1.0, 0.2, -2.0), (-1.0, 2.0, 5.0), (0.5, 1.5, -4.0)):
        gaussian = Gaussian.of([mean], [std], [y])
        ends = (threshold, 60.0) if above else (-60.0, threshold)
        kinks = sorted({min(max(edge, ends[0]), ends[1]) for edge in (y, mean - 5 * std, mean, mean + 5 * std)})

        def loss(z: float, mean: float = mean, std: float = std, y: float = y) -> float:
            return float((norm.cdf(z, mean, std) - (y <= z)) ** 2)

        integral = quad(loss, *ends, points=kinks, limit=200)[0]
        found = threshold_weighted_crps(gaussian, threshold, above=above)
        assert found == pytest.approx([integral], rel=1e-7, abs=1e-9)
        inside = y > threshold if above else y < threshold
        mass = norm.sf(threshold, mean, std) if above else norm.cdf(threshold, mean, std)

        def given_it(z: float, mean: float = mean, std: float = std, y: float = y, mass: float = mass) -> float:
            beyond = 1 - norm.sf(z, mean, std) / mass if above else norm.cdf(z, mean, std) / mass
            return float((beyond - (y <= z)) ** 2)

        expected = quad(given_it, *ends, points=kinks, limit=200)[0] if inside else 0.0
        assert outcome_weighted_crps(gaussian, threshold, above=above) == pytest.approx([expected], rel=1e-6, abs=1e-9)


def test_a_normal_distribution_far_from_the_event_or_without_width() -> None:
    gaussian = Gaussian.of([0.0, 0.0, 3.0, 3.0], [1.0, 1.0, 0.0, 1e-320], [50.0, -1.0, 5.0, 5.0])
    np.testing.assert_allclose(
        outcome_weighted_crps(gaussian, 40.0, above=True), [gaussian_crps(gaussian)[0], 0.0, 0.0, 0.0]
    )
    np.testing.assert_allclose(threshold_weighted_crps(gaussian, 4.0, above=True)[2:], [1.0, 1.0])
    np.testing.assert_allclose(threshold_weighted_crps(gaussian, -90.0, above=True)[:2], crps(gaussian)[:2], rtol=1e-12)
    assert np.isnan(threshold_weighted_crps(Gaussian.of([0.0], [-1.0], [0.0]), 0.0, above=True))
    assert np.isnan(outcome_weighted_crps(Gaussian.of([0.0], [-1.0], [0.5]), 0.0, above=True))


def test_a_single_value_is_an_ensemble_of_one() -> None:
    value, observation = RNG.standard_normal((2, 30))
    point, one = Point.of(value, observation), Ensemble.of(value[None], observation)
    for above in (True, False):
        np.testing.assert_allclose(
            threshold_weighted_crps(point, 0.2, above=above),
            threshold_weighted_crps(one, 0.2, above=above, fair=False), atol=1e-14,
        )  # fmt: skip
        np.testing.assert_allclose(
            outcome_weighted_crps(point, 0.2, above=above), outcome_weighted_crps(one, 0.2, above=above), atol=1e-14
        )


def test_blocks_do_not_show() -> None:
    members, observation = RNG.standard_normal((3, 41, 150)), RNG.standard_normal((41, 150))
    threshold = RNG.standard_normal((41, 150))
    found = threshold_weighted_crps(Ensemble.of(members, observation), threshold, above=True)
    rows = [
        threshold_weighted_crps(Ensemble.of(members[:, row], observation[row]), threshold[row], above=True)
        for row in range(41)
    ]
    np.testing.assert_array_equal(found, rows)
