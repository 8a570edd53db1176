"""GRIB as forecasts: written here, and the ensemble of ERA5 and forecasts of the IFS that lie beside the project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from data_pipeline.errors import DataError, ScoreError
from data_pipeline.reading import open_states
from evaluation.pairs import match
from evaluation.question import Question
from evaluation.readers import open_forecasts, open_runs
from evaluation.score import score
from tests.evaluation.layouts import scores_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_pipeline.sources.grib import GribSource

pytest.importorskip("eccodes")

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def write_grib(tmp_path: Path) -> Callable[..., GribSource]:
    from tests.data_pipeline.grib_messages import writer

    return writer(tmp_path)


@pytest.fixture
def real_data() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA}")
    return REAL_DATA


def forecast(members: int = 3, steps: tuple[int, ...] = (0, 6, 12), edition: int = 2, **keys: object) -> list[bytes]:
    """Temperature at two levels that tells member, step and level, from two starts."""
    from tests.data_pipeline.grib_messages import GRID, at, message

    return [
        message(
            np.full(GRID.shape, 250 + member + step / 100 + level / 1000), GRID, edition, level=level, dataType="pf",
            productDefinitionTemplateNumber=1, number=member, step=step, **at(start), **keys,
        )
        for start in ("2020-01-01T00:00", "2020-01-01T12:00")
        for step in steps
        for member in range(members)
        for level in (850, 500)
    ]  # fmt: skip


def test_starts_steps_members_and_levels(write_grib: Callable[..., GribSource]) -> None:
    runs = open_runs(write_grib(forecast()[::-1]).path)
    assert [np.datetime_as_string(run["initial_time"].values, unit="h") for run in runs] == [
        "2020-01-01T00",
        "2020-01-01T12",
    ]
    for run in runs:
        assert dict(run["temperature"].sizes) == {
            "lead_time": 3, "realization": 3, "level": 2, "latitude": 6, "longitude": 12}  # fmt: skip
        assert not run["temperature"].variable._in_memory
        hours = (run["lead_time"].values / np.timedelta64(1, "h"))[:, None, None]
        expected = 250 + np.arange(3)[:, None] + hours / 100 + run["level"].values / 1000
        np.testing.assert_allclose(run["temperature"].isel(latitude=2, longitude=5), expected, rtol=0, atol=1e-3)


def test_a_folder_of_grib_is_read_as_one(tmp_path: Path, write_grib: Callable[..., GribSource]) -> None:
    contents = forecast()
    for index in range(3):
        write_grib(contents[index::3], f"{index}.grib2")
    assert [run["temperature"].sizes["realization"] for run in open_runs(tmp_path)] == [3, 3]


def test_a_member_that_lacks_a_message(write_grib: Callable[..., GribSource]) -> None:
    path = write_grib(forecast()[:-1]).path
    with pytest.raises(
        ScoreError, match=r"run of 2020-01-01T12:00, member 2 lacks temperature_500 at \+12 h; complete"
    ):
        open_forecasts([path])
    runs, lacking = open_forecasts([path], allow_missing=True)
    assert [run["realization"].values.tolist() for run in runs] == [[0, 1, 2], [0, 1]]
    assert len(lacking) == 1


def test_a_message_twice(write_grib: Callable[..., GribSource]) -> None:
    contents = forecast()
    with pytest.raises(DataError, match=r"has temperature_850 at \+0 h, member 0, more than once; remove the copies"):
        open_runs(write_grib([*contents, contents[0]]).path)


def test_heights_become_geopotential(write_grib: Callable[..., GribSource]) -> None:
    from tests.data_pipeline.grib_messages import GRID, at, message

    content = message(np.full(GRID.shape, 5500.0), GRID, 2, shortName="gh", level=500, step=6, **at("2020-01-01T00:00"))
    (run,) = open_runs(write_grib([content]).path)
    assert run["geopotential"].attrs["units"] == "m2 s-2"
    np.testing.assert_allclose(run["geopotential"], 5500 * 9.80665, rtol=1e-6)


def test_sums_since_the_start_are_refused(write_grib: Callable[..., GribSource]) -> None:
    from tests.data_pipeline.grib_messages import GRID, at, message

    contents = [
        message(np.ones(GRID.shape), GRID, 1, shortName="tp", typeOfLevel="surface", level=0, stepType="accum",
                stepRange=f"0-{end}", **at("2020-01-01T00:00"))
        for end in (6, 12)
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"total_precipitation is accumulated over 6, 12 h, as sums since the start"):
        open_runs(write_grib(contents).path)


def test_grib_of_nothing_that_is_known(write_grib: Callable[..., GribSource]) -> None:
    from tests.data_pipeline.grib_messages import GRID, at, message

    path = write_grib([message(np.ones(GRID.shape), GRID, shortName="pv", **at("2020-01-01"))]).path
    with pytest.raises(DataError, match=r"is no forecast: it has pv .*; expected variables that sphercast knows"):
        open_runs(path)


def test_what_is_not_known_is_said(write_grib: Callable[..., GribSource]) -> None:
    from tests.data_pipeline.grib_messages import GRID, at, message

    unknown = message(np.ones(GRID.shape), GRID, shortName="pv", **at("2020-01-01"))
    run = open_runs(write_grib([*forecast(), unknown]).path)[0]
    assert run.attrs["unread"] == ("pv",)
    states = run.isel(realization=0, drop=True).load()
    verifying = states.assign_coords(lead_time=(states["initial_time"] + states["lead_time"]).values)
    verifying = verifying.rename(lead_time="time").drop_vars("initial_time")
    assert match([run], verifying)[1] == ["the run of 2020-01-01T00:00 has unknown variables: pv"]
    assert match([run], verifying, ["temperature"])[1] == []


def test_damaged_grib(write_grib: Callable[..., GribSource]) -> None:
    path = Path(write_grib(forecast()).path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"cannot be read at byte .*; it is damaged: copy it again"):
        open_runs(path)


def test_grids_that_differ_or_are_not_regular(write_grib: Callable[..., GribSource]) -> None:
    from data_pipeline.grid import Grid
    from tests.data_pipeline.grib_messages import at, message

    other, when = Grid.equiangular(8, 16, poles=False), at("2020-01-01T00:00")
    with pytest.raises(DataError, match="has fields on different grids"):
        open_runs(write_grib([*forecast(), message(np.ones(other.shape), other, level=300, **when)]).path)


def test_the_ensemble_of_era5_against_its_own_mean_and_control(real_data: Path, tmp_path: Path) -> None:
    """Ten analyses of the same weather: their mean is not the truth, and neither is the control, which is one of them.

    Against the mean of the same members the error is zero and only the spread says something; against the control,
    drawn like the others, nine members are nearly reliable: the spread matches the error to some tens of per cent.
    """
    path = real_data / "era5_eda_members_3deg.grib"
    runs = open_runs(path)
    assert [run["geopotential"].sizes["realization"] for run in runs] == [10] * 4
    control = open_states(path, member=0)
    mean = sum(open_states(path, member=number).astype(np.float64) for number in range(10)) / 10
    for name in mean.data_vars:
        mean[name].attrs = control[name].attrs
    against_mean = scores_of(runs, mean.compute()).sel(model="forecast", region="global")
    for name in ("geopotential", "temperature"):
        assert (against_mean[f"rmse_{name}"] < 1e-2).all()
        assert (against_mean[f"spread_skill_{name}"] > 100).all()
    perturbed = [run.isel(realization=slice(1, None)) for run in runs]
    against_control = scores_of(perturbed, control.compute()).sel(model="forecast", region="global", lead_time=0)
    assert against_control["spread_skill_temperature"].to_numpy() == pytest.approx(1, abs=0.5)
    assert (against_control["crps_temperature"] > 0).all()
    spread = runs[0]["temperature"].astype(np.float64).std("realization", ddof=1)
    assert 0.1 < float(spread.mean()) < 2


def test_forecasts_of_the_ifs_against_its_analyses(real_data: Path) -> None:
    path = real_data / "ifs_forecast_10deg.grib"
    analyses = open_states(path, step_hours=0)
    with pytest.raises(ScoreError, match=r"the truth lacks 2024-06-03T06:00; .*pass --allow-missing"):
        score([path], analyses, Question(metrics=("rmse",)))
    scores = score([path], analyses, Question(metrics=("rmse",), allow_missing=True)).scores
    assert "the truth lacks 2024-06-04T18:00" in scores.attrs["missing"]
    assert scores["lead_time"].values.tolist() == [0]
    assert (scores.sel(model="forecast")["rmse_geopotential"] == 0).all()
