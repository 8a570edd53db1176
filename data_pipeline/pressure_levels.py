"""From the sigma levels of a model to pressure levels: temperature, winds, humidity, geopotential, sea-level pressure.

Arrays are ``[time, sigma, latitude, longitude]`` with sigma ascending (top first), sigma = p / p_s at full levels,
p_s the surface pressure; surface fields are ``[time, latitude, longitude]``. Every pressure below is in Pa.

The profile that is interpolated has one definition everywhere:

* between full levels each field is linear in ln p (the profile for which the trapezoidal hydrostatic sum of
  sigma models, Durran 2010, section 8.6.5, is exact);
* below the lowest full level N, through the ground and beyond it, temperature falls with height at a constant
  ``LAPSE_RATE``, which in pressure reads ``T = T_N (p / p_N)^kappa`` with ``kappa = R * LAPSE_RATE / g``
  (Trenberth, Berry and Buja 1993, NCAR/TN-396, section 3; ECMWF IFS documentation, FULL-POS); winds and humidity
  keep their lowest values;
* geopotential is the exact integral of ``d phi = -R T_v d ln p`` over that profile, from the ground up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

GRAVITY = 9.81
"""m s-2, the simulated planet's own (jcm.constants): its heights must be hydrostatic in its own gravity."""
GAS_CONSTANT = 287.04
"""Dry air, J kg-1 K-1 (jcm.constants)."""
VAPOUR_FACTOR = 461.51 / GAS_CONSTANT - 1.0
"""R_v / R_d - 1 (jcm.constants), about 0.608: virtual temperature is T (1 + VAPOUR_FACTOR q)."""
LAPSE_RATE = 0.0065
"""K m-1, the standard atmosphere's, for whatever lies below the lowest full level."""
KAPPA = GAS_CONSTANT * LAPSE_RATE / GRAVITY
"""Exponent of T ~ p^kappa in an atmosphere of constant lapse rate, about 0.19."""


def virtual_temperature(temperature: Floats, specific_humidity: Floats) -> Floats:
    """Temperature (K) at which dry air has the density of this moist air; humidity in kg kg-1."""
    return temperature * (1.0 + VAPOUR_FACTOR * specific_humidity)


def interpolate(field: Floats, sigma: Floats, target: Floats) -> Floats:
    """``field [time, sigma, latitude, longitude]`` at ``target = p / p_s``, linear in ln p.

    Below the lowest full level the lowest value is kept. Returns [time, latitude, longitude].
    """
    upper, weight = _bracket(sigma, target)
    above, below = _pick(field, upper), _pick(field, upper + 1)
    return above + np.minimum(weight, 1.0) * (below - above)


def temperature(temperature: Floats, sigma: Floats, target: Floats) -> Floats:
    """Temperature (K) at ``target = p / p_s``, with the constant lapse rate below the lowest full level."""
    below = temperature[:, -1] * (target / sigma[-1]) ** KAPPA
    return np.where(target > sigma[-1], below, interpolate(temperature, sigma, target))


def full_level_geopotential(virtual: Floats, sigma: Floats, surface_geopotential: Floats) -> Floats:
    """Geopotential (m2 s-2) at the full levels, the hydrostatic integral from the ground.

    ``virtual`` is virtual temperature on the full levels, ``surface_geopotential`` is [latitude, longitude].
    """
    half_sum = (virtual[:, 1:] + virtual[:, :-1]) / 2
    thickness = GAS_CONSTANT * half_sum * np.diff(np.log(sigma))[:, None, None]
    above_lowest = np.flip(np.cumsum(np.flip(thickness, axis=1), axis=1), axis=1)
    lowest = surface_geopotential + _layer_below(virtual[:, -1], 1.0 / sigma[-1])
    return np.concatenate([lowest[:, None] + above_lowest, lowest[:, None]], axis=1)


def geopotential(virtual: Floats, sigma: Floats, surface_geopotential: Floats, target: Floats) -> Floats:
    """Geopotential (m2 s-2) at ``target = p / p_s``, hydrostatic with ``temperature`` above and below ground."""
    full = full_level_geopotential(virtual, sigma, surface_geopotential)
    upper, _ = _bracket(sigma, target)
    mean = (_pick(virtual, upper + 1) + interpolate(virtual, sigma, target)) / 2
    within = _pick(full, upper + 1) + GAS_CONSTANT * mean * (np.log(sigma)[upper + 1] - np.log(target))
    below = full[:, -1] - _layer_below(virtual[:, -1], target / sigma[-1])
    return np.where(target > sigma[-1], below, within)


def mean_sea_level_pressure(
    surface_pressure: Floats, lowest: Floats, sigma: Floats, surface_geopotential: Floats
) -> Floats:
    """Pressure (Pa) reduced to sea level: p_s exp(x ln(1 + y) / y), x = phi_s / (R T*), y = (T_0 - T*) / T*.

    ``lowest`` is temperature (K) at the lowest full level; T* continues it to the ground, T_0 on to sea level.
    As in the IFS, T_0 does not exceed 290.5 K (or T*, where the ground is hotter), and T* of hot or cold ground is
    drawn half-way to 290.5 or 255 K (Trenberth, Berry and Buja 1993, NCAR/TN-396, section 4; FULL-POS, which
    expands the logarithm to third order).
    """
    ground = lowest * sigma[-1] ** -KAPPA
    at_sea_level = ground + LAPSE_RATE * surface_geopotential / GRAVITY
    warming = np.minimum(at_sea_level, np.maximum(ground, 290.5)) - ground
    ground = (ground + np.clip(ground, 255.0, 290.5)) / 2
    x, y = surface_geopotential / (GAS_CONSTANT * ground), warming / ground
    reduced: Floats = surface_pressure * np.exp(x * _log_ratio(y))
    return reduced


def _log_ratio(y: Floats) -> Floats:
    """ln(1 + y) / y, whose limit at 0 is 1."""
    safe = np.where(np.abs(y) < 1e-8, 1.0, y)
    return np.where(np.abs(y) < 1e-8, 1.0, np.log1p(safe) / safe)


def _layer_below(virtual: Floats, pressure_ratio: float | Floats) -> Floats:
    """Geopotential from ``pressure_ratio`` times the lowest level's pressure up to that level: g / lapse (T - T_N)."""
    return GRAVITY / LAPSE_RATE * virtual * (pressure_ratio**KAPPA - 1.0)


def _bracket(sigma: Floats, target: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Index of the full level above ``target`` and the weight in ln p of the next (beyond 1 under the lowest)."""
    if np.any(target < sigma[0]):
        raise DataError(
            f"got a target pressure of {float(np.min(target)):.4g} times the surface pressure, expected at least the "
            f"highest full level, {float(sigma[0]):.4g}; ask for lower levels (higher pressures)"
        )
    log_sigma = np.log(sigma)
    upper = np.clip(np.searchsorted(sigma, target, side="right") - 1, 0, sigma.size - 2)
    return upper, (np.log(target) - log_sigma[upper]) / (log_sigma[upper + 1] - log_sigma[upper])


def _pick(field: Floats, index: NDArray[np.intp]) -> Floats:
    """``field[time, index, latitude, longitude]`` with an index [time, latitude, longitude]."""
    return np.take_along_axis(field, index[:, None], axis=1)[:, 0]
