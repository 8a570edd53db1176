"""Sources that change between a kill and the rerun, or while they are read: never mixed in silence."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
import xarray as xr

from data_pipeline.building.build import build
from data_pipeline.building.origin import Origin, require_unchanged
from data_pipeline.building.plan import plan
from data_pipeline.errors import DataError
from data_pipeline.shards import write_shard
from data_pipeline.store import open_store, partial_path
from tests.data_pipeline.loopback import serving

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np


@pytest.fixture
def interrupted(config, monkeypatch):
    """Begins a build, over sources at these paths, that stops before its end; its config."""

    def make(*paths: object, **changes: object):
        if paths:
            changes["sources"] = [{"kind": "files", "path": str(path)} for path in paths]
        made = config(times_per_shard=4, **changes)
        with monkeypatch.context() as patch:
            patch.setattr("data_pipeline.building.build.summarise", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                build(made, progress=False)
        return made

    return make


def split(tmp_path: Path) -> Path:
    """The states as a folder of two files."""
    folder = tmp_path / "states"
    folder.mkdir()
    with xr.open_dataset(tmp_path / "states.nc", engine="netcdf4") as raw:
        for number, part in enumerate((slice(0, 12), slice(12, 20))):
            raw.isel(valid_time=part).to_netcdf(folder / f"{number}.nc")
    return folder


def as_zarr(tmp_path: Path) -> Path:
    with xr.open_dataset(tmp_path / "states.nc", engine="netcdf4") as raw:
        raw.load().drop_encoding().to_zarr(tmp_path / "states.zarr", zarr_format=2, consolidated=True)
    return tmp_path / "states.zarr"


def test_a_file_written_again_is_named(interrupted, tmp_path) -> None:
    made = interrupted()
    os.utime(tmp_path / "states.nc", ns=(0, 10**18))
    expected = (
        r"states\.nc changed \(modified 20.* -> 2001-09-09T01:46:40\.000\) since the build began.*remove .*partial"
    )
    for work in (build, plan):
        with pytest.raises(DataError, match=expected):
            work(made)
    shutil.rmtree(partial_path(made.store))
    assert len(open_store(build(made, progress=False)).times) == 20


def test_one_file_of_a_folder(config, interrupted, tmp_path) -> None:
    config()
    folder = split(tmp_path)
    made = interrupted(folder, tmp_path / "static.nc")
    with (folder / "1.nc").open("ab") as file:
        file.write(b"!")
    with pytest.raises(DataError, match=r"states/1\.nc changed \(bytes \d+ -> \d+, modified"):
        build(made, progress=False)


def test_a_file_that_went_away(config, interrupted, tmp_path) -> None:
    config()
    folder = split(tmp_path)
    made = interrupted(folder, tmp_path / "static.nc")
    (folder / "1.nc").rename(folder / "1-v2.nc")
    with pytest.raises(DataError, match=r"states/1\.nc went away since the build began"):
        build(made, progress=False)


def test_what_is_added_is_no_change(config, interrupted, tmp_path) -> None:
    config()
    folder = split(tmp_path)
    made = interrupted(folder, tmp_path / "static.nc")
    with xr.open_dataset(folder / "1.nc", engine="netcdf4") as raw:
        later = raw.load()
    later.assign_coords(
        valid_time=later["valid_time"] + (later["valid_time"][-1] - later["valid_time"][0]) * 2
    ).to_netcdf(folder / "2.nc")
    assert len(open_store(build(made, progress=False)).times) == 20


def test_one_chunk_of_a_zarr_store(config, interrupted, tmp_path) -> None:
    config()
    store = as_zarr(tmp_path)
    made = interrupted(store, tmp_path / "static.nc")
    chunk = next(path for path in (store / "t2m").iterdir() if path.name[0].isdigit())
    chunk.write_bytes(chunk.read_bytes() + b"\0")
    with pytest.raises(DataError, match=r"states\.zarr changed \(bytes"):
        build(made, progress=False)


def test_a_store_at_an_address(config, interrupted, tmp_path) -> None:
    config()
    store = as_zarr(tmp_path)
    with serving(tmp_path) as server:
        made = interrupted(f"{server.url}/states.zarr", tmp_path / "static.nc")
        assert f"{server.url}/states.zarr/.zmetadata" in Origin.of(made).sources
        os.utime(store / ".zmetadata", ns=(0, 10**18))  # from which this server makes its ETag
        with pytest.raises(
            DataError, match=r'states\.zarr/\.zmetadata changed \(ETag "\d+" -> "1000000000000000000"\)'
        ):
            build(made, progress=False)


def test_a_file_at_an_address(config, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config()
    with serving(tmp_path) as server:
        made = config(sources=[{"kind": "files", "path": f"{server.url}/{name}.nc"} for name in ("states", "static")])
        assert set(Origin.of(made).sources) == {f"{server.url}/states.nc", f"{server.url}/static.nc"}
        Origin.of(made).write(tmp_path)
    require_unchanged(made, tmp_path)  # a server that tells nothing is compared with nothing


def test_a_source_that_changes_while_it_is_read(config, tmp_path, monkeypatch) -> None:
    made = config(times_per_shard=4)

    def touched(path: Path, states: Iterable[np.ndarray], slots: int) -> str:
        if path.parts[-4] == "4":
            os.utime(tmp_path / "states.nc", ns=(0, 10**18))
        return write_shard(path, states, slots)

    monkeypatch.setattr("data_pipeline.building.slabs.write_shard", touched)
    with pytest.raises(DataError, match=r"states\.nc changed \(modified .* since the build began"):
        build(made, progress=False)
    assert not made.store.exists()


def test_the_published_store_does_not_depend_on_when_its_sources_were_written(config, tmp_path) -> None:
    first = build(config(store=tmp_path / "first.zarr"), progress=False)
    os.utime(tmp_path / "states.nc", ns=(0, 10**18))
    second = build(config(store=tmp_path / "second.zarr"), progress=False)
    assert (first / "SHA256SUMS").read_text() == (second / "SHA256SUMS").read_text()
