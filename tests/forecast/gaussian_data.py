"""Correlated Gaussian data, whose best denoiser, exact flow and sampled distribution are known in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from forecast.samplers import sample

if TYPE_CHECKING:
    from torch import Tensor

    from forecast.samplers import Churn, SamplerName

SHAPE = (2, 1, 2)
"""Channels, latitudes, longitudes of a field, whose four values are correlated."""

MEAN = torch.tensor([1.5, -0.5, 0.0, 0.3], dtype=torch.float64)
STDS = torch.tensor([0.2, 0.5, 1.0, 2.0], dtype=torch.float64)
"""Along the axes of the covariance."""

AXES = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[0]
COVARIANCE = AXES @ torch.diag(STDS**2) @ AXES.T


class Moments(NamedTuple):
    """Mean (4,) and covariance (4, 4)."""

    mean: Tensor
    covariance: Tensor

    def distance(self, other: Moments) -> float:
        """The larger of the norms of both differences."""
        gaps = self.mean - other.mean, self.covariance - other.covariance
        return max(float(torch.linalg.norm(gap)) for gap in gaps)


DATA = Moments(MEAN, COVARIANCE)


def denoise(x: Tensor, s: Tensor) -> Tensor:
    """E[clean | x = clean + s e] = mean + C (C + s^2)^-1 (x - mean)."""
    gain = STDS**2 / (STDS**2 + s[:, None].double() ** 2)
    along = (x.reshape(-1, 4).double() - MEAN) @ AXES
    clean: Tensor = MEAN + (gain * along) @ AXES.T
    return clean.reshape(-1, *SHAPE)


def sampled(name: SamplerName, levels: Tensor, churn: Churn | None = None) -> Moments:
    """Mean and covariance of samples, exactly: a sampler of these data is an affine map of all its noise.

    A batch of the unit vectors of that noise shows the map; the sample of no noise is the mean.
    """
    draws = len(levels) if churn else 1
    unit = torch.eye(draws * 4, dtype=torch.float64)
    noise = torch.cat([torch.zeros(1, draws * 4), unit]).reshape(-1, draws, *SHAPE)
    drawn = sample(name, denoise, noise[:, 0], levels, churn=churn, fresh=lambda k: noise[:, k + 1]).reshape(-1, 4)
    columns = drawn[1:] - drawn[0]
    return Moments(drawn[0], columns.T @ columns)


def transported(largest: float, smallest: float = 0.0) -> Moments:
    """The exact flow of N(0, largest^2) from there down to ``smallest``, and the clean estimate from there.

    dx/ds = s (C + s^2)^-1 (x - mean) keeps (C + s^2)^-1/2 (x - mean).
    """
    shrink = STDS**2 / ((STDS**2 + smallest**2) * (STDS**2 + largest**2)).sqrt()
    mean = MEAN - (shrink * (MEAN @ AXES)) @ AXES.T
    return Moments(mean, AXES @ torch.diag((shrink * largest) ** 2) @ AXES.T)
