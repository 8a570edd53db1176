"""Fields that show the continents, held against the known ones: as labelled, and as other labels would have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.quality.land_mask import land_fraction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid

    Floats = NDArray[np.float64]

WELL, BADLY = 0.7, 0.5
"""Correlations from which a map fits, and below which it does not. Real masks have 0.8 to 0.99 where they belong."""
_COLD_WELL, _COLD_BADLY = 0.5, 0.4
"""The same for winter's cold: single states of the simulated planet have 0.44 to 0.79 where they belong, and at most
0.44 rolled by half a turn or mirrored."""
_MIDDLE_LATITUDES = (35.0, 72.0)
_HALF_TURN = 180.0
_ROLLED, _MIRRORED = "rolled-against-labels", "mirrored-against-labels"


class Verdict(NamedTuple):
    """The code of a finding and what was seen."""

    code: str
    message: str


def misplaced(field: Floats, grid: Grid) -> Verdict | None:
    """Whether ``field`` (latitude, longitude), larger over land, fits the continents elsewhere or inverted.

    The figure is the area-weighted correlation over the globe (Pearson).
    """
    weights = np.repeat(grid.area_weights()[:, None], grid.shape[1], axis=1)
    fits = {code: _correlation(field, land, weights) for code, land in _placements(grid).items()}
    return _verdict(fits, WELL, BADLY)


def misplaced_cold(temperature: Floats, grid: Grid) -> Verdict | None:
    """Whether near-surface temperature of the northern winter is low over continents that are rolled or mirrored.

    Only departures from the zonal mean at 35..72 degrees north count. In summer the contrast is too weak.
    """
    latitude = np.asarray(grid.latitude)
    south, north = _MIDDLE_LATITUDES
    rows = (latitude >= south) & (latitude <= north)
    weights = np.repeat(grid.area_weights()[rows][:, None], grid.shape[1], axis=1)
    cold = -_zonal_departure(temperature[rows])
    placements = _placements(grid)
    codes = ("", _ROLLED, _MIRRORED)
    fits = {code: _correlation(cold, _zonal_departure(placements[code][rows]), weights) for code in codes}
    return _verdict(fits, _COLD_WELL, _COLD_BADLY, invertible=False)


def _placements(grid: Grid) -> dict[str, Floats]:
    """Land where the labels put it (code ``""``), and where the finding of each code would."""
    latitude, longitude = np.asarray(grid.latitude), np.asarray(grid.longitude)
    return {
        "": land_fraction(latitude, longitude),
        "latitude-against-labels": land_fraction(-latitude, longitude),
        _ROLLED: land_fraction(latitude, longitude + _HALF_TURN),
        _MIRRORED: land_fraction(latitude, -longitude),
    }


_TURNED = {
    "latitude-against-labels": "with north and south exchanged",
    _ROLLED: "rolled by 180 degrees of longitude",
    _MIRRORED: "with east and west exchanged",
}


def _verdict(fits: dict[str, float], well: float, badly: float, *, invertible: bool = True) -> Verdict | None:
    """A finding only where the labels fit badly and something else fits well."""
    labelled = fits.pop("")
    best = max(fits, key=lambda code: fits[code])
    if invertible and labelled < -well:
        message = f"land and sea look exchanged: correlation with the known land {labelled:.2f}; invert the mask"
        return Verdict("mask-inverted", message)
    if labelled < badly and fits[best] > well:
        message = (
            f"the correlation with the known land is {labelled:.2f} as labelled and {fits[best]:.2f} {_TURNED[best]}; "
            "correct the coordinates or the data"
        )
        return Verdict(best, message)
    return None


def _zonal_departure(field: Floats) -> Floats:
    return np.asarray(field - field.mean(axis=1, keepdims=True))


def _correlation(first: Floats, second: Floats, weights: Floats) -> float:
    first, second = (field - np.average(field, weights=weights) for field in (first, second))
    scale = np.sqrt((weights * first**2).sum() * (weights * second**2).sum())
    return float((weights * first * second).sum() / scale) if scale > 0 else 0.0
