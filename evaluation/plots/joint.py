"""Joint histograms of two fields: shares of members in colours, those of the truth as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm

from data_pipeline.errors import ScoreError
from evaluation.plots.canvas import INK
from evaluation.plots.frames import legend_below, plain, sheet
from evaluation.plots.panels import PANEL, leads_of
from evaluation.plots.style import COLOURS, style_of
from evaluation.score_files import readable
from evaluation.shown import capital, field_name, lead_name

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

    from evaluation.plots.asked import Asked
    from evaluation.plots.style import Floats

_WIDTHS = {1e-4: 0.5, 1e-3: 1.0, 1e-2: 1.6}
"""Shares of the truth that lines are drawn at, and how wide these are."""
_LEAST, _MOST = 1e-5, 0.1


def joint_figure(path: Path, asked: Asked) -> Figure:
    """A panel for each lead, at most four; the distance of both histograms (Hellinger) is in their titles.

    Raises
    ------
    ScoreError
        If the file is none of a joint histogram, or lacks the region or lead that is asked for.
    """
    if not is_joint(path):
        raise ScoreError(f"{path} holds no joint histogram; make one with 'sphercast score joint'")
    with readable(path), xr.open_dataset(path, engine="netcdf4", decode_timedelta=False) as opened:
        scores = opened.load()
    first, second = (str(dim) for dim in scores["forecast"].dims[-2:])
    place = asked.place(scores, "the joint histogram", lead=True)
    leads = leads_of(scores["lead_time"].values.tolist(), asked.lead)
    here = scores.sel(region=place["region"])
    title = f"{capital(_field(second)[0])} and {_field(first)[0]}"
    note = "colours: share of the members; lines: of the truth; H: Hellinger distance, 0 alike to 1 apart"
    figure = sheet(max(PANEL * len(leads) + 1.2, 8.6), PANEL + 1.6, title, f"{place['region']}   {note}")
    panels = figure.subplots(1, len(leads), squeeze=False, sharey="row")[0]
    for axes, lead in zip(panels, leads, strict=True):
        mesh = _draw(axes, here.sel(lead_time=lead), first, second)
        names = [f"{capital(name)} ({unit})" for name, unit in map(_field, (first, second))]
        distance = float(here["hellinger"].sel(lead_time=lead))
        plain(axes, x=names[0], y=names[1] if axes is panels[0] else "", title=f"{lead_name(lead)}: H = {distance:.2f}")
    figure.colorbar(mesh, ax=panels.tolist(), label="share of area and time in a bin", extend="both", pad=0.01)
    legend_below(figure, panels.tolist())
    return figure


def is_joint(path: Path) -> bool:
    """Whether a file is of ``sphercast score joint``.

    Raises
    ------
    ScoreError
        If it cannot be read.
    """
    with readable(path), xr.open_dataset(path, engine="netcdf4", decode_timedelta=False) as opened:
        return {"forecast", "truth", "hellinger"} <= opened.data_vars.keys()


def _draw(axes: Axes, here: xr.Dataset, first: str, second: str) -> QuadMesh:
    """Bins without any member stay white."""
    x, y = (_shown(name, here[f"edges_{name}"].values) for name in (first, second))
    shares = here["forecast"].transpose(second, first).values
    if np.isnan(shares).all():
        raise ScoreError("the histogram of the members is missing here; choose another --region or --lead")
    held = np.where(shares > 0, shares, np.nan)
    mesh = axes.pcolormesh(x, y, held, norm=LogNorm(_LEAST, _MOST), cmap=COLOURS["amount"])
    middles = [(edges[:-1] + edges[1:]) / 2 for edges in (x, y)]
    truth = here["truth"].transpose(second, first).values
    inside = [level for level in _WIDTHS if truth.min() < level < truth.max()]
    if inside:
        axes.contour(*middles, truth, levels=inside, colors=INK, linewidths=[_WIDTHS[level] for level in inside])
    for level in inside:
        axes.plot([], [], color=INK, linewidth=_WIDTHS[level], label=f"{level:g} of the truth")
    return mesh


def _field(name: str) -> tuple[str, str]:
    """The field as people call it, and its units."""
    variable, _, level = name.rpartition("_")
    known = (variable, float(level)) if level.isdigit() and variable else (name, None)
    return field_name(*known), style_of(known[0], "").units


def _shown(name: str, values: Floats) -> Floats:
    variable, _, level = name.rpartition("_")
    return style_of(variable if level.isdigit() else name, "").display(values)
