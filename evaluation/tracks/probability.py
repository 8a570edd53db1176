"""Track probability: the share of members with a cyclone close by, and how it verifies.

Within 120 km, as Titley, Bowyer and Cloke 2020 (doi:10.1002/qj.3712), but of one time instead of a whole week or day.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.grid import Grid
from evaluation.tracks.mesh import Mesh
from evaluation.tracks.sphere import KM_PER_DEGREE, angles, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evaluation.tracks.settings import TrackSettings
    from evaluation.tracks.sphere import Floats
    from evaluation.tracks.track import Centre, Track


@lru_cache(maxsize=4)
def verification_mesh(degrees: float) -> Mesh:
    """Points so many degrees apart, over the globe, the first and last rows half a cell off the poles."""
    return Mesh(Grid.equiangular(max(2, round(180 / degrees)), max(2, round(360 / degrees)), poles=False))


def struck(centres: Sequence[Centre], mesh: Mesh, radius_km: float) -> NDArray[np.bool_]:
    """Whether a centre is within ``radius_km`` of each point (point), its rim included."""
    found = np.zeros(len(mesh.vectors), dtype=bool)
    latitude, width, radius = np.asarray(mesh.grid.latitude), mesh.grid.shape[1], radius_km / KM_PER_DEGREE + 1e-9
    for own in centres:
        rows = np.flatnonzero(np.abs(latitude - own.latitude) <= radius)
        if rows.size:
            band = slice(int(rows[0]) * width, (int(rows[-1]) + 1) * width)
            found[band] |= angles(mesh.vectors[band], unit_vectors(own.latitude, own.longitude)) <= radius
    return found


def strikes(tracks: Sequence[Sequence[Track]], time: np.datetime64, settings: TrackSettings) -> NDArray[np.int64]:
    """Number of members (point) with a centre near at a time, from the tracks of each member."""
    mesh = verification_mesh(settings.probability_degrees)
    counts = np.zeros(len(mesh.vectors), dtype=np.int64)
    for own in tracks:
        counts += struck([track.at[time] for track in own if time in track.at], mesh, settings.probability_km)
    return counts


def track_probability(tracks: Sequence[Sequence[Track]], time: np.datetime64, settings: TrackSettings) -> xr.DataArray:
    """Share of members (latitude, longitude) with a centre within ``probability_km`` at a time.

    ``tracks`` are those of each member; one without a track is an empty sequence, and counts.
    """
    grid = verification_mesh(settings.probability_degrees).grid
    shares = strikes(tracks, time, settings).reshape(grid.shape) / len(tracks)
    attributes = {"long_name": f"probability of a cyclone within {settings.probability_km:g} km", "units": "1"}
    return xr.DataArray(
        shares, dims=("latitude", "longitude"), coords={**grid.coordinates, "time": time}, attrs=attributes
    )


def class_bounds(classes: int) -> Floats:
    """Least probability of each class: 0 alone, above 0, 1/n, 2/n, ..., 1 alone.

    >>> class_bounds(2).tolist()
    [0.0, 0.0, 0.5, 1.0]
    """
    return np.concatenate([[0.0], np.arange(classes + 1) / classes])


def class_of(counts: NDArray[np.int64], members: int, classes: int) -> NDArray[np.int64]:
    """The class of the probability ``counts / members``, found in whole numbers.

    >>> class_of(np.array([0, 1, 2, 3, 4]), 4, 2).tolist()
    [0, 1, 2, 2, 3]
    """
    return np.where(counts == 0, 0, 1 + counts * classes // members)


def probability_sums(
    counts: NDArray[np.int64], members: int, event: NDArray[np.bool_], settings: TrackSettings
) -> dict[str, Floats]:
    """Areas, in cells of mean area, of which the Brier score, reliability and value are made.

    ``area``, ``struck_area`` and ``probability_area`` (area times probability) by class of probability (class,), and
    ``brier_area``, area times (p - o)^2. Only latitudes of ``settings.latitudes`` count, those of tropical cyclones
    only up to ``wind_latitude``.
    """
    mesh = verification_mesh(settings.probability_degrees)
    latitude = np.abs(np.asarray(mesh.grid.latitude))
    least, most = settings.latitudes
    inside = (latitude >= least) & (latitude <= min(most, settings.wind_latitude))
    area = np.repeat(mesh.grid.area_weights() * inside, mesh.grid.shape[1])
    classes, probability = class_of(counts, members, settings.probability_classes), counts / members
    length = settings.probability_classes + 2
    return {
        "area": np.bincount(classes, area, length),
        "struck_area": np.bincount(classes, area * event, length),
        "probability_area": np.bincount(classes, area * probability, length),
        "brier_area": np.asarray((area * (probability - event) ** 2).sum()),
    }
