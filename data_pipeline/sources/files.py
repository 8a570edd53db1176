"""NetCDF files and zarr stores in any layout that the canonical form knows: Climate Data Store, WeatherBench2, ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from data_pipeline.sources.lazy import TIMES_PER_CHUNK
from data_pipeline.sources.opening import open_raw, raw_parts
from data_pipeline.sources.shares import accumulated_over, canonical_share, share_of_parts

if TYPE_CHECKING:
    from collections.abc import Collection

    import xarray as xr

    from data_pipeline.quality.findings import Report
    from data_pipeline.sources.protocol import Window

__all__ = ["TIMES_PER_CHUNK", "FilesSource", "canonical_share", "open_raw"]


class FilesSource(BaseModel):
    """A zarr store, a NetCDF file, or a folder or glob of NetCDF files that follow each other in time; or a URL.

    ``accumulation_hours`` is the time that accumulated fields are sums over, where the files do not say it. Of files
    of the Climate Data Store (they have an ``expver``) it is 1 unless told otherwise: ERA5 adds up over an hour.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["files"] = "files"
    path: str
    accumulation_hours: int | None = Field(default=None, ge=1)

    def open(self, wanted: Collection[str], window: Window | None = None, report: Report | None = None) -> xr.Dataset:
        """Those of the ``wanted`` variables that the files hold, canonical and lazy, inside ``window``."""
        parts = raw_parts(self.path)
        hourly = 1 if "expver" in parts[0].variables else None
        share = share_of_parts(parts, wanted, self.path, window, report)
        return accumulated_over(share, self.accumulation_hours or hourly)
