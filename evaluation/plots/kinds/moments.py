"""Mean, spread, and the mean over the spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.plots import titles
from evaluation.plots.canvas import fill, lines
from evaluation.plots.highs_lows import mark
from evaluation.plots.style import field_palette, line_levels, spread_palette

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from evaluation.plots.canvas import Sheet
    from evaluation.plots.fields import EnsembleField
    from evaluation.plots.request import Request


def mean(run: xr.Dataset, request: Request) -> Figure:
    """Ensemble mean: filled classes, with lines at their edges where that is the custom."""
    ensemble = request.of(run)
    sheet = request.sheet(ensemble.grid)
    sheet.title(titles.headline(ensemble, titles.statistic(ensemble)), titles.times(ensemble))
    draw_field(sheet, ensemble, ensemble.mean())
    return sheet.figure


def member(run: xr.Dataset, request: Request) -> Figure:
    """One member as ``mean`` draws them all; the first by default."""
    ensemble = request.of(run).only(request.member)
    sheet = request.sheet(ensemble.grid)
    sheet.title(titles.headline(ensemble, titles.statistic(ensemble)), titles.times(ensemble))
    draw_field(sheet, ensemble, ensemble.mean())
    return sheet.figure


def spread(run: xr.Dataset, request: Request) -> Figure:
    """Ensemble spread: the standard deviation about the ensemble mean."""
    ensemble = request.of(run)
    sheet = request.sheet(ensemble.grid)
    sheet.title(titles.headline(ensemble, "ensemble spread"), titles.times(ensemble))
    _draw_spread(sheet, ensemble)
    return sheet.figure


def mean_spread(run: xr.Dataset, request: Request) -> Figure:
    """Lines of the ensemble mean over shading of the spread."""
    ensemble = request.of(run)
    sheet = request.sheet(ensemble.grid)
    first = titles.headline(ensemble, "ensemble mean and spread")
    sheet.title(first, titles.times(ensemble), f"Lines: ensemble mean ({ensemble.style.units}); colours: spread")
    _draw_spread(sheet, ensemble)
    field = sheet.mesh.sample(ensemble.mean(), sign=ensemble.sign)
    lines(sheet, field, field_palette(ensemble.style, ensemble.level, sheet.values("field", field)).edges)
    return sheet.figure


def draw_field(sheet: Sheet, ensemble: EnsembleField, values: NDArray[np.float64]) -> None:
    """A field of this ensemble's variable on the first panel, with its lines, marks and colour bar."""
    field = sheet.mesh.sample(values, sign=ensemble.sign)
    palette = field_palette(ensemble.style, ensemble.level, sheet.values("field", field))
    contours = fill(sheet.panels[0], sheet.mesh, field, palette)
    labels = lines(sheet, field, line_levels(ensemble.style, palette))
    if ensemble.style.marks:
        mark(sheet, values, ensemble.grid, labels)
    sheet.colour_bar(contours, titles.bar_label(ensemble.style))


def _draw_spread(sheet: Sheet, ensemble: EnsembleField) -> None:
    field = sheet.mesh.sample(ensemble.spread())
    contours = fill(sheet.panels[0], sheet.mesh, field, spread_palette(sheet.values("spread", field)))
    sheet.colour_bar(contours, titles.bar_label(ensemble.style, "spread"))
