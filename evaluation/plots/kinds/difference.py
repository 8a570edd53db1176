"""The forecast minus another one, or minus the analysis, at the same valid time and on the same grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from evaluation.plots import titles
from evaluation.plots.canvas import fill
from evaluation.plots.fields import select
from evaluation.plots.palettes import difference_palette
from evaluation.plots.reference import ANALYSIS, beside

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from evaluation.plots.fields import EnsembleField
    from evaluation.plots.request import Request


def difference(run: xr.Dataset, request: Request) -> Figure:
    """Ensemble mean minus the other's mean, or minus the analysis; red where the forecast is higher."""
    if request.against is None:
        raise DataError("a difference needs something to subtract; pass --against FILE, a forecast or the analysis")
    run, other = beside(run, request.against, request.lead)
    ours, theirs = request.of(run), select(other, request.variable, request.level, None)
    sheet = request.sheet(ours.grid)
    what = f"{titles.statistic(ours)} minus {'the analysis' if ANALYSIS in other.attrs else 'another forecast'}"
    sheet.title(titles.headline(ours, what), titles.times(ours), _subtracted(request, other, theirs))
    field = sheet.mesh.sample(ours.mean() - theirs.mean(), sign=ours.sign)
    contours = fill(
        sheet.panels[0], sheet.mesh, field, difference_palette(ours.style, sheet.values("difference", field))
    )
    sheet.colour_bar(contours, titles.bar_label(ours.style, f"difference in {ours.style.title}"))
    return sheet.figure


def _subtracted(request: Request, other: xr.Dataset, theirs: EnsembleField) -> str:
    name = f"{Path(request.against).name}, " if isinstance(request.against, str | Path) else ""
    times = titles.moment(theirs.valid_time) if ANALYSIS in other.attrs else titles.times(theirs)
    return f"Subtracted: {name}{times}"
