"""Slabs on a dask.distributed cluster: the same bytes as on threads, and an address where nobody answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_pipeline.building.build import Crew, build
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
    with workers(None, cluster) as pool, pytest.raises(DataError, match=r"shard\.0 is missing; mend it"):
        pool.submit(_fail, "shard.0").result()


def _fail(path: str) -> None:
    raise DataError(f"{path} is missing; mend it")


def test_nobody_answers() -> None:
    with (
        pytest.raises(
            SphercastError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:9 .*leave --scheduler out"
        ),
        workers(None, "tcp://127.0.0.1:9"),
    ):
        pass
