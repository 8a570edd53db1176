"""Does the extreme forecast index (EFI) tell where events happen: the area under its ROC curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.metrics.blocks import in_blocks
from evaluation.metrics.definitions import FieldStatistic, Metric, Statistic
from evaluation.metrics.efi import LEVELS, efi
from evaluation.metrics.exceedance import beyond
from evaluation.metrics.forms import Ensemble
from evaluation.metrics.once import once

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from evaluation.metrics.definitions import Means, Sample
    from evaluation.metrics.forms import Floats, Numbers

EDGES = np.linspace(-1, 1, 41)
"""Of the bins of EFI within which the score does not tell forecasts apart."""
BLOCK = 32
"""Rows whose EFI is found together."""
OUTCOMES = np.array(["event", "no event"])


def _axes(sample: Sample) -> dict[str, NDArray[Any]]:
    return {
        "efi_outcome": OUTCOMES,
        "climate_quantile": np.asarray(sample.settings.climate_quantiles),
        "efi_bin": (EDGES[:-1] + EDGES[1:]) / 2,
    }


@once
def _index(sample: Sample) -> Floats:
    """EFI (latitude, longitude); NaN where there is no climatology."""
    members, found = _members(sample), np.full(sample.forecast.observation.shape, np.nan)
    if sample.climate is not None:
        quantiles = sample.climate.quantiles(LEVELS)

        def work(rows: slice) -> None:
            found[rows] = efi(members[:, rows], LEVELS, quantiles[:, rows])

        in_blocks(work, len(found), BLOCK)
    return found


def _members(sample: Sample) -> Numbers:
    assert isinstance(sample.forecast, Ensemble)
    return sample.forecast.members


def _table(sample: Sample, weights: Floats) -> Floats:
    """The share of the area (outcome, quantile, bin) that has an EFI in the bin and then an event, or none."""
    levels, inside = sample.settings.climate_quantiles, weights > 0
    area, index = weights[inside] / weights.sum(), _index(sample)[inside]
    found = np.full((2, len(levels), len(EDGES) - 1), np.nan)
    if sample.climate is None or np.isnan(index).any() or not index.size:
        return found
    bins = np.clip(np.searchsorted(EDGES, index, side="right") - 1, 0, found.shape[-1] - 1)
    observation = sample.forecast.observation[inside]
    for place, (level, quantile) in enumerate(zip(levels, sample.climate.quantiles(levels)[:, inside], strict=True)):
        event = beyond(observation, quantile, falling=level < 0.5)
        for row, chosen in enumerate((event, ~event)):
            found[row, place] = np.bincount(bins[chosen], weights=area[chosen], minlength=found.shape[-1])
    return found


def roc_area(events: xr.DataArray, others: xr.DataArray) -> xr.DataArray:
    """The chance that an event had a higher EFI than what was none, half for one in the same bin.

    That is the area under the curve of hit rate against false alarm rate (Mason and Graham 2002,
    doi:10.1256/003590002320603584), of shares by ``efi_bin``. NaN without an event, or with nothing else.

    >>> import xarray as xr
    >>> perfect = [xr.DataArray(shares, dims="efi_bin") for shares in ([0.0, 0.4], [0.6, 0.0])]
    >>> float(roc_area(*perfect))
    1.0
    """
    lower = others.cumsum("efi_bin", skipna=False) - others / 2
    pairs = events.sum("efi_bin", skipna=False) * others.sum("efi_bin", skipna=False)
    return (events * lower).sum("efi_bin", skipna=False) / pairs.where(pairs > 0)


def _efi_roc_area(means: Means) -> xr.DataArray:
    table = means["efi_table"]
    area = roc_area(table.sel(efi_outcome="event", drop=True), table.sel(efi_outcome="no event", drop=True))
    return area.where(area["climate_quantile"] >= 0.5, 1 - area)


STATISTICS: dict[str, Statistic] = {"efi_table": FieldStatistic(_table, _axes, (Ensemble,))}

METRICS: dict[str, Metric] = {
    "efi_roc_area": Metric(
        ("efi_table",), _efi_roc_area, "one", "ROC area of the extreme forecast index for values beyond a quantile",
        "P(EFI higher at an event) + P(in the same bin of 0.05)/2, Mason and Graham 2002 "
        "doi:10.1256/003590002320603584; EFI = 2/pi int (p - F_f(p))/sqrt(p (1 - p)) dp, Zsoter 2006; the event is a "
        "value above the climate's quantile, below it for quantiles under 0.5, where a low EFI is the forecast",
        units="1", needs=frozenset({"climate", "quantiles", "ensemble"}), family="extremes",
        nan_and_ties="a missing member makes it NaN; equal EFI count half; members on a tie of the climate's quantiles "
        "are spread over it; a value on the quantile is no event"),
}  # fmt: skip
