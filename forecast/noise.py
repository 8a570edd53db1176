"""Isotropic Gaussian noise on the sphere, one counter-based generator per member and step."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from data_pipeline.grid import Grid

    Floats = NDArray[np.float64]

WHITE_FLOOR = 0.1
"""Standard deviation of a grid-point part beside the spherical part.

Harmonics do not span a latitude-longitude grid. Without noise in the remaining directions, noisy data would
show the clean data there, the network would learn to read it, and sampling would go wrong.
"""


class SphericalNoise:
    """White noise of unit variance at every point: equal power in every harmonic up to the grid's degree."""

    def __init__(self, grid: Grid) -> None:
        self.shape = grid.shape
        self.degree = min(grid.shape[0], grid.shape[1] // 2) - 1
        self._legendre = torch.as_tensor(_scaled_legendre(grid.latitude, self.degree), dtype=torch.float32)

    def numbers_per_field(self) -> int:
        """How many standard normal numbers one field takes."""
        return 2 * (self.degree + 1) ** 2 + self.shape[0] * self.shape[1]

    def synthesise(self, normal: Tensor) -> Tensor:
        """Fields ``(..., latitude, longitude)`` from standard normal numbers ``(..., numbers_per_field())``."""
        size = self.degree + 1
        leading = normal.shape[:-1]
        real, imaginary, floor = normal.tensor_split((size**2, 2 * size**2), dim=-1)
        coefficients = torch.complex(real, imaginary).reshape(*leading, size, size)
        legendre = self._legendre.to(normal.device)
        waves = torch.einsum("...lm,lmi->...im", coefficients, legendre.to(coefficients.dtype))
        waves = torch.cat([waves[..., :1].real.to(waves.dtype) * 2**0.5, waves[..., 1:]], dim=-1)
        smooth = torch.fft.irfft(waves, n=self.shape[1], dim=-1, norm="forward")
        white = floor.reshape(*leading, *self.shape)
        fields: Tensor = (1 - WHITE_FLOOR**2) ** 0.5 * smooth + WHITE_FLOOR * white
        return fields

    def draw(self, generators: Sequence[np.random.Generator], channels: int) -> Tensor:
        """Noise of shape (member, channel, latitude, longitude); each member uses its own generator only.

        Member by member: a matrix product of all at once would round differently with their number.
        """
        shape = (channels, self.numbers_per_field())
        normal = (torch.from_numpy(generator.standard_normal(shape, dtype=np.float32)) for generator in generators)
        return torch.stack([self.synthesise(numbers) for numbers in normal])


def member_generator(
    seed: int, initial_time: np.datetime64, member: int, step: int, *, stream: tuple[int, ...] = ()
) -> np.random.Generator:
    """The generator of one member's one step: a function of these four numbers and of nothing else.

    ``stream`` tells apart what is drawn for another purpose; () is the model's own noise.
    """
    hours = int((initial_time - np.datetime64("1900-01-01T00", "ns")) // np.timedelta64(1, "h"))
    words = [seed, hours % 2**32, member, step]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words, spawn_key=stream)))


@lru_cache(maxsize=8)
def _scaled_legendre(latitude: tuple[float, ...], degree: int) -> Floats:
    """Legendre functions (degree, order, latitude), scaled so that unit coefficients give unit point variance.

    A wave m > 0 appears with its conjugate, so its real and imaginary parts carry half the power each.
    """
    functions = legendre_functions(np.sin(np.deg2rad(np.asarray(latitude))), degree)
    return np.asarray(functions / (np.sqrt(2.0) * (degree + 1)))


def legendre_functions(x: Floats, degree: int) -> Floats:
    """Normalised associated Legendre functions, shape (degree + 1, degree + 1, len(x)) for (l, m, x).

    The normalisation makes the sum over m of their squares, each m > 0 counted twice, equal 2l + 1 at every x.
    Recursion in l at fixed m (Holmes and Featherstone 2002, eqs. 11-13), stable to degrees of a few hundred.
    """
    p = np.zeros((degree + 1, degree + 1, x.size))
    cosine = np.sqrt(1 - x**2)
    p[0, 0] = 1.0
    for m in range(1, degree + 1):
        p[m, m] = np.sqrt((2 * m + 1) / (2 * m)) * cosine * p[m - 1, m - 1]
    for m in range(degree):
        p[m + 1, m] = np.sqrt(2 * m + 3) * x * p[m, m]
        for ell in range(m + 2, degree + 1):
            a = np.sqrt((4 * ell**2 - 1) / (ell**2 - m**2))
            b = np.sqrt(((ell - 1) ** 2 - m**2) / (4 * (ell - 1) ** 2 - 1))
            p[ell, m] = a * (x * p[ell - 1, m] - b * p[ell - 2, m])
    return p
