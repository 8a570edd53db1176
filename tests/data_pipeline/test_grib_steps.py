"""GRIB of forecasts and ensembles: steps, accumulations and members are told apart, and one is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from data_pipeline.errors import DataError
from tests.data_pipeline.grib_messages import (
    GRID,
    MESSAGES,
    WORLD,
    Write,
    assert_same,
    at,
    everything,
    message,
    precipitation,
)


def forecasts(steps: list[int], **keys: Any) -> list[bytes]:
    """From two initial times, 6 h apart; the value says initial hour and step."""
    return [
        message(np.full(GRID.shape, 200 + hour + step / 100), level=500, **at(f"2000-01-01T{hour:02}"),
                stepUnits=1, startStep=step, endStep=step, **keys)
        for hour in (0, 6) for step in steps
    ]  # fmt: skip


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("step", [0, 6])
def test_one_step_is_chosen(write_grib: Write, edition: int, step: int) -> None:
    result = everything(write_grib(forecasts([0, 6], edition=edition), step_hours=step), {"temperature"})["temperature"]
    start = np.datetime64("2000-01-01T00", "ns") + np.timedelta64(step, "h")
    assert result["time"].values.tolist() == (start + np.arange(2) * np.timedelta64(6, "h")).tolist()
    np.testing.assert_allclose(result[:, 0, 0, 0], [200 + step / 100, 206 + step / 100], rtol=1e-6)


@pytest.mark.parametrize(("steps", "step_hours"), [([0, 6], None), ([3, 9], None), ([0, 3], None), ([0, 6], 3)])
def test_several_steps_ask_for_a_choice(write_grib: Write, steps: list[int], step_hours: int | None) -> None:
    got = "no choice" if step_hours is None else step_hours
    told = f"temperature has forecast steps of {steps[0]}, {steps[1]} h, got {got}; choose one with"
    with pytest.raises(DataError, match=told):
        write_grib(forecasts(steps), step_hours=step_hours).open({"temperature"})


def test_a_forecast_of_another_step_stands_for_no_analysis_in_a_window(write_grib: Write) -> None:
    window = (np.datetime64("2000-01-01T12"), np.datetime64("2000-01-02"))  # where there is no analysis
    with pytest.raises(DataError, match="forecast steps of 0, 6 h"):
        write_grib(forecasts([0, 6])).open({"temperature"}, window)


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("step_hours", [None, 0])
def test_accumulations_beside_analyses(write_grib: Write, edition: int, step_hours: int | None) -> None:
    rain = precipitation(edition, [(0, 6), (6, 12), (12, 18)])
    source = write_grib([*rain, *MESSAGES], step_hours=step_hours)
    result = everything(source, {"total_precipitation", "temperature"})
    assert result["total_precipitation"].attrs["accumulation_hours"] == 6
    assert "accumulation_hours" not in result["temperature"].attrs
    series = result["total_precipitation"][:, 0, 0].values
    np.testing.assert_allclose(series, [np.nan, 6e-3, 12e-3, 18e-3], rtol=1e-6)
    assert_same(result[["temperature"]], WORLD[["temperature"]])


@pytest.mark.parametrize("edition", [1, 2])
def test_accumulations_of_different_length(write_grib: Write, edition: int) -> None:
    contents = precipitation(edition, [(0, 6), (0, 12)])
    with pytest.raises(DataError, match=r"total_precipitation is accumulated over 6, 12 h.*choose with 'step_hours'"):
        write_grib(contents).open({"total_precipitation"})
    result = everything(write_grib(contents, step_hours=12), {"total_precipitation"})
    assert result["total_precipitation"].attrs["accumulation_hours"] == 12


def test_accumulations_over_minutes(write_grib: Write) -> None:
    content = message(
        np.ones(GRID.shape), edition=2, typeOfLevel="surface", level=0, productDefinitionTemplateNumber=8,
        shortName="tp", stepUnits="m", startStep=30, endStep=120,
    )  # fmt: skip
    with pytest.raises(DataError, match=r"accumulated over 1\.5 h, expected one number of whole hours"):
        write_grib([content]).open({"total_precipitation"})


@pytest.mark.parametrize("edition", [1, 2])
def test_one_member_of_an_ensemble(write_grib: Write, edition: int) -> None:
    template = {"productDefinitionTemplateNumber": 1} if edition == 2 else {}
    contents = [
        message(np.full(GRID.shape, 250.0 + number), edition=edition, level=500, **template, number=number)
        for number in (0, 3)
    ]
    result = everything(write_grib(contents, member=3), {"temperature"})
    assert np.all(result["temperature"] == 253)
    for member, told in (
        (None, "temperature has members 0, 3, got no choice; choose one with 'member'"),
        (1, "has no member 1, it has 0, 3 of temperature; choose one of them"),
    ):
        with pytest.raises(DataError, match=told):
            write_grib(contents, member=member).open({"temperature"})
