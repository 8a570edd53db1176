"""GRIB as forecasts: written here, and the ensemble of ERA5 and forecasts of the IFS that lie beside the project."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import DataError, ScoreError
from data_pipeline.grid import Grid
from data_pipeline.reading import open_states
from data_pipeline.sources.grib_index import GribIndex, index_files
from evaluation.pairs import match
from evaluation.question import Question
from evaluation.readers import grib, open_forecasts, open_runs
from evaluation.score import score
from tests.evaluation.layouts import scores_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_pipeline.sources.grib import GribSource

pytest.importorskip("eccodes")

from tests.data_pipeline.grib_messages import GRID, at, message, writer

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def write_grib(tmp_path: Path) -> Callable[..., GribSource]:
    return writer(tmp_path)


@pytest.fixture
def real_data() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA}")
    return REAL_DATA


def forecast(members: int = 3, steps: tuple[int, ...] = (0, 6, 12), edition: int = 2, **keys: object) -> list[bytes]:
    """Temperature at two levels that tells member, step and level, from two starts."""
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
    content = message(np.full(GRID.shape, 5500.0), GRID, 2, shortName="gh", level=500, step=6, **at("2020-01-01T00:00"))
    (run,) = open_runs(write_grib([content]).path)
    assert run["geopotential"].attrs["units"] == "m2 s-2"
    np.testing.assert_allclose(run["geopotential"], 5500 * 9.80665, rtol=1e-6)


def test_sums_since_the_start_are_refused(write_grib: Callable[..., GribSource]) -> None:
    contents = [
        message(np.ones(GRID.shape), GRID, 1, shortName="tp", typeOfLevel="surface", level=0, stepType="accum",
                stepRange=f"0-{end}", **at("2020-01-01T00:00"))
        for end in (6, 12)
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"total_precipitation is accumulated over 6, 12 h, as sums since the start"):
        open_runs(write_grib(contents).path)


def test_grib_of_nothing_that_is_known(write_grib: Callable[..., GribSource]) -> None:
    path = write_grib([message(np.ones(GRID.shape), GRID, shortName="pv", **at("2020-01-01"))]).path
    with pytest.raises(DataError, match=r"is no forecast: it has pv .*; expected variables that sphercast knows"):
        open_runs(path)


def test_what_is_not_known_is_said(write_grib: Callable[..., GribSource]) -> None:
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


def test_grids_that_differ(write_grib: Callable[..., GribSource]) -> None:
    other, when = Grid.equiangular(8, 16, poles=False), at("2020-01-01T00:00")
    with pytest.raises(DataError, match="has fields on different grids"):
        open_runs(write_grib([*forecast(), message(np.ones(other.shape), other, level=300, **when)]).path)


def refused(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    """Lets headers say something else."""

    def changed(paths: list[Path]) -> GribIndex:
        index = index_files(paths)
        return replace(index, kinds=tuple(replace(kind, **changes) for kind in index.kinds))

    monkeypatch.setattr(grib, "index_files", changed)


def test_a_grid_that_is_not_regular(write_grib: Callable[..., GribSource], monkeypatch: pytest.MonkeyPatch) -> None:
    refused(monkeypatch, grid_type="reduced_gg")
    with pytest.raises(DataError, match="is on a grid of type reduced_gg, expected regular_gg or regular_ll; convert"):
        open_runs(write_grib(forecast()).path)


def test_units_of_grib_that_do_not_convert(
    write_grib: Callable[..., GribSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(monkeypatch, units="furlong")
    with pytest.raises(DataError, match="temperature is in 'furlong', expected one of: K, degC; convert it"):
        open_runs(write_grib(forecast()).path)


def broken(*_: object) -> None:
    raise ValueError("bits are lost")


def test_a_message_that_cannot_be_unpacked(
    write_grib: Callable[..., GribSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    (run, _) = open_runs(write_grib(forecast()).path)
    monkeypatch.setattr(grib, "decode", broken)
    with pytest.raises(DataError, match=r"a.grib: the field at byte \d+ cannot be unpacked \(bits are lost\); copy"):
        _ = run["temperature"].values


def with_lost_bits(content: bytes) -> bytes:
    """A message whose section 5 says that each value has 255 bits; a damaged field itself is no less a field."""
    place = 16
    while content[place + 4] != 5:
        place += int.from_bytes(content[place : place + 4])
    return content[: place + 19] + b"\xff" + content[place + 20 :]


def test_a_message_that_is_broken_is_passed_over(write_grib: Callable[..., GribSource]) -> None:
    noise = np.random.default_rng(0).normal(0, 1, GRID.shape)
    contents = [
        message(280.0 + member + noise, GRID, 2, level=500, dataType="pf", productDefinitionTemplateNumber=1,
                number=member, step=step, **at("2020-01-01T00:00"))
        for step in (6, 12) for member in range(3)
    ]  # fmt: skip
    path = write_grib([*contents[:4], with_lost_bits(contents[4]), contents[5]]).path
    valid = np.array(["2020-01-01T00", "2020-01-01T06", "2020-01-01T12"], "datetime64[ns]")
    labels = {"time": valid, "level": [500], "latitude": list(GRID.latitude), "longitude": list(GRID.longitude)}
    truth = xr.Dataset(
        {"temperature": (tuple(labels), np.full((3, 1, *GRID.shape), 279.0) + noise, {"units": "K"})}, labels
    )
    words = rf"^temperature_500 of 2020-01-01T00:00 at \+12 h: {path}: the field at byte \d+ cannot be unpacked \(.*\)"
    with pytest.raises(DataError, match=rf"{words}; copy it again, or pass --allow-missing to score the rest$"):
        score([path], truth, Question(metrics=("rmse",)))
    scores = score([path], truth, Question(metrics=("rmse",), allow_missing=True)).scores
    assert re.fullmatch(rf"{words}, so 1 field does not count", scores.attrs["missing"])
    rmse = scores["rmse_temperature"].sel(model="forecast", level=500).isel(region=0)
    np.testing.assert_allclose(rmse, [2.0, np.nan], rtol=1e-4)


def test_a_grid_that_cannot_be_read(write_grib: Callable[..., GribSource], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grib, "layout_of", broken)
    monkeypatch.setattr(grib, "_GRIDS", {})
    with pytest.raises(DataError, match=r"the grid at byte \d+ is not read \(bits are lost\); regrid it"):
        open_runs(write_grib(forecast()).path)


def test_the_ensemble_of_era5_against_its_own_mean_and_control(real_data: Path, tmp_path: Path) -> None:
    """Ten analyses of the same weather: neither their mean nor their control is the truth.

    Against the mean of the same members the error is zero and only the spread says something. The control has no
    perturbations, so it lies nearer to the middle than one more member would: the spread of the others exceeds their
    distance from it, by a third to a half.
    """
    path = real_data / "era5_eda_members_3deg.grib"
    runs = open_runs(path)
    assert [run["geopotential"].sizes["realization"] for run in runs] == [10] * 4
    states = [run.isel(lead_time=0, drop=True).rename(initial_time="time").load() for run in runs]
    whole = xr.concat(states, "time").transpose("realization", "time", ...)
    control = whole.sel(realization=0, drop=True)
    mean = whole.astype(np.float64).mean("realization", keep_attrs=True)
    np.testing.assert_array_equal(control["geopotential"], open_states(path, member=0)["geopotential"])
    against_mean = scores_of(runs, mean).sel(model="forecast", region="global")
    for name in ("geopotential", "temperature"):
        assert (against_mean[f"rmse_{name}"] < 1e-2).all()
        assert (against_mean[f"spread_skill_{name}"] > 100).all()
    perturbed = [run.isel(realization=slice(1, None)) for run in runs]
    against_control = scores_of(perturbed, control).sel(model="forecast", region="global", lead_time=0)
    for name in ("geopotential", "temperature"):
        ratio = against_control[f"spread_skill_{name}"]
        assert ((ratio > 1.2) & (ratio < 1.6)).all()
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
