"""Lists of stations: CSV files of names and places."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.regrid import Points

if TYPE_CHECKING:
    from pathlib import Path

_NEEDED, _OPTIONAL = ("name", "latitude", "longitude"), ("altitude",)


def read_stations(path: Path) -> tuple[tuple[str, ...], Points, tuple[float, ...] | None]:
    """Names, places and altitudes (m, None without that column) of a CSV file with a header.

    Columns are ``name``, ``latitude``, ``longitude`` and, if it is there, ``altitude``, in any order.

    Raises
    ------
    DataError
        If the file is missing, is no such table, has no station, has a name twice or none, or a number is none.
    """
    rows = _rows(path)
    names = tuple(row["name"].strip() for row in rows)
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice or "" in names:
        wrong = f"{twice[0]!r} twice" if twice else ("a station without a name" if names else "no station")
        raise DataError(f"{path} has {wrong}, expected stations with a name each; mend the list")
    numbers = [key for key in (*_NEEDED[1:], *_OPTIONAL) if key in rows[0]]
    columns = {key: tuple(_number(row, key, path) for row in rows) for key in numbers}
    try:
        points = Points(columns["latitude"], columns["longitude"])
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return names, points, columns.get("altitude")


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, strict=True)
            rows = list(table)
            header = table.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"the list of stations {path} cannot be read ({reason}); give a CSV file in UTF-8") from error
    lacking = [name for name in _NEEDED if name not in header]
    ragged = [row for row in rows if None in row or None in row.values()]
    if lacking or ragged:
        got = f"columns {', '.join(header) or 'none'}" if lacking else f"{len(ragged)} rows of another length"
        raise DataError(
            f"{path} has {got}, expected the columns {', '.join(_NEEDED)} (and altitude in m); mend the list"
        )
    return rows


def _number(row: dict[str, str], key: str, path: Path) -> float:
    try:
        value = float(row[key])
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DataError(f"{path}: {key} of {row['name']} is {row[key]!r}, expected a number; mend the list")
    return value
