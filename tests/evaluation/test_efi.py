"""Extreme forecast index and shift of tails: closed forms, quadrature, and what ECMWF's own code computes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ndtri

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.metrics import efi_roc
from evaluation.metrics.efi import LEVELS, efi, shift_of_tails
from evaluation.metrics.efi_roc import BLOCK, EDGES, METRICS, STATISTICS
from evaluation.metrics.forms import Ensemble
from evaluation.settings import Settings
from tests.evaluation.samples_of_extremes import mean_of_samples, random_ensemble, sample_of, score_of

GRID = Grid.equiangular(4, 6, poles=False)
PERCENT = np.linspace(0, 1, 101)


def brute_force(members: np.ndarray, levels: np.ndarray, quantiles: np.ndarray) -> float:
    """The definition by quadrature: with p = sin^2 a, dp / sqrt(p (1 - p)) = 2 da."""
    below = np.array([np.mean(members <= quantile) for quantile in quantiles])

    def integrand(angle: float) -> float:
        p = np.sin(angle) ** 2
        return 2 * (p - float(np.interp(p, levels, below)))

    knots = np.arcsin(np.sqrt(np.concatenate([[0], levels, [1]])))
    parts = [quad(integrand, low, high)[0] for low, high in pairwise(knots)]
    return 2 / np.pi * sum(parts)


def ecmwf(members: np.ndarray, quantiles: np.ndarray) -> float:
    """The sum in earthkit-meteo's ``efi`` (Apache 2.0), written out again: of 101 quantiles, one point."""
    share = np.array([np.mean(members <= quantile) for quantile in quantiles])
    arc, product = np.diff(np.arccos(np.sqrt(PERCENT))), np.diff(np.sqrt(PERCENT * (1 - PERCENT)))
    slope = np.diff(share) * 100
    total = (2 * share[:-1] - 1) * arc + ((1 - 2 * PERCENT[:-1]) * arc + product) * slope - product
    return float(total.sum() * 2 / np.pi)


@pytest.mark.parametrize("members", [1, 2, 7, 50])
@pytest.mark.parametrize("levels", [LEVELS, PERCENT, (0.5,)], ids=["kept", "percent", "median"])
def test_efi_is_its_definition(members: int, levels: tuple[float, ...]) -> None:
    rng = np.random.default_rng(members)
    forecast = rng.standard_normal((members, 3)) * 0.7 + [0.0, 1.0, -3.0]
    climate = np.quantile(rng.standard_normal(1000), levels)
    found = efi(forecast, levels, np.repeat(climate[:, None], 3, axis=1))
    for point in range(3):
        assert found[point] == pytest.approx(brute_force(forecast[:, point], np.array(levels), climate), abs=1e-7)


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(1, 20))
def test_efi_is_ecmwfs_without_ties(seed: int, members: int) -> None:
    """With ties of the climate (dry days) ECMWF's differs: a member on all of them counts as below all."""
    rng = np.random.default_rng(seed)
    climate, forecast = np.quantile(rng.standard_normal(500), PERCENT), 0.5 + rng.standard_normal(members)
    assert efi(forecast[:, None], PERCENT, climate[:, None])[0] == pytest.approx(ecmwf(forecast, climate), abs=1e-12)


@hypothesis_settings(deadline=None, max_examples=20)
@given(st.floats(0.01, 0.99))
def test_members_at_one_quantile_have_a_closed_form(level: float) -> None:
    """``4/pi arcsin(sqrt p) - 1``, within what the distance of the quantiles leaves."""
    fine = np.linspace(0.0005, 0.9995, 1000)
    index = efi(np.full((3, 1), ndtri(level)), fine, ndtri(fine)[:, None])[0]
    assert index == pytest.approx(4 / np.pi * np.arcsin(np.sqrt(level)) - 1, abs=0.01)


def test_the_climate_itself_has_no_index_and_all_beyond_have_one() -> None:
    climate = ndtri(np.array(LEVELS))[:, None]
    everything = ndtri((np.arange(2000) + 0.5) / 2000)[:, None]
    assert efi(everything, LEVELS, climate)[0] == pytest.approx(0, abs=1e-3)
    assert efi(everything + 100, LEVELS, climate)[0] == pytest.approx(1, abs=1e-12)
    assert efi(everything - 100, LEVELS, climate)[0] == pytest.approx(-1, abs=1e-12)


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31))
def test_turning_everything_round_turns_the_index_round(seed: int) -> None:
    rng = np.random.default_rng(seed)
    climate, members = np.sort(rng.standard_normal(len(LEVELS)))[:, None], rng.standard_normal((6, 1))
    mirrored = [1 - level for level in LEVELS[::-1]]
    assert efi(-members, mirrored, -climate[::-1])[0] == pytest.approx(-efi(members, LEVELS, climate)[0], abs=1e-12)


def test_a_dry_forecast_in_a_desert_is_nothing_extreme() -> None:
    desert, rain = np.zeros((len(LEVELS), 1)), np.array(LEVELS)[:, None] ** 2
    assert efi(np.zeros((5, 1)), LEVELS, desert)[0] == pytest.approx(0, abs=1e-12)
    assert efi(np.ones((5, 1)), LEVELS, desert)[0] == pytest.approx(1, abs=1e-12)
    half_dry = np.where(np.array(LEVELS)[:, None] <= 0.5, 0, rain)
    index = efi(np.zeros((5, 1)), LEVELS, half_dry)[0]
    assert -0.7 < index < -0.3  # spread over the dry half, mean of 4/pi arcsin(sqrt p) - 1 over 0..0.5 is -0.44


