"""Regrid what lies at a path into a NetCDF file: ``sphercast data regrid``."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from data_pipeline.ensembles import all_members, member_dimension
from data_pipeline.errors import ConfigError
from data_pipeline.grid import MOST_GAUSSIAN_LATITUDES, MOST_POINTS, Grid
from data_pipeline.progress import track_dask
from data_pipeline.publish import write_netcdf
from data_pipeline.reading import is_grib_path, is_store_path, open_fields, open_states
from data_pipeline.regrid.healpix import HealpixGrid
from data_pipeline.regrid.points import Points
from data_pipeline.regrid.regridder import Regridder

if TYPE_CHECKING:
    import xarray as xr

TARGETS = (
    "equiangular:32x64, equiangular_with_poles:121x240, gaussian:32x64, healpix:64, healpix_ring:48, points:FILE.csv"
)
"""Examples of every kind of target, as messages and help show them."""

_COMPRESSION = 4
"""Weather in float32 shrinks by a factor of 1.3 to 2, of packed sources by more; what would need more is refused."""


def regrid_file(
    path: str, out: Path, target: str, *, method: Literal["conservative", "bilinear"] | None = None,
    min_valid_fraction: float = 0.5, with_valid_fraction: bool = False, member: int | None = None,
    step_hours: int | None = None, progress: bool = False,
) -> None:  # fmt: skip
    """Open anything that holds states, regrid all of it and write NetCDF, a field in memory at a time.

    By default the method is conservative, and bilinear for points. ``member`` chooses one of an ensemble (of NetCDF
    and zarr all are regridded by default), ``step_hours`` one step of a forecast in GRIB.

    Raises
    ------
    ConfigError
        If the target cannot be read or is too large, or the output is the input.
    DataError
        If the data cannot be read, or not be regridded in this way.
    """
    if out.exists() and Path(path).exists() and out.samefile(path):
        raise ConfigError(f"{out} is what is to be regridded; give another file to write")
    to, labels = target_of(target), station_names(target)
    chosen = method or ("bilinear" if isinstance(to, Points) else "conservative")
    states = _states(path, member, step_hours)
    regridder = Regridder(Grid.of(states), to, min_valid_fraction, chosen)
    regridded = regridder(states, with_valid_fraction=with_valid_fraction).assign_coords(labels)
    regridded.attrs = {"title": f"{path} on the {to}", "regridding": chosen, **_healpix_attributes(to)}
    _require_space(regridded, out)
    encoding = {str(name): _encoding(field) for name, field in regridded.data_vars.items()}
    with track_dask("regrid", enabled=progress):
        write_netcdf(regridded, out, encoding)


def _states(path: str, member: int | None, step_hours: int | None) -> xr.Dataset:
    """Of one member, or of all where there are several and none is chosen."""
    if member is None and step_hours is None and not is_grib_path(path) and not is_store_path(path):
        raw = open_fields(path)
        if member_dimension(raw):
            return all_members(raw)
    return open_states(path, member=member, step_hours=step_hours)


def _require_space(dataset: xr.Dataset, out: Path) -> None:
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if dataset.nbytes > _COMPRESSION * free:
        raise ConfigError(
            f"{out} would hold {dataset.nbytes / 1e9:.3g} GB before compression, {folder} has {free / 1e9:.3g} GB "
            "free; take a coarser target or fewer times, or free space"
        )


def target_of(text: str) -> Grid | HealpixGrid | Points:
    """The target that a text names.

    Raises
    ------
    ConfigError
        If it names none, the message shows every kind; or if it is too large.

    >>> target_of("gaussian:32x64").shape, target_of("healpix:2").shape
    ((32, 64), (48,))
    """
    kind, _, size = text.partition(":")
    rectangle, nside = re.fullmatch(r"(\d+)x(\d+)", size), re.fullmatch(r"\d+", size)
    if rectangle:
        _require_few(text, int(rectangle[1]) * int(rectangle[2]))
    if kind == "gaussian" and rectangle and int(rectangle[1]) > MOST_GAUSSIAN_LATITUDES:
        raise ConfigError(f"the target {text} has {rectangle[1]} latitudes, expected {MOST_GAUSSIAN_LATITUDES} at most")
    if kind == "gaussian" and rectangle:
        return Grid.gaussian(int(rectangle[1]), int(rectangle[2]))
    if kind in {"equiangular", "equiangular_with_poles"} and rectangle:
        return Grid.equiangular(int(rectangle[1]), int(rectangle[2]), poles=kind.endswith("poles"))
    if kind in {"healpix", "healpix_ring"} and nside:
        _require_few(text, 12 * int(size) ** 2)
        return HealpixGrid(int(size), "ring" if kind.endswith("ring") else "nested")
    if kind == "points" and size:
        return _points(Path(size))
    raise ConfigError(f"cannot read the target {text!r}; expected one like {TARGETS}")


def station_names(target: str) -> dict[str, tuple[str, list[str]]]:
    """The column ``name`` of a table of points as a coordinate along them; nothing where there is none."""
    kind, _, path = target.partition(":")
    table = pd.read_csv(path, dtype=str, keep_default_na=False) if kind == "points" else pd.DataFrame()
    return {"name": (Points.dimension, table["name"].tolist())} if "name" in table else {}


def _require_few(text: str, points: int) -> None:
    if points > MOST_POINTS:
        raise ConfigError(
            f"the target {text} has {points} points, {4 * points / 1e9:.3g} GB a field, expected {MOST_POINTS} at "
            "most; take a coarser one"
        )


def _points(path: Path) -> Points:
    """Of a table with columns latitude and longitude, in degrees."""
    try:
        table = pd.read_csv(path)
        return Points(tuple(table["latitude"].astype(float)), tuple(table["longitude"].astype(float)))
    except (OSError, ValueError, KeyError) as error:
        reason = f"no column {error}" if isinstance(error, KeyError) else error
        raise ConfigError(
            f"cannot read points from {path} ({reason}); expected a CSV file with columns latitude and longitude"
        ) from error


def _healpix_attributes(target: Grid | HealpixGrid | Points) -> dict[str, Any]:
    if not isinstance(target, HealpixGrid):
        return {}
    return {"healpix_nside": target.nside, "healpix_order": target.order}


def _encoding(field: xr.DataArray) -> dict[str, Any]:
    """One field a chunk, so that reading one does not decompress the others."""
    horizontal = {"latitude", "longitude", "cell", "point"}
    chunks = tuple(size if dim in horizontal else 1 for dim, size in field.sizes.items())
    return {"zlib": True, "complevel": 4, "shuffle": True, "chunksizes": chunks}
