"""The kinds of maps, and ``draw``, which makes any of them into a PNG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from evaluation.plots import titles
from evaluation.plots.canvas import Sheet, fill, lines, save
from evaluation.plots.fields import EnsembleField, select
from evaluation.plots.style import field_palette, line_levels, probability_palette, spread_palette
from evaluation.plots.views import View, view_called

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Request:
    """What to draw: ``level`` in hPa, ``lead`` in hours, ``threshold`` in display units; None takes the default."""

    variable: str
    level: int | None = None
    lead: float | None = None
    threshold: float | None = None
    above: bool = True
    projection: str = "robinson"

    @property
    def view(self) -> View:
        """The map to draw on."""
        return view_called(self.projection)

    def of(self, run: xr.Dataset) -> EnsembleField:
        """The members asked for."""
        return select(run, self.variable, self.level, self.lead)


def mean(run: xr.Dataset, request: Request) -> Figure:
    """Ensemble mean: filled classes, with lines at their edges where that is the custom."""
    ensemble = request.of(run)
    sheet = Sheet.of(request.view, ensemble.grid, 1)
    sheet.title(titles.headline(ensemble, "ensemble mean"), titles.times(ensemble))
    _draw_mean(sheet, 0, ensemble, (0.2, 0.8))
    return sheet.figure


def spread(run: xr.Dataset, request: Request) -> Figure:
    """Ensemble spread: the standard deviation about the ensemble mean."""
    ensemble = request.of(run)
    sheet = Sheet.of(request.view, ensemble.grid, 1)
    sheet.title(titles.headline(ensemble, "ensemble spread"), titles.times(ensemble))
    _draw_spread(sheet, 0, ensemble, (0.2, 0.8))
    return sheet.figure


def mean_spread(run: xr.Dataset, request: Request) -> Figure:
    """Ensemble mean on the left, spread on the right."""
    ensemble = request.of(run)
    sheet = Sheet.of(request.view, ensemble.grid, 2)
    sheet.title(titles.headline(ensemble, "ensemble mean and spread"), titles.times(ensemble))
    _draw_mean(sheet, 0, ensemble, (0.04, 0.48))
    _draw_spread(sheet, 1, ensemble, (0.52, 0.96))
    return sheet.figure


def stamps(run: xr.Dataset, request: Request) -> Figure:
    """Postage stamps: the ensemble mean and every member, all in the same colours."""
    ensemble = request.of(run)
    fields = [ensemble.mean(), *ensemble.values]
    sheet = Sheet.of(request.view, ensemble.grid, len(fields), panel_titles=True)
    sheet.title(titles.headline(ensemble, "all members"), titles.times(ensemble))
    shown = [sheet.mesh.sample(values, sign=ensemble.sign) for values in fields]
    palette = field_palette(ensemble.style, ensemble.level, np.ma.stack(shown).compressed())
    names = ["Ensemble mean", *(f"Member {name}" for name in ensemble.members)]
    for panel, field, name in zip(sheet.panels, shown, names, strict=True):
        contours = fill(panel, sheet.mesh, field, palette)
        panel.set_title(name, fontsize=10, pad=3, fontweight="bold" if name == names[0] else "normal")
    sheet.colour_bar(contours, titles.bar_label(ensemble.style))
    return sheet.figure


def probability(run: xr.Dataset, request: Request) -> Figure:
    """Share of members at or above the threshold (display units), or below it if ``above`` is false."""
    ensemble = request.of(run)
    if request.threshold is None or not np.isfinite(request.threshold):
        raise DataError(f"a probability map needs a threshold: pass --threshold VALUE in {ensemble.style.units}")
    share = ensemble.probability(request.threshold, above=request.above)
    sheet = Sheet.of(request.view, ensemble.grid, 1)
    first = titles.probability_headline(ensemble, request.threshold, above=request.above)
    sheet.title(first, titles.times(ensemble))
    contours = fill(sheet.panels[0], sheet.mesh, sheet.mesh.sample(share), probability_palette())
    sheet.colour_bar(contours, "Probability (%)")
    return sheet.figure


Kind = Callable[["xr.Dataset", Request], "Figure"]

KINDS: dict[str, Kind] = {
    "mean": mean,
    "spread": spread,
    "mean_spread": mean_spread,
    "stamps": stamps,
    "probability": probability,
}


def draw(
    run: xr.Dataset,
    *,
    variable: str,
    kind: str,
    level: int | None = None,
    lead: float | None = None,
    threshold: float | None = None,
    above: bool = True,
    projection: str = "robinson",
    out: Path,
) -> None:
    """Draw one map of a forecast into the PNG file ``out``, written whole or not at all.

    Parameters
    ----------
    run
        A forecast from one initial time as ``evaluation.readers`` gives it; canonical names and SI units.
    variable
        A variable of the forecast, or ``wind_speed`` / ``10m_wind_speed`` where it has both components.
    kind, projection
        Keys of ``KINDS`` and of ``evaluation.plots.views.VIEWS``.
    level
        Pressure in hPa; 500 if it is there, else the first, by default.
    lead
        Hours; the last by default.
    threshold, above
        For kind ``probability``, in display units (m/s, °C, hPa, dam, mm, g/kg): members >= ``threshold`` count,
        or those < ``threshold`` if ``above`` is false.
    out
        A name that ends in ``.png``; missing folders are made.

    Raises
    ------
    DataError
        If the dataset is no run, or lacks what is asked for; the message lists what there is.
    """
    if kind not in KINDS:
        raise DataError(f"unknown kind of map {kind!r}; expected one of: {', '.join(KINDS)}")
    if threshold is not None and kind != "probability":
        raise DataError(f"a map of kind {kind!r} has no threshold; leave it out, or draw kind 'probability'")
    save(KINDS[kind](run, Request(variable, level, lead, threshold, above, projection)), out)


def _draw_mean(sheet: Sheet, index: int, ensemble: EnsembleField, bar: tuple[float, float]) -> None:
    field = sheet.mesh.sample(ensemble.mean(), sign=ensemble.sign)
    palette = field_palette(ensemble.style, ensemble.level, field.compressed())
    contours = fill(sheet.panels[index], sheet.mesh, field, palette)
    lines(sheet.panels[index], sheet.mesh, field, line_levels(ensemble.style, palette))
    sheet.colour_bar(contours, titles.bar_label(ensemble.style), left=bar[0], right=bar[1])


def _draw_spread(sheet: Sheet, index: int, ensemble: EnsembleField, bar: tuple[float, float]) -> None:
    field = sheet.mesh.sample(ensemble.spread())
    contours = fill(sheet.panels[index], sheet.mesh, field, spread_palette(field.compressed()))
    sheet.colour_bar(contours, titles.bar_label(ensemble.style, "spread"), left=bar[0], right=bar[1])
