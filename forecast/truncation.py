"""Triangular truncation: takes from a field what no isotropic field of the grid's resolution has."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from forecast.harmonics import SphericalTransform

if TYPE_CHECKING:
    from torch import Tensor

    from data_pipeline.channels import Channels
    from data_pipeline.grid import Grid


class Truncation:
    """Keeps the spherical harmonics up to the grid's degree, of fields (..., channel, latitude, longitude).

    Near the poles a row of a latitude-longitude grid holds zonal waves far shorter than its cells elsewhere. A network
    fills them with noise; the atmosphere does not. Over the globe little else is taken: 0.05 % of the variance of a
    day's change on the simulated planet's 32x64 grid.

    The components of a vector turn with the meridians, and are no smooth fields at a pole. Times the cosine of
    latitude they are, so that is what is truncated (Bourke 1972, Monthly Weather Review 100, 683-689). Sums over time,
    such as precipitation, are kept whole: they are rough, and have a tenth of their variance beyond the harmonics.

    ``shares`` counts the parts of a field: its degrees from 0, and last what lies beyond the harmonics.

    Raises DataError where the grid does not determine harmonics.
    """

    def __init__(self, channels: Channels, grid: Grid) -> None:
        self.transform = SphericalTransform(grid)
        vector = torch.tensor([channel.variable.crosses_pole_with_sign == -1 for channel in channels])
        cosine = torch.from_numpy(np.cos(np.deg2rad(grid.latitude)))
        self._factor = torch.where(vector[:, None, None], cosine[:, None], 1.0)
        self._areas = torch.from_numpy(grid.area_weights())[:, None]
        self._rough = torch.tensor([channel.variable.accumulated for channel in channels])
        self.shares = self.transform.degree + 2
        self._truncating = torch.ones(len(channels), self.shares)
        self._truncating[~self._rough, -1] = 0
        self._placed: dict[tuple[torch.device, torch.dtype], _Constants] = {}

    def __call__(self, fields: Tensor, kept: Tensor | None = None) -> Tensor:
        """The truncated fields, or what is left of them if of each part a share is ``kept`` (channel, shares).

        Gradients go through it.
        """
        own = self._place(fields)
        kept = own.truncating if kept is None else kept
        beyond = kept[:, -1:]
        waves = self.coefficients(fields) * (kept[:, :-1] - beyond)[:, own.degrees]
        return self.transform.fields(waves) / own.factor + beyond[..., None] * fields

    def products(self, first: Tensor, second: Tensor) -> Tensor:
        """Inner products over the sphere of two fields' parts, (..., channel, shares).

        Of vectors they are those of the field times the cosine of latitude. Sums over time are not parted: each of
        their shares has the product of the whole.
        """
        own = self._place(first)
        waves, others = self.coefficients(first), self.coefficients(second)
        by_degree = waves.new_zeros(*waves.shape[:-1], self.shares - 1).index_add(-1, own.degrees, waves * others)
        rest, other = (f * own.factor - self.transform.fields(a) for f, a in ((first, waves), (second, others)))
        beyond = (rest * other * own.areas).mean((-2, -1))
        parts = torch.cat([by_degree, beyond[..., None]], dim=-1)
        return torch.where(own.rough[:, None], parts.sum(-1, keepdim=True), parts)

    def coefficients(self, fields: Tensor) -> Tensor:
        """Of the fields' harmonics, of vectors times the cosine of latitude: (..., channel, coefficient)."""
        return self.transform.coefficients(fields * self._place(fields).factor)

    def _place(self, like: Tensor) -> _Constants:
        """The constants where ``like`` is, put there once.

        Not in inference mode, whose tensors no gradient may use.
        """
        key = like.device, like.dtype
        if key not in self._placed:
            with torch.inference_mode(mode=False):
                factor, areas, truncating = (each.to(like) for each in (self._factor, self._areas, self._truncating))
                degrees, rough = (each.to(like.device) for each in (self.transform.degrees, self._rough))
                self._placed[key] = _Constants(factor, areas, truncating, degrees, rough)
        return self._placed[key]


class _Constants(NamedTuple):
    """Factor of vectors, areas of the cells, shares that truncation keeps, the coefficients' degrees, what is rough."""

    factor: Tensor
    areas: Tensor
    truncating: Tensor
    degrees: Tensor
    rough: Tensor
