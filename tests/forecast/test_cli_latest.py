"""``sphercast data latest``: a source tried by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import xarray as xr
from typer.testing import CliRunner, Result

from data_pipeline.errors import ConfigError, GoneError
from data_pipeline.grid import Grid
from forecast.cli import app
from tests.mock_world import mock_states, mock_times

if TYPE_CHECKING:
    from pathlib import Path

WORLD = mock_states(Grid.equiangular(8, 16, poles=False), mock_times("2001-01-01", 2), {"2m_temperature": None})


def latest(*words: object) -> Result:
    return CliRunner().invoke(app, ["data", "latest", *map(str, words)])


def test_from_a_folder_that_fills(tmp_path: Path) -> None:
    out, source = tmp_path / "out" / "states.nc", tmp_path / "in" / "a.nc"
    asked = ["folder", "--time", "2001-01-01T06", "--time", "2001-01-01T00", "--channel", "2m_temperature",
             "--set", f"path={source}", "--set", "quiet_seconds=0", "--out", out]  # fmt: skip
    done = latest(*asked)
    assert done.exit_code == 75
    assert "sphercast: not there yet: no such file or store" in done.stderr
    assert not out.exists()
    source.parent.mkdir()
    WORLD.to_netcdf(source, engine="netcdf4")
    done = latest(*asked)
    assert (done.exit_code, done.stdout) == (0, f"fetched: {out}\n")
    with xr.open_dataset(out, engine="netcdf4") as written:
        xr.testing.assert_allclose(written, WORLD)
    assert [file.name for file in out.parent.iterdir()] == ["states.nc"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gafs"], "no source of kind 'gafs', expected one of: arco_era5, ecmwf_open_data, folder, gefs, gfs"),
        (["gfs", "--set", "0p50"], "got the option '0p50', expected KEY=VALUE as in model=aifs-single"),
        (["gfs", "--set", "resolution=2p50"], "source gfs: resolution: Input should be '0p25', '0p50' or '1p00'; mend"),
        (["gefs", "--set", "color=red"], "source gefs: color: Extra inputs are not permitted"),
    ],
)
def test_options_that_are_wrong(tmp_path: Path, words: list[str], message: str) -> None:
    done = latest(*words, "--time", "2001-01-01", "--channel", "2m_temperature", "--out", tmp_path / "a.nc")
    assert isinstance(done.exception, ConfigError)
    assert message in str(done.exception)


def test_what_is_gone_is_no_reason_to_try_again(tmp_path: Path) -> None:
    done = latest("gfs", "--set", "mirrors=http://127.0.0.1:9,http://127.0.0.1:10", "--time", "2001-01-01",
                  "--channel", "2m_temperature", "--out", tmp_path / "a.nc")  # fmt: skip
    assert isinstance(done.exception, GoneError)
    assert "is there as it is now since 2021-03-23T00, got 2001-01-01T00" in str(done.exception)
