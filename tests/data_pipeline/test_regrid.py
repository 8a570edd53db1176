"""Conservative regridding against a plain double loop over overlapping cells, and what it must conserve."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from data_pipeline.compiled import compiled
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.regrid import HealpixGrid, Points, Regridder
from data_pipeline.regrid.bands import Band, latitude_overlaps, longitude_overlaps
from tests.data_pipeline.regridding_cases import global_grids, global_mean, harmonic_cell_means
from tests.mock_world import mock_states, mock_times


def overlap_on_circle(a: tuple[float, float], b: tuple[float, float]) -> float:
    return sum(max(0.0, min(a[1], b[1] + turn) - max(a[0], b[0] + turn)) for turn in (-720, -360, 0, 360, 720))


def brute_force(values: np.ndarray, source: Grid, target: Grid, min_valid_fraction: float) -> np.ndarray:
    """Every pair of cells: area of overlap on the sphere times value, over the area that is valid."""
    result = np.full(target.shape, np.nan)
    s_lat, t_lat = (np.sin(np.deg2rad(grid.latitude_bounds())) for grid in (source, target))
    s_lon, t_lon = source.longitude_bounds(), target.longitude_bounds()
    for row in range(target.shape[0]):
        for column in range(target.shape[1]):
            total = valid = 0.0
            for i in range(source.shape[0]):
                height = max(0.0, min(t_lat[row], s_lat[i]) - max(t_lat[row + 1], s_lat[i + 1]))
                for j in range(source.shape[1]):
                    width = overlap_on_circle((t_lon[column], t_lon[column + 1]), (s_lon[j], s_lon[j + 1]))
                    if np.isfinite(values[i, j]):
                        valid += height * width
                        total += height * width * values[i, j]
            area = (t_lat[row] - t_lat[row + 1]) * (t_lon[column + 1] - t_lon[column])
            if valid / area >= max(min_valid_fraction - 1e-9, 1e-9):  # rounding's slivers are no overlap
                result[row, column] = total / valid
    return result


@settings(max_examples=25)
@given(global_grids(), global_grids(), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.sampled_from([0.0, 0.2, 0.9]))
def test_equals_the_double_loop(source: Grid, target: Grid, min_valid: float, missing: float) -> None:
    rng = np.random.default_rng(0)
    values = 280 + rng.standard_normal(source.shape)
    values[rng.random(source.shape) < missing] = np.nan
    fast = Regridder(source, target, min_valid).regrid_array(values)
    np.testing.assert_allclose(fast, brute_force(values, source, target, min_valid), rtol=1e-6)


@given(global_grids(), global_grids())
def test_global_mean_is_conserved(source: Grid, target: Grid) -> None:
    values = np.random.default_rng(1).uniform(200, 300, (3, 2, *source.shape))
    regridded = Regridder(source, target).regrid_array(values)
    np.testing.assert_allclose(global_mean(regridded, target), global_mean(values, source), rtol=1e-7)


@given(global_grids(), global_grids(), st.sampled_from([0.0, 1.0, 273.15, 5.4e5, -1e-5]))
def test_constants_are_exact(source: Grid, target: Grid, constant: float) -> None:
    regridded = Regridder(source, target).regrid_array(np.full(source.shape, constant))
    assert np.unique(regridded).tolist() == [np.float32(constant)]


@given(global_grids(), global_grids())
def test_no_new_extremes(source: Grid, target: Grid) -> None:
    values = np.random.default_rng(2).standard_normal(source.shape)
    regridded = Regridder(source, target).regrid_array(values)
    assert values.min() - 1e-6 <= regridded.min() <= regridded.max() <= values.max() + 1e-6


def test_weights_are_shares() -> None:
    source, target = Grid.equiangular(73, 144, poles=True), Grid.gaussian(32, 64)
    for band, size in ((latitude_overlaps(source, target), 73), (longitude_overlaps(source, target), 144)):
        weights = band.dense(size)
        assert weights.min() >= 0
        np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-12)


def test_a_band_goes_on_round_the_circle() -> None:
    band = Band(np.array([2, 0]), np.array([2, 1]), np.array([[0.75, 0.25], [1.0, 0.0]]))
    np.testing.assert_array_equal(band.dense(3), [[0.25, 0, 0.75], [1, 0, 0]])


def two_passes(values: np.ndarray, source: Grid, target: Grid, min_valid_fraction: float) -> np.ndarray:
    """The same weights as sparse matrices, over all fields at once, masked from the start."""
    rows = sparse.csr_array(latitude_overlaps(source, target).dense(source.shape[0]))
    columns = sparse.csr_array(longitude_overlaps(source, target).dense(source.shape[1]))

    def apply(field: np.ndarray) -> np.ndarray:
        return (columns @ (rows @ field).T).T

    valid = np.isfinite(values)
    fraction, total = apply(valid.astype(float)), apply(np.where(valid, values, 0))
    enough = fraction > max(min_valid_fraction - 1e-9, 1e-9)
    return np.divide(total, fraction, out=np.full_like(total, np.nan), where=enough)


@pytest.mark.parametrize("missing", [0.0, 0.01, 0.6])
@pytest.mark.parametrize("target", [Grid.gaussian(48, 96), Grid.equiangular(121, 240, poles=True)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_two_sparse_passes(missing: float, target: Grid, dtype: type) -> None:
    source, rng = Grid.equiangular(91, 180, poles=True), np.random.default_rng(4)
    values = (280 + rng.standard_normal(source.shape)).astype(dtype)
    values[rng.random(source.shape) < missing] = np.nan
    fast = Regridder(source, target).regrid_array(values)
    np.testing.assert_allclose(fast, two_passes(values.astype(float), source, target, 0.5), rtol=1e-7)


@pytest.mark.parametrize(("degree", "order"), [(1, 0), (1, 1), (2, 1), (5, 3), (12, 12), (20, 7)])
def test_cell_means_of_harmonics_become_cell_means_where_edges_meet(degree: int, order: int) -> None:
    fine, coarse = Grid.equiangular(96, 192, poles=False), Grid.equiangular(32, 64, poles=False)
    regridded = Regridder(fine, coarse).regrid_array(harmonic_cell_means(degree, order, fine))
    np.testing.assert_allclose(regridded, harmonic_cell_means(degree, order, coarse), atol=1e-6)


@pytest.mark.parametrize(("degree", "order"), [(1, 0), (1, 1), (2, 1), (5, 3), (12, 12)])
@pytest.mark.parametrize("target", [Grid.gaussian(32, 64), Grid.equiangular(37, 72, poles=True)])
def test_harmonics_on_other_edges_to_the_analytic_error(degree: int, order: int, target: Grid) -> None:
    """A cell that is cut is off by its part beyond the cut: at most half a source cell times the slope per edge.

    Slopes of a harmonic of degree l and root mean square 1 are below l sqrt(2 l + 1) (Bernstein; addition theorem).
    """
    source = Grid.equiangular(181, 360, poles=True)
    regridded = Regridder(source, target).regrid_array(harmonic_cell_means(degree, order, source))
    error = np.abs(regridded - harmonic_cell_means(degree, order, target)).max()
    share_cut = max(source.shape[0] ** -1 * target.shape[0], source.shape[1] ** -1 * target.shape[1])
    slope = degree * np.sqrt(2 * degree + 1)
    assert 0 < error < 2 * share_cut * slope * np.deg2rad(0.5) * np.sqrt(2)


def test_fields_on_the_sphere_have_no_jump_at_the_date_line_or_the_poles() -> None:
    source = Grid.equiangular(181, 360, poles=True)
    latitude, longitude = np.deg2rad(np.asarray(source.latitude)[:, None]), np.deg2rad(source.longitude)
    values = np.cos(latitude) * np.cos(longitude)
    regridded = Regridder(source, Grid.equiangular(37, 72, poles=True)).regrid_array(values)
    steps = np.abs(np.diff(regridded, axis=1, append=regridded[:, :1]))
    assert steps[:, -1].max() <= steps.max() * 1.0001
    assert np.abs(regridded[[0, -1]]).max() < np.sin(np.deg2rad(2.5))
    np.testing.assert_allclose(regridded[:, 1:36], regridded[:, :36:-1], atol=1e-7)


def test_coarsening_by_a_whole_number_is_the_plain_mean_along_longitude() -> None:
    fine, coarse = Grid.equiangular(8, 32, poles=False), Grid.equiangular(8, 8, poles=False)
    shifted = Grid(fine.latitude, tuple(np.asarray(fine.longitude) + 360 / 64))
    values = np.random.default_rng(3).standard_normal(shifted.shape)
    moved = Grid(coarse.latitude, tuple(np.asarray(coarse.longitude) + 22.5))
    expected = values.reshape(8, 8, 4).mean(axis=-1)
    np.testing.assert_allclose(Regridder(shifted, moved).regrid_array(values), expected, rtol=1e-5)


def test_infinite_values_are_missing() -> None:
    grid, target = Grid.equiangular(8, 16, poles=False), Grid.equiangular(4, 8, poles=False)
    values = np.ones(grid.shape)
    values[0, 0] = np.inf
    assert np.isnan(Regridder(grid, target, min_valid_fraction=1.0).regrid_array(values)[0, 0])
    assert Regridder(grid, target).regrid_array(values)[0, 0] == 1.0


def test_wholly_missing_fields_stay_missing() -> None:
    grid, target = Grid.equiangular(8, 16, poles=False), Grid.equiangular(4, 8, poles=False)
    assert np.isnan(Regridder(grid, target, 0.0).regrid_array(np.full(grid.shape, np.nan))).all()


@pytest.mark.parametrize("missing", [0.0, 0.3, 1.0])
def test_the_valid_fraction_is_the_share_of_the_area(missing: float) -> None:
    source, target = Grid.equiangular(9, 16, poles=True), Grid.gaussian(4, 6)
    valid = np.random.default_rng(5).random(source.shape) >= missing
    regridder = Regridder(source, target, 0.4)
    values, fraction = regridder.regrid_with_fraction(np.where(valid, 7.0, np.nan))
    expected = two_passes(valid.astype(float), source, target, 0.0)
    np.testing.assert_allclose(fraction, expected, atol=1e-7)
    np.testing.assert_array_equal(values, np.where(expected >= 0.4, np.float32(7), np.nan))


def test_a_dataset_can_take_the_valid_fraction_along() -> None:
    source, target = Grid.equiangular(9, 16, poles=True), Grid.gaussian(4, 8)
    world = mock_states(source, mock_times("2000-01-01", 2))[["temperature"]].chunk({"time": 1})
    result = Regridder(source, target)(world, with_valid_fraction=True)
    fraction = result["temperature_valid_fraction"]
    assert fraction.chunks is not None
    assert fraction.attrs == {"long_name": "valid fraction of temperature", "units": "1"}
    assert result["temperature"].attrs == world["temperature"].attrs
    assert (fraction == 1).all()


@pytest.mark.parametrize("dtype", [">f4", "<f8", ">f8", "f2", "i2", "i4"])
def test_any_number_type_and_order_of_axes(dtype: str) -> None:
    source, target = Grid.equiangular(9, 16, poles=True), Grid.gaussian(4, 8)
    values = np.random.default_rng(6).integers(-99, 99, (2, 3, 16, 9)).astype(dtype).swapaxes(-1, -2)
    regridder = Regridder(source, target)
    expected = regridder.regrid_array(np.ascontiguousarray(values, dtype=np.float64))
    np.testing.assert_array_equal(regridder.regrid_array(values), expected)
    assert regridder.regrid_array(values).dtype == np.float32


def test_large_stacks_go_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = Grid.equiangular(9, 16, poles=True), Grid.gaussian(4, 8)
    values = np.random.default_rng(7).standard_normal((11, *source.shape))
    whole = Regridder(source, target).regrid_with_fraction(values)
    monkeypatch.setattr("data_pipeline.regrid.regridder._BLOCK_BYTES", 3 * 8 * 9 * 16)
    parts = Regridder(source, target).regrid_with_fraction(values)
    np.testing.assert_array_equal(parts, whole)
    assert Regridder(source, target).regrid_array(values[:0]).shape == (0, 4, 8)


def test_lazy_chunked_and_in_memory_datasets_agree() -> None:
    source, target = Grid.equiangular(9, 16, poles=True), Grid.gaussian(4, 8)
    world = mock_states(source, mock_times("2000-01-01", 5))
    regridder = Regridder(source, target)
    lazy = regridder(world.chunk({"time": 2, "latitude": 3, "longitude": 7}))
    assert all(field.chunks for field in lazy.data_vars.values())
    computed, eager = lazy.compute(), regridder(world)
    xr.testing.assert_identical(computed, eager)
    assert Grid.of(eager) == target
    assert eager["temperature"].dims == world["temperature"].dims
    assert eager["temperature"].attrs == world["temperature"].attrs
    assert all(field.dtype == np.float32 for field in eager.data_vars.values())


def test_the_same_grid_changes_no_value() -> None:
    grid = Grid.equiangular(9, 16, poles=True)
    world = mock_states(grid, mock_times("2000-01-01", 2))
    single = world.assign_coords(
        latitude=world["latitude"].astype(np.float32) + np.float32(1e-4) * (world["latitude"] < 80)
    )
    result = Regridder(Grid.of(single), grid)(single)
    assert Grid.of(result) == grid
    np.testing.assert_array_equal(result["temperature"], world["temperature"])


def test_nothing_to_regrid() -> None:
    grid = Grid.equiangular(9, 16, poles=True)
    assert not Regridder(grid, Grid.gaussian(4, 8))(xr.Dataset()).data_vars


def test_another_grid_than_the_source_is_refused() -> None:
    source, target, other = Grid.equiangular(8, 16, poles=False), Grid.gaussian(4, 8), Grid.gaussian(8, 16)
    with pytest.raises(DataError, match=r"got data on the 8x16 grid .*, expected the 8x16 grid .*; make a Regridder"):
        Regridder(source, target)(mock_states(other, mock_times("2000-01-01", 1)))
    with pytest.raises(DataError, match=r"got fields of shape \(3, 16\), expected \(8, 16\)"):
        Regridder(source, target).regrid_array(np.zeros((3, 16)))


def test_threads_give_the_same_as_one() -> None:
    source, target = Grid.equiangular(61, 120, poles=True), Grid.gaussian(32, 64)
    values = np.random.default_rng(8).standard_normal((16, *source.shape))
    regridder = Regridder(source, target)
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(list(pool.map(regridder.regrid_array, values)), regridder.regrid_array(values))


def test_a_process_that_can_cache_nowhere_compiles_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    make = numba.njit

    def without_a_folder(*, cache: bool = False, **options: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return make(**options)

    monkeypatch.setattr(numba, "njit", without_a_folder)
    assert compiled(_double)(21) == 42


def _double(number: int) -> int:
    return 2 * number


def test_what_conservative_cannot_do_is_refused() -> None:
    grid = Grid.equiangular(8, 16, poles=False)
    with pytest.raises(DataError, match=r"needs cells, got a list of 1 points; take the method 'bilinear'"):
        Regridder(grid, Points((0.0,), (0.0,)))
    with pytest.raises(DataError, match=r"unknown regridding method 'cubic'; expected one of: conservative, bilinear"):
        Regridder(grid, HealpixGrid(1), method="cubic")


@pytest.mark.parametrize("role", ["source", "target"])
def test_cropped_grids_are_refused(role: str) -> None:
    whole = Grid.equiangular(8, 16, poles=False)
    grids = {"source": whole, "target": whole, role: Grid(whole.latitude[1:], whole.longitude)}
    with pytest.raises(DataError, match=f"conservative regridding needs a global {role} grid, got the 7x16 grid"):
        Regridder(**grids)


def test_real_pressure_keeps_its_global_mean(real_data) -> None:
    with xr.open_zarr(real_data / "era5_msl_2p5deg_djf2025.zarr") as raw:
        values = raw["msl"].isel(valid_time=slice(0, 3)).values
    source, target = Grid.equiangular(73, 144, poles=True), Grid.equiangular(32, 64, poles=False)
    regridded = Regridder(source, target).regrid_array(values)
    np.testing.assert_allclose(global_mean(regridded, target), global_mean(values, source), rtol=1e-7)
