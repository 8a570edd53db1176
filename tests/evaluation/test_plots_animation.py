"""Animations: all leads, in the same colours, as files that appear whole."""

from __future__ import annotations

import stat

import numpy as np
import pytest
from PIL import Image

from data_pipeline.errors import DataError
from evaluation.plots import Request, canvas
from evaluation.plots.animation import animate, best_suffix, surveyed
from evaluation.plots.maps import figure_of
from tests.evaluation.mock_maps import bars, contours, mock_forecast, panels

FFMPEG = """#!{python}
import sys
pixels = sys.stdin.buffer.read()
size = sys.argv[sys.argv.index("-s") + 1]
width, height = map(int, size.split("x"))
open(sys.argv[-1], "w").write(f"{{size}} {{len(pixels) / (3 * width * height):g}} frames")
"""
"""Says what it was given, in place of ffmpeg."""
BROKEN = """#!{python}
import sys
sys.exit("first words\\nno room")
"""


@pytest.fixture(autouse=True)
def small_sheets(monkeypatch):
    for name, inches in (("WIDTH", 5.0), ("NARROWEST", 4.0), ("HEIGHT", 4.5)):
        monkeypatch.setattr(canvas, name, inches)


@pytest.fixture
def ffmpeg(tmp_path, monkeypatch):
    """Puts a program of that name on the PATH."""

    def install(program):
        import sys

        path = tmp_path / "bin" / "ffmpeg"
        path.parent.mkdir()
        path.write_text(program.format(python=sys.executable))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(path.parent))

    return install


def growing():
    """A forecast whose humidity, which has no classes of its own, grows tenfold from lead to lead."""
    run = mock_forecast()
    lead = 10.0 ** np.arange(3)
    humid = run["temperature"].copy(data=np.broadcast_to(1e-4 * lead[:, None, None, None], run["temperature"].shape))
    wave = 1 + 0.5 * np.sin(np.deg2rad(run["longitude"])) + 0 * run["latitude"]
    return run.assign(specific_humidity=(humid * wave).transpose(*run["temperature"].dims))


@pytest.mark.parametrize("kind", ["mean", "spread", "stamps", "spaghetti", "difference", "member", "mean_spread"])
def test_all_frames_have_the_classes_of_all_leads(kind):
    run = growing() * (1 + 0.1 * mock_forecast()["realization"])
    options = {"against": 0 * run} if kind == "difference" else {}
    frames = [Request("specific_humidity", lead=lead, **options) for lead in (24.0, 72.0, 120.0)]
    scale = surveyed(run, kind, frames)
    levels = []
    for frame in frames:
        figure = figure_of(run, kind, Request(**{**vars(frame), "scale": scale}))
        filled = [own for own in contours(panels(figure)[0]) if own.filled]
        levels.append([tuple(own.levels) for own in filled] + [bar.get_xlim() for bar in bars(figure)])
    assert levels[0] == levels[1] == levels[2]
    alone = figure_of(run, kind, frames[0])
    (first, *_) = (tuple(own.levels) for own in contours(panels(alone)[0]) if own.filled)
    assert kind == "spaghetti" or first != levels[0][0]


def test_spaghetti_follows_the_same_contours():
    frames = [Request("specific_humidity", lead=lead) for lead in (24.0, 72.0, 120.0)]
    scale = surveyed(growing(), "spaghetti", frames)
    words = {
        figure_of(growing(), "spaghetti", Request(**{**vars(frame), "scale": scale})).texts[0].get_text()
        for frame in frames
    }
    assert len(words) == 1


def test_a_gif_has_a_frame_for_each_lead_on_true_white(tmp_path):
    out = tmp_path / "map.gif"
    assert animate(growing(), "mean", Request("specific_humidity"), out) == 3
    with Image.open(out) as film:
        assert film.n_frames == 3
        colours = []
        for place in range(3):
            film.seek(place)
            frame = film.convert("RGB")
            assert frame.getpixel((2, 2)) == (255, 255, 255)
            colours.append(frame.getpixel((frame.width // 2, frame.height // 2)))
    assert len(set(colours)) > 1
    assert [path.name for path in tmp_path.iterdir()] == ["map.gif"]


def test_an_mp4_is_made_by_ffmpeg(tmp_path, ffmpeg):
    ffmpeg(FFMPEG)
    assert best_suffix() == ".mp4"
    out = tmp_path / "map.mp4"
    animate(growing(), "mean", Request("specific_humidity"), out)
    size, frames, _ = out.read_text().split()
    assert frames == "3"
    assert all(int(side) > 100 for side in size.split("x"))


def test_what_ffmpeg_says_is_said(tmp_path, ffmpeg):
    ffmpeg(BROKEN)
    with pytest.raises(DataError, match=r"ffmpeg could not write the MP4 \(no room\)"):
        animate(growing(), "mean", Request("specific_humidity"), tmp_path / "map.mp4")
    assert not (tmp_path / "map.mp4").exists()


def test_what_cannot_be_an_animation(tmp_path, monkeypatch):
    run, request = mock_forecast(), Request("2m_temperature")
    with pytest.raises(DataError, match=r"animations are written as \.gif or \.mp4, got map\.png"):
        animate(run, "mean", request, tmp_path / "map.png")
    monkeypatch.setenv("PATH", "")
    assert best_suffix() == ".gif"
    with pytest.raises(DataError, match="an MP4 needs ffmpeg, which is not on the PATH"):
        animate(run, "mean", request, tmp_path / "map.mp4")
    out = tmp_path / "map.gif"
    with pytest.raises(DataError, match="an animation goes through all lead times, got lead 24 h"):
        animate(run, "mean", Request("2m_temperature", lead=24.0), out)
    with pytest.raises(DataError, match="an animation goes through all lead times, got a forecast with one lead"):
        animate(run.isel(lead_time=[0]), "mean", request, out)
    with pytest.raises(DataError, match="no variable 'fog'"):
        animate(run, "mean", Request("fog"), out)
    assert not out.exists()
