"""Training samples: which states, which forcings, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_pipeline.config import Period
from data_pipeline.dataset import StoreDataset
from data_pipeline.errors import DataError
from data_pipeline.forcings import forcings
from data_pipeline.store import open_store
from tests.data_pipeline.test_store import GRID, written
from tests.mock_world import mock_times

TIMES = mock_times("2000-01-01", 12)
DAY = np.timedelta64(24, "h")
HALF_DAY = np.timedelta64(12, "h")
ALL = Period(start="2000-01-01", stop="2000-01-03")


@pytest.fixture
def made(tmp_path):
    fields = written(tmp_path / "store.zarr", 12)
    return open_store(tmp_path / "store.zarr"), fields


def test_states_are_one_step_apart(made) -> None:
    store, fields = made
    dataset = StoreDataset(store, ALL, HALF_DAY)
    assert len(dataset) == 12 - 2 * 2
    sample = dataset.batch(torch.tensor([0, 7, 3]))
    for position, index in enumerate([0, 7, 3]):
        np.testing.assert_array_equal(sample.previous[position], fields[index])
        np.testing.assert_array_equal(sample.current[position], fields[index + 2])
        np.testing.assert_array_equal(sample.following[position], fields[index + 4])
        expected = forcings(TIMES[index + 4], HALF_DAY, GRID)
        np.testing.assert_array_equal(sample.forcings[position], expected)
    assert sample.current.dtype == sample.forcings.dtype == torch.float32


def test_the_period_chooses(made) -> None:
    store, fields = made
    dataset = StoreDataset(store, Period(start="2000-01-02", stop="2000-01-02T18"), np.timedelta64(6, "h"))
    assert len(dataset) == 2
    np.testing.assert_array_equal(dataset.batch(torch.tensor([1])).following[0], fields[7])


def test_a_short_period_is_refused(made) -> None:
    store, _ = made
    message = r"the period 2000-01-01\.\.2000-01-02 holds 8 states of .*, expected at least 9; choose a longer one"
    with pytest.raises(DataError, match=message):
        StoreDataset(store, Period(start="2000-01-01", stop="2000-01-02"), DAY)


@pytest.mark.parametrize("hours", [3, 9, 0])
def test_a_step_between_the_times_is_refused(made, hours: int) -> None:
    store, _ = made
    with pytest.raises(DataError, match=f"got steps of {hours} h, expected a multiple of the store's interval of 6 h"):
        StoreDataset(store, ALL, np.timedelta64(hours, "h"))
