"""Training samples: which states, which forcings, the same bits wherever they live, and what is refused."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from data_pipeline import dataset as module
from data_pipeline.config import Period
from data_pipeline.dataset import Request, Sample, StoreDataset
from data_pipeline.errors import DataError
from data_pipeline.flat_cache import FlatCache
from data_pipeline.forcings import forcings
from data_pipeline.joined_dataset import JoinedDataset
from data_pipeline.shards import Shards, shard_path
from tests.data_pipeline.small_store import GRID, TIMES, small_fields, small_store

FIELDS = small_fields(30)
DAY = np.timedelta64(24, "h")
HALF_DAY = np.timedelta64(12, "h")
ALL = Period(start="2000-01-01", stop="2000-01-09")
LATER = Period(start="2000-01-03", stop="2000-01-06")
RESIDENCES = ["memory", "device", "disk"]


@pytest.fixture
def store(tmp_path):
    return small_store(tmp_path / "store.zarr", FIELDS)


def order(count: int, seed: int = 0) -> list[Request]:
    return list(map(Request, torch.from_numpy(np.random.default_rng(seed).permutation(count)).split(4)))


def assert_same(left: Sample, right: Sample) -> None:
    for got, expected in zip(left, right, strict=True):
        assert got.dtype == expected.dtype == torch.float32
        assert torch.equal(got, expected)


# what a sample is


@pytest.mark.parametrize("residence", RESIDENCES)
def test_states_are_one_step_apart(store, residence) -> None:
    dataset = StoreDataset(store, ALL, HALF_DAY, residence=residence)
    assert len(dataset) == 30 - 2 * 2
    sample = dataset.batch(Request(torch.tensor([0, 25, 3])))
    for position, index in enumerate([0, 25, 3]):
        np.testing.assert_array_equal(sample.previous[position], FIELDS[index])
        np.testing.assert_array_equal(sample.current[position], FIELDS[index + 2])
        np.testing.assert_array_equal(sample.following[0, position], FIELDS[index + 4])
        expected = forcings(TIMES[index + 4], HALF_DAY, GRID)
        np.testing.assert_array_equal(sample.forcings[0, position], expected)
    assert sample.current.dtype == sample.forcings.dtype == torch.float32


@pytest.mark.parametrize("residence", RESIDENCES)
def test_the_period_chooses(store, residence) -> None:
    period = Period(start="2000-01-02", stop="2000-01-02T18")
    dataset = StoreDataset(store, period, np.timedelta64(6, "h"), residence=residence)
    assert len(dataset) == 2
    np.testing.assert_array_equal(dataset.times, TIMES[4:8])
    np.testing.assert_array_equal(dataset.batch(Request(torch.tensor([1]))).following[0, 0], FIELDS[7])


@pytest.mark.parametrize("residence", RESIDENCES)
def test_steps_of_other_lengths_and_numbers(store, residence) -> None:
    dataset = StoreDataset(store, ALL, HALF_DAY, reach=DAY, residence=residence)
    assert len(dataset) == 30 - 2 - 4
    for hours, steps, ahead in ((None, 2, (2, 4)), (6, 3, (1, 2, 3)), (24, 1, (4,))):
        sample = dataset.batch(Request(torch.tensor([5, 0]), steps, hours))
        assert sample.following.shape[:2] == sample.forcings.shape[:2] == sample.hour.shape == (steps, 2)
        for row, index in enumerate((5, 0)):
            np.testing.assert_array_equal(sample.previous[row], FIELDS[index])
            np.testing.assert_array_equal(sample.current[row], FIELDS[index + 2])
            for step, lags in enumerate(ahead):
                np.testing.assert_array_equal(sample.following[step, row], FIELDS[index + 2 + lags])
                length = np.timedelta64(hours or 12, "h")
                known = forcings(TIMES[index + 2 + lags], length, GRID)
                np.testing.assert_array_equal(sample.forcings[step, row], known)
                assert sample.hour[step, row] == 6 * ((index + 2 + lags) % 4)
    with pytest.raises(DataError, match="steps as far as 36 h, expected 24 h at most; set a longer reach"):
        dataset.batch(Request(torch.tensor([0]), 3))


@pytest.mark.parametrize("residence", RESIDENCES)
def test_several_stores_are_one(tmp_path, store, residence) -> None:
    other = small_store(tmp_path / "other.zarr", small_fields(12, seed=3))
    parts = [StoreDataset(each, ALL, HALF_DAY, residence=residence) for each in (store, other)]
    joined = JoinedDataset(parts)
    assert len(joined) == sum(map(len, parts)) == 26 + 8
    requests = [*order(34), Request(torch.tensor([33, 26])), Request(torch.tensor([3]))]
    for request, sample in zip(requests, joined.batches(requests), strict=True):
        assert_same(sample, joined.batch(request))
        for row, index in enumerate(request.indices.tolist()):
            part, place = (parts[0], index) if index < 26 else (parts[1], index - 26)
            alone = part.batch(Request(torch.tensor([place])))
            assert torch.equal(sample.current[row], alone.current[0])
            assert torch.equal(sample.following[:, row], alone.following[:, 0])
            assert torch.equal(sample.forcings[:, row], alone.forcings[:, 0])
            assert torch.equal(sample.hour[:, row], alone.hour[:, 0])
            assert joined.time(index) == part.times[place]
    assert joined.describe().count("\n") == 1
    assert joined.years == pytest.approx(34 * 6 / 24 / 365.2422)
    for index in (-1, 34):
        with pytest.raises(DataError, match="got sample"):
            joined.batch(Request(torch.tensor([index])))


# wherever it lives


@pytest.mark.parametrize("half", [False, True])
def test_the_same_bits_wherever_they_live(tmp_path, half: bool) -> None:
    store = small_store(tmp_path / "s.zarr", FIELDS, half=half)
    physical = store.read(range(30))
    places = [{"residence": residence} for residence in RESIDENCES]
    places += [{"residence": residence, "flat_cache": tmp_path / "flat"} for residence in RESIDENCES]
    datasets = [StoreDataset(store, LATER, HALF_DAY, threads=2, **place) for place in places]
    batches = order(len(datasets[0]))
    for request, *samples in zip(batches, *(dataset.batches(batches) for dataset in datasets), strict=True):
        np.testing.assert_array_equal(samples[0].previous, physical[8 + request.indices])
        np.testing.assert_array_equal(samples[0].following[0], physical[8 + request.indices + 4])
        for sample, dataset in zip(samples, datasets, strict=True):
            assert_same(sample, samples[0])
            assert_same(dataset.batch(request), samples[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("residence", RESIDENCES)
def test_the_same_bits_on_a_gpu(tmp_path, residence, half: bool) -> None:
    store = small_store(tmp_path / "s.zarr", FIELDS, half=half)
    ours = StoreDataset(store, ALL, HALF_DAY, residence=residence, device="cuda")
    plain = StoreDataset(store, ALL, HALF_DAY)
    batches = order(len(plain)) * 5
    for sample, expected in zip(ours.batches(batches), plain.batches(batches), strict=True):
        assert sample.current.is_cuda
        assert_same(Sample(*(part.cpu() for part in sample)), expected)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("residence", RESIDENCES)
def test_a_kept_sample_stays_what_it_is(tmp_path, residence, half: bool) -> None:
    store = small_store(tmp_path / "s.zarr", FIELDS, half=half)
    dataset = StoreDataset(store, ALL, HALF_DAY, residence=residence)
    batches = order(len(dataset)) * 3
    for sample, request in zip(list(dataset.batches(batches)), batches, strict=True):
        assert_same(sample, dataset.batch(request))
    sample = dataset.batch(Request(torch.tensor([3])))
    sample.current.zero_()
    np.testing.assert_array_equal(dataset.batch(Request(torch.tensor([3]))).current, store.read([5]))


def test_the_order_may_be_endless(store) -> None:
    def endless():
        while True:
            yield from order(26)

    samples = StoreDataset(store, ALL, HALF_DAY, residence="disk", threads=2).batches(endless())
    for _ in range(20):
        assert next(samples).current.shape[1:] == FIELDS.shape[1:]
    samples.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loading")]


def test_memory_where_it_fits_in_half_of_what_is_free(store, monkeypatch) -> None:
    monkeypatch.setattr(module, "free_memory", lambda: 2 * FIELDS.nbytes)
    dataset = StoreDataset(store, ALL, HALF_DAY)
    assert dataset.residence == "memory"
    assert dataset.describe().startswith(
        f"26 samples of {store.path} in memory (1.15e-05 GB, 2.3e-05 GB of memory free"
    )
    monkeypatch.setattr(Shards, "read_into", lambda *_: pytest.fail("read the store again"))
    dataset.batch(Request(torch.tensor([0])))


def test_disk_where_it_does_not(store, monkeypatch) -> None:
    monkeypatch.setattr(module, "free_memory", lambda: 2 * FIELDS.nbytes - 2)
    dataset = StoreDataset(store, ALL, HALF_DAY, threads=3)
    assert dataset.residence == "disk"
    assert "on disk, read by 3 threads" in dataset.describe()


def test_a_device_that_is_full_is_said(store, monkeypatch) -> None:
    monkeypatch.setattr(module, "_free_on", lambda _: FIELDS.nbytes)
    dataset = StoreDataset(store, ALL, HALF_DAY, residence="device")
    assert dataset.residence == "memory"
    assert " in memory (" in dataset.describe()
    assert dataset.describe().endswith("1.15e-05 GB free on cpu)")
    forcings_of_all = 30 * 3 * 4 * GRID.shape[0] * GRID.shape[1]
    monkeypatch.setattr(module, "_free_on", lambda _: 2 * (FIELDS.nbytes + forcings_of_all))
    assert " on cpu (" in StoreDataset(store, ALL, HALF_DAY, residence="device").describe()


def test_a_flat_cache_is_made_and_read(store, tmp_path, monkeypatch) -> None:
    dataset = StoreDataset(store, ALL, HALF_DAY, residence="disk", flat_cache=tmp_path / "flat")
    monkeypatch.setattr(Shards, "read_into", lambda *_: pytest.fail("read the store"))
    np.testing.assert_array_equal(dataset.batch(Request(torch.tensor([2]))).previous[0], FIELDS[2])
    monkeypatch.setattr(FlatCache, "read_into", lambda *_: pytest.fail("read the cache"))
    with pytest.raises(pytest.fail.Exception, match="read the cache"):
        dataset.batch(Request(torch.tensor([2])))


# what is refused


def test_a_short_period_is_refused(store) -> None:
    message = r"the period 2000-01-01\.\.2000-01-02 holds 8 states of .*, expected at least 9; choose a longer one"
    with pytest.raises(DataError, match=message):
        StoreDataset(store, Period(start="2000-01-01", stop="2000-01-02"), DAY)


@pytest.mark.parametrize("hours", [3, 9, 0])
def test_a_step_between_the_times_is_refused(store, hours: int) -> None:
    with pytest.raises(DataError, match=f"got steps of {hours} h, expected a multiple of the store's interval of 6 h"):
        StoreDataset(store, ALL, np.timedelta64(hours, "h"))


def test_missing_values_are_refused(tmp_path) -> None:
    store = small_store(tmp_path / "s.zarr", FIELDS, valid_fraction=(1, 0.66, 0.999))
    message = r"missing values in temperature_850 \(34\.0%\), 2m_temperature \(0\.1%\); build a store without these"
    with pytest.raises(DataError, match=message):
        StoreDataset(store, ALL, DAY)


@pytest.mark.parametrize("residence", RESIDENCES)
@pytest.mark.parametrize("index", [-1, 26])
def test_samples_outside_are_refused(store, residence, index: int) -> None:
    dataset = StoreDataset(store, ALL, HALF_DAY, residence=residence)
    with pytest.raises(DataError, match=rf"got sample {index} of .*, expected one of 0\.\.25"):
        dataset.batch(Request(torch.tensor([3, index])))
    with pytest.raises(DataError, match=f"got sample {index}"):
        list(dataset.batches([Request(torch.tensor([index]))]))


@pytest.mark.parametrize("residence", RESIDENCES)
def test_a_damaged_store_is_noticed(store, residence) -> None:
    path = shard_path(store.path / "fields", 1)
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(bytes(content))

    def use() -> None:
        dataset = StoreDataset(store, ALL, HALF_DAY, residence=residence)
        list(dataset.batches(order(len(dataset))))

    with pytest.raises(DataError, match="fields/c/1/0/0/0 is damaged: a checksum does not fit"):
        use()
