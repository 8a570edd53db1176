"""However the sample is cut and ordered, the mean is the same."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.grid import Grid
from evaluation.aggregate import AggregationState, observed_weights

GRID = Grid.equiangular(5, 6, poles=True)
AREA = GRID.area_weights()


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 20), max_size=6), st.randoms())
def test_any_split_in_any_order_gives_the_same_mean(seed: int, cuts: list[int], shuffle) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    statistic, weights = rng.exponential(1e3, (20, 4)), rng.uniform(0, 2, (20, 4)) * rng.integers(0, 2, (20, 4))
    edges = sorted({0, 20, *cuts})
    parts = [slice(first, last) for first, last in pairwise(edges)]
    shuffle.shuffle(parts)
    whole = AggregationState.of(statistic, weights)
    total = sum((AggregationState.of(statistic[part], weights[part]) for part in parts), AggregationState())
    assert total.mean == pytest.approx(whole.mean, rel=1e-12, nan_ok=True)
    assert whole.mean == pytest.approx(float((statistic * weights).sum() / weights.sum()), rel=1e-12)


def test_the_mean_is_the_integral_over_the_sphere() -> None:
    fine = Grid.equiangular(181, 4, poles=True)
    squared_sine = np.repeat(np.sin(np.deg2rad(fine.latitude))[:, np.newaxis] ** 2, 4, axis=1)
    weights = observed_weights(fine.area_weights(), squared_sine)
    assert AggregationState.of(squared_sine, weights).mean == pytest.approx(1 / 3, abs=1e-4)
    assert squared_sine.mean() > 0.49, "an unweighted mean must differ, or this test shows nothing"


def test_a_constant_keeps_its_value_whatever_is_observed() -> None:
    observation = np.where(np.random.default_rng(0).random(GRID.shape) < 0.5, np.nan, 280.0)
    weights = observed_weights(AREA, observation)
    statistic = np.where(np.isnan(observation), np.nan, 7.0)
    assert AggregationState.of(statistic, weights).mean == pytest.approx(7.0, rel=1e-14)


def test_a_missing_observation_neither_counts_nor_spoils_but_a_missing_forecast_does() -> None:
    observation = np.ones(GRID.shape)
    observation[2, 3] = np.nan
    statistic = np.ones(GRID.shape)
    statistic[2, 3] = np.nan
    weights = observed_weights(AREA, observation)
    assert AggregationState.of(statistic, weights).mean == pytest.approx(1.0)
    assert weights.sum() == pytest.approx(AREA.sum() * 6 - AREA[2])
    statistic[0, 0] = np.nan
    assert np.isnan(AggregationState.of(statistic, weights).mean)


def test_infinite_observations_weigh_nothing() -> None:
    assert observed_weights(np.ones(1), np.array([[np.inf, -np.inf, np.nan, 1.0]])).tolist() == [[0, 0, 0, 1]]


def test_nothing_has_no_mean() -> None:
    assert np.isnan(AggregationState().mean)
    assert np.isnan(AggregationState.of(np.full((2, 2), np.nan), np.zeros((2, 2))).mean)
