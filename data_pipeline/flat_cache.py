"""A store's states as one plain file, to be read at the speed of the page cache. The store remains the truth."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.integrity import SUMS
from data_pipeline.loading import in_turn, load
from data_pipeline.open_file import OpenFile
from data_pipeline.publish import publishing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from data_pipeline.store import TrainingStore

FORMAT = "sphercast flat cache 1"
HEADER_BYTES = 4096
"""JSON, filled up with spaces; so the states start on a page: ``np.memmap(path, dtype, "r", HEADER_BYTES, shape)``."""


@dataclass(frozen=True)
class FlatCache:
    """States back to back in the order of time, as they are stored: ``shape`` and ``dtype`` are those of one.

    ``source`` is the sha256 of the list of checksums of the store that they come from.
    """

    file: OpenFile
    count: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    source: str

    def read_into(self, time: int, *outs: NDArray[Any]) -> None:
        """Read the states from position ``time`` on into ``outs``, contiguous each, with one call of the system.

        Many threads may do so at once; Python's lock is released.

        Raises
        ------
        DataError
            If there are no such states, or one of ``outs`` has another size.
        """
        if not 0 <= time <= self.count - len(outs):
            held = f"{self.file.path} holds {self.count} states"
            raise DataError(
                f"{held}, got position {time + len(outs) - 1 if time >= 0 else time}; flatten the store again"
            )
        for out in outs:
            if out.nbytes != self._bytes:
                raise DataError(f"{self.file.path} holds states of {self._bytes} bytes, got room for {out.nbytes}")
        self.file.read_into(HEADER_BYTES + time * self._bytes, *outs)

    @property
    def is_whole(self) -> bool:
        """Whether the file has the size that its header promises."""
        return self.file.size == HEADER_BYTES + self.count * self._bytes

    @cached_property
    def _bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def flatten(store: TrainingStore, path: Path, *, threads: int | None = None) -> FlatCache:
    """The flat cache of ``store`` at ``path``: the one that is there if it is this store's and whole, else a new one.

    A new one replaces what another store, or this one before months were appended, left there. It stands under its
    own name when it is whole and on the disk, not before.

    Raises
    ------
    DataError
        If ``path`` is some other file, the disk has no room, or the store is damaged.
    OSError
        If the disk fills up meanwhile.
    """
    source = source_of(store)
    if path.exists():
        held = _open(path)
        if held.source == source and held.is_whole:
            return held
    _write(store, path, source, threads)
    return _open(path)


def open_flat(store: TrainingStore, path: Path) -> FlatCache:
    """An existing flat cache of ``store``.

    Raises
    ------
    DataError
        If there is none, it is torn, or it belongs to another store, or to this one before months were appended.
    """
    held = _open(path)
    if held.source != source_of(store):
        raise DataError(f"{path} is the flat cache of another store than {store.path}; flatten this one")
    if not held.is_whole:
        raise DataError(
            f"{path} is torn: it has {held.file.size} bytes, expected another size; flatten the store again"
        )
    return held


def source_of(store: TrainingStore) -> str:
    """What tells a store from every other: the sha256 of the list of checksums of its files.

    Raises
    ------
    DataError
        If the store has no such list, so that it is not whole.
    """
    sums = store.path / SUMS
    if not sums.is_file():
        raise DataError(f"{store.path} has no {SUMS}, so it is not whole; build or copy it again")
    return hashlib.sha256(sums.read_bytes()).hexdigest()


def _open(path: Path) -> FlatCache:
    file = OpenFile(path)
    content = np.zeros(min(file.size, HEADER_BYTES), dtype=np.uint8)
    file.read_into(0, content)
    try:
        header = json.loads(content.tobytes())
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DataError(f"{path} is something else than a {FORMAT}; give the name of a file to be made")
    count, *shape = header["shape"]
    return FlatCache(file, count, tuple(shape), np.dtype(header["dtype"]), header["source"])


def _write(store: TrainingStore, path: Path, source: str, threads: int | None) -> None:
    shards, count = store.shards, len(store.times)
    dtype = shards.dtype.newbyteorder("<").str
    header = {"format": FORMAT, "source": source, "shape": [count, *shards.shape], "dtype": dtype}
    path.parent.mkdir(parents=True, exist_ok=True)
    needed = HEADER_BYTES + count * math.prod(shards.shape) * shards.dtype.itemsize
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise DataError(f"{path} needs {needed / 1e9:.3g} GB, {free / 1e9:.3g} GB are free; give another folder")
    with publishing(path) as aside, aside.open("wb") as file:
        file.write(json.dumps(header).encode().ljust(HEADER_BYTES))
        for (states,) in load((shards,), in_turn(0, count, shards), threads=threads):
            file.write(states.data)
