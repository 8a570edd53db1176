"""The climatology by hour and day of year: against every sample stacked, closed forms, WeatherBench2's layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
import zarr
from pydantic import ValidationError

from data_pipeline.canonical import check
from data_pipeline.channels import Channels
from data_pipeline.day_of_year import ClimatologyConfig, DayOfYearClimatology
from data_pipeline.day_of_year_fit import climatology_bytes, quantile_days, write_day_of_year
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from tests.mock_world import mock_times

if TYPE_CHECKING:
    from pathlib import Path

GRID = Grid.equiangular(4, 3, poles=False)
CHANNELS = Channels.of({"temperature": [500, 850], "sea_surface_temperature": None})
SHAPE = (len(CHANNELS), *GRID.shape)
YEARS = mock_times("2003-01-01", 2 * (365 + 366 + 365), 12)
"""Three years, the middle one a leap year, at 00 and 12 UTC."""


class Record:
    """A record in memory that counts how often each state is read, and the longest read."""

    def __init__(self, times: np.ndarray, fields: np.ndarray) -> None:
        self.times, self.fields = times, fields.astype(np.float32)
        self.reads, self.longest = np.zeros(len(times), int), 0

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        self.reads[positions] += 1
        self.longest = max(self.longest, len(positions))
        return self.fields[positions]


def weather(times: np.ndarray, seed: int = 0) -> Record:
    """Seasons, a daily cycle and noise; no sea at some points, and holes."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * ((times - np.datetime64("2000-01-01", "ns")) / np.timedelta64(31556926, "s"))
    season = 15 * np.cos(phase)[:, None, None, None] * rng.standard_normal(SHAPE)
    day = np.where(times.astype("datetime64[h]").astype(int) % 24 == 12, 5.0, 0.0)[:, None, None, None]
    fields = 280 + season + day + rng.standard_normal((len(times), *SHAPE))
    fields[:, 2, 1:3] = np.nan
    fields[rng.random(fields.shape) < 0.02] = np.nan
    return Record(times, fields)


def fit(record: Record, positions: np.ndarray | None = None, *, memory: int = 2**31, **changes: object) -> zarr.Group:
    group = zarr.group(zarr.storage.MemoryStore())
    config = ClimatologyConfig.model_validate({"quantiles": (), **changes})
    chosen = np.arange(len(record.times)) if positions is None else positions
    write_day_of_year(group, record, record.times, chosen, config, memory_bytes=memory, progress=False)
    return group


def opened(group: zarr.Group) -> DayOfYearClimatology:
    return DayOfYearClimatology.from_group(group, CHANNELS, GRID)


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
    assert narrow.reads.sum() > 3 * wide.reads.sum()


def test_a_season_has_values_on_its_days_alone() -> None:
    record = weather(mock_times("2003-12-01", 2 * 91, 12))
    group = fit(record, quantiles=(0.5,))
    finite = np.isfinite(group["mean"][0, :, 0, 0, 0])
    assert finite.tolist() == [day <= 60 or day >= 335 for day in range(1, 366)] + [True]
    assert np.isfinite(group["std"][1]).any(axis=(1, 2, 3)).sum() == finite.sum()
    climatology = opened(group)
    climatology.at(np.array(["2010-02-28T12"], "datetime64[ns]"))
    climatology.quantiles_at(np.array(["2010-02-28T12"], "datetime64[ns]"))
    late = np.array(["2010-01-01", "2010-07-01"], "datetime64[ns]")
    expected = (
        r"no temperature_500, temperature_850, sea_surface_temperature at 00 UTC on day 182 of the year, which its"
    )
    for ask in (climatology.at, climatology.quantiles_at):
        with pytest.raises(DataError, match=expected):
            ask(late)


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


def test_what_it_gives_is_canonical_and_read_back(three_years: zarr.Group) -> None:
    group = three_years
    times = np.array(["2020-02-29T12", "2021-12-31", "2021-12-31"], "datetime64[ns]")
    mean, std = opened(group).at(times)
    for dataset, name in ((mean, "mean"), (std, "std")):
        check(dataset)
        assert dataset["temperature"].dims == ("time", "level", "latitude", "longitude")
        np.testing.assert_array_equal(dataset["temperature"].sel(level=850)[0], group[name][1, 59, 1])
        np.testing.assert_array_equal(dataset["sea_surface_temperature"][1], group[name][0, 364, 2])
        np.testing.assert_array_equal(dataset["sea_surface_temperature"][2], group[name][0, 364, 2])
    quantiles = opened(group).quantiles_at(times)
    assert quantiles["temperature"].dims == ("quantile", "time", "level", "latitude", "longitude")
    assert quantiles["quantile"].values.tolist() == [0.25, 0.75]
    np.testing.assert_array_equal(quantiles["temperature"][:, 0, 0], group["quantiles"][:, 1, 4, 0])  # day 61
    np.testing.assert_array_equal(quantiles["temperature"][:, 1, 0], group["quantiles"][:, 0, 0, 0])  # across new year


