"""Fitting the climatology by hour and day of the year: against every sample stacked, and closed forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr
from pydantic import ValidationError

from data_pipeline.day_of_year import ClimatologyConfig
from data_pipeline.day_of_year_fit import climatology_bytes, quantile_days, write_day_of_year
from data_pipeline.errors import DataError
from tests.data_pipeline.day_of_year_cases import SHAPE, YEARS, Record, fit, weather
from tests.mock_world import mock_times

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def three_years() -> zarr.Group:
    return fit(weather(YEARS), quantiles=(0.25, 0.75))


def stacked(record: Record, hour: int) -> np.ndarray:
    """(year, day of year, ...), day 366 of common years filled with day 365."""
    years = np.arange(2003, 2006)
    samples = np.full((len(years), 366, *SHAPE), np.nan)
    for time, state in zip(record.times, record.fields, strict=True):
        year = time.astype("datetime64[Y]").astype(int) + 1970
        day = (time.astype("datetime64[D]") - np.datetime64(f"{year}-01-01")).astype(int)
        if (time - time.astype("datetime64[D]")) / np.timedelta64(1, "h") == hour:
            samples[year - 2003, day] = state
    samples[[0, 2], 365] = samples[[0, 2], 364]
    return samples


def weighted(samples: np.ndarray, day: int, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation around a day with explicit weights."""
    half = window // 2
    rows = np.arange(day - 1 - half, day + half) % 366
    weights = np.concatenate([np.linspace(0, 1, half + 1), np.linspace(1, 0, half + 1)[1:]])
    values = samples[:, rows]
    weights = np.where(np.isnan(values), 0.0, weights[:, None, None, None])
    total = weights.sum(axis=(0, 1))
    with np.errstate(invalid="ignore"):
        mean = (np.nan_to_num(values) * weights).sum(axis=(0, 1)) / total
        return mean, np.sqrt((np.nan_to_num(values - mean) ** 2 * weights).sum(axis=(0, 1)) / total)


@pytest.mark.parametrize("window", [3, 61, 365])
def test_equals_all_samples_stacked_with_explicit_weights(window: int, three_years: zarr.Group) -> None:
    record = weather(YEARS)
    group = three_years if window == 61 else fit(record, window_days=window)
    means, stds = group["mean"][:], group["std"][:]
    assert means.shape == stds.shape == (2, 366, *SHAPE)
    for position, hour in enumerate((0, 12)):
        samples = stacked(record, hour)
        for day in (1, 2, 30, 59, 60, 61, 200, 340, 364, 365, 366):
            mean, std = weighted(samples, day, window)
            np.testing.assert_allclose(means[position, day - 1], mean, rtol=1e-6, err_msg=str(day))
            np.testing.assert_allclose(stds[position, day - 1], std, rtol=1e-5, err_msg=str(day))


def test_a_window_of_one_day_that_weighs_keeps_day_366_to_leap_years_and_the_ends_of_common_ones() -> None:
    record = weather(YEARS[::2])
    last = [364, 365 + 365, 365 + 366 + 364]  # 31 December
    kept = record.fields[last][:, :2]
    np.testing.assert_allclose(fit(record, window_days=3)["mean"][0, 365, :2], np.nanmean(kept, axis=0), rtol=1e-6)


def test_a_constant_has_no_spread() -> None:
    group = fit(Record(YEARS[::2], np.full((len(YEARS[::2]), *SHAPE), 5.4e5)), quantiles=(0.1, 0.9))
    assert np.all(group["mean"][:] == np.float32(5.4e5))
    assert np.all(group["std"][:] == 0)
    assert np.all(group["quantiles"][:] == np.float32(5.4e5))


def test_a_harmonic_of_the_days_is_damped_as_the_window_says() -> None:
    """The triangle passes a wave of the 366 days with the square of the Dirichlet kernel; every day alike otherwise."""
    leap = mock_times("2004-01-01", 366, 24)
    wave = 2 * np.pi * np.arange(366) / 366
    half = 30
    gain = (np.sin(half * wave[1] / 2) / (half * np.sin(wave[1] / 2))) ** 2
    group = fit(Record(leap, 280 + 20 * np.cos(wave)[:, None, None, None] * np.ones(SHAPE)))
    np.testing.assert_allclose(group["mean"][0, :, 0, 0, 0], 280 + 20 * gain * np.cos(wave), atol=2e-5)
    second = (np.sin(half * wave[1]) / (half * np.sin(wave[1]))) ** 2
    variance = 200 * (1 + second * np.cos(2 * wave)) - (20 * gain * np.cos(wave)) ** 2
    np.testing.assert_allclose(group["std"][0, :, 0, 0, 0], np.sqrt(variance), atol=2e-4)


@pytest.mark.parametrize("half", [0, 3, 15])
def test_quantiles_are_those_of_all_states_nearby(half: int) -> None:
    record = weather(YEARS)
    levels = (0.01, 0.1, 0.5, 0.9, 0.95)
    group = fit(record, quantiles=levels, quantile_half_window_days=half)
    days = group["dayofyear_of_quantiles"][:]
    np.testing.assert_array_equal(days, np.arange(1, 367, 15))
    of_year = (YEARS.astype("datetime64[D]") - YEARS.astype("datetime64[Y]").astype("datetime64[D]")).astype(int) + 1
    for position, hour in enumerate((0, 12)):
        for number in (0, 4, 12, 24):
            ahead = np.abs(of_year - days[number])
            near = (np.minimum(ahead, 366 - ahead) <= half) & ((YEARS.astype("datetime64[h]").astype(int) % 24) == hour)
            sample = record.fields[near].astype(np.float64)
            sea = ~np.isnan(sample).all(axis=0)
            got = group["quantiles"][:, position, number]
            np.testing.assert_allclose(got[:, sea], np.nanquantile(sample[:, sea], levels, axis=0), rtol=3e-7)
            assert np.isnan(got[:, ~sea]).all()


