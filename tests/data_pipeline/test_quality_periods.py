"""Separate periods that a file declares: gaps between them are in order, a time that lacks inside one is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.check import check_dataset
from data_pipeline.quality import Report
from data_pipeline.quality.labels import check_time_axis
from data_pipeline.quality.periods import SAMPLED_PERIODS, declared_periods, written_periods
from tests.data_pipeline.defects import clean
from tests.mock_world import mock_times

WEEKS = (mock_times("2001-01-01", 12), mock_times("2001-07-01", 20))
SPANS = [(week[0], week[-1]) for week in WEEKS]
TIMES = np.concatenate(WEEKS)


def found(times: np.ndarray) -> list[tuple[str, int]]:
    report = Report()
    check_time_axis(times, report, periods=SPANS)
    return [(finding.code, finding.count) for finding in report]


@given(st.lists(st.integers(0, 10**5), min_size=2, max_size=6, unique=True).filter(lambda hours: len(hours) % 2 == 0))
def test_what_is_written_is_declared(hours: list[int]) -> None:
    ends = np.datetime64("1990-01-01", "ns") + np.sort(hours).astype("timedelta64[h]")
    spans = list(zip(ends[::2], ends[1::2], strict=True))
    report = Report()
    assert declared_periods({SAMPLED_PERIODS: written_periods(reversed(spans))}, report) == spans
    assert not report.findings


def test_whole_periods_are_in_order() -> None:
    assert found(TIMES) == []


@pytest.mark.parametrize("lost", [0, 5, 11, 12, 31])
def test_a_time_that_lacks_at_an_end_or_inside_is_missing(lost: int) -> None:
    assert found(np.delete(TIMES, lost)) == [("time-missing", 1)]


def test_a_period_that_lacks_wholly_is_missing() -> None:
    assert found(WEEKS[0]) == [("time-missing", 20)]


def test_a_time_between_the_periods_is_none_of_theirs() -> None:
    assert found(np.sort(np.append(TIMES, np.datetime64("2001-03-01T00", "ns")))) == [("time-irregular", 1)]


@pytest.mark.parametrize("text", ["2001-01-05", "2001-01-05..", "2001-01-05..2001-01-01", "soon..later", "NaT..NaT"])
def test_a_declaration_that_cannot_be_read_is_a_finding(text: str) -> None:
    report = check_dataset(clean().assign_attrs({SAMPLED_PERIODS: text}))
    (finding,) = report.errors
    assert finding.code == "time-invalid"
    assert f"the attribute sampled_periods is '{text}', expected START..STOP" in finding.message
