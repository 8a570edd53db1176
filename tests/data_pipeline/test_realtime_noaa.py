"""GEFS and GFS: inventories of wgrib2, two files a member, and the last message, whose length no inventory says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.channels import Channel, Channels
from data_pipeline.errors import DataError, GoneError, TemporaryError
from data_pipeline.realtime import EcmwfOpenDataSource, FolderSource, GefsSource, GfsSource, RealtimeEra5Source
from data_pipeline.realtime.fields import Field
from data_pipeline.realtime.index_files import read_inventory
from data_pipeline.realtime.noaa import NAMES
from tests.data_pipeline.loopback import Fault
from tests.data_pipeline.realtime_world import (
    GRID,
    REQUEST,
    SOON,
    TIMES,
    WORLD,
    hurry,
    publish_noaa,
    request,
    server,
)
from tests.mock_world import mock_states

if TYPE_CHECKING:
    from pathlib import Path

    from tests.data_pipeline.loopback import Loopback

__all__ = ["hurry", "server"]
pytestmark = pytest.mark.usefixtures("hurry")

INVENTORY = """\
1:0:d=2026060100:HGT:10 mb:anl:ENS=+1
2:50487:d=2026060100:TMP:0.4 mb:anl:ENS=+1
3:70653:d=2026060100:TMP:850 mb:anl:ENS=+1
4:81565:d=2026060100:TMP:2 m above ground:6 hour fcst:ENS=+1
5:91565:d=2026060100:APCP:surface:0-6 hour acc fcst:ENS=+1
6:95000:d=2026060100:APCP:surface:3-6 hour acc fcst:ENS=+1
7:96000:d=2026060100:TMAX:2 m above ground:0-6 hour max fcst:ENS=+1
8:97000:d=2026060100:TCDC:entire atmosphere:0-6 hour ave fcst:ENS=+1
9:98000:d=2026060100:PRMSL:mean sea level:anl:ens mean
10.1:99000:d=2026060100:UGRD:10 m above ground:anl:ENS=low-res ctl
10.2:99000:d=2026060100:VGRD:10 m above ground:anl:
"""


def gefs(server: Loopback, *mirrors: str) -> GefsSource:
    return GefsSource(mirrors=tuple(f"{server.url}/{mirror}" for mirror in mirrors or ("a",)))


def in_b(wanted: Field) -> int:
    """The split: 850 hPa in the file of the less common fields."""
    return int(wanted.channel.level == 850)


def test_what_an_inventory_says() -> None:
    cycle = np.datetime64("2026-06-01T00", "s")
    assert read_inventory(INVENTORY, "", NAMES) == [
        (Channel("geopotential", 10), 1, cycle, 0, 0, 50487),
        (Channel("temperature", 850), 1, cycle, 0, 70653, 10912),
        (Channel("2m_temperature"), 1, cycle, 6, 81565, 10000),
        (Channel("total_precipitation"), 1, cycle, 6, 91565, 3435),
        (Channel("10m_u_component_of_wind"), 0, cycle, 0, 99000, None),
        (Channel("10m_v_component_of_wind"), 0, cycle, 0, 99000, None),
    ]
    assert [entry.length for entry in read_inventory(INVENTORY[:60], "", NAMES)] == [None]  # the second line is cut


def test_which_member_is_the_control() -> None:
    """Member 0 of every ensemble here, as their providers say."""
    models = [EcmwfOpenDataSource(model=model) for model in ("ifs", "aifs-ens", "aifs-single")]
    assert [source.control for source in models] == [0, 0, None]
    assert (GefsSource().control, GfsSource().control, FolderSource(path="x").control) == (0, None, None)
    assert RealtimeEra5Source().control is None


def test_where_files_lie() -> None:
    wanted = Field(Channel("temperature", 850), np.datetime64("2026-06-01T06", "s"), 0, 0)
    assert GefsSource().paths(wanted) == (
        "gefs.20260601/06/atmos/pgrb2ap5/gec00.t06z.pgrb2a.0p50.f000",
        "gefs.20260601/06/atmos/pgrb2bp5/gec00.t06z.pgrb2b.0p50.f000",
    )
    later = Field(wanted.channel, wanted.cycle, 6, 30)
    assert GefsSource().paths(later)[0] == "gefs.20260601/06/atmos/pgrb2ap5/gep30.t06z.pgrb2a.0p50.f006"
    assert GfsSource(resolution="1p00").paths(wanted) == (
        "gfs.20260601/06/atmos/gfs.t06z.pgrb2.1p00.f000",
        "gfs.20260601/06/atmos/gfs.t06z.pgrb2b.1p00.f000",
    )


@pytest.mark.parametrize("member", [None, 0, 1, 30])
def test_members_from_both_files(server: Loopback, tmp_path: Path, member: int | None) -> None:
    asked, source = request(member=member), gefs(server)
    publish_noaa(server.folder / "a", request(member=member or 0), source, in_b)
    assert source.look(asked, now=SOON).complete
    xr.testing.assert_allclose(source.fetch(asked, tmp_path / "work").compute(), WORLD, rtol=1e-6)


def test_gfs(server: Loopback, tmp_path: Path) -> None:
    source = GfsSource(mirrors=(f"{server.url}/a",))
    publish_noaa(server.folder / "a", REQUEST, source)
    assert source.look(REQUEST, now=SOON).complete
    xr.testing.assert_allclose(source.fetch(REQUEST, tmp_path / "work").compute(), WORLD, rtol=1e-6)
    assert not any(".pgrb2b." in name for name in server.asked)  # nothing is left to look for


def test_the_last_message_costs_no_byte_more(server: Loopback, tmp_path: Path) -> None:
    source, asked = gefs(server), request(member=1, channels=Channels.of({"mean_sea_level_pressure": None}))
    publish_noaa(server.folder / "a", request(member=1), source)
    for file in (server.folder / "a").rglob("*.f000"):
        file.write_bytes(file.read_bytes() + b"GRIB and so on, which no inventory lists yet")
    source.fetch(asked, tmp_path / "work")
    sizes = {file.stat().st_size for file in (tmp_path / "work").rglob("*.grib2")}
    parts = [part.removeprefix("bytes=").split("-") for name, part in server.ranges if name.endswith("f000")]
    assert {int(stop) - int(start) + 1 for start, stop in parts} == {16, *sizes}


def test_an_inventory_that_points_elsewhere(server: Loopback, tmp_path: Path) -> None:
    source = gefs(server)
    publish_noaa(server.folder / "a", request(member=0), source)
    for index in (server.folder / "a").rglob("*.idx"):
        lines = index.read_text().splitlines()
        index.write_text(
            "\n".join([*lines[:-1], re.sub(r"^6:(\d+)", lambda match: f"6:{int(match[1]) + 5}", lines[-1])]) + "\n"
        )
    with pytest.raises(TemporaryError, match=r"has no message at byte \d+ of .*, where its index puts one"):
        source.fetch(request(member=0), tmp_path / "work")


def test_sums(server: Loopback, tmp_path: Path) -> None:
    asked = request(member=2, channels=Channels.of({"total_precipitation": None}))
    world = mock_states(GRID, np.array(TIMES), asked.channels.variables)
    source = gefs(server)
    publish_noaa(server.folder / "a", asked, source, world=world)
    states = source.fetch(asked, tmp_path / "work").compute()
    xr.testing.assert_allclose(states, world, rtol=1e-5, atol=1e-7)


def test_winds_at_100_m_water_and_snow(server: Loopback, tmp_path: Path) -> None:
    """NCEP has names and units of its own for them: precipitable water, and kilograms of snow a square metre."""
    names = ("100m_u_component_of_wind", "total_column_water_vapour", "snow_depth")
    asked = request(member=3, channels=Channels.of(dict.fromkeys(names)))
    world = mock_states(GRID, np.array(TIMES), asked.channels.variables)
    source = gefs(server)
    publish_noaa(server.folder / "a", asked, source, world=world)
    states = source.fetch(asked, tmp_path / "work").compute()
    xr.testing.assert_allclose(states, world, rtol=1e-5, atol=1e-5)


def test_a_half_published_cycle(server: Loopback, tmp_path: Path) -> None:
    source = gefs(server)
    publish_noaa(server.folder / "a", request(member=0), source, in_b)
    second = next((server.folder / "a").rglob("gec00.t06z.pgrb2b.0p50.f000.idx"))
    lines = second.read_text()
    second.unlink()
    looked_for = r"looked for gefs.20260601/06/atmos/pgrb2ap5/gec00.t06z.pgrb2a.0p50.f000.idx: .*"
    assert re.search(f"{looked_for} answered 404", source.look(REQUEST, now=SOON).missing[0])
    second.write_text(lines[: lines.index("\n") + 9])
    assert re.search(
        rf"{looked_for} lists 5 of 6 fields, not temperature_850", source.look(REQUEST, now=SOON).missing[0]
    )
    second.write_text(lines)
    server.faults.append(Fault(".idx", times=2, status=429, headers={"Retry-After": "1"}))
    assert source.look(REQUEST, now=SOON).complete


def test_a_layout_that_changed(server: Loopback, tmp_path: Path) -> None:
    source = gefs(server)
    publish_noaa(server.folder / "a", request(member=0), source)
    for index in (server.folder / "a").rglob("*.idx"):
        index.write_text(index.read_text().replace(":d=", ":date="))
    words = (
        r"looked for an index at .*\.idx, got '1:0:date=2026060100:.*expected an inventory of wgrib2: 'number:offset"
    )
    assert re.search(words, source.look(REQUEST, now=SOON).gone or "")
    with pytest.raises(GoneError, match=words):
        source.fetch(REQUEST, tmp_path / "work")


def test_what_they_never_have(server: Loopback) -> None:
    with pytest.raises(DataError, match=r"gefs has no member 31, expected 0 \(control\) to 30; choose one of them"):
        gefs(server).look(request(member=31))
    with pytest.raises(DataError, match="gfs-0p25 has no members, got member 0; leave it out, or take another source"):
        GfsSource().look(request(member=0))
    with pytest.raises(DataError, match="gefs has no vorticity"):
        gefs(server).look(request(channels=Channels.of({"vorticity": [500]})))
    assert "since 2021-03-23T00, got 2020-01-01T00" in (GfsSource().look(request(["2020-01-01T00"])).gone or "")
