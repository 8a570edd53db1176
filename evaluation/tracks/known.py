"""The truth that tracks are scored against: states in which they are found, or tracks that are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from data_pipeline.times import HOUR, shown
from evaluation.tracks.find import centres_of, make_tracks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_pipeline.errors import DataError
    from evaluation.tracks.find import Centres
    from evaluation.tracks.settings import TrackSettings
    from evaluation.tracks.track import Track

    Times = Sequence[np.datetime64]


class Known:
    """The tracks of any times, from states or as given.

    With ``past_damage``, states that cannot be read are kept in ``damaged``, and stop only what asks for them.

    Raises
    ------
    DataError
        If states cannot be read, without ``past_damage``.
    ScoreError
        If there is no track, or as ``centres_of``.
    """

    def __init__(
        self, truth: xr.Dataset | Sequence[Track], runs: Sequence[xr.Dataset], settings: TrackSettings,
        ground: xr.DataArray | None, *, past_damage: bool = False,
    ) -> None:  # fmt: skip
        self._settings = settings
        self.centres: Centres = {}
        self.damaged: dict[np.datetime64, DataError] = {}
        self.tracks: Sequence[Track] = [] if isinstance(truth, xr.Dataset) else truth
        if isinstance(truth, xr.Dataset):
            first = min(valid_times(run)[0] for run in runs) - np.timedelta64(round(settings.history_hours), "h")
            last = max(valid_times(run)[-1] for run in runs)
            own = None if "geopotential_at_surface" in truth else ground
            taken = self.damaged if past_damage else None
            self.centres = centres_of(truth.sel(time=slice(first, last)), settings, own, taken)
        elif not self.tracks:
            raise ScoreError("the truth holds no track; give states, or observed tracks of the forecasts' times")

    def history(self, times: Times, step: np.timedelta64) -> Centres:
        """The centres of the times before the first of ``times``, as far as they are known without a gap."""
        found = {}
        time = times[0] - step
        while time in self.centres and (times[0] - time) / HOUR <= self._settings.history_hours:
            found[time] = self.centres[time]
            time = time - step
        return found

    def lacks(self, times: Times) -> str:
        """What the truth does not cover of ``times``, in words; nothing if it does."""
        if self.tracks:
            first, last = (end(track.times[place] for track in self.tracks) for end, place in ((min, 0), (max, -1)))
            beyond = [shown(time) for time in times if not first <= time <= last]
            return f"the observed tracks are of {shown(first)} to {shown(last)}, not of {beyond[0]}" if beyond else ""
        lacking = [time for time in times if time not in self.centres and time not in self.damaged]
        return f"the truth lacks {len(lacking)} valid times, the first {shown(lacking[0])}" if lacking else ""

    def at(self, times: Times, history: Centres) -> Sequence[Track]:
        """The tracks that are found in states of these times only, or those that are given.

        Raises
        ------
        DataError
            If the state of one of them is damaged.
        """
        if self.tracks:
            return self.tracks
        for time in times:
            if time in self.damaged:
                raise self.damaged[time]
        return make_tracks({**history, **{time: self.centres[time] for time in times}}, self._settings)


def valid_times(run: xr.Dataset) -> list[np.datetime64]:
    """Of a run, ascending."""
    times = np.sort((run["initial_time"] + run["lead_time"]).values.astype("datetime64[ns]"))
    return list(times)
