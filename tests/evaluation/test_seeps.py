"""SEEPS: the matrix of Rodwell et al., WeatherBench2's definition written out, the library ``scores``, climates."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from data_pipeline.channels import Channel
from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.metrics.forms import Ensemble, Point
from evaluation.metrics.seeps import METRICS, STATISTICS, error_matrix, seeps
from evaluation.metrics.wet_climate import LEVELS, WetClimate
from tests.evaluation.samples_of_extremes import TIME, mean_of_samples, sample_of, score_of

GRID = Grid.equiangular(4, 6, poles=False)
RAIN = Channel("total_precipitation")
DRY = 0.00025


def of_value(value: np.ndarray, observation: np.ndarray, climate: WetClimate) -> np.ndarray:
    wet, heavy = (value > DRY).astype(float), (value > climate.heavy).astype(float)
    return seeps(wet, heavy, observation, climate, DRY)


def weatherbench2(value: np.ndarray, observation: np.ndarray, climate: WetClimate) -> np.ndarray:
    """Its definition, with the matrix (forecast category, observed category) written out and categories counted."""
    p = climate.dry_share

    def categories(amount: np.ndarray) -> np.ndarray:
        light = (amount > DRY) & (amount < climate.heavy)
        return np.stack([amount < DRY, light, amount >= climate.heavy]).astype(float)

    matrix = 0.5 * np.array([
        [0 * p, 1 / (1 - p), 4 / (1 - p)],
        [1 / p, 0 * p, 3 / (1 - p)],
        [1 / p + 3 / (2 + p), 3 / (2 + p), 0 * p],
    ])  # fmt: skip
    return np.einsum("f...,o...,fo...->...", categories(value), categories(observation), matrix)


def random_rain(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 0.5, 0.0, rng.exponential(0.005, shape))


def random_climate(seed: int) -> WetClimate:
    rng = np.random.default_rng(seed)
    return WetClimate(rng.uniform(0.1, 0.85, GRID.shape), rng.uniform(0.002, 0.01, GRID.shape))


@hypothesis_settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31))
def test_it_is_weatherbench2s_off_the_thresholds(seed: int) -> None:
    """On the dry threshold WeatherBench2 has no category at all, so that such a forecast is perfect; ours is dry."""
    value, observation, climate = random_rain(seed, GRID.shape), random_rain(seed + 1, GRID.shape), random_climate(seed)
    np.testing.assert_allclose(of_value(value, observation, climate), weatherbench2(value, observation, climate))


def test_it_is_that_of_the_library_scores_on_the_thresholds_too() -> None:
    categorical = pytest.importorskip("scores.categorical")
    climate = random_climate(5)
    steps = [
        np.zeros(GRID.shape),
        np.full(GRID.shape, DRY),
        np.full(GRID.shape, 0.001),
        climate.heavy,
        climate.heavy * 2,
    ]
    dims = ("latitude", "longitude")
    for value in steps:
        for observation in steps:
            theirs = categorical.seeps(
                *(xr.DataArray(field, dims=dims) for field in (value, observation, climate.dry_share, climate.heavy)),
                dry_light_threshold=DRY, preserve_dims="all",
            )  # fmt: skip
            np.testing.assert_allclose(of_value(value, observation, climate), theirs.values, atol=1e-12)


@given(st.floats(0.01, 0.99))
def test_always_the_same_forecast_has_one_on_average(dry_share: float) -> None:
    happen = np.array([dry_share, 2 * (1 - dry_share) / 3, (1 - dry_share) / 3])
    np.testing.assert_allclose(error_matrix(np.array(dry_share)) @ happen, 1)
    assert (np.diagonal(error_matrix(np.array(dry_share))) == 0).all()


def test_a_value_on_the_dry_threshold_is_dry_in_float32_too() -> None:
    on = np.full(GRID.shape, 0.00025, dtype=np.float32)
    observation = np.zeros(GRID.shape, dtype=np.float32)
    for forecast in (Ensemble.of(on[None], observation), Point.of(on, observation)):
        sample = sample_of(forecast, GRID, quantile=climate_quantile, channel=RAIN)
        assert float(score_of(METRICS["seeps"], STATISTICS, [sample])) == 0


def climate_quantile(level: float) -> float:
    """Half of the days dry, the wet ones even between 0.25 and 10.25 mm: heavy above 6.9167 mm."""
    return DRY + 0.01 * max(level - 0.5, 0) / 0.5 if level > 0.5 else 0.0


def test_of_members_it_is_the_mean_of_theirs() -> None:
    members, observation = random_rain(2, (5, *GRID.shape)), random_rain(3, GRID.shape)
    sample = sample_of(Ensemble.of(members, observation), GRID, quantile=climate_quantile, channel=RAIN)
    climate = WetClimate.of_quantiles(LEVELS, sample.climate.quantiles(LEVELS), DRY)  # type: ignore[union-attr]
    own = np.mean([of_value(member, observation, climate) for member in members], axis=0)
    area = np.broadcast_to(GRID.area_weights()[:, None], GRID.shape)
    found = score_of(METRICS["seeps"], STATISTICS, [sample])
    assert float(found) == pytest.approx(float(np.average(own, weights=area)))
    mean = of_value(members.mean(axis=0), observation, climate)
    of_mean = score_of(METRICS["seeps_of_mean"], STATISTICS, [sample])
    assert float(of_mean) == pytest.approx(float(np.average(mean, weights=area)))


def test_deserts_and_rainforests_are_left_out_of_the_mean() -> None:
    """Columns: never dry, half dry, always dry, ...; only those half dry are scored."""
    columns = np.arange(6) % 3

    def quantile(level: float) -> np.ndarray:
        kinds = [0.01 + level / 100, climate_quantile(level), 0.0]
        return np.broadcast_to(np.choose(columns, kinds), GRID.shape)

    members, observation = random_rain(4, (3, *GRID.shape)), random_rain(5, GRID.shape)
    sample = sample_of(Ensemble.of(members, observation), GRID, quantile=quantile, channel=RAIN)
    inside = columns == 1
    half = Grid(GRID.latitude, (0.0, 180.0))
    cut = sample_of(
        Ensemble.of(members[..., inside], observation[..., inside]), half, quantile=climate_quantile, channel=RAIN
    )
    found, expected = (score_of(METRICS["seeps"], STATISTICS, [each]) for each in (sample, cut))
    assert float(found) == pytest.approx(float(expected))
    scored = mean_of_samples(STATISTICS["seeps_scored_area"], [sample])
    assert float(scored) == pytest.approx(1 / 3)
    everywhere = sample_of(Ensemble.of(members, observation), GRID, quantile=lambda _: 0.0, channel=RAIN)
    assert np.isnan(score_of(METRICS["seeps"], STATISTICS, [everywhere]))


def test_climates_from_amounts_and_from_their_quantiles_agree() -> None:
    amounts = random_rain(9, (2000, *GRID.shape))
    exact = WetClimate.of_amounts(amounts, DRY)
    levels = np.linspace(0.01, 0.99, 99).tolist()
    found = WetClimate.of_quantiles(levels, np.quantile(amounts, levels, axis=0), DRY)
    np.testing.assert_allclose(found.dry_share, exact.dry_share, atol=0.02)
    np.testing.assert_allclose(found.heavy, exact.heavy, rtol=0.1)
    wet = [column[column > DRY] for column in amounts.reshape(2000, -1).T]
    np.testing.assert_allclose(exact.heavy.ravel(), [np.quantile(column, 2 / 3) for column in wet])


def test_climates_that_are_always_dry_never_dry_or_missing() -> None:
    amounts = np.stack([np.zeros(4), np.full(4, 0.01), [0.0, 0.01, np.nan, 0.01]], axis=1)
    found = WetClimate.of_amounts(amounts, DRY)
    np.testing.assert_allclose(found.dry_share, [1, 0, np.nan])
    np.testing.assert_allclose(found.heavy, [np.nan, 0.01, np.nan])
    quantiles = np.stack([np.zeros(4), np.full(4, 0.01), [0.0, 0.01, np.nan, 0.01]], axis=1)
    found = WetClimate.of_quantiles([0.1, 0.5, 0.8, 0.95], quantiles, DRY)
    np.testing.assert_allclose(found.dry_share, [1, 0, np.nan])
    np.testing.assert_allclose(found.heavy, [np.nan, 0.01, np.nan])


def test_a_climate_of_weatherbench2() -> None:
    dims = ("hour", "dayofyear", "longitude", "latitude")
    rng = np.random.default_rng(0)
    dry, heavy = rng.random((2, 366, 6, 4)), rng.random((2, 366, 6, 4))
    name = "total_precipitation_24hr"
    climatology = xr.Dataset(
        {f"{name}_seeps_dry_fraction": (dims, dry), f"{name}_seeps_threshold": (dims, heavy)},
        coords={"hour": [0, 12], "dayofyear": np.arange(1, 367)},
    )
    found = WetClimate.of_weatherbench2(climatology, TIME + np.timedelta64(36, "h"), name)
    np.testing.assert_allclose(found.dry_share, dry.mean(axis=(0, 1)).T)
    np.testing.assert_allclose(found.heavy, heavy[1, 1].T)
    with pytest.raises(ScoreError, match="lacks total_precipitation_6hr_seeps_dry_fraction"):
        WetClimate.of_weatherbench2(climatology, TIME, "total_precipitation_6hr")


def test_missing_values_and_other_variables() -> None:
    members, observation = random_rain(2, (5, *GRID.shape)), random_rain(3, GRID.shape)
    whole = sample_of(Ensemble.of(members, observation), GRID, quantile=climate_quantile)
    assert np.isnan(score_of(METRICS["seeps"], STATISTICS, [whole]))
    observation[0, 0] = np.nan
    sample = sample_of(Ensemble.of(members, observation), GRID, quantile=climate_quantile, channel=RAIN)
    assert np.isfinite(score_of(METRICS["seeps"], STATISTICS, [sample]))
    members[1, 2, 2] = np.nan
    sample = sample_of(Ensemble.of(members, observation), GRID, quantile=climate_quantile, channel=RAIN)
    assert np.isnan(score_of(METRICS["seeps"], STATISTICS, [sample]))
    assert np.isnan(score_of(METRICS["seeps_of_mean"], STATISTICS, [sample]))
