"""What a forecast must beat: persistence (the initial truth, carried) and climatology (a normal distribution)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from evaluation.metrics.forms import Gaussian, Point
from evaluation.pairs import minutes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evaluation.climate import Season
    from evaluation.metrics.forms import Forecast
    from evaluation.pairs import Match
    from evaluation.record import Record


class Baseline(Protocol):
    """A forecast that costs nothing; NaN where it has no value, never averaged over fewer points than the others."""

    name: str

    def lacks(self, matches: Sequence[Match]) -> list[str]:
        """What it would need for these matches and does not have."""
        ...

    def forecast(self, match: Match, observation: NDArray[np.floating]) -> Forecast:
        """Its forecast of the field of ``match``."""
        ...


class Persistence:
    """The truth at the initial time as the forecast for every lead; its CRPS is its absolute error.

    What it lacks is change: weather neither moves nor fades, and it is one value without a probability.
    """

    name = "persistence"

    def __init__(self, truth: Record) -> None:
        self._truth = truth

    def lacks(self, matches: Sequence[Match]) -> list[str]:
        """Initial times that the truth does not have."""
        lacking = sorted({match.initial_time for match in matches if not self._truth.holds(match.initial_time)})
        return [f"the truth lacks the initial time {minutes(time)}, which persistence needs" for time in lacking]

    def forecast(self, match: Match, observation: NDArray[np.floating]) -> Point:
        """The initial field."""
        if not self._truth.holds(match.initial_time):
            return Point.of(np.full(observation.shape, np.nan), observation)
        return Point.of(self._truth.field(match.channel, match.initial_time), observation)


class GaussianClimatology:
    """The climatological mean and standard deviation at the valid time, scored as a normal distribution.

    What it lacks is the weather of today, and the skew of what is not normal, such as precipitation.
    """

    name = "climatology"

    def __init__(self, season: Season) -> None:
        self._season = season

    def lacks(self, matches: Sequence[Match]) -> list[str]:
        """Fields that it does not know."""
        time, wanted = matches[0].valid_time, dict.fromkeys(match.channel for match in matches)
        return [f"the climatology lacks {channel.name}" for channel in wanted if not self._season.holds(channel, time)]

    def forecast(self, match: Match, observation: NDArray[np.floating]) -> Gaussian:
        """The distribution at the valid time."""
        if not self._season.holds(match.channel, match.valid_time):
            nothing = np.full(observation.shape, np.nan)
            return Gaussian.of(nothing, nothing, observation)
        return Gaussian.of(*self._season.mean_and_std(match.channel, match.valid_time), observation)


class ClimatologyMean:
    """The climatological mean at the valid time as a single value; what it lacks is any weather, and a probability."""

    name = "climatology_mean"

    def __init__(self, season: Season) -> None:
        self._distribution = GaussianClimatology(season)

    def lacks(self, matches: Sequence[Match]) -> list[str]:
        """Fields that the climatology does not know."""
        return self._distribution.lacks(matches)

    def forecast(self, match: Match, observation: NDArray[np.floating]) -> Point:
        """The mean at the valid time."""
        return Point(self._distribution.forecast(match, observation).error, observation)
