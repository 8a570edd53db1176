"""Maps of a small mock ensemble: titles, units, colours, defaults, files and every message."""

from __future__ import annotations

import socket
import subprocess
import sys
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.image import imread

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from evaluation.plots import KINDS, VIEWS, canvas, draw
from evaluation.plots.fields import select
from evaluation.plots.maps import Request
from evaluation.plots.style import STYLES, field_palette, probability_palette

GRID = Grid.equiangular(16, 32, poles=False)
LEADS = (24.0, 72.0, 120.0)
OCEAN = (-140.0, -15.0)
"""Longitude and latitude far from any coast and any line of the graticule."""

CELSIUS = field_palette(STYLES["2m_temperature"], None, np.zeros(1))
TEN_DEGREES = to_rgb(CELSIUS.colours[1 + CELSIUS.edges.index(8.0)])
"""The colour of the mock 2 m temperature, 10 °C everywhere: the class from 8 to 12, behind one open class."""


def mock_forecast(members: int = 3) -> xr.Dataset:
    """Wavy fields on two levels; level 500 and the last lead differ from the others by a known amount."""
    generator = np.random.default_rng(7)
    longitude, latitude = np.meshgrid(np.deg2rad(GRID.longitude), np.deg2rad(GRID.latitude))
    wave = np.cos(latitude) ** 2 * np.cos(3 * longitude)
    noise = generator.normal(size=(members, len(LEADS), 1, 1, 1))
    shape = np.stack([wave, 2 * wave])[None, None] + 0.3 * noise
    dims = ("realization", "lead_time", "level", "latitude", "longitude")
    surface = ("realization", "lead_time", "latitude", "longitude")
    return xr.Dataset(
        {
            "geopotential": (dims, 9.80665 * (5500.0 + 100.0 * shape), {"units": "m2 s-2"}),
            "temperature": (dims, 273.15 + 20 * shape),
            "u_component_of_wind": (dims, np.full(shape.shape, 3.0)),
            "v_component_of_wind": (dims, np.full(shape.shape, -4.0)),
            "2m_temperature": (surface, 283.15 + np.zeros_like(shape[:, :, 0])),
            "mean_sea_level_pressure": (surface, 101300.0 + 2000 * shape[:, :, 0]),
            "total_precipitation": (surface, 0.01 * np.abs(shape[:, :, 0])),
            "sea_ice_cover": (surface, np.clip(shape[:, :, 0], 0, 1), {"units": "1"}),
        },
        coords={
            "realization": np.arange(members),
            "lead_time": (np.array(LEADS) * 3600e9).astype("m8[ns]"),
            "level": [250, 500],
            "latitude": list(GRID.latitude),
            "longitude": list(GRID.longitude),
            "initial_time": np.datetime64("2001-01-05", "ns"),
        },
    )