def test_huge_tiny_constant_and_missing_values() -> None:
    members, climate = np.random.default_rng(0).standard_normal((4, 3)), ndtri(np.array(LEVELS))[:, None].repeat(3, 1)
    for scale in (1e30, 1e-30):
        np.testing.assert_allclose(efi(scale * members, LEVELS, scale * climate), efi(members, LEVELS, climate))
    members[0, 1], climate[3, 2] = np.nan, np.nan
    assert np.isnan(efi(members, LEVELS, climate)).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("levels", "shape", "message"),
    [([0.2, 0.1], (2, 3), "ascending"), ([0.1, 1.2], (2, 3), "ascending"), ([0.1, 0.9], (3, 3), "quantiles")],
)
def test_what_does_not_fit_is_refused(levels: list[float], shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        efi(np.zeros((4, 3)), levels, np.zeros(shape))


def test_shift_of_tails_is_its_definition() -> None:
    rng = np.random.default_rng(1)
    members = rng.standard_normal((11, 4))
    q90, q99 = np.full(4, 1.2), np.full(4, 2.0)
    expected = (np.quantile(members, 0.9, axis=0) - q99) / (q99 - q90)
    np.testing.assert_allclose(shift_of_tails(members, 0.9, q90, q99), expected)
    lower = shift_of_tails(-members, 0.1, -q90, -q99)
    np.testing.assert_allclose(lower, expected)
    assert shift_of_tails(members, 0.9, q99, q99).tolist() == pytest.approx([np.nan] * 4, nan_ok=True)
    members[0, 0] = np.nan
    assert np.isnan(shift_of_tails(members, 0.9, q90, q99)).tolist() == [True, False, False, False]


def brute_force_area(index: np.ndarray, event: np.ndarray, area: np.ndarray) -> float:
    """Over all pairs of an event and none: how often the event had the higher bin."""
    bins = np.clip(np.searchsorted(EDGES, index, side="right") - 1, 0, len(EDGES) - 2)
    won = pairs = 0.0
    for one in np.argwhere(event):
        for other in np.argwhere(~event):
            weight = area[tuple(one)] * area[tuple(other)]
            pairs += weight
            won += weight * (0.5 * (bins[tuple(one)] == bins[tuple(other)]) + (bins[tuple(one)] > bins[tuple(other)]))
    return won / pairs


def test_roc_area_is_that_of_all_pairs() -> None:
    ensemble, settings = random_ensemble(5, GRID.shape, 8), Settings(climate_quantiles=(0.2, 0.8))
    sample = sample_of(ensemble, GRID, quantile=ndtri, settings=settings)
    found = score_of(METRICS["efi_roc_area"], STATISTICS, [sample])
    index = efi(ensemble.members, LEVELS, sample.climate.quantiles(LEVELS))  # type: ignore[union-attr]
    area = np.broadcast_to(GRID.area_weights()[:, None], GRID.shape)
    high, low = (ensemble.observation > np.float32(ndtri(0.8)), ensemble.observation < np.float32(ndtri(0.2)))
    assert float(found.sel(climate_quantile=0.8)) == pytest.approx(brute_force_area(index, high, area))
    assert float(found.sel(climate_quantile=0.2)) == pytest.approx(1 - brute_force_area(index, low, area))
    assert (found > 0.5).all()


def test_the_index_is_found_once_for_all_regions_and_is_that_of_the_whole_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    tall, calls = Grid.equiangular(2 * BLOCK + 3, 4, poles=True), []
    ensemble, settings = random_ensemble(5, tall.shape, 8), Settings(climate_quantiles=(0.2, 0.8))
    sample = sample_of(ensemble, tall, quantile=ndtri, settings=settings)
    monkeypatch.setattr(efi_roc, "efi", lambda *args: calls.append(args) or efi(*args))
    area = np.broadcast_to(tall.area_weights()[:, None], tall.shape)
    index = efi(ensemble.members, LEVELS, sample.climate.quantiles(LEVELS))  # type: ignore[union-attr]
    for rows in (slice(None), slice(3, 40)):
        weights = np.zeros(tall.shape)
        weights[rows] = area[rows]
        found = STATISTICS["efi_table"].of(sample, weights)  # type: ignore[call-arg, arg-type]
        expected = np.histogram(index[rows], EDGES, weights=area[rows] / weights.sum())[0]
        np.testing.assert_allclose(found.sum(axis=0), np.stack([expected, expected]))
    assert len(calls) == 3


def test_a_perfect_forecast_has_roc_area_one_and_no_event_none() -> None:
    truth = np.where(np.arange(24).reshape(GRID.shape) % 3 == 0, 9.0, 0.0)
    sample = sample_of(Ensemble.of(np.repeat(truth[None], 3, axis=0), truth), GRID, quantile=ndtri)
    found = score_of(METRICS["efi_roc_area"], STATISTICS, [sample])
    assert float(found.sel(climate_quantile=0.9)) == 1
    assert found.sel(climate_quantile=0.1).isnull()


def test_missing_members_and_climatologies_give_nan_missing_observations_do_not_count() -> None:
    ensemble = random_ensemble(5, GRID.shape)
    members, observation = ensemble.members.copy(), ensemble.observation.copy()
    observation[1, 1] = np.nan
    seen = mean_of_samples(STATISTICS["efi_table"], [sample_of(Ensemble.of(members, observation), GRID,
                                                               quantile=ndtri)])  # fmt: skip
    np.testing.assert_allclose(seen.sum(["efi_bin", "efi_outcome"]), 1)
    members[0, 0, 0] = np.nan
    assert (
        mean_of_samples(STATISTICS["efi_table"], [sample_of(Ensemble.of(members, observation), GRID, quantile=ndtri)])
        .isnull()
        .all()
    )
    assert score_of(METRICS["efi_roc_area"], STATISTICS, [sample_of(ensemble, GRID)]).isnull().all()
