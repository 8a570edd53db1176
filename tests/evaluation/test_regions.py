"""Regions by name: which points are in, at both ends, across the date line, by outline and by place."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.regions import BOXES, region

TEN = Grid.equiangular(19, 36, poles=True)
"""Every ten degrees."""
LATITUDE, LONGITUDE = np.meshgrid(TEN.latitude, TEN.longitude, indexing="ij")


def inside(name: str, grid: Grid = TEN, land: np.ndarray | None = None) -> np.ndarray:
    return region(name, land).contains(grid)


def test_both_ends_belong_to_a_region() -> None:
    np.testing.assert_array_equal(inside("tropics"), np.abs(LATITUDE) <= 20)
    np.testing.assert_array_equal(inside("northern-hemisphere"), LATITUDE >= 20)
    np.testing.assert_array_equal(inside("extra-tropics"), np.abs(LATITUDE) >= 20)
    np.testing.assert_array_equal(inside("band:-20,60"), (LATITUDE >= -20) & (LATITUDE <= 60))
    np.testing.assert_array_equal(
        inside("extra-tropics"), inside("northern-hemisphere") | inside("southern-hemisphere")
    )


def test_float32_coordinates_at_an_end_are_in() -> None:
    off = Grid(tuple(value + 5e-6 if value == 20 else value for value in TEN.latitude), TEN.longitude)
    np.testing.assert_array_equal(inside("tropics", off), inside("tropics"))


def test_boxes_cross_the_meridian_and_the_date_line() -> None:
    european = inside("box:40,60,-10,30")
    expected = (LATITUDE >= 40) & (LATITUDE <= 60) & ((LONGITUDE >= 350) | (LONGITUDE <= 30))
    np.testing.assert_array_equal(european, expected)
    pacific = inside("box:0,0,170,-160")
    np.testing.assert_array_equal(LONGITUDE[pacific], [170, 180, 190, 200])
    np.testing.assert_array_equal(inside("box:-90,90,0,360"), np.ones(TEN.shape, bool))


@given(st.floats(-90, 80), st.floats(0.1, 60), st.floats(-180, 359), st.floats(0, 359))
def test_a_box_is_what_a_loop_over_points_says(south: float, height: float, west: float, width: float) -> None:
    north, east = min(south + height, 90.0), west + width
    found = inside(f"box:{south},{north},{west},{east}")
    for row, latitude in enumerate(TEN.latitude):
        for column, longitude in enumerate(TEN.longitude):
            slack = 1e-3
            surely = south + slack < latitude < north - slack and slack < (longitude - west) % 360 < width - slack
            never = not (south - slack <= latitude <= north + slack) or (
                width + slack < (longitude - west) % 360 < 360 - slack
            )
            assert found[row, column] or not surely
            assert not (found[row, column] and never)


def test_every_named_box_has_points_of_a_coarse_grid_and_lies_on_the_earth() -> None:
    for name, (south, north, west, east) in BOXES.items():
        assert -90 <= south < north <= 90
        assert -180 <= west <= 180
        assert -180 <= east <= 180
        assert inside(name).any(), name
    assert inside("global").all()


def test_land_is_half_or_more_and_sea_the_rest() -> None:
    fraction = np.zeros(TEN.shape)
    fraction[3], fraction[4], fraction[5] = 0.5, 0.49, 1.0
    assert np.flatnonzero(inside("land", land=fraction).all(axis=1)).tolist() == [3, 5]
    np.testing.assert_array_equal(inside("sea", land=fraction), ~inside("land", land=fraction))
    share = inside("land", Grid.equiangular(180, 360, poles=False))
    weights = Grid.equiangular(180, 360, poles=False).area_weights()[:, None]
    assert (share * weights).sum() / (weights.sum() * 360) == pytest.approx(0.29, abs=0.03)  # of the Earth


def test_regions_are_cut_by_ampersands() -> None:
    np.testing.assert_array_equal(inside("tropics & land"), inside("tropics") & inside("land"))


def test_polygons_with_holes_and_across_the_meridian(tmp_path) -> None:
    outer = [[-25, 15], [25, 15], [25, 65], [-25, 65], [-25, 15]]
    hole = [[-5, 35], [5, 35], [5, 45], [-5, 45], [-5, 35]]
    path = tmp_path / "area.geojson"
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [outer, hole]}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    found = inside(f"polygon:{path}")
    east = (LONGITUDE + 180) % 360 - 180
    expected = (np.abs(east) <= 20) & (LATITUDE >= 20) & (LATITUDE <= 60) & ~((east == 0) & (LATITUDE == 40))
    np.testing.assert_array_equal(found, expected)
    several = {"type": "MultiPolygon", "coordinates": [[outer], [[[165, -5], [195, -5], [195, 5], [165, 5]]]]}
    path.write_text(json.dumps(several))
    found = inside(f"polygon:{path}")
    assert LONGITUDE[found & (LATITUDE == 0)].tolist() == [170, 180, 190]


def test_stations_are_their_nearest_points(tmp_path) -> None:
    path = tmp_path / "stations.csv"
    path.write_text("name,latitude,longitude\nVienna,48.2,16.4\nwest,-44,-3\n")
    found = inside(f"stations:{path}")
    assert sorted(zip(LATITUDE[found], LONGITUDE[found], strict=True)) == [(-40, 0), (50, 20)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("atlantis", "unknown region 'atlantis'; expected one of global, tropics"),
        ("box:1,2,3", "got region box:1,2,3, expected box:SOUTH,NORTH,WEST,EAST in degrees"),
        ("box:60,20,0,10", "got region box:60,20,0,10, expected box:SOUTH,NORTH,WEST,EAST"),
        ("band:a,b", "got region band:a,b, expected band:SOUTH,NORTH in degrees"),
        ("polygon:/absent.geojson", r"absent.geojson cannot be read as GeoJSON .*; expected polygons"),
        ("stations:/absent.csv", "absent.csv cannot be read .*; expected CSV with columns latitude, longitude"),
    ],
)
def test_what_is_no_region_is_refused(name: str, message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        region(name)


def test_files_without_content_are_refused(tmp_path) -> None:
    empty = tmp_path / "empty.geojson"
    empty.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(ScoreError, match=r"empty.geojson holds no polygon"):
        region(f"polygon:{empty}")
    nobody = tmp_path / "nobody.csv"
    nobody.write_text("latitude,longitude\n")
    with pytest.raises(ScoreError, match=r"nobody.csv lists no station"):
        region(f"stations:{nobody}")
