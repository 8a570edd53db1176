"""The number of threads that BLAS works with changes no bit of a score."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from data_pipeline.grid import Grid
from evaluation.metrics import multiply, plain
from evaluation.metrics.products import product
from evaluation.metrics.registry import METRICS
from evaluation.question import Question
from evaluation.score import score
from evaluation.settings import Settings

ROOT = Path(__file__).parents[2]
MEMBERS, ODD = 101, 61
"""Rows, columns and members, of which threads would get different shares."""


def digest(folder: str) -> str:
    """Of all scores without a climatology, of random members with more values than BLAS gives to one thread."""
    rng, grid = np.random.default_rng(0), Grid.equiangular(ODD, 2 * ODD, poles=True)
    members = rng.standard_normal((MEMBERS, 1, *grid.shape)).astype(np.float32)
    start, lead = np.datetime64("2020-01-01", "ns"), np.timedelta64(24 * 3600, "s").astype("timedelta64[ns]")
    dims = ("number", "prediction_timedelta", "latitude", "longitude")
    run = xr.Dataset(
        {"2m_temperature": (dims, members, {"units": "K"})},
        {"number": range(MEMBERS), "prediction_timedelta": [lead], "time": start, **grid.coordinates},
    )
    run.expand_dims("time").to_zarr(f"{folder}/run.zarr", zarr_format=2)
    truth = rng.standard_normal((2, *grid.shape)).astype(np.float32)
    states = xr.Dataset(
        {"2m_temperature": (("time", "latitude", "longitude"), truth, {"units": "K"})},
        {"time": [start, start + lead], **grid.coordinates},
    )
    names = tuple(
        name for name, entry in METRICS.items() if not entry.needs & {"climate", "quantiles"} and name != "seeps"
    )
    settings = Settings(thresholds={"2m_temperature": (0.0, 1.0)}, variogram_km=(500.0,))
    question = Question(names, regions=("global", "tropics"), settings=settings)
    scores = score([f"{folder}/run.zarr"], states, question).scores
    return sha256(b"".join(field.values.tobytes() for field in scores.data_vars.values())).hexdigest()


def test_scores_are_the_same_with_any_number_of_threads(tmp_path: Path) -> None:
    found = []
    for threads in ("1", "2"):
        folder = tmp_path / threads
        folder.mkdir()
        code = f"from tests.evaluation.test_threads import digest; print(digest({str(folder)!r}))"
        own = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=own, capture_output=True, text=True, check=True
        )
        found.append(ended.stdout)
    assert found[0] == found[1]
    assert found[0]


@pytest.mark.parametrize("terms", [1, 3, 4, 5, 130])
@pytest.mark.parametrize("lower", [False, True])
def test_compiled_products_are_plain(terms: int, lower: bool) -> None:
    rng = np.random.default_rng(terms)
    one, other = rng.standard_normal((7, terms)), rng.standard_normal((terms, 7))
    one[2, 0], other[0, 3] = np.nan, np.inf
    found = np.ones((2, 7, 7))
    for module, own in zip((multiply, plain), found, strict=True):
        module.add_product(one, other, own, lower=lower)
    np.testing.assert_allclose(*found, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(product(one[[0, 1]][None], other[:, :3]), (one[[0, 1]] @ other[:, :3])[None], rtol=1e-13)
