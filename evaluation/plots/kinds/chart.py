"""Weather charts: the lines of one field over the colours of another, as forecasters have drawn them for long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from evaluation.plots import titles
from evaluation.plots.canvas import fill, lines
from evaluation.plots.fields import holds, select
from evaluation.plots.highs_lows import mark
from evaluation.plots.style import field_palette

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from evaluation.plots.canvas import Sheet
    from evaluation.plots.fields import EnsembleField
    from evaluation.plots.request import Request

Layer = tuple[str, int | None]
"""A variable, and the level in hPa that it is taken at; None is the one that all maps take."""


@dataclass(frozen=True)
class Chart:
    """What is drawn as lines, and as colours: of each the first that the forecast has.

    A level that is asked for is that of the variable asked for, or, ``together``, of both.
    """

    lines: tuple[Layer, ...]
    colours: tuple[Layer, ...]
    together: bool = False


def _at_jets(variable: str) -> tuple[Layer, ...]:
    return (variable, 250), (variable, 300), (variable, 200), (variable, None)


_HEIGHTS: tuple[Layer, ...] = (("geopotential", 500), ("geopotential", None))
_PRESSURE: Layer = ("mean_sea_level_pressure", None)
_RAIN: Layer = ("total_precipitation", None)
_WARMTH: Layer = ("temperature", 850)
CHARTS: dict[str, Chart] = {
    "geopotential": Chart(_HEIGHTS, (_WARMTH, *_HEIGHTS)),
    "temperature": Chart(_HEIGHTS, (_WARMTH, ("temperature", None))),
    "mean_sea_level_pressure": Chart((_PRESSURE,), (_RAIN, _WARMTH, _PRESSURE)),
    "total_precipitation": Chart((_PRESSURE,), (_RAIN,)),
    "wind_speed": Chart(_at_jets("geopotential"), _at_jets("wind_speed"), together=True),
}
"""By the variable asked for."""


def chart(run: xr.Dataset, request: Request) -> Figure:
    """The customary chart of a variable: of the ensemble mean, or of a member.

    500 hPa heights over 850 hPa temperature; pressure with its highs and lows over precipitation, where the forecast
    has it, else over temperature; heights over wind speed at the level of the jets.
    """
    if request.variable not in CHARTS:
        raise DataError(f"no chart of {request.variable}; expected one of {', '.join(CHARTS)}, or another kind of map")
    own = CHARTS[request.variable]
    contoured, coloured = (_layer(run, request, layers, own.together) for layers in (own.lines, own.colours))
    sheet = request.sheet(contoured.grid)
    note = f"Lines: {titles.quantity(contoured)} ({contoured.style.units})"
    sheet.title(_headline(contoured, coloured), titles.times(contoured), note)
    _draw(sheet, contoured, coloured)
    return sheet.figure


def _layer(run: xr.Dataset, request: Request, layers: tuple[Layer, ...], together: bool) -> EnsembleField:
    """The first layer that the forecast has, or the reason why the last is not there."""
    if request.level is not None:
        layers = tuple(
            (name, request.level if together or name == request.variable else level) for name, level in layers
        )
    variable, level = next((layer for layer in layers if holds(run, *layer)), layers[-1])
    ensemble = select(run, variable, level, request.lead)
    return ensemble if request.member is None else ensemble.only(request.member)


def _headline(contoured: EnsembleField, coloured: EnsembleField) -> str:
    quantities = dict.fromkeys(titles.quantity(own) for own in (contoured, coloured))
    return titles.capital(f"{' and '.join(quantities)}: {titles.statistic(contoured)}")


def _draw(sheet: Sheet, contoured: EnsembleField, coloured: EnsembleField) -> None:
    panel = sheet.panels[0]
    below = sheet.mesh.sample(coloured.mean(), sign=coloured.sign)
    contours = fill(
        panel, sheet.mesh, below, field_palette(coloured.style, coloured.level, sheet.values("colours", below))
    )
    above = sheet.mesh.sample(contoured.mean(), sign=contoured.sign)
    edges = field_palette(contoured.style, contoured.level, sheet.values("lines", above)).edges
    labels = lines(sheet, above, edges)
    if contoured.style.marks:
        mark(sheet, contoured.mean(), contoured.grid, labels)
    sheet.colour_bar(contours, titles.field_label(coloured))
