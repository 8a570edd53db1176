"""The writer thread: order, waiting, failures, and a full disk."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from forecast.output import OutputConfig, WriterThread, open_sinks
from tests.forecast.outputs import ADVANCES, ATTRIBUTES, LAYOUT, largest_file, put, states, sums, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forecast.guards import Stop


class Notes:
    """A sink that notes what it gets, and fails at one advance."""

    def __init__(self, path: Path, fails_at: int | None = None) -> None:
        self.path, self.fails_at = path, fails_at
        self.seen: list[int] = []
        self.begun, self.free = threading.Event(), threading.Event()
        self.free.set()

    def write(self, advance: int, members: Sequence[int], step: int, states: NDArray[np.float32]) -> None:
        del members, step, states
        self.begun.set()
        assert self.free.wait(10)
        if advance == self.fails_at:
            raise RuntimeError(f"no, not {advance}")
        self.seen.append(advance)

    def finish(self, stopped: Mapping[int, Stop]) -> Path:
        del stopped
        return self.path

    def close(self) -> None:
        """Nothing is open."""


NOTHING = np.zeros((1, 1, 1, 1), np.float32)


def put_until_it_fails(writer: WriterThread, count: int = 100) -> int:
    for advance in range(count):
        try:
            writer.put(advance, [0], 1, NOTHING)
        except RuntimeError:
            return advance
        time.sleep(0.001)
    raise AssertionError("it never failed")


def test_all_sinks_write_and_then_it_commits(tmp_path: Path) -> None:
    one, two, committed = Notes(tmp_path), Notes(tmp_path), []
    with WriterThread([one, two]) as writer:
        for advance in range(20):
            writer.put(advance, [0], 1, NOTHING, lambda done=advance: committed.append((done, list(two.seen))))
    assert one.seen == two.seen == list(range(20))
    assert committed == [(done, list(range(done + 1))) for done in range(20)]


def test_no_more_than_a_few_advances_wait(tmp_path: Path) -> None:
    sink = Notes(tmp_path)
    sink.free.clear()
    handed_over = []
    with WriterThread([sink], under_way=2) as writer:
        feeder = threading.Thread(target=lambda: [handed_over.append(writer.put(n, [0], 1, NOTHING)) for n in range(9)])
        feeder.start()
        time.sleep(0.2)
        assert len(handed_over) == 2, "one is being written, one waits"
        sink.free.set()
        feeder.join()
    assert len(sink.seen) == 9


def test_failure_is_raised_at_the_next_advance_and_at_the_end(tmp_path: Path) -> None:
    sink, committed = Notes(tmp_path, fails_at=1), []
    writer = WriterThread([sink], under_way=1)
    writer.put(0, [0], 1, NOTHING, lambda: committed.append(0))
    writer.put(1, [0], 1, NOTHING, lambda: committed.append(1))
    assert put_until_it_fails(writer) == 0
    assert put_until_it_fails(writer) == 0, "and again, without waiting"
    with pytest.raises(RuntimeError, match="no, not 1"):
        writer.finish()
    assert sink.seen == committed == [0]


def test_failure_of_the_last_advance(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no, not 0"), WriterThread([Notes(tmp_path, fails_at=0)]) as writer:
        writer.put(0, [0], 1, NOTHING)


def test_failure_to_commit(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), WriterThread([Notes(tmp_path)]) as writer:
        writer.put(0, [0], 1, NOTHING, lambda: 1 // 0)


def test_giving_up_forgets_what_waits_and_does_not_hang(tmp_path: Path) -> None:
    sink = Notes(tmp_path)
    sink.free.clear()
    writer = WriterThread([sink], under_way=4)
    for advance in range(4):
        writer.put(advance, [0], 1, NOTHING)
    assert sink.begun.wait(10)
    threading.Timer(0.1, sink.free.set).start()
    writer.close()
    assert sink.seen == [0]
    writer.close()


def test_failure_of_the_model_gives_up(tmp_path: Path) -> None:
    sink = Notes(tmp_path, fails_at=0)
    with pytest.raises(ZeroDivisionError), WriterThread([sink]) as writer:  # noqa: PT012
        writer.put(0, [0], 1, NOTHING)
        raise ZeroDivisionError
    assert not [thread for thread in threading.enumerate() if thread.name == "sphercast-writer"]


def test_interrupted_while_it_finishes_nothing_is_written_any_more(tmp_path: Path) -> None:
    """The sinks are closed next."""
    sink = Notes(tmp_path)
    sink.free.clear()
    interrupts = iter([KeyboardInterrupt])

    def join_interrupted() -> None:
        for interrupt in interrupts:
            threading.Timer(0.1, sink.free.set).start()
            raise interrupt
        threading.Thread.join(writer._thread)

    with pytest.raises(KeyboardInterrupt), WriterThread([sink]) as writer:  # noqa: PT012
        writer._thread.join = join_interrupted  # type: ignore[method-assign]
        writer.put(0, [0], 1, NOTHING)
        writer.put(1, [0], 1, NOTHING)
        assert sink.begun.wait(10)
    assert not writer._thread.is_alive()
    assert sink.seen == [0]


@pytest.mark.parametrize(
    ("name", "compression", "limit"),
    [("forecast.nc", 4, 60_000), ("forecast.nc", 0, 20_000), ("forecast.zarr", 4, 1000)],
)
def test_full_disk_is_an_oserror_with_the_path_and_can_be_resumed(
    tmp_path: Path, name: str, compression: int, limit: int
) -> None:
    work, committed = tmp_path / "work", []
    output = OutputConfig(name=name, compression=compression)
    (sink,) = open_sinks([output], LAYOUT, ATTRIBUTES, work, 0)
    with (  # noqa: PT012
        pytest.raises(OSError, match=rf"\[Errno 27\] File too large: '.*{name}'") as full,
        largest_file(limit),
        WriterThread([sink]) as writer,
    ):
        for advance, (members, step) in enumerate(ADVANCES):
            writer.put(advance, members, step, states(members, step), lambda: committed.append(1))
    sink.close()
    assert full.value.filename == str(work / name)
    assert len(committed) < len(ADVANCES)
    (sink,) = open_sinks([output], LAYOUT, ATTRIBUTES, work, len(committed))
    put([sink], len(committed))
    sink.finish({})
    write(tmp_path / "whole", output)
    assert sums(work) == sums(tmp_path / "whole")


def test_full_disk_at_the_end(tmp_path: Path) -> None:
    """The structure of an HDF5 file is written when it is closed."""
    (sink,) = open_sinks([OutputConfig()], LAYOUT, ATTRIBUTES, tmp_path, 0)
    put([sink])
    with pytest.raises(OSError, match=r"forecast\.nc"), largest_file(20_000):
        sink.finish({})
    sink.close()


def test_no_room_for_the_structure(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"\[Errno 27\] File too large: '.*forecast\.nc'"), largest_file(20_000):
        open_sinks([OutputConfig()], LAYOUT, ATTRIBUTES, tmp_path / "small", 0)
    work = tmp_path / "work"
    work.mkdir()
    (work / "forecast.nc.new").mkdir()
    with pytest.raises(OSError, match=r"forecast\.nc"):
        open_sinks([OutputConfig()], LAYOUT, ATTRIBUTES, work, 0)


def test_an_output_that_cannot_be_opened_closes_the_others(tmp_path: Path) -> None:
    (tmp_path / "second.nc.chunks.new").mkdir()
    with pytest.raises(OSError, match=r"second\.nc"):
        open_sinks([OutputConfig(), OutputConfig(name="second.nc")], LAYOUT, ATTRIBUTES, tmp_path, 0)
    sinks = open_sinks([OutputConfig()], LAYOUT, ATTRIBUTES, tmp_path, 0)
    put(sinks)
    sinks[0].finish({})


def test_states_of_one_advance_alone(tmp_path: Path) -> None:
    """Whoever writes them, thread or not, it is the same."""
    (sink,) = open_sinks([OutputConfig()], LAYOUT, ATTRIBUTES, tmp_path / "one", 0)
    for advance, (members, step) in enumerate(ADVANCES):
        sink.write(advance, members, step, states(members, step))
    (other,) = write(tmp_path / "other", OutputConfig())
    assert sink.finish({}).read_bytes() == other.read_bytes()
