"""The checks before the work: every defect is found, named and placed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.channels import Channels
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality import check_times, check_values
from tests.mock_world import mock_states, mock_times

SIX_HOURS = np.timedelta64(6, "h")


@given(st.integers(1, 200), st.sampled_from([1, 3, 6, 12, 24]))
def test_regular_times_pass(count: int, hours: int) -> None:
    check_times(mock_times("2000-02-27", count, hours), np.timedelta64(hours, "h"))


@given(st.integers(4, 50), st.data())
def test_every_missing_time_is_counted(count: int, data: st.DataObject) -> None:
    times = mock_times("2000-01-01", count)
    gone = data.draw(st.sets(st.integers(1, count - 2), min_size=1))
    with pytest.raises(DataError, match=f"^{len(gone)} of {count} times are missing at an interval of 6 h: 2000-01-"):
        check_times(np.delete(times, list(gone)), SIX_HOURS)


def test_the_missing_time_is_named() -> None:
    with pytest.raises(DataError, match="1 of 5 times are missing at an interval of 6 h: 2000-01-01T12; complete the"):
        check_times(np.delete(mock_times("2000-01-01", 5), 2), SIX_HOURS)
    with pytest.raises(DataError, match="2000-01-02T12 and 2 more; complete"):
        check_times(np.delete(mock_times("2000-01-01", 10), range(2, 9)), SIX_HOURS)


def test_repeated_times() -> None:
    times = mock_times("2000-01-01", 4)
    with pytest.raises(DataError, match="times occur twice: 2000-01-01T06; remove the copies"):
        check_times(times[[0, 1, 1, 2, 3]], SIX_HOURS)


def test_descending_times() -> None:
    with pytest.raises(DataError, match="times do not ascend after 2000-01-01T12; sort them"):
        check_times(mock_times("2000-01-01", 4)[[0, 2, 1, 3]], SIX_HOURS)


@pytest.mark.parametrize(("minutes", "shown"), [(30, "2000-01-01T06:30"), (60, "2000-01-01T07")])
def test_times_off_the_interval(minutes: int, shown: str) -> None:
    times = mock_times("2000-01-01", 4)
    extra = np.sort(np.append(times, times[1] + np.timedelta64(minutes, "m")))
    with pytest.raises(DataError, match=f"times off the interval of 6 h: {shown}; select every 6 h, or change it"):
        check_times(extra, SIX_HOURS)


def test_a_last_time_off_the_interval_is_not_called_missing() -> None:
    times = np.append(mock_times("2000-01-01", 3), np.datetime64("2000-01-01T15", "ns"))
    with pytest.raises(DataError, match="times off the interval of 6 h: 2000-01-01T15"):
        check_times(times, SIX_HOURS)


def test_finer_data_than_the_interval() -> None:
    with pytest.raises(DataError, match="times off the interval of 12 h: 2000-01-01T06, 2000-01-01T18"):
        check_times(mock_times("2000-01-01", 5), np.timedelta64(12, "h"))


CHANNELS = Channels.of({"temperature": [500, 850], "2m_temperature": None})
GRID = Grid.equiangular(4, 8, poles=False)


def fields():
    return CHANNELS.stack(mock_states(GRID, mock_times("2000-01-01", 2), CHANNELS.variables))


def test_sound_values_pass() -> None:
    check_values(fields(), CHANNELS)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_missing_values_are_counted_and_placed(bad: float) -> None:
    data = fields()
    data[1, 1, 2, 3] = data[1, 1, 3, 3] = bad
    place = "2000-01-01T06, -22.5N 135E"
    with pytest.raises(
        DataError, match=f"bad values: temperature_850 has 2 missing or infinite values, first at {place}; "
    ):
        check_values(data, CHANNELS)


def test_impossible_values_are_shown_with_their_range() -> None:
    data = fields()
    data[0, 2, 0, 0] = 400.0
    message = r"2m_temperature spans .*\.\.400 K, expected within 150\.\.350, first at 2000-01-01T00, 67.5N 0E; mend"
    with pytest.raises(DataError, match=message):
        check_values(data, CHANNELS)


def test_all_bad_channels_are_listed_at_once() -> None:
    data = fields()
    data[0, 0, 0, 0], data[0, 2, 0, 0] = np.nan, -1.0
    with pytest.raises(DataError, match=r"temperature_500 has 1 missing.*; 2m_temperature spans -1"):
        check_values(data, CHANNELS)


@given(st.sampled_from([0, 1, 2]), st.booleans())
def test_the_ends_of_the_range_are_inside(channel: int, low: bool) -> None:
    data = fields()
    ends = list(CHANNELS)[channel].variable.valid_range
    data[0, channel, 1, 1] = ends[0 if low else 1]
    check_values(data, CHANNELS)
