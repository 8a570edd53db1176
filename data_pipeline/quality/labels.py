"""Checks of the labels of canonical data: the time axis, the globe, the levels. No field is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.grid import CIRCLE, POLE, Grid
from data_pipeline.quality.places import listed_times
from data_pipeline.times import HOUR, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.quality.findings import Report

    Times = NDArray[np.datetime64]
    Floats = NDArray[np.float64]
    Span = tuple[np.datetime64, np.datetime64]

_GAP = 1.5
"""Spacings beyond which something is missing between two rows or columns."""
_NEAR_POLE_RADIANS = 1.2
"""Of the outermost rows, 69 degrees: beyond the rows of a strip of the tropics in degrees, whose columns reach 360."""
_REGULAR = 0.01
"""Share of the spacing by which rows or columns may be off: labels are rounded, at worst to 0.01 degrees."""
_NO_TIME = np.timedelta64(0)


def check_labels(
    dataset: xr.Dataset, report: Report, *, interval: np.timedelta64 | None = None,
    levels: Collection[int] | None = None, periods: Sequence[Span] = (),
) -> None:  # fmt: skip
    """Check the axes of a canonical dataset, and add what is wrong with them to the report.

    Parameters
    ----------
    dataset
        Canonical in its dimension names; its labels may be anything.
    report
        Where findings go.
    interval
        Between two times; by default the one that occurs most.
    levels
        Levels in hPa that must be there; by default any.
    periods
        First and last times of separate periods, where the data declare them; by default all is one period.
    """
    if "time" in dataset.dims:
        check_time_axis(dataset["time"].values, report, interval, periods)
    check_globe(dataset, report)
    held = dataset["level"].values.tolist() if "level" in dataset.dims else []
    _check_levels(held, levels or (), report)


def check_time_axis(
    times: Times, report: Report, interval: np.timedelta64 | None = None, periods: Sequence[Span] = ()
) -> None:
    """Duplicate, unsorted, missing, irregular and broken times; ``interval`` is by default the one that occurs most.

    Each of the separate ``periods`` (first and last time) must be complete, by default one from the first time to the
    last; between them nothing is expected.
    """
    if times.dtype.kind != "M" or np.isnat(times).any():
        report.add("time-invalid", f"times are {times.dtype} with gaps or no dates, expected dates; label them again")
        return
    if not times.size:
        report.add("time-missing", "the time axis is empty, expected at least one time; complete the source", count=0)
        return
    steps = np.diff(times)
    _add_times(report, "time-duplicate", "times occur twice", "remove the copies", times[1:][steps == _NO_TIME])
    _add_times(report, "time-unsorted", "times do not ascend after", "sort them", times[:-1][steps < _NO_TIME])
    broken = times[(times - times.astype("datetime64[h]")) != _NO_TIME]
    _add_times(report, "time-not-whole-hours", "times are not whole hours", "select or relabel whole hours", broken)
    times = np.unique(times)
    interval = interval or _usual(np.diff(times))
    if interval is not None:
        _check_regular(times, interval, periods or [(times[0], times[-1])], report)


def _check_regular(times: Times, interval: np.timedelta64, periods: Sequence[Span], report: Report) -> None:
    instant = np.timedelta64(1, "ns")
    expected = np.unique(np.concatenate([np.arange(first, last + instant, interval) for first, last in periods]))
    hours = f"{interval / HOUR:g} h"
    missing = np.setdiff1d(expected, times)
    message = f"of {expected.size} times at an interval of {hours} are missing"
    _add_times(report, "time-missing", message, "complete the source, or choose a period without the gap", missing)
    extra = np.setdiff1d(times, expected)
    message = f"times are off the interval of {hours}{' or outside the periods that are declared' * (len(periods) > 1)}"
    _add_times(report, "time-irregular", message, "select regular ones, or give another interval", extra)


def _usual(steps: NDArray[np.timedelta64]) -> np.timedelta64 | None:
    """The step that occurs most, the shortest such; none where there is no step."""
    if steps.size == 0:
        return None
    values, counts = np.unique(steps, return_counts=True)
    return np.timedelta64(values[np.argmax(counts)])


def _add_times(report: Report, code: str, what: str, remedy: str, times: Times) -> None:
    if times.size:
        message = f"{times.size} {what}: {listed_times(times)}; {remedy}"
        report.add(code, message, time=shown(times[0]), count=int(times.size))


def check_globe(dataset: xr.Dataset, report: Report) -> None:
    """Whether the grid is one, in degrees, covers the globe, and is regular or Gaussian."""
    try:
        grid = Grid.of(dataset)
    except DataError as error:
        report.add("grid-invalid", str(error))
        return
    latitude, longitude = np.asarray(grid.latitude), np.asarray(grid.longitude)
    from_pole_to_pole = latitude[0] > _NEAR_POLE_RADIANS and latitude[-1] < -_NEAR_POLE_RADIANS
    if np.abs(latitude).max() <= np.pi / 2 and (longitude.max() <= 2 * np.pi or from_pole_to_pole):
        report.add("grid-radians", f"{grid} looks as if it were in radians, expected degrees; convert the coordinates")
        return
    _check_latitude(grid, latitude, report)
    _check_longitude(longitude, report)


def _check_latitude(grid: Grid, latitude: Floats, report: Report) -> None:
    if not grid.reaches_poles:
        message = f"latitudes end at {latitude[0]:g} and {latitude[-1]:g}, expected both poles; take the whole globe"
        report.add("latitude-cropped", message, location=f"{latitude[0]:g}N")
    spacing = -np.diff(latitude)
    usual = float(np.median(spacing))
    gaps = np.flatnonzero(spacing > _GAP * usual)
    if gaps.size:
        north, south = latitude[gaps[0]], latitude[gaps[0] + 1]
        message = f"no row between {north:g} and {south:g}, expected one every {usual:g} degrees; complete the source"
        report.add("latitude-gap", message, location=f"{south:g}N", count=int(gaps.size))
    elif not _is_even(spacing) and not _is_gaussian(latitude):
        _add_irregular("rows", spacing, report)


def _check_longitude(longitude: Floats, report: Report) -> None:
    spacing = np.diff([*longitude, longitude[0] + CIRCLE])
    usual = float(np.median(spacing))
    gaps = np.flatnonzero(spacing > _GAP * usual)
    if gaps.size:
        west, east = longitude[gaps[0]], (longitude[gaps[0]] + spacing[gaps[0]]) % CIRCLE
        message = f"no column between {west:g} and {east:g}, expected one every {usual:g} degrees; complete the source"
        report.add("longitude-gap", message, location=f"{west:g}E", count=int(gaps.size))
    elif not _is_even(spacing):
        _add_irregular("columns", spacing, report)


def _add_irregular(what: str, spacing: Floats, report: Report) -> None:
    message = f"the spacing of {what} varies from {spacing.min():g} to {spacing.max():g} degrees, expected a regular "
    report.add("grid-irregular", message + "or Gaussian grid; check the coordinates", variable=what)


def _is_even(spacing: Floats) -> bool:
    return bool(np.ptp(spacing) <= 2 * _REGULAR * np.median(spacing))


def _is_gaussian(latitude: Floats) -> bool:
    roots = np.polynomial.legendre.leggauss(latitude.size)[0]
    expected = np.rad2deg(np.arcsin(roots[::-1]))
    return bool(np.abs(latitude - expected).max() <= _REGULAR * 2 * POLE / latitude.size)


def _check_levels(held: list[int], wanted: Collection[int], report: Report) -> None:
    repeated = sorted({level for level in held if held.count(level) > 1})
    if repeated:
        message = f"levels {repeated} hPa occur twice, expected each once; remove the copies"
        report.add("levels-duplicate", message, count=len(repeated))
    missing = sorted(set(wanted) - set(held))
    if missing:
        message = f"levels {missing} hPa are missing, the data have {held}; choose other levels or complete the source"
        report.add("levels-missing", message, count=len(missing))
