"""An ensemble that products are made of, in a file or still running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.times import HOUR
from data_pipeline.variables import VARIABLES
from forecast.output.attributes import global_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from forecast.output.layout import Selection

    Floats = NDArray[np.float32]
    Read = Callable[[str, int | None], Floats]
    Levels = Mapping[str, tuple[int | None, ...]]

DERIVED: dict[str, tuple[str, str]] = {
    "wind_speed": ("u_component_of_wind", "v_component_of_wind"),
    "10m_wind_speed": ("10m_u_component_of_wind", "10m_v_component_of_wind"),
    "100m_wind_speed": ("100m_u_component_of_wind", "100m_v_component_of_wind"),
}
"""Speeds of a member's own wind; the components that they are made of."""


CONTROL = "control_member"
"""The attribute of a forecast that names the unperturbed member."""


def attributes_of(name: str) -> dict[str, str]:
    """CF attributes of a variable or of a wind speed.

    >>> attributes_of("10m_wind_speed")["long_name"]
    '10m wind speed'
    """
    if name not in DERIVED:
        return VARIABLES[name].attributes
    return {"standard_name": "wind_speed", "long_name": name.replace("_", " "), "units": "m s-1"}


def is_accumulated(name: str) -> bool:
    """Whether it is a sum over time."""
    return name not in DERIVED and VARIABLES[name].accumulated


def parts_of(name: str) -> tuple[str, ...]:
    """The variables of the forecast that it is made of."""
    return DERIVED.get(name, (name,))


def field_of(read: Read, name: str, level: int | None) -> Floats:
    """A variable as it is read, or a wind speed of the components that are."""
    parts = [read(part, level) for part in parts_of(name)]
    return parts[0] if len(parts) == 1 else np.asarray(np.hypot(*parts), dtype=np.float32)


@dataclass(frozen=True)
class Source:
    """An ensemble that products are made of: where it is, its members, axes and the levels of its variables.

    ``control`` is the unperturbed member, if there is one; ``places`` are latitudes and longitudes in degrees;
    ``attributes`` those of its file. Accumulated variables are sums over ``sum_of``, if that is known.
    """

    path: str
    members: tuple[int, ...]
    control: int | None
    initial_time: np.datetime64
    times: NDArray[np.datetime64]
    places: Mapping[str, Sequence[float]]
    levels: Levels
    attributes: Mapping[str, str]
    sum_of: np.timedelta64 | None = None

    @classmethod
    def running(cls, selection: Selection, attributes: Mapping[str, str]) -> Source:
        """A file of a forecast that is not there yet, with ``attributes`` beside those of the conventions."""
        control = attributes.get(CONTROL)
        return cls(
            path="the forecast",
            members=selection.members,
            control=None if control is None else int(control),
            initial_time=selection.initial_time,
            times=selection.times,
            places=selection.space.places,
            levels={name: tuple(sorted(on)) if on else (None,) for name, on in selection.channels.variables.items()},
            attributes=global_attributes(selection, attributes),
            sum_of=selection.step_length,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(number of latitudes, number of longitudes)."""
        return len(self.places["latitude"]), len(self.places["longitude"])

    @property
    def leads(self) -> NDArray[np.float64]:
        """Lead times in hours."""
        return np.asarray((self.times - self.initial_time) / HOUR)

    def variables(self) -> dict[str, tuple[int | None, ...]]:
        """Levels of what there is, and then of the wind speeds that can be made of it."""
        speeds = {name: self.levels[u] for name, (u, v) in DERIVED.items() if u in self.levels and v in self.levels}
        return {**self.levels, **speeds}
