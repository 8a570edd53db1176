"""Colours of one variable on one level: the classes of ``sphercast plot``, the same at all leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.errors import DataError
from evaluation.plots.palettes import difference_palette
from evaluation.plots.style import field_palette, line_levels, probability_palette, spread_palette
from evaluation.plots.titles import number
from evaluation.viewer.products import thresholds

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation.plots.fields import EnsembleField
    from evaluation.plots.style import Palette


@dataclass(frozen=True)
class Scales:
    """Classes by what they are of, lines drawn over those of the field, and thresholds of probabilities."""

    palettes: dict[str, Palette]
    lines: tuple[float, ...]
    thresholds: tuple[float, ...]

    def content(self) -> dict[str, Any]:
        """For the page: plain lists, and labels of edges as a title would write them."""
        return {
            "scales": {name: _listed(palette) for name, palette in self.palettes.items()},
            "lines": list(self.lines),
            "thresholds": [{"value": value, "label": number(value)} for value in self.thresholds],
        }


def scales(
    ensemble: Callable[[int], EnsembleField], difference: Callable[[int], EnsembleField] | None, leads: int
) -> Scales:
    """Scales that fit the first and the last of ``leads``, of which ``ensemble`` gives each.

    Raises
    ------
    DataError
        If none of them has a value.
    """
    fields = _sampled(ensemble, leads)
    values = np.concatenate([field.values[np.isfinite(field.values)] for field in fields])
    style, level = fields[0].style, fields[0].level
    own = field_palette(style, level, values)
    palettes = {"field": own, "probability": probability_palette()}
    if len(fields[-1].members) > 1:
        palettes["spread"] = spread_palette(_known(fields[-1].spread()))
    if difference is not None:
        palettes |= _of_difference(difference, leads)
    return Scales(palettes, line_levels(style, own), thresholds(own.edges, float(values.min()), float(values.max())))


def _of_difference(difference: Callable[[int], EnsembleField], leads: int) -> dict[str, Palette]:
    try:
        fields = _sampled(difference, leads)
    except DataError:  # the other side lacks it: there will be no difference to colour
        return {}
    values = np.concatenate([_known(field.values) for field in fields])
    return {"difference": difference_palette(fields[0].style, values)}


def _known(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    known = values[np.isfinite(values)]
    return known if known.size else np.zeros(1)


def _sampled(ensemble: Callable[[int], EnsembleField], leads: int) -> list[EnsembleField]:
    found, refused = [], None
    for lead in sorted({0, leads - 1}):
        try:
            found.append(ensemble(lead))
        except DataError as error:
            refused = error
    if not found and refused is not None:
        raise refused
    return found


def _listed(palette: Palette) -> dict[str, Any]:
    return {
        "edges": list(palette.edges), "labels": [number(edge) for edge in palette.edges],
        "colours": list(palette.colours), "extend": palette.extend,
    }  # fmt: skip
