"""Linking, matching and geometry beside plain loops over their definitions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.tracks.link import link
from evaluation.tracks.match import contingency, errors, match_tracks, mean_place, motion, separation_km
from evaluation.tracks.settings import TrackSettings
from evaluation.tracks.sphere import (
    KM_PER_DEGREE,
    along_and_cross,
    bearing,
    destination,
    distance,
    extrapolate,
    places,
    tangent_plane,
    unit_vectors,
)
from evaluation.tracks.track import Centre
from tests.evaluation.vortices import HOUR, START, great_circle, track

LATITUDES, LONGITUDES = st.floats(-89.0, 89.0), st.floats(0.0, 359.99)
PLACES = st.tuples(LATITUDES, LONGITUDES)


def linked_plainly(times: list, centres: list[list[Centre]], range_degrees: float, gap: int) -> set[tuple[Centre, ...]]:
    """At each time, the best remaining pair of all, found anew after each link."""
    tracks: list[list[tuple[int, Centre]]] = []
    for step, found in enumerate(centres):
        free_tracks = [own for own in tracks if step - own[-1][0] <= gap + 1]
        free = list(found)
        while True:
            best = None
            for own in free_tracks:
                last = own[-1][1]
                at = (last.latitude, last.longitude)
                expected = at
                if len(own) > 1:
                    before = own[-2][1]
                    ratio = float((times[step] - last.time) / (last.time - before.time))
                    way = bearing(*at, before.latitude, before.longitude) + 180
                    expected = destination(*at, way, ratio * great_circle(at, (before.latitude, before.longitude)))
                limit = range_degrees * float((times[step] - last.time) / (6 * HOUR))
                for centre in free:
                    here = (centre.latitude, centre.longitude)
                    moved, missed = great_circle(at, here), great_circle(expected, here)
                    if moved <= limit and (best is None or missed < best[0]):
                        best = missed, own, centre
            if best is None:
                break
            best[1].append((step, best[2]))
            free_tracks = [own for own in free_tracks if own is not best[1]]
            free.remove(best[2])
        tracks += [[(step, centre)] for centre in free]
    return {tuple(centre for _, centre in own) for own in tracks if len(own) > 1}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_linking_is_greedy_by_the_distance_from_the_prediction(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = [START + 6 * HOUR * step for step in range(7)]
    centres = [
        [
            Centre(time, float(rng.uniform(70, 89)), float(rng.uniform(0, 360)), float(rng.uniform(9e4, 1e5)))
            for _ in range(rng.integers(0, 5))
        ]
        for time in times
    ]
    options = TrackSettings(range_degrees=9.0)
    found = link(times, centres, options)
    assert set(found) == linked_plainly(times, centres, 9.0, 1)
    every = [centre for own in found for centre in own]
    assert len(every) == len(set(every))  # one centre in one track
    for own in found:
        for before, after in pairwise(own):
            hours = float((after.time - before.time) / HOUR)
            assert separation_km(before, after) <= 9.0 * hours / 6 * KM_PER_DEGREE + 1e-6


def test_a_tie_goes_to_the_older_track_and_the_earlier_centre() -> None:
    times = [START, START + 6 * HOUR]
    one, two = Centre(START, 0.0, 358.0), Centre(START, 0.0, 2.0)
    north, south = Centre(times[1], 0.0, 0.0, 1.0), Centre(times[1], 0.0, 0.0, 2.0)
    assert link(times, [[one, two], [north]], TrackSettings()) == [(one, north)]
    assert set(link(times, [[one, two], [north, south]], TrackSettings())) == {(one, north), (two, south)}
    assert set(link(times, [[one], [south, north]], TrackSettings())) == {(one, south)}


def test_the_range_scales_with_the_step() -> None:
    for hours, moved, linked in ((6, 7.9, 1), (6, 8.1, 0), (12, 15.9, 1), (1, 1.4, 0)):
        times = [START, START + hours * HOUR]
        centres = [[Centre(times[0], 0.0, 359.0)], [Centre(times[1], 0.0, (359.0 + moved) % 360)]]
        assert len(link(times, centres, TrackSettings(range_degrees=8.0))) == linked


def test_no_track_spans_a_pause_in_the_data() -> None:
    times = [START, START + 6 * HOUR, START + 300 * HOUR, START + 306 * HOUR]
    centres = [[Centre(time, 50.0, 10.0 * number)] for number, time in enumerate(times)]
    assert [len(own) for own in link(times, centres, TrackSettings())] == [2, 2]


@given(PLACES, PLACES)
def test_distance_bearing_and_destination_agree(one: tuple[float, float], other: tuple[float, float]) -> None:
    apart = float(distance(*one, *other))
    assert apart == pytest.approx(great_circle(one, other), abs=1e-5)
    reached = destination(*one, bearing(*one, *other), apart)
    assert float(distance(*reached, *other)) < 1e-6
    x, y = tangent_plane(*one, unit_vectors(*other)[None])
    if apart < 179:
        assert float(np.hypot(x, y)[0]) == pytest.approx(apart, abs=1e-6)
        away = destination(*one, float(np.rad2deg(np.arctan2(x[0], y[0]))), apart)
        assert float(distance(*away, *other)) < 1e-5


def test_small_distances_are_exact() -> None:
    assert float(distance(10.0, 20.0, 10.0 + 1e-7, 20.0)) == pytest.approx(1e-7, rel=1e-6)
    assert float(distance(0.0, 0.0, 0.0, 180.0)) == 180.0


@given(PLACES, PLACES, st.floats(0.1, 3.0))
def test_the_prediction_goes_on_along_the_great_circle(
    one: tuple[float, float], other: tuple[float, float], ratio: float
) -> None:
    apart = float(distance(*one, *other))
    if 1e-3 < apart < 40:
        found = extrapolate(unit_vectors(*one), unit_vectors(*other), ratio)
        way = (bearing(*other, *one) + 180) % 360
        assert (
            float(distance(*(float(part) for part in places(found)), *destination(*other, way, ratio * apart))) < 1e-5
        )
    still = unit_vectors(*one)
    np.testing.assert_array_equal(extrapolate(still, still, ratio), still)


@given(PLACES, st.floats(0, 360), st.floats(0, 360), st.floats(0.0, 80.0))
def test_along_and_cross_track_are_the_legs_of_a_right_triangle(
    place: tuple[float, float], ahead: float, towards: float, degrees: float
) -> None:
    along, cross = along_and_cross(ahead, towards, degrees)
    foot = destination(*place, ahead, along)
    there = destination(*place, towards, degrees)
    assert float(distance(*foot, *there)) == pytest.approx(abs(cross), abs=1e-5)
    assert np.cos(np.deg2rad(degrees)) == pytest.approx(np.cos(np.deg2rad(along)) * np.cos(np.deg2rad(cross)), abs=1e-9)


def test_errors_ahead_and_to_the_right() -> None:
    truth = track([(0.0, 359.0), (0.0, 0.0), (0.0, 1.0)])  # eastward across Greenwich
    own = Centre(START + 6 * HOUR, -1.0, 2.0, 9.7e4, 25.0)
    found = errors(truth, own)
    assert (found.along, found.cross) == pytest.approx((2 * KM_PER_DEGREE, KM_PER_DEGREE), rel=1e-3)
    assert found.distance == pytest.approx(great_circle((0, 0), (-1, 2)) * KM_PER_DEGREE)
    assert (found.pressure, found.wind) == (-1e3, -5.0)
    first = errors(truth, Centre(START, 1.0, 359.0))
    assert (first.along, first.cross) == pytest.approx((0.0, -KM_PER_DEGREE), abs=1e-9)
    assert np.isnan(first.pressure)
    assert np.isnan(motion(track([(5.0, 5.0), (5.0, 5.0)]), START))
    assert np.isnan(motion(track([(5.0, 5.0)]), START))


def test_matching_pairs_the_nearest_once_at_the_first_common_time() -> None:
    one, two = track([(40.0, 359.5), (40.0, 5.0)], "one"), track([(42.0, 0.0), (50.0, 0.0)], "two")
    near_both, near_one = track([(41.5, 0.0), (30.0, 0.0)], "b"), track([(40.0, 0.5), (40.0, 90.0)], "a")
    assert match_tracks([one, two], [near_both, near_one], 300.0) == [(two, near_both), (one, near_one)]
    assert match_tracks([one, two], [near_both, near_one], 60.0) == [(two, near_both)]
    assert match_tracks([], [near_one], 300.0) == match_tracks([one], [], 300.0) == []
    later = track([(0.0, 0.0)] * 3)
    apart_in_time = track([(0.0, 0.0)]).centres[0]
    shifted = type(later)("s", (Centre(START - 6 * HOUR, 0.0, 0.0),))
    assert match_tracks([shifted], [later], 300.0) == []
    assert apart_in_time.time == START


@settings(max_examples=40, deadline=None)
@given(st.lists(PLACES, max_size=5), st.lists(PLACES, max_size=5), st.floats(100, 8000))
def test_hits_misses_and_false_alarms_add_up(truth: list, own: list, radius: float) -> None:
    observed = [Centre(START, *place) for place in truth]
    predicted = [Centre(START, *place) for place in own]
    hits, misses, false_alarms = contingency(observed, predicted, radius)
    assert (hits + misses, hits + false_alarms) == (len(truth), len(own))
    pairs = sorted((separation_km(a, b), i, j) for i, a in enumerate(observed) for j, b in enumerate(predicted))
    rows, columns, plain = set(), set(), 0
    while pairs:
        apart, i, j = pairs.pop(0)
        if apart <= radius and i not in rows and j not in columns:
            rows.add(i)
            columns.add(j)
            plain += 1
    assert hits == plain


def test_the_mean_place_lies_on_the_sphere_across_the_date_line_and_the_pole() -> None:
    assert mean_place([Centre(START, 0.0, 359.0), Centre(START, 0.0, 3.0)]) == pytest.approx((0.0, 1.0))
    assert mean_place([Centre(START, 80.0, 0.0), Centre(START, 80.0, 180.0)])[0] == pytest.approx(90.0)
