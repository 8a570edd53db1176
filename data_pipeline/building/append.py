"""Lengthen a finished store: new months, and the same bytes as if all of it had been built at once."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import xarray as xr

from data_pipeline.building.build import REPLACED, THIS_MACHINE, Crew, clear, finish_publishing, grow, prepare, publish
from data_pipeline.building.gather import open_sources
from data_pipeline.building.ledger import Ledger
from data_pipeline.building.provenance import digest_of
from data_pipeline.building.report import read_report, report_path
from data_pipeline.building.slabs import GROWING, LEDGER, adopt_slab
from data_pipeline.errors import DataError
from data_pipeline.integrity import read_sums, sha256
from data_pipeline.progress import track
from data_pipeline.publish import only_one_in, publishing
from data_pipeline.quality import Report
from data_pipeline.shards import shard_path
from data_pipeline.store import open_store, partial_path

if TYPE_CHECKING:
    from pathlib import Path

    from data_pipeline.config import DataConfig
    from data_pipeline.store import TrainingStore


def append(config: DataConfig, *, progress: bool = True, crew: Crew = THIS_MACHINE) -> Path:
    """Add to the store of ``config`` the times by which its period has grown; run again to resume.

    The sources need not hold what the store's full shards hold already, but for the last state of them.
    Whole shards are taken over as they are, once their bytes are verified; the store is replaced when all is done, by
    two renames, between which it is not there for a moment.

    Raises
    ------
    DataError
        If there is no store, it differs in more than the end of the period, or one of its shards is damaged; and what
        ``build`` raises.
    """
    folder = partial_path(config.store)
    if not (folder / REPLACED).exists():
        open_store(config.store)  # says what is wrong with it before anything is made
    with only_one_in(folder):
        finish_publishing(folder, config.store)
        old = open_store(config.store)
        if old.group.attrs["config_sha256"] == digest_of(config):
            clear(folder, config)
        else:
            _require_extension(old, config)
            _extend(old, config, folder, progress=progress, crew=crew)
            publish(folder, config.store)
    return config.store


def _extend(old: TrainingStore, config: DataConfig, folder: Path, *, progress: bool, crew: Crew) -> None:
    full = len(old.times) // config.slots
    gathering = open_sources(config, found := Report(), config.times[max(full * config.slots - 1, 0) :])
    names, values = old.static
    static = {name: (("latitude", "longitude"), field) for name, field in zip(names, values, strict=True)}
    gathering = replace(gathering, static=xr.Dataset(static, coords=old.grid.coordinates))
    prepare(gathering, found, folder, scaling=old.scaling, earlier=read_report(report_path(old.path)))
    _adopt(old, config, folder, full, progress=progress)
    grow(gathering, folder, progress=progress, crew=crew)


def _require_extension(old: TrainingStore, config: DataConfig) -> None:
    """Only the end of the period may differ, and it must be later."""
    before, after = old.group.attrs["config"], config.model_dump(mode="json", exclude={"store"})
    assert isinstance(before, dict)
    changed = [key for key in after if key not in {"period", "accept"} and after[key] != before.get(key)]
    if after["period"]["start"] != before["period"]["start"]:
        changed.append("period.start")
    if changed:
        raise DataError(
            f"{old.path} was built with other {', '.join(changed)}; expected only a later period.stop; build it anew"
        )
    if len(config.times) <= len(old.times):
        stop = before["period"]["stop"]
        raise DataError(f"{old.path} goes to {stop} already, got {config.period.stop}; set a later period.stop")
    if config.precision == "float16" and config.training_period.contains(config.times[len(old.times) :]).any():
        stop = config.training_period.stop
        raise DataError(f"{old.path} was scaled before its training period ended ({stop}); build it anew")


def _adopt(old: TrainingStore, config: DataConfig, folder: Path, full: int, *, progress: bool) -> None:
    """Take over the first ``full`` shards."""
    finished, sums = Ledger(folder / LEDGER).finished(), read_sums(old.path)
    todo = [number for number in range(full) if number not in finished]
    for number in track(todo, "taking over", "shard", enabled=progress):
        source, target = (shard_path(root / "fields", number) for root in (old.path, folder / GROWING))
        digest = sums[source.relative_to(old.path).as_posix()]
        if sha256(source) != digest:
            raise DataError(f"{source} is damaged: its sha256 differs; build the store anew")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _link(source, target)
        adopt_slab(config, old.scaling, folder, number, digest)


def _link(source: Path, target: Path) -> None:
    """The same file under another name, or a copy where the disk knows no links."""
    try:
        os.link(source, target)
    except OSError:
        with publishing(target) as aside:
            shutil.copyfile(source, aside)
