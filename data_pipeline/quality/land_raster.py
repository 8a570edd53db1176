"""How ``land_mask.npy`` was made: Natural Earth's land (public domain, TopoJSON) on a 2-degree grid.

Run ``python -m data_pipeline.quality.land_raster countries-110m.json`` to make it again; the file lies in
``evaluation/plots/natural_earth``, and a test compares the result bit for bit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.grid import CIRCLE, POLE
from data_pipeline.quality.land_mask import ASSET, COLUMNS, ROWS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FINER = 8
"""Points per cell and direction whose majority decides whether a cell is land."""


def land_raster(topology: dict[str, Any]) -> NDArray[np.bool_]:
    """Whether most of each 2-degree cell is land, [latitude, longitude], north to south, from 0 degrees east."""
    rings = _rings(topology)
    spacing = CIRCLE / (COLUMNS * _FINER)
    latitudes = POLE - spacing * (np.arange(ROWS * _FINER) + 0.5)
    longitudes: Floats = spacing * (np.arange(COLUMNS * _FINER, dtype=np.float64) + 0.5)
    inside = np.stack([_inside(rings, latitude, longitudes) for latitude in latitudes])
    share = inside.reshape(ROWS, _FINER, COLUMNS, _FINER).mean(axis=(1, 3))
    return np.asarray(share > 0.5)


def _rings(topology: dict[str, Any]) -> list[Floats]:
    """Closed rings of (longitude, latitude), shape (points, 2), of all land; longitude is continuous along a ring.

    TopoJSON 2.1.4: the points of an arc are differences, scaled and translated; ``~i`` is arc i walked backwards.
    """
    scale, origin = np.array(topology["transform"]["scale"]), np.array(topology["transform"]["translate"])
    arcs = [np.cumsum(np.asarray(arc, dtype=np.float64), axis=0) * scale + origin for arc in topology["arcs"]]
    (land,) = topology["objects"]["land"]["geometries"]
    rings = [ring for polygon in land["arcs"] for ring in polygon]
    return [_closed(np.concatenate([arcs[i] if i >= 0 else arcs[~i][::-1] for i in ring])) for ring in rings]


def _closed(ring: Floats) -> Floats:
    """A ring that goes round the south pole is led through the pole, which the map's lower edge stands for."""
    x, y = np.unwrap(ring[:, 0], period=CIRCLE), ring[:, 1]
    if abs(x[-1] - x[0]) > CIRCLE / 2:
        x, y = np.append(x, [x[-1], x[0], x[0]]), np.append(y, [-POLE, -POLE, y[0]])
    return np.column_stack([x, y])


def _inside(rings: list[Floats], latitude: float, longitudes: Floats) -> NDArray[np.bool_]:
    """Even-odd rule: a point is inside if an odd number of edges crosses its parallel west of it."""
    crossings: list[float] = []
    for ring in rings:
        (x, y), (next_x, next_y) = ring[:-1].T, ring[1:].T
        spans = (y > latitude) != (next_y > latitude)
        along = (latitude - y[spans]) / (next_y[spans] - y[spans])
        crossings += (x[spans] + along * (next_x[spans] - x[spans])).tolist()
    ordered = np.sort(crossings)
    turns = (-CIRCLE, 0.0, CIRCLE)  # rings across the date line leave -180..180
    return np.asarray(sum(np.searchsorted(ordered, longitudes + turn) for turn in turns) % 2 == 1)


def main() -> None:
    """Write the mask from the TopoJSON file that is named on the command line."""
    topology = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    np.save(ASSET, np.packbits(land_raster(topology)), allow_pickle=False)


if __name__ == "__main__":
    main()
