"""Without numba everything still works, in plain numpy, and the scores are the same."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.compiled import compiled, compiled_sums
from tests.evaluation.test_cli_scores import invoked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASKED = ("crps", "rmse", "spread", "rank_histogram", "variogram_score", "energy_score", "threshold_fss", "brier_score")
WITHOUT = "import sys; sys.modules['numba'] = None; from forecast.cli import main; main()"


def test_scores_are_the_same(written: Callable[..., Path], truth: xr.Dataset, tmp_path: Path) -> None:
    def holed(data: xr.Dataset) -> xr.Dataset:
        data["2m_temperature"][1, 0, 2, 3] = np.nan
        return data

    truth["2m_temperature"][2, 1, 1] = np.nan
    truth.to_netcdf(tmp_path / "truth.nc", engine="netcdf4")
    words = [
        str(word) for word in (
            written(start=0), written(holed, start=5), tmp_path / "truth.nc", "--scores", ",".join(ASKED), "--quiet",
            "--threshold", "2m_temperature>280", "--set", "variogram_km=3000,6000", "--set", "pool_km=5000",
            "--grid", "equiangular:3x4")
    ]  # fmt: skip
    assert invoked(*words, "--out", tmp_path / "compiled.nc").exit_code == 0
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "score", *words, "--out", str(tmp_path / "plain.nc")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "RuntimeWarning" not in done.stderr
    with (
        xr.open_dataset(tmp_path / "compiled.nc", engine="netcdf4") as one,
        xr.open_dataset(tmp_path / "plain.nc", engine="netcdf4") as other,
    ):
        assert {f"{name}_2m_temperature" for name in ASKED} <= set(one)
        assert one.attrs == other.attrs
        xr.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("compiling", [compiled, compiled_sums])
def test_a_loop_runs_as_it_is_written(compiling: Callable[..., Callable[..., float]], monkeypatch) -> None:
    monkeypatch.setattr("data_pipeline.compiled.numba", None)

    @compiling
    def total(values: np.ndarray) -> float:
        found = 0.0
        for value in values:
            found += value - value
        return found

    assert np.isnan(total(np.array([np.inf, 1.0]))), "and without a warning, as machine code gives none"
