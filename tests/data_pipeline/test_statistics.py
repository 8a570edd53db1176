"""Streaming moments against numpy on the whole record, for any split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.statistics import TENDENCY_HOURS, Moments, compute_statistics

WEIGHTS = np.array([0.5, 1.2, 1.3, 1.0])
WIDE = WEIGHTS[:, None] * np.ones(5)
WALK = np.random.default_rng(0).standard_normal((30, 2, 4, 5)).cumsum(axis=0)
FIELDS = (WALK + np.array([5e5, 1e-5])[:, None, None]).astype(np.float32)

splits = st.lists(st.integers(1, 29), max_size=6, unique=True).map(sorted)


def weighted_std(values: np.ndarray) -> np.ndarray:
    """Two plain passes in float64."""
    channels = np.moveaxis(values.astype(np.float64), 1, 0)
    means = [np.average(channel, weights=np.broadcast_to(WIDE, channel.shape)) for channel in channels]
    return np.array([
        np.sqrt(np.average((channel - mean) ** 2, weights=np.broadcast_to(WIDE, channel.shape)))
        for channel, mean in zip(channels, means, strict=True)
    ])  # fmt: skip


@given(splits)
def test_merged_moments_are_those_of_the_concatenation(cuts: list[int]) -> None:
    parts = [Moments.of(part, WEIGHTS) for part in np.split(FIELDS, cuts)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    whole = Moments.of(FIELDS, WEIGHTS)
    assert total.weight == whole.weight == 30
    np.testing.assert_allclose(total.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(total.std, whole.std, rtol=1e-9)
    np.testing.assert_allclose(total.std, weighted_std(FIELDS), rtol=1e-9)


def test_merging_does_not_depend_on_the_order() -> None:
    a, b, c = (Moments.of(part, WEIGHTS) for part in np.split(FIELDS, [3, 20]))
    np.testing.assert_allclose(((a + b) + c).squares, (c + (b + a)).squares, rtol=1e-12)


def test_weights_need_not_have_mean_one() -> None:
    np.testing.assert_allclose(Moments.of(FIELDS, WEIGHTS).mean, Moments.of(FIELDS, 7 * WEIGHTS).mean, rtol=1e-12)


def test_a_constant_has_no_spread() -> None:
    assert Moments.of(np.full((3, 1, 4, 5), 5.4e5, np.float32), WEIGHTS).std.tolist() == [0.0]


@settings(max_examples=40)
@given(splits, st.sampled_from([1, 3, 6, 12, 24]))
def test_any_slabs_give_the_statistics_of_the_whole_record(cuts: list[int], interval: int) -> None:
    statistics = compute_statistics(iter(np.split(FIELDS, cuts)), WEIGHTS, interval)
    np.testing.assert_allclose(statistics.std, weighted_std(FIELDS), rtol=1e-9)
    lags = {hours: hours // interval for hours in TENDENCY_HOURS if hours % interval == 0}
    assert set(statistics.tendency_std) == {hours for hours, lag in lags.items() if lag < 30}
    for hours, std in statistics.tendency_std.items():
        lag = lags[hours]
        changes = FIELDS[lag:].astype(np.float64) - FIELDS[:-lag]
        np.testing.assert_allclose(std, weighted_std(changes), rtol=1e-9)


def test_an_interval_that_divides_no_lag_gives_no_tendency() -> None:
    assert compute_statistics([FIELDS], WEIGHTS, 48).tendency_std == {}


def test_one_state_has_no_tendency() -> None:
    statistics = compute_statistics([FIELDS[:1]], WEIGHTS, 6)
    assert statistics.tendency_std == {}
    assert np.isfinite(statistics.mean).all()


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_a_large_mean_costs_no_precision(shift: float) -> None:
    fields = np.random.default_rng(1).standard_normal((50, 1, 4, 5)) + shift
    np.testing.assert_allclose(compute_statistics([fields], WEIGHTS, 6).std, weighted_std(fields), rtol=1e-7)
