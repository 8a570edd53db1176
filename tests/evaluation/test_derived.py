"""Derived variables: integrals, speeds, and the same fields on the sides of forecast and truth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.channels import Channel
from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.baselines import Persistence
from evaluation.derived import DERIVED, HEAT_CAPACITY, DerivedChannel, derived_channels
from evaluation.pairs import Snapshots, match
from evaluation.question import Question
from evaluation.readers import open_runs
from evaluation.record import Record
from evaluation.score import score
from evaluation.sphere import divergence, geostrophic_wind, vorticity
from tests.evaluation.conftest import RisingClimatology
from tests.mock_world import mock_states, mock_times

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = (250, 500, 850)
VARIABLES = {
    "geopotential": LEVELS,
    "temperature": LEVELS,
    "u_component_of_wind": LEVELS,
    "v_component_of_wind": LEVELS,
    "specific_humidity": LEVELS,
    "10m_u_component_of_wind": None,
    "10m_v_component_of_wind": None,
}


@pytest.fixture
def world() -> xr.Dataset:
    return mock_states(Grid.equiangular(13, 24, poles=True), mock_times("2001-01-01", 4, 12), VARIABLES)


@pytest.fixture
def run(world: xr.Dataset, tmp_path: Path) -> xr.Dataset:
    """Three members, two leads."""
    return make_run(world, tmp_path)


def make_run(world: xr.Dataset, folder: Path, name: str = "run.nc") -> xr.Dataset:
    rng = np.random.default_rng(3)
    states = world.isel(time=slice(1, 3))
    members = xr.concat([states * (1 + 0.01 * rng.standard_normal()) for _ in range(3)], "realization")
    for variable in members.data_vars:
        members[variable].attrs = world[variable].attrs
    members = members.assign_coords(forecast_reference_time=world["time"].values[0])
    members.to_netcdf(folder / name, engine="netcdf4")
    return open_runs(folder / name)[0]


def brute_force(states: xr.Dataset, name: str, level: int | None) -> np.ndarray:
    """One member's derived field, written out."""
    chosen = states if level is None else states.sel(level=level)
    if name.endswith("wind_speed"):
        prefix = "10m_" if name.startswith("10m") else ""
        return np.sqrt(
            chosen[f"{prefix}u_component_of_wind"].values ** 2 + chosen[f"{prefix}v_component_of_wind"].values ** 2
        )
    if name == "geopotential_thickness_500_850":
        return states["geopotential"].sel(level=500).values - states["geopotential"].sel(level=850).values
    q, u, v, t, z = (
        states[part].values.astype(float)
        for part in ("specific_humidity", "u_component_of_wind", "v_component_of_wind", "temperature", "geopotential")
    )
    pressure = 100.0 * states["level"].values
    column = lambda values: np.trapezoid(values, pressure, axis=0) / 9.80665  # noqa: E731
    if name == "integrated_vapour_transport":
        return np.sqrt(column(q * u) ** 2 + column(q * v) ** 2)
    return column(q) if name == "total_column_water_vapour" else column(1004.7 * t + z + (u**2 + v**2) / 2)


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("10m_wind_speed", [None]),
        ("wind_speed", list(LEVELS)),
        ("geopotential_thickness_500_850", [None]),
        ("total_column_water_vapour", [None]),
        ("integrated_vapour_transport", [None]),
        ("dry_energy", [None]),
    ],
)
def test_members_and_truth_are_made_alike(world: xr.Dataset, run: xr.Dataset, name: str, levels: list) -> None:
    matches, lacking = match([run], world, [name])
    assert lacking == []
    assert [pair.channel.level for pair in matches] == levels * 2
    for pair in matches:
        forecast = run.sel(lead_time=pair.lead_time)
        expected = [brute_force(forecast.isel(realization=index), name, pair.channel.level) for index in range(3)]
        np.testing.assert_allclose(pair.members(), expected, rtol=2e-6)
        observed = Snapshots(world).field(pair.channel, pair.valid_time)
        np.testing.assert_allclose(
            observed, brute_force(world.sel(time=pair.valid_time), name, pair.channel.level), rtol=2e-6
        )
        initial = Persistence(Record(world)).forecast(pair, observed)
        start = Snapshots(world).field(pair.channel, pair.initial_time)
        np.testing.assert_allclose(initial.error, start.astype(float) - observed)


