"""The checks before the work: every defect is found, named and placed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.channels import Channels
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality import check_values
from tests.mock_world import mock_states, mock_times

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
