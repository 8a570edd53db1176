"""Every kind of map of every layout of a file, and of ensembles and fields that are hard to draw."""

from __future__ import annotations

import socket
import warnings

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from data_pipeline.errors import DataError
from evaluation.plots import KINDS, canvas
from evaluation.plots.runs import open_at
from tests.evaluation import layouts
from tests.evaluation.mock_maps import (
    OCEAN,
    colour_at,
    contours,
    figure_of,
    mock_forecast,
    needed,
    panels,
    variable_for,
    words,
)

NEED_SPREAD = ("spread", "mean_spread")
TURNED = {
    "west to east from the date line": lambda data: data.assign_coords(
        longitude=(data["longitude"] + 180) % 360 - 180
    ).sortby("longitude"),
    "south to north": lambda data: data.isel(latitude=slice(None, None, -1)),
}


@pytest.fixture(autouse=True)
def small_sheets_without_a_network(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("a map tried to open a connection")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    for name, inches in (("WIDTH", 5.0), ("NARROWEST", 4.0), ("HEIGHT", 4.5)):
        monkeypatch.setattr(canvas, name, inches)


@pytest.fixture(scope="module")
def forecast():
    return mock_forecast().isel(lead_time=[-1])


def pixels(run, kind, **options):
    figure = figure_of(run, kind, variable_for(kind), **needed(kind, mock_forecast()), **options)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba()).copy()


@pytest.fixture(scope="module")
def written(forecast, tmp_path_factory):
    """The forecast on the disk as it is, and with either axis turned round."""
    folder = tmp_path_factory.mktemp("layouts")
    names = [variable_for(kind) for kind in KINDS] + ["10m_u_component_of_wind", "10m_v_component_of_wind"]
    kept = forecast[sorted(set(names))]
    for name, units in (("geopotential", "m2 s-2"), ("2m_temperature", "K")):
        kept[name].attrs["units"] = units
    for height in ("10m_u", "10m_v"):
        kept[f"{height}_component_of_wind"].attrs["units"] = "m s-1"
    files = {"as it is": kept, **{name: turn(kept) for name, turn in TURNED.items()}}
    for number, data in enumerate(files.values()):
        data.rename(initial_time="forecast_reference_time").to_netcdf(folder / f"{number}.nc", engine="netcdf4")
    return {name: open_at(folder / f"{number}.nc") for number, name in enumerate(files)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_is_the_same_whichever_way_the_file_runs(written, kind):
    first, *others = (pixels(run, kind) for run in written.values())
    for other in others:
        np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize("layout", ["weatherbench2", "earth2studio", "anemoi", "cfgrib", "seasonal"])
def test_others_forecasts_give_the_map_that_ours_gives(ensemble, layout, tmp_path):
    runs = [ensemble(start=start) for start in (0, 4)]
    runs[1].to_netcdf(tmp_path / "ours.nc", engine="netcdf4")
    folder = tmp_path / layout
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, about their formats
        getattr(layouts, layout)(runs, folder)
    ours, theirs = (open_at(path) for path in (tmp_path / "ours.nc", folder))
    for kind, variable in (("stamps", "geopotential"), ("spread", "2m_temperature")):
        first, second = (figure_of(run, kind, variable) for run in (ours, theirs))
        assert words(first) == words(second)
        for one, other in zip(panels(first), panels(second), strict=True):
            np.testing.assert_array_equal(contours(one)[0].levels, contours(other)[0].levels)
            for mine, yours in zip(contours(one)[0].get_paths(), contours(other)[0].get_paths(), strict=True):
                np.testing.assert_allclose(mine.vertices, yours.vertices, atol=1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_one_member(kind):
    single = mock_forecast(members=1)
    if kind in NEED_SPREAD:
        with pytest.raises(DataError, match="spread needs at least 2 members, the forecast has 1; draw kind 'mean'"):
            pixels(single, kind)
    else:
        pixels(single, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_missing_areas_are_grey_and_no_reason_not_to_draw_the_rest(forecast, kind):
    holed = forecast.where((forecast["longitude"] < 200) | (forecast["longitude"] > 250))
    options = {**needed(kind, forecast), **({"style": "quiver"} if kind == "wind" else {})}
    figure = figure_of(holed, kind, variable_for(kind), **options)
    assert colour_at(figure, -140.0, -15.0) == pytest.approx(to_rgb(canvas.MISSING_COLOUR), abs=0.01)
    assert colour_at(figure, -20.0, -15.0) != pytest.approx(to_rgb(canvas.MISSING_COLOUR), abs=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_a_regional_file_fills_its_own_map(forecast, kind):
    region = forecast.sel(latitude=slice(70, 20)).isel(longitude=[*range(5), *range(28, 32)])
    region = region.sortby("longitude")
    figure = figure_of(region, kind, variable_for(kind), **needed(kind, forecast))
    (panel, *_) = panels(figure)
    assert panel.projection.__class__.__name__ == "LambertConformal"
    middle = colour_at(figure, 2.0, 44.0, None, "box:16.875,61.875,-45,45")
    assert middle != pytest.approx(to_rgb(canvas.MISSING_COLOUR), abs=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_field(forecast, kind):
    flat = 0.0 * forecast + 280.0
    figure = figure_of(flat, kind, variable_for(kind), **needed(kind, forecast))
    figure.canvas.draw()
    assert [own for own in contours(panels(figure)[0]) if own.filled]


@pytest.mark.parametrize("style", ["barbs", "streamlines", "quiver"])
def test_still_air(forecast, style):
    still = forecast.assign({f"10m_{axis}_component_of_wind": 0.0 * forecast["2m_temperature"] for axis in "uv"})
    figure = figure_of(still, "wind", "10m_wind_speed", style=style)
    assert colour_at(figure, *OCEAN) == pytest.approx((1.0, 1.0, 1.0), abs=0.01)
