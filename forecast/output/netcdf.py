"""NetCDF: structure by the netCDF library; fields as ready chunks by h5py, or plain, at their places in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.output.chunks import encoded, in_threads
from forecast.output.resumable import ResumableFile
from forecast.output.rounding import rounded
from forecast.output.structure import STEPS, STOPPED, steps_completed, stopped_in_words, write_structure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forecast.guards import Stop
    from forecast.output.config import OutputConfig
    from forecast.output.layout import Block, Field, Selection
    from forecast.output.resumable import Placed


class NetcdfSink:
    """One NetCDF file that is being written; see ``forecast.output.sink.Sink``."""

    def __init__(
        self, path: Path, selection: Selection, config: OutputConfig, attributes: Mapping[str, str], committed: int
    ) -> None:
        self.selection, self.config = selection, config
        self._corner = (0,) * len(selection.space.dims)
        self._file = ResumableFile(path, lambda new: write_structure(new, selection, config, attributes), committed)

    def write(self, advance: int, members: Sequence[int], step: int, states: NDArray[np.float32]) -> None:
        """As ``Sink.write``."""
        if step not in self.selection.steps:
            self._file.write(advance, ())
            return
        cut = rounded(self.selection.cut(states), self.config.keep_bits)
        put = self._compressed if self.config.compression else self._plain
        self._file.write(advance, put(members, step, cut))

    def finish(self, stopped: Mapping[int, Stop]) -> Path:
        """As ``Sink.finish``."""
        words = stopped_in_words(self.selection.members, stopped)
        completed = {STEPS: steps_completed(self.selection, stopped)}
        return self._file.finish(completed, {STOPPED: words} if words else {})

    def close(self) -> None:
        """As ``Sink.close``."""
        self._file.close()

    def _compressed(self, members: Sequence[int], step: int, cut: NDArray[np.float32]) -> Iterator[Placed]:
        """A chunk for each field."""
        fields = list(self.selection.fields(members, step))
        chunks = in_threads(lambda field: encoded(cut[field.source], self.config.compression), fields)
        for field, raw in zip(fields, chunks, strict=True):
            yield field.channel.variable_name, self._place(field, [] if field.layer is None else [field.layer]), raw

    def _plain(self, members: Sequence[int], step: int, cut: NDArray[np.float32]) -> Iterator[Placed]:
        """The levels of a variable are one piece of the file, or a chunk each where some are missing."""
        for block in self.selection.blocks(members, step, cut):
            if self.selection.has_all_levels(block.variable):
                yield block.variable, self._place(block, [0] if block.layers else []), _bytes(block.values)
                continue
            for layer in block.layers:
                yield block.variable, self._place(block, [layer]), _bytes(block.values[layer]).tobytes()

    def _place(self, part: Field | Block, layer: Sequence[int]) -> tuple[int, ...]:
        row = () if self.selection.one_member else (part.row,)
        return (*row, part.column, *layer, *self._corner)


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)
