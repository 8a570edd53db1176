"""ARCO-ERA5: hourly ERA5 on 37 levels at 0.25 degrees, from Google's public bucket.

https://github.com/google-research/arco-era5. Its time axis is longer than its data: hours from 1900 on, of which those
from attribute ``valid_time_start`` to the end of the day ``valid_time_stop`` are final (ERA5), and those to the end of
the day ``valid_time_stop_era5t`` preliminary (ERA5T). All others read as NaN. Sums are over an hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from data_pipeline.errors import DataError
from data_pipeline.sources.opening import raw_parts
from data_pipeline.sources.shares import accumulated_over, share_of_parts
from data_pipeline.times import HOUR, shown

if TYPE_CHECKING:
    from collections.abc import Collection

    import xarray as xr

    from data_pipeline.quality.findings import Report
    from data_pipeline.sources.protocol import Window

PUBLIC_STORE = "gs://gcp-public-data-arco-era5/ar/full_37-1h-0p25deg-chunk-1.zarr-v3"


class ArcoEra5Source(BaseModel):
    """The ARCO-ERA5 store, or a part of it in the same layout at another ``path`` or URL.

    ``preliminary`` reads the latest months (ERA5T) too, which may still change once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["arco_era5"] = "arco_era5"
    path: str = PUBLIC_STORE
    preliminary: bool = False

    def open(self, wanted: Collection[str], window: Window | None = None, report: Report | None = None) -> xr.Dataset:
        """Those of the ``wanted`` variables that the store holds, canonical and lazy, inside ``window``.

        Without a window it is the whole valid period, which is far too long a dask graph for the public store.
        """
        parts = raw_parts(self.path)
        first, final, last = valid_times(parts[0], self.path)
        stop = last if self.preliminary else final
        if window is not None and (window[1] < first or window[0] > stop):
            raise DataError(self._outside(window, (first, final, last)))
        start = first if window is None else max(window[0], first)
        stop = stop if window is None else min(window[1], stop)
        if report is not None and stop > final:
            later = int((stop - max(start, final)) / HOUR)
            message = f"{later} hours after {shown(final)} are preliminary (ERA5T); read them again when they are final"
            report.add("preliminary", message, count=later)
        return accumulated_over(share_of_parts(parts, wanted, self.path, (start, stop), report), hours=1)

    def _outside(self, window: Window, valid: tuple[np.datetime64, np.datetime64, np.datetime64]) -> str:
        first, final, last = map(shown, valid)
        more = f" (to {last} with 'preliminary: true')" if last != final and not self.preliminary else ""
        stop = last if self.preliminary else final
        asked = f"{shown(window[0])} .. {shown(window[1])}"
        return f"{self.path} has data in {first} .. {stop}{more}, none in {asked}; change the period"


def valid_times(raw: xr.Dataset, path: str) -> tuple[np.datetime64, np.datetime64, np.datetime64]:
    """First hour, last final hour and last preliminary hour of the data, as the store's attributes say.

    Raises
    ------
    DataError
        If the attributes are missing or no dates.
    """
    try:
        first = np.datetime64(raw.attrs["valid_time_start"], "ns")
        final = last_hour(str(raw.attrs["valid_time_stop"]))
        last = last_hour(str(raw.attrs.get("valid_time_stop_era5t", raw.attrs["valid_time_stop"])))
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{path} does not say which of its times hold data ({error}), expected dates in the attributes "
            "valid_time_start and valid_time_stop as in ARCO-ERA5; open it as kind: weatherbench2 or kind: files"
        ) from error
    return first, final, max(final, last)


def last_hour(text: str) -> np.datetime64:
    """The last hour that an ISO date stands for: the day's, or the one that it names.

    >>> str(last_hour("2025-04-30"))[:13], str(last_hour("2025-04-30T05"))[:13]
    ('2025-04-30T23', '2025-04-30T05')
    """
    following: np.datetime64 = (np.datetime64(text) + 1).astype("datetime64[ns]")
    return following - HOUR
