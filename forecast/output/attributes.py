"""What a forecast's files say of themselves and of their fields, in NetCDF and in Zarr."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.times import HOUR, whole_hours
from data_pipeline.variables import variable
from forecast.output.region import Region
from forecast.output.rounding import field_attributes as rounding_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from forecast.output.layout import Selection

EPOCH_HOURS = {
    "units": "hours since 1900-01-01 00:00:00",
    "calendar": "standard",
    "units_metadata": "leap_seconds: none",
}
_EPOCH = np.datetime64("1900-01-01T00", "ns")
_INTERPOLATED = "interpolated to the stations, bilinear in latitude and longitude"
_HEIGHT = re.compile(r"(\d+)m_")


def hours_since_epoch(times: NDArray[np.datetime64] | np.datetime64) -> NDArray[np.int32]:
    """As ``EPOCH_HOURS`` says; a DataError if they are not whole hours."""
    return whole_hours(np.asarray(times), _EPOCH).astype(np.int32)


def lead_hours(selection: Selection) -> NDArray[np.float64]:
    """Hours from the initial time to each of the times of a file."""
    return np.asarray((selection.times - selection.initial_time) / HOUR, np.float64)


def global_attributes(selection: Selection, attributes: Mapping[str, str]) -> dict[str, str]:
    """Of a whole file: the conventions, ``attributes``, and nothing that depends on the clock."""
    own = version("sphercast")
    return {
        "Conventions": "CF-1.11",
        "title": "Ensemble weather forecast",
        "institution": "produced with sphercast",
        "history": f"sphercast {own} forecast",
        "references": "https://cfconventions.org",
        "channels": " ".join(selection.channels.names),
        "software_versions": f"sphercast {own}, torch {version('torch')}",
        **attributes,
    }


def field_attributes(name: str, selection: Selection, keep_bits: int | None, *, over: str) -> dict[str, object]:
    """Of one variable of a file, whose axis of forecast times is called ``over``."""
    entry = variable(name)
    at = {} if isinstance(selection.space, Region) else {"comment": _INTERPOLATED}
    return {
        **entry.attributes,
        **({"units_metadata": "temperature: on_scale"} if entry.units == "K" else {}),
        "cell_methods": f"{over}: {'sum' if entry.accumulated else 'point'}",
        **at,
        **rounding_attributes(keep_bits),
    }


def coordinates(name: str, selection: Selection) -> list[str]:
    """Coordinates of a variable beside its dimensions: its height, its station, its member."""
    height = height_of(name)
    return [
        *(["realization"] if selection.one_member else []),
        *([f"height_{height}m"] if height is not None else []),
        *([] if isinstance(selection.space, Region) else [*selection.space.places, "station_name"]),
    ]


def heights(variables: Iterable[str]) -> dict[str, int]:
    """Scalar coordinates of variables at a height above the ground, by name, in metres."""
    found = (height_of(name) for name in variables)
    return {f"height_{height}m": height for height in sorted({height for height in found if height is not None})}


def height_of(name: str) -> int | None:
    """Metres above the ground that a variable's name says.

    >>> height_of("2m_temperature"), height_of("temperature")
    (2, None)
    """
    said = _HEIGHT.match(name)
    return int(said[1]) if said else None
