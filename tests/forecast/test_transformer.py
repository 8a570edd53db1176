"""The transformer's own parts: places of tokens, patches without seams."""

from __future__ import annotations

import pytest
import torch

from data_pipeline.grid import Grid
from forecast.config import ModelConfig
from forecast.networks import NETWORKS, SphericalTransformer
from forecast.networks.transformer import rotated, rotations

from .small_networks import condition, network, smooth_fields

LIKE = torch.zeros((), dtype=torch.float64)


@pytest.mark.parametrize("size", [1, 2, 3, 8, 15])
def test_turning_keeps_lengths(size: int) -> None:
    features = torch.randn(2, 4, 32, size, dtype=torch.float64)
    turned = rotated(features, rotations(4, 8, size, LIKE))
    torch.testing.assert_close(turned.norm(dim=-1), features.norm(dim=-1))


def test_product_depends_on_the_difference_of_longitudes_modulo_360() -> None:
    """Of one query and one key, put at every place in turn."""
    rows, columns = 4, 8
    query, key = torch.randn(2, 1, 1, 1, 12, dtype=torch.float64)
    rotation = rotations(rows, columns, 12, LIKE)
    turned = [rotated(one.expand(1, 1, rows * columns, 12), rotation)[0, 0] for one in (query, key)]
    products = (turned[0] @ turned[1].T).unflatten(0, (rows, columns)).unflatten(-1, (rows, columns))
    for shift in range(columns):
        moved = products.roll((shift, shift), (1, 3))
        torch.testing.assert_close(moved, products, rtol=0, atol=1e-12)
    assert products[0, 0, 0].diff().abs().min() > 0
    assert products[0, 0, :, 0].diff().abs().min() > 0


def test_a_constant_field_is_the_same_at_every_longitude_but_not_latitude() -> None:
    made = network("transformer", patch=2).double()
    out = made(torch.ones(1, 5, 8, 16, dtype=torch.float64), condition(1, torch.float64))
    torch.testing.assert_close(out[..., 2:], out[..., :-2], rtol=0, atol=1e-12)
    assert out.std(-2).min() > 0


@pytest.mark.parametrize("patch", [2, 4])
def test_no_seams_between_patches(patch: int) -> None:
    """Neighbouring cells of two patches differ no more than those of one: half of one patch's window is the other's.

    In the mean of random networks, of which single ones have from 1.0 to 1.4 times as much with patches of 4.
    """
    jumps = torch.zeros(patch, dtype=torch.float64)
    for seed in range(12):
        made = network("transformer", seed=seed, patch=patch, widths=(32,)).double()
        with torch.inference_mode():
            out = made(smooth_fields(Grid.gaussian(32, 64), 4, 5, degree=8), condition(4, torch.float64))
        each = out.diff(dim=-1, append=out[..., :1]).square().unflatten(-1, (-1, patch)).mean((0, 1, 2, 3))
        jumps += each / each.mean()
    within, across = jumps[:-1], jumps[-1]
    assert across < 1.25 * within.mean()


def test_learns_detail_within_a_patch() -> None:
    """The cells of a patch are no interpolation of its neighbours': a few steps of training tell them apart."""
    torch.manual_seed(0)
    made = NETWORKS["transformer"]([1], 1, ModelConfig(network="transformer", widths=(16,), step_hours=24))
    fields, given = torch.randn(8, 1, 4, 8), condition(8)
    optimizer = torch.optim.Adam(made.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        loss = (made(fields, given) - fields).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.1


def test_sizes_are_those_of_the_config() -> None:
    config = ModelConfig(network="transformer", widths=(16,), blocks=3, patch=4, step_hours=24)
    made = NETWORKS["transformer"]([1, -1], 3, config)
    assert isinstance(made, SphericalTransformer)
    assert len(made.blocks) == 3
    assert made.stem.weight.shape == (16, 2, 8, 8)
    assert made.head.weight.shape == (3, 4, 3, 3)
