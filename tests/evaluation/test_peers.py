"""The CRPS family against properscoring, scoringrules, xskillscore and ``scores``: equal, or who is right and why.

The disagreements, each asserted below and told in docs/scores/crps.md:

- NaN among the members: properscoring, xskillscore and ``scores`` score those that survive (``scores`` counts them as
  the ensemble size); we give NaN, as a forecast that blew up must be seen. scoringrules gives NaN too.
- Infinite members: we give NaN; properscoring, xskillscore and scoringrules' "int" infinity, the others NaN. An
  infinite observation: we give NaN, no measurement is infinite; the others infinity.
- One member, fair: NaN (0/0), here and with scoringrules and ``scores``.
- No member has the event that happened: scoringrules' outcome-weighted score is NaN, ours the limit of small weights.
- Float32 geopotential: scoringrules' "pwm" loses 40 % of a CRPS of 0.3 to cancellation; we subtract the observation.
- scoringrules' "akr" takes adjacent pairs of members instead of all: another estimator, which depends on their order.
"""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from evaluation.metrics.crps import almost_fair_crps, empirical_crps, fair_crps, gaussian_crps, quantile_crps
from evaluation.metrics.forms import Ensemble, Gaussian, Quantiles
from evaluation.metrics.weighted_crps import outcome_weighted_crps, threshold_weighted_crps

with warnings.catch_warnings():  # properscoring 0.1 predates the deprecations of numpy and numba
    warnings.simplefilter("ignore")
    import properscoring

    scoringrules = pytest.importorskip("scoringrules")
    xskillscore = pytest.importorskip("xskillscore")
    probability = pytest.importorskip("scores.probability")

pytestmark = pytest.mark.filterwarnings("ignore")  # the peers' own
RNG = np.random.default_rng(0)
SAMPLES = {
    "random": (RNG.standard_normal((7, 30)), RNG.standard_normal(30)),
    "tied": (RNG.integers(0, 3, (9, 30)).astype(float), RNG.integers(0, 3, 30).astype(float)),
    "constant": (np.full((5, 4), 3.0), np.array([3.0, 2.0, 4.0, 0.0])),
    "one member": (RNG.standard_normal((1, 30)), RNG.standard_normal(30)),
    "huge": (1e30 * RNG.standard_normal((6, 30)), 1e30 * RNG.standard_normal(30)),
    "tiny": (1e-30 * RNG.standard_normal((6, 30)), 1e-30 * RNG.standard_normal(30)),
    "outside": (RNG.standard_normal((6, 30)), 100 + RNG.standard_normal(30)),
}
each_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)


def equal(ours: np.ndarray, theirs: object, members: np.ndarray) -> None:
    scale = np.abs(members).max()
    np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-9, atol=1e-12 * scale)


def labelled(members: np.ndarray, observation: np.ndarray) -> tuple[xr.DataArray, xr.DataArray]:
    return xr.DataArray(members, dims=("member", "point")), xr.DataArray(observation, dims="point")


@each_sample
def test_the_standard_score_is_everyones(sample: tuple[np.ndarray, np.ndarray]) -> None:
    members, observation = sample
    ours, last = empirical_crps(Ensemble.of(members, observation)), np.ascontiguousarray(members.T)
    arrays = labelled(members, observation)
    equal(ours, properscoring.crps_ensemble(observation, last), members)
    equal(ours, xskillscore.crps_ensemble(arrays[1], arrays[0], dim=[]), members)
    equal(ours, probability.crps_for_ensemble(*arrays, "member", method="ecdf", preserve_dims="all"), members)
    for estimator in ("nrg", "qd", "int"):
        equal(ours, scoringrules.crps_ensemble(observation, last, estimator=estimator), members)


