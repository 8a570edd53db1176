"""Projections, regions and coasts of maps."""

from __future__ import annotations

import shutil

import cartopy
import numpy as np
import pytest
import shapefile

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from evaluation.plots import PROJECTIONS, coastlines, finer
from evaluation.plots.boxes import Box, box_called, box_of
from evaluation.plots.geodesy import destination
from evaluation.plots.mesh import Mesh
from evaluation.plots.projections import view_of
from evaluation.plots.views import graticule, map_lines
from evaluation.regions import BOXES

GLOBE = Grid.equiangular(19, 36, poles=True)
VIEWS = [(name, None) for name in PROJECTIONS if name != "lambert"] + [(None, region) for region in BOXES]


@pytest.mark.parametrize(("projection", "region"), VIEWS)
def test_every_view_has_finite_meshes_that_reach_its_edges_and_lines_without_leaps(projection, region):
    view = view_of(projection, region)
    mesh = Mesh.of(GLOBE, view, spacing=5.0)
    x0, x1, y0, y1 = view.limits
    assert np.isfinite(mesh.x).all()
    assert np.isfinite(mesh.y).all()
    for points, low, high in ((mesh.x, x0, x1), (mesh.y, y0, y1)):
        assert points.min() <= low + 1e-5 * (high - low)
        assert points.max() >= high - 1e-5 * (high - low)
    for x, y in (map_lines(view, "coastlines", "110m"), graticule(view)):
        steps = np.hypot(np.diff(x), np.diff(y))
        assert np.isfinite(x).sum() > 50
        assert np.nanmax(steps) < 0.3 * max(x1 - x0, y1 - y0)


@pytest.mark.parametrize(("projection", "region"), VIEWS)
def test_unproject_undoes_project_and_knows_what_is_off_the_globe(projection, region):
    view = view_of(projection, region)
    x0, x1, y0, y1 = view.limits
    x, y = np.meshgrid(np.linspace(x0, x1, 13)[1:-1], np.linspace(y0, y1, 13)[1:-1])
    longitude, latitude = view.unproject(x, y)
    known = np.isfinite(longitude)
    again = view.project(longitude[known], latitude[known])
    np.testing.assert_allclose(again, (x[known], y[known]), atol=1e-4 * (x1 - x0))
    assert known[6, 6]
    assert np.isnan(view_of("robinson").unproject(np.array([1.6e7]), np.array([8.0e6]))).all()


@pytest.mark.parametrize(
    ("region", "projection"),
    [("global", "robinson"), ("tropics", "plate_carree"), ("northern-hemisphere", "north_pole"),
     ("antarctic", "south_pole"), ("europe", "lambert"), ("ausnz", "lambert"), ("north-pacific", "lambert"),
     ("box:-10,10,0,30", "plate_carree"), ("band:30,60", "plate_carree"), ("box:-90,90,0,360", "robinson")],
)  # fmt: skip
def test_a_region_has_a_projection_that_suits_it(region, projection):
    assert view_of(region=region).name == projection


@pytest.mark.parametrize("projection", ["robinson", "plate_carree", "lambert", "north_pole"])
def test_a_region_is_shown_whole_and_little_else(projection):
    view, box = view_of(projection, "north-pacific"), box_called("north-pacific")
    x0, x1, y0, y1 = view.limits
    corners = np.meshgrid(np.linspace(box.west, box.east, 9), np.linspace(box.south, box.north, 9))
    x, y = view.project(*corners)
    assert x0 < x.min() < x0 + 0.05 * (x1 - x0)
    assert x1 - 0.05 * (x1 - x0) < x.max() < x1
    assert y0 < y.min()
    assert y.max() < y1


def test_a_regional_grid_fills_the_map_unless_a_projection_of_the_globe_is_asked_for():
    regional = Grid(tuple(range(70, 29, -5)), (*range(0, 41, 5), *range(330, 360, 5)))
    assert box_of(regional) == Box(30.0, 70.0, -30.0, 40.0)
    assert view_of(None, None, regional) == view_of(region="box:30,70,-30,40") == view_of("lambert", None, regional)
    assert view_of("robinson", None, regional) == view_of("robinson") == view_of(None, None, GLOBE)
    assert view_of(None, "europe", regional) == view_of(region="europe")
    band = Grid(tuple(np.arange(30.0, -31.0, -5.0)), tuple(np.arange(0.0, 360.0, 10.0)))
    assert box_of(band) == Box(-30.0, 30.0, -180.0, 180.0)
    assert box_of(GLOBE) == Box(-90.0, 90.0, -180.0, 180.0)


