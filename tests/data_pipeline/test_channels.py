"""Channels: order, round trips between names, datasets and arrays, and every refusal."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.channels import Channel, Channels, inventory
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.variables import VARIABLES
from tests.mock_world import mock_states, mock_times

GRID = Grid.equiangular(4, 8, poles=False)
TIMES = mock_times("2000-01-01", 2)
DIMS = ("time", "channel", "latitude", "longitude")


@st.composite
def any_channels(draw: st.DrawFn) -> Channels:
    names = draw(st.lists(st.sampled_from(sorted(VARIABLES)), min_size=1, max_size=6, unique=True))
    levels = st.lists(st.integers(1, 1100), min_size=1, max_size=3, unique=True)
    channels = [
        Channel(name, level) for name in names for level in (draw(levels) if VARIABLES[name].on_levels else [None])
    ]
    return Channels(tuple(draw(st.permutations(channels))))


def coords() -> dict:
    return {"time": TIMES, "latitude": list(GRID.latitude), "longitude": list(GRID.longitude)}


@given(any_channels())
def test_names_round_trip(channels: Channels) -> None:
    assert Channels.from_names(channels.names) == channels


@settings(max_examples=30)
@given(any_channels())
def test_unstack_then_stack_gives_the_same_array(channels: Channels) -> None:
    fields = np.random.default_rng(0).standard_normal((2, len(channels), *GRID.shape)).astype(np.float32)
    dataset = channels.unstack(fields, coords(), DIMS)
    stacked = channels.stack(dataset)
    assert stacked.dims == DIMS
    assert stacked.dtype == np.float32
    np.testing.assert_array_equal(stacked.values, fields)


@settings(max_examples=30)
@given(any_channels())
def test_unstacked_levels_ascend_and_carry_attributes(channels: Channels) -> None:
    dataset = channels.unstack(np.zeros((2, len(channels), *GRID.shape)), coords(), DIMS)
    assert list(dataset.data_vars) == list(channels.variables)
    for name, field in dataset.data_vars.items():
        assert field.attrs["units"] == VARIABLES[name].units
        assert field.attrs.get("standard_name", "") == VARIABLES[name].standard_name
    if "level" in dataset.dims:
        assert np.all(np.diff(dataset["level"]) > 0)


def test_stack_then_unstack_gives_the_same_dataset() -> None:
    world = mock_states(GRID, TIMES, {"temperature": [500, 850], "2m_temperature": None})
    channels = Channels.of({"2m_temperature": None, "temperature": [850, 500]})
    back = channels.unstack_array(channels.stack(world))
    xr.testing.assert_identical(back[["temperature", "2m_temperature"]], world)


def test_each_channel_is_its_own_field() -> None:
    world = mock_states(GRID, TIMES, {"temperature": [500, 850], "2m_temperature": None})
    channels = Channels.of({"2m_temperature": None, "temperature": [850, 500]})
    stacked = channels.stack(world)
    assert channels.names == ["2m_temperature", "temperature_850", "temperature_500"]
    np.testing.assert_array_equal(stacked[:, 0], world["2m_temperature"])
    np.testing.assert_array_equal(stacked[:, 1], world["temperature"].sel(level=850))
    np.testing.assert_array_equal(stacked[:, 2], world["temperature"].sel(level=500))


def test_variables_with_other_levels_are_missing_on_the_union() -> None:
    channels = Channels.of({"temperature": [850], "geopotential": [500]})
    dataset = channels.unstack(np.ones((2, 2, *GRID.shape)), coords(), DIMS)
    assert dataset["level"].values.tolist() == [500, 850]
    assert np.isnan(dataset["temperature"].sel(level=500)).all()
    assert (dataset["temperature"].sel(level=850) == 1).all()
    np.testing.assert_array_equal(channels.stack(dataset), np.ones((2, 2, *GRID.shape)))


def test_unstack_keeps_lazy_arrays_lazy() -> None:
    channels = Channels.of({"temperature": [850], "2m_temperature": None})
    lazy = xr.DataArray(np.ones((2, 2, *GRID.shape)), coords(), DIMS).chunk({"time": 1})
    assert all(field.chunks is not None for field in channels.unstack_array(lazy).data_vars.values())


def test_without_time_and_with_a_leading_axis() -> None:
    channels = Channels.of({"2m_temperature": None, "temperature": [500]})
    fields = np.random.default_rng(1).standard_normal((3, 2, *GRID.shape))
    axes = {"latitude": list(GRID.latitude), "longitude": list(GRID.longitude)}
    dataset = channels.unstack(fields, axes, ("realization", "channel", "latitude", "longitude"))
    assert dataset["temperature"].dims == ("realization", "level", "latitude", "longitude")
    np.testing.assert_array_equal(channels.stack(dataset), fields)


def test_float_levels_are_found() -> None:
    world = mock_states(GRID, TIMES, {"temperature": [500]})
    world = world.assign_coords(level=world["level"].astype(np.float64))
    assert inventory(world) == ["temperature_500"]
    assert Channels.of({"temperature": [500]}).stack(world).sizes["channel"] == 1


def test_index() -> None:
    channels = Channels.of({"temperature": [850, 500]})
    assert [channels.index(name) for name in channels.names] == [0, 1]
    with pytest.raises(DataError, match="no channel 'temperature_300'; expected one of: temperature_850"):
        channels.index("temperature_300")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"temperature": None}, "variable temperature: got levels None, expected a list of levels in hPa"),
        ({"temperature": []}, r"variable temperature: got levels \[\], expected a list of levels in hPa"),
        ({"2m_temperature": [850]}, r"variable 2m_temperature: got levels \[850\], expected null, it has no levels"),
        ({"rain": None}, "unknown variable 'rain'; expected one of"),
        ({"temperature": [500, 500]}, "channels occur twice: temperature_500; name each variable and level once"),
        ({"temperature": [-500]}, "channel temperature_-500: got level -500, expected whole hPa in 1..1100"),
        ({"temperature": [50000]}, "got level 50000, expected whole hPa"),
        ({}, "got no channels, expected at least one variable"),
    ],
)
def test_refused_variables(variables: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Channels.of(variables)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("temperature", "channel temperature: got level None, expected whole hPa"),
        ("2m_temperature_500", "channel 2m_temperature_500: got level 500, expected none"),
        ("rain_500", "unknown variable 'rain'"),
        ("rain", "unknown variable 'rain'"),
    ],
)
def test_refused_names(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Channels.from_names([name])


def test_a_channel_that_the_data_lack_is_named() -> None:
    world = mock_states(GRID, TIMES, {"temperature": [500]})
    with pytest.raises(DataError, match="the data lack temperature_850, 2m_temperature; they have temperature_500"):
        Channels.of({"temperature": [500, 850], "2m_temperature": None}).stack(world)
    with pytest.raises(DataError, match="they have nothing known"):
        Channels.of({"2m_temperature": None}).select(xr.Dataset())


@pytest.mark.parametrize(
    ("dims", "got"), [(("channel", "latitude", "longitude"), "2 channels"), (("time", "latitude", "longitude"), "dims")]
)
def test_unstack_refuses_another_channel_axis(dims: tuple[str, ...], got: str) -> None:
    with pytest.raises(DataError, match=rf"got {got}.*, expected 1 along 'channel': 2m_temperature; stack them first"):
        Channels.of({"2m_temperature": None}).unstack(np.zeros((2, 4, 8)), {}, dims)
