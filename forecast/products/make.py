"""From a forecast file to a products file: every field is read once, and no more than one is held at a time."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import netCDF4
import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.progress import track
from data_pipeline.publish import publishing
from forecast.products.fields import open_fields
from forecast.products.file import ProductsFile
from forecast.products.statistics import statistics, whole_members

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forecast.products.config import ProductsConfig
    from forecast.products.fields import ForecastFields

    Floats = NDArray[np.float32]
    Extremes = dict[tuple[int, str], Floats]
    """{(window, "maximum" or "minimum"): of each member so far}"""

_EXTREME = {"maximum": np.fmax, "minimum": np.fmin}


def make_products(forecast: Path, config: ProductsConfig, out: Path, *, progress: bool = True) -> None:
    """Write the products of ``forecast`` (NetCDF or zarr of ours) to ``out``, whole or not at all.

    The most that is held is one field of all members, and one more for each window and extreme that is open.

    Raises
    ------
    DataError
        If the forecast cannot be read, or lacks what is asked for.
    OSError
        If the disk is full or fails.
    """
    fields = open_fields(forecast)
    names, rows = _chosen_variables(fields, config), _chosen_members(fields, config)
    _check_windows(fields, config)
    try:
        with publishing(out) as aside:
            try:
                with netCDF4.Dataset(aside, "w", format="NETCDF4") as file:
                    products = ProductsFile.create(file, fields, config, names, [fields.members[row] for row in rows])
                    _fill(products, fields, config, names, rows, progress=progress)
            except RuntimeError as error:
                raise OSError(errno.EIO, f"cannot write ({error})", str(out)) from error
    finally:
        fields.dataset.close()


def _fill(
    products: ProductsFile, fields: ForecastFields, config: ProductsConfig, names: Sequence[str], rows: Sequence[int],
    *, progress: bool,
) -> None:  # fmt: skip
    channels = [(name, level) for name in names for level in fields.levels(name)]
    for name, level in track(channels, "products", "field", enabled=progress):
        thresholds = config.values(name, "above"), config.values(name, "below")
        extremes: Extremes = {}
        for lead, values in _along_time(fields, name, level, rows):
            products.put(name, level, lead, statistics(values, config.quantiles, *thresholds))
            products.file["members_used"][lead] = whole_members(values).sum()
            _extend(extremes, values, fields.leads[lead], config)
        for (window, extreme), values in extremes.items():
            made = statistics(values, config.quantiles, *thresholds)
            products.put(name, level, window, {f"{extreme}_{product}": field for product, field in made.items()})


def _along_time(
    fields: ForecastFields, name: str, level: int | None, rows: Sequence[int]
) -> Iterator[tuple[int, Floats]]:
    for lead in range(fields.times.size):
        yield lead, fields.read(name, level, lead, rows)


def _extend(extremes: Extremes, values: Floats, hours: float, config: ProductsConfig) -> None:
    """A member that was stopped has no extreme of a window that it did not live through: NaN from then on."""
    for number, window in enumerate(config.windows):
        if window.start <= hours <= window.stop:
            for extreme, larger in _EXTREME.items():
                before = extremes.get((number, extreme), values)
                stopped = ~whole_members(values) | ~whole_members(before)
                now = larger(before, values)
                now[stopped] = np.nan
                extremes[number, extreme] = now


def _chosen_variables(fields: ForecastFields, config: ProductsConfig) -> list[str]:
    held = fields.variables()
    of_thresholds = [each.variable for each in config.thresholds]
    plain = [name for name in held if name in fields.dataset.data_vars]
    wanted = list(dict.fromkeys([*(config.variables or plain), *of_thresholds]))
    lacking = [name for name in wanted if name not in held]
    if lacking:
        raise DataError(f"{fields.path} has no {', '.join(lacking)}; it has {', '.join(held)}")
    return wanted


def _chosen_members(fields: ForecastFields, config: ProductsConfig) -> list[int]:
    rows = list(range(len(fields.members)))
    if config.control == "in":
        return rows
    if fields.control is None:
        raise DataError(
            f"{fields.path} names no control member (attribute control_member) to be left out; use control: in"
        )
    kept = [row for row in rows if fields.members[row] != fields.control]
    if not kept:
        raise DataError(f"{fields.path} has the control member only, so nothing is left without it; use control: in")
    return kept


def _check_windows(fields: ForecastFields, config: ProductsConfig) -> None:
    leads = fields.leads
    for window in config.windows:
        if window.stop > leads[-1] or not np.any((leads >= window.start) & (leads <= window.stop)):
            raise DataError(
                f"the window {window.start}-{window.stop} h is not inside the forecast, which has lead times from "
                f"{leads[0]:g} to {leads[-1]:g} h every {np.diff(leads).min() if leads.size > 1 else leads[0]:g} h; "
                "choose another"
            )
