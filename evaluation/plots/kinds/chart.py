"""Weather charts: the lines of one field over the colours of another, as forecasters have drawn them for long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError, EmptyError
from evaluation.plots import titles
from evaluation.plots.canvas import fill, lines
from evaluation.plots.fields import holds, select
from evaluation.plots.highs_lows import mark
from evaluation.plots.style import field_palette, style_of

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    has it, else over temperature; heights over wind speed at the level of the jets. What was not asked for by name and
    has no value is left out.
    """
    if request.variable not in CHARTS:
        raise DataError(f"no chart of {request.variable}; expected one of {', '.join(CHARTS)}, or another kind of map")
    own = CHARTS[request.variable]
    coloured = next(_layers(run, request, own.colours, own.together))
    contoured = next(_layers(run, request, own.lines, own.together), None)
    sheet = request.sheet(coloured.grid)
    if contoured is None:
        sheet.title(_headline(coloured), titles.times(coloured), f"{_title(own.lines[0])} has no value")
    else:
        note = f"Lines: {titles.quantity(contoured)} ({contoured.style.units})"
        sheet.title(_headline(contoured, coloured), titles.times(contoured), note)
    _draw(sheet, contoured, coloured)
    return sheet.figure


def _layers(run: xr.Dataset, request: Request, layers: tuple[Layer, ...], together: bool) -> Iterator[EnsembleField]:
    """The layers that the forecast has with values, the customary one first; an error if it has none of them at all."""
    if request.level is not None:
        layers = tuple(
            (name, request.level if together or name == request.variable else level) for name, level in layers
        )
    for variable, level in [layer for layer in layers if holds(run, *layer)] or layers[-1:]:
        try:
            ensemble = select(run, variable, level, request.lead)
        except EmptyError:
            if variable == request.variable:
                raise
            continue
        yield ensemble if request.member is None else ensemble.only(request.member)


def _title(layer: Layer) -> str:
    return titles.capital(style_of(layer[0], "").title)


def _headline(*shown: EnsembleField) -> str:
    quantities = dict.fromkeys(titles.quantity(own) for own in shown)
    return titles.capital(f"{' and '.join(quantities)}: {titles.statistic(shown[0])}")


def _draw(sheet: Sheet, contoured: EnsembleField | None, coloured: EnsembleField) -> None:
    panel = sheet.panels[0]
    below = sheet.mesh.sample(coloured.mean(), sign=coloured.sign)
    contours = fill(
        panel, sheet.mesh, below, field_palette(coloured.style, coloured.level, sheet.values("colours", below))
    )
    if contoured is not None:
        _draw_lines(sheet, contoured)
    sheet.colour_bar(contours, titles.field_label(coloured))


def _draw_lines(sheet: Sheet, contoured: EnsembleField) -> None:
    above = sheet.mesh.sample(contoured.mean(), sign=contoured.sign)
    edges = field_palette(contoured.style, contoured.level, sheet.values("lines", above)).edges
    labels = lines(sheet, above, edges)
    if contoured.style.marks:
        mark(sheet, contoured.mean(), contoured.grid, labels)
