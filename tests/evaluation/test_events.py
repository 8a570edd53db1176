"""Probabilities of events and their Brier and ranked probability scores, against loops, closed forms and the peers."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from evaluation.metrics import events
from evaluation.metrics.events import METRICS, STATISTICS, brier_score, fair_brier_score
from evaluation.metrics.exceedance import above_thresholds, beyond_climate_quantiles, probabilities
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from tests.evaluation.field_samples import GRID, Normal, forms, means, random_ensemble, sample

with warnings.catch_warnings():  # properscoring 0.1 predates the deprecations of numpy and numba
    warnings.simplefilter("ignore")
    import properscoring

LIMITS = (-1.0, 0.0, 0.5, 2.0)
THRESHOLDS = {"2m_temperature": LIMITS}
RNG = np.random.default_rng(5)


def brute_force_brier(members: np.ndarray, observation: float, limit: float, *, fair: bool) -> float:
    """The mean over pairs that the fair score is: the unbiased estimate of (p - o)^2, in exact arithmetic."""
    hits, happened = [int(value > limit) for value in members], int(observation > limit)
    size = len(hits)
    if not fair:
        return float((Fraction(sum(hits), size) - happened) ** 2)
    pairs = [(hits[i] - happened) * (hits[j] - happened) for i in range(size) for j in range(size) if i != j]
    return float(Fraction(sum(pairs), len(pairs)))


@pytest.mark.parametrize("size", [2, 5, 9])
@pytest.mark.parametrize("steps", [None, 2])
def test_brier_scores_are_their_definitions(size: int, steps: int | None) -> None:
    ensemble = random_ensemble(size, steps=steps)
    field = sample(ensemble, thresholds=THRESHOLDS)
    for name, fair in (("brier_score", False), ("fair_brier_score", True)):
        found = STATISTICS[name].of(field)
        assert found.shape == (4, *GRID.shape)
        expected = [
            [brute_force_brier(ensemble.members[:, i, j], ensemble.observation[i, j], limit, fair=fair)
             for i in range(6) for j in range(8)] for limit in LIMITS]  # fmt: skip
        np.testing.assert_allclose(found.reshape(4, -1), expected, atol=1e-14)


def test_brier_scores_are_the_peers() -> None:
    xs, sr = pytest.importorskip("xskillscore"), pytest.importorskip("scoringrules")
    probability = pytest.importorskip("scores.probability")
    ensemble = random_ensemble(7)
    found = STATISTICS["brier_score"].of(sample(ensemble, thresholds=THRESHOLDS))
    fair = STATISTICS["fair_brier_score"].of(sample(ensemble, thresholds=THRESHOLDS))
    theirs = properscoring.threshold_brier_score(ensemble.observation, np.moveaxis(ensemble.members, 0, -1), LIMITS)
    np.testing.assert_allclose(found, np.moveaxis(theirs, -1, 0), atol=1e-14)
    observation = xr.DataArray(ensemble.observation, dims=("y", "x"))
    members = xr.DataArray(ensemble.members, dims=("member", "y", "x"))
    named = xs.threshold_brier_score(observation, members, list(LIMITS), dim=[])
    np.testing.assert_allclose(found, named.transpose("threshold", "y", "x"), atol=1e-14)
    for event, limit in enumerate(LIMITS):
        outcome, share = observation > limit, (members > limit).mean("member")
        np.testing.assert_allclose(found[event], sr.brier_score(outcome.values.astype(float), share.values), atol=1e-14)
        theirs_fair = xs.brier_score(outcome, members > limit, fair=True, dim=[])
        np.testing.assert_allclose(fair[event], theirs_fair, atol=1e-14)
    theirs_fair = probability.brier_score_for_ensemble(
        members, observation, "member", list(LIMITS), preserve_dims="all"
    )
    np.testing.assert_allclose(fair, theirs_fair.transpose("threshold", "y", "x"), atol=1e-14)


def test_a_value_on_the_threshold_is_no_event_unlike_in_scores() -> None:
    """`scores` takes >= by default; ours, properscoring's and xskillscore's is >."""
    probability = pytest.importorskip("scores.probability")
    ensemble = Ensemble.of(np.full((3, 1), 1.0), [2.0])
    np.testing.assert_array_equal(probabilities(ensemble, np.array([1.0])), [0.0])
    theirs = probability.brier_score_for_ensemble(
        xr.DataArray(ensemble.members, dims=("member", "x")), xr.DataArray(ensemble.observation, dims="x"), "member",
        1.0, preserve_dims="all", fair_correction=False)  # fmt: skip
    assert float(theirs.squeeze()) == 0.0  # it sees three events
    assert properscoring.threshold_brier_score(2.0, [1.0, 1.0, 1.0], 1.0) == 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_thresholds_are_of_the_precision_of_the_data(dtype: type) -> None:
    """0.001 in float32 is above 0.001 in float64, and must not rain more for that."""
    ensemble = Ensemble.of(np.full((2, 1), 0.001, dtype), np.array([0.001], dtype))
    point = Point.of(np.array([0.001], dtype), np.array([0.001], dtype))
    for forecast in (ensemble, point):
        assert (
            probabilities(forecast, np.array([0.001])) == probabilities(forecast, np.array([0.001]), falling=True) == 0
        )


def test_fair_score_of_one_member_is_unknown_and_the_standard_one_is_that_of_a_point() -> None:
    one = random_ensemble(1)
    field = sample(one, thresholds=THRESHOLDS)
    assert np.isnan(STATISTICS["fair_brier_score"].of(field)).all()
    as_point = sample(Point.of(one.members[0], one.observation), thresholds=THRESHOLDS)
    for name in ("brier_score", "fair_brier_score"):
        np.testing.assert_array_equal(
            STATISTICS["brier_score"].of(field), STATISTICS[name].of(as_point))  # fmt: skip
    assert METRICS["fair_brier_score"].minimum_members == 2


@pytest.mark.parametrize("size", [2, 4, 20])
def test_fair_score_does_not_depend_on_the_size_of_a_reliable_ensemble(size: int) -> None:
    rng, count = np.random.default_rng(size), 200_000
    probability = rng.uniform(size=count)
    members, happened = rng.uniform(size=(size, count)) < probability, rng.uniform(size=count) < probability
    share = members.mean(axis=0)
    perfect = 0.5 - 1 / 3  # E p (1 - p)
    assert fair_brier_score(share, happened, size).mean() == pytest.approx(perfect, abs=0.003)
    assert brier_score(share, happened).mean() == pytest.approx((1 + 1 / size) * perfect, abs=0.003)


def test_gaussian_probability_is_its_tail_and_the_limit_of_many_members() -> None:
    observation, limit = np.array([0.3, -2.0, 5.0]), np.array([1.5, 0.0, 2.0])
    gaussian = Gaussian.of(np.ones(3), np.full(3, 2.0), observation)
    np.testing.assert_allclose(probabilities(gaussian, limit), norm.sf(limit, 1, 2), rtol=1e-12)
    np.testing.assert_allclose(probabilities(gaussian, limit, falling=True), norm.cdf(limit, 1, 2), rtol=1e-12)
    members = norm.ppf((np.arange(4000) + 0.5) / 4000, 1, 2)[:, None].repeat(3, axis=1)
    np.testing.assert_allclose(probabilities(Ensemble.of(members, observation), limit), norm.sf(limit, 1, 2), atol=3e-4)


def test_gaussian_without_width_is_certain_and_without_meaning_nan() -> None:
    gaussian = Gaussian.of([1.0, 1.0, 1.0, 1.0, np.nan], [0.0, 0.0, 0.0, -1.0, 1.0], np.zeros(5))
    limit = np.array([0.5, 1.0, 1.5, 0.0, 0.0])
    np.testing.assert_array_equal(probabilities(gaussian, limit), [1, 0, 0, np.nan, np.nan])
    np.testing.assert_array_equal(probabilities(gaussian, limit, falling=True), [0, 0, 1, np.nan, np.nan])


def test_quantiles_below_one_half_are_events_of_falling_below() -> None:
    ensemble = random_ensemble(6)
    found = beyond_climate_quantiles(sample(ensemble, Normal(), climate_quantiles=(0.1, 0.5, 0.9)))
    low, middle, high = norm.ppf([0.1, 0.5, 0.9])
    for event, members, observed in (
        (0, ensemble.members < low, ensemble.observation < low),
        (1, ensemble.members > middle, ensemble.observation > middle),
        (2, ensemble.members > high, ensemble.observation > high),
    ):
        np.testing.assert_allclose(found.probability[event], members.mean(axis=0))
        np.testing.assert_array_equal(found.happened[event], observed)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_missing_member_has_no_probability_and_never_counts_as_no_event(bad: float) -> None:
    ensemble = random_ensemble(4)
    ensemble.members[1, 2, 3] = bad
    field = sample(ensemble, Normal(), thresholds=THRESHOLDS)
    for name, statistic in STATISTICS.items():
        found = np.isnan(statistic.of(field))
        assert found[:, 2, 3].all(), name
        assert found.sum() == len(found), name


@pytest.mark.parametrize("form", [Gaussian.of(np.nan, 1.0, 0.0), Gaussian.of(0.0, np.nan, 0.0), Point.of(np.nan, 0.0)])
def test_missing_baselines_have_no_probability(form: Gaussian | Point) -> None:
    assert np.isnan(probabilities(form, np.array(0.0)))


def test_a_field_without_climatology_and_a_missing_quantile_are_unknown() -> None:
    ensemble = random_ensemble(4)
    assert np.isnan(STATISTICS["climate_brier_score"].of(sample(ensemble))).all()
    holed = Normal()
    quantiles = holed.quantiles([0.9])
    quantiles[0, 1, 1] = np.nan
    holed.quantiles = lambda _: quantiles
    found = STATISTICS["climate_brier_score"].of(sample(ensemble, holed, climate_quantiles=(0.9,)))
    assert np.argwhere(np.isnan(found)).tolist() == [[0, 1, 1]]


def test_ranked_probability_score_is_its_definition_and_xskillscores() -> None:
    xs = pytest.importorskip("xskillscore")
    ensemble = random_ensemble(5)
    samples = {"forecast": sample(ensemble, Normal(), thresholds=THRESHOLDS)}
    found = means(STATISTICS, samples, area=np.ones(GRID.shape))
    cumulative = np.array([[(ensemble.members <= t).mean(0), ensemble.observation <= t] for t in LIMITS], dtype=float)
    expected = np.square(cumulative[:, 0] - cumulative[:, 1]).sum(0).mean()
    assert METRICS["ranked_probability_score"].finalise(found).item() == pytest.approx(expected)
    observation = xr.DataArray(ensemble.observation, dims=("y", "x"))
    members = xr.DataArray(ensemble.members, dims=("member", "y", "x"))
    for prefix, fair in (("", False), ("fair_", True)):
        theirs = xs.rps(observation, members, np.array(LIMITS), fair=fair)
        ours = METRICS[f"{prefix}ranked_probability_score"].finalise(found)
        assert ours.item() == pytest.approx(float(theirs))


def test_ranked_probability_score_is_scoringrules() -> None:
    """Theirs takes the probabilities of the categories; all agree on not dividing by their number."""
    sr = pytest.importorskip("scoringrules")
    ensemble = random_ensemble(5)
    above = np.array([np.ones(GRID.shape), *((ensemble.members > t).mean(0) for t in LIMITS), np.zeros(GRID.shape)])
    category = np.searchsorted(LIMITS, ensemble.observation) + 1
    theirs = sr.rps_score(category, np.moveaxis(above[:-1] - above[1:], 0, -1))
    found = STATISTICS["brier_score"].of(sample(ensemble, thresholds=THRESHOLDS)).sum(0)
    np.testing.assert_allclose(found, theirs, atol=1e-12)


def test_no_thresholds_are_no_perfect_score() -> None:
    found = means(STATISTICS, {"forecast": sample(random_ensemble(5))})
    assert METRICS["brier_score"].finalise(found).shape == (1, 0)
    assert np.isnan(METRICS["ranked_probability_score"].finalise(found).item())


def test_skill_against_the_frequency_and_against_the_quantile() -> None:
    samples = {name: sample(form, Normal(), thresholds=THRESHOLDS) for name, form in forms(5).items()}
    found = means(STATISTICS, samples)
    frequency = found["event_frequency"].sel(model="forecast")
    expected = 1 - found["brier_score"] / (frequency * (1 - frequency)).where(frequency > 0)
    xr.testing.assert_allclose(METRICS["brier_skill_score"].finalise(found), expected)
    climatology = METRICS["climate_brier_skill_score"].finalise(found).sel(model="climatology")
    np.testing.assert_allclose(climatology, 0, atol=1e-12)  # it says what the quantiles stand for
    terciles = METRICS["tercile_ranked_probability_skill_score"].finalise(found)
    assert float(terciles.sel(model="climatology")) == pytest.approx(0, abs=1e-12)
    assert float(terciles.sel(model="forecast")) > 0.2


def test_skill_is_unknown_where_there_is_no_event() -> None:
    samples = {"forecast": sample(random_ensemble(5), thresholds={"2m_temperature": (99.0,)})}
    assert np.isnan(METRICS["brier_skill_score"].finalise(means(STATISTICS, samples))).all()


def test_skill_is_unknown_where_the_event_always_happens_but_for_rounding() -> None:
    mean = {"brier_score": xr.DataArray([0.1, 0.1]), "event_frequency": xr.DataArray([1 - 2e-16, 0.5])}
    np.testing.assert_allclose(METRICS["brier_skill_score"].finalise(mean), [np.nan, 0.6])


SMALL = st.floats(-9, 9, width=16)


@given(
    arrays(np.float32, (4, 3), elements=SMALL), arrays(np.float32, 3, elements=SMALL), SMALL, st.permutations(range(4))
)
def test_properties(members: np.ndarray, observation: np.ndarray, limit: float, order: list[int]) -> None:
    limits = np.full(3, limit)
    rising, falling = (probabilities(Ensemble.of(members, observation), limits, falling=down) for down in (False, True))
    mirrored = probabilities(Ensemble.of(-members, -observation), -limits, falling=True)
    np.testing.assert_array_equal(rising, mirrored)
    np.testing.assert_array_equal(rising, probabilities(Ensemble.of(members[order], observation), limits))
    np.testing.assert_allclose(rising + falling, 1 - (members == np.float32(limit)).mean(axis=0), atol=1e-15)
    happened = observation > limit
    assert np.all((brier_score(rising, happened) >= 0) & (brier_score(rising, happened) <= 1))
    assert np.all(fair_brier_score(rising, happened, 4) <= brier_score(rising, happened))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_huge_and_tiny_values(scale: float) -> None:
    ensemble = random_ensemble(4)
    plain = probabilities(ensemble, np.full(GRID.shape, 0.5))
    scaled = Ensemble.of(np.asarray(ensemble.members) * scale, np.asarray(ensemble.observation) * scale)
    np.testing.assert_array_equal(probabilities(scaled, np.full(GRID.shape, 0.5 * scale)), plain)


def test_events_are_found_once_for_all_scores() -> None:
    field = sample(random_ensemble(3), thresholds=THRESHOLDS)
    assert above_thresholds(field) is above_thresholds(field)
    assert above_thresholds(field) is not above_thresholds(sample(random_ensemble(3), thresholds=THRESHOLDS))


def test_every_score_has_what_the_registry_needs() -> None:
    for name, metric in events.METRICS.items():
        assert set(metric.statistics) <= set(STATISTICS), name
        assert metric.units == "1"
        assert metric.family == "events"
        assert metric.formula
