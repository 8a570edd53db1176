"""What samples tell of the climate before a training: what stays of a state, global means, changes of each scale."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from data_pipeline.dataset import Request
from forecast.global_means import GlobalMeans, Memory, at, clock, cycle_of, earlier, memory_of
from forecast.persistence import Persistence, estimated
from forecast.training.objectives import degree_std

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from data_pipeline.dataset import Sample
    from data_pipeline.joined_dataset import JoinedDataset
    from forecast.forecaster import Forecaster

    Spread = Callable[[int | None], Iterator[Sample]]

STUDIED, AT_LEAST, AT_ONCE = 1024, 256, 8
"""Samples that are looked at, at most, also if they are large, and how many of them are held together."""
READ = 4e9
"""Bytes that more samples than AT_LEAST may have."""


def with_climate(forecaster: Forecaster, samples: JoinedDataset) -> Forecaster:
    """With its persistence and its global means."""
    spread = partial(spread_samples, samples)
    return replace(
        forecaster,
        persistence=_persistence(forecaster, spread),
        global_means=_global_means(forecaster, spread, samples.years),
    )


def wave_stds(forecaster: Forecaster, samples: JoinedDataset) -> dict[int | None, Tensor]:
    """Standard deviations of the increments' coefficients (channel, coefficient), by the hours of the step."""

    def of(hours: int | None) -> Tensor:
        increments = (
            forecaster.increment(sample.current, sample.following[0], hours)
            for sample in spread_samples(samples, hours)
        )
        return (
            torch.stack([degree_std(forecaster.truncation.transform, each).square() for each in increments])
            .mean(0)
            .sqrt()
        )

    return {hours: of(hours) for hours in (None, *forecaster.model.other_step_hours)}


def spread_samples(samples: JoinedDataset, hours: int | None = None) -> Iterator[Sample]:
    """Samples from all of them, always the same, a few at a time and as many each time.

    One from anywhere in each of as many equal stretches: evenly spread ones might all be of one hour of the day.
    """
    first = samples.batch(Request(torch.tensor([0]), 1, hours))
    cheap = READ // (first.previous.nbytes + first.current.nbytes + first.following.nbytes)
    wanted = min(len(samples), max(AT_LEAST, min(STUDIED, int(cheap))))
    count = max(wanted // AT_ONCE, 1) * min(AT_ONCE, len(samples))
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


def _global_means(forecaster: Forecaster, spread: Spread, years: float) -> GlobalMeans:
    own = forecaster.model.step_hours
    areas = torch.as_tensor(forecaster.grid.area_weights(), device=forecaster.static.device)[:, None]

    def means(states: Tensor) -> Tensor:
        return (states.double() * areas).mean((-2, -1))

    def memory(hours: int) -> Memory:
        samples = ((one, one.following[0]) for one in spread(None if hours == own else hours))
        rows = [
            (means(one.current), means(after), clock(one.forcings[0], one.hour[0]).double()) for one, after in samples
        ]
        before, after, now = (torch.cat(column) for column in zip(*rows, strict=True))
        then = earlier(now, hours)
        cycle = cycle_of(torch.cat([before, after]), torch.cat([then, now]), years)
        return Memory(cycle.float(), *memory_of(before - at(cycle, then), after - at(cycle, now)))

    lengths = (own, *forecaster.model.other_step_hours)
    return GlobalMeans.of(forecaster.channels, forecaster.grid, {hours: memory(hours) for hours in lengths})
