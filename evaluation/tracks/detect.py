"""Centres of cyclones in the fields of one time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.tracks.mesh import is_enclosed, minima
from evaluation.tracks.sphere import angles, destination, tangent_plane
from evaluation.tracks.track import Centre

if TYPE_CHECKING:
    from evaluation.tracks.fields import Fields
    from evaluation.tracks.mesh import Mesh
    from evaluation.tracks.settings import TrackSettings
    from evaluation.tracks.sphere import Floats


def detect(fields: Fields, mesh: Mesh, settings: TrackSettings) -> list[Centre]:
    """The centres that fulfil every criterion that is asked for, the deepest first; equal ones from the north-west.

    Centres closer than ``merge_degrees`` to a deeper one are dropped.
    """
    latitude = np.abs(np.repeat(mesh.grid.latitude, mesh.grid.shape[1]))
    least, most = settings.latitudes
    candidates = [int(point) for point in minima(fields.pressure, mesh) if least <= latitude[point] <= most]
    candidates.sort(key=lambda point: (fields.pressure[point], point))
    kept: list[int] = []
    for point in candidates:
        near = kept and angles(mesh.vectors[kept], mesh.vectors[point]).min() < settings.merge_degrees
        if not near and _is_cyclone(point, fields, mesh, settings):
            kept.append(point)
    return [_centre(point, fields, mesh, settings) for point in kept]


def _is_cyclone(point: int, fields: Fields, mesh: Mesh, settings: TrackSettings) -> bool:
    return (
        _is_low_enough(point, fields, settings)
        and _turns(point, fields, mesh, settings)
        and is_enclosed(fields.pressure, point, settings.contour_pa, settings.contour_degrees, mesh)
        and _has_warm_core(point, fields, mesh, settings)
    )


def _is_low_enough(point: int, fields: Fields, settings: TrackSettings) -> bool:
    highest = settings.maximum_height
    return highest is None or (fields.ground is not None and bool(fields.ground[point] <= highest))


def _turns(point: int, fields: Fields, mesh: Mesh, settings: TrackSettings) -> bool:
    least = settings.minimum_vorticity
    return least is None or _largest(fields.vorticity, point, settings.vorticity_degrees, mesh) >= least


def _has_warm_core(point: int, fields: Fields, mesh: Mesh, settings: TrackSettings) -> bool:
    if settings.warm_core is None:
        return True
    if fields.thickness is None:
        return False
    near = mesh.within(point, settings.core_degrees)
    core = int(near[fields.thickness[near].argmax()])
    return is_enclosed(-fields.thickness, core, settings.warm_core, settings.warm_core_degrees, mesh)


def _centre(point: int, fields: Fields, mesh: Mesh, settings: TrackSettings) -> Centre:
    latitude, longitude, pressure = refine(point, fields.pressure, mesh)
    return Centre(
        fields.time, latitude, longitude, pressure,
        wind=_largest(fields.wind, point, settings.wind_degrees, mesh),
        vorticity=_largest(fields.vorticity, point, settings.vorticity_degrees, mesh),
        height=np.nan if fields.ground is None else float(fields.ground[point]),
    )  # fmt: skip


def _largest(field: Floats | None, point: int, degrees: float, mesh: Mesh) -> float:
    """Of what is known within so many degrees, at least one spacing of the grid; NaN without the field."""
    if field is None:
        return np.nan
    near = field[mesh.within(point, max(degrees, mesh.spacing))]
    return float(np.max(near, where=~np.isnan(near), initial=-np.inf)) if not np.isnan(near).all() else np.nan


def refine(point: int, field: Floats, mesh: Mesh) -> tuple[float, float, float]:
    """Latitude, longitude and value of the minimum of a field near the point of the grid where it is least.

    A paraboloid ``a + g.x + x.H.x / 2`` is fitted by least squares to the values within 1.5 spacings, on the plane that
    touches the sphere at the point; its minimum is ``-H^-1 g``. The point itself where that is no minimum, or lies
    farther away than a spacing.
    """
    width = mesh.grid.shape[1]
    latitude, longitude = mesh.grid.latitude[point // width], mesh.grid.longitude[point % width]
    near = mesh.once(mesh.within(point, 1.5 * mesh.spacing))
    x, y = tangent_plane(latitude, longitude, mesh.vectors[near])
    terms = np.stack([np.ones_like(x), x, y, x * x / 2, x * y, y * y / 2], axis=1)
    _, gx, gy, hxx, hxy, hyy = np.linalg.lstsq(terms, field[near] - field[point], rcond=None)[0]
    determinant = hxx * hyy - hxy * hxy
    if hxx <= 0 or determinant <= 0:
        return latitude, longitude, float(field[point])
    east, north = (hxy * gy - hyy * gx) / determinant, (hxy * gx - hxx * gy) / determinant
    away = float(np.hypot(east, north))
    if away > mesh.spacing:
        return latitude, longitude, float(field[point])
    direction = float(np.rad2deg(np.arctan2(east, north)))
    deepening = (gx * east + gy * north) / 2
    return *destination(latitude, longitude, direction, away), float(field[point] + deepening)
