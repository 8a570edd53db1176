"""Reading ahead: the right states in the given order, threads that end, errors that surface, memory that goes round."""

from __future__ import annotations

import gc
import threading
import time
from dataclasses import dataclass, field

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline import loading
from data_pipeline.errors import DataError
from data_pipeline.loading import Buffers, HeldStates, PhysicalStates, default_threads, in_turn, load
from tests.data_pipeline.small_store import small_fields, small_store

FIELDS = small_fields(40)


def loading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("loading")]


@dataclass(frozen=True)
class Watched:
    """States that note who reads them, and of which one is damaged."""

    states: HeldStates
    damaged: int = -1
    seconds: float = 0
    read: list[int] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.states.shape

    @property
    def dtype(self) -> np.dtype:
        return self.states.dtype

    def read_into(self, first: int, *outs: np.ndarray) -> None:
        for position, out in enumerate(outs, first):
            time.sleep(self.seconds)
            self.read.append(position)
            if position == self.damaged:
                raise DataError(f"the state at {position} is damaged")
            self.states.read_into(position, out)


# what is read


@settings(max_examples=30)
@given(
    order=st.lists(st.lists(st.integers(0, 39), max_size=6), max_size=6),
    threads=st.integers(1, 5),
    depth=st.integers(0, 4),
)
def test_each_batch_holds_its_states(order: list[list[int]], threads: int, depth: int) -> None:
    batches = [(np.array(positions, dtype=np.int64),) for positions in order]
    got = [fields for (fields,) in load((HeldStates(FIELDS),), batches, threads=threads, depth=depth)]
    assert len(got) == len(order)
    for fields, positions in zip(got, order, strict=True):
        np.testing.assert_array_equal(fields, FIELDS[positions])


def test_the_store_is_read_as_zarr_reads_it(tmp_path) -> None:
    store = small_store(tmp_path / "s", FIELDS)
    array = zarr.open_array(tmp_path / "s" / "fields", mode="r")
    order = [(np.random.default_rng(step).integers(0, 40, (3, 5)),) for step in range(10)]
    for (fields,), (positions,) in zip(load((store.shards,), order, threads=3), order, strict=True):
        np.testing.assert_array_equal(fields, array[:][positions])


def test_positions_of_any_shape_and_several_sources() -> None:
    other = HeldStates(np.arange(80, dtype=np.float16).reshape(40, 2))
    order = [(np.array([[3, 9], [9, 39], [0, 1]]), np.array([7])), (np.array([], dtype=int), np.array([[1]]))]
    first, second = list(load((HeldStates(FIELDS), other), order))
    np.testing.assert_array_equal(first[0], FIELDS[order[0][0]])
    np.testing.assert_array_equal(first[1], [[14, 15]])
    assert second[0].shape == (0, *FIELDS.shape[1:])
    np.testing.assert_array_equal(second[1], [[[2, 3]]])


def test_reading_ahead_keeps_the_order_of_the_caller() -> None:
    """Whatever the threads do: the order is asked by the caller's thread alone, ``depth`` batches ahead."""
    asked: list[int] = []

    def order():
        for step in range(10):
            assert threading.current_thread() is threading.main_thread()
            asked.append(step)
            yield (np.array([step, 39 - step]),)

    batches = load((HeldStates(FIELDS),), order(), threads=4, depth=3)
    assert asked == []
    for step in range(10):
        (fields,) = next(batches)
        np.testing.assert_array_equal(fields, FIELDS[[step, 39 - step]])
        assert asked == list(range(min(step + 4, 10)))


def test_states_are_read_in_the_order_of_the_file() -> None:
    watched = Watched(HeldStates(FIELDS))
    list(load((watched,), [(np.array([30, 2, 17, 2]),)], threads=1))
    assert watched.read == [2, 2, 17, 30]


@pytest.mark.parametrize(
    ("positions", "runs"),
    [
        ([[4, 20], [5, 21], [6, 22]], [[4, 5, 6], [20, 21, 22]]),
        (range(8), [[0, 1, 2, 3], [4, 5, 6, 7]]),
        ([3, 3], [[3], [3]]),
    ],
)
def test_neighbours_are_read_together(monkeypatch, positions, runs: list[list[int]]) -> None:
    monkeypatch.setattr(loading, "_LONGEST_RUN", 4)
    calls: list[list[int]] = []
    monkeypatch.setattr(
        HeldStates, "read_into", lambda _, first, *outs: calls.append(list(range(first, first + len(outs))))
    )
    list(load((HeldStates(FIELDS),), [(np.array(positions),)], threads=1))
    assert calls == runs


def test_the_next_batches_are_read_while_the_caller_works() -> None:
    watched = Watched(HeldStates(FIELDS))
    batches = load((watched,), ((np.array([step]),) for step in range(10)), threads=1, depth=3)
    next(batches)
    deadline = time.monotonic() + 5
    while len(watched.read) < 4 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert watched.read == [0, 1, 2, 3]
    batches.close()


