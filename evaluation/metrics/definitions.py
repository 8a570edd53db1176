"""What a score is made of: statistics that can be averaged, and metrics that are functions of their averages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.channels import Channel
    from data_pipeline.grid import Grid
    from evaluation.climate import Climate
    from evaluation.metrics.forms import Floats, Forecast
    from evaluation.settings import Settings

    Means: TypeAlias = Mapping[str, xr.DataArray]

Direction: TypeAlias = Literal["lower", "higher", "zero", "one", "none"]


@dataclass(frozen=True)
class Sample:
    """A forecast of one field, all of it (latitude, longitude), and what scores may want to know beside it.

    ``climate`` is None where no climatology is there.
    """

    forecast: Forecast
    channel: Channel
    grid: Grid
    valid_time: np.datetime64
    lead_hours: float
    settings: Settings
    climate: Climate | None = None


@dataclass(frozen=True)
class PointStatistic:
    """A statistic at every point: ``of`` gives (*axes, latitude, longitude), float64.

    It is NaN where the forecast is, so that an average over such a point is NaN too; where the observation is NaN it
    does not matter. ``axes`` gives the labels of the leading axes, by name. ``forms`` are those of forecasts that have
    it; of others it is not asked for, and their scores are NaN.
    """

    of: Callable[[Sample], Floats]
    axes: Callable[[Sample], dict[str, NDArray[np.generic]]] = field(default=lambda _: {})
    forms: tuple[type, ...] = (object,)


@dataclass(frozen=True)
class FieldStatistic:
    """A statistic of a whole field: ``of`` gives (*axes) for the weights (latitude, longitude) of a region.

    The weights are areas, zero outside the region and where there is no observation; they do not sum to one. Fields
    are averaged over initial times, each weighing the same; one whose value is NaN makes the average NaN.
    """

    of: Callable[[Sample, Floats], Floats]
    axes: Callable[[Sample], dict[str, NDArray[np.generic]]] = field(default=lambda _: {})
    forms: tuple[type, ...] = (object,)


Statistic: TypeAlias = PointStatistic | FieldStatistic


@dataclass(frozen=True)
class Metric:
    """A score: the statistics whose means it needs and the function of them that it is.

    ``finalise`` takes the means by name, each with dims (model, [group], lead_time, region, [level], *axes), and gives
    the score with its own trailing axes. ``direction`` is what a better forecast's value tends to. ``nan_and_ties``
    says what becomes of missing values and of ties; ``units`` are those given, or the variable's for "variable";
    ``needs`` what must be there beside forecast and truth.
    """

    statistics: tuple[str, ...]
    finalise: Callable[[Means], xr.DataArray]
    direction: Direction
    summary: str
    formula: str
    units: str = "variable"
    minimum_members: int = 1
    needs: frozenset[Literal["climate", "quantiles", "thresholds", "ensemble", "precipitation"]] = frozenset()
    nan_and_ties: str = "a missing member makes the average NaN; ties do not matter"
    family: str = "basic"


def mean_of(statistic: str) -> Callable[[Means], xr.DataArray]:
    """The finalizer that gives the mean of one statistic."""
    return lambda means: means[statistic]


def of_forecast(function: Callable[[Forecast], Floats]) -> PointStatistic:
    """The statistic that a function of the forecast alone is."""
    return PointStatistic(lambda sample: function(sample.forecast))
