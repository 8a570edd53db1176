"""Regridding of files: every target, what the file says of itself, and every refusal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ConfigError, DataError
from data_pipeline.grid import Grid
from data_pipeline.regrid import HealpixGrid, Points, Regridder
from data_pipeline.regrid.files import regrid_file, target_of

if TYPE_CHECKING:
    from pathlib import Path

GRID = Grid.equiangular(8, 16, poles=False)


@pytest.fixture
def file(states: xr.Dataset, tmp_path: Path) -> str:
    states.to_netcdf(tmp_path / "states.nc")
    return str(tmp_path / "states.nc")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("gaussian:6x12", Grid.gaussian(6, 12)),
        ("equiangular:4x8", Grid.equiangular(4, 8, poles=False)),
        ("equiangular_with_poles:5x8", Grid.equiangular(5, 8, poles=True)),
        ("healpix:2", HealpixGrid(2)),
        ("healpix_ring:3", HealpixGrid(3, "ring")),
    ],
)
def test_any_target(file: str, states: xr.Dataset, tmp_path: Path, text: str, target: Grid | HealpixGrid) -> None:
    assert target_of(text) == target
    regrid_file(file, tmp_path / "out.nc", text)
    with xr.open_dataset(tmp_path / "out.nc", engine="netcdf4") as out:
        expected = Regridder(GRID, target)(states)
        np.testing.assert_array_equal(out["temperature"], expected["temperature"])
        assert out["temperature"].attrs["units"] == "K"
        assert out.attrs["regridding"] == "conservative"
        assert ("healpix_nside" in out.attrs) == isinstance(target, HealpixGrid)
        assert out["temperature"].encoding["chunksizes"][:2] == (1, 1)


def test_points_of_a_table(file: str, states: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "stations.csv").write_text("name,latitude,longitude\nVienna,48.2,16.4\nQuito,-0.2,-78.5\n")
    regrid_file(file, tmp_path / "out.nc", f"points:{tmp_path}/stations.csv")
    points = Points((48.2, -0.2), (16.4, -78.5))
    expected = Regridder(GRID, points, method="bilinear")(states)
    with xr.open_dataset(tmp_path / "out.nc", engine="netcdf4") as out:
        np.testing.assert_array_equal(out["2m_temperature"], expected["2m_temperature"])
        assert out["longitude"].values.tolist() == [16.4, -78.5]
        assert out.attrs["regridding"] == "bilinear"
        assert out["2m_temperature"].coords["name"].values.tolist() == ["Vienna", "Quito"]


def test_the_valid_fraction_and_its_threshold(states: xr.Dataset, tmp_path: Path) -> None:
    holes = states[["2m_temperature"]].copy(deep=True)
    holes["2m_temperature"][:, 3:5, 2:5] = np.nan
    holes.to_netcdf(tmp_path / "holes.nc")
    missing = []
    for number, least in enumerate((0.0, 1.0)):
        out = tmp_path / f"{number}.nc"
        regrid_file(
            str(tmp_path / "holes.nc"), out, "equiangular:4x8", min_valid_fraction=least, with_valid_fraction=True
        )
        with xr.open_dataset(out, engine="netcdf4") as regridded:
            fraction = regridded["2m_temperature_valid_fraction"].values
            assert 0 <= fraction.min() < 1 == fraction.max()
            missing.append(int(np.isnan(regridded["2m_temperature"].values).sum()))
    assert missing[0] < missing[1]


@pytest.mark.parametrize("text", ["gauss:32x64", "gaussian:32", "healpix:4x4", "healpix", "points:", "", "32x64"])
def test_no_target(text: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot read the target '{text}'; expected one like equiangular:32x64, "):
        target_of(text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("lat,lon\n1,2\n", "no column 'latitude'"),
        ("latitude,longitude\nx,2\n", "could not con"),
    ],
)
def test_no_points(tmp_path: Path, content: str | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "s.csv").write_text(content)
    with pytest.raises(ConfigError, match=f"cannot read points from .*{reason}.*; expected a CSV file with columns"):
        target_of(f"points:{tmp_path}/s.csv")


def test_conservative_to_points_is_refused(file: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("latitude,longitude\n1,2\n")
    with pytest.raises(DataError, match="points"):
        regrid_file(file, tmp_path / "out.nc", f"points:{tmp_path}/s.csv", method="conservative")
    assert not (tmp_path / "out.nc").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "equiangular:20000x40000",
            r"equiangular:20000x40000 has 800000000 points, 3\.2 GB a field, expected 268435456",
        ),
        ("healpix_ring:8000", "has 768000000 points"),
        ("gaussian:5000x100", "gaussian:5000x100 has 5000 latitudes, expected 4096 at most"),
    ],
)
def test_targets_that_nobody_means(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        target_of(text)


def test_what_the_disk_cannot_hold_is_refused_at_once(file: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(ConfigError, match=r"out\.nc would hold .* GB before compression, .* has 1e-06 GB free; take a"):
        regrid_file(file, tmp_path / "new" / "out.nc", "gaussian:4x8")
    assert not (tmp_path / "new").exists()


def test_every_member_of_a_forecast_is_regridded(states: xr.Dataset, tmp_path: Path) -> None:
    members = xr.concat([states, states + 1], xr.Variable("realization", [3, 5])).assign_coords(
        forecast_reference_time=states["time"][0].values, forecast_period=("time", np.arange(20) * 6.0)
    )
    for name in states.data_vars:
        members[name].attrs = states[name].attrs
    members.to_netcdf(tmp_path / "members.nc")
    regrid_file(str(tmp_path / "members.nc"), tmp_path / "all.nc", "gaussian:4x8")
    regrid_file(str(tmp_path / "members.nc"), tmp_path / "one.nc", "gaussian:4x8", member=5)
    regridder = Regridder(GRID, Grid.gaussian(4, 8))
    with (
        xr.open_dataset(tmp_path / "all.nc", engine="netcdf4", decode_timedelta=False) as every,
        xr.open_dataset(tmp_path / "one.nc", engine="netcdf4") as one,
    ):
        assert every["temperature"].dims[0] == "realization"
        assert every["realization"].values.tolist() == [3, 5]
        assert every["forecast_period"].values.tolist() == (np.arange(20) * 6.0).tolist()
        np.testing.assert_array_equal(every["temperature"][0], regridder(states)["temperature"])
        np.testing.assert_array_equal(every["temperature"].sel(realization=5), one["temperature"])


def test_progress_is_shown_on_standard_error(file: str, tmp_path: Path, capsys) -> None:
    regrid_file(file, tmp_path / "out.nc", "gaussian:4x8", progress=True)
    assert "regrid: " in capsys.readouterr().err


def test_the_input_is_not_overwritten(file: str, tmp_path: Path) -> None:
    before = (tmp_path / "states.nc").read_bytes()
    with pytest.raises(ConfigError, match=r"states\.nc is what is to be regridded; give another file to write"):
        regrid_file(file, tmp_path / "states.nc", "gaussian:4x8")
    assert (tmp_path / "states.nc").read_bytes() == before
