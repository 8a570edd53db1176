"""The simulated planet: restarts against uninterrupted runs, and every refusal."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline import pressure_levels as levels
from data_pipeline import simulate as simulation_module
from data_pipeline.errors import DataError
from data_pipeline.planet import Geography, SigmaStates
from data_pipeline.simulate import MISSING, Simulation, canonical, simulate

if TYPE_CHECKING:
    from pathlib import Path


# --- the store and its restarts --------------------------------------------------------------------------------------
SIGMA = np.array([0.025, 0.095, 0.2, 0.34, 0.51, 0.685, 0.835, 0.95])
GEOGRAPHY = Geography(
    latitude=np.array([60.0, 20.0, -20.0, -60.0]),
    longitude=np.arange(0.0, 360.0, 60.0),
    sigma=SIGMA,
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
        column = warmth[:, None] * (SIGMA**levels.KAPPA)[None, :, None, None]
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
