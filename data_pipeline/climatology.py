"""The climatology: a seasonal cycle of mean and variance at every point, as a few annual harmonics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.channels import Channels
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Times = NDArray[np.datetime64]

TROPICAL_YEAR = np.timedelta64(31556926, "s")
MEAN_HARMONICS = 3
VARIANCE_HARMONICS = 1
SHORTEST_RECORD_WITH_SEASONS = np.timedelta64(360, "D")
_DETERMINED = 1e-6
"""Of the number of times: smallest eigenvalue of equations that determine all harmonics."""


@dataclass(frozen=True)
class Climatology:
    """Harmonic coefficients of the mean and of the variance, each ``(harmonic, channel, latitude, longitude)``.

    The harmonics are 1, cos(p), sin(p), cos(2p), ... where p is the phase of the year. Of a record shorter
    than a year only the constant is fitted: the mean and variance of the season.
    """

    channels: Channels
    grid: Grid
    mean: Floats
    variance: Floats

    def at(self, times: Times) -> tuple[xr.Dataset, xr.Dataset]:
        """Mean and standard deviation at ``times``: canonical datasets, (time, [level], latitude, longitude)."""
        coords = {"time": times, **self.grid.coordinates}
        dims = ("time", "channel", "latitude", "longitude")
        mean = _evaluate(self.mean, times).astype(np.float32)
        std = np.sqrt(np.maximum(_evaluate(self.variance, times), self._floor())).astype(np.float32)
        return self.channels.unstack(mean, coords, dims), self.channels.unstack(std, coords, dims)

    def select(self, variables: Collection[str]) -> Climatology:
        """That of these variables alone, which takes as much less to evaluate; all of it if it has none of them."""
        held = self.channels.positions_of(variables) or list(range(len(self.channels)))
        channels = Channels(tuple(self.channels.channels[position] for position in held))
        return Climatology(channels, self.grid, self.mean[:, held], self.variance[:, held])

    def _floor(self) -> Floats:
        """A tenth of the year's mean variance: a fitted harmonic must not reach zero."""
        return np.asarray(0.1 * self.variance[0])

    def to_dataset(self) -> xr.Dataset:
        """As a dataset that ``from_dataset`` reads back."""
        dims = ("channel", "latitude", "longitude")
        return xr.Dataset(
            {"mean": (("mean_harmonic", *dims), self.mean), "variance": (("variance_harmonic", *dims), self.variance)},
            coords=self.grid.coordinates,
            attrs={"channels": " ".join(self.channels.names), "title": "harmonics of the annual cycle"},
        )

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> Climatology:
        """The inverse of ``to_dataset``; a DataError if the dataset is something else."""
        if "channels" not in dataset.attrs or not {"mean", "variance"} <= set(dataset.data_vars):
            raise DataError(f"not a climatology: it holds {list(dataset.data_vars)}, expected mean and variance")
        channels = Channels.from_names(dataset.attrs["channels"].split())
        mean, variance = (np.asarray(dataset[name].values, dtype=np.float64) for name in ("mean", "variance"))
        return cls(channels, Grid.of(dataset), mean, variance)

    @classmethod
    def open(cls, path: Path) -> Climatology:
        """Read a NetCDF file of ``to_dataset``."""
        with xr.open_dataset(path, engine="netcdf4", decode_timedelta=False) as dataset:
            return cls.from_dataset(dataset)


def fit_climatology(
    slabs: Callable[[], Iterable[tuple[Times, NDArray[np.floating]]]], channels: Channels, grid: Grid
) -> Climatology:
    """Least-squares harmonics in two passes over the record; ``slabs()`` starts a pass of (times, fields).

    Raises
    ------
    DataError
        If the record is empty, or seen at too few times of the year for its harmonics.
    """
    mean = _fit(slabs(), MEAN_HARMONICS)
    squares = ((times, (fields - _evaluate(mean, times)) ** 2) for times, fields in slabs())
    return Climatology(channels, grid, mean, _fit(squares, VARIANCE_HARMONICS))


def _fit(slabs: Iterable[tuple[Times, NDArray[np.floating]]], harmonics: int) -> Floats:
    """Coefficients by the normal equations, of the values that are there; of less than a year, the constant alone."""
    gram: Floats = np.zeros(())
    moment: Floats = np.zeros(())
    gaps: dict[int, Floats] = {}
    ends: list[np.datetime64] = []
    for times, fields in slabs:
        basis = _basis(times, 2 * harmonics + 1)
        gram = gram + basis.T @ basis
        moment = moment + np.tensordot(basis.T, np.nan_to_num(fields.astype(np.float64), nan=0.0), axes=1)
        _add_gaps(gaps, basis, np.isnan(fields))
        ends = [*ends[:1], times[0], times[-1]]
    if not ends:
        raise DataError("no times to fit a climatology to, expected at least one; choose a longer period")
    size = len(gram) if ends[-1] - ends[0] >= SHORTEST_RECORD_WITH_SEASONS else 1
    solution = _solve(gram[:size, :size], moment[:size])
    for channel, missing in gaps.items():
        grams = gram[:size, :size] - missing[..., :size, :size]
        solution[:, channel] = _solve_each(grams, moment[:size, channel], least=_DETERMINED * gram[0, 0])
    return solution


def _add_gaps(gaps: dict[int, Floats], basis: Floats, missing: NDArray[np.bool_]) -> None:
    """Add to each channel's what its missing values would have added to the normal equations at their points."""
    pairs = basis[:, :, None] * basis[:, None, :]
    for channel in np.flatnonzero(missing.any(axis=(0, 2, 3))).tolist():
        own = np.tensordot(missing[:, channel].astype(np.float64), pairs, axes=([0], [0]))
        gaps[channel] = gaps.get(channel, 0.0) + own


def _solve(gram: Floats, moment: Floats) -> Floats:
    if np.linalg.matrix_rank(gram, hermitian=True) < len(gram):
        raise DataError(
            f"the times fall on too few days of the year for {len(gram)} harmonics; choose a longer or denser period"
        )
    solution = np.linalg.solve(gram, moment.reshape(len(gram), -1)).reshape(moment.shape)
    return np.asarray(solution, dtype=np.float64)


def _solve_each(grams: Floats, moment: Floats, least: float) -> Floats:
    """Of points with equations (latitude, longitude, n, n) of their own; NaN where an eigenvalue is below ``least``.

    That is absolute, for what is left of equations without values is rounding.
    """
    size = len(moment)
    known = np.linalg.eigvalsh(grams)[..., 0] > least
    solvable = np.where(known[..., None, None], grams, np.eye(size))
    solution = np.linalg.solve(solvable, np.moveaxis(moment, 0, -1)[..., None])[..., 0]
    return np.moveaxis(np.where(known[..., None], solution, np.nan), -1, 0)


def _evaluate(coefficients: Floats, times: Times) -> Floats:
    return np.asarray(np.tensordot(_basis(times, len(coefficients)), coefficients, axes=1), dtype=np.float64)


def _basis(times: Times, size: int) -> Floats:
    phase = 2 * np.pi * ((times - np.datetime64("2000-01-01", "ns")) / TROPICAL_YEAR)
    orders = np.arange(1, size // 2 + 1)
    waves = [wave(order * phase) for order in orders for wave in (np.cos, np.sin)]
    return np.stack([np.ones_like(phase), *waves], axis=-1)
