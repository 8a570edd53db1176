"""What a network may not know of its grid: where longitude begins, and where the poles are.

Pooling and patches are blocks of cells, so a network commutes with rolls by its coarsest cell, to rounding. A roll by
fewer cells moves the field against the blocks: the output then differs, by little for smooth fields.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from data_pipeline.grid import Grid
from forecast import networks

from .small_networks import COARSEST, MODELS, SIGNS, condition, network, smooth_fields

EVERY = pytest.mark.parametrize("name", MODELS)
GRID = Grid.gaussian(32, 64)
DEGREE = 8


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def of_smooth_fields(name: str, batch: int = 8) -> Tensor:
    """The output of a random network for isotropic fields of up to ``DEGREE``."""
    with torch.inference_mode():
        fields = smooth_fields(GRID, batch, len(SIGNS), DEGREE)
        output: Tensor = network(name).double()(fields, condition(batch, torch.float64))
    return output


@EVERY
@pytest.mark.parametrize("cells", [COARSEST, 5 * COARSEST, 32, -COARSEST])
def test_rolling_longitude_commutes(name: str, cells: int) -> None:
    made, given = network(name).double(), condition(2, torch.float64)
    fields = torch.randn(2, len(SIGNS), *GRID.shape, dtype=torch.float64)
    expected = made(fields, given).roll(cells, -1)
    torch.testing.assert_close(made(fields.roll(cells, -1), given), expected, rtol=1e-9, atol=1e-9)


@EVERY
def test_rolling_by_one_cell_commutes_nearly_for_smooth_fields(name: str) -> None:
    """Measured 0.3 of the output's standard deviation in random U-Nets and 0.12 in random transformers."""
    fields, given = smooth_fields(GRID, 4, len(SIGNS), DEGREE), condition(4, torch.float64)
    made = network(name).double()
    output = made(fields, given)
    error = made(fields.roll(1, -1), given) - output.roll(1, -1)
    assert error.std() < 0.4 * (output - output.mean((-1, -2), keepdim=True)).std()


@pytest.mark.parametrize(("name", "sizes"), [("unet", {"widths": (8,)}), ("transformer", {"patch": 1})])
@pytest.mark.parametrize("cells", [1, 7])
def test_rolling_by_any_cell_commutes_without_blocks(name: str, sizes: dict[str, object], cells: int) -> None:
    made, given = network(name, **sizes).double(), condition(1, torch.float64)
    fields = torch.randn(1, len(SIGNS), 8, 16, dtype=torch.float64)
    expected = made(fields, given).roll(cells, -1)
    torch.testing.assert_close(made(fields.roll(cells, -1), given), expected, rtol=1e-9, atol=1e-9)


def jump_at_the_seam(output: Tensor) -> float:
    """Mean square difference across 0/360 over that across the other meridians between coarsest cells."""
    jumps = output.diff(dim=-1, append=output[..., :1]).square().mean((0, 1, 2))[COARSEST - 1 :: COARSEST]
    return float(jumps[-1] / jumps[:-1].mean())


@EVERY
def test_no_seam_at_the_first_meridian(name: str) -> None:
    assert 0.5 < jump_at_the_seam(of_smooth_fields(name)) < 1.5


@EVERY
def test_seam_is_found_where_padding_ends_the_world(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin that shows the test above to see: zeros beyond 0 and 360 degrees."""

    def ending(fields: Tensor, width: int, sign: Tensor | None = None) -> Tensor:
        return functional.pad(fields, (width, width, width, width))

    for module in (networks.unet, networks.transformer):
        monkeypatch.setattr(module, "pad_sphere", ending)
    assert jump_at_the_seam(of_smooth_fields(name)) > 3


@EVERY
def test_short_zonal_waves_are_weaker_near_the_poles(name: str) -> None:
    """Cells are narrow there, so a smooth isotropic field has less of them, row by row, than at 45 degrees.

    The input has no zonal waves beyond ``DEGREE`` anywhere. Those of the output are the network's own: its
    nonlinearity, which follows the input's, and its blocks and the poles, which would not.
    """
    waves = torch.fft.rfft(of_smooth_fields(name), norm="forward").abs().square().mean((0, 1))
    short = waves[:, DEGREE + 1 :].sum(-1)
    latitude = torch.tensor(GRID.latitude).abs()
    assert short[latitude > 80].max() < 0.5 * short[(latitude > 40) & (latitude < 50)].mean()
