"""The wind over a field: barbs, streamlines or arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from evaluation.plots import titles
from evaluation.plots.canvas import fill
from evaluation.plots.fields import COMPONENTS, select
from evaluation.plots.style import field_palette
from evaluation.plots.vectors import DRAWN

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from evaluation.plots.fields import EnsembleField
    from evaluation.plots.request import Request
    from evaluation.plots.vectors import Draw


def wind(run: xr.Dataset, request: Request) -> Figure:
    """The mean wind vector, or a member's, over the colours of a field, whose mean it is too.

    The wind is that of the field's level, or for a field without levels that at 10 m.
    """
    ensemble = request.of(run)
    u, v = (select(run, name, ensemble.level, request.lead) for name in _components(run, ensemble))
    if request.member is not None:
        ensemble, u, v = (own.only(request.member) for own in (ensemble, u, v))
    sheet = request.sheet(ensemble.grid)
    field = sheet.mesh.sample(ensemble.mean(), sign=ensemble.sign)
    palette = field_palette(ensemble.style, ensemble.level, sheet.values("field", field))
    contours = fill(sheet.panels[0], sheet.mesh, field, palette)
    meaning = _arrows(request.style)(sheet, ensemble.grid, u.mean(), v.mean())
    sheet.title(_headline(ensemble, u), titles.times(ensemble), meaning)
    sheet.colour_bar(contours, titles.bar_label(ensemble.style))
    return sheet.figure


def _headline(ensemble: EnsembleField, u: EnsembleField) -> str:
    blowing = titles.quantity(u).replace("eastward wind", "wind")
    what = blowing if ensemble.variable in COMPONENTS else f"{titles.quantity(ensemble)} and {blowing}"
    return titles.capital(f"{what}: {titles.statistic(ensemble)}")


def _arrows(style: str | None) -> Draw:
    if style is not None and style not in DRAWN:
        raise DataError(f"unknown style of wind {style!r}; expected one of: {', '.join(DRAWN)}")
    return DRAWN[style or "barbs"]


def _components(run: xr.Dataset, ensemble: EnsembleField) -> tuple[str, str]:
    """Of the field's own level, else at the height that its name says, else at the lowest height that is there."""
    heights = ("10m_", "100m_") if ensemble.level is None else ("",)
    if ensemble.variable.startswith("100m_"):
        heights = ("100m_",)
    for height in heights:
        names = (f"{height}u_component_of_wind", f"{height}v_component_of_wind")
        if all(name in run.data_vars for name in names):
            return names
    needed = " or ".join(f"{height}u_component_of_wind and {height}v_component_of_wind" for height in heights)
    raise DataError(
        f"no wind to draw over {ensemble.variable}: expected {needed}; the forecast has "
        f"{', '.join(map(str, run.data_vars))}"
    )
