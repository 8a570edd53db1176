"""A simulated planet to train on without any download: 12-hourly states of ``planet`` as a canonical zarr store."""

from __future__ import annotations

import datetime as dt
import json
import math
import shutil
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
import zarr

from data_pipeline import pressure_levels
from data_pipeline.errors import DataError
from data_pipeline.planet import STEP_HOURS, Geography, Planet, SigmaStates, SpeedyPlanet
from data_pipeline.progress import track
from data_pipeline.publish import publish_directory
from data_pipeline.store import partial_path
from data_pipeline.variables import COORDINATE_ATTRIBUTES, VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from data_pipeline.pressure_levels import Floats

LEVELS = (850, 700, 500, 250)
TRUNCATIONS = (21, 31, 42)
CHUNKS = {"time": 60, "level": 1}
"""Thirty days of one level, half a megabyte at T21."""
TIME_ENCODING = {"units": "hours since 1970-01-01", "calendar": "proleptic_gregorian", "dtype": "int64"}
MISSING = "sphercast data simulate needs the extra: pip install 'sphercast[simulate]'"


@dataclass(frozen=True)
class Simulation:
    """The whole description of a run: equal descriptions give equal numbers on one machine and one jcm."""

    start: str
    end: str
    seed: int
    spin_up_days: int
    levels: tuple[int, ...]
    truncation: int
    segment_days: int

    @property
    def birth(self) -> pd.Timestamp:
        """When the model is at rest; a step before midnight, so that a kept state falls on ``start`` exactly."""
        return pd.Timestamp(self.start) - pd.Timedelta(days=self.spin_up_days, hours=STEP_HOURS)

    @property
    def times(self) -> pd.DatetimeIndex:
        """Valid times of the store, ``start`` included, ``end`` excluded."""
        return pd.date_range(self.start, self.end, freq=f"{STEP_HOURS}h", inclusive="left", unit="s")

    @property
    def last(self) -> np.datetime64:
        """The last of ``times``."""
        return self.times[-1].to_datetime64()


def simulate(
    out: Path,
    *,
    years: float,
    start: str = "1990-01-01",
    seed: int = 0,
    spin_up_days: int = 180,
    levels: tuple[int, ...] = LEVELS,
    truncation: int = 21,
    segment_days: int = 30,
    planet: Callable[[Simulation], Planet] | None = None,
) -> Path:
    """Run the planet for ``years`` after its spin-up and leave 12-hourly canonical states in the zarr store ``out``.

    Killed at any point, the same command goes on from the last complete segment of ``segment_days`` and gives the
    same numbers. Until the end the store is called ``out`` + ".partial", and the model's state lies beside it.
    ``planet`` makes the model, in place of SPEEDY.

    Raises
    ------
    DataError
        If an argument cannot be meant, if ``out`` holds (or has begun to hold) another simulation, if jcm is not
        installed, or if the simulated atmosphere blows up.
    """
    simulation = _described(years, start, seed, spin_up_days, levels, truncation, segment_days)
    partial, state = partial_path(out), out.with_name(out.name + ".state")
    for store in (out, partial):
        _check_same(store, simulation)
    if not out.exists():
        _run((planet or _speedy)(simulation), simulation, partial, state)
        publish_directory(partial, out)
    state.unlink(missing_ok=True)
    return out


def _speedy(simulation: Simulation) -> Planet:
    if find_spec("jcm") is None:
        raise DataError(MISSING)
    return SpeedyPlanet(simulation.birth, seed=simulation.seed, truncation=simulation.truncation)


def _described(
    years: float, start: str, seed: int, spin_up_days: int, levels: tuple[int, ...], truncation: int, segment_days: int
) -> Simulation:
    """The arguments, checked, as one description."""
    _demand(years * 365 >= 1, f"years={years}", "at least one day (1/365)")
    _demand(seed >= 0, f"seed={seed}", "0 or more")
    _demand(spin_up_days >= 0, f"spin_up_days={spin_up_days}", "0 or more")
    _demand(segment_days >= 1, f"segment_days={segment_days}", "1 or more")
    _demand(truncation in TRUNCATIONS, f"truncation={truncation}", f"one of {TRUNCATIONS}")
    _demand(len(set(levels)) == len(levels) > 0, f"levels={levels}", "one or more pressures in hPa, none twice")
    _demand(50 <= min(levels) <= max(levels) <= 1000, f"levels={levels}", "pressures from 50 to 1000 hPa")
    begin = _midnight(start)
    end = begin + pd.DateOffset(years=int(years)) + pd.Timedelta(days=round(years % 1 * 365))
    return Simulation(
        f"{begin:%Y-%m-%d}", f"{end:%Y-%m-%d}", seed, spin_up_days, tuple(sorted(levels)), truncation, segment_days
    )


def _midnight(start: str) -> pd.Timestamp:
    try:
        return pd.Timestamp(dt.date.fromisoformat(start))
    except ValueError as error:
        raise DataError(f"got start={start!r}, expected a date such as 1990-01-01; correct the argument") from error


def _demand(condition: bool, got: str, expected: str) -> None:
    if not condition:
        raise DataError(f"got {got}, expected {expected}; correct the argument")


def _check_same(store: Path, simulation: Simulation) -> None:
    """Raise if the store exists and was not begun with this very description."""
    if not store.exists():
        return
    got = zarr.open_group(store, mode="r").attrs.get("simulation")
    if got != _json(simulation):
        raise DataError(
            f"{store} holds the simulation {got}, expected {_json(simulation)}; ask for what it holds, or give "
            "another path, or remove it"
        )


def _json(simulation: Simulation) -> str:
    return json.dumps(asdict(simulation))


