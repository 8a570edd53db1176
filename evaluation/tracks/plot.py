"""A map of tracks: lines coloured by central pressure, over a field of probability if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from data_pipeline.publish import publishing
from evaluation.plots.coastlines import lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import xarray as xr
    from matplotlib.axes import Axes

    from evaluation.tracks.sphere import Floats
    from evaluation.tracks.track import Track

_PRESSURES = (950.0, 965.0, 980.0, 990.0, 1000.0, 1010.0)
"""hPa, ends of the classes of central pressure."""
_COLOURS = ("#5c1658", "#9c2e5a", "#d1495b", "#ee8959", "#e0b12f", "#7fae6b", "#5b8fb0")
_UNKNOWN = "#c44e52"
"""Of tracks without a pressure."""
_FEW = 15
"""Tracks, of which the first and last times are written out."""
_ROOM = 18.0, 4.0
"""Degrees of longitude and latitude that a time takes up."""


def draw_tracks(
    tracks: Sequence[Track], path: Path, *, title: str = "", probability: xr.DataArray | None = None
) -> None:  # fmt: skip
    """Write a PNG of the globe (plate carree), whole or not at all.

    Lines are coloured by central pressure, with a dot at the first centre, and with the times of both ends where there
    are at most 15 tracks. A second title line says how many tracks there are, of how many members, and of which times.
    ``probability`` (latitude, longitude) is what ``probability.track_probability`` gives.
    """
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    axes = figure.add_subplot()
    if probability is not None:
        shown = probability.assign_coords(longitude=(probability["longitude"] + 180) % 360 - 180).sortby("longitude")
        mesh = axes.pcolormesh(
            shown["longitude"], shown["latitude"], shown.where(shown > 0), cmap="Blues", vmin=0, vmax=1
        )
        figure.colorbar(mesh, ax=axes, label=str(probability.attrs.get("long_name", "probability")), shrink=0.7)
    axes.plot(*lines("coastlines", "110m").T, color="0.6", linewidth=0.5)
    for track in tracks:
        _draw(axes, track)
    if len(tracks) <= _FEW:
        _name(axes, tracks)
    if _are_known(tracks):
        figure.colorbar(
            ScalarMappable(_norm(), ListedColormap(_COLOURS)), ax=axes, orientation="horizontal", shrink=0.6, aspect=45,
            label="central pressure (hPa); a dot is the first centre of a track", extend="both", extendfrac=0.05,
        )  # fmt: skip
    axes.set(xlim=(-180, 180), ylim=(-90, 90), aspect="equal")
    axes.set_title("\n".join(filter(None, [title, about(tracks)])), loc="left", fontsize=11)
    axes.set_xticks(range(-180, 181, 60), ["180°", "120° W", "60° W", "0°", "60° E", "120° E", "180°"])
    axes.set_yticks(range(-90, 91, 30), ["90° S", "60° S", "30° S", "0°", "30° N", "60° N", "90° N"])
    axes.tick_params(labelsize=8, length=2)
    with publishing(path) as aside:
        figure.savefig(aside, format="png", dpi=100)


def about(tracks: Sequence[Track]) -> str:
    """How many tracks, of how many members, from when to when."""
    if not tracks:
        return "no tracks"
    times = np.concatenate([track.times for track in tracks])
    members = {track.member for track in tracks if track.member is not None}
    starts = {track.initial_time for track in tracks if track.initial_time is not None}
    words = [
        f"{len(tracks)} track{'s' if len(tracks) != 1 else ''}",
        f"{len(members)} member{'s' if len(members) != 1 else ''} with any" if members else "",
        f"init {_moment(next(iter(starts)))} UTC" if len(starts) == 1 else "",
        f"{_moment(times.min())} to {_moment(times.max())} UTC",
    ]
    return "   ".join(filter(None, words))


def _draw(axes: Axes, track: Track) -> None:
    """A track, three times: a line that leaves the map on one side comes in on the other."""
    longitude: Floats = np.unwrap([own.longitude for own in track.centres], period=360.0)
    longitude = longitude - 360 * np.floor((longitude[0] + 180) / 360)
    latitude = np.array([own.latitude for own in track.centres])
    colours = [_colour(own.pressure) for own in track.centres]
    for turn in (-360, 0, 360):
        points = np.column_stack([longitude + turn, latitude])
        steps = np.stack([points[:-1], points[1:]], axis=1)
        axes.add_collection(LineCollection(list(steps), colors=colours[1:], linewidths=1.3), autolim=False)
        axes.plot(*points[0], "o", color=colours[0], markersize=3.0)


def _name(axes: Axes, tracks: Sequence[Track]) -> None:
    """The days and hours of first and last centres, but where another is written already, as of other members."""
    taken: list[tuple[float, float]] = []
    for own in (end for track in tracks for end in (track.centres[0], track.centres[-1])):
        x, y = (own.longitude + 180) % 360 - 180, own.latitude
        if any(abs(x - east) < _ROOM[0] and abs(y - north) < _ROOM[1] for east, north in taken):
            continue
        taken.append((x, y))
        text = str(np.datetime_as_string(own.time, unit="h"))[5:].replace("T", " ")
        side, left = (3, "left") if x < 180 - _ROOM[0] else (-3, "right")
        axes.annotate(text, (x, y), (side, 3), textcoords="offset points", fontsize=7, color="0.25", ha=left)


def _colour(pressure: float) -> str:
    if np.isnan(pressure):
        return _UNKNOWN
    return _COLOURS[int(np.searchsorted(_PRESSURES, pressure / 100, side="right"))]


def _norm() -> BoundaryNorm:
    return BoundaryNorm(_PRESSURES, len(_COLOURS), extend="both")


def _are_known(tracks: Sequence[Track]) -> bool:
    return any(not np.isnan(own.pressure) for track in tracks for own in track.centres)


def _moment(time: np.datetime64) -> str:
    return str(np.datetime_as_string(time, unit="h")).replace("T", " ")
