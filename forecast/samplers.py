"""Samplers of dx/ds = (x - D(x; s)) / s (Karras et al. 2022, eq. 3), functions of (denoiser, noise, noise levels).

For flow matching they are the usual ones: an Euler step here is an Euler step in t along the straight path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Denoise = Callable[[Tensor, Tensor], Tensor]
    """(noisy data, noise level per sample) -> clean estimate."""

SamplerName = Literal["euler", "heun"]


def euler(denoise: Denoise, noise: Tensor, levels: Tensor) -> Tensor:
    """First order, one evaluation per step. ``noise`` has unit variance and the shape of the sample.

    ``levels`` descend to 0; the start is pure noise at the first of them.
    """
    x = noise * levels[0].to(noise.dtype)
    for s, s_next in zip(levels[:-1], levels[1:], strict=True):
        clean = denoise(x, _per_sample(s, x))
        x = clean + (s_next / s).to(x.dtype) * (x - clean)
    return x


def heun(denoise: Denoise, noise: Tensor, levels: Tensor) -> Tensor:
    """Second order, two evaluations per step but one for the last (Karras et al. 2022, algorithm 1)."""
    x = noise * levels[0].to(noise.dtype)
    for s, s_next in zip(levels[:-1], levels[1:], strict=True):
        clean = denoise(x, _per_sample(s, x))
        slope = (x - clean) / s.to(x.dtype)
        width = (s_next - s).to(x.dtype)
        guess = x + width * slope
        if s_next > 0:
            slope_next = (guess - denoise(guess, _per_sample(s_next, x))) / s_next.to(x.dtype)
            guess = x + width * (slope + slope_next) / 2
        x = guess
    return x


SAMPLERS: dict[SamplerName, Callable[[Denoise, Tensor, Tensor], Tensor]] = {"euler": euler, "heun": heun}


def _per_sample(level: Tensor, x: Tensor) -> Tensor:
    return level.to(x.dtype).expand(x.shape[0])
