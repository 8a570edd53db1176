"""Every piece that the page can ask for, by key: the only things that a server gives and an export writes."""

from __future__ import annotations

import re
from collections import OrderedDict
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import DataError, SphercastError, UnreadableError
from evaluation.plots.runs import open_at
from evaluation.plots.titles import moment
from evaluation.viewer.catalogue import Selection, catalogue
from evaluation.viewer.changed import changed, states
from evaluation.viewer.coasts import RESOLUTIONS, coasts
from evaluation.viewer.encoding import packed, quantize, script
from evaluation.viewer.meta import columns, meta
from evaluation.viewer.products import MOST_THRESHOLDS, PERCENTS, STATISTICS, member_of, threshold_of
from evaluation.viewer.scales import Scales, scales
from evaluation.viewer.sides import DifferenceSide, ForecastSide, OtherSide, naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from evaluation.plots.fields import EnsembleField
    from evaluation.viewer.catalogue import Entry
    from evaluation.viewer.meteogram import Meteograms
    from evaluation.viewer.sides import Side

META = "meta"
_FIELD = re.compile(r"field/([abd])/(\d{1,5})/(\d{1,5})/(\d{1,5})/([a-z]+\d{0,5})", re.ASCII)
_SERIES = re.compile(r"series/([ab])/(\d{1,5})/(\d{1,5})/(\d{1,5})", re.ASCII)
_PLACE = re.compile(r"place/([ab])/(\d{1,5})/(\d{1,5})/(-?\d{1,2}\.\d{2})/(-?\d{1,3}\.\d{2})", re.ASCII)
_SCALE = re.compile(r"scale/(\d{1,5})/(\d{1,5})", re.ASCII)
_COASTS = {f"coasts/{own}": own for own in RESOLUTIONS}
_KEPT_BYTES = 2**27
"""Of ensembles that are kept for another product of the same field."""


