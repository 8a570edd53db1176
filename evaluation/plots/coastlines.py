"""Natural Earth coastlines, borders and lakes from the files shipped beside this module; no network, ever."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from evaluation.plots import finer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Resolution = Literal["110m", "50m", "10m"]
Feature = Literal["coastlines", "borders", "lakes"]

SOUTHERN_SEAM = -89.5
"""Degrees: arcs below are the edge of the unrolled map along the south pole, not a coast."""


@cache
def lines(feature: Feature, resolution: Resolution) -> Floats:
    """Longitude and latitude in degrees, shape (points, 2), a row of NaN between one line and the next.

    Longitudes are continuous along a line and may leave +-180: no line jumps at the date line. ``10m`` is what cartopy
    has on this disk, if it has it, else ``50m``.
    """
    if resolution == "10m":
        path = finer.on_disk(feature)
        return lines(feature, "50m") if path is None else joined([_without_seams(own) for own in finer.read(path)])
    topology = _read("lakes" if feature == "lakes" else "countries", resolution)
    arcs = _decoded(topology)
    return joined([arcs[index] for index in _arcs_of(topology, feature)])


def joined(pieces: list[Floats]) -> Floats:
    """Lines of shape (points, 2) as one array with rows of NaN between them: one artist draws them all."""
    gap = np.full((1, 2), np.nan)
    return np.concatenate([part for piece in pieces for part in (piece, gap)])


def _read(what: str, resolution: Resolution) -> dict[str, Any]:
    folder = resources.files("evaluation.plots") / "natural_earth"
    topology: dict[str, Any] = json.loads((folder / f"{what}-{resolution}.json").read_text(encoding="utf-8"))
    return topology


def _decoded(topology: dict[str, Any]) -> list[Floats]:
    """TopoJSON 2.1.4: positions are integers, each the difference to the one before, scaled and translated."""
    scale, origin = np.array(topology["transform"]["scale"]), np.array(topology["transform"]["translate"])
    arcs = [np.cumsum(np.asarray(arc, dtype=np.float64), axis=0) * scale + origin for arc in topology["arcs"]]
    return [_without_seams(arc) for arc in arcs]


def _without_seams(arc: Floats) -> Floats:
    longitude = np.unwrap(arc[:, 0], period=360.0)
    latitude = np.where(arc[:, 1] < SOUTHERN_SEAM, np.nan, arc[:, 1])
    return np.column_stack([longitude, latitude])


def _arcs_of(topology: dict[str, Any], feature: Feature) -> list[int]:
    """A coast is an arc of the land, a shore one of a lake; a border is an arc that two countries share."""
    if feature != "borders":
        whole = "land" if feature == "coastlines" else "lakes"
        return sorted(set(_indices(topology["objects"][whole]["geometries"])))
    uses = Counter(
        index for country in topology["objects"]["countries"]["geometries"] for index in {*_indices(country)}
    )
    return sorted(index for index, count in uses.items() if count > 1)


def _indices(node: Any) -> Iterator[int]:
    """Arc numbers in a geometry, a list of them or nested rings; ``~i`` is arc i walked backwards."""
    if isinstance(node, dict):
        yield from _indices(node.get("arcs", []))
    elif isinstance(node, list):
        for child in node:
            yield from _indices(child)
    else:
        yield node if node >= 0 else ~node
