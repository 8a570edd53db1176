"""``sphercast data check|info|regrid``: what they print where, and their exit codes."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from data_pipeline.errors import ConfigError, DataError
from data_pipeline.grid import Grid
from forecast.cli import app
from tests.mock_world import mock_states, mock_times

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr


@pytest.fixture
def states() -> xr.Dataset:
    return mock_states(Grid.equiangular(8, 16, poles=False), mock_times("2001-01-01", 4), {"2m_temperature": None})


@pytest.fixture
def file(states: xr.Dataset, tmp_path: Path) -> Path:
    """With a variable that nobody knows."""
    states.assign(foam=states["2m_temperature"]).to_netcdf(tmp_path / "states.nc", engine="netcdf4")
    return tmp_path / "states.nc"


def data(*words: object) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, words)])


def test_what_cannot_be_opened_is_json_where_json_is_asked_for(tmp_path: Path) -> None:
    done = data("check", "/nowhere", "--json", "--out", tmp_path / "report.json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert (report["errors"], report["findings"][0]["code"]) == (1, "unreadable")
    assert json.loads((tmp_path / "report.json").read_text()) == report


def test_what_cannot_be_opened_is_one_sentence_otherwise(tmp_path: Path) -> None:
    done = data("check", "/nowhere", "--out", tmp_path / "report.json")
    assert isinstance(done.exception, DataError)
    assert done.stdout == ""
    assert json.loads((tmp_path / "report.json").read_text())["errors"] == 1


def test_check_says_what_it_looked_at(file: Path) -> None:
    done = data("check", file, "--quiet")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"checked {file}: 8x16 grid")
    assert "not looked at: foam" in done.stdout


def test_regrid_says_what_it_leaves_out(file: Path, tmp_path: Path) -> None:
    done = data("regrid", file, "--to", "gaussian:4x8", "--out", tmp_path / "out.nc", "--quiet")
    assert done.stderr == "sphercast: left out, as sphercast does not know them: foam\n"
    assert done.stdout == f"regridded: {tmp_path / 'out.nc'}\n"


def test_info_lists_what_is_not_known(file: Path) -> None:
    assert "not known to sphercast: foam" in data("info", file).stdout


@pytest.mark.parametrize(("words", "level"), [(["--quiet"], logging.ERROR), ([], logging.NOTSET)])
def test_quiet_silences_what_requests_say(file: Path, words: list[str], level: int) -> None:
    data("check", file, *words)
    assert logging.getLogger("data_pipeline").level == level
    logging.getLogger("data_pipeline").setLevel(logging.NOTSET)


@pytest.mark.parametrize("option", ["--member", "--step-hours"])
def test_negative_choices_are_refused_whatever_the_data_are(option: str) -> None:
    done = data("check", "/nowhere.grib", option, -1)
    assert done.exit_code == 2
    assert "greater than or equal to 0" in done.stderr


def test_a_sample_does_not_go_into_the_current_folder_by_an_empty_name() -> None:
    done = data("sample", "store.zarr", "--period", "2001..2002", "--out", "")
    assert isinstance(done.exception, ConfigError)
    assert "'--out' is empty, expected a folder" in str(done.exception)
