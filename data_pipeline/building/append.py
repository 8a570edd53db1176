"""Lengthen a finished store: new months, and the same bytes as if all of it had been built at once."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.building.build import REPLACED, THIS_MACHINE, Crew, clear, finish_publishing, grow, prepare, publish
from data_pipeline.building.gather import open_sources
from data_pipeline.building.ledger import Ledger
from data_pipeline.building.origin import SOURCE_CHANGED
from data_pipeline.building.provenance import digest_of
from data_pipeline.building.report import read_report, report_path
from data_pipeline.building.slabs import GROWING, LEDGER, adopt_slab
from data_pipeline.building.way import changed_keys
from data_pipeline.building.workers import workers
from data_pipeline.errors import DataError
from data_pipeline.integrity import read_sums, sha256
from data_pipeline.progress import track
from data_pipeline.publish import only_one_in, publishing
from data_pipeline.quality import Report
from data_pipeline.shards import shard_path
from data_pipeline.store import open_store, partial_path
from data_pipeline.times import shown

if TYPE_CHECKING:
    from pathlib import Path

    from data_pipeline.building.gather import Gathering
    from data_pipeline.building.workers import Workers
    from data_pipeline.config import DataConfig
    from data_pipeline.store import TrainingStore


def append(config: DataConfig, *, progress: bool = True, crew: Crew = THIS_MACHINE) -> Path:
    """Add to the store of ``config`` the times by which its period has grown; run again to resume.

    The sources need not hold what the store's full shards hold already, but for the last state of them.
    Whole shards are taken over as they are, once their bytes are verified. That the sources are still those of the
    store is seen in the first and the last state that both hold: bit for bit. The store is replaced when all is done.

    Raises
    ------
    DataError
        If there is no store, it differs in more than the end of the period, one of its shards is damaged, or the
        sources give other values than it holds; and what ``build`` raises.
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
            with workers(crew.threads, crew.scheduler) as hands:
                _extend(old, config, folder, hands, progress=progress)
            publish(folder, config.store)
    return config.store


def _extend(old: TrainingStore, config: DataConfig, folder: Path, hands: Workers, *, progress: bool) -> None:
    gathering = gather_extension(old, config, found := Report())
    prepare(gathering, found, folder, scaling=old.scaling, earlier=read_report(report_path(old.path)))
    _adopt(old, config, folder, progress=progress)
    grow(gathering, folder, hands, progress=progress)


def gather_extension(old: TrainingStore, config: DataConfig, found: Report) -> Gathering:
    """What the store ``old`` lacks of ``config``, with the last state of its full shards; its static fields are kept.

    Raises
    ------
    DataError
        If more than the end of the period differs, or the sources give other values than the store holds.
    """
    _require_extension(old, config)
    gathering = open_sources(config, found, config.times[max(full_shards(old, config) * config.slots - 1, 0) :])
    names, values = old.static
    static = {name: (("latitude", "longitude"), field) for name, field in zip(names, values, strict=True)}
    gathering = replace(gathering, static=xr.Dataset(static, coords=old.grid.coordinates))
    _require_same_values(old, gathering, found)
    return gathering


def full_shards(old: TrainingStore, config: DataConfig) -> int:
    """Shards of the store that stay as they are."""
    return len(old.times) // config.slots


def _require_same_values(old: TrainingStore, gathering: Gathering, found: Report) -> None:
    """The first and the last state that store and sources both hold must be the same to the last bit."""
    config = gathering.config
    both = [len(config.times) - len(gathering.times), len(old.times) - 1]
    for position in sorted(set(both)):
        (state,) = gathering.states(config.times[[position]])
        given = old.scaling.encode(state) if old.scaling else state
        held = old.shards.read(position)
        same = (given == held) | (np.isnan(given) & np.isnan(held))
        channels = [name for name, whole in zip(config.channels.names, same.all(axis=(1, 2)), strict=True) if not whole]
        if channels:
            _refuse_other_values(old, config, shown(config.times[position]), channels, found)


def _refuse_other_values(
    old: TrainingStore, config: DataConfig, time: str, channels: list[str], found: Report
) -> None:  # fmt: skip
    named = ", ".join(channels[:3]) + (f" and {len(channels) - 3} more" if len(channels) > 3 else "")
    what = f"the sources give other values of {named} at {time} than {old.path} holds: they changed since it was built"
    if SOURCE_CHANGED not in config.accept:
        raise DataError(
            f"{what}; build it anew, or name '{SOURCE_CHANGED}' under 'accept' to append the new version to the old"
        )
    found.add(SOURCE_CHANGED, f"{what}; what was appended is of the new version", time=time)


def _require_extension(old: TrainingStore, config: DataConfig) -> None:
    """Only the end of the period may differ, and it must be later."""
    before = old.group.attrs["config"]
    assert isinstance(before, dict)
    changed = [key for key in changed_keys(before, config) if key != "period"]
    if config.period.start != before["period"]["start"]:
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


def _adopt(old: TrainingStore, config: DataConfig, folder: Path, *, progress: bool) -> None:
    """Take over the full shards."""
    finished, sums = Ledger(folder / LEDGER).finished(), read_sums(old.path)
    todo = [number for number in range(full_shards(old, config)) if number not in finished]
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
