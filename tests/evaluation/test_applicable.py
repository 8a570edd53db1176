"""Scores that a variable cannot have are left out and said; no other score loses anything by it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.applicable import applicable, inapplicable
from evaluation.metrics.registry import METRICS
from evaluation.settings import Settings
from tests.evaluation.test_cli_scores import invoked
from tests.evaluation.whole_scores import answered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WARM = Settings(thresholds={"2m_temperature": (279.0, 281.0)})
OF_THRESHOLDS = [name for name, entry in METRICS.items() if "thresholds" in entry.needs]


def test_what_a_variable_can_have() -> None:
    asked = ["crps", "brier_score", "seeps"]
    assert applicable(asked, "2m_temperature", WARM) == ["crps", "brier_score"]
    assert applicable(asked, "geopotential", WARM) == ["crps"]
    assert inapplicable(["crps"], ["geopotential"], WARM) == []
    assert inapplicable(asked, ["geopotential", "2m_temperature"], WARM) == [
        "no brier_score of geopotential, without thresholds (--threshold 'VARIABLE>VALUE')",
        "no seeps of 2m_temperature, geopotential, which only total_precipitation and total_precipitation_24hr have",
    ]


@pytest.mark.parametrize("need", ["thresholds", "precipitation"])
def test_no_other_score_is_made_of_their_statistics(need: str) -> None:
    """What is missing of these scores would make others incomplete."""
    own = {statistic for entry in METRICS.values() if need in entry.needs for statistic in entry.statistics}
    others = {statistic for entry in METRICS.values() if need not in entry.needs for statistic in entry.statistics}
    assert own
    assert not own & others


@pytest.mark.parametrize(
    ("name", "rain"), [("seeps", "total_precipitation"), ("seeps_of_mean", "total_precipitation_24hr")]
)
def test_seeps_of_other_variables(written: Callable[..., Path], truth: xr.Dataset, name: str, rain: str) -> None:
    """Refused where there is no precipitation, else said."""

    def with_rain(data: xr.Dataset, metres: float) -> xr.Dataset:
        return data.assign({rain: (data["2m_temperature"] * 0 + metres).assign_attrs(units="m")})

    class Wet:
        """Dry on three days of ten, else up to 7 mm, as often each."""

        def at(self, times: np.ndarray) -> tuple[xr.Dataset, xr.Dataset]:
            return wet[[rain]].sel(time=times), wet[[rain]].sel(time=times)

        def quantiles_at(self, times: np.ndarray) -> xr.Dataset:
            levels = xr.DataArray(np.linspace(0, 1, 21), dims="quantile")
            return (self.at(times)[0] * 0 + 0.01 * (levels - 0.3).clip(0)).assign_coords(quantile=levels.values)

    wet, path = with_rain(truth, 0.004), written(partial(with_rain, metres=0.001))
    asked = {"metrics": [name], "climatology": Wet(), "baselines": ()}
    with pytest.raises(ScoreError, match=f"^{name} needs total_precipitation or .*, and got 2m_temperature; score one"):
        answered([path], wet, variables=["2m_temperature"], **asked)
    scores = answered([path], wet, variables=["2m_temperature", rain], **asked).scores
    assert set(scores) == {f"{name}_{rain}", f"sample_size_{rain}"}
    assert np.isfinite(scores[f"{name}_{rain}"]).all()
    only = "which only total_precipitation and total_precipitation_24hr have"
    assert scores.attrs["missing"] == f"no {name} of 2m_temperature, {only}"


@pytest.mark.parametrize("names", [["roc_area"], OF_THRESHOLDS])
def test_scores_of_thresholds_beside_a_variable_without_any(
    two_runs: list[Path], truth: xr.Dataset, tmp_path: Path, names: list[str]
) -> None:
    truth.to_netcdf(tmp_path / "truth.nc", engine="netcdf4")
    words = (*two_runs, tmp_path / "truth.nc", "--threshold", "2m_temperature>280", "--quiet")
    ended = invoked(*words, "--scores", ",".join(names), "--out", tmp_path / "scores.nc")
    assert ended.exit_code == 0, ended.exception
    said = f"no {', '.join(names)} of geopotential, without thresholds (--threshold 'VARIABLE>VALUE')"
    assert f"warning: not scored: {said}" in ended.stderr
    with xr.open_dataset(tmp_path / "scores.nc", engine="netcdf4") as scores:
        assert scores.attrs["missing"] == said
        assert {*scores} == {*(f"{name}_2m_temperature" for name in names), "sample_size_2m_temperature"}


def test_other_variables_are_scored_as_if_alone(two_runs: list[Path], truth: xr.Dataset) -> None:
    asked = {"metrics": ["brier_score", "crps"], "settings": WARM}
    alone = answered(two_runs, truth, variables=["2m_temperature"], **asked).scores
    beside = answered(two_runs, truth, **asked).scores
    for name in ("brier_score_2m_temperature", "crps_2m_temperature"):
        xr.testing.assert_equal(alone[name], beside[name])
    assert np.isfinite(beside["crps_geopotential"].sel(model="forecast")).all()
