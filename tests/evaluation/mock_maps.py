"""A small mock ensemble, and what tests read off the maps that are drawn of it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.colors import to_rgb
from matplotlib.contour import QuadContourSet

from data_pipeline.grid import Grid
from evaluation.plots import Request
from evaluation.plots import figure_of as drawn
from evaluation.plots.projections import view_of
from evaluation.plots.style import STYLES, field_palette

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
            "10m_u_component_of_wind": (surface, np.full(shape[:, :, 0].shape, 3.0)),
            "10m_v_component_of_wind": (surface, np.full(shape[:, :, 0].shape, 4.0)),
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


class MockClimatology:
    """Of 2 m temperature alone: its quantiles run linearly from 5 to 15 degrees Celsius."""

    def at(self, times):
        mean = xr.Dataset(
            {"2m_temperature": (("time", "latitude", "longitude"), np.full((len(times), *GRID.shape), 283.15))},
            coords={"time": times, **GRID.coordinates},
        )
        return mean, 0 * mean + 3.0

    def quantiles_at(self, times):
        levels = np.linspace(0.0, 1.0, 11)
        warmth = xr.DataArray(10.0 * levels - 5.0, dims="quantile", coords={"quantile": levels})
        return self.at(times)[0] + warmth


def needed(kind, forecast):
    """What a kind of map cannot do without, beside the variable 2m_temperature."""
    return {
        "probability": {"threshold": 5.0},
        "efi": {"climatology": MockClimatology()},
        "difference": {"against": forecast - 1.0},
    }.get(kind, {})


def variable_for(kind):
    """One that the mock forecast can draw this kind of map of."""
    return "geopotential" if kind == "chart" else "2m_temperature"


def figure_of(forecast, kind, variable, **options):
    return drawn(forecast, kind, Request(variable, **options))


def words(figure):
    return [text.get_text() for text in figure.texts]


def panels(figure):
    return [axes for axes in figure.axes if hasattr(axes, "projection")]


def bars(figure):
    return [axes for axes in figure.axes if not hasattr(axes, "projection")]


def contours(panel):
    return [artist for artist in panel.collections if isinstance(artist, QuadContourSet)]


def colour_at(figure, longitude, latitude, projection="robinson", region=None, panel=0):
    """Red, green and blue (0..1) of the pixel at a place on a panel."""
    figure.canvas.draw()
    view = view_of(projection, region)
    x, y = view.project(view.wrap(np.array([longitude])), np.array([latitude]))
    column, row = panels(figure)[panel].transData.transform((x[0], y[0]))
    image = np.asarray(figure.canvas.buffer_rgba())
    return image[image.shape[0] - 1 - int(row), int(column), :3] / 255
