"""HEALPix against known centres, counts and areas, and exact overlaps against fine subsampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.regrid import HealpixGrid, Regridder
from data_pipeline.regrid.healpix import centres, ring_index
from data_pipeline.regrid.healpix_overlap import _pieces, _west_of, healpix_overlaps
from tests.data_pipeline.regridding_cases import global_grids, global_mean
from tests.mock_world import mock_states, mock_times

healpix_grids = st.one_of(
    st.builds(HealpixGrid, st.sampled_from([1, 2, 4, 8])),
    st.builds(HealpixGrid, st.integers(1, 7), st.just("ring")),
)


def pixels_at(nside: int, sine: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Ring index of the pixel of each point (longitude in units of 45 / nside degrees): which square of the plane."""
    sigma = np.sqrt(3 * (1 - np.abs(sine)))
    middle = (longitude // (2 * nside) * 2 + 1) * nside
    cap = np.abs(sine) > 2 / 3
    y = np.where(cap, np.sign(sine) * nside * (2 - sigma), 1.5 * nside * sine)
    x = np.where(cap, middle + (longitude - middle) * sigma, longitude)
    east, west = np.floor((y + x - nside) / 2 + 1), np.floor((y - x - nside) / 2 + 1)
    return ring_index(nside, ((east - west) % (8 * nside)).astype(int), (east + west + nside - 1).astype(int))


def subsampled(source: Grid, nside: int, samples: int) -> sparse.csr_array:
    """Shares of the source's cells in each pixel, by dropping points evenly (in area) into every cell."""
    shares, middles = np.empty((0, 3)), (np.arange(samples) + 0.5) / samples
    sines, bounds = np.sin(np.deg2rad(source.latitude_bounds())), source.longitude_bounds()
    for row, column in np.ndindex(source.shape):
        sine = sines[row] + (sines[row + 1] - sines[row]) * middles
        longitude = (bounds[column] + (bounds[column + 1] - bounds[column]) * middles) % 360 * nside / 45
        pixel, counts = np.unique(pixels_at(nside, *np.meshgrid(sine, longitude)), return_counts=True)
        area = (sines[row] - sines[row + 1]) * (bounds[column + 1] - bounds[column]) / 720 * 12 * nside**2
        cell = np.full(pixel.size, row * source.shape[1] + column)
        shares = np.concatenate([shares, np.stack([pixel, cell, counts / samples**2 * area], axis=1)])
    index = shares[:, :2].astype(int)
    return sparse.csr_array((shares[:, 2], index.T), shape=(12 * nside**2, np.prod(source.shape)))


def matrix(source: Grid, target: HealpixGrid) -> sparse.csr_array:
    weights = healpix_overlaps(source, target)
    shape = (target.shape[0], int(np.prod(source.shape)))
    return sparse.csr_array((weights.weights, weights.indices, weights.offsets), shape=shape)


def areas(grid: Grid) -> np.ndarray:
    """Of the cells, as shares of the sphere; columns differ in the last digit that coordinates are kept to."""
    return np.outer(grid.area_weights() / grid.shape[0], np.diff(grid.longitude_bounds()) / 360).ravel()


def test_known_centres() -> None:
    latitude, longitude = (values for _, values in HealpixGrid(1).coordinates.values())
    cap = np.rad2deg(np.arcsin(2 / 3))
    np.testing.assert_allclose(latitude, [cap] * 4 + [0] * 4 + [-cap] * 4, atol=1e-12)
    np.testing.assert_allclose(longitude, [45, 135, 225, 315, 0, 90, 180, 270, 45, 135, 225, 315])
    latitude, longitude = (values for _, values in HealpixGrid(2, "ring").coordinates.values())
    np.testing.assert_allclose(np.sin(np.deg2rad(latitude[[0, 4, 12, 20, 47]])), [11 / 12, 2 / 3, 1 / 3, 0, -11 / 12])
    np.testing.assert_allclose(longitude[[0, 4, 5, 12, 13, 20, 28]], [45, 22.5, 67.5, 0, 45, 22.5, 0])


def test_known_numbers_of_the_nested_order() -> None:
    """Base pixel 0 at nside 2 from south to north: 0, then 1 to the east and 2 to the west, then 3."""
    latitude, longitude = (values[:4] for _, values in HealpixGrid(2).coordinates.values())
    np.testing.assert_allclose(np.sin(np.deg2rad(latitude)), [1 / 3, 2 / 3, 2 / 3, 11 / 12])
    np.testing.assert_allclose(longitude, [45, 67.5, 22.5, 45])
    np.testing.assert_array_equal(ring_index(2, *HealpixGrid(2).plane)[:8], [13, 5, 4, 0, 15, 7, 6, 1])


@pytest.mark.parametrize("nside", [1, 2, 4, 16, 64])
def test_nested_and_ring_are_the_same_pixels(nside: int) -> None:
    nested, ring = HealpixGrid(nside).plane, HealpixGrid(nside, "ring").plane
    number = ring_index(nside, *nested)
    np.testing.assert_array_equal(np.sort(number), np.arange(12 * nside**2))
    np.testing.assert_array_equal(np.take(ring, number, axis=1), nested)
    inverse = np.empty_like(number)
    inverse[number] = np.arange(number.size)
    np.testing.assert_array_equal(np.take(nested, inverse, axis=1), ring)


@pytest.mark.parametrize("nside", [1, 2, 3, 5, 8, 13])
def test_rings(nside: int) -> None:
    """4 i pixels on ring i of the caps, 4 nside on those of the belt; each ring runs east; the mean sine is 0."""
    x, y = HealpixGrid(nside, "ring").plane
    latitude, longitude = centres(nside, x, y)
    for ring, height in enumerate(range(2 * nside - 1, -2 * nside, -1), start=1):
        assert np.count_nonzero(y == height) == 4 * min(ring, nside, 4 * nside - ring)
        assert (np.diff(longitude[y == height]) > 0).all()
    assert (np.diff(latitude) < 1e-12).all()
    assert longitude.min() >= 0
    assert longitude.max() < 360
    assert abs(np.sin(np.deg2rad(latitude)).mean()) < 1e-12
    np.testing.assert_array_equal(ring_index(nside, x, y), np.arange(12 * nside**2))
    np.testing.assert_array_equal(
        pixels_at(nside, np.sin(np.deg2rad(latitude)), longitude * nside / 45), ring_index(nside, x, y)
    )


@pytest.mark.parametrize("nside", [1, 2, 3])
@pytest.mark.parametrize("source", [Grid.gaussian(5, 7), Grid.equiangular(6, 9, poles=True)])
def test_overlaps_equal_fine_subsampling(nside: int, source: Grid) -> None:
    moved = Grid(source.latitude, tuple(np.asarray(source.longitude) + 11.37))  # no sample on an edge
    exact, counted = matrix(moved, HealpixGrid(nside, "ring")), subsampled(moved, nside, samples=200)
    assert abs(exact - counted).max() < 2e-3


@settings(max_examples=30)
@given(global_grids(), healpix_grids)
def test_overlaps_share_out_pixels_and_cells(source: Grid, target: HealpixGrid) -> None:
    overlaps = matrix(source, target)
    assert overlaps.data.min() >= 0
    np.testing.assert_allclose(overlaps.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(overlaps.sum(axis=0) / target.shape[0], areas(source), rtol=1e-10)


@pytest.mark.parametrize("nside", [16, 64])
def test_overlaps_with_a_fine_grid_share_out_pixels_and_cells(nside: int) -> None:
    source = Grid.equiangular(181, 360, poles=True)
    overlaps = matrix(source, HealpixGrid(nside))
    np.testing.assert_allclose(overlaps.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(overlaps.sum(axis=0) / overlaps.shape[0], areas(source), rtol=1e-9)


@pytest.mark.parametrize("nside", [3, 64])
def test_the_area_of_each_pixel_is_found_before_it_is_divided_by(nside: int) -> None:
    """Each pixel's pieces, cut at no edge of a grid, have its exact area: 4 / (3 nside) in the plane's units."""
    x, y = HealpixGrid(nside, "ring").plane
    middle = centres(nside, x, y)[1] * nside / 45
    for pixel in range(0, x.size, max(1, x.size // 500)):
        pieces = _pieces(nside, int(x[pixel]), abs(int(y[pixel])), float(middle[pixel]))
        assert _west_of(pieces, 0.0, 2.0, 4.0 * nside) * nside == pytest.approx(4 / 3, rel=1e-11)


@settings(max_examples=30)
@given(global_grids(), healpix_grids)
def test_global_mean_is_conserved(source: Grid, target: HealpixGrid) -> None:
    values = np.random.default_rng(1).uniform(200, 300, (2, *source.shape))
    regridded = Regridder(source, target).regrid_array(values)
    np.testing.assert_allclose(regridded.astype(float).mean(axis=-1), global_mean(values, source), rtol=1e-7)


@settings(max_examples=30)
@given(global_grids(), healpix_grids, st.sampled_from([0.0, 1.0, 273.15, 5.4e5, -1e-5]))
def test_constants_are_exact(source: Grid, target: HealpixGrid, constant: float) -> None:
    regridded = Regridder(source, target).regrid_array(np.full(source.shape, constant))
    assert np.unique(regridded).tolist() == [np.float32(constant)]


@pytest.mark.parametrize("min_valid", [0.0, 0.5, 1.0])
def test_missing_values_against_matrices(min_valid: float) -> None:
    source, target = Grid.gaussian(16, 32), HealpixGrid(4)
    values = np.random.default_rng(2).uniform(200, 300, source.shape)
    values[:3] = np.nan
    values[9, 4:11] = -np.inf
    valid, overlaps = np.isfinite(values), matrix(source, target)
    share, total = overlaps @ valid.ravel().astype(float), overlaps @ np.where(valid, values, 0).ravel()
    enough = share > max(min_valid - 1e-9, 1e-9)
    expected = np.divide(total, share, out=np.full_like(total, np.nan), where=enough)
    regridded, fraction = Regridder(source, target, min_valid).regrid_with_fraction(values.astype(np.float32))
    np.testing.assert_allclose(regridded, expected, rtol=1e-6)
    np.testing.assert_allclose(fraction, share, atol=1e-7)
    assert np.isnan(regridded).any()


def test_pixels_become_a_dimension_of_a_dataset() -> None:
    source, target = Grid.equiangular(9, 16, poles=True), HealpixGrid(2)
    world = mock_states(source, mock_times("2000-01-01", 2))
    result = Regridder(source, target)(world)
    assert result["temperature"].dims == ("time", "level", "cell")
    assert result["latitude"].dims == ("cell",)
    assert result["temperature"].shape[-1] == 48


@pytest.mark.parametrize(
    ("nside", "order", "message"),
    [
        (0, "nested", "HEALPix nside is 0, expected 1 to 8192"),
        (3, "nested", "HEALPix nside is 3, expected a power of 2; or take the order 'ring'"),
        (2, "spiral", "HEALPix order is 'spiral', expected 'nested' or 'ring'"),
    ],
)
def test_impossible_pixels_are_refused(nside: int, order: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        HealpixGrid(nside, order)
