"""Scores of the study, many forecasts at once on the device that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from benchmarks.study import Test
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

    mean |x - y| - sum over i of (2 i - M - 1) x_(i) / (M (M - 1)), with members in order (Ferro 2014, in sorted form).
    """
    members = states.shape[1]
    skill = (states - truth[:, None]).abs().mean(1)
    if members == 1:
        return skill
    rank = torch.arange(1, members + 1, device=states.device, dtype=states.dtype)
    factor = (2 * rank - members - 1) / (members * (members - 1))
    ordered = states - states.mean(1, keepdim=True)  # small numbers: pressures in Pa lose digits
    return skill - torch.einsum("im...,m->i...", ordered.sort(1).values, factor)


def climatology_crps(
    stores: Sequence[TrainingStore], period: Period, test: Test, device: torch.device
) -> NDArray[np.float64]:
    """Fair CRPS (lead, initial time, channel) of the training states of the same days of all years."""
    area = torch.as_tensor(test.store.grid.area_weights(), dtype=torch.float32, device=device)[:, None]
    chosen = [
        period.contains(store.times) if store is stores[0] else np.ones(len(store.times), bool) for store in stores
    ]
    out = []
    for day in range(1, test.days + 1):
        truths, row = test.truth(24 * day, device), []
        for position, truth in zip(test.positions, truths, strict=True):
            when = test.store.times[position] + np.timedelta64(day, "D")
            parts = [store.read(_near(store, when, inside)) for store, inside in zip(stores, chosen, strict=True)]
            ensemble = torch.from_numpy(np.concatenate(parts)).to(device)
            row.append(_numbers((area * fair_crps(ensemble[None], truth[None])).mean((-2, -1)))[0])
        out.append(row)
    return np.asarray(out)


def _near(store: TrainingStore, when: np.datetime64, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Positions of the states of the same hour, a few days from the same day of any year."""
    times = store.times
    days = (times - when) / np.timedelta64(1, "D")
    apart = np.abs((days + 182.625) % 365.25 - 182.625)
    hour = (times - times.astype("datetime64[D]")) == (when - when.astype("datetime64[D]"))
    return np.flatnonzero(inside & hour & (apart <= CLIMATE_DAYS + 0.5))


def _spectrum(fields: Tensor, transform: SphericalTransform) -> NDArray[np.float64]:
    """Mean power (channel, degree) of fields (sample, channel, lat, lon)."""
    power = transform.coefficients(fields).square().mean(0)
    degrees = transform.degrees.to(power.device)
    out = torch.zeros((*power.shape[:-1], int(degrees.max()) + 1), dtype=power.dtype, device=power.device)
    return _numbers(out.index_add_(-1, degrees, power))


def _numbers(values: Tensor) -> NDArray[np.float64]:
    return np.asarray(values.double().cpu())
