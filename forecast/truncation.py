"""Triangular truncation: takes from a field what no isotropic field of the grid's resolution has."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    Raises DataError where the grid does not determine harmonics.
    """

    def __init__(self, channels: Channels, grid: Grid) -> None:
        self.transform = SphericalTransform(grid)
        vector = torch.tensor([channel.variable.crosses_pole_with_sign == -1 for channel in channels])
        cosine = torch.from_numpy(np.cos(np.deg2rad(grid.latitude)))
        self._factor = torch.where(vector[:, None, None], cosine[:, None], 1.0)
        self._rough = [number for number, channel in enumerate(channels) if channel.variable.accumulated]
        self._placed: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}

    def __call__(self, fields: Tensor, kept: Tensor | None = None) -> Tensor:
        """The truncated fields; gradients go through it.

        Of each degree the share ``kept`` (channel, degree + 1) is left, if it is given. Sums over time have no degrees:
        of them that of degree 0 is left.
        """
        (factor, degrees), waves = self._place(fields), self.coefficients(fields)
        if kept is not None:
            waves = waves * kept[:, degrees]
        smooth = self.transform.fields(waves) / factor
        if not self._rough:
            return smooth
        whole = fields if kept is None else fields * kept[:, :1, None]
        channels = smooth.unbind(-3)
        return torch.stack([whole[..., k, :, :] if k in self._rough else c for k, c in enumerate(channels)], dim=-3)

    def coefficients(self, fields: Tensor) -> Tensor:
        """Of the fields' harmonics, of vectors times the cosine of latitude: (..., channel, coefficient)."""
        return self.transform.coefficients(fields * self._place(fields)[0])

    def by_degree(self, values: Tensor) -> Tensor:
        """Sums over the coefficients of each degree: (channel, coefficient) to (channel, degree + 1).

        Sums over time, which have no degrees, get the sum over all in each.
        """
        _, degrees = self._place(values)
        sums = values.new_zeros(len(values), self.transform.degree + 1).index_add(1, degrees, values)
        sums[self._rough] = sums[self._rough].sum(1, keepdim=True)
        return sums

    def _place(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """The factor and the coefficients' degrees where ``like`` is, put there once.

        Not in inference mode, whose tensors no gradient may use.
        """
        key = like.device, like.dtype
        if key not in self._placed:
            with torch.inference_mode(mode=False):
                self._placed[key] = self._factor.to(like), self.transform.degrees.to(like.device)
        return self._placed[key]
