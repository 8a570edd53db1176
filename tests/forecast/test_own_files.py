"""What is not sphercast's own is not replaced, and a name says what is in the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from data_pipeline.errors import SphercastError
from forecast.job import Job, run
from forecast.output import OutputConfig
from forecast.output.manifest import MANIFEST
from forecast.published import refuse_foreign, remove_unlisted
from tests.forecast.service.world import at, fake_forecast

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.forecaster import Forecaster
    from forecast.rollout import InitialState


def test_a_file_that_no_manifest_lists_is_not_replaced(tmp_path: Path) -> None:
    fake_forecast(at(0), tmp_path)
    refuse_foreign(tmp_path, ["forecast.nc", "new.nc"], "forecast")
    (tmp_path / "analyses.nc").touch()
    (tmp_path / "web.manifest.json").write_text('{"name": "not of a forecast"}')
    said = "analyses.nc is there, and no forecast.manifest.json beside it lists it as an older forecast's; give another"
    with pytest.raises(SphercastError, match=said):
        refuse_foreign(tmp_path, ["analyses.nc"], "forecast")


def test_a_file_of_a_forecast_of_another_name_is_not_replaced(tmp_path: Path) -> None:
    fake_forecast(at(0), tmp_path)
    (tmp_path / MANIFEST).rename(tmp_path / "other.manifest.json")
    with pytest.raises(SphercastError, match="lists it as an older forecast's; give another"):
        refuse_foreign(tmp_path, ["forecast.nc"], "forecast")
    refuse_foreign(tmp_path, ["forecast.nc"], "other")


def test_a_forecast_that_was_ended_while_it_was_published_is_our_own(tmp_path: Path) -> None:
    work = tmp_path / ".forecast.partial"
    fake_forecast(at(0), tmp_path)
    work.mkdir()
    (tmp_path / MANIFEST).rename(work / MANIFEST)
    refuse_foreign(tmp_path, ["forecast.nc"], "forecast")


def test_a_manifest_that_is_damaged_may_have_listed_it(tmp_path: Path) -> None:
    (tmp_path / "f.nc").touch()
    (tmp_path / "f.manifest.json").write_text("{")
    refuse_foreign(tmp_path, ["f.nc"], "f")


@pytest.mark.parametrize("name", ["forecast.nc", "forecast.zarr"])
def test_what_has_lost_its_manifest_is_removed_where_nobody_else_writes(
    tmp_path: Path, forecaster: Forecaster, initial: InitialState, name: str
) -> None:
    run(Job(initial, 2, 1), forecaster, tmp_path, [OutputConfig(name=name)], progress=False)
    (tmp_path / "foreign.nc").touch()
    names = [name, "foreign.nc", "nothing.nc"]
    remove_unlisted(tmp_path, names, "forecast")
    assert (tmp_path / name).exists(), "its manifest is there"
    (tmp_path / MANIFEST).unlink()
    remove_unlisted(tmp_path, names, "forecast")
    assert [path.name for path in tmp_path.iterdir()] == ["foreign.nc"]


def test_the_command_leaves_a_foreign_file_alone(fails: Callable[..., str], checkpoint: Path, states: Path) -> None:
    line = fails("forecast", checkpoint, "--data", states, "--days", 1, "--out", states)
    assert f"{states} is there, and " in line


def test_stations_from_a_pipe(fails: Callable[..., str], checkpoint: Path, tmp_path: Path) -> None:
    """They would be gone when the forecast goes on."""
    os.mkfifo(tmp_path / "stdin")
    line = fails("forecast", checkpoint, "--out", "f.nc", "--points", tmp_path / "stdin")
    assert "stdin, expected a file, which is read again when the forecast goes on; write the stations into one" in line


@pytest.mark.parametrize("name", ["p.txt", "p", "p.zarr"])
def test_products_are_netcdf(fails: Callable[..., str], name: str) -> None:
    line = fails("products", "f.nc", "--out", name)
    assert line == f"sphercast: got --out {name}, expected a name that ends in .nc, as products are NetCDF; rename it"
