"""Slabs on a dask.distributed cluster: the same bytes as on threads, and an address where nobody answers."""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import pytest

from data_pipeline.building.build import Crew, build
from data_pipeline.building.gather import open_sources
from data_pipeline.building.slabs import write_slab
from data_pipeline.building.workers import workers
from data_pipeline.errors import DataError, SphercastError
from data_pipeline.integrity import sha256

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as running:
        yield running.scheduler_address


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256(path) for path in folder.rglob("*") if path.is_file()}


def test_the_same_store_as_on_threads(config, tmp_path, cluster: str) -> None:
    here = build(config(times_per_shard=3, store=tmp_path / "here.zarr"), progress=False)
    there = build(
        config(times_per_shard=3, store=tmp_path / "there.zarr"), progress=False, crew=Crew(scheduler=cluster)
    )
    assert contents(here) == contents(there)


def test_an_error_on_a_worker_is_told(cluster: str) -> None:
    with workers(None, cluster) as hands, pytest.raises(DataError, match=r"shard\.0 is missing; mend it"):
        hands.pool.submit(_fail, "shard.0").result()


def test_what_is_shared_is_sent_once(cluster: str) -> None:
    for scheduler, times in ((cluster, 1), (None, 0)):
        sent = _Sent()
        with workers(2, scheduler) as hands:
            value = hands.share(sent)
            assert [hands.pool.submit(_plus, value, number).result() for number in range(4)] == [7, 8, 9, 10]
        assert sent.times == times


class _Sent:
    """Counts how often it leaves this process."""

    number, times = 7, 0

    def __reduce__(self) -> tuple[type[_Sent], tuple[()]]:
        self.times += 1
        return _Sent, ()


def _plus(sent: _Sent, number: int) -> int:
    return sent.number + number


def _fail(path: str) -> None:
    raise DataError(f"{path} is missing; mend it")


@pytest.mark.parametrize("address", ["nonsense", "smoke://signal:1", "tcp://127.0.0.1:9"])
def test_nobody_answers(config, address: str, monkeypatch) -> None:
    monkeypatch.setattr("data_pipeline.building.workers._SECONDS_TO_CONNECT", 1)
    made = config()
    before = os.listdir(made.store.parent)
    with pytest.raises(
        SphercastError, match=f"no dask scheduler answers at {address} .*leave --scheduler out"
    ) as caught:
        build(made, progress=False, crew=Crew(scheduler=address))
    assert "\n" not in str(caught.value)
    assert os.listdir(made.store.parent) == before


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10, b""])
def test_somebody_else_answers(answer: bytes, monkeypatch) -> None:
    monkeypatch.setattr("data_pipeline.building.workers._SECONDS_TO_CONNECT", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        taker = threading.Thread(target=lambda: server.accept()[0].sendall(answer))
        taker.start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SphercastError, match="no dask scheduler answers at"), workers(None, address):
            pass
        taker.join()


def test_a_worker_is_no_scheduler(cluster: str) -> None:
    with workers(None, cluster) as hands:
        worker = next(iter(hands.pool._client.scheduler_info()["workers"]))
    with (
        pytest.raises(SphercastError, match=r"no dask scheduler answers at .* \(a worker does\)"),
        workers(None, worker),
    ):
        pass


def test_slabs_are_given_up_when_nobody_waits(config, tmp_path) -> None:
    made = config()
    with workers(1, None) as hands:
        assert hands.stop is not None
        assert not hands.stop.is_set()
    assert hands.stop.is_set()
    with pytest.raises(CancelledError):
        write_slab(open_sources(made), None, tmp_path / "growing", 0, hands.stop)
    assert not [path for path in (tmp_path / "growing").rglob("*") if path.is_file()]
