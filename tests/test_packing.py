"""Stores in few bits: whole numbers come back as they were, fields within half a quantum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr

from benchmarks.packing import decode, encode, pack, unpack
from data_pipeline.store import FORMAT, open_store
from tests.data_pipeline.small_store import small_fields, small_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("shape", "jump"), [((7, 4, 8), 3), ((3, 5, 6), 400), ((40, 8, 16), 30)])
def test_whole_numbers_come_back(shape: tuple[int, int, int], jump: float) -> None:
    steps = np.random.default_rng(0).normal(0, jump, shape)
    whole = np.cumsum(steps, axis=0).astype(np.int32)
    np.testing.assert_array_equal(decode(encode(whole)), whole)


@pytest.mark.parametrize("until", [None, "2000-01-05"])
def test_a_store_comes_back_within_half_a_quantum(tmp_path: Path, until: str | None) -> None:
    fields = small_fields(30)
    small_store(tmp_path / "store.zarr", fields)
    group = zarr.open_group(tmp_path / "store.zarr")
    group.attrs["format"] = FORMAT
    group["statistics"].create_array("tendency_std_24", data=np.array([10.0, 8.0, 12.0]))
    store = open_store(tmp_path / "store.zarr")
    pack(store, tmp_path / "packed", quantum=0.04, until=until)
    unpack(tmp_path / "packed", tmp_path / "again.zarr")
    again = open_store(tmp_path / "again.zarr")
    np.testing.assert_array_equal(again.times, store.times)
    kept = int((store.times < np.datetime64(until)).sum()) if until else 30
    units = 0.04 * store.statistics.tendency_std[24][:, None, None]
    assert (np.abs(again.read(range(kept)) - fields[:kept]) <= 0.51 * units).all()
    assert again.statistics.tendency_std.keys() == store.statistics.tendency_std.keys()
