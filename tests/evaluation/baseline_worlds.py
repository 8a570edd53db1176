"""Truths, climatologies and matches that baselines are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.channels import Channel
from data_pipeline.grid import Grid
from evaluation.pairs import Match

if TYPE_CHECKING:
    from collections.abc import Sequence

GRID = Grid.equiangular(4, 8, poles=False)
TEMPERATURE, HEIGHT = Channel("2m_temperature"), Channel("geopotential", 500)
HOUR, DAY = np.timedelta64(1, "h").astype("timedelta64[ns]"), np.timedelta64(1, "D").astype("timedelta64[ns]")


def matches_of(
    starts: Sequence[str], leads: Sequence[int], channels: Sequence[Channel] = (TEMPERATURE,)
) -> list[Match]:
    """Of every start, lead in hours and channel."""
    return [
        Match(xr.Dataset(), np.datetime64(start, "ns"), lead * HOUR, channel)
        for start in starts for lead in leads for channel in channels
    ]  # fmt: skip


def times_from(start: str, count: int, hours: int) -> np.ndarray:
    return np.datetime64(start, "ns") + np.arange(count) * hours * HOUR


def truth_of(values: np.ndarray, times: np.ndarray) -> xr.Dataset:
    coords = {"time": times, "latitude": list(GRID.latitude), "longitude": list(GRID.longitude)}
    return xr.Dataset({"2m_temperature": (("time", "latitude", "longitude"), values)}, coords=coords)
