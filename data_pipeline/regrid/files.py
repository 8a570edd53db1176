"""Regrid what lies at a path into a NetCDF file: ``sphercast data regrid``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from data_pipeline.errors import ConfigError
from data_pipeline.grid import Grid
from data_pipeline.publish import write_netcdf
from data_pipeline.reading import open_states
from data_pipeline.regrid.healpix import HealpixGrid
from data_pipeline.regrid.points import Points
from data_pipeline.regrid.regridder import Regridder

if TYPE_CHECKING:
    import xarray as xr

TARGETS = (
    "equiangular:32x64, equiangular_with_poles:121x240, gaussian:32x64, healpix:64, healpix_ring:48, points:FILE.csv"
)
"""Examples of every kind of target, as messages and help show them."""


def regrid_file(
    path: str, out: Path, target: str, *, method: Literal["conservative", "bilinear"] | None = None,
    min_valid_fraction: float = 0.5, with_valid_fraction: bool = False,
) -> None:  # fmt: skip
    """Open anything that holds states, regrid all of it and write NetCDF, a field in memory at a time.

    By default the method is conservative, and bilinear for points.

    Raises
    ------
    ConfigError
        If the target cannot be read, or the output is the input.
    DataError
        If the data cannot be read, or not be regridded in this way.
    """
    if out.exists() and Path(path).exists() and out.samefile(path):
        raise ConfigError(f"{out} is what is to be regridded; give another file to write")
    to = target_of(target)
    chosen = method or ("bilinear" if isinstance(to, Points) else "conservative")
    states = open_states(path)
    regridder = Regridder(Grid.of(states), to, min_valid_fraction, chosen)
    regridded = regridder(states, with_valid_fraction=with_valid_fraction)
    regridded.attrs = {"title": f"{path} on the {to}", "regridding": chosen, **_healpix_attributes(to)}
    write_netcdf(regridded, out, {str(name): _encoding(field) for name, field in regridded.data_vars.items()})


def target_of(text: str) -> Grid | HealpixGrid | Points:
    """The target that a text names.

    Raises
    ------
    ConfigError
        If it names none; the message shows every kind.

    >>> target_of("gaussian:32x64").shape, target_of("healpix:2").shape
    ((32, 64), (48,))
    """
    kind, _, size = text.partition(":")
    rectangle, nside = re.fullmatch(r"(\d+)x(\d+)", size), re.fullmatch(r"\d+", size)
    if kind == "gaussian" and rectangle:
        return Grid.gaussian(int(rectangle[1]), int(rectangle[2]))
    if kind in {"equiangular", "equiangular_with_poles"} and rectangle:
        return Grid.equiangular(int(rectangle[1]), int(rectangle[2]), poles=kind.endswith("poles"))
    if kind in {"healpix", "healpix_ring"} and nside:
        return HealpixGrid(int(size), "ring" if kind.endswith("ring") else "nested")
    if kind == "points" and size:
        return _points(Path(size))
    raise ConfigError(f"cannot read the target {text!r}; expected one like {TARGETS}")


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
