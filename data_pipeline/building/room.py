"""Does a store fit on the disk? Looked at before it is begun, not found out after days."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.building.ledger import Ledger
from data_pipeline.building.slabs import GROWING, LEDGER, slab_times
from data_pipeline.day_of_year_fit import climatology_bytes
from data_pipeline.day_of_year_records import DAYS
from data_pipeline.errors import DataError
from data_pipeline.shards import encode_chunk, shard_path
from data_pipeline.times import HOUR

if TYPE_CHECKING:
    from pathlib import Path

    from data_pipeline.building.gather import Gathering
    from data_pipeline.config import DataConfig
    from data_pipeline.scaling import Scaling


def require_room(store: Path, needed: int) -> None:
    """Raise a DataError if ``store`` cannot be written, or its disk has less than ``needed`` bytes free."""
    folder = _lowest_existing(store.parent)
    if not os.access(folder, os.W_OK):
        raise DataError(f"{folder} cannot be written; mend its permissions, or set another 'store'")
    free = free_bytes(store)
    if needed > free:
        raise DataError(
            f"{store} needs about {shown_size(needed)} more, its disk has {shown_size(free)} free; free space, set "
            "another 'store', or a shorter 'period'"
        )


def free_bytes(store: Path) -> int:
    """What may be written on the disk that ``store`` is, or will be, on."""
    return shutil.disk_usage(_lowest_existing(store.parent)).free


def _lowest_existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def still_to_write(gathering: Gathering, scaling: Scaling | None) -> int:
    """Bytes of a store whose gathered times are not written yet, estimated from the first of them."""
    (state,) = gathering.states(gathering.times[:1])
    packed = len(encode_chunk(scaling.encode(state) if scaling else state))
    return packed * len(gathering.times) + covered_bytes(gathering.config)


def still_to_finish(config: DataConfig, folder: Path) -> int:
    """Bytes that the store which grows in ``folder`` lacks, estimated from the shards that are finished; 0 if none is.

    Its climatology is not counted: some of it may be there.
    """
    finished = Ledger(folder / LEDGER).finished()
    states = sum(len(slab_times(config, number)) for number in finished)
    written = sum(shard_path(folder / GROWING / "fields", number).stat().st_size for number in finished)
    return written * (len(config.times) - states) // max(states, 1)


def summaries_bytes(config: DataConfig) -> int:
    """Of the climatology by hour and day of the year, before compression, which takes little off."""
    if config.climatology is None:
        return 0
    hours = len(np.unique((config.times - config.times.astype("datetime64[D]")) // HOUR))
    state_bytes = 4 * len(config.channels) * config.grid.latitudes * config.grid.longitudes
    return climatology_bytes(config.climatology, hours, state_bytes)


def covered_bytes(config: DataConfig) -> int:
    """Of those days of the climatology that the training period covers; the others are NaN, which pack to nothing."""
    if config.climatology is None:
        return 0
    days = len(np.unique(config.times[config.training_period.contains(config.times)].astype("datetime64[D]")))
    return summaries_bytes(config) * min(days + config.climatology.window_days, DAYS) // DAYS


def shown_size(count: int) -> str:
    """Bytes for people.

    >>> shown_size(418_000_000_000), shown_size(12_300_000)
    ('418 GB', '12.3 MB')
    """
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count / 1e3:.3g} kB"
