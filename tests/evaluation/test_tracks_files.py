"""Tracks written and read back, and best tracks in IBTrACS's layout."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.figure import Figure

from data_pipeline.errors import ScoreError
from evaluation.tracks import Centre, Track, TrackSettings
from evaluation.tracks.best_tracks import read_best_tracks
from evaluation.tracks.files import COLUMNS, read_tracks, write_tracks
from evaluation.tracks.plot import _colour, _draw, _name, about, draw_tracks
from evaluation.tracks.probability import track_probability
from tests.evaluation.vortices import HOUR, START, track

if TYPE_CHECKING:
    from pathlib import Path

IBTRACS = """\
SID,SEASON,NUMBER,BASIN,NAME,ISO_TIME,NATURE,LAT,LON,WMO_WIND,WMO_PRES,TRACK_TYPE,USA_WIND,USA_PRES
 ,Year, , , , , ,degrees_north,degrees_east,kts,mb, ,kts,mb
2019236N10314,2019,66,NA,DORIAN,2019-08-24 06:00:00,TS,10.3,-46.4,30,1011,main,35,1010
2019236N10314,2019,66,NA,DORIAN,2019-08-24 12:00:00,TS,10.4,-47.5, , ,main, ,1008
2019236N10314,2019,66,NA,DORIAN,2019-08-24 09:00:00,TS,10.35,-47.0,40, ,main, ,
2019236N10314,2019,66,NA,DORIAN,2019-08-24 12:00:00,TS,11.4,-48.5, , ,spur-other,,
2019240S10180,2019,67,SP,OTHER,2019-08-28 00:00:00,TS,-10.0,180.5,,,main,,
"""


def test_tracks_come_back_from_csv(tmp_path: Path) -> None:
    run = Track("T0001", track([(10.0, 359.0), (10.5, 0.25)]).centres, START, 3)
    known = Track("T0001", (Centre(START, -1 / 3, 1e-7), Centre(START + HOUR, 2.0, 1.0, 9.9e4, 1.0, 1e-5, 3.0)))
    write_tracks([run, known], tmp_path / "tracks.csv")
    back = read_tracks(tmp_path / "tracks.csv")
    assert [(own.name, own.member, own.initial_time) for own in back] == [("T0001", 3, START), ("T0001", None, None)]
    for before, after in zip((run, known), back, strict=True):
        np.testing.assert_array_equal(before.times, after.times)
        for name in ("latitude", "longitude", "pressure", "wind", "vorticity", "height"):
            values = [[getattr(centre, name) for centre in own.centres] for own in (before, after)]
            np.testing.assert_array_equal(*values)
    lines = (tmp_path / "tracks.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[2] == "T0001,2020-01-01T00:00:00,3,2020-01-01T06:00:00,6,10.5,0.25,98000.0,30.0,,"
    write_tracks([], tmp_path / "none.csv")
    assert read_tracks(tmp_path / "none.csv") == []


def test_geojson_is_cut_at_the_date_line(tmp_path: Path) -> None:
    write_tracks([track([(10.0, 178.0), (12.0, 182.0), (13.0, 178.0), (13.0, 180.0)])], tmp_path / "tracks.geojson")
    (feature,) = json.loads((tmp_path / "tracks.geojson").read_text())["features"]
    assert feature["geometry"]["coordinates"] == [
        [[178.0, 10.0], [180.0, 11.0]],
        [[-180.0, 11.0], [-178.0, 12.0], [-180.0, 12.5]],
        [[180.0, 12.5], [178.0, 13.0], [180.0, 13.0]],
        [[-180.0, 13.0], [-180.0, 13.0]],
    ]
    assert feature["properties"]["pressure"] == [98000.0] * 4
    assert feature["properties"]["height"] == [None] * 4
    assert feature["properties"]["times"][1] == "2020-01-01T06:00:00"


def test_a_map_of_tracks_across_the_date_line(tmp_path: Path) -> None:
    tracks = [track([(10.0, 178.0), (12.0, 182.0)])]
    probability = track_probability([tracks], START, TrackSettings(probability_degrees=10.0, probability_km=900.0))
    draw_tracks(tracks, tmp_path / "map.png", title="tracks", probability=probability)
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    axes = Figure().add_subplot()
    _draw(axes, tracks[0])
    assert any(line.get_xdata()[0] == -182 for line in axes.get_lines())


def test_a_map_of_tracks_says_what_it_shows(tmp_path: Path) -> None:
    single = track([(10.0, 100.0), (12.0, 104.0)])
    members = [replace(single, member=member, initial_time=START - HOUR) for member in (0, 1, 1)]
    assert about([single]) == "1 track   2020-01-01 00 to 2020-01-01 06 UTC"
    assert about(members) == (
        "3 tracks   2 members with any   init 2019-12-31 23 UTC   2020-01-01 00 to 2020-01-01 06 UTC"
    )
    assert about([]) == "no tracks"
    draw_tracks([], tmp_path / "none.png", title="none")
    assert (tmp_path / "none.png").exists()
    axes = Figure().add_subplot()
    _name(axes, members)
    assert [text.get_text() for text in axes.texts] == ["01-01 00"], "members write over each other"


def test_colours_are_of_central_pressure() -> None:
    deep, shallow, unknown = _colour(94000.0), _colour(101500.0), _colour(np.nan)
    assert len({deep, shallow, unknown, _colour(98500.0)}) == 4
    assert _colour(96500.0) == _colour(97900.0), "classes hold their lower end"


@pytest.mark.parametrize("text", ["no,tracks\n1,2\n", "track,initial_time,member,time\nA,,,x\n"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ScoreError, match=r"cannot be read .* expected CSV of tracks with track, initial_time"):
        read_tracks(tmp_path / "a.csv")
    with pytest.raises(ScoreError, match=r"b\.csv cannot be read"):
        read_tracks(tmp_path / "b.csv")


def test_best_tracks_of_ibtracs(tmp_path: Path) -> None:
    (tmp_path / "ib.csv").write_text(IBTRACS)
    dorian, other = read_best_tracks(tmp_path / "ib.csv")
    assert (dorian.name, other.name) == ("2019236N10314", "2019240S10180")
    first, second, third = dorian.centres  # in order of time, without the spur
    assert (first.time, first.latitude) == (np.datetime64("2019-08-24T06", "ns"), 10.3)
    assert (first.longitude, first.pressure) == (pytest.approx(313.6), 101100.0)
    assert first.wind == pytest.approx(35 * 0.514444, rel=1e-5)  # USA_WIND before WMO_WIND
    assert second.wind == pytest.approx(40 * 0.514444, rel=1e-5)
    assert np.isnan(second.pressure)
    assert (third.pressure, third.longitude) == (100800.0, pytest.approx(312.5))
    assert other.centres[0].longitude == 180.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ISO_TIME", "TIME", "lacks the columns ISO_TIME, expected IBTrACS v04 CSV"),
        ("10.3,", "x,", "has a row of 2019236N10314 that makes no sense"),
        ("09:00:00", "06:00:00", "has 2019236N10314 at 2019-08-24T06.* twice; keep one row"),
    ],
)
def test_broken_best_tracks_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "ib.csv").write_text(IBTRACS.replace(old, new))
    with pytest.raises(ScoreError, match=message):
        read_best_tracks(tmp_path / "ib.csv")
    with pytest.raises(ScoreError, match=r"no\.csv cannot be read"):
        read_best_tracks(tmp_path / "no.csv")
