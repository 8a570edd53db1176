"""Kill it anywhere: what is committed is kept, and the files come out as if nothing had happened, byte for byte."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from forecast.output import LostOutput, OutputConfig, open_sinks
from forecast.output.chunk_file import ChunkFile
from forecast.output.chunks import Chunk, checksum, read_record
from tests.forecast.outputs import ADVANCES, ATTRIBUTES, LAYOUT, STOP, put, states, sums, write

if TYPE_CHECKING:
    from pathlib import Path

OUTPUTS = [
    OutputConfig(),
    OutputConfig(name="plain.nc", compression=0),
    OutputConfig(name="rounded.nc", keep_bits=7, region=(0, 90, -60, 60), lead_hours=(24,)),
    OutputConfig(name="m{member}.nc", variables=("2m_temperature",)),
    OutputConfig(name="store.zarr"),
    OutputConfig(name="plain.zarr", compression=0, levels=(500,)),
]
STOPPED = {1: STOP}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    write(folder, *OUTPUTS, stopped=STOPPED)
    return sums(folder)


def go_on(work: Path, committed: int) -> dict[str, str]:
    sinks = open_sinks(OUTPUTS, LAYOUT, ATTRIBUTES, work, committed)
    put(sinks, committed)
    for sink in sinks:
        sink.finish(STOPPED)
    return sums(work)


def begin(work: Path, last: int) -> None:
    sinks = open_sinks(OUTPUTS, LAYOUT, ATTRIBUTES, work, 0)
    put(sinks, 0, last)
    for sink in sinks:
        sink.close()


@pytest.mark.parametrize("committed", range(len(ADVANCES) + 1))
def test_given_up_and_resumed(tmp_path: Path, uninterrupted: dict[str, str], committed: int) -> None:
    begin(tmp_path, committed)
    assert go_on(tmp_path, committed) == uninterrupted


def test_what_was_not_committed_is_forgotten(tmp_path: Path, uninterrupted: dict[str, str]) -> None:
    begin(tmp_path, 5)
    assert go_on(tmp_path, 2) == uninterrupted


def test_resumed_again_and_again(tmp_path: Path, uninterrupted: dict[str, str]) -> None:
    begin(tmp_path, 1)
    for committed in range(1, len(ADVANCES)):
        sinks = open_sinks(OUTPUTS, LAYOUT, ATTRIBUTES, tmp_path, committed)
        put(sinks, committed, committed + 1)
        for sink in sinks:
            sink.close()
    assert go_on(tmp_path, len(ADVANCES)) == uninterrupted


def test_finished_but_not_published(tmp_path: Path, uninterrupted: dict[str, str]) -> None:
    write(tmp_path, *OUTPUTS, stopped=STOPPED)
    assert go_on(tmp_path, len(ADVANCES)) == uninterrupted


CHILD = """
import os, pathlib, signal, sys
from forecast.output import WriterThread
from forecast.output.chunk_file import ChunkFile
from tests.forecast.test_output_resume import *
from tests.forecast.outputs import states

work, die_at = pathlib.Path(sys.argv[1]), int(sys.argv[2])
calls = 0

def put_chunk(self, *arguments, original=ChunkFile.put):
    global calls
    calls += 1
    if calls == die_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, *arguments)

def commit(done):
    (work / "committed").write_text(str(done))

committed = int((work / "committed").read_text()) if (work / "committed").exists() else 0
ChunkFile.put = put_chunk
sinks = open_sinks(OUTPUTS, LAYOUT, ATTRIBUTES, work, committed)
with WriterThread(sinks) as writer:
    for advance, (members, step) in list(enumerate(ADVANCES))[committed:]:
        writer.put(advance, members, step, states(members, step), lambda done=advance + 1: commit(done))
