"""The flat cache: the store's own bits, whole or not there, and never another store's."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from io import BufferedWriter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from data_pipeline import flat_cache
from data_pipeline.errors import DataError
from data_pipeline.flat_cache import HEADER_BYTES, flatten, open_flat
from data_pipeline.shards import Shards, shard_path
from tests.data_pipeline.small_store import small_fields, small_store

FIELDS = small_fields(30)


@pytest.fixture
def store(tmp_path):
    return small_store(tmp_path / "s.zarr", FIELDS)


@pytest.mark.parametrize("half", [False, True])
def test_it_holds_the_bits_of_the_store(tmp_path, half: bool) -> None:
    store = small_store(tmp_path / "s.zarr", FIELDS, half=half)
    flat = flatten(store, tmp_path / "flat", threads=3)
    assert (flat.count, flat.shape, flat.dtype) == (30, store.shards.shape, store.shards.dtype)
    for position in np.random.default_rng(0).permutation(30):
        out = np.empty(flat.shape, flat.dtype)
        flat.read_into(int(position), out)
        np.testing.assert_array_equal(out, store.shards.read(position))


def test_anybody_can_map_it(store, tmp_path) -> None:
    flat = flatten(store, tmp_path / "flat")
    mapped = np.memmap(tmp_path / "flat", flat.dtype, "r", HEADER_BYTES, (flat.count, *flat.shape))
    np.testing.assert_array_equal(mapped, FIELDS)
    header = json.loads((tmp_path / "flat").read_bytes()[:HEADER_BYTES])
    assert header["shape"] == [30, *flat.shape]
    assert header["dtype"] == "<f4"


def test_batches_larger_than_one_read(store, tmp_path, monkeypatch) -> None:
    whole = flatten(store, tmp_path / "whole").file.path.read_bytes()
    real = flat_cache.in_turn
    monkeypatch.setattr(flat_cache, "in_turn", lambda *arguments: real(*arguments, bytes_at_once=1000))
    assert flatten(store, tmp_path / "parts").file.path.read_bytes() == whole


def test_many_threads_at_once(store, tmp_path) -> None:
    flat = flatten(store, tmp_path / "flat")

    def is_right(position: int) -> bool:
        out = np.empty(flat.shape, flat.dtype)
        flat.read_into(position, out)
        return np.array_equal(out, FIELDS[position])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(is_right, np.random.default_rng(1).integers(0, 30, 1000).tolist()))


def test_it_can_be_sent_to_another_process(store, tmp_path) -> None:
    flat = pickle.loads(pickle.dumps(flatten(store, tmp_path / "flat")))
    out = np.empty(flat.shape, flat.dtype)
    flat.read_into(7, out)
    np.testing.assert_array_equal(out, FIELDS[7])


@pytest.mark.parametrize("most", [50, 384, 500])
def test_reads_that_come_in_pieces_are_put_together(store, tmp_path, monkeypatch, most: int) -> None:
    """As Linux gives them for more than 2 GiB."""
    flat, real = flatten(store, tmp_path / "flat"), os.preadv

    def few(descriptor: int, rooms: list[memoryview], offset: int) -> int:
        content = bytearray(min(most, sum(room.nbytes for room in rooms)))
        got, start = real(descriptor, [content], offset), 0
        for room in rooms:
            part = content[start : start + room.nbytes]
            room.cast("B")[: len(part)] = part
            start += len(part)
        return got

    monkeypatch.setattr(os, "preadv", few)
    out = np.empty((3, *flat.shape), flat.dtype)
    flat.read_into(11, *out)
    np.testing.assert_array_equal(out, FIELDS[11:14])


def test_positions_and_sizes_are_checked(store, tmp_path) -> None:
    flat = flatten(store, tmp_path / "flat")
    for position in (-1, 30):
        with pytest.raises(DataError, match=f"flat holds 30 states, got position {position}; flatten the store again"):
            flat.read_into(position, np.empty(flat.shape, flat.dtype))
    with pytest.raises(DataError, match="flat holds 30 states, got position 30"):
        flat.read_into(29, *np.empty((2, *flat.shape), flat.dtype))
    with pytest.raises(DataError, match="flat holds states of 384 bytes, got room for 192"):
        flat.read_into(0, np.empty(flat.shape, np.float16))


# whose it is


def test_its_own_cache_is_kept(store, tmp_path) -> None:
    flatten(store, tmp_path / "flat")
    before = (tmp_path / "flat").stat()
    flatten(store, tmp_path / "flat")
    moved = shutil.move(tmp_path / "s.zarr", tmp_path / "moved.zarr")
    flatten(store.__class__(Path(moved), store.channels, store.grid, store.times, store.group), tmp_path / "flat")
    assert (tmp_path / "flat").stat().st_ino == before.st_ino
    assert (tmp_path / "flat").stat().st_mtime_ns == before.st_mtime_ns


def test_another_stores_cache_is_refused_or_replaced(store, tmp_path) -> None:
    other = small_store(tmp_path / "other.zarr", -FIELDS)
    flatten(other, tmp_path / "flat")
    with pytest.raises(DataError, match=r"flat is the flat cache of another store than .*s\.zarr; flatten this one"):
        open_flat(store, tmp_path / "flat")
    out = np.empty(store.shards.shape, np.float32)
    flatten(store, tmp_path / "flat").read_into(3, out)
    np.testing.assert_array_equal(out, FIELDS[3])
    open_flat(store, tmp_path / "flat").read_into(4, out)
    np.testing.assert_array_equal(out, FIELDS[4])


def test_a_longer_store_of_the_same_name_is_another_one(store, tmp_path) -> None:
    flatten(store, tmp_path / "flat")
    shutil.rmtree(store.path)
    longer = small_store(store.path, small_fields(34))
    with pytest.raises(DataError, match="is the flat cache of another store"):
        open_flat(longer, tmp_path / "flat")
    assert flatten(longer, tmp_path / "flat").count == 34


@pytest.mark.parametrize("change", [-1, 1, -400])
def test_a_torn_cache_is_refused_or_replaced(store, tmp_path, change: int) -> None:
    whole = flatten(store, tmp_path / "flat").file.path.read_bytes()
    os.truncate(tmp_path / "flat", len(whole) + change)
    with pytest.raises(DataError, match=r"flat is torn: it has \d+ bytes, expected another size; flatten the store"):
        open_flat(store, tmp_path / "flat")
    flatten(store, tmp_path / "flat")
    assert (tmp_path / "flat").read_bytes() == whole


@pytest.mark.parametrize("content", [b"", b"precious notes", b"{}", b"[1, 2]", b"\xff" * 5000])
def test_other_files_are_not_overwritten(store, tmp_path, content: bytes) -> None:
    (tmp_path / "notes").write_bytes(content)
    for use in (flatten, open_flat):
        with pytest.raises(DataError, match="notes is something else than a sphercast flat cache 1; give the name"):
            use(store, tmp_path / "notes")
    assert (tmp_path / "notes").read_bytes() == content


def test_nothing_to_open(store, tmp_path) -> None:
    with pytest.raises(DataError, match="flat is missing"):
        open_flat(store, tmp_path / "flat")


def test_a_store_without_checksums_is_not_whole(store, tmp_path) -> None:
    (store.path / "SHA256SUMS").unlink()
    with pytest.raises(DataError, match=r"s\.zarr has no SHA256SUMS, so it is not whole; build or copy it again"):
        flatten(store, tmp_path / "flat")


# faults


def test_a_damaged_store_leaves_no_cache(store, tmp_path) -> None:
    path = shard_path(store.path / "fields", 2)
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="is damaged: a checksum does not fit"):
        flatten(store, tmp_path / "caches" / "flat")
    assert list((tmp_path / "caches").iterdir()) == []


class Usage(NamedTuple):
    free: int


def test_a_disk_without_room_is_said_before_anything_is_written(store, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(flat_cache.shutil, "disk_usage", lambda _: Usage(10_000))
    with pytest.raises(DataError, match=r"flat needs 1\.56e-05 GB, 1e-05 GB are free; give another folder"):
        flatten(store, tmp_path / "caches" / "flat")
    assert list((tmp_path / "caches").iterdir()) == []


def test_a_disk_that_fills_up_leaves_the_old_cache(store, tmp_path, monkeypatch) -> None:
    flatten(store, tmp_path / "caches" / "flat")
    before = (tmp_path / "caches" / "flat").read_bytes()
    other, real = small_store(tmp_path / "other.zarr", -FIELDS), Path.open

    class Full(BufferedWriter):
        def write(self, content) -> int:
            if self.tell() >= HEADER_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(content)

    with monkeypatch.context() as full:
        full.setattr(
            Path, "open", lambda path, mode: Full(real(path, mode, buffering=0)) if mode == "wb" else real(path, mode)
        )
        with pytest.raises(OSError, match="No space left on device") as caught:
            flatten(other, tmp_path / "caches" / "flat")
    assert caught.value.filename == str(tmp_path / "caches" / "flat")
    assert [path.name for path in (tmp_path / "caches").iterdir()] == ["flat"]
    assert (tmp_path / "caches" / "flat").read_bytes() == before


SLOW = """
import sys, time
from pathlib import Path
import zarr
from data_pipeline import flat_cache
from data_pipeline.shards import Shards
from data_pipeline.store import store_of

