"""The same days of other years, in the times of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Times = NDArray[np.datetime64]
    Positions = NDArray[np.int64]

DAYS_A_YEAR = 365.25
_DAY = np.timedelta64(1, "D")


def same_season(times: Times, when: np.datetime64, around: int) -> tuple[Positions, Positions]:
    """Positions of the times of the same hour, at most so many days from the same day of any year, and their years.

    Years count from that of ``when``; each holds one season, also where it goes over the end of a calendar year.
    """
    days = (times - when) / _DAY
    years = np.rint(days / DAYS_A_YEAR).astype(int)
    hour = (times - times.astype("datetime64[D]")) == (when - when.astype("datetime64[D]"))
    positions = np.flatnonzero(hour & (np.abs(days - np.rint(DAYS_A_YEAR * years)) <= around))
    return positions, years[positions]


def same_courses(times: Times, wanted: Times) -> list[Positions]:
    """Positions of the ``wanted`` times moved by whole years, for every year in which ``times`` has all of them."""
    first, last = (round(float((end - wanted[0]) / _DAY) / DAYS_A_YEAR) for end in (times[0], times[-1]))
    moved = [wanted + round(DAYS_A_YEAR * year) * _DAY for year in range(first - 1, last + 2)]
    return [np.searchsorted(times, course) for course in moved if np.isin(course, times).all()]
