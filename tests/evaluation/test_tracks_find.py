"""Vortices that move as they are told are found where they are, and nothing is found where there are none."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from data_pipeline.variables import GRAVITY
from evaluation.sphere import vorticity
from evaluation.tracks import TrackSettings, find_tracks
from evaluation.tracks.detect import _centre, detect, refine
from evaluation.tracks.fields import Fields
from evaluation.tracks.find import centres_of
from evaluation.tracks.mesh import Mesh, is_enclosed, minima
from evaluation.tracks.sphere import distance
from tests.evaluation.vortices import GRID, START, states, straight, vortex

PRESSURE_ONLY = TrackSettings.extratropical(maximum_height=None, minimum_vorticity=None)


def apart(centre: object, place: tuple[float, float, float]) -> float:
    return float(distance(centre.latitude, centre.longitude, place[0], place[1]))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path",
    [
        straight(40.0, 200.0, 3.3, 0.7, 16),
        straight(-55.0, 160.0, 4.1, -0.4, 16),  # across the date line
        straight(45.0, 350.0, 2.9, 0.3, 16),  # across Greenwich
    ],
)
def test_a_vortex_is_followed_to_a_fifth_of_a_spacing(path: list[tuple[float, float, float]]) -> None:
    (found,) = find_tracks(states([path]), PRESSURE_ONLY)
    assert len(found.centres) == 16
    for centre, place in zip(found.centres, path, strict=True):
        assert apart(centre, place) < 0.2 * 2.5
        assert abs(centre.pressure - (101_000 + 500 * np.sin(np.deg2rad(place[0])) ** 2 - 3000)) < 60
    moved = [float(distance(a[0], a[1], b[0], b[1])) for a, b in pairwise(path)]
    centres = found.centres
    seen = [float(distance(a.latitude, a.longitude, b.latitude, b.longitude)) for a, b in pairwise(centres)]
    assert np.mean(seen) == pytest.approx(np.mean(moved), rel=0.02)


@pytest.mark.parametrize("grid", [GRID, Grid.equiangular(72, 144, poles=False), Grid.gaussian(64, 128)])
def test_a_vortex_crosses_the_pole(grid: Grid) -> None:
    """Over the pole along a meridian, then down half way round."""
    along = [70.0 + 3.1 * step for step in range(14)]
    path = [(lat, 30.0, 3000.0) if lat <= 90 else (180 - lat, 210.0, 3000.0) for lat in along]
    (found,) = find_tracks(states([path], grid), PRESSURE_ONLY)
    assert len(found.centres) == 14
    assert max(apart(centre, place) for centre, place in zip(found.centres, path, strict=True)) < 0.2 * 2.9


def test_two_vortices_that_cross_keep_their_ways() -> None:
    """They meet in one place for one step, where there is one centre: each goes on where its displacement leads."""
    east, west = straight(50.0, 180.0, 6.0, 0.9, 17), straight(64.0, 276.0, -6.0, -0.9, 17)
    found = find_tracks(states([east, west], width=2.2), PRESSURE_ONLY)
    assert len(found) == 2
    for own in found:
        ends = [own.centres[0].longitude, own.centres[-1].longitude]
        assert ends == pytest.approx([180.0, 276.0], abs=0.8) or ends == pytest.approx([276.0, 180.0], abs=0.8)


@pytest.mark.parametrize(("missed", "tracks"), [(1, 1), (2, 2)])
def test_one_step_may_be_missed_and_no_more(missed: int, tracks: int) -> None:
    path = straight(45.0, 100.0, 3.0, 0.0, 24)
    for step in range(11, 11 + missed):
        path[step] = (*path[step][:2], 100.0)  # weaker than the closed contour asks for
    found = find_tracks(states([path]), PRESSURE_ONLY)
    assert len(found) == tracks
    assert sum(len(own.centres) for own in found) == 24 - missed


def test_noise_without_vortices_gives_none() -> None:
    rng = np.random.default_rng(0)
    dataset = states([[(0.0, 0.0, 0.0)] * 12])
    noise = 60 * rng.standard_normal(dataset["mean_sea_level_pressure"].shape)
    assert find_tracks(dataset + noise.astype(np.float32), PRESSURE_ONLY) == []
    assert find_tracks(states([[(0.0, 0.0, 0.0)] * 3]), PRESSURE_ONLY) == []


def test_short_and_standing_cyclones_are_left_out() -> None:
    brief, standing = straight(45.0, 10.0, 4.0, 0.0, 6), straight(45.0, 200.0, 0.0, 0.0, 14)
    assert find_tracks(states([brief, standing]), PRESSURE_ONLY) == []
    still = TrackSettings.extratropical(maximum_height=None, minimum_vorticity=None, minimum_travel_km=0.0)
    (found,) = find_tracks(states([brief, standing]), still)
    assert (found.hours, found.centres[0].longitude) == (78.0, pytest.approx(200.0, abs=0.5))


def tropical(warmth: float = 200.0, wind: float = 20.0, count: int = 14) -> xr.Dataset:
    """A cyclone that moves west at 15 degrees north with a warm core and a ring of wind, over the sea."""
    path = straight(15.0, 310.0, -1.5, 0.2, count)
    dataset = states([path], width=2.5)
    core = np.stack([-vortex(lat, lon, warmth) for lat, lon, _ in path])
    speed = np.stack([-vortex(lat, lon, wind) for lat, lon, _ in path])
    dims, zeros = ("time", "latitude", "longitude"), np.zeros_like(core)
    heights = np.stack([5.6e4 + zeros, 9e4 + core], axis=1)[:, ::-1]
    return dataset.assign(
        {
            "geopotential": (("time", "level", *dims[1:]), heights),
            "10m_u_component_of_wind": (dims, 0.6 * speed),
            "10m_v_component_of_wind": (dims, -0.8 * speed),
            "geopotential_at_surface": (dims[1:], np.zeros(GRID.shape)),
        }
    ).assign_coords(level=[300, 500])


def test_a_tropical_cyclone_needs_a_warm_core_and_wind() -> None:
    (found,) = find_tracks(tropical())
    assert len(found.centres) == 14
    assert found.centres[0].wind == pytest.approx(20.0, rel=0.03)
    assert found.centres[0].height == 0
    assert find_tracks(tropical(warmth=40.0)) == []
    assert find_tracks(tropical(wind=9.0)) == []
    assert find_tracks(tropical(count=9)) == []


def test_high_ground_is_no_place_for_a_centre() -> None:
    path = straight(45.0, 80.0, 3.0, 0.0, 14)
    dataset = states([path]).assign(geopotential_at_surface=(("latitude", "longitude"), np.zeros(GRID.shape)))
    filtered = TrackSettings.extratropical(minimum_vorticity=None)
    assert len(find_tracks(dataset, filtered)) == 1
    high = xr.full_like(dataset["geopotential_at_surface"], 1600 * GRAVITY)
    assert find_tracks(dataset, filtered, ground=high) == []
    with pytest.raises(ScoreError, match=r"the ground is on a 36x72 grid .*, expected the 73x144 grid"):
        find_tracks(dataset, filtered, ground=high[1::2, ::2])


def test_vorticity_is_cyclonic_in_both_hemispheres_and_comes_from_the_winds() -> None:
    dims = ("time", "level", "latitude", "longitude")
    for sign in (1, -1):
        path = straight(sign * 45.0, 10.0, 4.0, 0.0, 14)
        stream = np.stack([vortex(lat, lon, sign * 6e6) for lat, lon, _ in path])
        u, v = winds_of(stream)
        dataset = (
            states([path])
            .assign(u_component_of_wind=(dims, u[:, None]), v_component_of_wind=(dims, v[:, None]))
            .assign_coords(level=[850])
        )
        settings = TrackSettings.extratropical(maximum_height=None)
        (found,) = find_tracks(dataset, settings)
        assert all(centre.vorticity > 2e-5 for centre in found.centres)
        against = dataset.assign(
            u_component_of_wind=-dataset["u_component_of_wind"], v_component_of_wind=-dataset["v_component_of_wind"]
        )
        assert find_tracks(against, settings) == []


def winds_of(stream: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``u = -dpsi/dy``, ``v = dpsi/dx``."""
    phi, lam = np.deg2rad(GRID.latitude), np.deg2rad(GRID.longitude)
    cosine = np.maximum(np.cos(phi), 1e-9)[:, None]
    return -np.gradient(stream, phi, axis=1) / 6.371e6, np.gradient(stream, lam, axis=2) / (6.371e6 * cosine)


