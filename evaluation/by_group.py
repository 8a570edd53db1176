"""Sums of each season, month or initial hour by themselves, so that models can be compared within each of them."""

from __future__ import annotations

from calendar import month_name
from typing import TYPE_CHECKING

import xarray as xr

from evaluation.sums import EVERYTHING, membership

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.scored import Scored


def grouping(ours: Scored, theirs: Scored, asked: str | None = None) -> tuple[str | None, list[str]]:
    """By what two models are compared apart, and in words why they are not although one was scored so.

    That which is ``asked`` (``all``: by nothing), or else that which both were scored by.
    """
    if asked is not None:
        return (None if asked == EVERYTHING else asked), []
    own, other = ours.question.by, theirs.question.by
    if own == other:
        return own, []
    words = " and ".join(f"{one.name} by {one.question.by or 'nothing'}" for one in (ours, theirs))
    return None, [f"not compared in groups, as {words} was scored; ask for --by"]


def group_name(by: str, group: str) -> str:
    """As people say it.

    >>> group_name("season", "DJF"), group_name("month", "02"), group_name("hour", "12")
    ('DJF', 'February', 'from 12 UTC')
    """
    return {"month": lambda: month_name[int(group)], "hour": lambda: f"from {group} UTC"}.get(by, lambda: group)()


def in_groups(sums: xr.Dataset, by: str | None) -> dict[str, xr.Dataset]:
    """The sums of a variable that are of each group; all of them as ``all`` without ``by``.

    Season and month are those of the valid time, so that a group may hold an initial time at some leads only: at the
    others it weighs nothing.

    Parameters
    ----------
    sums
        Of one variable, (model, initial_time, lead_time, ...).

    Raises
    ------
    ScoreError
        If there are no such groups.
    """
    if by is None:
        return {EVERYTHING: sums}
    inside = membership(sums, by)
    return {str(group): _only(sums, inside.sel(group=group, drop=True)) for group in inside["group"].values}


def side_by_group(parts: Mapping[str, xr.Dataset], by: str | None) -> xr.Dataset:
    """What was found of each group along the first dimension ``group``; without ``by`` there is none."""
    if by is None:
        return parts[EVERYTHING]
    whole = xr.concat(list(parts.values()), "group", data_vars="all", combine_attrs="override")
    return whole.assign_coords(group=list(parts))


def _only(sums: xr.Dataset, inside: xr.DataArray) -> xr.Dataset:
    within = sums.where(inside, 0.0).transpose(*sums.dims)
    return within.isel(initial_time=inside.any("lead_time").values)
