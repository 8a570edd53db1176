"""Vertical profiles: all members against pressure at one lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.plots.canvas import INK
from evaluation.plots.places import marks
from evaluation.plots.places.axes import along_pressure, panel
from evaluation.plots.places.choice import PROFILE
from evaluation.plots.places.sheets import along_pressure_sheet, key
from evaluation.plots.titles import capital

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evaluation.plots.places.local import Local
    from evaluation.plots.places.request import PlaceRequest


def profile(local: Local, request: PlaceRequest) -> Figure:
    """Every member as a thin line, the mean as a thick one, the middle 80 and 50 % of members shaded."""
    every, lacking = request.along_levels(local, PROFILE)
    usual = request.usual(local, every)
    figure, panels = along_pressure_sheet(local, every, "vertical profile", lacking)
    for axes, members, band in zip(panels, every, usual, strict=True):
        barbs = "" if members.wind is None else "; barbs: mean wind in knots"
        panel(axes, f"{capital(members.title)} ({members.style.units}{barbs})")
        if band is not None:
            marks.climate(axes, members.axis, band, upright=True)
        marks.lines(axes, members.axis, members, upright=True)
        marks.control(axes, members.axis, members, upright=True)
        if members.style.extend == "max":
            axes.set_xlim(left=0.0)
        if members.wind is not None:
            marks.barbs(axes, members, south=local.place.latitude < 0)
    along_pressure(panels[0], every[0].axis)
    panels[0].set_ylabel("Pressure (hPa)", fontsize=10, color=INK)
    known = [band for band in usual if band is not None]
    entries = [*marks.line_key(every[0]), *marks.control_key(every[0])]
    key(figure, [*entries, *(marks.climate_key(known[0]) if known else [])])
    return figure
