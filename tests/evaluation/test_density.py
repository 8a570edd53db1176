"""Log, Dawid-Sebastiani and Gaussian kernel score against their definitions and against scoringrules."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from data_pipeline.channels import Channel
from data_pipeline.grid import Grid
from evaluation.metrics.definitions import Sample
from evaluation.metrics.density import (
    METRICS,
    STATISTICS,
    dawid_sebastiani_score,
    fair_gaussian_log_score,
    gaussian_log_score,
    kernel_log_score,
)
from evaluation.metrics.forms import Ensemble, Gaussian
from evaluation.metrics.kernel_score import gaussian_kernel_score
from evaluation.settings import Settings

if TYPE_CHECKING:
    from evaluation.metrics.forms import Forecast

RNG = np.random.default_rng(0)
SCORES = (gaussian_log_score, fair_gaussian_log_score, kernel_log_score, dawid_sebastiani_score)
SAMPLES = {
    "random": (RNG.standard_normal((8, 12)), RNG.standard_normal(12)),
    "tied": (RNG.integers(0, 4, (9, 12)).astype(float), RNG.integers(0, 4, 12).astype(float)),
    "huge": (1e30 * RNG.standard_normal((6, 12)), 1e30 * RNG.standard_normal(12)),
    "tiny": (1e-30 * RNG.standard_normal((6, 12)), 1e-30 * RNG.standard_normal(12)),
    "geopotential": (
        (5.4e5 + 20 * RNG.standard_normal((10, 12))).astype(np.float32),
        (5.4e5 + 20 * RNG.standard_normal(12)).astype(np.float32),
    ),
}
each_sample = pytest.mark.parametrize(("members", "observation"), SAMPLES.values(), ids=SAMPLES)


def columns(members: np.ndarray, observation: np.ndarray) -> list[tuple[list[float], float]]:
    return [([float(x) for x in column], float(y)) for column, y in zip(members.T, observation, strict=True)]


def log_score_twin(members: list[float], observation: float) -> float:
    mean = math.fsum(members) / len(members)
    variance = math.fsum((x - mean) ** 2 for x in members) / (len(members) - 1)
    return 0.5 * math.log(2 * math.pi * variance) + (mean - observation) ** 2 / (2 * variance)


def mixture_twin(members: list[float], observation: float) -> float:
    """By name from scipy: standard deviation, quartiles, normal densities; the definition where it is not zero."""
    lower, upper = np.quantile(members, [0.25, 0.75])
    width = 1.06 * min(np.std(members, ddof=1), (upper - lower) / 1.34 or np.inf) * len(members) ** -0.2
    return float(-np.log(np.mean(stats.norm.pdf(observation, members, width))))


@each_sample
def test_log_and_dawid_sebastiani_score_are_their_definitions(members: np.ndarray, observation: np.ndarray) -> None:
    ensemble = Ensemble.of(members, observation)
    expected = np.array([log_score_twin(*column) for column in columns(members, observation)])
    np.testing.assert_allclose(gaussian_log_score(ensemble), expected, rtol=1e-7)
    np.testing.assert_allclose(dawid_sebastiani_score(ensemble), 2 * expected - np.log(2 * np.pi), rtol=1e-7)


@each_sample
def test_kernel_log_score_is_its_definition(members: np.ndarray, observation: np.ndarray) -> None:
    expected = [mixture_twin(*column) for column in columns(members, observation)]
    np.testing.assert_allclose(kernel_log_score(Ensemble.of(members, observation)), expected, rtol=1e-5)


def test_they_are_scoringrules() -> None:
    scoringrules = pytest.importorskip("scoringrules")
    members, observation = SAMPLES["random"]
    ensemble, spread = Ensemble.of(members, observation), members.std(axis=0, ddof=1)
    theirs = scoringrules.logs_normal(observation, members.mean(axis=0), spread)
    np.testing.assert_allclose(gaussian_log_score(ensemble), theirs, rtol=1e-12)
    np.testing.assert_allclose(dawid_sebastiani_score(ensemble), scoringrules.dssuv_ensemble(observation, members.T))
    np.testing.assert_allclose(kernel_log_score(ensemble), scoringrules.logs_ensemble(observation, members.T))


def test_scoringrules_density_is_zero_far_out_and_undefined_where_quartiles_coincide() -> None:
    """Two deliberate disagreements: a density of the kernel mixture is never zero, and a bandwidth of zero is none."""
    scoringrules = pytest.importorskip("scoringrules")
    members, observation = np.array([[0.0, 0.0, 0.0, 0.0, 9.0], [0.0, 1.0, 2.0, 3.0, 4.0]]).T, np.array([1.0, 500.0])
    with np.errstate(all="ignore"):
        theirs = np.asarray(scoringrules.logs_ensemble(observation, members.T, backend="numpy"))
    assert not np.isfinite(theirs).any()
    assert np.isfinite(kernel_log_score(Ensemble.of(members, observation))).all()


def test_normal_distributions_have_their_own_density() -> None:
    mean, observation = RNG.standard_normal((2, 20))
    std = np.exp(RNG.standard_normal(20))
    gaussian = Gaussian.of(mean, std, observation)
    expected = -stats.norm.logpdf(observation, mean, std)
    for score in (gaussian_log_score, fair_gaussian_log_score, kernel_log_score):
        np.testing.assert_allclose(score(gaussian), expected, rtol=1e-12)
    np.testing.assert_allclose(dawid_sebastiani_score(gaussian), 2 * expected - np.log(2 * np.pi), rtol=1e-12)
    for none in (0.0, -1.0, np.nan):
        assert np.isnan(gaussian_log_score(Gaussian.of([1.0], [none], [0.0])))


@pytest.mark.parametrize("size", [4, 6, 20])
def test_fair_log_score_is_unbiased_and_the_plain_one_is_not(size: int) -> None:
    rng, count = np.random.default_rng(size), 400_000
    ensemble = Ensemble.of(2 * rng.standard_normal((size, count)), 2 * rng.standard_normal(count))
    entropy = np.log(2 * np.sqrt(2 * np.pi * np.e))
    tolerance = 5 * fair_gaussian_log_score(ensemble).std() / np.sqrt(count)
    assert fair_gaussian_log_score(ensemble).mean() == pytest.approx(entropy, abs=tolerance)
    assert gaussian_log_score(ensemble).mean() > entropy + 0.5 / size


@pytest.mark.parametrize("size", [1, 2, 3])
def test_too_few_members_are_nan(size: int) -> None:
    ensemble = Ensemble.of(RNG.standard_normal((size, 3)), np.zeros(3))
    assert np.isnan(fair_gaussian_log_score(ensemble)).all()
    assert np.isnan(gaussian_log_score(ensemble)).all() == (size == 1)
    assert np.isnan(kernel_log_score(ensemble)).all() == (size == 1)
    assert {name: METRICS[name].minimum_members for name in ("gaussian_log_score", "fair_gaussian_log_score")} == {
        "gaussian_log_score": 2, "fair_gaussian_log_score": 4,
    }  # fmt: skip


@pytest.mark.parametrize("score", SCORES)
def test_members_all_alike_have_no_density(score) -> None:  # type: ignore[no-untyped-def]
    assert np.isnan(score(Ensemble.of(np.full((5, 2), 3.0), [3.0, 4.0]))).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("score", [*SCORES, lambda e: gaussian_kernel_score(e, np.ones(3), fair=True)])
def test_what_is_not_finite_scores_nan_at_its_point_only(score, bad: float) -> None:  # type: ignore[no-untyped-def]
    members, observation = RNG.standard_normal((5, 3)), RNG.standard_normal(3)
    clean = score(Ensemble.of(members, observation))
    observation[0], members[2, 1] = bad, bad
    np.testing.assert_array_equal(score(Ensemble.of(members, observation)), [np.nan, np.nan, clean[2]])


@given(arrays(np.int16, (6, 3), elements=st.integers(-99, 99)), arrays(np.int16, 3, elements=st.integers(-99, 99)),
       st.permutations(range(6)))  # fmt: skip
def test_shift_order_and_units(members: np.ndarray, observation: np.ndarray, order: list[int]) -> None:
    members, observation = members.astype(np.float64), observation.astype(np.float64)
    for score in SCORES:
        expected = score(Ensemble.of(members, observation))
        shifted = Ensemble.of(members[order] + 2.0**20, observation + 2.0**20)
        np.testing.assert_allclose(score(shifted), expected, rtol=1e-9, atol=1e-9)
        constant = np.log(4.0) * (2 if score is dawid_sebastiani_score else 1)
        scaled = score(Ensemble.of(4 * members, 4 * observation))
        np.testing.assert_allclose(scaled, expected + constant, rtol=1e-9, atol=1e-9)


def kernel_twin(members: list[float], observation: float, bandwidth: float, *, fair: bool) -> float:
    """The definition with a double loop."""

    def kernel(one: float, other: float) -> float:
        return math.exp(-0.5 * ((one - other) / bandwidth) ** 2)

    count = len(members)
    pairs = [(i, j) for i in range(count) for j in range(count) if not (fair and i == j)]
    between = sum(kernel(members[i], members[j]) for i, j in pairs) / len(pairs)
    return (1 + between) / 2 - sum(kernel(x, observation) for x in members) / count


@pytest.mark.parametrize("fair", [True, False])
@pytest.mark.parametrize("size", [2, 5, 8])
def test_kernel_score_is_its_definition(size: int, fair: bool) -> None:
    members, observation = RNG.standard_normal((size, 9)), RNG.standard_normal(9)
    widths = np.exp(RNG.standard_normal(9))
    ours = gaussian_kernel_score(Ensemble.of(members, observation), widths, fair=fair)
    pairs = zip(columns(members, observation), widths.tolist(), strict=True)
    np.testing.assert_allclose(ours, [kernel_twin(*column, width, fair=fair) for column, width in pairs], rtol=1e-12)


@pytest.mark.parametrize("estimator", ["nrg", "fair"])
def test_kernel_score_is_scoringrules_in_units_of_the_bandwidth(estimator: str) -> None:
    scoringrules = pytest.importorskip("scoringrules")
    members, observation = SAMPLES["random"]
    ours = gaussian_kernel_score(Ensemble.of(members, observation), np.full(12, 2.0), fair=estimator == "fair")
    theirs = scoringrules.gksuv_ensemble(observation / 2, members.T / 2, estimator=estimator)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_kernel_score_without_bandwidth_members_or_climatology() -> None:
    ensemble = Ensemble.of([[1.0, 1.0], [2.0, 2.0]], [1.0, 3.0])
    np.testing.assert_allclose(gaussian_kernel_score(ensemble, np.zeros(2), fair=True), [0.0, 0.5])
    assert np.isnan(gaussian_kernel_score(ensemble, np.full(2, np.nan), fair=True)).all()
    one = Ensemble.of([[1.0]], [1.0])
    assert np.isnan(gaussian_kernel_score(one, np.ones(1), fair=True)).all()
    assert gaussian_kernel_score(one, np.ones(1), fair=False).tolist() == [0.0]
    field = Ensemble.of(np.ones((3, 2, 2)), np.ones((2, 2)))
    assert np.isnan(scored("gaussian_kernel_score", field, None)).all()


class FlatClimate:
    """A climatology that is the same everywhere."""

    mean, std = np.zeros((2, 2)), np.full((2, 2), 2.0)


def scored(name: str, forecast: Forecast, climate: Any = FlatClimate) -> np.ndarray:
    sample = Sample(
        forecast, Channel("2m_temperature"), Grid((45.0, -45.0), (0.0, 180.0)), np.datetime64("2020-01-01"), 24.0,
        Settings(), climate,
    )  # fmt: skip
    return np.asarray(STATISTICS[name].of(sample))  # type: ignore[call-arg]


@pytest.mark.parametrize("name", STATISTICS)
def test_every_statistic_is_of_the_shape_of_the_field(name: str) -> None:
    members, observation = RNG.standard_normal((5, 2, 2)), RNG.standard_normal((2, 2))
    assert np.isfinite(scored(name, Ensemble.of(members, observation))).all()
    assert scored(name, Ensemble.of(members, observation)).shape == (2, 2)
    assert METRICS[name].statistics == (name,)
    assert METRICS[name].units == "1"
