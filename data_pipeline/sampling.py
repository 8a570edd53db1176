"""Cut a sample out of a training store: packed states of chosen weeks and the climatology, small enough to ship."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import DataError, reading
from data_pipeline.publish import write_netcdf
from data_pipeline.quality.periods import SAMPLED_PERIODS, written_periods
from data_pipeline.times import shown
from data_pipeline.variables import variable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from data_pipeline.config import Period
    from data_pipeline.store import TrainingStore

STATES = "states.nc"
CLIMATOLOGY = "climatology.nc"

TRAINING_PERIOD = "training_period"
"""The attribute of ``climatology.nc`` that says of what it was made, ``START..STOP``, both included."""

_PACKED_RANGE = 65000
"""int16 codes used; the rest is left for the fill value and for rounding at the ends."""


def is_sample_folder(path: Path) -> bool:
    """Whether ``write_sample`` may have written this folder: the states in it stand for all of it."""
    return all((path / name).is_file() for name in (STATES, CLIMATOLOGY))


def write_sample(store_path: Path, periods: Sequence[Period], folder: Path, description: str) -> None:
    """Write ``states.nc`` (int16, scale and offset per variable and file) and ``climatology.nc`` into ``folder``.

    The states say in ``sampled_periods`` that what lies between the periods was left out.

    Raises
    ------
    DataError
        If a period holds no time of the store or is partly outside it, or something else is where the folder shall be.
    """
    from data_pipeline.store import open_store

    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is no folder, expected one to write {STATES} and {CLIMATOLOGY} into; give another")
    store = open_store(store_path)
    chosen = np.zeros(store.times.size, dtype=bool)
    for period in periods:
        inside = period.contains(store.times)
        if not inside.any():
            raise DataError(f"{store_path} holds no time in {period.start}..{period.stop}; choose another period")
        _require_inside(store, period)
        chosen |= inside
    with reading(store_path):
        states = store.dataset().isel(time=np.flatnonzero(chosen)).load()
    states = states.assign(_static(store))
    states.attrs = {
        "title": description, "source": str(store.group.attrs.get("config_sha256", "")),
        SAMPLED_PERIODS: written_periods(_runs(store.times, chosen)),
    }  # fmt: skip
    write_netcdf(states, folder / STATES, {str(name): _packed(field) for name, field in states.data_vars.items()})
    climatology = store.climatology.to_dataset().assign_attrs(_training_period(store))
    compressed = {"zlib": True, "complevel": 9, "shuffle": True, "dtype": "float32", "significant_digits": 5,
                  "quantize_mode": "GranularBitRound"}  # fmt: skip
    write_netcdf(climatology, folder / CLIMATOLOGY, {str(name): dict(compressed) for name in climatology.data_vars})


def _training_period(store: TrainingStore) -> dict[str, str]:
    """The attribute that says of which days a climatology was made."""
    config = store.group.attrs.get("config")
    training = config.get("training_period") if isinstance(config, dict) else None
    return {TRAINING_PERIOD: f"{training['start']}..{training['stop']}"} if isinstance(training, dict) else {}


def _require_inside(store: TrainingStore, period: Period) -> None:
    """Its ends may lie between the times of the store and the ones that would be next."""
    begin, end = period.bounds()
    if begin <= store.times[0] - store.interval or end >= store.times[-1] + store.interval:
        raise DataError(
            f"the period {period.start}..{period.stop} is partly outside {store.path}, which holds "
            f"{shown(store.times[0])}..{shown(store.times[-1])}; shorten it"
        )


def _runs(times: NDArray[np.datetime64], chosen: NDArray[np.bool_]) -> list[tuple[np.datetime64, np.datetime64]]:
    """First and last times of the stretches that were chosen."""
    positions = np.flatnonzero(chosen)
    stretches = np.split(times[positions], np.flatnonzero(np.diff(positions) > 1) + 1)
    return [(stretch[0], stretch[-1]) for stretch in stretches]


def _static(store: TrainingStore) -> dict[str, xr.Variable]:
    dims = ("latitude", "longitude")
    fields = zip(*store.static, strict=True)
    return {name: xr.Variable(dims, values, variable(name).attributes) for name, values in fields}


def _packed(field: xr.DataArray) -> dict[str, object]:
    low, high = float(field.min()), float(field.max())
    scale = (high - low) / _PACKED_RANGE
    chunks = tuple(size if dim in ("latitude", "longitude") else 1 for dim, size in field.sizes.items())
    return {
        "dtype": "int16", "scale_factor": scale or 1.0, "add_offset": (low + high) / 2, "_FillValue": np.int16(-32768),
        "zlib": True, "complevel": 9, "shuffle": True, "chunksizes": chunks,
    }  # fmt: skip
