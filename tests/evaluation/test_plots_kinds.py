"""What the kinds of maps draw: lines, colours, legends, words."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex, to_rgb

from evaluation.plots import KINDS
from evaluation.plots.frames import COLOURS
from evaluation.plots.palettes import difference_palette, efi_palette
from evaluation.plots.places import PLACE_KINDS
from evaluation.plots.style import STYLES, field_palette
from forecast.cli_plot import Kind
from tests.evaluation.mock_maps import (
    GRID,
    OCEAN,
    MockClimatology,
    bars,
    colour_at,
    contours,
    figure_of,
    mock_forecast,
    panels,
    words,
)

WHITE = (1.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def forecast():
    return mock_forecast()


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_command_line_knows_every_kind():
    assert [kind.value for kind in Kind] == [*KINDS, *PLACE_KINDS, "hovmoller"]


def test_the_mean_is_lines_over_the_colours_of_the_spread(forecast):
    figure = figure_of(forecast, "mean_spread", "geopotential")
    (panel,) = panels(figure)
    filled, drawn = contours(panel)
    assert filled.filled
    assert filled.levels[0] == 0.0
    assert set(drawn.levels) <= set(field_palette(STYLES["geopotential"], 500, np.zeros(1)).edges)
    assert words(figure)[2] == "Lines: ensemble mean (dam); colours: spread"


def test_a_member_is_the_one_asked_for(forecast):
    colder = forecast.assign({"2m_temperature": forecast["2m_temperature"] - 8.0 * forecast["realization"]})
    first, last = (figure_of(colder, "member", "2m_temperature", member=name) for name in (None, "2"))
    assert words(first)[0] == "2 m temperature: member 0"
    assert words(last)[0] == "2 m temperature: member 2"
    assert words(last)[1].endswith("T+120 h   1 of 3 members")
    for figure, value in ((first, 10.0), (last, -6.0)):
        palette = field_palette(STYLES["2m_temperature"], None, np.zeros(1))
        colour = palette.colours[int(np.searchsorted(palette.edges, value))]
        assert colour_at(figure, *OCEAN) == pytest.approx(to_rgb(colour), abs=0.01)


def test_a_stopped_member_is_left_out_and_the_title_says_so(forecast):
    stopped = forecast.where((forecast["realization"] != 1) | (forecast["lead_time"] < forecast["lead_time"][-1]))
    figure = figure_of(stopped, "mean", "2m_temperature")
    assert words(figure)[1].endswith("2 of 3 members")
    names = [panel.get_title() for panel in panels(figure_of(stopped, "stamps", "2m_temperature"))]
    assert names == ["Ensemble mean", "Member 0", "Member 2"]


def test_spaghetti_are_the_contours_asked_for_in_a_colour_each(forecast):
    figure = figure_of(forecast, "spaghetti", "geopotential", contours=(550.0, 565.0, 700.0))
    drawn = [own for own in contours(panels(figure)[0]) if not own.filled]
    assert len(drawn) == 3 + 1
    assert {level for own in drawn for level in own.levels} == {550.0, 565.0}
    assert [to_hex(colour) for colour in drawn[0].get_edgecolor()] == list(COLOURS[:2])
    assert drawn[-1].get_linewidth()[0] > drawn[0].get_linewidth()[0]
    assert legend(figure) == ["550 dam", "565 dam", "700 dam: in no member", "thick: ensemble mean"]
    assert words(figure)[0] == "500 hPa geopotential height: all members at 550, 565 and 700 dam"


@pytest.mark.parametrize(
    ("variable", "expected"), [("temperature", {0.0}), ("mean_sea_level_pressure", None), ("sea_ice_cover", None)]
)
def test_spaghetti_have_customary_contours(forecast, variable, expected):
    drawn = contours(panels(figure_of(forecast, "spaghetti", variable))[0])[1:]
    levels = {level for own in drawn for level in own.levels}
    assert levels == expected if expected else 1 <= len(levels) <= 2


def test_a_single_forecast_has_no_thick_line():
    assert legend(figure_of(mock_forecast(members=1), "spaghetti", "temperature")) == ["0 °C"]


def test_quantiles_are_those_of_the_members(forecast):
    spreading = forecast.assign(
        {"2m_temperature": 273.15 + 20.0 * forecast["realization"] + 0 * forecast["2m_temperature"]}
    )
    figure = figure_of(spreading, "quantile", "2m_temperature", quantile=0.9)
    palette = field_palette(STYLES["2m_temperature"], None, np.zeros(1))
    assert words(figure)[0] == "2 m temperature: 90 % quantile of the ensemble"
    expected = palette.colours[1 + palette.edges.index(36.0)]  # 0.9 of the way from 0 to 40 is 36
    nearly = figure_of(spreading, "quantile", "2m_temperature", quantile=0.91)
    assert colour_at(nearly, *OCEAN) == pytest.approx(to_rgb(expected), abs=0.01)


@pytest.mark.parametrize(("level", "above", "share"), [(0.4, True, 100), (0.6, True, 0), (0.6, False, 100)])
def test_a_probability_relative_to_the_climate_counts_members_beyond_its_quantile(forecast, level, above, share):
    options = {"quantile": level, "climatology": MockClimatology(), "above": above}
    figure = figure_of(forecast, "probability", "2m_temperature", **options)
    sign = "≥" if above else "<"
    assert words(figure)[0] == f"Probability of 2 m temperature {sign} the climate's {100 * level:g} % quantile"
    assert (colour_at(figure, *OCEAN) == pytest.approx(WHITE)) == (share == 0)


def test_the_index_is_near_one_where_all_members_are_beyond_the_climate(forecast):
    warm = figure_of(forecast + 6.0, "efi", "2m_temperature", climatology=MockClimatology())
    usual = figure_of(forecast, "efi", "2m_temperature", climatology=MockClimatology())
    assert colour_at(warm, *OCEAN) == pytest.approx(to_rgb(efi_palette().colours[-1]), abs=0.01)
    assert colour_at(usual, *OCEAN) == pytest.approx(WHITE)
    assert bars(warm)[0].get_xlabel() == "Extreme forecast index"
    assert words(warm)[2].startswith("1: all members above the climate")


def test_lines_of_an_index_are_the_shifts_of_both_tails(forecast):
    """The climate is 14 °C at 90 %, 14.9 °C at 99 %, and 6 and 5.1 °C at the other end."""
    members = forecast.copy()
    members["2m_temperature"] = 0 * members["2m_temperature"] + 283.15 + 12.0 * members["latitude"] / GRID.latitude[0]
    figure = figure_of(members, "efi", "2m_temperature", climatology=MockClimatology(), projection="plate_carree")
    _, upper, lower = contours(panels(figure)[0])
    assert upper.levels.tolist() == lower.levels.tolist() == [0.0, 1.0, 2.0, 5.0]
    for drawn, sign in ((upper, 1), (lower, -1)):
        for shift, path in zip(drawn.levels, drawn.get_paths(), strict=True):
            latitude = GRID.latitude[0] * sign * (4.9 + 0.9 * shift) / 12.0
            assert path.vertices[:, 1].mean() == pytest.approx(latitude, abs=1.0)
    assert "shift of tails (0, 1, 2, 5, 8), above and (dashed) below" in words(figure)[2]


def test_a_difference_is_ours_minus_theirs(forecast):
    figure = figure_of(forecast, "difference", "2m_temperature", against=forecast - 3.0)
    edges, colours = (
        getattr(difference_palette(STYLES["2m_temperature"], np.full(9, 3.0)), name) for name in ("edges", "colours")
    )
    expected = colours[int(np.searchsorted(edges, 2.99))]
    red, _, blue = colour_at(figure, *OCEAN)
    assert (red, blue) == pytest.approx((to_rgb(expected)[0], to_rgb(expected)[2]), abs=0.01)
    assert red > blue
    assert words(figure)[0] == "2 m temperature: ensemble mean minus another forecast"
    assert words(figure)[2].startswith("Subtracted: Init 2001-01-05 00 UTC   Valid 2001-01-10 00 UTC   T+120 h")


def test_a_chart_is_heights_over_temperature(forecast):
    lower = forecast.assign_coords(level=[500, 850])
    figure = figure_of(lower, "chart", "geopotential")
    filled, drawn = contours(panels(figure)[0])
    assert set(np.diff(filled.levels)) == {4.0}  # kelvins, of 850 hPa
    assert set(np.diff(drawn.levels)) == {6.0}  # decametres
    assert bars(figure)[0].get_xlabel() == "850 hPa temperature (°C)"
    assert words(figure)[0] == "500 hPa geopotential height and 850 hPa temperature: ensemble mean"
    assert words(figure)[2] == "Lines: 500 hPa geopotential height (dam)"


@pytest.mark.parametrize(
    ("variable", "options", "first"),
    [
        ("geopotential", {"level": 250}, "250 hPa geopotential height: ensemble mean"),
        ("mean_sea_level_pressure", {}, "Mean sea level pressure and precipitation per step: ensemble mean"),
        ("total_precipitation", {"member": "1"}, "Mean sea level pressure and precipitation per step: member 1"),
        ("wind_speed", {}, "250 hPa geopotential height and 250 hPa wind speed: ensemble mean"),
        ("wind_speed", {"level": 500}, "500 hPa geopotential height and 500 hPa wind speed: ensemble mean"),
        ("temperature", {}, "500 hPa geopotential height and 500 hPa temperature: ensemble mean"),
    ],
)
def test_charts_take_what_the_forecast_has(forecast, variable, options, first):
    assert words(figure_of(forecast, "chart", variable, **options))[0] == first


def test_precipitation_has_the_usual_classes(forecast):
    filled = contours(panels(figure_of(forecast, "chart", "total_precipitation"))[0])[0]
    assert list(filled.levels) == [0, 0.1, 0.5, 1, 2, 5, 10, 15, 20, 30, 50, 75, 100]


def test_pressure_over_itself_where_there_is_nothing_else(forecast):
    alone = xr.Dataset({"mean_sea_level_pressure": forecast["mean_sea_level_pressure"]}, attrs=forecast.attrs)
    assert words(figure_of(alone, "chart", "mean_sea_level_pressure"))[0] == "Mean sea level pressure: ensemble mean"
