"""A small world to score: a truth that drifts, noisy ensembles of it on the disk, a rising climatology."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.grid import Grid
from tests.evaluation.baseline_worlds import GRID as SMALL_GRID
from tests.evaluation.viewed import Opened
from tests.evaluation.whole_scores import scored
from tests.mock_world import mock_states, mock_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from matplotlib.figure import Figure

UNITS = {"geopotential": "m2 s-2", "2m_temperature": "K"}
HOUR = np.timedelta64(3_600_000_000_000, "ns")
START = np.datetime64("2020-01-01T00", "ns")


@pytest.fixture
def truth() -> xr.Dataset:
    """Nine days, twice a day, on a 6x8 grid."""
    grid, rng, count = Grid.equiangular(6, 8, poles=False), np.random.default_rng(1), 18
    coords = {
        "time": START + 12 * HOUR * np.arange(count),
        "level": [500, 850],
        "latitude": list(grid.latitude),
        "longitude": list(grid.longitude),
    }
    height = 5.4e4 + 100 * rng.standard_normal((count, 2, 6, 8)).cumsum(axis=0)
    warmth = 280 + rng.standard_normal((count, 6, 8)).cumsum(axis=0)
    fields = {
        "geopotential": (("time", "level", "latitude", "longitude"), height.astype(np.float32)),
        "2m_temperature": (("time", "latitude", "longitude"), warmth.astype(np.float32)),
    }
    dataset = xr.Dataset(fields, coords=coords)
    for name, units in UNITS.items():
        dataset[name].attrs["units"] = units
    return dataset


@pytest.fixture
def ensemble(truth: xr.Dataset) -> Callable[..., xr.Dataset]:
    """Makes ``sphercast``'s layout: truth plus noise from a start, for a number of 12-hour leads and members."""

    def make(start: int = 0, leads: int = 3, members: int = 4) -> xr.Dataset:
        rng = np.random.default_rng(100 + start)
        verifying = truth.isel(time=slice(start + 1, start + 1 + leads))
        fields = {}
        for name, field in verifying.data_vars.items():
            noise = rng.standard_normal((members, *field.shape)) * (0.5 if name == "2m_temperature" else 50)
            fields[name] = (("realization", *field.dims), (field.values + noise).astype(np.float32), field.attrs)
        hours = 12.0 * np.arange(1, verifying.sizes["time"] + 1)
        return xr.Dataset(fields, coords=verifying.coords).assign_coords(
            realization=np.arange(members, dtype=np.int32),
            forecast_period=("time", hours, {"units": "hours", "standard_name": "forecast_period"}),
            forecast_reference_time=truth["time"].values[start],
        )

    return make


@pytest.fixture
def written(tmp_path: Path, ensemble: Callable[..., xr.Dataset]) -> Callable[..., Path]:
    """As ``ensemble``, on the disk, after an optional change."""

    def write(change: Callable[[xr.Dataset], xr.Dataset] = lambda data: data, **options: int) -> Path:
        path = tmp_path / f"forecast_{len(list(tmp_path.iterdir()))}.nc"
        change(ensemble(**options)).to_netcdf(path, engine="netcdf4")
        return path

    return write


class RisingClimatology:
    """The mean and standard deviation over all times of a truth, the mean rising by 1 a day after the start."""

    def __init__(self, truth: xr.Dataset) -> None:
        self.mean, self.std = truth.mean("time", keep_attrs=True), truth.std("time")

    def at(self, times: np.ndarray) -> tuple[xr.Dataset, xr.Dataset]:
        days = xr.DataArray((times - START) / (24 * HOUR), dims="time", coords={"time": times})
        return self.mean + days, self.std.expand_dims(time=times)


@pytest.fixture
def climatology(truth: xr.Dataset) -> RisingClimatology:
    return RisingClimatology(truth)


@pytest.fixture
def two_runs(written: Callable[..., Path]) -> list[Path]:
    return [written(start=0), written(start=5)]


@pytest.fixture
def scores(two_runs: list[Path], truth: xr.Dataset, climatology: RisingClimatology) -> xr.Dataset:
    return scored(two_runs, truth, climatology=climatology)


@pytest.fixture(scope="module")
def years() -> xr.Dataset:
    """Four years of the mock world, twice a day, two channels."""
    return mock_states(
        SMALL_GRID, mock_times("2000-01-01", 4 * 366 * 2, 12), {"2m_temperature": None, "geopotential": (500,)}
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """The picture of scores that was drawn last, under "figure"; it is not saved."""
    found: dict[str, Figure] = {}
    monkeypatch.setattr("evaluation.plots.scores.save", lambda figure, _: found.update(figure=figure))
    return found


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Makes pieces for the viewer, which are closed at the end."""
    every = Opened()
    yield every
    every.close()
