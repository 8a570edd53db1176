"""What a GRIB message says of its field and how its values fill the grid, read with eccodes."""

from __future__ import annotations

import importlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.grid import CIRCLE, COORDINATE_TOLERANCE
from data_pipeline.sources.grib_packing import unpack_simple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from typing import TextIO

    from numpy.typing import NDArray

_MISSING = -3.0e38
"""What eccodes is told to write where the bitmap has no value; no field has it."""

_STEP_UNIT_HOURS = {0: 1 / 60, 1: 1.0, 2: 24.0, 10: 3.0, 11: 6.0, 12: 12.0, 13: 1 / 3600}
"""Hours of the units of WMO code table 4.4 that have a fixed length."""


@dataclass(frozen=True)
class Kind:
    """What a header says of its field, apart from the time; ``level`` is in the unit of its ``level_type``."""

    short_name: str
    level_type: str
    level: int
    member: int
    step_hours: float
    accumulation_hours: float
    units: str
    grid_type: str
    grid: bytes


@dataclass(frozen=True, eq=False)
class Layout:
    """Labels of a grid, north to south and west to east in degrees, and how a message's values fill it."""

    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    columns_first: bool
    south_first: bool
    east_first: bool

    def in_scanning_order(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        """A view of a field (latitude, longitude), north to south and west to east, in the order of the message."""
        scanned = field[:: -1 if self.south_first else 1, :: -1 if self.east_first else 1]
        return scanned.T if self.columns_first else scanned


def kind_of(content: bytes, grid: bytes) -> Kind:
    """What eccodes reads in the header of a message; ``grid`` is that of its Header.

    Raises
    ------
    DataError
        If eccodes is missing.
    ValueError
        If it cannot read the header.
    """
    with _opened(content) as (library, handle):
        get = library.codes_get
        return Kind(
            short_name=get(handle, "shortName"),
            level_type=get(handle, "typeOfLevel"),
            level=get(handle, "level", int),
            member=get(handle, "number", int) if library.codes_is_defined(handle, "number") else 0,
            step_hours=_step_hours(library, handle),
            accumulation_hours=_accumulation_hours(library, handle),
            units=get(handle, "units"),
            grid_type=get(handle, "gridType"),
            grid=grid,
        )


def _step_hours(library: ModuleType, handle: int) -> float:
    """From reference to valid time; the difference of the two has no unit to go wrong with."""
    initial, valid = (
        datetime.strptime(
            f"{library.codes_get(handle, date, int):08d}{library.codes_get(handle, time, int):04d}", "%Y%m%d%H%M"
        )
        for date, time in (("dataDate", "dataTime"), ("validityDate", "validityTime"))
    )
    return (valid - initial).total_seconds() / 3600


def _accumulation_hours(library: ModuleType, handle: int) -> float:
    if library.codes_get(handle, "stepType", str) != "accum":
        return 0.0
    unit = library.codes_get(handle, "stepUnits", int)
    if unit not in _STEP_UNIT_HOURS:
        raise ValueError(f"accumulated over an unknown unit of time, number {unit} of code table 4.4")
    start, end = (int(library.codes_get(handle, key, str).rstrip("smhD")) for key in ("startStep", "endStep"))
    return round((end - start) * _STEP_UNIT_HOURS[unit], 6)


def layout_of(content: bytes) -> Layout:
    """Labels and scanning order of a message on a regular latitude-longitude or Gaussian grid.

    Evenly spaced labels are computed from the first and last one: the increments of GRIB 1 are whole
    millidegrees, which at 1.40625 degrees miss the last row by 0.03 degrees.

    Raises
    ------
    ValueError
        If alternate rows run in opposite directions, or eccodes cannot read the header.
    """
    with _opened(content) as (library, handle):
        get = library.codes_get
        if get(handle, "alternativeRowScanning", int):
            raise ValueError("alternate rows run in opposite directions")
        south_first, east_first = (bool(get(handle, key, int)) for key in ("jScansPositively", "iScansNegatively"))
        if get(handle, "gridType") == "regular_gg":
            latitude = np.sort(library.codes_get_array(handle, "distinctLatitudes", float))[::-1]
        else:
            first, last = (get(handle, f"latitudeOf{end}GridPointInDegrees", float) for end in ("First", "Last"))
            latitude = np.linspace(max(first, last), min(first, last), get(handle, "Nj", int))
        first, last = (get(handle, f"longitudeOf{end}GridPointInDegrees", float) for end in ("First", "Last"))
        west, east = (last, first) if east_first else (first, last)
        longitude = _longitudes(west, east, get(handle, "Ni", int))
        return Layout(latitude, longitude, bool(get(handle, "jPointsAreConsecutive", int)), south_first, east_first)


def _longitudes(west: float, east: float, count: int) -> NDArray[np.float64]:
    even = np.linspace(west, east + CIRCLE if east < west else east, count)
    circle = west + np.arange(count) * (CIRCLE / count)
    closed = np.allclose(even, circle, rtol=0, atol=COORDINATE_TOLERANCE)
    return np.asarray(circle if closed else even, dtype=np.float64)


def decode(content: bytes, field: NDArray[np.float32]) -> None:
    """Fill ``field``, two-dimensional in scanning order, with the values of a message, NaN where it has none.

    Raises
    ------
    ValueError
        If they cannot be unpacked, or are not as many.
    """
    if unpack_simple(content, field):
        return
    with _opened(content) as (library, handle):
        masked = bool(library.codes_get(handle, "bitmapPresent", int))
        if masked:
            library.codes_set(handle, "missingValue", _MISSING)
        values = library.codes_get_array(handle, "values", float)  # quicker than in single precision
    if masked:
        values[values <= _MISSING] = np.nan
    field[:] = values.reshape(field.shape)


@contextmanager
def _opened(content: bytes) -> Iterator[tuple[ModuleType, int]]:
    """(the library, its handle of a message); its errors leave as ValueErrors."""
    library = _library()[0]
    try:
        handle = library.codes_new_from_message(content)
        try:
            yield library, handle
        finally:
            library.codes_release(handle)
    except library.CodesInternalError as error:
        raise ValueError(f"eccodes: {error}") from error


@cache
def _library() -> tuple[ModuleType, TextIO]:
    """Eccodes, and where it writes its complaints (its exceptions say the same).

    It is imported late: only those who read GRIB have it. And after pyproj, which maps need: loaded after eccodes,
    pyproj crashes the process.
    """
    importlib.import_module("pyproj")
    try:
        library = importlib.import_module("eccodes")
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"GRIB is read with eccodes, which does not load ({reason}); install sphercast[grib]"
        ) from error
    # eccodes holds on to the file as long as the process lives, so nobody closes it
    silence = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", closefd=False)
    library.codes_context_set_logging(silence)
    return library, silence
