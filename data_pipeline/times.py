"""Times as whole hours, in UTC, and as people write them."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

HOUR = np.timedelta64(1, "h")
"""A span of time divided by it is a number of hours."""
DAYS_OF_A_YEAR = 365.2422
"""Of the sun."""


def whole_hours(times: NDArray[np.datetime64], epoch: np.datetime64) -> NDArray[np.int64]:
    """Hours since ``epoch``; files store times as such.

    Raises
    ------
    DataError
        If a time is not a whole hour.

    >>> whole_hours(np.array(["1970-01-02T06"], "datetime64[ns]"), np.datetime64("1970-01-01", "ns")).tolist()
    [30]
    """
    since = times - epoch
    broken = times[since % HOUR != np.timedelta64(0)]
    if broken.size:
        shown = np.datetime_as_string(broken[0], unit="s")
        raise DataError(f"{broken.size} times are not whole hours, the first {shown}; select whole hours")
    return (since // HOUR).astype(np.int64)


def hour_of_day(times: NDArray[np.datetime64]) -> NDArray[np.float32]:
    """Hours since midnight, UTC.

    >>> hour_of_day(np.array(["1969-12-31T18", "2001-01-05T06:30"], "datetime64[ns]")).tolist()
    [18.0, 6.5]
    """
    hours: NDArray[np.float32] = ((times - times.astype("datetime64[D]")) / HOUR).astype(np.float32)
    return hours


def shown(time: np.datetime64) -> str:
    """A time for a message, with minutes only where there are any.

    >>> shown(np.datetime64("2001-01-05T06", "ns")), shown(np.datetime64("2001-01-05T06:30", "ns"))
    ('2001-01-05T06', '2001-01-05T06:30')
    """
    return str(np.datetime_as_string(time, unit="m")).removesuffix(":00")


def utc(time: datetime) -> datetime:
    """The time in UTC, without a zone; one without a zone is UTC already."""
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
