"""From a source to the states that a model starts from: checked on their own grid, regridded, and after a kill too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.canonical import check
from data_pipeline.channels import Channels
from data_pipeline.errors import DataError, TemporaryError
from data_pipeline.grid import Grid
from data_pipeline.realtime import FolderSource, initial_states
from data_pipeline.regrid import Regridder
from tests.data_pipeline.loopback import Fault
from tests.data_pipeline.realtime_world import (
    CHANNELS,
    GRID,
    REQUEST,
    WORLD,
    grib2,
    hurry,
    message_of,
    publish_ecmwf,
    request,
    server,
    source,
)
from tests.mock_world import climate_data_store_layout, mock_static

if TYPE_CHECKING:
    from pathlib import Path

    from data_pipeline.realtime.fields import Field
    from tests.data_pipeline.loopback import Loopback

__all__ = ["hurry", "server"]
pytestmark = pytest.mark.usefixtures("hurry")

MODEL_GRID = Grid.equiangular(4, 8, poles=False)


def test_on_the_models_grid(server: Loopback, tmp_path: Path) -> None:
    publish_ecmwf(server.folder / "a")
    states = initial_states(source(server), REQUEST, MODEL_GRID, tmp_path / "work")
    check(states)
    assert Grid.of(states).matches(MODEL_GRID)
    xr.testing.assert_allclose(states, Regridder(GRID, MODEL_GRID)(WORLD), rtol=1e-5)
    assert not any(field.chunks for field in states.data_vars.values())
    assert CHANNELS.stack(states).shape == (2, 6, *MODEL_GRID.shape)


def test_on_the_grid_that_it_is_on(server: Loopback, tmp_path: Path) -> None:
    few = request(channels=Channels.of({"temperature": [850, 500], "geopotential": [500], "land_sea_mask": None}))
    publish_ecmwf(server.folder / "a", few, world=WORLD.assign(mock_static(GRID)))
    states = initial_states(source(server), few, GRID, tmp_path / "work")
    check(states)
    xr.testing.assert_allclose(states["temperature"], WORLD["temperature"], rtol=1e-6)
    xr.testing.assert_allclose(states["geopotential"].sel(level=500), WORLD["geopotential"].sel(level=500), rtol=1e-6)
    assert states["land_sea_mask"].dims == ("latitude", "longitude")


def _missing_somewhere(wanted: Field) -> bytes:
    if wanted.channel.name != "2m_temperature":
        return message_of(wanted)
    values = WORLD["2m_temperature"].sel(time=wanted.cycle).values.astype(np.float64).copy()
    values[3, 4:8] = 9999.0
    return grib2(values, wanted, bitmapPresent=1, missingValue=9999)


def test_one_variable_with_nan(server: Loopback, tmp_path: Path) -> None:
    publish_ecmwf(server.folder / "a", send=_missing_somewhere)
    with pytest.raises(
        DataError, match=r"1 error\(s\) in the data: nan-values \(2m_temperature, 2026-06-01T00"
    ) as caught:
        initial_states(source(server), REQUEST, MODEL_GRID, tmp_path / "work")
    assert not isinstance(caught.value, TemporaryError)  # the message itself says so: it will not get better


def test_impossible_and_stuck_values_are_refused(tmp_path: Path) -> None:
    world = WORLD.copy(deep=True)
    world["temperature"][0, 1, 2, 3] = 1000.0
    world["mean_sea_level_pressure"][1] = world["mean_sea_level_pressure"][0].values
    climate_data_store_layout(world).to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    folder = FolderSource(path=str(tmp_path / "a.nc"), quiet_seconds=0)
    with pytest.raises(DataError, match=r"value-range \(temperature_850, .*field-repeated \(mean_sea_level_pressure"):
        initial_states(folder, REQUEST, MODEL_GRID, tmp_path / "work")


def test_of_an_ensemble_the_member_is_said(tmp_path: Path) -> None:
    world = WORLD.expand_dims(number=[0, 1]).copy(deep=True)
    world["temperature"].loc[{"number": 1, "level": 850}] = 250.0
    world.to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    folder = FolderSource(path=str(tmp_path / "a.nc"), quiet_seconds=0)
    with pytest.raises(DataError, match=r"^member 1: 1 error\(s\) in the data: field-constant \(temperature_850, "):
        initial_states(folder, request(member=1), MODEL_GRID, tmp_path / "work")


def test_the_sea_may_lack_values_over_land(tmp_path: Path, caplog) -> None:
    field = WORLD["2m_temperature"].rename("sea_surface_temperature").clip(271, 310)
    field = field.assign_attrs(units="K").where(field["longitude"] > 200).astype(np.float32)
    WORLD.assign(sea_surface_temperature=field).to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    folder = FolderSource(path=str(tmp_path / "a.nc"), quiet_seconds=0)
    asked = request(channels=Channels.of({"sea_surface_temperature": None}))
    states = initial_states(folder, asked, MODEL_GRID, tmp_path / "work")
    assert 0 < int(states["sea_surface_temperature"].isnull().sum()) < states["sea_surface_temperature"].size
    assert "nan-mask-not-land" in caplog.text  # a warning for a person


KILLED = """
import os, signal, sys
from pathlib import Path
import pyproj
from data_pipeline.realtime import EcmwfOpenDataSource, fetching
from tests.data_pipeline.realtime_world import REQUEST

