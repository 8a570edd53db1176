"""Meteograms, plumes and profiles: what is drawn is what the members say, in the units and words of forecasters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.dates import date2num
from matplotlib.patches import Rectangle

from data_pipeline.errors import DataError
from evaluation.plots.places import PLACE_KINDS, Local, PlaceRequest, draw_at, figure_at
from evaluation.plots.places.axes import ACROSS, DAY_LABEL, days
from evaluation.plots.places.marks import CONTROL_COLOUR, MEMBER
from evaluation.plots.places.place import Place
from tests.evaluation.mock_maps import LEADS, MockClimatology, mock_forecast, words

HERE = Place(48.2, 16.4, "Vienna", 171.0)


def local_of(run=None):
    return Local.of(mock_forecast(5) if run is None else run, HERE)


def drawn(kind, run=None, **options):
    return figure_at(local_of(run), kind, PlaceRequest(**options))


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def boxes(axes):
    """Bottom, top and width of the rectangles with an edge, in the order of drawing: outer ones, then inner ones."""
    found = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_edgecolor()[3] > 0]
    found = [patch for patch in found if patch.get_linewidth() > 0]
    return np.array([(patch.get_y(), patch.get_y() + patch.get_height(), patch.get_x()) for patch in found])


def values_at(run, name):
    """(member, lead) in SI."""
    return Local.of(run, HERE).values(name, None)


def test_a_meteogram_picks_its_panels():
    figure = drawn("meteogram")
    assert titles(figure) == [
        "Precipitation (mm per step of the forecast)",
        "10 m wind speed (m/s; arrows: mean wind)",
        "2 m temperature (°C)",
        "Mean sea level pressure (hPa)",
    ]
    assert legend(figure) == ["median", "middle 50 % of members", "middle 80 %", "all members"]


def test_usual_panels_without_values_are_left_out_and_said():
    run = mock_forecast(5)
    run["v_component_of_wind"][..., 0, :, :] = np.nan
    figure = drawn("profile", run)
    assert titles(figure) == ["Temperature (°C)"]
    assert any("wind_speed has values on 1 of its levels at Vienna" in text.get_text() for text in figure.texts)
    with pytest.raises(DataError, match="wind_speed has values on 1 of its levels"):
        drawn("profile", run, variables=["temperature", "wind_speed"])


def test_boxes_are_the_quantiles_of_the_members():
    run = mock_forecast(9)
    (axes,) = drawn("meteogram", run, variables=["mean_sea_level_pressure"]).axes
    tenth, quarter, median, three, nine = np.quantile(
        values_at(run, "mean_sea_level_pressure") / 100, [0.1, 0.25, 0.5, 0.75, 0.9], axis=0
    )
    outer, inner = np.split(boxes(axes), 2)
    np.testing.assert_allclose(outer[:, :2], np.stack([tenth, nine], axis=1), rtol=1e-6)
    np.testing.assert_allclose(inner[:, :2], np.stack([quarter, three], axis=1), rtol=1e-6)
    whiskers, medians = axes.collections[-2:]
    ends = [(path.vertices[:, 1].min(), path.vertices[:, 1].max()) for path in whiskers.get_paths()]
    everything = values_at(run, "mean_sea_level_pressure") / 100
    np.testing.assert_allclose(ends, np.stack([everything.min(axis=0), everything.max(axis=0)], axis=1), rtol=1e-6)
    np.testing.assert_allclose([path.vertices[0, 1] for path in medians.get_paths()], median, rtol=1e-6)


def test_rain_is_in_millimetres_and_stands_between_the_leads():
    run = mock_forecast(1)
    (axes,) = drawn("meteogram", run, variables=["total_precipitation"]).axes
    found = boxes(axes)
    np.testing.assert_allclose(found[:, 1], 1e3 * values_at(run, "total_precipitation")[0], rtol=1e-6)
    np.testing.assert_allclose(found[:, 0], 0.0)
    hours = 24 * (found[:, 2] - date2num(np.datetime64("2001-01-05")))
    steps = np.array([24.0, 48.0, 48.0])
    np.testing.assert_allclose(hours, np.array(LEADS) - 0.9 * steps, atol=1e-3)
    assert axes.get_ylim()[0] == 0.0


def test_a_lead_of_nought_is_drawn_whole_but_has_no_rain():
    run = mock_forecast(5).assign_coords(lead_time=np.array([0, 6, 12]) * np.timedelta64(3_600_000_000_000, "ns"))
    rain, warmth = drawn("meteogram", run, variables=["total_precipitation", "2m_temperature"]).axes
    assert (len(boxes(rain)), len(boxes(warmth))) == (2 * 2, 2 * 3)
    assert rain.get_xlim()[0] < boxes(warmth)[:, 2].min()
    short = run.isel(lead_time=slice(0, 2))
    assert drawn("meteogram", short).axes[-1].get_xlabel() == "UTC, days are labelled at 00"
    noon = short.assign_coords(initial_time=np.datetime64("2001-01-05T12", "ns"))
    assert drawn("meteogram", noon).axes[-1].get_xlabel() == "Fri 5 Jan 2001, UTC"


def test_how_long_rain_is_summed_is_said_where_the_file_says_it(tmp_path):
    path = tmp_path / "forecast.nc"
    leads = np.array([24, 72, 120]) * np.timedelta64(1, "h")
    ends = np.datetime64("2001-01-05", "ns") + leads
    time = xr.DataArray(ends, dims="time", attrs={"bounds": "time_bnds"})
    bounds = np.stack([ends - np.timedelta64(6, "h"), ends], axis=1)
    written = xr.Dataset({"time_bnds": (("time", "bnds"), bounds)}, {"time": time})
    hours = {"units": "hours since 2001-01-01", "dtype": "f8"}
    written.to_netcdf(path, engine="netcdf4", encoding={"time": hours, "time_bnds": hours})
    run = mock_forecast().assign_attrs(files=(str(path),))
    assert titles(drawn("meteogram", run, variables=["total_precipitation"])) == ["Precipitation (mm in 6 h)"]
    named = mock_forecast().rename(total_precipitation="total_precipitation_6hr")
    assert titles(drawn("meteogram", named))[0] == "Precipitation (mm in 6 h)"


def test_the_control_is_a_line_of_its_own():
    run = mock_forecast(5).assign_attrs(control_member="3")
    for kind in ("meteogram", "plume"):
        figure = drawn(kind, run, variables=["2m_temperature", "mean_sea_level_pressure"])
        (line,) = [line for line in figure.axes[1].lines if line.get_color() == CONTROL_COLOUR]
        np.testing.assert_allclose(line.get_ydata(), values_at(run, "mean_sea_level_pressure")[3] / 100)
        assert legend(figure)[-1] == "control (member 3)"


def test_a_plume_has_all_members_their_mean_and_shades():
    run = mock_forecast(5)
    figure = drawn("plume", run, variables=["geopotential"])
    (axes,) = figure.axes
    expected = Local.of(run, HERE).values("geopotential", 500) / 98.0665
    members = [line.get_ydata() for line in axes.lines if line.get_color() == MEMBER]
    np.testing.assert_allclose(members, expected, rtol=1e-6)
    np.testing.assert_allclose(axes.lines[-1].get_ydata(), expected.mean(axis=0), rtol=1e-6)
    assert titles(figure) == ["500 hPa geopotential height (dam)"]
    assert legend(figure) == ["ensemble mean", "middle 50 % of members", "middle 80 %", "members"]


def test_a_profile_runs_downward_to_the_highest_pressure():
    run = mock_forecast(5)
    figure = drawn("profile", run, lead=72)
    assert titles(figure) == ["Temperature (°C)", "Wind speed (m/s; barbs: mean wind in knots)"]
    axes = figure.axes[0]
    bottom, top = axes.get_ylim()
    assert bottom > 500
    assert top < 250
    expected = Local.of(run, HERE).values("temperature", None)[:, 1] - 273.15
    members = [line.get_xdata() for line in axes.lines if line.get_color() == MEMBER]
    np.testing.assert_allclose(members, expected, rtol=1e-6)
    assert words(figure)[1].startswith("Init 2001-01-05 00 UTC   Valid 2001-01-08 00 UTC   T+72 h   5 members")


@pytest.mark.parametrize("kind", ["meteogram", "plume"])
def test_the_climate_is_a_band(kind):
    figure = drawn(kind, variables=["2m_temperature", "geopotential"], climatology=MockClimatology())
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((6.0, 14.0), abs=1e-3)
    assert {"climate, middle 80 % (quantiles)", "climate, median"} <= set(legend(figure))


class Moments(MockClimatology):
    """A climatology without quantiles, as a training store's harmonics."""

    has_quantiles = False


