"""NOAA's analyses: GEFS (31 members at 0.5 degrees) and GFS, in public buckets and on NOMADS.

https://registry.opendata.aws/noaa-gefs and https://registry.opendata.aws/noaa-gfs-bdp-pds. Each cycle has GRIB 2 files
a step, each with an inventory of wgrib2 beside it (``.idx``). Fields are split over a file ``pgrb2a`` (``pgrb2`` of
GFS) with the common ones and ``pgrb2b`` with the others.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from data_pipeline.realtime import cycles
from data_pipeline.realtime.archive import Addresses
from data_pipeline.realtime.fetching import fetch_from, look_in
from data_pipeline.realtime.index_files import read_inventory

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from data_pipeline.realtime.fields import Field as Wanted
    from data_pipeline.realtime.index_files import Entry
    from data_pipeline.realtime.request import Readiness, Request

GEFS_MIRRORS = (
    "https://noaa-gefs-pds.s3.amazonaws.com",
    "https://storage.googleapis.com/gfs-ensemble-forecast-system",
    "https://nomads.ncep.noaa.gov/pub/data/nccf/com/gens/prod",
)
GFS_MIRRORS = (
    "https://noaa-gfs-bdp-pds.s3.amazonaws.com",
    "https://storage.googleapis.com/global-forecast-system",
    "https://nomads.ncep.noaa.gov/pub/data/nccf/com/gfs/prod",
)

NAMES = {
    ("HGT", "mb"): "geopotential",
    ("TMP", "mb"): "temperature",
    ("UGRD", "mb"): "u_component_of_wind",
    ("VGRD", "mb"): "v_component_of_wind",
    ("SPFH", "mb"): "specific_humidity",
    ("RH", "mb"): "relative_humidity",
    ("VVEL", "mb"): "vertical_velocity",
    ("TMP", "2 m above ground"): "2m_temperature",
    ("DPT", "2 m above ground"): "2m_dewpoint_temperature",
    ("UGRD", "10 m above ground"): "10m_u_component_of_wind",
    ("VGRD", "10 m above ground"): "10m_v_component_of_wind",
    ("PRMSL", "mean sea level"): "mean_sea_level_pressure",
    ("PRES", "surface"): "surface_pressure",
    ("UGRD", "100 m above ground"): "100m_u_component_of_wind",
    ("VGRD", "100 m above ground"): "100m_v_component_of_wind",
    ("PWAT", "entire atmosphere (considered as a single layer)"): "total_column_water_vapour",
    ("WEASD", "surface"): "snow_depth",
    ("APCP", "surface"): "total_precipitation",
    ("TCDC", "entire atmosphere"): "total_cloud_cover",
    ("ICEC", "surface"): "sea_ice_cover",
    ("LAND", "surface"): "land_sea_mask",
    ("HGT", "surface"): "geopotential_at_surface",
}
"""``{(parameter, level): variable}`` of what the inventories may list."""

_GEFS_FIRST, _GFS_FIRST = np.datetime64("2020-09-24T00"), np.datetime64("2021-03-23T00")
"""Cycles from which on the layout is as it is (GEFS 12, GFS 16)."""


class _Noaa(BaseModel):
    """What both archives have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mirrors: Addresses
    first_cycle: ClassVar[np.datetime64]
    last_member: ClassVar[int | None]

    @property
    @abstractmethod
    def name(self) -> str:
        """As messages and folders have it."""

    @property
    def control(self) -> int | None:
        """Member 0, where there are members."""
        return None if self.last_member is None else 0

    def look(self, request: Request, *, now: np.datetime64 | None = None) -> Readiness:
        """What no mirror has of a request."""
        return look_in(self, request, now)

    def fetch(self, request: Request, folder: Path) -> xr.Dataset:
        """Canonical states on the archive's own grid, lazily."""
        return fetch_from(self, request, folder)

    def require_possible(self, request: Request) -> None:
        """Raise a DataError for an unknown variable, member or hour, a GoneError for what is older than the layout."""
        cycles.require_variables(request, set(NAMES.values()), self.name)
        cycles.require_cycles(request, self.first_cycle, self.name)
        cycles.require_member(request, self.last_member, self.name)

    @abstractmethod
    def paths(self, wanted: Wanted) -> tuple[str, ...]:
        """Both files that may hold a field."""

    def index_path(self, path: str) -> str:
        """The inventory of a GRIB file."""
        return path + ".idx"

    def entries(self, text: str, url: str) -> list[Entry]:
        """What an inventory lists of known variables."""
        return read_inventory(text, url, NAMES)


class GefsSource(_Noaa):
    """Analyses of GEFS: member 0 (or None) is the control c00, 1 to 30 are p01 to p30."""

    kind: Literal["gefs"] = "gefs"
    mirrors: Addresses = GEFS_MIRRORS
    first_cycle = _GEFS_FIRST
    last_member = 30

    @property
    def name(self) -> str:
        """As messages and folders have it."""
        return self.kind

    def paths(self, wanted: Wanted) -> tuple[str, ...]:
        """Both files that may hold a field."""
        date, hour = cycles.date_and_hour(wanted.cycle)
        member = f"p{wanted.number:02d}" if wanted.number else "c00"
        return tuple(
            f"gefs.{date}/{hour}/atmos/pgrb2{part}p5/ge{member}.t{hour}z.pgrb2{part}.0p50.f{wanted.step_hours:03d}"
            for part in "ab"
        )


class GfsSource(_Noaa):
    """Analyses of GFS at one of its resolutions; it has no members."""

    kind: Literal["gfs"] = "gfs"
    resolution: Literal["0p25", "0p50", "1p00"] = "0p25"
    mirrors: Addresses = GFS_MIRRORS
    first_cycle = _GFS_FIRST
    last_member = None

    @property
    def name(self) -> str:
        """As messages and folders have it."""
        return f"{self.kind}-{self.resolution}"

    def paths(self, wanted: Wanted) -> tuple[str, ...]:
        """Both files that may hold a field."""
        date, hour = cycles.date_and_hour(wanted.cycle)
        return tuple(
            f"gfs.{date}/{hour}/atmos/gfs.t{hour}z.{part}.{self.resolution}.f{wanted.step_hours:03d}"
            for part in ("pgrb2", "pgrb2b")
        )
