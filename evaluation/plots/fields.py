"""From a forecast dataset, the ensemble of one variable at one level and one lead, in display units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.variables import VARIABLES
from evaluation.plots.style import Style, style_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COMPONENTS: dict[str, tuple[str, str]] = {
    "wind_speed": ("u_component_of_wind", "v_component_of_wind"),
    "10m_wind_speed": ("10m_u_component_of_wind", "10m_v_component_of_wind"),
}
"""Variables derived from two components, member by member: the mean speed is not the speed of the mean wind."""

DIMENSIONS = ("realization", "time", "latitude", "longitude")
COORDINATES = ("time", "forecast_period", "forecast_reference_time", "latitude", "longitude")
DEFAULT_LEVEL = 500
LEAD_TOLERANCE = 1e-3
"""Hours within which a lead is the one asked for."""


@dataclass(frozen=True)
class Ensemble:
    """Members of one field: ``values`` (member, latitude, longitude) in ``style.units``; ``lead`` in hours."""

    values: Floats
    members: tuple[str, ...]
    grid: Grid
    style: Style
    level: int | None
    start: pd.Timestamp
    valid: pd.Timestamp
    lead: float
    sign: int = 1

    def mean(self) -> Floats:
        """Ensemble mean; missing where any member is, lest fewer members pass for all."""
        return np.asarray(self.values.mean(axis=0), dtype=np.float64)

    def spread(self) -> Floats:
        """Standard deviation about the ensemble mean, with members - 1 in the denominator."""
        if len(self.members) < 2:
            raise DataError(f"spread needs at least 2 members, the forecast has {len(self.members)}; draw kind 'mean'")
        return np.asarray(self.values.std(axis=0, ddof=1), dtype=np.float64)

    def probability(self, threshold: float, *, above: bool) -> Floats:
        """Share of members in % at or above ``threshold`` (display units), or else strictly below it."""
        events = self.values >= threshold if above else self.values < threshold
        share = 100.0 * events.mean(axis=0)
        return np.where(np.isfinite(self.values).all(axis=0), share, np.nan)


def select(forecast: xr.Dataset, variable: str, level: int | None, lead: float | None) -> Ensemble:
    """The ensemble of ``variable`` on ``level`` (hPa) at ``lead`` (hours); by default 500 hPa and the last lead.

    Raises
    ------
    DataError
        If the dataset is no forecast, or lacks the variable, level or lead; the message lists what it has.
    """
    _check_forecast(forecast)
    moment, hours = _at_lead(forecast, lead)
    components = _components(forecast, variable)
    chosen = _chosen_level(forecast[components[0]], variable, level)
    fields = [_values(moment[name], chosen) for name in components]
    native = fields[0] if len(fields) == 1 else np.hypot(*fields)
    if not np.isfinite(native).all(axis=0).any():
        place = "" if chosen is None else f" on {chosen} hPa"
        raise DataError(
            f"{variable}{place} has no place where every member has a value at T+{hours:g} h; check the file"
        )
    style = style_of(variable, str(forecast[components[0]].attrs.get("units", "")))
    return Ensemble(
        values=style.display(native),
        members=tuple(str(name) for name in forecast["realization"].values),
        grid=Grid.of(forecast),
        style=style,
        level=chosen,
        start=_timestamp(forecast["forecast_reference_time"]),
        valid=_timestamp(moment["time"]),
        lead=hours,
        sign=VARIABLES[variable].crosses_pole_with_sign if variable in VARIABLES else 1,
    )


def _check_forecast(forecast: xr.Dataset) -> None:
    missing = [name for name in DIMENSIONS if name not in forecast.dims]
    missing += [name for name in COORDINATES if name not in forecast.coords and name not in missing]
    if missing:
        raise DataError(
            f"not a forecast: the data lack {_listed(missing)}; expected dimensions {_listed(DIMENSIONS)} and "
            f"coordinates {_listed(COORDINATES)}, as `sphercast forecast` writes them"
        )
    if 0 in (forecast.sizes["time"], forecast.sizes["realization"]):
        raise DataError("the forecast is empty: it has no member or no lead; run the forecast again")
    if np.ndim(forecast["forecast_reference_time"]):
        raise DataError("the data hold several forecasts; select one forecast_reference_time first")
    if forecast["forecast_period"].dims != ("time",):
        raise DataError(f"forecast_period has dimensions {forecast['forecast_period'].dims}, expected ('time',)")
    for name in ("time", "forecast_reference_time"):
        if forecast[name].dtype.kind != "M":
            raise DataError(f"{name} is {forecast[name].dtype}, expected datetime64; open the file with decoded times")


def _at_lead(forecast: xr.Dataset, lead: float | None) -> tuple[xr.Dataset, float]:
    leads = _hours(forecast["forecast_period"])
    if lead is None:
        return forecast.isel(time=-1), float(leads[-1])
    position = int(np.argmin(np.abs(leads - lead)))
    if abs(leads[position] - lead) > LEAD_TOLERANCE:
        known = _listed(f"{hours:g}" for hours in leads)
        raise DataError(f"no lead {lead:g} h in this forecast; it has (hours): {known}")
    return forecast.isel(time=position), float(leads[position])


def _hours(period: xr.DataArray) -> Floats:
    """Lead times in hours, whether xarray decoded them into timedeltas or not."""
    values = np.atleast_1d(period.values)
    if values.dtype.kind == "m":
        return np.asarray(values / np.timedelta64(1, "h"), dtype=np.float64)
    return values.astype(np.float64)


def _timestamp(moment: xr.DataArray) -> pd.Timestamp:
    return pd.Timestamp(int(moment.values.astype("datetime64[ns]").astype(np.int64)))


def _components(forecast: xr.Dataset, variable: str) -> tuple[str, ...]:
    if variable in forecast.data_vars:
        return (variable,)
    parts = COMPONENTS.get(variable, ())
    if parts and all(part in forecast.data_vars for part in parts):
        return parts
    derived = [name for name, needs in COMPONENTS.items() if all(part in forecast.data_vars for part in needs)]
    raise DataError(f"no variable {variable!r}; the forecast has {_listed([*map(str, forecast.data_vars), *derived])}")


def _chosen_level(field: xr.DataArray, variable: str, level: int | None) -> int | None:
    available = [int(value) for value in np.atleast_1d(field["level"])] if "level" in field.coords else []
    if not available:
        if level is not None:
            raise DataError(f"{variable} has no levels, got level {level}; leave the level out")
        return None
    if level is None:
        return DEFAULT_LEVEL if DEFAULT_LEVEL in available else available[0]
    if level not in available:
        raise DataError(f"no level {level} for {variable}; the forecast has (hPa): {_listed(map(str, available))}")
    return level


def _values(field: xr.DataArray, level: int | None) -> Floats:
    chosen = field.sel(level=level) if level is not None and "level" in field.dims else field
    ordered = chosen.transpose("realization", "latitude", "longitude")
    return np.asarray(ordered.values, dtype=np.float64)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
