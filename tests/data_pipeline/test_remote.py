"""Stores and files by URL: retries, their end, missing against forbidden, damaged chunks, copies of NetCDF."""

from __future__ import annotations

import errno
import pickle
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import aiohttp
import pytest
import xarray as xr
from multidict import CIMultiDict
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from data_pipeline import remote, retries
from data_pipeline.addresses import is_url
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.remote import local_copy, open_zarr_store, remote_store
from data_pipeline.retries import Attempts, Patience, is_passing, retry_after, said, status
from data_pipeline.sources import FilesSource
from data_pipeline.sources.opening import open_raw
from tests.data_pipeline.loopback import Fault, Loopback, serving
from tests.mock_world import mock_states, mock_times

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRID = Grid.equiangular(6, 12, poles=False)
WORLD = mock_states(GRID, mock_times("2000-01-01", 4), {"2m_temperature": None, "mean_sea_level_pressure": None})
CHUNK = "world.zarr/2m_temperature/1.0.0"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch) -> None:
    monkeypatch.setattr(retries, "PATIENCE", Patience(tries=5, first=1e-4, longest=1e-3))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Loopback]:
    encoding = {str(name): {"chunks": (1, *GRID.shape)} for name in WORLD.data_vars}
    WORLD.to_zarr(tmp_path / "world.zarr", zarr_format=2, consolidated=True, encoding=encoding)
    with serving(tmp_path) as loopback:
        yield loopback


def temperature(server: Loopback) -> xr.DataArray:
    return FilesSource(path=f"{server.url}/world.zarr").open({"2m_temperature"})["2m_temperature"]


def test_a_store_over_http(server: Loopback) -> None:
    result = FilesSource(path=f"{server.url}/world.zarr/").open(set(WORLD.data_vars))
    xr.testing.assert_equal(result, WORLD)
    assert server.asked.count("world.zarr/.zmetadata") == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(CHUNK, times=4, status=503),
        Fault(CHUNK, times=2, status=429, headers={"Retry-After": "30"}),  # cut to the longest pause
        Fault(CHUNK, times=1, status=500),
        Fault(CHUNK, times=3, drop=True),
        Fault(CHUNK, times=3, silent=True),
        Fault(CHUNK, times=2),
        Fault("world.zarr/.zmetadata", times=2, status=502),
    ],
)
def test_passing_faults_are_survived(server: Loopback, fault: Fault) -> None:
    times = fault.times
    server.faults.append(fault)
    xr.testing.assert_equal(temperature(server).compute(), WORLD["2m_temperature"])
    assert fault.times == 0
    assert server.asked.count(fault.path) == times + 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(CHUNK, times=99, status=503), r"2m_temperature/1\.0\.0 answered 503, 5 times in 0 s; .*run the same"),
        (Fault(CHUNK, times=99), r"2m_temperature/1\.0\.0 sent less than it announced, 5 times"),
        (Fault(CHUNK, times=99, silent=True), r"2m_temperature/1\.0\.0 failed \(ServerDisconnectedError.*\), 5 times"),
    ],
)
def test_patience_ends(server: Loopback, fault: Fault, message: str) -> None:
    field = temperature(server)
    server.faults.append(fault)
    with pytest.raises(DataError, match=message):
        field.compute()
    assert server.asked.count(CHUNK) == (10 if fault.silent else 5)  # aiohttp asks twice by itself in silence


def test_a_server_that_hangs(server: Loopback, monkeypatch) -> None:
    monkeypatch.setattr(remote, "_SILENCE", 0.02)
    field = temperature(server)
    server.faults.append(Fault(CHUNK, seconds=0.08))
    xr.testing.assert_equal(field.compute(), WORLD["2m_temperature"])
    assert server.asked.count(CHUNK) == 2


def test_only_not_found_is_a_missing_chunk(server: Loopback) -> None:
    field = temperature(server)
    server.faults.append(Fault(CHUNK, status=404))
    missing = field.compute().isnull()
    assert missing[1].all()
    assert not missing[[0, 2, 3]].any()
    for code in (403, 401, 400):
        asked = server.asked.count(CHUNK)
        server.faults.append(Fault(CHUNK, status=code))
        with pytest.raises(DataError, match=rf"1\.0\.0 cannot be read \(it answered {code}\); check the address"):
            temperature(server).compute()
        assert server.asked.count(CHUNK) == asked + 1


