"""What samples tell of the climate before a training: what stays of a state, global means, changes of each scale."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from data_pipeline.dataset import Request
from data_pipeline.forcings import FORCING_NAMES
from forecast.global_means import GlobalMeans, earlier, memory_of, seasonal_cycle, waves
from forecast.persistence import Persistence, estimated
from forecast.training.objectives import Task, degree_std, mirrored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from data_pipeline.dataset import Sample
    from data_pipeline.joined_dataset import JoinedDataset
    from forecast.forecaster import Forecaster
    from forecast.harmonics import SphericalTransform

    Spread = Callable[[int | None], Iterator[Sample]]

STUDIED, AT_ONCE = 256, 8
"""Samples that are looked at, at most, and how many of them are held together."""


def with_climate(forecaster: Forecaster, samples: JoinedDataset, *, mirror: bool) -> Forecaster:
    """With its persistence and its global means; those of both hemispheres alike if samples are to be mirrored."""

    def spread(hours: int | None) -> Iterator[Sample]:
        for sample in spread_samples(samples, hours):
            static = forecaster.static.expand(len(sample.current), *forecaster.static.shape)
            yield mirrored(Task(sample, static, hours), forecaster).sample if mirror else sample

    return replace(
        forecaster, persistence=_persistence(forecaster, spread), global_means=_global_means(forecaster, spread)
    )


def wave_stds(
    forecaster: Forecaster, samples: JoinedDataset, transform: SphericalTransform
) -> dict[int | None, Tensor]:
    """Standard deviations of the increments' coefficients (channel, coefficient), by the hours of the step."""

    def of(hours: int | None) -> Tensor:
        increments = (
            forecaster.increment(sample.current, sample.following[0], hours)
            for sample in spread_samples(samples, hours)
        )
        return torch.stack([degree_std(transform, each).square() for each in increments]).mean(0).sqrt()

    return {hours: of(hours) for hours in (None, *forecaster.model.other_step_hours)}


def spread_samples(samples: JoinedDataset, hours: int | None = None) -> Iterator[Sample]:
    """Samples from all of them, always the same, a few at a time and as many each time.

    One from anywhere in each of as many equal stretches: evenly spread ones might all be of one hour of the day.
    """
    count = max(min(len(samples), STUDIED) // AT_ONCE, 1) * min(AT_ONCE, len(samples))
    places = torch.arange(count) + torch.rand(count, generator=torch.Generator().manual_seed(0))
    indices = (places * len(samples) / count).long().clamp(max=len(samples) - 1)
    return samples.batches(Request(part, 1, hours) for part in torch.split(indices, AT_ONCE))


def _persistence(forecaster: Forecaster, spread: Spread) -> Persistence:
    total, count = torch.zeros((), dtype=torch.float64), 0
    for sample in spread(None):
        total, count = total + sample.current.sum(0, dtype=torch.float64), count + len(sample.current)
    mean = (total / count).float()

    def kept(hours: int | None) -> Tensor:
        pairs = ((sample.current, sample.following[0]) for sample in spread(hours))
        return estimated(forecaster.truncation, mean, pairs)

    lengths = (None, *forecaster.model.other_step_hours)
    return Persistence(forecaster.truncation, mean, {hours: kept(hours) for hours in lengths})


def _global_means(forecaster: Forecaster, spread: Spread) -> GlobalMeans:
    own = forecaster.model.step_hours
    areas = torch.as_tensor(forecaster.grid.area_weights(), device=forecaster.static.device)[:, None]

    def courses(hours: int | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Global means before and after a step (sample, channel), and the phases of the year (sample, 2)."""
        rows = [
            (
                *((states.double() * areas).mean((-2, -1)) for states in (sample.current, sample.following[0])),
                _year(sample),
            )
            for sample in spread(hours)
        ]
        before, after, year = (torch.cat(column) for column in zip(*rows, strict=True))
        return before, after, earlier(year, hours or own), year

    before, after, *years = courses(None)
    season = seasonal_cycle(torch.cat([before, after]), torch.cat(years))
    memory = {}
    for hours in (own, *forecaster.model.other_step_hours):
        before, after, *years = courses(None if hours == own else hours)
        usual = [waves(year) @ season.T for year in years]
        memory[hours] = memory_of(before - usual[0], after - usual[1])
    return GlobalMeans.of(forecaster.channels, forecaster.grid, season.float(), memory)


def _year(sample: Sample) -> Tensor:
    """Cosine and sine of the phase of the year after the step, (sample, 2)."""
    first = FORCING_NAMES.index("cos_year")
    return sample.forcings[0, :, first : first + 2, 0, 0].double()
