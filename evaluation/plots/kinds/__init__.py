"""The kinds of maps, each a function of a run and a request that gives a figure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from evaluation.plots.kinds.chances import extreme_forecast_index, probability, quantile
from evaluation.plots.kinds.chart import chart
from evaluation.plots.kinds.difference import difference
from evaluation.plots.kinds.members import spaghetti, stamps
from evaluation.plots.kinds.moments import mean, mean_spread, member, spread
from evaluation.plots.kinds.wind import wind
from evaluation.plots.request import Request

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

Kind = Callable[["xr.Dataset", Request], "Figure"]

KINDS: dict[str, Kind] = {
    "mean": mean,
    "spread": spread,
    "mean_spread": mean_spread,
    "member": member,
    "stamps": stamps,
    "spaghetti": spaghetti,
    "probability": probability,
    "quantile": quantile,
    "efi": extreme_forecast_index,
    "difference": difference,
    "wind": wind,
    "chart": chart,
}

__all__ = ["KINDS", "Kind"]
