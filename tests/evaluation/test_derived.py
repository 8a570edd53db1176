"""Derived variables: closed forms on the sphere, integrals, and the same fields on the sides of forecast and truth."""

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
from evaluation.score import score
from evaluation.sphere import EARTH_RADIUS, EARTH_ROTATION, divergence, geostrophic_wind, gradient, vorticity
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
GRIDS = {
    "poles": lambda n: Grid.equiangular(n + 1, 2 * n, poles=True),
    "half a cell off": lambda n: Grid.equiangular(n, 2 * n, poles=False),
    "gaussian": lambda n: Grid.gaussian(n, 2 * n),
}


def radians(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    return np.deg2rad(np.asarray(grid.latitude))[:, None], np.deg2rad(np.asarray(grid.longitude))[None]


def rossby_haurwitz(grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """u, v and vorticity of the wave of Phillips 1959 (Williamson et al. 1992, doi:10.1016/S0021-9991(05)80016-6)."""
    lat, lon = radians(grid)
    omega = k = 7.848e-6
    r, a = 4, EARTH_RADIUS
    u = a * omega * np.cos(lat) + a * k * np.cos(lat) ** (r - 1) * (r * np.sin(lat) ** 2 - np.cos(lat) ** 2) * np.cos(
        r * lon
    )
    v = -a * k * r * np.cos(lat) ** (r - 1) * np.sin(lat) * np.sin(r * lon)
    zeta = 2 * omega * np.sin(lat) - k * np.sin(lat) * np.cos(lat) ** r * (r**2 + 3 * r + 2) * np.cos(r * lon)
    return u, v, zeta


def across_the_pole(grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """u, v, vorticity and divergence of the horizontal part of a uniform wind along the axis of longitude 0.

    It is the gradient of the potential a cos(lat) cos(lon), whose Laplacian is -2/a^2 times it.
    """
    lat, lon = radians(grid)
    u, v = -np.sin(lon) + 0 * lat, -np.sin(lat) * np.cos(lon)
    return u, v, 0 * u, -2 / EARTH_RADIUS * np.cos(lat) * np.cos(lon)


def worst(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_vorticity_of_a_rotating_body_is_twice_its_rotation_at_every_row(make) -> None:
    grid = make(90)
    lat, lon = radians(grid)
    u = EARTH_ROTATION * EARTH_RADIUS * np.cos(lat) + 0 * lon
    assert worst(vorticity(u, 0 * u, grid), 2 * EARTH_ROTATION * np.sin(lat) + 0 * lon) < 2e-3
    assert np.abs(divergence(u, 0 * u, grid)).max() < 1e-18


@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_vorticity_of_a_rossby_haurwitz_wave_converges_with_the_square_of_the_spacing(make) -> None:
    errors = []
    for size in (45, 90):
        u, v, expected = rossby_haurwitz(make(size))
        errors.append(worst(vorticity(u, v, make(size)), expected))
        assert np.abs(divergence(u, v, make(size))).max() < 0.03 * np.abs(expected).max()
    assert errors[1] < 0.01
    assert errors[0] / errors[1] > 3.4


@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_wind_straight_across_the_poles_errs_by_the_spacing_there_at_most(make) -> None:
    errors = []
    for size in (45, 90):
        u, v, zeta, expected = across_the_pole(make(size))
        errors.append(worst(divergence(u, v, make(size)), expected))
        assert worst(vorticity(u, v, make(size)) + expected, zeta + expected) < 0.1 * np.pi / size
        assert errors[-1] < 0.6 * np.pi / size
    assert errors[0] / errors[1] > 1.9


def test_divergence_at_the_poles_of_a_wind_that_leaves_one_for_the_other() -> None:
    grid = Grid.equiangular(181, 8, poles=True)
    lat, lon = radians(grid)
    v = np.cos(lat) + 0 * lon  # northward: D = -2 sin(lat) / a
    assert worst(divergence(0 * v, v, grid), -2 * np.sin(lat) / EARTH_RADIUS + 0 * lon) < 2e-3


def test_a_turn_of_the_globe_turns_the_answer() -> None:
    grid, rng = Grid.equiangular(19, 36, poles=True), np.random.default_rng(0)
    u, v = rng.standard_normal((2, *grid.shape))
    turned = vorticity(np.roll(u, 7, -1), np.roll(v, 7, -1), grid)
    np.testing.assert_allclose(np.roll(vorticity(u, v, grid), 7, axis=-1), turned, rtol=1e-9, atol=1e-16)


def test_the_globe_has_no_net_vorticity() -> None:
    grid = Grid.equiangular(91, 180, poles=True)
    u, v, expected = rossby_haurwitz(grid)
    weights = grid.area_weights()[:, None]
    assert abs((vorticity(u, v, grid) * weights).mean()) < 1e-6 * np.abs(expected).max()


def test_a_grid_that_ends_has_no_value_on_its_edges() -> None:
    grid = Grid(tuple(range(60, 20, -5)), tuple(range(0, 90, 5)))
    lat, lon = radians(grid)
    u = np.cos(lat) + 0 * lon
    found = vorticity(u, 0 * u, grid)
    assert np.isnan(found[[0, -1]]).all()
    assert np.isnan(found[:, [0, -1]]).all()
    np.testing.assert_allclose(found[1:-1, 1:-1], (2 * np.sin(lat) / EARTH_RADIUS + 0 * lon)[1:-1, 1:-1], rtol=6e-3)


def test_an_odd_number_of_longitudes_has_no_point_beyond_the_pole() -> None:
    grid = Grid.equiangular(8, 15, poles=False)
    with pytest.raises(ScoreError, match="got 15 longitudes, expected an even number"):
        vorticity(np.zeros(grid.shape), np.zeros(grid.shape), grid)


@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_geostrophic_wind_of_a_zonal_current(make) -> None:
    grid = make(90)
    lat, lon = radians(grid)
    u = 20.0 * np.cos(lat)  # Phi = -integral of f u a dlat
    geopotential = 5e4 - 20 * EARTH_RADIUS * EARTH_ROTATION * np.sin(lat) ** 2 + 0 * lon
    eastward, northward = geostrophic_wind(geopotential, grid)
    tropics = (np.abs(np.asarray(grid.latitude)) < 20) | (np.abs(np.asarray(grid.latitude)) > 89.999)
    assert np.isnan(eastward[tropics]).all()
    np.testing.assert_allclose(eastward[~tropics], (u + 0 * lon)[~tropics], rtol=3e-3)
    np.testing.assert_allclose(northward[~tropics], 0, atol=1e-9)


def test_gradient_of_a_wave_along_the_equator() -> None:
    grid = Grid.equiangular(181, 360, poles=True)
    lat, lon = radians(grid)
    eastward, northward = gradient(np.cos(lat) * np.sin(lon), grid)
    inside = slice(1, -1)
    np.testing.assert_allclose(eastward[inside] * EARTH_RADIUS, (np.cos(lon) + 0 * lat)[inside], atol=1e-4)
    np.testing.assert_allclose(northward[inside] * EARTH_RADIUS, (-np.sin(lat) * np.sin(lon))[inside], atol=1e-4)
    assert np.isnan(northward[[0, -1]]).all()


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
        initial = Persistence(world).forecast(pair, observed)
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
