"""Hersbach's parts of the CRPS against his definitions, and that they add up."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics import crps_family
from evaluation.metrics.crps import empirical_crps
from evaluation.metrics.forms import Ensemble
from evaluation.metrics.hersbach import SUMS, decompose, order_sums, sample_uncertainty

RNG = np.random.default_rng(3)


def by_the_paper(members: np.ndarray, observation: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Reliability and potential CRPS: Hersbach 2000, section 4, case by case."""
    size, weights = len(members), weights / weights.sum()
    alpha, beta, below, above = np.zeros(size + 1), np.zeros(size + 1), 0.0, 0.0
    for x, y, w in zip(np.sort(members, axis=0).T, observation, weights, strict=True):
        for i in range(1, size):
            low, high = x[i - 1], x[i]
            alpha[i] += w * (high - low if y > high else y - low if y > low else 0)
            beta[i] += w * (0 if y > high else high - y if y > low else high - low)
        if y < x[0]:
            beta[0] += w * (x[0] - y)
            below += w
        if y > x[-1]:
            alpha[size] += w * (y - x[-1])
            above += w
    reliability = potential = 0.0
    for i in range(size + 1):
        width, observed = alpha[i] + beta[i], beta[i] / (alpha[i] + beta[i]) if alpha[i] + beta[i] else 0.0
        if i == 0 and below:
            width, observed = beta[i] / below, below
        if i == size and above:
            width, observed = alpha[i] / above, 1 - above
        reliability += width * (observed - i / size) ** 2
        potential += width * observed * (1 - observed)
    return reliability, potential


