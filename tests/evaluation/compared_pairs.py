"""Two models in the same weather."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.evaluation.score_series import daily, scored, series_sums

if TYPE_CHECKING:
    import xarray as xr

    from evaluation.scored import Scored


def pair(count: int = 40, ours: float = 0.9, theirs: float = 1.0) -> list[Scored]:
    """A model whose errors are a tenth smaller than another's in the same weather."""
    return [
        scored(name, {
            "2m_temperature": series_sums(daily(count), scale=scale),
            "geopotential": series_sums(daily(count), scale=scale, levels=(500, 850), units="m2 s-2", seed=1),
        }) for name, scale in (("new", ours), ("old", theirs))
    ]  # fmt: skip


def gain(score: xr.DataArray) -> xr.DataArray:
    return 100 * (1 - score.sel(model="forecast", drop=True) / score.sel(model="climatology", drop=True))
