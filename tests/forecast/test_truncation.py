"""Truncation: what it keeps, and what it takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_pipeline.channels import Channels
from data_pipeline.grid import Grid
from forecast.truncation import Truncation

from .small_networks import smooth_fields
from .test_padding import rotation

CHANNELS = Channels.of({"u_component_of_wind": [850], "v_component_of_wind": [850], "2m_temperature": None})
GRIDS = pytest.mark.parametrize("grid", [Grid.gaussian(32, 64), Grid.equiangular(16, 32, poles=False)], ids=str)


@GRIDS
def test_smooth_fields_and_winds_stay(grid: Grid) -> None:
    fields = torch.from_numpy(rotation(grid, np.array([0.6, 0.3, 0.74])))
    fields = fields + torch.cat([torch.zeros(1, 2, *grid.shape), smooth_fields(grid, 1, 1, 8)], dim=1)
    torch.testing.assert_close(Truncation(CHANNELS, grid)(fields), fields, rtol=1e-10, atol=1e-10)


@GRIDS
def test_truncating_twice_is_truncating_once(grid: Grid) -> None:
    truncation, fields = Truncation(CHANNELS, grid), torch.randn(2, 3, *grid.shape, dtype=torch.float64)
    once = truncation(fields)
    assert not torch.allclose(once, fields)
    torch.testing.assert_close(truncation(once), once, rtol=1e-9, atol=1e-9)


@GRIDS
def test_rolling_and_exchanging_north_and_south_commute(grid: Grid) -> None:
    truncation, fields = Truncation(CHANNELS, grid), torch.randn(2, 3, *grid.shape, dtype=torch.float64)
    once = truncation(fields)
    torch.testing.assert_close(truncation(fields.roll(3, -1)), once.roll(3, -1), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(truncation(fields.flip(-2)), once.flip(-2), rtol=1e-9, atol=1e-9)


def test_rough_rows_at_the_pole_become_smooth() -> None:
    grid = Grid.gaussian(32, 64)
    fields = torch.zeros(1, 3, *grid.shape)
    fields[..., 0, :] = torch.randn(64)
    waves = torch.fft.rfft(Truncation(CHANNELS, grid)(fields)[0, :, 0], norm="forward").abs()
    assert waves[:, 12:].max() < 1e-4 * waves[:, :3].max()


def test_gradients_go_through_in_the_type_of_the_fields() -> None:
    fields = torch.randn(2, 3, 8, 16, requires_grad=True)
    truncated = Truncation(CHANNELS, Grid.gaussian(8, 16))(fields)
    truncated.square().sum().backward()
    assert truncated.dtype == torch.float32
    assert fields.grad is not None
    assert fields.grad.abs().amin((0, 2, 3)).min() > 0


@GRIDS
def test_sums_over_time_are_kept_whole(grid: Grid) -> None:
    channels = Channels.of({"total_precipitation": None, "2m_temperature": None})
    fields = torch.randn(2, 2, *grid.shape)
    truncated = Truncation(channels, grid)(fields)
    rain = channels.names.index("total_precipitation")
    assert torch.equal(truncated[:, rain], fields[:, rain])
    assert not torch.allclose(truncated[:, 1 - rain], fields[:, 1 - rain], atol=0.1)


@GRIDS
def test_parts_keep_their_shares_and_add_up(grid: Grid) -> None:
    """The degrees, and what is beyond them; products of parts are those of the whole."""
    channels = Channels.of({"u_component_of_wind": [850], "2m_temperature": None, "total_precipitation": None})
    truncation = Truncation(channels, grid)
    fields, others = torch.randn(2, 4, 3, *grid.shape, dtype=torch.float64)
    smooth, kept = truncation(fields), torch.rand(3, truncation.shares, dtype=torch.float64)
    left = truncation(fields, kept)
    wind, temperature, rain = (channels.names.index(name) for name in (
        "u_component_of_wind_850", "2m_temperature", "total_precipitation"))  # fmt: skip
    for number in (wind, temperature):
        expected = truncation(smooth, kept)[:, number] + kept[number, -1] * (fields - smooth)[:, number]
        torch.testing.assert_close(left[:, number], expected, rtol=1e-9, atol=1e-9)
    areas, cosine = (torch.from_numpy(each)[:, None] for each in (
        grid.area_weights(), np.cos(np.deg2rad(grid.latitude))))  # fmt: skip
    products = truncation.products(fields, others)
    waves, other_waves = truncation.coefficients(fields), truncation.coefficients(others)
    for number, scale in ((wind, cosine), (temperature, torch.ones_like(cosine))):
        rest, other = ((each - truncation(each))[:, number] * scale for each in (fields, others))
        torch.testing.assert_close(products[:, number, -1], (rest * other * areas).mean((-2, -1)))
        for degree in (0, 1, 5):
            which = slice(degree**2, (degree + 1) ** 2)
            expected = (waves * other_waves)[:, number, which].sum(-1)
            torch.testing.assert_close(products[:, number, degree], expected)
    whole = (fields * fields * areas)[:, rain].mean((-2, -1))
    torch.testing.assert_close(truncation.products(fields, fields)[:, rain, 0], whole, rtol=0.1, atol=0.0)
    assert (products[:, rain] == products[:, rain, :1]).all()
