"""Noise for the model: isotropic on the sphere, white on the grid, or one vector; one generator per member and step."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import torch

from data_pipeline.errors import ConfigError
from forecast.harmonics import legendre_functions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from data_pipeline.grid import Grid

    Floats = NDArray[np.float64]

NoiseName = Literal["spherical", "white", "global"]

WHITE_FLOOR = 0.1
"""Standard deviation of a grid-point part beside the spherical part.

Harmonics do not span a latitude-longitude grid. Without noise in the remaining directions, noisy data would
show the clean data there, the network would learn to read it, and sampling would go wrong.
"""

STEEPEST = 10.0
"""Slope of a spectrum. Beyond it only the mean of the globe, or only its finest waves, would vary."""


class Noise(Protocol):
    """Noise of unit variance, a linear function of independent standard normal numbers."""

    def shape_of_numbers(self, channels: int) -> tuple[int, ...]:
        """Shape of the standard normal numbers that the noise of one sample is made from."""

    def of_normal(self, normal: Tensor) -> Tensor:
        """Noise from standard normal numbers (..., *shape_of_numbers(channels)), on the device where they are."""

    def draw(self, generators: Sequence[np.random.Generator], channels: int) -> Tensor:
        """Noise (member, channel, latitude, longitude) or (member, size) on the CPU, each from its own generator.

        Member by member: a matrix product of all at once would round differently with their number.
        """
        shape = self.shape_of_numbers(channels)
        normal = (torch.from_numpy(generator.standard_normal(shape, dtype=np.float32)) for generator in generators)
        return torch.stack([self.of_normal(numbers) for numbers in normal])


class SphericalNoise(Noise):
    """Isotropic Gaussian fields (sample, channel, latitude, longitude) of unit variance at every point.

    The power of a harmonic of degree l is proportional to (1 + l)**-slope, up to the grid's degree: all have the same
    with slope 0 (white), and a larger slope gives smoother fields. The ``WHITE_FLOOR`` is a hundredth of the variance.

    Raises ConfigError for a slope beyond ``STEEPEST``.
    """

    def __init__(self, grid: Grid, *, slope: float = 0.0) -> None:
        if not abs(slope) <= STEEPEST:  # NaN fails every comparison
            raise ConfigError(f"the slope of the noise must be within +-{STEEPEST:g}, got {slope}; 0 is white noise")
        self.shape = grid.shape
        self.slope = slope
        self.degree = min(grid.shape[0], grid.shape[1] // 2) - 1
        legendre = torch.as_tensor(_scaled_legendre(grid.latitude, self.degree, slope), dtype=torch.float32)
        self._legendre = {torch.device("cpu"): legendre.to(torch.complex64)}

    def shape_of_numbers(self, channels: int) -> tuple[int, ...]:
        """(channel, numbers of a field): real and imaginary parts by degree and order, then the floor's points."""
        return channels, 2 * (self.degree + 1) ** 2 + self.shape[0] * self.shape[1]

    def of_normal(self, normal: Tensor) -> Tensor:
        """Fields (..., latitude, longitude) from float32 standard normal numbers (..., numbers of a field)."""
        size = self.degree + 1
        leading = normal.shape[:-1]
        real, imaginary, floor = normal.tensor_split((size**2, 2 * size**2), dim=-1)
        coefficients = torch.complex(real, imaginary).reshape(*leading, size, size)
        waves = torch.einsum("...lm,lmi->...im", coefficients, self._legendre_on(normal.device))
        waves = torch.cat([waves[..., :1].real.to(waves.dtype) * 2**0.5, waves[..., 1:]], dim=-1)
        smooth = torch.fft.irfft(waves, n=self.shape[1], dim=-1, norm="forward")
        white = floor.reshape(*leading, *self.shape)
        fields: Tensor = (1 - WHITE_FLOOR**2) ** 0.5 * smooth + WHITE_FLOOR * white
        return fields

    def _legendre_on(self, device: torch.device) -> Tensor:
        """Copied once: training asks for it in every step."""
        if device not in self._legendre:
            self._legendre[device] = self._legendre[torch.device("cpu")].to(device)
        return self._legendre[device]


