"""``sphercast plot``: from words to a map, and what it says to bad ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from data_pipeline.errors import DataError
from evaluation.plots import maps
from forecast.cli import DEMO_MAPS, app
from forecast.cli_plot import Kind
from tests.evaluation.mock_maps import mock_forecast

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def forecast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forecast") / "forecast.nc"
    data = mock_forecast()[["geopotential", "2m_temperature"]]
    data["2m_temperature"].attrs["units"] = "K"
    data.rename(initial_time="forecast_reference_time").to_netcdf(path, engine="netcdf4")
    return path


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """Kind and request of every map that would be drawn."""
    found: list[tuple[str, object]] = []

    def note(_run: object, kind: str, request: object) -> None:
        found.append((kind, request))

    monkeypatch.setattr(maps, "figure_of", note)
    monkeypatch.setattr(maps, "save", lambda _figure, out: found.append(("out", out)))
    return found


@pytest.fixture
def plot(forecast: Path) -> Callable[..., str]:
    def run(*words: str) -> str:
        outcome = CliRunner().invoke(app, ["plot", str(forecast), *words], catch_exceptions=False)
        assert outcome.exit_code == 0, outcome.output
        return outcome.output

    return run


def test_the_variable_is_all_that_must_be_given(
    plot: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert plot("--variable", "2m_temperature") == "map: 2m_temperature-mean.png\n"
    assert (tmp_path / "2m_temperature-mean.png").read_bytes().startswith(b"\x89PNG")


def test_every_option_reaches_the_map(plot: Callable[..., str], requested: list[tuple[str, object]]) -> None:
    words = (
        "--variable geopotential --level 500 --lead 72 --init 2001-01-05 --kind chart --member 2 --threshold -3.5 "
        "--below --quantile 0.9 --contours=-5,10 --against b.nc --climatology c --region europe --projection lambert "
        "--style quiver --out a.png"
    )
    plot(*words.split())
    (kind, request), (_, out) = requested
    assert kind == "chart"
    assert str(out) == "a.png"
    expected = {
        "variable": "geopotential", "level": 500, "lead": 72.0, "member": "2", "threshold": -3.5, "above": False,
        "quantile": 0.9, "contours": (-5.0, 10.0), "against": "b.nc", "climatology": "c", "region": "europe",
        "projection": "lambert", "style": "quiver", "scale": None,
    }  # fmt: skip
    assert vars(request) == expected


@pytest.mark.parametrize(
    ("kind", "name"), [("spread", "geopotential-250-spread.png"), ("wind", "geopotential-250-wind.png")]
)
def test_a_map_is_named_after_what_it_shows(
    plot: Callable[..., str], requested: list[tuple[str, object]], kind: str, name: str
) -> None:
    assert plot("--variable", "geopotential", "--level", "250", "--kind", kind) == f"map: {name}\n"


def test_a_picture_of_a_place(plot: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.csv").write_text("name,latitude,longitude\nBad Ischl,47.7,13.6\n")
    assert plot("--kind", "plume", "--at", "-18.1,178.4") == "plume: plume_-18.1_178.4.png\n"
    words = ("--kind", "profile", "--at", "bad ischl", "--stations", "s.csv", "--variable", "geopotential")
    assert plot(*words) == "profile: profile_bad_ischl.png\n"
    assert (tmp_path / "profile_bad_ischl.png").read_bytes().startswith(b"\x89PNG")


def test_through_time(plot: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")  # where no ffmpeg is
    words = ("--variable", "geopotential", "--level", "500", "--kind", "hovmoller", "--region", "band:-10,10")
    assert plot(*words) == "Hovmoeller diagram: geopotential-500-hovmoller.png\n"
    assert plot("--variable", "2m_temperature", "--animate") == "animation of 3 maps: 2m_temperature-mean.gif\n"
    assert (tmp_path / "2m_temperature-mean.gif").read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--kind meteogram", "a meteogram needs a place; pass --at LATITUDE,LONGITUDE"),
        ("--kind plume --at 0,0 --region europe", "kind 'plume' has no --region; leave it out, or draw a map"),
        ("--kind plume --at 0,0 --below", "kind 'plume' has no --below; leave it out, or draw a map"),
        ("--kind plume --at 0,0 --animate", "kind 'plume' has no --animate; leave it out, or draw a map"),
        ("--kind hovmoller --variable a --lead 24", "kind 'hovmoller' has no --lead; leave it out, or draw a map"),
        ("--kind hovmoller --variable a --at 0,0", "kind 'hovmoller' has no --at; leave it out, or draw kind mete"),
        ("--at 0,0", "kind 'mean' has no --at; leave it out, or draw kind meteogram, plume, profile"),
        ("--kind spread", "kind 'spread' is of one variable, got none; pass one --variable"),
        ("--variable a --variable b", "kind 'mean' is of one variable, got a, b; pass one --variable"),
    ],
)
def test_words_that_do_not_fit_together(plot: Callable[..., str], words: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        plot(*words.split())


def test_what_is_no_number_is_refused(plot: Callable[..., str]) -> None:
    with pytest.raises(DataError, match=r"got --contours 5,high, expected numbers joined by commas"):
        plot("--variable", "geopotential", "--kind", "spaghetti", "--contours", "5,high")


def test_the_demo_draws_kinds_that_there_are() -> None:
    assert {options["kind"] for options in DEMO_MAPS.values()} <= set(Kind)
    assert np.isfinite([options["lead"] for options in DEMO_MAPS.values()]).all()
