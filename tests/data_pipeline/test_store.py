"""The store on disk: what goes in comes out, labels and all, and every refusal."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
import zarr

from data_pipeline import store
from data_pipeline.channels import Channels
from data_pipeline.climatology import fit_climatology
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.statistics import compute_statistics
from tests.mock_world import mock_states, mock_static, mock_times

GRID = Grid.gaussian(4, 8)
CHANNELS = Channels.of({"temperature": [850, 500], "2m_temperature": None})
ATTRIBUTES = {"format": store.FORMAT}


def written(path, count: int = 70, times: np.ndarray | None = None) -> np.ndarray:
    """A whole store at ``path``; returns its fields."""
    times = mock_times("2000-01-01", count) if times is None else times
    fields = CHANNELS.stack(mock_states(GRID, times, CHANNELS.variables)).values
    group = store.create(path, CHANNELS, GRID, times, static=mock_static(GRID), attributes=ATTRIBUTES)
    for start in range(0, len(times), store.TIMES_PER_SHARD):
        store.write_shard(path, start, fields[start : start + store.TIMES_PER_SHARD])
    climatology = fit_climatology(lambda: iter([(times, fields)]), CHANNELS, GRID)
    store.write_summaries(group, compute_statistics([fields], GRID.area_weights(), 6), climatology)
    return fields


def test_round_trip(tmp_path) -> None:
    path = tmp_path / "store.zarr"
    fields = written(path)
    opened = store.open_store(path)
    assert (opened.channels, opened.grid) == (CHANNELS, GRID)
    np.testing.assert_array_equal(opened.times, mock_times("2000-01-01", 70))
    assert opened.times.dtype == np.dtype("datetime64[ns]")
    assert opened.interval == np.timedelta64(6, "h")
    assert opened.fields.dtype == np.float32
    np.testing.assert_array_equal(opened.fields[:], fields)
    np.testing.assert_array_equal(opened.fields[63:65], fields[63:65])  # across shards
    assert opened.fields is opened.fields  # its metadata are read once


def test_static_fields(tmp_path) -> None:
    written(tmp_path / "store.zarr", 3)
    names, values = store.open_store(tmp_path / "store.zarr").static
    assert names == ["geopotential_at_surface", "land_sea_mask"]
    np.testing.assert_array_equal(values[1], mock_static(GRID)["land_sea_mask"])


def test_no_static_fields(tmp_path) -> None:
    store.create(
        tmp_path / "s", CHANNELS, GRID, mock_times("2000-01-01", 2), static=xr.Dataset(), attributes=ATTRIBUTES
    )
    names, values = store.open_store(tmp_path / "s").static
    assert names == []
    assert values.shape == (0, *GRID.shape)


def test_summaries(tmp_path) -> None:
    fields = written(tmp_path / "store.zarr")
    opened = store.open_store(tmp_path / "store.zarr")
    expected = compute_statistics([fields], GRID.area_weights(), 6)
    np.testing.assert_array_equal(opened.statistics.mean, expected.mean)
    np.testing.assert_array_equal(opened.statistics.std, expected.std)
    assert set(opened.statistics.tendency_std) == {6, 12, 24}
    for hours, std in expected.tendency_std.items():
        np.testing.assert_array_equal(opened.statistics.tendency_std[hours], std)
    np.testing.assert_allclose(opened.climatology.mean[0], fields.mean(axis=0), rtol=1e-5)


def test_summaries_replace_those_of_an_interrupted_attempt(tmp_path) -> None:
    written(tmp_path / "store.zarr")
    group = zarr.open_group(tmp_path / "store.zarr", mode="r+")
    before = store.open_store(tmp_path / "store.zarr")
    statistics, climatology = before.statistics, before.climatology
    (tmp_path / "store.zarr" / "statistics" / "zarr.json").write_text("{ torn")
    store.write_summaries(group, statistics, climatology)
    np.testing.assert_array_equal(store.open_store(tmp_path / "store.zarr").statistics.mean, statistics.mean)


def test_as_a_dataset(tmp_path) -> None:
    written(tmp_path / "store.zarr")
    dataset = store.open_store(tmp_path / "store.zarr").dataset()
    assert all(field.chunks for field in dataset.data_vars.values())
    xr.testing.assert_equal(dataset, mock_states(GRID, mock_times("2000-01-01", 70), CHANNELS.variables))


def test_unwritten_fields_are_missing(tmp_path) -> None:
    store.create(
        tmp_path / "s", CHANNELS, GRID, mock_times("2000-01-01", 2), static=xr.Dataset(), attributes=ATTRIBUTES
    )
    assert np.isnan(store.open_store(tmp_path / "s").fields[:]).all()


def test_a_damaged_shard_is_noticed(tmp_path) -> None:
    written(tmp_path / "store.zarr", 3)
    (shard,) = [path for path in (tmp_path / "store.zarr" / "fields" / "c").rglob("*") if path.is_file()]
    damaged = bytearray(shard.read_bytes())
    damaged[100] ^= 0xFF
    shard.write_bytes(bytes(damaged))
    with pytest.raises(ValueError, match="checksum"):
        store.open_store(tmp_path / "store.zarr").fields[:]


def test_one_time_has_no_interval(tmp_path) -> None:
    written(tmp_path / "store.zarr", 1)
    with pytest.raises(DataError, match="holds one time, expected two or more to have an interval"):
        _ = store.open_store(tmp_path / "store.zarr").interval


@pytest.mark.parametrize("start", ["1969-12-31T22", "1850-01-01", "2100-07-01T03"])
def test_any_whole_hour_is_kept(tmp_path, start: str) -> None:
    times = mock_times(start, 5, 1)
    store.create(tmp_path / "s", CHANNELS, GRID, times, static=xr.Dataset(), attributes=ATTRIBUTES)
    np.testing.assert_array_equal(store.open_store(tmp_path / "s").times, times)


def test_half_hours_are_refused(tmp_path) -> None:
    times = mock_times("2000-01-01", 3) + np.timedelta64(30, "m")
    with pytest.raises(
        DataError, match="3 times are not whole hours, the first 2000-01-01T00:30:00; select whole hours"
    ):
        store.create(tmp_path / "s", CHANNELS, GRID, times, static=xr.Dataset(), attributes=ATTRIBUTES)
    assert not (tmp_path / "s").exists()


def test_nothing_to_open(tmp_path) -> None:
    with pytest.raises(
        DataError, match=r"no training store at .*store.zarr; make it with 'sphercast data build CONFIG'"
    ):
        store.open_store(tmp_path / "store.zarr")


def test_an_unfinished_store(tmp_path) -> None:
    written(store.partial_path(tmp_path / "store.zarr"), 2)
    with pytest.raises(DataError, match=r"no training store at .*; its build was interrupted: run the same .* again"):
        store.open_store(tmp_path / "store.zarr")


def test_other_things_are_no_store(tmp_path) -> None:
    (tmp_path / "folder").mkdir()
    zarr.open_group(tmp_path / "other.zarr", mode="w")
    zarr.create_array(tmp_path / "array.zarr", shape=(2,), dtype="f4")
    for name in ("folder", "other.zarr", "array.zarr"):
        assert not store.is_store(tmp_path / name)
        with pytest.raises(DataError, match=f"{name} is not a training store; expected one made by"):
            store.open_store(tmp_path / name)


def test_torn_metadata(tmp_path) -> None:
    written(tmp_path / "store.zarr", 2)
    (tmp_path / "store.zarr" / "zarr.json").write_text("{ torn")
    with pytest.raises(
        DataError, match=r"zarr\.json is not readable .*, expected a zarr group; build or copy it again"
    ):
        store.open_store(tmp_path / "store.zarr")


def test_torn_writes_are_removed(tmp_path) -> None:
    written(tmp_path / "store.zarr", 2)
    torn = tmp_path / "store.zarr" / "fields" / "c" / "0" / "0" / "0" / "0.1234.partial"
    torn.write_bytes(b"half")
    store.remove_torn_writes(tmp_path / "store.zarr")
    assert not torn.exists()
    assert np.isfinite(store.open_store(tmp_path / "store.zarr").fields[:]).all()


def test_labels_follow_cf(tmp_path) -> None:
    written(tmp_path / "store.zarr", 2)
    label = json.loads((tmp_path / "store.zarr" / "time" / "zarr.json").read_text())
    assert label["attributes"]["units"] == "hours since 1970-01-01"
    with xr.open_zarr(tmp_path / "store.zarr", consolidated=False) as raw:
        assert raw["fields"].dims == ("time", "channel", "latitude", "longitude")
