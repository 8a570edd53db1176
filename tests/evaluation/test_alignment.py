"""Forecasts, truth and climatology on different grids are scored on one."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.channels import Channel
from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from data_pipeline.reading import sample_path
from data_pipeline.regrid import Regridder
from data_pipeline.sampling import CLIMATOLOGY
from evaluation.alignment import RegriddedClimatology, common_grid, on_grid, overlap, training_period
from evaluation.climate import Season
from evaluation.pairs import Snapshots, match
from evaluation.readers import open_run
from tests.evaluation.layouts import scores_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.evaluation.conftest import RisingClimatology

FINE, COARSE = Grid.equiangular(12, 24, poles=False), Grid.equiangular(6, 8, poles=False)


def refined(data: xr.Dataset, grid: Grid = FINE) -> xr.Dataset:
    """Every cell of the 6x8 grid cut into equal values on a finer one, so that regridding gives them back."""
    rows = np.abs(np.subtract.outer(grid.latitude, COARSE.latitude)).argmin(axis=1)
    columns = np.round(np.asarray(grid.longitude) / 45).astype(int) % 8
    return data.isel(latitude=rows, longitude=columns).assign_coords(grid.coordinates)


@pytest.fixture
def run(written: Callable[..., Path]) -> xr.Dataset:
    return open_run(written())


def test_equal_grids_are_the_truths(run: xr.Dataset, truth: xr.Dataset) -> None:
    shifted = run.assign_coords(longitude=run["longitude"] + 1e-4)
    assert common_grid([shifted], truth) == Grid.of(truth)
    assert on_grid(shifted, Grid.of(truth)) is shifted


def test_the_coarser_grid_or_the_one_asked_for(run: xr.Dataset, truth: xr.Dataset) -> None:
    fine = Regridder(COARSE, FINE)(truth)
    assert common_grid([run], fine) == COARSE
    assert common_grid([Regridder(COARSE, FINE)(run.load())], truth) == COARSE
    assert common_grid([run], fine, "equiangular:4x6") == Grid.equiangular(4, 6, poles=False)
    assert common_grid([run], fine, "equiangular:12x24") == FINE


def test_a_grid_to_score_on_that_is_none(run: xr.Dataset, truth: xr.Dataset) -> None:
    with pytest.raises(ScoreError, match="got --grid healpix:4, expected a latitude-longitude grid"):
        common_grid([run], truth, "healpix:4")


def test_a_regional_grid_is_not_regridded(run: xr.Dataset, truth: xr.Dataset) -> None:
    with pytest.raises(
        ScoreError, match=r"the truth is on a 6x8 grid .* on a 3x8 grid .* needs a global .*; give both"
    ):
        common_grid([run.isel(latitude=slice(0, 3))], truth)
    with pytest.raises(ScoreError, match="needs a global"):
        on_grid(truth.isel(latitude=slice(0, 3)), FINE)


def test_what_is_read_is_what_the_regridder_gives(run: xr.Dataset, truth: xr.Dataset) -> None:
    target = Grid.equiangular(4, 6, poles=False)
    coarse, regridder = on_grid(run, target), Regridder(COARSE, target)
    assert not any(field.variable._in_memory for field in coarse.data_vars.values())
    expected = regridder(run.load())
    for name in run.data_vars:
        np.testing.assert_array_equal(coarse[name], expected[name])
        assert coarse[name].attrs == run[name].attrs
    verifying = on_grid(truth, target)
    (pair, *_), lacking = match([coarse], verifying)
    assert lacking == []
    np.testing.assert_array_equal(
        pair.members(), expected["geopotential"].isel(time=0, level=0, missing_dims="ignore").isel(lead_time=0)
    )
    observed = Snapshots(verifying).field(Channel("geopotential", 500), pair.valid_time)
    np.testing.assert_array_equal(observed, regridder(truth)["geopotential"].sel(time=pair.valid_time, level=500))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pair)).members(), pair.members())


def test_lazy_truths_keep_their_names_and_are_read_time_by_time(truth: xr.Dataset) -> None:
    lazy = truth.chunk(time=4)
    lazy.encoding["source"] = "somewhere"
    coarse = on_grid(lazy, Grid.equiangular(4, 6, poles=False))
    assert coarse.encoding["source"] == "somewhere"
    expected = Regridder(COARSE, Grid.equiangular(4, 6, poles=False))(truth)
    np.testing.assert_array_equal(coarse["2m_temperature"].isel(time=5), expected["2m_temperature"].isel(time=5))


def test_a_mask_that_has_no_time_is_regridded_too(truth: xr.Dataset) -> None:
    mask = truth["2m_temperature"].isel(time=0, drop=True)
    coarse = on_grid(truth.assign(land_sea_mask=mask, number=3), Grid.equiangular(4, 6, poles=False))
    assert coarse["land_sea_mask"].shape == (4, 6)
    assert coarse["number"] == 3


def test_missing_values_are_left_out_of_a_cell_as_long_as_half_of_it_is_there(truth: xr.Dataset) -> None:
    fine = refined(truth)
    holed = fine.copy(deep=True)
    holed["2m_temperature"][:, 0, 0] = np.nan
    holed["2m_temperature"][:, 4:6, 2:5] = np.nan
    found, whole = (on_grid(data, COARSE)["2m_temperature"].values for data in (holed, fine))
    assert np.isnan(found).sum() == found.shape[0]
    np.testing.assert_array_equal(found[:, 0], whole[:, 0])


@pytest.mark.parametrize("which", ["forecast", "truth", "both"])
def test_scores_of_a_finer_copy_are_those_of_the_coarse_one(
    written: Callable[..., Path], truth: xr.Dataset, which: str
) -> None:
    expected = scores_of([open_run(written())], truth)
    run = open_run(written(refined if which != "truth" else lambda data: data))
    verifying = truth if which == "forecast" else refined(truth)
    grid = common_grid([run], verifying, "equiangular:6x8" if which == "both" else None)
    found = scores_of([on_grid(run, grid)], on_grid(verifying, grid))
    xr.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-2)


class WithQuantiles:
    """A climatology that has quantiles: at 0.1 and 0.9 the mean less and plus a standard deviation."""

    def __init__(self, climatology: RisingClimatology) -> None:
        self.climatology = climatology

    def at(self, times: np.ndarray) -> tuple[xr.Dataset, xr.Dataset]:
        return self.climatology.at(times)

    def quantiles_at(self, times: np.ndarray) -> xr.Dataset:
        mean, std = self.at(times)
        return xr.concat([mean - std, mean + std], xr.Variable("quantile", [0.1, 0.9]))


def test_a_climatology_on_another_grid(climatology: RisingClimatology, truth: xr.Dataset) -> None:
    target, time = Grid.equiangular(4, 6, poles=False), truth["time"].values[3]
    regridder, channel = Regridder(COARSE, target), Channel("geopotential", 850)
    season = Season(RegriddedClimatology(WithQuantiles(climatology), target), target)
    for found, whole in zip(season.mean_and_std(channel, time), climatology.at(np.array([time])), strict=True):
        np.testing.assert_allclose(found, regridder(whole)["geopotential"].sel(level=850).isel(time=0), rtol=1e-6)
    assert season.quantiles(channel, time, [0.1, 0.5]).shape == (2, 4, 6)
    assert not hasattr(RegriddedClimatology(climatology, target), "quantiles_at")


def test_a_climatology_that_is_coarser_is_refused(climatology: RisingClimatology, truth: xr.Dataset) -> None:
    with pytest.raises(ScoreError, match=r"the climatology is on a 6x8 grid .*, with fewer points than the 12x24 grid"):
        RegriddedClimatology(climatology, FINE).at(truth["time"].values[:1])


def test_a_climatology_that_has_seen_what_is_scored_is_said() -> None:
    times = list(np.array(["2019-12-31T12", "2020-01-01T00", "2020-01-02T00"], dtype="datetime64[ns]"))
    period = training_period("1990-2019_6h_64x32.zarr")
    assert period == (np.datetime64("1990-01-01"), np.datetime64("2019-12-31"))
    assert overlap(period, times[1:]) == ""
    assert overlap(period, times).startswith(
        "1 of 3 valid times lie in the period of the climatology (1990-01-01T00 to 2019-12-31T00): it has seen them"
    )
    assert overlap(None, times) == (
        "the years of the climatology are not known; if the scored ones are among them, it is flattered"
    )


def test_the_period_of_a_sample(tmp_path: Path) -> None:
    expected = (np.datetime64("1990-01-01"), np.datetime64("1999-12-31"))
    folder = sample_path(CLIMATOLOGY).parent
    assert training_period("sample") == training_period(folder) == training_period(folder / CLIMATOLOGY) == expected
    with xr.open_dataset(folder / CLIMATOLOGY, engine="netcdf4") as whole:
        whole.drop_attrs().to_netcdf(tmp_path / CLIMATOLOGY, engine="netcdf4")
    assert training_period(tmp_path / CLIMATOLOGY) is None


def test_the_period_of_a_training_store(tmp_path: Path) -> None:
    import zarr

    from data_pipeline.store import FORMAT

    config = {"training_period": {"start": "2001-01-01", "stop": "2001-12-31"}}
    group = zarr.open_group(tmp_path / "store.zarr", mode="w")
    group.attrs.update(format=FORMAT, config=config, channels=["2m_temperature"])
    for name, values in {"time": [0], "latitude": COARSE.latitude, "longitude": COARSE.longitude}.items():
        group.create_array(name, data=np.asarray(values))
    expected = (np.datetime64("2001-01-01"), np.datetime64("2001-12-31"))
    assert training_period(tmp_path / "store.zarr") == expected
    assert training_period(tmp_path / "store.zarr" / "day_of_year") == expected
    group.attrs.update(config={})
    assert training_period(tmp_path / "store.zarr") is None
    assert training_period(" ") is None
    assert training_period("gs://bucket/climatology.zarr") is None
