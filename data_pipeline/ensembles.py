"""Ensembles and forecasts in NetCDF or zarr: what they hold, one member of them, or all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.canonical import MEMBER_NAMES, canonicalise
from data_pipeline.errors import DataError, listed
from data_pipeline.quality.findings import DefectError
from data_pipeline.times import HOUR, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORECAST_LABELS = ("forecast_period", "forecast_reference_time")
_MOST_LISTED = 60


def member_dimension(raw: xr.Dataset) -> str | None:
    """The dimension along which several members lie, if there is one."""
    several = [name for name in MEMBER_NAMES if raw.sizes.get(name, 1) > 1]
    return several[0] if several else None


def member_numbers(raw: xr.Dataset) -> NDArray[np.int64]:
    """The members by number; their positions where they have none."""
    name = member_dimension(raw)
    if name is None:
        return np.array([], dtype=np.int64)
    numbers = raw[name].values if name in raw.indexes else np.arange(raw.sizes[name])
    return np.asarray(numbers.astype(np.int64))


def one_member(raw: xr.Dataset, member: int | None, path: str) -> xr.Dataset:
    """Raw data of one member; as they are where there is but one and none is asked for.

    Raises
    ------
    DataError
        If there are several and none is chosen (a ``DefectError``), or there is no such member.
    """
    name = member_dimension(raw)
    if name is None:
        if member is not None:
            raise DataError(f"{path} has no members to choose from, got member {member}; leave it out")
        return raw
    numbers = member_numbers(raw)
    if member is None:
        raise DefectError(
            "dims-unexpected", f"{path} is {described(raw)}, expected states; choose one with 'member' (--member)"
        )
    if member not in numbers:
        raise DataError(f"{path} has no member {member}, it has {_span(numbers, _MOST_LISTED)}; choose one of them")
    return raw.isel({name: int(np.flatnonzero(numbers == member)[0])}, drop=True)


def all_members(raw: xr.Dataset) -> xr.Dataset:
    """Every member in canonical form along the first dimension, lazily, with the labels of a forecast."""
    name, numbers = member_dimension(raw), member_numbers(raw)
    assert name is not None
    members = [canonicalise(raw.isel({name: position}, drop=True)) for position in range(numbers.size)]
    whole: xr.Dataset = xr.concat(
        members, name, data_vars="all", coords="minimal", compat="override", join="exact"
    ).assign_coords({name: numbers})
    return whole.assign_coords({label: raw[label] for label in _FORECAST_LABELS if label in raw.coords})


def described(raw: xr.Dataset) -> str:
    """What kind of thing data with members or lead times are, for people; empty for plain states."""
    parts = []
    numbers = member_numbers(raw)
    if numbers.size:
        parts.append(f"an ensemble of {numbers.size} members ({_span(numbers)})")
    if "forecast_reference_time" in raw.coords and raw["forecast_reference_time"].ndim == 0:
        parts.append(f"a forecast from {shown(np.atleast_1d(raw['forecast_reference_time'].values)[0])}{_leads(raw)}")
    return ", ".join(parts)


def _span(numbers: NDArray[np.int64], most: int = 10) -> str:
    consecutive = bool(np.all(np.diff(numbers) == 1))
    return f"{numbers[0]} to {numbers[-1]}" if consecutive else listed(numbers.tolist(), most)


def _leads(raw: xr.Dataset) -> str:
    """Lead times in words, where valid times are known."""
    name = next((name for name in ("time", "valid_time") if name in raw.coords), None)
    if name is None or raw[name].dtype.kind != "M":
        return ""
    leads = (np.atleast_1d(raw[name].values) - raw["forecast_reference_time"].values) / HOUR
    return f" with {leads.size} lead times, {leads.min():g} to {leads.max():g} h" if leads.size else ""
