"""Scores of a whole field at once, or of the region that is asked for: energy, kernel and variogram score.

Each is one number per field and region, averaged over initial times. Distances are of areas: the norm of a field is its
root mean square over the region's area, so that the energy score of one value is its RMSE.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from evaluation.metrics.definitions import FieldStatistic, Metric, Statistic, mean_of
from evaluation.metrics.distances import SquaredDistances, squared_distances
from evaluation.metrics.forms import Ensemble, Point
from evaluation.metrics.once import once_in_region
from evaluation.metrics.variogram import VariogramScores, pairs_apart, variogram_scores

if TYPE_CHECKING:
    from evaluation.metrics.definitions import Sample
    from evaluation.metrics.forms import Floats

VARIOGRAM_ORDER = 0.5
"""p of the variogram score, that of Scheuerer and Hamill 2015 whose score has the variable's own units."""


def energy_score(distances: SquaredDistances, *, fair: bool) -> float:
    """``mean_i |x_i - y| - sum_ij |x_i - x_j| / (2 M^2)``; fair: ``2 M (M - 1)``. Units of the variable.

    Gneiting and Raftery 2007 (doi:10.1198/016214506000001437), eq. 22 with beta = 1; the fair version, unbiased at any
    ensemble size, is Ferro 2014's (doi:10.1002/qj.2270) kernel score with this kernel. NaN for one member if fair.

    >>> fields = np.array([[[3.0, 0.0]], [[0.0, 3.0]]]), np.zeros((1, 2)), np.ones((1, 2))
    >>> round(energy_score(squared_distances(*fields), fair=False), 4)
    1.3713
    """
    return float(np.sqrt(distances.to_observation).mean() - _mean_of_pairs(np.sqrt(distances.between), fair=fair) / 2)


def field_kernel_score(distances: SquaredDistances, bandwidth_squared: float, *, fair: bool) -> float:
    """``(1 + mean_ij k(x_i, x_j)) / 2 - mean_i k(x_i, y)`` with ``k(a, b) = exp(-|a - b|^2 / (2 h^2))``; without units.

    Half the squared maximum mean discrepancy between the members and the observation: Gneiting and Raftery 2007
    (doi:10.1198/016214506000001437), sec. 5, with the constant that makes the best value 0. Fair: without the pairs
    i = j; it can then be negative.

    >>> same = SquaredDistances(np.zeros(2), np.zeros((2, 2)))
    >>> field_kernel_score(same, 1.0, fair=True)
    0.0
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        near, between = (np.exp(-0.5 * squares / np.float64(bandwidth_squared)) for squares in distances)
    return float((1 + _mean_of_pairs(between, fair=fair)) / 2 - near.mean())


def _mean_of_pairs(values: Floats, *, fair: bool) -> float:
    """Mean over all ordered pairs (M, M), fair: without those of a member with itself, NaN for one member."""
    count = len(values)
    if not fair:
        return float(values.mean())
    return float((values.sum() - np.trace(values)) / (count * (count - 1))) if count > 1 else np.nan


@once_in_region
def _distances(sample: Sample, weights: Floats) -> SquaredDistances:
    """Of members and observation; a single value is one member."""
    forecast = sample.forecast
    if isinstance(forecast, Ensemble):
        return squared_distances(forecast.members, forecast.observation, weights)
    return squared_distances(forecast.error[None], np.zeros_like(forecast.error), weights)


def _energy(sample: Sample, weights: Floats, *, fair: bool) -> Floats:
    """A single value is scored by its distance alone."""
    fair = fair and isinstance(sample.forecast, Ensemble)
    return np.asarray(energy_score(_distances(sample, weights), fair=fair))


def _kernel(sample: Sample, weights: Floats, *, fair: bool) -> Floats:
    """Bandwidth: the root mean square over the region of the climatology's standard deviation."""
    inside = weights > 0
    if sample.climate is None or not inside.any():
        return np.asarray(np.nan)
    bandwidth_squared = float(np.sum(np.square(sample.climate.std[inside]) * weights[inside]) / weights.sum())
    fair = fair and isinstance(sample.forecast, Ensemble)
    return np.asarray(field_kernel_score(_distances(sample, weights), bandwidth_squared, fair=fair))


