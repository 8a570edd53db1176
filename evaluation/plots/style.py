"""How each variable is shown: the units people use, the colours, and the customary classes and contour intervals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.ticker import MaxNLocator

from data_pipeline.variables import GRAVITY, VARIABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Extend = Literal["neither", "both", "max"]
Range = tuple[float, float, float]
"""First class edge, last class edge, step; in display units."""

PROBABILITY_EDGES = (0.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 100.0)
"""Class edges in %: finer where a forecaster says 'hardly any' and 'nearly all'."""

AUTOMATIC_CLASSES = 14
STEPS = [1, 2, 2.5, 5, 10]


@dataclass(frozen=True)
class Style:
    """Display of one variable: shown = stored * ``scale`` + ``offset``, in ``units``.

    ``ranges`` fixes the classes per level in hPa (None: no level), so that one colour means one value on every map;
    without an entry they follow the data. ``centre`` is the value (display units) at which a diverging map turns.
    ``lines`` drawn over the colours are at the class edges, at the centre only (the 0 degree isotherm), or nowhere.
    ``marks`` says that highs and lows are marked with their values.
    ``extend`` is 'max' for amounts, which start at nought; other maps are open at both ends.
    """

    title: str
    units: str
    colours: str
    scale: float = 1.0
    offset: float = 0.0
    centre: float | None = None
    ranges: dict[int | None, Range] = field(default_factory=dict)
    edges: tuple[float, ...] | None = None
    extend: Extend = "both"
    lines: Literal["classes", "centre", "none"] = "none"
    marks: bool = False

    def display(self, stored: Floats) -> Floats:
        """Stored values in display units."""
        return np.asarray(stored * self.scale + self.offset, dtype=np.float64)


@dataclass(frozen=True)
class Palette:
    """Class edges ascending, and one colour per class: with one more before and after them where open-ended."""

    edges: tuple[float, ...]
    colours: tuple[str, ...]
    extend: Extend


_GEOPOTENTIAL: dict[int | None, Range] = {
    1000: (-24, 36, 4), 925: (44, 100, 4), 850: (108, 168, 4), 700: (252, 324, 6), 500: (474, 600, 6),
    300: (816, 984, 12), 250: (936, 1104, 12), 200: (1068, 1260, 12),
}  # fmt: skip
_WIND: dict[int | None, Range] = {
    1000: (-24, 24, 3), 925: (-24, 24, 3), 850: (-24, 24, 3), 700: (-40, 40, 5), 500: (-50, 50, 5),
    300: (-80, 80, 10), 250: (-80, 80, 10), 200: (-80, 80, 10), None: (-24, 24, 3),
}  # fmt: skip
_SPEED: dict[int | None, Range] = {
    1000: (0, 30, 2.5), 925: (0, 30, 2.5), 850: (0, 30, 2.5), 700: (0, 48, 4), 500: (0, 60, 5),
    300: (0, 90, 5), 250: (0, 90, 5), 200: (0, 90, 5), None: (0, 30, 2.5),
}  # fmt: skip
_CELSIUS: dict[int | None, Range] = dict.fromkeys((700, 850, 925), (-40, 40, 4))
_SURFACE_CELSIUS: dict[int | None, Range] = dict.fromkeys((None, 1000), (-48, 48, 4))
_RAIN = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 75.0, 100.0)
_TENTHS = tuple(10.0 * tenth for tenth in range(11))
_HEIGHT, _ZERO_CELSIUS = 0.1 / GRAVITY, -273.15

STYLES: dict[str, Style] = {
    "geopotential": Style("geopotential height", "dam", "height", _HEIGHT, ranges=_GEOPOTENTIAL, lines="classes"),
    "temperature": Style("temperature", "°C", "thermal", 1.0, _ZERO_CELSIUS, 0.0, _CELSIUS, lines="centre"),
    "2m_temperature": Style("2 m temperature", "°C", "thermal", 1.0, _ZERO_CELSIUS, 0.0, _SURFACE_CELSIUS,
                            lines="centre"),
    "sea_surface_temperature": Style("sea surface temperature", "°C", "height", 1.0, _ZERO_CELSIUS,
                                     ranges={None: (-2, 34, 2)}),
    "mean_sea_level_pressure": Style("mean sea level pressure", "hPa", "pressure", 0.01, centre=1012.5,
                                     ranges={None: (960, 1065, 5)}, lines="classes", marks=True),
    "surface_pressure": Style("surface pressure", "hPa", "height", 0.01),
    "u_component_of_wind": Style("eastward wind", "m/s", "diverging", centre=0.0, ranges=_WIND),
    "v_component_of_wind": Style("northward wind", "m/s", "diverging", centre=0.0, ranges=_WIND),
    "10m_u_component_of_wind": Style("10 m eastward wind", "m/s", "diverging", centre=0.0, ranges=_WIND),
    "10m_v_component_of_wind": Style("10 m northward wind", "m/s", "diverging", centre=0.0, ranges=_WIND),
    "100m_u_component_of_wind": Style("100 m eastward wind", "m/s", "diverging", centre=0.0, ranges=_WIND),
    "100m_v_component_of_wind": Style("100 m northward wind", "m/s", "diverging", centre=0.0, ranges=_WIND),
    "wind_speed": Style("wind speed", "m/s", "amount", ranges=_SPEED, extend="max"),
    "10m_wind_speed": Style("10 m wind speed", "m/s", "amount", ranges=_SPEED, extend="max"),
    "100m_wind_speed": Style("100 m wind speed", "m/s", "amount", ranges=_SPEED, extend="max"),
    "2m_dewpoint_temperature": Style("2 m dew point", "°C", "thermal", 1.0, _ZERO_CELSIUS, 0.0, _SURFACE_CELSIUS,
                                     lines="centre"),
    "relative_humidity": Style("relative humidity", "%", "amount", edges=_TENTHS, extend="max"),
    "total_cloud_cover": Style("total cloud cover", "%", "amount", 100.0, edges=_TENTHS, extend="max"),
    "total_column_water_vapour": Style("precipitable water", "mm", "amount", extend="max"),
    "specific_humidity": Style("specific humidity", "g/kg", "amount", 1e3, extend="max"),
    "vorticity": Style("relative vorticity", "10⁻⁵ s⁻¹", "diverging", 1e5, centre=0.0),
    "total_precipitation": Style("precipitation", "mm", "amount", 1e3, edges=_RAIN, extend="max"),
    "geopotential_at_surface": Style("height of the surface", "dam", "height", _HEIGHT),
}  # fmt: skip
# WeatherBench2's sums, in metres too.
STYLES |= {f"total_precipitation_{hours}hr": STYLES["total_precipitation"] for hours in (6, 12, 24)}


def _light(name: str, share: float, start: float = 0.0, stop: float = 1.0) -> LinearSegmentedColormap:
    """Part of a perceptually even map, mixed with white so that black lines and coasts stay legible on it."""
    colours = colormaps[name](np.linspace(start, stop, 64))[:, :3]
    return LinearSegmentedColormap.from_list(name, colours * (1 - share) + share)


def _ramp_from_white(name: str) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list(name, ["#ffffff", *colormaps[name](np.linspace(0.08, 1.0, 12))])


COLOURS: dict[str, LinearSegmentedColormap] = {
    "height": _light("viridis", 0.25),
    "thermal": _light("RdBu_r", 0.15, 0.04, 0.96),
    "pressure": _light("PuOr_r", 0.1, 0.06, 0.94),
    "diverging": _light("PRGn_r", 0.05, 0.04, 0.96),
    "amount": _ramp_from_white("YlGnBu"),
    "spread": _light("magma_r", 0.1, 0.0, 0.85),
    "probability": _light("YlOrRd", 0.0),
    "wetter": _light("BrBG", 0.0, 0.04, 0.96),
}


def style_of(variable: str, units: str) -> Style:
    """The style of ``variable``; one that the table lacks keeps its ``units`` and gets classes from its data."""
    if variable in STYLES:
        return STYLES[variable]
    known = VARIABLES.get(variable)
    return Style(variable.replace("_", " "), known.units if known else units, "height")


def field_palette(style: Style, level: int | None, values: Floats) -> Palette:
    """Classes and colours for ``values`` of the field itself (display units)."""
    edges = _class_edges(style, level, values)
    return Palette(edges, class_colours(style.colours, edges, style.centre, style.extend), style.extend)


def spread_palette(values: Floats) -> Palette:
    """Classes from 0 to nearly the largest spread: a single extreme point must not use up the colours."""
    top = float(np.nanquantile(values, 0.995))
    edges = nice_edges(0.0, top if top > 0 else 1.0, 10)
    return Palette(edges, class_colours("spread", edges, None, "max"), "max")


def probability_palette() -> Palette:
    """Twelve fixed classes from 0 to 100 %, the first one white."""
    count = len(PROBABILITY_EDGES) - 1
    shades = COLOURS["probability"](np.linspace(0.0, 1.0, count - 1))
    return Palette(PROBABILITY_EDGES, ("#ffffff", *(to_hex(shade) for shade in shades)), "neither")


def line_levels(style: Style, palette: Palette) -> tuple[float, ...]:
    """Where to draw lines over the colours of ``palette``, in display units."""
    if style.lines == "centre" and style.centre is not None:
        return (style.centre,)
    return palette.edges if style.lines == "classes" else ()


def nice_edges(low: float, high: float, classes: int) -> tuple[float, ...]:
    """At most about ``classes`` round steps from ``low`` to ``high`` or just beyond, never fewer than one.

    >>> nice_edges(0.0, 4.6, 10)
    (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
    """
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = max(abs(low) * 1e-3, 1e-6)
        low, high = low - margin, high + margin
    ticks = MaxNLocator(nbins=classes, steps=STEPS).tick_values(low, high)
    return tuple(float(tick) for tick in np.round(ticks, 12))


def _class_edges(style: Style, level: int | None, values: Floats) -> tuple[float, ...]:
    if style.edges is not None:
        return style.edges
    if level in style.ranges:
        start, stop, step = style.ranges[level]
        return tuple(float(edge) for edge in np.arange(start, stop + step / 2, step))
    low, high = float(np.nanquantile(values, 0.002)), float(np.nanquantile(values, 0.998))
    if style.extend == "max":
        low, high = 0.0, max(high, 1e-6)
    if style.centre is None:
        return nice_edges(low, high, AUTOMATIC_CLASSES)
    reach = max(abs(low - style.centre), abs(high - style.centre))
    return nice_edges(style.centre - reach, style.centre + reach, AUTOMATIC_CLASSES)


def class_colours(name: str, edges: tuple[float, ...], centre: float | None, extend: Extend) -> tuple[str, ...]:
    """One colour for the middle of each class; a diverging map has its neutral colour at ``centre``."""
    step = np.diff(edges)
    middles = (np.array(edges[:-1]) + np.array(edges[1:])) / 2
    before = [edges[0] - step[0] / 2] if extend == "both" else []
    after = [edges[-1] + step[-1] / 2] if extend in ("both", "max") else []
    points = np.concatenate([before, middles, after])
    if centre is None:
        # Rank, not value: uneven classes (rain) get even steps of colour.
        places = np.linspace(0.0, 1.0, points.size)
    else:
        places = 0.5 + 0.5 * (points - centre) / np.abs(points - centre).max()
    return tuple(to_hex(shade) for shade in COLOURS[name](places))
