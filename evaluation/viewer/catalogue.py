"""What the viewer offers of a forecast: variables with their levels, lead times, members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.times import HOUR
from evaluation.plots.fields import COMPONENTS, components_of, lead_position

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import xarray as xr

_MOST_LISTED = 20


@dataclass(frozen=True)
class Entry:
    """A variable and its levels in hPa, from the top down; (None,) of one without levels."""

    name: str
    levels: tuple[int | None, ...]


@dataclass(frozen=True)
class Selection:
    """What to offer; None is everything, no members at all is the ensemble's statistics alone.

    ``levels`` are in hPa, ``leads`` in hours, ``members`` names in the forecast.
    """

    variables: tuple[str, ...] | None = None
    levels: tuple[int, ...] | None = None
    members: tuple[str, ...] | None = None
    leads: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Catalogue:
    """Entries, positions of leads in the run, and positions of members in it."""

    entries: tuple[Entry, ...]
    leads: tuple[int, ...]
    members: tuple[int, ...]


def catalogue(run: xr.Dataset, selection: Selection) -> Catalogue:
    """What a run has of a selection.

    Raises
    ------
    DataError
        If it lacks a variable, level, lead or member that is asked for; the message lists what it has.
    """
    entries = tuple(_entry(run, name, selection.levels) for name in selection.variables or _names(run))
    if selection.levels is not None:
        entries = tuple(entry for entry in entries if entry.levels)
        _refuse_missing("level", selection.levels, _levels(run), "hPa")
    if not entries:
        raise DataError("nothing is left to show; leave --variables or --levels out")
    leads = range(run.sizes["lead_time"]) if selection.leads is None else [_lead(run, own) for own in selection.leads]
    return Catalogue(entries, tuple(sorted(set(leads))), _members(run, selection.members))


def member_names(run: xr.Dataset) -> list[str]:
    """Of a run as ``evaluation.readers`` gives it; one without members has one, '0'."""
    return [str(name) for name in run["realization"].values] if "realization" in run.dims else ["0"]


def lead_hours(run: xr.Dataset) -> list[float]:
    """Of all leads."""
    return [float(hours) for hours in run["lead_time"].values / HOUR]


def _names(run: xr.Dataset) -> list[str]:
    held = [str(name) for name in run.data_vars]
    derived = [name for name, parts in COMPONENTS.items() if name not in held and set(parts) <= set(held)]
    return [*held, *derived]


def _entry(run: xr.Dataset, name: str, wanted: Sequence[int] | None) -> Entry:
    field = run[components_of(run, name)[0]]
    if "level" not in field.coords:
        return Entry(name, (None,))
    levels = sorted(int(level) for level in np.atleast_1d(field["level"].values))
    return Entry(name, tuple(level for level in levels if wanted is None or level in wanted))


def _levels(run: xr.Dataset) -> list[int]:
    return [int(level) for level in np.atleast_1d(run["level"].values)] if "level" in run.coords else []


def _lead(run: xr.Dataset, hours: float) -> int:
    return lead_position(run, hours)[0]


def _members(run: xr.Dataset, wanted: Sequence[str] | None) -> tuple[int, ...]:
    names = member_names(run)
    if wanted is None:
        return tuple(range(len(names)))
    _refuse_missing("member", wanted, names)
    return tuple(position for position, name in enumerate(names) if name in wanted)


def _refuse_missing(what: str, wanted: Iterable[object], has: Sequence[object], units: str = "") -> None:
    missing = [own for own in wanted if own not in has]
    if missing:
        more = f" and {len(has) - _MOST_LISTED} more" if len(has) > _MOST_LISTED else ""
        known = ", ".join(map(str, has[:_MOST_LISTED])) or "none"
        raise DataError(f"no {what} {missing[0]} in this forecast; it has{units and f' ({units})'}: {known}{more}")