@pytest.mark.parametrize(
    ("projection", "region", "message"),
    [
        ("mercator", None, "unknown projection 'mercator'; expected one of: robinson, plate_carree"),
        ("europe", None, "unknown projection 'europe'; .*; it is a region: pass it with --region"),
        (None, "atlantis", "no map of the region 'atlantis'; expected one of global, tropics, .*box:SOUTH,NORTH,WEST"),
        (None, "box:1,2,3", "no map of the region 'box:1,2,3'"),
        (None, "box:a,b,c,d", "no map of the region 'box:a,b,c,d'"),
        (None, "box:80,95,0,10", "the region box:80,95,0,10 is off the globe; expected latitudes from -90 to 90"),
        (None, "box:60,50,0,10", "off the globe; expected latitudes from -90 to 90, south before north"),
        (None, "box:0,10,0,400", "off the globe"),
        (None, "box:nan,10,0,40", "off the globe"),
        (None, "box:10,20,0,0", "box:10,20,0,0 has its west and its east on one meridian; .* band:10,20"),
        (None, "box:10,20,360,0", "on one meridian"),
        ("lambert", None, "Lambert's projection shows a region, and none is given; pass --region"),
        (
            "lambert",
            "tropics",
            "region of middle latitudes .* got latitude -20..20 and 360 degrees; choose .* plate_car",
        ),
        ("north_pole", "box:-60,-40,0,50", "projection north_pole cannot show latitudes to -60; choose robinson"),
        ("south_pole", "box:40,60,0,50", "projection south_pole cannot show latitudes to 60; choose robinson"),
        ("north_pole", "band:-60,90", "projection north_pole cannot show latitudes to -60; choose robinson or plate"),
    ],
)
def test_what_cannot_be_shown_is_refused(projection, region, message):
    with pytest.raises(DataError, match=message):
        view_of(projection, region)


def test_great_circles_lead_where_they_do_on_a_globe():
    longitude, latitude = destination(0.0, 90.0, np.array([0.0, 90.0, 180.0]), 30.0)
    np.testing.assert_allclose(latitude, 60.0)
    np.testing.assert_allclose(np.abs(np.diff(longitude)), 90.0)
    np.testing.assert_allclose(destination(170.0, 0.0, 90.0, 20.0), (-170.0, 0.0), atol=1e-9)


def nearest(line, longitude, latitude):
    return np.nanmin(np.hypot((line[:, 0] - longitude + 180) % 360 - 180, line[:, 1] - latitude))


@pytest.mark.parametrize("resolution", ["110m", "50m"])
def test_coasts_borders_and_lakes_are_where_they_are_on_earth(resolution):
    coast, border, lakes = (coastlines.lines(name, resolution) for name in ("coastlines", "borders", "lakes"))
    assert nearest(coast, 18.47, -34.36) < 0.7  # Cape of Good Hope
    assert nearest(coast, -67.3, -55.9) < 0.7  # Cape Horn
    assert nearest(border, -100.0, 49.0) < 0.7  # Canada and the United States
    assert nearest(coast, -100.0, 49.0) > 5  # ... which is no coast
    assert nearest(coast, -150.0, 10.0) > 10  # open ocean
    assert nearest(lakes, -92.1, 46.75) < 0.4  # Duluth, Lake Superior
    assert nearest(lakes, 32.6, 0.1) < 0.5  # Kampala, Lake Victoria
    assert nearest(lakes, 10.0, 25.0) > 5  # the Sahara
    assert np.nanmax(np.abs(np.diff(coast[:, 0]))) < 20
    assert np.nanmin(coast[:, 1]) > -89.5


@pytest.fixture
def cartopys_folder(tmp_path, monkeypatch):
    """Where cartopy would keep what it has downloaded."""
    monkeypatch.setitem(cartopy.config, "data_dir", tmp_path)
    monkeypatch.setitem(cartopy.config, "pre_existing_data_dir", tmp_path)
    coastlines.lines.cache_clear()
    yield tmp_path / "shapefiles" / "natural_earth"
    coastlines.lines.cache_clear()


def test_finer_coasts_are_used_where_cartopy_has_them_and_shipped_ones_otherwise(cartopys_folder):
    assert finer.on_disk("lakes") is None
    np.testing.assert_array_equal(coastlines.lines("lakes", "10m"), coastlines.lines("lakes", "50m"))
    coastlines.lines.cache_clear()
    (cartopys_folder / "physical").mkdir(parents=True)
    name = cartopys_folder / "physical" / "ne_10m_lakes"
    with shapefile.Writer(str(name), shapeType=shapefile.POLYGON) as writer:
        writer.field("name", "C")
        writer.poly([[(0, 0), (0, 2), (2, 2), (2, 0), (0, 0)]])
        writer.record("square")
    assert finer.on_disk("lakes") == name.with_suffix(".shp")
    pond = coastlines.lines("lakes", "10m")
    assert pond.shape == (6, 2)
    assert nearest(pond, 2.0, 2.0) == 0


def test_a_damaged_file_of_cartopys_is_named(cartopys_folder):
    (cartopys_folder / "physical").mkdir(parents=True)
    (cartopys_folder / "physical" / "ne_10m_coastline.shp").write_bytes(b"no shapes")
    with pytest.raises(DataError, match=r"ne_10m_coastline.shp cannot be read"):
        coastlines.lines("coastlines", "10m")
    shutil.rmtree(cartopys_folder)
