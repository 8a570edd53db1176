"""Scores, and functions of scores, with intervals: computed anew from the sums of any choice of initial times.

Roots and ratios of means are no means themselves, so that the series which a test takes are made by leaving one initial
time out (jackknife, Efron and Stein 1981, doi:10.1214/aos/1176345462): with score S of all n times and S_(-i) without
time i, the deviation of time i is ``(n - 1) (S - S_(-i))`` less the mean of these. For a mean it is the deviation of
time i itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.metrics.event_tables import twin_of
from evaluation.metrics.registry import metric
from evaluation.resampling import RESAMPLES, bootstrap_interval, circular_blocks, common_length, stretch
from evaluation.significance import (
    CONFIDENCE,
    MINIMUM_TIMES,
    STANDARD_ERRORS,
    TESTS,
    horizons,
    interval,
    p_value,
    spacing,
)
from evaluation.sums import SHARED, statistics_of, weights_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from evaluation.significance import Flags, Floats

    Function: TypeAlias = Callable[[xr.DataArray], xr.DataArray]

ADDED_UP = "added_up"
_MOST_NUMBERS = 4_000_000
"""Resampled means that are in memory together."""
_MOST_REGIONS = 32
"""That are worked on together; maps have thousands."""


@dataclass(frozen=True)
class Trial:
    """How intervals and p-values are found: the test, by name, and its numbers."""

    test: str = "ewc"
    confidence: float = CONFIDENCE
    resamples: int = RESAMPLES
    seed: int = 0

    def __post_init__(self) -> None:
        if self.test not in TESTS:
            raise ScoreError(f"got the test {self.test!r}, expected one of {', '.join(TESTS)}")
        if not 0 < self.confidence < 1 or self.resamples < 100:
            raise ScoreError(
                f"got confidence {self.confidence} and {self.resamples} resamples, expected a share between 0 and 1, "
                "e.g. 0.95, and at least 100"
            )


def has_series(sums: xr.Dataset, name: str) -> bool:
    """Whether the sums hold, for each initial time, what the metric ``name`` is made of.

    A table that none of their models has is not asked for if another stands for it.
    """
    held = {statistic for statistic in statistics_of(sums) if "initial_time" in sums[f"total_{statistic}"].dims}
    added_up = added_up_in(sums)
    return all(own in held or (own not in added_up and twin_of(own) in held) for own in metric(name).statistics)


def added_up_in(sums: xr.Dataset) -> list[str]:
    """Statistics that were not kept for each initial time, as ``only`` says."""
    return str(sums.attrs.get(ADDED_UP, "")).split()


def axes_of(sums: xr.Dataset, name: str) -> list[str]:
    """The metric's own axes, such as thresholds, of sums that have its series."""
    thin = sums.isel({dim: slice(1) for dim in SHARED if dim in sums.dims and dim != "model"})
    return [str(dim) for dim in score_of(thin, name).dims if dim not in SHARED]


def score_of(sums: xr.Dataset, name: str) -> xr.DataArray:
    """The metric ``name`` of all initial times, (model, lead_time, ...)."""
    return _score(sums, name, np.ones((1, sums.sizes["initial_time"]))).isel(resample=0)


def estimate(sums: xr.Dataset, name: str, function: Function, trial: Trial) -> xr.Dataset:
    """A function of the scores of all models, with its interval.

    Parameters
    ----------
    sums
        Of one variable, with totals (model, initial_time, lead_time, [level], region) of every statistic of the metric.
        Initial times at which one of the models has none do not count for any.
    name
        The metric.
    function
        Of scores (resample, model, ...), gives (resample, ...) or keeps ``model``.
    trial
        The test.

    Returns
    -------
    xr.Dataset
        ``value``, ``lower``, ``upper``, ``p_value`` (that the value is zero) and ``sample_size``, the number of initial
        times, each (lead_time, [level], region). NaN but for value and size where there are fewer than 10 initial
        times.
    """
    sums = sums.sortby("initial_time")
    starts = range(0, sums.sizes["region"], _MOST_REGIONS)
    found = [
        _estimate(sums.isel(region=slice(start, start + _MOST_REGIONS)), name, function, trial) for start in starts
    ]
    return found[0] if len(found) == 1 else xr.concat(found, "region", data_vars="all")


