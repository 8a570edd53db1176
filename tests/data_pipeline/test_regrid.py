"""Conservative regridding against a plain double loop over overlapping cells, and what it must conserve."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.regrid import Regridder
from tests.mock_world import mock_states, mock_times


@st.composite
def global_grids(draw: st.DrawFn) -> Grid:
    rows, columns = draw(st.integers(3, 9)), draw(st.integers(4, 12))
    kind = draw(st.sampled_from(["poles", "half a cell off", "gaussian"]))
    grid = (
        Grid.gaussian(rows, columns) if kind == "gaussian" else Grid.equiangular(rows, columns, poles=kind == "poles")
    )
    shift = draw(st.floats(0, 0.99)) * 360 / columns
    return Grid(grid.latitude, tuple(np.round(np.asarray(grid.longitude) + shift, 6)))


def global_mean(values: np.ndarray, grid: Grid) -> np.ndarray:
    return np.average(values.astype(np.float64).mean(axis=-1), weights=grid.area_weights(), axis=-1)


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
    np.testing.assert_allclose(global_mean(regridded, target), global_mean(values, source), rtol=1e-6)


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
    regridder = Regridder(Grid.equiangular(73, 144, poles=True), Grid.gaussian(32, 64))
    for weights in (regridder.latitude_weights, regridder.longitude_weights):
        assert weights.min() >= 0
        np.testing.assert_allclose(np.asarray(weights.sum(axis=1)).ravel(), 1.0, rtol=1e-12)


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
    np.testing.assert_allclose(global_mean(regridded, target), global_mean(values, source), rtol=1e-6)
