"""All members at once: postage stamps, and spaghetti of chosen contours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from data_pipeline.errors import DataError
from evaluation.plots import titles
from evaluation.plots.canvas import INK, fill
from evaluation.plots.frames import COLOURS
from evaluation.plots.style import Palette, field_palette

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from evaluation.plots.canvas import Field, Sheet
    from evaluation.plots.fields import EnsembleField
    from evaluation.plots.request import Request

    Floats = NDArray[np.float64]

_BLANK = Palette((-1.0, 1.0), ("#ffffff",), "neither")
LETTER = 7.5
"""Points, of a letter above a stamp an inch wide: titles must not touch each other."""
_SHARES = (0.3, 0.7)
"""Of the map that lies below the contours which are drawn unless others are asked for."""


def stamps(run: xr.Dataset, request: Request) -> Figure:
    """Postage stamps: the ensemble mean and every member, all in the same colours; of a single member itself alone."""
    ensemble = request.of(run)
    several = len(ensemble.members) > 1
    fields = [ensemble.mean(), *ensemble.values] if several else [*ensemble.values]
    sheet = request.sheet(ensemble.grid, len(fields), panel_titles=several)
    sheet.title(titles.headline(ensemble, titles.everyone(ensemble)), titles.times(ensemble))
    shown = [sheet.mesh.sample(values, sign=ensemble.sign) for values in fields]
    palette = field_palette(ensemble.style, ensemble.level, sheet.values("members", np.ma.stack(shown)))
    names = ["Ensemble mean", *(f"Member {name}" for name in ensemble.members)] if several else [""]
    for panel, field, name in zip(sheet.panels, shown, names, strict=True):
        contours = fill(panel, sheet.mesh, field, palette)
        size = min(10.0, LETTER * panel.get_position(original=True).width * sheet.figure.get_figwidth())
        panel.set_title(name, fontsize=size, pad=3, fontweight="bold" if name == names[0] else "normal")
    sheet.colour_bar(contours, titles.bar_label(ensemble.style))
    return sheet.figure


def spaghetti(run: xr.Dataset, request: Request) -> Figure:
    """The same few contours of every member as thin lines, and of the ensemble mean as thick ones."""
    ensemble = request.of(run)
    sheet = request.sheet(ensemble.grid)
    middle = sheet.mesh.sample(ensemble.mean(), sign=ensemble.sign)
    levels = _contours(request.contours, ensemble, sheet.values("mean", middle))
    *most, last = map(titles.number, levels)
    values = f"{', '.join(most)} and {last}" if most else last
    sheet.title(
        titles.headline(ensemble, f"{titles.everyone(ensemble)} at {values} {ensemble.style.units}"),
        titles.times(ensemble),
    )
    fill(sheet.panels[0], sheet.mesh, middle * 0.0, _BLANK)
    reached: set[float] = set()
    for values_of_member in ensemble.values:
        field = sheet.mesh.sample(values_of_member, sign=ensemble.sign)
        reached |= _draw(sheet, field, levels, width=0.8, alpha=0.7)
    if len(ensemble.members) > 1:
        _draw(sheet, middle, levels, width=2.2, alpha=1.0)
    _legend(sheet, ensemble, levels, reached)
    return sheet.figure


def _contours(asked: tuple[float, ...] | None, ensemble: EnsembleField, middle: Floats) -> tuple[float, ...]:
    """Those asked for, else the zero line of what has one, else two class edges that part the map in three."""
    if asked is not None:
        if not 1 <= len(asked) <= len(COLOURS) or not np.isfinite(asked).all():
            got = ", ".join(titles.number(level) for level in asked) or "none"
            raise DataError(f"got contours {got}; expected one to {len(COLOURS)} numbers in {ensemble.style.units}")
        return tuple(sorted(set(asked)))
    if ensemble.style.lines == "centre" and ensemble.style.centre is not None:
        return (ensemble.style.centre,)
    edges = np.asarray(field_palette(ensemble.style, ensemble.level, middle).edges)
    inside = edges[(edges > middle.min()) & (edges < middle.max())]
    edges = inside if inside.size else edges
    wanted = np.quantile(middle, _SHARES)
    return tuple(sorted({float(edges[np.abs(edges - value).argmin()]) for value in wanted}))


def _draw(sheet: Sheet, field: Field, levels: tuple[float, ...], *, width: float, alpha: float) -> set[float]:
    """Draws those contours that the field has, and says which."""
    there = {level: colour for level, colour in zip(levels, COLOURS, strict=False) if field.min() < level < field.max()}
    if there:
        Axes.contour(
            sheet.panels[0], sheet.mesh.x, sheet.mesh.y, field, levels=list(there), colors=list(there.values()),
            linewidths=width, alpha=alpha, linestyles="solid", zorder=5 + (width > 1),
        )  # fmt: skip
    return set(there)


def _legend(sheet: Sheet, ensemble: EnsembleField, levels: tuple[float, ...], reached: set[float]) -> None:
    entries = []
    for level, colour in zip(levels, COLOURS, strict=False):
        value = f"{titles.number(level)} {ensemble.style.units}"
        entries.append(Line2D([], [], color=colour, label=value if level in reached else f"{value}: in no member"))
    if len(ensemble.members) > 1:
        entries.append(Line2D([], [], color=INK, linewidth=2.2, label="thick: ensemble mean"))
    sheet.legend(entries)
