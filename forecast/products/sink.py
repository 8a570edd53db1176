"""Products while the forecast runs: made when a step has all its members, without a second pass over the forecast."""

from __future__ import annotations

from contextlib import ExitStack
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.channels import Channel
from forecast.output.chunks import naming
from forecast.output.resumable import ResumableFile
from forecast.output.structure import STOPPED, stopped_in_words
from forecast.products.chunks import alive_members, chunks_of, counts
from forecast.products.layout import plan
from forecast.products.source import Source, field_of, parts_of
from forecast.products.spool import Spool
from forecast.products.statistics import EXTREMES
from forecast.products.structure import write_structure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forecast.guards import Stop
    from forecast.output.layout import Selection
    from forecast.output.resumable import Placed
    from forecast.products.config import ProductsConfig
    from forecast.products.source import Floats


class ProductsSink:
    """One products file that is being written; see ``forecast.output.sink.Sink``.

    Batches of members come one after the other: until a step has all its members, and until the windows that it is in
    are over, its fields wait in a spool beside the file. So one field of all members is in memory at a time, and the
    file comes out the same whatever the batches are.
    """

    def __init__(
        self, path: Path, selection: Selection, config: ProductsConfig, attributes: Mapping[str, str], committed: int
    ) -> None:
        self.selection, self.layout = selection, plan(Source.running(selection, attributes), config)
        needed = [(part, level) for name, level in self.layout.channels for part in parts_of(name)]
        self._fields = {key: number for number, key in enumerate(dict.fromkeys(needed))}
        self._channels = [selection.channels.index(Channel(*key).name) for key in self._fields]
        with ExitStack() as opening, naming(path):
            self._file = ResumableFile(path, lambda new: write_structure(new, self.layout), committed)
            opening.callback(self._file.close)
            shape = len(self._fields), len(self.layout.rows), *self.layout.source.shape
            self._spool = Spool(path.with_name(f"{path.name}.spool"), shape, committed)
            self._spool.open(self._first_needed)
            opening.pop_all()

    def write(self, advance: int, members: Sequence[int], step: int, states: NDArray[np.float32]) -> None:
        """As ``Sink.write``."""
        before = self._spool.whole
        with naming(self._file.path):
            self._spool.forget(self._first_needed)  # what was needed for the advance before, which is committed now
            self._keep(advance, members, step, states)
        self._file.write(advance, self._products(before) if self._spool.whole > before else ())

    def finish(self, stopped: Mapping[int, Stop]) -> Path:
        """As ``Sink.finish``."""
        alive = alive_members(self.layout, self.selection.steps, stopped)
        words = stopped_in_words(self.selection.members, stopped)
        path = self._file.finish(counts(self.layout, alive), {STOPPED: words} if words else {})
        self._spool.close()
        self._spool.forget(self._first_needed)
        return path

    def close(self) -> None:
        """As ``Sink.close``."""
        self._file.close()
        self._spool.close()

    @property
    def _first_needed(self) -> int:
        """The position of the first lead time whose fields are needed still."""
        return self.layout.first_needed(self._spool.whole)

    def _keep(self, advance: int, members: Sequence[int], step: int, states: NDArray[np.float32]) -> None:
        wanted = [position for position, member in enumerate(members) if member in self.layout.members]
        if step not in self.selection.steps or not wanted:
            self._spool.skip(advance)
            return
        rows = [self.layout.members.index(members[position]) for position in wanted]
        fields = self.selection.cut(states)[np.ix_(wanted, self._channels)]
        self._spool.put(advance, self.selection.steps.index(step), rows, fields)

    def _products(self, lead: int) -> Iterator[Placed]:
        """Of a lead time, and of the windows that end with it."""
        for name, level in self.layout.channels:
            yield from chunks_of(self.layout, name, level, lead, self._members(lead, name, level))
        for window in self.layout.windows_that_end(lead):
            for name, level in self.layout.channels:
                for extreme, beyond in EXTREMES.items():
                    fields = (self._members(each, name, level) for each in self.layout.leads_in(window))
                    yield from chunks_of(self.layout, name, level, window, reduce(beyond, fields), extreme)

    def _members(self, lead: int, name: str, level: int | None) -> Floats:
        """A field of all members."""
        held = self._spool.fields(lead)
        return field_of(lambda part, on: np.asarray(held[self._fields[part, on]]), name, level)
