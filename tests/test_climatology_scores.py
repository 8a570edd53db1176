"""Scores beside any climatology, through the command line: against the CRPS of a normal distribution by hand."""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

import data_pipeline.sample
from data_pipeline.climatology import Climatology
from forecast import cli
from tests.data_pipeline.loopback import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

with warnings.catch_warnings():  # properscoring 0.1 predates the deprecations of numpy and numba
    warnings.simplefilter("ignore")
    import properscoring

SAMPLE = Path(data_pipeline.sample.__file__).parent
VARIABLES = ("geopotential", "2m_temperature")
ORDERS = {"longitude first": ("longitude", "latitude"), "latitude first": ("latitude", "longitude")}
DAYS = 20
"""Of the year that the climatology has."""


def sphercast(monkeypatch: pytest.MonkeyPatch, *words: object) -> str | int | None:
    """What ``sphercast`` with these words ends with."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["sphercast", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return ended.value.code


@pytest.fixture(scope="module")
def truth() -> xr.Dataset:
    with xr.open_dataset(SAMPLE / "states.nc", engine="netcdf4") as states:
        return states[list(VARIABLES)].sel(time=slice("2001-01-08", "2001-01-12")).load()


@pytest.fixture(scope="module")
def forecast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of two members from the shipped sample."""
    file = tmp_path_factory.mktemp("forecast") / "forecast.nc"
    with pytest.MonkeyPatch.context() as patch:
        words = ("--init", "2001-01-10", "--members", 2, "--days", 2, "--out", file, "--quiet")
        assert sphercast(patch, "forecast", "planet", *words) in (0, None)
    return file


@pytest.fixture(scope="module")
def seasons(truth: xr.Dataset) -> xr.Dataset:
    """A climatology in the layout of WeatherBench2's: another blend of two states at each day and hour."""
    rng, first, last = np.random.default_rng(3), truth.isel(time=0, drop=True), truth.isel(time=-1, drop=True)
    hours = xr.DataArray([0, 6, 12, 18], dims="hour", name="hour")
    days = xr.DataArray(np.arange(1, DAYS + 1), dims="dayofyear", name="dayofyear")
    share = (days + hours / 24) / (DAYS + 1)
    fields = {}
    for name in VARIABLES:
        spread = float(truth[name].std("time").mean())
        noise = rng.uniform(0.5, 1.5, (*share.shape, *first[name].shape))
        blend = first[name] * share + last[name] * (1 - share)
        fields[name] = blend.assign_attrs(truth[name].attrs)
        fields[f"{name}_std"] = blend.transpose(*share.dims, *first[name].dims).copy(data=spread * noise)
    return xr.Dataset(fields).assign_coords(hour=hours, dayofyear=days).astype(np.float32)


def by_hand(truth: xr.Dataset, seasons: xr.Dataset, name: str) -> np.ndarray:
    """CRPS (lead_time, [level]) of the climatology on 11 and 12 January, with the area of each row written out."""
    edges = np.array([90.0, *(truth.latitude.values[:-1] + truth.latitude.values[1:]) / 2, -90.0])
    area = -np.diff(np.sin(np.deg2rad(edges)))[:, None] / 2 / truth.sizes["longitude"]
    scores = []
    for day in (11, 12):
        seen = truth[name].sel(time=f"2001-01-{day}T00").values.astype(np.float64)
        mean, std = (seasons[f"{name}{end}"].sel(hour=0, dayofyear=day) for end in ("", "_std"))
        mean, std = (part.transpose(..., "latitude", "longitude").values.astype(np.float64) for part in (mean, std))
        scores.append((properscoring.crps_gaussian(seen, mean, std) * area).sum(axis=(-2, -1)))
    return np.array(scores)


def stored(seasons: xr.Dataset, path: Path, order: Sequence[str], *, ascending: bool) -> Path:
    laid_out = seasons.transpose("hour", "dayofyear", ..., *order).sortby("latitude", ascending=ascending)
    chunks = {name: {"chunks": (1, 1, *field.shape[2:])} for name, field in laid_out.data_vars.items()}
    laid_out.drop_encoding().to_zarr(path, encoding=chunks, zarr_format=2, consolidated=True)
    return path


def scores_of(path: Path) -> xr.Dataset:
    with xr.open_dataset(path, engine="netcdf4", decode_timedelta=False) as scores:
        return scores.load().isel(region=0, drop=True)


