"""Spectral scores: how much of a field is at which scale, and down to which scale it agrees with the truth.

All are made of averages over fields of the spectra of ``evaluation.metrics.scales``, and divided afterwards.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from evaluation.metrics.definitions import FieldStatistic, Metric, Statistic
from evaluation.metrics.forms import Ensemble, Point
from evaluation.metrics.harmonics import rows_of
from evaluation.metrics.scales import QUANTITIES, harmonic_spectra, wavelength, zonal_spectra

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from evaluation.metrics.definitions import Means, Sample

BAND = (0.5, 2.0)
"""Of members' power over the truth's, within which a scale is resolved: 3 dB to either side."""
FIRST_DEGREE = 4
"""Of effective resolution: broader waves have too few harmonics for a ratio that means something."""


def _zonal_axes(sample: Sample) -> dict[str, NDArray[np.generic]]:
    return {"zonal_quantity": np.array(QUANTITIES), "wavenumber": np.arange(sample.grid.shape[1] // 2 + 1)}


def _harmonic_axes(sample: Sample) -> dict[str, NDArray[np.generic]]:
    return {"harmonic_quantity": np.array(QUANTITIES), "degree": np.arange(rows_of(sample.grid).highest_degree + 1)}


STATISTICS: dict[str, Statistic] = {
    "zonal_spectra": FieldStatistic(zonal_spectra, _zonal_axes, (Ensemble, Point)),
    "harmonic_spectra": FieldStatistic(harmonic_spectra, _harmonic_axes, (Ensemble, Point)),
}


def _pick(means: Means, kind: str, quantity: str) -> xr.DataArray:
    return means[f"{kind}_spectra"].sel({f"{kind}_quantity": quantity}, drop=True)


def _ratio(means: Means, kind: str, quantity: str) -> xr.DataArray:
    truth = _pick(means, kind, "truth")
    return _pick(means, kind, quantity) / truth.where(truth > 0)


def _coherence(means: Means, kind: str, quantity: str) -> xr.DataArray:
    powers = _pick(means, kind, quantity) * _pick(means, kind, "truth")
    return _pick(means, kind, "agreement") / powers.where(powers > 0) ** 0.5


def _spread_skill(means: Means, kind: str) -> xr.DataArray:
    error = _pick(means, kind, "error")
    return (_pick(means, kind, "expected_error") / error.where(error > 0)) ** 0.5


def _effective_resolution(means: Means, quantity: str) -> xr.DataArray:
    """The wavelength of the last degree before the ratio of power first leaves the band; NaN if it begins outside."""
    ratio = _ratio(means, "harmonic", quantity).sel(degree=slice(FIRST_DEGREE, None))
    resolved = ((ratio >= BAND[0]) & (ratio <= BAND[1])).cumprod("degree").sum("degree")
    last = (FIRST_DEGREE - 1 + resolved).where(resolved > 0)
    return last.copy(data=wavelength(last.values))


_SCALE = {"zonal": "zonal wavenumber", "harmonic": "degree of spherical harmonics"}
_UNITS = {"zonal": "variable2 m", "harmonic": "variable2"}
_SYMBOL = {
    "zonal": "S_k = 2 C |F_k|^2, S_0 and the Nyquist wavenumber C |F_k|^2, C the length of the circle of latitude",
    "harmonic": "P_l = sum_m |a_lm|^2, harmonics with mean square 1",
}
_SOURCE = {"zonal": "Rasp et al. 2024 doi:10.1029/2023MS004019", "harmonic": "Wieczorek and Meschede 2018 "
           "doi:10.1029/2018GC007529"}  # fmt: skip
_MISSING = {
    "zonal": "circles of latitude with a missing observation, or not whole in the region, are left out",
    "harmonic": "NaN unless the region is the whole sphere and every observation is there",
}
_OF = {"members": ("", "members"), "mean": ("_of_mean", "the ensemble mean")}


def _spectrum(kind: str, quantity: str, of: str) -> Metric:
    return Metric(
        (f"{kind}_spectra",), partial(_pick, kind=kind, quantity=quantity), "none",
        f"spectrum of {of} by {_SCALE[kind]}, averaged", f"{_SYMBOL[kind]}; {_SOURCE[kind]}", units=_UNITS[kind],
        nan_and_ties=f"a missing member makes the average NaN; {_MISSING[kind]}", family="spectra")  # fmt: skip


def _compared(kind: str, quantity: str, of: str) -> tuple[Metric, Metric]:
    """Ratio to the truth, and coherence with it."""
    statistics, missing = (f"{kind}_spectra",), f"NaN where the truth has no power; {_MISSING[kind]}"
    ratio = Metric(
        statistics, partial(_ratio, kind=kind, quantity=quantity), "one",
        f"power of {of} over the truth's by {_SCALE[kind]}", f"ratio of the averages of {_SYMBOL[kind]}",
        units="1", nan_and_ties=missing, family="spectra")  # fmt: skip
    coherence = Metric(
        statistics, partial(_coherence, kind=kind, quantity=quantity), "higher",
        f"correlation of {of} with the truth by {_SCALE[kind]}",
        "Re sum x conj(y) / sqrt(sum |x|^2 sum |y|^2) of the coefficients of one scale, sums over fields too",
        units="1", nan_and_ties=missing, family="spectra")  # fmt: skip
    return ratio, coherence


def _by_scale(kind: str, spectrum: str, prefix: str) -> dict[str, Metric]:
    found = {f"{spectrum}_of_truth": _spectrum(kind, "truth", "the truth")}
    for quantity, (ending, of) in _OF.items():
        found[f"{spectrum}{ending}"] = _spectrum(kind, quantity, of)
        found[f"{spectrum}_ratio{ending}"], found[f"{prefix}_coherence{ending}"] = _compared(kind, quantity, of)
    found[f"{prefix}_spread_skill"] = Metric(
        (f"{kind}_spectra",), partial(_spread_skill, kind=kind), "one", f"spread/skill ratio by {_SCALE[kind]}",
        "sqrt((M + 1)/M mean variance of the members' coefficients / mean squared error of their mean's)", units="1",
        minimum_members=2, nan_and_ties=f"NaN without error; {_MISSING[kind]}", family="spectra")  # fmt: skip
    return found


def _resolution(quantity: str, of: str) -> Metric:
    return Metric(
        ("harmonic_spectra",), partial(_effective_resolution, quantity=quantity), "lower",
        f"effective resolution of {of}, as a wavelength",
        f"2 pi a / sqrt(l (l + 1)) of the last degree l, from {FIRST_DEGREE} on, before the ratio of power to the "
        f"truth's leaves {BAND[0]:g}..{BAND[1]:g}; cf. Skamarock 2004 doi:10.1175/MWR2830.1, Klaver et al. 2020 "
        "doi:10.1002/asl.952",
        units="km", nan_and_ties=f"NaN if degree {FIRST_DEGREE} is outside already; {_MISSING['harmonic']}",
        family="spectra")  # fmt: skip


METRICS: dict[str, Metric] = {
    **_by_scale("zonal", "zonal_spectrum", "zonal"),
    **_by_scale("harmonic", "power_spectrum", "spectral"),
    "effective_resolution": _resolution("members", "members"),
    "effective_resolution_of_mean": _resolution("mean", "the ensemble mean"),
}
