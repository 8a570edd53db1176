"""Padding that knows the sphere: periodic in longitude, and across a pole to the opposite meridian."""

from __future__ import annotations

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
    half = fields.shape[-1] // 2
    north = fields[..., :width, :].flip(-2).roll(half, -1)
    south = fields[..., -width:, :].flip(-2).roll(half, -1)
    if sign is not None:
        turned = sign.to(fields.dtype)[:, None, None]
        north, south = north * turned, south * turned
    return functional.pad(torch.cat([north, fields, south], dim=-2), (width, width, 0, 0), mode="circular")