@each_sample
def test_the_fair_score_is_everyones(sample: tuple[np.ndarray, np.ndarray]) -> None:
    members, observation = sample
    ours, last = fair_crps(Ensemble.of(members, observation)), np.ascontiguousarray(members.T)
    theirs = probability.crps_for_ensemble(
        *labelled(members, observation), "member", method="fair", preserve_dims="all"
    )
    if len(members) == 1:
        assert np.isnan(ours).all()
        equal(ours, theirs, members)
        equal(ours, scoringrules.crps_ensemble(observation, last, estimator="fair"), members)
        return
    equal(ours, theirs, members)
    for estimator in ("fair", "pwm"):
        equal(ours, scoringrules.crps_ensemble(observation, last, estimator=estimator), members)


def test_the_almost_fair_score_lies_between_scoringrules_two() -> None:
    members, observation = SAMPLES["random"]
    fair, standard = (scoringrules.crps_ensemble(observation, members.T, estimator=name) for name in ("fair", "nrg"))
    ours = almost_fair_crps(Ensemble.of(members, observation), 0.7)
    np.testing.assert_allclose(ours, 0.7 * fair + 0.3 * standard, rtol=1e-12)


def test_a_normal_distribution_is_everyones() -> None:
    mean, observation = RNG.standard_normal((2, 200)) * 10
    std = np.exp(RNG.uniform(-6, 6, 200))
    ours = gaussian_crps(Gaussian.of(mean, std, observation))
    np.testing.assert_allclose(ours, properscoring.crps_gaussian(observation, mean, std), rtol=1e-9)
    np.testing.assert_allclose(ours, scoringrules.crps_normal(observation, mean, std), rtol=1e-7, atol=1e-12)
    arrays = [xr.DataArray(values, dims="point") for values in (observation, mean, std)]
    np.testing.assert_allclose(ours, xskillscore.crps_gaussian(*arrays, dim=[]), rtol=1e-9)


def test_a_normal_distribution_is_the_quadrature_of_properscoring_and_xskillscore() -> None:
    observation = np.array([-1.5, 0.0, 0.4, 3.0])
    ours = gaussian_crps(Gaussian.of(np.zeros(4), np.ones(4), observation))
    np.testing.assert_allclose(ours, properscoring.crps_quadrature(observation, norm), rtol=1e-6)
    array = xr.DataArray(observation, dims="point")
    np.testing.assert_allclose(ours, xskillscore.crps_quadrature(array, norm, dim=[]), rtol=1e-6)


def test_quantiles_are_scoringrules() -> None:
    levels, observation = np.array([0.05, 0.3, 0.5, 0.9]), RNG.standard_normal(40)
    values = np.sort(RNG.standard_normal((4, 40)), axis=0)
    theirs = scoringrules.crps_quantile(observation, values.T, levels)
    np.testing.assert_allclose(quantile_crps(Quantiles.of(levels, values, observation)), theirs, rtol=1e-12)


@pytest.mark.parametrize("above", [True, False])
@each_sample
def test_threshold_weighted_scores_are_scoringrules_and_scores(
    sample: tuple[np.ndarray, np.ndarray], above: bool
) -> None:
    members, observation = sample
    ensemble, last = Ensemble.of(members, observation), np.ascontiguousarray(members.T)
    tail = partial(
        probability.tail_tw_crps_for_ensemble, *labelled(members, observation), "member",
        tail="upper" if above else "lower", preserve_dims="all",
    )  # fmt: skip
    for threshold in np.quantile(members, [0.1, 0.5, 0.9]).tolist():
        ours = threshold_weighted_crps(ensemble, threshold, above=above, fair=False)
        bounds = {"a": threshold} if above else {"b": threshold}
        equal(ours, scoringrules.twcrps_ensemble(observation, last, **bounds, estimator="nrg"), members)
        equal(ours, tail(threshold=threshold, method="ecdf"), members)
        fair = threshold_weighted_crps(ensemble, threshold, above=above)
        equal(fair, tail(threshold=threshold, method="fair"), members)