class WhiteNoise(Noise):
    """Independent numbers at every point, fields (sample, channel, latitude, longitude).

    Most diffusion models use it. It is not isotropic: points crowd at the poles, and neighbours stay independent.
    """

    def __init__(self, grid: Grid) -> None:
        self.shape = grid.shape

    def shape_of_numbers(self, channels: int) -> tuple[int, ...]:
        """(channel, points of the grid)."""
        return channels, self.shape[0] * self.shape[1]

    def of_normal(self, normal: Tensor) -> Tensor:
        """Fields (..., latitude, longitude) from standard normal numbers (..., points of the grid)."""
        return normal.reshape(*normal.shape[:-1], *self.shape)


class GlobalNoise(Noise):
    """One vector (sample, size) for all channels and the whole globe, by which a network is conditioned.

    As in FGN, where its size is 32 (Alet et al. 2025, arXiv 2506.10772). Raises ConfigError for a size below 1.
    """

    def __init__(self, size: int = 32) -> None:
        if size < 1:
            raise ConfigError(f"a global noise vector has one number or more, got size {size}; FGN takes 32")
        self.size = size

    def shape_of_numbers(self, channels: int) -> tuple[int, ...]:
        """(size,), whatever the channels."""
        return (self.size,)

    def of_normal(self, normal: Tensor) -> Tensor:
        """The numbers (..., size) themselves."""
        return normal


NOISES: dict[str, Callable[[Grid, float, int], Noise]] = {
    "spherical": lambda grid, slope, _: SphericalNoise(grid, slope=slope),
    "white": lambda grid, _slope, _size: WhiteNoise(grid),
    "global": lambda _grid, _slope, size: GlobalNoise(size),
}


def make_noise(kind: NoiseName, grid: Grid, *, slope: float = 0.0, size: int = 32) -> Noise:
    """The noise of this name: ``slope`` is that of spherical noise, ``size`` that of global noise.

    Raises ConfigError for an unknown name, and for a slope where the noise has none.

    >>> from data_pipeline.grid import Grid
    >>> make_noise("global", Grid.gaussian(8, 16)).shape_of_numbers(channels=9)
    (32,)
    """
    if kind not in NOISES:
        raise ConfigError(f"there is no noise {kind!r}; choose one of {', '.join(NOISES)}")
    if slope and kind != "spherical":
        raise ConfigError(f"only spherical noise has a slope, got slope {slope} for {kind} noise; leave it out")
    return NOISES[kind](grid, slope, size)


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
def _scaled_legendre(latitude: tuple[float, ...], degree: int, slope: float) -> Floats:
    """Legendre functions (degree, order, latitude), scaled so that unit coefficients give unit point variance.

    The power C_l = (1 + l)**-slope of each harmonic adds up to sum (2l + 1) C_l at every point.
    A wave m > 0 appears with its conjugate, so its real and imaginary parts carry half the power each.
    """
    functions = legendre_functions(np.sin(np.deg2rad(np.asarray(latitude))), degree)
    ell = np.arange(degree + 1)
    power = (1.0 + ell) ** -slope
    variance = np.sum((2 * ell + 1) * power)
    return np.asarray(functions * np.sqrt(power)[:, None, None] / (np.sqrt(2.0) * np.sqrt(variance)))


def two_numbers(noise: Tensor) -> Tensor:
    """Two standard normal numbers of each sample, (sample, 2), out of noise of any kind: on both sides of the globe.

    The steeper the noise's spectrum, the more alike they are.
    """
    if noise.ndim == 2:
        return noise[:, [0, -1]]
    rows, columns = noise.shape[-2:]
    return noise[:, 0, rows // 2, [0, columns // 2]]


def one_number_each(noise: Tensor, channels: int) -> Tensor:
    """A standard normal number for each channel, (sample, channel), out of noise of any kind.

    Out of a global vector they are its own as far as it goes; those of further channels are sums of several of these.
    """
    if noise.ndim == 4:
        return noise[..., 0, 0]
    size = noise.shape[1]
    if channels <= size:
        return noise[:, :channels]
    directions = torch.randn(channels - size, size, generator=torch.Generator().manual_seed(0)).to(noise)
    sums = (noise[:, None] * torch.nn.functional.normalize(directions)).sum(-1)
    return torch.cat([noise, sums], dim=1)