def _estimate(sums: xr.Dataset, name: str, function: Function, trial: Trial) -> xr.Dataset:
    value = function(_score(sums, name, np.ones((1, sums.sizes["initial_time"])))).isel(resample=0)
    counted = _counted(sums, name).broadcast_like(value).transpose("initial_time", *value.dims)
    there = counted.values.reshape(counted.sizes["initial_time"], -1)
    flat = _Flat(value.values.ravel(), there, np.broadcast_to(_horizons(sums, value), value.shape).ravel())
    if trial.test == "bootstrap":
        found = _bootstrapped(sums, name, function, flat, trial)
    else:
        found = _tested(_deviations(sums, name, function, flat), flat, trial)
    names = ("lower", "upper", "p_value")
    fields = {key: value.copy(data=array.reshape(value.shape)) for key, array in zip(names, found, strict=True)}
    size = value.copy(data=there.sum(axis=0, dtype=np.int32).reshape(value.shape))
    return xr.Dataset({"value": value, **fields, "sample_size": size})


@dataclass(frozen=True)
class _Flat:
    """Estimates (cell,), at which initial times each has data (time, cell), and its horizon (cell,)."""

    value: Floats
    there: Flags
    horizon: NDArray[np.int64]

    def patterns(self) -> Iterator[tuple[Flags, NDArray[np.intp]]]:
        """Initial times, and the cells that have just these; those with too few are left out."""
        patterns, which = np.unique(self.there, axis=1, return_inverse=True)
        for number, pattern in enumerate(patterns.T):
            if pattern.sum() >= MINIMUM_TIMES:
                yield pattern, np.flatnonzero(which == number)

    def nothing(self) -> tuple[Floats, Floats, Floats]:
        """Lower and upper ends and p-values that are not known."""
        lower, upper, p_values = np.full((3, self.value.size), np.nan)
        return lower, upper, p_values


def _tested(deviations: Floats, flat: _Flat, trial: Trial) -> tuple[Floats, Floats, Floats]:
    lower, upper, p_values = flat.nothing()
    for times, cells in flat.patterns():
        precision = STANDARD_ERRORS[trial.test](deviations[np.ix_(times, cells)], flat.horizon[cells])
        lower[cells], upper[cells] = interval(flat.value[cells], precision, trial.confidence)
        p_values[cells] = p_value(flat.value[cells], precision)
    return lower, upper, p_values


def _bootstrapped(
    sums: xr.Dataset, name: str, function: Function, flat: _Flat, trial: Trial
) -> tuple[Floats, Floats, Floats]:
    deviations = _deviations(sums, name, function, flat)
    found = flat.nothing()
    for times, cells in flat.patterns():
        count = int(times.sum())
        length = common_length(deviations[np.ix_(times, cells)])
        weights = np.zeros((trial.resamples, times.size))
        weights[:, times] = circular_blocks(count, length, trial.resamples, trial.seed)
        resampled = np.concatenate(
            [function(score).values.reshape(score.sizes["resample"], -1)[:, cells]
             for score in _in_pieces(sums, name, weights)]
        )  # fmt: skip
        ends = bootstrap_interval(flat.value[cells], resampled, stretch(length, count), trial.confidence)
        for array, own in zip(found, ends, strict=True):
            array[cells] = own
    return found


def _deviations(sums: xr.Dataset, name: str, function: Function, flat: _Flat) -> Floats:
    """Of each initial time (time, cell), zero where it does not count."""
    count = flat.there.sum(axis=0)
    without = 1.0 - np.eye(sums.sizes["initial_time"])
    left = np.concatenate(
        [function(score).values.reshape(score.sizes["resample"], -1) for score in _in_pieces(sums, name, without)]
    )
    raw = np.where(flat.there, (count - 1) * (flat.value - left), 0.0)
    return np.where(flat.there, raw - raw.sum(axis=0) / np.maximum(count, 1), 0.0)


