"""The truth along time: every field is read once while there is room, and is the same without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.channels import Channel
from data_pipeline.errors import DataError
from evaluation import damped_persistence
from evaluation.climate import Season
from evaluation.derived import DerivedChannel
from evaluation.more_baselines import BASELINES, baselines
from evaluation.other_years import ClimatologyOfTruth
from evaluation.readers.fields import lazily
from evaluation.recent import Recent
from evaluation.record import Record
from evaluation.settings import Settings
from tests.evaluation.baseline_worlds import GRID, HEIGHT, TEMPERATURE, matches_of, times_from, truth_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evaluation.metrics.forms import Forecast
    from evaluation.pairs import Match

SPEED = DerivedChannel(
    "wind_speed", 500, (Channel("u_component_of_wind", 500), Channel("v_component_of_wind", 500))
)  # fmt: skip


class Counted:
    """A step of reading that keeps how many fields went through it."""

    def __init__(self) -> None:
        self.fields = 0

    def __call__(self, fields: np.ndarray) -> np.ndarray:
        self.fields += int(np.prod(fields.shape[:-2]))
        return fields


def watched(dataset: xr.Dataset) -> tuple[xr.Dataset, dict[str, Counted]]:
    """The same, read lazily, and what was read of each variable."""
    counts = {str(name): Counted() for name in dataset.data_vars}
    lazy = {name: lazily(dataset[name].variable, GRID.shape, [count]) for name, count in counts.items()}
    return xr.Dataset(lazy, dataset.coords), counts


def all_forecasts(truth: xr.Dataset, matches: list[Match]) -> Iterator[Forecast]:
    settings = Settings(analogs=5, climatology_members=20)
    climatology = ClimatologyOfTruth(truth)
    made = baselines(list(BASELINES), truth, climatology, matches, settings, Season(climatology, GRID))
    for match in matches:
        for baseline in made:
            yield baseline.forecast(match, np.zeros(GRID.shape))


def test_baselines_read_each_field_once_and_the_climatology_of_the_truth_once_more(
    years: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(damped_persistence, "MOST_STARTS", 10)
    matches = matches_of(["2002-02-01T00", "2002-02-02T00"], [12, 24], [TEMPERATURE, HEIGHT])
    lazy, counts = watched(years)
    found, expected = (list(all_forecasts(truth, matches)) for truth in (lazy, years))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.error, other.error)
    once_by_baselines, once_by_the_climatology = years.sizes["time"], years.sizes["time"]
    for name, count in counts.items():
        assert years.sizes["time"] / 4 < count.fields <= once_by_baselines + once_by_the_climatology, name


def test_without_room_the_fields_are_the_same(years: xr.Dataset) -> None:
    positions = np.array([4, 0, 4, 900, 1])
    lazy, counts = watched(years)
    for kept_bytes in (0, 4 * 32 * 2, 2**20):
        record = Record(lazy, kept_bytes=kept_bytes)
        for _ in range(2):
            found = record.fields(HEIGHT, positions)
            np.testing.assert_array_equal(found, years["geopotential"].sel(level=500).values[positions])
    assert counts["geopotential"].fields == 4 + 4 + (4 + 2) + 4


def test_what_was_asked_for_longest_ago_makes_room() -> None:
    recent = Recent(most_bytes=100)
    for number in range(4):
        recent.put(number, np.zeros(3))
    recent.get(0)
    recent.put(4, np.zeros(3))
    assert [number for number in range(5) if number in recent] == [0, 2, 3, 4]
    recent.put("large", np.zeros(13))
    assert "large" not in recent
    assert 0 in recent


def test_only_levels_that_are_asked_for_are_read_and_others_all() -> None:
    times, rng = times_from("2000-01-01", 5, 24), np.random.default_rng(0)
    dims, levels = ("time", "level", "latitude", "longitude"), [300, 500, 850]
    fields = {name: (dims, rng.standard_normal((5, 3, *GRID.shape))) for name in
              ("u_component_of_wind", "v_component_of_wind", "geopotential")}  # fmt: skip
    truth = truth_of(rng.standard_normal((5, *GRID.shape)), times).assign(fields).assign_coords(level=levels)
    lazy, counts = watched(truth)
    record = Record(lazy, [SPEED, Channel("geopotential", 850), Channel("geopotential", 500)])
    speed = record.field(SPEED, times[3])
    parts = (truth[part.variable_name].sel(level=500).values[3] for part in SPEED.sources)
    np.testing.assert_allclose(speed, np.hypot(*parts))
    np.testing.assert_array_equal(
        record.fields(Channel("geopotential", 850), np.array([1])), truth["geopotential"].values[[1], 2]
    )
    np.testing.assert_array_equal(record.field(TEMPERATURE, times[0]), truth["2m_temperature"].values[0])
    assert [record.levels(name) for name in truth.data_vars] == [[None], [500], [500], [500, 850]]
    assert [count.fields for count in counts.values()] == [1, 1, 1, 2]


def test_a_damaged_truth_is_named_with_its_variable_and_times(years: xr.Dataset) -> None:
    def broken(fields: np.ndarray) -> np.ndarray:
        raise OSError("no such block")

    lazy = xr.Dataset({"2m_temperature": lazily(years["2m_temperature"].variable, GRID.shape, [broken])}, years.coords)
    with pytest.raises(
        DataError, match="2m_temperature of 2000-01-01T00:00 to 2000-01-02T12:00 in the truth cannot be read"
    ):
        Record(lazy).fields(TEMPERATURE, np.array([0, 3]))