@pytest.mark.parametrize(
    "grid", [Grid.equiangular(91, 180, poles=True), Grid.equiangular(90, 180, poles=False), Grid.gaussian(64, 128)]
)
def test_vorticity_of_rotation_about_a_tilted_axis(grid: Grid) -> None:
    """Solid rotation at angular speed w has vorticity 2 w cos(angle from the axis), over the poles too."""
    phi, lam = np.deg2rad(grid.latitude)[:, None], np.deg2rad(grid.longitude)[None]
    tilt, speed = 0.9, 10.0
    u = speed * (np.cos(phi) * np.cos(tilt) + np.sin(phi) * np.cos(lam) * np.sin(tilt))
    v = -speed * np.sin(lam) * np.sin(tilt) * np.ones_like(phi)
    exact = 2 * speed / 6.371e6 * (np.sin(phi) * np.cos(tilt) - np.cos(phi) * np.cos(lam) * np.sin(tilt))
    np.testing.assert_allclose(vorticity(u, v, grid), exact, atol=0.03 * 2 * speed / 6.371e6)


def test_vorticity_of_a_window() -> None:
    grid = Grid(tuple(np.linspace(60.0, 20.0, 41)), tuple(np.linspace(10.0, 70.0, 61)))
    u = 10 * np.cos(np.deg2rad(grid.latitude))[:, None] * np.ones(61)
    exact = 20 / 6.371e6 * np.sin(np.deg2rad(grid.latitude))[:, None] * np.ones(61)
    found, inner = vorticity(u, 0 * u, grid), (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(found[inner], exact[inner], rtol=1e-3)
    mesh, fields = Mesh(grid), Fields(START, np.full(grid.shape, 1e5).ravel(), vorticity=found.ravel())
    settings = TrackSettings.extratropical(maximum_height=None)
    corner, below = (_centre(point, fields, mesh, settings) for point in (0, 61 * 40))
    assert corner.vorticity == np.nanmax(found[:4, :8]), "edges have none, and what is near has"
    assert below.vorticity > 0


def enclosed_plainly(field: np.ndarray, start: int, rise: float, degrees: float, grid: Grid) -> bool:
    """The closed contour by growing a set of points until it grows no more."""
    height, width = grid.shape
    inside, before = {start}, 0
    while len(inside) > before:
        before = len(inside)
        for point in sorted(inside):
            row, column = divmod(point, width)
            for dy, dx in ((a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)):
                y, x = row + dy, column + dx
                if y < 0 or y >= height:
                    y, x = min(max(y, 0), height - 1), x + width // 2
                if field[y, x % width] < field[divmod(start, width)] + rise:
                    inside.add(y * width + x % width)
    return all(
        distance(grid.latitude[p // width], grid.longitude[p % width], grid.latitude[start // width],
                 grid.longitude[start % width]) <= degrees for p in inside
    )  # fmt: skip


@pytest.mark.parametrize("poles", [True, False])
def test_closed_contours_and_minima_as_their_definitions_say(poles: bool) -> None:
    grid = Grid.equiangular(13 if poles else 12, 24, poles=poles)
    mesh, rng, verdicts = Mesh(grid), np.random.default_rng(3), set()
    for _ in range(6):
        field = rng.standard_normal(grid.shape).cumsum(axis=0).cumsum(axis=1) + 3 * rng.standard_normal(grid.shape)
        if poles:
            field[[0, -1]] = field[[0, -1], :1]
        for point in minima(field.ravel(), mesh):
            verdict = is_enclosed(field.ravel(), int(point), 2.0, 40.0, mesh)
            assert verdict == enclosed_plainly(field, int(point), 2.0, 40.0, grid)
            verdicts.add(verdict)
            around = [near for near in mesh.neighbours[point] if near >= 0]
            assert field.ravel()[point] <= field.ravel()[around].min()
    assert verdicts == {True, False}


def test_a_window_has_no_centre_at_its_edge_and_no_contour_across_it() -> None:
    grid = Grid(tuple(np.arange(60.0, 19.0, -2.5)), tuple(np.arange(100.0, 161.0, 2.5)))
    inner, edge = straight(42.0, 110.0, 2.0, 0.0, 14), straight(42.0, 159.0, 0.0, 0.0, 14)
    settings = TrackSettings.extratropical(maximum_height=None, minimum_vorticity=None, minimum_travel_km=0.0)
    (found,) = find_tracks(states([inner, edge], grid), settings)
    assert found.centres[0].longitude == pytest.approx(110.0, abs=0.5)


def test_flat_fields_and_equal_minima_are_settled_in_one_way() -> None:
    field = np.full(GRID.shape, 1e5)
    assert detect(Fields(START, field.ravel()), Mesh(GRID), PRESSURE_ONLY) == []
    field[20:22, 30:32] = 9.9e4  # four equal points: one centre, the north-western
    (found,) = detect(Fields(START, field.ravel()), Mesh(GRID), PRESSURE_ONLY)
    assert distance(found.latitude, found.longitude, GRID.latitude[20], GRID.longitude[30]) < 2.5


def test_refinement_stays_at_the_point_where_the_fit_has_no_minimum_near() -> None:
    mesh, point = Mesh(GRID), 36 * 144 + 10
    saddle = np.zeros(GRID.shape)
    saddle[36, 10], saddle[[35, 37], 10] = -1e-3, -5.0
    assert refine(point, saddle.ravel(), mesh) == (0.0, 25.0, -1e-3)
    slope = np.broadcast_to(np.arange(144.0) + 1e-3 * (np.arange(144.0) - 10) ** 2, GRID.shape)
    slope = slope + 1e-3 * (np.arange(73.0)[:, None] - 36) ** 2
    assert refine(point, slope.ravel(), mesh)[:2] == (0.0, 25.0)


def test_criteria_without_their_fields_are_refused_or_left_out_by_name() -> None:
    dataset = states([straight(45.0, 10.0, 3.0, 0.0, 4)])
    with pytest.raises(ScoreError, match=r"warm_core, wind, wind_height cannot be asked for, because the data lack"):
        find_tracks(dataset)
    less, lacking = TrackSettings().without_missing(dataset)
    assert lacking == ["warm_core", "wind", "wind_height"]
    assert less.warm_core is less.wind is less.wind_height is None
    assert find_tracks(dataset, less) == []
    with pytest.raises(ScoreError, match="tracks need mean_sea_level_pressure; the data have t"):
        find_tracks(dataset.rename(mean_sea_level_pressure="t"))


def test_missing_values_and_single_times_are_refused() -> None:
    dataset = states([straight(45.0, 10.0, 3.0, 0.0, 4)])
    with pytest.raises(ScoreError, match="got 1 times, expected at least two"):
        find_tracks(dataset.isel(time=[0]), PRESSURE_ONLY)
    dataset["mean_sea_level_pressure"][2, 3, 4] = np.nan
    with pytest.raises(ScoreError, match=r"mean_sea_level_pressure of 2020-01-01T12 has 1 missing or infinite values"):
        find_tracks(dataset, PRESSURE_ONLY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contour_pa": 0.0}, "got contour_pa 0.0, expected a number above 0"),
        ({"latitudes": (50.0, 20.0)}, r"got latitudes \(50.0, 20.0\)"),
        ({"mean_share": 0.0}, "got mean_share 0.0"),
        ({"cost_loss": (0.0,)}, "got cost_loss"),
        ({"gap_steps": -1}, "got gap_steps -1"),
    ],
)
def test_senseless_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        TrackSettings(**changes)  # type: ignore[arg-type]


def test_nearby_centres_are_merged_into_the_deepest() -> None:
    dataset = states([[(45.0, 100.0, 3000.0)], [(45.0, 108.0, 2000.0)]], width=1.5)
    (centre,) = next(iter(centres_of(dataset, TrackSettings.extratropical(
        maximum_height=None, minimum_vorticity=None, merge_degrees=7.0)).values()))  # fmt: skip
    assert centre.longitude == pytest.approx(100.0, abs=0.5)
    assert len(next(iter(centres_of(dataset, PRESSURE_ONLY).values()))) == 2
