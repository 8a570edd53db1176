"""Plumes: the lines of all members through time, with their mean and the shade of their quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.plots.places import marks
from evaluation.plots.places.amounts import ends_of_scale, middles, panel_title
from evaluation.plots.places.axes import moments, panel, time_below
from evaluation.plots.places.choice import PLUME
from evaluation.plots.places.sheets import along_time_sheet, key
from evaluation.plots.sums import is_sum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evaluation.plots.places.local import Local
    from evaluation.plots.places.request import PlaceRequest


def plume(local: Local, request: PlaceRequest) -> Figure:
    """Every member as a thin line, the mean as a thick one, the middle 80 and 50 % of members shaded."""
    every, lacking = request.along_leads(local, PLUME)
    usual = request.usual(local, every)
    what = "plume of all members" if len(every[0].names) > 1 else "single forecast"
    figure, panels = along_time_sheet(local, every, what, lacking)
    for axes, members, band in zip(panels, every, usual, strict=True):
        panel(axes, panel_title(local, members))
        x = middles(members) if is_sum(members.variable) else moments(members)
        if band is not None:
            marks.climate(axes, x, band)
        marks.lines(axes, x, members)
        marks.control(axes, x, members)
        ends_of_scale(axes, members)
    time_below(panels, every)
    known = [band for band in usual if band is not None]
    entries = [*marks.line_key(every[0]), *marks.control_key(every[0])]
    key(figure, [*entries, *(marks.climate_key(known[0]) if known else [])])
    return figure