def _run(model: Planet, simulation: Simulation, partial: Path, state: Path) -> None:
    """Go on from the last complete segment to the end; a segment is complete once the state after it is saved."""
    _take_up(model, simulation, partial, state)
    birth, length = simulation.birth.to_datetime64(), np.timedelta64(simulation.segment_days, "D")
    done, total = (math.ceil((when - birth) / length) for when in (model.time, simulation.last))
    for states in track(_segments(model, simulation), "simulating", "segment", start=done, total=total):
        _append(_kept(states, model, simulation), partial)
        model.save(state)


def _segments(model: Planet, simulation: Simulation) -> Iterator[SigmaStates]:
    while model.time < simulation.last:
        yield model.advance(simulation.segment_days)


def _take_up(model: Planet, simulation: Simulation, partial: Path, state: Path) -> None:
    """Bring model and store to the last complete segment: the state file alone says which that is."""
    if state.exists() and partial.exists():
        model.load(state)
    complete = int(np.sum(simulation.times <= model.time))
    if complete:
        _truncate(partial, complete)
        return
    if partial.exists():
        shutil.rmtree(partial)
    zarr.create_group(partial, attributes={"simulation": _json(simulation)})


def _truncate(store: Path, length: int) -> None:
    """Cut every array along time, dropping what a killed process wrote of an incomplete segment."""
    for _, array in zarr.open_group(store, mode="r+").arrays():
        dimensions: Any = array.metadata.to_dict()["dimension_names"]
        if "time" in dimensions:
            array.resize((length, *array.shape[1:]))


def _kept(states: SigmaStates, model: Planet, simulation: Simulation) -> xr.Dataset:
    """Those of the states that belong to the store: not the spin-up, nothing past the end."""
    if not np.all(np.isfinite(states.temperature)):
        raise DataError(
            f"got a simulated atmosphere that blew up before {states.time[-1]}, expected finite temperatures; "
            "take another seed or a lower truncation"
        )
    dataset = canonical(states, model.geography, simulation.levels)
    dataset.attrs = {"Conventions": "CF-1.11", "source": model.source, "simulation": _json(simulation)}
    return dataset.sel(time=dataset["time"].isin(simulation.times))


def _append(dataset: xr.Dataset, store: Path) -> None:
    if dataset.sizes["time"] == 0:
        return
    if "time" not in zarr.open_group(store, mode="r"):
        dataset.to_zarr(store, mode="a", zarr_format=3, consolidated=False, encoding=_encoding(dataset))
        return
    fixed = [name for name, variable in dataset.variables.items() if "time" not in variable.dims]
    dataset.drop_vars(fixed).to_zarr(store, append_dim="time", consolidated=False)


def _encoding(dataset: xr.Dataset) -> dict[str, dict[str, Any]]:
    encoding: dict[str, dict[str, Any]] = {"time": {**TIME_ENCODING, "chunks": (4096,)}}
    for name, array in dataset.data_vars.items():
        encoding[str(name)] = {"chunks": tuple(CHUNKS.get(str(dim), array.sizes[dim]) for dim in array.dims)}
    return encoding


def canonical(states: SigmaStates, geography: Geography, levels: tuple[int, ...]) -> xr.Dataset:
    """States on sigma levels as a canonical dataset on pressure ``levels`` (hPa), float32."""
    columns = [_on_level(states, geography, 100.0 * level) for level in levels]
    sea_level = pressure_levels.mean_sea_level_pressure(
        states.surface_pressure, states.temperature[:, -1], geography.sigma, geography.surface_geopotential
    )
    fields = {name: np.stack([column[name] for column in columns], axis=1) for name in columns[0]} | {
        "2m_temperature": states.near_surface_temperature,
        "mean_sea_level_pressure": sea_level,
        "geopotential_at_surface": geography.surface_geopotential,
        "land_sea_mask": geography.land_fraction,
    }
    dims = {2: ("latitude", "longitude"), 3: ("time", "latitude", "longitude"),
            4: ("time", "level", "latitude", "longitude")}  # fmt: skip
    arrays = {
        name: (dims[field.ndim], field.astype(np.float32), VARIABLES[name].attributes) for name, field in fields.items()
    }
    return xr.Dataset(arrays, _coordinates(states, geography, levels))


def _on_level(states: SigmaStates, geography: Geography, pressure: float) -> dict[str, Floats]:
    """The five upper-air fields at one pressure (Pa), each [time, latitude, longitude]."""
    sigma, target = geography.sigma, pressure / states.surface_pressure
    virtual = pressure_levels.virtual_temperature(states.temperature, states.specific_humidity)
    humidity = pressure_levels.interpolate(states.specific_humidity, sigma, target)
    return {
        "geopotential": pressure_levels.geopotential(virtual, sigma, geography.surface_geopotential, target),
        "temperature": pressure_levels.temperature(states.temperature, sigma, target),
        "u_component_of_wind": pressure_levels.interpolate(states.u_component_of_wind, sigma, target),
        "v_component_of_wind": pressure_levels.interpolate(states.v_component_of_wind, sigma, target),
        "specific_humidity": np.maximum(humidity, 0.0),
    }


def _coordinates(states: SigmaStates, geography: Geography, levels: tuple[int, ...]) -> dict[str, Any]:
    time = ("time", states.time.astype("datetime64[ns]"), {"standard_name": "time", "long_name": "valid time"})
    axes = {"level": np.asarray(levels), "latitude": geography.latitude, "longitude": geography.longitude}
    return {"time": time} | {name: (name, axis, COORDINATE_ATTRIBUTES[name]) for name, axis in axes.items()}
