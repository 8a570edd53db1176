"""Highs and lows of a field: where they are, and their letters and values on a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import patheffects

from evaluation.plots.geodesy import destination
from evaluation.plots.mesh import Mesh
from evaluation.plots.titles import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.text import Text
    from matplotlib.transforms import BboxBase
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.plots.canvas import Sheet

    Floats = NDArray[np.float64]

APART = 70.0
"""Pixels between two marks, and from a mark to the edge of the map."""
DEPTH = 2.0
"""Display units (hPa) by which a centre must differ from what is round it."""
NEAREST = 3.0
"""Degrees, the least radius of what is round it: below that weather has no highs and lows."""
_COLOURS = {"H": "#1f3a93", "L": "#b3261e"}
_BEARINGS = np.arange(0.0, 360.0, 30.0)


@dataclass(frozen=True)
class Centres:
    """Longitude, latitude, value and sign (1 for a high) of extremes, the most pronounced first."""

    longitude: Floats
    latitude: Floats
    value: Floats
    sign: Floats


def centres(values: Floats, grid: Grid, radius: float, depth: float) -> Centres:
    """Points that no neighbour exceeds, and that exceed the mean of the circle about them by ``depth`` at least.

    Parameters
    ----------
    values
        (latitude, longitude) on ``grid``; missing values are no extremes, and none is next to them.
    radius
        Of the circle, in degrees.
    depth
        In the units of ``values``.
    """
    latitude, longitude = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    found = []
    for side in (1.0, -1.0):
        place = _local_maxima(side * values, grid)
        round_it = _on_circles(values, grid, longitude[place], latitude[place], radius)
        found.append((longitude[place], latitude[place], values[place], np.full(place.sum(), side), round_it))
    lon, lat, value, sign, round_it = (np.concatenate(parts) for parts in zip(*found, strict=True))
    pronounced = sign * (value - round_it)
    order = np.argsort(-pronounced)
    order = order[pronounced[order] >= depth]
    return Centres(lon[order], lat[order], value[order], sign[order])


def mark(sheet: Sheet, values: Floats, grid: Grid, labels: Sequence[Text] = ()) -> None:
    """Write H and L with their values on the first panel; labels of contours that they would touch go."""
    panel = sheet.panels[0]
    pixels = panel.get_position(original=True).width * sheet.figure.bbox.width
    found = centres(values, grid, max(APART * sheet.view.degrees_across / pixels, NEAREST), DEPTH)
    place = panel.transData.transform(
        np.column_stack(sheet.view.project(sheet.view.wrap(found.longitude), found.latitude))
    )  # fmt: skip
    chosen = _apart(place, panel.get_window_extent().padded(-APART / 2), _on_globe(sheet, place))
    for own in chosen:
        _write(sheet, place[own], "H" if found.sign[own] > 0 else "L", found.value[own])
    for label in labels:
        spot = panel.transData.transform(label.get_position())
        label.set_visible(label.get_visible() and not _near(spot, place[chosen], APART / 2))


def _apart(place: Floats, box: BboxBase, on_globe: NDArray[np.bool_]) -> list[int]:
    """Positions of those, in order, that are in the box, on the globe, and away from the ones before."""
    chosen: list[int] = []
    for position, (x, y) in enumerate(place):
        if on_globe[position] and box.contains(x, y) and not _near(place[position], place[chosen], APART):
            chosen.append(position)
    return chosen


def _on_globe(sheet: Sheet, place: Floats) -> NDArray[np.bool_]:
    """Whether a mark there would lie on the globe with all of its corners."""
    corners = place[:, None] + APART / 4 * np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)])
    x, y = sheet.panels[0].transData.inverted().transform(corners.reshape(-1, 2)).T
    return np.asarray(np.isfinite(sheet.view.unproject(x, y)[0]).reshape(-1, 4).all(axis=1))


def _near(spot: Floats, others: Floats, distance: float) -> bool:
    return bool((np.hypot(*(others - spot).T) < distance).any())


def _write(sheet: Sheet, place: NDArray[np.float64], letter: str, value: float) -> None:
    panel = sheet.panels[0]
    x, y = panel.transData.inverted().transform(place)
    halo = [patheffects.withStroke(linewidth=2.5, foreground="white")]
    colour = _COLOURS[letter]
    for words, size, down in ((letter, 15, 4), (number(round(value)), 8.5, -9)):
        panel.annotate(
            words, (x, y), (0, down), textcoords="offset points", ha="center", va="center", fontsize=size,
            fontweight="bold", color=colour, path_effects=halo, zorder=7, annotation_clip=True,
        )  # fmt: skip


def _local_maxima(values: Floats, grid: Grid) -> NDArray[np.bool_]:
    """Points that none of their eight neighbours exceeds; of neighbours that are equal, the first.

    None is on the edge of a regional grid, in the last row before a pole, or next to a gap.
    """
    ends = values[:, [-1, 0]] if grid.is_periodic else np.full((len(values), 2), np.nan)
    padded = np.concatenate([ends[:, :1], values, ends[:, 1:]], axis=1)
    padded = np.pad(padded, ((1, 1), (0, 0)), constant_values=np.nan)
    rows, columns = values.shape
    neighbours = {
        (down, right): padded[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
        for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right
    }  # fmt: skip
    before = np.stack([own for place, own in neighbours.items() if place < (0, 0)]).max(axis=0)
    after = np.stack([own for place, own in neighbours.items() if place > (0, 0)]).max(axis=0)
    return np.asarray((values > before) & (values >= after))


def _on_circles(values: Floats, grid: Grid, longitude: Floats, latitude: Floats, radius: float) -> Floats:
    """Mean of the field on a circle about each point."""
    ring = destination(longitude[:, None], latitude[:, None], _BEARINGS, radius)
    return np.asarray(Mesh.at(grid, *ring, *ring).interpolate(values).mean(axis=1))
