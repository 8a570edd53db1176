"""What the truth may hold, and what is said of it and of files whose labels are not understood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

import forecast.cli_score_joint  # noqa: F401, registers its command
from data_pipeline.errors import DataError
from evaluation.readers import open_forecasts
from forecast.cli_tracks import tracks_app
from tests.evaluation.test_cli_scores import invoked, refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("name", ["my_own", "total_precipitation_12hr"])
def test_a_variable_that_no_table_knows_is_compared_by_its_name(
    written: Callable[..., Path], truth: xr.Dataset, tmp_path: Path, name: str
) -> None:
    def also(data: xr.Dataset) -> xr.Dataset:
        return data.assign({name: data["2m_temperature"]})

    also(truth).isel(latitude=slice(None, None, -1)).to_netcdf(tmp_path / "truth.nc", engine="netcdf4")
    words = (written(also), tmp_path / "truth.nc", "--out", tmp_path / "scores.nc", "--quiet")
    ended = invoked(*words)
    assert ended.exit_code == 0, ended.exception
    with xr.open_dataset(tmp_path / "scores.nc", engine="netcdf4") as scores:
        np.testing.assert_array_equal(scores[f"crps_{name}"], scores["crps_2m_temperature"])
        assert (scores[f"crps_{name}"].attrs["units"], scores.attrs["missing"]) == ("K", "none")
    words = (*words[:2], "--fields", f"{name},2m_temperature", "--out", tmp_path / "joint.nc")
    assert invoked("joint", *words).exit_code == 0


def test_units_of_a_variable_that_no_table_knows_must_agree(
    written: Callable[..., Path], truth: xr.Dataset, tmp_path: Path
) -> None:
    warm = truth.assign(my_own=truth["2m_temperature"].assign_attrs(units="degC"))
    warm.to_netcdf(tmp_path / "truth.nc", engine="netcdf4")
    path = written(lambda data: data.assign(my_own=data["2m_temperature"]))
    said = refusal(path, tmp_path / "truth.nc", "--out", tmp_path / "scores.nc")
    assert "my_own is in 'K' in the run of 2020-01-01T00:00, in 'degC' in the truth; convert one" in said


def test_a_file_whose_labels_are_not_understood_is_named(written: Callable[..., Path]) -> None:
    good, pascal = written(), written(lambda data: data.assign_coords(level=[50000, 85000]), start=5)
    north = written(lambda data: data.assign_coords(latitude=data["latitude"] + 40), start=9)
    with pytest.raises(DataError, match=rf"^1 of the files cannot be scored: {pascal}: levels are \[50000"):
        open_forecasts([good, pascal])
    with pytest.raises(DataError, match=rf"^{north}: "):
        open_forecasts([north])


def test_a_step_of_a_truth_in_grib_may_be_chosen(tmp_path: Path) -> None:
    pytest.importorskip("eccodes")
    from tests.data_pipeline.grib_messages import GRID, at, message

    def warmth(step: int, value: float, start: str, **keys: object) -> bytes:
        field = np.full(GRID.shape, value)
        return message(field, GRID, 2, level=850, **keys, step=step, **at(start))

    member = {"dataType": "pf", "productDefinitionTemplateNumber": 1}
    runs = [warmth(step, 280.0 + number, "2020-01-01T00:00", **member, number=number)
            for step in (6, 12) for number in range(2)]  # fmt: skip
    states = [warmth(step, 281.0 + step, f"2020-01-01T0{hour}:00") for hour in (0, 6) for step in (0, 6)]
    forecast, truth = tmp_path / "forecast.grib", tmp_path / "truth.grib"
    forecast.write_bytes(b"".join(runs))
    truth.write_bytes(b"".join(states))
    words = (forecast, truth, "--quiet", "--allow-missing", "--scores", "bias")
    with pytest.raises(DataError, match=r"has forecast steps of 0, 6 h, got no choice; .*--step-hours; 0 is"):
        raise invoked(*words, "--out", tmp_path / "x.nc").exception
    for step in (0, 6):
        ended = invoked(*words, "--step-hours", step, "--out", tmp_path / f"{step}.nc")
        assert ended.exit_code == 0, ended.exception
        with xr.open_dataset(tmp_path / f"{step}.nc", engine="netcdf4") as scores:
            bias = scores["bias_temperature"].sel(model="forecast", lead_time=6.0)
            np.testing.assert_allclose(bias, 280.5 - (281 + step), atol=0.01)
    fields = ("--fields", "temperature_850,temperature_500", "--step-hours", 0, "--out", tmp_path / "joint.nc")
    assert "temperature_500" in refusal("joint", forecast, truth, *fields)  # which is nothing of steps
    for command in (("find", truth), ("score", forecast, truth)):
        lacks = refusal(*command, "--step-hours", 0, "--out", tmp_path / "tracks.csv", app=tracks_app)
        assert lacks.startswith("the data lack fields for the criteria")
