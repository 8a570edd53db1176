"""Files of tracks: CSV, one row for each centre, which is read back, and GeoJSON for maps."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from data_pipeline.publish import write_text
from data_pipeline.times import HOUR
from evaluation.tracks.track import Centre, Track

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LABELS = ("track", "initial_time", "member", "time", "lead_hours")
_VALUES = ("latitude", "longitude", "pressure", "wind", "vorticity", "height")
COLUMNS = (*_LABELS, *_VALUES)
"""Degrees, Pa, m s-1, s-1, m; nothing where unknown."""


def write_tracks(tracks: Sequence[Track], path: Path) -> None:
    """Write CSV, or GeoJSON for a path that ends in .json or .geojson; whole or not at all."""
    text = to_geojson(tracks) if path.suffix in {".json", ".geojson"} else to_csv(tracks)
    write_text(path, text)


def to_csv(tracks: Sequence[Track]) -> str:
    """One row for each centre, with the header ``COLUMNS``."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for track in tracks:
        for own in track.centres:
            values = (getattr(own, name) for name in _VALUES)
            rows.writerow([*_labels(track, own), *("" if np.isnan(value) else repr(float(value)) for value in values)])
    return out.getvalue()


def _labels(track: Track, centre: Centre) -> list[str]:
    member = "" if track.member is None else str(track.member)
    if track.initial_time is None:
        return [track.name, "", member, _text(centre.time), ""]
    lead = (centre.time - track.initial_time) / HOUR
    return [track.name, _text(track.initial_time), member, _text(centre.time), f"{lead:g}"]


def to_geojson(tracks: Sequence[Track]) -> str:
    """A FeatureCollection with a MultiLineString for each track, cut at the date line (RFC 7946, 3.1.9)."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "MultiLineString", "coordinates": _lines(track)},
            "properties": {
                "track": track.name,
                "member": track.member,
                "initial_time": None if track.initial_time is None else _text(track.initial_time),
                "times": [_text(own.time) for own in track.centres],
                **{name: [_number(getattr(own, name)) for own in track.centres] for name in _VALUES},
            },
        }
        for track in tracks
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, allow_nan=False)


def _lines(track: Track) -> list[list[list[float]]]:
    """Longitudes within 180 degrees; the latitude where the date line is crossed is interpolated."""
    lines: list[list[list[float]]] = [[]]
    for own in track.centres:
        place = [round((own.longitude + 180) % 360 - 180, 4), round(own.latitude, 4)]
        if lines[-1] and abs(place[0] - lines[-1][-1][0]) > 180:
            (x, y), side = lines[-1][-1], 180.0 if lines[-1][-1][0] > 0 else -180.0
            width = 360 - abs(place[0] - x)
            cut = y + (place[1] - y) * (abs(side - x) / width if width else 0.0)
            lines[-1].append([side, round(cut, 4)])
            lines.append([[-side, round(cut, 4)]])
        lines[-1].append(place)
    return lines


def read_tracks(path: Path) -> list[Track]:
    """The tracks of a CSV file of ``write_tracks``, in its order.

    Raises
    ------
    ScoreError
        If it is not there, or no such file.
    """
    tracks: dict[tuple[str, str, str], list[Centre]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                label = (row["track"], row["initial_time"], row["member"])
                values = [float(row[name]) if row[name] else np.nan for name in _VALUES]
                tracks.setdefault(label, []).append(Centre(np.datetime64(row["time"], "ns"), *values))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ScoreError(
            f"{path} cannot be read ({error!r}); expected CSV of tracks with {', '.join(COLUMNS)}"
        ) from error
    return [
        Track(name, tuple(own), np.datetime64(start, "ns") if start else None, int(member) if member else None)
        for (name, start, member), own in tracks.items()
    ]


def _text(time: np.datetime64) -> str:
    return str(np.datetime_as_string(time, unit="s"))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
