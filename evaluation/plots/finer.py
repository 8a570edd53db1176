"""Natural Earth at 1:10 million, where cartopy has it on this disk already; nothing is ever downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FILES = {
    "coastlines": ("physical", "coastline"),
    "borders": ("cultural", "admin_0_boundary_lines_land"),
    "lakes": ("physical", "lakes"),
}


def on_disk(feature: str) -> Path | None:
    """The file that cartopy would read, if it is there."""
    import cartopy  # noqa: PLC0415, the viewer draws coasts without it
    from cartopy.io.shapereader import NEShpDownloader  # noqa: PLC0415

    category, name = _FILES[feature]
    words = {"config": cartopy.config, "resolution": "10m", "category": category, "name": name}
    finder = NEShpDownloader.default_downloader()
    places = (finder.pre_downloaded_path(words), finder.target_path(words))
    return next((Path(place) for place in places if place is not None and Path(place).exists()), None)


def read(path: Path) -> list[NDArray[np.float64]]:
    """Every line of a shapefile, longitude and latitude in degrees, (points, 2); of polygons, their rings.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    from cartopy.io.shapereader import Reader  # noqa: PLC0415

    with reading(path):
        shapes = [shape for shape in Reader(path).geometries() if shape is not None]
    lines = [shape.boundary if shape.geom_type.endswith("Polygon") else shape for shape in shapes]
    return [np.asarray(part.coords)[:, :2] for line in lines for part in getattr(line, "geoms", [line])]
