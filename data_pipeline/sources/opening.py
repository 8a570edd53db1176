"""Open zarr stores and NetCDF files by path, folder, glob or URL, as they are, once per process."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import xarray as xr

from data_pipeline.addresses import is_url
from data_pipeline.errors import DAMAGES, DataError
from data_pipeline.netcdf_classic import check_whole
from data_pipeline.remote import local_copy, open_zarr_store
from data_pipeline.sampling import STATES, is_sample_folder
from data_pipeline.sources.lazy import chunked, time_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Parts: TypeAlias = tuple[xr.Dataset, ...]
"""Raw datasets in order of time: one store, or one of each file."""

_NETCDF = (".nc", ".nc4", ".netcdf", ".cdf")
_ZARR_METADATA = (".zgroup", ".zmetadata", "zarr.json")


def open_raw(path: str | Path) -> xr.Dataset:
    """Open a zarr store or NetCDF file, or several that follow each other in time, lazily, labels as they are.

    Raises
    ------
    DataError
        If nothing is there, it cannot be read (truncated, not a data file), or files do not fit together.
    """
    parts = _open_parts(_matches(path), path)
    whole = joined([chunked(part, str(path)) for part in parts], path)

    def close() -> None:
        for part in parts:
            part.close()

    whole.set_close(close)
    return whole


def raw_parts(path: str | Path) -> Parts:
    """What is at ``path``, indexed lazily, without dask; opened once per process, and again if the files change.

    Nobody may close or change what is returned.

    Raises
    ------
    DataError
        As ``open_raw`` does.
    """
    matches = _matches(path)
    return _opened_once(str(path), matches, tuple(_version(match) for match in matches))


@lru_cache(maxsize=16)
def _opened_once(path: str, matches: tuple[str, ...], versions: tuple[object, ...]) -> Parts:
    return _open_parts(matches, path)


def _version(match: str) -> object:
    """What changes when a file is written again."""
    if is_url(match):
        return match
    files = [Path(match), *(Path(match, name) for name in _ZARR_METADATA)]
    return tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists())


def _matches(path: str | Path) -> tuple[str, ...]:
    """Files and stores that a path, folder, glob or URL names, sorted, absolute."""
    text = str(path)
    if is_url(text):
        return (text,)
    exact = Path(text)
    if not exact.exists():  # what exists may have brackets in its name
        matches = sorted(Path(exact.anchor or ".").glob(text.removeprefix(exact.anchor)))
    elif exact.is_dir() and not any((exact / name).exists() for name in _ZARR_METADATA):
        matches = _netcdf_in(exact)
    else:
        matches = [exact]
    if not matches:
        raise DataError(f"no such file or store: {path}; check the path (relative to {Path.cwd()})")
    return tuple(str(match.absolute()) for match in matches)


def _netcdf_in(folder: Path) -> list[Path]:
    if is_sample_folder(folder):
        return [folder / STATES]
    files = sorted(file for file in folder.iterdir() if file.suffix in _NETCDF)
    if not files:
        inside = f"neither {', '.join(_ZARR_METADATA)} nor a file *{', *'.join(_NETCDF)} is in this folder"
        raise DataError(f"cannot read {folder} as zarr or NetCDF ({inside}); check the path")
    return files


def _open_parts(matches: Sequence[str], path: str | Path) -> Parts:
    parts = [_open_one(match) for match in matches]
    if len(parts) > 1:
        time = time_name(parts[0])
        with _following(len(parts), path):
            parts.sort(key=lambda part: part[time].values.flat[0])
            _require_same_variables(parts)
    return tuple(parts)


def _open_one(match: str) -> xr.Dataset:
    file = match
    if is_url(match) and match.endswith(_NETCDF):
        file = str(local_copy(match))
    elif is_url(match) or Path(match).is_dir():
        return open_zarr_store(match)
    try:
        check_whole(file)
        # To guess the engine xarray would load every plugin; eccodes and pyproj in one process corrupt the heap.
        return xr.open_dataset(file, engine="netcdf4", chunks=None, cache=False, decode_timedelta=False)
    except (AttributeError, *DAMAGES) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"cannot read {match} as zarr or NetCDF ({reason}); {_remedy(match)}") from error


def _remedy(file: str) -> str:
    """The files that are most often taken for NetCDF begin with their own name."""
    with suppress(OSError), Path(file).open("rb") as opened:
        if opened.read(4) == b"GRIB":
            return "it is GRIB: take 'kind: grib' in a config, and a name that ends in .grib elsewhere"
    return "is it complete?"


def joined(parts: Sequence[xr.Dataset], path: str | Path) -> xr.Dataset:
    """Parts that follow each other in time as one dataset; they must be dask arrays, as concat reads all others.

    Raises
    ------
    DataError
        If they do not fit together.
    """
    if len(parts) == 1:
        return parts[0]
    time = time_name(parts[0])
    with _following(len(parts), path):
        long = [part.expand_dims(time) if part[time].ndim == 0 else part for part in parts]
        whole: xr.Dataset = xr.concat(
            long, time, data_vars="minimal", coords="minimal", compat="override", join="exact"
        )
    return whole


@contextmanager
def _following(count: int, path: str | Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"the {count} files of {path} do not follow each other in time ({reason}); give those with other "
            "variables or grids as sources of their own"
        ) from error


def _require_same_variables(parts: Sequence[xr.Dataset]) -> None:
    first, *others = ({str(name) for name in part.data_vars} for part in parts)
    for other in others:
        if other != first:  # xarray would fill in NaN
            raise ValueError(f"{', '.join(sorted(other ^ first))} is not in all of them")
