"""Samples: small files that open as the same states and the same climatology."""

from __future__ import annotations

from typing import TYPE_CHECKING

import netCDF4
import numpy as np
import pytest
import xarray as xr

from data_pipeline.building.build import build
from data_pipeline.canonical import canonicalise
from data_pipeline.check import check_path
from data_pipeline.climatology import Climatology
from data_pipeline.config import Period, period_of
from data_pipeline.errors import ConfigError, DataError
from data_pipeline.reading import open_states
from data_pipeline.regrid.files import regrid_file
from data_pipeline.sampling import CLIMATOLOGY, STATES, write_sample
from data_pipeline.sources import FilesSource
from data_pipeline.sources.files import open_raw
from data_pipeline.store import TrainingStore, open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from data_pipeline.config import DataConfig

PERIODS = (Period(start="2001-01-01", stop="2001-01-02"), Period(start="2001-01-04", stop="2001-01-04T06"))


@pytest.fixture
def store(config: Callable[..., DataConfig]) -> TrainingStore:
    return open_store(build(config(), progress=False))


@pytest.fixture
def sample(store: TrainingStore, tmp_path: Path) -> Path:
    write_sample(store.path, PERIODS, tmp_path / "sample", "some days of a mock world")
    return tmp_path / "sample"


def test_states_are_those_of_the_store_to_half_a_packing_step(store: TrainingStore, sample: Path) -> None:
    unpacked = canonicalise(open_raw(sample / STATES))
    wanted = store.dataset().sel(time=unpacked["time"])
    for name, field in wanted.data_vars.items():
        values = field.values
        step = (values.max() - values.min()) / 65000
        np.testing.assert_allclose(unpacked[name].values, values, rtol=1e-6, atol=0.51 * step)


def test_only_the_periods_are_cut_out(sample: Path) -> None:
    times = open_raw(sample / STATES)["time"].values.astype("datetime64[D]")
    assert [str(day) for day in np.unique(times)] == ["2001-01-01", "2001-01-02", "2001-01-04"]


def test_gaps_between_the_periods_are_said(sample: Path, store: TrainingStore, tmp_path: Path) -> None:
    with xr.open_dataset(sample / STATES, engine="netcdf4") as opened:
        assert opened.attrs["sampled_periods"] == "2001-01-01T00..2001-01-02T18 2001-01-04T00..2001-01-04T06"
    assert "time-missing" not in check_path(sample, progress=False).codes
    touching = [Period(start="2001-01-02", stop="2001-01-03"), Period(start="2001-01-01", stop="2001-01-02")]
    write_sample(store.path, touching, tmp_path / "touching", "three days")
    with xr.open_dataset(tmp_path / "touching" / STATES, engine="netcdf4") as opened:
        assert opened.attrs["sampled_periods"] == "2001-01-01T00..2001-01-03T18"


def test_static_fields_come_along(store: TrainingStore, sample: Path) -> None:
    names, values = store.static
    with xr.open_dataset(sample / STATES, engine="netcdf4") as opened:
        for name, field in zip(names, values, strict=True):
            np.testing.assert_allclose(opened[name].values, field, rtol=1e-6, atol=1e-4 * np.abs(field).max())


def test_climatology_is_that_of_the_store_to_the_bits_kept(store: TrainingStore, sample: Path) -> None:
    with xr.open_dataset(sample / CLIMATOLOGY, engine="netcdf4") as file:
        training = store.group.attrs["config"]["training_period"]
        assert file.attrs["training_period"] == f"{training['start']}..{training['stop']}"
    mine, theirs = Climatology.open(sample / CLIMATOLOGY), store.climatology
    assert mine.channels == theirs.channels
    assert mine.grid.matches(theirs.grid)
    for ours, kept in ((mine.mean, theirs.mean), (mine.variance, theirs.variance)):
        np.testing.assert_allclose(ours, kept, rtol=1e-4, atol=1e-5 * np.abs(kept).max())


def test_states_are_packed_one_field_a_chunk(sample: Path) -> None:
    with netCDF4.Dataset(sample / STATES) as file:
        temperature = file["temperature"]
        assert temperature.dtype == np.int16
        assert temperature.chunking() == [1, 1, 8, 16]


def test_its_folder_stands_for_its_states(sample: Path) -> None:
    states = open_states(sample / STATES)
    xr.testing.assert_identical(open_states(sample), states)
    names = set(states.data_vars)
    xr.testing.assert_equal(FilesSource(path=str(sample)).open(names), states)
    assert list(check_path(sample, progress=False)) == list(check_path(sample / STATES, progress=False))
    regrid_file(sample, sample.parent / "coarse.nc", "equiangular:4x8")
    with xr.open_dataset(sample.parent / "coarse.nc", engine="netcdf4") as coarse:
        assert coarse.sizes["time"] == states.sizes["time"]


def test_other_files_do_not_make_a_sample(sample: Path) -> None:
    (sample / CLIMATOLOGY).rename(sample / "seasons.nc")
    with pytest.raises(DataError, match=r"the 2 files of .* do not follow each other in time"):
        open_states(sample)
    (sample / "seasons.nc").unlink()
    assert open_states(sample).sizes["latitude"] == 8


def test_a_period_without_a_time_of_the_store_is_refused(store: TrainingStore, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no time in 1999-01-01\.\.1999-01-02; choose another period"):
        write_sample(store.path, [Period(start="1999-01-01", stop="1999-01-02")], tmp_path / "sample", "none")
    assert not (tmp_path / "sample").exists()


@pytest.mark.parametrize("text", ["2001", "2001-01-05..2001-01-01", "yesterday..today", ""])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected START"):
        period_of(text)


def test_a_period_partly_outside_the_store_is_refused(store: TrainingStore, tmp_path: Path) -> None:
    """Cut short in silence, it would be taken for all of it."""
    last = store.times[-1].astype("datetime64[D]")
    for start, stop in ((last, last + 3), (store.times[0].astype("datetime64[D]") - 3, last)):
        with pytest.raises(
            DataError, match=rf"the period {start}\.\.{stop} is partly outside .*, which holds .*; short"
        ):
            write_sample(store.path, [Period(start=str(start), stop=str(stop))], tmp_path / "sample", "too long")
    assert not (tmp_path / "sample").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(store: TrainingStore, tmp_path: Path) -> None:
    (tmp_path / "sample").write_text("mine")
    with pytest.raises(DataError, match="sample is no folder, expected one to write states"):
        write_sample(store.path, PERIODS, tmp_path / "sample", "nowhere")
