"""What a report says of what was looked at, and of what was not."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from data_pipeline.check import check_dataset, check_path, unreadable
from data_pipeline.errors import ConfigError, DataError
from data_pipeline.quality import CODES
from data_pipeline.quality.scope import DEFECT_KINDS
from tests.data_pipeline.defects import clean


def test_a_clean_report_says_what_was_looked_at() -> None:
    world = clean()[["temperature", "geopotential", "2m_temperature"]]
    report = check_dataset(world, sample=3)
    lines = report.table().splitlines()
    assert lines[0].startswith("checked the dataset: 32x64 grid (latitude ")
    assert lines[1] == "    temperature, geopotential at 500, 850 hPa; 2m_temperature"
    count = world.sizes["time"]
    period = f"{str(world['time'].values[0])[:13]} to {str(world['time'].values[-1])[:13]}"
    assert lines[2] == f"    {count} times, {period}, 6 looked at; {DEFECT_KINDS} kinds of defects looked for"
    checked = json.loads(report.to_json())["checked"]
    assert checked["variables"]["temperature"] == [500, 850]
    assert (checked["times"], checked["states"]) == (count, 6)


def test_one_time_is_one_time() -> None:
    assert ", all looked at" in check_dataset(clean().isel(time=0)).table()
    assert "    1 time, 2001-01-01T00, all looked at" in check_dataset(clean().isel(time=[0])).table()


def test_levels_without_values_are_not_said_to_be_checked() -> None:
    world = clean()
    world["temperature"].values[:, 0] = np.nan
    scope = check_dataset(world).scope
    assert scope is not None
    assert (scope.variables["temperature"], scope.variables["geopotential"]) == ([850], [500, 850])


def test_variables_that_are_not_known_are_named() -> None:
    world = clean()
    world = world.assign(
        ice_cream=world["2m_temperature"], foam=world["2m_temperature"], crs=0, time_bnds=(("time", "ends"), np.zeros(
            (world.sizes["time"], 2)))
    )  # fmt: skip
    world["time"].attrs["bounds"] = "time_bnds"
    (finding,) = check_dataset(world).findings
    assert (finding.code, finding.severity, finding.count) == ("variables-unknown", "info", 2)
    assert finding.message.startswith("not looked at: foam, ice_cream (no such names in the table of variables)")


def test_data_that_are_all_unknown_are_an_error_that_lists_them() -> None:
    (finding,) = check_dataset(xr.Dataset({"rain_of_frogs": ("x", [1])})).errors
    assert finding.code == "variable-missing"
    assert "they have rain_of_frogs; sphercast reads" in finding.message


def test_every_code_of_an_error_or_warning_is_a_kind_of_defect() -> None:
    assert len({code for code in CODES if CODES[code].severity != "info"}) == DEFECT_KINDS


def test_a_report_on_what_cannot_be_opened() -> None:
    (finding,) = unreadable(DataError("no such file")).errors
    assert (finding.code, finding.message) == ("unreadable", "no such file")


@pytest.mark.parametrize("path", ["", " "])
def test_an_empty_path_is_not_the_current_folder(path: str) -> None:
    with pytest.raises(
        ConfigError, match="the path of the data is empty, expected a store, file, folder, glob, URL or"
    ):
        check_path(path, progress=False)


def test_a_member_of_an_ensemble_is_checked(tmp_path) -> None:
    world = clean()[["2m_temperature"]]
    members = xr.concat([world, world.copy(deep=True)], xr.Variable("number", [4, 7]))
    members["2m_temperature"].values[1, 3] = np.nan
    members.to_netcdf(tmp_path / "members.nc", engine="netcdf4")
    assert not check_path(tmp_path / "members.nc", member=4, progress=False).errors
    assert check_path(tmp_path / "members.nc", member=7, progress=False).codes == {"nan-field"}
    (finding,) = check_path(tmp_path / "members.nc", progress=False).errors
    assert finding.code == "dims-unexpected"
    assert "is an ensemble of 2 members (4, 7), expected states; choose one with 'member'" in finding.message


def test_choices_that_do_not_exist_are_refused(tmp_path) -> None:
    clean()[["2m_temperature"]].to_netcdf(tmp_path / "world.nc", engine="netcdf4")
    with pytest.raises(DataError, match=r"world\.nc has no members to choose from, got member 1; leave it out"):
        check_path(tmp_path / "world.nc", member=1, progress=False)
    with pytest.raises(
        DataError, match=r"world\.nc is no GRIB with forecast steps to choose from, got step 6; leave it"
    ):
        check_path(tmp_path / "world.nc", step_hours=6, progress=False)
