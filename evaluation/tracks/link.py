"""From the centres of each time to tracks: the nearest to where a cyclone should be, no faster than allowed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from evaluation.tracks.sphere import KM_PER_DEGREE, angles, extrapolate, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evaluation.tracks.settings import TrackSettings
    from evaluation.tracks.sphere import Floats
    from evaluation.tracks.track import Centre

SIX_HOURS = np.timedelta64(6, "h")


@dataclass
class _Growing:
    """A track that may go on: its centres, their unit vectors, and the number of the step of the last."""

    centres: list[Centre] = field(default_factory=list)
    vectors: list[Floats] = field(default_factory=list)
    step: int = 0

    def add(self, centre: Centre, step: int) -> None:
        self.centres.append(centre)
        self.vectors.append(unit_vectors(centre.latitude, centre.longitude))
        self.step = step

    def may_go_on(self, step: int, time: np.datetime64, settings: TrackSettings) -> bool:
        """Whether it has not missed too many times, nor too long."""
        hours = (time - self.centres[-1].time) / np.timedelta64(1, "h")
        return bool(step - self.step <= settings.gap_steps + 1 and hours <= settings.gap_hours)

    def expected(self, time: np.datetime64) -> Floats:
        """Where it is if it moves on as it did last; where it was, after one centre."""
        if len(self.centres) == 1:
            return self.vectors[0]
        before, last = self.centres[-2:]
        return extrapolate(self.vectors[-2], self.vectors[-1], float((time - last.time) / (last.time - before.time)))


def link(
    times: Sequence[np.datetime64], centres: Sequence[Sequence[Centre]], settings: TrackSettings
) -> list[tuple[Centre, ...]]:
    """Tracks (two centres or more) through the centres of ascending times, in order of their first centre.

    At each time, of all pairs of a track and a centre that is no farther from the track's last one than
    ``range_degrees`` per 6 hours, those are linked first that are nearest to where the last displacement leads (on its
    great circle); equal ones by distance from the last centre, then the older track, then the earlier centre in the
    list. Each centre is in one track. A track may miss ``gap_steps`` times in a row, and no more than
    ``gap_hours``: data that begin again after a pause have new cyclones.
    """
    growing: list[_Growing] = []
    done: list[_Growing] = []
    for step, (time, found) in enumerate(zip(times, centres, strict=True)):
        alive = [track.may_go_on(step, time, settings) for track in growing]
        done += [track for track, goes_on in zip(growing, alive, strict=True) if not goes_on]
        growing = [track for track, goes_on in zip(growing, alive, strict=True) if goes_on]
        taken = set()
        for track, index in _links(growing, time, found, settings.range_degrees):
            growing[track].add(found[index], step)
            taken.add(index)
        for index, centre in enumerate(found):
            if index not in taken:
                growing.append(_Growing())
                growing[-1].add(centre, step)
    tracks = [tuple(track.centres) for track in (*done, *growing) if len(track.centres) > 1]
    return sorted(tracks, key=lambda own: (own[0].time, own[0].pressure, own[0].latitude, own[0].longitude))


def _links(
    growing: Sequence[_Growing], time: np.datetime64, found: Sequence[Centre], range_degrees: float
) -> list[tuple[int, int]]:
    if not growing or not found:
        return []
    places = unit_vectors([centre.latitude for centre in found], [centre.longitude for centre in found])
    pairs = []
    for number, track in enumerate(growing):
        moved = angles(places, track.vectors[-1])
        missed = angles(places, track.expected(time))
        limit = range_degrees * float((time - track.centres[-1].time) / SIX_HOURS)
        pairs += [(missed[index], moved[index], number, int(index)) for index in np.flatnonzero(moved <= limit)]
    return greedy((own, index) for *_, own, index in sorted(pairs))


def greedy(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The first pairs of which neither part was taken before.

    >>> greedy([(0, 1), (0, 0), (1, 1), (1, 0)])
    [(0, 1), (1, 0)]
    """
    ours, theirs, taken = set(), set(), []
    for own, other in pairs:
        if own not in ours and other not in theirs:
            ours.add(own)
            theirs.add(other)
            taken.append((own, other))
    return taken


def is_long_enough(track: tuple[Centre, ...], settings: TrackSettings, step: np.timedelta64) -> bool:
    """Whether a track fulfils the criteria on all of it: lifetime, travel, hours of strength."""
    hours = (track[-1].time - track[0].time) / np.timedelta64(1, "h")
    travel = angles(*(unit_vectors(end.latitude, end.longitude) for end in (track[0], track[-1])))
    if hours < settings.minimum_hours or travel < settings.minimum_travel_km / KM_PER_DEGREE:
        return False
    held = (
        [abs(centre.latitude) <= settings.wind_latitude for centre in track],
        _strong(track, settings),
        _low(track, settings),
    )
    return all(sum(own) * (step / np.timedelta64(1, "h")) >= settings.strong_hours for own in held)


def _strong(track: tuple[Centre, ...], settings: TrackSettings) -> list[bool]:
    return [settings.wind is None or centre.wind >= settings.wind for centre in track]


def _low(track: tuple[Centre, ...], settings: TrackSettings) -> list[bool]:
    return [settings.wind_height is None or centre.height <= settings.wind_height for centre in track]
