"""The CRPS against its definitions, against properscoring, and against what must not change it."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import ndtri

from data_pipeline.errors import ScoreError
from evaluation.metrics.crps import almost_fair_crps, crps, empirical_crps, fair_crps, gaussian_crps, standard_crps
from evaluation.metrics.forms import Ensemble, Gaussian, Point

with warnings.catch_warnings():  # properscoring 0.1 predates the deprecations of numpy and numba
    warnings.simplefilter("ignore")
    import properscoring

RNG = np.random.default_rng(0)
VALUES = st.floats(-1e6, 1e6, width=32)


def brute_force(members: np.ndarray, observation: np.ndarray, *, fair: bool) -> np.ndarray:
    """The definition with a double loop, in exact rational arithmetic."""
    count = len(members)
    pairs = count * (count - 1) if fair else count**2
    scores = []
    for column, truth in zip(members.reshape(count, -1).T, observation.ravel(), strict=True):
        exact, target = [Fraction(float(value)) for value in column], Fraction(float(truth))
        distance = sum(abs(value - target) for value in exact) / count
        scores.append(float(distance - sum(abs(a - b) for a in exact for b in exact) / (2 * pairs)))
    return np.reshape(scores, observation.shape)


SAMPLES = {
    "random": (RNG.standard_normal((7, 12)), RNG.standard_normal(12)),
    "two members": (RNG.standard_normal((2, 12)), RNG.standard_normal(12)),
    "tied members": (RNG.integers(0, 3, (9, 12)).astype(float), RNG.standard_normal(12)),
    "tied with the observation": (RNG.integers(0, 3, (9, 12)).astype(float), RNG.integers(0, 3, 12).astype(float)),
    "constant": (np.full((5, 4), 3.0), np.array([3.0, 2.0, 4.0, 0.0])),
    "huge": (1e30 * RNG.standard_normal((6, 12)), 1e30 * RNG.standard_normal(12)),
    "tiny": (1e-30 * RNG.standard_normal((6, 12)), 1e-30 * RNG.standard_normal(12)),
    "outside": (RNG.standard_normal((6, 12)), 1e3 + RNG.standard_normal(12)),
}


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_ensemble_scores_are_their_definitions_and_properscorings(sample: tuple[np.ndarray, np.ndarray]) -> None:
    members, observation = sample
    ensemble, scale = Ensemble.of(members, observation), np.abs(members).max()
    np.testing.assert_allclose(
        fair_crps(ensemble), brute_force(members, observation, fair=True), rtol=1e-12, atol=1e-14 * scale
    )
    np.testing.assert_allclose(
        empirical_crps(ensemble), brute_force(members, observation, fair=False), rtol=1e-12, atol=1e-14 * scale
    )
    theirs = properscoring.crps_ensemble(observation, np.moveaxis(members, 0, -1))
    np.testing.assert_allclose(empirical_crps(ensemble), theirs, rtol=1e-9, atol=1e-12 * scale)


def test_float32_geopotential_is_scored_without_loss() -> None:
    members = (5.3e5 + 20 * RNG.standard_normal((50, 40))).astype(np.float32)
    observation = (5.3e5 + 20 * RNG.standard_normal(40)).astype(np.float32)
    ensemble = Ensemble.of(members, observation)
    assert ensemble.deviations.dtype == np.float64
    np.testing.assert_allclose(fair_crps(ensemble), brute_force(members, observation, fair=True), rtol=1e-11)


def test_one_member_has_an_absolute_error_but_no_fair_score() -> None:
    ensemble = Ensemble.of([[1.0, 4.0]], [3.0, 3.0])
    np.testing.assert_array_equal(empirical_crps(ensemble), [2.0, 1.0])
    np.testing.assert_array_equal(
        empirical_crps(ensemble), properscoring.crps_ensemble(np.array([3.0, 3.0]), np.array([1.0, 4.0]))
    )
    assert np.isnan(fair_crps(ensemble)).all()


def test_almost_fair_is_between_standard_and_fair() -> None:
    ensemble = Ensemble.of(RNG.standard_normal((5, 40)), RNG.standard_normal(40))
    fair, standard = fair_crps(ensemble), empirical_crps(ensemble)
    np.testing.assert_allclose(almost_fair_crps(ensemble, 0.0), standard, rtol=1e-12)
    np.testing.assert_allclose(almost_fair_crps(ensemble, 1.0), fair, rtol=1e-12)
    np.testing.assert_allclose(almost_fair_crps(ensemble, 0.95), 0.95 * fair + 0.05 * standard, rtol=1e-12)
    assert np.isnan(almost_fair_crps(Ensemble.of([[1.0]], [2.0]), 0.95))
    point = Point.of([1.0], [3.0])
    np.testing.assert_array_equal(almost_fair_crps(point, 0.95), crps(point))


@pytest.mark.parametrize("size", [2, 5, 20])
def test_fair_score_of_a_reliable_ensemble_does_not_depend_on_its_size(size: int) -> None:
    rng, samples = np.random.default_rng(size), 100_000
    ensemble = Ensemble.of(rng.standard_normal((size, samples)), rng.standard_normal(samples))
    expected = 1 / np.sqrt(np.pi)  # E|X - Y| / 2 for independent standard normal X and Y
    assert fair_crps(ensemble).mean() == pytest.approx(expected, rel=0.01)
    assert empirical_crps(ensemble).mean() == pytest.approx((1 + 1 / size) * expected, rel=0.01)


def test_gaussian_is_the_limit_of_many_members() -> None:
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    observation = np.array([-2.0, 0.0, 0.7, 5.0])
    members = np.repeat(1.0 + 2.0 * ndtri(quantiles)[:, np.newaxis], 4, axis=1)
    limit = empirical_crps(Ensemble.of(members, observation))
    np.testing.assert_allclose(gaussian_crps(Gaussian.of(np.ones(4), np.full(4, 2.0), observation)), limit, rtol=1e-3)


def test_gaussian_is_properscorings() -> None:
    mean, observation = RNG.standard_normal((2, 200)) * 10
    std = np.exp(RNG.uniform(-6, 6, 200))
    ours = gaussian_crps(Gaussian.of(mean, std, observation))
    np.testing.assert_allclose(ours, properscoring.crps_gaussian(observation, mean, std), rtol=1e-10)


def test_gaussian_without_width_is_the_absolute_error_and_without_meaning_is_nan() -> None:
    std = [0.0, 0.0, 5e-324, 1e-200, -1.0, np.nan]
    score = gaussian_crps(Gaussian.of([3.0, 1.0, 3.0, 3.0, 3.0, 3.0], std, np.ones(6)))
    np.testing.assert_array_equal(score, [2.0, 0.0, 2.0, 2.0, np.nan, np.nan])


def test_point_scores_its_absolute_error() -> None:
    point = Point.of([1.0, 5.0], [2.0, 2.0])
    np.testing.assert_array_equal(crps(point), [1.0, 3.0])
    np.testing.assert_array_equal(standard_crps(point), [1.0, 3.0])


def test_each_form_is_scored_by_its_own_formula() -> None:
    ensemble, gaussian = Ensemble.of([[0.0], [2.0]], [1.0]), Gaussian.of([1.0], [1.0], [1.0])
    assert (crps(ensemble), standard_crps(ensemble)) == (fair_crps(ensemble), empirical_crps(ensemble))
    assert crps(gaussian) == standard_crps(gaussian) == gaussian_crps(gaussian)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("score", [fair_crps, empirical_crps])
def test_what_is_not_finite_scores_nan_at_its_point_only(score, bad: float) -> None:  # type: ignore[no-untyped-def]
    members, observation = RNG.standard_normal((5, 3)), RNG.standard_normal(3)
    clean = score(Ensemble.of(members, observation))
    observation[0], members[2, 1] = bad, bad
    np.testing.assert_array_equal(score(Ensemble.of(members, observation)), [np.nan, np.nan, clean[2]])
    assert np.isnan(score(Ensemble.of(np.full((3, 1), bad), [bad])))


@given(arrays(np.float32, (5, 3), elements=VALUES), arrays(np.float32, 3, elements=VALUES), st.permutations(range(5)))
def test_the_order_of_members_does_not_matter(members, observation, order) -> None:  # type: ignore[no-untyped-def]
    shuffled, scale = Ensemble.of(members[list(order)], observation), 1 + np.abs(members - observation).max()
    for score in (fair_crps, empirical_crps):
        expected = score(Ensemble.of(members, observation))
        np.testing.assert_allclose(score(shuffled), expected, rtol=1e-12, atol=1e-14 * scale)


@given(arrays(np.int32, (4, 3), elements=st.integers(-99, 99)), arrays(np.int32, 3, elements=st.integers(-99, 99)))
def test_shift_leaves_and_scale_multiplies_the_score(members: np.ndarray, observation: np.ndarray) -> None:
    for score in (fair_crps, empirical_crps):
        expected = score(Ensemble.of(members, observation))
        np.testing.assert_array_equal(score(Ensemble.of(members + 5e8, observation + 5e8)), expected)
        np.testing.assert_array_equal(
            score(Ensemble.of(-members, -observation)), score(Ensemble.of(members, observation))
        )
        np.testing.assert_allclose(score(Ensemble.of(3 * members, 3 * observation)), 3 * expected, atol=1e-12)


@given(arrays(np.float64, (6, 2), elements=VALUES), arrays(np.float64, 2, elements=VALUES))
def test_bounds(members: np.ndarray, observation: np.ndarray) -> None:
    ensemble = Ensemble.of(members, observation)
    slack = 1e-9 * (1 + np.abs(ensemble.deviations).max())
    assert np.all(empirical_crps(ensemble) >= -slack)
    assert np.all(fair_crps(ensemble) <= empirical_crps(ensemble) + slack)
    assert np.all(empirical_crps(ensemble) <= np.abs(ensemble.deviations).mean(axis=0) + slack)


@pytest.mark.parametrize(("members", "observation"), [((4, 3), (4,)), ((3,), (3,)), ((4, 3, 2), (3,))])
def test_shapes_that_do_not_fit_are_refused(members: tuple[int, ...], observation: tuple[int, ...]) -> None:
    with pytest.raises(ScoreError, match=r"members have shape .* expected \(member, ...\) and \(...\)"):
        Ensemble.of(np.zeros(members), np.zeros(observation))