kept = fetching.keep
def keep(*arguments):
    kept(*arguments)
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

left = [int(sys.argv[1])]
fetching.keep = keep
EcmwfOpenDataSource(mirrors=(sys.argv[2],)).fetch(REQUEST, Path(sys.argv[3]))
"""


def test_a_killed_fetch_goes_on(server: Loopback, tmp_path: Path) -> None:
    publish_ecmwf(server.folder / "a")
    mirror, work = f"{server.url}/a", tmp_path / "work"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, "8", mirror, str(work)], check=False, cwd=os.getcwd(), timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    kept = {file: file.stat().st_mtime_ns for file in work.rglob("*.grib2")}
    assert len(kept) == 8
    damaged = next(iter(kept))
    damaged.write_bytes(damaged.read_bytes()[:-9])  # by the disk, not by us
    server.ranges.clear()
    xr.testing.assert_allclose(source(server).fetch(REQUEST, work).compute(), WORLD, rtol=1e-6)
    unchanged = [file for file, changed in kept.items() if file.stat().st_mtime_ns == changed]
    assert len(unchanged) == 7
    sizes = [file.stat().st_size for file in work.rglob("*.grib2") if file not in unchanged]
    parts = [part.removeprefix("bytes=").split("-") for name, part in server.ranges if name.endswith(".grib2")]
    assert sum(int(stop) - int(start) + 1 for start, stop in parts) == sum(sizes)


def test_a_full_disk_is_no_mirrors_fault(server: Loopback, tmp_path: Path, monkeypatch) -> None:
    from data_pipeline.realtime import fields

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "work")

    publish_ecmwf(server.folder / "a")
    monkeypatch.setattr(fields, "publishing", full)
    with pytest.raises(OSError, match="No space left"):
        source(server).fetch(REQUEST, tmp_path / "work")


def test_without_eccodes(server: Loopback, tmp_path: Path, monkeypatch) -> None:
    from data_pipeline.realtime import fields

    def missing(*_: object) -> None:
        raise DataError("GRIB is read with eccodes, which does not load (no module); install sphercast[grib]")

    publish_ecmwf(server.folder / "a")
    monkeypatch.setattr(fields, "kind_of", missing)
    with pytest.raises(DataError, match=r"install sphercast\[grib\]") as caught:
        source(server).fetch(REQUEST, tmp_path / "work")
    assert not isinstance(caught.value, TemporaryError)


def test_what_is_fetched_stays_for_the_next_call(server: Loopback, tmp_path: Path) -> None:
    publish_ecmwf(server.folder / "a")
    server.faults.append(Fault("20260601060000-0h-oper-fc.grib2", times=3, status=503))
    with pytest.raises(TemporaryError, match="answered 503"):
        initial_states(source(server), REQUEST, MODEL_GRID, tmp_path / "work")
    asked = len(server.asked)
    initial_states(source(server), REQUEST, MODEL_GRID, tmp_path / "work")
    assert not any("20260601000000" in name for name in server.asked[asked:])
