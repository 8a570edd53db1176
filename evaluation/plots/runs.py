"""The run that is drawn, of a path that may hold several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data_pipeline.errors import DataError, SphercastError
from data_pipeline.reading import open_states
from data_pipeline.times import shown
from evaluation.readers import open_runs

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

_MOST_LISTED = 6


def open_at(path: str | Path, init: str | None = None) -> xr.Dataset:
    """The run that starts at ``init`` (UTC, e.g. 2001-01-05T00), by default the newest; lazily.

    Raises
    ------
    DataError
        If the path holds no forecast, or none that starts then; the message lists those there are.
    """
    runs = _opened(path)
    if init is None:
        return runs[-1]
    start, starts = _parsed(init), np.array([run["initial_time"].values for run in runs], dtype="datetime64[ns]")
    if start not in starts:
        names = [shown(own) for own in starts]
        known = ", ".join(names) if len(names) <= _MOST_LISTED else f"{len(names)} from {names[0]} to {names[-1]}"
        raise DataError(f"{path} has no forecast from {shown(start)}; it has: {known}")
    return runs[int(np.flatnonzero(starts == start)[0])]


def _opened(path: str | Path) -> list[xr.Dataset]:
    try:
        return open_runs(path)
    except DataError as no_forecast:
        try:
            open_states(path)
        except SphercastError:
            raise no_forecast from None
        raise DataError(
            f"{path} holds states, as an analysis does, and no forecast; expected a forecast, beside which --against "
            "takes the analysis"
        ) from None


def _parsed(text: str) -> np.datetime64:
    try:
        return pd.Timestamp(text.removesuffix("Z")).to_datetime64()
    except ValueError:
        raise DataError(f"got initial time {text!r}, expected a date and time such as 2001-01-05T00") from None
