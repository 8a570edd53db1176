"""Samples of a small grid for scores of whole fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.channels import Channel
from data_pipeline.grid import Grid
from evaluation.metrics.definitions import Sample
from evaluation.metrics.multivariate import STATISTICS
from evaluation.settings import Settings

if TYPE_CHECKING:
    from evaluation.metrics.forms import Forecast

RNG = np.random.default_rng(0)
GRID = Grid.equiangular(6, 8, poles=False)
AREA = np.broadcast_to(GRID.area_weights()[:, None], GRID.shape)


class FlatClimate:
    """A climatology that is the same everywhere."""

    mean, std = np.full(GRID.shape, 1.0), np.full(GRID.shape, 2.0)


def sample(forecast: Forecast, climate: Any = FlatClimate, grid: Grid = GRID) -> Sample:
    return Sample(forecast, Channel("2m_temperature"), grid, np.datetime64("2020-01-01"), 24.0, Settings(), climate)


def scored(name: str, forecast: Forecast, weights: np.ndarray = AREA, **options: Any) -> float:
    return float(STATISTICS[name].of(sample(forecast, **options), weights))  # type: ignore[call-arg, arg-type]


SAMPLES = {
    "random": (RNG.standard_normal((7, 6, 8)), RNG.standard_normal((6, 8))),
    "two members": (RNG.standard_normal((2, 6, 8)), RNG.standard_normal((6, 8))),
    "constant": (np.full((4, 6, 8), 3.0), np.full((6, 8), 3.0)),
    "one off": (np.full((4, 6, 8), 3.0), np.full((6, 8), 5.0)),
    "tied": (RNG.integers(0, 2, (5, 6, 8)).astype(float), RNG.integers(0, 2, (6, 8)).astype(float)),
    "huge": (1e30 * RNG.standard_normal((5, 6, 8)), 1e30 * RNG.standard_normal((6, 8))),
    "tiny": (1e-30 * RNG.standard_normal((5, 6, 8)), 1e-30 * RNG.standard_normal((6, 8))),
    "far off": (1e4 + RNG.standard_normal((5, 6, 8)), RNG.standard_normal((6, 8))),
}
