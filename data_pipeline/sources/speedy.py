"""The simulated planet of the development data: flat names with the level inside (z500, t850, ...)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import numpy as np
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
"""Hours that the planet's precipitation is a sum over, where its units do not say it."""

_ON_LEVELS = re.compile(r"([ztuvq])(\d+)")
_AT_THE_SURFACE = {
    "t2m": "2m_temperature", "msl": "mean_sea_level_pressure", "tp": "total_precipitation",
    "land_sea_mask": "land_sea_mask", "orography": "geopotential_at_surface",
}  # fmt: skip
_SUM = re.compile(r"(.+) per (\d+) h")
"""Units of a sum that say its length, as ``mm per 12 h``."""


class SpeedySource(BaseModel):
    """One NetCDF file with ``z500`` (m), ``t850`` ..., lat/lon south to north, and its static fields beside it.

    Units are those of the labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["speedy"] = "speedy"
    path: str
    static_path: str | None = None

    def open(self, wanted: Collection[str], window: Window | None = None, report: Report | None = None) -> xr.Dataset:
        """Those of the ``wanted`` variables that the files hold, canonical and lazy, inside ``window``."""
        merged = self._merged(window)
        share = canonical_share(_gather(merged, wanted, self.path), wanted, self.path, report)
        return accumulated_over(share, _hours_of_rain(merged))

    def _merged(self, window: Window | None) -> xr.Dataset:
        dataset = _opened(self.path, window)
        if self.static_path is None:
            return dataset
        static = _opened(self.static_path, None)
        try:
            return xr.merge(
                [dataset, static.reset_coords(drop=True)],
                join="exact", compat="no_conflicts", combine_attrs="override",
            )  # fmt: skip
        except ValueError as error:
            raise DataError(f"{self.static_path} does not fit {self.path} ({error}); give both on one grid") from error


def _opened(path: str, window: Window | None) -> xr.Dataset:
    """What is at a path inside ``window``, if its rows and columns are labelled as the planet's are."""
    dataset = joined(cut_to(raw_parts(path), window, path), path)
    rows = _axis(dataset, ("lat", "latitude"), path)
    _axis(dataset, ("lon", "longitude"), path)
    if not np.all(np.diff(rows.values) > 0):
        raise DataError(
            f"the latitudes of {path} run {rows.values[0]:g}..{rows.values[-1]:g}, expected south to north, as the "
            "planet's files have them; turn rows and labels together"
        )
    return dataset


def _axis(dataset: xr.Dataset, names: tuple[str, ...], path: str) -> xr.DataArray:
    for name in names:
        if name in dataset.indexes:
            return dataset[name]
    have = ", ".join(map(str, dataset.indexes)) or "nothing"
    raise DataError(f"{path} has no {names[0]} axis, expected time, lat and lon, got labels of {have}; label its rows")


def _gather(dataset: xr.Dataset, wanted: Collection[str], path: str) -> xr.Dataset:
    """Put ``u850`` and ``u200`` together as ``u_component_of_wind`` with a level axis (missing levels are NaN)."""
    surface: dict[str, xr.DataArray] = {}
    levels: dict[str, list[xr.DataArray]] = {}
    for name, field in ((str(name), field) for name, field in dataset.data_vars.items()):
        match = _ON_LEVELS.fullmatch(name)
        if match:
            levels.setdefault(CANONICAL_NAME[match[1]], []).append(field.expand_dims(level=[int(match[2])]))
        elif name in _AT_THE_SURFACE:
            units = str(field.attrs.get("units", ""))
            length = _SUM.fullmatch(units)
            surface[_AT_THE_SURFACE[name]] = field.assign_attrs(units=length[1] if length else units)
    for name in wanted:
        _require_same_units(levels.get(name, []), path)
    columns = [xr.concat(parts, "level", join="exact").rename(name) for name, parts in levels.items()]
    datasets = [xr.Dataset(surface), *(column.to_dataset() for column in columns)]
    return xr.merge(datasets, join="outer", compat="override")


def _require_same_units(parts: list[xr.DataArray], path: str) -> None:
    """Levels become one variable, which has one unit."""
    units = {str(part.name): str(part.attrs.get("units", "")) for part in parts}
    if len(set(units.values())) > 1:
        got = ", ".join(f"{name} in {label!r}" for name, label in units.items())
        raise DataError(f"{path} has {got}, expected all levels of a variable in the same units; convert them")


def _hours_of_rain(dataset: xr.Dataset) -> int:
    length = _SUM.fullmatch(str(dataset["tp"].attrs.get("units", ""))) if "tp" in dataset else None
    return int(length[2]) if length else HOURS_OF_RAIN
