"""What the page must know before it can ask for anything: titles, units, times, grids, members, where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from data_pipeline.variables import VARIABLES
from evaluation.plots.fields import CONTROL, components_of, holds
from evaluation.plots.reference import ANALYSIS
from evaluation.plots.style import style_of
from evaluation.plots.sums import is_sum, titled
from evaluation.plots.titles import capital, moment
from evaluation.viewer.catalogue import lead_hours, member_names
from evaluation.viewer.products import STATISTICS

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.viewer.catalogue import Catalogue, Entry
    from evaluation.viewer.sides import ForecastSide, OtherSide

_LAYOUT = {"path", "files", "members", "channels", ANALYSIS}
"""Attributes that say how a file is laid out, not where it came from."""
_LONGEST = 300


def meta(catalogue: Catalogue, one: ForecastSide, other: OtherSide | None, shared: Grid | None) -> dict[str, Any]:
    """The content of the first piece; ``shared`` is the grid of the difference."""
    hours = lead_hours(one.run)
    initial = pd.Timestamp(one.run["initial_time"].item(), unit="ns")
    names = member_names(one.run)
    sides = {"a": {**_forecast(one), "grid": _axes(one.grid)}}
    if other is not None and shared is not None:
        sides["b"] = {**_other(other, catalogue), "grid": _axes(other.grid)}
        sides["d"] = {"name": "difference", "kind": "difference", "grid": _axes(shared)}
    return {
        "initial": moment(initial),
        "variables": [_variable(entry, one.run) for entry in catalogue.entries],
        "leads": [_lead(hours[lead], initial) for lead in catalogue.leads],
        "products": [{"id": key, "label": capital(own.label), "scale": own.scale} for key, own in STATISTICS.items()]
        if len(names) > 1
        else [{"id": "mean", "label": "Single forecast", "scale": "field"}],
        "members": [{"id": f"m{place}", "name": names[place]} for place in catalogue.members if len(names) > 1],
        "sides": sides, "anywhere": True,
    }  # fmt: skip


def control_of(run: xr.Dataset) -> str | None:
    """The name of the member that is the control, where the forecast names one of several."""
    name, names = str(run.attrs.get(CONTROL, "")), member_names(run)
    return name if name in names and len(names) > 1 else None


def _variable(entry: Entry, run: xr.Dataset) -> dict[str, Any]:
    style = style_of(entry.name, str(run[components_of(run, entry.name)[0]].attrs.get("units", "")))
    sign = VARIABLES[entry.name].crosses_pole_with_sign if entry.name in VARIABLES else 1
    return {
        "name": entry.name, "title": titled(style, run, entry.name), "units": style.units,
        "levels": list(entry.levels), "sign": sign, "amount": style.extend == "max",
        "sum": is_sum(entry.name),
    }  # fmt: skip


def _lead(hours: float, initial: pd.Timestamp) -> dict[str, Any]:
    valid = initial + pd.Timedelta(hours=hours)
    return {"hours": hours, "valid": moment(valid), "day": valid.strftime("%a"), "unix": int(valid.timestamp())}


def _forecast(side: ForecastSide) -> dict[str, Any]:
    names = member_names(side.run)
    return {
        "name": side.name, "kind": "forecast", "members": len(names), "names": names, "control": control_of(side.run),
        "about": _about(side.run), "has": [True] * len(side.leads),
    }  # fmt: skip


def _other(side: OtherSide, catalogue: Catalogue) -> dict[str, Any]:
    example = side.example
    names = member_names(example)
    return {
        "name": side.name, "kind": "analysis" if side.is_analysis else "forecast",
        "members": len(names), "names": names, "control": control_of(example), "about": _about(example),
        "has": side.has,
        "lacks": [[not holds(example, entry.name, level) for level in entry.levels] for entry in catalogue.entries],
    }  # fmt: skip


def columns(grid: Grid) -> NDArray[np.intp]:
    """The order of columns from west to east: a region across Greenwich begins behind its gap, the globe at 0."""
    longitude = np.asarray(grid.longitude)
    if grid.is_periodic:
        return np.arange(longitude.size)
    gaps = np.diff([*longitude, longitude[0] + 360.0])
    return np.roll(np.arange(longitude.size), -(int(gaps.argmax()) + 1))


def _axes(grid: Grid) -> dict[str, Any]:
    longitude = [grid.longitude[column] for column in columns(grid)]
    return {"latitude": list(grid.latitude), "longitude": longitude, "periodic": grid.is_periodic,
            "poles": [_near_pole(grid, 0), _near_pole(grid, -1)]}  # fmt: skip


def _near_pole(grid: Grid, row: int) -> bool:
    """Whether the cells of the first or last row reach the pole."""
    return bool(np.isclose(abs(grid.latitude_bounds()[row]), 90.0))


def _about(data: xr.Dataset) -> list[list[str]]:
    """Attributes that are text, as the file has them, cut where they are long."""
    told = {str(name): str(value) for name, value in data.attrs.items() if name not in _LAYOUT}
    return [[name, _cut(value)] for name, value in sorted(told.items())]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
