"""Coastlines and borders for the page, of those that ship with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.plots.coastlines import lines

if TYPE_CHECKING:
    from evaluation.plots.coastlines import Feature, Resolution

RESOLUTIONS: tuple[Resolution, ...] = ("110m", "50m")
_DECIMALS = 100
"""Steps in a degree: a hundredth is a kilometre, less than a pixel."""


def coasts(resolution: Resolution) -> dict[str, Any]:
    """Lines by what they are, each [longitude, latitude, step, step, ...] in hundredths of a degree.

    Steps are differences to the point before, which makes them short.
    """
    features: tuple[Feature, ...] = ("coastlines", "borders", "lakes")
    return {"resolution": resolution, "unit": 1 / _DECIMALS, **{own: _steps(own, resolution) for own in features}}


def _steps(feature: Feature, resolution: Resolution) -> list[list[int]]:
    points = lines(feature, resolution)
    breaks = np.flatnonzero(np.isnan(points).any(axis=1))
    pieces = [piece[~np.isnan(piece).any(axis=1)] for piece in np.split(points, breaks)]
    whole = [np.rint(piece * _DECIMALS).astype(int) for piece in pieces if len(piece) > 1]
    return [np.diff(piece, axis=0, prepend=0).ravel().tolist() for piece in whole]
