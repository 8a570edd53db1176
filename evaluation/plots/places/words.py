"""The words above a picture of one place: where, when, of what, and how the values came there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from evaluation.plots.titles import capital, moment, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.plots.places.local import Local
    from evaluation.plots.places.members import Members

_LONGEST = 60
"""Characters of what a file says made it."""


def second_line(local: Local, every: Sequence[Members]) -> str:
    """Initial time, for a profile valid time and lead, members, and which file."""
    first = every[0]
    valid = ""
    if first.lead is not None:
        time = first.initial_time + pd.Timedelta(hours=first.lead)
        valid = f"Valid {moment(time)}   T+{first.lead:g} h"
    parts = (f"Init {moment(first.initial_time)}", valid, members_line(every), source(local))
    return "   ".join(filter(None, parts))


def members_line(every: Sequence[Members]) -> str:
    """E.g. ``20 members``, or ``17 to 20 of 20 members`` where some were stopped."""
    size = len(every[0].names)
    few, most = min(int(own.counts.min()) for own in every), max(int(own.counts.max()) for own in every)
    people = "1 member" if size == 1 else f"{size} members"
    if few == most == size:
        return people
    return f"{few if few == most else f'{few} to {most}'} of {people}"


def source(local: Local) -> str:
    """The file, and what it says made it."""
    path = Path(str(local.run.attrs.get("path", ""))).name
    made = " ".join(str(local.run.attrs.get("source", "")).split())
    made = made if len(made) <= _LONGEST else f"{made[:_LONGEST]}..."
    return "   ".join(filter(None, (path, made)))


def how_line(local: Local, every: Sequence[Members]) -> str:
    """How the values came to the place, how far the grid's nearest point is, and what is not done about altitude."""
    altitude = local.place.altitude
    high = "" if altitude is None else f"station at {number(round(altitude))} m, values are not adjusted to it"
    if local.neighbours is None:
        return capital("; ".join(filter(None, ("interpolated to the station when the forecast was written", high))))
    methods = {own.method for own in every}
    linear = "bilinear between 4 grid points"
    if len(local.neighbours.columns) > 2:
        linear = "linear between the last row of the grid and the pole"
    own = "the value of the grid cell that it lies in"
    how = {"bilinear": linear, "cell": own}
    if len(methods) > 1:
        sums = ", ".join(dict.fromkeys(each.style.title for each in every if each.method == "cell"))
        words = f"{linear}; {sums}: {own}"
    else:
        words = how[methods.pop()]
    speed = "wind speed of each member's components; " if any(each.wind is not None for each in every) else ""
    return "; ".join(filter(None, (capital(words), speed.rstrip("; "), local.neighbours.words, high)))
