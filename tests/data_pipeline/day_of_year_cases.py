"""Records in memory that climatologies by hour and day of the year are fitted to."""

from __future__ import annotations

import numpy as np
import zarr

from data_pipeline.channels import Channels
from data_pipeline.day_of_year import ClimatologyConfig, DayOfYearClimatology
from data_pipeline.day_of_year_fit import write_day_of_year
from data_pipeline.grid import Grid
from tests.mock_world import mock_times

GRID = Grid.equiangular(4, 3, poles=False)
CHANNELS = Channels.of({"temperature": [500, 850], "sea_surface_temperature": None})
SHAPE = (len(CHANNELS), *GRID.shape)
YEARS = mock_times("2003-01-01", 2 * (365 + 366 + 365), 12)
"""Three years, the middle one a leap year, at 00 and 12 UTC."""


class Record:
    """A record in memory that counts how often each state is read, and the longest read."""

    def __init__(self, times: np.ndarray, fields: np.ndarray) -> None:
        self.times, self.fields = times, fields.astype(np.float32)
        self.reads, self.longest = np.zeros(len(times), int), 0

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        self.reads[positions] += 1
        self.longest = max(self.longest, len(positions))
        return self.fields[positions]


def weather(times: np.ndarray, seed: int = 0) -> Record:
    """Seasons, a daily cycle and noise; no sea at some points, and holes."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * ((times - np.datetime64("2000-01-01", "ns")) / np.timedelta64(31556926, "s"))
    season = 15 * np.cos(phase)[:, None, None, None] * rng.standard_normal(SHAPE)
    day = np.where(times.astype("datetime64[h]").astype(int) % 24 == 12, 5.0, 0.0)[:, None, None, None]
    fields = 280 + season + day + rng.standard_normal((len(times), *SHAPE))
    fields[:, 2, 1:3] = np.nan
    fields[rng.random(fields.shape) < 0.02] = np.nan
    return Record(times, fields)


def fit(record: Record, positions: np.ndarray | None = None, *, memory: int = 2**31, **changes: object) -> zarr.Group:
    group = zarr.group(zarr.storage.MemoryStore())
    config = ClimatologyConfig.model_validate({"quantiles": (), **changes})
    chosen = np.arange(len(record.times)) if positions is None else positions
    write_day_of_year(group, record, record.times, chosen, config, memory_bytes=memory, progress=False)
    return group


def opened(group: zarr.Group) -> DayOfYearClimatology:
    return DayOfYearClimatology.from_group(group, CHANNELS, GRID)