"""


def test_killed_while_it_writes_and_while_it_resumes(
    tmp_path: Path, uninterrupted: dict[str, str], environment: dict[str, str]
) -> None:
    """At a chunk of a later advance, then while what is kept is copied."""
    for die_at in (80, 13):
        done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), str(die_at)], env=environment, check=False)
        assert done.returncode == -signal.SIGKILL
    committed = tmp_path / "committed"
    kept = int(committed.read_text())
    assert 0 < kept < len(ADVANCES) - 1
    committed.unlink()
    assert go_on(tmp_path, kept) == uninterrupted


@pytest.mark.parametrize("cut", [1, 7, 200])
def test_torn_record(tmp_path: Path, uninterrupted: dict[str, str], cut: int) -> None:
    """Killed while it noted the chunks of advance 3, which was not committed."""
    begin(tmp_path, 4)
    for output in ("forecast.nc", "store.zarr"):
        record = tmp_path / f"{output}.chunks"
        record.write_bytes(record.read_bytes()[:-cut])
    assert go_on(tmp_path, 3) == uninterrupted


@pytest.mark.parametrize("name", ["forecast.nc", "store.zarr"])
def test_committed_records_that_are_lost_are_said(tmp_path: Path, name: str) -> None:
    """As after a power cut; advance 3 must be computed again."""
    begin(tmp_path, 4)
    record = tmp_path / f"{name}.chunks"
    whole = record.read_bytes()
    record.write_bytes(whole[:-5])
    with pytest.raises(LostOutput, match=f"{name}: the record of advance 3 is damaged") as lost:
        open_sinks(OUTPUTS, LAYOUT, ATTRIBUTES, tmp_path, 4)
    assert lost.value.advance == 3
    record.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    with pytest.raises(LostOutput, match="the record of advance 2 is missing"):
        open_sinks(OUTPUTS, LAYOUT, ATTRIBUTES, tmp_path, 4)
    record.unlink()
    with pytest.raises(LostOutput, match="computed again") as lost:
        open_sinks(OUTPUTS, LAYOUT, ATTRIBUTES, tmp_path, 4)
    assert lost.value.advance == 0


def test_one_bit_of_a_record(tmp_path: Path) -> None:
    """Every line has a checksum of its own."""
    begin(tmp_path, 2)
    record = tmp_path / "forecast.nc.chunks"
    raw = bytearray(record.read_bytes())
    raw[raw.index(b"\n") - 10] ^= 1
    record.write_bytes(raw)
    with pytest.raises(LostOutput, match="record of advance 0 is damaged"):
        open_sinks(OUTPUTS, LAYOUT, ATTRIBUTES, tmp_path, 2)


def test_damaged_field_of_a_netcdf_file(tmp_path: Path, uninterrupted: dict[str, str]) -> None:
    begin(tmp_path, 5)
    (chunk,) = [chunk for chunk in read_record(tmp_path / "forecast.nc", 5)[3] if chunk.variable == "2m_temperature"]
    with (tmp_path / "forecast.nc").open("r+b") as damaged:
        damaged.seek(chunk.offset + 20)
        damaged.write(b"\xff\xfe")
    with pytest.raises(LostOutput, match="a field of 2m_temperature is damaged") as lost:
        open_sinks(OUTPUTS, LAYOUT, ATTRIBUTES, tmp_path, 5)
    assert lost.value.advance == 3, "member 2 after step 2"
    assert go_on(tmp_path, lost.value.advance) == uninterrupted


def test_lost_field_of_a_zarr_store(tmp_path: Path, uninterrupted: dict[str, str]) -> None:
    begin(tmp_path, 5)
    (tmp_path / "store.zarr" / "2m_temperature" / "0.1.2.0.0").unlink()
    with pytest.raises(LostOutput, match=r"store\.zarr: a field of 2m_temperature is damaged") as lost:
        open_sinks(OUTPUTS, LAYOUT, ATTRIBUTES, tmp_path, 5)
    assert go_on(tmp_path, lost.value.advance) == uninterrupted


def test_lost_file(tmp_path: Path) -> None:
    begin(tmp_path, 2)
    (tmp_path / "forecast.nc").unlink()
    with pytest.raises(LostOutput, match="the file is gone"):
        open_sinks(OUTPUTS, LAYOUT, ATTRIBUTES, tmp_path, 2)


def test_what_a_failed_resume_leaves_can_be_resumed(tmp_path: Path, uninterrupted: dict[str, str]) -> None:
    begin(tmp_path, 4)
    shutil.move(tmp_path / "store.zarr", tmp_path / "elsewhere")
    with pytest.raises(LostOutput):
        open_sinks(OUTPUTS, LAYOUT, ATTRIBUTES, tmp_path, 4)
    shutil.move(tmp_path / "elsewhere", tmp_path / "store.zarr")
    assert go_on(tmp_path, 4) == uninterrupted


@pytest.mark.parametrize("fill", [None, 0.0, np.nan])
def test_chunks_are_where_hdf5_puts_them(tmp_path: Path, fill: float | None) -> None:
    """Guessed for speed, beside what HDF5 says: of large and small ones, of zeros, of equal ones."""
    sinks = open_sinks(OUTPUTS[:3], LAYOUT, ATTRIBUTES, tmp_path, 0)
    for advance, (members, step) in enumerate(ADVANCES):
        values = states(members, step)
        for sink in sinks:
            sink.write(advance, members, step, values if fill is None else np.full_like(values, fill))
    for sink in sinks:
        path = sink.finish({})
        with h5py.File(path) as file:
            for chunk in (chunk for chunks in read_record(path, len(ADVANCES)) for chunk in chunks):
                assert (chunk.offset, chunk.size) == where_hdf5_has(file[chunk.variable], chunk)


def test_a_resumed_plain_file_reserves_its_room_when_the_old_one_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path, 2)
    reserve, seen = ChunkFile.reserve, []

    def watched(file: ChunkFile) -> None:
        seen.append((tmp_path / "plain.nc.new").exists())
        reserve(file)

    monkeypatch.setattr(ChunkFile, "reserve", watched)
    go_on(tmp_path, 2)
    assert not any(seen)
    assert (tmp_path / "plain.nc").stat().st_blocks * 512 >= (tmp_path / "plain.nc").stat().st_size


def where_hdf5_has(field: h5py.Dataset, chunk: Chunk) -> tuple[int, int]:
    if field.chunks is None:
        values = field[...].ravel()[np.ravel_multi_index(chunk.place, field.shape) :][: chunk.size // 4]
        assert checksum(values) == chunk.crc, "what the record says is what readers get"
        return field.id.get_offset() + 4 * int(np.ravel_multi_index(chunk.place, field.shape)), chunk.size
    stored = field.id.get_chunk_info_by_coord(chunk.place)
    return stored.byte_offset, stored.size