@once_in_region
def _variograms(sample: Sample, weights: Floats) -> VariogramScores:
    forecast = sample.forecast
    pairs = pairs_apart(sample.grid, sample.settings.variogram_km)
    members = forecast.members if isinstance(forecast, Ensemble) else (forecast.error + forecast.observation)[None]
    return variogram_scores(members, forecast.observation, weights, pairs, order=VARIOGRAM_ORDER)


def _variogram(sample: Sample, weights: Floats, *, fair: bool) -> Floats:
    scores = _variograms(sample, weights)
    return np.asarray(scores.fair if fair and isinstance(sample.forecast, Ensemble) else scores.standard)


_FORMS = (Ensemble, Point)

STATISTICS: dict[str, Statistic] = {
    "energy_score": FieldStatistic(partial(_energy, fair=True), forms=_FORMS),
    "standard_energy_score": FieldStatistic(partial(_energy, fair=False), forms=_FORMS),
    "field_kernel_score": FieldStatistic(partial(_kernel, fair=True), forms=_FORMS),
    "standard_field_kernel_score": FieldStatistic(partial(_kernel, fair=False), forms=_FORMS),
    "variogram_score": FieldStatistic(partial(_variogram, fair=True), forms=_FORMS),
    "standard_variogram_score": FieldStatistic(partial(_variogram, fair=False), forms=_FORMS),
}

_NORM = "|a - b|^2 = area mean of (a - b)^2"
_RAFTERY = "Gneiting and Raftery 2007 doi:10.1198/016214506000001437"
_KERNEL = "k(a, b) = exp(-|a - b|^2 / (2 h^2)), h^2 = area mean of the climatological variance"
_VARIOGRAM = (
    "weighted mean over pairs of points of (|y_a - y_b|^0.5 - mean_i |x_ia - x_ib|^0.5)^2{fair}; pairs along meridians "
    "and parallels about as far apart as each of the setting variogram_km, weighing area over separation, "
    "Scheuerer and Hamill 2015 doi:10.1175/MWR-D-14-00269.1"
)
_MISSING = "a missing member anywhere in the region makes the average NaN; ties do not matter"


def _entry(name: str, summary: str, formula: str, minimum: int = 1) -> Metric:
    return Metric((name,), mean_of(name), "lower", summary, formula, minimum_members=minimum, nan_and_ties=_MISSING,
                  family="multivariate")  # fmt: skip


def _kernel_entry(name: str, summary: str, formula: str, minimum: int = 1) -> Metric:
    return replace(_entry(name, summary, formula, minimum), units="1", needs=frozenset({"climate"}))


METRICS: dict[str, Metric] = {
    "energy_score": _entry(
        "energy_score", "fair energy score of the field",
        f"mean|x_i - y| - sum|x_i - x_j| / (2 M (M - 1)), {_NORM}; {_RAFTERY} eq. 22, fair as in Ferro 2014 "
        "doi:10.1002/qj.2270; persistence: |x - y|", 2),
    "standard_energy_score": _entry(
        "standard_energy_score", "energy score of the members' field",
        f"mean|x_i - y| - sum|x_i - x_j| / (2 M^2), {_NORM}; {_RAFTERY} eq. 22"),
    "field_kernel_score": _kernel_entry(
        "field_kernel_score", "fair Gaussian kernel score of the field",
        f"1/2 + sum_(i != j) k(x_i, x_j) / (2 M (M - 1)) - mean k(x_i, y), {_KERNEL}, {_NORM}; {_RAFTERY} sec. 5", 2),
    "standard_field_kernel_score": _kernel_entry(
        "standard_field_kernel_score", "Gaussian kernel score of the members' field",
        f"1/2 + sum_ij k(x_i, x_j) / (2 M^2) - mean k(x_i, y), {_KERNEL}, {_NORM}; {_RAFTERY} sec. 5"),
    "variogram_score": _entry(
        "variogram_score", "fair variogram score of order 0.5",
        _VARIOGRAM.format(fair=" less the members' variance of the latter over M"), 2),
    "standard_variogram_score": _entry(
        "standard_variogram_score", "variogram score of order 0.5", _VARIOGRAM.format(fair="")),
}  # fmt: skip
