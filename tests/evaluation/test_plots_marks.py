"""Highs and lows: where they are found, and how they are written."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline.grid import Grid
from evaluation.plots.highs_lows import centres
from tests.evaluation.mock_maps import figure_of, panels

GRID = Grid.equiangular(46, 90, poles=True)
PLACES = {"H": (-40.0, 32.0, 25.0), "L": (-178.0, 48.0, -35.0), "deep": (20.0, -60.0, -20.0)}
"""Longitude, latitude and depth in hPa of centres, one of them at the date line."""


def pressure(places, grid=GRID):
    """1010 hPa, with hills and valleys ten degrees wide."""
    longitude, latitude = np.meshgrid(np.deg2rad(grid.longitude), np.deg2rad(grid.latitude))
    field = np.full(grid.shape, 1010.0)
    for east, north, depth in places:
        cosine = np.sin(latitude) * np.sin(np.deg2rad(north)) + np.cos(latitude) * np.cos(np.deg2rad(north)) * np.cos(
            longitude - np.deg2rad(east)
        )
        field += depth * np.exp(-0.5 * (np.rad2deg(np.arccos(np.clip(cosine, -1, 1))) / 10) ** 2)
    return field


def forecast_of(field, grid=GRID):
    return xr.Dataset(
        {"mean_sea_level_pressure": (("lead_time", "latitude", "longitude"), 100.0 * field[None])},
        coords={
            "lead_time": np.array([24], dtype="m8[h]").astype("m8[ns]"),
            "initial_time": np.datetime64("2001-01-05", "ns"),
            **grid.coordinates,
        },
    )


def letters(figure):
    return [text.get_text() for text in panels(figure)[0].texts if text.get_text() in "HL"]


def test_centres_are_found_where_they_are_the_most_pronounced_first():
    found = centres(pressure(PLACES.values()), GRID, radius=12.0, depth=2.0)
    assert found.sign.tolist() == [-1.0, 1.0, -1.0]
    np.testing.assert_allclose(found.longitude, [180.0, 320.0, 20.0])
    np.testing.assert_allclose(found.latitude, [50.0, 34.0, -62.0])
    np.testing.assert_allclose(found.value, [975.0, 1035.0, 990.0], atol=1.0)


def test_shallow_centres_constant_fields_and_edges_have_none():
    assert centres(pressure([(0.0, 45.0, 1.0)]), GRID, radius=12.0, depth=2.0).value.size == 0
    assert centres(np.full(GRID.shape, 1010.0), GRID, radius=12.0, depth=2.0).value.size == 0
    region = Grid(GRID.latitude[5:20], GRID.longitude[5:30])
    slope = np.add.outer(np.arange(15.0), np.arange(25.0)) * 5
    assert centres(slope, region, radius=12.0, depth=2.0).value.size == 0


def test_none_is_beside_missing_values():
    field = pressure([(90.0, 48.0, 20.0)])
    assert centres(field, GRID, radius=12.0, depth=2.0).value.size == 1
    top = np.unravel_index(field.argmax(), field.shape)
    field[top[0], top[1] + 1] = np.nan
    assert centres(field, GRID, radius=12.0, depth=2.0).value.size == 0


@pytest.mark.parametrize("kind", ["mean", "member", "chart", "quantile"])
def test_pressure_has_its_highs_and_lows_with_their_values(kind):
    figure = figure_of(
        forecast_of(pressure([(-40.0, 32.0, 25.0), (60.0, -40.0, -22.0)])), kind, "mean_sea_level_pressure"
    )
    assert sorted(letters(figure)) == ["H", "L"]
    shown = [text.get_text() for text in panels(figure)[0].texts]
    assert {"1035", "988"} <= set(shown)


def test_other_fields_have_none():
    warm = forecast_of(pressure(PLACES.values())).rename(mean_sea_level_pressure="surface_pressure")
    assert letters(figure_of(warm, "mean", "surface_pressure")) == []


def test_marks_and_labels_of_contours_do_not_touch_each_other():
    crowd = [
        (lon, lat, depth)
        for k, lon in enumerate(range(-170, 180, 25))
        for lat, depth in ((40, 20 - 40 * (k % 2)), (-35, 15))
    ]
    figure = figure_of(forecast_of(pressure(crowd)), "mean", "mean_sea_level_pressure")
    figure.canvas.draw()
    texts = [text for text in panels(figure)[0].texts if text.get_visible() and text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    assert len(letters(figure)) > 8
    marks = [box for text, box in zip(texts, boxes, strict=True) if text.get_fontweight() == "bold"]
    others = [box for text, box in zip(texts, boxes, strict=True) if text.get_fontweight() != "bold"]
    assert others
    for mark in marks:
        assert not any(mark.padded(-2).overlaps(label) for label in others)


def test_no_mark_hangs_over_the_edge_of_the_globe():
    field = pressure([(0.0, 0.0, 20.0), (0.0, -66.0, 20.0)])  # the second is 4 degrees from the horizon
    figure = figure_of(forecast_of(field), "mean", "mean_sea_level_pressure", projection="orthographic")
    assert letters(figure) == ["H"]
