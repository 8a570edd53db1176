"""Initial states: taken from data and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from data_pipeline.errors import DataError
from forecast.initial import first_time, initial_state, parse_time

from .conftest import TIME

if TYPE_CHECKING:
    import xarray as xr

    from data_pipeline.store import TrainingStore
    from forecast.forecaster import Forecaster

STEP = np.timedelta64(12, "h")


def test_takes_the_state_and_the_one_before(forecaster: Forecaster, world: xr.Dataset) -> None:
    initial = initial_state(forecaster, world, TIME)
    assert initial.time == TIME
    for state, time in ((initial.current, TIME), (initial.previous, TIME - STEP)):
        expected = forecaster.channels.stack(world.sel(time=time)).values
        assert torch.equal(state, torch.from_numpy(expected))
        assert state.dtype == torch.float32


def test_a_store_and_its_source_give_the_same_state(
    forecaster: Forecaster, world: xr.Dataset, store: TrainingStore
) -> None:
    from_store, from_source = (initial_state(forecaster, data, TIME) for data in (store.dataset(), world))
    assert torch.equal(from_store.current, from_source.current)


def test_order_of_variables_does_not_matter(forecaster: Forecaster, world: xr.Dataset) -> None:
    shuffled = world[list(reversed(list(world.data_vars)))]
    assert torch.equal(
        initial_state(forecaster, shuffled, TIME).current, initial_state(forecaster, world, TIME).current
    )


def test_time_outside_the_data(forecaster: Forecaster, world: xr.Dataset) -> None:
    with pytest.raises(
        DataError, match=r"no state at 2011-01-01T12, 2011-01-02T00; they hold 240 times in 2000-01-01T00"
    ):
        initial_state(forecaster, world, np.datetime64("2011-01-02", "ns"))


def test_time_without_one_before(forecaster: Forecaster, world: xr.Dataset) -> None:
    said = r"no state at 1999-12-31T12;.*A forecast needs 1999-12-31T12, 2000-01-01T00; choose another --init"
    with pytest.raises(DataError, match=said):
        initial_state(forecaster, world, np.datetime64("2000-01-01", "ns"))
    assert first_time(forecaster, world) == np.datetime64("2000-01-01T12", "ns")


def test_first_time_skips_gaps(forecaster: Forecaster, world: xr.Dataset) -> None:
    assert first_time(forecaster, world.isel(time=[0, 2, 4, 5, 6])) == world["time"].values[5]
    with pytest.raises(DataError, match="no time in the data has the states 12 h before it; give a longer period"):
        first_time(forecaster, world.isel(time=[0, 2, 4]))


def test_data_on_another_grid(forecaster: Forecaster, world: xr.Dataset) -> None:
    with pytest.raises(DataError, match=r"checkpoint is for the 8x16 grid.* on the 8x8 grid.*regrid"):
        initial_state(forecaster, world.isel(longitude=slice(None, None, 2)), TIME)


def test_coordinates_of_single_precision_match(forecaster: Forecaster, world: xr.Dataset) -> None:
    single = world.assign_coords(longitude=world["longitude"].values.astype(np.float32) + 1e-5)
    assert initial_state(forecaster, single, TIME).time == TIME


def test_missing_variable_or_level(forecaster: Forecaster, world: xr.Dataset) -> None:
    with pytest.raises(DataError, match="lack 2m_temperature; they have"):
        initial_state(forecaster, world.drop_vars("2m_temperature"), TIME)
    with pytest.raises(DataError, match="lack u_component_of_wind_850, v_component_of_wind_850"):
        initial_state(forecaster, world.sel(level=[200, 500, 700]), TIME)


def test_missing_and_impossible_values(forecaster: Forecaster, world: xr.Dataset) -> None:
    for bad, said in ((np.nan, "has 1 missing or infinite"), (900.0, "expected within")):
        ill = world.copy(deep=True)
        ill["2m_temperature"].loc[{"time": TIME}][3, 4] = bad
        with pytest.raises(DataError, match=said):
            initial_state(forecaster, ill, TIME)


def test_data_without_times_or_with_a_time_twice(forecaster: Forecaster, world: xr.Dataset) -> None:
    with pytest.raises(DataError, match="hold no times"):
        initial_state(forecaster, world.isel(time=0, drop=True), TIME)
    with pytest.raises(DataError, match="some times twice"):
        first_time(forecaster, world.isel(time=[0, 1, 1]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2001-01-05", "2001-01-05T00"),
        ("2001-01-05T06", "2001-01-05T06"),
        ("2001-01-05 06:00", "2001-01-05T06"),
        ("2001-01-05T06:00Z", "2001-01-05T06"),
        ("2001-01-05T06:00+02:00", "2001-01-05T04"),
    ],
)
def test_times_as_people_write_them(text: str, expected: str) -> None:
    assert parse_time(text) == np.datetime64(expected, "ns")


@pytest.mark.parametrize("text", ["", "now", "today", "NaT", "5 January", "2001-13-01", "2001-02-30", "5"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(DataError, match=r"cannot read the time .*; expected UTC as in 2001-01-05T00"):
        parse_time(text)
