"""A folder that another process fills: late, half-written, changed while it is read, and the sample."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from data_pipeline.channels import Channels
from data_pipeline.errors import DataError, TemporaryError
from data_pipeline.grid import Grid
from data_pipeline.reading import open_states
from data_pipeline.realtime import FolderSource, Readiness, Request, folder
from data_pipeline.realtime.fields import fields_of
from data_pipeline.realtime.folder import stamps
from data_pipeline.realtime.states import states_of
from tests.data_pipeline.realtime_world import CHANNELS, GRID, REQUEST, TIMES, WORLD, message_of, request
from tests.mock_world import climate_data_store_layout, mock_states, mock_times

if TYPE_CHECKING:
    from pathlib import Path


WRITTEN = np.datetime64("2026-06-01T12:00:00", "ns")
NOW = WRITTEN + np.timedelta64(61, "s")


def age(top: Path) -> None:
    """As if everything was written at ``WRITTEN``."""
    for file in top.rglob("*"):
        os.utime(file, ns=(int(WRITTEN.astype(np.int64)),) * 2)


def write(path: Path, world: xr.Dataset = WORLD) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    climate_data_store_layout(world).to_netcdf(path, engine="netcdf4")
    age(path.parent)


def missing(source: FolderSource, asked: Request = REQUEST, now: np.datetime64 = NOW) -> str:
    readiness: Readiness = source.look(asked, now=now)
    assert readiness.gone is None
    assert not readiness.complete
    return "; ".join(readiness.missing)


def test_a_folder_that_fills(tmp_path: Path) -> None:
    source, inbox = FolderSource(path=str(tmp_path / "in")), tmp_path / "in"
    assert missing(source).startswith(f"no such file or store: {inbox}")
    with pytest.raises(TemporaryError, match="no such file or store"):
        source.fetch(REQUEST, tmp_path / "work")
    write(inbox / "0.nc", WORLD.isel(time=[0]))
    assert "has no geopotential at 2026-06-01T06, it has 2026-06-01T00..2026-06-01T00" in missing(source)
    write(inbox / "1.nc", WORLD.isel(time=[1]))
    assert source.look(REQUEST, now=NOW).complete
    xr.testing.assert_allclose(source.fetch(REQUEST, tmp_path / "work").compute(), WORLD)


def test_files_must_be_quiet(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.nc")
    source = FolderSource(path=str(tmp_path / "in"))
    assert "a.nc changed less than 60 s ago and may be written still" in missing(source, now=WRITTEN)
    back = WRITTEN - np.timedelta64(1, "h")  # the clock was set back
    assert source.look(REQUEST, now=back).complete
    assert FolderSource(path=str(tmp_path / "in"), quiet_seconds=0).look(REQUEST, now=WRITTEN).complete
    assert not source.look(REQUEST, now=WRITTEN).complete
    assert source.look(REQUEST).complete  # by the machine's clock


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_half_written_files(tmp_path: Path, share: float) -> None:
    write(tmp_path / "in" / "a.nc")
    file = tmp_path / "in" / "a.nc"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    age(tmp_path / "in")
    source = FolderSource(path=str(tmp_path / "in"))
    assert "cannot read" in missing(source)
    with pytest.raises(TemporaryError, match="is it complete"):
        source.fetch(REQUEST, tmp_path / "work")
    file.write_bytes(whole)
    age(tmp_path / "in")
    assert source.look(REQUEST, now=NOW).complete


def test_grib_and_its_halves(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    messages = [message_of(wanted) for wanted in fields_of(REQUEST)]
    file = tmp_path / "in" / "a.grib2"
    file.write_bytes(b"".join(messages)[:-100])
    age(tmp_path / "in")
    source = FolderSource(path=str(tmp_path / "in"))
    assert "the file ends inside a message" in missing(source)
    file.write_bytes(b"".join(messages[:-1]))
    age(tmp_path / "in")
    assert "lacks 1 of 2 fields of mean_sea_level_pressure" in missing(source)
    file.write_bytes(b"".join(messages))
    age(tmp_path / "in")
    assert source.look(REQUEST, now=NOW).complete
    xr.testing.assert_allclose(source.fetch(REQUEST, tmp_path / "work").compute(), WORLD, rtol=1e-6)


def test_changed_while_it_is_read(tmp_path: Path, monkeypatch) -> None:
    write(tmp_path / "in" / "a.nc")
    source, inbox = FolderSource(path=str(tmp_path / "in")), tmp_path / "in"
    changes = iter(range(9))
    monkeypatch.setattr(folder, "stamps", lambda _: {"a.nc": (next(changes), 0)})
    words = f"{inbox} was changed while it was read"
    assert missing(source) == f"{words}; {words}".partition(";")[0]
    with pytest.raises(TemporaryError, match="was changed while it was read"):
        source.fetch(REQUEST, tmp_path / "work")  # between the look and the fetch


def test_a_file_that_gets_its_final_name_meanwhile(tmp_path: Path, monkeypatch) -> None:
    write(tmp_path / "in" / "a.nc")
    monkeypatch.setattr(os, "walk", lambda top: [(top, [], ["a.nc", ".b.nc.partial"])])
    assert list(stamps(str(tmp_path / "in"))) == [str(tmp_path / "in" / "a.nc")]

    def vanished(path: str, **_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(folder, "open_states", vanished)
    assert "No such file or directory" in missing(FolderSource(path=str(tmp_path / "in")))


def test_nothing_but_nan_is_not_there_yet(tmp_path: Path) -> None:
    world = WORLD.copy(deep=True)
    world["temperature"][1, 0] = np.nan
    world["2m_temperature"][1] = np.nan
    write(tmp_path / "in" / "a.nc", world)
    words = "has nothing but NaN in temperature_500, 2m_temperature at 2026-06-01T06"
    source = FolderSource(path=str(tmp_path / "in"))
    assert words in missing(source)
    with pytest.raises(TemporaryError, match=words):
        source.fetch(REQUEST, tmp_path / "work")


def test_times_that_lack_the_same_are_said_together(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.nc")
    later = request(["2026-07-01T00", "2026-07-01T06"])
    words = missing(FolderSource(path=str(tmp_path / "in")), later)
    assert words.endswith("has no geopotential at 2026-07-01T00, 2026-07-01T06, it has 2026-06-01T00..2026-06-01T06")
    assert words.count("geopotential") == 1


def test_variables_that_may_come_and_data_that_cannot_be_meant(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.nc", WORLD[["temperature"]])
    assert "the data lack geopotential_500" in missing(FolderSource(path=str(tmp_path / "in")))
    strange = climate_data_store_layout(WORLD).rename({"latitude": "y"})
    write(tmp_path / "strange" / "a.nc")
    strange.to_netcdf(tmp_path / "strange" / "a.nc", engine="netcdf4")
    age(tmp_path / "strange")
    with pytest.raises(DataError, match="no latitude axis"):
        FolderSource(path=str(tmp_path / "strange")).look(REQUEST, now=NOW)
    only_strange = xr.Dataset({"height": ("x", [1.0])})
    only_strange.to_netcdf(tmp_path / "strange" / "a.nc", engine="netcdf4")
    age(tmp_path / "strange")
    assert "the data lack every variable" in missing(FolderSource(path=str(tmp_path / "strange")))


def test_a_folder_a_cycle(tmp_path: Path) -> None:
    source = FolderSource(path=str(tmp_path / "%Y%m%d" / "%H"))
    write(tmp_path / "20260601" / "00" / "a.nc", WORLD.isel(time=[0]))
    assert "20260601/06" in missing(source)
    write(tmp_path / "20260601" / "06" / "a.nc", WORLD.isel(time=[1]))
    xr.testing.assert_allclose(source.fetch(REQUEST, tmp_path / "work").compute(), WORLD)


def test_a_copy_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.nc")
    source = FolderSource(path=str(tmp_path / "in"))
    first = source.fetch(REQUEST, tmp_path / "work").compute()
    write(tmp_path / "in" / "a.nc", WORLD + 1)
    xr.testing.assert_identical(source.fetch(REQUEST, tmp_path / "work").compute(), first)
    kept = next((tmp_path / "work").rglob("2026-06-01T06.nc"))
    kept.write_bytes(kept.read_bytes()[:99])
    with pytest.raises(DataError, match=f"{kept.parent} cannot be read .*; a file is damaged"):
        source.fetch(REQUEST, tmp_path / "work")


def test_another_choice_makes_other_copies(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for hours, world in ((0, WORLD), (6, WORLD + 1)):
        for wanted in fields_of(REQUEST):
            sent = replace(wanted, cycle=wanted.cycle - np.timedelta64(hours, "h"), step_hours=hours)
            with (tmp_path / "in" / "a.grib2").open("ab") as file:
                file.write(message_of(sent, world, forecastTime=hours))
    analyses, forecasts = (FolderSource(path=str(tmp_path / "in"), step_hours=hours) for hours in (0, 6))
    xr.testing.assert_allclose(analyses.fetch(REQUEST, tmp_path / "work").compute(), WORLD, rtol=1e-6)
    xr.testing.assert_allclose(forecasts.fetch(REQUEST, tmp_path / "work").compute(), WORLD + 1, rtol=1e-6)


def test_times_on_different_grids(tmp_path: Path) -> None:
    other = mock_states(Grid.equiangular(5, 8, poles=True), np.array(TIMES), CHANNELS.variables)
    write(tmp_path / "00" / "a.nc", WORLD.isel(time=[0]))
    write(tmp_path / "06" / "a.nc", other.isel(time=[1]))
    with pytest.raises(DataError, match=r"%H has states on different grids \(9x16 .* at 2026-06-01T00, 5x8 .*regrid"):
        FolderSource(path=str(tmp_path / "%H")).fetch(REQUEST, tmp_path / "work")


def test_members_and_stores(tmp_path: Path) -> None:
    members = xr.concat([WORLD, WORLD + 1], "number").assign_coords(number=[0, 1])
    members.to_zarr(tmp_path / "ensemble.zarr", zarr_format=2, consolidated=True)
    age(tmp_path)
    source = FolderSource(path=str(tmp_path / "ensemble.zarr"))
    assert stamps(source.path)
    xr.testing.assert_allclose(source.fetch(request(member=1), tmp_path / "work").compute(), WORLD + 1)
    with pytest.raises(DataError, match="is an ensemble of 2 members"):
        source.look(REQUEST, now=NOW)


def test_members_that_are_not_there_yet_are_said_together(tmp_path: Path) -> None:
    members = xr.concat([WORLD, WORLD + 1], "number").assign_coords(number=[0, 1])
    members.to_netcdf(tmp_path / "ensemble.nc", engine="netcdf4")
    age(tmp_path)
    source = FolderSource(path=str(tmp_path / "ensemble.nc"))
    looks = [source.look(request(member=member), now=NOW) for member in range(5)]
    missing = tuple(words for look in looks for words in look.missing)
    for words, told in ((missing, "no members 2, 3, 4, it has"), (missing[:1], "no member 2, it has")):
        with pytest.raises(
            TemporaryError, match=rf"^not there yet: \S*ensemble\.nc has {told} 0 to 1; try again later$"
        ):
            Readiness(words).require_complete()


def test_the_sample() -> None:
    times = tuple(open_states("sample")["time"].values[[3, 4]])
    assert FolderSource(path="sample").look(Request(times, Channels.of({"temperature": [850]}))).complete
    assert stamps("sample") == stamps("https://example.org/a.zarr") == {}


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 character"):
        FolderSource(path="")


def test_sums_are_added_up_or_refused(tmp_path: Path, caplog) -> None:
    rain = mock_states(GRID, mock_times("2026-05-31T18", 13, 1), {"total_precipitation": None})
    rain["total_precipitation"].attrs["accumulation_hours"] = 1
    asked = Request(TIMES, Channels.of({"total_precipitation": None}))
    summed = states_of(rain, asked, "rain")["total_precipitation"]
    np.testing.assert_allclose(summed[0], rain["total_precipitation"][1:7].sum("time"), rtol=1e-6)
    rain["total_precipitation"].attrs["accumulation_hours"] = 4
    with pytest.raises(DataError, match="rain has total_precipitation as sums over 4 h, expected 6 h or a part"):
        states_of(rain, asked, "rain")
    del rain["total_precipitation"].attrs["accumulation_hours"]
    xr.testing.assert_equal(states_of(rain, asked, "rain")["total_precipitation"], summed)  # by their interval
    assert "rain: total_precipitation is taken as sums over 1 h, as its files do not say it" in caplog.text
    alone = Request(TIMES[:1], asked.channels, accumulation_hours=6)
    six = states_of(rain.sel(time=[TIMES[0]]), alone, "rain")["total_precipitation"]
    np.testing.assert_array_equal(six, rain["total_precipitation"].sel(time=[TIMES[0]]))
    assert "sums over 6 h" in caplog.text