def test_the_climate_of_a_mean_and_a_standard_deviation():
    figure = drawn("meteogram", variables=["2m_temperature"], climatology=Moments())
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((10 - 3 * 1.28155, 10 + 3 * 1.28155), abs=1e-3)
    assert "climate, middle 80 % (mean ± 1.28 standard deviations)" in legend(figure)


class Narrow(MockClimatology):
    def quantiles_at(self, times):
        return super().quantiles_at(times).isel(quantile=slice(3, 8))


def test_climates_that_are_no_use():
    with pytest.raises(DataError, match="the climatology has none of geopotential on these levels"):
        drawn("meteogram", variables=["geopotential"], climatology=MockClimatology())
    with pytest.raises(DataError, match=r"the climatology's quantiles span 0\.3\.\.0\.7, expected 0\.1\.\.0\.9"):
        drawn("meteogram", variables=["2m_temperature"], climatology=Narrow())
    with pytest.raises(DataError, match="nowhere"):
        drawn("meteogram", climatology="nowhere")


def test_the_words_say_where_when_and_how():
    first, second = words(drawn("meteogram", mock_forecast(5).assign_attrs(path="run/forecast.nc", source="a model")))
    assert first == "Meteogram: Vienna, 48.2° N 16.4° E"
    above, *below = second.split("\n")
    assert above == "Init 2001-01-05 00 UTC   5 members   forecast.nc   a model"
    how = " ".join(below)
    for part in (
        "Bilinear between 4 grid points; precipitation: the value of the grid cell that it lies in",
        "wind speed of each member's components",
        "nearest grid point 50.62° N 11.25° E, 460 km away",
        "station at 171 m, values are not adjusted to it",
    ):
        assert part in how
    pole = figure_at(Local.of(mock_forecast(), Place(89.0, 0.0)), "plume", PlaceRequest())
    assert "Linear between the last row of the grid and the pole" in words(pole)[1]