CASES = {
    "random": (RNG.standard_normal((7, 200)), RNG.standard_normal(200)),
    "one member": (RNG.standard_normal((1, 50)), RNG.standard_normal(50)),
    "tied": (RNG.integers(0, 3, (6, 80)).astype(float), RNG.integers(0, 3, 80).astype(float)),
    "constant": (np.full((5, 4), 3.0), np.array([3.0, 3.0, 3.0, 3.0])),
    "always outside": (RNG.standard_normal((6, 30)), 1e3 + RNG.standard_normal(30)),
    "huge": (1e30 * RNG.standard_normal((6, 30)), 1e30 * RNG.standard_normal(30)),
    "tiny": (1e-30 * RNG.standard_normal((6, 30)), 1e-30 * RNG.standard_normal(30)),
    "geopotential": (
        (5.3e5 + 20 * RNG.standard_normal((9, 99))).astype(np.float32),
        (5.3e5 + 20 * RNG.standard_normal(99)).astype(np.float32),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_parts_are_the_papers_and_add_up_to_the_mean_crps(case: tuple[np.ndarray, np.ndarray]) -> None:
    members, observation = case
    weights = RNG.uniform(0, 2, observation.shape)
    ensemble = Ensemble.of(members, observation)
    found = decompose(order_sums(ensemble, weights))
    mean = np.average(empirical_crps(ensemble), weights=weights)
    assert found.reliability + found.potential == pytest.approx(mean, rel=1e-12, abs=1e-300)
    exact = members.astype(np.float64), observation.astype(np.float64)
    rel = 1e-5 if members.dtype == np.float32 else 1e-10  # theirs are not relative to the observation
    assert tuple(found) == pytest.approx(by_the_paper(*exact, weights), rel=rel, abs=1e-12 * mean)
    assert min(found) >= 0


def test_a_reliable_ensemble_has_no_reliability_part_and_a_biased_one_has() -> None:
    rng = np.random.default_rng(5)
    signal, weights = rng.standard_normal(200_000), np.ones(200_000)
    members, observation = signal + rng.standard_normal((10, 200_000)), signal + rng.standard_normal(200_000)
    good = decompose(order_sums(Ensemble.of(members, observation), weights))
    # of 10 members the observation is below the lowest in 1 case of 11, where p_0 = 0 has it never
    assert 0 < good.reliability < 0.02 * good.potential
    assert sum(good) == pytest.approx(1.1 / np.sqrt(np.pi), rel=0.01)
    biased = decompose(order_sums(Ensemble.of(members + 2.0, observation), weights))
    assert biased.reliability > 1.0


def test_the_climatology_has_no_resolution() -> None:
    rng = np.random.default_rng(6)
    observation, weights = rng.standard_normal(5000), rng.uniform(1, 2, 5000)
    members = np.repeat(np.quantile(observation, (np.arange(100) + 0.5) / 100)[:, None], 5000, axis=1)
    found = decompose(order_sums(Ensemble.of(members, observation), weights))
    uncertainty = sample_uncertainty(observation, weights)
    assert uncertainty == pytest.approx(1 / np.sqrt(np.pi), rel=0.05)
    assert found.potential == pytest.approx(uncertainty, rel=5e-3)


def test_uncertainty_is_half_the_mean_distance_of_pairs() -> None:
    observation, weights = np.array([3.0, -1.0, 3.0, 8.0, np.nan]), np.array([1.0, 2.0, 0.5, 1.0, 0.0])
    share, values = weights[:4] / weights.sum(), observation[:4]
    pairs = np.abs(values[:, None] - values) * share[:, None] * share
    assert sample_uncertainty(observation, weights) == pytest.approx(pairs.sum() / 2, rel=1e-14)


def test_perfect_members_leave_nothing() -> None:
    observation = RNG.standard_normal(20)
    found = decompose(order_sums(Ensemble.of(np.stack([observation] * 4), observation), np.ones(20)))
    assert tuple(found) == (0.0, 0.0)


@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_any_split_of_the_sample_gives_the_same_parts(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    members, observation, weights = rng.standard_normal((5, 60)), rng.standard_normal(60), rng.uniform(0, 1, 60)
    parts = [
        order_sums(Ensemble.of(members[:, part], observation[part]), weights[part])
        for part in (slice(0, cut), slice(cut, 60))
    ]
    whole = decompose(order_sums(Ensemble.of(members, observation), weights))
    np.testing.assert_allclose(decompose(parts[0] + parts[1]), whole, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_missing_observations_do_not_count_and_missing_members_do(bad: float) -> None:
    members, observation, weights = RNG.standard_normal((4, 9)), RNG.standard_normal(9), np.ones(9)
    observation[2], weights[2] = bad, 0.0
    keep = np.arange(9) != 2
    found = order_sums(Ensemble.of(members, observation), weights)
    np.testing.assert_allclose(
        found, order_sums(Ensemble.of(members[:, keep], observation[keep]), weights[keep]), rtol=1e-13
    )
    members[1, 5] = bad
    assert np.isnan(decompose(order_sums(Ensemble.of(members, observation), weights))).all()


def test_nothing_and_ensembles_of_several_sizes_have_no_parts() -> None:
    assert np.isnan(decompose(np.zeros((5, 3)))).all()
    mixed = order_sums(Ensemble.of(RNG.standard_normal((4, 9)), RNG.standard_normal(9)), np.ones(9))
    mixed[:, :3] += order_sums(Ensemble.of(RNG.standard_normal((3, 9)), RNG.standard_normal(9)), np.ones(9))
    assert np.isnan(decompose(mixed)).all()


def test_a_smaller_ensemble_beside_a_larger_one_keeps_its_parts() -> None:
    small, large = (
        order_sums(Ensemble.of(RNG.standard_normal((size, 9)), RNG.standard_normal(9)), np.ones(9)) for size in (3, 7)
    )
    both = np.stack([np.pad(small, ((0, 0), (0, 4))), large, np.full((5, 7), np.nan)])
    found = np.array(decompose(both))
    np.testing.assert_allclose(found[:, :2], np.transpose([decompose(small), decompose(large)]), rtol=1e-13)
    assert np.isnan(found[:, 2]).all()


def test_finalised_parts_are_reliability_minus_resolution_plus_uncertainty() -> None:
    ensembles = [Ensemble.of(RNG.standard_normal((4, 3, 5)), RNG.standard_normal((3, 5))) for _ in range(6)]
    weights = RNG.uniform(0, 1, (3, 5))
    sums = np.array([order_sums(ensemble, weights) for ensemble in ensembles]).reshape(2, 3, 5, 4).mean(axis=1)
    means = {
        "crps_order_sums": xr.DataArray(
            sums, {"lead_time": [6, 12], "crps_sum": list(SUMS), "order": [1, 2, 3, 4]}
        ).transpose("order", "lead_time", "crps_sum"),
        "crps_of_climate": xr.DataArray([0.7, 0.8], {"lead_time": [6, 12]}),
    }
    parts = {name: crps_family.METRICS[f"crps_{name}"].finalise(means) for name in
             ("reliability", "potential", "resolution", "uncertainty")}  # fmt: skip
    mean = [np.average([empirical_crps(one) for one in half], weights=[weights] * 3) for half in
            (ensembles[:3], ensembles[3:])]  # fmt: skip
    np.testing.assert_allclose(parts["reliability"] + parts["potential"], mean, rtol=1e-12)
    np.testing.assert_allclose(parts["reliability"] - parts["resolution"] + parts["uncertainty"], mean, rtol=1e-12)
    assert parts["resolution"].dims == ("lead_time",)