@pytest.mark.parametrize("remote", [False, True], ids=["local", "http"])
@pytest.mark.parametrize(("order", "ascending"), [("longitude first", True), ("latitude first", False)])
def test_a_climatology_of_weatherbench2_is_scored_beside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, truth: xr.Dataset, forecast: Path, seasons: xr.Dataset, order: str,
    *, ascending: bool, remote: bool,
) -> None:  # fmt: skip
    stored(seasons, tmp_path / "seasons.zarr", ORDERS[order], ascending=ascending)
    with serving(tmp_path) as server:
        place = f"{server.url}/seasons.zarr" if remote else tmp_path / "seasons.zarr"
        words = [f"--variable={name}" for name in VARIABLES]
        out = tmp_path / "scores.nc"
        ended = sphercast(monkeypatch, "score", forecast, "sample", "--climatology", place, "--out", out, *words)
        assert ended in (0, None)
        read = [path for path in server.asked if ".zarr/geopotential/" in path and not path.endswith(".zarray")]
    scores = scores_of(out)
    for name in VARIABLES:
        crps = scores[f"crps_{name}"].sel(model="climatology").values
        np.testing.assert_allclose(crps, by_hand(truth, seasons, name), rtol=1e-6)
        assert np.isfinite(scores[f"crps_{name}"]).all()
    assert {path.split("/")[-1] for path in read} - {".zattrs"} <= {"0.10.0.0.0", "0.11.0.0.0"}, (
        "only what is asked for"
    )


@pytest.mark.parametrize(("order", "ascending"), [("longitude first", False), ("latitude first", True)])
def test_the_other_two_layouts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, truth: xr.Dataset, forecast: Path, seasons: xr.Dataset, order: str,
    *, ascending: bool,
) -> None:  # fmt: skip
    place = stored(seasons, tmp_path / "seasons.zarr", ORDERS[order], ascending=ascending)
    words = ("--climatology", place, "--out", tmp_path / "scores.nc", "--variable", "2m_temperature", "--quiet")
    assert sphercast(monkeypatch, "score", forecast, "sample", *words) in (0, None)
    crps = scores_of(tmp_path / "scores.nc")["crps_2m_temperature"].sel(model="climatology").values
    np.testing.assert_allclose(crps, by_hand(truth, seasons, "2m_temperature"), rtol=1e-6)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda data: data.isel(latitude=slice(2, None)),
            "climatology is on a 30x64 grid .*, with fewer points than the 32x64",
        ),
        (lambda data: data.sel(hour=[6, 18]), "has the hours 06, 18 UTC, got 2001-01-11T00; choose among its hours"),
        (lambda data: data.drop_vars("geopotential_std"), "the climatology lacks geopotential_std; choose other"),
        (lambda data: data.drop_vars(["geopotential", "geopotential_std"]), "the climatology lacks geopotential_250; "),
        (lambda data: data.sel(level=[250, 500, 850]), "the climatology lacks geopotential_700; "),
        (lambda data: data.sel(dayofyear=slice(1, 11)), "no day 12 of the year, its first and last are 1, 11; take"),
        (lambda data: data.rename({name: f"my_{name}" for name in data}), "lacks geopotential_250, .*; it has my_2m_t"),
        (lambda data: data.isel(hour=0, drop=True), "the dataset lacks hour; expected a climatology by hour and dayo"),
    ],
    ids=["grid", "hour", "std", "variable", "level", "day", "everything", "axis"],
)
def test_what_a_climatology_lacks_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, forecast: Path, seasons: xr.Dataset,
    spoil: Callable[[xr.Dataset], xr.Dataset], sentence: str,
) -> None:  # fmt: skip
    spoil(seasons).drop_encoding().to_zarr(tmp_path / "seasons.zarr", zarr_format=2, consolidated=True)
    words = [f"--variable={name}" for name in VARIABLES]
    place = ("--climatology", tmp_path / "seasons.zarr", "--out", tmp_path / "scores.nc", "--quiet")
    ended = sphercast(monkeypatch, "score", forecast, "sample", *place, *words)
    assert isinstance(ended, str)
    assert "\n" not in ended
    assert re.search(f"^sphercast: .*{sentence}", ended), ended
    assert not (tmp_path / "scores.nc").exists()


def test_the_file_of_a_sample_and_its_folder_score_as_the_sample(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, forecast: Path
) -> None:
    choices = {"sample": (), "file": ("--climatology", SAMPLE / "climatology.nc"), "folder": ("--climatology", SAMPLE)}
    scores = []
    for name, words in choices.items():
        truth = SAMPLE if name == "folder" else "sample"
        out = ("--variable", "2m_temperature", "--out", tmp_path / f"{name}.nc", "--quiet")
        assert sphercast(monkeypatch, "score", forecast, truth, *words, *out) in (0, None)
        scores.append(scores_of(tmp_path / f"{name}.nc").drop_attrs())
    assert "climatology" in scores[0]["model"].values
    xr.testing.assert_identical(scores[0], scores[1])
    xr.testing.assert_identical(scores[0], scores[2])
    assert len(Climatology.open(SAMPLE / "climatology.nc").channels) == 22


def test_states_are_no_climatology(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, forecast: Path) -> None:
    words = ("--climatology", SAMPLE / "states.nc", "--out", tmp_path / "scores.nc")
    ended = str(sphercast(monkeypatch, "score", forecast, "sample", *words))
    assert "states.nc holds no climatology; expected a training store, a sample, a climatology.nc, or Weath" in ended
