"""Rank and PIT histograms and their flatness, against loops over points, closed forms and xskillscore."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chisquare, kstest, norm

from data_pipeline.channels import Channel
from data_pipeline.errors import ScoreError
from evaluation.metrics import flatness
from evaluation.metrics.forms import Ensemble, Gaussian
from evaluation.metrics.rank_counts import (
    PIT_BINS,
    gaussian_pit,
    pit_of_ranks,
    randomised_ranks,
    shared_ranks,
    uniform_numbers,
)
from evaluation.metrics.ranks import METRICS, STATISTICS
from tests.evaluation.field_samples import AREA, GRID, forms, means, random_ensemble, sample


def brute_force_ranks(ensemble: Ensemble, area: np.ndarray) -> np.ndarray:
    """Every point, every rank that the observation could have."""
    found = np.zeros(ensemble.size + 1)
    for i, j in np.ndindex(area.shape):
        members, observation = ensemble.members[:, i, j], ensemble.observation[i, j]
        first = sum(value < observation for value in members)
        last = sum(value <= observation for value in members)
        for rank in range(first, last + 1):
            found[rank] += area[i, j] / (last - first + 1)
    return found


def rank_area(ensemble: Ensemble, area: np.ndarray = AREA, name: str = "rank_area") -> np.ndarray:
    return STATISTICS[name].of(sample(ensemble), area)


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("steps", [None, 1])
def test_histogram_is_its_definition(size: int, steps: int | None) -> None:
    ensemble = random_ensemble(size, steps=steps)
    np.testing.assert_allclose(rank_area(ensemble), brute_force_ranks(ensemble, AREA), rtol=1e-13)


def test_an_ensemble_that_ties_throughout_is_spread_evenly() -> None:
    dry = Ensemble.of(np.zeros((4, *GRID.shape)), np.zeros(GRID.shape))
    np.testing.assert_allclose(rank_area(dry), AREA.sum() / 5)
    wet = Ensemble.of(np.zeros((4, *GRID.shape)), np.ones(GRID.shape))
    np.testing.assert_allclose(rank_area(wet), [0, 0, 0, 0, AREA.sum()])


def test_histogram_is_xskillscores_without_ties() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        xs = pytest.importorskip("xskillscore")
        ensemble = random_ensemble(5)
        theirs = xs.rank_histogram(xr.DataArray(ensemble.observation, dims=("y", "x")),
                                   xr.DataArray(ensemble.members, dims=("member", "y", "x")))  # fmt: skip
    np.testing.assert_allclose(rank_area(ensemble, np.ones(GRID.shape)), theirs)


def test_a_missing_observation_has_no_rank_and_a_missing_member_makes_the_histogram_unknown() -> None:
    """xskillscore leaves the point of a missing member out in silence."""
    ensemble = random_ensemble(5)
    ensemble.observation[0, 0] = np.nan
    weights = np.where(np.isfinite(ensemble.observation), 1.0, 0.0)
    assert rank_area(ensemble, weights).sum() == pytest.approx(47)
    for bad in (np.nan, np.inf):
        ensemble = random_ensemble(5)
        ensemble.members[2, 1, 1] = bad
        for name in ("rank_area", "randomised_rank_area", "pit_area"):
            assert np.isnan(rank_area(ensemble, AREA, name)).all()
            assert np.isfinite(rank_area(ensemble, np.where(np.arange(6)[:, None] > 2, AREA, 0), name)).all()


def test_randomised_ties_are_among_the_possible_ranks_and_on_average_shared() -> None:
    rng = np.random.default_rng(0)
    below, equal = np.full(50_000, 1.0), np.full(50_000, 2.0)
    ranks = randomised_ranks(below, equal, rng.uniform(size=50_000))
    values, counts = np.unique(ranks, return_counts=True)
    assert values.tolist() == [1, 2, 3]
    np.testing.assert_allclose(counts / 50_000, 1 / 3, atol=0.01)
    assert randomised_ranks(np.array([1.0]), np.array([2.0]), np.array([1.0 - 1e-17])) == 3


def test_randomised_and_shared_are_the_same_without_ties() -> None:
    ensemble = random_ensemble(5)
    np.testing.assert_array_equal(rank_area(ensemble), rank_area(ensemble, AREA, "randomised_rank_area"))


def test_random_numbers_depend_on_seed_channel_time_and_lead_and_on_nothing_else() -> None:
    field = sample(random_ensemble(5, steps=1))
    numbers = uniform_numbers(field)
    assert numbers.shape == GRID.shape
    assert kstest(numbers.ravel(), "uniform").pvalue > 0.001
    other = replace(field, forecast=random_ensemble(9, seed=4), climate=None)
    np.testing.assert_array_equal(uniform_numbers(other), numbers)
    for change in (
        replace(field, settings=replace(field.settings, seed=1)), replace(field, channel=Channel("temperature", 500)),
        replace(field, valid_time=field.valid_time + np.timedelta64(6, "h")), replace(field, lead_hours=30.0),
        replace(field, settings=replace(field.settings, seed=-1)),
        replace(field, valid_time=np.datetime64("1950-01-01", "ns")),
    ):  # fmt: skip
        assert not np.array_equal(uniform_numbers(change), numbers)
    swapped = replace(field, forecast=Ensemble(np.asarray(field.forecast.members)[::-1], field.forecast.observation))
    of = STATISTICS["randomised_rank_area"].of
    np.testing.assert_array_equal(of(field, AREA), of(swapped, AREA))
    north = np.where(np.arange(6)[:, None] < 2, AREA, 0.0)
    np.testing.assert_allclose(of(field, north) + of(field, AREA - north), of(field, AREA))


@given(arrays(np.int32, (5, 6), elements=st.integers(0, 3)), arrays(np.int32, 6, elements=st.integers(0, 3)))
def test_properties(members: np.ndarray, observation: np.ndarray) -> None:
    summary, mirror = Ensemble.of(members, observation).summary, Ensemble.of(-members, -observation).summary
    found = shared_ranks(summary.below, summary.equal, np.ones(6), 5)
    assert found.sum() == pytest.approx(6)
    np.testing.assert_allclose(found, shared_ranks(mirror.below, mirror.equal, np.ones(6), 5)[::-1], atol=1e-14)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_huge_and_tiny_values(scale: float) -> None:
    ensemble = random_ensemble(4)
    scaled = Ensemble.of(np.asarray(ensemble.members) * scale, np.asarray(ensemble.observation) * scale)
    np.testing.assert_array_equal(rank_area(scaled), rank_area(ensemble))


@pytest.mark.parametrize("classes", [2, 3, 5, 20, 33])
def test_ranks_as_pit_keep_their_area_and_their_mean(classes: int) -> None:
    ranks = np.random.default_rng(classes).uniform(size=classes)
    found = pit_of_ranks(ranks)
    assert found.sum() == pytest.approx(ranks.sum())
    np.testing.assert_allclose(pit_of_ranks(np.ones(classes)), classes / PIT_BINS)
    edges = np.concatenate([[0], ranks.cumsum()])
    at = np.interp(np.arange(PIT_BINS + 1) / PIT_BINS, np.arange(classes + 1) / classes, edges)
    np.testing.assert_allclose(found, np.diff(at), atol=1e-14)


def test_pit_of_a_gaussian() -> None:
    rng = np.random.default_rng(0)
    observation = 3 + 2 * rng.standard_normal(40_000)
    flat = gaussian_pit(Gaussian.of(np.full(40_000, 3.0), np.full(40_000, 2.0), observation), np.ones(40_000))
    assert chisquare(flat).pvalue > 0.001
    narrow = gaussian_pit(Gaussian.of(np.full(40_000, 3.0), np.ones(40_000), observation), np.ones(40_000))
    integral = norm.cdf((observation - 3) / 1)
    np.testing.assert_array_equal(narrow, np.histogram(integral, np.arange(PIT_BINS + 1) / PIT_BINS)[0])


def test_pit_without_width_or_meaning() -> None:
    ones = np.ones(3)
    certain = gaussian_pit(Gaussian.of([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 2.0]), ones)
    np.testing.assert_allclose(certain, [1.05, *[0.05] * 18, 1.05])
    assert np.isnan(gaussian_pit(Gaussian.of([1.0, 1.0], [-1.0, 1.0], [0.0, 0.0]), np.ones(2))).all()
    assert np.isfinite(gaussian_pit(Gaussian.of([np.nan, 1.0], [1.0, 1.0], [0.0, 0.0]), np.array([0.0, 1.0]))).all()


def shares_of(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(np.asarray(values, dtype=float) / np.sum(values), dims="rank")


@pytest.mark.parametrize("classes", [2, 3, 4, 9, 51])
def test_chi_square_is_scipys_and_its_parts_add_up(classes: int) -> None:
    counts = np.random.default_rng(classes).integers(5, 50, classes)
    found = flatness.flatness(shares_of(counts), float(counts.sum()))
    theirs = chisquare(counts)
    assert float(found["statistic"].sel(test="chi_square")) == pytest.approx(theirs.statistic)
    assert float(found["p_value"].sel(test="chi_square")) == pytest.approx(theirs.pvalue)
    parts = found["statistic"].sel(test=["slope", "curvature", "rest"]).sum()
    assert float(parts) == pytest.approx(theirs.statistic)
    assert np.isnan(found["p_value"].sel(test="rest")) == (classes <= 3)
    assert np.isnan(found["p_value"].sel(test="curvature")) == (classes == 2)


def test_contrasts_are_orthogonal() -> None:
    for classes in (3, 4, 10):
        both = flatness.contrasts(classes)
        np.testing.assert_allclose(both @ both.T, np.eye(2), atol=1e-12)
        np.testing.assert_allclose(both.sum(axis=1), 0, atol=1e-12)


def test_chi_square_tests_of_flat_histograms_reject_as_often_as_they_say() -> None:
    counts = np.random.default_rng(0).multinomial(500, np.full(8, 1 / 8), size=2000)
    shares = xr.DataArray(counts / 500, dims=("case", "rank"))
    p_value = flatness.flatness(shares, 500)["p_value"]
    np.testing.assert_allclose((p_value < 0.05).mean("case"), 0.05, atol=0.015)


def test_slope_and_curvature_tell_bias_from_spread() -> None:
    rng, count = np.random.default_rng(0), 20_000

    def measured(bias: float, spread: float) -> tuple[float, float, float]:
        summary = Ensemble.of(bias + spread * rng.standard_normal((9, count)), rng.standard_normal(count)).summary
        shares = shares_of(shared_ranks(summary.below, summary.equal, np.ones(count), 9))
        return tuple(float(f(shares, "rank")) for f in (flatness.slope, flatness.curvature, flatness.outlier_excess))

    good, low, narrow, wide = measured(0, 1), measured(-0.5, 1), measured(0, 0.5), measured(0, 2)
    assert max(map(abs, good)) < 0.03
    assert low[0] > 0.3
    assert narrow[1] > 0.3
    assert narrow[2] > 0.1
    assert wide[1] < -0.3
    assert wide[2] < -0.1
    assert max(abs(narrow[0]), abs(wide[0])) < 0.03


def test_measures_by_hand() -> None:
    shares = shares_of(np.array([4, 1, 1, 2]))
    assert float(flatness.chi_square(shares, "rank")) == pytest.approx(4 * (0.25**2 + 2 * 0.125**2))
    assert float(flatness.reliability_index(shares, "rank")) == pytest.approx(0.5)
    assert float(flatness.outlier_excess(shares, "rank")) == pytest.approx(0.75 - 0.5)
    assert float(flatness.slope(shares, "rank")) == pytest.approx(2 * (-3 * 4 - 1 + 1 + 3 * 2) / 8 / np.sqrt(20))


def test_flatness_needs_cases() -> None:
    for cases in (0.0, -1.0, float("nan")):
        with pytest.raises(ScoreError, match="independent cases, expected more than 0; give the effective sample size"):
            flatness.flatness(shares_of(np.ones(3)), cases)


def test_metrics_of_models() -> None:
    found = means(STATISTICS, {name: sample(form) for name, form in forms(5).items()})
    values = {name: metric.finalise(found) for name, metric in METRICS.items()}
    for name, value in values.items():
        assert np.isfinite(value.sel(model="forecast")).all(), name
        assert np.isnan(value.sel(model="persistence")).all(), name
    assert np.isfinite(values["pit_histogram"].sel(model="climatology")).all()
    for name in ("rank_histogram", "randomised_rank_histogram"):
        assert float(values[name].sel(model="forecast").sum()) == pytest.approx(1)
    np.testing.assert_allclose(values["pit_histogram"].sel(model=["forecast", "climatology"]).sum("pit"), 1)


def test_ensembles_of_several_sizes_have_no_common_histogram_but_a_common_pit() -> None:
    """As the engine adds them up: ranks side by side by their number."""
    small, large = (means(STATISTICS, {"forecast": sample(random_ensemble(size))}) for size in (3, 5))
    mixed = {}
    for name in small:
        one, other = xr.align(small[name], large[name], join="outer", fill_value=0.0)
        mixed[name] = (one + other) / 2
    for name in ("rank_histogram", "rank_slope", "outlier_excess"):
        assert np.isnan(METRICS[name].finalise(mixed)).all()
    assert float(METRICS["pit_histogram"].finalise(mixed).sum()) == pytest.approx(1)


def test_a_larger_ensemble_beside_it_does_not_change_a_histogram() -> None:
    """A baseline of fifty members beside a forecast of four."""
    ensembles = {"forecast": random_ensemble(4), "probabilistic_climatology": random_ensemble(9)}
    apart = {model: means(STATISTICS, {model: sample(ensemble)}) for model, ensemble in ensembles.items()}
    together = {
        name: xr.concat([own[name] for own in apart.values()], "model", join="outer", fill_value=0.0)
        for name in STATISTICS
    }
    for name, entry in METRICS.items():
        found = entry.finalise(together)
        for model, ensemble in ensembles.items():
            alone = entry.finalise(apart[model]).sel(model=model)
            own = found.sel(model=model)
            if "rank" in own.dims:
                own, beyond = own.isel(rank=slice(ensemble.size + 1)), own.isel(rank=slice(ensemble.size + 1, None))
                assert beyond.isnull().all(), "ranks that it cannot have"
            np.testing.assert_allclose(own, alone, rtol=1e-13, err_msg=name)
            assert own.notnull().all()
