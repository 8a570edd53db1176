"""From fields to sums: each forecast field is read once, and all statistics are taken of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from evaluation.aggregate import Sum
from evaluation.applicable import applicable
from evaluation.climate import Climate
from evaluation.lost import Lost, Tallied
from evaluation.metrics.definitions import PointStatistic, Sample
from evaluation.metrics.forms import Ensemble
from evaluation.metrics.registry import STATISTICS, needed_statistics
from evaluation.pairs import Snapshots
from evaluation.run_sums import RunSums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import xarray as xr

    from data_pipeline.channels import Channel
    from evaluation.aggregate import EveryPoint, Mask, Places
    from evaluation.baselines import Baseline
    from evaluation.climate import Season
    from evaluation.metrics.definitions import Statistic
    from evaluation.metrics.forms import Forecast
    from evaluation.pairs import Field, Match
    from evaluation.run_sums import Axes
    from evaluation.settings import Settings

FORECAST = "forecast"
"""What the model is called whose files are scored."""
UNOBSERVED = "unobserved"
"""The number of points that were forecast and of which the truth has no value; entered only where it is not whole."""


class Tally:
    """Takes the sums of runs against a truth, beside baselines."""

    def __init__(
        self, truth: xr.Dataset, places: Places | EveryPoint, metrics: Sequence[str], baselines: Sequence[Baseline],
        season: Season | None, settings: Settings,
    ) -> None:  # fmt: skip
        self._verifying = Snapshots(truth)
        self._places = places
        self._metrics = metrics
        self._of_variable: dict[str, dict[str, Statistic]] = {}
        self._baselines = baselines
        self._season = season
        self._settings = settings

    def run(self, matches: Sequence[Match]) -> Tallied:
        """The sums of all matches of one run.

        Raises
        ------
        DataError
            If a field breaks while it is read.
        """
        sums = self._empty(matches)
        for match in matches:
            self._add(sums, match)
        return Tallied(sums.sums())

    def run_past_damage(self, matches: Sequence[Match]) -> Tallied:
        """As ``run``; where a field breaks while it is read, on any side, it counts for no model and is listed."""
        sums, lost = self._empty(matches), []
        for match in matches:
            try:
                self._add(sums, match)
            except DataError as error:
                lost.append(Lost.of(match, error))
        return Tallied(sums.sums(), lost)

    def _empty(self, matches: Sequence[Match]) -> RunSums:
        levels: dict[str, list[int] | None] = {}
        for match in matches:
            known = levels.setdefault(match.channel.variable_name, None if match.channel.level is None else [])
            if known is not None and match.channel.level not in known:
                known.append(match.channel.level)  # type: ignore[arg-type]
        return RunSums(
            matches[0].initial_time, [FORECAST, *(baseline.name for baseline in self._baselines)],
            sorted({match.lead_hours for match in matches}),
            {name: sorted(held) if held is not None else None for name, held in levels.items()}, self._places.names,
        )  # fmt: skip

    def _add(self, sums: RunSums, match: Match) -> None:
        """All or nothing: what breaks for one model would leave another with more fields than its neighbours."""
        for entry in list(self._entries(match)):
            sums.put(*entry)

    def _entries(self, match: Match) -> Iterator[tuple[str, Channel, float, str, Sum, Axes]]:
        """Every model and statistic, as ``RunSums.put`` takes them."""
        observation = self._verifying.field(match.channel, match.valid_time)
        observed, members = np.isfinite(observation), match.members()
        if not observed.all():
            lacking = self._places.count(np.isfinite(members).any(axis=0) & ~observed)
            yield FORECAST, match.channel, match.lead_hours, UNOBSERVED, lacking, {}
        for model, forecast in self._forecasts(match, members, observation):
            sample = self._sample(match, forecast)
            for name, statistic in self._statistics(match.channel.variable_name).items():
                if isinstance(forecast, statistic.forms):
                    total = self._sum(statistic, sample, observed)
                    yield model, match.channel, match.lead_hours, name, total, statistic.axes(sample)

    def _statistics(self, variable: str) -> dict[str, Statistic]:
        if variable not in self._of_variable:
            needed = needed_statistics(applicable(self._metrics, variable, self._settings))
            self._of_variable[variable] = {name: STATISTICS[name] for name in needed}
        return self._of_variable[variable]

    def _forecasts(self, match: Match, members: Field, observation: Field) -> Iterator[tuple[str, Forecast]]:
        yield FORECAST, Ensemble.of(members, observation)
        for baseline in self._baselines:
            yield baseline.name, baseline.forecast(match, observation)

    def _sample(self, match: Match, forecast: Forecast) -> Sample:
        season, channel, time = self._season, match.channel, match.valid_time
        climate = Climate(season, channel, time) if season and season.holds(channel, time) else None
        return Sample(forecast, channel, self._places.grid, time, match.lead_hours, self._settings, climate)

    def _sum(self, statistic: Statistic, sample: Sample, observed: Mask) -> Sum:
        if isinstance(statistic, PointStatistic):
            return self._places.sum(statistic.of(sample), observed)
        areas = self._places.weights(observed)
        weighs = np.array([float(area.any()) for area in areas])
        values = np.zeros((len(areas), *map(len, statistic.axes(sample).values())))
        for place in np.flatnonzero(weighs):  # of nothing there is nothing to find
            values[place] = statistic.of(sample, areas[place])
        return Sum(values, weighs)