def test_members_that_were_stopped_are_counted():
    run = mock_forecast(5)
    for name in run.data_vars:
        run[name][0, 1:] = np.nan
    assert "   4 to 5 of 5 members" in words(drawn("meteogram", run))[1]


@pytest.mark.parametrize("kind", PLACE_KINDS)
def test_one_member_and_no_dimension_of_members(kind, tmp_path):
    run = mock_forecast(1)
    for single in (run, run.isel(realization=0, drop=True)):
        draw_at(Local.of(single, HERE), kind=kind, out=tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert legend(drawn(kind, run)) == ["forecast"]


@pytest.mark.parametrize("kind", PLACE_KINDS)
def test_still_air_and_a_constant_field(kind):
    flat = mock_forecast(3) * 0.0 + 1.0
    drawn(kind, flat.assign_coords(mock_forecast(3).coords)).canvas.draw()


@pytest.mark.parametrize("length", [1, 2, 5, 10, 15, 30, 60])
@pytest.mark.parametrize("start", ["2001-01-05T00", "2024-02-27T12"])
def test_days_are_named_as_far_as_they_have_room(length, start):
    begin = pd.Timestamp(start)
    found = days(begin, begin + pd.Timedelta(days=length), ACROSS)
    named = [day for day, label in zip(found.midnights, found.labels, strict=True) if label]
    assert found.midnights[0] == begin.ceil("D")
    assert all(day.hour == 0 for day in found.midnights)
    gaps = np.diff([day.value for day in named]) / 8.64e13 * ACROSS / length
    assert (gaps >= DAY_LABEL - 1e-9).all()
    assert bool(found.labelled) == (length <= 10)
    assert found.labels[0].endswith(begin.ceil("D").strftime("\n%b %Y"))


def test_variables_with_their_level():
    figure = drawn("meteogram", variables=["geopotential_250", "temperature"], level=500)
    assert titles(figure) == ["250 hPa geopotential height (dam)", "500 hPa temperature (°C)"]


def test_bad_wishes():
    cases = {
        "got 7 variables, expected 6 at most in one picture": {"variables": ["temperature"] * 7},
        "2m_temperature have no levels, got level 500; leave the level out": {
            "variables": ["2m_temperature"], "level": 500,
        },
        "no variable 'rain'; the forecast has": {"variables": ["rain"]},
        "a meteogram shows all lead times, got lead 24 h; leave it out": {"lead": 24.0},
    }  # fmt: skip
    for message, options in cases.items():
        with pytest.raises(DataError, match=message):
            drawn("meteogram", **options)
    with pytest.raises(DataError, match="a profile shows all levels, got level 500; leave it out"):
        drawn("profile", level=500)
    with pytest.raises(DataError, match="unknown kind of picture 'map' of a place; expected one of: meteogram, plume"):
        drawn("map")
    with pytest.raises(DataError, match="nothing that is drawn by default; choose --variable from sea_ice_cover"):
        drawn("meteogram", mock_forecast()[["sea_ice_cover"]])
