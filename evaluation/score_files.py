"""Files of scores: the scores, and in groups beside them the sums that they were made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import netCDF4
import xarray as xr

from data_pipeline.errors import ScoreError
from data_pipeline.publish import publishing

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.answer import Answer
    from evaluation.sums import Sums

SUMS = "sums"
"""The group that holds one group for each variable."""
_TIMES: dict[str, dict[str, str]] = {"initial_time": {"units": "seconds since 1970-01-01", "dtype": "int64"}}


def write_scores(answer: Answer, path: Path) -> None:
    """Write NetCDF-4, whole or not at all."""
    with publishing(path) as aside:
        answer.scores.to_netcdf(aside, engine="netcdf4", encoding={"lead_time": {"_FillValue": None}})
        _append(answer.sums, aside)


def write_sums(sums: Sums, path: Path) -> None:
    """Write sums alone, as ``read_sums`` reads them."""
    with publishing(path) as aside:
        xr.Dataset().to_netcdf(aside, engine="netcdf4")
        _append(sums, aside)


def read_scores(path: Path) -> xr.Dataset:
    """The scores of a file.

    Raises
    ------
    ScoreError
        If it is no file of scores.
    """
    return _read(path)


def read_sums(path: Path) -> Sums:
    """The sums of a file of scores.

    Raises
    ------
    ScoreError
        If it is no file of scores, or holds no sums.
    """
    _read(path)
    with netCDF4.Dataset(path) as file:
        variables = list(file[SUMS].groups) if SUMS in file.groups else []
    if not variables:
        raise ScoreError(f"{path} holds no sums, expected a file of 'sphercast score'; score again")
    return {name: _read(path, f"{SUMS}/{name}") for name in variables}


def _append(sums: Sums, path: Path) -> None:
    for name, own in sums.items():
        own.to_netcdf(path, engine="netcdf4", group=f"{SUMS}/{name}", mode="a", encoding=_TIMES)


def _read(path: Path, group: str | None = None) -> xr.Dataset:
    try:
        with xr.open_dataset(path, engine="netcdf4", group=group, decode_timedelta=False) as dataset:
            return dataset.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ScoreError(f"{path} cannot be read ({error}); expected a file of 'sphercast score'") from error
