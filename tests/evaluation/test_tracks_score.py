"""Scores of ensembles whose tracks are known: closed forms, plain loops, and sums that add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.errors import ScoreError
from evaluation.tracks import TrackSettings, find_tracks, merge_track_scores, score_tracks
from evaluation.tracks.probability import class_bounds, class_of, struck, track_probability, verification_mesh
from evaluation.tracks.run_sums import sums_of_run
from evaluation.tracks.sphere import KM_PER_DEGREE, distance
from evaluation.tracks.summary import scores_of
from evaluation.tracks.track import Centre
from evaluation.tracks.value import economic_value, potential_value
from tests.evaluation.vortices import HOUR, START, forecast, great_circle, states, straight, track

if TYPE_CHECKING:
    from pathlib import Path

SIX = 6 * HOUR
OPTIONS = TrackSettings.extratropical(maximum_height=None, minimum_vorticity=None, match_km=600.0)


def written(folder: Path, name: str, data: xr.Dataset) -> Path:
    data.to_netcdf(folder / f"{name}.nc", engine="netcdf4")
    return folder / f"{name}.nc"


def displaced(east: float, north: float = 0.0, count: int = 16, begin: int = 0) -> xr.Dataset:
    """As the truth for the first ``begin`` + 1 times, then apart by so many degrees a step."""
    path = straight(45.0, 200.0, 3.0, 0.0, count)
    moved = [
        (lat + north * max(0, step - begin), lon + east * max(0, step - begin), depth)
        for step, (lat, lon, depth) in enumerate(path)
    ]
    return states([moved])


def test_a_perfect_forecast_has_no_error_and_full_value(tmp_path: Path) -> None:
    truth = displaced(0.0)
    scores = score_tracks([written(tmp_path, "a", forecast([truth.isel(time=slice(8, None))] * 3))], truth, OPTIONS)
    assert scores["lead_time"].values.tolist() == [6.0 * step for step in range(1, 8)]
    for name in ("position_error", "mean_track_position_error", "pressure_rmse", "brier_score", "false_alarm_ratio"):
        np.testing.assert_allclose(scores[name], 0, atol=1e-9)
    for name in ("probability_of_detection", "critical_success_index", "brier_skill_score"):
        np.testing.assert_allclose(scores[name], 1)
    np.testing.assert_allclose(scores["economic_value"], 1)
    assert np.isnan(scores["wind_rmse"]).all()
    assert scores["position_error"].attrs["units"] == "km"
    assert scores["sum_hits"].dims == ("initial_time", "lead_time")


def test_position_errors_grow_as_the_members_go_astray(tmp_path: Path) -> None:
    """Two members, ahead and behind by the same: their mean is right, each is wrong, along the track alone."""
    truth = displaced(0.0)
    members = [displaced(east, begin=8).isel(time=slice(8, None)) for east in (0.5, -0.5)]
    scores = score_tracks([written(tmp_path, "a", forecast(members))], truth, OPTIONS)
    steps = np.arange(1, 8)
    expected = [great_circle((45.0, 0.0), (45.0, 0.5 * step)) * KM_PER_DEGREE for step in steps]
    np.testing.assert_allclose(scores["position_error"], expected, atol=25)  # a tenth of a spacing
    assert float(scores["mean_track_position_error"].max()) < 25
    np.testing.assert_allclose(scores["mean_track_spread"], expected, atol=25)
    np.testing.assert_allclose(scores["along_track_rmse"], expected, atol=25)
    assert float(abs(scores["cross_track_rmse"]).max()) < 25
    np.testing.assert_array_equal(scores["sum_matched"][0], 2)


def test_history_from_the_truth_gives_young_forecasts_their_tracks(tmp_path: Path) -> None:
    truth = displaced(0.0)
    path = written(tmp_path, "a", forecast([truth.isel(time=slice(12, None))]))  # 18 hours: too short alone
    assert find_tracks(truth.isel(time=slice(13, None)), OPTIONS) == []
    assert float(score_tracks([path], truth, OPTIONS)["sum_hits"].sum()) == 3
    alone = TrackSettings.extratropical(maximum_height=None, minimum_vorticity=None, history_hours=0.0)
    none = score_tracks([path], truth, alone)
    assert float((none["sum_hits"] + none["sum_misses"]).sum()) == 0
    assert np.isnan(none["position_error"]).all()
    assert np.isnan(none["economic_value"]).all()


def test_misses_and_false_alarms(tmp_path: Path) -> None:
    nothing, truth = states([[(0.0, 0.0, 0.0)] * 16]), displaced(0.0)
    whole = TrackSettings.extratropical(maximum_height=None, minimum_vorticity=None, history_hours=0.0)
    one = written(tmp_path, "a", forecast([truth, nothing]))
    scores = score_tracks([one], truth, whole)
    np.testing.assert_allclose(scores["probability_of_detection"], 0.5)
    np.testing.assert_allclose(scores["false_alarm_ratio"], 0)
    scores = score_tracks([one], nothing, whole)
    np.testing.assert_allclose(scores["false_alarm_ratio"], 1)
    assert np.isnan(scores["probability_of_detection"]).all()
    assert np.isnan(scores["brier_skill_score"]).all()


def test_observed_tracks_are_a_truth_too(tmp_path: Path) -> None:
    truth = displaced(0.0)
    path = written(tmp_path, "a", forecast([truth]))
    whole = TrackSettings.extratropical(maximum_height=None, minimum_vorticity=None)
    scores = score_tracks([path], find_tracks(truth, whole), whole)
    np.testing.assert_allclose(scores["position_error"], 0, atol=1e-9)
    early = [track([(45.0, 200.0), (45.0, 203.0)])]
    with pytest.raises(ScoreError, match=r"are of 2020-01-01T00 to 2020-01-01T06, not of 2020-01-01T12; give tracks"):
        score_tracks([path], early, whole)
    with pytest.raises(ScoreError, match="the truth holds no track"):
        score_tracks([path], [], whole)


def test_results_of_any_split_are_the_same(tmp_path: Path) -> None:
    truth = displaced(0.0, count=20)
    paths = [
        written(tmp_path, str(start), forecast([displaced(0.1 * start, count=20, begin=start).isel(
            time=slice(start, start + length))])) for start, length in ((8, 6), (9, 8), (11, 9))
    ]  # fmt: skip
    whole = score_tracks(paths, truth, OPTIONS)
    parts = [score_tracks([path], truth, OPTIONS) for path in reversed(paths)]
    assert whole["lead_time"].size == 8  # the longest
    xr.testing.assert_identical(merge_track_scores(parts), whole)
    xr.testing.assert_identical(merge_track_scores([merge_track_scores(parts[:2]), parts[2]]), whole)
    for number, part in enumerate(parts):
        part.to_netcdf(tmp_path / f"part{number}.nc", engine="netcdf4")
    read = [xr.load_dataset(tmp_path / f"part{number}.nc", engine="netcdf4") for number in range(3)]
    xr.testing.assert_equal(merge_track_scores(read), whole)
    with pytest.raises(ScoreError, match="the initial time 2020-01-03T00 was given twice"):
        merge_track_scores([parts[2], parts[2]])
    other = score_tracks([paths[0]], truth, TrackSettings.extratropical(maximum_height=None, minimum_vorticity=None))
    with pytest.raises(ScoreError, match="the parts were scored with different settings"):
        merge_track_scores([other, parts[0]])
    with pytest.raises(ScoreError, match="no track scores were given"):
        merge_track_scores([])


def test_the_order_of_members_does_not_matter(tmp_path: Path) -> None:
    truth = displaced(0.0)
    members = [displaced(0.13 * n, 0.07 * n, begin=8).isel(time=slice(8, None)) for n in range(5)]
    one, other = (
        score_tracks([written(tmp_path, name, forecast([members[n] for n in order]))], truth, OPTIONS)
        for name, order in (("a", (0, 1, 2, 3, 4)), ("b", (3, 0, 4, 2, 1)))
    )
    xr.testing.assert_identical(one, other)


def test_what_has_no_partner_is_refused(tmp_path: Path) -> None:
    truth = displaced(0.0)
    path = written(tmp_path, "a", forecast([truth]))
    with pytest.raises(ScoreError, match="the truth lacks 5 valid times, the first 2020-01-03T18"):
        score_tracks([path], truth.isel(time=slice(0, 11)), OPTIONS)
    with pytest.raises(ScoreError, match="no forecasts were given"):
        score_tracks([], truth, OPTIONS)


def test_the_mean_track_needs_its_share_of_members() -> None:
    truth = track([(40.0, 0.0), (40.0, 1.0)])
    with_it, without = [track([(41.0, 0.0), (41.0, 1.0)])], []
    times = [START, START + SIX]
    counted = sums_of_run([truth], [with_it, without], times, TrackSettings(mean_share=0.5))
    assert counted["sum_mean_track"].values.tolist() == [1, 1]
    np.testing.assert_allclose(counted["sum_mean_track_distance"], KM_PER_DEGREE)
    few = sums_of_run([truth], [with_it, without, without], times, TrackSettings(mean_share=0.5))
    assert few["sum_mean_track"].values.tolist() == [0, 0]


def test_intensity_counts_only_where_both_know_it() -> None:
    truth = track([(40.0, 0.0), (40.0, 1.0)], pressure=9.8e4, wind=np.nan)
    own = track([(40.0, 0.0), (40.0, 1.0)], pressure=9.9e4, wind=20.0)
    scores = scores_of(sums_of_run([truth], [[own]], [START, START + SIX], TrackSettings()))
    np.testing.assert_allclose(scores["pressure_bias"], 1000)
    np.testing.assert_allclose(scores["pressure_rmse"], 1000)
    assert np.isnan(scores["wind_bias"]).all()


def test_track_probability_is_the_share_of_members_near_across_the_date_line() -> None:
    members = [[track([(10.0, 359.9)])], [track([(10.0, 0.6)])], [], [track([(10.0, 0.2)]), track([(10.0, 0.3)], "B")]]
    options = TrackSettings()
    found = track_probability(members, START, options)
    assert float(found.max()) == 0.75  # two centres of one member count once
    for latitude in (9.5, 10.5, 11.5):
        for longitude in (0, 359, 358, 1, 2):
            near = [
                any(great_circle((own.centres[0].latitude, own.centres[0].longitude), (latitude, longitude))
                    * KM_PER_DEGREE <= 120 for own in tracks) for tracks in members
            ]  # fmt: skip
            assert float(found.sel(latitude=latitude, longitude=longitude)) == np.mean(near)
    assert float(track_probability(members, START + SIX, options).max()) == 0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(0, 359.99)), max_size=3), st.floats(50, 2000))
def test_struck_points_as_their_definition_says(centres: list, radius: float) -> None:
    mesh = verification_mesh(10.0)
    found = struck([Centre(START, *place) for place in centres], mesh, radius)
    latitude, longitude = np.meshgrid(mesh.grid.latitude, mesh.grid.longitude, indexing="ij")
    plain = np.zeros(mesh.grid.shape, dtype=bool)
    for place in centres:
        plain |= distance(latitude, longitude, *place) * KM_PER_DEGREE <= radius
    np.testing.assert_array_equal(found.reshape(plain.shape), plain)


def test_brier_score_and_reliability_beside_a_plain_loop() -> None:
    rng = np.random.default_rng(2)
    options = TrackSettings(probability_km=900.0, probability_degrees=5.0, probability_classes=4, wind_latitude=90.0)
    observed = [track([tuple(rng.uniform((-60, 0), (60, 360)))], f"o{n}") for n in range(4)]
    members = [
        [
            track([tuple(np.array([o.centres[0].latitude, o.centres[0].longitude]) + rng.normal(0, 6, 2) % [90, 360])])
            for o in observed
        ]
        for _ in range(4)
    ]
    sums = sums_of_run(observed, members, [START], options)
    scores = scores_of(sums).isel(lead_time=0)
    probability = track_probability(members, START, options)
    event = track_probability([observed], START, options)
    weights = verification_mesh(5.0).grid.area_weights()[:, None] * np.ones(probability.shape)
    p, o = probability.values, event.values
    assert float(scores["brier_score"]) == pytest.approx(np.average((p - o) ** 2, weights=weights))
    base = np.average(o, weights=weights)
    assert float(scores["base_rate"]) == pytest.approx(base)
    for index, least in enumerate([0, 1 / 4, 2 / 4, 3 / 4, 1]):
        here = p == least
        place = 0 if index == 0 else index + 1  # nothing lies above 0 and below a quarter
        if here.any():
            assert float(scores["observed_frequency"][place]) == pytest.approx(
                np.average(o[here], weights=weights[here])
            )
            assert float(scores["forecast_probability"][place]) == least
    parts = scores["brier_reliability"] - scores["brier_resolution"] + base * (1 - base)
    assert float(parts) == pytest.approx(float(scores["brier_score"]))  # Murphy: exact with a class for each value
    for place, ratio in enumerate(options.cost_loss):
        expense = [
            np.average(np.where(p >= least, ratio, o), weights=weights) for least in (-1, 1e-9, 0.25, 0.5, 0.75, 1, 2)
        ]
        usual, perfect = min(ratio, base), ratio * base
        best = (usual - min(expense)) / (usual - perfect)
        assert float(scores["economic_value"][place]) == pytest.approx(best, abs=1e-9)


def test_only_the_latitudes_of_the_cyclones_are_verified() -> None:
    options = TrackSettings.extratropical(probability_degrees=5.0)
    sums = sums_of_run([], [[]], [START], options)
    mesh = verification_mesh(5.0)
    inside = np.abs(np.asarray(mesh.grid.latitude)) >= 25
    assert float(sums["sum_area"].sum()) == pytest.approx((mesh.grid.area_weights() * inside).sum() * 72)


@given(st.integers(1, 60), st.integers(1, 25))
def test_classes_hold_the_probabilities_from_their_bound_on(members: int, classes: int) -> None:
    counts = np.arange(members + 1)
    found, bounds = class_of(counts, members, classes), class_bounds(classes)
    assert (found[0], found[-1], len(bounds)) == (0, classes + 1, classes + 2)
    for count, own in zip(counts[1:-1], found[1:-1], strict=True):
        assert bounds[own] - 1e-12 <= count / members < bounds[own + 1] - 1e-12 or bounds[own] == count / members


def test_economic_value_in_closed_form() -> None:
    assert float(economic_value(0.0, 0.0, 0.3, 0.5)) == 0  # never protect, which is usual here
    assert float(economic_value(1.0, 1.0, 0.5, 0.3)) == pytest.approx(0)  # always protect, which is usual here
    assert float(economic_value(0.8, 0.1, 0.2, 0.2)) == pytest.approx(0.7)  # at a = s it is H - F
    assert np.isnan(economic_value(0.5, 0.5, [0.0, 1.0], 0.3)).all()
    useless = potential_value(np.array([5.0, 5.0]), np.array([2.0, 2.0]), [0.1, 0.4, 0.9])
    np.testing.assert_allclose(useless, 0, atol=1e-12)
