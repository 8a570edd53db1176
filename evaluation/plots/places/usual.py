"""What is usual at a place and times of the year: a band of a climatology."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.channels import Channel
from data_pipeline.climatology_reading import open_climatology
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from evaluation.climate import has_quantiles, of_variables
from evaluation.pairs import channels
from evaluation.plots.climates import opened_climatology
from evaluation.plots.places.local import method_of
from evaluation.plots.places.neighbours import Neighbours

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from evaluation.climate import Climatology
    from evaluation.plots.places.members import Members
    from evaluation.plots.places.place import Place

    Floats = NDArray[np.float64]

LEVELS = (0.1, 0.5, 0.9)
WITHIN = 1.2815515655446004
"""Standard deviations about the mean within which a normal distribution has the middle 80 %."""


@dataclass(frozen=True)
class Usual:
    """Quantiles at 10, 50 and 90 %, (3, place on the axis), in display units.

    ``words`` says how they were come by.
    """

    values: Floats
    words: str


class Climate:
    """A climatology at one place, opened once for several variables."""

    def __init__(self, climatology: str | Path | Climatology, place: Place) -> None:
        self._climatology, self._place = open_usual(climatology), place
        self._neighbours: Neighbours | None = None

    def beside_all(self, every: Sequence[Members]) -> list[Usual | None]:
        """As ``beside``, of several variables.

        Raises
        ------
        DataError
            As ``beside``, and if the climatology has none of them.
        """
        found = [self.beside(members) for members in every]
        if all(usual is None for usual in found):
            names = ", ".join(own.variable for own in every)
            raise DataError(f"the climatology has none of {names} on these levels; choose another, or leave it out")
        return found

    def beside(self, members: Members) -> Usual | None:
        """The band beside the members, along the same axis; None of a variable that the climatology lacks.

        Quantiles where it has them, else those of a normal distribution with its mean and standard deviation.

        Raises
        ------
        DataError
            If the place is outside of the climatology's grid, or its quantiles do not reach 10 and 90 %.
        """
        hours = members.axis if members.lead is None else np.atleast_1d(members.lead)
        times = np.array(
            [(members.initial_time + np.timedelta64(round(3.6e6 * hour), "ms")) for hour in hours], "M8[ns]"
        )
        held = set(channels(self._climatology.at(times[:1])[0], "time"))
        levels: list[int | None] = [members.level] if members.lead is None else [*map(int, members.axis)]
        if not {Channel(members.variable, level) for level in levels} <= held:
            return None
        climatology = of_variables(self._climatology, (members.variable,))
        quantiles = has_quantiles(climatology)
        each = [self._at(climatology, members.variable, levels, time, quantiles) for time in times]
        values = np.concatenate(each, axis=1)
        kind = "quantiles" if quantiles else "mean ± 1.28 standard deviations"
        return Usual(members.style.display(values), kind)

    def _at(
        self, climatology: Climatology, name: str, levels: list[int | None], time: np.datetime64, quantiles: bool
    ) -> Floats:  # fmt: skip
        """(3, level) at one time: a climatology of all times may be larger than the memory."""
        when = np.array([time], dtype="M8[ns]")
        if quantiles:
            field = climatology.quantiles_at(when)[name]  # type: ignore[attr-defined]
            return _interpolated(self._value(field, levels), field["quantile"].values)
        mean, std = (self._value(part[name], levels) for part in climatology.at(when))
        return np.concatenate([mean + sign * WITHIN * std for sign in (-1, 0, 1)])

    def _value(self, field: xr.DataArray, levels: list[int | None]) -> Floats:
        """(quantile, level) at the place, of a field at one time."""
        if self._neighbours is None:
            self._neighbours = Neighbours.of(Grid.of(field), self._place)
        chosen = field.isel(time=0)
        if levels != [None]:
            chosen = chosen.sel(level=levels)
        cut = self._neighbours.cut(chosen.to_dataset())[field.name]
        ordered = cut.transpose("quantile", "level", "latitude", "longitude", missing_dims="ignore")
        values = self._neighbours.value(np.asarray(ordered.values), method_of(str(field.name)))
        return values.reshape(-1, len(levels))


def open_usual(climatology: str | Path | Climatology) -> Climatology:
    """With quantiles if it can be; a training store may have none, but a mean and a standard deviation.

    Raises
    ------
    DataError
        If there is none at the path.
    """
    try:
        return opened_climatology(climatology)
    except DataError:
        if not isinstance(climatology, str | Path):
            raise
        return open_climatology(climatology)


def _interpolated(values: Floats, kept: Floats) -> Floats:
    """At ``LEVELS``, linear in probability between the quantiles that are kept, (quantile, level)."""
    if LEVELS[0] < kept[0] or LEVELS[-1] > kept[-1]:
        raise DataError(
            f"the climatology's quantiles span {kept[0]:g}..{kept[-1]:g}, expected 0.1..0.9 for a band; give another"
        )
    return np.stack([np.interp(LEVELS, kept, column) for column in values.T], axis=1)
