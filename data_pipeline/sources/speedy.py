"""The simulated planet of the development data: flat names with the level inside (z500, t850, ...)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import xarray as xr
from pydantic import BaseModel, ConfigDict

from data_pipeline.errors import DataError
from data_pipeline.sources.opening import joined, raw_parts
from data_pipeline.sources.shares import accumulated_over, canonical_share, cut_to
from data_pipeline.variables import CANONICAL_NAME

if TYPE_CHECKING:
    from collections.abc import Collection

    from data_pipeline.quality.findings import Report
    from data_pipeline.sources.protocol import Window

HOURS_OF_RAIN = 12
"""Hours that the planet's precipitation is a sum over."""

_UNITS = {"z": "gpm", "t": "K", "u": "m s-1", "v": "m s-1", "q": "kg kg-1", "t2m": "K", "msl": "Pa", "tp": "mm",
          "land_sea_mask": "1", "orography": "gpm"}  # fmt: skip


class SpeedySource(BaseModel):
    """One NetCDF file with ``z500`` (m), ``t850`` ..., lat/lon south to north, and its static fields beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["speedy"] = "speedy"
    path: str
    static_path: str | None = None

    def open(self, wanted: Collection[str], window: Window | None = None, report: Report | None = None) -> xr.Dataset:
        """Those of the ``wanted`` variables that the files hold, canonical and lazy, inside ``window``."""
        raw = _gather(self._merged(window))
        return accumulated_over(canonical_share(raw, wanted, self.path, report), HOURS_OF_RAIN)

    def _merged(self, window: Window | None) -> xr.Dataset:
        dataset = joined(cut_to(raw_parts(self.path), window, self.path), self.path)
        if self.static_path is None:
            return dataset
        static = joined(cut_to(raw_parts(self.static_path), None, self.static_path), self.static_path)
        try:
            return xr.merge(
                [dataset, static.reset_coords(drop=True)],
                join="exact", compat="no_conflicts", combine_attrs="override",
            )  # fmt: skip
        except ValueError as error:
            raise DataError(f"{self.static_path} does not fit {self.path} ({error}); give both on one grid") from error


def _gather(dataset: xr.Dataset) -> xr.Dataset:
    """Put ``u850`` and ``u200`` together as ``u_component_of_wind`` with a level axis (missing levels are NaN)."""
    surface: dict[str, xr.DataArray] = {}
    levels: dict[str, list[xr.DataArray]] = {}
    for name, field in ((str(name), field) for name, field in dataset.data_vars.items()):
        match = re.fullmatch(r"([ztuvq])(\d+)", name)
        if match:
            levelled = field.assign_attrs(units=_UNITS[match[1]]).expand_dims(level=[int(match[2])])
            levels.setdefault(CANONICAL_NAME[match[1]], []).append(levelled)
        elif name in _UNITS:
            target = "geopotential_at_surface" if name == "orography" else CANONICAL_NAME[name]
            surface[target] = field.assign_attrs(units=_UNITS[name])
    columns = [xr.concat(parts, "level", join="exact").rename(name) for name, parts in levels.items()]
    parts = [xr.Dataset(surface), *(column.to_dataset() for column in columns)]
    return xr.merge(parts, join="outer", compat="override")
