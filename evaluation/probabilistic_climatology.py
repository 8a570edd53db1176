"""The probabilistic climatology: the weather of other years at this time of the year as an ensemble."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.metrics.forms import Ensemble
from evaluation.other_years import OtherYears
from evaluation.pairs import minutes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.other_years import Positions
    from evaluation.pairs import Field, Match
    from evaluation.record import Record
    from evaluation.settings import Settings

_FEWEST_MEMBERS = 2


def some(names: Sequence[str]) -> str:
    """The first three, and how many more.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


class ProbabilisticClimatology:
    """An ensemble of the truth's fields of other years at this time of the year.

    If there are more than ``settings.climatology_members``, so many are drawn without replacement, the chance of each
    as its weight in the triangle; the same for every lead, model and run that verifies at that time. Otherwise all are
    members, of equal weight, since a score knows no weights. (WeatherBench2's script draws years and days of a
    15-day window with equal chances, and keeps to one past year along a forecast.) What it lacks is the weather of
    today: its members know the season only, and each lead has members of its own, so that they are no trajectories.
    """

    name = "probabilistic_climatology"

    def __init__(self, truth: Record, settings: Settings) -> None:
        self._truth = truth
        self._years = OtherYears(truth.times, settings.climatology_window_days)
        self._most, self._seed = settings.climatology_members, settings.seed

    def lacks(self, matches: Sequence[Match]) -> list[str]:
        """Valid times for which the truth has no two fields of other years."""
        times = sorted({match.valid_time for match in matches})
        bare = [minutes(time) for time in times if len(self._years.around(time)[0]) < _FEWEST_MEMBERS]
        if not bare:
            return []
        return [f"the truth lacks other years around {some(bare)}, which probabilistic_climatology needs"]

    def chosen(self, time: np.datetime64) -> Positions:
        """Positions in the truth of the members for a valid time, ascending."""
        positions, weights = self._years.around(time)
        if len(positions) <= self._most:
            return positions
        draw = np.random.default_rng([self._seed, int(time.astype("datetime64[m]").astype(np.int64)) % 2**62])
        return np.sort(draw.choice(positions, self._most, replace=False, p=weights / weights.sum()))

    def forecast(self, match: Match, observation: Field) -> Ensemble:
        """The fields of other years; NaN where there are less than two."""
        positions = self.chosen(match.valid_time)
        if len(positions) < _FEWEST_MEMBERS:
            return Ensemble.of(np.full((_FEWEST_MEMBERS, *observation.shape), np.nan), observation)
        return Ensemble.of(self._truth.fields(match.channel, positions), observation)