@pytest.mark.parametrize("above", [True, False])
@each_sample
def test_outcome_weighted_scores_are_scoringrules_where_it_has_one(
    sample: tuple[np.ndarray, np.ndarray], above: bool
) -> None:
    members, observation = sample
    for threshold in np.quantile(members, [0.15, 0.5, 0.85]).tolist():
        ours = outcome_weighted_crps(Ensemble.of(members, observation), threshold, above=above)
        event = (lambda z, t=threshold: 1.0 * (z > t)) if above else (lambda z, t=threshold: 1.0 * (z < t))
        theirs = scoringrules.owcrps_ensemble(observation, np.ascontiguousarray(members.T), w_func=event)
        some = event(members).sum(axis=0) > 0
        equal(ours[some], theirs[some], members)
        assert np.isnan(theirs[~some]).all()  # 0/0, even where the event did not happen and w(y) = 0
        assert np.isfinite(ours).all()


def test_a_missing_member_is_nan_here_and_left_out_by_others() -> None:
    members, observation = np.array([[0.0], [2.0], [np.nan]]), np.array([1.0])
    ensemble, survivors = Ensemble.of(members, observation), empirical_crps(Ensemble.of(members[:2], observation))
    arrays = labelled(members, observation)
    assert np.isnan(empirical_crps(ensemble))
    assert np.isnan(fair_crps(ensemble))
    np.testing.assert_allclose(properscoring.crps_ensemble(observation, members.T), survivors)
    np.testing.assert_allclose(xskillscore.crps_ensemble(arrays[1], arrays[0], dim=[]), survivors)
    np.testing.assert_allclose(probability.crps_for_ensemble(*arrays, "member", preserve_dims="all"), survivors)


def test_a_missing_observation_is_nan_to_everyone() -> None:
    members, observation = RNG.standard_normal((4, 1)), np.array([np.nan])
    arrays = labelled(members, observation)
    found = [
        empirical_crps(Ensemble.of(members, observation)),
        properscoring.crps_ensemble(observation, members.T),
        xskillscore.crps_ensemble(arrays[1], arrays[0], dim=[]),
        probability.crps_for_ensemble(*arrays, "member", preserve_dims="all"),
        scoringrules.crps_ensemble(observation, members.T, estimator="nrg"),
    ]
    assert np.isnan([np.asarray(score).item() for score in found]).all()


def test_float32_geopotential_is_right_here_and_not_in_float32_sums() -> None:
    members = (5.3e5 + 0.5 * RNG.standard_normal((50, 200))).astype(np.float32)
    observation = (5.3e5 + 0.5 * RNG.standard_normal(200)).astype(np.float32)
    exact = fair_crps(Ensemble.of(members.astype(np.float64), observation.astype(np.float64)))
    ours = fair_crps(Ensemble.of(members, observation))
    theirs = scoringrules.crps_ensemble(observation, np.ascontiguousarray(members.T), estimator="pwm")
    np.testing.assert_allclose(ours, exact, rtol=1e-12)
    assert np.abs(theirs - exact).max() > 0.1 * exact.mean()


def test_what_is_infinite_is_nan_here_and_infinite_to_some() -> None:
    for members, observation in (
        (np.array([[0.0], [2.0], [np.inf]]), np.array([1.0])),
        (np.array([[0.0], [2.0], [3.0]]), np.array([np.inf])),
    ):
        arrays, ensemble = labelled(members, observation), Ensemble.of(members, observation)
        assert np.isnan(empirical_crps(ensemble))
        assert np.isnan(fair_crps(ensemble))
        assert properscoring.crps_ensemble(observation, members.T) == np.inf
        assert xskillscore.crps_ensemble(arrays[1], arrays[0], dim=[]) == np.inf
        assert scoringrules.crps_ensemble(observation, members.T, estimator="int") == np.inf


def test_adjacent_pairs_depend_on_the_order_of_members() -> None:
    members, observation = np.array([[0.0], [2.0], [3.0], [7.0]]), np.array([0.5])
    found = [
        scoringrules.crps_ensemble(observation, members[order].T, estimator="akr").item()
        for order in ([0, 1, 2, 3], [0, 2, 1, 3])
    ]
    assert found[0] != pytest.approx(found[1])
