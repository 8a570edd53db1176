"""Reliability, sharpness, discrimination and economic value of the probabilities of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from evaluation.metrics.definitions import Metric
from evaluation.metrics.event_tables import merged, table_names, table_statistics
from evaluation.metrics.exceedance import CLIMATE_QUANTILES, THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from evaluation.metrics.definitions import Direction, Statistic
    from evaluation.metrics.exceedance import Events

COST_LOSS = (0.01, 0.02, 0.05, *(round(0.05 * step, 2) for step in range(2, 19)), 0.95, 0.98, 0.99)
"""Ratios of the cost of protection to the loss that it prevents."""
_RATIO = xr.DataArray(list(COST_LOSS), {"cost_loss": list(COST_LOSS)}, "cost_loss", name="cost_loss")

STATISTICS: dict[str, Statistic] = {**table_statistics(THRESHOLDS), **table_statistics(CLIMATE_QUANTILES)}


def observed_frequency(table: xr.DataArray) -> xr.DataArray:
    """Of the event, given each forecast probability; NaN for probabilities that were never forecast."""
    area = table.sum("outcome", skipna=False)
    return table.sel(outcome=1, drop=True) / area.where(area > 0)


def sharpness(table: xr.DataArray) -> xr.DataArray:
    """Share of the area and time at which each probability was forecast."""
    area = table.sum("outcome", skipna=False)
    return area / _positive(area.sum("probability", skipna=False))


def reliability(table: xr.DataArray) -> xr.DataArray:
    """``sum_k n_k (p_k - obar_k)^2 / N`` (Murphy 1973), over the distinct probabilities."""
    return _weighted(table, (table["probability"] - observed_frequency(table)) ** 2)


def resolution(table: xr.DataArray) -> xr.DataArray:
    """``sum_k n_k (obar_k - obar)^2 / N`` (Murphy 1973)."""
    return _weighted(table, (observed_frequency(table) - base_rate(table)) ** 2)


def uncertainty(table: xr.DataArray) -> xr.DataArray:
    """``obar (1 - obar)`` (Murphy 1973)."""
    return base_rate(table) * (1 - base_rate(table))


def base_rate(table: xr.DataArray) -> xr.DataArray:
    """Share of area and time at which the event happened."""
    area = table.sum("probability", skipna=False)
    happened, not_happened = area.sel(outcome=1, drop=True), area.sel(outcome=0, drop=True)
    return happened / _positive(happened + not_happened)  # exactly 1 if it always happened


def hit_rate(table: xr.DataArray) -> xr.DataArray:
    """Share of the events at which the forecast probability was at least each ``probability``; NaN without events."""
    return _at_least(table.sel(outcome=1, drop=True))


def false_alarm_rate(table: xr.DataArray) -> xr.DataArray:
    """Share of the non-events at which the forecast probability was at least each ``probability``."""
    return _at_least(table.sel(outcome=0, drop=True))


def roc_area(table: xr.DataArray) -> xr.DataArray:
    """Area under the straight lines between the points of the ROC curve, from (0, 0) to (1, 1).

    The probability that an event was forecast with a higher probability than a non-event, equal ones counting one half
    (Mason and Graham 2002, doi:10.1256/003590002320603584). NaN if there were only events or none.
    """
    hits, false_alarms = (rate(table) for rate in (hit_rate, false_alarm_rate))
    beyond = {"probability": -1}
    following = [rate.shift(beyond, fill_value=0.0) for rate in (hits, false_alarms)]  # (0, 0) after the last
    steps = (false_alarms - following[1]) * (hits + following[0]) / 2
    return steps.sum("probability", skipna=False)


def economic_value(table: xr.DataArray) -> xr.DataArray:
    """Relative value to users who protect themselves if the forecast probability is at least their cost/loss ratio.

    ``V = (min(a, s) - F a (1 - s) + H s (1 - a) - s) / (min(a, s) - s a)`` with cost/loss ratio a, base rate s, hit
    rate H and false alarm rate F (Richardson 2000, doi:10.1002/qj.49712656313). 1: as good as a perfect
    forecast; 0: as good as the better of always and never protecting; negative: worse.
    """
    places = np.searchsorted(table["probability"].values, COST_LOSS)
    chosen = {"probability": xr.DataArray(places, _RATIO.coords, "cost_loss")}
    caught, alarmed = _caught_and_alarmed(table)
    return _value(caught.isel(chosen) * (1 - _RATIO) - alarmed.isel(chosen) * _RATIO, table)


def potential_economic_value(table: xr.DataArray) -> xr.DataArray:
    """The envelope: value to users who know, for their cost/loss ratio, which probability is best to act at.

    At least 0, which acting always or never gives.
    """
    caught, alarmed = _caught_and_alarmed(table)
    gains = [  # one ratio after the other: all at once take much room
        (caught * (1 - ratio) - alarmed * ratio).max("probability", skipna=False) for ratio in COST_LOSS
    ]
    return _value(xr.concat(gains, _RATIO), table).clip(min=0.0)


def _caught_and_alarmed(table: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """``H s`` and ``F (1 - s)``: shares of area and time with a hit and with a false alarm, by acting probability."""
    rate = base_rate(table)
    return hit_rate(table) * rate, false_alarm_rate(table) * (1 - rate)


def _value(gain: xr.DataArray, table: xr.DataArray) -> xr.DataArray:
    """V of ``H s (1 - a) - F (1 - s) a``, what is gained over never acting, in units of the loss."""
    rate = base_rate(table)
    climate = rate.where(rate < _RATIO, _RATIO)
    value = (climate + gain - rate) / _positive(climate - rate * _RATIO)
    return value.drop_vars("probability", errors="ignore").transpose(..., "cost_loss")


def _at_least(area: xr.DataArray) -> xr.DataArray:
    """Share of the area at probabilities as high or higher; exactly 1 at the lowest."""
    total = area.isel(probability=slice(None, None, -1)).cumsum("probability", skipna=False)
    upward = total.isel(probability=slice(None, None, -1)).assign_coords(probability=area["probability"])
    return upward / _positive(upward.isel(probability=0, drop=True))


def _weighted(table: xr.DataArray, term: xr.DataArray) -> xr.DataArray:
    """``sum_k n_k term_k / N``; probabilities that were never forecast have no term."""
    share = sharpness(table)
    return (share * term.where(share != 0, 0.0)).sum("probability", skipna=False)


def _positive(values: xr.DataArray) -> xr.DataArray:
    """NaN instead of zero, to divide by."""
    return values.where(values > 0)


_MURPHY = "Murphy 1973 doi:10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2, over the M + 1 probabilities k/M"
_RICHARDSON = (
    "V = (min(a, s) - F a (1 - s) + H s (1 - a) - s) / (min(a, s) - s a), Richardson 2000 doi:10.1002/qj.49712656313"
)
_FUNCTIONS: dict[str, tuple[Callable[[xr.DataArray], xr.DataArray], Direction, str, str]] = {
    "brier_reliability": (
        reliability, "lower", "reliability term of the Brier score", f"sum_k n_k (p_k - obar_k)^2 / N, {_MURPHY}"),
    "brier_resolution": (
        resolution, "higher", "resolution term of the Brier score", f"sum_k n_k (obar_k - obar)^2 / N, {_MURPHY}"),
    "brier_uncertainty": (
        uncertainty, "none", "uncertainty term of the Brier score", f"obar (1 - obar), {_MURPHY}"),
    "reliability_diagram": (
        observed_frequency, "none", "observed frequency by forecast probability", "obar_k, equal to p_k if reliable"),
    "sharpness": (sharpness, "none", "share of area and time by forecast probability", "n_k / N"),
    "hit_rate": (
        hit_rate, "higher", "share of events forecast with at least a probability",
        "sum_(j >= k) n_j obar_j / (N obar)"),
    "false_alarm_rate": (
        false_alarm_rate, "lower", "share of non-events forecast with at least a probability",
        "sum_(j >= k) n_j (1 - obar_j) / (N (1 - obar))"),
    "roc_area": (
        roc_area, "higher", "area under the ROC curve",
        "trapezoids between the M + 1 points and (0, 0), Mason and Graham 2002 doi:10.1256/003590002320603584"),
    "economic_value": (
        economic_value, "higher", "relative economic value, acting at a probability of the cost/loss ratio",
        _RICHARDSON),
    "potential_economic_value": (
        potential_economic_value, "higher", "envelope of relative economic value, acting at the best probability",
        f"max over probabilities of {_RICHARDSON}"),
}  # fmt: skip


def _metrics(events: Events, what: str, needs: frozenset[Any]) -> dict[str, Metric]:
    return {
        f"{events.prefix}{name}": Metric(
            table_names(events), _of_table(function, events), direction, f"{summary}; {what}", formula, units="1",
            needs=needs, nan_and_ties="a missing member makes the average NaN; a value on the threshold is no event",
            family="reliability")
        for name, (function, direction, summary, formula) in _FUNCTIONS.items()
    }  # fmt: skip


def _of_table(function: Callable[[xr.DataArray], xr.DataArray], events: Events) -> Callable[..., xr.DataArray]:
    return lambda means: function(merged(means, events))


METRICS: dict[str, Metric] = {
    **_metrics(THRESHOLDS, "values above thresholds", frozenset({"thresholds"})),
    **_metrics(CLIMATE_QUANTILES, "values beyond quantiles of the climatology", frozenset({"climate", "quantiles"})),
}