real, in_turn = Shards.read_into, flat_cache.in_turn
flat_cache.in_turn = lambda *arguments: in_turn(*arguments, bytes_at_once=1000)

def read_into(shards, first, *outs):
    if first >= 20:
        print("half way", flush=True)
        time.sleep(60)
    real(shards, first, *outs)

Shards.read_into = read_into
store = Path(sys.argv[1])
flat_cache.flatten(store_of(store, zarr.open_group(store, mode="r")), Path(sys.argv[2]), threads=1)
"""


def test_a_killed_writer_leaves_nothing_under_the_name(store, tmp_path) -> None:
    path = tmp_path / "caches" / "flat"
    with subprocess.Popen([sys.executable, "-c", SLOW, store.path, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"half way\n"
        deadline = time.monotonic() + 10
        while not list(path.parent.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
        writer.send_signal(signal.SIGKILL)
    assert not path.exists()
    assert len(list(path.parent.iterdir())) == 1, "what it was writing, under another name"
    flatten(store, path)
    assert [found.name for found in path.parent.iterdir()] == ["flat"]
    np.testing.assert_array_equal(np.memmap(path, "<f4", "r", HEADER_BYTES, FIELDS.shape), FIELDS)


def test_the_store_is_not_read_where_the_cache_is_whole(store, tmp_path, monkeypatch) -> None:
    flatten(store, tmp_path / "flat")
    monkeypatch.setattr(Shards, "read_into", lambda *_: pytest.fail("read the store"))
    assert flatten(store, tmp_path / "flat").count == 30
