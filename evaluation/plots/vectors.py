"""Winds on a map: at points even to the eye, turned into the map's own directions, as barbs, arrows or streamlines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from evaluation.plots.canvas import DPI, INK
from evaluation.plots.geodesy import destination
from evaluation.plots.mesh import Mesh
from evaluation.plots.titles import number

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.plots.canvas import Sheet
    from evaluation.plots.views import View

    Floats = NDArray[np.float64]
    Draw = Callable[[Sheet, Grid, Floats, Floats], str]

KNOTS = 3600 / 1852
"""Per metre per second: barbs are in knots, by convention."""
_STEP = 0.05
"""Degrees that the wind is followed to see which way it points on the map."""
_ROUND = (1.0, 2.0, 5.0, 10.0, 20.0, 25.0, 50.0, 100.0)


@dataclass(frozen=True)
class Winds:
    """Points on a map, (rows, columns), evenly spaced in its own units, and the wind there in its directions (m/s).

    ``south`` says which points are in the southern hemisphere.
    """

    x: Floats
    y: Floats
    across: Floats
    up: Floats
    south: NDArray[np.bool_]


def winds(sheet: Sheet, grid: Grid, u: Floats, v: Floats, pixels: float) -> Winds:
    """The wind (eastward and northward, m/s, on ``grid``) every so many pixels of the first panel."""
    x0, x1, y0, y1 = sheet.view.limits
    width, height = (DPI * inches for inches in _size(sheet))
    columns, rows = max(round(width / pixels), 2), max(round(height / pixels), 2)
    x, y = np.meshgrid(_middles(x0, x1, columns), _middles(y0, y1, rows))
    longitude, latitude = sheet.view.unproject(x, y)
    mesh = Mesh.at(grid, longitude, latitude, x, y)
    east, north = mesh.interpolate(u, sign=-1), mesh.interpolate(v, sign=-1)
    across, up = turned(sheet.view, longitude, latitude, east, north)
    return Winds(x, y, across, up, np.asarray(latitude < 0))


def turned(view: View, longitude: Floats, latitude: Floats, u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Eastward and northward components in the directions of the map, of the same speed; NaN where unknown.

    The wind is followed a few kilometres on the sphere, and both ends are projected: right at the poles as well, where
    east has no direction on the map.
    """
    there = destination(longitude, latitude, np.rad2deg(np.arctan2(u, v)), _STEP)
    (x0, y0), (x1, y1) = view.project(longitude, latitude), view.project(view.wrap(there[0]), there[1])
    across, up = x1 - x0, y1 - y0
    length = np.hypot(across, up)
    left, right, *_ = view.limits
    # What leaves by one edge of the map comes in by the other: no arrow is as long as that.
    length = np.where((length > 0) & (length < (right - left) / 4), length, np.nan)
    speed = np.hypot(u, v)
    return speed * across / length, speed * up / length


def draw_barbs(sheet: Sheet, grid: Grid, u: Floats, v: Floats) -> str:
    """Barbs in knots, mirrored south of the equator; what they mean."""
    found = winds(sheet, grid, u, v, 38.0)
    shown = np.isfinite(found.across)
    Axes.barbs(
        sheet.panels[0], found.x[shown], found.y[shown], KNOTS * found.across[shown], KNOTS * found.up[shown],
        length=5.2, linewidth=0.6, color=INK, flip_barb=found.south[shown], zorder=6, sizes={"emptybarb": 0.12},
    )  # fmt: skip
    return "Barbs: wind in knots (half 5, full 10, pennant 50)"


def draw_quiver(sheet: Sheet, grid: Grid, u: Floats, v: Floats) -> str:
    """Arrows, with one beside the colour bar that says how long they are; what they mean."""
    pixels = 30.0
    found = winds(sheet, grid, u, v, pixels)
    shown = np.isfinite(found.across)
    speed = np.hypot(found.across[shown], found.up[shown])
    scale = sheet.values("arrows", np.ma.asarray(speed))
    strong = float(np.quantile(scale, 0.95)) if scale.size and scale.max() > 0 else 1.0
    arrows = Axes.quiver(
        sheet.panels[0], found.x[shown], found.y[shown], found.across[shown], found.up[shown], color=INK,
        units="dots", width=1.3, scale_units="dots", scale=strong / (1.3 * pixels), headwidth=4.0, headlength=5.0,
        headaxislength=4.5, zorder=6, pivot="middle",
    )  # fmt: skip
    example = max((step for step in _ROUND if step <= 1.5 * strong), default=_ROUND[0])
    sheet.panels[0].quiverkey(
        arrows, 0.87, 0.55 * sheet.foot, example, f"{number(example)} m/s", coordinates="figure", labelpos="E",
        fontproperties={"size": 11}, color=INK, labelcolor=INK,
    )  # fmt: skip
    return "Arrows: wind, as long as it is strong"


def draw_streamlines(sheet: Sheet, grid: Grid, u: Floats, v: Floats) -> str:
    """Streamlines, thicker where the wind is stronger; what they mean."""
    found = winds(sheet, grid, u, v, 14.0)
    across, up = np.ma.masked_invalid(found.across), np.ma.masked_invalid(found.up)
    speed = np.ma.hypot(across, up)
    if speed.count() and speed.max() > 0:
        inches = max(_size(sheet))
        Axes.streamplot(
            sheet.panels[0], found.x[0], found.y[:, 0], across, up, color=INK, density=inches / 6,
            linewidth=0.4 + 1.1 * speed.filled(0.0) / speed.max(), arrowsize=0.8, zorder=6,
        )  # fmt: skip
    return "Streamlines: wind, thicker where it is stronger"


DRAWN: dict[str, Draw] = {
    "barbs": draw_barbs,
    "streamlines": draw_streamlines,
    "quiver": draw_quiver,
}


def _size(sheet: Sheet) -> tuple[float, float]:
    """Width and height of the first panel in inches."""
    box = sheet.panels[0].get_position(original=True)
    return box.width * sheet.figure.get_figwidth(), box.height * sheet.figure.get_figheight()


def _middles(start: float, stop: float, count: int) -> Floats:
    return np.asarray(start + (np.arange(count) + 0.5) * (stop - start) / count)
