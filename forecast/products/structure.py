"""The NetCDF file of products: its axes, its fields and what each says of itself (CF-1.11)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.times import whole_hours
from data_pipeline.variables import COORDINATE_ATTRIBUTES
from forecast.products.fields import attributes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import netCDF4
    from numpy.typing import NDArray

    from forecast.products.config import Compression, ProductsConfig, Side
    from forecast.products.fields import ForecastFields

_EPOCH = np.datetime64("1900-01-01T00", "ns")
_TIME = {"units": "hours since 1900-01-01 00:00:00", "calendar": "standard"}
_COPIED = ("checkpoint_sha256", "seed", "initial_data", "perturbation", "stopped_members", "source")
_EXTREMES = ("maximum", "minimum")

_METHODS = {"mean": "realization: mean", "spread": "realization: standard_deviation"}
_WORDS = {
    "mean": "mean of the members",
    "spread": "standard deviation of the members",
    "quantile": "quantile of the members",
    "probability_above": "fraction of the members above the threshold",
    "probability_below": "fraction of the members below the threshold",
}


@dataclass(frozen=True)
class ProductsFile:
    """An open products file; ``create`` makes its axes and fields, ``put`` fills them."""

    file: netCDF4.Dataset
    levels: Sequence[int]

    @classmethod
    def create(
        cls, file: netCDF4.Dataset, fields: ForecastFields, config: ProductsConfig, names: Sequence[str],
        members: Sequence[int],
    ) -> ProductsFile:  # fmt: skip
        """Axes, fields and attributes of the products of ``names`` by ``members``."""
        held = {name: fields.levels(name) for name in names}
        levels = sorted({level for on in held.values() for level in on if level is not None})
        file.setncatts(_global_attributes(fields, config, members))
        _define_axes(file, fields, config, levels)
        _define_members(file, members)
        for name, on in held.items():
            _define_products(file, name, config, with_level=on != [None])
        return cls(file, levels)

    def put(self, name: str, level: int | None, row: int, made: Mapping[str, NDArray[np.floating]]) -> None:
        """Products (``statistics``) of ``name`` at position ``row`` along time or window."""
        layer = () if level is None else (self.levels.index(level),)
        for product, values in made.items():
            field = self.file[f"{name}_{product}"]
            stacked = (slice(None),) if values.ndim == 3 else ()
            field[(*stacked, row, *layer)] = values


def _global_attributes(fields: ForecastFields, config: ProductsConfig, members: Sequence[int]) -> dict[str, str]:
    control = fields.control
    said = "the forecast has none" if control is None else f"member {control}, {'in' if control in members else 'out'}"
    copied = {name: str(fields.dataset.attrs[name]) for name in _COPIED if name in fields.dataset.attrs}
    return {
        "Conventions": "CF-1.11",
        "title": "Products of an ensemble weather forecast",
        "institution": "produced with sphercast",
        "history": f"sphercast {version('sphercast')} products",
        "references": "https://cfconventions.org",
        "ensemble_members": " ".join(map(str, members)),
        "control_member": said,
        "quantile_method": "linear interpolation between order statistics (Hyndman and Fan 1996, definition 7)",
        **copied,
    }


def _define_axes(file: netCDF4.Dataset, fields: ForecastFields, config: ProductsConfig, levels: Sequence[int]) -> None:
    hours, reference = (
        whole_hours(np.asarray(times), _EPOCH).astype(np.int32) for times in (fields.times, fields.initial_time)
    )
    _axis(file, "time", hours, standard_name="time", long_name="valid time", axis="T", **_TIME)
    if levels:
        _axis(file, "level", np.asarray(levels, np.int32), **COORDINATE_ATTRIBUTES["level"], axis="Z")
    for axis, (name, values) in zip("YX", fields.grid.coordinates.items(), strict=True):
        _axis(file, name, np.asarray(values), **COORDINATE_ATTRIBUTES[name], axis=axis)
    if config.quantiles:
        _axis(file, "quantile", np.asarray(config.quantiles), long_name="quantile level", units="1")
    _coordinate(file, "forecast_period", ("time",), fields.leads, standard_name="forecast_period", units="hours",
                long_name="time since the initial time")  # fmt: skip
    _coordinate(file, "forecast_reference_time", (), reference, standard_name="forecast_reference_time",
                long_name="initial time", **_TIME)  # fmt: skip
    _coordinate(file, "members_used", ("time",), np.zeros(hours.size, np.int32), units="1",
                long_name="number of members that the products are made of")  # fmt: skip
    file.createDimension("bounds", 2)
    if config.windows:
        _define_windows(file, fields, config)


def _define_members(file: netCDF4.Dataset, members: Sequence[int]) -> None:
    """The collapsed axis, so that the methods over it have something to name."""
    span = np.array([min(members), max(members)], np.int32)
    _coordinate(file, "realization", (), span[0], standard_name="realization", units="1", bounds="realization_bounds",
                long_name="first of the members; its bounds are the first and the last")  # fmt: skip
    _coordinate(file, "realization_bounds", ("bounds",), span)


def _define_windows(file: netCDF4.Dataset, fields: ForecastFields, config: ProductsConfig) -> None:
    start = int(whole_hours(np.asarray(fields.initial_time), _EPOCH))
    bounds = np.array([(start + window.start, start + window.stop) for window in config.windows], np.int32)
    _axis(file, "window", np.arange(1, len(bounds) + 1, dtype=np.int32), long_name="window of lead time", units="1")
    _coordinate(file, "window_time", ("window",), bounds[:, 1], standard_name="time", bounds="window_bounds",
                long_name="end of the window", **_TIME)  # fmt: skip
    _coordinate(file, "window_bounds", ("window", "bounds"), bounds)


def _axis(file: netCDF4.Dataset, name: str, values: NDArray[Any], **attributes: str) -> None:
    file.createDimension(name, len(values))
    _coordinate(file, name, (name,), values, **attributes)


def _coordinate(file: netCDF4.Dataset, name: str, dims: tuple[str, ...], values: Any, **attributes: str) -> None:
    coordinate = file.createVariable(name, np.asarray(values).dtype, dims)
    coordinate.setncatts(attributes)
    coordinate[...] = values


def _define_products(file: netCDF4.Dataset, name: str, config: ProductsConfig, *, with_level: bool) -> None:
    for side in ("above", "below"):
        values = config.values(name, side)
        if values:
            axis, units = threshold_axis(name, side), attributes_of(name)["units"]
            _axis(file, axis, np.asarray(values), long_name=f"threshold of {name.replace('_', ' ')}", units=units)
    horizontal = (*(["level"] if with_level else []), "latitude", "longitude")
    for product, leading in product_axes(name, config).items():
        _define_field(file, name, product, (*leading, "time", *horizontal), config.compression)
        for extreme in _EXTREMES if config.windows else ():
            field = _define_field(
                file, name, f"{extreme}_{product}", (*leading, "window", *horizontal), config.compression
            )
            field.cell_methods = " ".join([f"window_time: {extreme}", *_METHODS.get(product, "").splitlines()])


def threshold_axis(name: str, side: Side) -> str:
    """Name of the axis along which thresholds of a variable lie."""
    return f"{name}_{side}"


def product_axes(name: str, config: ProductsConfig) -> dict[str, tuple[str, ...]]:
    """``{product: its dimensions before time or window}``, in the order of ``statistics``."""
    axes: dict[str, tuple[str, ...]] = {"mean": (), "spread": ()}
    if config.quantiles:
        axes["quantile"] = ("quantile",)
    sides: tuple[Side, ...] = ("above", "below")
    return axes | {f"probability_{side}": (threshold_axis(name, side),) for side in sides if config.values(name, side)}


def _define_field(
    file: netCDF4.Dataset, name: str, product: str, dims: tuple[str, ...], compression: Compression
) -> netCDF4.Variable[Any]:
    chunks = [1 if dim not in {"latitude", "longitude"} else len(file.dimensions[dim]) for dim in dims]
    field: netCDF4.Variable[Any] = file.createVariable(
        f"{name}_{product}", "f4", dims, zlib=compression > 0, complevel=compression, shuffle=compression > 0,
        chunksizes=chunks, fill_value=np.float32(np.nan),
    )  # fmt: skip
    extreme, _, statistic = product.partition("_") if product.startswith(_EXTREMES) else ("", "", product)
    shown = f"{extreme} of {name.replace('_', ' ')} within the window" if extreme else name.replace("_", " ")
    own = attributes_of(name)
    named = (
        {"standard_name": own["standard_name"]} if statistic in {"mean", "quantile"} and "standard_name" in own else {}
    )
    time = "window_time" if extreme else "forecast_period members_used"
    field.setncatts({
        **named,
        "long_name": f"{shown}, {_WORDS[statistic]}",
        "units": "1" if statistic.startswith("probability") else own["units"],
        "coordinates": f"{time} forecast_reference_time realization",
    })  # fmt: skip
    if not extreme and statistic in _METHODS:
        field.cell_methods = _METHODS[statistic]
    return field
