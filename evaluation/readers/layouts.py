"""One file or store as pieces of runs: canonical names and units, latitude north to south, one start each."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.axes import orient
from data_pipeline.channels import Channel
from data_pipeline.errors import DataError
from data_pipeline.grid import COORDINATE_DECIMALS, Grid
from data_pipeline.units import Conversion
from evaluation.readers.axes import no_forecast, with_axes
from evaluation.readers.fields import HORIZONTAL, UNSTRUCTURED, Arranged, Scaled, lazily, upright
from evaluation.readers.names import canonical, conversion, have_levels, is_static
from evaluation.readers.pieces import DatasetPiece

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from evaluation.readers.fields import Step

    Horizontal = tuple[Grid, list[Step]]


def pieces_of(raw: xr.Dataset, path: str) -> list[DatasetPiece]:
    """What a file holds, by initial time.

    Raises
    ------
    DataError
        If it is no forecast, or labels, units or the grid are not understood.
    """
    dataset = with_axes(raw, path)
    fields = _forecast_fields(dataset, path)
    grid, steps = _horizontal(dataset, path)
    with _naming(path):
        dataset = _by_member(_downward(dataset[list(fields)]))
    variables: dict[Channel, tuple[str, xr.Variable]] = {}
    for old, (new, level) in fields.items():
        channel, variable = Channel(new, level), _canonical(dataset[old], new, grid, steps, path)
        if channel in variables:
            raise DataError(f"{path}: {variables[channel][0]!r} and {old!r} are both {channel.name}; drop one of them")
        variables[channel] = old, variable
    _check_levels(variables, path)
    labels = {name: axis for name, axis in dataset.coords.items() if name not in HORIZONTAL}
    whole = DatasetPiece(
        path, {channel: variable for channel, (_, variable) in variables.items()}, xr.Dataset(coords=labels), grid,
        raw.attrs,
    )  # fmt: skip
    return whole.by_start()


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """What is said of labels, with the file that has them."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _forecast_fields(dataset: xr.Dataset, path: str) -> dict[str, tuple[str, int | None]]:
    """``{name in the file: (canonical name, level)}`` of variables that depend on the lead time.

    With one lead time, a scalar, they are all over the grid that can change.
    """
    space = {UNSTRUCTURED} if UNSTRUCTURED in dataset.dims else set(HORIZONTAL)
    over_grid = [str(name) for name, field in dataset.data_vars.items() if space <= set(field.dims)]
    levels_in_names = have_levels(over_grid)
    named = {name: canonical(dataset[name], levels_in_names=levels_in_names) for name in over_grid}
    if "lead_time" in dataset.dims:
        named = {name: new for name, new in named.items() if "lead_time" in dataset[name].dims}
    kept = {name: (new, level) for name, (new, level) in named.items() if not is_static(new)}
    if not kept:
        raise no_forecast(path, dataset)
    return kept


def _horizontal(dataset: xr.Dataset, path: str) -> Horizontal:
    """The grid, and what brings the file's fields onto it."""
    if UNSTRUCTURED in dataset.dims:
        return _of_points(dataset, path)
    with _naming(path):
        return upright(dataset["latitude"].values, dataset["longitude"].values)


def _of_points(dataset: xr.Dataset, path: str) -> Horizontal:
    """A latitude-longitude grid that was written point by point, in any order."""
    latitude = np.round(dataset["latitude"].values.astype(np.float64), COORDINATE_DECIMALS - 2)
    longitude = np.round(dataset["longitude"].values.astype(np.float64), COORDINATE_DECIMALS - 2) % 360
    rows, columns = np.unique(-latitude), np.unique(longitude)
    order = np.full((rows.size, columns.size), -1)
    if order.size == latitude.size:
        order[np.searchsorted(rows, -latitude), np.searchsorted(columns, longitude)] = np.arange(latitude.size)
    if order.size != latitude.size or (order < 0).any():
        raise DataError(
            f"{path} holds {latitude.size} points on {rows.size} latitudes and {columns.size} longitudes, which are no "
            "latitude-longitude grid (a reduced Gaussian one, HEALPix or stations?); write the forecast on a regular "
            "grid first, e.g. with earthkit-regrid or `cdo remapcon,r360x180`"
        )
    return Grid(tuple((-rows).tolist()), tuple(columns.tolist())), [Arranged(order)]


def _downward(dataset: xr.Dataset) -> xr.Dataset:
    """Levels in whole hPa, ascending; positions along them are kept lazy. A scalar level is one too."""
    if "level" not in dataset.coords:
        return dataset
    scalar = dataset["level"].ndim == 0
    axis = xr.Dataset({"place": ("level", np.arange(np.size(dataset["level"])))}, _placeholder(dataset))
    ordered = orient(axis)
    if scalar:
        return dataset.assign_coords(level=int(ordered["level"].item()))
    places = ordered["place"].values
    if not np.array_equal(places, axis["place"]):
        dataset = dataset.isel(level=places)
    return dataset.assign_coords(level=ordered["level"].values)


def _by_member(dataset: xr.Dataset) -> xr.Dataset:
    """Members by ascending number, as sums over them depend on their order in the last bit."""
    if "realization" not in dataset.dims or "realization" not in dataset.coords:
        return dataset
    places = np.argsort(dataset["realization"].values, kind="stable")
    return dataset if (np.diff(places) == 1).all() else dataset.isel(realization=places)


def _placeholder(dataset: xr.Dataset) -> dict[str, Any]:
    level = dataset["level"]
    return {
        "level": ("level", np.atleast_1d(level.values), level.attrs),
        "latitude": [1.0, 0.0],
        "longitude": [0.0, 1.0],
    }


def _canonical(field: xr.DataArray, name: str, grid: Grid, steps: list[Step], path: str) -> xr.Variable:
    """With canonical units, grid and order of the last two dims; as it lies in the file where that is so already."""
    how, attributes = conversion(name, field, path)
    every: list[Step] = [*steps, *([] if how == Conversion() else [Scaled(how.scale, how.offset)])]
    variable = field.variable
    if every or variable.dims[-2:] != HORIZONTAL:
        variable = lazily(variable, grid.shape, every, None if how == Conversion() else np.dtype(np.float32))
    variable = variable.copy(deep=False)
    variable.attrs = attributes
    return variable


def _check_levels(variables: dict[Channel, tuple[str, xr.Variable]], path: str) -> None:
    """A variable is either over an axis of levels or in several variables of a level each."""
    whole = {channel.variable_name for channel, (_, variable) in variables.items() if "level" in variable.dims}
    single = {channel.variable_name: old for channel, (old, _) in variables.items() if channel.level is not None}
    for name in sorted(whole & set(single)):
        raise DataError(f"{path} has {name} over levels and in {single[name]!r} too; drop one of them")
