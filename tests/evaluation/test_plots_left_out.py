"""What nobody asked for and has no value is left out; what there is one of is not called many; sums say their hours."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import EmptyError
from evaluation.plots.places import Local, PlaceRequest, figure_at
from evaluation.plots.places.place import Place
from tests.evaluation.mock_maps import bars, contours, figure_of, mock_forecast, panels, words

HERE = Place(48.2, 16.4, "Vienna", 171.0)


def without(*names):
    data = mock_forecast()
    return data.assign({name: data[name] * np.nan for name in names})


def at_place(kind, run, **options):
    return figure_at(Local.of(run, HERE), kind, PlaceRequest(**options))


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_a_chart_leaves_out_lines_and_colours_without_values():
    figure = figure_of(without("mean_sea_level_pressure"), "chart", "total_precipitation")
    assert words(figure)[0] == "Precipitation per step: ensemble mean"
    assert words(figure)[2] == "Mean sea level pressure has no value"
    assert [own.filled for own in contours(panels(figure)[0])] == [True]
    dry = figure_of(without("total_precipitation").drop_vars("temperature"), "chart", "mean_sea_level_pressure")
    assert words(dry)[0] == "Mean sea level pressure: ensemble mean"


def test_what_a_chart_was_asked_for_must_have_a_value():
    with pytest.raises(EmptyError, match="mean_sea_level_pressure has no value"):
        figure_of(without("mean_sea_level_pressure"), "chart", "mean_sea_level_pressure")


@pytest.mark.parametrize(("kind", "count"), [("meteogram", 3), ("plume", 2)])
def test_a_panel_without_values_is_left_out_and_said(kind, count):
    run = without("mean_sea_level_pressure", "temperature", "geopotential")
    figure = at_place(kind, run)
    assert len(figure.axes) == count
    assert "Mean sea level pressure (hPa)" not in titles(figure)
    assert "has no value at Vienna" in " ".join(words(figure)[1].split())


def test_a_panel_that_was_asked_for_must_have_values_and_one_at_least():
    with pytest.raises(EmptyError, match="mean_sea_level_pressure has no value at"):
        at_place("meteogram", without("mean_sea_level_pressure"), variables=("mean_sea_level_pressure",))
    nothing = without("mean_sea_level_pressure")[["mean_sea_level_pressure"]]
    with pytest.raises(EmptyError, match="mean_sea_level_pressure has no value at"):
        at_place("meteogram", nothing)


def test_a_single_member_is_not_called_many():
    single = mock_forecast(members=1)
    stamps = figure_of(single, "stamps", "2m_temperature")
    assert [panel.get_title() for panel in panels(stamps)] == [""]
    assert words(stamps)[0] == "2 m temperature: single forecast"
    assert words(figure_of(single, "quantile", "2m_temperature"))[0] == "2 m temperature: single forecast"
    assert words(figure_of(single, "spaghetti", "temperature"))[0].endswith("temperature: single forecast at 0 °C")
    assert words(at_place("plume", single))[0].startswith("Single forecast: ")


def test_barbs_of_absurd_wind_end_at_their_panel():
    run = mock_forecast()
    run["u_component_of_wind"] = run["u_component_of_wind"] * 1e3
    figure = at_place("profile", run)
    figure.canvas.draw()
    (axes,) = (own for own in figure.axes if own.get_title(loc="left").startswith("Wind speed"))
    (barbs,) = (own for own in axes.collections if type(own).__name__ == "Barbs")
    box, panel = barbs.get_clip_box(), axes.get_window_extent()
    assert barbs.get_clip_path() is None
    assert panel.x0 <= box.x0 < box.x1 < panel.x1 + 0.1 * panel.width
    assert box.y1 < panel.y1 + 0.1 * panel.height


def test_maps_of_sums_say_over_how_long(tmp_path):
    ends = np.array(["2001-01-05T06", "2001-01-05T12"], "M8[ns]")
    bounds = np.stack([ends - np.timedelta64(6, "h"), ends], axis=1)
    time = xr.DataArray(ends, dims="time", attrs={"bounds": "time_bnds"})
    hours = {"units": "hours since 2001-01-01", "dtype": "f8"}
    written = xr.Dataset({"time_bnds": (("time", "bnds"), bounds)}, {"time": time})
    written.to_netcdf(tmp_path / "own.nc", engine="netcdf4", encoding={"time": hours, "time_bnds": hours})
    run = mock_forecast()
    told = figure_of(run.assign_attrs(files=(str(tmp_path / "own.nc"),)), "mean", "total_precipitation")
    assert words(told)[0] == "Precipitation in 6 h: ensemble mean"
    assert bars(told)[0].get_xlabel() == "Precipitation in 6 h (mm)"
    assert words(figure_of(run, "mean", "total_precipitation"))[0] == "Precipitation per step: ensemble mean"
    named = run.rename(total_precipitation="total_precipitation_24hr")
    likely = figure_of(named, "probability", "total_precipitation_24hr", threshold=1.0)
    assert words(likely)[0] == "Probability of precipitation in 24 h ≥ 1 mm"