def test_physical_states_are_decoded_as_by_the_store(tmp_path) -> None:
    store = small_store(tmp_path / "s", FIELDS, half=True)
    physical = PhysicalStates(store.shards, store.scaling)
    assert (physical.shape, physical.dtype) == (FIELDS.shape[1:], np.float32)
    (fields,) = next(load((physical,), [(np.arange(40),)]))
    np.testing.assert_array_equal(fields, store.read(range(40)))
    np.testing.assert_allclose(fields, FIELDS, atol=0.05)


def test_in_turn_reads_each_state_once() -> None:
    states = HeldStates(FIELDS)
    each = FIELDS[0].nbytes
    for size in (1, each, 3 * each + 1, 100 * each):
        batches = [positions for (positions,) in in_turn(5, 40, states, size)]
        np.testing.assert_array_equal(np.concatenate(batches), np.arange(5, 40))
        assert len(batches) == -(-35 // max(1, size // each))


def test_default_threads(monkeypatch) -> None:
    assert default_threads() >= 1
    monkeypatch.setattr(loading.os, "sched_getaffinity", lambda _: range(100), raising=False)
    assert default_threads() == loading.MOST_THREADS
    monkeypatch.delattr(loading.os, "sched_getaffinity")
    monkeypatch.setattr(loading.os, "cpu_count", lambda: None)
    assert default_threads() == 1


# ends and errors


def test_threads_end_with_the_iteration() -> None:
    list(load((HeldStates(FIELDS),), [(np.arange(5),)] * 3, threads=3))
    assert loading_threads() == []


@pytest.mark.parametrize("end", ["close", "forget"])
def test_threads_end_with_an_iteration_that_is_given_up(end: str) -> None:
    watched = Watched(HeldStates(FIELDS), seconds=0.005)
    batches = load((watched,), ((np.arange(40),) for _ in range(100)), threads=2, depth=4)
    next(batches)
    assert loading_threads()
    if end == "close":
        batches.close()
    else:
        del batches
        gc.collect()
    assert loading_threads() == []
    assert len(watched.read) < 100, "what was not begun is not read any more"


def test_an_error_surfaces_when_its_batch_is_due() -> None:
    watched = Watched(HeldStates(FIELDS), damaged=25)
    batches = load((watched,), ((np.arange(start, start + 10),) for start in range(0, 40, 10)), threads=2, depth=3)
    np.testing.assert_array_equal(next(batches)[0], FIELDS[:10])
    np.testing.assert_array_equal(next(batches)[0], FIELDS[10:20])
    with pytest.raises(DataError, match="the state at 25 is damaged"):
        next(batches)
    assert loading_threads() == []
    with pytest.raises(StopIteration):
        next(batches)


def test_an_error_of_the_order_is_the_callers() -> None:
    def order():
        yield (np.arange(3),)
        raise KeyError("order")

    with pytest.raises(KeyError, match="order"):
        list(load((HeldStates(FIELDS),), order(), threads=2))
    assert loading_threads() == []


# memory


def counting(made: list[tuple[int, ...]]):
    def allocate(shape, dtype):
        made.append(shape)
        return np.empty(shape, dtype)

    return Buffers(allocate)


def test_memory_goes_round() -> None:
    made: list[tuple[int, ...]] = []
    order = ((np.arange(4) + step % 30,) for step in range(200))
    for step, (fields,) in enumerate(load((HeldStates(FIELDS),), order, threads=2, depth=2, buffers=counting(made))):
        np.testing.assert_array_equal(fields, FIELDS[np.arange(4) + step % 30])
    assert len(made) <= 2 + 2, "those ahead, the caller's, and the one being asked for"


def test_a_batch_that_is_kept_is_not_overwritten() -> None:
    order = [(np.arange(4) + step,) for step in range(20)]
    kept = [fields for (fields,) in load((HeldStates(FIELDS),), order, depth=2)]
    parts = [fields[1:, :1][0] for (fields,) in load((HeldStates(FIELDS),), order, depth=2)]
    for step in range(20):
        np.testing.assert_array_equal(kept[step], FIELDS[step : step + 4])
        np.testing.assert_array_equal(parts[step], FIELDS[step + 1, :1])


def test_lent_memory_returns_with_its_last_view() -> None:
    made: list[tuple[int, ...]] = []
    buffers = counting(made)
    lent = buffers.lend((4, 2), np.dtype("f2"))
    view = lent[1:][0]
    del lent
    buffers.lend((4, 2), np.dtype("f2"))
    assert len(made) == 2
    del view
    buffers.lend((4, 2), np.dtype("f2"))
    assert len(made) == 2
    buffers.lend((4, 2), np.dtype("f4"))
    buffers.lend((2, 4), np.dtype("f2"))
    assert made[2:] == [(4, 2), (2, 4)]
