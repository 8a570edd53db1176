"""Of a store's two climatologies the one with quantiles is taken where a score needs them, and it is said."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from data_pipeline.building.build import build
from data_pipeline.climatology import Climatology
from data_pipeline.config import DataConfig
from data_pipeline.day_of_year import DayOfYearClimatology
from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from data_pipeline.reading import open_states
from evaluation.alignment import RegriddedClimatology
from evaluation.chosen_climatology import choose_climatology
from evaluation.climate import has_quantiles
from evaluation.other_years import ClimatologyOfTruth
from evaluation.question import Question
from evaluation.settings import Settings
from forecast.cli_score import score_app
from tests.mock_world import climate_data_store_layout, mock_states, mock_times

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.chosen_climatology import Chosen

NEEDY = Question(metrics=("crps", "climate_brier_score"), settings=Settings(climate_quantiles=(0.25, 0.75)))
SMOOTH = {"window_days": 3, "quantiles": [0.1, 0.5, 0.9], "quantile_every_days": 100, "quantile_half_window_days": 8}


@dataclass
class Stores:
    """Paths of a store with both climatologies, of one without quantiles, and of one without the second."""

    both: str
    without_quantiles: str
    harmonic: str


def lose(store: Path, part: str) -> None:
    """As if it had been built without a group or array."""
    shutil.rmtree(store / part)
    about = json.loads((store / "zarr.json").read_text())
    known = about["consolidated_metadata"]["metadata"]
    about["consolidated_metadata"]["metadata"] = {name: own for name, own in known.items() if not name.startswith(part)}
    (store / "zarr.json").write_text(json.dumps(about))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    folder, grid = tmp_path_factory.mktemp("stores"), Grid.equiangular(6, 12, poles=False)
    channels = {"2m_temperature": None, "temperature": (500,)}
    climate_data_store_layout(mock_states(grid, mock_times("2001-01-01", 12, 24), channels)).to_netcdf(folder / "s.nc")
    days = {"start": "2001-01-01", "stop": "2001-01-12"}
    config = DataConfig.model_validate({
        "sources": [{"kind": "files", "path": str(folder / "s.nc")}], "store": folder / "both",
        "variables": {"2m_temperature": None, "temperature": [500]}, "static": [], "interval_hours": 24,
        "grid": {"kind": "equiangular", "latitudes": 6, "longitudes": 12}, "climatology": SMOOTH,
        "period": days, "training_period": days,
    })  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)  # hundreds of small chunks
        build(config, progress=False)
    for name, lacks in (("bare", "day_of_year/quantiles"), ("harmonic", "day_of_year")):
        shutil.copytree(folder / "both", folder / name)
        lose(folder / name, lacks)
    return Stores(*(str(folder / name) for name in ("both", "bare", "harmonic")))


def chosen(truth: str, question: Question = NEEDY, asked: str | None = None) -> Chosen:
    return choose_climatology(asked, truth, open_states(truth), question)


def test_harmonics_unless_a_score_needs_quantiles(stores: Stores) -> None:
    usual = chosen(stores.both, Question())
    assert isinstance(usual.climatology, Climatology)
    assert (usual.path, usual.why) == (stores.both, "")
    for asked, truth in ((None, stores.both), (stores.both, stores.harmonic)):
        found = chosen(truth, asked=asked)
        assert isinstance(found.climatology, DayOfYearClimatology)
        assert (found.path, found.why) == (f"{stores.both}/day_of_year", "climate_brier_score needs quantiles")


def test_what_is_asked_for_and_has_them_is_taken_as_it_is(stores: Stores) -> None:
    folder = f"{stores.both}/day_of_year"
    assert chosen(stores.harmonic, asked=folder).path == folder
    assert chosen(stores.harmonic, Question(), folder).why == ""
    others = chosen(stores.harmonic, asked="truth")
    assert isinstance(others.climatology, ClimatologyOfTruth)
    assert others.path == "truth"


def test_what_must_be_built_is_said(stores: Stores, tmp_path: Path) -> None:
    head = "^climate_brier_score needs quantiles of the climatology, and"
    with pytest.raises(ScoreError, match=rf"{head} {stores.harmonic} was built without a section 'climatology' in its"):
        chosen(stores.harmonic)
    with pytest.raises(ScoreError, match=rf"{head} {stores.without_quantiles} was built without 'quantiles' in the"):
        chosen(stores.without_quantiles)
    with pytest.raises(ScoreError, match=rf"{head} sample has a climatology without them; build a store with a sect"):
        chosen("sample")
    path = tmp_path / "states.nc"
    open_states(stores.both).isel(time=slice(0, 4)).drop_encoding().to_netcdf(path, engine="netcdf4")
    with pytest.raises(ScoreError, match=rf"{head} {path} has no climatology; build .* or pass --climatology truth"):
        chosen(str(path))
    with pytest.raises(ScoreError, match=r"^seeps needs total_precipitation or .*, and got 2m_temperature; score one"):
        chosen("sample", Question(metrics=("seeps",), variables=("2m_temperature",)))
    nothing = chosen(str(path), Question())
    assert (nothing.climatology, nothing.path) == (None, "none")


def test_only_those_with_an_answer_have_quantiles(stores: Stores) -> None:
    both, bare = (chosen(stores.both, Question(), f"{path}/day_of_year").climatology
                  for path in (stores.both, stores.without_quantiles))  # fmt: skip
    harmonic = chosen(stores.both, Question()).climatology
    assert [has_quantiles(own) for own in (both, bare, harmonic, None)] == [True, False, False, False]
    grid = Grid.equiangular(6, 12, poles=False)
    assert [has_quantiles(RegriddedClimatology(own, grid)) for own in (both, bare)] == [True, False]


def test_the_command_says_which_was_used(stores: Stores, tmp_path: Path) -> None:
    states, path, out = open_states(stores.both).load(), tmp_path / "forecast.nc", tmp_path / "scores.nc"
    verifying = states.isel(time=slice(9, 11))
    forecast = xr.concat([verifying, verifying + 1], "realization").assign_coords(
        realization=[0, 1], forecast_reference_time=states["time"].values[8]
    )
    for name, field in states.data_vars.items():
        forecast[name].attrs = field.attrs
    forecast.drop_encoding().to_netcdf(path, engine="netcdf4")
    words = [str(path), stores.both, "--out", str(out), "--variable", "2m_temperature", "--quiet"]
    needy = ["--scores", "climate_brier_score,crps", "--set", "climate_quantiles=0.25,0.75"]
    day_of_year = f"{stores.both}/day_of_year"
    for options, used, said in ((needy, day_of_year, True), (["--scores", "crps"], stores.both, False)):
        ended = CliRunner().invoke(score_app, [*words, *options])
        assert ended.exit_code == 0, ended.exception
        note = f"sphercast: scored beside the climatology {day_of_year}, as climate_brier_score needs"
        assert (note in ended.stderr) == said
        with xr.open_dataset(out, engine="netcdf4", decode_timedelta=False) as scores:
            assert scores.attrs["climatology"] == used
            assert "valid times lie in the period" in scores.attrs["climatology_overlap"]
            assert np.isfinite(scores["crps_2m_temperature"]).all()
