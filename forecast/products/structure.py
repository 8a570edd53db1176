"""What a products file has before it has fields: axes, coordinates and attributes (CF-1.11)."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.variables import COORDINATE_ATTRIBUTES
from forecast.output.attributes import EPOCH_HOURS, height_of, heights, hours_since_epoch
from forecast.output.netcdf_parts import (
    BOUNDS,
    define_axis,
    define_coordinate,
    define_field,
    define_heights,
    define_times,
    write_parts,
)
from forecast.products.source import attributes_of, is_accumulated
from forecast.products.statistics import EXTREMES

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4

    from forecast.products.config import ProductsConfig, Side
    from forecast.products.layout import ProductsLayout

MEMBERS_USED, MEMBERS_IN_WINDOW = "members_used", "members_used_in_window"
"""Variables that are written when all fields are there."""

_HORIZONTAL = ("latitude", "longitude")
_COPIED = (
    "source", "checkpoint_sha256", "initial_data", "initial_perturbation", "model_noise", "seed", "software_versions",
)  # fmt: skip
_METHODS = {"mean": "mean", "spread": "standard_deviation"}
_WORDS = {
    "mean": "mean of the members",
    "spread": "standard deviation of the members",
    "quantile": "quantile of the members",
    "probability_above": "fraction of the members above the threshold",
    "probability_below": "fraction of the members below the threshold",
}


def write_structure(path: Path, layout: ProductsLayout) -> None:
    """A new file without fields; equal arguments make equal bytes.

    Raises
    ------
    DataError
        If times are not whole hours.
    OSError
        If the disk is full or fails.
    """
    write_parts(path, lambda file: _define(file, layout))


def _define(file: netCDF4.Dataset, layout: ProductsLayout) -> None:
    file.setncatts(_global_attributes(layout))
    source, sums = layout.source, any(map(is_accumulated, layout.levels))
    define_times(file, source.times, source.initial_time, source.sum_of if sums else None)
    _define_axes(file, layout)
    _define_members(file, layout)
    if layout.config.windows:
        _define_windows(file, layout)
    for name, on in layout.levels.items():
        _define_products(file, name, layout, with_level=on != (None,))


def product_axes(name: str, config: ProductsConfig) -> dict[str, tuple[str, ...]]:
    """``{product: its dimensions before time or window}``, in the order of ``statistics``."""
    axes: dict[str, tuple[str, ...]] = {"mean": (), "spread": ()}
    if config.quantiles:
        axes["quantile"] = ("quantile",)
    sides: tuple[Side, ...] = ("above", "below")
    return axes | {f"probability_{side}": (_threshold_axis(name, side),) for side in sides if config.values(name, side)}


def _global_attributes(layout: ProductsLayout) -> dict[str, str]:
    source, members = layout.source, layout.members
    side = "in" if source.control in members else "out"
    return {
        "Conventions": "CF-1.11",
        "title": "Products of an ensemble weather forecast",
        "institution": "produced with sphercast",
        "history": f"sphercast {version('sphercast')} products",
        "references": "https://cfconventions.org",
        "ensemble_members": " ".join(map(str, members)),
        "control_member": "the forecast has none" if source.control is None else f"member {source.control}, {side}",
        "quantile_method": "linear interpolation between order statistics (Hyndman and Fan 1996, definition 7)",
        **{name: source.attributes[name] for name in _COPIED if name in source.attributes},
    }


def _define_axes(file: netCDF4.Dataset, layout: ProductsLayout) -> None:
    if layout.pressure_levels:
        levels = np.asarray(layout.pressure_levels, np.int32)
        define_axis(file, "level", levels, **COORDINATE_ATTRIBUTES["level"], axis="Z")
    for axis, name in zip("YX", _HORIZONTAL, strict=True):
        define_axis(file, name, np.asarray(layout.source.places[name]), **COORDINATE_ATTRIBUTES[name], axis=axis)
    define_heights(file, heights(layout.levels))
    if layout.config.quantiles:
        define_axis(file, "quantile", np.asarray(layout.config.quantiles), long_name="quantile level", units="1")


def _define_members(file: netCDF4.Dataset, layout: ProductsLayout) -> None:
    """The collapsed axis, so that the methods over it have something to name."""
    if BOUNDS not in file.dimensions:
        file.createDimension(BOUNDS, 2)
    span = np.array([min(layout.members), max(layout.members)], np.int32)
    define_coordinate(file, "realization", (), span[0], standard_name="realization", units="1",
                      bounds="realization_bnds",
                      long_name="first of the members; its bounds are the first and the last")  # fmt: skip
    define_coordinate(file, "realization_bnds", (BOUNDS,), span)
    file.createVariable(MEMBERS_USED, "i4", ("time",)).setncatts(
        {"long_name": "number of members that the products are made of", "units": "1"}
    )


def _define_windows(file: netCDF4.Dataset, layout: ProductsLayout) -> None:
    start, windows = int(hours_since_epoch(layout.source.initial_time)), layout.config.windows
    bounds = np.array([(start + window.start, start + window.stop) for window in windows], np.int32)
    define_axis(file, "window", np.arange(1, len(bounds) + 1, dtype=np.int32), units="1",
                long_name="window of lead time")  # fmt: skip
    define_coordinate(file, "window_time", ("window",), bounds[:, 1], standard_name="time", bounds="window_bnds",
                      long_name="end of the window", **EPOCH_HOURS)  # fmt: skip
    define_coordinate(file, "window_bnds", ("window", BOUNDS), bounds)
    file.createVariable(MEMBERS_IN_WINDOW, "i4", ("window",)).setncatts(
        {"long_name": "number of members that the extremes within the window are made of", "units": "1"}
    )


def _define_products(file: netCDF4.Dataset, name: str, layout: ProductsLayout, *, with_level: bool) -> None:
    config = layout.config
    sides: tuple[Side, ...] = ("above", "below")
    for side in sides:
        if values := config.values(name, side):
            define_axis(file, _threshold_axis(name, side), np.asarray(values), units=attributes_of(name)["units"],
                        long_name=f"threshold of {name.replace('_', ' ')}", **_scale(name))  # fmt: skip
    levels = ("level",) if with_level else ()
    for product, leading in product_axes(name, config).items():
        for extreme, along in {"": "time", **(dict.fromkeys(EXTREMES, "window") if config.windows else {})}.items():
            dims = (*leading, along, *levels, *_HORIZONTAL)
            field = define_field(file, joined(name, extreme, product), dims, _HORIZONTAL, config.compression)
            field.setncatts(_field_attributes(name, extreme, product))


def _threshold_axis(name: str, side: Side) -> str:
    """Name of the axis along which thresholds of a variable lie."""
    return f"{name}_{side}"


def joined(*words: str) -> str:
    """A variable's name in the file.

    >>> joined("temperature", "", "mean"), joined("temperature", "maximum", "mean")
    ('temperature_mean', 'temperature_maximum_mean')
    """
    return "_".join(filter(None, words))


def _field_attributes(name: str, extreme: str, product: str) -> dict[str, str]:
    shown, own, height = name.replace("_", " "), attributes_of(name), height_of(name)
    is_probability = product.startswith("probability")
    over_time = [*(["sum"] if is_accumulated(name) else []), *([extreme] if extreme else [])] or ["point"]
    methods = [f"time: {method}" for method in over_time]
    methods += [f"realization: {_METHODS[product]}"] if product in _METHODS else []
    beside = [
        *(["window_time", MEMBERS_IN_WINDOW] if extreme else ["forecast_period", MEMBERS_USED]),
        *([] if height is None else [f"height_{height}m"]), "forecast_reference_time", "realization",
    ]  # fmt: skip
    return {
        **({"standard_name": own["standard_name"]} if "standard_name" in own and not is_probability else {}),
        "long_name": f"{extreme + ' of ' if extreme else ''}{shown}{' within the window' if extreme else ''}, "
        f"{_WORDS[product]}",
        "units": "1" if is_probability else own["units"],
        **({} if is_probability else _scale(name, difference=product == "spread")),
        "cell_methods": " ".join(methods),
        "coordinates": " ".join(beside),
    }


def _scale(name: str, *, difference: bool = False) -> dict[str, str]:
    """Whether kelvins are of a temperature or of a difference (CF-1.11, 3.1.2)."""
    if attributes_of(name)["units"] != "K":
        return {}
    return {"units_metadata": f"temperature: {'difference' if difference else 'on_scale'}"}
