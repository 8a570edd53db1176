"""The metadata and coordinates of a Zarr store (format 2) in WeatherBench2's forecast layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numcodecs import Shuffle, Zlib
from zarr.storage import MemoryStore

from data_pipeline.variables import COORDINATE_ATTRIBUTES
from forecast.output.attributes import (
    EPOCH_HOURS,
    coordinates,
    field_attributes,
    global_attributes,
    heights,
    hours_since_epoch,
    lead_hours,
)
from forecast.output.rounding import CONTAINER, container_attributes
from forecast.output.structure import STEPS, STEPS_ATTRIBUTES, STOPPED, steps_completed, stopped_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from forecast.guards import Stop
    from forecast.output.config import OutputConfig
    from forecast.output.layout import Selection


def metadata(
    selection: Selection, config: OutputConfig, attributes: Mapping[str, str], stopped: Mapping[int, Stop]
) -> dict[str, bytes]:
    """The files of the store but for its fields: attributes, shapes, coordinates, and all metadata in one."""
    files: dict[str, Any] = {}
    store = MemoryStore(files)
    words = stopped_in_words(selection.members, stopped)
    about = {**global_attributes(selection, attributes), **({STOPPED: words} if words else {})}
    group = zarr.create_group(store, zarr_format=2, attributes=about)
    for name, (dims, values, own) in _coordinates(selection, stopped).items():
        array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=values.shape or (),
                                   compressors=None, fill_value=None,
                                   attributes={"_ARRAY_DIMENSIONS": list(dims), **own})  # fmt: skip
        array[...] = values
    if config.keep_bits is not None:
        group.create_array(CONTAINER, shape=(), dtype="i4", fill_value=None,
                           attributes={"_ARRAY_DIMENSIONS": [], **container_attributes()})  # fmt: skip
    for name, levels in selection.channels.variables.items():
        _create_field(group, name, selection, config, with_level=levels is not None)
    zarr.consolidate_metadata(store, zarr_format=2)
    return {key: value.to_bytes() for key, value in files.items()}


def _coordinates(
    selection: Selection, stopped: Mapping[int, Stop]
) -> dict[str, tuple[tuple[str, ...], NDArray[Any], dict[str, Any]]]:
    """Dims, values and attributes by name."""
    start = hours_since_epoch(selection.initial_time)[None].astype(np.int64)
    leads = lead_hours(selection).astype(np.int64)
    members = np.asarray(selection.members, np.int64)
    found: dict[str, tuple[tuple[str, ...], NDArray[Any], dict[str, Any]]] = {
        "time": (("time",), start, {"standard_name": "forecast_reference_time", "long_name": "initial time",
                                    **EPOCH_HOURS}),
        "prediction_timedelta": (("prediction_timedelta",), leads, {"standard_name": "forecast_period",
                                 "long_name": "time since the initial time", "units": "hours"}),
        "realization": (("realization",), members, {"standard_name": "realization", "units": "1",
                        "long_name": "ensemble member"}),
        STEPS: (("realization",), steps_completed(selection, stopped), STEPS_ATTRIBUTES),
    }  # fmt: skip
    if selection.levels:
        found["level"] = (("level",), np.asarray(selection.levels, np.int64), COORDINATE_ATTRIBUTES["level"])
    for name, values in selection.space.places.items():
        found[name] = ((name,), np.asarray(values), COORDINATE_ATTRIBUTES[name])
    for name, height in heights(selection.channels.variables).items():
        found[name] = ((), np.asarray(height, np.float64), {"standard_name": "height", "units": "m", "positive": "up"})
    return found


def _create_field(
    group: zarr.Group, name: str, selection: Selection, config: OutputConfig, *, with_level: bool
) -> None:
    sizes = {"time": 1, "prediction_timedelta": len(selection.steps), "realization": len(selection.members)}
    sizes |= {"level": len(selection.levels)} if with_level else {}
    rounding = {"quantization_nsb": config.keep_bits} if config.keep_bits is not None else {}  # JSON has no int32
    about: dict[str, Any] = {
        **field_attributes(name, selection, config.keep_bits, over="prediction_timedelta"), **rounding,
        **({"coordinates": " ".join(beside)} if (beside := coordinates(name, selection)) else {}),
    }  # fmt: skip
    deflated: dict[str, Any] = {"filters": [Shuffle(4)], "compressors": [Zlib(config.compression)]}
    chunks = (*(size if dim == "level" else 1 for dim, size in sizes.items()), *selection.space.shape)
    group.create_array(
        name, shape=(*sizes.values(), *selection.space.shape), chunks=chunks,
        dtype="f4", fill_value=np.float32(np.nan), attributes={
            "_ARRAY_DIMENSIONS": [*sizes, *selection.space.dims], **about,
        }, **(deflated if config.compression else {"filters": None, "compressors": None}),
    )  # fmt: skip
