"""Forecast files: the documented conventions, and no half of one under its final name."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import netCDF4
import numpy as np
import pytest
import xarray as xr

from data_pipeline.channels import Channels
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.variables import variable
from forecast.writer import EnsembleLayout, writing_ensemble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

INITIAL = np.datetime64("2001-01-05T00", "ns")
TIMES = INITIAL + np.arange(1, 4) * np.timedelta64(12, "h")
GRID = Grid.equiangular(8, 16, poles=False)
CHANNELS = Channels.of({"temperature": [850, 500], "geopotential": [500], "mean_sea_level_pressure": None})
LAYOUT = EnsembleLayout(CHANNELS, GRID, range(3), INITIAL, TIMES)


def states(time: int, members: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(time).normal(size=(members, len(CHANNELS), *GRID.shape)).astype(np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "forecast.nc"
    with writing_ensemble(target, LAYOUT, {"source": "a test", "seed": "7"}) as writer:
        for number, time in enumerate(TIMES):
            writer.write(range(3), time, states(number))
    return target


@pytest.fixture
def raw(path: Path) -> Iterator[netCDF4.Dataset]:
    with netCDF4.Dataset(path) as file:
        yield file


def test_xarray_reads_back_what_was_written(path: Path) -> None:
    with xr.open_dataset(path, engine="netcdf4", decode_timedelta=True) as opened:
        assert dict(opened.sizes) == {"realization": 3, "time": 3, "level": 2, "latitude": 8, "longitude": 16}
        stacked = CHANNELS.stack(opened[list(CHANNELS.variables)])
        expected = np.stack([states(number) for number in range(3)], 1)
        np.testing.assert_array_equal(stacked, expected)
        np.testing.assert_array_equal(opened["time"], TIMES)
        assert opened["forecast_reference_time"] == INITIAL
        np.testing.assert_array_equal(opened["forecast_period"], TIMES - INITIAL)
        assert opened["forecast_period"].dims == ("time",)
        assert {"forecast_period", "forecast_reference_time"} <= set(opened.coords)
        assert opened["level"].values.tolist() == [500, 850]
        assert np.isnan(opened["geopotential"].sel(level=850)).all(), "a level that the variable does not have"


def test_dimensions(raw: netCDF4.Dataset) -> None:
    assert raw["temperature"].dimensions == ("realization", "time", "level", "latitude", "longitude")
    assert raw["mean_sea_level_pressure"].dimensions == ("realization", "time", "latitude", "longitude")
    assert raw["forecast_reference_time"].dimensions == ()
    assert raw.data_model == "NETCDF4"


def test_one_field_per_chunk_compressed(raw: netCDF4.Dataset) -> None:
    for name in CHANNELS.variables:
        field = raw[name]
        assert field.chunking() == [1] * (field.ndim - 2) + [8, 16]
        filters = field.filters()
        assert filters["zlib"]
        assert filters["shuffle"]
        assert field.dtype == np.float32


@pytest.mark.parametrize(
    ("name", "standard_name", "units"),
    [
        ("realization", "realization", "1"),
        ("time", "time", "hours since 1900-01-01 00:00:00"),
        ("level", "air_pressure", "hPa"),
        ("latitude", "latitude", "degrees_north"),
        ("longitude", "longitude", "degrees_east"),
        ("forecast_period", "forecast_period", "hours"),
        ("forecast_reference_time", "forecast_reference_time", "hours since 1900-01-01 00:00:00"),
    ],
)
def test_coordinates_say_what_they_are(raw: netCDF4.Dataset, name: str, standard_name: str, units: str) -> None:
    assert raw[name].standard_name == standard_name
    assert raw[name].units == units
    assert "_FillValue" not in raw[name].ncattrs(), "CF: coordinates have no missing values"
    axes = {"time": "T", "level": "Z", "latitude": "Y", "longitude": "X"}
    assert getattr(raw[name], "axis", None) == axes.get(name)


def test_every_variable_says_what_it_is(raw: netCDF4.Dataset) -> None:
    for name in CHANNELS.variables:
        entry = variable(name)
        attributes = raw[name].__dict__
        assert attributes["standard_name"] == entry.standard_name
        assert attributes["units"] == entry.units
        assert attributes["long_name"]
        assert attributes["coordinates"] == "forecast_period forecast_reference_time"
        assert np.isnan(attributes["_FillValue"])


def test_file_says_where_it_comes_from(raw: netCDF4.Dataset) -> None:
    assert raw.Conventions == "CF-1.11"
    assert raw.source == "a test"
    assert raw.seed == "7"
    assert {"title", "institution", "history", "references"} <= set(raw.ncattrs())
    assert raw["level"].positive == "down"
    assert raw["time"].calendar == "standard"


def test_members_may_come_in_any_order(tmp_path: Path) -> None:
    with writing_ensemble(tmp_path / "f.nc", LAYOUT, {}) as writer:
        for members in ([2, 0], [1]):
            writer.write(members, TIMES[1], states(0)[members])
    with xr.open_dataset(tmp_path / "f.nc", engine="netcdf4", decode_timedelta=False) as opened:
        np.testing.assert_array_equal(opened["mean_sea_level_pressure"][:, 1], states(0)[:, 3])


def test_members_need_not_count_from_zero(tmp_path: Path) -> None:
    layout = EnsembleLayout(CHANNELS, GRID, [3, 7], INITIAL, TIMES)
    with writing_ensemble(tmp_path / "f.nc", layout, {}) as writer:
        writer.write([7], TIMES[0], states(0, 1))
    with xr.open_dataset(tmp_path / "f.nc", engine="netcdf4", decode_timedelta=False) as opened:
        np.testing.assert_array_equal(opened["mean_sea_level_pressure"].sel(realization=7)[0], states(0, 1)[0, 3])
        assert opened["mean_sea_level_pressure"].sel(realization=3).isnull().all()


def test_without_levels_there_is_no_level(tmp_path: Path) -> None:
    layout = EnsembleLayout(Channels.of({"2m_temperature": None}), GRID, [0], INITIAL, TIMES)
    with writing_ensemble(tmp_path / "f.nc", layout, {}) as writer:
        writer.write([0], TIMES[0], np.zeros((1, 1, 8, 16), np.float32))
    with netCDF4.Dataset(tmp_path / "f.nc") as file:
        assert "level" not in file.dimensions


def test_unknown_time_or_member(tmp_path: Path) -> None:
    for members, time in (([0], INITIAL), ([9], TIMES[0])):
        with pytest.raises(KeyError), writing_ensemble(tmp_path / "f.nc", LAYOUT, {}) as writer:
            writer.write(members, time, states(0, 1))
    assert not list(tmp_path.iterdir())


def test_refuses_half_hours(tmp_path: Path) -> None:
    half = np.timedelta64(30, "m")
    layout = EnsembleLayout(CHANNELS, GRID, [0], INITIAL + half, TIMES + half)
    with pytest.raises(DataError, match="not whole hours, the first"), writing_ensemble(tmp_path / "f.nc", layout, {}):
        pass
    assert not list(tmp_path.iterdir())


def test_failure_leaves_nothing_and_keeps_what_was(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), writing_ensemble(path, LAYOUT, {}) as writer:  # noqa: PT012
        writer.write(range(3), TIMES[0], states(0))
        raise ZeroDivisionError
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


CHILD = """
import sys, pathlib, resource, signal
from tests.forecast.test_writer import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if sys.argv[2] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
with writing_ensemble(pathlib.Path(sys.argv[1]), LAYOUT, {}) as writer:
    for number, time in enumerate(TIMES):
        writer.write(range(3), time, states(number))
        writer.file.sync()
        print("written", flush=True)
        if sys.argv[2] == "wait":
            sys.stdin.read()
"""


def test_killed_in_the_middle_leaves_no_file(tmp_path: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "f.nc"), "wait"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "f.nc").exists()
    assert not list(tmp_path.glob("[!.]*")), "what is left is hidden and has another name"


def test_full_disk_is_an_oserror_with_the_path(tmp_path: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "f.nc"), "full"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.rstrip().splitlines()[-1].startswith("OSError: [Errno"), done.stderr
    assert "f.nc" in done.stderr.rstrip().splitlines()[-1]
    assert not list(tmp_path.iterdir())