class Pieces:
    """Small scripts by key, made of a forecast and of what it is compared with; several threads may ask at once."""

    def __init__(
        self, path: str | Path, selection: Selection | None = None, *, against: str | None = None,
        init: str | None = None, climatology: str | None = None,
    ) -> None:  # fmt: skip
        run = open_at(path, init)
        self.catalogue = catalogue(run, selection or Selection())
        one = ForecastSide(Path(path).name, run, self.catalogue.leads)
        self.sides: dict[str, Side] = {"a": one}
        self._one, self._other = one, None if against is None else OtherSide.of(against, one)
        if self._other is not None:
            self.sides |= {"b": self._other, "d": DifferenceSide(one, self._other)}
        self._ensembles: OrderedDict[tuple[object, ...], EnsembleField] = OrderedDict()
        self._scales: dict[tuple[int, int], Scales] = {}
        self._lock, self._climatology = Lock(), climatology
        if climatology is not None:
            self._meteograms  # noqa: B018, a climatology that cannot be opened is told of at once
        self._opened = states(self.files)

    @cached_property
    def content_of_meta(self) -> dict[str, Any]:
        """What the first piece says."""
        shared = self.sides["d"].grid if "d" in self.sides else None
        return meta(self.catalogue, self._one, self._other, shared)

    @property
    def files(self) -> list[str]:
        """Paths of what it is made of."""
        runs = [self._one.run, *(self._other.found if self._other is not None else ())]
        return sorted({str(file) for run in runs for file in run.attrs.get("files", ())})

    def series_length(self, side: str) -> int:
        """Values of one point in a series: leads times quantities, a control not counted."""
        several = self.content_of_meta["sides"][side]["members"] > 1
        return len(self.catalogue.leads) * (len(PERCENTS) if several else 1)

    def close(self) -> None:
        """Remove what is on the disk."""
        if "_meteograms" in self.__dict__:
            self._meteograms.close()

    @cached_property
    def _meteograms(self) -> Meteograms:
        from evaluation.viewer.meteogram import Meteograms  # noqa: PLC0415, the first map need not wait for it

        return Meteograms(self._one, self._other, self.catalogue, self._climatology)

    def keys(self) -> Iterator[str]:
        """All that there are, in the order in which an export should make them."""
        yield META
        yield from _COASTS
        for variable, entry in enumerate(self.catalogue.entries):
            for level in range(len(entry.levels)):
                yield f"scale/{variable}/{level}"
                for lead in range(len(self.catalogue.leads)):
                    yield from (f"field/{own}" for own in self._fields(variable, level, lead))
                for side in self._with_series(variable, level):
                    rows = self.content_of_meta["sides"][side]["grid"]["latitude"]
                    yield from (f"series/{side}/{variable}/{level}/{row}" for row in range(len(rows)))

    def _with_series(self, variable: int, level: int) -> list[str]:
        beside = "b" in self.sides and not self.content_of_meta["sides"]["b"]["lacks"][variable][level]
        return ["a", "b"] if beside else ["a"]

    def _fields(self, variable: int, level: int, lead: int) -> Iterator[str]:
        for side in self.sides:
            if side == "a" or self._other_has(variable, level, lead):
                own = self.products(side, self._number_of_thresholds(variable, level))
                yield from (f"{side}/{variable}/{level}/{lead}/{product}" for product in own)

    def _other_has(self, variable: int, level: int, lead: int) -> bool:
        """What it has not, the page says without a piece."""
        other = self.content_of_meta["sides"]["b"]
        return other["has"][lead] and not other["lacks"][variable][level]

    def _number_of_thresholds(self, variable: int, level: int) -> int:
        try:
            return len(self._scale(variable, level).thresholds)
        except UnreadableError:
            raise
        except DataError:  # a field without values
            return 0

    def products(self, side: str, thresholds: int = MOST_THRESHOLDS) -> list[str]:
        """Names of what one side has."""
        size = self.content_of_meta["sides"][side].get("members", 1)
        if size == 1:
            return ["mean"]
        probabilities = [f"p{place}" for place in range(thresholds)]
        return [*STATISTICS, *probabilities, *(f"m{place}" for place in self.catalogue.members if place < size)]

    def make(self, key: str, *, past_damage: bool = True) -> bytes | None:
        """The piece, or None if there is none of that name. What there is not becomes a piece that says so.

        Raises
        ------
        UnreadableError
            If a file is damaged, unless ``past_damage``.
        """
        content = self._maker(key)
        if content is None:
            return None
        try:
            self.require_unchanged()
            return script(key, content())
        except SphercastError as error:
            if isinstance(error, UnreadableError) and not past_damage:
                raise
            return script(key, {"refused": str(error)})

    def _maker(self, key: str) -> Callable[[], dict[str, Any]] | None:
        """What makes a piece; None for a key that does not exist."""
        if key == META:
            return lambda: self.content_of_meta
        if key in _COASTS:
            return partial(coasts, _COASTS[key])
        if (found := _SCALE.fullmatch(key)) and self._entry(found[1], found[2]):
            return partial(self._content_of_scale, int(found[1]), int(found[2]))
        if (found := _FIELD.fullmatch(key)) and self._has_field(found[1], found[2], found[3], found[4], found[5]):
            return partial(self._field, found[1], int(found[2]), int(found[3]), int(found[4]), found[5])
        return self._maker_of_meteogram(key)

    def _maker_of_meteogram(self, key: str) -> Callable[[], dict[str, Any]] | None:
        if (found := _SERIES.fullmatch(key)) and self._has_row(found[1], found[2], found[3], found[4]):
            side, variable, level, row = found[1], int(found[2]), int(found[3]), int(found[4])
            order = columns(self.sides[side].grid)
            return lambda: self._meteograms.through(side, variable, level).row(row, order)
        if (found := _PLACE.fullmatch(key)) and found[1] in self.sides and self._entry(found[2], found[3]):
            where = float(found[4]), float(found[5])
            return lambda: self._meteograms.at(found[1], int(found[2]), int(found[3]), *where)
        return None

    def _entry(self, variable: str, level: str) -> Entry | None:
        entries = self.catalogue.entries
        known = _is_position(variable, len(entries)) and _is_position(level, len(entries[int(variable)].levels))
        return entries[int(variable)] if known else None

    def _has_row(self, side: str, variable: str, level: str, row: str) -> bool:
        return side in self.sides and bool(
            self._entry(variable, level)
            and _is_position(row, len(self.content_of_meta["sides"][side]["grid"]["latitude"]))
        )

    def _has_field(self, side: str, variable: str, level: str, lead: str, product: str) -> bool:
        known = side in self.sides and self._entry(variable, level) and _is_position(lead, len(self.catalogue.leads))
        return bool(known and product in self.products(side))

    def _ensemble(self, side: str, variable: int, level: int, lead: int, member: int | None = None) -> EnsembleField:
        key = (side, variable, level, lead, member)
        with self._lock:
            if key in self._ensembles:
                self._ensembles.move_to_end(key)
                return self._ensembles[key]
        found = self._read(side, variable, level, lead, member)
        with self._lock:
            self._ensembles[key] = found
            while sum(own.values.nbytes for own in self._ensembles.values()) > _KEPT_BYTES:
                self._ensembles.popitem(last=False)
        return found

    def _read(self, side: str, variable: int, level: int, lead: int, member: int | None = None) -> EnsembleField:
        entry = self.catalogue.entries[variable]
        with naming(self._one, entry.name, entry.levels[level], lead):
            return self.sides[side].ensemble(entry.name, entry.levels[level], lead, member)

    def require_unchanged(self) -> None:
        """Raise a DataError if a file is no longer the one that was opened: old and new fields would be mixed."""
        if others := changed(self._opened):
            verb = "have" if len(others) > 1 else "has"
            raise DataError(f"{', '.join(others)} {verb} changed since the viewer opened it; start it again")

    def _scale(self, variable: int, level: int) -> Scales:
        with self._lock:
            if (variable, level) in self._scales:
                return self._scales[variable, level]
        difference = (lambda lead: self._ensemble("d", variable, level, lead)) if "d" in self.sides else None
        found = scales(
            lambda lead: self._ensemble("a", variable, level, lead), difference, len(self.catalogue.leads)
        )  # fmt: skip
        with self._lock:
            self._scales[variable, level] = found
        return found

    def _content_of_scale(self, variable: int, level: int) -> dict[str, Any]:
        return self._scale(variable, level).content()

    def _field(self, side: str, variable: int, level: int, lead: int, product: str) -> dict[str, Any]:
        ensemble = self._ensemble(side, variable, level, lead, member_of(product))
        quantized = quantize(self._values(ensemble, variable, level, product)[:, columns(ensemble.grid)])
        return {
            "shape": list(quantized.codes.shape), "scale": quantized.scale, "offset": quantized.offset,
            "initial": moment(ensemble.initial_time), "hours": ensemble.lead,
            "members": len(ensemble.members), "size": ensemble.size, "data": packed(quantized.codes),
        }  # fmt: skip

    def _values(self, ensemble: EnsembleField, variable: int, level: int, product: str) -> NDArray[np.float64]:
        threshold = threshold_of(product)
        if threshold is not None:
            known = self._scale(variable, level).thresholds
            if threshold >= len(known):
                raise DataError(f"there are only {len(known)} thresholds for this field; choose another")
            return ensemble.probability(known[threshold], above=True)
        return STATISTICS["mean" if member_of(product) is not None else product].make(ensemble)


def _is_position(text: str, size: int) -> bool:
    """Whether it counts one of ``size`` things, written in the only way: '01' is not '1'."""
    return text == str(int(text)) and int(text) < size
