"""Scores of the tracks of ensembles, made of sums that add up over initial times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from data_pipeline.times import HOUR, shown
from evaluation.readers import open_runs
from evaluation.tracks.find import centres_of, make_tracks, members
from evaluation.tracks.run_sums import sums_of_run
from evaluation.tracks.settings import TrackSettings
from evaluation.tracks.summary import scores_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evaluation.tracks.find import Centres
    from evaluation.tracks.track import Track


def score_tracks(
    forecasts: Sequence[Path],
    truth: xr.Dataset | Sequence[Track],
    settings: TrackSettings = TrackSettings(),  # noqa: B008, frozen
    ground: xr.DataArray | None = None,
) -> xr.Dataset:
    """Position and intensity errors, hits, track probability and its value, by lead time.

    Parameters
    ----------
    forecasts
        Forecast files or Zarr stores, each of one or more initial times.
    truth
        Canonical states at the valid times, in which cyclones are found as in the forecast, at the same times; or
        observed tracks (``best_tracks.read_best_tracks``, ``files.read_tracks``).
    settings
        What counts as a cyclone and as a match. States of the last ``history_hours`` before a forecast are put before
        it, where the truth is states.
    ground
        Surface geopotential (m2 s-2) on the grid of the forecasts; by default the truth's.

    Returns
    -------
    Scores over lead_time (hours), and the sums ``sum_*`` over initial_time and lead_time that they are made of, of
    which ``merge_track_scores`` makes those of several calls.

    Raises
    ------
    ScoreError
        If there is nothing to score, an initial time is given twice, or the truth does not cover a valid time.
    """
    runs = [run for path in forecasts for run in open_runs(path)]
    if not runs:
        raise ScoreError("no forecasts were given; expected at least one file")
    if isinstance(truth, xr.Dataset) and ground is None:
        ground = truth.get("geopotential_at_surface")
    known = _Known(truth, runs, settings, ground)
    parts = [_run(run, known, settings, ground) for run in runs]
    return merge_track_scores(parts).assign_attrs(settings=settings.described())


class _Known:
    """The truth: the tracks of any times, from states or as given."""

    def __init__(
        self, truth: xr.Dataset | Sequence[Track], runs: Sequence[xr.Dataset], settings: TrackSettings,
        ground: xr.DataArray | None,
    ) -> None:  # fmt: skip
        self._settings = settings
        self.centres: Centres = {}
        self.tracks: Sequence[Track] = [] if isinstance(truth, xr.Dataset) else truth
        if isinstance(truth, xr.Dataset):
            first = min(_valid(run)[0] for run in runs) - np.timedelta64(round(settings.history_hours), "h")
            last = max(_valid(run)[-1] for run in runs)
            own = None if "geopotential_at_surface" in truth else ground
            self.centres = centres_of(truth.sel(time=slice(first, last)), settings, own)
        elif not self.tracks:
            raise ScoreError("the truth holds no track; give states, or observed tracks of the forecasts' times")

    def history(self, times: Sequence[np.datetime64], step: np.timedelta64) -> Centres:
        """The centres of the times before the first of ``times``, as far as they are known without a gap."""
        found = {}
        time = times[0] - step
        while time in self.centres and (times[0] - time) / HOUR <= self._settings.history_hours:
            found[time] = self.centres[time]
            time = time - step
        return found

    def at(self, times: Sequence[np.datetime64], history: Centres) -> Sequence[Track]:
        """The tracks that are found in states of these times only, or those that are given."""
        if self.tracks:
            first, last = (end(track.times[place] for track in self.tracks) for end, place in ((min, 0), (max, -1)))
            beyond = [time for time in times if not first <= time <= last]
            if beyond:
                raise ScoreError(
                    f"the observed tracks are of {shown(first)} to {shown(last)}, not of {shown(beyond[0])}; "
                    "give tracks that cover the forecasts"
                )
            return self.tracks
        lacking = [time for time in times if time not in self.centres]
        if lacking:
            raise ScoreError(
                f"the truth lacks {len(lacking)} valid times, the first {shown(lacking[0])}; give states that "
                "cover the forecasts"
            )
        return make_tracks({**history, **{time: self.centres[time] for time in times}}, self._settings)


def _run(run: xr.Dataset, known: _Known, settings: TrackSettings, ground: xr.DataArray | None) -> xr.Dataset:
    """The sums of one run."""
    times, initial_time = _valid(run), np.datetime64(run["initial_time"].item(), "ns")
    step = np.diff(np.array(times)).min() if len(times) > 1 else times[0] - initial_time
    history = known.history(times, step)
    observed = known.at(times, history)
    predicted = []
    for member, own in enumerate(members(run)):
        centres = centres_of(own, settings, ground)
        predicted.append(make_tracks({**history, **centres}, settings, initial_time, member))
    sums = sums_of_run(observed, predicted, times, settings)
    return sums.assign_coords(lead_time=[float((time - initial_time) / HOUR) for time in times]).expand_dims(
        initial_time=[initial_time]
    )


def merge_track_scores(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """The scores of several results, of different initial times, together.

    Raises
    ------
    ScoreError
        If there are none, an initial time is in two, or they were made with different settings.
    """
    if not parts:
        raise ScoreError("no track scores were given, expected at least one")
    made = {str(part.attrs.get("settings", "")) for part in parts}
    if len(made) > 1:
        raise ScoreError(f"the parts were scored with different settings, {' and '.join(sorted(made))}; score alike")
    sums = [part.drop_vars([name for name in part.data_vars if not str(name).startswith("sum_")]) for part in parts]
    times, counts = np.unique(np.concatenate([own["initial_time"].values for own in sums]), return_counts=True)
    if (counts > 1).any():
        raise ScoreError(f"the initial time {shown(times[counts > 1][0])} was given twice; give each once")
    whole = xr.concat(sums, "initial_time", join="outer", fill_value=0.0).sortby("initial_time")
    return finalise_tracks(whole.assign_attrs(parts[0].attrs))


def finalise_tracks(sums: xr.Dataset) -> xr.Dataset:
    """The scores that sums over initial times give, beside these sums."""
    return sums.merge(scores_of(sums.sum("initial_time"))).assign_attrs(sums.attrs)


def _valid(run: xr.Dataset) -> list[np.datetime64]:
    """The valid times of a run."""
    times = np.sort((run["initial_time"] + run["lead_time"]).values.astype("datetime64[ns]"))
    return list(times)
