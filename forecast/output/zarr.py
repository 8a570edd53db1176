"""Zarr in WeatherBench2's forecast layout: levels of a variable in a file, metadata only when all fields are there."""

from __future__ import annotations

import ctypes
import os
import shutil
from typing import TYPE_CHECKING

from forecast.output.attributes import hours_since_epoch
from forecast.output.chunks import Chunk, LostOutput, Record, checksum, encoded, in_threads, naming, read_record
from forecast.output.rounding import rounded
from forecast.output.zarr_metadata import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from forecast.guards import Stop
    from forecast.output.config import OutputConfig
    from forecast.output.layout import Block, Selection


class ZarrSink:
    """One Zarr store (format 2) that is being written; see ``forecast.output.sink.Sink``."""

    def __init__(
        self, path: Path, selection: Selection, config: OutputConfig, attributes: Mapping[str, str], committed: int
    ) -> None:
        self.path, self.selection, self.config, self.attributes = path, selection, config, attributes
        kept = read_record(path, committed)
        for advance, chunks in enumerate(kept):
            self._check(advance, chunks)
        if not kept:
            shutil.rmtree(path, ignore_errors=True)
        hours_since_epoch(selection.times)  # refuse now what the metadata cannot say at the end
        with naming(path):
            for name in selection.channels.variables:
                (path / name).mkdir(parents=True, exist_ok=True)
            self._record = Record(path)
            for advance, chunks in enumerate(kept):
                self._record.append(advance, chunks)
            self._record.take_place()

    def write(self, advance: int, members: Sequence[int], step: int, states: NDArray[np.float32]) -> None:
        """As ``Sink.write``."""
        with naming(self.path):
            chunks = list(in_threads(self._put, self._blocks(members, step, states)))
            self._record.append(advance, chunks)

    def finish(self, stopped: Mapping[int, Stop]) -> Path:
        """As ``Sink.finish``."""
        with naming(self.path):
            for key, raw in metadata(self.selection, self.config, self.attributes, stopped).items():
                target = self.path / key
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(raw)
            self._record.close()
            _sync_file_system(self.path)
        return self.path

    def close(self) -> None:
        """As ``Sink.close``."""
        self._record.close()

    def _blocks(self, members: Sequence[int], step: int, states: NDArray[np.float32]) -> Iterator[Block]:
        if step not in self.selection.steps:
            return iter(())
        cut = rounded(self.selection.cut(states), self.config.keep_bits)
        return self.selection.blocks(members, step, cut)

    def _put(self, block: Block) -> Chunk:
        place = (0, block.column, block.row, *([0] if block.layers else []), 0, 0)
        raw = encoded(block.values, self.config.compression)
        _file(self.path, block.variable, place).write_bytes(raw)
        return Chunk(block.variable, place, 0, len(raw), checksum(raw))

    def _check(self, advance: int, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            file = _file(self.path, chunk.variable, chunk.place)
            if not file.is_file() or checksum(file.read_bytes()) != chunk.crc:
                raise LostOutput(advance, self.path, f"a field of {chunk.variable} is damaged")


def _file(path: Path, variable: str, place: tuple[int, ...]) -> Path:
    return path / variable / ".".join(map(str, place))


def _sync_file_system(path: Path) -> None:
    """Flush all that was written at once: a store has so many files that one after the other takes minutes."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):  # only Linux has it
        os.sync()
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if library.syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(descriptor)
