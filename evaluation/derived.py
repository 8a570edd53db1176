"""Variables that are made of others, member by member and before any score: wind speed, thickness, column integrals.

A score of the wind speed of the mean, or a mean of components, is another and a smoother quantity than that of the
members; so these are made of each member's fields and of the truth's alike, and every score works on them. Where both
sides hold a variable of the same name as it is, that is scored; otherwise it is made on both sides, of the same levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from data_pipeline.channels import Channel
from data_pipeline.errors import ScoreError
from data_pipeline.variables import GRAVITY
from evaluation import sphere

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from data_pipeline.grid import Grid

    Field = NDArray[np.floating[Any]]
    Sources = tuple[Channel, ...]
    Read = Callable[[Channel], Field]

HEAT_CAPACITY = 1004.7
"""Of dry air at constant pressure, J kg-1 K-1: 7/2 of its gas constant, 287.06."""


@dataclass(frozen=True)
class Derived:
    """How a variable is made of others.

    ``needs`` are those: of a "field", channels; "by level", variables on each level that has them all; of a "column",
    variables on two levels at least. ``of`` makes the field (..., latitude, longitude), in ``units``, of fields in the
    units of the table of variables; it reads them one by one, so that a column of fifty members is never in memory at
    once.
    """

    units: str
    standard_name: str
    needs: Sources
    of: Callable[[Read, Sources, Grid], Field]
    kind: Literal["field", "by level", "column"] = "by level"

    def sources(self, held: set[Channel]) -> dict[int | None, Sources]:
        """For each level (None without levels) that the channels ``held`` allow, the channels that it is made of."""
        if self.kind == "field":
            return {None: self.needs} if held.issuperset(self.needs) else {}
        levels = sorted({channel.level for channel in held if channel.level is not None})
        made = {level: tuple(Channel(need.variable_name, level) for need in self.needs) for level in levels}
        found: dict[int | None, Sources] = {
            level: channels for level, channels in made.items() if held.issuperset(channels)
        }
        if self.kind == "by level":
            return found
        return {None: tuple(channel for level in found.values() for channel in level)} if len(found) > 1 else {}


@dataclass(frozen=True)
class DerivedChannel(Channel):
    """A field that is made of others, ``sources``; it is never equal to one that is read."""

    sources: Sources = ()

    def make(self, read: Read, grid: Grid) -> Field:
        """The field (..., latitude, longitude) of those that ``read`` gives on ``grid``."""
        return DERIVED[self.variable_name].of(read, self.sources, grid)


def derived_channels(name: str, forecasts: Sequence[set[Channel]], truth: set[Channel]) -> list[DerivedChannel]:
    """The channels of a derived variable that forecasts which hold these channels can have.

    A column is of the levels that the truth and all forecasts share.

    Raises
    ------
    ScoreError
        If no forecast can have it.
    """
    entry = DERIVED[name]
    held = [set(truth).intersection(*forecasts)] if entry.kind == "column" else forecasts
    found = {level: sources for own in held for level, sources in entry.sources(own).items()}
    if not found:
        have = ", ".join(sorted({channel.name for own in held for channel in own})) or "nothing in common"
        where = {"field": "", "by level": " on the same level", "column": " on two levels that both sides have"}
        raise ScoreError(
            f"{name} cannot be made of {have}; expected {', '.join(need.name for need in entry.needs)}"
            f"{where[entry.kind]}"
        )
    return [DerivedChannel(name, level, sources) for level, sources in found.items()]


def has(held: set[Channel], channel: Channel) -> bool:
    """Whether a dataset with the channels ``held`` has this one, or all that it is made of.

    >>> wind = DerivedChannel("wind_speed", 500, (Channel("u_component_of_wind", 500),))
    >>> has({Channel("u_component_of_wind", 500)}, wind), has({Channel("temperature", 500)}, wind)
    (True, False)
    """
    return held.issuperset(parts(channel))


def parts(channel: Channel) -> Sources:
    """The channels that are read for this one: its sources if it is derived, otherwise itself."""
    return channel.sources if isinstance(channel, DerivedChannel) else (channel,)


def _speed(read: Read, sources: Sources, grid: Grid) -> Field:
    return np.hypot(*map(read, sources))


def _difference(read: Read, sources: Sources, grid: Grid) -> Field:
    upper, lower = map(read, sources)
    return upper - lower


def _each(kernel: Callable[..., Field]) -> Callable[[Read, Sources, Grid], Field]:
    """A function of (latitude, longitude) fields and the grid, of one member after the other to save memory."""

    def of(read: Read, sources: Sources, grid: Grid) -> Field:
        fields = [read(source) for source in sources]
        made = np.empty_like(fields[0])
        for place in np.ndindex(made.shape[:-2]):
            made[place] = kernel(*(field[place] for field in fields), grid)
        return made

    return of


def _geostrophic_speed(geopotential: Field, grid: Grid) -> Field:
    return np.hypot(*sphere.geostrophic_wind(geopotential, grid))


def _ageostrophic_speed(geopotential: Field, u: Field, v: Field, grid: Grid) -> Field:
    eastward, northward = sphere.geostrophic_wind(geopotential, grid)
    return np.hypot(u - eastward, v - northward)


def _integral(*integrands: Callable[..., Field]) -> Callable[[Read, Sources, Grid], Field]:
    """``1/g`` times the integral over pressure of a function of the fields on a level; of two functions, the length.

    By trapezoids from the highest level to the lowest.
    """

    def of(read: Read, sources: Sources, grid: Grid) -> Field:
        levels = {source.level: tuple(part for part in sources if part.level == source.level) for source in sources}
        halves = np.diff([100.0 * (level or 0) for level in levels]) / 2
        depths = np.append(halves, 0) + np.append(0, halves)
        totals: list[Any] = [0.0] * len(integrands)
        for channels, depth in zip(levels.values(), depths, strict=True):
            fields = [read(channel) for channel in channels]
            totals = [total + depth / GRAVITY * of(*fields) for total, of in zip(totals, integrands, strict=True)]
        return np.asarray(totals[0] if len(totals) == 1 else np.hypot(*totals))

    return of


_WIND = (Channel("u_component_of_wind"), Channel("v_component_of_wind"))
_GEOPOTENTIAL = Channel("geopotential")
_HUMIDITY = Channel("specific_humidity")
_LAYERS = ((200, 500), (250, 500), (300, 500), (500, 700), (500, 850), (500, 1000), (700, 850), (850, 1000))


def _near_surface_speed(height: str) -> Derived:
    wind = tuple(Channel(f"{height}_{component.name}") for component in _WIND)
    return Derived("m s-1", "wind_speed", wind, _speed, "field")


def _thickness(upper: int, lower: int) -> Derived:
    name = "atmosphere_layer_thickness_expressed_as_geopotential_difference"
    edges = (Channel("geopotential", upper), Channel("geopotential", lower))
    return Derived("m2 s-2", name, edges, _difference, "field")


DERIVED: dict[str, Derived] = {
    **{f"{height}_wind_speed": _near_surface_speed(height) for height in ("10m", "100m")},
    "wind_speed": Derived("m s-1", "wind_speed", _WIND, _speed),
    "relative_vorticity": Derived("s-1", "atmosphere_upward_relative_vorticity", _WIND, _each(sphere.vorticity)),
    "divergence": Derived("s-1", "divergence_of_wind", _WIND, _each(sphere.divergence)),
    "geostrophic_wind_speed": Derived("m s-1", "", (_GEOPOTENTIAL,), _each(_geostrophic_speed)),
    "ageostrophic_wind_speed": Derived("m s-1", "", (_GEOPOTENTIAL, *_WIND), _each(_ageostrophic_speed)),
    **{f"geopotential_thickness_{upper}_{lower}": _thickness(upper, lower) for upper, lower in _LAYERS},
    "total_column_water_vapour": Derived(
        "kg m-2", "atmosphere_mass_content_of_water_vapor", (_HUMIDITY,), _integral(lambda q: q), "column"
    ),
    "integrated_vapour_transport": Derived(
        "kg m-1 s-1", "", (_HUMIDITY, *_WIND), _integral(lambda q, u, v: q * u, lambda q, u, v: q * v), "column"
    ),
    "dry_energy": Derived(
        "J m-2",
        "dry_energy_content_of_atmosphere_layer",
        (Channel("temperature"), _GEOPOTENTIAL, *_WIND),
        _integral(lambda t, z, u, v: HEAT_CAPACITY * t + z + (u**2 + v**2) / 2),
        "column",
    ),
}
"""By name; formulas and sources in docs/scores/physical.md."""
