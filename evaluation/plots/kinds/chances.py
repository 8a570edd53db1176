"""Probabilities and quantiles of the ensemble, by themselves or beside what the climate makes usual."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from evaluation.metrics.efi import LEVELS, efi, shift_of_tails
from evaluation.plots import titles
from evaluation.plots.canvas import fill, lines
from evaluation.plots.climates import beside_climate, quantiles_of
from evaluation.plots.kinds.moments import draw_field
from evaluation.plots.palettes import efi_palette
from evaluation.plots.style import probability_palette

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from evaluation.plots.fields import EnsembleField
    from evaluation.plots.request import Request

DEFAULT_QUANTILE = 0.5
TAILS = ((0.9, 0.99, "solid"), (0.1, 0.01, "dashed"))
"""Levels of the shift of tails, how far out the tails are, and the lines that show them."""
SHIFTS = (0.0, 1.0, 2.0, 5.0, 8.0)
"""Its contours, as on ECMWF's charts: from 0 on a tenth of the members is beyond the climate's hundredth."""


def probability(run: xr.Dataset, request: Request) -> Figure:
    """Share of members at or above the threshold, or below it.

    The threshold is in display units, or, with ``climatology``, its quantile at each point for the valid time.
    """
    if request.climatology is None:
        ensemble = request.of(run)
        limit = _threshold(request, ensemble)
        headline = titles.probability_headline(ensemble, limit, above=request.above)
        return _draw_probability(request, ensemble, ensemble.probability(limit, above=request.above), headline)
    level = _climate_level(request)
    run, climatology = beside_climate(run, request.climatology, request.variable, request.lead)
    ensemble = request.of(run)
    usual = quantiles_of(climatology, ensemble, (level,))[0]
    headline = titles.climate_headline(ensemble, level, above=request.above)
    return _draw_probability(request, ensemble, ensemble.probability(usual, above=request.above), headline)


def quantile(run: xr.Dataset, request: Request) -> Figure:
    """The members' quantile at every point, the median by default."""
    ensemble = request.of(run)
    level = DEFAULT_QUANTILE if request.quantile is None else request.quantile
    values = ensemble.quantile(level)
    sheet = request.sheet(ensemble.grid)
    several = len(ensemble.members) > 1
    what = f"{titles.percent(level)} quantile of the ensemble" if several else titles.statistic(ensemble)
    sheet.title(titles.headline(ensemble, what), titles.times(ensemble))
    draw_field(sheet, ensemble, values)
    return sheet.figure


def extreme_forecast_index(run: xr.Dataset, request: Request) -> Figure:
    """The extreme forecast index (``evaluation.metrics.efi``): how far the members are from the climate, -1 to 1.

    Lines are the shift of tails (Zsoter 2006) of the upper and, dashed, of the lower tail: how extreme the extreme
    members are.
    """
    if request.climatology is None:
        raise DataError(
            "an EFI map needs the quantiles of a climatology; pass --climatology PATH, such as a store's day_of_year"
        )
    run, climatology = beside_climate(run, request.climatology, request.variable, request.lead)
    ensemble = request.of(run)
    usual = quantiles_of(climatology, ensemble, LEVELS)
    index = efi(ensemble.values, LEVELS, usual)
    sheet = request.sheet(ensemble.grid)
    note = "1: all members above the climate of this time of the year, −1: all below. Lines: shift of tails"
    note += f" ({', '.join(map(titles.number, SHIFTS))}), above and (dashed) below"
    sheet.title(titles.headline(ensemble, "extreme forecast index"), titles.times(ensemble), note)
    contours = fill(sheet.panels[0], sheet.mesh, sheet.mesh.sample(index), efi_palette())
    for level, tail, style in TAILS:
        shift = shift_of_tails(ensemble.values, level, usual[LEVELS.index(level)], usual[LEVELS.index(tail)])
        lines(sheet, sheet.mesh.sample(shift), SHIFTS, every=1, style=style)
    sheet.colour_bar(contours, "Extreme forecast index", left=0.08, right=0.92)
    return sheet.figure


def _threshold(request: Request, ensemble: EnsembleField) -> float:
    if request.quantile is not None:
        raise DataError(
            "a probability of passing a quantile of the climate needs the climate; pass --climatology PATH, or "
            f"--threshold VALUE in {ensemble.style.units} in place of --quantile"
        )
    if request.threshold is None:
        raise DataError(
            f"a probability map needs a threshold: pass --threshold VALUE in {ensemble.style.units}, or --quantile "
            "LEVEL with --climatology PATH"
        )
    return request.threshold


def _climate_level(request: Request) -> float:
    if request.threshold is not None or request.quantile is None:
        raise DataError(
            "a probability relative to a climatology needs a level of its quantiles and no threshold; pass "
            "--quantile LEVEL, e.g. --quantile 0.9"
        )
    return request.quantile


def _draw_probability(
    request: Request, ensemble: EnsembleField, share: NDArray[np.float64], headline: str
) -> Figure:  # fmt: skip
    sheet = request.sheet(ensemble.grid)
    sheet.title(headline, titles.times(ensemble))
    contours = fill(sheet.panels[0], sheet.mesh, sheet.mesh.sample(share), probability_palette())
    sheet.colour_bar(contours, "Probability (%)")
    return sheet.figure
