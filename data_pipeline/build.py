"""Build a training store from a config: check, regrid, write shard by shard, summarise, publish. Rerun = resume."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
import zarr
from data_pipeline.progress import track

from data_pipeline import store
from data_pipeline.canonical import check
from data_pipeline.climatology import fit_climatology
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.publish import publish_directory, write_text
from data_pipeline.quality import check_times, check_values
from data_pipeline.regrid import Regridder
from data_pipeline.statistics import compute_statistics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from data_pipeline.config import DataConfig

LEDGER = "finished-shards.json"
Slab = tuple["NDArray[np.datetime64]", "NDArray[np.float32]"]


def build(config: DataConfig, *, progress: bool = True) -> Path:
    """Make the training store that ``config`` describes, or finish one whose build was interrupted.

    Raises
    ------
    DataError
        Before anything is written: if a source lacks a variable, level or time, or another config's store is
        in the way. While writing: if values are missing or impossible (what was written stays for a resume).
    """
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()
    if config.store.exists():
        _refuse_other_config(config.store, digest)
        return config.store
    fields, static = open_sources(config)
    partial = store.partial_path(config.store)
    group = _start_or_resume(partial, config, fields, static, digest)
    _write_shards(group, partial / LEDGER, config, fields, progress=progress)
    _summarise(group, config)
    publish_directory(partial, config.store)
    (config.store / LEDGER).unlink()
    return config.store


def open_sources(config: DataConfig) -> tuple[xr.Dataset, xr.Dataset]:
    """Checked and regridded (lazy) prognostic fields of the period, and static fields in memory."""
    wanted = {*config.variables, *config.static}
    merged = _merge([source.open(wanted) for source in config.sources])
    missing = wanted - {str(name) for name in merged.data_vars}
    if missing:
        have = ", ".join(sorted(str(name) for name in merged.data_vars)) or "none of the wanted variables"
        raise DataError(f"the sources lack {', '.join(sorted(missing))}; they have {have}; change 'variables' in the config")
    regridder = Regridder(Grid.of(merged), config.grid.build())
    fields = config.channels.select(merged)
    fields = fields.sel(time=slice(*config.period.bounds()))
    _check_period(fields["time"].values, config)
    check(fields)
    static = merged[list(config.static)]
    static = static.isel(time=0, drop=True) if "time" in static.dims else static
    return regridder(fields), regridder(static).compute()


def _merge(parts: list[xr.Dataset]) -> xr.Dataset:
    try:
        return xr.merge(parts, join="exact", compat="no_conflicts", combine_attrs="drop_conflicts")
    except ValueError as error:
        grids = "; ".join(f"{sorted(map(str, part.data_vars))}: {dict(part.sizes)}" for part in parts)
        raise DataError(f"the sources differ in their grid, times or levels ({grids}); make them equal first") from error


def _check_period(times: NDArray[np.datetime64], config: DataConfig) -> None:
    first, last = config.period.bounds()
    if times.size == 0:
        raise DataError(f"the sources hold no time in {config.period.start}..{config.period.stop}; change 'period'")
    check_times(times, config.interval)
    if times[0] - first >= config.interval or last - times[-1] >= config.interval + np.timedelta64(1, "ns"):
        span = f"{times[0].astype('datetime64[h]')}..{times[-1].astype('datetime64[h]')}"
        raise DataError(f"the period {config.period.start}..{config.period.stop} exceeds the sources' {span}; shorten it")
    if not config.training_period.contains(times).any():
        span = f"{config.training_period.start}..{config.training_period.stop}"
        raise DataError(f"the training period {span} holds no time of the store; it must overlap 'period'")


def _refuse_other_config(path: Path, digest: str) -> None:
    built_from = zarr.open_group(path, mode="r").attrs.get("config_sha256") if store.is_store(path) else None
    if built_from != digest:
        raise DataError(f"{path} exists and was not built from this config; remove it, or set another 'store'")


def _start_or_resume(
    partial: Path, config: DataConfig, fields: xr.Dataset, static: xr.Dataset, digest: str
) -> zarr.Group:
    if (partial / LEDGER).exists():
        group = zarr.open_group(partial, mode="r+")
        if group.attrs.get("config_sha256") != digest:
            raise DataError(f"{partial} is an unfinished build of another config; remove it, or set another 'store'")
        return group
    attributes = {
        "format": store.FORMAT,
        "config": config.model_dump(mode="json"),
        "config_sha256": digest,
        "sphercast_version": version("sphercast"),
    }
    times = fields["time"].values.astype("datetime64[ns]")
    group = store.create(partial, config.channels, config.grid.build(), times, static, attributes)
    write_text(partial / LEDGER, "[]")
    return group


def _write_shards(group: zarr.Group, ledger: Path, config: DataConfig, fields: xr.Dataset, *, progress: bool) -> None:
    finished: list[int] = json.loads(ledger.read_text())
    starts = [start for start in range(0, fields.sizes["time"], store.TIMES_PER_SHARD) if start not in finished]
    for start in track(starts, "building", "shard", enabled=progress):
        slab = config.channels.stack(fields.isel(time=slice(start, start + store.TIMES_PER_SHARD))).load()
        check_values(slab, config.channels)
        group["fields"][start : start + slab.sizes["time"]] = slab.values  # type: ignore[index]
        finished.append(start)
        write_text(ledger, json.dumps(finished))


def _summarise(group: zarr.Group, config: DataConfig) -> None:
    grid = config.grid.build()

    def slabs() -> Iterator[Slab]:
        return _training_slabs(group, config)

    statistics = compute_statistics((fields for _, fields in slabs()), grid.area_weights(), config.interval_hours)
    store.write_summaries(group, statistics, fit_climatology(slabs, config.channels, grid))


def _training_slabs(group: zarr.Group, config: DataConfig) -> Iterator[Slab]:
    hours = np.asarray(group["time"][:])  # type: ignore[index]
    times = np.datetime64("1970-01-01", "ns") + hours.astype("timedelta64[h]")
    inside = np.flatnonzero(config.training_period.contains(times))
    for start in range(inside[0], inside[-1] + 1, store.TIMES_PER_SHARD):
        stop = min(start + store.TIMES_PER_SHARD, inside[-1] + 1)
        yield times[start:stop], np.asarray(group["fields"][start:stop])  # type: ignore[index]
