"""The mock world itself: valid, canonical, the same function on every grid."""

from __future__ import annotations

import numpy as np
import pytest

from data_pipeline.canonical import check
from data_pipeline.channels import Channels
from data_pipeline.grid import Grid
from data_pipeline.quality import check_values
from data_pipeline.regrid import Regridder
from data_pipeline.variables import VARIABLES
from tests.mock_world import mock_states, mock_static, mock_times

LEVELS = (1000, 850, 500, 250, 50)


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_every_variable_is_inside_its_valid_range_all_year(name: str) -> None:
    wanted = {name: LEVELS if VARIABLES[name].on_levels else None}
    world = mock_states(Grid.equiangular(18, 36, poles=False), mock_times("2000-01-01", 24, hours=24 * 15), wanted)
    check(world)
    channels = Channels.of(wanted)
    check_values(channels.stack(world), channels)
    assert all(float(field.std()) > 0 for field in world.data_vars.values())


def test_static_fields_do_not_move() -> None:
    static = mock_static(Grid.gaussian(8, 16))
    check(static)
    assert all(field.dims == ("latitude", "longitude") for field in static.data_vars.values())


def test_seeds_are_other_weather_and_the_same_seed_is_the_same() -> None:
    grid, times = Grid.gaussian(8, 16), mock_times("2000-01-01", 2)
    assert mock_states(grid, times).equals(mock_states(grid, times))
    assert not mock_states(grid, times).equals(mock_states(grid, times, seed=1))


def test_grids_see_the_same_planet() -> None:
    fine, coarse = Grid.equiangular(96, 192, poles=False), Grid.equiangular(24, 48, poles=False)
    times = mock_times("2000-03-01", 1)
    expected = mock_states(coarse, times)["mean_sea_level_pressure"]
    regridded = Regridder(fine, coarse)(mock_states(fine, times))["mean_sea_level_pressure"]
    assert float(np.abs(regridded - expected).max()) < 0.02 * float(expected.max() - expected.min())
