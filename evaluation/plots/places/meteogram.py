"""Meteograms: the members' distribution through time, a panel for each variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.plots.places import marks
from evaluation.plots.places.amounts import ends_of_scale, middles, panel_title, steps
from evaluation.plots.places.axes import ACROSS, moments, panel, time_below
from evaluation.plots.places.choice import METEOGRAM
from evaluation.plots.places.sheets import along_time_sheet, key
from evaluation.plots.sums import is_sum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from evaluation.plots.places.local import Local
    from evaluation.plots.places.members import Members
    from evaluation.plots.places.request import PlaceRequest
    from evaluation.plots.places.usual import Usual

    Floats = NDArray[np.float64]

_WIDEST = 0.26
"""Inches of a box, of about as many as there are leads."""
_SHARE, _SHARE_OF_SUM = 0.62, 0.8
"""Of the time between leads that a box takes."""


def meteogram(local: Local, request: PlaceRequest) -> Figure:
    """Boxes of the members at each lead, with the control and the climate where there are any.

    Of a single forecast its line, and bars of what is summed.
    """
    every, lacking = request.along_leads(local, METEOGRAM)
    usual = request.usual(local, every)
    figure, panels = along_time_sheet(local, every, "meteogram", lacking)
    for axes, members, band in zip(panels, every, usual, strict=True):
        panel(axes, panel_title(local, members))
        _draw(axes, members, band)
    time_below(panels, every)
    known = [band for band in usual if band is not None]
    single = len(every[0].names) == 1
    entries = marks.line_key(every[0]) if single else marks.box_key()
    key(figure, [*entries, *marks.control_key(every[0]), *(marks.climate_key(known[0]) if known else [])])
    return figure


def _draw(axes: Axes, members: Members, usual: Usual | None) -> None:
    """One panel."""
    summed = is_sum(members.variable)
    x = middles(members) if summed else moments(members)
    step = steps(members) / 24
    if usual is not None:
        marks.climate(axes, x, usual)
    if len(members.names) > 1:
        widest = _WIDEST * members.axis[-1] / 24 / ACROSS
        marks.boxes(axes, x, _SHARE_OF_SUM * step if summed else np.minimum(_SHARE * step, widest), members)
        marks.control(axes, x, members, joined=not summed)
    elif summed:
        marks.bars(axes, x, _SHARE_OF_SUM * step, members)
    else:
        marks.lines(axes, x, members)
    ends_of_scale(axes, members)
    if members.wind is not None:
        marks.arrows(axes, x, members.wind)