@pytest.mark.parametrize("time", ["2003-01-01T06", "2003-01-01T13"])
def test_an_hour_that_is_not_there_is_refused(time: str) -> None:
    with pytest.raises(DataError, match=f"has the hours 00, 12 UTC, got {time}; choose among its hours"):
        opened(fit(weather(YEARS[:4]))).at(np.array([time], "datetime64[ns]"))


def test_without_quantiles_asking_for_them_is_refused() -> None:
    with pytest.raises(DataError, match="has no quantiles; build it with 'quantiles' in its climatology"):
        opened(fit(weather(YEARS[:4]))).quantiles_at(YEARS[:1])


def test_another_group_is_refused() -> None:
    with pytest.raises(DataError, match="lacks hour, dayofyear, mean, std, so it is no climatology; build it again"):
        opened(zarr.group(zarr.storage.MemoryStore()))


def test_a_damaged_chunk_is_told(tmp_path: Path) -> None:
    record = weather(YEARS[:20])
    group = zarr.open_group(tmp_path / "climatology", mode="w")
    config = ClimatologyConfig(quantiles=(0.5,))
    write_day_of_year(group, record, record.times, np.arange(20), config, progress=False)
    for name in ("mean", "quantiles"):
        for chunk in (tmp_path / "climatology" / name / "c").rglob("*"):
            if chunk.is_file():
                content = bytearray(chunk.read_bytes())
                content[len(content) // 2] ^= 1
                chunk.write_bytes(bytes(content))
    with pytest.raises(DataError, match="a file is damaged: copy or build it again"):
        opened(group).at(YEARS[:1])
    with pytest.raises(DataError, match="a file is damaged: copy or build it again"):
        opened(group).quantiles_at(YEARS[:1])


def test_size_is_that_of_the_arrays() -> None:
    config = ClimatologyConfig()
    group = fit(weather(YEARS[:4]), quantiles=config.quantiles)
    held = sum(group[name].nbytes for name in ("mean", "std", "quantiles"))
    assert climatology_bytes(config, 2, 4 * int(np.prod(SHAPE))) == held


def test_xarray_reads_it_with_labels(tmp_path: Path) -> None:
    record = weather(YEARS[:100])
    group = zarr.open_group(tmp_path / "climatology", mode="w")
    config = ClimatologyConfig(quantiles=(0.5,))
    write_day_of_year(group, record, record.times, np.arange(100), config, progress=False)
    dataset = xr.open_zarr(tmp_path / "climatology", consolidated=False)
    chosen = dataset["mean"].sel(hour=12, dayofyear=30).isel(channel=0)
    assert np.isfinite(chosen).any()
    np.testing.assert_array_equal(chosen, group["mean"][1, 29, 0])
    assert dataset["quantiles"].dims[:3] == ("quantile", "hour", "dayofyear_of_quantiles")
    assert dataset.attrs["window_days"] == 61


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


@pytest.fixture
def weatherbench2() -> xr.Dataset:
    """The layout of WeatherBench2's store, latitude south to north."""
    rng = np.random.default_rng(5)
    coords = {
        "hour": [0, 6, 12, 18], "dayofyear": np.arange(1, 367), "level": [500, 850],
        "longitude": list(GRID.longitude), "latitude": list(GRID.latitude)[::-1],
    }  # fmt: skip
    levels, surface = (
        ("hour", "dayofyear", "level", "longitude", "latitude"),
        ("hour", "dayofyear", "longitude", "latitude"),
    )

    def field(dims: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
        return dims, rng.uniform(1, 2, [len(coords[name]) for name in dims]).astype(np.float32)

    names = {"temperature": levels, "sea_surface_temperature": surface, "10m_wind_speed": surface}
    return xr.Dataset(
        {f"{name}{suffix}": field(dims) for name, dims in names.items() for suffix in ("", "_std")}, coords
    )


def test_a_climatology_of_weatherbench2_is_read(weatherbench2: xr.Dataset) -> None:
    climatology = DayOfYearClimatology.from_weatherbench2(weatherbench2)
    assert (climatology.channels, climatology.grid, climatology.hours) == (CHANNELS, GRID, (0, 6, 12, 18))
    times = np.array(["2020-03-01T06", "2021-03-01T18"], "datetime64[ns]")
    mean, std = climatology.at(times)
    for dataset, suffix in ((mean, ""), (std, "_std")):
        check(dataset)
        for index, (hour, day) in enumerate([(6, 61), (18, 60)]):
            theirs = weatherbench2[f"temperature{suffix}"].sel(hour=hour, dayofyear=day, level=850)
            mine = dataset["temperature"].sel(level=850).isel(time=index)
            np.testing.assert_array_equal(mine, theirs.transpose("latitude", "longitude")[::-1])
    one = DayOfYearClimatology.from_weatherbench2(weatherbench2, Channels.of({"temperature": [850]}))
    xr.testing.assert_equal(one.at(times)[0]["temperature"].isel(level=0), mean["temperature"].isel(level=1))


def test_what_weatherbench2_lacks_is_told(weatherbench2: xr.Dataset) -> None:
    read = DayOfYearClimatology.from_weatherbench2
    with pytest.raises(DataError, match="the data lack temperature_1000"):
        read(weatherbench2, Channels.of({"temperature": [1000]}))
    with pytest.raises(DataError, match="the climatology lacks temperature_std; name other channels"):
        read(weatherbench2.drop_vars("temperature_std"))
    with pytest.raises(DataError, match="the dataset lacks hour, dayofyear; expected a climatology by hour and"):
        read(weatherbench2.isel(hour=0, dayofyear=0, drop=True))
    with pytest.raises(DataError, match="WeatherBench2's climatology has no quantiles, asked for day 1 at 06 UTC"):
        read(weatherbench2).quantiles_at(np.array(["2001-01-01T06"], "datetime64[ns]"))


def test_a_store_of_weatherbench2_is_read_from_disk_chunk_by_chunk(weatherbench2: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "climatology.zarr"
    chunks = {
        name: tuple(1 if axis in ("hour", "dayofyear") else size for axis, size in data.sizes.items())
        for name, data in weatherbench2.items()
    }
    small = weatherbench2.isel(dayofyear=slice(0, 3))
    small.to_zarr(path, encoding={name: {"chunks": size} for name, size in chunks.items()}, zarr_format=2)
    for chunk in path.glob("temperature/*.0.0.0"):
        if not chunk.name.startswith("1.2."):
            chunk.write_bytes(b"not to be read")
    climatology = DayOfYearClimatology.from_weatherbench2(xr.open_zarr(path), Channels.of({"temperature": [850]}))
    mean, _ = climatology.at(np.array(["2001-01-03T06"], "datetime64[ns]"))
    assert mean["temperature"].shape == (1, 1, *GRID.shape)
    with pytest.raises(DataError, match="a file is damaged"):
        climatology.at(np.array(["2001-01-02T06"], "datetime64[ns]"))


def test_real_pressure_of_a_winter(real_data: Path) -> None:
    raw = xr.open_zarr(real_data / "era5_msl_2p5deg_djf2025.zarr")
    times, fields = raw["valid_time"].values, raw["msl"].values[:, None]
    channels, grid = (
        Channels.of({"mean_sea_level_pressure": None}),
        Grid(tuple(raw.latitude.values), tuple(raw.longitude.values)),
    )
    group = zarr.group(zarr.storage.MemoryStore())
    config = ClimatologyConfig(quantiles=(0.1, 0.9))
    write_day_of_year(group, lambda at: fields[at], times, np.arange(len(times)), config, progress=False)
    climatology = DayOfYearClimatology.from_group(group, channels, grid)
    now = np.array(["2026-01-15T06"], "datetime64[ns]")
    mean, std = climatology.at(now)
    away = (times - now[0]) / np.timedelta64(1, "D")
    triangle = np.maximum(1 - np.abs(away - (away < -14)) / 30, 0) + 0.5 * (away == -15)  # 31 December twice
    weights = np.where(away % 1 == 0, triangle, 0)
    expected = np.average(fields[:, 0], weights=weights, axis=0)
    np.testing.assert_allclose(mean["mean_sea_level_pressure"][0], expected, rtol=1e-6)
    assert 300 < float(std["mean_sea_level_pressure"].mean()) < 1500
    low, high = climatology.quantiles_at(now)["mean_sea_level_pressure"].isel(time=0)
    assert float((high - low).min()) > 0
    with pytest.raises(DataError, match="no mean_sea_level_pressure at 06 UTC on day 182"):
        climatology.at(np.array(["2026-07-01T06"], "datetime64[ns]"))
