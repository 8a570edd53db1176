"""Meteograms: quantiles of the members through the leads at any place, or at all points of a row.

Places are those of ``evaluation.plots.places``: interpolated in the same way, and said in the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from data_pipeline.grid import Grid
from data_pipeline.times import HOUR
from evaluation.plots.fields import components_of
from evaluation.plots.places.local import Local
from evaluation.plots.places.members import along_leads, quantiles_of_known
from evaluation.plots.places.neighbours import Neighbours
from evaluation.plots.places.place import Place
from evaluation.plots.places.usual import Climate, open_usual
from evaluation.plots.places.words import how_line
from evaluation.plots.style import style_of
from evaluation.plots.sums import is_sum
from evaluation.viewer.catalogue import member_names
from evaluation.viewer.encoding import packed, quantize
from evaluation.viewer.meta import control_of
from evaluation.viewer.products import PERCENTS
from evaluation.viewer.series import Blocks
from evaluation.viewer.sides import READING, members_of, naming

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from evaluation.plots.places.members import Members
    from evaluation.viewer.catalogue import Catalogue
    from evaluation.viewer.series import Block
    from evaluation.viewer.sides import ForecastSide, OtherSide, Side

    Floats = NDArray[np.float64]

_DIGITS = 7


class Meteograms:
    """Of a forecast and of what it is compared with; the climate is the forecast's alone. Blocks are kept."""

    def __init__(
        self, one: ForecastSide, other: OtherSide | None, catalogue: Catalogue, climatology: str | None
    ) -> None:  # fmt: skip
        self._one, self._other, self._catalogue, self._blocks = one, other, catalogue, Blocks()
        self._climatology = None if climatology is None else open_usual(climatology)

    def close(self) -> None:
        """Remove what is on the disk."""
        self._blocks.close()

    def at(self, side: str, variable: int, level: int, latitude: float, longitude: float) -> dict[str, Any]:
        """What the page needs of a place; a DataError if it is outside of the grid or has no values."""
        place, through = Place(latitude, longitude), self.through(side, variable, level)
        known = self._climatology if side == "a" else None
        with READING:
            return through.at(place, None if known is None else Climate(known, place))

    def through(self, side: str, variable: int, level: int) -> Through:
        """All leads of a variable on a level of a side, by positions in the catalogue."""
        own = self._one if side == "a" or self._other is None else self._other
        entry, run = self._catalogue.entries[variable], self._one.run
        example, hpa = own.example, entry.levels[level]
        blocks = {
            name: self._blocks.get((side, name, hpa), partial(self._members, own, name, hpa), len(self._one.leads))
            for name in components_of(example, entry.name)
        }
        leads = run["lead_time"].values[list(self._one.leads)]
        return Through(entry.name, hpa, blocks, leads, run["initial_time"].values, example)

    def _members(self, side: Side, name: str, level: int | None, lead: int) -> Floats:
        with naming(self._one, name, level, lead):
            return members_of(side, name, level, lead)


@dataclass(frozen=True)
class Through:
    """A variable through the leads on one side: ``blocks`` of the variables of the file that it is made of.

    ``leads`` are in nanoseconds after ``initial_time``; ``example`` is a run that says what members and units are.
    """

    variable: str
    level: int | None
    blocks: Mapping[str, Block]
    leads: NDArray[np.timedelta64]
    initial_time: NDArray[np.datetime64]
    example: xr.Dataset

    @property
    def gaps(self) -> list[dict[str, Any]]:
        """Why leads have no values."""
        return [{"lead": lead, "words": words} for lead, words in next(iter(self.blocks.values())).gaps]

    def at(self, place: Place, climate: Climate | None = None) -> dict[str, Any]:
        """What the page needs of a place; a DataError if it is outside of the grid or has no values."""
        neighbours = Neighbours.of(Grid.of(self.example), place)
        local = Local(self._about(neighbours), place, neighbours)
        members = along_leads(local, self.variable, self.level)
        found = {name: self._at_all_leads(members, values) for name, values in _quantities(members).items()}
        usual = None if climate is None else climate.beside(members)
        band: dict[str, Any] = {} if climate is None else {"usual": "" if usual is None else usual.words}
        if usual is not None:
            band["climate"] = [self._at_all_leads(members, values) for values in usual.values]
        return {"series": found, "gaps": self.gaps, "how": how_line(local, [members]), **band}

    def _about(self, neighbours: Neighbours) -> xr.Dataset:
        """The run at the points about a place, in memory."""
        dims = ("latitude", "lead_time", "realization", "longitude")
        fields = {
            name: (dims, block.values(neighbours.rows, neighbours.columns), self.example[name].attrs)
            for name, block in self.blocks.items()
        }
        labels: dict[str, Any] = {"lead_time": self.leads, "initial_time": self.initial_time}
        if "realization" in self.example.coords:
            labels["realization"] = np.atleast_1d(self.example["realization"].values)
        if self.level is not None:
            labels["level"] = self.level
        return xr.Dataset(fields, labels, self.example.attrs)

    def _at_all_leads(self, members: Members, values: Floats) -> list[float | None]:
        """Along all leads, None where there is no value: sums have none at the start."""
        whole = np.full(self.leads.size, np.nan)
        whole[np.isin(np.round(self.leads / HOUR, 6), np.round(members.axis, 6))] = values
        return [float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None for value in whole]

    def row(self, row: int, columns: NDArray[np.intp]) -> dict[str, Any]:
        """What the page needs of a row of points: codes (lead, quantity, column), the columns in this order."""
        parts = [block.values(slice(row, row + 1))[0][..., columns] for block in self.blocks.values()]
        native = parts[0] if len(parts) == 1 else np.hypot(*parts)
        style = style_of(self.variable, str(self.example[next(iter(self.blocks))].attrs.get("units", "")))
        values = style.display(native)
        if is_sum(self.variable):
            values[self.leads <= np.timedelta64(0)] = np.nan
        names, quantities = self._of_row(values)
        found = [quantize(own) for own in quantities]
        return {
            "quantities": names, "scale": [own.scale for own in found], "offset": [own.offset for own in found],
            "gaps": self.gaps, "shape": list(quantities.shape), "data": packed(np.stack([own.codes for own in found])),
        }  # fmt: skip

    def _of_row(self, values: Floats) -> tuple[list[str], Floats]:
        """Names, and values (lead, quantity, column) of the members (lead, member, column)."""
        control = control_of(self.example)
        if values.shape[1] == 1:
            return ["value"], values
        quantiles = quantiles_of_known(values.swapaxes(0, 1), np.array(PERCENTS) / 100).swapaxes(0, 1)
        names = [f"q{percent}" for percent in PERCENTS]
        if control is None:
            return names, quantiles
        own = values[:, [member_names(self.example).index(control)]]
        return [*names, "control"], np.concatenate([quantiles, own], axis=1)


def _quantities(members: Members) -> dict[str, Floats]:
    if len(members.names) == 1:
        return {"value": members.values[0]}
    quantiles = members.quantiles([percent / 100 for percent in PERCENTS])
    found = {f"q{percent}": own for percent, own in zip(PERCENTS, quantiles, strict=True)}
    return found if members.control is None else {**found, "control": members.values[members.control]}
