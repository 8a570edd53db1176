"""ECMWF open data: IFS and AIFS, single and ensemble, at 0.25 degrees, on four mirrors.

https://confluence.ecmwf.int/x/CyE7E. Each cycle has a GRIB 2 file a step, with an index of JSON lines beside it:
``{date}/{HH}z/{model}/0p25/{stream}/{date}{HH}0000-{step}h-{stream}-{type}.grib2`` and ``.index``. Licence CC-BY-4.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from data_pipeline.realtime import cycles
from data_pipeline.realtime.archive import Addresses
from data_pipeline.realtime.fetching import fetch_from, look_in
from data_pipeline.realtime.index_files import read_json_lines

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from data_pipeline.realtime.fields import Field as Wanted
    from data_pipeline.realtime.index_files import Entry
    from data_pipeline.realtime.request import Readiness, Request

MIRRORS = (
    "https://data.ecmwf.int/forecasts",
    "https://ecmwf-forecasts.s3.eu-central-1.amazonaws.com",
    "https://storage.googleapis.com/ecmwf-open-data",
    "https://ai4edataeuwest.blob.core.windows.net/ecmwf",
)

NAMES = {
    ("pl", "gh"): "geopotential",  # IFS has the height, AIFS the geopotential itself
    ("pl", "z"): "geopotential",
    ("pl", "t"): "temperature",
    ("pl", "u"): "u_component_of_wind",
    ("pl", "v"): "v_component_of_wind",
    ("pl", "q"): "specific_humidity",
    ("pl", "r"): "relative_humidity",
    ("pl", "w"): "vertical_velocity",
    ("pl", "vo"): "vorticity",
    ("pl", "d"): "divergence",
    ("sfc", "2t"): "2m_temperature",
    ("sfc", "2d"): "2m_dewpoint_temperature",
    ("sfc", "msl"): "mean_sea_level_pressure",
    ("sfc", "sp"): "surface_pressure",
    ("sfc", "10u"): "10m_u_component_of_wind",
    ("sfc", "10v"): "10m_v_component_of_wind",
    ("sfc", "100u"): "100m_u_component_of_wind",
    ("sfc", "100v"): "100m_v_component_of_wind",
    ("sfc", "tcwv"): "total_column_water_vapour",
    ("sfc", "tcc"): "total_cloud_cover",
    ("sfc", "tp"): "total_precipitation",
    ("sfc", "lsm"): "land_sea_mask",
    ("sfc", "z"): "geopotential_at_surface",
    ("sfc", "sdor"): "standard_deviation_of_orography",
}
"""``{(levtype, param): variable}`` of what the indexes may list."""

CYCLE_50R1 = np.datetime64("2026-05-12T06")
"""From here on the control is stream oper, type fc, at every hour; before, it is in enfo, and oper is called scda at 06
and 18 UTC."""

_FIRST = {
    "ifs": np.datetime64("2024-02-29T00"), "aifs-single": np.datetime64("2025-02-25T06"),
    "aifs-ens": np.datetime64("2025-07-02T00"),
}  # fmt: skip
"""Cycles from which on the layout is as it is."""
_PERTURBED = {"ifs": 50, "aifs-ens": 50}


class EcmwfOpenDataSource(BaseModel):
    """Analyses of ``ifs``, ``aifs-single`` or ``aifs-ens``; the member of a request chooses one of the ensemble."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ecmwf_open_data"] = "ecmwf_open_data"
    model: Literal["ifs", "aifs-single", "aifs-ens"] = "ifs"
    mirrors: Addresses = MIRRORS

    @property
    def name(self) -> str:
        """The model's."""
        return self.model

    @property
    def control(self) -> int | None:
        """Member 0 of the ensembles."""
        return 0 if self.model in _PERTURBED else None

    def look(self, request: Request, *, now: np.datetime64 | None = None) -> Readiness:
        """What no mirror has of a request."""
        return look_in(self, request, now)

    def fetch(self, request: Request, folder: Path) -> xr.Dataset:
        """Canonical states on the grid of 0.25 degrees, lazily."""
        return fetch_from(self, request, folder)

    def require_possible(self, request: Request) -> None:
        """Raise a DataError for an unknown variable, member or hour, a GoneError for what is older than the layout."""
        cycles.require_variables(request, set(NAMES.values()), self.model)
        cycles.require_cycles(request, _FIRST[self.model], self.model)
        cycles.require_member(request, _PERTURBED.get(self.model), self.model)

    def paths(self, wanted: Wanted) -> tuple[str, ...]:
        """The GRIB file of a field."""
        date, hour = cycles.date_and_hour(wanted.cycle)
        stream, kind = self._stream_and_type(wanted, hour)
        file = f"{date}{hour}0000-{wanted.step_hours}h-{stream}-{kind}.grib2"
        return (f"{date}/{hour}z/{self.model}/0p25/{stream}/{file}",)

    def _stream_and_type(self, wanted: Wanted, hour: str) -> tuple[str, str]:
        if self.model == "aifs-ens":
            return "enfo", "pf" if wanted.number else "cf"
        before_50r1 = self.model == "ifs" and wanted.cycle < CYCLE_50R1
        if wanted.number or (before_50r1 and wanted.member == 0):
            return "enfo", "ef"
        return "scda" if before_50r1 and hour in {"06", "18"} else "oper", "fc"

    def index_path(self, path: str) -> str:
        """The index of a GRIB file."""
        return path.removesuffix(".grib2") + ".index"

    def entries(self, text: str, url: str) -> list[Entry]:
        """What an index lists of known variables."""
        return read_json_lines(text, url, NAMES)
