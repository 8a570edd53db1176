"""Whole builds: from the public layouts over HTTP, from real files, and through the faults that happen on the way."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

from data_pipeline import retries
from data_pipeline.building.build import Crew, build
from data_pipeline.check import check_path
from data_pipeline.config import DataConfig
from data_pipeline.errors import DataError, SphercastError
from data_pipeline.grid import Grid
from data_pipeline.integrity import sha256, verify
from data_pipeline.publish import only_one_in
from data_pipeline.regrid import Regridder
from data_pipeline.store import open_store, partial_path
from tests.data_pipeline.layouts import ARCO_LEVELS, WB2_LEVELS, arco_era5, weatherbench2
from tests.data_pipeline.loopback import Fault, serving
from tests.mock_world import mock_states, mock_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.data_pipeline.loopback import Loopback

TARGET = Grid.equiangular(32, 64, poles=False)
NOT_THE_EARTH = ["latitude-against-labels", "mirrored-against-labels", "rolled-against-labels"]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.setattr(retries, "PATIENCE", retries.Patience(tries=3, first=0.001, longest=0.01))
    (tmp_path / "public").mkdir()
    with serving(tmp_path / "public") as running:
        yield running


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., DataConfig]:
    def make(sources: list[dict[str, Any]], stop: str, **changes: Any) -> DataConfig:
        values = {
            "sources": sources, "store": tmp_path / "store.zarr", "variables": {"2m_temperature": None},
            "grid": {"kind": "equiangular", "latitudes": 32, "longitudes": 64}, "climatology": None,
            "period": {"start": "2001-01-01", "stop": stop}, "training_period": {"start": "2001-01-01", "stop": stop},
            "interval_hours": 6, "accept": NOT_THE_EARTH,
        }  # fmt: skip
        return DataConfig.model_validate({**values, **changes})

    return make


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256(path) for path in folder.rglob("*") if path.is_file()}


def test_weatherbench2_over_http_in_either_order(configure, server: Loopback) -> None:
    times = mock_times("2000-12-31", 12)
    coarse = {"temperature": WB2_LEVELS, "total_precipitation": None}
    low = weatherbench2(server.folder / "coarse.zarr", "64x32", times, coarse)
    fine = weatherbench2(server.folder / "fine.zarr", "1440x721", times[4:7], {"2m_temperature": None}, rain_hours=())
    config = configure(
        [{"kind": "weatherbench2", "path": f"{server.url}/{name}.zarr"} for name in ("coarse", "fine")],
        "2001-01-01T12", variables={"temperature": [850, 500], "total_precipitation": None, "2m_temperature": None},
    )  # fmt: skip
    store = open_store(build(config, progress=False))
    fields = store.read(range(3))
    expected = low.sel(time=store.times)
    np.testing.assert_allclose(fields[:, 0], expected["temperature"].sel(level=850), rtol=1e-6)
    np.testing.assert_allclose(fields[:, 2], 6 * expected["total_precipitation"], rtol=1e-5)
    regridded = Regridder(Grid.of(fine), TARGET)(fine)["2m_temperature"]
    np.testing.assert_allclose(fields[:, 3], regridded, rtol=1e-6)
    assert verify(store.path) == []


def test_arco_era5_over_http(configure, server: Loopback) -> None:
    grid, hours = Grid.equiangular(19, 36, poles=True), mock_times("2000-12-31T18", 31, 1)
    attributes = {"valid_time_start": "2000-12-31T18", "valid_time_stop": "2001-01-02"}
    variables = {"geopotential": ARCO_LEVELS, "total_precipitation": None}
    world = arco_era5(server.folder / "arco.zarr", grid, hours, variables, attributes)
    config = configure(
        [{"kind": "arco_era5", "path": f"{server.url}/arco.zarr"}], "2001-01-01T23",
        variables={"geopotential": [500], "total_precipitation": None}, static=["geopotential_at_surface"],
    )  # fmt: skip
    store = open_store(build(config, progress=False))
    assert len(store.times) == 4
    heights = Regridder(grid, TARGET)(world)["geopotential"].sel(time=store.times, level=500)
    np.testing.assert_allclose(store.read(range(4))[:, 0], heights, rtol=1e-6)
    summed = world["total_precipitation"].rolling(time=6).sum().sel(time=store.times).to_dataset()
    rain = Regridder(grid, TARGET)(summed)["total_precipitation"]
    np.testing.assert_allclose(store.read(range(4))[:, 1], rain, rtol=1e-5)


def test_a_day_of_nan_in_the_source_stops_the_build(configure, server: Loopback) -> None:
    grid, hours = Grid.equiangular(19, 36, poles=True), mock_times("2001-01-01", 24, 1)
    attributes = {"valid_time_start": "2001-01-01", "valid_time_stop": "2001-01-05"}  # of which a day has data
    arco_era5(server.folder / "arco.zarr", grid, hours, {"2m_temperature": None}, attributes, static=())
    config = configure([{"kind": "arco_era5", "path": f"{server.url}/arco.zarr"}], "2001-01-03")
    with pytest.raises(DataError, match=r"nan-field \(2m_temperature, 2001-01-02T00\): the whole field is NaN"):
        build(config, progress=False)


@pytest.mark.parametrize("fault", [{"status": 503}, {"drop": True}])
def test_a_server_that_fails_in_the_middle(configure, server: Loopback, tmp_path: Path, fault: dict) -> None:
    weatherbench2(server.folder / "era5.zarr", "64x32", mock_times("2001-01-01", 320), {"2m_temperature": None})
    source = [{"kind": "weatherbench2", "path": f"{server.url}/era5.zarr"}]
    config = configure(source, "2001-03-21", times_per_shard=50)
    undisturbed = build(config.model_copy(update={"store": tmp_path / "peace.zarr"}), progress=False)
    passing = Fault("2m_temperature/1.0.0", times=2, **fault)
    lasting = Fault("2m_temperature/2.0.0", times=10**6, **fault)
    server.faults = [passing, lasting]
    with pytest.raises(DataError, match="run the same command again"):
        build(config, progress=False, crew=Crew(threads=1))
    assert not config.store.exists()
    server.faults = []
    assert contents(build(config, progress=False)) == contents(undisturbed)


def test_a_full_disk(configure, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    weatherbench2(server.folder / "era5.zarr", "64x32", mock_times("2001-01-01", 40), {"2m_temperature": None})
    config = configure([{"kind": "weatherbench2", "path": f"{server.url}/era5.zarr"}], "2001-01-10", times_per_shard=10)
    real, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 30:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        build(config, progress=False)
    monkeypatch.undo()
    assert not config.store.exists()
    assert not [path for path in partial_path(config.store).rglob("*.partial") if path.is_file()]
    assert verify(build(config, progress=False)) == []


def test_the_second_builder_is_told(configure, server: Loopback) -> None:
    weatherbench2(server.folder / "era5.zarr", "64x32", mock_times("2001-01-01", 4), {"2m_temperature": None})
    config = configure([{"kind": "weatherbench2", "path": f"{server.url}/era5.zarr"}], "2001-01-01")
    with (
        only_one_in(partial_path(config.store)),
        pytest.raises(SphercastError, match=r"another process is at work in .*store\.zarr\.partial; wait until"),
    ):
        build(config, progress=False)


def test_a_truncated_netcdf_in_a_folder(configure, tmp_path: Path) -> None:
    world = mock_states(TARGET, mock_times("2001-01-01", 8), {"2m_temperature": None})
    (tmp_path / "months").mkdir()
    for number in range(2):
        world.isel(time=slice(4 * number, 4 * number + 4)).to_netcdf(tmp_path / "months" / f"{number}.nc")
    whole = (tmp_path / "months" / "1.nc").read_bytes()
    (tmp_path / "months" / "1.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cannot read .*1\.nc as zarr or NetCDF .*is it complete"):
        build(configure([{"kind": "files", "path": str(tmp_path / "months")}], "2001-01-02"), progress=False)


def test_a_corrupt_chunk_of_a_source(configure, tmp_path: Path) -> None:
    world = mock_states(TARGET, mock_times("2001-01-01", 8), {"2m_temperature": None})
    world.chunk(time=1).drop_encoding().to_zarr(tmp_path / "source.zarr", zarr_format=2, consolidated=True)
    (tmp_path / "source.zarr" / "2m_temperature" / "5.0.0").write_bytes(b"not a chunk")
    config = configure([{"kind": "files", "path": str(tmp_path / "source.zarr")}], "2001-01-02")
    with pytest.raises(DataError, match=r"2m_temperature .*cannot be read"):
        build(config, progress=False)


REAL: dict[str, dict[str, Any]] = {
    "msl": {
        "sources": [("files", "era5_msl_2p5deg_djf2025.zarr", {})], "variables": {"mean_sea_level_pressure": None},
        "days": ("2025-12-01", "2026-02-28"), "interval_hours": 6, "count": 360,
    },
    "vorticity": {
        "sources": [("files", "era5_vo850_2p5deg_djf2025.zarr", {})], "variables": {"vorticity": [850]},
        "days": ("2025-12-01", "2025-12-31"), "interval_hours": 12, "count": 62,
    },
    "eda": {
        "sources": [("grib", "era5_eda_members_3deg.grib", {"member": 4})],
        "variables": {"geopotential": [500, 850], "temperature": [850]}, "days": ("2017-01-01", "2017-01-02"),
        "interval_hours": 12, "count": 4,
    },
    "ifs": {
        "sources": [("grib", "ifs_forecast_10deg.grib", {"step_hours": 0})],
        "variables": {"geopotential": [500], "u_component_of_wind": [300], "relative_humidity": [700]},
        "days": ("2024-06-03", "2024-06-04"), "interval_hours": 12, "count": 4,
    },
    "grib": {
        "sources": [("grib", "era5_z_t_1deg.grib", {})], "variables": {"geopotential": [500, 850]},
        "days": ("2007-01-01T12", "2007-01-01T12"), "interval_hours": 24, "count": 1,
    },
    "netcdf": {
        "sources": [("files", "era5_z_t_1deg.nc", {})], "variables": {"geopotential": [500, 850]},
        "days": ("2007-01-01T12", "2007-01-01T12"), "interval_hours": 24, "count": 1,
    },
    "gaussian": {
        "sources": [("files", "era5_tl31_19590102T00.nc", {})],
        "variables": {"specific_humidity": [850], "sea_surface_temperature": None},
        "days": ("1959-01-02T00", "1959-01-02T00"), "interval_hours": 6, "count": 1,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_files_pass_check_and_build(real_data: Path, tmp_path: Path, name: str) -> None:
    case = REAL[name]
    sources = [{"kind": kind, "path": str(real_data / file), **more} for kind, file, more in case["sources"]]
    for source in sources:
        if source["kind"] == "grib":
            pytest.importorskip("eccodes", reason="GRIB needs the extra: pip install 'sphercast[grib]'")
        options = {key: source[key] for key in ("member", "step_hours") if key in source}
        report = check_path(source["path"], progress=False, sample=12, **options)
        assert (report.errors, report.warnings) == ([], [])
    start, stop = case["days"]
    config = DataConfig.model_validate({
        "sources": sources, "store": tmp_path / "store.zarr", "variables": case["variables"],
        "grid": {"kind": "gaussian", "latitudes": 16, "longitudes": 32}, "climatology": None,
        "period": {"start": start, "stop": stop}, "training_period": {"start": start, "stop": stop},
        "interval_hours": case["interval_hours"],
    })  # fmt: skip
    store = open_store(build(config, progress=False))
    assert len(store.times) == case["count"]
    assert np.isfinite(store.read(range(case["count"]))).all()
    assert verify(store.path) == []
    assert check_path(store.path, progress=False).errors == []


def test_the_two_formats_of_one_analysis_give_one_store(real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("eccodes", reason="GRIB needs the extra: pip install 'sphercast[grib]'")
    states = []
    for name in ("grib", "netcdf"):
        (kind, file, _) = REAL[name]["sources"][0]
        day = {"start": "2007-01-01T12", "stop": "2007-01-01T12"}
        config = DataConfig.model_validate({
            "sources": [{"kind": kind, "path": str(real_data / file)}], "store": tmp_path / f"{name}.zarr",
            "variables": {"geopotential": [500], "temperature": [850]}, "climatology": None, "interval_hours": 6,
            "grid": {"kind": "equiangular", "latitudes": 32, "longitudes": 64}, "period": day, "training_period": day,
        })  # fmt: skip
        states.append(open_store(build(config, progress=False)).read([0]))
    np.testing.assert_allclose(states[0], states[1], rtol=2e-5)


def test_the_simulated_planet(tmp_path: Path) -> None:
    speedy = Path(__file__).parents[3] / "shared" / "speedy"
    if not speedy.is_dir():
        pytest.skip(f"no simulated planet at {speedy}")
    days = {"start": "2001-04-01T12", "stop": "2001-05-01"}
    config = DataConfig.model_validate({
        "sources": [{"kind": "speedy", "path": str(speedy / "planet_b_64x32.nc"),
                     "static_path": str(speedy / "static_64x32.nc")}],
        "store": tmp_path / "store.zarr", "climatology": None, "interval_hours": 12, "precision": "float16",
        "variables": {"geopotential": [500], "temperature": [850], "u_component_of_wind": [200, 850],
                      "2m_temperature": None, "total_precipitation": None},
        "static": ["geopotential_at_surface", "land_sea_mask"], "period": days, "training_period": days,
        "grid": {"kind": "equiangular", "latitudes": 32, "longitudes": 64},
    })  # fmt: skip
    store = open_store(build(config, progress=False))
    with xr.open_dataset(speedy / "planet_b_64x32.nc", engine="netcdf4") as raw:
        expected = raw["z500"].sel(time=store.times, method="nearest").values[:, ::-1] * 9.80665
    error = np.abs(store.read(range(len(store.times)))[:, 0] - expected)
    assert error.max() < 2e-3 * expected.std()


def test_flipped_bits_in_a_netcdf_never_escape_as_a_traceback(tmp_path: Path) -> None:
    world = mock_states(Grid.equiangular(6, 12, poles=False), mock_times("2001-01-01", 3), {"2m_temperature": None})
    world.to_netcdf(tmp_path / "whole.nc")
    whole, rng, refused = (tmp_path / "whole.nc").read_bytes(), np.random.default_rng(1), 0
    for number in range(60):
        flipped = bytearray(whole)
        flipped[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
        (tmp_path / f"{number}.nc").write_bytes(flipped)
        try:
            check_path(tmp_path / f"{number}.nc", progress=False)
        except DataError:
            refused += 1
    assert refused > 5
