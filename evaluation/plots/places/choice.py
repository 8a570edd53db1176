"""Which variables a picture shows unless others are asked for: the customary ones that the file holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from evaluation.plots.fields import COMPONENTS, holds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

Wanted = tuple[str, int | str | None]
"""A variable and its level in hPa; ``LOWEST`` is the level next to the ground, None what has no levels."""

LOWEST = "lowest"
MOST = 6
"""Panels of a picture."""

METEOGRAM: tuple[tuple[Wanted, ...], ...] = (
    (("total_cloud_cover", None),),
    (("total_precipitation", None), ("total_precipitation_6hr", None)),
    (("10m_wind_speed", None), ("wind_speed", LOWEST)),
    (("2m_temperature", None), ("temperature", LOWEST)),
    (("mean_sea_level_pressure", None), ("surface_pressure", None), ("geopotential", 500)),
)
PLUME: tuple[tuple[Wanted, ...], ...] = (
    (("temperature", 850), ("2m_temperature", None), ("temperature", LOWEST)),
    (("total_precipitation", None), ("total_precipitation_6hr", None), ("mean_sea_level_pressure", None)),
    (("geopotential", 500), ("geopotential", LOWEST), ("mean_sea_level_pressure", None)),
)
PROFILE: tuple[tuple[Wanted, ...], ...] = (
    (("temperature", LOWEST),),
    (("wind_speed", LOWEST),),
    (("relative_humidity", LOWEST), ("specific_humidity", LOWEST)),
)
"""Of each row the first that is there; of a profile the level only says that it needs levels."""


def customary(run: xr.Dataset, rows: tuple[tuple[Wanted, ...], ...]) -> list[tuple[str, int | None]]:
    """Variables with their levels, one of each row of which the run holds any, none twice.

    Raises
    ------
    DataError
        If the run holds none of any row.
    """
    found: list[tuple[str, int | None]] = []
    for row in rows:
        held = ((name, _level(run, name, level)) for name, level in row if _has(run, name, level))
        found += [first for first in held if first not in found][:1]
    if not found:
        names = ", ".join(map(str, run.data_vars))
        raise DataError(f"the forecast has nothing that is drawn by default; choose --variable from {names}")
    return found


def asked(run: xr.Dataset, variables: Sequence[str], level: int | None) -> list[tuple[str, int | None]]:
    """Those that were asked for: ``NAME``, on ``level`` where it has levels, or ``NAME_LEVEL`` as in geopotential_500.

    Raises
    ------
    DataError
        If they are too many for one picture, or the level is nobody's. What the run lacks is not looked for here.
    """
    if len(variables) > MOST:
        raise DataError(f"got {len(variables)} variables, expected {MOST} at most in one picture; draw two")
    found = [_named(run, name, level) for name in variables]
    if level is not None and all(own is None for _, own in found):
        raise DataError(f"{', '.join(variables)} have no levels, got level {level}; leave the level out")
    return found


def _named(run: xr.Dataset, name: str, level: int | None) -> tuple[str, int | None]:
    with_level = re.fullmatch(r"(.+)_(\d+)", name)
    if name not in run.data_vars and with_level and _parts(run, with_level[1]):
        return with_level[1], int(with_level[2])
    parts = _parts(run, name)
    return name, level if any("level" in run[part].coords for part in parts) else None


def _has(run: xr.Dataset, name: str, level: int | str | None) -> bool:
    if level != LOWEST:
        return holds(run, name, level)  # type: ignore[arg-type]
    return bool(_parts(run, name)) and all("level" in run[part].coords for part in _parts(run, name))


def _level(run: xr.Dataset, name: str, level: int | str | None) -> int | None:
    if level == LOWEST:
        return int(run[_parts(run, name)[0]]["level"].max())
    return level  # type: ignore[return-value]


def _parts(run: xr.Dataset, name: str) -> tuple[str, ...]:
    parts = (name,) if name in run.data_vars else COMPONENTS.get(name, ())
    return parts if all(part in run.data_vars for part in parts) else ()
