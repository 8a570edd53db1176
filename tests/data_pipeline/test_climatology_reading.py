"""Opening whatever holds a climatology."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from data_pipeline.building.build import build
from data_pipeline.climatology import Climatology
from data_pipeline.climatology_reading import open_climatology
from data_pipeline.config import Period
from data_pipeline.day_of_year import DayOfYearClimatology
from data_pipeline.errors import ConfigError, DataError
from data_pipeline.reading import find_climatology
from data_pipeline.sampling import write_sample
from data_pipeline.store import TrainingStore, open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from data_pipeline.config import DataConfig

DAY = np.array(["2001-01-02T06"], "datetime64[ns]")


def built(config: Callable[..., DataConfig], **changes: object) -> TrainingStore:
    return open_store(build(config(**changes), progress=False))


def test_both_of_a_store(config: Callable[..., DataConfig]) -> None:
    store = built(config, climatology={"window_days": 3, "quantiles": []})
    harmonic, hourly = open_climatology(store.path), open_climatology(store.path / "day_of_year")
    assert isinstance(harmonic, Climatology)
    assert isinstance(hourly, DayOfYearClimatology)
    np.testing.assert_array_equal(harmonic.mean, store.climatology.mean)
    expected = store.read(np.flatnonzero(store.times == DAY))[0]
    found = hourly.channels.stack(hourly.at(DAY)[0])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # of one year and a window of one day that weighs


def test_a_store_built_without_one(config: Callable[..., DataConfig]) -> None:
    store = built(config, climatology=None)
    expected = (
        r"store\.zarr was built without a climatology by hour and day of the year; give .*store\.zarr alone for its"
    )
    with pytest.raises(DataError, match=expected):
        open_climatology(store.path / "day_of_year")


def test_a_sample_in_its_folder_and_its_file(config: Callable[..., DataConfig], tmp_path: Path) -> None:
    store, folder = built(config, climatology=None), tmp_path / "sample"
    write_sample(store.path, [Period(start="2001-01-01", stop="2001-01-02")], folder, "two days")
    belongs = find_climatology(folder)
    assert belongs is not None
    for found in (belongs, open_climatology(folder), open_climatology(folder / "climatology.nc")):
        assert isinstance(found, Climatology)
        np.testing.assert_allclose(found.mean, store.climatology.mean, rtol=1e-4, atol=1e-5)


def test_what_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file or store: .*nowhere\.nc"):
        open_climatology(tmp_path / "nowhere.nc")
    with pytest.raises(ConfigError, match="the path of the data is empty"):
        open_climatology("")
