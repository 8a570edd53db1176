"""Which way the weather goes: the waves of the storm tracks travel east, on both hemispheres and in every season."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.quality.geography import Verdict
from data_pipeline.times import HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid

    Fields = NDArray[np.float32]
    Times = NDArray[np.datetime64]

_WAVES = slice(4, 9)
"""Zonal wavenumbers of travelling cyclones; planetary waves (1..3) may stand or travel west."""
_WAVE_BAND = (30.0, 65.0)
_LONGEST_STEP = np.timedelta64(12, "h")
"""Beyond it such a wave may travel more than half its length."""
_FEWEST_PAIRS = 4
_WESTWARD, _DEVIATIONS = -0.1, 4.0
"""The figure below which waves go west, if it is that many standard deviations of noise away from 0 too."""
_LEAST_SHARE = 0.01


def travels_west(times: Times, fields: Fields, grid: Grid) -> Verdict | None:
    """Whether the waves of the storm tracks travel west: then east and west, or before and after, are exchanged.

    The figure is the sine of the phase by which a wave goes east in one step, averaged with its power. With F_k(t) the
    zonal Fourier coefficients at 30..65 degrees it is -Im sum c / sum |c|, c = conj(F_k(t)) F_k(t + dt), over k = 4..8
    (the quadrature spectrum of Hayashi 1971, J. Meteor. Soc. Japan 49, 125-128).
    """
    steps = np.diff(times)
    if not steps.size or steps.min() > _LONGEST_STEP:
        return None
    pairs = np.flatnonzero(steps == steps.min())
    latitude = np.abs(np.asarray(grid.latitude))
    rows = (latitude >= _WAVE_BAND[0]) & (latitude <= _WAVE_BAND[1])
    spectrum = np.fft.rfft(fields[:, rows].astype(np.float64), axis=-1)
    waves = spectrum[..., _WAVES]
    cross = np.conj(waves[pairs]) * waves[pairs + 1]
    power, all_power = np.sum(np.abs(waves) ** 2), np.sum(np.abs(spectrum[..., 1:]) ** 2)
    if pairs.size < _FEWEST_PAIRS or power < _LEAST_SHARE * all_power:
        return None
    eastward = float(-cross.imag.sum() / np.abs(cross).sum())
    noise = float(np.sqrt((np.abs(cross) ** 2).sum() / 2) / np.abs(cross).sum())
    if eastward > min(_WESTWARD, -_DEVIATIONS * noise):
        return None
    hours = steps.min() / HOUR
    message = (
        f"the storms' waves travel west (by a sine of phase of {-eastward:.2f} in {hours:g} h), expected east; correct "
        "the longitudes, or the order of times"
    )
    return Verdict("mirrored-against-labels", message)
