"""From the levels of the simulated planet to pressure levels and sea level, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline import pressure_levels as levels
from data_pipeline.errors import DataError

SPEEDY_SIGMA = np.array([0.025, 0.095, 0.2, 0.34, 0.51, 0.685, 0.835, 0.95])
SEA_LEVEL, WARMTH = 101325.0, 285.0
"""Pressure (Pa) and temperature (K) at height 0 of the reference atmosphere of constant lapse rate."""


def columns(profile: np.ndarray, count: int = 1) -> np.ndarray:
    """A profile [sigma] as [time 1, sigma, latitude 1, longitude count]."""
    return np.repeat(np.asarray(profile, dtype=np.float64)[None, :, None, None], count, axis=3)


def at(values: object) -> np.ndarray:
    """Numbers along longitude as [time 1, latitude 1, longitude]."""
    return np.atleast_1d(np.asarray(values, dtype=np.float64))[None, None, :]


def lapse_temperature(pressure: np.ndarray) -> np.ndarray:
    """T = T_0 (p / p_0)^kappa: hydrostatic with a constant lapse rate."""
    return WARMTH * (pressure / SEA_LEVEL) ** levels.KAPPA


def lapse_geopotential(pressure: np.ndarray) -> np.ndarray:
    """Height follows from the fall of temperature: phi = g (T_0 - T) / lapse."""
    return levels.GRAVITY / levels.LAPSE_RATE * (WARMTH - lapse_temperature(pressure))


def test_isothermal_atmosphere_has_logarithmic_heights() -> None:
    pressure, ground = 1e5 * np.array([0.25, 0.5, 0.7, 0.85]), 98000.0
    isothermal = columns(np.full(8, 260.0), 4)
    target = at(pressure / ground)
    geopotential = levels.geopotential(isothermal, SPEEDY_SIGMA, np.zeros((1, 4)), target)[0, 0]
    expected = levels.GAS_CONSTANT * 260.0 * np.log(pressure[:-1] / pressure[1:])
    np.testing.assert_allclose(np.diff(geopotential), expected, rtol=1e-12)
    np.testing.assert_allclose(levels.temperature(isothermal, SPEEDY_SIGMA, target), 260.0, rtol=1e-12)


@pytest.mark.parametrize("ground", [99000.0, 70000.0, 55000.0])
def test_constant_lapse_atmosphere_is_exact_below_the_lowest_level_and_below_ground(ground: float) -> None:
    pressure = np.array([0.97 * ground, ground, 1.2 * ground, 1e5])
    temperature = columns(lapse_temperature(SPEEDY_SIGMA * ground), 4)
    surface = np.full((1, 4), lapse_geopotential(np.array(ground)))
    target = at(pressure / ground)
    np.testing.assert_allclose(
        levels.temperature(temperature, SPEEDY_SIGMA, target)[0, 0], lapse_temperature(pressure), rtol=1e-12
    )
    np.testing.assert_allclose(
        levels.geopotential(temperature, SPEEDY_SIGMA, surface, target)[0, 0], lapse_geopotential(pressure), atol=1e-6
    )


def test_constant_lapse_atmosphere_is_approached_at_second_order_between_levels() -> None:
    pressure = 1e5 * np.array([0.25, 0.5, 0.7, 0.85])

    def error(count: int) -> float:
        sigma = np.geomspace(0.1, 0.99, count)
        temperature = columns(lapse_temperature(sigma * SEA_LEVEL), 4)
        got = levels.geopotential(temperature, sigma, np.zeros((1, 4)), at(pressure / SEA_LEVEL))
        return float(np.abs(got[0, 0] - lapse_geopotential(pressure)).max())

    assert error(33) < 20.0  # 2 m of height
    assert 3.0 < error(33) / error(65) < 5.0


def test_surface_pressure_lies_at_the_surface() -> None:
    profile = columns(np.linspace(200.0, 290.0, 8))
    got = levels.geopotential(profile, SPEEDY_SIGMA, np.full((1, 1), 1234.5), at(1.0))
    np.testing.assert_allclose(got, 1234.5, rtol=1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=8, max_size=8), st.integers(0, 7))
def test_at_a_model_level_the_value_is_the_models(profile: list[float], index: int) -> None:
    target = at(SPEEDY_SIGMA[index])
    np.testing.assert_allclose(
        levels.interpolate(columns(np.array(profile)), SPEEDY_SIGMA, target)[0, 0, 0], profile[index], atol=1e-9
    )
    positive = columns(np.abs(profile) + 1.0)
    full = levels.full_level_geopotential(positive, SPEEDY_SIGMA, np.zeros((1, 1)))
    np.testing.assert_allclose(levels.temperature(positive, SPEEDY_SIGMA, target), positive[:, index], rtol=1e-9)
    np.testing.assert_allclose(
        levels.geopotential(positive, SPEEDY_SIGMA, np.zeros((1, 1)), target), full[:, index], rtol=1e-9, atol=1e-6
    )


@settings(deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=8, max_size=8), st.floats(0.03, 1.7))
def test_interpolation_equals_numpys_column_by_column(profile: list[float], target: float) -> None:
    expected = np.interp(np.log(target), np.log(SPEEDY_SIGMA), profile)
    got = levels.interpolate(columns(np.array(profile)), SPEEDY_SIGMA, at(target))
    np.testing.assert_allclose(got[0, 0, 0], expected, atol=1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(180, 310), min_size=8, max_size=8), st.floats(0.03, 1.7))
def test_geopotential_is_hydrostatic_with_temperature_everywhere(profile: list[float], target: float) -> None:
    step = 1e-5
    pressures = at(target * np.exp([-step, 0.0, step]))
    virtual, ground = columns(np.array(profile), 3), np.zeros((1, 3))
    slope = np.diff(levels.geopotential(virtual, SPEEDY_SIGMA, ground, pressures)[0, 0]) / step
    temperature = levels.temperature(virtual, SPEEDY_SIGMA, pressures)[0, 0, 1]
    np.testing.assert_allclose(slope, -levels.GAS_CONSTANT * temperature, rtol=1e-3)


def test_pressures_above_the_highest_level_are_refused() -> None:
    with pytest.raises(DataError, match=r"0\.01 times the surface pressure.*ask for lower levels"):
        levels.interpolate(columns(np.ones(8)), SPEEDY_SIGMA, at(0.01))


def test_virtual_temperature_is_the_density_temperature_of_moist_air() -> None:
    assert levels.virtual_temperature(np.array(300.0), np.array(0.01)) == pytest.approx(300.0 * 1.00608, rel=1e-5)


def test_reduction_through_a_constant_lapse_rate_finds_the_pressure_at_sea_level() -> None:
    pressure = np.array([103000.0, 101325.0, 95000.0, 80000.0])  # the first lies below sea level
    lowest = at(lapse_temperature(SPEEDY_SIGMA[-1] * pressure))
    got = levels.mean_sea_level_pressure(at(pressure), lowest, SPEEDY_SIGMA, lapse_geopotential(pressure)[None])
    np.testing.assert_allclose(got, SEA_LEVEL, rtol=1e-9)


def test_on_the_coast_sea_level_pressure_is_surface_pressure() -> None:
    temperature = at([200.0, 280.0, 320.0])
    got = levels.mean_sea_level_pressure(at([1e5, 1e5, 1e5]), temperature, SPEEDY_SIGMA, np.zeros((1, 3)))
    np.testing.assert_array_equal(got, 1e5)


def ifs_sea_level_pressure(pressure: float, ground: float, surface: float) -> float:
    """FULL-POS as written in the IFS documentation, column by column, with its series."""
    lapse, sea = levels.LAPSE_RATE, ground + levels.LAPSE_RATE * surface / levels.GRAVITY
    if ground <= 290.5 < sea:
        lapse = (290.5 - ground) * levels.GRAVITY / surface
    elif ground > 290.5 and sea > 290.5:
        ground, lapse = (290.5 + ground) / 2, 0.0
    if ground < 255.0:
        ground = (255.0 + ground) / 2
    x = surface / (levels.GAS_CONSTANT * ground)
    y = lapse * surface / (levels.GRAVITY * ground)
    return float(pressure * np.exp(x * (1 - y / 2 + y**2 / 3)))


@settings(deadline=None)
@given(st.floats(200, 320), st.floats(1, 40000))
def test_reduction_equals_the_ifs_formula(ground: float, surface: float) -> None:
    lowest = at(ground * SPEEDY_SIGMA[-1] ** levels.KAPPA)
    got = levels.mean_sea_level_pressure(at(7e4), lowest, SPEEDY_SIGMA, np.full((1, 1), surface))
    assert got[0, 0, 0] == pytest.approx(ifs_sea_level_pressure(7e4, ground, surface), rel=1e-3)