def test_the_speed_of_members_is_not_the_speed_of_their_mean() -> None:
    wind = {"u_component_of_wind": np.array([[[3.0]], [[-3.0]]]), "v_component_of_wind": np.zeros((2, 1, 1))}
    channel = DerivedChannel("wind_speed", 500, tuple(Channel(name, 500) for name in wind))
    members = channel.make(lambda part: wind[part.variable_name], Grid.equiangular(2, 2, poles=False))
    assert members.mean() == 3.0


def test_vorticity_and_divergence_of_members_are_those_of_each(world: xr.Dataset, run: xr.Dataset) -> None:
    grid = Grid.of(world)
    for name, function in (("relative_vorticity", vorticity), ("divergence", divergence)):
        pair = match([run], world, [name])[0][0]
        wind = (
            run[part].sel(lead_time=pair.lead_time, level=250).values
            for part in ("u_component_of_wind", "v_component_of_wind")
        )
        np.testing.assert_allclose(pair.members(), function(*wind, grid), rtol=1e-5, atol=1e-12)


def test_ageostrophic_wind_is_what_geostrophy_leaves(world: xr.Dataset) -> None:
    grid = Grid.of(world)
    height = world["geopotential"].sel(level=500).isel(time=0).values
    geostrophic = geostrophic_wind(height, grid)
    fields = {
        "geopotential": height,
        "u_component_of_wind": geostrophic[0] + 3,
        "v_component_of_wind": geostrophic[1] + 4,
    }
    channel = derived_channels("ageostrophic_wind_speed", [{Channel(name, 500) for name in fields}], set())[0]
    found = channel.make(lambda part: fields[part.variable_name].astype(float), grid)
    np.testing.assert_allclose(found[np.isfinite(found)], 5.0, rtol=1e-9)
    assert np.isfinite(found).any()


def test_a_missing_value_stays_missing(world: xr.Dataset) -> None:
    world["u_component_of_wind"][0, :, 4, 5] = np.nan
    channels = {Channel(name, level) for name in VARIABLES for level in LEVELS}
    for name, width in (("wind_speed", 1), ("integrated_vapour_transport", 1), ("relative_vorticity", 3)):
        channel = derived_channels(name, [channels], channels)[0]
        found = Snapshots(world).field(channel, world["time"].values[0])
        assert np.isnan(found).sum() == width
        assert np.isnan(found[4, 5])


def test_a_column_is_of_the_levels_that_both_sides_have(world: xr.Dataset, tmp_path: Path) -> None:
    run = make_run(world.sel(level=[500, 850]), tmp_path)
    matches, lacking = match([run], world, ["total_column_water_vapour"])
    assert lacking == []
    pair = matches[0]
    expected = brute_force(world.sel(level=[500, 850], time=pair.valid_time), "total_column_water_vapour", None)
    np.testing.assert_allclose(Snapshots(world).field(pair.channel, pair.valid_time), expected, rtol=1e-6)


def test_a_variable_that_both_sides_hold_is_not_made_but_one_that_one_side_holds_is(
    world: xr.Dataset, tmp_path: Path
) -> None:
    held = world.assign({"10m_wind_speed": 0 * world["10m_u_component_of_wind"] + 7})
    pair = match([make_run(held, tmp_path)], held, ["10m_wind_speed"])[0][0]
    assert not isinstance(pair.channel, DerivedChannel)
    np.testing.assert_array_equal(Snapshots(held).field(pair.channel, pair.valid_time), 7)
    pair = match([make_run(world, tmp_path, "other.nc")], held, ["10m_wind_speed"])[0][0]
    assert isinstance(pair.channel, DerivedChannel)
    assert (Snapshots(held).field(pair.channel, pair.valid_time) != 7).any()


