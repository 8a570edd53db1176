"""Sums of parts put together: in memory, or in a file that is read where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count, takewhile
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.blank_sums import blank_sums
from evaluation.exact import ExactSum
from evaluation.layout import Layout
from evaluation.score_files import add_sums, open_sums, readable, writing
from evaluation.sums import in_order, time_by_time, with_shared_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from evaluation.blank_sums import Blank, New
    from evaluation.metrics.forms import Floats
    from evaluation.sums import Sums

    Wanted = Iterator[tuple[str, list[str], dict[str, str]]]


def combine(parts: Iterable[Sums], by: str | None = None, into: Path | None = None) -> Sums:
    """The sums of all parts, in order of initial time: the same to the bit in whatever order the parts come.

    Parameters
    ----------
    parts
        In memory or in files (``score_files.SumsFiles``); they are gone through twice.
    by
        ``season``, ``month`` or ``hour``: groups within which statistics with long axes are added up.
    into
        A file to put the sums into, of which they are read when they are asked for: memory then holds one part at a
        time, and what is added up.

    Raises
    ------
    ScoreError
        If there are none, two have the same initial time, or they are of different regions, models or units.
    """
    parts = list(parts) if isinstance(parts, Iterator) else parts
    layouts: dict[str, Layout] = {}
    for number, part in enumerate(parts):
        for variable, own in part.items():
            layouts.setdefault(variable, Layout(own)).take_in(number, own)
    if not layouts:
        raise ScoreError("no sums were given, expected at least one; score something first")
    templates = {variable: xr.Dataset(coords=layout.labels) for variable, layout in layouts.items()}
    with blank_sums(templates, into) as new:
        piles = {variable: _Pile(variable, layout, by, new) for variable, layout in layouts.items()}
        for part in parts:
            for variable, own in part.items():
                piles[variable].add(own)
    if into is None:
        return {variable: pile.series().merge(pile.added()) for variable, pile in piles.items()}
    with writing(into):
        for variable, pile in piles.items():
            if (added := pile.added()).data_vars:
                add_sums({variable: added}, into)  # one after the other, as each is large
    return {variable: own.assign_attrs(layouts[variable].attributes) for variable, own in open_sums(into).items()}


class _Pile:
    """The sums of one variable: those by initial time are filled in part by part, the others added up."""

    def __init__(self, variable: str, layout: Layout, by: str | None, new: New) -> None:
        self._layout, self._by = layout, by
        self._arrays: dict[str, tuple[list[str], Blank, dict[str, str]]] = {}
        for name, dims, about in _wanted(layout, layout.series()):
            self._arrays[name] = dims, new(variable, name, dims, about), about
        self._exact = {name: (dims, ExactSum(), about) for name, dims, about in _wanted(layout, layout.others())}

    def add(self, part: xr.Dataset) -> None:
        """Put a part in its place."""
        if not part.indexes["initial_time"].is_monotonic_increasing:
            part = part.sortby("initial_time")
        where = _places(self._layout.labels["initial_time"], part["initial_time"].values)
        for name, (dims, array, _) in self._arrays.items():
            array[:, where] = self._whole(_read(part, name), dims) if name in part else 0.0
        for name, (_, total, _) in self._exact.items():
            for term in _terms(part, name):
                for own in time_by_time(term, self._by) if "initial_time" in term.dims else [term]:
                    total.add(own)

    def _whole(self, field: xr.DataArray, dims: list[str]) -> Floats:
        """With all labels but the initial times, zero where the part has none."""
        labels = {dim: self._layout.labels[dim] for dim in dims if dim != "initial_time"}
        if any(not np.array_equal(field[dim], own) for dim, own in labels.items()):
            field = field.reindex(labels, fill_value=0.0)
        return field.transpose(*dims).values

    def series(self) -> xr.Dataset:
        """What was filled in, in memory."""
        return with_shared_weights(xr.Dataset(self._arrays, self._layout.labels, self._layout.attributes))

    def added(self) -> xr.Dataset:
        """What was added up, (group, ...); to be asked for once."""
        terms = {}
        for name in list(self._exact):
            dims, total, about = self._exact.pop(name)
            order = ["group", *(dim for dim in dims if dim != "initial_time")]
            first, *rests = (term.transpose(*order) for term in total.terms())
            terms[name] = first.assign_attrs(about)
            for number, rest in enumerate(rests, 1):
                terms[f"rest{number}_{name}"] = rest.assign_attrs(long_name=f"what {name} lacks of the exact sum")
        groups = {group for term in terms.values() for group in term["group"].values.tolist()}
        labels = {**self._layout.labels, "group": np.array(in_order(groups, self._by))}
        fields = {
            name: term.reindex({dim: labels[str(dim)] for dim in term.dims}, fill_value=0.0)
            for name, term in terms.items()
        }
        return with_shared_weights(xr.Dataset(fields))


def _wanted(layout: Layout, statistics: Sequence[str]) -> Wanted:
    """Name, dims and attributes of the arrays of statistics: weights that several share are one array."""
    shared = layout.sharing(statistics)
    for statistic, first in shared.items():
        yield f"total_{statistic}", layout.dims(statistic), {"weights": f"weight_{first}"}
    for statistic in dict.fromkeys(shared.values()):
        yield f"weight_{statistic}", layout.weight_dims(statistic), {}


def _places(labels: NDArray[np.generic], own: NDArray[np.generic]) -> slice | NDArray[np.intp]:
    """Positions of ascending labels, where they follow each other as a slice."""
    places = np.searchsorted(labels, own)
    if len(places) and places[-1] - places[0] + 1 == len(places):
        return slice(int(places[0]), int(places[-1]) + 1)
    return places


def _terms(part: xr.Dataset, name: str) -> Iterator[xr.DataArray]:
    """A sum, and what it lacks."""
    names = takewhile(lambda term: term in part, chain([name], (f"rest{number}_{name}" for number in count(1))))
    return (_read(part, term) for term in names)


def _read(part: xr.Dataset, name: str) -> xr.DataArray:
    with readable(part.encoding.get("source")):
        return part[name].compute()
