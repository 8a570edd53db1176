"""How often each forecast probability was followed by the event: the table that reliability, ROC and value are made of.

The table holds areas (event, probability, outcome), sums and not shares, so that those of many fields and regions add
up. An ensemble of M members has the M + 1 probabilities k/M, nothing is binned. A normal distribution has any
probability, which is rounded to hundredths; that of a single value is 0 or 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from evaluation.metrics.definitions import FieldStatistic
from evaluation.metrics.forms import Ensemble, Gaussian, Point

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evaluation.metrics.definitions import Means, Sample, Statistic
    from evaluation.metrics.exceedance import Events, Forecasted
    from evaluation.metrics.forms import Floats

PERCENT = 100
_DISTRIBUTION = "_of_distribution"


def area_table(events: Forecasted, weights: Floats, steps: int) -> Floats:
    """Area (event, probability 0..steps, outcome no or yes) at each forecast probability; NaN if one is missing.

    ``weights`` (latitude, longitude) are areas, zero where nothing counts.
    """
    inside = np.flatnonzero(weights)
    area, count = weights.ravel()[inside], 2 * (steps + 1)
    table = np.full((len(events.probability), count), np.nan)
    for event, (probability, happened) in enumerate(zip(events.probability, events.happened, strict=True)):
        said = probability.ravel()[inside]
        if not np.isnan(said).any():
            codes = 2 * np.rint(said * steps).astype(np.int64) + happened.ravel()[inside]
            table[event] = np.bincount(codes, area, minlength=count)
    return table.reshape(-1, steps + 1, 2)


def table_statistics(events: Events) -> dict[str, Statistic]:
    """The tables of a kind of events: of ensembles, and of forecasts of other forms."""

    def axes(sample: Sample, probability: str, steps: int) -> dict[str, NDArray[np.generic]]:
        return {**events.axes(sample), probability: np.arange(steps + 1) / steps, "outcome": np.arange(2)}

    return {
        f"{events.prefix}event_table": FieldStatistic(
            lambda sample, area: area_table(events.of(sample), area, _size(sample)),
            lambda sample: axes(sample, "probability", _size(sample)),
            (Ensemble,),
        ),
        f"{events.prefix}event_table{_DISTRIBUTION}": FieldStatistic(
            lambda sample, area: area_table(events.of(sample), area, PERCENT),
            lambda sample: axes(sample, "rounded_probability", PERCENT),
            (Gaussian, Point),
        ),
    }


def table_names(events: Events) -> tuple[str, str]:
    """Names of the statistics that ``merged`` needs."""
    return f"{events.prefix}event_table", f"{events.prefix}event_table{_DISTRIBUTION}"


def twin_of(statistic: str) -> str | None:
    """The table that stands for this one where forecasts are of another form; None if it is no such table.

    >>> twin_of("climate_event_table"), twin_of("event_table_of_distribution"), twin_of("crps")
    ('climate_event_table_of_distribution', 'event_table', None)
    """
    if statistic.endswith(_DISTRIBUTION):
        return statistic.removesuffix(_DISTRIBUTION)
    return f"{statistic}{_DISTRIBUTION}" if statistic.endswith("event_table") else None


def merged(means: Means, events: Events) -> xr.DataArray:
    """One table (..., event, probability, outcome) for all models; NaN throughout where a model's is unknown.

    Every model has either of both tables; where the probabilities of one do not occur in the other, the area is zero.
    """
    found = [means[name].rename({old: "probability" for old in means[name].dims if old == "rounded_probability"})
             for name in table_names(events) if name in means]  # fmt: skip
    aligned = xr.align(*found, join="outer", fill_value=0.0, exclude=())
    known = [table.notnull().all(["probability", "outcome"]) for table in aligned]
    whole = [table.where(there, 0.0) for table, there in zip(aligned, known, strict=True)]
    if len(whole) == 1:
        return whole[0].where(known[0])
    return (whole[0] + whole[1]).where(known[0] | known[1])


def _size(sample: Sample) -> int:
    return sample.forecast.size if isinstance(sample.forecast, Ensemble) else PERCENT
