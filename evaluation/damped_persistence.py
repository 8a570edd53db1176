"""Damped persistence: the initial anomaly, as much of it as usually is left."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evaluation.climate import Season, plain
from evaluation.metrics.forms import Point
from evaluation.pairs import minutes
from evaluation.record import READ_BYTES, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from data_pipeline.channels import Channel
    from evaluation.climate import Climatology
    from evaluation.metrics.forms import Floats
    from evaluation.pairs import Field, Match

    Times = NDArray[np.datetime64]

MOST_STARTS = 200
"""Times, evenly chosen, from which on coefficients are fitted; the same for every lead, so that fields are shared."""
KEPT_BYTES = 2**28
"""Of anomalies that are in memory together while coefficients are fitted."""


class DampedPersistence:
    """``clim(t + lead) + rho (x(t) - clim(t))``: one rho for each channel and lead, the same everywhere.

    rho is fitted by least squares, without a constant, over pairs of times of the truth that lie wholly before or
    after the scored period, all points together, weighted by area: ``rho = <a(t + lead) a(t)> / <a(t)^2>`` of the
    anomalies a. What it lacks is movement: weather fades where it is and goes nowhere; and it is one value without a
    probability.

    Parameters
    ----------
    truth
        Holds the initial times, and times outside the scored period.
    climatology
        That anomalies are of.
    matches
        All that will be scored.
    season
        The climatology at the valid times, if others ask it too.
    """

    name = "damped_persistence"

    def __init__(
        self, truth: Record, climatology: Climatology, matches: Sequence[Match], season: Season | None = None
    ) -> None:
        self._truth, self._climatology, self._scored = truth, climatology, scored_period(matches)
        self._channels = list(dict.fromkeys(match.channel for match in matches))
        self._leads = sorted({match.lead_time for match in matches})
        self._verifying = season or Season(climatology, truth.grid)
        self._initial = Season(climatology, truth.grid)

    def lacks(self, matches: Sequence[Match]) -> list[str]:
        """Initial times, channels of the climatology, and times outside the scored period to fit rho to."""
        starts = sorted({match.initial_time for match in matches if not self._truth.holds(match.initial_time)})
        first, last = self._scored
        return [
            *(f"the truth lacks the initial time {minutes(time)}, which {self.name} needs" for time in starts),
            *(f"the climatology lacks {channel.name}" for channel in self._channels if channel not in self._known),
            *(f"the truth lacks two times {lead / np.timedelta64(1, 'h'):g} h apart before {minutes(first)} or after "
              f"{minutes(last)}, which {self.name} needs" for lead in self._leads if not len(self.pairs(lead))),
        ]  # fmt: skip

    def forecast(self, match: Match, observation: Field) -> Point:
        """The damped anomaly on the climatological mean; NaN where something that it needs is missing."""
        if not self._truth.holds(match.initial_time) or match.channel not in self._known:
            return Point.of(np.full(observation.shape, np.nan), observation)
        rho = self.coefficients[match.lead_time][match.channel]
        usual, then = (
            season.mean(match.channel, time)
            for season, time in ((self._verifying, match.valid_time), (self._initial, match.initial_time))
        )
        anomaly = self._truth.field(match.channel, match.initial_time) - then
        return Point.of(usual + rho * anomaly, observation)

    def pairs(self, lead: np.timedelta64) -> Times:
        """Times t to fit to: t and t + lead are in the truth, and none from t to t + lead is in the scored period."""
        return self._starts[self._usable(self._starts, lead)]

    @cached_property
    def _starts(self) -> Times:
        """Some of the times from which on there is a pair for any lead, so far apart that few are in memory at once."""
        times = self._truth.times
        found = times[np.logical_or.reduce([self._usable(times, lead) for lead in self._leads])]
        chosen = np.linspace(0, max(len(found) - 1, 0), min(len(found), MOST_STARTS)).round().astype(np.int64)
        apart = self._leads[-1] / max(KEPT_BYTES // self._state_bytes, 1)
        starts: list[np.datetime64] = []
        for time in found[chosen]:
            if not starts or time - starts[-1] >= apart:
                starts.append(time)
        return np.array(starts, dtype=times.dtype)

    def _usable(self, times: Times, lead: np.timedelta64) -> NDArray[np.bool_]:
        first, last = self._scored
        return np.isin(times + lead, self._truth.times) & ((times + lead < first) | (times > last))

    @cached_property
    def coefficients(self) -> dict[np.timedelta64, dict[Channel, float]]:
        """rho by lead and channel; NaN without a pair of times, or without any anomaly."""
        sums = {lead: np.zeros((2, len(self._known))) for lead in self._leads}
        ending: dict[np.datetime64, list[tuple[np.datetime64, np.timedelta64]]] = {}
        for lead in self._leads:
            for start in self.pairs(lead):
                ending.setdefault(start + lead, []).append((start, lead))
        begun: dict[np.datetime64, Weighted] = {}
        for time, end in self._anomalies(sorted({*self._starts, *ending})):
            begun = {start: begin for start, begin in begun.items() if time - start <= self._leads[-1]}
            if time in self._starts:
                begun[time] = end
            for start, lead in ending.get(time, ()):
                sums[lead] += begun[start].products(end)
        with np.errstate(invalid="ignore"):
            fitted = {lead: product / np.where(square > 0, square, np.nan) for lead, (product, square) in sums.items()}
        return {lead: dict(zip(self._known, rho.tolist(), strict=True)) for lead, rho in fitted.items()}

    def _anomalies(self, times: Sequence[np.datetime64]) -> Iterator[tuple[np.datetime64, Weighted]]:
        """Of the known channels at ascending times, of which some are read together."""
        area = np.sqrt(self._truth.grid.area_weights())[:, None]
        together = max(READ_BYTES // self._state_bytes, 1)
        for start in range(0, len(times) if self._known else 0, together):
            block = np.array(times[start : start + together])
            usual = Record(self._climatology.at(block)[0])
            positions = np.array([self._truth.position(time) for time in block])
            anomalies = np.array([
                self._truth.fields(channel, positions) - usual.fields(plain(channel), np.arange(len(block)))
                for channel in self._known
            ])  # fmt: skip
            yield from ((time, Weighted.of(anomalies[:, place], area)) for place, time in enumerate(block))

    @property
    def _state_bytes(self) -> int:
        return 8 * max(len(self._known), 1) * int(np.prod(self._truth.grid.shape))

    @cached_property
    def _known(self) -> list[Channel]:
        """The channels that the climatology has."""
        return [channel for channel in self._channels if self._verifying.holds(channel, self._scored[1])]


class Weighted(NamedTuple):
    """Anomalies of one time times the root of the area, zero where one is unknown: (channel, point), float32."""

    values: NDArray[np.float32]
    known: NDArray[np.float32] | None
    """1 where it is known, 0 elsewhere; None if all are."""

    @classmethod
    def of(cls, anomalies: Floats, root_area: Floats) -> Weighted:
        """Of anomalies (channel, latitude, longitude), NaN where unknown."""
        known = np.isfinite(anomalies)
        values = np.where(known, anomalies * root_area, 0.0).reshape(len(anomalies), -1).astype(np.float32)
        return cls(values, None if known.all() else known.reshape(values.shape).astype(np.float32))

    def products(self, later: Weighted) -> Floats:
        """Sums over points, known at both times, of products with later ones and of own squares: (2, channel)."""
        own = self.values if later.known is None else self.values * later.known
        return np.stack([np.einsum("cp,cp->c", self.values, other, dtype=np.float64) for other in (later.values, own)])


def scored_period(matches: Sequence[Match]) -> tuple[np.datetime64, np.datetime64]:
    """The first initial and the last valid time."""
    return min(match.initial_time for match in matches), max(match.valid_time for match in matches)