def test_each_state_is_read_once_but_for_the_ends_of_the_year() -> None:
    daily = YEARS[::2]
    record = weather(daily)
    fit(record)
    day = (daily - daily.astype("datetime64[Y]")) // np.timedelta64(1, "D") + 1
    assert np.all(record.reads[(day > 40) & (day < 330)] == 1)
    assert record.reads.max() == 4  # the last day of a common year, as days 365 and 366
    assert record.reads.mean() < 1.17  # 58 of 366 days twice


def test_memory_bounds_the_reads_and_changes_no_bit(tmp_path: Path) -> None:
    def files(memory: int) -> tuple[dict[str, bytes], Record]:
        record, root = weather(YEARS[:100]), tmp_path / str(memory)
        config = ClimatologyConfig(quantiles=(0.1, 0.5), quantile_every_days=150)
        group = zarr.open_group(root, mode="w")
        write_day_of_year(group, record, record.times, np.arange(100), config, memory_bytes=memory, progress=False)
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}, record

    plenty, wide = files(2**31)
    again, _ = files(2**31 - 1)
    assert plenty == again
    scarce, narrow = files(2**12)
    assert plenty == scarce
    assert wide.longest > narrow.longest == 3  # an eighth of the memory
    assert wide.reads.sum() < narrow.reads.sum() < 2 * wide.reads.sum()  # two bands of latitudes for the moments


def test_finished_pieces_are_left_as_they_are_and_the_rest_is_done() -> None:
    class DiesAfter(set):
        def add(self, name: str) -> None:
            super().add(name)
            if len(self) == 4:
                raise KeyboardInterrupt

    config = ClimatologyConfig(quantiles=(0.5,), quantile_every_days=150)
    record, group, finished = weather(YEARS[:200]), zarr.group(zarr.storage.MemoryStore()), DiesAfter()
    arguments = record, record.times, np.arange(200), config
    with pytest.raises(KeyboardInterrupt):
        write_day_of_year(group, *arguments, finished=finished, progress=False)
    assert finished == {"arrays", "moments-00", "quantiles-00-0", "quantiles-00-1"}
    assert np.isnan(group["mean"][1]).all()
    record.reads[:] = 0
    write_day_of_year(group, *arguments, finished=(again := set(finished)), progress=False)
    assert len(again) == 1 + 2 * (1 + 3)
    assert record.reads[2::2].sum() < 100  # of the first hour only what the last sample has, and the first state
    whole = zarr.group(zarr.storage.MemoryStore())
    write_day_of_year(whole, *arguments, progress=False)
    for name in ("mean", "std", "quantiles"):
        np.testing.assert_array_equal(group[name][...], whole[name][...])


def test_a_gap_within_the_window_is_bridged() -> None:
    times = np.delete(mock_times("2003-01-01", 365, 24), slice(100, 110))
    group = fit(weather(times), window_days=31)
    assert np.isfinite(group["mean"][0, :, 0]).all()
    longer = np.delete(mock_times("2003-01-01", 365, 24), slice(100, 140))
    gap = np.isnan(fit(weather(longer), window_days=31)["mean"][0, :, 0, 0, 0])
    assert np.flatnonzero(gap).tolist() == list(range(100, 140))


def test_only_the_chosen_states_count() -> None:
    record = weather(YEARS[:200])
    chosen = np.arange(0, 100, 2)
    group = fit(record, chosen)
    assert group["hour"][:].tolist() == [0]
    alone = fit(Record(record.times[chosen], record.fields[chosen]))
    np.testing.assert_array_equal(group["mean"][:], alone["mean"][:])


def test_no_states_are_refused() -> None:
    with pytest.raises(DataError, match="no states to take a climatology of, expected at least one"):
        fit(weather(YEARS[:3]), np.arange(0))


def test_size_is_that_of_the_arrays() -> None:
    config = ClimatologyConfig()
    group = fit(weather(YEARS[:4]), quantiles=config.quantiles)
    held = sum(group[name].nbytes for name in ("mean", "std", "quantiles"))
    assert climatology_bytes(config, 2, 4 * int(np.prod(SHAPE))) == held


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_days": 60}, "got a window of 60 days, expected an odd number"),
        ({"window_days": 1}, "greater than or equal to 3"),
        ({"quantiles": (0.5, 0.1)}, "expected quantiles in ascending order, each once"),
        ({"quantiles": (0.5, 0.5)}, "expected quantiles in ascending order, each once"),
        ({"quantiles": (0.0,)}, "greater than 0"),
        ({"window": 61}, "Extra inputs are not permitted"),
    ],
)
def test_configs_that_mean_nothing_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ClimatologyConfig.model_validate(changes)


def test_days_of_quantiles() -> None:
    assert quantile_days(ClimatologyConfig(quantile_every_days=120)).tolist() == [1, 121, 241, 361]
