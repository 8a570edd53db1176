"""Fractions skill score: neighbourhoods by great-circle distance point by point, limits, and the library ``scores``."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.special import ndtri

from data_pipeline.grid import Grid
from evaluation.metrics.forms import Ensemble, Point
from evaluation.metrics.neighbourhood import BLOCK, METRICS, STATISTICS, neighbourhood_mean
from evaluation.settings import Settings
from tests.evaluation.samples_of_extremes import even_grid, random_ensemble, sample_of, score_of

RADIUS_KM = 6371.0
GRIDS = {
    "poles": Grid.equiangular(7, 12, poles=True),
    "no poles": Grid.equiangular(6, 9, poles=False),
    "cropped": Grid((60.0, 50.0, 40.0, 30.0), (10.0, 20.0, 30.0, 40.0, 50.0)),
}


def brute_force_mean(values: np.ndarray, counted: np.ndarray, grid: Grid, diameter_km: float) -> np.ndarray:
    """Of every point all others, those within half the diameter, by the angle between unit vectors."""
    latitude, longitude = np.meshgrid(np.deg2rad(grid.latitude), np.deg2rad(grid.longitude), indexing="ij")
    unit = np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])
    flat = unit.reshape(3, -1)
    distance = RADIUS_KM * np.arccos(np.clip(flat.T @ flat, -1, 1))
    area = (grid.area_weights()[:, None] * counted).ravel()
    inside = (distance <= diameter_km / 2 + 1e-3) * area
    with np.errstate(invalid="ignore"):
        return (inside @ np.where(counted, values, 0).ravel() / inside.sum(axis=1)).reshape(grid.shape)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("diameter_km", [100.0, 3000.0, 7300.0, 19000.0, 50000.0])
def test_neighbourhoods_are_discs_on_the_sphere(grid: Grid, diameter_km: float) -> None:
    rng = np.random.default_rng(3)
    values, counted = rng.random(grid.shape), rng.random(grid.shape) > 0.2
    expected = brute_force_mean(values, counted, grid, diameter_km)
    np.testing.assert_allclose(neighbourhood_mean(values, counted, grid, diameter_km), expected, atol=1e-11)


def test_a_grid_of_many_blocks_of_rows_is_pooled_as_one() -> None:
    grid = Grid.equiangular(2 * BLOCK + 5, 6, poles=True)
    values, counted = np.random.default_rng(4).random(grid.shape), np.ones(grid.shape, dtype=bool)
    expected = brute_force_mean(values, counted, grid, 2500.0)
    np.testing.assert_allclose(neighbourhood_mean(values, counted, grid, 2500.0), expected, atol=1e-11)


def test_no_event_in_a_disc_is_exactly_none() -> None:
    grid = GRIDS["poles"]
    events = (np.random.default_rng(5).random((20, *grid.shape)) > 0.9).astype(float)
    found = neighbourhood_mean(events, np.ones(grid.shape, dtype=bool), grid, 5000.0)
    expected = np.stack([brute_force_mean(event, np.ones(grid.shape), grid, 5000.0) for event in events])
    np.testing.assert_array_equal(found == 0, expected == 0)


def test_a_missing_value_is_missing_wherever_it_is_near() -> None:
    grid = GRIDS["no poles"]
    values = np.ones((2, *grid.shape))
    values[0, 2, 0] = np.nan
    found = neighbourhood_mean(values, np.ones(grid.shape, dtype=bool), grid, 9000)
    assert np.isnan(found[0, 2, [0, 1, 8]]).all()
    assert found[0, 2, 4] == 1
    assert (found[1] == 1).all()


def brute_force_score(forecast: np.ndarray, event: np.ndarray, grid: Grid, diameter_km: float) -> float:
    everywhere = np.ones(grid.shape, dtype=bool)
    p_f, p_o = (brute_force_mean(field, everywhere, grid, diameter_km) for field in (forecast, event))
    area = grid.area_weights()[:, None]
    return 1 - (area * (p_f - p_o) ** 2).sum() / (area * (p_f**2 + p_o**2)).sum()


def test_the_score_is_its_definition_for_the_probability_and_for_the_mean() -> None:
    grid, settings = GRIDS["no poles"], Settings(climate_quantiles=(0.2, 0.8), pool_km=(100.0, 8000.0))
    ensemble = random_ensemble(4, grid.shape, 6)
    sample = sample_of(ensemble, grid, quantile=ndtri, settings=settings)
    upper, lower = np.float32(ndtri(0.8)), np.float32(ndtri(0.2))
    mean = ensemble.members.astype(np.float64).mean(axis=0)
    forecasts = {
        ("quantile_fss", 0.8): ((ensemble.members > upper).mean(axis=0), ensemble.observation > upper),
        ("quantile_fss", 0.2): ((ensemble.members < lower).mean(axis=0), ensemble.observation < lower),
        ("quantile_fss_of_mean", 0.8): (mean > upper, ensemble.observation > upper),
    }
    for (name, level), (forecast, event) in forecasts.items():
        found = score_of(METRICS[name], STATISTICS, [sample])
        assert found.dims == ("climate_quantile", "pool_km")
        for side in settings.pool_km:
            expected = brute_force_score(forecast.astype(float), event.astype(float), grid, side)
            ours = float(found.sel(climate_quantile=level, pool_km=side))
            assert ours == pytest.approx(expected, abs=1e-10)


def test_of_single_points_it_is_that_of_the_library_scores() -> None:
    """Larger windows are squares of cells there, which on a sphere are no neighbourhoods: only one point can agree."""
    spatial = pytest.importorskip("scores.spatial")
    grid, settings = even_grid(), Settings(thresholds={"2m_temperature": (0.2,)}, pool_km=(1.0,))
    ensemble = random_ensemble(8, grid.shape, 1, np.float64)
    theirs = spatial.fss_2d_single_field(
        ensemble.members[0], ensemble.observation, event_threshold=0.2, window_size=(1, 1),
        threshold_operator=np.greater,
    )  # fmt: skip
    sample = sample_of(ensemble, grid, settings=settings)
    assert float(score_of(METRICS["threshold_fss"], STATISTICS, [sample]).squeeze()) == pytest.approx(float(theirs))


def test_a_displaced_event_is_found_at_the_scale_of_the_displacement() -> None:
    grid = Grid.equiangular(18, 36, poles=False)
    truth, forecast = np.zeros(grid.shape), np.zeros(grid.shape)
    truth[8, 10], forecast[8, 12] = 1, 1
    settings = Settings(thresholds={"2m_temperature": (0.5,)}, pool_km=(500.0, 3000.0, 10000.0, 41000.0))
    sample = sample_of(Point.of(forecast, truth), grid, settings=settings)
    found = score_of(METRICS["threshold_fss"], STATISTICS, [sample]).squeeze().values
    assert found[0] == 0
    assert (np.diff(found) > 0).all()
    assert found[-1] == pytest.approx(1)


@hypothesis_settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31))
def test_it_lies_between_none_and_one_and_a_perfect_forecast_has_one(seed: int) -> None:
    grid, settings = GRIDS["no poles"], Settings(climate_quantiles=(0.3, 0.7), pool_km=(100.0, 6000.0))
    ensemble = random_ensemble(seed, grid.shape, 3)
    found = score_of(
        METRICS["quantile_fss"], STATISTICS, [sample_of(ensemble, grid, quantile=ndtri, settings=settings)]
    )
    assert ((found >= 0) & (found <= 1) | found.isnull()).all()
    perfect = Ensemble.of(ensemble.observation[None], ensemble.observation)
    found = score_of(METRICS["quantile_fss"], STATISTICS, [sample_of(perfect, grid, quantile=ndtri, settings=settings)])
    assert (found.isnull() | (found == 1)).all()


def test_no_event_at_all_has_no_score() -> None:
    grid, settings = even_grid(), Settings(thresholds={"2m_temperature": (50.0,)})
    found = score_of(METRICS["threshold_fss"], STATISTICS, [sample_of(random_ensemble(1, grid.shape), grid,
                                                                      settings=settings)])  # fmt: skip
    assert found.isnull().all()


def test_a_missing_member_makes_it_nan_a_missing_observation_counts_on_neither_side() -> None:
    grid, settings = GRIDS["no poles"], Settings(climate_quantiles=(0.8,), pool_km=(6000.0,))
    ensemble = random_ensemble(4, grid.shape)
    members, observation = ensemble.members.copy(), ensemble.observation.copy()
    observation[3, 3] = np.nan
    found = [
        score_of(METRICS["quantile_fss"], STATISTICS, [sample_of(Ensemble.of(values, observation), grid, quantile=ndtri,
                                                                 settings=settings)])
        for values in (members, np.where(np.isnan(observation), 99, members).astype(np.float32))
    ]  # fmt: skip
    assert float(found[0].squeeze()) == float(found[1].squeeze())
    members[0, 0, 0] = np.nan
    broken = sample_of(Ensemble.of(members, observation), grid, quantile=ndtri, settings=settings)
    assert score_of(METRICS["quantile_fss"], STATISTICS, [broken]).isnull().all()
