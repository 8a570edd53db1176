"""NetCDF: structure by the netCDF library, fields as ready chunks by h5py, which says where in the file they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecast.output.chunks import encoded, in_threads
from forecast.output.resumable import ResumableFile
from forecast.output.rounding import rounded
from forecast.output.structure import STEPS, STOPPED, steps_completed, stopped_in_words, write_structure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from forecast.guards import Stop
    from forecast.output.config import OutputConfig
    from forecast.output.layout import Field, Selection


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
        fields = list(self.selection.fields(members, step))
        cut = rounded(self.selection.cut(states), self.config.keep_bits) if fields else states
        each = in_threads if self.config.compression else map
        data = each(lambda field: encoded(cut[field.source], self.config.compression), fields)
        chunks = (
            (field.channel.variable_name, self._place(field), raw) for field, raw in zip(fields, data, strict=True)
        )
        self._file.write(advance, chunks)

    def finish(self, stopped: Mapping[int, Stop]) -> Path:
        """As ``Sink.finish``."""
        words = stopped_in_words(self.selection.members, stopped)
        completed = {STEPS: steps_completed(self.selection, stopped)}
        return self._file.finish(completed, {STOPPED: words} if words else {})

    def close(self) -> None:
        """As ``Sink.close``."""
        self._file.close()

    def _place(self, field: Field) -> tuple[int, ...]:
        row = () if self.selection.one_member else (field.row,)
        layer = () if field.layer is None else (field.layer,)
        return (*row, field.column, *layer, *self._corner)
