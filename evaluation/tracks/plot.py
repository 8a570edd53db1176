"""A map of tracks: lines with a dot at each first centre, over a field of probability if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
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


def draw_tracks(
    tracks: Sequence[Track], path: Path, *, title: str = "", probability: xr.DataArray | None = None, colour: str = "C3"
) -> None:
    """Write a PNG of the globe (plate carree), whole or not at all.

    ``probability`` (latitude, longitude) is what ``probability.track_probability`` gives.
    """
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.add_subplot()
    if probability is not None:
        shown = probability.assign_coords(longitude=(probability["longitude"] + 180) % 360 - 180).sortby("longitude")
        mesh = axes.pcolormesh(
            shown["longitude"], shown["latitude"], shown.where(shown > 0), cmap="Blues", vmin=0, vmax=1
        )
        figure.colorbar(mesh, ax=axes, label=str(probability.attrs.get("long_name", "probability")), shrink=0.8)
    axes.plot(*lines("coastlines", "110m").T, color="0.55", linewidth=0.5)
    for track in tracks:
        _draw(axes, track, colour)
    axes.set(xlim=(-180, 180), ylim=(-90, 90), aspect="equal", title=title)
    axes.set_xticks(range(-180, 181, 60))
    axes.set_yticks(range(-90, 91, 30))
    with publishing(path) as aside:
        figure.savefig(aside, format="png", dpi=75)


def _draw(axes: Axes, track: Track, colour: str) -> None:
    """A track, twice: a line that leaves the map on one side comes in on the other."""
    longitude: Floats = np.unwrap([own.longitude for own in track.centres], period=360.0)
    longitude = longitude - 360 * np.floor((longitude[0] + 180) / 360)
    latitude = [own.latitude for own in track.centres]
    for turn in (-360, 0, 360):
        axes.plot(longitude + turn, latitude, color=colour, linewidth=0.9)
        axes.plot(longitude[0] + turn, latitude[0], "o", color=colour, markersize=2.5)
