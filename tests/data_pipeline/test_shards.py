"""Shards: the bytes that zarr writes, read at random by many threads, and every way in which a file can be bad."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from numcodecs import blosc

from data_pipeline import shards as module
from data_pipeline.errors import DataError
from data_pipeline.shards import Shards, encode_chunk, shard_path, write_shard
from tests.data_pipeline.small_store import SLOTS, create_fields, write_fields

COUNT, SHAPE = 21, (2, 6, 5)


def fields(dtype: str = "float32") -> np.ndarray:
    smooth = np.linspace(0, 3, COUNT * 60).reshape(COUNT, *SHAPE)
    return (smooth + np.random.default_rng(0).standard_normal((COUNT, *SHAPE)) / 8).astype(dtype)


def shards_in(folder: Path, dtype: str = "float32") -> tuple[Shards, np.ndarray]:
    stored = fields(dtype)
    write_fields(folder / "fields", stored)
    return Shards(folder / "fields", SLOTS, SHAPE, np.dtype(dtype)), stored


# writing


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_bytes_are_those_of_zarr(tmp_path, dtype: str) -> None:
    stored = fields(dtype)
    create_fields(zarr.open_group(tmp_path / "zarr", mode="w"), COUNT, dtype, SHAPE)[:] = stored
    write_fields(tmp_path / "ours", stored)
    for number in range(3):
        theirs = shard_path(tmp_path / "zarr" / "fields", number).read_bytes()
        assert shard_path(tmp_path / "ours", number).read_bytes() == theirs
    assert not shard_path(tmp_path / "zarr" / "fields", 3).exists()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_zarr_reads_them(tmp_path, dtype: str) -> None:
    stored = fields(dtype)
    array = create_fields(zarr.open_group(tmp_path, mode="w"), COUNT, dtype, SHAPE)
    write_fields(tmp_path / "fields", stored)
    np.testing.assert_array_equal(array[:], stored)
    assert array[:].dtype == dtype


def test_the_digest_is_that_of_the_file(tmp_path) -> None:
    digest = write_shard(tmp_path / "shard", fields()[:3], 4)
    assert digest == hashlib.sha256((tmp_path / "shard").read_bytes()).hexdigest()


def test_states_may_lie_anyhow_in_memory(tmp_path) -> None:
    turned = np.asfortranarray(fields()[0]).astype(">f4")
    assert encode_chunk(turned) == encode_chunk(fields()[0])


def test_too_many_states_are_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="got more states than the shard's 4; give them to the next shard"):
        write_shard(tmp_path / "shard", fields()[:5], 4)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch) -> None:
    write_shard(tmp_path / "shard", fields()[:2], 4)
    before, real = (tmp_path / "shard").read_bytes(), Path.open
    with monkeypatch.context() as full:
        full.setattr(Path, "open", lambda path, mode: _FullAfter(real(path, mode), 2))
        with pytest.raises(OSError, match="No space left on device") as caught:
            write_shard(tmp_path / "shard", fields()[:4], 4)
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in tmp_path.iterdir()] == ["shard"]
    assert (tmp_path / "shard").read_bytes() == before


class _FullAfter:
    """A file on a disk that has room for some writes."""

    def __init__(self, file, writes: int) -> None:
        self.file, self.writes = file, writes

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.file.close()

    def write(self, content: bytes) -> int:
        if self.writes == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.writes -= 1
        return self.file.write(content)


def test_a_source_that_fails_leaves_nothing(tmp_path) -> None:
    def states():
        yield fields()[0]
        raise DataError("the source broke")

    with pytest.raises(DataError, match="the source broke"):
        write_shard(tmp_path / "c" / "shard", states(), 4)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# reading


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_any_state_in_any_order(tmp_path, dtype: str) -> None:
    shards, stored = shards_in(tmp_path, dtype)
    for time in np.random.default_rng(1).permutation(COUNT):
        got = shards.read(int(time))
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, stored[time])


def test_missing_values_stay_missing(tmp_path) -> None:
    stored = fields()
    stored[3, 0, 1, 2] = np.nan
    write_fields(tmp_path, stored)
    np.testing.assert_array_equal(Shards(tmp_path, SLOTS, SHAPE, np.dtype("f4")).read(3), stored[3])


def test_it_is_read_in_place(tmp_path) -> None:
    shards, stored = shards_in(tmp_path)
    block = np.zeros((3, *SHAPE), dtype=np.float32)
    shards.read_into(9, block[1])
    np.testing.assert_array_equal(block, np.stack([0 * stored[9], stored[9], 0 * stored[9]]))
    shards.read_into(6, *block)
    np.testing.assert_array_equal(block, stored[6:9], "from two shards")


@pytest.mark.parametrize("use_threads", [True, False, None])
def test_many_threads_at_once(tmp_path, monkeypatch, use_threads: bool | None) -> None:
    """Also where somebody lets blosc have threads of its own, of which it has one set for all callers."""
    monkeypatch.setattr(blosc, "use_threads", use_threads)
    monkeypatch.setattr(module, "OPEN_SHARDS", 2)  # so that shards are dropped while others read them
    shards, stored = shards_in(tmp_path)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        times = np.random.default_rng(2).integers(0, COUNT, 2000).tolist()
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(lambda time: np.array_equal(shards.read(time), stored[time]), times))
    finally:
        sys.setswitchinterval(interval)


def descriptors(folder: Path) -> int:
    links = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd")]
    return sum(os.path.realpath(link).startswith(str(folder)) for link in links if link.is_symlink())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors are counted in Linux's /proc")
def test_few_shards_are_open_and_none_afterwards(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "OPEN_SHARDS", 2)
    shards, _ = shards_in(tmp_path)
    for time in range(COUNT):
        shards.read(time)
    assert descriptors(tmp_path) == 2
    del shards
    assert descriptors(tmp_path) == 0


def test_a_replaced_shard_is_seen_by_the_next_reader(tmp_path) -> None:
    """Who has the old one open goes on with it, index and bytes: never the index of one and the bytes of the other."""
    shards, stored = shards_in(tmp_path)
    np.testing.assert_array_equal(shards.read(2), stored[2])
    write_fields(tmp_path / "fields", stored[::-1] * 2)
    np.testing.assert_array_equal(shards.read(3), stored[3])
    again = Shards(shards.array, SLOTS, SHAPE, shards.dtype)
    np.testing.assert_array_equal(again.read(3), stored[::-1][3] * 2)


def test_a_reader_can_be_sent_to_another_process(tmp_path) -> None:
    shards, stored = shards_in(tmp_path)
    shards.read(0)
    sent = pickle.loads(pickle.dumps(shards))
    assert sent == shards
    np.testing.assert_array_equal(sent.read(4), stored[4])


# bad files


def test_a_missing_shard(tmp_path) -> None:
    shards, _ = shards_in(tmp_path)
    shard_path(shards.array, 1).unlink()
    with pytest.raises(DataError, match=r"fields/c/1/0/0/0 is missing; build or copy the store again"):
        shards.read(SLOTS)
    assert shards.read(0).shape == SHAPE


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_shard_that_may_not_be_read(tmp_path) -> None:
    shards, _ = shards_in(tmp_path)
    shard_path(shards.array, 0).chmod(0)
    with pytest.raises(DataError, match="cannot be opened"):
        shards.read(0)


def test_a_folder_in_the_place_of_a_shard(tmp_path) -> None:
    shards, _ = shards_in(tmp_path)
    shard_path(shards.array, 0).unlink()
    shard_path(shards.array, 0).mkdir()
    with pytest.raises(DataError, match=r"0/0/0 cannot be read \(Is a directory\); copy or build the store again"):
        shards.read(0)


def test_too_many_open_files(tmp_path, monkeypatch) -> None:
    shards, _ = shards_in(tmp_path)

    def refuse(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DataError, match=r"cannot be opened \(Too many open files\); mend that, and start again"):
        shards.read(0)


def test_a_missing_slot(tmp_path) -> None:
    """The last shard has room for times that the array has not; an unwritten state is no field of zeros or NaN."""
    shards, _ = shards_in(tmp_path)
    with pytest.raises(DataError, match=rf"lacks the state at position {COUNT}; build or copy the store again"):
        shards.read(COUNT)


@pytest.mark.parametrize("keep", [0, 3, 50, 0.5, -1])
def test_a_truncated_shard(tmp_path, keep: float) -> None:
    shards, _ = shards_in(tmp_path)
    path = shard_path(shards.array, 0)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep == 0.5 else int(keep)])
    with pytest.raises(DataError, match=r"ends \d+ bytes early|is damaged: a checksum does not fit"):
        shards.read(0)


def test_a_shard_that_loses_its_end_while_it_is_open(tmp_path) -> None:
    shards, _ = shards_in(tmp_path)
    shards.read(0)
    path = shard_path(shards.array, 0)
    os.truncate(path, 10)
    with pytest.raises(DataError, match=r"0/0/0 ends \d+ bytes early; build or copy the store again"):
        shards.read(0)


@given(place=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(tmp_path_factory, place: int, bit: int) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    stored = fields()[:SLOTS]
    write_fields(folder, stored)
    path = shard_path(folder, 0)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(bytes(content))
    shards = Shards(folder, SLOTS, SHAPE, np.dtype("f4"))
    noticed = sum(is_noticed(shards, time, stored[time]) for time in range(SLOTS))
    assert noticed in {1, SLOTS}, "one state, or the index and so all of them"


def is_noticed(shards: Shards, time: int, expected: np.ndarray) -> bool:
    """Else the state is what it was."""
    try:
        got = shards.read(time)
    except DataError:
        return True
    np.testing.assert_array_equal(got, expected)
    return False


@pytest.mark.parametrize(("shape", "got"), [((2, 6, 4), 192), ((2, 6, 6), 288)])
def test_states_of_another_size(tmp_path, shape: tuple[int, ...], got: int) -> None:
    """Smaller ones too: what they leave unfilled must not pass for data."""
    shards, _ = shards_in(tmp_path)
    with pytest.raises(DataError, match=f"holds states of 240 bytes, expected {got}; build the store again"):
        Shards(shards.array, SLOTS, shape, shards.dtype).read(0)


@pytest.mark.parametrize("content", [b"", b"short", bytes(4) + (240).to_bytes(4, "little") + bytes(60)])
def test_chunks_that_are_no_blosc(tmp_path, monkeypatch, content: bytes) -> None:
    """With a fitting checksum: written by something else."""
    monkeypatch.setattr(module, "encode_chunk", lambda _: module._with_checksum(content))
    shards, _ = shards_in(tmp_path)
    with pytest.raises(DataError, match=r"holds states of \d+ bytes, expected 240|cannot be decompressed"):
        shards.read(0)
