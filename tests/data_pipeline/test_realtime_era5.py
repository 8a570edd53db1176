"""ERA5 and ERA5T as they come into a store in the layout of ARCO-ERA5, over HTTP."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline import retries
from data_pipeline.canonical import check
from data_pipeline.channels import Channels
from data_pipeline.errors import DataError, GoneError, TemporaryError
from data_pipeline.grid import Grid
from data_pipeline.realtime import RealtimeEra5Source, Request
from data_pipeline.retries import Patience
from tests.data_pipeline.layouts import ARCO_LEVELS, arco_era5
from tests.data_pipeline.loopback import Fault, serving
from tests.mock_world import mock_times

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.data_pipeline.loopback import Loopback

CHANNELS = Channels.of({"temperature": [500, 850], "2m_temperature": None, "total_precipitation": None})
TIMES = (np.datetime64("2026-05-20T06", "ns"), np.datetime64("2026-05-20T12", "ns"))
REQUEST = Request(TIMES, CHANNELS)
ENDS = {"valid_time_start": "1940-01-01", "valid_time_stop": "2026-02-28", "valid_time_stop_era5t": "2026-05-20"}


EARLY, LATE = (f"temperature/{int((time - np.datetime64('1900-01-01')) / np.timedelta64(1, 'h'))}." for time in TIMES)
"""In the keys of chunks: their axis begins in 1900."""


@pytest.fixture(scope="module")
def arco(tmp_path_factory) -> Iterator[tuple[xr.Dataset, Loopback, str]]:
    """(canonical world, server, URL) with 24 hours of ERA5T."""
    folder = tmp_path_factory.mktemp("arco")
    variables = {"temperature": ARCO_LEVELS, "2m_temperature": None, "total_precipitation": None}
    world = arco_era5(folder / "arco.zarr", Grid.equiangular(9, 16, poles=True), mock_times("2026-05-20T00", 24, 1),
                      variables, ENDS)  # fmt: skip
    with serving(folder) as server:
        yield world, server, f"{server.url}/arco.zarr"


@contextmanager
def ending(server: Loopback, last: str) -> Iterator[None]:
    """The store before it grew to what it is."""
    file = server.folder / "arco.zarr" / ".zattrs"
    before = file.read_text()
    file.write_text(json.dumps(json.loads(before) | {"valid_time_stop_era5t": last}))
    yield
    file.write_text(before)


def test_states_with_sums_over_the_interval(arco, tmp_path: Path) -> None:
    world, _, url = arco
    source = RealtimeEra5Source(path=url)
    assert source.look(REQUEST).complete
    states = source.fetch(REQUEST, tmp_path)
    check(states)
    expected = world[["temperature", "2m_temperature"]].sel(time=list(TIMES), level=[500, 850])
    xr.testing.assert_allclose(states[["temperature", "2m_temperature"]].compute(), expected)
    rain = world["total_precipitation"].rolling(time=6).sum().sel(time=list(TIMES))
    np.testing.assert_allclose(states["total_precipitation"], rain, rtol=1e-5)
    assert states["total_precipitation"].attrs["accumulation_hours"] == 6


def test_what_was_fetched_is_kept(arco, tmp_path: Path) -> None:
    _, server, url = arco
    source = RealtimeEra5Source(path=url)
    first = source.fetch(REQUEST, tmp_path).compute()
    files = sorted(file.name for file in tmp_path.rglob("*.nc"))
    assert files == ["2026-05-20T06.nc", "2026-05-20T12.nc"]
    next(tmp_path.rglob("2026-05-20T12.nc")).unlink()  # as after a kill between the two
    asked = len(server.asked)
    xr.testing.assert_identical(source.fetch(REQUEST, tmp_path).compute(), first)
    assert any(LATE in name for name in server.asked[asked:])
    assert not any(EARLY in name for name in server.asked[asked:])
    asked = len(server.asked)
    source.fetch(REQUEST, tmp_path)
    assert len(server.asked) == asked


def test_a_store_that_grows_is_seen_to_grow(arco, tmp_path: Path) -> None:
    _, server, url = arco
    source = RealtimeEra5Source(path=url)
    with ending(server, "2026-05-19"):
        missing = source.look(REQUEST).missing
        with pytest.raises(TemporaryError, match=r"not there yet: .* has data to 2026-05-19T23"):
            source.fetch(REQUEST, tmp_path)
    assert missing == (f"{url} has data to 2026-05-19T23, not 2026-05-20T06, 2026-05-20T12",)
    assert source.look(REQUEST).complete
    assert "to 2026-02-28T23" in RealtimeEra5Source(path=url, preliminary=False).look(REQUEST).missing[0]


def test_before_the_first_hour_is_gone(arco) -> None:
    source = RealtimeEra5Source(path=arco[2])
    old = Request((np.datetime64("1939-12-31T18", "ns"), np.datetime64("1940-01-01T00", "ns")), CHANNELS)
    readiness = source.look(old)
    assert readiness.gone == f"{arco[2]} begins at 1940-01-01T00, got 1939-12-31T18; take other data"
    with pytest.raises(GoneError, match="begins at"):
        readiness.require_complete()


def test_what_it_never_has(arco) -> None:
    source = RealtimeEra5Source(path=arco[2])
    with pytest.raises(DataError, match=r"has no geopotential; it has .*total_precipitation; take another source"):
        source.look(Request(TIMES, Channels.of({"geopotential": [500]})))
    with pytest.raises(DataError, match="has no members, got member 1"):
        source.look(Request(TIMES, CHANNELS, member=1))


def test_trouble_means_later(arco, monkeypatch) -> None:
    monkeypatch.setattr(retries, "PATIENCE", Patience(tries=2, first=1e-4, longest=1e-3))
    _, server, url = arco
    server.faults.append(Fault("", times=99, status=503))
    try:
        with pytest.raises(TemporaryError, match=re.escape("answered 503")):
            RealtimeEra5Source(path=url).look(REQUEST)
    finally:
        server.faults.clear()


def test_trouble_in_the_middle_of_a_fetch_means_later(arco, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(retries, "PATIENCE", Patience(tries=2, first=1e-4, longest=1e-3))
    world, server, url = arco
    server.faults.append(Fault(f"2m_{LATE}0.0", times=2, status=503))
    with pytest.raises(TemporaryError, match=re.escape("answered 503")):
        RealtimeEra5Source(path=url).fetch(REQUEST, tmp_path)
    asked = len(server.asked)
    states = RealtimeEra5Source(path=url).fetch(REQUEST, tmp_path)
    assert not any(EARLY in name for name in server.asked[asked:])  # it was kept
    xr.testing.assert_allclose(states["2m_temperature"].compute(), world["2m_temperature"].sel(time=list(TIMES)))
