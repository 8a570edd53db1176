"""Maps of a small mock ensemble: titles, units, colours, lines and panels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from data_pipeline.errors import DataError
from evaluation.plots import KINDS, canvas, draw
from evaluation.plots.projections import view_of
from evaluation.plots.style import probability_palette
from tests.evaluation.mock_maps import (
    GRID,
    OCEAN,
    TEN_DEGREES,
    bars,
    colour_at,
    contours,
    figure_of,
    mock_forecast,
    needed,
    panels,
    variable_for,
    words,
)


@pytest.fixture(scope="module")
def forecast():
    return mock_forecast()


def test_a_map_is_a_png_of_the_promised_size(forecast, tmp_path):
    out = tmp_path / "folder" / "map.png"
    draw(forecast, variable="geopotential", kind="mean", out=out)
    image = imread(out)
    assert image.shape[0] <= 900
    assert 1000 <= image.shape[1] <= 1600
    assert [path.name for path in out.parent.iterdir()] == ["map.png"]


@pytest.mark.parametrize(
    ("projection", "region", "place"),
    [
        ("robinson", None, (10.0, 87.0)),
        ("plate_carree", None, (10.0, 87.0)),
        ("north_pole", None, (10.0, 87.0)),
        ("south_pole", None, (10.0, -87.0)),
        ("orthographic", None, (-40.0, 40.0)),
        ("lambert", "europe", (-8.0, 45.5)),
        (None, "arctic", (170.0, 86.0)),
        (None, "north-pacific", (-178.0, 42.0)),
        (None, "tropics", (-178.0, 5.0)),
        ("robinson", "ausnz", (157.0, -27.0)),
    ],
)
def test_every_projection_is_filled_to_its_edges(forecast, projection, region, place, monkeypatch):
    monkeypatch.setattr(canvas, "MISSING_COLOUR", "#ff00ff")
    figure = figure_of(forecast, "mean", "2m_temperature", projection=projection, region=region)
    assert colour_at(figure, *place, projection=projection, region=region) == pytest.approx(TEN_DEGREES, abs=0.01)
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    assert not np.any(np.all(pixels == (255, 0, 255), axis=-1))


def test_title_names_the_variable_its_level_and_all_times(forecast):
    first, second = words(figure_of(forecast, "mean", "geopotential", level=500, lead=72))
    assert first == "500 hPa geopotential height: ensemble mean"
    assert second == "Init 2001-01-05 00 UTC   Valid 2001-01-08 00 UTC   T+72 h   3 members"


@pytest.mark.parametrize(
    ("kind", "variable", "first", "label"),
    [
        ("spread", "geopotential", "500 hPa geopotential height: ensemble spread", "Spread (dam)"),
        ("stamps", "temperature", "500 hPa temperature: all members", "Temperature (°C)"),
        ("mean", "2m_temperature", "2 m temperature: ensemble mean", "2 m temperature (°C)"),
        ("mean", "mean_sea_level_pressure", "Mean sea level pressure: ensemble mean", "Mean sea level pressure (hPa)"),
        ("mean", "wind_speed", "500 hPa wind speed: ensemble mean", "Wind speed (m/s)"),
        ("mean", "sea_ice_cover", "Sea ice cover: ensemble mean", "Sea ice cover (1)"),
        ("mean_spread", "temperature", "500 hPa temperature: ensemble mean and spread", "Spread (°C)"),
        ("member", "temperature", "500 hPa temperature: member 0", "Temperature (°C)"),
        ("quantile", "2m_temperature", "2 m temperature: 50 % quantile of the ensemble", "2 m temperature (°C)"),
        ("wind", "wind_speed", "500 hPa wind: ensemble mean", "Wind speed (m/s)"),
        ("wind", "2m_temperature", "2 m temperature and 10 m wind: ensemble mean", "2 m temperature (°C)"),
        (
            "chart",
            "temperature",
            "500 hPa geopotential height and 500 hPa temperature: ensemble mean",
            "500 hPa temperature (°C)",
        ),
    ],
)
def test_titles_and_colour_bars_speak_display_units(forecast, kind, variable, first, label):
    figure = figure_of(forecast, kind, variable)
    assert words(figure)[0] == first
    assert bars(figure)[0].get_xlabel() == label


def test_probability_titles_say_which_side_of_the_threshold_counts(forecast):
    above = figure_of(forecast, "probability", "wind_speed", threshold=20)
    below = figure_of(forecast, "probability", "2m_temperature", threshold=-10.5, above=False)
    assert words(above)[0] == "Probability of 500 hPa wind speed ≥ 20 m/s"
    assert words(below)[0] == "Probability of 2 m temperature < −10.5 °C"
    assert bars(above)[0].get_xlabel() == "Probability (%)"


def test_a_valid_time_with_minutes_shows_them(forecast):
    late = forecast.assign_coords(initial_time=forecast["initial_time"] + np.timedelta64(30, "m"))
    assert "Valid 2001-01-10 00:30 UTC" in words(figure_of(late, "mean", "2m_temperature"))[1]


def test_one_member_has_a_mean_and_stamps_and_says_so():
    single = mock_forecast(members=1)
    assert words(figure_of(single, "mean", "geopotential"))[1].endswith("   1 member")
    assert len(panels(figure_of(single, "stamps", "geopotential"))) == 1
    assert words(figure_of(single, "mean", "geopotential"))[0].endswith("single forecast")
    for kind in ("spread", "mean_spread"):
        with pytest.raises(DataError, match="spread needs at least 2 members, the forecast has 1"):
            figure_of(single, kind, "geopotential")


def test_colour_at_a_place_is_that_of_the_class_of_its_value(forecast):
    assert colour_at(figure_of(forecast, "mean", "2m_temperature"), *OCEAN) == pytest.approx(TEN_DEGREES, abs=0.01)


def test_probabilities_of_nought_and_one_have_the_outer_colours(forecast):
    certain = figure_of(forecast, "probability", "wind_speed", threshold=5.0)
    never = figure_of(forecast, "probability", "wind_speed", threshold=5.0, above=False)
    assert colour_at(certain, *OCEAN) == pytest.approx(to_rgb(probability_palette().colours[-1]), abs=0.01)
    assert colour_at(never, *OCEAN) == pytest.approx((1.0, 1.0, 1.0))


def test_no_seam_at_greenwich_or_the_date_line(forecast):
    figure = figure_of(forecast, "mean", "2m_temperature")
    # The graticule runs along 0: look just beside it.
    for longitude in (-179.4, 179.4, -0.8, 0.8, -5.5):
        assert colour_at(figure, longitude, -12.0) == pytest.approx(TEN_DEGREES, abs=0.01)


def test_lines_are_at_the_customary_heights_and_labelled(forecast):
    panel = panels(figure_of(forecast, "mean", "geopotential", level=500))[0]
    filled, drawn = contours(panel)
    assert set(np.diff(filled.levels)) == {6.0}
    assert set(drawn.levels) <= set(filled.levels)
    assert drawn.labelTexts
    assert all(float(text.get_text()) in drawn.levels for text in drawn.labelTexts)


def test_a_constant_field_has_no_lines_but_a_map(forecast):
    flat = forecast.assign(mean_sea_level_pressure=xr.full_like(forecast["mean_sea_level_pressure"], 101325.0))
    for kind in ("mean", "spread", "stamps", "mean_spread"):
        assert len(contours(panels(figure_of(flat, kind, "mean_sea_level_pressure"))[0])) == 1


def test_an_area_without_values_is_grey_not_a_colour(forecast):
    holed = forecast.where((forecast["longitude"] < 200) | (forecast["longitude"] > 250))
    figure = figure_of(holed, "mean", "2m_temperature")
    assert colour_at(figure, *OCEAN) == pytest.approx(to_rgb(canvas.MISSING_COLOUR), abs=0.01)
    assert colour_at(figure, -20.0, -15.0) != pytest.approx(to_rgb(canvas.MISSING_COLOUR), abs=0.05)


def test_stamps_show_the_mean_and_every_member_in_one_colour_bar(forecast):
    figure = figure_of(forecast, "stamps", "temperature")
    names = [panel.get_title() for panel in panels(figure)]
    assert names == ["Ensemble mean", "Member 0", "Member 1", "Member 2"]
    assert len(bars(figure)) == 1
    levels = {tuple(contours(panel)[0].levels) for panel in panels(figure)}
    assert len(levels) == 1


@pytest.mark.parametrize("members", [3, 11, 41])
def test_panels_fit_on_the_sheet_and_do_not_overlap(members):
    sheet = canvas.Sheet.of(view_of("robinson"), GRID, members, panel_titles=True)
    boxes = [panel.get_position(original=True) for panel in sheet.panels]
    assert all(box.x0 >= 0 and box.x1 <= 1 and box.y0 >= sheet.foot - 1e-9 and box.y1 < 1 for box in boxes)
    apart = [
        a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0 for k, a in enumerate(boxes) for b in boxes[:k]
    ]
    assert all(apart)


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_is_cut_off_and_no_tick_labels_touch(forecast, kind):
    for projection in ("robinson", "north_pole"):
        figure = figure_of(forecast, kind, variable_for(kind), **needed(kind, forecast), projection=projection)
        figure.canvas.draw()
        width, height = figure.canvas.get_width_height()
        labels = [bar.xaxis.label for bar in bars(figure)]
        for text in [*figure.texts, *labels, *figure.legends]:
            box = text.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= width
            assert box.y0 >= 0
            assert box.y1 <= height
        for bar in bars(figure):
            boxes = [tick.get_window_extent() for tick in bar.get_xticklabels() if tick.get_text()]
            assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_a_long_title_is_written_smaller(forecast):
    short, long = (
        figure_of(forecast.rename({"2m_temperature": name}), "mean", name, projection="north_pole").texts[0]
        for name in ("ozone", "a_variable_with_a_name_that_is_as_long_as_nobody_would_ever_think_of_using_it")
    )
    assert long.get_fontsize() < short.get_fontsize() == 19
