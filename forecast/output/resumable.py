"""A NetCDF file that is written advance by advance, and that a killed run goes on with."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from data_pipeline.publish import sync
from forecast.output.chunk_file import ChunkFile
from forecast.output.chunks import LostOutput, Record, checksum, naming, read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from forecast.output.chunks import Chunk, Raw

    Placed = tuple[str, tuple[int, ...], Raw]
    """What is to be written: its variable, the position of its first value, and its bytes."""


class ResumableFile:
    """A file that ``define`` makes at a path, without fields, and which takes ready chunks.

    A killed HDF5 file is never trusted: a new one is made aside, and the chunks that the record knows are copied into
    it as they are, in the same order, so that it comes out as if nothing had happened, to the last byte.

    Raises
    ------
    LostOutput
        If the chunks of an advance below ``committed`` are not there or damaged.
    OSError
        If the disk is full or fails.
    """

    def __init__(self, path: Path, define: Callable[[Path], None], committed: int) -> None:
        self.path = path
        kept = read_record(path, committed)
        aside = path.with_name(f"{path.name}.new")
        with naming(path), ExitStack() as opening:
            define(aside)
            self._record = Record(path)
            opening.callback(self._record.close)
            self._file = ChunkFile(aside)
            opening.callback(self._file.abandon)
            self._copy(kept)
            aside.replace(path)
            self._record.take_place()
            self._file.reserve()  # now that there is no second file any more
            self._open = opening.pop_all()

    def write(self, advance: int, chunks: Iterable[Placed]) -> None:
        """Write all chunks of an advance, and then note that they are there."""
        with naming(self.path):
            self._record.append(advance, [self._file.put(*chunk) for chunk in chunks])

    def finish(self, values: Mapping[str, Any], attributes: Mapping[str, str]) -> Path:
        """Write the ``values`` of further variables and global ``attributes``, close and fsync; the path."""
        with naming(self.path):
            self._file.finish(values, attributes)
            self._record.close()
            sync(self.path)
        return self.path

    def close(self) -> None:
        """Give up; what is committed stays for a resume."""
        self._open.close()

    def _copy(self, kept: list[list[Chunk]]) -> None:
        if kept and not self.path.is_file():
            raise LostOutput(0, self.path, "the file is gone")
        if not kept:
            return
        with self.path.open("rb") as old:
            for advance, chunks in enumerate(kept):
                raw = [os.pread(old.fileno(), chunk.size, chunk.offset) for chunk in chunks]
                bad = [chunk for chunk, data in zip(chunks, raw, strict=True) if checksum(data) != chunk.crc]
                if bad:
                    raise LostOutput(advance, self.path, f"a field of {bad[0].variable} is damaged")
                copies = [
                    self._file.put(chunk.variable, chunk.place, data) for chunk, data in zip(chunks, raw, strict=True)
                ]
                self._record.append(advance, copies)
