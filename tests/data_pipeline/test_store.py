"""The store on disk: what goes in comes out, labels and all, and every refusal."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
import zarr

from data_pipeline import store
from data_pipeline.building.creation import consolidate, create, remove_torn_writes
from data_pipeline.climatology import fit_climatology
from data_pipeline.errors import DataError
from data_pipeline.moments import Moments
from data_pipeline.scaling import Scaling
from data_pipeline.shards import shard_path, write_shard
from data_pipeline.statistics import compute_statistics
from tests.mock_world import mock_states, mock_static, mock_times

if TYPE_CHECKING:
    from pathlib import Path

    from data_pipeline.config import DataConfig

ATTRIBUTES = {"format": store.FORMAT}


def made(config, count: int = 20, **changes) -> DataConfig:
    """A config of ``count`` times."""
    last = str(mock_times("2001-01-01", count)[-1])[:13]
    return config(period={"start": "2001-01-01", "stop": last}, **{"times_per_shard": 8, **changes})


def fields_of(made: DataConfig) -> np.ndarray:
    grid, channels = made.grid.build(), made.channels
    return channels.stack(mock_states(grid, made.times, channels.variables)).values


def written(made: DataConfig, path: Path, scaling: Scaling | None = None) -> np.ndarray:
    """A store at ``path`` without summaries; returns its fields."""
    fields = fields_of(made)
    create(path, made, mock_static(made.grid.build(), made.static), scaling, ATTRIBUTES)
    stored = scaling.encode(fields) if scaling else fields
    for number in range(made.slabs):
        states = stored[number * made.slots : (number + 1) * made.slots]
        write_shard(shard_path(path / "fields", number), states, made.slots)
    consolidate(path)
    return fields


def test_round_trip(config, tmp_path) -> None:
    fields = written(made(config), tmp_path / "s")
    opened = store.open_store(tmp_path / "s")
    assert (opened.channels, opened.grid) == (config().channels, config().grid.build())
    np.testing.assert_array_equal(opened.times, mock_times("2001-01-01", 20))
    assert opened.times.dtype == np.dtype("datetime64[ns]")
    assert opened.interval == np.timedelta64(6, "h")
    assert opened.scaling is None
    np.testing.assert_array_equal(opened.read(range(20)), fields)
    np.testing.assert_array_equal(opened.read([9, 7, 7]), fields[[9, 7, 7]])  # across shards, in any order
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "s", mode="r")["fields"][:], fields)  # by any zarr reader


def test_half_precision_is_close_and_says_how_to_decode(config, tmp_path) -> None:
    half = made(config, precision="float16")
    fields = fields_of(half)
    scaling = Scaling.of(Moments.of(fields, np.ones(8)))
    fields = written(half, tmp_path / "s", scaling)
    opened = store.open_store(tmp_path / "s")
    error = np.abs(opened.read(range(20)) - fields).max(axis=(0, 2, 3))
    assert (error < 2e-3 * scaling.scale).all()
    assert (error > 0).all()
    group = zarr.open_group(tmp_path / "s", mode="r")
    assert group["fields"].dtype == np.float16
    assert group["scale"].attrs["description"] == "physical = offset + scale * stored"
    by_hand = group["offset"][1] + group["scale"][1] * group["fields"][3, 1].astype(np.float32)
    np.testing.assert_allclose(by_hand, opened.read([3])[0, 1], rtol=1e-6)
    lazy = opened.dataset()
    assert lazy["temperature"].dtype == np.float32
    np.testing.assert_allclose(opened.channels.stack(lazy), opened.read(range(20)), rtol=1e-6)


def test_static_fields(config, tmp_path) -> None:
    written(made(config), tmp_path / "s")
    names, values = store.open_store(tmp_path / "s").static
    assert names == ["geopotential_at_surface", "land_sea_mask"]
    np.testing.assert_array_equal(values[1], mock_static(config().grid.build())["land_sea_mask"])


def test_no_static_fields(config, tmp_path) -> None:
    create(tmp_path / "s", made(config, static=[]), xr.Dataset(), None, ATTRIBUTES)
    names, values = store.open_store(tmp_path / "s").static
    assert names == []
    assert values.shape == (0, 8, 16)


def test_as_a_dataset(config, tmp_path) -> None:
    written(made(config), tmp_path / "s")
    dataset = store.open_store(tmp_path / "s").dataset()
    assert all(field.chunks for field in dataset.data_vars.values())
    channels = config().channels
    expected = mock_states(config().grid.build(), mock_times("2001-01-01", 20), channels.variables)
    xr.testing.assert_equal(dataset, expected)


def test_a_missing_shard_is_no_field_of_zeros(config, tmp_path) -> None:
    create(tmp_path / "s", made(config), mock_static(config().grid.build()), None, ATTRIBUTES)
    assert np.isnan(zarr.open_group(tmp_path / "s", mode="r")["fields"][:]).all()
    with pytest.raises(DataError, match="is missing; build or copy the store again"):
        store.open_store(tmp_path / "s").read([0])


def test_one_time_has_no_interval(config, tmp_path) -> None:
    one = {"start": "2001-01-01", "stop": "2001-01-01T00"}
    create(tmp_path / "s", config(period=one, training_period=one, static=[]), xr.Dataset(), None, ATTRIBUTES)
    with pytest.raises(DataError, match="holds one time, expected two or more to have an interval"):
        _ = store.open_store(tmp_path / "s").interval


@pytest.mark.parametrize("start", ["1969-12-31T22", "1850-01-01", "2100-07-01T03"])
def test_any_whole_hour_is_kept(config, tmp_path, start: str) -> None:
    stop = str(np.datetime64(start, "h") + 5)
    period = {"start": start, "stop": stop}
    hourly = config(period=period, training_period=period, interval_hours=1, static=[])
    create(tmp_path / "s", hourly, xr.Dataset(), None, ATTRIBUTES)
    np.testing.assert_array_equal(store.open_store(tmp_path / "s").times, mock_times(start, 6, 1))


def test_nothing_to_open(tmp_path) -> None:
    with pytest.raises(
        DataError, match=r"no training store at .*store.zarr; make it with 'sphercast data build CONFIG'"
    ):
        store.open_store(tmp_path / "store.zarr")


def test_an_unfinished_store(tmp_path) -> None:
    store.partial_path(tmp_path / "store.zarr").mkdir()
    with pytest.raises(DataError, match=r"no training store at .*; its build was interrupted: run the same .* again"):
        store.open_store(tmp_path / "store.zarr")


def test_other_things_are_no_store(tmp_path) -> None:
    (tmp_path / "folder").mkdir()
    zarr.open_group(tmp_path / "other.zarr", mode="w")
    zarr.open_group(tmp_path / "old.zarr", mode="w").attrs["format"] = "sphercast training store 1"
    for name, kind in (("folder", "something else"), ("other.zarr", "something else"), ("old.zarr", ".* store 1")):
        assert not store.is_store(tmp_path / name)
        with pytest.raises(DataError, match=f"{name} is {kind}, expected a sphercast training store 2; make it with"):
            store.open_store(tmp_path / name)


def test_torn_metadata(config, tmp_path) -> None:
    written(made(config), tmp_path / "s")
    (tmp_path / "s" / "zarr.json").write_text("{ torn")
    with pytest.raises(
        DataError, match=r"zarr\.json is not readable .*, expected a zarr group; build or copy it again"
    ):
        store.open_store(tmp_path / "s")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("fields", "is missing; build or copy the store again"),
        ("time", "the times of .* do not ascend, so a file of it is lost; build or copy it again"),
        ("latitude", "lost the values of 'latitude', so it is not whole; build or copy it again"),
    ],
)
def test_a_store_that_lacks_a_part(config, tmp_path, part: str, message: str) -> None:
    written(made(config), tmp_path / "s")
    shutil.rmtree(tmp_path / "s" / part)
    with pytest.raises(DataError, match=message):
        store.open_store(tmp_path / "s").read([0])


def test_a_store_without_summaries(config, tmp_path) -> None:
    written(made(config), tmp_path / "s")
    with pytest.raises(DataError, match="lacks 'statistics', so it is not whole; build or copy it again"):
        _ = store.open_store(tmp_path / "s").statistics


def test_torn_writes_are_removed(config, tmp_path) -> None:
    written(made(config), tmp_path / "s")
    torn = shard_path(tmp_path / "s" / "fields", 0).with_name("0.1234.partial")
    torn.write_bytes(b"half")
    remove_torn_writes(tmp_path / "s")
    assert not torn.exists()
    assert np.isfinite(store.open_store(tmp_path / "s").read(range(20))).all()


def test_labels_follow_cf(config, tmp_path) -> None:
    written(made(config), tmp_path / "s")
    label = json.loads((tmp_path / "s" / "time" / "zarr.json").read_text())
    assert label["attributes"]["units"] == "hours since 1970-01-01"
    with xr.open_zarr(tmp_path / "s", consolidated=False) as raw:
        assert raw["fields"].dims == ("time", "channel", "latitude", "longitude")


def test_summaries_replace_those_of_an_interrupted_attempt(config, tmp_path) -> None:
    from data_pipeline.building.creation import write_climatology, write_statistics

    wanted = made(config)
    fields = written(wanted, tmp_path / "s")
    group = zarr.open_group(tmp_path / "s", mode="r+", use_consolidated=False)
    grid = wanted.grid.build()
    statistics = compute_statistics([fields], grid.area_weights(), 6)
    climatology = fit_climatology(lambda: iter([(wanted.times, fields)]), wanted.channels, grid)
    for _ in range(2):
        write_statistics(group, statistics)
        write_climatology(group, climatology)
        for name in ("statistics", "climatology"):
            (tmp_path / "s" / name / "zarr.json").write_text("{ torn")
    write_statistics(group, statistics)
    write_climatology(group, climatology)
    consolidate(tmp_path / "s")
    opened = store.open_store(tmp_path / "s")
    for name in ("mean", "std", "minimum", "maximum", "valid_fraction"):
        np.testing.assert_array_equal(getattr(opened.statistics, name), getattr(statistics, name))
    assert set(opened.statistics.tendency_std) == {6, 12, 24}
    np.testing.assert_array_equal(opened.climatology.mean, climatology.mean)
