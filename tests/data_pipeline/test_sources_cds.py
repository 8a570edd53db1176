"""Files of the Climate Data Store as they are today and as they were: expver, packing, -180..180, folders, windows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import netCDF4
import numcodecs
import numpy as np
import pytest
import xarray as xr

from data_pipeline.canonical import check
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality.findings import Report
from data_pipeline.sources import SOURCES, FilesSource, SpeedySource
from data_pipeline.sources.expver import one_version
from data_pipeline.sources.lazy import between_multiples
from data_pipeline.sources.opening import raw_parts
from tests.data_pipeline.layouts import packed, with_expver_dimension
from tests.mock_world import climate_data_store_layout, mock_states, mock_static, mock_times

if TYPE_CHECKING:
    from pathlib import Path

GRID = Grid.equiangular(7, 12, poles=True)
VARIABLES = {"temperature": (500, 850), "2m_temperature": None, "total_precipitation": None}
WORLD = mock_states(GRID, mock_times("2000-01-01", 8), VARIABLES)
CDS = climate_data_store_layout(WORLD)
NAMES = set(WORLD.data_vars)


def window(first: int, last: int) -> tuple[np.datetime64, np.datetime64]:
    return WORLD["time"].values[first], WORLD["time"].values[last]


def test_expver_of_each_time(tmp_path) -> None:
    mixed = CDS.assign_coords(expver=("valid_time", ["0001"] * 5 + ["0005"] * 3))
    for number in range(2):
        mixed.isel(valid_time=slice(4 * number, 4 * number + 4)).to_netcdf(tmp_path / f"{number}.nc")
    report = Report()
    result = FilesSource(path=str(tmp_path)).open(NAMES, report=report)
    xr.testing.assert_equal(result[list(WORLD.data_vars)], WORLD)
    assert [finding.count for finding in report if finding.code == "preliminary"] == [3]
    before = Report()
    FilesSource(path=str(tmp_path)).open(NAMES, window(0, 4), before)
    assert "preliminary" not in before.codes
    assert result["total_precipitation"].attrs["accumulation_hours"] == 1


@pytest.mark.parametrize("reverse", [False, True])
def test_expver_as_a_dimension(tmp_path, reverse: bool) -> None:
    sea = mock_states(GRID, mock_times("2000-01-01", 8), {"sea_surface_temperature": None})
    land = mock_static(GRID)["land_sea_mask"] > 0.5
    world = WORLD.merge(sea.where(~land))
    raw = with_expver_dimension(climate_data_store_layout(world).drop_vars(["expver", "number"]), preliminary_from=5)
    assert raw["t"].dims[1] == "expver"
    raw.isel(expver=slice(None, None, -1 if reverse else 1)).to_netcdf(tmp_path / "a.nc")
    report = Report()
    result = FilesSource(path=str(tmp_path / "a.nc")).open(set(world.data_vars), report=report)
    check(result)
    xr.testing.assert_equal(result[list(world.data_vars)], world)
    assert "preliminary" in report.codes
    assert result["2m_temperature"].chunks
    assert result["total_precipitation"].attrs["accumulation_hours"] == 1


def test_final_values_win_and_only_one_version_is_no_news() -> None:
    field = xr.Dataset({"t2m": (("expver", "time"), [[1.0, np.nan, 3.0], [9.0, 2.0, np.nan]])}, {"expver": [1, 5]})
    np.testing.assert_array_equal(one_version(field)["t2m"], [1.0, 2.0, 3.0])
    report = Report()
    np.testing.assert_array_equal(one_version(field.isel(expver=[0]), report)["t2m"], [1.0, np.nan, 3.0])
    assert not report.findings
    text = field.assign_coords(expver=["0001", "0005"])
    np.testing.assert_array_equal(one_version(text)["t2m"], [1.0, 2.0, 3.0])


@pytest.mark.parametrize("versions", [[1, 7], [5, 5], [5]])
def test_other_versions_are_refused(versions: list[int]) -> None:
    field = xr.Dataset({"t2m": (("expver", "time"), np.zeros((len(versions), 3)))}, {"expver": versions})
    with pytest.raises(DataError, match=r"expver is \[.*\], expected 1 \(ERA5\) and 5 \(ERA5T\); download it again"):
        one_version(field)


@pytest.mark.parametrize("names", [{}, {"latitude": "lat", "longitude": "lon"}])
def test_folders_of_packed_files(tmp_path, names: dict[str, str]) -> None:
    """Every file has its own scale and offset; longitudes are -180..180, times hours since 1900."""
    raw = CDS.drop_vars(["expver", "number"]).rename(valid_time="time", pressure_level="level")
    scales = []
    for number, name in enumerate("cab"):
        part, encoding = packed(raw.isel(time=slice(3 * number, 3 * number + 3)))
        part.rename(names).to_netcdf(tmp_path / f"{name}.nc", encoding=encoding)
        scales.append(encoding["t"]["scale_factor"])
    assert len(set(scales)) == 3
    with xr.open_dataset(tmp_path / "a.nc", engine="netcdf4", mask_and_scale=False, decode_times=False) as stored:
        assert stored["t"].dtype == np.int16
        assert stored[names.get("longitude", "longitude")].values[0] == -180
    result = FilesSource(path=str(tmp_path)).open(NAMES).load()
    check(result)
    for number, scale in enumerate(scales):
        times = {"time": slice(3 * number, 3 * number + 3)}
        error = np.abs(result["temperature"].isel(times) - WORLD["temperature"].isel(times)).max()
        assert error <= scale * 0.51 + 3e-5  # float32 of 300 K
    np.testing.assert_allclose(result["longitude"], WORLD["longitude"])


def test_a_window_opens_the_files_inside_only(tmp_path) -> None:
    for number in range(4):
        CDS.isel(valid_time=slice(2 * number, 2 * number + 2)).to_netcdf(tmp_path / f"{number}.nc")
    source = FilesSource(path=str(tmp_path / "*.nc"))
    for first, last in [(0, 7), (3, 4), (6, 6), (2, 3)]:
        result = source.open(NAMES, window(first, last))
        xr.testing.assert_equal(result[list(WORLD.data_vars)], WORLD.isel(time=slice(first, last + 1)))
    assert len(source.open({"2m_temperature"}, window(3, 3)).__dask_graph__()) < 10
    outside = (np.datetime64("2001-01-01", "ns"), np.datetime64("2001-02-01", "ns"))
    with pytest.raises(
        DataError, match=r"no times in 2001-01-01T00 .. 2001-02-01T00; it has 2000-01-01T00 .. 2000-01-02T18"
    ):
        source.open(NAMES, outside)


def test_a_window_of_times_out_of_order(tmp_path) -> None:
    CDS.isel(valid_time=[3, 0, 1, 2, 7, 5, 6, 4]).to_netcdf(tmp_path / "a.nc")
    result = FilesSource(path=str(tmp_path / "a.nc")).open(NAMES, window(1, 5))
    xr.testing.assert_equal(result[list(WORLD.data_vars)], WORLD.isel(time=slice(1, 6)))


def test_one_state_and_no_time_at_all(tmp_path) -> None:
    CDS.isel(valid_time=3).to_netcdf(tmp_path / "one.nc")
    source = FilesSource(path=str(tmp_path / "one.nc"))
    assert source.open({"2m_temperature"}, window(3, 3)).sizes["time"] == 1
    with pytest.raises(DataError, match=r"one\.nc has no times in .*; it has 2000-01-01T18 .. 2000-01-01T18"):
        source.open({"2m_temperature"}, window(4, 5))
    mock_static(GRID).to_netcdf(tmp_path / "static.nc")
    result = FilesSource(path=str(tmp_path / "static.nc")).open({"land_sea_mask"}, window(0, 1))
    assert result["land_sea_mask"].dims == ("latitude", "longitude")


def test_static_fields_of_another_time(tmp_path) -> None:
    old = mock_static(GRID).expand_dims(time=mock_times("1979-01-01", 1))
    old.to_netcdf(tmp_path / "a.nc")
    result = FilesSource(path=str(tmp_path / "a.nc")).open({"land_sea_mask"}, window(0, 1))
    np.testing.assert_array_equal(result["land_sea_mask"].squeeze(), mock_static(GRID)["land_sea_mask"])


def test_static_fields_of_many_files_come_from_the_first(tmp_path) -> None:
    both = WORLD.merge(mock_static(GRID))
    for number in range(2):
        both.isel(time=slice(4 * number, 4 * number + 4)).to_netcdf(tmp_path / f"{number}.nc")
    result = FilesSource(path=str(tmp_path)).open({"land_sea_mask"}, window(6, 7))
    np.testing.assert_array_equal(result["land_sea_mask"], mock_static(GRID)["land_sea_mask"])


def test_files_are_opened_once_and_again_when_they_change(tmp_path) -> None:
    path = tmp_path / "a.nc"
    CDS.to_netcdf(path)
    assert raw_parts(path) is raw_parts(path)
    assert FilesSource(path=str(path)).open(NAMES).sizes["time"] == 8
    CDS.isel(valid_time=slice(2)).to_netcdf(tmp_path / "b.nc")
    os.replace(tmp_path / "b.nc", path)
    assert FilesSource(path=str(path)).open(NAMES).sizes["time"] == 2
    for count in (4, 6):
        WORLD.isel(time=slice(count)).to_zarr(tmp_path / "a.zarr", mode="w", consolidated=False)
        assert FilesSource(path=str(tmp_path / "a.zarr")).open(NAMES).sizes["time"] == count


def test_hours_of_accumulation_as_told(tmp_path) -> None:
    WORLD.to_netcdf(tmp_path / "a.nc")
    path = str(tmp_path / "a.nc")
    assert "accumulation_hours" not in FilesSource(path=path).open(NAMES)["total_precipitation"].attrs
    told = FilesSource(path=path, accumulation_hours=6).open(NAMES)
    assert told["total_precipitation"].attrs["accumulation_hours"] == 6
    assert "accumulation_hours" not in told["2m_temperature"].attrs


def test_chunks_end_where_those_on_disk_end(tmp_path) -> None:
    world = mock_states(GRID, mock_times("2000-01-01", 50), {"temperature": (500, 850, 1000)})
    encoding = {"temperature": {"chunksizes": (9, 1, 7, 12), "zlib": True}}
    world.to_netcdf(tmp_path / "a.nc", encoding=encoding)
    times = world["time"].values
    result = FilesSource(path=str(tmp_path / "a.nc")).open({"temperature"}, (times[5], times[40]))
    assert result.chunksizes["time"] == (36,)  # up to 7 chunks of 9
    assert result.chunksizes["level"] == (1, 1, 1)
    assert between_multiples(70, 200, 63) == (56, 63, 11)


def test_a_damaged_chunk_of_netcdf_names_its_variable(tmp_path) -> None:
    path = tmp_path / "a.nc"
    noise = WORLD["2m_temperature"].copy(data=np.random.default_rng(0).normal(280, 9, WORLD["2m_temperature"].shape))
    noise.to_dataset().to_netcdf(path, encoding={"2m_temperature": {"zlib": True, "chunksizes": (1, 7, 12)}})
    body = bytearray(path.read_bytes())
    middle = len(body) // 2
    body[middle : middle + 2000] = b"\xff" * 2000
    path.write_bytes(body)
    with pytest.raises(DataError, match=r"2m_temperature of .*a\.nc cannot be read \(.*\); a file is damaged"):
        FilesSource(path=str(path)).open({"2m_temperature"}).load()


@pytest.mark.parametrize("codec", ["Zlib", "GZip", "Zstd", "LZ4", "BZ2", "Blosc"])
@pytest.mark.parametrize("damage", ["truncated", "zeros", "empty"])
def test_a_damaged_chunk_of_zarr_names_its_variable(tmp_path, codec: str, damage: str) -> None:
    encoding = {"t2m": {"compressors": [getattr(numcodecs, codec)()]}}
    CDS[["t2m"]].drop_vars("expver").to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=True, encoding=encoding)
    chunk = tmp_path / "a.zarr" / "t2m" / "0.0.0"
    body = chunk.read_bytes()
    chunk.write_bytes({"truncated": body[: len(body) // 2], "zeros": bytes(len(body)), "empty": b""}[damage])
    with pytest.raises(DataError, match=r"t2m of .*a\.zarr cannot be read \(.*\); a file is damaged"):
        FilesSource(path=str(tmp_path / "a.zarr")).open({"2m_temperature"}).load()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_netcdf(tmp_path, share: float) -> None:
    CDS.to_netcdf(tmp_path / "whole.nc")
    whole = (tmp_path / "whole.nc").read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r"cannot read .*cut\.nc as zarr or NetCDF \(.*\); is it complete"):
        FilesSource(path=str(tmp_path / "cut.nc")).open(NAMES)


def test_netcdf3_with_packed_shorts(tmp_path) -> None:
    """The classic format, as grib_to_netcdf wrote it, with NaN as the fill value."""
    sea = mock_states(GRID, mock_times("2000-01-01", 3), {"sea_surface_temperature": None})
    sea = sea.where(mock_static(GRID)["land_sea_mask"] < 0.5)
    part, encoding = packed(climate_data_store_layout(sea).drop_vars(["expver", "number"]).rename(valid_time="time"))
    part.to_netcdf(tmp_path / "a.nc", format="NETCDF3_64BIT", encoding=encoding)
    with netCDF4.Dataset(tmp_path / "a.nc") as stored:
        assert stored.data_model == "NETCDF3_64BIT_OFFSET"
    result = FilesSource(path=str(tmp_path / "a.nc")).open({"sea_surface_temperature"})["sea_surface_temperature"]
    np.testing.assert_allclose(result, sea["sea_surface_temperature"], atol=1e-2)
    np.testing.assert_array_equal(result.isnull(), sea["sea_surface_temperature"].isnull())


def test_the_simulated_planet_inside_a_window(tmp_path) -> None:
    rain = (WORLD["total_precipitation"] * 1000).assign_attrs(units="mm per 12 h")
    flat = xr.Dataset({"t2m": WORLD["2m_temperature"], "tp": rain})
    flat = flat.rename(latitude="lat", longitude="lon").isel(lat=slice(None, None, -1))
    flat.to_netcdf(tmp_path / "planet.nc")
    result = SpeedySource(path=str(tmp_path / "planet.nc")).open(NAMES, window(2, 3))
    np.testing.assert_array_equal(result["time"], WORLD["time"].values[2:4])
    assert result["total_precipitation"].attrs["accumulation_hours"] == 12
    with pytest.raises(DataError, match=r"planet\.nc has no times in"):
        SpeedySource(path=str(tmp_path / "planet.nc")).open(
            NAMES, (np.datetime64("1999-01-01"), np.datetime64("1999-02-01"))
        )


def test_every_source_is_listed_under_its_kind() -> None:
    for kind, source in SOURCES.items():
        assert source.model_fields["kind"].default == kind  # type: ignore[attr-defined]
    assert set(SOURCES) == {"arco_era5", "files", "grib", "speedy", "weatherbench2"}


@pytest.mark.parametrize(
    ("name", "variable", "count"),
    [
        ("era5_msl_2p5deg_djf2025.zarr", "mean_sea_level_pressure", 12),
        ("era5_vo850_2p5deg_djf2025.zarr", "vorticity", 12),
        ("era5_z_t_1deg.nc", "temperature", 1),
        ("era5_tl31_19590102T00.nc", "sea_surface_temperature", 1),
    ],
)
def test_real_files(real_data: Path, name: str, variable: str, count: int) -> None:
    (raw,) = raw_parts(real_data / name)
    times = np.atleast_1d(raw["valid_time" if "valid_time" in raw else "time"].values)[:count]
    report = Report()
    result = FilesSource(path=str(real_data / name)).open({variable}, (times[0], times[-1]), report)
    check(result)
    assert result[variable].chunks
    assert result.sizes["time"] == count
    assert not report.errors
    assert np.isfinite(result[variable].values).any()
