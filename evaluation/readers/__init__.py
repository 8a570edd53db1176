"""Forecast files, ours and others', as one layout: runs over lead_time, realization, level, latitude, longitude.

docs/scores/reading.md says which layouts are read and how each is understood.
"""

from __future__ import annotations

from evaluation.readers.opening import files_of, open_forecasts, open_run, open_runs
from evaluation.readers.pieces import DIMENSIONS

__all__ = ["DIMENSIONS", "files_of", "open_forecasts", "open_run", "open_runs"]
