"""NetCDF files and zarr stores in any layout that the canonical form knows: Climate Data Store, WeatherBench2, ours."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import xarray as xr
from pydantic import BaseModel, ConfigDict

from data_pipeline.canonical import canonicalise, known_names
from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection

TIMES_PER_CHUNK = 64


class FilesSource(BaseModel):
    """A zarr store, a NetCDF file, or a glob of NetCDF files that follow each other in time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["files"] = "files"
    path: str

    def open(self, wanted: Collection[str]) -> xr.Dataset:
        """Those of the ``wanted`` variables that the files hold, canonical and lazy."""
        return canonical_share(open_raw(self.path), wanted, self.path)


def canonical_share(raw: xr.Dataset, wanted: Collection[str], path: str) -> xr.Dataset:
    """Those of the ``wanted`` variables that ``raw`` holds, canonical; a DataError if it holds none of them."""
    held = known_names(raw)
    kept = [name for name in wanted if name in held]
    if not kept:
        have = ", ".join(held) or "no variable that sphercast knows"
        raise DataError(f"{path} holds none of {', '.join(sorted(wanted))}; it has {have}; remove the source")
    return canonicalise(raw, kept)


def open_raw(path: str | Path) -> xr.Dataset:
    """Open a zarr store or NetCDF file, or several that follow each other in time, lazily, labels as they are.

    Raises
    ------
    DataError
        If nothing is there, it cannot be read (truncated, not a data file), or files do not fit together.
    """
    parts = [_open_one(match) for match in _matches(path)]
    if len(parts) == 1:
        return parts[0]
    time = _time_name(parts[0])
    try:
        parts = sorted((_with_time_axis(part, time) for part in parts), key=lambda part: part[time].values[0])
        _require_same_variables(parts)
        joined: xr.Dataset = xr.concat(
            parts, time, data_vars="minimal", coords="minimal", compat="override", join="exact"
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"the {len(parts)} files of {path} do not follow each other in time ({reason}); give those with other "
            "variables or grids as sources of their own"
        ) from error
    return joined


def _matches(path: str | Path) -> list[Path]:
    """Files and stores that a path or glob names, sorted."""
    text = str(path)
    exact = Path(text)
    if exact.exists():  # also a name with brackets in it
        return [exact]
    matches = sorted(Path(exact.anchor or ".").glob(text.removeprefix(exact.anchor)))
    if not matches:
        raise DataError(f"no such file or store: {path}; check the path (relative to {Path.cwd()})")
    return matches


def _open_one(path: Path) -> xr.Dataset:
    try:
        if path.is_dir():
            return _open_zarr(path)
        # To guess the engine xarray would load every plugin; eccodes and pyproj in one process corrupt the heap.
        dataset = xr.open_dataset(path, engine="netcdf4", decode_timedelta=False)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"cannot read {path} as zarr or NetCDF ({reason}); is it complete?") from error
    time = _time_name(dataset)
    return dataset.chunk({time: TIMES_PER_CHUNK} if time in dataset.dims else {})


def _open_zarr(path: Path) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated metadata", RuntimeWarning)
        dataset: xr.Dataset = xr.open_zarr(path, decode_timedelta=False)
        return dataset


def _time_name(dataset: xr.Dataset) -> str:
    """Of the axis that files follow each other along; ``time`` beside ``valid_time`` is a forecast's start."""
    return "valid_time" if "valid_time" in dataset.variables and "time" not in dataset.dims else "time"


def _require_same_variables(parts: list[xr.Dataset]) -> None:
    first, *others = ({str(name) for name in part.data_vars} for part in parts)
    for other in others:
        if other != first:  # xarray would fill in NaN
            raise ValueError(f"{', '.join(sorted(other ^ first))} is not in all of them")


def _with_time_axis(dataset: xr.Dataset, time: str) -> xr.Dataset:
    return dataset.expand_dims(time) if dataset[time].ndim == 0 else dataset
