"""Yes or no: events beyond a quantile of the climate or a threshold, as contingency tables and the scores of these.

A table has hits a, false alarms b, misses c and correct negatives d, as shares of area and times, so that tables add
up; scores are taken of the mean table, never averaged. A forecast becomes a yes in three ways (axis ``decision``):
``mean``, the ensemble mean is beyond; ``half``, at least half of the members are, as they are where their median is;
``members``, each member is a forecast of its own, and the table holds what is expected of one drawn at random.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from evaluation.metrics import contingency
from evaluation.metrics.definitions import Metric, PointStatistic, Statistic
from evaluation.metrics.exceedance import CLIMATE_QUANTILES, THRESHOLDS, beyond

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from evaluation.metrics.definitions import Means, Sample
    from evaluation.metrics.exceedance import Events
    from evaluation.metrics.forms import Floats, Forecast, Numbers

KINDS: Mapping[str, Events] = {"quantile": CLIMATE_QUANTILES, "threshold": THRESHOLDS}
DECISIONS = ("mean", "half", "members")
CELLS = np.array(["hit", "forecast"])


def central_value(forecast: Forecast) -> Numbers:
    """The mean of the forecast, in the precision of the observation."""
    return (forecast.observation.astype(np.float64) + forecast.error).astype(forecast.observation.dtype)


def mean_beyond(sample: Sample, kind: str) -> Floats:
    """1 where the mean of the forecast is beyond, 0 where not, NaN without one: (event, latitude, longitude)."""
    labels = KINDS[kind].labels(sample)
    falling = labels < 0.5 if kind == "quantile" else np.zeros(len(labels), dtype=bool)
    value, known = central_value(sample.forecast), np.isfinite(sample.forecast.error)
    limits = _limits(sample, kind, labels)
    found = np.empty(limits.shape)
    for place, (limit, down) in enumerate(zip(limits, falling.tolist(), strict=True)):
        found[place] = np.where(known & np.isfinite(limit), beyond(value, limit, falling=down), np.nan)
    return found


def _limits(sample: Sample, kind: str, labels: Floats) -> Floats:
    shape = (len(labels), *sample.forecast.observation.shape)
    if kind == "threshold":
        return np.broadcast_to(labels[:, None, None], shape)
    return np.full(shape, np.nan) if sample.climate is None else sample.climate.quantiles(labels.tolist())


def _decided(sample: Sample, kind: str, decision: str) -> Floats:
    """How much of a yes the forecast is: 0, 1, or for ``members`` the share of them; (event, latitude, longitude)."""
    if decision == "mean":
        return mean_beyond(sample, kind)
    probability = KINDS[kind].of(sample).probability
    if decision == "members":
        return probability
    return np.where(np.isnan(probability), np.nan, probability >= 0.5)


def _observed(sample: Sample, kind: str) -> Floats:
    """1 where the observation is beyond, NaN where there is no forecast; (event, latitude, longitude)."""
    events = KINDS[kind].of(sample)
    return np.where(np.isnan(events.probability), np.nan, events.happened.astype(np.float64))


def _table(sample: Sample, kind: str, decision: str) -> Floats:
    """Hits and forecast events, (event, 2, latitude, longitude)."""
    decided = _decided(sample, kind, decision)
    return np.stack([decided * KINDS[kind].of(sample).happened, decided], axis=1)


def _table_axes(sample: Sample, kind: str) -> dict[str, NDArray[np.generic]]:
    return {**KINDS[kind].axes(sample), "cell": CELLS}


def mean_table(means: Means, kind: str) -> contingency.Table:
    """The mean table of every decision, whose dims end with (decision, climate_quantile or threshold)."""
    own = [means[f"{kind}_table_of_{decision}"] for decision in DECISIONS]
    tables = xr.concat(own, xr.DataArray(list(DECISIONS), dims="decision", name="decision"), join="outer")
    hit, forecast = (tables.sel(cell=cell, drop=True) for cell in CELLS)
    return contingency.Table.of_marginals(hit, forecast, means[f"{kind}_observed"])


def _score(means: Means, kind: str, score: Callable[[contingency.Table], xr.DataArray]) -> xr.DataArray:
    return score(mean_table(means, kind)).transpose(..., "decision", KINDS[kind].axis)


STATISTICS: dict[str, Statistic] = {
    **{f"{kind}_observed": PointStatistic(partial(_observed, kind=kind), KINDS[kind].axes) for kind in KINDS},
    **{
        f"{kind}_table_of_{decision}": PointStatistic(
            partial(_table, kind=kind, decision=decision), partial(_table_axes, kind=kind)
        )
        for kind in KINDS
        for decision in DECISIONS
    },
}

_WHAT = {
    "quantile": "values beyond quantiles of the climatology (below those under 0.5)",
    "threshold": "values above thresholds",
}
_NEEDS: dict[str, frozenset[Any]] = {
    "quantile": frozenset({"climate", "quantiles"}),
    "threshold": frozenset({"thresholds"}),
}

METRICS: dict[str, Metric] = {
    f"{kind}_{name}": Metric(
        (f"{kind}_observed", *(f"{kind}_table_of_{decision}" for decision in DECISIONS)),
        partial(_score, kind=kind, score=entry.of), entry.direction, f"{entry.summary} of {_WHAT[kind]}",
        f"{entry.formula}; a hits, b false alarms, c misses, d correct negatives, n their sum", units="1",
        needs=_NEEDS[kind], family="extremes",
        nan_and_ties="a missing member makes it NaN; a value on the threshold is no event; NaN where 0/0")
    for kind in KINDS for name, entry in contingency.SCORES.items()
}  # fmt: skip
