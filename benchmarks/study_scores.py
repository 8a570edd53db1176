"""Scores of the study, many forecasts at once on the device that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.seasons import same_season
from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from benchmarks.study_forecasts import Trial
    from data_pipeline.config import Period
    from data_pipeline.store import TrainingStore
    from forecast.harmonics import SphericalTransform

CLIMATE_DAYS = 5
"""The climatological ensemble is made of the training states of so many days before and after, in every year."""


def scores_of(
    states: Tensor, truth: Tensor, area: Tensor, transform: SphericalTransform
) -> dict[str, NDArray[np.float64]]:
    """Area means by (initial time, channel), and spectra by (channel, degree).

    Shapes: ``states`` (initial time, member, channel, lat, lon), ``truth`` (initial time, channel, lat, lon). The
    variance is scaled by (M + 1) / M, so that a reliable ensemble has as much of it as the mean's squared error.
    """
    members = states.shape[1]
    mean = states.mean(1)
    variance = states.var(1) * (1 + 1 / members) if members > 1 else torch.zeros_like(mean)
    fields = {
        "crps": fair_crps(states, truth), "absolute_error": (mean - truth).abs(),
        "squared_error": (mean - truth).square(), "variance": variance,
    }  # fmt: skip
    means = {name: _numbers((area * field).mean((-2, -1))) for name, field in fields.items()}
    spectra = {"spectrum": _spectrum(states.flatten(0, 1), transform), "truth_spectrum": _spectrum(truth, transform)}
    return {**means, **spectra}


def fair_crps(states: Tensor, truth: Tensor) -> Tensor:
    """Of members along dimension 1; the absolute error where there is one only.

    mean |x - y| - sum over pairs |x_j - x_k| / (M (M - 1)) (Ferro 2014).
    """
    members = states.shape[1]
    skill = (states - truth[:, None]).abs().mean(1)
    return skill if members == 1 else skill - _distances(states.movedim(1, 0)) / (members * (members - 1))


def crps_of_years(states: Tensor, truth: Tensor, years: NDArray[np.int64]) -> Tensor:
    """Fair CRPS of a climatology ``states`` (state, ...), of whose pairs only those of different ``years`` count.

    Days of one year are not independent: their pairs are nearer each other, and would make the CRPS too high. So
    mean |x - y| - sum over pairs of different years |x_j - x_k| / (N^2 - sum over years n^2), for N states and n in a
    year. Every state weighs the same.

    Raises DataError if all are of one year.
    """
    groups = [torch.from_numpy(np.flatnonzero(years == year)).to(states.device) for year in np.unique(years)]
    if len(groups) < 2:
        raise DataError(f"a climatology needs states of two years or more, got {len(groups)}; train on a longer period")
    apart = _distances(states) - torch.stack([_distances(states[group]) for group in groups]).sum(0)
    pairs = len(years) ** 2 - sum(len(group) ** 2 for group in groups)
    return (states - truth).abs().mean(0) - apart / pairs


def climatology_crps(
    stores: Sequence[TrainingStore], period: Period, test: Trial, device: torch.device
) -> NDArray[np.float64]:
    """Fair CRPS (lead, initial time, channel) of the training states of the same days of all years.

    Of the first store those in ``period``, of the others all.
    """
    area = torch.as_tensor(test.store.grid.area_weights(), dtype=torch.float32, device=device)[:, None]
    out = []
    for day in range(1, test.days + 1):
        truths, row = test.truth(24 * day, device), []
        for position, truth in zip(test.positions, truths, strict=True):
            states, years = _climate(stores, period, test.store.times[position] + np.timedelta64(day, "D"))
            crps = crps_of_years(torch.from_numpy(states).to(device), truth, years)
            row.append(_numbers((area * crps).mean((-2, -1))))
        out.append(row)
    return np.asarray(out)


def _climate(
    stores: Sequence[TrainingStore], period: Period, when: np.datetime64
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Training states (state, channel, lat, lon) of the season of ``when``, and numbers of their years."""
    states, years = [], []
    for number, store in enumerate(stores):
        positions, own = same_season(store.times, when, CLIMATE_DAYS)
        kept = np.ones(len(own), bool) if number else period.contains(store.times[positions])
        states.append(store.read(positions[kept]))
        years.append(own[kept] + 10000 * number)  # another planet's years are others
    return np.concatenate(states), np.concatenate(years)


def _distances(states: Tensor) -> Tensor:
    """Sum of |x_j - x_k| over the pairs along dimension 0: that of (2 i - N - 1) x_(i), with states in order."""
    count = len(states)
    factor = 2 * torch.arange(1, count + 1, device=states.device, dtype=states.dtype) - count - 1
    ordered = (states - states.mean(0)).sort(0).values  # small numbers: pressures in Pa lose digits
    return torch.einsum("m...,m->...", ordered, factor)


def _spectrum(fields: Tensor, transform: SphericalTransform) -> NDArray[np.float64]:
    """Mean power (channel, degree) of fields (sample, channel, lat, lon)."""
    power = transform.coefficients(fields).square().mean(0)
    degrees = transform.degrees.to(power.device)
    out = torch.zeros((*power.shape[:-1], int(degrees.max()) + 1), dtype=power.dtype, device=power.device)
    return _numbers(out.index_add_(-1, degrees, power))


def _numbers(values: Tensor) -> NDArray[np.float64]:
    return np.asarray(values.double().cpu())
