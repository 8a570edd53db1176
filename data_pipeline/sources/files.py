"""NetCDF files and zarr stores in any layout that the canonical form knows (Climate Data Store, WeatherBench2, ours)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import xarray as xr
from pydantic import BaseModel, ConfigDict

from data_pipeline.canonical import canonicalise
from data_pipeline.errors import DataError
from data_pipeline.variables import CANONICAL_NAME

if TYPE_CHECKING:
    from collections.abc import Collection


class FilesSource(BaseModel):
    """A zarr store, a NetCDF file, or a glob of NetCDF files that follow each other in time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["files"] = "files"
    path: str

    def open(self, wanted: Collection[str]) -> xr.Dataset:
        """Those of the ``wanted`` variables that the files hold, canonical and lazy."""
        dataset = open_raw(self.path)
        held = {CANONICAL_NAME.get(str(name)) for name in dataset.data_vars} & set(wanted)
        return canonicalise(dataset, sorted(name for name in held if name))


def open_raw(path: str | Path) -> xr.Dataset:
    """Open a zarr store or NetCDF file(s) lazily, labels as they are.

    Raises
    ------
    DataError
        If nothing is there, or it cannot be read (truncated, not a data file).
    """
    matches = sorted(Path("/" if str(path).startswith("/") else ".").glob(str(path).lstrip("/")))
    if not matches:
        raise DataError(f"no such file or store: {path}; check the path (relative to {Path.cwd()})")
    try:
        if matches[0].is_dir():
            return xr.open_zarr(matches[0], decode_timedelta=False)
        parts = [xr.open_dataset(match, chunks={"time": 64}, decode_timedelta=False) for match in matches]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"cannot read {path} as zarr or NetCDF ({error}); is it complete?") from error
    if len(parts) == 1:
        return parts[0]
    time = "valid_time" if "valid_time" in parts[0].dims else "time"
    return xr.concat(parts, time, data_vars="minimal", coords="minimal", compat="override", join="exact")
