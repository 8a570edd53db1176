"""Read a finished products file back: every axis as planned, every field there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from data_pipeline.errors import DataError, reading
from data_pipeline.variables import VARIABLES
from forecast.output.attributes import hours_since_epoch
from forecast.products.chunks import alive_members, counts
from forecast.products.layout import plan
from forecast.products.source import Source, parts_of
from forecast.products.statistics import EXTREMES
from forecast.products.structure import MEMBERS_IN_WINDOW, MEMBERS_USED, joined, product_axes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from forecast.guards import Stop
    from forecast.output.layout import Selection
    from forecast.products.config import ProductsConfig
    from forecast.products.layout import ProductsLayout

_FEWEST = {"spread": 2}
"""Members that a product needs, where it is more than one."""


def verify_products(
    path: Path, selection: Selection, config: ProductsConfig, attributes: Mapping[str, str], stopped: Mapping[int, Stop]
) -> None:
    """Read a finished file of a forecast back, field by field.

    Raises
    ------
    DataError
        If it cannot be read, an axis is not as planned, or a field is missing or not finite.
    """
    layout = plan(Source.running(selection, attributes), config)
    members = counts(layout, alive_members(layout, selection.steps, stopped))
    with reading(path), netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        for name, expected in {**_axes(layout), **members}.items():
            held = np.asarray(file[name][...])
            if not np.array_equal(held, expected):
                raise DataError(
                    f"{path}: read back, {name} is {held.tolist()}, expected {expected.tolist()}; run it again"
                )
        for name in layout.levels:
            for product in product_axes(name, layout.config):
                _check_product(file, layout, name, product, path)


def _axes(layout: ProductsLayout) -> dict[str, NDArray[Any]]:
    source, config = layout.source, layout.config
    return {
        "time": hours_since_epoch(source.times),
        "forecast_reference_time": hours_since_epoch(source.initial_time),
        **{name: np.asarray(values) for name, values in source.places.items()},
        **({"level": np.asarray(layout.pressure_levels)} if layout.pressure_levels else {}),
        **({"quantile": np.asarray(config.quantiles)} if config.quantiles else {}),
        **({"window": np.arange(1, len(config.windows) + 1)} if config.windows else {}),
    }


def _check_product(file: netCDF4.Dataset, layout: ProductsLayout, name: str, product: str, path: Path) -> None:
    """One product of a variable, at all lead times and in all windows."""
    fewest, leads = _FEWEST.get(product, 1), [f"+{lead:g} h" for lead in layout.source.leads]
    rows = [("", leads, file[MEMBERS_USED][:])]
    if layout.config.windows:
        windows = [f"the window {each.start}-{each.stop} h" for each in layout.config.windows]
        rows += [(extreme, windows, file[MEMBERS_IN_WINDOW][:]) for extreme in EXTREMES]
    stacks = len(product_axes(name, layout.config)[product])
    layers = [layout.pressure_levels.index(level) for level in layout.levels[name] if level is not None]
    for extreme, places, members in rows:
        variable = joined(name, extreme, product)
        for row, place in enumerate(places):
            field = np.asarray(file[variable][(*[slice(None)] * stacks, row)])
            field = field.take(layers, axis=-3) if layers else field
            _check_field(field, name, f"{path}: {variable} at {place}", is_there=members[row] >= fewest)


def _check_field(field: NDArray[np.float32], name: str, where: str, *, is_there: bool) -> None:
    finite = np.isfinite(field)
    if not is_there and finite.any():
        raise DataError(f"{where} has values, expected none, as too few members came so far; run it again")
    everywhere = all(VARIABLES[part].defined_over == "everywhere" for part in parts_of(name))
    if is_there and everywhere and not finite.all():
        raise DataError(
            f"{where} read back is missing or not finite at {np.count_nonzero(~finite)} of {finite.size} points, "
            "expected all; run it again"
        )
