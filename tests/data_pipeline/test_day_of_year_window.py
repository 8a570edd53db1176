"""A moving window of days against its definition: every day's states with its weight."""

from __future__ import annotations

import numpy as np
import pytest

from data_pipeline.day_of_year_window import Window


@pytest.mark.parametrize("reach", [0, 1, 4])
@pytest.mark.parametrize("memory", [0, 2**20])
def test_moments_are_those_of_all_states_weighted(reach: int, memory: int) -> None:
    rng = np.random.default_rng(reach)
    days = [rng.normal(1e5, 10, (count, 2, 3)).astype(np.float32) for count in rng.integers(0, 4, 30)]
    for states in days:
        states[rng.random(states.shape) < 0.2] = np.nan
        states[..., 1, 2] = np.nan
    window = Window.before(0, reach, (2, 3), memory, None)
    for newest, states in enumerate(days):
        window.move(states)
        around = range(newest - 2 * reach, newest + 1)
        near = [(days[day], reach + 1 - abs(day - newest + reach)) for day in around if day >= 0]
        values = np.concatenate([states for states, _ in near]).astype(np.float64)
        weights = np.concatenate([np.full(len(states), weight) for states, weight in near])[:, None, None]
        weights = np.where(np.isnan(values), 0.0, weights)
        mean, std = window.smoothed()
        known = weights.sum(axis=0) > 0
        np.testing.assert_array_equal(np.isnan(mean), ~known)
        np.testing.assert_array_equal(np.isnan(std), ~known)
        expected = (np.nan_to_num(values) * weights).sum(axis=0)[known] / weights.sum(axis=0)[known]
        np.testing.assert_allclose(mean[known], expected, rtol=1e-7)
        squares = (np.nan_to_num(values - mean.astype(float)) ** 2 * weights).sum(axis=0)[known]
        np.testing.assert_allclose(std[known] ** 2, squares / weights.sum(axis=0)[known], rtol=1e-4, atol=1e-4)
