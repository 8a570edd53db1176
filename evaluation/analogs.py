"""The analog ensemble: what became of the past states that were most like the initial one."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from evaluation.damped_persistence import scored_period
from evaluation.metrics.forms import Ensemble
from evaluation.other_years import DAY
from evaluation.pairs import minutes
from evaluation.probabilistic_climatology import some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from data_pipeline.channels import Channel
    from evaluation.metrics.forms import Floats
    from evaluation.pairs import Field, Match
    from evaluation.record import Record
    from evaluation.settings import Settings

BLOCK = 64
"""Past states that are compared at a time."""
_FEWEST_MEMBERS = 2


class AnalogEnsemble:
    """The ``settings.analogs`` past states nearest to the initial one; their evolutions are the members.

    The distance is the area-weighted mean square difference of the chosen channels, each divided by its mean over all
    pairs compared, so that all count alike. A past state is of the same hour, and all of its evolution lies at least
    ``settings.analog_gap_days`` before or after the scored period. What it lacks is a state that is alike everywhere:
    of a whole globe no past state is near, and the members are hardly nearer to the truth than the season's weather.

    Parameters
    ----------
    truth
        Holds the initial times and the past.
    matches
        All that will be scored.
    settings
        How many, and how far away.
    channels
        That distances are made of; by default those scored.
    """

    name = "analogs"

    def __init__(
        self, truth: Record, matches: Sequence[Match], settings: Settings, channels: Sequence[Channel] | None = None
    ) -> None:
        self._truth, self._times, self._count = truth, truth.times, settings.analogs
        self._channels = list(dict.fromkeys(match.channel for match in matches)) if channels is None else channels
        self._leads = sorted({match.lead_time for match in matches})
        self._scored, self._gap = scored_period(matches), settings.analog_gap_days * DAY.astype("timedelta64[s]")
        starts = sorted({match.initial_time for match in matches if truth.holds(match.initial_time)})
        self._starts = {time: place for place, time in enumerate(starts)}

    @cached_property
    def candidates(self) -> NDArray[np.int64]:
        """Positions of past states: at an hour of initial times, all leads later the truth is there, and all of it is
        away from what is scored.
        """
        first, last = self._scored
        hours = {(time - first) % DAY for time in self._starts}
        asked = np.isin((self._times - first) % DAY, np.array([*hours], dtype=(first - first).dtype))
        whole = np.logical_and.reduce([np.isin(self._times + lead, self._times) for lead in self._leads])
        away = (self._times + self._leads[-1] <= first - self._gap) | (self._times >= last + self._gap)
        return np.flatnonzero(asked & whole & away)

    @cached_property
    def distances(self) -> Floats:
        """Of every initial time and candidate, (initial time, candidate)."""
        total = np.zeros((len(self._starts), len(self.candidates)))
        names = dict.fromkeys(channel.variable_name for channel in self._channels)
        for name in names if total.size else ():  # a variable at a time, whose levels are read together
            own = [channel for channel in self._channels if channel.variable_name == name]
            for squares in self._squares(own):
                scale = squares.mean()
                total += squares / scale if scale > 0 else 0.0
        return total

    def _squares(self, channels: Sequence[Channel]) -> list[Floats]:
        """Mean square differences over the sphere; a missing value counts as the first initial state's."""
        starts = np.array([self._truth.position(time) for time in self._starts])
        ours = [self._truth.fields(channel, starts) for channel in channels]
        centres = [own[0].astype(np.float64) for own in ours]  # differences from it keep digits that squares lose
        weighted = [self._weighted(own, centre) for own, centre in zip(ours, centres, strict=True)]
        squares = [np.empty((len(starts), len(self.candidates))) for _ in channels]
        for start in range(0, len(self.candidates), BLOCK):
            part = slice(start, start + BLOCK)
            for channel, centre, own, found in zip(channels, centres, weighted, squares, strict=True):
                theirs = self._weighted(self._truth.fields(channel, self.candidates[part]), centre)
                found[:, part] = _square_distances(own, theirs)
        return squares

    def _weighted(self, fields: Field, centre: Floats) -> Floats:
        area = self._truth.grid.area_weights()[:, None] / centre.size
        return np.nan_to_num((fields - centre) * np.sqrt(area), nan=0.0).reshape(-1, centre.size)

    def chosen(self, initial_time: np.datetime64) -> NDArray[np.int64]:
        """Positions of the nearest past states of the same hour, the nearest first."""
        same_hour = (self._times[self.candidates] - initial_time) % DAY == np.timedelta64(0)
        distance = np.where(same_hour, self.distances[self._starts[initial_time]], np.inf)
        nearest = np.argsort(distance, kind="stable")[: min(self._count, int(same_hour.sum()))]
        return self.candidates[nearest]

    def lacks(self, matches: Sequence[Match]) -> list[str]:
        """Initial times that the truth does not have, or for which it has too few past states."""
        wanted = sorted({match.initial_time for match in matches})
        absent = [time for time in wanted if time not in self._starts]
        hours = {time: (self._times[self.candidates] - time) % DAY == np.timedelta64(0) for time in wanted}
        few = [minutes(time) for time in wanted if time in self._starts and hours[time].sum() < self._fewest]
        messages = [f"the truth lacks the initial time {minutes(time)}, which analogs need" for time in absent]
        if few:
            messages.append(f"the truth lacks {self._fewest} past states of the same hour for {some(few)}, which "
                            "analogs need")  # fmt: skip
        return messages

    @property
    def _fewest(self) -> int:
        return max(self._count, _FEWEST_MEMBERS)

    def forecast(self, match: Match, observation: Field) -> Ensemble:
        """What the past states had become; NaN without an initial state or with less than two past ones."""
        past = self.chosen(match.initial_time) if match.initial_time in self._starts else np.zeros(0, dtype=np.int64)
        if len(past) < _FEWEST_MEMBERS:
            return Ensemble.of(np.full((_FEWEST_MEMBERS, *observation.shape), np.nan), observation)
        later = np.array([self._truth.position(time) for time in self._times[past] + match.lead_time])
        order = np.argsort(later)
        return Ensemble.of(self._truth.fields(match.channel, later[order]), observation)


def _square_distances(ours: Floats, theirs: Floats) -> Floats:
    """``|a - b|^2`` of every row of one and of the other, by one product of matrices."""
    squares = np.square(ours).sum(axis=1)[:, None] + np.square(theirs).sum(axis=1) - 2 * ours @ theirs.T
    return np.asarray(np.maximum(squares, 0.0))
