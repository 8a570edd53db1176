"""Axes: every grid that is used passes, everything missing is counted and named."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.grid import Grid
from data_pipeline.quality import Report
from data_pipeline.quality.labels import check_globe, check_labels, check_time_axis
from tests.mock_world import mock_times


def globe(grid: Grid) -> xr.Dataset:
    return xr.Dataset(coords={name: list(values) for name, values in grid.coordinates.items()})


def found(dataset: xr.Dataset) -> Report:
    report = Report()
    check_globe(dataset, report)
    return report


@pytest.mark.parametrize("grid", [
    Grid.equiangular(32, 64, poles=False), Grid.equiangular(121, 240, poles=True),
    Grid.equiangular(721, 1440, poles=True), Grid.gaussian(32, 64), Grid.gaussian(160, 320), Grid.gaussian(4, 8),
], ids=str)  # fmt: skip
def test_grids_in_use_pass(grid: Grid) -> None:
    assert found(globe(grid)).findings == []


def test_rounded_labels_pass() -> None:
    grid = Grid.gaussian(64, 128)
    dataset = xr.Dataset(coords={name: np.round(values, 3) for name, values in grid.coordinates.items()})
    assert found(dataset).findings == []


@given(st.sampled_from([1, 3, 6, 12, 24]), st.integers(5, 60), st.data())
def test_missing_times_are_counted(hours: int, count: int, data: st.DataObject) -> None:
    times = mock_times("2000-02-27", count, hours)
    gone = data.draw(st.sets(st.integers(1, count - 2), min_size=1, max_size=3))
    report = Report()
    check_time_axis(np.delete(times, list(gone)), report, np.timedelta64(hours, "h"))
    assert [(finding.code, finding.count) for finding in report] == [("time-missing", len(gone))]
    assert report.findings[0].time == str(times[min(gone)])[:13]


@given(st.integers(5, 60), st.sampled_from([1, 6, 24]))
def test_the_usual_interval_is_found(count: int, hours: int) -> None:
    times = mock_times("2000-02-27", count, hours)
    report = Report()
    check_time_axis(np.delete(times, 2), report)
    assert report.codes == {"time-missing"}
    whole = Report()
    check_time_axis(times, whole)
    assert whole.findings == []


def test_one_time_is_in_order_and_none_is_not() -> None:
    report = Report()
    check_time_axis(mock_times("2000-01-01", 1), report)
    assert report.findings == []
    check_time_axis(mock_times("2000-01-01", 0), report, np.timedelta64(6, "h"))
    assert report.codes == {"time-missing"}


def test_numbers_are_no_times() -> None:
    report = Report()
    check_time_axis(np.arange(3), report)
    assert report.codes == {"time-invalid"}


def test_levels() -> None:
    dataset = globe(Grid.equiangular(4, 8, poles=True)).assign_coords(level=[500, 500, 850])
    report = Report()
    check_labels(dataset, report, levels=[500, 700, 1000])
    assert report.codes == {"levels-duplicate", "levels-missing"}
    assert [finding.count for finding in report] == [1, 2]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda d: d.isel(latitude=slice(1, None)), "latitude-cropped"),
        (lambda d: d.isel(latitude=slice(None, -1)), "latitude-cropped"),
        (lambda d: d.drop_isel(latitude=[9, 10]), "latitude-gap"),
        (lambda d: d.isel(longitude=slice(1, None)), "longitude-gap"),
        (lambda d: d.isel(longitude=slice(4, 30)), "longitude-gap"),
        (lambda d: d.assign_coords(latitude=np.linspace(90, -90, 33) - 0.3 * np.sin(np.pi * np.arange(33) / 4)),
         "grid-irregular"),
        (lambda d: d.assign_coords(longitude=[0.0, 0.0, *d["longitude"].values[2:]]), "grid-invalid"),
    ],
)  # fmt: skip
def test_a_globe_with_something_wrong(change, code: str) -> None:
    report = found(change(globe(Grid.equiangular(33, 64, poles=True))))
    assert report.codes == {code}
