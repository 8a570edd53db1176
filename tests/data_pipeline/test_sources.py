"""Sources: files and globs in any layout, and every refusal."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.sources import FilesSource
from data_pipeline.sources.files import TIMES_PER_CHUNK, open_raw
from tests.mock_world import climate_data_store_layout, mock_states, mock_static, mock_times

GRID = Grid.equiangular(6, 12, poles=False)
WORLD = mock_states(GRID, mock_times("2000-01-01", 8))
CDS = climate_data_store_layout(WORLD)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("consolidated", [True, False])
@pytest.mark.filterwarnings("ignore:Consolidated metadata:zarr.errors.ZarrUserWarning")
@pytest.mark.filterwarnings("ignore:The data type:zarr.errors.UnstableSpecificationWarning")
def test_zarr_of_either_format(tmp_path, zarr_format: int, consolidated: bool) -> None:
    CDS.drop_vars("expver").to_zarr(tmp_path / "a.zarr", zarr_format=zarr_format, consolidated=consolidated)
    result = FilesSource(path=str(tmp_path / "a.zarr")).open({"temperature", "2m_temperature", "land_sea_mask"})
    assert all(field.chunks for field in result.data_vars.values())
    xr.testing.assert_equal(result, WORLD[["temperature", "2m_temperature"]])


def test_netcdf_is_opened_lazily_in_chunks_of_time(tmp_path) -> None:
    count = TIMES_PER_CHUNK + 5
    world = climate_data_store_layout(mock_states(GRID, mock_times("2000-01-01", count), {"2m_temperature": None}))
    world.to_netcdf(tmp_path / "a.nc")
    with open_raw(tmp_path / "a.nc") as raw:
        assert raw["t2m"].chunksizes["valid_time"] == (TIMES_PER_CHUNK, 5)


def test_only_what_is_wanted(tmp_path) -> None:
    CDS.to_netcdf(tmp_path / "a.nc")
    source = FilesSource(path=str(tmp_path / "a.nc"))
    assert set(source.open({"geopotential"}).data_vars) == {"geopotential"}
    assert set(source.open({"geopotential", "vorticity"}).data_vars) == {"geopotential"}


def test_a_source_that_holds_nothing_wanted_is_refused(tmp_path) -> None:
    CDS.to_netcdf(tmp_path / "a.nc")
    with pytest.raises(DataError, match=r"a\.nc holds none of vorticity; it has .*temperature.*; remove the source"):
        FilesSource(path=str(tmp_path / "a.nc")).open({"vorticity"})


@pytest.mark.parametrize("cuts", [[3], [1, 5], [4, 5, 6]])
def test_files_that_follow_each_other(tmp_path, cuts: list[int]) -> None:
    parts = np.split(np.arange(8), cuts)
    for name, part in zip("zyxw", parts, strict=False):  # the names do not sort as the times do
        CDS.isel(valid_time=part).to_netcdf(tmp_path / f"{name}.nc")
    result = FilesSource(path=str(tmp_path / "*.nc")).open(set(WORLD.data_vars))
    xr.testing.assert_equal(result[list(WORLD.data_vars)], WORLD)


def test_one_state_per_file(tmp_path) -> None:
    for number in range(3):
        WORLD.isel(time=number).to_netcdf(tmp_path / f"{number}.nc")
    result = FilesSource(path=str(tmp_path / "?.nc")).open(set(WORLD.data_vars))
    xr.testing.assert_equal(result[list(WORLD.data_vars)], WORLD.isel(time=slice(3)))


def test_zarr_stores_that_follow_each_other(tmp_path) -> None:
    for number in range(2):
        WORLD.isel(time=slice(4 * number, 4 * number + 4)).to_zarr(tmp_path / f"{number}.zarr", consolidated=False)
    result = FilesSource(path=str(tmp_path / "*.zarr")).open(set(WORLD.data_vars))
    xr.testing.assert_equal(result[list(WORLD.data_vars)], WORLD)


def test_static_fields_in_every_file_stay_static(tmp_path) -> None:
    both = WORLD.merge(mock_static(GRID))
    for number in range(2):
        both.isel(time=slice(4 * number, 4 * number + 4)).to_netcdf(tmp_path / f"{number}.nc")
    with open_raw(tmp_path / "*.nc") as raw:
        assert raw["land_sea_mask"].dims == ("latitude", "longitude")
        assert raw.sizes["time"] == 8


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (WORLD[["2m_temperature"]], "geopotential, mean_sea_level_pressure, temperature is not in all of them"),
        (mock_states(Grid.gaussian(6, 12), mock_times("2000-02-01", 2)), "align"),
        (mock_static(GRID), "time"),
        (WORLD.assign_coords(time=range(WORLD.sizes["time"])), "ufunc|not supported"),
    ],
)
def test_files_that_do_not_fit_together(tmp_path, other: xr.Dataset, reason: str) -> None:
    WORLD.to_netcdf(tmp_path / "a.nc")
    other.to_netcdf(tmp_path / "b.nc")
    with pytest.raises(
        DataError, match=f"the 2 files of .* do not follow each other in time .*{reason}.*sources of their own"
    ):
        open_raw(tmp_path / "*.nc")


@pytest.mark.parametrize("path", ["nothing.nc", "/nowhere/*.zarr", "[x].nc"])
def test_nothing_there(path: str) -> None:
    with pytest.raises(DataError, match=r"no such file or store: .*; check the path"):
        open_raw(path)


def test_relative_paths_and_brackets(tmp_path, monkeypatch) -> None:
    (tmp_path / "here").mkdir()
    WORLD.to_netcdf(tmp_path / "a[1].nc")
    monkeypatch.chdir(tmp_path / "here")
    for path in ("../a[1].nc", "../a*.nc"):
        with open_raw(path) as raw:
            assert raw.sizes["time"] == 8


@pytest.mark.parametrize("content", [b"", b"not data at all", b"\x89HDF\r\n\x1a\n" + b"\x00" * 50, b"CDF\x01"])
def test_unreadable_files(tmp_path, content: bytes) -> None:
    (tmp_path / "bad.nc").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read .*bad\.nc as zarr or NetCDF \(.*\); is it complete\?"):
        open_raw(tmp_path / "bad.nc")


def test_a_truncated_netcdf(tmp_path) -> None:
    WORLD.to_netcdf(tmp_path / "whole.nc")
    whole = (tmp_path / "whole.nc").read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cannot read .*cut\.nc"):
        open_raw(tmp_path / "cut.nc")


def test_a_folder_that_is_no_zarr(tmp_path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"cannot read .*folder as zarr or NetCDF"):
        open_raw(tmp_path / "folder")


def test_the_files_are_closed_with_the_dataset(tmp_path) -> None:
    WORLD.to_netcdf(tmp_path / "a.nc")
    with open_raw(tmp_path / "a.nc") as raw:
        raw.load()
    shutil.move(tmp_path / "a.nc", tmp_path / "b.nc")
    WORLD.isel(time=slice(2)).to_netcdf(tmp_path / "a.nc")
    with open_raw(tmp_path / "a.nc") as raw:
        assert raw.sizes["time"] == 2


def test_grib_among_files_is_told(tmp_path) -> None:
    (tmp_path / "era5.nc").write_bytes(b"GRIB" + bytes(100))
    with pytest.raises(
        DataError, match=r"cannot read .*era5\.nc as zarr or NetCDF \(.*\); it is GRIB: take 'kind: grib'"
    ):
        open_raw(tmp_path / "era5.nc")
