"""Padding that knows the sphere: periodic in longitude, and across a pole to the opposite meridian."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def pad_sphere(fields: Tensor, width: int, sign: Tensor | None = None) -> Tensor:
    """Pad ``(batch, channel, latitude, longitude)`` by ``width`` cells on every side.

    The row beyond a pole is the row before it, seen from the other side: rolled by 180 degrees, and multiplied
    by ``sign`` (channel,), -1 for the wind components, whose unit vectors turn round there. Latitudes must not
    include the poles themselves; the number of longitudes must be even.
    """
    if width == 0:
        return fields
    padded: Tensor = _Padding.apply(fields, width, sign)  # type: ignore[no-untyped-call]
    return padded


class _Padding(torch.autograd.Function):
    """One copy into the padded fields, in the layout of ``fields``; that of the library's padding is another one.

    With it and its own way back, training takes three quarters of the time (``benchmarks/network.py``).
    """

    @staticmethod
    def forward(ctx: Any, fields: Tensor, width: int, sign: Tensor | None) -> Tensor:
        ctx.width = width
        ctx.save_for_backward(sign)
        padded = functional.pad(fields, (width,) * 4)
        inner = padded[..., width:-width]
        inner[..., :width, :] = _over_the_pole(fields[..., :width, :], sign)
        inner[..., -width:, :] = _over_the_pole(fields[..., -width:, :], sign)
        padded[..., :width] = inner[..., -width:]
        padded[..., -width:] = inner[..., :width]
        return padded

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (padded,), width, (sign,) = gradients, ctx.width, ctx.saved_tensors
        inner = padded[..., width:-width].clone()
        inner[..., -width:] += padded[..., :width]
        inner[..., :width] += padded[..., -width:]
        fields = inner[..., width:-width, :].clone()
        fields[..., :width, :] += _over_the_pole(inner[..., :width, :], sign)
        fields[..., -width:, :] += _over_the_pole(inner[..., -width:, :], sign)
        return fields, None, None


def _over_the_pole(rows: Tensor, sign: Tensor | None) -> Tensor:
    """As they are seen from the other side; twice is where they were."""
    turned = rows.flip(-2).roll(rows.shape[-1] // 2, -1)
    return turned if sign is None else turned * sign.to(rows.dtype)[:, None, None]


def twice_as_fine(features: Tensor) -> Tensor:
    """Interpolate ``(batch, channel, latitude, longitude)`` bilinearly to cells of half the size, across the poles too.

    The nearest cell would give steps at the edges of the coarse cells, which no later layer takes away fully.
    """
    padded = pad_sphere(features, 1)
    return functional.interpolate(padded, scale_factor=2.0, mode="bilinear")[..., 2:-2, 2:-2]
