"""Pooling over neighbourhoods against a loop over all pairs of points, at poles, at the date line, with gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.metrics import plain, windows
from evaluation.metrics.crps import crps, fair_crps
from evaluation.metrics.forms import Ensemble, Point
from evaluation.metrics.pooled_crps import average_pooled_crps, max_pooled_crps
from evaluation.metrics.pooling import half_widths
from evaluation.sphere import EARTH_RADIUS

RNG = np.random.default_rng(8)
EUROPE = Grid(tuple(np.arange(60.0, 34.0, -5.0)), tuple(np.arange(10.0, 41.0, 5.0)))
GRIDS = {
    "poles": Grid.equiangular(9, 16, poles=True),
    "no poles, odd": Grid.equiangular(8, 15, poles=False),
    "gaussian": Grid.gaussian(10, 20),
    "cropped": EUROPE,
}
SIDES = (50.0, 2100.0, 5003.0, 14000.0, 50000.0)


def neighbours(grid: Grid, diameter_km: float) -> np.ndarray:
    """Whether a point (second two axes) is within half the diameter of another (first two)."""
    latitude, longitude = np.meshgrid(np.deg2rad(grid.latitude), np.deg2rad(grid.longitude), indexing="ij")
    unit = np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])
    chord = np.sqrt(((unit[:, :, :, None, None] - unit[:, None, None]) ** 2).sum(axis=0))
    return np.asarray(2 * np.arcsin(np.clip(chord / 2, 0, 1)) * EARTH_RADIUS / 1000 <= diameter_km / 2 + 1e-6)


def by_loop(members: np.ndarray, observation: np.ndarray, grid: Grid, side: float, pool: str) -> np.ndarray:
    """Pool fields point by point, then score."""
    near, area = neighbours(grid, side), np.repeat(grid.area_weights()[:, None], grid.shape[1], axis=1)
    fields = np.concatenate([members, observation[None]]).astype(np.float64)
    pooled = np.full(fields.shape, np.nan)
    for place in np.ndindex(grid.shape):
        inside = near[place] & np.isfinite(observation)
        if inside.any():
            chosen = fields[:, inside]
            pooled[:, *place] = chosen.max(1) if pool == "max" else np.average(chosen, axis=1, weights=area[inside])
    return fair_crps(Ensemble.of(pooled[:-1], pooled[-1]))


SCORES = {"average": average_pooled_crps, "max": max_pooled_crps}


@pytest.mark.parametrize("pool", SCORES)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("side", SIDES)
def test_fast_pooling_is_the_loop(grid: Grid, side: float, pool: str) -> None:
    members, observation = RNG.standard_normal((4, *grid.shape)), RNG.standard_normal(grid.shape)
    for gaps in (0.0, 0.4):
        observed = np.where(RNG.random(grid.shape) < gaps, np.nan, observation)
        found = SCORES[pool](Ensemble.of(members, observed), grid, side)
        expected = by_loop(members, observed, grid, side, pool)
        where = np.isfinite(observed)
        np.testing.assert_allclose(found[where], expected[where], atol=1e-12)


@pytest.mark.parametrize("pool", SCORES)
def test_a_small_neighbourhood_is_the_point_itself(pool: str) -> None:
    grid = GRIDS["no poles, odd"]
    ensemble = Ensemble.of(RNG.standard_normal((4, *grid.shape)), RNG.standard_normal(grid.shape))
    np.testing.assert_allclose(SCORES[pool](ensemble, grid, 100.0), fair_crps(ensemble), atol=1e-13)


@pytest.mark.parametrize("pool", SCORES)
def test_the_whole_sphere_is_one_neighbourhood_wherever_its_centre_is(pool: str) -> None:
    grid = GRIDS["poles"]
    ensemble = Ensemble.of(RNG.standard_normal((4, *grid.shape)), RNG.standard_normal(grid.shape))
    np.testing.assert_allclose(np.ptp(SCORES[pool](ensemble, grid, 50000.0)), 0, atol=1e-13)


def test_all_columns_of_a_pole_are_one_place() -> None:
    grid = GRIDS["poles"]
    ensemble = Ensemble.of(RNG.standard_normal((4, *grid.shape)), RNG.standard_normal(grid.shape))
    for score in SCORES.values():
        found = score(ensemble, grid, 6000.0)
        np.testing.assert_allclose(found[[0, -1]], found[[0, -1], :1] * np.ones(16), atol=1e-13)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 15), st.sampled_from(sorted(SCORES)))
def test_turning_the_globe_turns_the_score(seed: int, turn: int, pool: str) -> None:
    rng, grid = np.random.default_rng(seed), GRIDS["poles"]
    members, observation = rng.standard_normal((3, *grid.shape)), rng.standard_normal(grid.shape)
    found = SCORES[pool](Ensemble.of(members, observation), grid, 4000.0)
    turned = SCORES[pool](Ensemble.of(np.roll(members, turn, -1), np.roll(observation, turn, -1)), grid, 4000.0)
    np.testing.assert_allclose(turned, np.roll(found, turn, -1), atol=1e-13)


@pytest.mark.parametrize("pool", SCORES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_missing_member_spoils_the_neighbourhoods_it_is_in_and_no_others(pool: str, bad: float) -> None:
    grid, side = GRIDS["no poles, odd"], 6000.0
    members, observation = RNG.standard_normal((4, *grid.shape)), RNG.standard_normal(grid.shape)
    clean = SCORES[pool](Ensemble.of(members, observation), grid, side)
    members[1, 2, 3] = bad
    found = SCORES[pool](Ensemble.of(members, observation), grid, side)
    spoilt = neighbours(grid, side)[2, 3]
    assert np.isnan(found[spoilt]).all()
    np.testing.assert_allclose(found[~spoilt], clean[~spoilt], atol=1e-13)
    observation[2, 3] = np.nan  # no one asks for this member now
    there = np.isfinite(observation)
    assert np.isfinite(SCORES[pool](Ensemble.of(members, observation), grid, side)[there]).all()


def test_one_value_scores_its_distance_after_pooling() -> None:
    grid = GRIDS["cropped"]
    value, observation = RNG.standard_normal((2, *grid.shape))
    near, area = neighbours(grid, 1500.0), np.repeat(grid.area_weights()[:, None], grid.shape[1], axis=1)
    found = {name: score(Point.of(value, observation), grid, 1500.0) for name, score in SCORES.items()}
    for place in np.ndindex(grid.shape):
        inside, weights = near[place], area[near[place]]
        mean = np.average((value - observation)[inside], weights=weights)
        assert found["average"][place] == pytest.approx(abs(mean), abs=1e-13)
        assert found["max"][place] == pytest.approx(abs(value[inside].max() - observation[inside].max()), abs=1e-13)


def test_float32_geopotential_is_pooled_without_loss() -> None:
    grid = GRIDS["gaussian"]
    members = (5.3e5 + 20 * RNG.standard_normal((5, *grid.shape))).astype(np.float32)
    observation = (5.3e5 + 20 * RNG.standard_normal(grid.shape)).astype(np.float32)
    for pool, score in SCORES.items():
        expected = by_loop(members, observation, grid, 5000.0, pool)
        np.testing.assert_allclose(score(Ensemble.of(members, observation), grid, 5000.0), expected, atol=1e-8)


def test_pooling_comes_before_scoring() -> None:
    grid = GRIDS["no poles, odd"]
    observation = RNG.standard_normal(grid.shape)
    shifted = Ensemble.of(np.stack([np.roll(observation, 1, -1)] * 2), observation)
    assert crps(shifted).mean() > 10 * average_pooled_crps(shifted, grid, 50000.0).mean(), "the mean is not displaced"


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("periodic", [True, False])
def test_plain_sums_over_windows_are_the_compiled_ones(precision: type, periodic: bool) -> None:
    widths, areas = np.array([[-1, 0, 2], [5, 6, 3]]), np.array([0.5, 1.0, 2.0])
    fields, shift = RNG.standard_normal((4, 3, 12)).astype(precision), RNG.standard_normal((3, 12)).astype(precision)
    fields[1, 1, 1], counted = np.nan, np.ones((3, 12), dtype=bool)
    counted[1, :3] = False
    running, sums = np.empty((2, 4, 3, 12 + 2 * 6 + 1)), np.empty((2, 4, 2, 12))
    for module, up, found in zip((windows, plain), running, sums, strict=True):
        module.run_up(fields, shift, counted, periodic, up)
        module.sum_windows(up, widths, areas, 6, found)
    np.testing.assert_allclose(*running, rtol=1e-13)
    np.testing.assert_allclose(*sums, atol=1e-12)
    assert np.isfinite(sums).all()


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_plain_maxima_over_windows_are_the_compiled_ones(precision: type) -> None:
    widths, reach = np.array([-1, 0, 2, 5, 6, 3]), 6
    fields = RNG.standard_normal((3, 12 + 2 * reach + 1)).astype(precision)
    for length in (1, 4, 8):
        maxima = [np.zeros((3, 6, 12), precision) for _ in range(2)]
        for module, largest in zip((windows, plain), maxima, strict=True):
            module.raise_to_maxima(largest, fields, widths, reach, length)
        np.testing.assert_array_equal(*maxima)


def test_uneven_columns_are_refused() -> None:
    with pytest.raises(ScoreError, match=r"evenly spaced longitudes, got spacings of 10 to 20 degrees"):
        half_widths(Grid((10.0, 0.0), (0.0, 10.0, 30.0)), 500.0, slice(0, 1))
