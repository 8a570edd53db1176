"""What pictures of one place are made of: boxes, members, bands, the control, the climate, the wind's direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import Bbox, TransformedBbox

from evaluation.plots.canvas import INK
from evaluation.plots.vectors import KNOTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Transform
    from numpy.typing import NDArray

    from evaluation.plots.places.members import Members
    from evaluation.plots.places.usual import Usual

    Floats = NDArray[np.float64]

OUTER, INNER, MEDIAN = "#a6cee6", "#3d8fc4", "#08306b"
MEMBER = "#5b8db8"
CONTROL_COLOUR = "#d55e00"
CLIMATE, CLIMATE_LINE = "#dcdcd2", "#8a8a7c"
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
_ARROWS = 24
_LONGEST_ARROW = 0.26
"""Inches."""


def boxes(axes: Axes, x: Floats, width: Floats, members: Members) -> None:
    """At each lead a line from the least to the greatest member, a box of the middle 80 %, one of 50 %, the median."""
    least, tenth, quarter, median, three, nine, most = members.quantiles(QUANTILES)
    known = np.isfinite(median)
    axes.vlines(x[known], least[known], most[known], color=MEDIAN, linewidth=0.9, zorder=3)
    edge: dict[str, Any] = {"edgecolor": MEDIAN, "linewidth": 0.6}
    axes.bar(x[known], (nine - tenth)[known], 0.6 * width[known], tenth[known], color=OUTER, zorder=4, **edge)
    axes.bar(x[known], (three - quarter)[known], width[known], quarter[known], color=INNER, zorder=5, **edge)
    axes.hlines(median[known], (x - width / 2)[known], (x + width / 2)[known], color=MEDIAN, linewidth=1.8, zorder=6)


def bars(axes: Axes, x: Floats, width: Floats, members: Members) -> None:
    """What a single forecast sums up."""
    axes.bar(x, members.values[0], width, color=INNER, edgecolor=MEDIAN, linewidth=0.6, zorder=4)


def box_key() -> list[Line2D | Patch]:
    """What boxes mean."""
    return [
        Line2D([], [], color=MEDIAN, linewidth=1.8, label="median"),
        Patch(facecolor=INNER, edgecolor=MEDIAN, linewidth=0.6, label="middle 50 % of members"),
        Patch(facecolor=OUTER, edgecolor=MEDIAN, linewidth=0.6, label="middle 80 %"),
        Line2D([], [], color=MEDIAN, linewidth=0.9, label="all members"),
    ]


def lines(axes: Axes, at: Floats, members: Members, *, upright: bool = False) -> None:
    """Every member thin, the middle 80 and 50 % shaded, the mean thick; ``upright`` where ``at`` is the vertical."""
    _, tenth, quarter, _, three, nine, _ = members.quantiles(QUANTILES)
    fill = axes.fill_betweenx if upright else axes.fill_between
    if len(members.names) > 1:
        fill(at, tenth, nine, color=OUTER, alpha=0.55, linewidth=0, zorder=2)
        fill(at, quarter, three, color=INNER, alpha=0.45, linewidth=0, zorder=3)
        for values in members.values:
            axes.plot(*_order(at, values, upright), color=MEMBER, linewidth=0.6, alpha=0.75, zorder=4)
    marker = "o" if at.size <= 60 else ""
    axes.plot(
        *_order(at, members.mean(), upright), color=MEDIAN, linewidth=2.2, marker=marker, markersize=3.2, zorder=6
    )


def line_key(members: Members) -> list[Line2D | Patch]:
    """What lines and shades mean."""
    if len(members.names) == 1:
        return [Line2D([], [], color=MEDIAN, linewidth=2.2, label="forecast")]
    return [
        Line2D([], [], color=MEDIAN, linewidth=2.2, label="ensemble mean"),
        Patch(facecolor=INNER, alpha=0.6, label="middle 50 % of members"),
        Patch(facecolor=OUTER, alpha=0.7, label="middle 80 %"),
        Line2D([], [], color=MEMBER, linewidth=0.9, label="members"),
    ]


def control(axes: Axes, at: Floats, members: Members, *, upright: bool = False, joined: bool = True) -> None:
    """The control's own line, where there is one; points alone of sums, which have no value between."""
    if members.control is not None:
        own, size = _order(at, members.values[members.control], upright), 2.8 if joined else 4.0
        axes.plot(*own, color=CONTROL_COLOUR, linewidth=1.6 * joined, marker="o", markersize=size, zorder=8)


def control_key(members: Members) -> list[Line2D | Patch]:
    """Which member the control is."""
    if members.control is None:
        return []
    label = f"control (member {members.names[members.control]})"
    return [Line2D([], [], color=CONTROL_COLOUR, linewidth=1.6, marker="o", markersize=2.8, label=label)]


def climate(axes: Axes, at: Floats, usual: Usual, *, upright: bool = False) -> None:
    """The climate's middle 80 % behind all else, with its median."""
    at, values = (np.repeat(at, 2), np.repeat(usual.values, 2, axis=1)) if at.size == 1 else (at, usual.values)
    fill = axes.fill_betweenx if upright else axes.fill_between
    fill(at, values[0], values[2], color=CLIMATE, alpha=0.8, linewidth=0, zorder=1)
    axes.plot(*_order(at, values[1], upright), color=CLIMATE_LINE, linewidth=1.1, linestyle=(0, (5, 3)), zorder=5)


def climate_key(usual: Usual) -> list[Line2D | Patch]:
    """What the band is."""
    return [
        Patch(facecolor=CLIMATE, alpha=0.8, label=f"climate, middle 80 % ({usual.words})"),
        Line2D([], [], color=CLIMATE_LINE, linewidth=1.1, linestyle=(0, (5, 3)), label="climate, median"),
    ]


def arrows(axes: Axes, x: Floats, wind: Floats) -> None:
    """Along the top of a panel the direction of the mean wind, longer where it is stronger."""
    every = -(-x.size // _ARROWS)
    u, v = wind[:, ::every]
    speed = np.hypot(u, v)
    if not np.nanmax(speed) > 0:
        return
    # Even the weakest keeps a length at which its direction can be seen.
    length = _LONGEST_ARROW * (0.4 + 0.6 * speed / np.nanmax(speed)) / np.where(speed > 0, speed, np.inf)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.24 * (high - low))
    top: Transform = axes.get_xaxis_transform()
    axes.quiver(
        x[::every], np.full(u.size, 0.88), length * u, length * v, transform=top, color=INK, angles="uv",
        pivot="middle", units="inches", scale_units="inches", scale=1.0, width=0.017, headwidth=4,
        headlength=4.5, headaxislength=4, zorder=7,
    )  # fmt: skip


def _order(at: Floats, values: Floats, upright: bool) -> tuple[Floats, Floats]:
    return (values, at) if upright else (at, values)


def barbs(axes: Axes, members: Members, *, south: bool) -> None:
    """Along the right side of a profile barbs of the mean wind in knots, mirrored in the southern hemisphere."""
    if members.wind is None:
        return
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.16 * (high - low))
    u, v = KNOTS * members.wind
    drawn = axes.barbs(
        np.full(u.size, 0.93), members.axis, u, v, transform=axes.get_yaxis_transform(), length=6, linewidth=0.8,
        color=INK, flip_barb=south, zorder=7,
    )  # fmt: skip
    # A barb at the edge is seen whole; one of absurd wind is as long as the sheet, and ends at the panel.
    drawn.set_clip_path(None)
    drawn.set_clip_box(TransformedBbox(Bbox.from_extents(0.0, -0.05, 1.05, 1.05), axes.transAxes))
