"""From a run of a forecast, the ensemble of one variable at one level and one lead, in display units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data_pipeline.errors import DataError, EmptyError, reading
from data_pipeline.grid import Grid
from data_pipeline.times import HOUR
from data_pipeline.variables import VARIABLES
from evaluation.plots.style import Style, style_of
from evaluation.plots.sums import titled

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COMPONENTS: dict[str, tuple[str, str]] = {
    "wind_speed": ("u_component_of_wind", "v_component_of_wind"),
    "10m_wind_speed": ("10m_u_component_of_wind", "10m_v_component_of_wind"),
    "100m_wind_speed": ("100m_u_component_of_wind", "100m_v_component_of_wind"),
}
"""Variables derived from two components, member by member: the mean speed is not the speed of the mean wind."""

COORDINATES = ("lead_time", "latitude", "longitude", "initial_time")
CONTROL = "control_member"
"""The attribute of a forecast that names its control."""
DEFAULT_LEVEL = 500
LEAD_TOLERANCE = 1e-3
"""Hours within which a lead is the one asked for."""


@dataclass(frozen=True)
class EnsembleField:
    """Members of one field: ``values`` (member, latitude, longitude) in ``style.units``; ``lead`` in hours.

    ``size`` is how many members the forecast has, of which ``members`` may be one alone.
    """

    values: Floats
    members: tuple[str, ...]
    size: int
    variable: str
    grid: Grid
    style: Style
    level: int | None
    initial_time: pd.Timestamp
    lead: float
    sign: int = 1

    @property
    def valid_time(self) -> pd.Timestamp:
        """The time that the field is a forecast of."""
        return self.initial_time + pd.Timedelta(hours=self.lead)

    def only(self, member: str | None) -> EnsembleField:
        """One member alone, by its name in the forecast; None is the first."""
        name = self.members[0] if member is None else member
        if name not in self.members:
            raise DataError(f"no member {name}; the forecast has {_listed(self.members)}")
        chosen = self.members.index(name)
        return replace(self, values=self.values[chosen : chosen + 1], members=(name,))

    def mean(self) -> Floats:
        """Ensemble mean; missing where any member is, lest fewer members pass for all."""
        return np.asarray(self.values.mean(axis=0), dtype=np.float64)

    def spread(self) -> Floats:
        """Standard deviation about the ensemble mean, with members - 1 in the denominator."""
        if len(self.members) < 2:
            raise DataError(f"spread needs at least 2 members, the forecast has {len(self.members)}; draw kind 'mean'")
        return np.asarray(self.values.std(axis=0, ddof=1), dtype=np.float64)

    def quantile(self, level: float) -> Floats:
        """The members' quantile, linear between order statistics (Hyndman and Fan 1996, type 7), ``level`` in 0..1."""
        if not 0 <= level <= 1:
            raise DataError(f"a quantile is between 0 and 1, got {level:g}; e.g. 0.9 is passed by a tenth of members")
        return np.asarray(np.quantile(self.values, level, axis=0), dtype=np.float64)

    def probability(self, threshold: float | Floats, *, above: bool) -> Floats:
        """Share of members in % at or above ``threshold`` (display units), or else strictly below it."""
        events = self.values >= threshold if above else self.values < threshold
        known = np.isfinite(self.values).all(axis=0) & np.isfinite(threshold)
        return np.where(known, 100.0 * events.mean(axis=0), np.nan)


def select(run: xr.Dataset, variable: str, level: int | None, lead: float | None) -> EnsembleField:
    """The ensemble of ``variable`` on ``level`` (hPa) at ``lead`` (hours); by default 500 hPa and the last lead.

    ``run`` is as ``evaluation.readers`` gives it.

    Raises
    ------
    DataError
        If the dataset is no run, or lacks the variable, level or lead; the message lists what it has.
    EmptyError
        If the field has no value.
    """
    _check_run(run)
    moment, hours = _at_lead(run, lead)
    components = components_of(run, variable)
    chosen = chosen_level(run[components[0]], variable, level)
    fields = [stored(moment, name, chosen) for name in components]
    native = fields[0] if len(fields) == 1 else np.hypot(*fields)
    names = [str(name) for name in run["realization"].values] if "realization" in run.dims else ["0"]
    # A member that was stopped has no value anywhere: the others go on, and the title says how many they are.
    alive = np.asarray(np.isfinite(native).any(axis=(1, 2)))
    if not alive.any():
        place = "" if chosen is None else f" on {chosen} hPa"
        raise EmptyError(f"{variable}{place} has no value at T+{hours:g} h; check the file, or choose another lead")
    style = style_of(variable, str(run[components[0]].attrs.get("units", "")))
    style = replace(style, title=titled(style, run, variable))
    return EnsembleField(
        values=style.display(native[alive]),
        members=tuple(name for name, lives in zip(names, alive, strict=True) if lives),
        size=len(names),
        variable=variable,
        grid=Grid.of(run),
        style=style,
        level=chosen,
        initial_time=pd.Timestamp(run["initial_time"].item(), unit="ns"),
        lead=hours,
        sign=VARIABLES[variable].crosses_pole_with_sign if variable in VARIABLES else 1,
    )