def _in_pieces(sums: xr.Dataset, name: str, weights: Floats) -> Iterator[xr.DataArray]:
    """Scores of resamples, a few at a time."""
    numbers = sum(sums[f"total_{statistic}"].isel(initial_time=0).size for statistic in _held(sums, name))
    step = max(1, _MOST_NUMBERS // max(numbers, 1))
    for start in range(0, len(weights), step):
        yield _score(sums, name, weights[start : start + step])


def _score(sums: xr.Dataset, name: str, weights: Floats) -> xr.DataArray:
    """The metric of initial times that count ``weights`` (resample, time) times."""
    counted = _counted(sums, name)
    means = {statistic: _mean(sums, statistic, counted, weights) for statistic in _held(sums, name)}
    found = metric(name).finalise(means)
    return found.transpose("resample", *(dim for dim in _ORDER if dim in found.dims), ...)


_ORDER = ("model", "lead_time", "level", "region")


def _mean(sums: xr.Dataset, statistic: str, counted: xr.DataArray, weights: Floats) -> xr.DataArray:
    names = (f"total_{statistic}", weights_of(sums, statistic))
    total, weight = (_summed(sums[field].where(counted, 0.0), weights) for field in names)
    return total / weight.where(weight > 0)


def _summed(series: xr.DataArray, weights: Floats) -> xr.DataArray:
    rest = [dim for dim in series.dims if dim != "initial_time"]
    found = np.tensordot(weights, series.transpose("initial_time", *rest).values, axes=1)
    return xr.DataArray(found, {dim: series[dim] for dim in rest}, ["resample", *rest])


def _counted(sums: xr.Dataset, name: str) -> xr.DataArray:
    """Initial times (initial_time, lead_time, ...) at which every model that has the score at all has data.

    Either of two tables that can stand for each other will do: those of events are of ensembles or of distributions.
    """
    held: dict[str, xr.DataArray] = {}
    for statistic in _held(sums, name):
        key, own = min(statistic, twin_of(statistic) or statistic), sums[weights_of(sums, statistic)] > 0
        held[key] = held[key] | own if key in held else own
    there = xr.concat(list(held.values()), "statistic").all("statistic")
    known = there.any([dim for dim in there.dims if dim != "model"])
    return (there | ~known).all("model") & there.any("model")


def _held(sums: xr.Dataset, name: str) -> list[str]:
    """Statistics of a metric; of those that can stand for each other, a table may be of none of the models."""
    return [statistic for statistic in metric(name).statistics if f"total_{statistic}" in sums]


def _horizons(sums: xr.Dataset, value: xr.DataArray) -> NDArray[np.int64]:
    """Of the cells of ``value``, in a shape that broadcasts."""
    steps = horizons(value["lead_time"].values, spacing(sums["initial_time"].values).usual)
    return steps.reshape([-1 if dim == "lead_time" else 1 for dim in value.dims])


def only(sums: xr.Dataset, models: Sequence[str]) -> xr.Dataset:
    """The sums of some models by initial time; nothing is read but whether they have tables that were added up.

    The attribute ``ADDED_UP`` names statistics of these models that are not kept for each initial time.
    """
    own = sums.sel(model=list(models))
    every = statistics_of(own)
    series = [name for name in every if "initial_time" in own[f"total_{name}"].dims]
    others = [
        name for name in every
        if name not in series and (twin_of(name) is None or bool((own[weights_of(own, name)] > 0).any()))
    ]  # fmt: skip
    fields = [*(f"total_{name}" for name in series), *dict.fromkeys(weights_of(own, name) for name in series)]
    return own[fields].assign_attrs({ADDED_UP: " ".join(others)})