@pytest.mark.parametrize("damage", [lambda body: body[: len(body) // 2], lambda body: b"\xff" * len(body)])
def test_a_damaged_chunk_names_its_variable(server: Loopback, damage) -> None:
    file = server.folder / CHUNK
    file.write_bytes(damage(file.read_bytes()))
    message = r"2m_temperature of .*world\.zarr cannot be read \(.*\); a file is damaged: copy or build it again"
    with pytest.raises(DataError, match=message):
        temperature(server).compute()
    with pytest.raises(DataError, match=message):
        FilesSource(path=str(server.folder / "world.zarr")).open({"2m_temperature"}).compute()


def test_nothing_there(server: Loopback) -> None:
    with pytest.raises(DataError, match=r"no zarr store at http.*/nothing\.zarr; check the address"):
        open_zarr_store(f"{server.url}/nothing.zarr")
    (server.folder / "bad.zarr").mkdir()
    (server.folder / "bad.zarr" / ".zgroup").write_text("{")
    with pytest.raises(DataError, match=r"cannot read http.*/bad\.zarr as zarr or NetCDF \(.*\); is it complete"):
        open_zarr_store(f"{server.url}/bad.zarr")


def test_a_store_that_nobody_lists(server: Loopback) -> None:
    WORLD.to_zarr(server.folder / "plain.zarr", zarr_format=2, consolidated=False)
    with pytest.raises(DataError, match=r"plain\.zarr lists no variables: it has no consolidated metadata"):
        open_zarr_store(f"{server.url}/plain.zarr")
    xr.testing.assert_equal(open_zarr_store((server.folder / "plain.zarr").as_uri()).load(), WORLD)


def test_a_server_that_is_gone(tmp_path) -> None:
    with serving(tmp_path) as loopback:
        url = loopback.url
    with pytest.raises(DataError, match=r"\.zgroup|zarr\.json|\.zmetadata|\.zattrs"):
        open_zarr_store(f"{url}/world.zarr")


@pytest.mark.parametrize("protocol", ["gs", "s3"])
def test_missing_packages_are_named(monkeypatch, protocol: str) -> None:
    monkeypatch.setitem(sys.modules, {"gs": "gcsfs", "s3": "s3fs"}[protocol], None)
    with pytest.raises(DataError, match=rf"{protocol}://b/a.zarr cannot be opened .*pip install 'sphercast\[cloud\]'"):
        open_zarr_store(f"{protocol}://b/a.zarr")
    with pytest.raises(DataError, match=r"pip install 'sphercast\[cloud\]'"):
        local_copy(f"{protocol}://b/a.nc")


def test_unknown_protocols() -> None:
    with pytest.raises(DataError, match=r"carrier-pigeon://a cannot be opened .*; expected gs://, s3://, https://"):
        remote_store("carrier-pigeon://a")
    assert [is_url(path) for path in ("gs://b/a", "C:/b", "a/b.nc")] == [True, False, False]


def test_a_store_does_what_the_store_below_does(server: Loopback) -> None:
    store = remote_store(f"{server.url}/world.zarr")
    prototype = default_buffer_prototype()
    server.faults.append(Fault(".zgroup", status=503))  # fsspec alone would say that there is no such key
    assert sync(store.exists(".zgroup"))
    assert not sync(store.exists("nothing"))

    async def many() -> list[bytes | None]:
        asked = [(".zgroup", prototype, None), ("nothing", prototype, None)]
        return [buffer and buffer.to_bytes() async for _, buffer in store._get_many(asked)]

    body = (server.folder / "world.zarr" / ".zgroup").read_bytes()
    assert sync(many()) == [body, None]
    parts = sync(store.get_partial_values(prototype, [(".zgroup", None), ("nothing", None)]))
    assert [part and part.to_bytes() for part in parts] == [body, None]
    assert store.with_read_only(True).url == store.url
    again = pickle.loads(pickle.dumps(store))
    assert sync(again.get(".zgroup", prototype)).to_bytes() == body

    async def names() -> list[str]:
        local = remote_store((server.folder / "world.zarr").as_uri())
        return [name async for name in local.list_dir("2m_temperature")]

    assert {"0.0.0", ".zarray"} <= set(sync(names()))


class RefusalError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__("refused")
        self.code = code


def response(code: int, headers: dict[str, str] | None = None) -> aiohttp.ClientResponseError:
    info = aiohttp.RequestInfo("http://a", "GET", CIMultiDict(), "http://a")  # type: ignore[arg-type]
    return aiohttp.ClientResponseError(info, (), status=code, headers=CIMultiDict(headers or {}))


@pytest.mark.parametrize(
    ("error", "passing", "text"),
    [
        (response(503), True, "answered 503"),
        (response(403), False, "answered 403"),
        (RefusalError(429), True, "answered 429"),
        (RefusalError(404), False, "answered 404"),
        (TimeoutError(), True, "did not answer in time"),
        (ConnectionResetError("reset"), True, r"failed \(ConnectionResetError: reset\)"),
        (aiohttp.ClientPayloadError("short"), True, "sent less than it announced"),
        (OSError(errno.EBUSY, "Please reduce your request rate"), True, "reduce your request rate"),
        (FileNotFoundError("a"), False, "is not there"),
        (PermissionError("no"), False, r"failed \(PermissionError: no\)"),
        (KeyError("bug"), False, "KeyError"),
    ],
)
def test_what_errors_mean(error: Exception, passing: bool, text: str) -> None:
    assert is_passing(error) == passing
    with pytest.raises(DataError, match=text):
        Attempts("it", Patience(tries=1)).pause_after(error)
    assert said(error)
    assert status(KeyError()) is None


def test_pauses_double_and_are_cut() -> None:
    patience = Patience(tries=9, first=1.0, longest=6.0)
    attempts = Attempts("it", patience)
    pauses = [attempts.pause_after(TimeoutError()) for _ in range(5)]
    for number, pause in enumerate(pauses):
        assert min(6.0, 0.5 * 2**number) <= pause <= min(6.0, 1.5 * 2**number)
    assert len(set(pauses)) > 3  # clients do not march in step


def test_the_server_says_how_long_to_wait() -> None:
    attempts = Attempts("it", Patience(first=0.01, longest=60.0))
    assert attempts.pause_after(response(503, {"Retry-After": "17"})) == 17.0
    assert attempts.pause_after(response(503, {"retry-after": "9999"})) == 60.0
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    assert 35.0 < retry_after(response(503, {"Retry-After": date})) <= 40.0
    for nonsense in ("soon", "", "Wed, 32 Foo"):
        assert retry_after(response(503, {"Retry-After": nonsense})) == 0.0


def test_a_data_error_is_not_asked_again() -> None:
    with pytest.raises(DataError, match=r"^as it was$"):
        Attempts("it").pause_after(DataError("as it was"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sphercast"


@pytest.mark.parametrize("fault", [Fault("a.nc", times=3, status=503), Fault("a.nc", times=3), Fault("a.nc", times=0)])
def test_netcdf_by_url(server: Loopback, cache: Path, fault: Fault) -> None:
    WORLD.to_netcdf(server.folder / "a.nc")
    server.faults.append(fault)
    with open_raw(f"{server.url}/a.nc") as raw:
        xr.testing.assert_equal(raw.load(), WORLD)
    (copy,) = cache.iterdir()
    assert copy.read_bytes() == (server.folder / "a.nc").read_bytes()
    asked = len(server.asked)
    assert local_copy(f"{server.url}/a.nc") == copy
    assert len(server.asked) == asked + 1  # whether it is the same version
    WORLD.isel(time=slice(2)).to_netcdf(server.folder / "a.nc")
    assert local_copy(f"{server.url}/a.nc") != copy


def test_netcdf_by_url_that_cannot_be_had(server: Loopback, cache: Path) -> None:
    with pytest.raises(DataError, match=r"/a\.nc cannot be read \(it is not there\)"):
        local_copy(f"{server.url}/a.nc")
    WORLD.to_netcdf(server.folder / "a.nc")
    server.faults.append(Fault("a.nc", times=99, status=503))
    with pytest.raises(DataError, match=r"/a\.nc answered 503, 5 times"):
        local_copy(f"{server.url}/a.nc")
    server.faults[:] = [Fault("a.nc", times=2, status=403)]
    with pytest.raises(DataError, match=r"/a\.nc cannot be read \(it answered 403\)"):
        local_copy(f"{server.url}/a.nc")
    assert not list(cache.iterdir())


def test_no_half_copy_is_taken_for_a_whole_one(server: Loopback, cache: Path) -> None:
    WORLD.to_netcdf(server.folder / "a.nc")
    local_copy(f"{server.url}/a.nc").unlink()
    server.faults[:] = [Fault("a.nc", times=99)]
    with pytest.raises(DataError, match=r"/a\.nc sent less than it announced, 5 times"):
        local_copy(f"{server.url}/a.nc")
    assert not list(cache.iterdir())
    server.faults.clear()
    assert local_copy(f"{server.url}/a.nc").read_bytes() == (server.folder / "a.nc").read_bytes()
