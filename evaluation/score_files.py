"""Files of scores: the scores, and in groups beside them the sums that they were made of."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import netCDF4
import xarray as xr
from xarray.backends import NetCDF4DataStore

from data_pipeline.errors import ScoreError
from data_pipeline.publish import publishing
from evaluation.sums import with_shared_weights, without_shared_weights

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator
    from pathlib import Path

    from evaluation.answer import Answer
    from evaluation.sums import Sums

SUMS = "sums"
"""The group that holds one group for each variable."""
_MOST_BYTES = 100_000_000
"""That are in memory together while sums are copied from file to file, unless one array is larger."""
_OTHER_KINDS = {
    ("forecast", "truth", "hellinger"): "a joint histogram (of 'sphercast score joint')",
    ("sum_matched",): "scores of tracks (of 'sphercast tracks score')",
}
"""Files of scores that are not compared, by variables that only they have."""
_TIMES: dict[str, dict[str, str]] = {"initial_time": {"units": "seconds since 1970-01-01", "dtype": "int64"}}


def write_scores(answer: Answer, path: Path) -> None:
    """Write NetCDF-4, whole or not at all."""
    with publishing(path) as aside, writing(path):
        answer.scores.to_netcdf(aside, engine="netcdf4", encoding={"lead_time": {"_FillValue": None}})
        add_sums(answer.sums, aside)


def write_sums(sums: Sums, path: Path) -> None:
    """Write sums alone, as ``read_sums`` reads them."""
    with publishing(path) as aside, writing(path):
        xr.Dataset().to_netcdf(aside, engine="netcdf4")
        add_sums(sums, aside)


def add_sums(sums: Sums, path: Path) -> None:
    """Add to those that a file holds already."""
    for name, own in sums.items():
        for part in _in_pieces(without_shared_weights(own)):
            encoding = _TIMES if "initial_time" in part else {}
            part.to_netcdf(path, engine="netcdf4", group=f"{SUMS}/{name}", mode="a", encoding=encoding)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """An OSError where the library says of a full disk only 'HDF error'; EINVAL if it was asked for what it cannot."""
    try:
        yield
    except RuntimeError as error:
        code = errno.EINVAL if "Invalid argument" in str(error) else errno.EIO
        raise OSError(code, f"cannot write ({error})", str(path)) from error


def _in_pieces(sums: xr.Dataset) -> Iterator[xr.Dataset]:
    """Some arrays at a time, as xarray reads all that it is given before it writes."""
    pieces: list[list[Hashable]] = [[]]
    for name in sums.data_vars:
        if sum(sums[own].nbytes for own in [name, *pieces[-1]]) > _MOST_BYTES:
            pieces.append([])
        pieces[-1].append(name)
    return (sums.drop_vars(sums.data_vars.keys() - piece) for piece in pieces)


def read_scores(path: Path) -> xr.Dataset:
    """The scores of a file.

    Raises
    ------
    ScoreError
        If it is no file of scores.
    """
    with readable(path), _open(path) as dataset:
        return dataset.load()


def axes_in(path: Path, metric: str) -> list[str]:
    """Dimensions of the scores that a file holds of a metric, under their plain names; none if it holds none.

    Raises
    ------
    ScoreError
        As ``read_scores``.
    """
    with readable(path), _open(path) as dataset:
        fields = [own for own in dataset.data_vars.values() if own.attrs.get("metric") == metric]
        return [str(dim).split("_of_")[0] for own in fields[:1] for dim in own.dims]


def read_attributes(path: Path) -> dict[str, str]:
    """What a file of scores says of itself.

    Raises
    ------
    ScoreError
        As ``read_scores``.
    """
    with readable(path), _open(path) as dataset:
        return {str(name): str(text) for name, text in dataset.attrs.items()}


def read_sums(path: Path) -> Sums:
    """The sums of a file of scores.

    Raises
    ------
    ScoreError
        If it is no file of scores, or holds no sums.
    """
    with readable(path), netCDF4.Dataset(path) as file:
        return {name: with_shared_weights(own.load()) for name, own in _of_groups(file, path).items()}


def open_sums(path: Path) -> Sums:
    """The sums of a file of scores, each of which is read when it is asked for.

    Raises
    ------
    ScoreError
        As ``read_sums``.
    """
    with readable(path), netCDF4.Dataset(path) as file:
        names = list(_groups(file, path))
    return {name: with_shared_weights(_open(path, f"{SUMS}/{name}")) for name in names}


@contextmanager
def sums_of(path: Path, variable: str) -> Iterator[xr.Dataset]:
    """The sums of one variable of a file, which is open meanwhile; netCDF4 crashes where a file is open several times.

    Raises
    ------
    ScoreError
        If it cannot be read.
    """
    with readable(path), _open(path, f"{SUMS}/{variable}") as sums:
        yield with_shared_weights(sums)


def models_in(path: Path) -> dict[str, list[str]]:
    """By variable, the models whose sums a file holds.

    Raises
    ------
    ScoreError
        As ``read_sums``.
    """
    with readable(path), netCDF4.Dataset(path) as file:
        return {name: [str(model) for model in group["model"][:]] for name, group in _groups(file, path).items()}


@dataclass(frozen=True)
class SumsFiles:
    """The sums of several files, one after the other, each of which is open while it is looked at."""

    paths: tuple[Path, ...]

    def __iter__(self) -> Iterator[Sums]:
        for path in self.paths:
            with readable(path), netCDF4.Dataset(path) as file:
                yield {name: with_shared_weights(own) for name, own in _of_groups(file, path).items()}


def _open(path: Path, group: str | None = None) -> xr.Dataset:
    return xr.open_dataset(path, engine="netcdf4", group=group, decode_timedelta=False, cache=False)


def _of_groups(file: netCDF4.Dataset, path: Path) -> Sums:
    """What an open file holds; its groups are opened by way of one handle, a quarter of the time of opening each."""
    return {
        name: xr.open_dataset(_store(group), decode_timedelta=False, cache=False)
        for name, group in _groups(file, path).items()
    }


def _groups(file: netCDF4.Dataset, path: Path) -> dict[str, netCDF4.Group]:
    """Of the variables of an open file."""
    groups: dict[str, netCDF4.Group] = file[SUMS].groups if SUMS in file.groups else {}
    if not groups:
        got = _kind_of(file.variables)
        raise ScoreError(f"{path} holds {got}, expected a file of 'sphercast score'; score again")
    return groups


def _kind_of(names: Collection[str]) -> str:
    """What a file without sums is, by its variables.

    >>> _kind_of({"forecast", "truth", "hellinger"}), _kind_of({"sum_matched", "hit_rate"}), _kind_of({"x"})
    ("a joint histogram (of 'sphercast score joint')", "scores of tracks (of 'sphercast tracks score')", 'no sums')
    """
    return next((what for signs, what in _OTHER_KINDS.items() if set(signs) <= set(names)), "no sums")


def _store(group: netCDF4.Group) -> NetCDF4DataStore:
    return NetCDF4DataStore(group)  # type: ignore[no-untyped-call]


@contextmanager
def readable(path: object) -> Iterator[None]:
    """What libraries raise for a file that is damaged or none of scores, as a ScoreError."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ScoreError(f"{path} cannot be read ({error}); expected a file of 'sphercast score'") from error
