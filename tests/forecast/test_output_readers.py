"""What others make of the files: the compliance checker, ncdump, xarray, iris, cdo and the evaluation's reader."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import pytest

from evaluation.readers import open_run
from forecast.output import OutputConfig
from tests.forecast.outputs import BATCHES, CHANNELS, GRID, INITIAL, STOP, TIMES, all_states, write

if TYPE_CHECKING:
    import xarray as xr

NETCDF = ("forecast.nc", "rounded.nc", "region.nc", "stations.nc", "m0.nc", "stopped.nc")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All kinds of output, side by side."""
    work = tmp_path_factory.mktemp("all")
    stations = work / "stations.csv"
    stations.write_text("name,latitude,longitude,altitude\nOxford,51.7,-1.25,63\nZürich,47.4,8.5,410\n")
    write(
        work,
        OutputConfig(),
        OutputConfig(name="rounded.nc", keep_bits=9, compression=0),
        OutputConfig(name="region.nc", region=(20, 80, -50, 50), lead_hours=(24, 36)),
        OutputConfig(name="stations.nc", points=stations),
        OutputConfig(name="m{member}.nc"),
        OutputConfig(name="store.zarr"),
    )
    write(work, OutputConfig(name="stopped.nc"), stopped={1: STOP})
    return work


WARNINGS = {"§2.3 Naming Conventions"}
"""WeatherBench2's names, as 2m_temperature, begin with a digit."""
WARNINGS_OF_STATIONS = {*WARNINGS, "§2.4 Dimensions"}
"""The station comes last, where the grid is elsewhere."""


def test_compliance_checker_finds_no_error(folder: Path) -> None:
    command = Path(sys.executable).with_name("compliance-checker")
    report = folder / "report.json"
    files = [str(folder / name) for name in NETCDF]
    options = ["-t", "cf:1.11", "-c", "strict", "-f", "json_new", "-o", str(report)]
    subprocess.run([str(command), *options, *files], capture_output=True, check=False)
    found = json.loads(report.read_text())
    assert len(found) == len(NETCDF)
    for file, checks in found.items():
        assert checks["cf:1.11"]["high_count"] == 0, checks
        warned = {
            check["name"] for check in checks["cf:1.11"]["all_priorities"] if check["value"][0] < check["value"][1]
        }
        assert warned <= (WARNINGS_OF_STATIONS if "stations" in file else WARNINGS), checks


@pytest.mark.skipif(shutil.which("ncdump") is None, reason="ncdump is not installed (Debian: netcdf-bin)")
@pytest.mark.parametrize("name", NETCDF)
def test_ncdump_reads_it(folder: Path, name: str) -> None:
    text = subprocess.run(["ncdump", str(folder / name)], capture_output=True, text=True, check=True).stdout
    assert ':Conventions = "CF-1.11" ;' in text
    assert "steps_completed" in text


@pytest.fixture
def iris(monkeypatch: pytest.MonkeyPatch) -> Any:
    iris = pytest.importorskip("iris", reason="iris is not installed")
    if int(version("xxhash").split(".")[0]) > 3:
        pytest.skip("iris 3.14 cannot compare attributes with xxhash 4; pip install 'xxhash<4'")
    monkeypatch.setattr(iris.FUTURE, "date_microseconds", True)
    return iris


def test_iris_understands_member_time_and_level(folder: Path, iris: Any) -> None:
    (cube,) = (cube for cube in iris.load(folder / "forecast.nc") if cube.var_name == "temperature")
    names = ["realization", "time", "air_pressure", "latitude", "longitude"]
    assert [coord.name() for coord in cube.coords(dim_coords=True)] == names
    assert cube.coord_dims("forecast_period") == (1,)
    assert cube.coord("forecast_reference_time").cell(0).point == INITIAL.astype("datetime64[s]").item()
    assert [cell.point for cell in cube.coord("time").cells()] == list(TIMES.astype("datetime64[s]").tolist())
    assert cube.coord("air_pressure").units == "hPa"
    one = cube.extract(iris.Constraint(realization=2, air_pressure=850))
    np.testing.assert_array_equal(one.data, all_states()[2, :, 0])
    (rain,) = (cube for cube in iris.load(folder / "forecast.nc") if cube.var_name == "total_precipitation")
    assert str(rain.cell_methods[0]) == "time: sum"
    assert np.diff(rain.coord("time").bounds).tolist() == [[12], [12], [12]]
    (ground,) = (cube for cube in iris.load(folder / "forecast.nc") if cube.var_name == "2m_temperature")
    assert ground.coord("height").points == [2]


def test_iris_merges_the_files_of_members(folder: Path, iris: Any) -> None:
    cubes = iris.load([folder / f"m{member}.nc" for member in range(3)])
    (cube,) = (cube for cube in cubes if cube.var_name == "temperature")
    assert cube.coord("realization").points.tolist() == [0, 1, 2]
    assert cube.shape == (3, 3, 2, *GRID.shape)


@pytest.mark.skipif(shutil.which("cdo") is None, reason="cdo is not installed (Debian: cdo)")
def test_cdo_understands_level_time_and_the_files_of_members(folder: Path, tmp_path: Path) -> None:
    def cdo(*words: object) -> str:
        command = ["cdo", "-s", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    first = folder / "m0.nc"
    assert cdo("showlevel", "-selname,temperature", first).split() == ["500", "850"]
    assert cdo("showlevel", "-selname,2m_temperature", first).split() == ["2"]
    assert cdo("showtimestamp", first).split() == [str(time)[:19] for time in TIMES]
    assert "pressure" in cdo("sinfon", first)
    cdo("ensmean", *(folder / f"m{member}.nc" for member in range(3)), tmp_path / "mean.nc")
    cdo("sellevel,850", "-selname,temperature", tmp_path / "mean.nc", tmp_path / "one.nc")
    with netCDF4.Dataset(tmp_path / "one.nc") as mean:
        np.testing.assert_allclose(np.squeeze(mean["temperature"][:]), all_states()[:, :, 0].mean(0), rtol=1e-6)


@pytest.mark.parametrize("name", ["forecast.nc", "store.zarr", "m*.nc", "rounded.nc"])
def test_evaluation_reads_it(folder: Path, name: str) -> None:
    run = open_run(folder / name)
    assert dict(run.sizes) == {"realization": 3, "lead_time": 3, "level": 2, "latitude": 8, "longitude": 16}
    assert run["initial_time"] == INITIAL
    np.testing.assert_array_equal(run["lead_time"], TIMES - INITIAL)
    np.testing.assert_allclose(fields(run), all_states(), rtol=2.0**-10)


def test_evaluation_reads_a_region_across_greenwich(folder: Path) -> None:
    run = open_run(folder / "region.nc")
    columns = [0, 1, 2, 14, 15]
    assert run["longitude"].values.tolist() == np.asarray(GRID.longitude)[columns].tolist()
    np.testing.assert_array_equal(fields(run), all_states()[:, 1:, :, :3][..., columns])


def test_evaluation_knows_the_channels_of_a_stopped_member(folder: Path) -> None:
    run = open_run(folder / "stopped.nc")
    assert run.attrs["channels"].split() == CHANNELS.names
    assert run.attrs["stopped_members"] == str(STOP)
    assert len(run["realization"]) == sum(map(len, BATCHES))


def fields(run: xr.Dataset) -> np.ndarray:
    stacked = CHANNELS.stack(run[list(CHANNELS.variables)])
    return stacked.transpose("realization", "lead_time", "channel", "latitude", "longitude").values