def holds(run: xr.Dataset, variable: str, level: int | None) -> bool:
    """Whether ``select`` finds it."""
    parts = (variable,) if variable in run.data_vars else COMPONENTS.get(variable, (variable,))
    return all(part in run.data_vars and (level is None or level in _levels(run[part])) for part in parts)


def valid_time_of(run: xr.Dataset, lead: float | None) -> np.datetime64:
    """The valid time of ``lead`` in hours, by default the last; a DataError as ``select`` raises it."""
    _check_run(run)
    moment, _ = _at_lead(run, lead)
    time: np.datetime64 = moment["initial_time"].values + moment["lead_time"].values
    return time


def _check_run(run: xr.Dataset) -> None:
    missing = [name for name in COORDINATES if name not in run.coords]
    if missing:
        raise DataError(
            f"not a run of a forecast: the data lack {_listed(missing)}; open the file with evaluation.readers.open_run"
        )
    if 0 in run.sizes.values():
        raise DataError("the forecast is empty: it has no member or no lead; run the forecast again")


def _at_lead(run: xr.Dataset, lead: float | None) -> tuple[xr.Dataset, float]:
    position, hours = lead_position(run, lead)
    return run.isel(lead_time=position), hours


def lead_position(run: xr.Dataset, lead: float | None) -> tuple[int, float]:
    """Where a lead in hours, by default the last, stands, and how long it is; a DataError if it is not there."""
    leads = run["lead_time"].values / HOUR
    if lead is None:
        return leads.size - 1, float(leads[-1])
    position = int(np.argmin(np.abs(leads - lead)))
    if not abs(leads[position] - lead) <= LEAD_TOLERANCE:  # nor is it for a lead that is no number
        known = _listed(f"{hours:g}" for hours in leads)
        raise DataError(f"no lead {lead:g} h in this forecast; it has (hours): {known}")
    return position, float(leads[position])


def components_of(run: xr.Dataset, variable: str) -> tuple[str, ...]:
    """The variables of the file that it is made of: itself, or two components; a DataError if they are not there."""
    if variable in run.data_vars:
        return (variable,)
    parts = COMPONENTS.get(variable, ())
    if parts and all(part in run.data_vars for part in parts):
        return parts
    derived = [name for name, needs in COMPONENTS.items() if all(part in run.data_vars for part in needs)]
    raise DataError(f"no variable {variable!r}; the forecast has {_listed([*map(str, run.data_vars), *derived])}")


def chosen_level(field: xr.DataArray, variable: str, level: int | None) -> int | None:
    """The level in hPa, by default 500 or the highest, None of what has none; a DataError if it is not there."""
    available = _levels(field)
    if not available:
        if level is not None:
            raise DataError(f"{variable} has no levels, got level {level}; leave the level out")
        return None
    if level is None:
        return DEFAULT_LEVEL if DEFAULT_LEVEL in available else available[0]
    if level not in available:
        raise DataError(f"no level {level} for {variable}; the forecast has (hPa): {_listed(map(str, available))}")
    return level


def _levels(field: xr.DataArray) -> list[int]:
    return [int(value) for value in np.atleast_1d(field["level"])] if "level" in field.coords else []


def stored(moment: xr.Dataset, name: str, level: int | None) -> Floats:
    """A variable of the file (member, latitude, longitude), in its units, of a run cut to one lead.

    Raises
    ------
    UnreadableError
        If the file is damaged.
    """
    field = moment[name]
    chosen = field.sel(level=level) if level is not None and "level" in field.dims else field
    ordered = chosen.transpose("realization", "latitude", "longitude", missing_dims="ignore")
    with reading(str(moment.attrs.get("path", "the forecast"))):
        values = np.asarray(ordered.values, dtype=np.float64)
    return values.reshape(-1, *values.shape[-2:])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
