"""The annual cycle: given harmonics are recovered, short records give their mean, files round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.canonical import check
from data_pipeline.channels import Channels
from data_pipeline.climatology import TROPICAL_YEAR, Climatology, fit_climatology
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from tests.mock_world import mock_times

if TYPE_CHECKING:
    from collections.abc import Iterator

GRID = Grid.equiangular(2, 4, poles=False)
CHANNELS = Channels.of({"2m_temperature": None, "temperature": [500, 850]})
SHAPE = (len(CHANNELS), *GRID.shape)


def phase(times: np.ndarray) -> np.ndarray:
    return 2 * np.pi * ((times - np.datetime64("2000-01-01", "ns")) / TROPICAL_YEAR)


def harmonics(coefficients: np.ndarray, times: np.ndarray) -> np.ndarray:
    """[1, cos p, sin p, cos 2p, ...] written out."""
    p = phase(times)[:, None, None, None]
    total = np.broadcast_to(coefficients[0], (len(times), *SHAPE)).copy()
    for order in range(1, len(coefficients) // 2 + 1):
        total += coefficients[2 * order - 1] * np.cos(order * p) + coefficients[2 * order] * np.sin(order * p)
    return total


class Record:
    """Slabs of a record; counts the passes and what was read."""

    def __init__(self, times: np.ndarray, fields: np.ndarray, size: int = 100) -> None:
        self.times, self.fields, self.size, self.passes = times, fields, size, 0

    def __call__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        self.passes += 1
        for start in range(0, len(self.times), self.size):
            part = slice(start, start + self.size)
            yield self.times[part], self.fields[part]


def fit(times: np.ndarray, fields: np.ndarray, size: int = 100) -> Climatology:
    return fit_climatology(Record(times, fields, size), CHANNELS, GRID)


def test_given_harmonics_are_recovered() -> None:
    times = mock_times("2001-01-01", 4 * 365 * 2, 6)
    coefficients = np.random.default_rng(0).standard_normal((7, *SHAPE)) * 10
    fitted = fit(times, harmonics(coefficients, times))
    np.testing.assert_allclose(fitted.mean, coefficients, atol=1e-9)
    np.testing.assert_allclose(fitted.variance, 0, atol=1e-12)


def test_a_seasonal_variance_is_recovered() -> None:
    times = mock_times("2001-01-01", 8 * 365, 6)
    signs = np.where(np.arange(len(times)) % 2, 1.0, -1.0)[:, None, None, None]
    variance = np.stack([np.full(SHAPE, 4.0), np.full(SHAPE, 1.5), np.full(SHAPE, -0.5)])
    fields = 280 + signs * np.sqrt(harmonics(variance, times))
    fitted = fit(times, fields)
    np.testing.assert_allclose(fitted.variance, variance, rtol=0.01, atol=0.01)
    mean, std = fitted.at(times[:10])
    np.testing.assert_allclose(std["2m_temperature"], np.sqrt(harmonics(variance, times[:10]))[:, 0], rtol=0.01)
    np.testing.assert_allclose(mean["temperature"], 280, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 7, 64, 5000])
def test_any_slabs_give_the_same_fit_in_two_passes(size: int) -> None:
    times = mock_times("2001-01-01", 400, 24)
    fields = np.random.default_rng(1).standard_normal((400, *SHAPE)).astype(np.float32)
    record = Record(times, fields, size)
    fitted = fit_climatology(record, CHANNELS, GRID)
    assert record.passes == 2
    whole = fit(times, fields, 400)
    np.testing.assert_allclose(fitted.mean, whole.mean, atol=1e-10)
    np.testing.assert_allclose(fitted.variance, whole.variance, atol=1e-10)


def test_a_short_record_gives_its_mean_and_variance_at_any_time() -> None:
    times = mock_times("2001-01-01", 359, 24)
    fields = 300 + np.random.default_rng(2).standard_normal((359, *SHAPE))
    fitted = fit(times, fields)
    assert fitted.mean.shape[0] == fitted.variance.shape[0] == 1
    mean, std = fitted.at(mock_times("2030-07-01", 2))
    np.testing.assert_allclose(mean["2m_temperature"][1], fields[:, 0].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std["2m_temperature"][1], fields[:, 0].std(axis=0), rtol=1e-6)


def test_a_whole_year_has_seasons() -> None:
    times = mock_times("2001-01-01", 361, 24)
    assert fit(times, np.zeros((361, *SHAPE))).mean.shape[0] == 7


def test_what_it_gives_is_canonical() -> None:
    fitted = fit(mock_times("2001-01-01", 10), 280 + np.zeros((10, *SHAPE)))
    for dataset in fitted.at(mock_times("2001-01-01", 3)):
        check(dataset)
        assert dataset["temperature"].dims == ("time", "level", "latitude", "longitude")
        assert dataset["temperature"].dtype == np.float32


def test_the_standard_deviation_never_vanishes_with_the_season() -> None:
    variance = np.stack([np.full(SHAPE, 4.0), np.full(SHAPE, -5.0), np.zeros(SHAPE)])
    climatology = Climatology(CHANNELS, GRID, np.zeros((1, *SHAPE)), variance)
    _, std = climatology.at(np.array(["2000-01-01"], dtype="datetime64[ns]"))
    np.testing.assert_allclose(std["2m_temperature"], np.sqrt(0.4), rtol=1e-6)


def test_the_cycle_has_the_length_of_the_year() -> None:
    coefficients = np.random.default_rng(3).standard_normal((7, *SHAPE))
    climatology = Climatology(CHANNELS, GRID, coefficients, np.ones((1, *SHAPE)))
    now = np.array(["2001-05-05"], dtype="datetime64[ns]")
    xr.testing.assert_allclose(
        climatology.at(now)[0].drop_vars("time"), climatology.at(now + TROPICAL_YEAR)[0].drop_vars("time"), atol=1e-5
    )


def test_round_trip_through_a_file(tmp_path) -> None:
    rng = np.random.default_rng(4)
    climatology = Climatology(CHANNELS, GRID, rng.standard_normal((7, *SHAPE)), rng.uniform(1, 2, (3, *SHAPE)))
    climatology.to_dataset().to_netcdf(tmp_path / "climatology.nc")
    back = Climatology.open(tmp_path / "climatology.nc")
    assert (back.channels, back.grid) == (CHANNELS, GRID)
    np.testing.assert_array_equal(back.mean, climatology.mean)
    np.testing.assert_array_equal(back.variance, climatology.variance)


def test_another_dataset_is_refused() -> None:
    with pytest.raises(DataError, match=r"not a climatology: it holds \['rain'\], expected mean and variance"):
        Climatology.from_dataset(xr.Dataset({"rain": 1}))


def test_an_empty_record_is_refused() -> None:
    with pytest.raises(DataError, match="no times to fit a climatology to, expected at least one"):
        fit_climatology(lambda: iter(()), CHANNELS, GRID)


def test_too_few_days_of_the_year_are_refused() -> None:
    times = np.datetime64("2001-01-01", "ns") + np.arange(9) * np.timedelta64(4383, "h")  # twice a year
    with pytest.raises(DataError, match="the times fall on too few days of the year for 7 harmonics"):
        fit(times, np.zeros((9, *SHAPE)))


@pytest.mark.parametrize("size", [100, 1_000_000])
def test_missing_values_are_left_out_where_they_are(size: int) -> None:
    times = mock_times("2001-01-01", 2 * 365 * 2, 12)
    rng = np.random.default_rng(1)
    coefficients = rng.standard_normal((7, *SHAPE)) * 10
    fields = harmonics(coefficients, times)
    fields[:, 1, 0, 1] = np.nan  # land
    fields[rng.random(len(times)) < 0.3, 1, 1] = np.nan  # ice comes and goes
    fields[5:, 2, 1, 3] = np.nan  # too few values for seven coefficients
    fitted = fit(times, fields, size)
    known = np.ones(SHAPE, bool)
    known[1, 0, 1] = known[2, 1, 3] = False
    np.testing.assert_allclose(fitted.mean[:, known], coefficients[:, known], atol=1e-8)
    np.testing.assert_allclose(fitted.variance[:, known], 0, atol=1e-10)
    assert np.isnan(fitted.mean[:, ~known]).all()
    noisy = np.where(np.isnan(fields), np.nan, fields + rng.standard_normal(fields.shape))
    column = ~np.isnan(noisy[:, 1, 1, 2])
    p = phase(times[column])
    basis = np.stack([np.ones_like(p), *(f(k * p) for k in (1, 2, 3) for f in (np.cos, np.sin))], axis=1)
    expected = np.linalg.lstsq(basis, noisy[column, 1, 1, 2], rcond=None)[0]
    np.testing.assert_allclose(fit(times, noisy, size).mean[:, 1, 1, 2], expected, rtol=1e-9)


def test_one_of_some_variables_says_the_same_of_them() -> None:
    times = mock_times("2001-01-01", 400 * 2, 12)
    whole = fit(times, np.random.default_rng(5).standard_normal((len(times), *SHAPE)))
    own = whole.select({"temperature"})
    assert own.channels.names == ["temperature_500", "temperature_850"]
    for found, expected in zip(own.at(times[:2]), whole.at(times[:2]), strict=True):
        xr.testing.assert_identical(found, expected[["temperature"]])
    assert whole.select({"not_there"}).channels == whole.channels
