"""Open forecasts by path, folder, glob or URL; what reads GRIB, Zarr and URLs is imported when there is one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from data_pipeline.addresses import is_url
from data_pipeline.errors import DAMAGES, DataError, ScoreError, listed
from data_pipeline.netcdf_classic import check_whole
from data_pipeline.reading import SAMPLE
from data_pipeline.sources.grib_index import SUFFIXES
from evaluation.readers.chunks import Ahead, in_chunks
from evaluation.readers.joining import runs_of
from evaluation.readers.layouts import pieces_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from evaluation.readers.pieces import Piece

_NETCDF = (".nc", ".nc4", ".netcdf", ".cdf")
_ZARR_METADATA = (".zgroup", ".zmetadata", "zarr.json")
_MOST_LISTED = 5


def open_forecasts(
    paths: Sequence[str | Path], *, allow_missing: bool = False, without: Collection[int] = ()
) -> tuple[list[xr.Dataset], list[str]]:
    """The runs of forecast files, Zarr stores, GRIB, folders, globs and URLs, in order of initial time.

    Each run has a scalar ``initial_time``, datetime64[ns], ``lead_time``, timedelta64[ns], canonical names and units,
    and the dimensions of ``evaluation.readers.DIMENSIONS`` that it has, in any order but for the last two (a
    deterministic run has no ``realization``). Files of the same start become one run: of their members, lead times
    and variables together. Fields are read field by field when they are asked for, without dask. Variables that do not
    depend on the lead time are no forecast and are left out.

    Parameters
    ----------
    paths
        What to open.
    allow_missing
        Leave out files that cannot be read and members that lack fields, and list them, instead of refusing.
    without
        Numbers of members to leave out, such as that of the control; where a file has no numbers they count from 0.

    Returns
    -------
    The runs, and sentences about what was left out.

    Raises
    ------
    DataError
        If a file is absent, unreadable or no forecast.
    ScoreError
        If files of one start do not fit together, members lack fields, or no run has a member that is left out.
    """
    pieces, unreadable = _readable([file for path in paths for file in files_of(path)], Ahead())
    if unreadable and (not pieces or not allow_missing):
        raise _refusal(unreadable, len(pieces))
    runs, lacking = runs_of(pieces, without)
    if lacking and not allow_missing:
        raise ScoreError(
            f"{'; '.join(lacking)}; complete them, or pass --allow-missing".replace(", and was left out", "")
        )
    return runs, [*(f"{error}" for error in unreadable), *lacking]


def open_runs(path: str | Path) -> list[xr.Dataset]:
    """The runs of one path, as ``open_forecasts`` gives them.

    Raises
    ------
    DataError, ScoreError
        As ``open_forecasts``; in words for those who cannot leave files out.
    """
    pieces, unreadable = _readable(files_of(path), Ahead())
    if unreadable and (pieces or len(unreadable) > 1):
        raise DataError(
            f"{len(unreadable)} of the files in {path} are no forecasts that can be read: "
            f"{listed(unreadable, _MOST_LISTED)}; take them away, or name the forecasts alone, e.g. 'FOLDER/run*.nc'"
        )
    if unreadable:
        raise unreadable[0]
    runs, lacking = runs_of(pieces)
    if lacking:
        raise ScoreError("; ".join(lacking).replace(", and was left out", "") + "; complete them, or take them away")
    return runs


def open_run(path: str | Path) -> xr.Dataset:
    """The run of a path that holds one.

    Raises
    ------
    DataError
        As ``open_runs``, and if there are several.
    """
    runs = open_runs(path)
    if len(runs) != 1:
        raise DataError(f"{path} holds {len(runs)} initial times, expected one; select one of them")
    return runs[0]


def _readable(files: Sequence[str], ahead: Ahead) -> tuple[list[Piece], list[DataError]]:
    pieces: list[Piece] = []
    errors = []
    for file in files:
        try:
            pieces += _pieces(file, ahead)
        except DataError as error:
            errors.append(error)
    return pieces, errors


def _refusal(errors: Sequence[DataError], readable: int) -> Exception:
    if len(errors) == 1 and not readable:
        return errors[0]
    more = "; pass --allow-missing to score the rest" if readable else ""
    return DataError(f"{len(errors)} of the files cannot be scored: {listed(errors, _MOST_LISTED)}{more}")


def files_of(path: str | Path) -> list[str]:
    """The files and stores that a path, folder, glob or URL names, sorted.

    Raises
    ------
    DataError
        If there are none.
    """
    text = str(path)
    if is_url(text) or Path(text).is_file():
        return [text]
    exact = Path(text)
    if exact.is_dir():
        return [text] if any((exact / name).exists() for name in _ZARR_METADATA) else _in_folder(exact)
    found = sorted(Path(exact.anchor or ".").glob(text.removeprefix(exact.anchor))) if text.strip() else []
    if not found and text == SAMPLE:
        raise DataError(
            "'sample' is the truth that comes with sphercast, expected a forecast; give the forecasts first and the "
            "truth last, e.g. 'sphercast score forecast.nc sample'"
        )
    if not found:
        raise DataError(f"{path} is no forecast: no such NetCDF file or Zarr store; check the path")
    return [str(match) for match in found]


def _in_folder(folder: Path) -> list[str]:
    files = sorted(str(file) for file in folder.iterdir() if file.suffix.lower() in {*_NETCDF, *SUFFIXES, ".zarr"})
    if not files:
        raise DataError(
            f"{folder} is no forecast: no Zarr store, and no file *{', *'.join((*_NETCDF, *SUFFIXES))} in this folder; "
            "check the path"
        )
    return files


def _pieces(file: str, ahead: Ahead) -> Sequence[Piece]:
    if Path(file).suffix.lower() in SUFFIXES and not is_url(file):
        from evaluation.readers.grib import grib_pieces

        return grib_pieces(file)
    return pieces_of(in_chunks(_open(file), ahead), file)


def _open(file: str) -> xr.Dataset:
    if (is_url(file) and not file.endswith(_NETCDF)) or (not is_url(file) and Path(file).is_dir()):
        from data_pipeline.remote import open_zarr_store

        return open_zarr_store(file)
    local = _local(file)
    try:
        check_whole(local)
        return xr.open_dataset(local, engine="netcdf4", chunks=None, cache=False, decode_timedelta=False)
    except (AttributeError, *DAMAGES) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{file} cannot be read ({reason}); expected a whole NetCDF-4 file or Zarr store; make it again"
        ) from error


def _local(file: str) -> str:
    """A file on this machine's disk: itself, or a copy of what is at a URL."""
    if not is_url(file):
        return file
    from data_pipeline.remote import local_copy

    return str(local_copy(file))
