"""Where and when something is, for a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.times import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid

NEVER = np.datetime64("NaT", "ns")
"""The time of what never changes."""
_LISTED = 5
"""Times that a message names."""


def when(time: np.datetime64) -> str | None:
    """A time for a finding; none for what never changes.

    >>> when(np.datetime64("2001-01-05T06", "ns")), when(NEVER)
    ('2001-01-05T06', None)
    """
    return None if np.isnat(time) else shown(time)


def listed_times(times: NDArray[np.datetime64]) -> str:
    """The first times for a message, and how many more there are.

    >>> listed_times(np.arange("2001-01-01", "2001-01-08", dtype="datetime64[D]").astype("datetime64[ns]"))
    '2001-01-01T00, 2001-01-02T00, 2001-01-03T00, 2001-01-04T00, 2001-01-05T00 and 2 more'
    """
    first = ", ".join(shown(time) for time in times[:_LISTED])
    return first + (f" and {times.size - _LISTED} more" if times.size > _LISTED else "")


def place_at(grid: Grid, position: int) -> str:
    """The point with that number, counted along rows from the north-west corner.

    >>> from data_pipeline.grid import Grid
    >>> place_at(Grid.equiangular(3, 4, poles=True), 5)
    '0N 90E'
    """
    row, column = divmod(position, grid.shape[1])
    return f"{grid.latitude[row]:g}N {grid.longitude[column]:g}E"
