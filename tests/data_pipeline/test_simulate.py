"""The simulated planet: interpolation against closed forms, restarts against uninterrupted runs, every refusal."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline import pressure_levels as levels
from data_pipeline import simulate as simulation_module
from data_pipeline.errors import DataError
from data_pipeline.planet import Geography, SigmaStates
from data_pipeline.simulate import MISSING, Simulation, canonical, simulate

if TYPE_CHECKING:
    from pathlib import Path

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


# --- vertical interpolation ------------------------------------------------------------------------------------------


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


# --- sea-level pressure ----------------------------------------------------------------------------------------------


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


# --- the store and its restarts --------------------------------------------------------------------------------------

GEOGRAPHY = Geography(
    latitude=np.array([60.0, 20.0, -20.0, -60.0]),
    longitude=np.arange(0.0, 360.0, 60.0),
    sigma=SPEEDY_SIGMA,
    surface_geopotential=np.linspace(-100.0, 2e4, 24).reshape(4, 6),
    land_fraction=np.linspace(0.0, 1.0, 24).reshape(4, 6),
)


class LogisticPlanet:
    """A planet of 24 logistic maps: cheap, chaotic, and its numbers tell when a restart was not exact."""

    source = "logistic maps"
    geography = GEOGRAPHY

    def __init__(self, simulation: Simulation) -> None:
        self.time = np.datetime64(simulation.birth, "s")
        self.maps = np.random.default_rng(simulation.seed).uniform(0.1, 0.9, (4, 6))

    def advance(self, days: int) -> SigmaStates:
        frames = []
        for _ in range(2 * days):
            self.maps = 3.9 * self.maps * (1 - self.maps)
            frames.append(self.maps)
        warmth = 250.0 + 40.0 * np.stack(frames)
        begin, self.time = self.time, self.time + np.timedelta64(days, "D")
        column = warmth[:, None] * (SPEEDY_SIGMA**levels.KAPPA)[None, :, None, None]
        return SigmaStates(
            time=begin + np.arange(1, 2 * days + 1) * np.timedelta64(12, "h"),
            temperature=column,
            u_component_of_wind=column - 250.0,
            v_component_of_wind=250.0 - column,
            specific_humidity=1e-5 * (column - 250.0),
            surface_pressure=1e5 + 10.0 * warmth,
            near_surface_temperature=warmth,
        )

    def save(self, path: Path) -> None:
        aside = path.with_name("aside.npz")
        np.savez(aside, maps=self.maps, time=self.time)
        aside.replace(path)

    def load(self, path: Path) -> None:
        with np.load(path) as saved:
            self.maps, self.time = saved["maps"], saved["time"][()]


def run(out: Path, planet: type[LogisticPlanet] = LogisticPlanet, **changes: object) -> xr.Dataset:
    settings_ = {"years": 20 / 365, "spin_up_days": 7, "segment_days": 3, "seed": 1} | changes
    with xr.open_zarr(simulate(out, planet=planet, **settings_), consolidated=False) as store:  # type: ignore[arg-type]
        return store.load()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    return run(tmp_path_factory.mktemp("planet") / "whole.zarr")


def test_store_is_canonical(uninterrupted: xr.Dataset) -> None:
    times = uninterrupted["time"].values
    assert times[0] == np.datetime64("1990-01-01")
    assert times[-1] == np.datetime64("1990-01-20T12")
    assert set(np.diff(times)) == {np.timedelta64(12, "h")}
    assert uninterrupted["geopotential"].dims == ("time", "level", "latitude", "longitude")
    assert list(uninterrupted["level"].values) == [250, 500, 700, 850]
    np.testing.assert_array_equal(uninterrupted["latitude"], GEOGRAPHY.latitude)
    for field in uninterrupted.data_vars.values():
        assert field.dtype == np.float32
        assert {"standard_name", "long_name", "units"} <= set(field.attrs)
        assert np.isfinite(field).all()
    assert uninterrupted["specific_humidity"].min() == 0.0
    assert uninterrupted["geopotential_at_surface"].dims == ("latitude", "longitude")
    assert uninterrupted.attrs["source"] == "logistic maps"


def killed_while(action: str, after: int) -> type[LogisticPlanet]:
    """A planet that is killed on entering ``action`` for the ``after``-th time."""

    class Killed(LogisticPlanet):
        count = 0

        def _count(self, name: str) -> None:
            self.count += name == action
            if self.count == after:
                raise KeyboardInterrupt

        def advance(self, days: int) -> SigmaStates:
            self._count("advance")
            return super().advance(days)

        def save(self, path: Path) -> None:
            self._count("save")
            super().save(path)

    return Killed


@pytest.mark.parametrize("action", ["advance", "save"])
@pytest.mark.parametrize("after", [1, 2, 3, 4, 5, 9])
def test_killed_anywhere_and_run_again_gives_the_same_store(
    tmp_path: Path, uninterrupted: xr.Dataset, action: str, after: int
) -> None:
    out = tmp_path / "planet.zarr"
    with pytest.raises(KeyboardInterrupt):
        run(out, killed_while(action, after))
    assert not out.exists()
    xr.testing.assert_identical(run(out), uninterrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["planet.zarr"]


def test_killed_between_two_arrays_of_a_segment_gives_the_same_store(
    tmp_path: Path, uninterrupted: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = tmp_path / "planet.zarr", simulation_module._append
    calls = iter(range(100))

    def half(dataset: xr.Dataset, store: Path) -> None:
        if next(calls) < 5:
            return whole(dataset, store)
        dataset[["temperature"]].drop_vars(["level", "latitude", "longitude"]).to_zarr(
            store, append_dim="time", consolidated=False
        )
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(simulation_module, "_append", half)
        with pytest.raises(KeyboardInterrupt):
            run(out)
    xr.testing.assert_identical(run(out), uninterrupted)


@pytest.mark.parametrize("segment_days", [1, 4, 40])
def test_segments_do_not_change_the_numbers(tmp_path: Path, uninterrupted: xr.Dataset, segment_days: int) -> None:
    xr.testing.assert_equal(run(tmp_path / "planet.zarr", segment_days=segment_days), uninterrupted)


def test_a_finished_store_is_left_alone(tmp_path: Path) -> None:
    first = run(tmp_path / "planet.zarr")
    xr.testing.assert_identical(run(tmp_path / "planet.zarr", killed_while("advance", 1)), first)


def test_a_state_without_its_store_is_not_taken_up(tmp_path: Path, uninterrupted: xr.Dataset) -> None:
    (tmp_path / "planet.zarr.state").write_bytes(b"of a run whose store was removed")
    xr.testing.assert_identical(run(tmp_path / "planet.zarr"), uninterrupted)


def test_progress_is_told_in_plain_lines_when_piped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "planet.zarr")
    assert re.search(r"simulating: (\d+) of \1 segments", capsys.readouterr().err)


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"years": 0.0}, r"got years=0\.0, expected at least one day"),
        ({"years": float("nan")}, "got years=nan"),
        ({"seed": -1}, "got seed=-1, expected 0 or more"),
        ({"spin_up_days": -1}, "got spin_up_days=-1, expected 0 or more"),
        ({"segment_days": 0}, "got segment_days=0, expected 1 or more"),
        ({"truncation": 22}, r"got truncation=22, expected one of \(21, 31, 42\)"),
        ({"levels": ()}, r"got levels=\(\), expected one or more pressures"),
        ({"levels": (500, 500)}, "none twice"),
        ({"levels": (10, 500)}, "expected pressures from 50 to 1000 hPa"),
        ({"start": "1990-13-01"}, "got start='1990-13-01', expected a date such as 1990-01-01"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        run(tmp_path / "planet.zarr", **changes)
    assert not list(tmp_path.iterdir())


def test_another_simulation_is_not_mixed_into_a_finished_store(tmp_path: Path) -> None:
    run(tmp_path / "planet.zarr")
    with pytest.raises(DataError, match=r'"seed": 1.*expected.*"seed": 2.*give another path'):
        run(tmp_path / "planet.zarr", seed=2)


def test_another_simulation_is_not_mixed_into_a_begun_store(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "planet.zarr", killed_while("advance", 2))
    with pytest.raises(DataError, match=r'partial holds.*"seed": 1.*expected.*"seed": 2'):
        run(tmp_path / "planet.zarr", seed=2)


def test_an_atmosphere_that_blows_up_is_refused_and_not_stored(tmp_path: Path) -> None:
    class Unstable(LogisticPlanet):
        def advance(self, days: int) -> SigmaStates:
            states = super().advance(days)
            return replace(states, temperature=np.full_like(states.temperature, np.nan))

    with pytest.raises(DataError, match=r"blew up before 1989-12-27.*another seed"):
        run(tmp_path / "planet.zarr", Unstable)


def test_without_jcm_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation_module, "find_spec", lambda _: None)
    with pytest.raises(DataError) as raised:
        simulate(tmp_path / "planet.zarr", years=1)
    assert str(raised.value) == MISSING


# --- the real model --------------------------------------------------------------------------------------------------


def test_speedy_makes_an_earth_and_goes_on_exactly(tmp_path: Path) -> None:
    pytest.importorskip("jcm", reason="the simulated planet needs the extra: pip install 'sphercast[simulate]'")
    planet = simulation_module._speedy(Simulation("1990-01-01", "1990-01-05", 0, 0, (500,), 21, 2))
    planet.advance(2)
    planet.save(tmp_path / "state")
    straight = planet.advance(2)
    planet.load(tmp_path / "state")
    again = planet.advance(2)
    np.testing.assert_array_equal(again.temperature, straight.temperature)
    np.testing.assert_array_equal(again.time, straight.time)
    assert straight.time[-1] == np.datetime64("1990-01-04T12")
    dataset = canonical(straight, planet.geography, (250, 500, 850))
    latitude = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(32)[0][::-1]))
    np.testing.assert_allclose(dataset["latitude"], latitude, atol=1e-12)
    weights = np.cos(np.deg2rad(dataset["latitude"]))
    assert 1.00e5 < dataset["mean_sea_level_pressure"].weighted(weights).mean() < 1.02e5
    assert 0.25 < dataset["land_sea_mask"].weighted(weights).mean() < 0.33
    assert dataset["geopotential_at_surface"].sel(latitude=30, longitude=90, method="nearest") > 3e4
