"""Every defect is caught by its own code, clean data by none, and no code is without a defect."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline.building.build import build
from data_pipeline.canonical import canonicalise, check
from data_pipeline.check import check_dataset, check_path, spread_pairs
from data_pipeline.errors import DataError
from data_pipeline.quality import CODES, DefectError, Report
from data_pipeline.quality.labels import check_labels
from data_pipeline.shards import shard_path
from data_pipeline.store import open_store
from tests.data_pipeline.defects import DEFECTS, Defect, clean, clean_download


def grave(report: Report) -> set[str]:
    return {finding.code for finding in [*report.errors, *report.warnings]}


@pytest.mark.parametrize("world", [clean, clean_download])
def test_clean_data_have_no_error_and_no_warning(world) -> None:
    report = check_dataset(world())
    assert grave(report) == set(), report.table()


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS.keys())
def test_every_defect_is_caught_by_its_own_code(defect: Defect) -> None:
    report = check_dataset(defect.damage(clean()))
    assert defect.code in report.codes, report.table()
    assert grave(report) <= {defect.code} | defect.also, report.table()
    finding = next(finding for finding in report if finding.code == defect.code)
    assert finding.severity == CODES[defect.code].severity


def test_at_least_35_defects_that_cannot_be_repaired() -> None:
    assert sum(CODES[defect.code].severity == "error" for defect in DEFECTS.values()) >= 35


ELSEWHERE = {
    "accumulation-assumed", "dims-order", "levels-unsorted", "levels-missing", "source-changed", "time-unsorted",
    "unreadable",
}  # fmt: skip
"""Codes whose tests are below (or in test_gather): they need a file, an option, or data never made canonical."""


def test_every_code_is_provoked() -> None:
    assert {defect.code for defect in DEFECTS.values()} | ELSEWHERE == set(CODES)


def test_levels_that_are_wanted() -> None:
    report = check_dataset(clean(), levels=[500, 700, 850])
    assert grave(report) == {"levels-missing"}
    assert "levels [700] hPa are missing, the data have [500, 850]" in report.errors[0].message


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda world: world.isel(level=[1, 0]), "levels-unsorted"),
        (lambda world: world.transpose("latitude", ...), "dims-order"),
    ],
)
def test_what_only_data_that_are_not_canonical_have(damage, code: str) -> None:
    with pytest.raises(DefectError) as raised:
        check(damage(clean()))
    assert raised.value.code == code


def test_times_that_do_not_ascend() -> None:
    report = Report()
    check_labels(clean().isel(time=[0, 2, 1, 3]), report)
    assert grave(report) == {"time-unsorted"}


def test_a_damaged_chunk_is_placed_and_the_rest_is_checked(tmp_path) -> None:
    world = clean()[["2m_temperature", "mean_sea_level_pressure"]]
    world["mean_sea_level_pressure"].values[3] = np.nan
    world.chunk(time=1).to_zarr(tmp_path / "world.zarr", zarr_format=2, consolidated=True)
    (tmp_path / "world.zarr" / "2m_temperature" / "5.0.0").write_bytes(b"not a chunk")
    report = check_path(tmp_path / "world.zarr", progress=False)
    assert grave(report) == {"unreadable", "nan-field"}
    (unreadable,) = [finding for finding in report if finding.code == "unreadable"]
    assert (unreadable.variable, unreadable.time, unreadable.count) == ("2m_temperature", "2001-01-03T12", 1)


def test_a_truncated_file_is_no_data_at_all(tmp_path) -> None:
    clean().to_netcdf(tmp_path / "whole.nc", engine="netcdf4")
    (tmp_path / "half.nc").write_bytes((tmp_path / "whole.nc").read_bytes()[:2000])
    with pytest.raises(DataError, match=r"half\.nc"):
        check_path(tmp_path / "half.nc", progress=False)
    assert grave(check_path(tmp_path / "whole.nc", progress=False)) == set()


def test_nothing_there() -> None:
    with pytest.raises(DataError, match="no such file or store: /nowhere"):
        check_path("/nowhere", progress=False)


def test_other_variables_are_checked_where_one_cannot_be_read_at_all() -> None:
    world = clean()
    world["2m_temperature"].attrs["units"] = "furlong"
    world["mean_sea_level_pressure"].values[9] = np.nan
    assert grave(check_dataset(world)) == {"units-unknown", "nan-field"}


def test_a_sample_of_states_finds_what_is_everywhere_and_reads_little() -> None:
    world = clean()
    world["mean_sea_level_pressure"].values[5] = np.nan
    everywhere = world.assign({"2m_temperature": world["2m_temperature"].copy(data=world["2m_temperature"] - 273.15)})
    assert grave(check_dataset(everywhere, sample=3)) == {"units-contradicted"}


@pytest.mark.parametrize(("count", "pairs"), [(1, 4), (2, 4), (100, 3), (7, 50)])
def test_pairs_lie_inside(count: int, pairs: int) -> None:
    positions = spread_pairs(count, pairs)
    assert positions[0] == 0
    assert positions[-1] == count - 1
    assert np.all(np.diff(positions) > 0)


def test_interval_is_checked() -> None:
    assert grave(check_dataset(clean(), interval_hours=6)) == {"time-missing"}


def test_the_shipped_sample_is_clean_and_says_what_it_is() -> None:
    report = check_path("sample", progress=False)
    assert grave(report) == set(), report.table()
    assert report.table().startswith("checked sample: 32x64 grid")
    assert "100 times, 2001-01-01T00 to 2001-07-25T12, all looked at" in report.table()


@pytest.mark.parametrize("name", [
    "era5_msl_2p5deg_djf2025.zarr", "era5_vo850_2p5deg_djf2025.zarr", "era5_tl31_19590102T00.nc", "era5_z_t_1deg.nc",
])  # fmt: skip
def test_real_files_have_no_defect(real_data, name: str) -> None:
    report = check_path(real_data / name, progress=False)
    assert grave(report) == set(), report.table()


@pytest.mark.parametrize(("name", "options"), [
    ("era5_z_t_1deg.grib", {}), ("era5_eda_members_3deg.grib", {"member": 3}),
    ("ifs_forecast_10deg.grib", {"step_hours": 6}),
])  # fmt: skip
def test_real_grib_has_no_defect(real_data, name: str, options: dict[str, int]) -> None:
    pytest.importorskip("eccodes", reason="GRIB needs the extra 'grib'")
    report = check_path(real_data / name, progress=False, **options)
    assert grave(report) == set(), report.table()


def test_a_defect_of_grib_is_a_finding(monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> xr.Dataset:
        return canonicalise(xr.Dataset())

    monkeypatch.setattr("data_pipeline.check.unknown_in_grib", lambda _: [])
    monkeypatch.setattr("data_pipeline.check.GribSource.open", refuse)
    assert grave(check_path("made_up.grib", progress=False)) == {"variable-missing"}


def test_a_training_store(config) -> None:
    store = build(config(), progress=False)
    assert grave(check_path(store, progress=False)) == set()
    opened = open_store(store)
    shard_path(opened.path / "fields", 0).unlink()
    report = check_path(store, progress=False)
    assert [(finding.code, finding.variable, finding.count) for finding in report.errors] == [
        ("unreadable", "fields", opened.times.size)
    ]


def test_what_stands_against_every_variable_is_said_once() -> None:
    """Not also that there is no variable, with the list of those that could be."""
    world = clean()[["2m_temperature"]]
    world["2m_temperature"].attrs["units"] = "furlong"
    assert check_dataset(world).codes == {"units-unknown"}


def test_latitude_alone_in_radians() -> None:
    world = clean()
    report = check_dataset(world.assign_coords(latitude=np.deg2rad(world["latitude"])))
    assert grave(report) == {"grid-radians"}, report.table()
