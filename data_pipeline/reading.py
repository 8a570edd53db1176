"""Open anything that holds states - a training store, NetCDF, zarr, GRIB, a URL, the sample - as canonical data.

Sources and stores are imported where they are used: dask, zarr and numba take as long as a small forecast's first map.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.addresses import is_url
from data_pipeline.canonical import canonicalise
from data_pipeline.climatology import Climatology
from data_pipeline.ensembles import one_member
from data_pipeline.errors import ConfigError, DataError
from data_pipeline.sampling import CLIMATOLOGY, STATES, is_sample_folder
from data_pipeline.variables import VARIABLES

if TYPE_CHECKING:
    import xarray as xr

SAMPLE = "sample"
"""The name that stands for the shipped held-out weeks wherever a path to data is asked for."""


def open_states(
    path: str | Path, *, member: int | None = None, step_hours: int | None = None, others: bool = False
) -> xr.Dataset:
    """States as a canonical dataset, lazily.

    ``member`` chooses one of an ensemble, ``step_hours`` one forecast step of GRIB that has several; with ``others``
    NetCDF and Zarr keep variables that sphercast does not know, as they are.

    Raises
    ------
    ConfigError
        If the path is empty.
    DataError
        If nothing readable is there, it holds no known variable, or there is no such member or step.
    """
    states = _open(path, member, step_hours, others)
    states.encoding["source"] = str(path)
    return states


def _open(path: str | Path, member: int | None, step_hours: int | None, others: bool) -> xr.Dataset:
    if is_grib_path(path):
        from data_pipeline.sources.grib import GribSource

        return GribSource(path=str(path), member=member, step_hours=step_hours).open(tuple(VARIABLES))
    refuse_steps(path, step_hours)
    if is_store_path(path):
        from data_pipeline.store import open_store

        refuse_members(path, member)
        return open_store(Path(path)).dataset()
    from data_pipeline.sources.expver import one_version

    return canonicalise(one_version(one_member(open_fields(path), member, str(path))), others=others)


def is_store_path(path: str | Path) -> bool:
    """Whether a training store is there."""
    from data_pipeline.store import is_store

    return not is_url(path) and str(path) != SAMPLE and is_store(_named(path))


def is_grib_path(path: str | Path) -> bool:
    """Whether GRIB is there."""
    from data_pipeline.sources.grib_index import is_grib

    return not is_url(path) and str(path) != SAMPLE and is_grib(_named(path))


def refuse_steps(path: str | Path, step_hours: int | None) -> None:
    """Raise a DataError if a step is chosen of what is no GRIB."""
    if step_hours is not None:
        raise DataError(f"{path} is no GRIB with forecast steps to choose from, got step {step_hours}; leave it out")


def refuse_members(path: str | Path, member: int | None) -> None:
    """Raise a DataError if a member is chosen of a training store."""
    if member is not None:
        raise DataError(f"{path} is a training store without members, got member {member}; leave it out")


def open_fields(path: str | Path) -> xr.Dataset:
    """NetCDF or zarr, or the sample, labels as they are, lazily.

    Raises
    ------
    ConfigError
        If the path is empty.
    DataError
        If nothing readable is there, or it is a training store that is not finished.
    """
    from data_pipeline.sources.opening import open_raw
    from data_pipeline.store import partial_path

    if str(path) == SAMPLE:
        return open_raw(sample_path())
    if not is_url(path):
        path = _named(path)
        if not path.exists() and partial_path(path).exists():
            raise DataError(f"{path} is not finished; run the same 'sphercast data build' again to resume it")
    return open_raw(path)


def _named(path: str | Path) -> Path:
    """An empty text would stand for the current folder."""
    if not str(path).strip():
        raise ConfigError("the path of the data is empty, expected a store, file, folder, glob, URL or 'sample'")
    return Path(path)


def find_climatology(path: str | Path) -> Climatology | None:
    """The climatology that belongs to the states at ``path``: a training store's, a sample's, or none."""
    if str(path) == SAMPLE:
        return Climatology.open(sample_path(CLIMATOLOGY))
    if is_store_path(path):
        from data_pipeline.store import open_store

        return open_store(Path(path)).climatology
    return Climatology.open(Path(path) / CLIMATOLOGY) if is_sample_folder(Path(path)) else None


def sample_path(name: str = STATES) -> Path:
    """Where the shipped sample's states, or another of its files, lie."""
    return Path(str(files("data_pipeline.sample"))) / name