def test_what_cannot_be_made_is_said(world: xr.Dataset, run: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(
        ScoreError, match=r"100m_wind_speed cannot be made of .*; expected 100m_u_component_of_wind, 100m_v"
    ):
        match([run], world, ["100m_wind_speed"])
    one_level = make_run(world.sel(level=[500]), tmp_path, "one.nc")
    with pytest.raises(ScoreError, match=r"dry_energy cannot be made of .* on two levels that both sides have"):
        match([one_level], world, ["dry_energy"])
    with pytest.raises(
        ScoreError, match=r"no forecast has cloud; they have .*; of these can be made 10m_wind_speed, wind_"
    ):
        match([run], world, ["cloud"])
    matches, lacking = match([run], world.drop_vars("v_component_of_wind"), ["wind_speed"])
    assert matches == []
    assert lacking[0] == "the truth lacks v_component_of_wind_250, of which wind_speed_250 is made"


def test_units_of_what_it_is_made_of_are_checked(world: xr.Dataset, run: xr.Dataset) -> None:
    for data in (world, run):
        data["10m_u_component_of_wind"].attrs["units"] = "knots"
    with pytest.raises(
        ScoreError, match="10m_u_component_of_wind is in 'knots', expected 'm s-1' to make other variables"
    ):
        match([run], world, ["10m_wind_speed"])


def test_scores_of_a_derived_variable_are_those_of_the_variable_written_out(world: xr.Dataset, tmp_path: Path) -> None:
    """The same numbers as from files that hold it; the climatology says that it lacks it."""

    def with_speed(data: xr.Dataset) -> xr.Dataset:
        speed = np.hypot(data["u_component_of_wind"], data["v_component_of_wind"])
        return data.assign({"wind_speed": speed.assign_attrs(units="m s-1")})

    make_run(world, tmp_path)
    held = with_speed(world)
    states = xr.open_dataset(tmp_path / "run.nc", decode_timedelta=False).load()
    with_speed(states).to_netcdf(tmp_path / "held.nc", engine="netcdf4")
    question = Question(("crps", "rmse", "spread_skill"), ("wind_speed",), ("global", "tropics"))
    made = score([tmp_path / "run.nc"], world, question).scores
    read = score([tmp_path / "held.nc"], held, question).scores
    for name in ("crps_wind_speed", "rmse_wind_speed", "spread_skill_wind_speed"):
        assert made[name].sizes == {"model": 2, "lead_time": 2, "region": 2, "level": 3}
        np.testing.assert_allclose(made[name], read[name], rtol=1e-5)
    climatology = RisingClimatology(world)
    with pytest.raises(ScoreError, match="the climatology lacks wind_speed_250"):
        score([tmp_path / "run.nc"], world, question, climatology=climatology)
    found = score([tmp_path / "run.nc"], world, replace(question, allow_missing=True), climatology=climatology).scores
    assert np.isnan(found["crps_wind_speed"].sel(model="climatology")).all()
    np.testing.assert_array_equal(found["crps_wind_speed"].sel(model="forecast"), made["crps_wind_speed"][0])


def test_every_derived_variable_can_be_had_of_everything() -> None:
    names = ("geopotential", "temperature", "specific_humidity", "u_component_of_wind", "v_component_of_wind")
    held = {Channel(name, level) for name in names for level in (200, 250, 300, 500, 700, 850, 1000)}
    held |= {Channel(f"{height}_{name}") for height in ("10m", "100m") for name in names[3:]}
    grid = Grid.equiangular(8, 16, poles=False)
    for name in DERIVED:
        for channel in derived_channels(name, [held], held):
            assert channel.make(lambda _: np.ones((2, *grid.shape), np.float32), grid).shape == (2, *grid.shape)


def test_heat_capacity_is_seven_halves_of_the_gas_constant() -> None:
    assert pytest.approx(3.5 * 287.06, rel=1e-4) == HEAT_CAPACITY
