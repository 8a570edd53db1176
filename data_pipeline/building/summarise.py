"""The end of a build: statistics from the ledger, climatologies from the fields, the metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import zarr

from data_pipeline.building.creation import consolidate, write_climatology, write_statistics
from data_pipeline.building.ledger import Ledger, Pieces
from data_pipeline.building.slabs import GROWING, LEDGER, slab_times
from data_pipeline.climatology import fit_climatology
from data_pipeline.day_of_year_fit import write_day_of_year
from data_pipeline.statistics import Moments, Statistics, longest_lag, merge_summaries, summarise_seam
from data_pipeline.store import TrainingStore, store_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from data_pipeline.config import DataConfig

SLAB_BYTES = 2**25
"""Of states that the climatology holds at a time."""

Slab = tuple["NDArray[np.datetime64]", "NDArray[np.float32]"]


def summarise(config: DataConfig, folder: Path, *, progress: bool) -> None:
    """Add statistics and climatologies to the store in ``folder``, all of whose shards are written.

    What an interrupted attempt finished of them is kept.
    """
    growing = folder / GROWING
    group = zarr.open_group(growing, mode="r+", use_consolidated=False)
    store = store_of(growing, group)
    if "climatology" not in (seasons := Pieces(folder / LEDGER, growing / "climatology")):
        write_climatology(group, fit_climatology(lambda: _slabs(store, config), store.channels, store.grid))
        seasons.add("climatology")
    if config.climatology is not None:
        write_day_of_year(
            group.require_group("day_of_year"), store.read, store.times, _inside(store, config), config.climatology,
            folder=folder, finished=Pieces(folder / LEDGER, growing / "day_of_year"), progress=progress,
        )  # fmt: skip
    write_statistics(group, _statistics(config, folder, store))
    consolidate(growing)


def _inside(store: TrainingStore, config: DataConfig) -> NDArray[np.int64]:
    """Positions of the training period."""
    return np.flatnonzero(config.training_period.contains(store.times))


def _statistics(config: DataConfig, folder: Path, store: TrainingStore) -> Statistics:
    ledger = Ledger(folder / LEDGER)
    summaries = [ledger.entry(number).summary for number in range(config.slabs)]
    seams = [_seam(config, store, number) for number in range(1, config.slabs)]
    return merge_summaries([s for s in summaries if s is not None], [seam for seam in seams if seam])


def _seam(config: DataConfig, store: TrainingStore, number: int) -> dict[int, Moments]:
    """The changes of the training period that end in slab ``number`` and start before it."""
    start, reach = number * config.slots, longest_lag(config.interval_hours)
    after = np.arange(start, start + min(reach, len(slab_times(config, number))))
    before = np.arange(max(start - reach, 0), start)
    before, after = (part[config.training_period.contains(store.times[part])] for part in (before, after))
    if not (before.size and after.size):
        return {}
    weights = store.grid.area_weights()
    return summarise_seam(store.read(before), store.read(after), weights, config.interval_hours)


def _slabs(store: TrainingStore, config: DataConfig) -> Iterator[Slab]:
    inside = _inside(store, config)
    state_bytes = 4 * int(np.prod(store.shards.shape))
    at_once = max(1, SLAB_BYTES // state_bytes)
    for start in range(0, len(inside), at_once):
        part = inside[start : start + at_once]
        yield store.times[part], store.read(part)
