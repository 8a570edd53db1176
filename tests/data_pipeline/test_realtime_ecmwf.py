"""ECMWF open data: where files lie in each era, which bytes are asked for, and that fields arrive canonical."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from data_pipeline.canonical import check
from data_pipeline.channels import Channel, Channels
from data_pipeline.errors import DataError, GoneError
from data_pipeline.realtime import REALTIME_SOURCES, EcmwfOpenDataSource, transport
from data_pipeline.realtime.ecmwf import NAMES
from data_pipeline.realtime.fields import Field, fields_of
from data_pipeline.realtime.index_files import read_json_lines
from tests.data_pipeline.realtime_world import (
    CHANNELS,
    GRID,
    REQUEST,
    SOON,
    TIMES,
    WORLD,
    hurry,
    publish_ecmwf,
    request,
    server,
    source,
)
from tests.mock_world import mock_states, mock_static

if TYPE_CHECKING:
    from pathlib import Path

    from tests.data_pipeline.loopback import Loopback

__all__ = ["hurry", "server"]
pytestmark = pytest.mark.usefixtures("hurry")

T850 = Channel("temperature", 850)


def path(model: str, cycle: str, member: int | None, step: int = 0) -> str:
    wanted = Field(T850, np.datetime64(cycle, "s"), step, member)
    return EcmwfOpenDataSource.model_validate({"model": model}).paths(wanted)[0]


@pytest.mark.parametrize(
    ("model", "cycle", "member", "expected"),
    [
        ("ifs", "2026-06-01T06", None, "20260601/06z/ifs/0p25/oper/20260601060000-0h-oper-fc.grib2"),
        ("ifs", "2026-06-01T06", 0, "20260601/06z/ifs/0p25/oper/20260601060000-0h-oper-fc.grib2"),
        ("ifs", "2026-06-01T06", 7, "20260601/06z/ifs/0p25/enfo/20260601060000-0h-enfo-ef.grib2"),
        ("ifs", "2026-05-12T06", 0, "20260512/06z/ifs/0p25/oper/20260512060000-0h-oper-fc.grib2"),
        ("ifs", "2026-05-12T00", 0, "20260512/00z/ifs/0p25/enfo/20260512000000-0h-enfo-ef.grib2"),
        ("ifs", "2026-05-11T18", None, "20260511/18z/ifs/0p25/scda/20260511180000-0h-scda-fc.grib2"),
        ("ifs", "2026-05-11T12", None, "20260511/12z/ifs/0p25/oper/20260511120000-0h-oper-fc.grib2"),
        ("ifs", "2025-01-01T06", 50, "20250101/06z/ifs/0p25/enfo/20250101060000-0h-enfo-ef.grib2"),
        ("aifs-single", "2026-05-01T18", None, "20260501/18z/aifs-single/0p25/oper/20260501180000-0h-oper-fc.grib2"),
        ("aifs-ens", "2026-05-01T18", None, "20260501/18z/aifs-ens/0p25/enfo/20260501180000-0h-enfo-cf.grib2"),
        ("aifs-ens", "2026-06-01T18", 3, "20260601/18z/aifs-ens/0p25/enfo/20260601180000-0h-enfo-pf.grib2"),
    ],
)
def test_where_files_lie(model: str, cycle: str, member: int | None, expected: str) -> None:
    assert path(model, cycle, member) == expected
    assert EcmwfOpenDataSource().index_path(expected) == expected.replace(".grib2", ".index")


def test_both_states_arrive_canonical(server: Loopback, tmp_path: Path) -> None:
    publish_ecmwf(server.folder / "a")
    ifs = source(server)
    assert ifs.look(REQUEST, now=SOON).complete
    states = ifs.fetch(REQUEST, tmp_path / "work")
    check(states)
    assert list(states.data_vars) == list(CHANNELS.variables)
    assert states["time"].values.tolist() == np.array(TIMES, "M8[ns]").tolist()
    xr.testing.assert_allclose(states.compute(), WORLD, rtol=1e-6)  # heights times 9.80665, from longitude 0 on


def test_only_the_bytes_that_are_needed(server: Loopback, tmp_path: Path) -> None:
    publish_ecmwf(server.folder / "a")
    few = request(channels=Channels.of({"temperature": [500, 850], "mean_sea_level_pressure": None}))
    source(server).fetch(few, tmp_path / "work")
    asked = [part for name, part in server.ranges if name.endswith(".grib2")]
    assert len(asked) == 4  # two levels side by side are one request, pressure lies elsewhere: for each time
    sizes = [int(stop) - int(start) + 1 for start, stop in (part.removeprefix("bytes=").split("-") for part in asked)]
    kept = list((tmp_path / "work").rglob("*.grib2"))
    assert sum(sizes) == sum(file.stat().st_size for file in kept)
    assert len(kept) == 6


def test_a_look_costs_an_index_and_four_bytes(server: Loopback) -> None:
    publish_ecmwf(server.folder / "a")
    source(server).look(REQUEST, now=SOON)
    parts = [part for _, part in server.ranges]
    assert len(parts) == 4
    assert [int(part.split("-")[1]) - int(part.split("=")[1].split("-")[0]) for part in parts if part] == [3, 3]


def test_members_and_the_control_of_each_era(server: Loopback, tmp_path: Path) -> None:
    for asked in (
        request(member=2),
        request(["2026-05-11T18", "2026-05-12T00"], member=0),
        request(["2026-05-12T00", "2026-05-12T06"], member=0),  # over the change
    ):
        world = mock_states(GRID, np.array(asked.times), CHANNELS.variables)
        publish_ecmwf(server.folder / "a", asked, world=world)
        assert source(server).look(asked, now=SOON).complete
        xr.testing.assert_allclose(source(server).fetch(asked, tmp_path / "work").compute(), world, rtol=1e-6)


def test_ensembles_of_aifs(server: Loopback, tmp_path: Path) -> None:
    aifs = source(server, model="aifs-ens")
    for member in (0, 50):
        asked = request(member=member)
        publish_ecmwf(server.folder / "a", asked, aifs)
        xr.testing.assert_allclose(aifs.fetch(asked, tmp_path / "work").compute(), WORLD, rtol=1e-6)


def test_sums_are_of_the_forecast_before(server: Loopback, tmp_path: Path) -> None:
    asked = request(channels=Channels.of({"temperature": [500], "total_precipitation": None}))
    rain = [wanted for wanted in fields_of(asked) if wanted.step_hours]
    assert [str(wanted.cycle) for wanted in rain] == ["2026-05-31T18:00:00", "2026-06-01T00:00:00"]
    world = mock_states(GRID, np.array(TIMES), asked.channels.variables)
    publish_ecmwf(server.folder / "a", asked, world=world)
    states = source(server).fetch(asked, tmp_path / "work")
    assert states["total_precipitation"].attrs["accumulation_hours"] == 6
    xr.testing.assert_allclose(states.compute(), world, rtol=1e-5, atol=1e-7)


def test_static_fields_are_of_the_first_time(server: Loopback, tmp_path: Path) -> None:
    asked = request(channels=Channels.of({"temperature": [500], "land_sea_mask": None}))
    world = WORLD[["temperature"]].sel(level=[500]).assign(mock_static(GRID)[["land_sea_mask"]])
    publish_ecmwf(server.folder / "a", asked, world=world)
    states = source(server).fetch(asked, tmp_path / "work")
    assert states["land_sea_mask"].dims == ("latitude", "longitude")
    xr.testing.assert_allclose(states.compute(), world, rtol=1e-5, atol=1e-6)


def test_an_index_is_sent_once_for_all_members(server: Loopback) -> None:
    publish_ecmwf(server.folder / "a", request(member=2))
    for _ in range(3):
        assert source(server).look(request(member=2), now=SOON).complete
    assert server.refused == [304] * 4
    publish_ecmwf(server.folder / "a", request(member=3))  # the files are replaced
    assert source(server).look(request(member=3), now=SOON).complete


def test_azure_gets_its_token_once(server: Loopback, tmp_path: Path, monkeypatch) -> None:
    publish_ecmwf(server.folder / "a")
    (server.folder / "token").write_text('{"token": "sv=1&sig=abc"}')
    monkeypatch.setitem(transport.TOKENS, transport.host_of(server.url), f"{server.url}/token")
    source(server).fetch(REQUEST, tmp_path / "work")
    assert server.asked.count("token") == 1
    assert all(name.endswith("?sv=1&sig=abc") for name in server.asked if name != "token")


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ({}, {"channels": Channels.of({"lake_cover": None})}, "ifs has no lake_cover; it has 100m_u.*another source"),
        ({}, {"member": 51}, r"ifs has no member 51, expected 0 \(control\) to 50"),
        ({"model": "aifs-single"}, {"member": 1}, "aifs-single has no members, got member 1; leave it out"),
        ({}, {"times": ["2026-06-01T03"]}, "ifs has no cycle at 2026-06-01T03, expected the hours 00, 06, 12 and 18"),
    ],
)
def test_what_it_never_has(server: Loopback, tmp_path: Path, options, changes, message: str) -> None:
    asked = request(**changes)
    with pytest.raises(DataError, match=message):
        source(server, **options).look(asked, now=SOON)
    with pytest.raises(DataError, match=message):
        source(server, **options).fetch(asked, tmp_path)
    assert server.asked == []


def test_older_than_the_layout_is_gone(server: Loopback, tmp_path: Path) -> None:
    old = request(["2024-01-01T00"])
    readiness = source(server).look(old, now=SOON)
    assert readiness.gone == "ifs is there as it is now since 2024-02-29T00, got 2024-01-01T00; take other data"
    assert not readiness.complete
    with pytest.raises(GoneError, match="since 2024-02-29T00"):
        source(server).fetch(old, tmp_path)


def test_sources_are_listed_by_kind() -> None:
    assert all(cls().kind == kind for kind, cls in REALTIME_SOURCES.items() if kind != "folder")


def test_addresses_of_mirrors(server: Loopback) -> None:
    publish_ecmwf(server.folder / "a")
    assert source(server, "a/").look(REQUEST, now=SOON).complete
    for mirrors in (("data.ecmwf.int/forecasts",), ("file:///mirror",)):
        with pytest.raises(ValidationError, match="expected an address that begins with https:// or http://"):
            EcmwfOpenDataSource(mirrors=mirrors)
    with pytest.raises(ValidationError, match="at least 1 item"):
        EcmwfOpenDataSource(mirrors=())


def test_of_heights_and_geopotential_it_is_always_the_same_that_is_taken() -> None:
    def line(param: str, level: int) -> str:
        said = {"param": param, "levtype": "pl", "levelist": level, "step": 0, "date": 20260601, "time": 0}
        return json.dumps({**said, "_offset": len(param), "_length": 9})

    text = "\n".join([line("z", 500), line("gh", 500), line("gh", 850), line("z", 850)])
    entries = read_json_lines(text, "index", NAMES)
    assert [(entry.channel.level, entry.offset) for entry in entries] == [(500, 2), (850, 2), (500, 1), (850, 1)]
