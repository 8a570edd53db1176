"""Best tracks of tropical cyclones as IBTrACS v04 publishes them (Knapp et al. 2010, doi:10.1175/2009BAMS2755.1)."""

from __future__ import annotations

import csv
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from evaluation.tracks.track import Centre, Track

if TYPE_CHECKING:
    from pathlib import Path

KNOT = 1852 / 3600
"""In m s-1."""
WIND, PRESSURE = ("USA_WIND", "WMO_WIND"), ("WMO_PRES", "USA_PRES")
"""Columns in which wind (knots) and pressure (hPa) are looked for, in this order."""
_REQUIRED = ("SID", "ISO_TIME", "LAT", "LON")


def read_best_tracks(path: Path) -> list[Track]:
    """The main tracks of a CSV file, named by their storm identifier, in its order.

    Spurs (column TRACK_TYPE) are left out: they are other opinions on a storm that is there already. Values are blank
    where an agency has none, then NaN.

    Raises
    ------
    ScoreError
        If it is not there, lacks a column, a row makes no sense, or a storm has a time twice.
    """
    storms: dict[str, list[Centre]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            lacking = [name for name in _REQUIRED if name not in (rows.fieldnames or ())]
            if lacking:
                raise ScoreError(f"{path} lacks the columns {', '.join(lacking)}, expected IBTrACS v04 CSV")
            for number, row in enumerate(rows):
                if number == 0 and not row["SID"].strip():  # the row of units
                    continue
                if not (row.get("TRACK_TYPE") or "").strip().startswith("spur"):
                    storms.setdefault(row["SID"], []).append(_centre(row, path))
    except (OSError, UnicodeDecodeError) as error:
        raise ScoreError(f"{path} cannot be read ({error}); expected IBTrACS v04 CSV") from error
    return [_track(name, centres, path) for name, centres in storms.items()]


def _centre(row: dict[str, str], path: Path) -> Centre:
    try:
        time = np.datetime64(row["ISO_TIME"].strip().replace(" ", "T"), "ns")
        latitude, longitude = float(row["LAT"]), float(row["LON"]) % 360
        wind, pressure = _first(row, WIND) * KNOT, _first(row, PRESSURE) * 100
    except (ValueError, TypeError) as error:
        raise ScoreError(
            f"{path} has a row of {row['SID']} that makes no sense ({error}); expected IBTrACS v04 CSV"
        ) from error
    return Centre(time, latitude, longitude, pressure, wind)


def _first(row: dict[str, str], names: tuple[str, ...]) -> float:
    """The first value that is not blank, else NaN."""
    return next((float(row[name]) for name in names if (row.get(name) or "").strip()), np.nan)


def _track(name: str, centres: list[Centre], path: Path) -> Track:
    ordered = sorted(centres, key=lambda own: own.time)
    twice = [own.time for own, after in pairwise(ordered) if own.time == after.time]
    if twice:
        raise ScoreError(f"{path} has {name} at {twice[0]} twice; keep one row")
    return Track(name, tuple(ordered))
