"""A transformer on the sphere: patches of the grid as tokens, attention that knows only differences in longitude."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from forecast.networks.dropout import SharedDropout
from forecast.networks.embedding import Condition, Embedding
from forecast.networks.padding import pad_sphere
from forecast.networks.recomputing import run
from forecast.networks.unet import HEADS

LATITUDE_WAVES = 16
"""Cosines of latitude that a token's row is known by."""


class SphericalTransformer(nn.Module):
    """Maps ``(batch, in_channels, latitude, longitude)`` under a Condition to ``out_channels``.

    Rolling the input by a multiple of ``patch`` cells in longitude rolls the output: a token knows its row, but of
    longitude only the difference to other tokens. Tokens are read from, and written back to, windows that reach half
    a patch over their neighbours, across 0/360 and the poles too, so that no seams are between patches.

    Parameters
    ----------
    input_sign
        -1 for input channels that change sign across a pole, else 1.
    width
        Features of a token.
    blocks
        Of attention and perceptron.
    patch
        Cells of a token in each dimension; latitudes must be divisible by it, longitudes by twice as much.
    steps_vary
        Whether the length of the step is an input.
    latent
        Size of the global noise vector; 0 for none.
    """

    input_sign: Tensor
    recompute = False
    """Whether training computes the blocks' activations again instead of keeping them."""

    def __init__(
        self, input_sign: list[int], out_channels: int, *, width: int, blocks: int, patch: int, dropout: float,
        steps_vary: bool = False, latent: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        window, odd = 2 * patch - patch % 2, patch % 2
        self.reach = patch // 2
        self.register_buffer("input_sign", torch.tensor(input_sign, dtype=torch.float32), persistent=False)
        self.embedding = Embedding(width, steps_vary=steps_vary, latent=latent)
        self.stem = nn.Conv2d(len(input_sign), width, window, stride=patch)
        self.latitude_embedding = nn.Linear(LATITUDE_WAVES, width, bias=False)
        self.blocks = nn.ModuleList(TransformerBlock(width, dropout) for _ in range(blocks))
        self.head_modulation = nn.Linear(width, 2 * width)
        self.finer = nn.ConvTranspose2d(width, width // HEADS, window, stride=patch, padding=(3 * patch - odd) // 2)
        self.head = nn.Conv2d(width // HEADS, out_channels, 3, bias=False)
        _start_at_zero(self.head_modulation, self.head)
        with torch.no_grad():
            self.finer.weight.copy_(_interpolating(width, width // HEADS, window, patch))

    def forward(self, fields: Tensor, condition: Condition) -> Tensor:
        """Apply the network; the output has the input's batch and grid."""
        embedding = self.embedding(condition)
        cells = self.stem(pad_sphere(fields, self.reach, self.input_sign))
        rows, columns = cells.shape[-2:]
        rotation = rotations(rows, columns, cells.shape[1] // HEADS, fields)
        tokens = cells.flatten(2).transpose(1, 2) + self._latitudes(rows, fields).repeat_interleave(columns, 0)
        for block in self.blocks:
            tokens = run(block, tokens, embedding, rotation, recompute=self.recompute)
        tokens = _modulated(tokens, *self.head_modulation(embedding)[:, None].chunk(2, dim=-1))
        cells = tokens.transpose(1, 2).reshape_as(cells)
        output: Tensor = self.head(pad_sphere(functional.silu(self.finer(pad_sphere(cells, 1))), 1))
        return output

    def _latitudes(self, rows: int, like: Tensor) -> Tensor:
        """(row, width), a smooth function of the row."""
        waves = torch.arange(LATITUDE_WAVES, device=like.device)
        embedded: Tensor = self.latitude_embedding((_colatitudes(rows, like)[:, None] * waves).cos())
        return embedded


class TransformerBlock(nn.Module):
    """Attention and perceptron; the condition scales, shifts and gates both, from nothing (adaLN-Zero).

    Peebles and Xie (2023), section 3.2.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.modulation = nn.Linear(width, 6 * width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.perceptron = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), SharedDropout(dropout),
            nn.Linear(4 * width, width),
        )  # fmt: skip
        _start_at_zero(self.modulation)

    def forward(self, tokens: Tensor, embedding: Tensor, rotation: Rotation) -> Tensor:
        """Tokens (batch, token, width)."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(embedding)[:, None].chunk(6, dim=-1)
        tokens = tokens + gate1 * self._attend(_modulated(tokens, shift1, scale1), rotation)
        output: Tensor = tokens + gate2 * self.perceptron(_modulated(tokens, shift2, scale2))
        return output

    def _attend(self, tokens: Tensor, rotation: Rotation) -> Tensor:
        query, key, value = self.query_key_value(tokens).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        query, key = rotated(query, rotation), rotated(key, rotation)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        attended: Tensor = self.project(mixed.transpose(1, 2).flatten(2))
        return attended


class Rotation(NamedTuple):
    """Cosines and sines (token, pair) of the angles by which pairs of features are turned."""

    cosine: Tensor
    sine: Tensor


def rotations(rows: int, columns: int, size: int, like: Tensor) -> Rotation:
    """The angles of every token's place, for heads of ``size`` features, with the type and device of ``like``.

    Rotary encoding (Su et al. 2021, eq. 14-16): the product of two turned vectors depends on the difference of their
    places only. Half of the pairs turn with longitude, whole times around the globe, so that the difference counts
    modulo 360 degrees; the others turn with latitude.
    """
    pairs = size // 2
    waves = _wavenumbers((pairs + 1) // 2, columns, like.device)
    column, row = torch.arange(columns, device=like.device), _colatitudes(rows, like)
    longitude = (column[:, None] * waves % columns).to(like.dtype) * (2 * math.pi / columns)
    latitude = row[:, None] * _wavenumbers(pairs // 2, columns, like.device)
    angles = torch.cat([longitude.repeat(rows, 1), latitude.repeat_interleave(columns, 0)], dim=-1)
    return Rotation(angles.cos(), angles.sin())


def rotated(features: Tensor, rotation: Rotation) -> Tensor:
    """Features (batch, head, token, size), pairs of them turned; an odd one stays."""
    cosine, sine = (part.to(features.dtype) for part in rotation)
    pairs = cosine.shape[-1]
    first, second, rest = features[..., :pairs], features[..., pairs : 2 * pairs], features[..., 2 * pairs :]
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine, rest], dim=-1)


def _wavenumbers(count: int, columns: int, device: torch.device) -> Tensor:
    """Integers from 1 to the largest that ``columns`` resolve, evenly in their logarithm."""
    return torch.logspace(0, math.log2(columns // 2), count, base=2, device=device).round().long()


def _colatitudes(rows: int, like: Tensor) -> Tensor:
    """Angles from the north pole, as if the rows were evenly spaced."""
    return (torch.arange(rows, dtype=like.dtype, device=like.device) + 0.5) * (math.pi / rows)


def _modulated(tokens: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Normalised over the features of each token, then scaled and shifted (Peebles and Xie 2023)."""
    return functional.layer_norm(tokens, tokens.shape[-1:]) * (1 + scale) + shift


def _interpolating(in_width: int, width: int, window: int, patch: int) -> Tensor:
    """Weights of a transposed convolution: random maps of features, with bilinear interpolation between the tokens.

    Beginning so, the cells of a patch form no pattern (cf. Odena et al. 2016, on checkerboards).
    """
    triangle = 1 - ((torch.arange(window) - (window - 1) / 2) / patch).abs()
    maps = torch.randn(in_width, width) / math.sqrt(in_width)
    return maps[:, :, None, None] * triangle[:, None] * triangle


def _start_at_zero(*layers: nn.Module) -> None:
    for layer in layers:
        for value in layer.parameters():
            nn.init.zeros_(value)
