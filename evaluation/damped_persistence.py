"""Damped persistence: the initial anomaly, as much of it as usually is left."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.grid import Grid
from evaluation.climate import Season
from evaluation.metrics.forms import Point
from evaluation.pairs import Snapshots, minutes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.channels import Channel
    from evaluation.climate import Climatology
    from evaluation.metrics.forms import Floats
    from evaluation.pairs import Field, Match

MOST_PAIRS = 200
"""Pairs of times, evenly chosen, that a coefficient is fitted to."""


class DampedPersistence:
    """``clim(t + lead) + rho (x(t) - clim(t))``: one rho for each channel and lead, the same everywhere.

    rho is fitted by least squares, without a constant, over pairs of times of the truth that lie wholly before or
    after the scored period, all points together, weighted by area: ``rho = <a(t + lead) a(t)> / <a(t)^2>`` of the
    anomalies a. What it lacks is movement: weather fades where it is and goes nowhere; and it is one value without a
    probability.
    """

    name = "damped_persistence"

    def __init__(self, truth: xr.Dataset, climatology: Climatology, matches: Sequence[Match]) -> None:
        self._times = truth["time"].values.astype("datetime64[ns]")
        self._held = set(self._times)
        self._scored = scored_period(matches)
        self._channels = list(dict.fromkeys(match.channel for match in matches))
        self._area = Grid.of(truth).area_weights()[:, None]
        self._fields = [Snapshots(truth) for _ in range(2)]
        self._seasons = [Season(climatology, Grid.of(truth)) for _ in range(2)]
        self._coefficients: dict[np.timedelta64, dict[Channel, float]] = {}

    def lacks(self, matches: Sequence[Match]) -> list[str]:
        """Initial times, channels of the climatology, and times outside the scored period to fit rho to."""
        starts = sorted({match.initial_time for match in matches} - self._held)
        leads = sorted({match.lead_time for match in matches})
        first, last = self._scored
        return [
            *(f"the truth lacks the initial time {minutes(time)}, which {self.name} needs" for time in starts),
            *(f"the climatology lacks {channel.name}" for channel in self._channels if channel not in self._known),
            *(f"the truth lacks two times {lead / np.timedelta64(1, 'h'):g} h apart before {minutes(first)} or after "
              f"{minutes(last)}, which {self.name} needs" for lead in leads if not len(self.pairs(lead))),
        ]  # fmt: skip

    def forecast(self, match: Match, observation: Field) -> Point:
        """The damped anomaly on the climatological mean; NaN where something that it needs is missing."""
        if match.initial_time not in self._held or match.channel not in self._known:
            return Point.of(np.full(observation.shape, np.nan), observation)
        rho = self.coefficients(match.lead_time)[match.channel]
        anomaly = self._anomaly(0, match.channel, match.initial_time)
        usual = self._seasons[1].mean_and_std(match.channel, match.valid_time)[0]
        return Point.of(usual + rho * anomaly, observation)

    def pairs(self, lead: np.timedelta64) -> NDArray[np.datetime64]:
        """Times t to fit to: t and t + lead are in the truth, and none from t to t + lead is in the scored period."""
        first, last = self._scored
        later = self._times + lead
        usable = np.isin(later, self._times) & ((later < first) | (self._times > last))
        found = self._times[usable]
        chosen = np.linspace(0, max(len(found) - 1, 0), min(len(found), MOST_PAIRS)).round().astype(np.int64)
        return found[chosen]

    def coefficients(self, lead: np.timedelta64) -> dict[Channel, float]:
        """rho of every channel at a lead; NaN without a pair of times, or without any anomaly."""
        if lead not in self._coefficients:
            self._coefficients[lead] = self._fitted(lead)
        return self._coefficients[lead]

    def _fitted(self, lead: np.timedelta64) -> dict[Channel, float]:
        sums = {channel: np.zeros(2) for channel in self._known}
        for time in self.pairs(lead):
            for channel in self._known:
                start, end = self._anomaly(0, channel, time), self._anomaly(1, channel, time + lead)
                both = np.isfinite(start) & np.isfinite(end)
                weighted = np.where(both, self._area * start, 0.0)
                sums[channel] += [np.nansum(weighted * end), np.nansum(weighted * start)]
        return {channel: float(product / square) if square > 0 else np.nan for channel, (product, square) in
                sums.items()}  # fmt: skip

    def _anomaly(self, side: int, channel: Channel, time: np.datetime64) -> Floats:
        """The truth less the climatological mean; each side of a pair keeps what it read last."""
        usual = self._seasons[side].mean_and_std(channel, time)[0]
        return np.asarray(self._fields[side].field(channel, time) - usual)

    @cached_property
    def _known(self) -> list[Channel]:
        """The channels that the climatology has."""
        return [channel for channel in self._channels if self._seasons[1].holds(channel, self._scored[1])]


def scored_period(matches: Sequence[Match]) -> tuple[np.datetime64, np.datetime64]:
    """The first initial and the last valid time."""
    return min(match.initial_time for match in matches), max(match.valid_time for match in matches)
