"""What is asked of a map, and which kinds of map each option is for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np

from data_pipeline.errors import DataError
from evaluation.plots.canvas import Sheet
from evaluation.plots.fields import EnsembleField, select
from evaluation.plots.projections import view_of

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from data_pipeline.grid import Grid
    from evaluation.climate import Climatology
    from evaluation.plots.scale import Scale

Arrows = Literal["barbs", "streamlines", "quiver"]

USED_BY: dict[str, tuple[str, ...]] = {
    "threshold": ("probability",),
    "above": ("probability",),
    "quantile": ("quantile", "probability"),
    "climatology": ("efi", "probability"),
    "member": ("member", "wind", "chart"),
    "contours": ("spaghetti",),
    "against": ("difference",),
    "style": ("wind",),
}
"""Kinds of map by the option that only they understand."""
_WORDS = {"above": "--below"}


@dataclass(frozen=True)
class Request:
    """What to draw; None takes the default.

    ``level`` is in hPa and ``lead`` in hours. ``threshold`` and ``contours`` are in display units (dam, hPa, degrees
    Celsius, m/s, g/kg, mm). ``quantile`` is in 0..1. ``member`` is a name in the forecast. ``against`` is a path, or
    a run or states that are open; ``climatology`` is a path, or a climatology. ``projection`` is a key of
    ``evaluation.plots.PROJECTIONS``, ``region`` what ``evaluation.plots.boxes.box_called`` takes. ``scale`` gives all
    frames of an animation the same colours.
    """

    variable: str
    level: int | None = None
    lead: float | None = None
    threshold: float | None = None
    above: bool = True
    projection: str | None = None
    region: str | None = None
    member: str | None = None
    quantile: float | None = None
    contours: tuple[float, ...] | None = None
    against: str | Path | xr.Dataset | None = None
    climatology: str | Path | Climatology | None = None
    style: Arrows | None = None
    scale: Scale | None = None

    def of(self, run: xr.Dataset) -> EnsembleField:
        """The members asked for."""
        return select(run, self.variable, self.level, self.lead)

    def sheet(self, grid: Grid, panels: int = 1, *, panel_titles: bool = False) -> Sheet:
        """An empty sheet for fields on ``grid``."""
        view = view_of(self.projection, self.region, grid)
        return Sheet.of(view, grid, panels, panel_titles=panel_titles, scale=self.scale)

    def check(self, kind: str) -> None:
        """Raise a DataError for an option that means nothing to this kind of map, or is no number."""
        defaults = {field.name: field.default for field in fields(self)}
        for name, kinds in USED_BY.items():
            if getattr(self, name) is not defaults[name] and kind not in kinds:
                others = " or ".join(repr(other) for other in kinds)
                option = _WORDS.get(name, f"--{name}")
                raise DataError(f"a map of kind {kind!r} has no {option}; leave it out, or draw kind {others}")
        if self.threshold is not None and not np.isfinite(self.threshold):
            raise DataError(f"got threshold {self.threshold:g}, expected a number; pass --threshold VALUE")
