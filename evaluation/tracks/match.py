"""Which forecast track is of which observed cyclone, and how far apart they are."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

import numpy as np

from evaluation.tracks.link import greedy
from evaluation.tracks.sphere import KM_PER_DEGREE, along_and_cross, bearing, distance, places, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.tracks.track import Centre, Track


@dataclass(frozen=True)
class Errors:
    """Of a forecast centre: km from the observed one, km ahead of it and to the right of its motion, Pa and m s-1."""

    distance: float
    along: float
    cross: float
    pressure: float
    wind: float


def match_tracks(observed: Sequence[Track], predicted: Sequence[Track], match_km: float) -> list[tuple[Track, Track]]:
    """Pairs of an observed and a forecast track no farther apart than ``match_km`` at the first time that both have.

    Each track is in one pair; the nearest are paired first, of equal ones those that meet first, then in the order
    given.
    """
    near = []
    for number, truth in enumerate(observed):
        for index, own in enumerate(predicted):
            common = min(truth.at.keys() & own.at.keys(), default=None)
            if common is not None:
                here, there = truth.at[common], own.at[common]
                if abs(here.latitude - there.latitude) * KM_PER_DEGREE > match_km + 1:
                    continue  # the distance itself takes ten times as long
                apart = separation_km(here, there)
                if apart <= match_km:
                    near.append((apart, common, number, index))
    return [(observed[number], predicted[index]) for number, index in greedy(pair[2:] for pair in sorted(near))]


def separation_km(one: Centre, other: Centre) -> float:
    """Great-circle distance."""
    return float(distance(one.latitude, one.longitude, other.latitude, other.longitude)) * KM_PER_DEGREE


def errors(observed: Track, own: Centre) -> Errors:
    """Of a forecast centre at a time that the observed track has.

    The along- and cross-track errors are relative to the observed motion from the previous centre, at the first centre
    to the next (Heming 2017, doi:10.1002/met.1599).
    """
    truth = observed.at[own.time]
    apart = distance(truth.latitude, truth.longitude, own.latitude, own.longitude)
    towards = bearing(truth.latitude, truth.longitude, own.latitude, own.longitude)
    along, cross = along_and_cross(motion(observed, own.time), towards, float(apart))
    return Errors(
        float(apart) * KM_PER_DEGREE, along * KM_PER_DEGREE, cross * KM_PER_DEGREE,
        own.pressure - truth.pressure, own.wind - truth.wind,
    )  # fmt: skip


def motion(track: Track, time: np.datetime64) -> float:
    """Direction in which a cyclone moves at one of its times, in degrees clockwise from north; NaN if it stands."""
    index = int(np.flatnonzero(track.times == time)[0])
    here = track.centres[index]
    other = track.centres[index - 1 if index else 1] if len(track.centres) > 1 else here
    if separation_km(here, other) < 1e-6:
        return np.nan
    direction = bearing(here.latitude, here.longitude, other.latitude, other.longitude)
    return (direction + 180) % 360 if index else direction


def mean_place(centres: Sequence[Centre]) -> tuple[float, float]:
    """Latitude and longitude of the mean of places: of their unit vectors, brought back to the surface."""
    vectors = unit_vectors([own.latitude for own in centres], [own.longitude for own in centres])
    latitude, longitude = places(np.array([fsum(part) for part in vectors.T]))
    return float(latitude), float(longitude)


def contingency(observed: Sequence[Centre], predicted: Sequence[Centre], match_km: float) -> tuple[int, int, int]:
    """Hits, misses and false alarms among the centres of one time; the nearest are paired first, each once."""
    near = [
        (separation_km(truth, own), number, index)
        for number, truth in enumerate(observed)
        for index, own in enumerate(predicted)
    ]
    hits = len(greedy(pair[1:] for pair in sorted(near) if pair[0] <= match_km))
    return hits, len(observed) - hits, len(predicted) - hits
