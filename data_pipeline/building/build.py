"""Build a training store from a config: check, regrid, write shard by shard, summarise, publish. Rerun = resume.

A store grows in a folder of its own, ``NAME.partial``, beside the ledger of what is finished. Only the whole store
gets its final name, so whenever the process dies, the same command goes on from the last finished shard.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import zarr

from data_pipeline import store
from data_pipeline.climatology import fit_climatology
from data_pipeline.errors import DataError, reading
from data_pipeline.gather import open_sources
from data_pipeline.progress import track
from data_pipeline.publish import only_one_in, publish_directory, write_text
from data_pipeline.quality import check_values
from data_pipeline.statistics import compute_statistics
from data_pipeline.times import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.config import DataConfig, Period

GROWING = "store"
LEDGER = "finished-shards.json"
"""Names inside the folder that a store grows in."""

Slab = tuple["NDArray[np.datetime64]", "NDArray[np.float32]"]


def build(config: DataConfig, *, progress: bool = True) -> Path:
    """Make the training store that ``config`` describes, or finish one whose build was interrupted.

    A store that was already built from an equal config is returned as it is, without a look at the sources.

    Raises
    ------
    DataError
        Before anything is written: if a source lacks a variable, level or time, or another config's store is
        in the way. While writing: if values are missing or impossible (what was written stays for a resume).
    """
    folder = store.partial_path(config.store)
    digest = _digest(config)
    if config.store.exists():
        _refuse_other_config(config.store, digest)
    else:
        fields, static = open_sources(config)
        with only_one_in(folder):
            _start_or_resume(folder, config, fields["time"].values, static, digest)
            _write_shards(folder, config, fields, progress=progress)
            _summarise(folder / GROWING, config.training_period)
            publish_directory(folder / GROWING, config.store)
    if folder.exists():
        shutil.rmtree(folder)
    return config.store


def _digest(config: DataConfig) -> str:
    """Of all that decides the contents; a store may be moved."""
    return hashlib.sha256(config.model_dump_json(exclude={"store"}).encode()).hexdigest()


def _refuse_other_config(path: Path, digest: str) -> None:
    built_from = zarr.open_group(path, mode="r").attrs.get("config_sha256") if store.is_store(path) else None
    if built_from != digest:
        raise DataError(f"{path} exists and was not built from this config; remove it, or set another 'store'")


def _start_or_resume(
    folder: Path, config: DataConfig, times: NDArray[np.datetime64], static: xr.Dataset, digest: str
) -> None:
    if (folder / LEDGER).exists():
        if zarr.open_group(folder / GROWING, mode="r").attrs.get("config_sha256") != digest:
            raise DataError(f"{folder} is an unfinished build of another config; remove it, or set another 'store'")
        store.remove_torn_writes(folder / GROWING)
        return
    attributes = {
        "format": store.FORMAT,
        "config": config.model_dump(mode="json", exclude={"store"}),
        "config_sha256": digest,
        "sphercast_version": version("sphercast"),
    }
    grid = config.grid.build()
    store.create(folder / GROWING, config.channels, grid, times, static=static, attributes=attributes)
    write_text(folder / LEDGER, "[]")


def _write_shards(folder: Path, config: DataConfig, fields: xr.DataArray, *, progress: bool) -> None:
    """Every shard that the ledger lacks; a shard is on the disk before the ledger says so."""
    finished: list[int] = json.loads((folder / LEDGER).read_text(encoding="utf-8"))
    starts = range(0, fields.sizes["time"], store.TIMES_PER_SHARD)
    todo = [start for start in starts if start not in finished]
    for start in track(todo, "building", "shard", start=len(finished), total=len(starts), enabled=progress):
        slab = fields.isel(time=slice(start, start + store.TIMES_PER_SHARD))
        with reading("a source"):
            slab = slab.load()
        check_values(slab, config.channels)
        store.write_shard(folder / GROWING, start, slab.values)
        finished.append(start)
        write_text(folder / LEDGER, json.dumps(finished))


def _summarise(path: Path, period: Period) -> None:
    group = zarr.open_group(path, mode="r+")
    growing = store.store_of(path, group)

    def slabs() -> Iterator[Slab]:
        return _slabs(growing, period)

    hours = int(growing.interval / HOUR)
    statistics = compute_statistics((fields for _, fields in slabs()), growing.grid.area_weights(), hours)
    store.write_summaries(group, statistics, fit_climatology(slabs, growing.channels, growing.grid))


def _slabs(growing: store.TrainingStore, period: Period) -> Iterator[Slab]:
    inside = np.flatnonzero(period.contains(growing.times))
    for start in range(inside[0], inside[-1] + 1, store.TIMES_PER_SHARD):
        stop = min(start + store.TIMES_PER_SHARD, inside[-1] + 1)
        yield growing.times[start:stop], np.asarray(growing.fields[start:stop])
