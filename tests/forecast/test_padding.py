"""Padding on the sphere against a twin by brute force and a rotating globe."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_pipeline.grid import Grid
from forecast.networks.padding import pad_sphere, twice_as_fine


def brute_force(fields: np.ndarray, width: int, sign: np.ndarray) -> np.ndarray:
    """Each cell of the padded field looked up by itself: over a pole, half a turn round, sign changed."""
    rows, columns = fields.shape[-2:]
    padded = np.empty((*fields.shape[:-2], rows + 2 * width, columns + 2 * width))
    for i in range(-width, rows + width):
        for j in range(-width, columns + width):
            row, column, factor = i, j, np.ones_like(sign)
            if i < 0:
                row, column, factor = -1 - i, j + columns // 2, sign
            elif i >= rows:
                row, column, factor = 2 * rows - 1 - i, j + columns // 2, sign
            padded[..., i + width, j + width] = fields[..., row, column % columns] * factor
    return padded


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("shape", [(4, 8), (6, 6)])
def test_equals_brute_force(width: int, shape: tuple[int, int]) -> None:
    fields = torch.randn(2, 3, *shape, dtype=torch.float64)
    sign = torch.tensor([1.0, -1.0, 1.0])
    expected = brute_force(fields.numpy(), width, sign.numpy())
    np.testing.assert_array_equal(pad_sphere(fields, width, sign).numpy(), expected)


def test_without_sign_nothing_turns() -> None:
    fields = torch.randn(1, 2, 4, 8)
    assert torch.equal(pad_sphere(fields, 2), pad_sphere(fields, 2, torch.ones(2)))


def test_shape_and_type() -> None:
    padded = pad_sphere(torch.zeros(2, 3, 4, 8, dtype=torch.bfloat16), 2, torch.ones(3))
    assert padded.shape == (2, 3, 8, 12)
    assert padded.dtype == torch.bfloat16


def rotation(grid: Grid, axis: np.ndarray) -> np.ndarray:
    """(u, v, height above the axis' equator) of a globe in solid rotation about ``axis``, shape (3, lat, lon)."""
    latitude, longitude = np.meshgrid(*map(np.deg2rad, (grid.latitude, grid.longitude)), indexing="ij")
    up = np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])
    east = np.stack([-np.sin(longitude), np.cos(longitude), np.zeros_like(longitude)])
    north = np.stack([-np.sin(latitude) * np.cos(longitude), -np.sin(latitude) * np.sin(longitude), np.cos(latitude)])
    velocity = np.cross(axis, up, axisb=0, axisc=0)
    return np.stack([(velocity * east).sum(0), (velocity * north).sum(0), np.tensordot(axis, up, 1)])


def roughness(column: torch.Tensor) -> float:
    """The largest second difference along latitude."""
    return float(column.diff(n=2, dim=-2).abs().max())


def test_vector_field_continues_smoothly_over_the_poles() -> None:
    grid = Grid.equiangular(32, 64, poles=False)
    fields = torch.from_numpy(rotation(grid, np.array([0.6, 0.3, 0.74])))[None]
    inside = roughness(fields)
    good = pad_sphere(fields, 2, torch.tensor([-1.0, -1.0, 1.0]))
    assert roughness(good) < 1.1 * inside
    for wrong in ([1.0, -1.0, 1.0], [-1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]):
        assert roughness(pad_sphere(fields, 2, torch.tensor(wrong))) > 10 * inside


def test_padding_is_periodic_in_longitude() -> None:
    fields = torch.randn(1, 2, 4, 8)
    sign = torch.tensor([1.0, -1.0])
    rolled = pad_sphere(fields.roll(3, -1), 2, sign)
    assert torch.equal(rolled[..., 2:-2], pad_sphere(fields, 2, sign)[..., 2:-2].roll(3, -1))


def image(fields: torch.Tensor, sign: torch.Tensor) -> torch.Tensor:
    """The same sphere seen over a pole: latitudes the other way round, half a turn on, signs changed."""
    return fields.flip(-2).roll(fields.shape[-1] // 2, -1) * sign[:, None, None]


def test_beyond_a_pole_is_the_image_and_beyond_it_the_field_again() -> None:
    fields, sign = torch.randn(2, 2, 4, 8), torch.tensor([1.0, -1.0])
    twice = image(image(fields, sign), sign)
    assert torch.equal(twice, fields)
    padded = pad_sphere(fields, 4, sign)[..., 4:-4]
    assert torch.equal(padded, torch.cat([image(fields, sign), fields, image(fields, sign)], dim=-2))


@pytest.mark.parametrize("width", [1, 3])
def test_north_and_south_are_padded_alike(width: int) -> None:
    fields, sign = torch.randn(1, 2, 4, 8), torch.tensor([1.0, -1.0])
    assert torch.equal(pad_sphere(fields.flip(-2), width, sign), pad_sphere(fields, width, sign).flip(-2))


def test_padding_by_nothing_is_the_field() -> None:
    fields = torch.randn(1, 2, 4, 8)
    assert torch.equal(pad_sphere(fields, 0, torch.ones(2)), fields)


def test_finer_fields_are_linear_between_the_coarse_cells() -> None:
    """A fine cell lies a quarter of a coarse one from its centre: 3/4 of that, 1/4 of the next, in both directions."""
    coarse = torch.randn(1, 2, 4, 8, dtype=torch.float64)
    padded, fine = pad_sphere(coarse, 1), twice_as_fine(coarse)
    rows = torch.stack([padded[..., 1:-1, :] * 0.75 + padded[..., 1 + d : 5 + d, :] * 0.25 for d in (-1, 1)], dim=-2)
    rows = rows.flatten(-3, -2)
    both = torch.stack([rows[..., 1:-1] * 0.75 + rows[..., 1 + d : 9 + d] * 0.25 for d in (-1, 1)], dim=-1)
    torch.testing.assert_close(fine, both.flatten(-2))


def test_finer_fields_know_neither_seam_nor_pole() -> None:
    """A smooth field through a pole, pooled as in the network, comes back nowhere rougher, and rolls."""
    truth = torch.from_numpy(rotation(Grid.equiangular(32, 64, poles=False), np.array([0.6, 0.3, 0.74])))[None, 2:]
    coarse = torch.nn.functional.avg_pool2d(truth, 2)
    fine = twice_as_fine(coarse)
    assert (fine - truth).abs().max() < 0.01
    torch.testing.assert_close(twice_as_fine(coarse.roll(5, -1)), fine.roll(10, -1))


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradients_are_those_of_finite_differences_in_the_layout_of_the_fields(
    width: int, layout: torch.memory_format
) -> None:
    fields = torch.randn(2, 3, 4, 8, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    for sign in (None, torch.tensor([1.0, -1.0, 1.0])):
        assert torch.autograd.gradcheck(lambda x, sign=sign: pad_sphere(x, width, sign), fields)
    padded = pad_sphere(fields, width)
    padded.sum().backward()
    assert padded.is_contiguous(memory_format=layout)
    assert fields.grad is not None
    assert fields.grad.is_contiguous(memory_format=layout)
