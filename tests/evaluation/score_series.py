"""Files of scores made of random series, without any forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from evaluation.answer import answer
from evaluation.estimates import only
from evaluation.question import Question
from evaluation.score_files import write_scores
from evaluation.scored import Scored

if TYPE_CHECKING:
    from pathlib import Path

START = np.datetime64("2020-01-01T00", "ns")
DAY = np.timedelta64(24, "h")
METRICS = ("crps", "rmse", "spread", "spread_skill", "bias")


def daily(count: int, first: int = 0) -> np.ndarray:
    return START + DAY * np.arange(first, first + count)


def series_sums(times, *, scale=1.0, leads=(24.0, 48.0, 72.0), levels=None, regions=("global", "tropics"),
                models=("forecast", "climatology"), units="K", seed=0) -> xr.Dataset:  # fmt: skip
    """Sums of one variable: every model's errors grow with lead; the day's weather is that of ``seed``, for all alike.

    ``scale`` multiplies the forecast's errors; a baseline's are twice as large as those of scale 1.
    """
    noise = np.random.default_rng(seed)
    coords = {"model": list(models), "initial_time": times, "lead_time": list(leads)}
    coords |= {} if levels is None else {"level": list(levels)}
    coords |= {"region": list(regions)}
    shape = tuple(len(values) for values in coords.values())
    weather = 1 + 0.3 * np.abs(noise.standard_normal((1, *shape[1:])))
    days = np.arange(1, len(leads) + 1).reshape(1, 1, -1, *(1 for _ in shape[3:]))
    factor = np.array([scale if model == "forecast" else 2.0 for model in models]).reshape(-1, *(1 for _ in shape[1:]))
    size = factor * days * weather * (1 + 0.1 * noise.standard_normal(shape))
    statistics = {
        "crps": 0.5 * size, "squared_error": size**2, "variance": 0.6 * size**2,
        "expected_squared_error": 0.7 * size**2,
        "error": 0.2 * size * noise.standard_normal(shape), "missing": np.zeros(shape),
    }  # fmt: skip
    area = 0.5
    fields = {}
    for name, values in statistics.items():
        fields[f"total_{name}"] = (list(coords), values * area)
        fields[f"weight_{name}"] = (list(coords), np.full(shape, area))
    return xr.Dataset(fields, coords=coords, attrs={"units": units})


def scored(name: str, sums: dict[str, xr.Dataset], metrics=METRICS) -> Scored:
    """The forecast of such a file, without the file."""
    own = {variable: only(held, ["forecast"]).assign_coords(model=[name]) for variable, held in sums.items()}
    about = {"ensemble_size": "10", "truth_source": "truth"}
    return Scored(name, own, Question(metrics=metrics), about)


def write_series(path: Path, sums: dict[str, xr.Dataset], metrics=METRICS, by=None, **about: str) -> Path:
    """A file as ``sphercast score`` writes it."""
    known = {"ensemble_size": "10", "missing": "none", "truth_source": "truth", "forecasts": "f.nc", **about}
    write_scores(answer(sums, Question(metrics=metrics, by=by), known), path)
    return path
