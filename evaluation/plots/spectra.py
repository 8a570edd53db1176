"""Spectra: power, its ratio to the truth's, coherence or spread/skill against wavenumber or degree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.metrics.registry import metric
from evaluation.plots.frames import COLOURS, legend_below, plain
from evaluation.plots.panels import PANEL, ends, field_at, lead_panels, optional_field, words_of
from evaluation.shown import capital, lead_name, shown_units

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES = {"": ("members", COLOURS[0]), "_of_mean": ("ensemble mean", COLOURS[1]), "_of_truth": ("truth", "#1a1a1a")}
"""Name and colour of what a metric's name ends in."""
_MOST = 100.0
"""Of a ratio: beyond it, and below its inverse, the axis is cut, as at the ends of the scales one divides by noise."""
_AXES = {"wavenumber": "zonal wavenumber", "degree": "degree"}
_WORDS = {
    "power_spectrum": "spectrum", "zonal_spectrum": "zonal spectrum",
    "power_spectrum_ratio": "power over the truth's", "zonal_spectrum_ratio": "zonal power over the truth's",
    "spectral_coherence": "coherence with the truth", "zonal_coherence": "zonal coherence with the truth",
    "spectral_spread_skill": "spread/skill by scale", "zonal_spread_skill": "spread/skill by zonal scale",
}  # fmt: skip


def spectrum_figure(
    scores: xr.Dataset, name: str, variable: str, place: dict[str, object], intervals: xr.Dataset | None = None
) -> Figure:
    """Of members, mean and truth, as far as the scores hold them; scales from the largest on, both axes logarithmic
    for power.

    ``name`` is a metric with the axis ``wavenumber`` or ``degree``.
    """
    field = field_at(scores, name, variable, place, tuple(_AXES), "power_spectrum or zonal_spectrum")
    axis = next(own for own in _AXES if own in field.dims)
    base = name.removesuffix("_of_mean").removesuffix("_of_truth")
    held = {end: optional_field(scores, f"{base}{end}", variable, place) for end in _LINES}
    what = _WORDS.get(base, base.replace("_", " "))
    figure, panels = lead_panels(scores, field, variable, place, what, words_of(intervals), height=PANEL + 0.4)
    power = field.attrs.get("units") != "1"
    scale, unit = _squared(str(field.attrs["units"])) if power else (1.0, "")
    for axes, lead in panels:
        for end, (label, colour) in _LINES.items():
            line = held[end]
            if line is not None:
                _draw(axes, line.sel(lead_time=lead), axis, intervals, f"{base}{end}", label=label, colour=colour,
                      scale=scale)  # fmt: skip
        _finish(axes, base, power=power)
        plain(axes, x=_AXES[axis], y=f"{capital(what)}{unit}" if axes is panels[0][0] else "", title=lead_name(lead))
    legend_below(figure, [axes for axes, _ in panels])
    return figure


def _draw(
    axes: Axes, line: xr.DataArray, axis: str, intervals: xr.Dataset | None, name: str, *, label: str, colour: str,
    scale: float,
) -> None:  # fmt: skip
    """Without the mean of the field, which has no scale, and without what is nought."""
    shown = line.where((line[axis] > 0) & (line > 0)).dropna(axis)
    axes.plot(shown[axis], scale * shown, color=colour, label=label, linewidth=1.6)
    between = ends(intervals, name, line)
    if between is not None:
        low, high = (end.sel({axis: shown[axis]}) for end in between)
        low = low.where(low > 0, shown)
        axes.fill_between(shown[axis], scale * low, scale * high, color=colour, alpha=0.18, linewidth=0)


def _finish(axes: Axes, base: str, *, power: bool) -> None:
    axes.set_xscale("log")
    if power:
        axes.set_yscale("log")
        return
    if metric(base).direction == "one":
        axes.axhline(1.0, color="#9a9a9a", linewidth=1.0, zorder=1)
    if base.endswith("ratio"):
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(min(max(low, 1 / _MOST), 0.5), max(min(high, _MOST), 2.0))
    else:
        axes.set_ylim(bottom=0)


def _squared(units: str) -> tuple[float, str]:
    """What to multiply power by, and behind the words its units as people write them; geopotential is shown as height.

    >>> _squared("(K)2"), _squared("(m s-1)2 m"), _squared("(1)2")
    ((1.0, ' (K²)'), (1.0, ' ((m/s)² m)'), (1.0, ''))
    """
    inner, _, rest = units.removeprefix("(").partition(")2")
    scale, name = shown_units(inner)
    squared = f"({name})²" if " " in name or "/" in name else f"{name}²" * bool(name)
    words = f"{squared}{rest}".strip()
    return scale**2, f" ({words})" if words else ""