@pytest.fixture(scope="module")
def forecast():
    return mock_forecast()


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("a map tried to open a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def figure_of(forecast, kind, variable, **options):
    return KINDS[kind](forecast, Request(variable, **options))


def words(figure):
    return [text.get_text() for text in figure.texts]


def panels(figure):
    return [axes for axes in figure.axes if hasattr(axes, "projection")]


def bars(figure):
    return [axes for axes in figure.axes if not hasattr(axes, "projection")]


def contours(panel):
    return [artist for artist in panel.collections if isinstance(artist, QuadContourSet)]


def colour_at(figure, longitude, latitude, view="robinson", panel=0):
    """Red, green and blue (0..1) of the pixel at a place on a panel."""
    figure.canvas.draw()
    x, y = VIEWS[view].project(np.array([longitude]), np.array([latitude]))
    column, row = panels(figure)[panel].transData.transform((x[0], y[0]))
    image = np.asarray(figure.canvas.buffer_rgba())
    return image[image.shape[0] - 1 - int(row), int(column), :3] / 255


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variable", ["geopotential", "wind_speed"])
def test_every_kind_becomes_a_png_without_a_network(no_network, forecast, kind, variable, tmp_path):
    out = tmp_path / "folder" / "map.png"
    draw(forecast, variable=variable, kind=kind, threshold=0.5 if kind == "probability" else None, out=out)
    image = imread(out)
    assert image.shape[0] <= 900
    assert 1000 <= image.shape[1] <= 1600
    assert [path.name for path in out.parent.iterdir()] == ["map.png"]


@pytest.mark.parametrize("projection", VIEWS)
def test_every_projection_is_filled_to_its_edges(no_network, forecast, projection, monkeypatch):
    monkeypatch.setattr(canvas, "MISSING_COLOUR", "#ff00ff")
    figure = figure_of(forecast, "mean", "2m_temperature", projection=projection)
    place = {"europe": (-20.0, 45.0), "south_pole": (10.0, -87.0)}.get(projection, (10.0, 87.0))
    assert colour_at(figure, *place, view=projection) == pytest.approx(TEN_DEGREES, abs=0.01)
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
        ("mean_spread", "temperature", "500 hPa temperature: ensemble mean and spread", "Temperature (°C)"),
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
    assert len(panels(figure_of(single, "stamps", "geopotential"))) == 2
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


def test_a_place_that_one_member_lacks_has_no_statistics(forecast):
    one_lacks = forecast.where((forecast["realization"] != 2) | (forecast["latitude"] > 0))
    ensemble = select(one_lacks, "2m_temperature", None, None)
    south = np.array(GRID.latitude) < 0
    for values in (ensemble.mean(), ensemble.spread(), ensemble.probability(0.0, above=True)):
        assert np.isnan(values[south]).all()
        assert np.isfinite(values[~south]).all()


def test_statistics_are_those_of_the_definition(forecast):
    ensemble = select(forecast, "mean_sea_level_pressure", None, 24)
    hectopascals = forecast["mean_sea_level_pressure"].isel(lead_time=0).values / 100
    np.testing.assert_allclose(ensemble.mean(), hectopascals.mean(axis=0))
    np.testing.assert_allclose(ensemble.spread(), hectopascals.std(axis=0, ddof=1))
    above, below = (ensemble.probability(1013.0, above=above) for above in (True, False))
    np.testing.assert_allclose(above, 100 * (hectopascals >= 1013.0).mean(axis=0))
    np.testing.assert_allclose(above + below, 100.0)


def test_wind_speed_is_computed_before_the_mean():
    forecast = mock_forecast(members=2)
    sign = xr.DataArray([1.0, -1.0], dims="realization")
    opposed = forecast.assign(
        u_component_of_wind=forecast["u_component_of_wind"] * sign,
        v_component_of_wind=forecast["v_component_of_wind"] * sign,
    )
    ensemble = select(opposed, "wind_speed", 500, None)
    np.testing.assert_allclose(ensemble.mean(), 5.0)
    assert ensemble.sign == 1
    assert select(opposed, "u_component_of_wind", 500, None).sign == -1


def test_surface_wind_speed_comes_from_the_surface_components(forecast):
    surface = forecast.assign(
        {
            f"10m_{axis}_component_of_wind": forecast[f"{axis}_component_of_wind"].isel(level=0, drop=True)
            for axis in "uv"
        }
    )
    ensemble = select(surface, "10m_wind_speed", None, None)
    assert ensemble.style.title == "10 m wind speed"
    np.testing.assert_allclose(ensemble.values, 5.0)


def test_stamps_show_the_mean_and_every_member_in_one_colour_bar(forecast):
    figure = figure_of(forecast, "stamps", "temperature")
    names = [panel.get_title() for panel in panels(figure)]
    assert names == ["Ensemble mean", "Member 0", "Member 1", "Member 2"]
    assert len(bars(figure)) == 1
    levels = {tuple(contours(panel)[0].levels) for panel in panels(figure)}
    assert len(levels) == 1


@pytest.mark.parametrize("members", [3, 11, 41])
def test_panels_fit_on_the_sheet_and_do_not_overlap(members):
    sheet = canvas.Sheet.of(VIEWS["robinson"], GRID, members, panel_titles=True)
    boxes = [panel.get_position(original=True) for panel in sheet.panels]
    assert all(box.x0 >= 0 and box.x1 <= 1 and box.y0 >= sheet.foot - 1e-9 and box.y1 < 1 for box in boxes)
    apart = [
        a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0 for k, a in enumerate(boxes) for b in boxes[:k]
    ]
    assert all(apart)


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_is_cut_off_and_no_tick_labels_touch(forecast, kind):
    for projection in ("robinson", "north_pole"):
        figure = figure_of(forecast, kind, "u_component_of_wind", threshold=0.0, projection=projection)
        figure.canvas.draw()
        width, height = figure.canvas.get_width_height()
        labels = [bar.xaxis.label for bar in bars(figure)]
        for text in [*figure.texts, *labels]:
            box = text.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= width
            assert box.y0 >= 0
            assert box.y1 <= height
        for bar in bars(figure):
            boxes = [tick.get_window_extent() for tick in bar.get_xticklabels() if tick.get_text()]
            assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_defaults_are_500_hpa_and_the_last_lead(forecast):
    ensemble = select(forecast, "temperature", None, None)
    assert (ensemble.level, ensemble.lead) == (500, 120.0)
    assert select(forecast.sel(level=[250]), "temperature", None, None).level == 250


def test_a_lead_is_chosen_by_its_hours(forecast):
    ensemble = select(forecast, "temperature", None, 72)
    assert (ensemble.lead, str(ensemble.valid_time)) == (72.0, "2001-01-08 00:00:00")


def test_a_deterministic_run_is_one_member(forecast):
    single = forecast.isel(realization=0, drop=True)
    assert select(single, "wind_speed", 250, None).values.shape == (1, *GRID.shape)
    assert select(single, "wind_speed", 250, None).members == ("0",)


def test_a_scalar_level_is_a_level(forecast):
    single = forecast.isel(level=1)
    assert select(single, "temperature", 500, None).level == 500
    with pytest.raises(DataError, match="no level 250 for temperature"):
        select(single, "temperature", 250, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variable": "hail"}, "no variable 'hail'; the forecast has geopotential, temperature, .*wind_speed"),
        ({"variable": "10m_wind_speed"}, "no variable '10m_wind_speed'"),
        ({"level": 300}, r"no level 300 for geopotential; the forecast has \(hPa\): 250, 500"),
        ({"variable": "2m_temperature", "level": 500}, "2m_temperature has no levels, got level 500; leave the level"),
        ({"lead": 96}, r"no lead 96 h in this forecast; it has \(hours\): 24, 72, 120"),
        ({"kind": "spaghetti"}, "unknown kind of map 'spaghetti'; expected one of: mean, spread, mean_spread, stamps"),
        ({"lead": float("nan")}, "no lead nan h in this forecast"),
        ({"kind": "probability"}, "a probability map needs a threshold: pass --threshold VALUE in dam"),
        ({"kind": "probability", "threshold": float("nan")}, "a probability map needs a threshold"),
        ({"threshold": 540}, "a map of kind 'mean' has no threshold; leave it out, or draw kind 'probability'"),
        ({"projection": "mercator"}, "unknown projection 'mercator'"),
        ({"out": "map.jpg"}, "maps are written as PNG, got map.jpg; give a name that ends in .png"),
    ],
)
def test_a_wrong_request_is_answered_with_what_there_is(forecast, options, message, tmp_path):
    request = {"variable": "geopotential", "kind": "mean", **options}
    out = tmp_path / request.pop("out", "map.png")
    with pytest.raises(DataError, match=message):
        draw(forecast, out=out, **request)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data.drop_vars("lead_time"), "not a run of a forecast: the data lack lead_time; open the file"),
        (lambda data: data.drop_vars("initial_time"), "the data lack initial_time"),
        (lambda data: data.isel(lead_time=slice(0, 0)), "the forecast is empty"),
        (lambda data: data * np.nan, "geopotential on 500 hPa has no place where every member"),
        (lambda data: data.where(data["realization"] > 0), "no place where every member has a value at T.120 h"),
        (lambda data: data.isel(latitude=slice(None, None, -1)), "latitude must run from north to south"),
    ],
)
def test_what_is_no_forecast_is_refused(forecast, spoil, message):
    with pytest.raises(DataError, match=message):
        select(spoil(forecast), "geopotential", None, None)


def test_a_region_that_the_map_does_not_show_is_refused(forecast):
    south = forecast.sel(latitude=slice(-30, -60))
    with pytest.raises(DataError, match="no value within this map; choose a projection that shows its region"):
        figure_of(south, "mean", "geopotential", projection="north_pole")


def test_a_write_that_fails_leaves_the_old_map_and_nothing_else(forecast, tmp_path, monkeypatch):
    out = tmp_path / "map.png"
    out.write_bytes(b"old")

    def full_disk(*_args, **_options):
        raise OSError("no space left on device")

    monkeypatch.setattr(Figure, "savefig", full_disk)
    with pytest.raises(OSError, match="no space"):
        draw(forecast, variable="2m_temperature", kind="mean", out=out)
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]


def test_the_same_forecast_gives_the_same_bytes_and_leaves_matplotlib_alone(forecast, tmp_path):
    settings = dict(mpl.rcParams)
    for name in ("a.png", "b.png"):
        draw(forecast, variable="temperature", kind="mean", out=tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert dict(mpl.rcParams) == settings


def test_the_plots_need_neither_torch_nor_the_model():
    code = "import sys, evaluation.plots; sys.exit(bool({'torch', 'forecast'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
