"""ERA5 as WeatherBench2 publishes it: one zarr store, 13 levels, sums of precipitation as variables of their own.

https://weatherbench2.readthedocs.io/en/latest/data-guide.html. The regridded stores have dims (time, level, longitude,
latitude) and latitude from south to north, those at 1440x721 (time, level, latitude, longitude) from north to south.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from data_pipeline.errors import DataError
from data_pipeline.sources.opening import raw_parts
from data_pipeline.sources.shares import share_of_parts
from data_pipeline.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Collection

    import xarray as xr

    from data_pipeline.quality.findings import Report
    from data_pipeline.sources.protocol import Window


class WeatherBench2Source(BaseModel):
    """A WeatherBench2 ERA5 store by path or URL.

    ``accumulation`` (h) chooses among ``total_precipitation_6hr``, ``_12hr`` and ``_24hr``, and ``total_precipitation``
    itself, the sum over 1 h; likewise for solar radiation. It can be left out where there is only one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["weatherbench2"] = "weatherbench2"
    path: str
    accumulation: Literal[1, 6, 12, 24] | None = None

    def open(self, wanted: Collection[str], window: Window | None = None, report: Report | None = None) -> xr.Dataset:
        """Those of the ``wanted`` variables that the store holds, canonical and lazy, inside ``window``."""
        parts = raw_parts(self.path)
        held = {name: sums_of(name, parts[0]) for name in wanted if VARIABLES[name].accumulated}
        hours = {name: self._chosen(name, sums) for name, sums in held.items() if sums}
        renamed = [_renamed(part, held, hours) for part in parts]
        share = share_of_parts(renamed, wanted, self.path, window, report)
        for name, length in hours.items():
            share[name].attrs["accumulation_hours"] = length
        return share

    def _chosen(self, name: str, sums: dict[int, str]) -> int:
        """Hours of the sums that the config asks for, or of the only ones."""
        if self.accumulation in sums:
            return self.accumulation
        if self.accumulation is None and len(sums) == 1:
            return next(iter(sums))
        got = f"accumulation {self.accumulation}" if self.accumulation else "no accumulation chosen"
        have = ", ".join(f"{sums[hours]} ({hours} h)" for hours in sorted(sums))
        raise DataError(
            f"{self.path} has {name} as {have}, got {got}; set 'accumulation' of the source to one of these"
        )


def sums_of(name: str, raw: xr.Dataset) -> dict[int, str]:
    """``{hours: name in raw}`` of the sums of an accumulated variable; under its own name it is one of an hour.

    >>> import xarray
    >>> sums_of("total_precipitation", xarray.Dataset({"total_precipitation_6hr": 0.0, "2m_temperature": 0.0}))
    {6: 'total_precipitation_6hr'}
    """
    matches = (re.fullmatch(rf"{name}(?:_(\d+)hr)?", str(held)) for held in raw.data_vars)
    return {int(match[1] or 1): match[0] for match in matches if match}


def _renamed(raw: xr.Dataset, held: dict[str, dict[int, str]], hours: dict[str, int]) -> xr.Dataset:
    """The chosen sums under the names of their variables, without the others."""
    chosen = {held[name][length]: name for name, length in hours.items()}
    others = [old for sums in held.values() for old in sums.values() if old not in chosen]
    renamed = raw.drop_vars(others).rename(chosen)
    units = {name: {"units": VARIABLES[name].units, **renamed[name].attrs} for name in hours}  # some lost theirs
    return renamed.assign({name: renamed[name].assign_attrs(attributes) for name, attributes in units.items()})
