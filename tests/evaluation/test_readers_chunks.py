"""Chunks of several fields are decoded once, in bounded memory, and change no value."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from zarr.storage import LocalStore

from evaluation.pairs import match
from evaluation.readers import open_forecasts
from evaluation.readers.chunks import Ahead, grown, in_chunks
from tests.evaluation.layouts import of_starts
from tests.evaluation.whole_scores import answered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHUNKS = {"geopotential": (1, 2, 2, 2, 6, 8), "2m_temperature": (2, 4, 3, 6, 8)}
"""Of initial times, members, lead times and levels; the second's hold both initial times."""


@pytest.fixture
def store(ensemble: Callable[..., xr.Dataset], tmp_path: Path) -> Path:
    """Two runs of 4 members, 4 lead times and 2 levels in WeatherBench2's layout, in such chunks."""
    runs = of_starts([ensemble(start=start, leads=4) for start in (0, 5)], "prediction_timedelta", "time", "number")
    path = tmp_path / "forecast.zarr"
    runs.to_zarr(path, encoding={name: {"chunks": chunks} for name, chunks in CHUNKS.items()}, consolidated=False)
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each chunk is read of any store."""
    counts: Counter[str] = Counter()
    get = LocalStore.get

    async def counting(self: LocalStore, key: str, *args, **options):
        if "/c/" in key and key.partition("/")[0] in CHUNKS:
            counts[key] += 1
        return await get(self, key, *args, **options)

    monkeypatch.setattr(LocalStore, "get", counting)
    return counts


def test_a_score_reads_every_chunk_once(store: Path, truth: xr.Dataset, reads: Counter[str]) -> None:
    answered([store], truth)
    assert len(reads) == 2 * 2 * 2 + 2  # initial times, members and lead times of one; lead times of the other
    assert set(reads.values()) == {1}


def test_without_room_they_are_read_for_every_field(
    store: Path, truth: xr.Dataset, reads: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answered([store], truth).scores
    reads.clear()
    monkeypatch.setattr("evaluation.readers.opening.Ahead", lambda: Ahead(0))
    xr.testing.assert_identical(answered([store], truth).scores, expected)
    assert {count for key, count in reads.items() if key.startswith("geopotential")} == {4}, "2 lead times, 2 levels"


def test_netcdf_is_read_in_chunks_too(
    written: Callable[..., Path], ensemble: Callable[..., xr.Dataset], truth: xr.Dataset
) -> None:
    def chunked(data: xr.Dataset) -> xr.Dataset:
        data["geopotential"].encoding.update(chunksizes=(4, 3, 2, 6, 8), zlib=True)
        return data

    for pair in match(open_forecasts([written(chunked)])[0], truth)[0]:
        expected = ensemble()[pair.channel.variable_name].sel(time=pair.valid_time)
        expected = expected if pair.channel.level is None else expected.sel(level=pair.channel.level)
        np.testing.assert_array_equal(pair.members(), expected)


def keys(size: int) -> st.SearchStrategy[int | slice]:
    """Positions and slices, none of them empty: xarray 2026.9 fails on slices that go down and hold nothing."""
    return st.one_of(st.integers(0, size - 1), st.slices(size).filter(lambda own: len(range(size)[own]) > 0))


@given(st.data())
def test_any_selection_gives_the_same_values(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=3, max_size=4), "shape"))
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    dims = "abcd"[: len(shape)]
    field = xr.DataArray(values, dims=list(dims))
    field.encoding["preferred_chunks"] = {dim: data.draw(st.integers(1, 5), f"chunk of {dim}") for dim in dims}
    lazy = in_chunks(field.to_dataset(name="field"), Ahead(data.draw(st.sampled_from([0, 40, 200, 10_000]), "bytes")))
    for _ in range(3):
        key = {dim: data.draw(keys(size), dim) for dim, size in zip(dims, shape, strict=True)}
        found = lazy["field"].variable.isel(key).values
        np.testing.assert_array_equal(found, values[tuple(key.values())])
        found[...] = -1  # no reader can change what another is given
    np.testing.assert_array_equal(lazy["field"], values)


@given(st.data())
def test_no_more_is_read_than_fits_and_is_in_the_chunks(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    chunks = [data.draw(st.integers(1, 9)) for _ in shape]
    wanted = [tuple(sorted(data.draw(st.sets(st.integers(0, size), min_size=2, max_size=2)))) for size in shape]
    most = data.draw(st.integers(0, 300))
    box = grown(wanted, chunks, shape, most)
    size = np.prod([stop - start for start, stop in box])
    assert size <= max(most, np.prod([stop - start for start, stop in wanted]))
    for (start, stop), (first, last), chunk, end in zip(wanted, box, chunks, shape, strict=True):
        assert first <= start < stop <= last <= end
        assert first // chunk == start // chunk
        assert (last - 1) // chunk == (stop - 1) // chunk


def test_what_is_kept_is_not_sent_to_workers(store: Path, truth: xr.Dataset, reads: Counter[str]) -> None:
    pairs = [pair for pair in match(open_forecasts([store])[0], truth)[0] if pair.channel.level == 500]
    before = len(pickle.dumps(pairs))
    expected = [pair.members() for pair in pairs]
    assert len(pickle.dumps(pairs)) < before + expected[0].nbytes
    reads.clear()
    there = pickle.loads(pickle.dumps(pairs))
    for own, pair in zip(expected, there, strict=True):
        np.testing.assert_array_equal(own, pair.members())
    assert set(reads.values()) == {1}
